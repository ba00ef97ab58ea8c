package boltstore

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state/persons"
)

// identify brings a file of a format before 6 up to date: it gives each user an id, and has records
// refer to people by it. Events are not changed: what they say of a person is read by the name.
func identify(w *writer) error {
	t := newTransaction(newReader(context.Background(), w.tx, time.Time{}), w)
	err := rewrite(w, bUsers, func(u *access.User) error {
		if u.ID == "" {
			u.ID = access.NewPersonID()
		}
		return t.PutUser(*u)
	})
	id := func(text string) (string, error) {
		p, err := t.Person(text)
		if errors.Is(err, access.ErrNotFound) {
			return text, nil
		}
		return p.ID, err
	}
	released := func(r *registry.Release) []*string {
		persons.SignedAs(r)
		return persons.InRelease(r)
	}
	return errors.Join(err,
		refer(w, bApps, id, persons.InApp), refer(w, bReleases, id, released), refer(w, bActivations, id, persons.InActivation),
		refer(w, bKeys, id, persons.InKey), refer(w, bHosts, id, persons.InHostName), refer(w, bUnnamed, id, persons.InUnnamed),
		refer(w, bCertificates, id, persons.InCertificate), refer(w, bRequests, id, persons.InRequest), refer(w, bGrants, id, persons.InGrant),
		refer(w, bCredentials, id, persons.InCredential), refer(w, bSecrets, id, persons.InSecret), refer(w, bPauses, id, persons.InPause))
}

// refer has the records of a bucket refer to people by their ids.
func refer[T any](w *writer, bucket string, id func(string) (string, error), fields func(*T) []*string) error {
	return rewrite(w, bucket, func(v *T) error {
		for _, f := range fields(v) {
			is, err := id(*f)
			if err != nil {
				return err
			}
			*f = is
		}
		return nil
	})
}

// rewrite changes each record of a bucket.
func rewrite[T any](w *writer, bucket string, change func(*T) error) error {
	var keys [][]byte
	for k := range w.tx.From(bucket, nil) {
		keys = append(keys, bytes.Clone(k))
	}
	for _, k := range keys {
		v, err := get[T](w.tx, bucket, k, storage.ErrCorrupt)
		if err == nil {
			err = change(&v)
		}
		if err == nil {
			err = put(w, bucket, k, v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

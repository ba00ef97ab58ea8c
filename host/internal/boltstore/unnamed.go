package boltstore

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/agora-host/agora/registry"
)

// bUnnamed holds, by digest, the blobs that no release names any more and whose files are
// still there.
const bUnnamed = "unnamed"

// Unnamed is a blob that no release names. Its bytes count as its owner's until its file
// is gone.
type Unnamed struct {
	Digest registry.Digest `json:"digest"`
	Owner  string          `json:"owner,omitempty"` // of the last release that named it, if one did
	Size   int64           `json:"size,omitempty"`  // that is counted
	Since  time.Time       `json:"since"`
}

// ReleaseNumbers lists the numbers of an app's releases, newest first, without reading
// the releases.
func (t *Tx) ReleaseNumbers(app string) []int {
	prefix := append(key(app), 0)
	var all []int
	c := t.tx.Bucket([]byte(bReleases)).Cursor()
	for k, _ := c.Seek(prefix); k != nil && hasPrefix(k, prefix); k, _ = c.Next() {
		if rest := k[len(prefix):]; len(rest) == 8 {
			all = append(all, int(binary.BigEndian.Uint64(rest)))
		}
	}
	slices.Reverse(all)
	return all
}

// DeleteRelease forgets a release. Blobs that no other release names are unnamed then.
func (t *Tx) DeleteRelease(app string, n int) error {
	r, err := t.Release(app, n)
	if err != nil {
		return err
	}
	return t.deleteRelease(r, cmp.Or(r.Charged, r.Manifest.Owner))
}

// deleteRelease forgets a release, whose module counts as a person's until its file is gone.
func (t *Tx) deleteRelease(r registry.Release, owner string) error {
	app, n := r.App, r.Number
	if err := t.w.remove(bReleases, releaseKey(app, n)); err != nil {
		return err
	}
	for _, u := range []Unnamed{{Digest: r.Digest, Size: r.Size}, {Digest: r.Bundle}} {
		named, err := t.Named(u.Digest)
		if err != nil {
			return err
		}
		if u.Owner, u.Since = owner, t.at; !named && u.Digest != "" {
			if err := put(t.w, bUnnamed, key(string(u.Digest)), u); err != nil {
				return err
			}
		}
	}
	return nil
}

// ChargeRelease counts a release in the quota of another person.
func (t *Tx) ChargeRelease(app string, n int, to string) error {
	r, err := t.Release(app, n)
	if err != nil {
		return err
	}
	r.Charged = to
	return put(t.w, bReleases, releaseKey(app, n), r)
}

// Named reports whether a release names a blob.
func (t *Tx) Named(d registry.Digest) (bool, error) {
	c, err := t.Count(countBlob, string(d))
	return c.N > 0, err
}

// Unnamed lists the blobs that no release names.
func (s *Store) Unnamed(ctx context.Context) (all []Unnamed, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		all, err = list[Unnamed](tx.tx, bUnnamed, nil)
		return err
	})
	return all, err
}

// MarkUnnamed notes blobs whose files were found and that no release names. It makes no
// revision, as what it notes is no change that anybody made.
func (s *Store) MarkUnnamed(ctx context.Context, all []Unnamed) error {
	if err := ctx.Err(); err != nil || len(all) == 0 {
		return err
	}
	return commit(s.db, func(w *writer) error {
		var err error
		for _, u := range all {
			err = errors.Join(err, put(w, bUnnamed, key(string(u.Digest)), u))
		}
		return err
	})
}

// ForgetUnnamed forgets blobs whose files are gone.
func (s *Store) ForgetUnnamed(ctx context.Context, all []Unnamed) error {
	if err := ctx.Err(); err != nil || len(all) == 0 {
		return err
	}
	return commit(s.db, func(w *writer) error {
		var err error
		for _, u := range all {
			err = errors.Join(err, w.remove(bUnnamed, key(string(u.Digest))))
		}
		return err
	})
}

// ForgetExpired forgets credentials that have ended, if there are any.
func (s *Store) ForgetExpired(ctx context.Context) error {
	for {
		found := 0
		err := s.View(ctx, func(tx *Tx) error {
			ended, err := tx.expired()
			found = len(ended)
			return err
		})
		if err != nil || found == 0 {
			return err
		}
		err = commit(s.db, func(w *writer) error {
			return (&Tx{tx: w.tx, w: w, at: s.now().UTC()}).forgetExpired()
		})
		if err != nil {
			return err
		}
	}
}

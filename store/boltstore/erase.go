package boltstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// keysOf lists the keys of a bucket that begin with a name, such as an app's, up to limit of them.
func keysOf(w *writer, bucket, name string, limit int) (keys [][]byte) {
	for k := range w.tx.Under(bucket, within(name)) {
		if len(keys) == limit {
			break
		}
		keys = append(keys, bytes.Clone(k))
	}
	return keys
}

const noLimit = 1 << 62

// owned are the buckets whose keys begin with the name of the app that the record belongs to, but
// for releases, whose blobs are noted when they go, and usage, which stays.
var owned = []string{bActivations, bSecrets, bPauses, bUses, bAudiences, bAccess}

// EraseApp forgets all records of an app but itself, its usage, its events, and its requests without what
// they say that it is for.
func (t *transaction) EraseApp(app string) error {
	if app == "" {
		return errors.New("BUG: no app to erase")
	}
	numbers, err := t.ReleaseNumbers(app)
	if err != nil {
		return err
	}
	for _, n := range numbers {
		r, err := t.Release(app, n)
		if err != nil {
			return err
		}
		if err := t.deleteRelease(r, "", ""); err != nil { // its owners have given it up
			return err
		}
	}
	for _, bucket := range owned {
		for _, k := range keysOf(t.w, bucket, app, noLimit) {
			if err := t.w.remove(bucket, k); err != nil {
				return err
			}
		}
	}
	for _, k := range keysOf(t.w, bQuotas, string(key("app", app)), noLimit) {
		if err := t.w.remove(bQuotas, k); err != nil {
			return err
		}
	}
	grants, _, err := t.GrantsPart(app, state.Part{Limit: -1})
	if err != nil {
		return err
	}
	for _, g := range grants {
		if err := t.w.remove(bGrants, key(g.ID)); err != nil {
			return err
		}
	}
	requests, _, err := t.RequestsPart(app, "", state.Part{Limit: -1})
	if err != nil {
		return err
	}
	for _, q := range requests {
		if q.Intent == nil {
			continue
		}
		q.Intent = nil
		if err := t.PutRequest(q); err != nil {
			return err
		}
	}
	hosts, err := t.HostNamesOf(app)
	if err != nil {
		return err
	}
	for _, n := range hosts {
		if err := t.DeleteHostName(n.Host); err != nil {
			return err
		}
	}
	return nil
}

// HostNamesOf lists the host names of an app.
func (t registryReader) HostNamesOf(app string) ([]registry.HostName, error) {
	found, _, err := page(t.in, bHosts, nil, state.Part{Limit: -1}, false, func(n registry.HostName) bool { return n.App == app })
	return found, err
}

// eraseAtOnce is how many entries one commit erases: writes of other apps wait for it.
const eraseAtOnce = 2000

// Erase forgets all that an app keeps but its blobs. It may be called again.
func (s *KV) Erase(ctx context.Context, app string) error {
	return s.inParts(ctx, app, func(w *writer) (bool, error) {
		keys := keysOf(w, bData, app, eraseAtOnce)
		for _, k := range keys {
			if err := s.eraseEntry(w, app, k); err != nil {
				return false, err
			}
		}
		if len(keys) == eraseAtOnce {
			return true, nil
		}
		return false, w.remove(bUsed, []byte(app))
	})
}

// eraseEntry removes an entry and its place among those that expire.
func (s *KV) eraseEntry(w *writer, app string, k []byte) error {
	was, err := openEntry(k, w.tx.Record(bData, k))
	if err != nil {
		return err
	}
	_, name := cutKey(k)
	u, err := readUsed(w.tx, app)
	if err != nil {
		return err
	}
	u = u.minus(used{int64(len(name) + len(was.value)), 1})
	if was.expires != 0 {
		err = w.remove(bExpiry, expiryKey(app, was.expires, name))
	}
	return errors.Join(err, w.remove(bData, k), u.put(w, app))
}

// EraseBlobs forgets the notes of all blobs of an app. It may be called again.
func (s *KV) EraseBlobs(ctx context.Context, app string) error {
	return s.inParts(ctx, app, func(w *writer) (bool, error) {
		keys := keysOf(w, bBlobs, app, eraseAtOnce)
		for _, k := range keys {
			_, name := cutKey(k)
			u, _, err := blobsAfter(w.tx, app, name, -1, abi.KVQuota{})
			if err != nil {
				return false, err
			}
			if err := errors.Join(w.remove(bBlobs, k), u.putInto(w, bBlobsUsed, app)); err != nil {
				return false, err
			}
		}
		if len(keys) == eraseAtOnce {
			return true, nil
		}
		return false, w.remove(bBlobsUsed, []byte(app))
	})
}

func (s *KV) inParts(ctx context.Context, app string, erase func(*writer) (more bool, err error)) error {
	if app == "" {
		return errors.New("BUG: no app to erase")
	}
	for more := true; more; {
		err := s.write(ctx, func(w *writer) (err error) {
			more, err = erase(w)
			return err
		})
		if err != nil {
			return fmt.Errorf("erase what app %q keeps: %w", app, err)
		}
	}
	return nil
}

package boltstore

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/registry"
)

// bUnnamed holds, by digest, the blobs that no release names any more and whose files are
// still there.
const bUnnamed = "unnamed"

// ReleaseNumbers lists the numbers of an app's releases, newest first, without reading
// the releases.
func (t registryReader) ReleaseNumbers(app string) ([]int, error) {
	prefix := within(app)
	var all []int
	for k := range t.in.tx.Under(bReleases, prefix) {
		if rest := k[len(prefix):]; len(rest) == 8 {
			all = append(all, int(binary.BigEndian.Uint64(rest)))
		}
	}
	slices.Reverse(all)
	return all, nil
}

// DeleteRelease forgets a release. Blobs that no other release names are unnamed then.
func (t *transaction) DeleteRelease(app string, n int) error {
	r, err := t.Release(app, n)
	if err != nil {
		return err
	}
	return t.deleteRelease(r, cmp.Or(r.Charged, r.Manifest.Owner), r.Group)
}

// deleteRelease forgets a release, whose module counts as a person's, and as a group's, until its file is
// gone.
func (t *transaction) deleteRelease(r registry.Release, owner, group string) error {
	app, n := r.App, r.Number
	if err := t.w.remove(bReleases, releaseKey(app, n)); err != nil {
		return err
	}
	for _, u := range []registry.Unnamed{{Digest: r.Digest, Size: r.Size}, {Digest: r.Bundle}} {
		named, err := t.Named(u.Digest)
		if err != nil {
			return err
		}
		if u.Owner, u.Group, u.Since = owner, group, t.at; !named && u.Digest != "" {
			if err := put(t.w, bUnnamed, key(string(u.Digest)), u); err != nil {
				return err
			}
		}
	}
	return nil
}

// ChargeRelease counts a release in the quota of another person.
func (t *transaction) ChargeRelease(app string, n int, to string) error {
	r, err := t.Release(app, n)
	if err != nil {
		return err
	}
	r.Charged = to
	return put(t.w, bReleases, releaseKey(app, n), r)
}

// Named reports whether a release names a blob.
func (t registryReader) Named(d registry.Digest) (bool, error) {
	c, err := readCount(t.in.tx, string(key(countBlob, string(d))))
	return c.N > 0, err
}

// Unnamed lists the blobs that no release names.
func (t registryReader) Unnamed() ([]registry.Unnamed, error) {
	return all[registry.Unnamed](t.in, bUnnamed, nil)
}

// MarkUnnamed notes blobs whose files were found and that no release names. It makes no
// revision, as what it notes is no change that anybody made.
func (s *Store) MarkUnnamed(ctx context.Context, all []registry.Unnamed) error {
	if err := ctx.Err(); err != nil || len(all) == 0 {
		return err
	}
	return commit(s.file, func(w *writer) error {
		var err error
		for _, u := range all {
			err = errors.Join(err, put(w, bUnnamed, key(string(u.Digest)), u))
		}
		return err
	})
}

// ForgetUnnamed forgets blobs whose files are gone.
func (s *Store) ForgetUnnamed(ctx context.Context, all []registry.Unnamed) error {
	if err := ctx.Err(); err != nil || len(all) == 0 {
		return err
	}
	return commit(s.file, func(w *writer) error {
		var err error
		for _, u := range all {
			err = errors.Join(err, w.remove(bUnnamed, key(string(u.Digest))))
		}
		return err
	})
}

// TokensUsed notes when credentials were used last.
func (s *Store) TokensUsed(ctx context.Context, at map[string]time.Time) error {
	if err := ctx.Err(); err != nil || len(at) == 0 {
		return err
	}
	return commit(s.file, func(w *writer) error {
		for hash, used := range at {
			c, err := get[access.Credential](w.tx, bCredentials, key(hash), access.ErrNotFound)
			if errors.Is(err, access.ErrNotFound) || (err == nil && !used.After(c.Used)) {
				continue
			}
			if c.Used = used; err == nil {
				err = put(w, bCredentials, key(hash), c)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// ForgetExpired forgets credentials that have ended, if there are any.
func (s *Store) ForgetExpired(ctx context.Context) error {
	for more := true; more; {
		err := s.view(ctx, func(tx *reader) error {
			ended, err := tx.EndedCredentials(tx.at, 1)
			more = len(ended) > 0
			return err
		})
		if err != nil || !more {
			return err
		}
		err = commit(s.file, func(w *writer) (err error) {
			t := newTransaction(newReader(ctx, w.tx, s.now()), w)
			more, err = access.ForgetEnded(t, t.at)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

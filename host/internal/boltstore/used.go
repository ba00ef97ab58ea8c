package boltstore

import (
	"context"
	"errors"
	"os"

	"github.com/agora-host/agora/approvals"
)

// bUses holds, by app and release, what releases did with their capabilities.
const bUses = "uses"

// ReleaseUsed is what one release did.
type ReleaseUsed struct {
	App     string
	Release int
	Used    []approvals.Used
}

// AddUsed adds to what releases did. It makes no revision: it is nobody's change.
// What a crash makes it do twice is counted twice.
func (s *Store) AddUsed(ctx context.Context, all []ReleaseUsed) error {
	if err := ctx.Err(); err != nil || len(all) == 0 {
		return err
	}
	return commit(s.db, func(w *writer) error {
		for _, r := range all {
			k := releaseKey(r.App, r.Release)
			known, err := get[[]approvals.Used](w.tx, bUses, k, os.ErrNotExist)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
			if err := put(w, bUses, k, approvals.MergeUsed(known, r.Used)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Used answers what a release did.
func (t *Tx) Used(app string, release int) ([]approvals.Used, error) {
	used, err := get[[]approvals.Used](t.tx, bUses, releaseKey(app, release), os.ErrNotExist)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return used, err
}

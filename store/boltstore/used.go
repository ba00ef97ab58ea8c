package boltstore

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/agora-host/agora/approvals"
)

// bUses holds, by app and release, what releases did with their capabilities, and as release
// allReleases what all of an app did together: a page of an app must not read each.
const (
	bUses       = "uses"
	allReleases = 0
)

// AddUsed adds to what releases did. It makes no revision: it is no one's change.
// What a crash makes it do twice is counted twice.
func (s *Store) AddUsed(ctx context.Context, all []approvals.ReleaseUsed) error {
	if err := ctx.Err(); err != nil || len(all) == 0 {
		return err
	}
	return commit(s.file, func(w *writer) error {
		for _, r := range all {
			if err := errors.Join(addUsed(w, releaseKey(r.App, r.Release), r.Used), addUsed(w, releaseKey(r.App, allReleases), r.Used)); err != nil {
				return err
			}
		}
		return nil
	})
}

func addUsed(w *writer, k []byte, used []approvals.Used) error {
	known, err := get[[]approvals.Used](w.tx, bUses, k, os.ErrNotExist)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return put(w, bUses, k, approvals.MergeUsed(known, used))
}

// sumUses makes the sums of a file that had none.
func sumUses(w *writer) error {
	sums := map[string][]approvals.Used{}
	for k, record := range w.tx.From(bUses, nil) {
		used, err := decode[[]approvals.Used](bUses, k, record)
		if err != nil {
			return err
		}
		app, _, _ := strings.Cut(string(k), "\x00")
		sums[app] = approvals.MergeUsed(sums[app], used)
	}
	for _, app := range sortedKeys(sums) {
		if err := put(w, bUses, releaseKey(app, allReleases), sums[app]); err != nil {
			return err
		}
	}
	return nil
}

// UsedByAny returns what the releases of an app did together.
func (t *reader) UsedByAny(app string) ([]approvals.Used, error) { return t.Used(app, allReleases) }

// Used returns what a release did.
func (t *reader) Used(app string, release int) ([]approvals.Used, error) {
	used, err := get[[]approvals.Used](t.tx, bUses, releaseKey(app, release), os.ErrNotExist)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return used, err
}

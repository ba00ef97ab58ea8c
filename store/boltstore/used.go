package boltstore

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/registry"
)

// bUses holds, by app and release, what releases did with their capabilities, and as release
// allReleases what all of an app did together: a page of an app must not read each.
const (
	bUses       = "uses"
	allReleases = 0
)

// AddUsed adds to what releases did what is in no cell. It makes no revision: no person changed it.
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

// addDone adds to what a release did what is new in one of its cells, in the transaction that makes it
// stored: nothing is lost that is metered, and nothing counts twice. Of an app that is removed nothing
// is kept.
func addDone(w *writer, c metering.Cell, did []metering.Done) error {
	if len(did) == 0 {
		return nil
	}
	app, err := get[registry.App](w.tx, bApps, key(c.App), registry.ErrNoApp)
	if errors.Is(err, registry.ErrNotFound) || err == nil && app.Removal != nil {
		return nil
	}
	if err != nil {
		return err
	}
	used := make([]approvals.Used, len(did))
	for i, d := range did {
		used[i] = approvals.Used{Use: d.Use, First: d.First, Last: d.Last}
	}
	return errors.Join(addUsed(w, releaseKey(c.App, c.Release), used), addUsed(w, releaseKey(c.App, allReleases), used))
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
func (t approvalReader) UsedByAny(app string) ([]approvals.Used, error) {
	return t.in.Used(app, allReleases)
}

// Used returns what a release did.
func (t approvalReader) Used(app string, release int) ([]approvals.Used, error) {
	used, err := get[[]approvals.Used](t.in.tx, bUses, releaseKey(app, release), os.ErrNotExist)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return used, err
}

package apps

import (
	"context"
	"errors"
	"slices"

	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// Pin keeps blobs while they are stored and named. When the returned function is called
// and no release names them, the upload failed: they are removed.
func (k *Keeper) Pin(digests ...registry.Digest) (done func()) {
	unpin := k.blobs.Pin(digests...)
	return func() {
		unpin()
		ctx := context.Background()
		noted, err := k.unnamed(ctx)
		for _, d := range digests {
			if err == nil && !slices.ContainsFunc(noted, func(u registry.Unnamed) bool { return u.Digest == d }) {
				_, err = k.blobs.Remove(d, k.named(ctx))
			}
		}
		if err != nil { // the next start finds them
			k.desk.Logger.Warn("what a failed upload left could not be removed", "err", err)
		}
	}
}

// unnamed lists the blobs that are noted as named by no release.
func (k *Keeper) unnamed(ctx context.Context) (all []registry.Unnamed, err error) {
	err = k.desk.View(ctx, func(tx state.Reader) error {
		all, err = tx.Unnamed()
		return err
	})
	return all, err
}

// named reports whether a release names a blob.
func (k *Keeper) named(ctx context.Context) func(registry.Digest) (bool, error) {
	return func(d registry.Digest) (is bool, err error) {
		err = k.desk.View(ctx, func(tx state.Reader) error {
			is, err = tx.Named(d)
			return err
		})
		return is, err
	}
}

// CollectSoon is collect for a caller that has removed something and does not wait.
func (k *Keeper) CollectSoon(ctx context.Context) {
	if err := k.collect(context.WithoutCancel(ctx)); err != nil {
		k.desk.Logger.WarnContext(ctx, "modules that no release names could not be removed; this is tried again", "err", err)
	}
}

// collect removes the files of blobs that no release names, and that no snapshot's state
// can name: those that lost their last release before the oldest snapshot was begun. It
// does nothing while a backup or a snapshot is made: its state may name them still. A backup
// that begins after this looked copies the state when this is done. A crash
// in the middle leaves notes of files that are gone, or files that are noted.
func (k *Keeper) collect(ctx context.Context) error {
	oldest, release, held, err := k.copies.Hold()
	if err != nil || !held {
		return err // what waits is found at the next turn
	}
	defer release()
	all, err := k.unnamed(ctx)
	if err != nil || len(all) == 0 {
		return err
	}
	var gone []registry.Unnamed
	for _, u := range all {
		if !oldest.IsZero() && !u.Since.Before(oldest) {
			continue
		}
		removed, removeErr := k.blobs.Remove(u.Digest, k.named(ctx))
		if err = errors.Join(err, removeErr); removed {
			gone = append(gone, u)
		}
	}
	return errors.Join(err, k.desk.Store.ForgetUnnamed(ctx, gone))
}

// MarkLeft notes the blobs that no release names: an upload that was killed left them,
// or the state is that of a snapshot. They go when those do whose release was removed.
func (k *Keeper) MarkLeft(ctx context.Context) error {
	noted, err := k.unnamed(ctx)
	if err != nil {
		return err
	}
	known := map[registry.Digest]bool{}
	for _, u := range noted {
		known[u.Digest] = true
	}
	var left []registry.Unnamed
	err = k.desk.View(ctx, func(tx state.Reader) error {
		return k.blobs.Each(func(d registry.Digest) error {
			named, err := tx.Named(d)
			if err != nil || named || known[d] {
				return err
			}
			size, err := k.blobs.Size(d)
			left = append(left, registry.Unnamed{Digest: d, Size: size, Since: k.desk.Now().UTC()})
			return err
		})
	})
	if err != nil {
		return err
	}
	return k.desk.Store.MarkUnnamed(ctx, left)
}

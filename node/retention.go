package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

const (
	// keepServed is for how long a release is kept that pilot or production served last.
	keepServed = 90 * 24 * time.Hour
	// tidyEvery is how often what time alone makes superfluous is looked for.
	tidyEvery = time.Hour
)

// holdings are what an app's releases are kept for.
type holdings struct {
	numbers     []int // of the releases that are there, newest first
	active      map[abi.Tier]int
	waiting     map[int]string        // the open request about a release
	granted     map[int]string        // the live grant that a request about a release led to
	activations []registry.Activation // of each tier newest first, as far back as they matter
}

// historyOf reads a tier's activations, newest first: as far back as a rollback looks and, where
// what served is kept for a time, until what served before that began.
func historyOf(tx state.Reader, app string, tier abi.Tier, since time.Time) (history []registry.Activation, err error) {
	looked := 0
	_, err = registry.Previous(func(yield func(registry.Activation, error) bool) {
		for a, err := range tx.TierActivations(app, tier) {
			if looked++; !yield(a, err) {
				return
			}
		}
	})
	if err != nil && !errors.Is(err, registry.ErrNoPrevious) {
		return nil, err
	}
	for a, err := range tx.TierActivations(app, tier) {
		if err != nil {
			return nil, err
		}
		n := len(history)
		if n >= looked && n > 0 && (tier.Rank() < abi.TierPilot.Rank() || !history[n-1].At.After(since)) {
			break
		}
		history = append(history, a)
	}
	return history, nil
}

// holdingsOf reads them.
func holdingsOf(tx state.Reader, app registry.App, now time.Time) (holdings, error) {
	own := holdings{active: app.Active, granted: map[int]string{}}
	var err error
	if own.numbers, err = tx.ReleaseNumbers(app.Name); err != nil {
		return own, err
	}
	if own.waiting, err = tx.Waiting(app.Name); err != nil {
		return own, err
	}
	for _, tier := range abi.Tiers() {
		history, err := historyOf(tx, app.Name, tier, now.Add(-keepServed))
		if err != nil {
			return own, err
		}
		own.activations = append(own.activations, history...)
	}
	grants, err := tx.Grants(app.Name)
	if err != nil {
		return own, err
	}
	for _, g := range grants {
		if !g.Live(now) || g.Request == "" {
			continue
		}
		q, err := tx.Request(g.Request)
		if errors.Is(err, approvals.ErrNotFound) {
			continue
		}
		if err != nil {
			return own, err
		}
		own.granted[q.Release] = g.ID
	}
	return own, nil
}

// kept says of each release why it is kept, if newest many are kept in any case: 0 or less
// for all. Releases that are not in the result go.
func (own holdings) kept(newest int, now time.Time) map[int]control.Kept {
	served, before := own.lastServed(now), own.rollbacks()
	kept := map[int]control.Kept{}
	for i, n := range own.numbers {
		k := control.Kept{}
		for _, tier := range abi.Tiers() {
			if own.active[tier] == n {
				k.Because = append(k.Because, "serves "+string(tier))
			}
		}
		if id := own.waiting[n]; id != "" {
			k.Because = append(k.Because, id+" is open")
		}
		if id := own.granted[n]; id != "" {
			k.Because = append(k.Because, id+" holds")
		}
		k.Needed = len(k.Because) > 0
		if tier := before[n]; tier != "" {
			k.Because = append(k.Because, string(tier)+" rolls back to it")
		}
		if until := served[n].Add(keepServed); until.After(now) {
			k.Until = until
			k.Because = append(k.Because, "served pilot or production lately")
		}
		if newest <= 0 {
			k.Because = append(k.Because, "all releases are kept")
		} else if i < newest {
			k.More = newest - i
			k.Because = append(k.Because, fmt.Sprintf("one of the newest %d", newest))
		}
		if len(k.Because) > 0 {
			kept[n] = k
		}
	}
	return kept
}

// rollbacks are the releases that a rollback would lead to, by the tier that would.
func (own holdings) rollbacks() map[int]abi.Tier {
	to := map[int]abi.Tier{}
	for _, tier := range abi.Tiers() {
		if n, err := registry.Previous(registry.OfTier(own.activations, tier)); err == nil {
			to[n] = tier
		}
	}
	return to
}

// lastServed is when each release served pilot or production last: now, if it does.
func (own holdings) lastServed(now time.Time) map[int]time.Time {
	last := map[int]time.Time{}
	end := map[abi.Tier]time.Time{} // when the next activation of the tier came
	for _, a := range own.activations {
		if a.Tier.Rank() < abi.TierPilot.Rank() {
			continue
		}
		ended, replaced := end[a.Tier]
		if !replaced {
			ended = now
		}
		if ended.After(last[a.Release]) {
			last[a.Release] = ended
		}
		end[a.Tier] = a.At
	}
	return last
}

// retain forgets the releases of an app that nothing keeps. It is part of the transaction
// that published another.
func (h *Node) retain(tx state.Tx, name string) error {
	if h.o.KeepReleases < 0 {
		return nil
	}
	if all, err := tx.ReleaseNumbers(name); err != nil || len(all) <= h.o.KeepReleases {
		return err
	}
	app, own, err := h.holdings(tx, name)
	if err != nil {
		return err
	}
	kept := own.kept(h.o.KeepReleases, h.o.Now())
	var gone []int
	for _, n := range own.numbers {
		if _, keep := kept[n]; !keep {
			gone = append(gone, n)
		}
	}
	return h.removeReleases(tx, app, gone, "node", fmt.Sprintf("%d newer ones are kept", h.o.KeepReleases))
}

func (h *Node) holdings(tx state.Reader, name string) (registry.App, holdings, error) {
	app, err := tx.App(name)
	if err != nil {
		return app, holdings{}, fmt.Errorf("app %q: %w", name, err)
	}
	own, err := holdingsOf(tx, app, h.o.Now())
	return app, own, err
}

// kept says of each of an app's releases why it is kept.
func (h *Node) kept(tx state.Reader, name string) (map[int]control.Kept, error) {
	_, own, err := h.holdings(tx, name)
	return own.kept(h.o.KeepReleases, h.o.Now()), err
}

// removeReleases forgets releases, and certifies it. What they used and what they were billed stay.
func (h *Node) removeReleases(tx state.Tx, app registry.App, numbers []int, by, why string) error {
	if len(numbers) == 0 {
		return nil
	}
	c := registry.Certificate{App: app.Name, Owner: app.Owner, What: registry.RemovedReleases, By: by, Rule: why, Kept: keptOfReleases}
	for _, n := range numbers {
		r, err := tx.Release(app.Name, n)
		if err != nil {
			return fmt.Errorf("release %d of app %q: %w", n, app.Name, err)
		}
		c.Removed = append(c.Removed, removedRelease(r))
		tx.Emit("release.removed", app.Name, strconv.Itoa(n), map[string]string{"digest": string(r.Digest), "version": r.Version, "reason": why})
		if err := tx.DeleteRelease(app.Name, n); err != nil {
			return err
		}
	}
	_, err := h.issue(tx, c)
	return err
}

// DeleteRelease forgets a release for good, unless it serves or something waits for it.
func (h *Node) DeleteRelease(ctx context.Context, name string, number int) error {
	actor, err := h.desk.Allow(ctx, access.RoleDeveloper, access.RoleOperator)
	if err != nil {
		return err
	}
	_, err = h.desk.Update(ctx, actor.User, func(tx state.Tx) error { return h.deleteRelease(tx, actor, name, number) })
	if err == nil {
		h.collectSoon(ctx)
	}
	return err
}

func (h *Node) deleteRelease(tx state.Tx, actor access.Actor, name string, number int) error {
	app, own, err := h.holdings(tx, name)
	if err != nil {
		return err
	}
	if err := control.MayChange(actor, app); err != nil {
		return err
	}
	if k := own.kept(1, h.o.Now())[number]; k.Needed {
		return fmt.Errorf("release %d of app %q is needed (%s): %w", number, name, strings.Join(k.Because, ", "), registry.ErrInUse)
	}
	return h.removeReleases(tx, app, []int{number}, actor.User, "deleted by "+actor.User)
}

// tidyRegularly tidies now, for what the last process left, and from then on.
func (h *Node) tidyRegularly(ctx context.Context) {
	const trouble = "what is not needed any more could not be removed"
	if err := h.tidy(ctx); err != nil && ctx.Err() == nil {
		h.log.Error(trouble, "err", err)
	}
	h.regularly(ctx, tidyEvery, trouble, h.tidy)
}

// tidy forgets what time made superfluous, and removes files that nothing names.
func (h *Node) tidy(ctx context.Context) error {
	if low := h.reserve.low(0); low != nil {
		h.log.WarnContext(ctx, "nothing new is taken in: make room on the disk", "err", low)
	}
	var names []string
	err := h.store.View(ctx, func(tx state.Reader) error {
		apps, err := tx.Apps()
		for _, app := range apps {
			all, listErr := tx.ReleaseNumbers(app.Name)
			if err = errors.Join(err, listErr); h.o.KeepReleases > 0 && len(all) > h.o.KeepReleases {
				names = append(names, app.Name)
			}
		}
		return err
	})
	for _, name := range names {
		err = errors.Join(err, h.tidyApp(ctx, name))
	}
	return errors.Join(err, h.store.ForgetExpired(ctx), h.collect(ctx))
}

// tidyApp makes a change of state only if there is something to change.
func (h *Node) tidyApp(ctx context.Context, name string) error {
	superfluous := false
	err := h.store.View(ctx, func(tx state.Reader) error {
		_, own, err := h.holdings(tx, name)
		superfluous = err == nil && len(own.kept(h.o.KeepReleases, h.o.Now())) < len(own.numbers)
		return err
	})
	if err != nil || !superfluous {
		return err
	}
	_, err = h.desk.Update(ctx, "node", func(tx state.Tx) error { return h.retain(tx, name) })
	return err
}

// pinned keeps blobs while they are stored and named. When the returned function is called
// and no release names them, the upload failed: they are removed.
func (h *Node) pinned(digests ...registry.Digest) (done func()) {
	unpin := h.blobs.Pin(digests...)
	return func() {
		unpin()
		ctx := context.Background()
		noted, err := h.unnamed(ctx)
		for _, d := range digests {
			if err == nil && !slices.ContainsFunc(noted, func(u registry.Unnamed) bool { return u.Digest == d }) {
				_, err = h.blobs.Remove(d, h.named(ctx))
			}
		}
		if err != nil { // the next start finds them
			h.log.Warn("what a failed upload left could not be removed", "err", err)
		}
	}
}

// unnamed lists the blobs that are noted as named by no release.
func (h *Node) unnamed(ctx context.Context) (all []registry.Unnamed, err error) {
	err = h.store.View(ctx, func(tx state.Reader) error {
		all, err = tx.Unnamed()
		return err
	})
	return all, err
}

// named reports whether a release names a blob.
func (h *Node) named(ctx context.Context) func(registry.Digest) (bool, error) {
	return func(d registry.Digest) (is bool, err error) {
		err = h.store.View(ctx, func(tx state.Reader) error {
			is, err = tx.Named(d)
			return err
		})
		return is, err
	}
}

// collectSoon is collect for whoever has removed something and does not wait.
func (h *Node) collectSoon(ctx context.Context) {
	if err := h.collect(context.WithoutCancel(ctx)); err != nil {
		h.log.WarnContext(ctx, "modules that no release names could not be removed; this is tried again", "err", err)
	}
}

// collect removes the files of blobs that no release names, and that no snapshot's state
// can name: those that lost their last release before the oldest snapshot was begun. It
// does nothing while a backup or a snapshot is made: its state may name them still. A backup
// that begins after this looked copies the state when this is done. A crash
// in the middle leaves notes of files that are gone, or files that are noted.
func (h *Node) collect(ctx context.Context) error {
	select {
	case h.copying <- struct{}{}:
		defer h.endCopy()
	default:
		return nil // what waits is found at the next turn
	}
	if h.backups.Used() > 0 {
		return nil
	}
	all, err := h.unnamed(ctx)
	if err != nil || len(all) == 0 {
		return err
	}
	oldest, err := oldestCopy(h.o.DataDir)
	if err != nil {
		return err
	}
	var gone []registry.Unnamed
	for _, u := range all {
		if !oldest.IsZero() && !u.Since.Before(oldest) {
			continue
		}
		removed, removeErr := h.blobs.Remove(u.Digest, h.named(ctx))
		if err = errors.Join(err, removeErr); removed {
			gone = append(gone, u)
		}
	}
	return errors.Join(err, h.store.ForgetUnnamed(ctx, gone))
}

// oldestCopy is the time of the oldest copy of the state in a data directory, snapshots and
// what a snapshot replaced; zero if there is none.
func oldestCopy(dir string) (oldest time.Time, err error) {
	entries, err := os.ReadDir(filepath.Join(dir, snapshotsDir))
	if errors.Is(err, fs.ErrNotExist) {
		return oldest, nil
	}
	for _, e := range entries {
		at, parseErr := time.Parse(snapshotLayout, strings.TrimPrefix(e.Name(), "replaced-"))
		if parseErr == nil && (oldest.IsZero() || at.Before(oldest)) {
			oldest = at
		}
	}
	return oldest, err
}

// markLeftBlobs notes the blobs that no release names: an upload that was killed left them,
// or the state is that of a snapshot. They go when those do whose release was removed.
func (h *Node) markLeftBlobs(ctx context.Context) error {
	noted, err := h.unnamed(ctx)
	if err != nil {
		return err
	}
	known := map[registry.Digest]bool{}
	for _, u := range noted {
		known[u.Digest] = true
	}
	var left []registry.Unnamed
	err = h.store.View(ctx, func(tx state.Reader) error {
		return h.blobs.Each(func(d registry.Digest) error {
			named, err := tx.Named(d)
			if err != nil || named || known[d] {
				return err
			}
			size, err := h.blobs.Size(d)
			left = append(left, registry.Unnamed{Digest: d, Size: size, Since: h.o.Now().UTC()})
			return err
		})
	})
	if err != nil {
		return err
	}
	return h.store.MarkUnnamed(ctx, left)
}

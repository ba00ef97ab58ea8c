package apps

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/rights"
)

// Retain forgets the releases of an app that nothing keeps. It is part of the transaction that
// published another.
func (k *Keeper) Retain(tx state.Tx, name string) error {
	if k.keep <= 0 {
		return nil
	}
	if all, err := tx.ReleaseNumbers(name); err != nil || len(all) <= int(k.keep) {
		return err
	}
	app, own, err := k.holdings(tx, name)
	if err != nil {
		return err
	}
	kept := own.kept(int(k.keep), k.desk.Now())
	var gone []int
	for _, n := range own.numbers {
		if _, keep := kept[n]; !keep {
			gone = append(gone, n)
		}
	}
	return k.removeReleases(tx, app, gone, "node", fmt.Sprintf("%d newer ones are kept", k.keep))
}

func (k *Keeper) holdings(tx state.Reader, name string) (registry.App, holdings, error) {
	app, err := find(tx, name)
	if err != nil {
		return app, holdings{}, err
	}
	grants, err := rights.Grants(tx, name)
	if err != nil {
		return app, holdings{}, err
	}
	own, err := holdingsOf(tx, app, grants, k.desk.Now())
	return app, own, err
}

// removeReleases forgets releases, and certifies it. What they used and what they were billed stay.
func (k *Keeper) removeReleases(tx state.Tx, app registry.App, numbers []int, by, why string) error {
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
	_, err := k.issue(tx, c)
	return err
}

// DeleteRelease forgets a release for good, unless it serves or something waits for it.
func (k *Keeper) DeleteRelease(ctx context.Context, name string, number int) error {
	actor, err := k.desk.Door(ctx, access.DeleteRelease)
	if err != nil {
		return err
	}
	_, err = k.desk.Update(ctx, actor.User, func(tx state.Tx) error { return k.deleteRelease(tx, actor, name, number) })
	if err == nil {
		k.CollectSoon(ctx)
	}
	return err
}

func (k *Keeper) deleteRelease(tx state.Tx, actor access.Actor, name string, number int) error {
	app, own, err := k.holdings(tx, name)
	if err != nil {
		return err
	}
	if err := control.MayApp(actor, access.DeleteRelease, app); err != nil {
		return err
	}
	if k := own.kept(1, k.desk.Now())[number]; k.Needed {
		return fmt.Errorf("release %d of app %q is needed (%s): %w", number, name, strings.Join(k.Because, ", "), registry.ErrInUse)
	}
	return k.removeReleases(tx, app, []int{number}, actor.User, "deleted by "+actor.User)
}

// Tidy forgets what time made superfluous, and removes files that nothing names.
func (k *Keeper) Tidy(ctx context.Context) error {
	if low := k.desk.Low(); low != nil {
		k.desk.Logger.WarnContext(ctx, "nothing new is taken in: make room on the disk", "err", low)
	}
	var names []string
	err := k.desk.View(ctx, func(tx state.Reader) error {
		apps, err := tx.Apps()
		for _, app := range apps {
			all, listErr := tx.ReleaseNumbers(app.Name)
			if err = errors.Join(err, listErr); k.keep > 0 && len(all) > int(k.keep) {
				names = append(names, app.Name)
			}
		}
		return err
	})
	for _, name := range names {
		err = errors.Join(err, k.tidyApp(ctx, name))
	}
	return errors.Join(err, k.desk.Store.ForgetExpired(ctx), k.collect(ctx))
}

// tidyApp makes a change of state only if there is something to change.
func (k *Keeper) tidyApp(ctx context.Context, name string) error {
	superfluous := false
	err := k.desk.View(ctx, func(tx state.Reader) error {
		_, own, err := k.holdings(tx, name)
		superfluous = err == nil && len(own.kept(int(k.keep), k.desk.Now())) < len(own.numbers)
		return err
	})
	if err != nil || !superfluous {
		return err
	}
	_, err = k.desk.Update(ctx, "node", func(tx state.Tx) error { return k.Retain(tx, name) })
	return err
}

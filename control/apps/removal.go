package apps

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/internal/failpoint"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

const (
	// removeEvery is how often apps whose wait is over are looked for; a deletion wakes it earlier.
	removeEvery = 10 * time.Minute
	// removeAgain is how soon a removal goes on that could not.
	removeAgain = 5 * time.Second
	// endWithin is how long calls that were ended may take to end.
	endWithin = 30 * time.Second
)

// RemoveSoon has it looked for apps whose wait is over.
func (k *Keeper) RemoveSoon() {
	select {
	case k.wake <- struct{}{}:
	default: // it will be
	}
}

// RemoveRegularly removes apps when their wait is over, until ctx ends. The state says what is to be
// done, and how far it came: a process that was killed in the middle goes on here.
func (k *Keeper) RemoveRegularly(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.wake:
		case <-timer.C:
		}
		timer.Reset(k.RemoveDue(ctx))
	}
}

// RemoveDue removes what is due, and returns how soon it is to be looked again.
func (k *Keeper) RemoveDue(ctx context.Context) time.Duration {
	k.removing.Lock()
	defer k.removing.Unlock()
	var waiting []registry.App
	err := k.desk.View(ctx, func(tx state.Reader) (err error) {
		waiting, _, err = tx.AppsPart(state.Part{Limit: -1}, func(a registry.App) bool {
			return a.State() == registry.StateDeleting || a.State() == registry.StateRemoving
		})
		return err
	})
	next := removeEvery
	for _, app := range waiting {
		now := k.desk.Now()
		if !app.Due(now) {
			next = min(next, max(app.Deletion.Until.Sub(now), 0)+time.Millisecond)
			continue
		}
		if failed := k.remove(ctx, app); failed != nil {
			next = removeAgain
			err = errors.Join(err, fmt.Errorf("remove app %q: %w", app.Name, failed))
		}
	}
	if err != nil && ctx.Err() == nil {
		k.desk.Logger.ErrorContext(ctx, "an app could not be removed; this is tried again", "err", err)
	}
	return next
}

// remove erases an app and what it kept. It first decides that, for good, and notes what there is;
// then it erases, in steps that can be repeated; at last it leaves the app's name and a certificate.
func (k *Keeper) remove(ctx context.Context, app registry.App) error {
	if app.State() == registry.StateDeleting {
		if err := k.beginRemoval(ctx, app.Name); err != nil {
			return err
		}
	}
	failpoint.Hit("remove-begun")
	if err := k.erase(ctx, app.Name); err != nil {
		return err
	}
	failpoint.Hit("remove-erased")
	_, err := k.desk.Update(ctx, "node", func(tx state.Tx) error { return k.finishRemoval(tx, app.Name) })
	if err != nil {
		return err
	}
	failpoint.Hit("remove-certified")
	k.CollectSoon(ctx)
	k.desk.Logger.InfoContext(ctx, "an app was removed", "app", app.Name)
	return nil
}

// beginRemoval makes a removal irrevocable. What was asked for the app is withdrawn with it.
func (k *Keeper) beginRemoval(ctx context.Context, name string) error {
	ending, cancel := context.WithTimeout(ctx, endWithin)
	defer cancel()
	if err := k.remains.Quiet(ending, name); err != nil {
		return fmt.Errorf("wait for its calls to end: %w", err)
	}
	kept, err := k.remains.Measure(ctx, name)
	if err != nil {
		return err
	}
	_, err = k.desk.Update(ctx, "node", func(tx state.Tx) error {
		app, err := tx.App(name)
		if err != nil {
			return err
		}
		now := k.desk.Now().UTC()
		recorded, err := inventory(tx, name)
		if err != nil {
			return err
		}
		if app, err = app.BeginRemoval(append(recorded, kept...), now); err != nil {
			return err
		}
		open, err := control.Pending(tx, name)
		if err != nil {
			return err
		}
		for _, q := range open {
			q.Status, q.Turn = approvals.StatusWithdrawn, approvals.TurnOver
			q.Decision = &approvals.Decision{Reason: "the app was deleted", By: app.Removal.By, At: now, Digest: q.Digest}
			if err := tx.PutRequest(q); err != nil {
				return err
			}
			tx.Emit("request.withdrawn", name, q.ID, map[string]string{"reason": q.Decision.Reason})
			g, err := approvals.EndEmergency(tx, q)
			if err != nil {
				return err
			}
			if g != nil {
				tx.Emit("grant.revoked", name, g.ID, map[string]string{"capability": g.Capability, "reason": g.RevokedFor})
			}
		}
		tx.Emit("app.removing", name, name, nil)
		return tx.PutApp(app)
	})
	return err
}

// inventory lists what is recorded of an app and will be removed.
func inventory(tx state.Reader, name string) ([]registry.Removed, error) {
	var all []registry.Removed
	releases, _, err := tx.ReleasesPart(name, state.Part{Limit: -1})
	for _, r := range releases {
		all = append(all, removedRelease(r))
	}
	hosts, hostErr := tx.HostNamesOf(name)
	for _, n := range hosts {
		all = append(all, registry.Removed{Kind: "host name", Name: n.Host})
	}
	secrets, secretErr := tx.Secrets(name)
	grants, _, grantErr := tx.GrantsPart(name, state.Part{Limit: -1})
	routes, _, routeErr := tx.ActivationsPart(name, state.Part{Limit: -1})
	for _, k := range []registry.Removed{{Kind: "secrets", Count: int64(len(secrets))}, {Kind: "grants", Count: int64(len(grants))}, {Kind: "routes of tiers to releases", Count: int64(len(routes))}} {
		if k.Count > 0 {
			all = append(all, k)
		}
	}
	return all, errors.Join(err, hostErr, secretErr, grantErr, routeErr)
}

// erase removes what an app kept. Each step can be repeated, and finds nothing the second time. The
// records go last, since they say what else there is.
func (k *Keeper) erase(ctx context.Context, name string) error {
	if err := k.remains.Erase(ctx, name); err != nil {
		return err
	}
	if _, err := k.desk.Update(ctx, "node", func(tx state.Tx) error { return tx.EraseApp(name) }); err != nil {
		return err
	}
	failpoint.Hit("remove-records")
	if err := k.remains.Scrub(ctx); err != nil {
		return err
	}
	failpoint.Hit("remove-scrubbed")
	return nil
}

// finishRemoval leaves the name of an app, and certifies what was removed.
func (k *Keeper) finishRemoval(tx state.Tx, name string) error {
	app, err := tx.App(name)
	if err != nil {
		return err
	}
	if app.State() != registry.StateRemoving {
		return fmt.Errorf("app %q is not being removed: %w", name, registry.ErrState)
	}
	was := app.Removal
	issued, err := k.issue(tx, registry.Certificate{
		App: name, Owner: app.Owner, What: registry.RemovedApp, By: was.By, Removed: was.Inventory, Kept: keptOfApps,
		Rule: fmt.Sprintf("deletion asked for at %s; its wait was over at %s", was.Asked.UTC().Format(time.RFC3339), was.Began.UTC().Format(time.RFC3339)),
	})
	if err != nil {
		return err
	}
	if app, err = app.FinishRemoval(issued.ID, k.desk.Now().UTC()); err != nil {
		return err
	}
	tx.Emit("app.removed", name, name, map[string]string{"certificate": issued.ID, "digest": string(issued.Digest)})
	return tx.PutApp(app)
}

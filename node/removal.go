package node

import (
	"context"
	"errors"
	"fmt"
	"github.com/agora-host/agora/host"
	"time"

	"github.com/agora-host/agora/approvals"
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

// removeSoon has it looked for apps whose wait is over.
func (h *Node) removeSoon() {
	select {
	case h.removals <- struct{}{}:
	default: // it will be
	}
}

// removeRegularly removes apps when their wait is over, until ctx ends. The state says what is to be
// done, and how far it came: a process that was killed in the middle goes on here.
func (h *Node) removeRegularly(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.removals:
		case <-timer.C:
		}
		timer.Reset(h.removeDue(ctx))
	}
}

// removeDue removes what is due, and returns how soon it is to be looked again.
func (h *Node) removeDue(ctx context.Context) time.Duration {
	h.removing.Lock()
	defer h.removing.Unlock()
	var waiting []registry.App
	err := h.store.View(ctx, func(tx state.Reader) (err error) {
		waiting, _, err = tx.AppsPart(state.Part{Limit: -1}, func(a registry.App) bool {
			return a.State() == registry.StateDeleting || a.State() == registry.StateRemoving
		})
		return err
	})
	next := removeEvery
	for _, app := range waiting {
		now := h.o.Now()
		if !app.Due(now) {
			next = min(next, max(app.Deletion.Until.Sub(now), 0)+time.Millisecond)
			continue
		}
		if failed := h.remove(ctx, app); failed != nil {
			next = removeAgain
			err = errors.Join(err, fmt.Errorf("remove app %q: %w", app.Name, failed))
		}
	}
	if err != nil && ctx.Err() == nil {
		h.log.ErrorContext(ctx, "an app could not be removed; this is tried again", "err", err)
	}
	return next
}

// remove erases an app and what it kept. It first decides that, for good, and notes what there is;
// then it erases, in steps that can be repeated; at last it leaves the app's name and a certificate.
func (h *Node) remove(ctx context.Context, app registry.App) error {
	if app.State() == registry.StateDeleting {
		if err := h.beginRemoval(ctx, app.Name); err != nil {
			return err
		}
	}
	failpoint.Hit("remove-begun")
	if err := h.erase(ctx, app.Name); err != nil {
		return err
	}
	failpoint.Hit("remove-erased")
	_, err := h.desk.Update(ctx, "node", func(tx state.Tx) error { return h.finishRemoval(tx, app.Name) })
	if err != nil {
		return err
	}
	failpoint.Hit("remove-certified")
	h.collectSoon(ctx)
	h.log.InfoContext(ctx, "an app was removed", "app", app.Name)
	return nil
}

// beginRemoval makes a removal irrevocable. What was asked for the app is withdrawn with it.
func (h *Node) beginRemoval(ctx context.Context, name string) error {
	ending, cancel := context.WithTimeout(ctx, endWithin)
	defer cancel()
	if err := h.Host.WaitIdle(ending, name); err != nil {
		return fmt.Errorf("wait for its calls to end: %w", err)
	}
	kept, err := h.measure(ctx, name)
	if err != nil {
		return err
	}
	_, err = h.desk.Update(ctx, "node", func(tx state.Tx) error {
		app, err := tx.App(name)
		if err != nil {
			return err
		}
		now := h.o.Now().UTC()
		recorded, err := inventory(tx, name)
		if err != nil {
			return err
		}
		if app, err = app.BeginRemoval(append(recorded, kept...), now); err != nil {
			return err
		}
		open, err := openOf(tx, name)
		if err != nil {
			return err
		}
		for _, q := range open {
			q.Status = approvals.StatusWithdrawn
			q.Decision = &approvals.Decision{Reason: "the app was deleted", By: app.Removal.By, At: now, Digest: q.Digest}
			if err := tx.PutRequest(q); err != nil {
				return err
			}
			tx.Emit("request.withdrawn", name, q.ID, map[string]string{"reason": q.Decision.Reason})
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

// measure says how much an app that is stopped keeps beside its records.
func (h *Node) measure(ctx context.Context, name string) ([]registry.Removed, error) {
	kv, kvErr := h.kv.Used(ctx, name)
	blobs, blobErr := h.kv.BlobsUsed(ctx, name)
	waiting := int64(0)
	for _, v := range h.Host.Triggers.Views(name) {
		waiting += int64(v.Queued + v.Running + v.Dead)
	}
	var all []registry.Removed
	for _, k := range []registry.Removed{
		{Kind: "key-value pairs", Count: kv.Keys, Bytes: kv.Bytes}, {Kind: "blobs", Count: blobs.Keys, Bytes: blobs.Bytes},
		{Kind: "deliveries and dead letters", Count: waiting}, {Kind: "log", Bytes: h.logs.Size(name)},
	} {
		if k.Count > 0 || k.Bytes > 0 {
			all = append(all, k)
		}
	}
	return all, errors.Join(kvErr, blobErr)
}

// erase removes what an app kept. Each step can be repeated, and finds nothing the second time.
func (h *Node) erase(ctx context.Context, name string) error {
	for _, step := range []struct {
		place string // of a kill, in tests
		run   func(ctx context.Context, name string) error
	}{
		{"remove-queue", func(ctx context.Context, name string) error { _, err := h.Host.Triggers.Erase(ctx, name); return err }},
		{"remove-kv", h.kv.Erase},
		{"remove-files", h.files.Erase},
		{"remove-code", h.eraseCode},
		{"remove-log", func(_ context.Context, name string) error { return h.logs.Erase(name) }},
		{"remove-records", h.eraseRecords},
		{"remove-scrubbed", func(ctx context.Context, _ string) error {
			return errors.Join(h.kv.Scrub(ctx), h.queue.Scrub(ctx), h.file.Scrub(ctx))
		}},
	} {
		if err := step.run(ctx, name); err != nil {
			return err
		}
		failpoint.Hit(step.place)
	}
	return nil
}

// eraseCode removes what was compiled of an app's modules.
func (h *Node) eraseCode(ctx context.Context, name string) error {
	h.Host.Forget(name)
	var releases []registry.Release
	err := h.store.View(ctx, func(tx state.Reader) (err error) {
		releases, _, err = tx.ReleasesPart(name, state.Part{Limit: -1})
		return err
	})
	for _, r := range releases {
		module, readErr := h.blobs.Get(ctx, r.Digest)
		if readErr == nil {
			module, readErr = host.Program(module)
		}
		if readErr != nil { // what compiled it cannot be named; nothing finds the code either
			h.log.WarnContext(ctx, "compiled code of a damaged module stays", "app", name, "release", r.Number, "err", readErr)
			continue
		}
		err = errors.Join(err, h.engine.Forget(module, host.EngineLimits(r)))
	}
	return err
}

func (h *Node) eraseRecords(ctx context.Context, name string) error {
	if err := h.flushUsed(ctx); err != nil { // what it used is a record, too
		return err
	}
	_, err := h.desk.Update(ctx, "node", func(tx state.Tx) error { return tx.EraseApp(name) })
	return err
}

// finishRemoval leaves the name of an app, and certifies what was removed.
func (h *Node) finishRemoval(tx state.Tx, name string) error {
	app, err := tx.App(name)
	if err != nil {
		return err
	}
	if app.State() != registry.StateRemoving {
		return fmt.Errorf("app %q is not being removed: %w", name, registry.ErrState)
	}
	was := app.Removal
	issued, err := h.issue(tx, registry.Certificate{
		App: name, Owner: app.Owner, What: registry.RemovedApp, By: was.By, Removed: was.Inventory, Kept: keptOfApps,
		Rule: fmt.Sprintf("deletion asked for at %s; its wait was over at %s", was.Asked.UTC().Format(time.RFC3339), was.Began.UTC().Format(time.RFC3339)),
	})
	if err != nil {
		return err
	}
	if app, err = app.FinishRemoval(issued.ID, h.o.Now().UTC()); err != nil {
		return err
	}
	tx.Emit("app.removed", name, name, map[string]string{"certificate": issued.ID, "digest": string(issued.Digest)})
	return tx.PutApp(app)
}

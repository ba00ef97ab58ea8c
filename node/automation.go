package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"github.com/agora-host/agora/host"
	"slices"
	"strconv"
	"strings"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/triggers"
)

// Triggers shows what calls an app besides requests, by kind and name.
func (h *Node) Triggers(ctx context.Context, name string, p control.Page) (control.Items[control.Trigger], error) {
	if _, err := h.desk.Allow(ctx, access.RoleViewer); err != nil {
		return control.Items[control.Trigger]{}, err
	}
	all, err := h.triggers(ctx, name)
	if err != nil {
		return control.Items[control.Trigger]{}, err
	}
	return control.Cut(p, all, func(t control.Trigger) string { return string(t.Kind) + " " + t.Name })
}

func (h *Node) triggers(ctx context.Context, name string) ([]control.Trigger, error) {
	var pauses []triggers.Pause
	var asked []control.Trigger
	schedules := map[string]string{}
	err := h.store.View(ctx, func(tx state.Reader) error {
		app, err := tx.App(name)
		if err != nil {
			return fmt.Errorf("app %q: %w", name, err)
		}
		if pauses, err = tx.Pauses(name); err != nil {
			return err
		}
		if asked, err = declaredIn(tx, app); err != nil {
			return err
		}
		_, n, ok := app.Serving()
		if !ok {
			return nil
		}
		release, err := tx.Release(name, n)
		for _, c := range release.Manifest.Triggers.Cron {
			schedules[c.Name] = c.Schedule
			if c.Timezone != "" {
				schedules[c.Name] += " " + c.Timezone
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var shown []control.Trigger
	for _, v := range h.Host.Triggers.Views(name) {
		t := control.Trigger{
			Status: v.Status, Path: v.Path, Paused: v.Paused, Live: v.Live, Next: v.Next,
			Queued: v.Queued, Running: v.Running, Dead: v.Dead,
		}
		if v.Kind == abi.TriggerCron {
			t.Schedule = schedules[v.Name]
		}
		for _, p := range pauses {
			if p.Ref == v.Ref {
				t.PausedBy, t.Reason = p.By, p.Reason
			}
		}
		shown = append(shown, t)
	}
	return withWaiting(shown, asked), nil
}

// withWaiting adds to the triggers that the dispatcher knows those that are declared and wait.
func withWaiting(shown, asked []control.Trigger) []control.Trigger {
	for _, a := range asked {
		i := slices.IndexFunc(shown, func(t control.Trigger) bool { return t.Ref == a.Ref })
		switch {
		case i < 0:
			shown = append(shown, a)
		case !shown[i].Live:
			shown[i].Path, shown[i].Schedule, shown[i].Waits = a.Path, a.Schedule, a.Waits
		}
	}
	slices.SortFunc(shown, func(a, b control.Trigger) int {
		return strings.Compare(string(a.Kind)+" "+a.Name, string(b.Kind)+" "+b.Name)
	})
	return shown
}

// declaredIn are the triggers that the release that serves and the newest one declare, each with why
// it would not call the app.
func declaredIn(tx state.Reader, app registry.App) ([]control.Trigger, error) {
	_, serving, _ := app.Serving()
	var all []control.Trigger
	for _, n := range slices.Compact([]int{serving, app.Releases}) {
		release, err := tx.Release(app.Name, n)
		if errors.Is(err, registry.ErrNotFound) {
			continue // nothing serves, or the newest was deleted
		}
		if err != nil {
			return nil, err
		}
		waits, err := whyIdle(tx, release, n == serving)
		if err != nil {
			return nil, err
		}
		for _, t := range host.Declared(release.Manifest) {
			if !slices.ContainsFunc(all, func(o control.Trigger) bool { return o.Ref == t.Ref }) {
				all = append(all, control.Trigger{Status: triggers.Status{Ref: t.Ref}, Path: t.Path, Schedule: strings.TrimSpace(t.Spec), Waits: waits})
			}
		}
	}
	return all, nil
}

// whyIdle says why the triggers of a release do not call its app: it does not serve, or, of one that
// does, nobody granted it the events.
func whyIdle(tx state.Reader, r registry.Release, serves bool) (string, error) {
	requests, _, err := tx.ReleaseRequests(r.App, r.Number, state.Part{Limit: -1})
	if err != nil {
		return "", err
	}
	var open []string
	for _, q := range requests {
		if q.Status == approvals.StatusOpen {
			open = append(open, q.ID)
		}
	}
	why := fmt.Sprintf("release %d, which declares it, does not serve", r.Number)
	if serves {
		why = fmt.Sprintf("release %d has no grant to receive these events", r.Number)
	}
	if len(open) > 0 {
		why += ": a reviewer has to decide about " + strings.Join(open, ", ")
	}
	return why, nil
}

// PauseTrigger keeps a trigger from calling its app, or lets it again.
func (h *Node) PauseTrigger(ctx context.Context, ref triggers.Ref, paused bool, reason string) (control.Trigger, error) {
	if _, err := h.steer(ctx, ref.App); err != nil {
		return control.Trigger{}, err
	}
	if _, err := h.oneTrigger(ctx, ref); err != nil {
		return control.Trigger{}, err
	}
	actor := access.ActorFrom(ctx)
	_, err := h.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		detail := map[string]string{"kind": string(ref.Kind), "reason": reason}
		if !paused {
			tx.Emit("trigger.resumed", ref.App, ref.Name, detail)
			return tx.DeletePause(ref)
		}
		tx.Emit("trigger.paused", ref.App, ref.Name, detail)
		return tx.PutPause(triggers.Pause{Ref: ref, By: actor.User, At: h.o.Now().UTC(), Reason: reason})
	})
	if err != nil {
		return control.Trigger{}, err
	}
	return h.oneTrigger(ctx, ref)
}

func (h *Node) oneTrigger(ctx context.Context, ref triggers.Ref) (control.Trigger, error) {
	all, err := h.triggers(ctx, ref.App)
	for _, t := range all {
		if t.Ref == ref {
			return t, nil
		}
	}
	if err == nil {
		err = fmt.Errorf("%s trigger %q of %s: %w", ref.Kind, ref.Name, ref.App, triggers.ErrNoTrigger)
	}
	return control.Trigger{}, err
}

// steer checks that the actor may change how an app is called: its owner, or an
// operator.
func (h *Node) steer(ctx context.Context, name string) (access.Actor, error) {
	actor, err := h.desk.Allow(ctx, access.RoleDeveloper, access.RoleOperator)
	if err != nil {
		return actor, err
	}
	app, err := h.app(ctx, name)
	if err != nil {
		return actor, err
	}
	return actor, control.MayChange(actor, app)
}

func (h *Node) app(ctx context.Context, name string) (app registry.App, err error) {
	err = h.store.View(ctx, func(tx state.Reader) error {
		if app, err = tx.App(name); err != nil {
			return fmt.Errorf("app %q: %w", name, err)
		}
		return nil
	})
	return app, err
}

// RunTrigger runs a cron trigger now.
func (h *Node) RunTrigger(ctx context.Context, app, name string) (string, error) {
	actor, err := h.steer(ctx, app)
	if err != nil {
		return "", err
	}
	if found, err := h.app(ctx, app); err != nil || found.Stopped() != nil {
		return "", cmp.Or(err, found.Stopped())
	}
	return h.Host.Triggers.Fire(ctx, triggers.Ref{App: app, Kind: abi.TriggerCron, Name: name}, h.audited(ctx, actor, "trigger.run", app, name))
}

// audited records an act that changes nothing else in the state, before it is done. Each record has the
// id of what is delivered: by it one can tell whether the act came about.
func (h *Node) audited(ctx context.Context, actor access.Actor, kind, app, subject string) triggers.Record {
	return func(v triggers.Delivery) error {
		_, err := h.desk.Update(ctx, actor.User, func(tx state.Tx) error {
			detail := map[string]string{"id": v.ID}
			if kind != "trigger.run" {
				detail["trigger"] = v.Name
			}
			tx.Emit(kind, app, subject, detail)
			return nil
		})
		return err
	}
}

// DeadLetters shows what an app could not be brought to take, to those who may
// read its log: what is in it may be as confidential.
func (h *Node) DeadLetters(ctx context.Context, name string, p control.Page) (all control.Items[triggers.Delivery], err error) {
	actor, err := h.desk.Allow(ctx, access.RoleViewer)
	if err != nil {
		return all, err
	}
	app, err := h.app(ctx, name)
	if err != nil {
		return all, err
	}
	if !control.MayLookInto(actor, app.Owner) {
		return all, fmt.Errorf("the dead letters of %q are for its owner %s, for reviewers and for operators: %w", name, app.Owner, access.ErrForbidden)
	}
	return control.Part(p, func(p state.Part) ([]triggers.Delivery, []byte, error) {
		found, next, err := h.Host.Triggers.Dead(ctx, name, string(p.After), p.Limit)
		return found, []byte(next), err
	})
}

// Redeliver gives a dead letter another life.
func (h *Node) Redeliver(ctx context.Context, app string, seq uint64) (triggers.Delivery, error) {
	return h.exhume(ctx, "letter.redelivered", app, seq, h.Host.Triggers.Redeliver)
}

// DropDeadLetter forgets a dead letter.
func (h *Node) DropDeadLetter(ctx context.Context, app string, seq uint64) (triggers.Delivery, error) {
	return h.exhume(ctx, "letter.dropped", app, seq, h.Host.Triggers.Drop)
}

func (h *Node) exhume(ctx context.Context, kind, app string, seq uint64, act func(context.Context, string, uint64, triggers.Record) (triggers.Delivery, error)) (triggers.Delivery, error) {
	actor, err := h.steer(ctx, app)
	if err != nil {
		return triggers.Delivery{}, err
	}
	return act(ctx, app, seq, h.audited(ctx, actor, kind, app, strconv.FormatUint(seq, 10)))
}

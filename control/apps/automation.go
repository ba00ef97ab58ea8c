package apps

import (
	"context"
	"errors"
	"fmt"
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

// Dispatcher delivers to apps what calls them besides requests.
type Dispatcher interface {
	// Views lists the triggers of an app that it knows.
	Views(app string) []triggers.View
	// Fire runs a cron trigger now, once record has returned nil.
	Fire(ctx context.Context, r triggers.Ref, record triggers.Record) (id string, err error)
	// Dead returns a part of an app's dead letters, newest first.
	Dead(ctx context.Context, app, after string, limit int) (part []triggers.Delivery, next string, err error)
	Redeliver(ctx context.Context, app string, seq uint64, record triggers.Record) (triggers.Delivery, error)
	Drop(ctx context.Context, app string, seq uint64, record triggers.Record) (triggers.Delivery, error)
}

// Automation shows and steers what calls apps besides requests.
type Automation struct {
	desk       *control.Desk
	dispatcher Dispatcher
}

// NewAutomation makes an Automation.
func NewAutomation(desk *control.Desk, dispatcher Dispatcher) *Automation {
	return &Automation{desk: desk, dispatcher: dispatcher}
}

// Triggers shows what calls an app besides requests, by kind and name.
func (a *Automation) Triggers(ctx context.Context, name string, p control.Page) (control.Items[control.Trigger], error) {
	if _, err := a.desk.Door(ctx, access.ReadReleases); err != nil {
		return control.Items[control.Trigger]{}, err
	}
	all, err := a.triggers(ctx, name)
	if err != nil {
		return control.Items[control.Trigger]{}, err
	}
	return control.Cut(p, all, func(t control.Trigger) string { return string(t.Kind) + " " + t.Name })
}

func (a *Automation) triggers(ctx context.Context, name string) ([]control.Trigger, error) {
	var of triggersOf
	err := a.desk.View(ctx, func(tx state.Reader) error {
		app, err := find(tx, name)
		if err == nil {
			of, err = readTriggers(tx, app)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return of.with(a.dispatcher.Views(name)), nil
}

// triggersOf is what the state says of an app's triggers.
type triggersOf struct {
	pauses    []triggers.Pause
	declared  []control.Trigger       // by the release that serves, and by the newest
	schedules map[triggers.Ref]string // of the release that serves
}

func readTriggers(tx state.Reader, app registry.App) (of triggersOf, err error) {
	if of.pauses, err = tx.Pauses(app.Name); err != nil {
		return of, err
	}
	if of.declared, err = declaredIn(tx, app); err != nil {
		return of, err
	}
	_, n, ok := app.Serving()
	if !ok {
		return of, nil
	}
	release, err := tx.Release(app.Name, n)
	of.schedules = map[triggers.Ref]string{}
	for _, t := range declared(release.Manifest) {
		of.schedules[t.Ref] = t.Schedule
	}
	return of, err
}

// with returns the triggers as they are shown, with what the dispatcher knows of them.
func (of triggersOf) with(views []triggers.View) []control.Trigger {
	var shown []control.Trigger
	for _, v := range views {
		t := control.Trigger{
			Status: v.Status, Path: v.Path, Paused: v.Paused, Live: v.Live, Next: v.Next,
			Queued: v.Queued, Running: v.Running, Dead: v.Dead, Schedule: of.schedules[v.Ref],
		}
		for _, p := range of.pauses {
			if p.Ref == v.Ref {
				t.PausedBy, t.Reason = p.By, p.Reason
			}
		}
		shown = append(shown, t)
	}
	return withWaiting(shown, of.declared)
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
		for _, t := range declared(release.Manifest) {
			if !slices.ContainsFunc(all, func(o control.Trigger) bool { return o.Ref == t.Ref }) {
				t.Waits = waits
				all = append(all, t)
			}
		}
	}
	return all, nil
}

// declared lists the triggers of a manifest. A schedule that cannot be read any more has none: its time
// zone may have been abolished since the release was stored.
func declared(m registry.Manifest) (all []control.Trigger) {
	add := func(kind abi.TriggerKind, name, path, schedule string) {
		all = append(all, control.Trigger{Status: triggers.Status{Ref: triggers.Ref{App: m.Name, Kind: kind, Name: name}}, Path: path, Schedule: schedule})
	}
	for _, c := range m.Triggers.Cron {
		if _, err := c.When(); err == nil {
			add(abi.TriggerCron, c.Name, c.Path, strings.TrimSpace(c.Schedule+" "+c.Timezone))
		}
	}
	for _, w := range m.Triggers.Webhook {
		add(abi.TriggerWebhook, w.Name, w.Path, "")
	}
	for _, e := range m.Triggers.Event {
		add(abi.TriggerEvent, e.FullTopic(), e.Path, "")
	}
	return all
}

// whyIdle says why the triggers of a release do not call its app: it does not serve, or, of one that
// does, no grant gives it the events.
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

// Trigger shows one trigger, with the tag of what people can change of it: see TriggerIn.
func (a *Automation) Trigger(ctx context.Context, ref triggers.Ref) (shown control.Trigger, tag string, err error) {
	if _, err := a.desk.Door(ctx, access.ReadReleases); err != nil {
		return shown, "", err
	}
	var of triggersOf
	err = a.desk.View(ctx, func(tx state.Reader) error {
		app, err := find(tx, ref.App)
		if err == nil {
			of, err = readTriggers(tx, app)
		}
		return err
	})
	if err != nil {
		return shown, "", err
	}
	shown, err = oneOf(of.with(a.dispatcher.Views(ref.App)), ref)
	return shown, control.Tag(of.face(ref)), err
}

// TriggerIn reads of a trigger, in one state, what people decide about it.
func (a *Automation) TriggerIn(tx state.Reader, ref triggers.Ref) (control.TriggerFace, error) {
	app, err := find(tx, ref.App)
	if err != nil {
		return control.TriggerFace{}, err
	}
	of, err := readTriggers(tx, app)
	return of.face(ref), err
}

func (of triggersOf) face(ref triggers.Ref) control.TriggerFace {
	f := control.TriggerFace{Ref: ref}
	_, f.Serves = of.schedules[ref]
	for _, t := range of.declared {
		if t.Ref == ref {
			f.Path, f.Schedule, f.Waits = t.Path, t.Schedule, t.Waits
		}
	}
	for _, p := range of.pauses {
		if p.Ref == ref {
			f.Pause = &p
		}
	}
	return f
}

// PauseTrigger keeps a trigger from calling its app, or lets it again.
func (a *Automation) PauseTrigger(ctx context.Context, ref triggers.Ref, paused bool, reason string) (control.Trigger, error) {
	actor, _, err := a.steer(ctx, ref.App)
	if err != nil {
		return control.Trigger{}, err
	}
	if _, err := a.oneTrigger(ctx, ref); err != nil {
		return control.Trigger{}, err
	}
	_, err = a.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		if _, err := findFor(tx, actor, access.RunTriggers, ref.App); err != nil {
			return err
		}
		detail := map[string]string{"kind": string(ref.Kind), "reason": reason}
		if !paused {
			tx.Emit("trigger.resumed", ref.App, ref.Name, detail)
			return tx.DeletePause(ref)
		}
		tx.Emit("trigger.paused", ref.App, ref.Name, detail)
		return tx.PutPause(triggers.Pause{Ref: ref, By: actor.User, At: a.desk.Now().UTC(), Reason: reason})
	})
	if err != nil {
		return control.Trigger{}, err
	}
	return a.oneTrigger(ctx, ref)
}

func (a *Automation) oneTrigger(ctx context.Context, ref triggers.Ref) (control.Trigger, error) {
	all, err := a.triggers(ctx, ref.App)
	if err != nil {
		return control.Trigger{}, err
	}
	return oneOf(all, ref)
}

func oneOf(all []control.Trigger, ref triggers.Ref) (control.Trigger, error) {
	for _, t := range all {
		if t.Ref == ref {
			return t, nil
		}
	}
	return control.Trigger{}, fmt.Errorf("%s trigger %q of %s: %w", ref.Kind, ref.Name, ref.App, triggers.ErrNoTrigger)
}

// steer returns an actor who may change how an app is called, and the app.
func (a *Automation) steer(ctx context.Context, name string) (access.Actor, registry.App, error) {
	actor, err := a.desk.Door(ctx, access.RunTriggers)
	if err != nil {
		return actor, registry.App{}, err
	}
	app, err := appFor(ctx, a.desk, actor, access.RunTriggers, name)
	return actor, app, err
}

// RunTrigger runs a cron trigger now.
func (a *Automation) RunTrigger(ctx context.Context, app, name string) (string, error) {
	actor, found, err := a.steer(ctx, app)
	if err != nil {
		return "", err
	}
	if err := found.Stopped(); err != nil { // in its words, and not in those of its paused triggers
		return "", err
	}
	return a.dispatcher.Fire(ctx, triggers.Ref{App: app, Kind: abi.TriggerCron, Name: name}, a.audited(ctx, actor, "trigger.run", app, name, registry.App.Stopped))
}

// audited records an act that changes nothing else in the state, before it is done; the actor must
// still be one who may do it, and the app one that it can be done to. Each record has the id of what
// is delivered: it shows whether the act came about.
func (a *Automation) audited(ctx context.Context, actor access.Actor, kind, app, subject string, can func(registry.App) error) triggers.Record {
	return func(v triggers.Delivery) error {
		_, err := a.desk.Update(ctx, actor.User, func(tx state.Tx) error {
			found, err := findFor(tx, actor, access.RunTriggers, app)
			if err != nil {
				return err
			}
			if err := can(found); err != nil {
				return err
			}
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
func (a *Automation) DeadLetters(ctx context.Context, name string, p control.Page) (all control.Items[triggers.Delivery], err error) {
	actor, err := a.desk.Door(ctx, access.ReadDeadLetters)
	if err != nil {
		return all, err
	}
	if _, err := appFor(ctx, a.desk, actor, access.ReadDeadLetters, name); err != nil {
		return all, err
	}
	return a.deadLetters(ctx, name, p)
}

func (a *Automation) deadLetters(ctx context.Context, name string, p control.Page) (control.Items[triggers.Delivery], error) {
	return control.Part(p, func(p state.Part) ([]triggers.Delivery, []byte, error) {
		found, next, err := a.dispatcher.Dead(ctx, name, string(p.After), p.Limit)
		return found, []byte(next), err
	})
}

// Redeliver gives a dead letter another life.
func (a *Automation) Redeliver(ctx context.Context, app string, seq uint64) (triggers.Delivery, error) {
	return a.move(ctx, "letter.redelivered", app, seq, a.dispatcher.Redeliver)
}

// DropDeadLetter forgets a dead letter.
func (a *Automation) DropDeadLetter(ctx context.Context, app string, seq uint64) (triggers.Delivery, error) {
	return a.move(ctx, "letter.dropped", app, seq, a.dispatcher.Drop)
}

func (a *Automation) move(ctx context.Context, kind, app string, seq uint64, act func(context.Context, string, uint64, triggers.Record) (triggers.Delivery, error)) (triggers.Delivery, error) {
	actor, _, err := a.steer(ctx, app)
	if err != nil {
		return triggers.Delivery{}, err
	}
	return act(ctx, app, seq, a.audited(ctx, actor, kind, app, strconv.FormatUint(seq, 10), registry.App.Alive))
}

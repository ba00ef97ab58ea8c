package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/host/gateway"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/metering/rate"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/triggers"
)

// deliveries has the triggers of apps call them.
type deliveries struct {
	state     State
	rights    rightsAt
	addresses Addresses
	router    gateway.Router
	lines     *lines
	now       func() time.Time
	// dispatcher says when; it is there before the first delivery.
	dispatcher *triggers.Dispatcher
}

// learn has the triggers of what an app serves call it.
func (v *deliveries) learn(ctx context.Context, app string) error {
	var all []triggers.Trigger
	err := v.state.View(ctx, func(tx state.Reader) (err error) {
		all, err = v.triggersOf(tx, app)
		return err
	})
	if err != nil {
		return fmt.Errorf("read the triggers of %q: %w", app, err)
	}
	v.dispatcher.Set(app, all)
	return nil
}

// triggersOf are the triggers of the release that an app serves, as far as they
// are granted.
func (v *deliveries) triggersOf(tx state.Reader, name string) ([]triggers.Trigger, error) {
	app, err := tx.App(name)
	if errors.Is(err, registry.ErrNotFound) || app.Removal != nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	tier, number, ok := app.Serving()
	if !ok {
		return nil, nil
	}
	release, err := tx.Release(name, number)
	if err != nil {
		return nil, err
	}
	rights, err := v.rights.of(tx, release, tier)
	if err != nil {
		return nil, err
	}
	pauses, err := tx.Pauses(name)
	if err != nil {
		return nil, err
	}
	all := Declared(release.Manifest)
	may, until := mayReceive(rights[abi.CapabilitySubscribe])
	all = slices.DeleteFunc(all, func(t triggers.Trigger) bool {
		return t.Kind == abi.TriggerEvent && !own(t) && !may(t.Name)
	})
	for i := range all {
		if t := &all[i]; t.Kind == abi.TriggerEvent && !own(*t) {
			t.Until = until
		}
		all[i].Paused = app.Stopped() != nil || slices.ContainsFunc(pauses, func(p triggers.Pause) bool { return p.Ref == all[i].Ref })
	}
	return all, nil
}

// own reports whether an event trigger is about the app's own events, which take no grant.
func own(t triggers.Trigger) bool {
	return len(t.Name) > len(t.App) && t.Name[:len(t.App)+1] == t.App+"/"
}

// mayReceive is which topics of other apps a right to subscribe allows, and until
// when. No right allows none.
func mayReceive(right approvals.Right) (may func(topic string) bool, until time.Time) {
	if right.Grant != nil {
		until = right.Grant.Expires
	}
	return func(topic string) bool { return slices.Contains(right.Params.List("topics"), topic) }, until
}

// hooksAtOnce is how many queued webhooks of one trigger are delivered at once:
// their senders promise no order.
const hooksAtOnce = 8

// Declared are the triggers of a manifest with its defaults filled in.
func Declared(m registry.Manifest) []triggers.Trigger {
	var all []triggers.Trigger
	for _, c := range m.Triggers.Cron {
		when, err := c.When()
		if err != nil {
			continue // it was read before the release was stored; a zone may have been abolished since
		}
		all = append(all, triggers.Trigger{
			Ref: triggers.Ref{App: m.Name, Kind: abi.TriggerCron, Name: c.Name}, Path: c.Path,
			Spec: c.Schedule + " " + c.Timezone, Schedule: when, CatchUp: c.Missed == registry.MissedOnce,
		})
	}
	for _, w := range m.Triggers.Webhook {
		all = append(all, triggers.Trigger{Ref: triggers.Ref{App: m.Name, Kind: abi.TriggerWebhook, Name: w.Name}, Path: w.Path, Concurrency: hooksAtOnce})
	}
	for _, v := range m.Triggers.Event {
		all = append(all, triggers.Trigger{Ref: triggers.Ref{App: m.Name, Kind: abi.TriggerEvent, Name: v.FullTopic()}, Path: v.Path, Concurrency: v.Concurrency})
	}
	return all
}

// deliver calls what an app serves now, as a metered invocation like any other.
// Success is a response of 2xx.
func (v *deliveries) deliver(ctx context.Context, t triggers.Trigger, d triggers.Delivery) error {
	if !t.Until.IsZero() && !v.now().Before(t.Until) {
		return fmt.Errorf("its grant to receive %s has ended: %w", t.Name, triggers.ErrLater)
	}
	host := v.addresses.AppHost(t.App)
	route, err := v.router.Route(ctx, host)
	if err != nil {
		return errors.Join(triggers.ErrLater, err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+host+t.Path, bytes.NewReader(d.Body))
	if err != nil {
		return err
	}
	for _, f := range d.Header {
		r.Header.Add(f.Name, f.Value)
	}
	target := route.(*target)
	id := gateway.NewID()
	result, err := target.call(ctx, string(t.Kind), id, r, nil, triggerHeader(t.Kind, t.Name, d.ID, d.Attempts+1, d.At)...)
	switch {
	case errors.Is(err, abi.ErrBusy) || errors.Is(err, abi.ErrNodeBusy) || errors.Is(err, metering.ErrUnmetered) || errors.Is(err, metering.ErrSpent) ||
		errors.Is(err, rate.ErrExceeded) || errors.Is(err, abi.ErrMemoryQuota) ||
		errors.Is(err, registry.ErrSuspended) || errors.Is(err, registry.ErrQuarantined) || errors.Is(err, registry.ErrDeleting): // it waits for the app to serve again
		return errors.Join(triggers.ErrLater, err)
	case err != nil:
		return err
	case result.Response.Status < 200 || result.Response.Status > 299:
		err = fmt.Errorf("it returned %d", result.Response.Status)
		v.lines.write(Line{
			App: t.App, Release: target.release.Number, Level: "error", Source: SourceNode, Call: id,
			Message: fmt.Sprintf("%s trigger %s, event %s, attempt %d: %v", t.Kind, t.Name, d.ID, d.Attempts+1, err),
		})
		return err
	}
	return nil
}

// triggerHeader tells an app what called it.
func triggerHeader(kind abi.TriggerKind, name, id string, attempt int, at time.Time) []abi.Field {
	return []abi.Field{
		{Name: abi.AttemptHeader, Value: strconv.Itoa(attempt)}, {Name: abi.EventIDHeader, Value: id},
		{Name: abi.EventTimeHeader, Value: at.UTC().Format(time.RFC3339Nano)},
		{Name: abi.TriggerHeader, Value: string(kind)}, {Name: abi.TriggerNameHeader, Value: name},
	}
}

// publisher takes the events of apps.
type publisher struct {
	dispatcher func() *triggers.Dispatcher // which is made after the capabilities
	room       func() error                // see Options
}

// Publish is the dispatcher's, in words that a guest understands.
func (p publisher) Publish(ctx context.Context, app, topic, dedupe string, payload []byte) (string, error) {
	if err := p.room(); err != nil {
		return "", err
	}
	id, err := p.dispatcher().Publish(ctx, app, topic, dedupe, payload)
	if errors.Is(err, triggers.ErrBacklog) {
		err = errors.Join(abi.ErrnoQuota, err)
	}
	return id, err
}

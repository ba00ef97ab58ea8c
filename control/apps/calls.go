package apps

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// callLines is how many lines of a call are shown.
const callLines = 200

// callSamples is how far back samples are searched for a call of which no time is known.
const callSamples = 48 * time.Hour

// Call finds a call by the id that its caller was given, in an app ("" for all that the actor may
// look into). Calls of other people's apps are not found. at, if known, is the hour of the call.
func (o *Observer) Call(ctx context.Context, app, id string, at time.Time) (none control.Call, err error) {
	actor, err := o.desk.Door(ctx, access.ReadCalls)
	if err != nil {
		return none, err
	}
	id = strings.ToLower(strings.TrimSpace(id))
	notFound := fmt.Errorf("call %.60q: %w", id, control.ErrNoSuchCall)
	if !o.isCall(id) {
		return none, notFound
	}
	apps, err := o.appsToLookInto(ctx, actor, app)
	if err != nil {
		return none, err
	}
	for _, a := range apps {
		lines, err := o.logs.Find(a.Name, id, callLines)
		if err != nil {
			return none, fmt.Errorf("read the log of %q: %w", a.Name, err)
		}
		if ctx.Err() != nil {
			return none, ctx.Err()
		}
		if len(lines) > 0 {
			c := o.callOf(a, id, lines)
			if c.Outcome == "" { // it did not fail: a sample may have its numbers
				if s, ok, err := o.samples.Find(ctx, id, c.At, 2*time.Hour); err == nil && ok && s.App == a.Name {
					c = o.sampled(c, s)
				}
			}
			return c, nil
		}
	}
	s, ok, err := o.samples.Find(ctx, id, cmp.Or(at, o.desk.Now()), callSamples)
	if err != nil {
		return none, fmt.Errorf("read samples: %w", err)
	}
	i := slices.IndexFunc(apps, func(a registry.App) bool { return a.Name == s.App })
	if !ok || i < 0 {
		return none, notFound
	}
	return o.sampled(o.callOf(apps[i], id, nil), s), nil
}

// appsToLookInto are the apps, or the one of a name, whose calls an actor may see.
func (o *Observer) appsToLookInto(ctx context.Context, actor access.Actor, name string) (apps []registry.App, err error) {
	err = o.desk.View(ctx, func(tx state.Reader) error {
		if name != "" {
			app, err := find(tx, name)
			if err != nil {
				return err
			}
			apps = []registry.App{app}
			return nil
		}
		apps, err = tx.Apps()
		return err
	})
	return slices.DeleteFunc(apps, func(a registry.App) bool { return !access.Allowed(actor, access.ReadCalls, control.OfApp(a)) }), err
}

// callOf makes of the lines about a call what is known of it.
func (o *Observer) callOf(app registry.App, id string, lines []Noted) control.Call {
	c := control.Call{ID: id, App: app.Name, Owner: app.Owner, Team: app.Team, Lines: []control.LogLine{}}
	for _, l := range lines {
		c.Lines = append(c.Lines, l.LogLine)
		c.At, c.Release = l.At, cmp.Or(l.Release, c.Release)
		out := l.Outcome
		if out == nil {
			continue
		}
		c.Tier, c.Trigger, c.Instructions, c.GuestMicros, c.HostMicros, c.MemoryKiB = out.Tier, out.Trigger, out.Instructions, out.GuestMicros, out.HostMicros, out.MemoryKiB
		c.Outcome = control.CallRefused
		if l.Level == "error" {
			c.Outcome = control.CallFailed
		}
		p := o.problems.Named(out.Problem, app.Name)
		c.Problem = &p
		c.Problem.Detail = l.Message
	}
	return c
}

// sampled is a call of which a sample was kept.
func (o *Observer) sampled(c control.Call, s control.Sample) control.Call {
	c.At, c.Release, c.Tier, c.Trigger, c.Status = s.At, s.Release, s.Tier, s.Trigger, s.Status
	c.Instructions, c.GuestMicros, c.HostMicros, c.Outcome = s.Instructions, s.GuestMicros, s.HostMicros, control.CallServed
	if abi.Failed(s.Fault) {
		c.Outcome = control.CallFailed
		p := o.problems.Named(o.problems.Slug(abi.FaultOf(s.Fault)), c.App)
		c.Problem = &p
	}
	return c
}

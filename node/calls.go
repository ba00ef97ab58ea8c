package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/host/gateway"
	"github.com/agora-host/agora/internal/door"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/store/logstore"
	"github.com/agora-host/agora/store/samplestore"
	"github.com/agora-host/agora/web/problem"
)

// writeFault sends a caller of an app the response to a request that was not served. Nobody has signed
// in, so that the app's owner is named as colleagues know them, and not by an address that takes mail.
func (h *Node) writeFault(w http.ResponseWriter, r *http.Request, id string, err error) {
	var about problem.About
	if app, found := h.Host.NoteRefused(r.Context(), r.Host, id, err); found {
		about = problem.About{App: app.Name, Title: app.Title, Owner: registry.KnownAs(app.Owner), Team: app.Team, Console: h.origins.consoleURL}
	}
	about.Page = gateway.TakesPage(r.Header)
	problem.WriteFault(w, about, err)
}

// refuse is writeFault for requests that reach no handler, so that no app is looked up for them.
func (h *Node) refuse(w http.ResponseWriter, r *http.Request, err error) {
	w.Header().Set(gateway.InvocationHeader, gateway.NewID())
	if errors.Is(err, door.ErrMethod) {
		w.Header().Set("Allow", door.Methods)
	}
	problem.WriteFault(w, problem.About{Page: gateway.TakesPage(r.Header)}, err)
}

// callLines is how many lines of a call are shown.
const callLines = 200

// callSamples is how far back samples are searched for a call of which no time is known.
const callSamples = 48 * time.Hour

// Call finds a call by the id that its caller was given, in an app ("" for all that the actor may
// look into). Calls of other people's apps are not found. at, if known, is the hour of the call.
func (h *Node) Call(ctx context.Context, app, id string, at time.Time) (none control.Call, err error) {
	actor, err := h.desk.Allow(ctx, access.SignedIn)
	if err != nil {
		return none, err
	}
	id = strings.ToLower(strings.TrimSpace(id))
	notFound := fmt.Errorf("call %.60q: %w", id, control.ErrNoSuchCall)
	if !gateway.IsID(id) {
		return none, notFound
	}
	apps, err := h.appsToLookInto(ctx, actor, app)
	if err != nil {
		return none, err
	}
	for _, a := range apps {
		lines, err := h.logs.Find(a.Name, id, callLines)
		if err != nil {
			return none, fmt.Errorf("read the log of %q: %w", a.Name, err)
		}
		if ctx.Err() != nil {
			return none, ctx.Err()
		}
		if len(lines) > 0 {
			c := callOf(a, id, lines)
			if c.Outcome == "" { // it did not fail: a sample may have its numbers
				if s, ok, err := h.samples.Find(ctx, id, c.At, 2*time.Hour); err == nil && ok && s.App == a.Name {
					c = sampled(c, s)
				}
			}
			return c, nil
		}
	}
	s, ok, err := h.samples.Find(ctx, id, cmp.Or(at, h.o.Now()), callSamples)
	if err != nil {
		return none, fmt.Errorf("read samples: %w", err)
	}
	i := slices.IndexFunc(apps, func(a registry.App) bool { return a.Name == s.App })
	if !ok || i < 0 {
		return none, notFound
	}
	return sampled(callOf(apps[i], id, nil), s), nil
}

// appsToLookInto are the apps, or the one of a name, whose calls an actor may see.
func (h *Node) appsToLookInto(ctx context.Context, actor access.Actor, name string) (apps []registry.App, err error) {
	err = h.store.View(ctx, func(tx state.Reader) error {
		if name != "" {
			app, err := tx.App(name)
			if err != nil {
				return fmt.Errorf("app %q: %w", name, err)
			}
			apps = []registry.App{app}
			return nil
		}
		apps, err = tx.Apps()
		return err
	})
	return slices.DeleteFunc(apps, func(a registry.App) bool { return !control.MayLookInto(actor, a.Owner) }), err
}

// callOf makes of the lines about a call what is known of it.
func callOf(app registry.App, id string, lines []logstore.Line) control.Call {
	c := control.Call{ID: id, App: app.Name, Owner: app.Owner, Team: app.Team, Lines: []control.LogLine{}}
	for _, l := range lines {
		c.Lines = append(c.Lines, shownLine(l))
		c.At, c.Release = l.At, cmp.Or(l.Release, c.Release)
		o := l.Outcome
		if o == nil {
			continue
		}
		c.Tier, c.Trigger, c.Instructions, c.GuestMicros, c.HostMicros, c.MemoryKiB = o.Tier, o.Trigger, o.Instructions, o.GuestMicros, o.HostMicros, o.MemoryKiB
		c.Outcome = control.CallRefused
		if l.Level == "error" {
			c.Outcome = control.CallFailed
		}
		p := problem.Named(o.Problem, app.Name)
		c.Problem = &p
		c.Problem.Detail = l.Message
	}
	return c
}

// sampled is a call of which a sample was kept.
func sampled(c control.Call, s samplestore.Sample) control.Call {
	c.At, c.Release, c.Tier, c.Trigger, c.Status = s.At, s.Release, s.Tier, s.Trigger, s.Status
	c.Instructions, c.GuestMicros, c.HostMicros, c.Outcome = s.Instructions, s.GuestMicros, s.HostMicros, control.CallServed
	if abi.Failed(s.Fault) {
		c.Outcome = control.CallFailed
		p := problem.Named(problem.Slug(abi.FaultOf(s.Fault)), c.App)
		c.Problem = &p
	}
	return c
}

package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/host/engine"
	"github.com/agora-host/agora/host/gateway"
	"github.com/agora-host/agora/internal/door"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/metering/fuel"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/store/logstore"
	"github.com/agora-host/agora/web"
	"github.com/agora-host/agora/web/problem"
)

// platformCookies are never shown to an app.
var platformCookies = []string{web.SessionCookie, "__Host-" + web.SessionCookie}

// frames are requests to be filled in again: a call is over when it returns.
var frames = sync.Pool{New: func() any { return new(abi.Request) }}

func release(frame *abi.Request) {
	clear(frame.Header)
	*frame = abi.Request{Header: frame.Header}
	frames.Put(frame)
}

// Invoke is the flow of one call: frame, run, journal. The answer is released
// only after the journal has the call.
//
// Of an answer that is streamed, the end is what is released then: the gateway
// ends it after Invoke returned. What goes out before is covered by checkpoints.
func (t *target) Invoke(ctx context.Context, id string, r *http.Request, stream abi.Stream) (abi.Response, error) {
	if hook := t.hook(r.URL.Path); hook != nil {
		return t.takeHook(ctx, id, hook, r, stream)
	}
	result, err := t.call(ctx, metering.TriggerHTTP, id, r, stream)
	return result.Response, err
}

// call makes one invocation. extra are headers that the node vouches for.
func (t *target) call(ctx context.Context, trigger, id string, r *http.Request, stream abi.Stream, extra ...abi.Field) (engine.Result, error) {
	if err := t.host.meter.Ready(); err != nil {
		return engine.Result{}, err
	}
	ctx, leave, err := t.life.join(ctx)
	if err != nil {
		return engine.Result{}, err
	}
	defer leave()
	bill := bill{target: t, id: id, trigger: trigger, frame: frames.Get().(*abi.Request)}
	defer release(bill.frame)
	defer bill.leave()
	result, uses, err := t.run(ctx, &bill, r, stream, extra)
	if bill.unread {
		return engine.Result{}, err
	}
	t.host.used.add(t.app.Name, t.release.Number, uses, t.host.o.Now())
	if err := bill.settle(result, uses, err); err != nil {
		return engine.Result{}, err
	}
	if abi.Failed(abi.FaultKind(err)) {
		err = t.host.explainFault(&bill, result, err)
	}
	if why := t.life.why(); why != nil && errors.Is(err, abi.ErrCanceled) {
		err = why // whoever called is told that the app was stopped, not that they left
	}
	return result, err
}

// weights are how much of its owner's share of the processors a call gets, by tier.
var weights = map[abi.Tier]int{abi.TierSandbox: 1, abi.TierPilot: 2, abi.TierProduction: 4}

// run takes a place among the app's calls, then reads the request, and then calls: a request
// that finds no place costs no memory. What it takes is given back before the call is journaled.
func (t *target) run(ctx context.Context, bill *bill, r *http.Request, stream abi.Stream, extra []abi.Field) (result engine.Result, uses []abi.Use, err error) {
	s, err := t.host.programs.use(ctx, &t.release)
	if err != nil {
		return result, nil, err
	}
	defer t.host.programs.leave(s)
	place, err := s.enter(ctx, t.links)
	if err != nil {
		return result, nil, err
	}
	defer place.Leave()
	err = s.arrivals.during(r, func() error {
		return gateway.Frame(bill.frame, r, int64(t.release.Manifest.Limits.RequestBody), platformCookies)
	})
	if err != nil {
		// What the caller got wrong is not the app's: it was not called, and has no bill.
		bill.unread = !errors.Is(err, abi.ErrRequestTooLarge)
		return result, nil, err
	}
	bill.frame.Header = append(bill.frame.Header, extra...)
	t.host.setClient(ctx, bill.frame)
	uses, err = t.recording(ctx, bill.id, func(ctx context.Context, uses func() []abi.Use) error {
		bill.uses = uses
		// A panic on the way is a fault of the node's: the call is settled like any other.
		return t.host.watch.Do("call", func() (err error) {
			result, err = place.Invoke(ctx, engine.Call{
				ID: bill.id, Request: bill.frame, Links: t.links, Stream: stream, Checkpoint: bill.checkpoint, Stderr: bill.stderr,
				Weight: weights[t.tier], Room: door.ConnOf(ctx),
			})
			return err
		})
	})
	return result, uses, err
}

// setClient names the caller in a frame. If no trusted proxy says by which scheme the caller came,
// it is the scheme of the apps' addresses.
func (h *Node) setClient(ctx context.Context, frame *abi.Request) {
	client := door.ClientOf(ctx)
	frame.Scheme = cmp.Or(client.Scheme, h.origins.scheme)
	if a := client.Addr.Addr(); a.IsValid() {
		frame.Client = a.String()
	}
}

// noteFault logs a failure at the front door that is the node's own trouble.
func (h *Node) noteFault(ctx context.Context, host, id string, err error) {
	if problem.Internal(err) {
		h.log.WarnContext(ctx, "request not served", "host", host, "invocation", id, "err", err)
	}
}

func (h *Node) appLog(ctx context.Context, app string, release int, level, message string) {
	h.write(logstore.Line{App: app, Release: release, Level: level, Source: "log", Message: message, Call: abi.CallOf(ctx)})
}

// write writes into an app's log, without the app's secrets.
func (h *Node) write(l logstore.Line) {
	l.Message = h.redact(l.App, l.Release, l.Message)
	h.append(l)
}

func (h *Node) append(l logstore.Line) {
	l.At = h.o.Now()
	if err := h.logs.Append(l); err != nil {
		h.log.Error("write an app's log", "app", l.App, "err", err)
	}
}

// loadProgram loads the very bytes that verified checked, without its files.
func (h *Node) loadProgram(ctx context.Context, r registry.Release) (*engine.Program, error) {
	// Compiling again what a cache lost is the node's work, not the request's.
	ctx = abi.WithRecorder(ctx, new(abi.Recorder))
	module, err := h.verified(ctx, r)
	if err != nil {
		return nil, err
	}
	if module, err = program(module); err != nil {
		return nil, err
	}
	l := engineLimits(r)
	l.Owner, l.App = cmp.Or(r.Charged, r.Manifest.Owner), r.App
	return h.engine.Load(ctx, module, r.Interface, l)
}

// verified reads a release's module and checks it against its signature once more.
func (h *Node) verified(ctx context.Context, r registry.Release) (module []byte, err error) {
	if module, err = h.blobs.Get(ctx, r.Digest); err != nil {
		return nil, fmt.Errorf("read the module of %s release %d: %w", r.App, r.Number, err)
	}
	bundle, err := h.blobs.Get(ctx, r.Bundle)
	if err != nil {
		return nil, fmt.Errorf("read the signature of %s release %d: %w", r.App, r.Number, err)
	}
	signer, err := h.verify(ctx, module, bundle)
	if err != nil {
		return nil, fmt.Errorf("check the signature of %s release %d: %w", r.App, r.Number, err)
	}
	if signer.Identity != r.Signer.Certified() {
		return nil, fmt.Errorf("release %d of %s was signed by %s and now verifies as %s: %w", r.Number, r.App, r.Signer.Certified(), signer.Identity, registry.ErrUntrusted)
	}
	return module, nil
}

func engineLimits(r registry.Release) engine.Limits {
	m, l := r.Manifest, r.Manifest.Limits
	return engine.Limits{
		Fuel: l.Fuel, Table: fuel.Table(r.CostTable()), Memory: int64(l.Memory), Timeout: time.Duration(l.Timeout), HostTime: time.Duration(l.HostTime),
		RequestBody: int64(l.RequestBody), ResponseBody: int64(l.ResponseBody), Concurrency: l.Concurrency,
		StartOnce: m.StartOnce, WarmUp: m.WarmUp, KeepState: m.KeepState,
	}
}

// Invoke calls a release for a signed-in person, as the gateway would.
func (h *Node) Invoke(ctx context.Context, app string, number int, r *http.Request) (control.Response, error) {
	if _, err := h.desk.Allow(ctx, access.RoleViewer); err != nil {
		return control.Response{}, err
	}
	t, err := h.targetOf(ctx, app, number)
	if err != nil {
		return control.Response{}, err
	}
	result, err := t.call(ctx, metering.TriggerInvoke, gateway.NewID(), r, nil)
	if err != nil {
		return control.Response{}, err
	}
	header := http.Header{}
	for _, f := range result.Response.Header {
		header.Add(f.Name, f.Value)
	}
	c := counts(nil, result)
	return control.Response{
		Status: result.Response.Status, Header: header, Body: result.Response.Body,
		Instructions: c.Instructions, GuestMicros: c.GuestMicros, HostMicros: c.HostMicros,
		MemoryKiB: uint64(result.MemoryPeak+1023) / 1024, Release: t.release.Number,
	}, nil
}

// CallLimits are the bounds of a release's requests and responses.
func (h *Node) CallLimits(ctx context.Context, app string, number int) (request, response int64, err error) {
	if _, err := h.desk.Allow(ctx, access.RoleViewer); err != nil {
		return 0, 0, err
	}
	t, err := h.targetOf(ctx, app, number)
	if err != nil {
		return 0, 0, err
	}
	l := t.release.Manifest.Limits
	return int64(l.RequestBody), int64(l.ResponseBody), nil
}

// targetOf is the release that serves, or the one that was named.
func (h *Node) targetOf(ctx context.Context, name string, number int) (*target, error) {
	var t *target
	err := h.store.View(ctx, func(tx state.Reader) error {
		app, err := tx.App(name)
		if err != nil {
			return fmt.Errorf("app %q: %w", name, err)
		}
		if err := app.Stopped(); err != nil {
			return err
		}
		tier, serving, ok := app.Serving()
		switch {
		case number > 0:
			tier = abi.TierSandbox
		case !ok:
			return fmt.Errorf("app %q: %w", name, registry.ErrNotActive)
		default:
			number = serving
		}
		t, err = h.newTarget(tx, app, tier, number)
		return err
	})
	return t, err
}

package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/host/engine"
	"github.com/agora-host/agora/host/gate"
	"github.com/agora-host/agora/host/gateway"
	"github.com/agora-host/agora/internal/door"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/metering/fuel"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// frames are requests to be filled in again: a call is over when it returns.
var frames = sync.Pool{New: func() any { return new(abi.Request) }}

func release(frame *abi.Request) {
	clear(frame.Header)
	*frame = abi.Request{Header: frame.Header}
	frames.Put(frame)
}

// Invoke is the flow of one call: frame, run, journal. The response is released
// only after the journal has the call.
//
// Of a response that is streamed, the end is what is released then: the gateway
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
	if err := t.host.o.Meter.Ready(); err != nil {
		return engine.Result{}, err
	}
	if err := t.host.o.FuelSpent(t.app.Name); err != nil {
		return engine.Result{}, err
	}
	if err := t.host.o.Paced(t.app.Name); err != nil {
		return engine.Result{}, err
	}
	running, err := t.life.join(ctx)
	if err != nil {
		return engine.Result{}, err
	}
	defer running.leave()
	bill := bill{target: t, id: id, trigger: trigger, frame: frames.Get().(*abi.Request)}
	defer release(bill.frame)
	defer bill.leave()
	result, uses, err := t.run(running, &bill, r, stream, extra)
	if bill.unread {
		return engine.Result{}, err
	}
	if err := bill.settle(result, uses, err); err != nil {
		return engine.Result{}, err
	}
	if abi.Failed(abi.FaultKind(err)) {
		err = bill.explainFault(result, err)
	}
	if why := running.reason(); why != nil && errors.Is(err, abi.ErrCanceled) {
		err = why // whoever called is told that the app was stopped, or the session, not that they left
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
		return gateway.Frame(bill.frame, r, int64(t.release.Manifest.Limits.RequestBody), gate.Ours)
	})
	if err != nil {
		// What the caller got wrong is not the app's: it was not called, and has no bill.
		bill.unread = !errors.Is(err, abi.ErrRequestTooLarge)
		return result, nil, err
	}
	bill.frame.Header = append(bill.frame.Header, extra...)
	setClient(ctx, bill.frame, t.host.o.Addresses.Scheme())
	uses, err = t.recording(ctx, bill.id, func(ctx context.Context, uses func() []abi.Use) error {
		bill.uses = uses
		// A panic on the way is a fault of the node's: the call is settled like any other.
		return t.host.watch.Do("call", func() (err error) {
			result, err = place.Invoke(ctx, engine.Call{
				ID: bill.id, Request: bill.frame, Links: t.links, Stream: stream, Checkpoint: bill.checkpoint, Stderr: bill.stderr,
				Weight: weights[t.tier], Room: door.Of(ctx),
			})
			return err
		})
	})
	return result, uses, err
}

// setClient names the caller in a frame. If no trusted proxy says by which scheme the caller came,
// it is the one given, of the apps' addresses.
func setClient(ctx context.Context, frame *abi.Request, scheme string) {
	client := door.ClientOf(ctx)
	frame.Scheme = cmp.Or(client.Scheme, scheme)
	if a := client.Addr.Addr(); a.IsValid() {
		frame.Client = a.String()
	}
}

// loadProgram loads the very bytes that were checked against the signature, without the files in them.
func (h *Host) loadProgram(ctx context.Context, r registry.Release) (*engine.Program, error) {
	// Compiling again what a cache lost is the node's work, not the request's.
	ctx = abi.WithRecorder(ctx, new(abi.Recorder))
	module, err := h.o.Module(ctx, r)
	if err != nil {
		return nil, err
	}
	if module, err = Program(module); err != nil {
		return nil, err
	}
	l := EngineLimits(r)
	l.Owner, l.Group, l.App = accountOf(&r), r.Group, r.App
	return h.o.Engine.Load(ctx, module, r.Interface, l)
}

// EngineLimits are the limits within which a release is compiled and run.
func EngineLimits(r registry.Release) engine.Limits {
	m, l := r.Manifest, r.Manifest.Limits
	return engine.Limits{
		Fuel: l.Fuel, Table: fuel.Table(r.CostTable()), Memory: int64(l.Memory), Timeout: time.Duration(l.Timeout), HostTime: time.Duration(l.HostTime),
		RequestBody: int64(l.RequestBody), ResponseBody: int64(l.ResponseBody), Concurrency: l.Concurrency,
		StartOnce: m.StartOnce, WarmUp: m.WarmUp, KeepState: m.KeepState,
	}
}

// Called is how a call ended that was not asked for at an app's address.
type Called struct {
	Response  abi.Response
	Counts    metering.Counts
	MemoryKiB uint64
	Release   int
}

// Call calls a release, or for 0 the one that serves, as the gateway would. It is metered like any
// other call.
func (h *Host) Call(ctx context.Context, app string, number int, r *http.Request) (Called, error) {
	t, err := h.targetOf(ctx, app, number)
	if err != nil {
		return Called{}, err
	}
	result, err := t.call(ctx, metering.TriggerInvoke, gateway.NewID(), r, nil)
	return Called{Response: result.Response, Counts: counts(nil, result), MemoryKiB: memoryKiB(result), Release: t.release.Number}, err
}

// CallLimits returns the bounds of a release's requests and responses; 0: of the one that serves.
func (h *Host) CallLimits(ctx context.Context, app string, number int) (request, response int64, err error) {
	t, err := h.targetOf(ctx, app, number)
	if err != nil {
		return 0, 0, err
	}
	l := t.release.Manifest.Limits
	return int64(l.RequestBody), int64(l.ResponseBody), nil
}

// targetOf is the release that serves, or the one that was named.
func (h *Host) targetOf(ctx context.Context, name string, number int) (*target, error) {
	var t *target
	err := h.o.State.View(ctx, func(tx state.Reader) error {
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

package engine

import (
	"context"
	"errors"
	"time"

	"github.com/agora-host/agora/abi"
)

// Trial is what became of an app's start-up and of one request, before it serves.
type Trial struct {
	// Err is how it failed, nil if it did not; Detail and Printed are for its developer.
	Err     error
	Detail  string
	Printed []string
	// StartUp means that it failed before it was given the request, so that no request can work.
	StartUp bool
	// Runaway means that start-up passed a limit that it would have in each call.
	Runaway bool
	// Called means that it called a capability, which all are unavailable here: with them it
	// may work.
	Called bool
}

const (
	trialFuel  = 500_000_000
	trialStart = 2_000_000_000 // of a start-up that is kept
	trialTime  = 5 * time.Second
	trialLines = 5
)

// Try loads a program and lets it start and serve the request "GET /", with capabilities that are
// unavailable. What happens is not the app's usage. An error is the node's.
func (e *Engine) Try(ctx context.Context, module []byte, iface abi.Interface, l Limits) (t Trial, err error) {
	own, most := l.startFuel() <= trialStart, l.Fuel <= trialFuel
	l.StartFuel = min(l.startFuel(), trialStart)
	l.Fuel, l.Timeout, l.HostTime, l.Concurrency = min(l.Fuel, trialFuel), min(l.Timeout, trialTime), 0, 1
	p, err := e.Load(ctx, module, iface, l)
	if err != nil {
		return t, err
	}
	defer p.Close(context.WithoutCancel(ctx))
	links := map[string]abi.Link{}
	for _, c := range p.needs {
		links[c.Name] = unavailable(c)
	}
	r, err := p.Invoke(ctx, Call{
		Request: &abi.Request{Method: "GET", Path: "/", Host: "rehearsal.invalid"}, Links: links, trial: &t,
		Stderr: func(line string) {
			if len(t.Printed) < trialLines {
				t.Printed = append(t.Printed, clip(line, 200))
			}
		},
	})
	t.Err, t.Detail = err, r.FaultDetail
	if t.StartUp && errors.Is(err, abi.ErrFuelExhausted) {
		t.Runaway = p.runaway.Load() && own || !p.runaway.Load() && most
	}
	return t, ctx.Err()
}

// unavailable links a capability so that each call of it says that it is not there.
func unavailable(c abi.Capability) abi.Link {
	link := abi.Link{}
	for _, name := range c.Functions {
		link[name] = func(context.Context, []byte) ([]byte, abi.Errno) { return nil, abi.ErrnoUnavailable }
	}
	return link
}

package engine

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/metering/fuel"
)

const (
	// startFactor is how many times as much as a request start-up may use that is kept for all of
	// them. An interpreter starts and reads its script there: a hundred times what a small request
	// takes, and once.
	startFactor = 10
	// mostFuel is the most units that can be counted.
	mostFuel = math.MaxInt64 / 4
)

// imageable reports whether one image may serve all requests, as far as that is
// known before start-up ran.
func (p *Program) imageable() bool {
	return p.restorable && p.iface == abi.InterfaceV1 && !p.limits.KeepState
}

// beginning is an invocation's start-up.
type beginning struct {
	running bool // initialisers run: nothing of the request may be seen
	moment  bool // an initialiser asked for what is different each time
	called  bool // an initialiser called a capability
	warming bool // the warm-up request runs, as part of that
}

// ofTheMoment notes that the guest was told what may be different at another
// time. Where an initialiser asks, its result must not serve later requests.
func (b *beginning) ofTheMoment() { b.moment = b.moment || b.running }

// ofItsOwn reports whether what start-up made is for this request alone. What a
// capability answered may not outlive its grant.
func (b *beginning) ofItsOwn(l *Limits) bool { return b.called || b.moment && !l.StartOnce }

// startFuel returns how many units start-up may use. One that is kept for all requests has a
// budget of its own. One that each request runs is part of that request, which costs what its
// limit says at most, so it has the request's.
func (p *Program) startFuel() uint64 {
	if !p.imageable() || p.pool.startsAnew() || p.runaway.Load() {
		return p.limits.Fuel
	}
	return p.limits.startFuel()
}

func (l Limits) startFuel() uint64 {
	if l.StartFuel > 0 {
		return l.StartFuel
	}
	return min(l.Fuel, mostFuel/startFactor) * startFactor
}

// startUp runs start-up within its own limits, and leaves the request its own.
func (p *Program) startUp(v *invocation, in *instance) error {
	if v.fuel.starting = p.startFuel(); v.call.rehearsal {
		v.fuel.starting = p.limits.startFuel()
	}
	v.fuel.spent = min(p.initCost, v.fuel.limit())
	v.init.running = true
	err := p.prepare(v, in)
	if err == nil {
		err = p.started(v, in)
	}
	if errors.Is(v.stop, abi.ErrFuelExhausted) && v.fuel.limit() > p.limits.Fuel {
		p.runaway.Store(true)
	}
	return err
}

// started ends start-up: it is kept for all requests, or is part of this one. A rehearsal has it apart
// in any case.
func (p *Program) started(v *invocation, in *instance) error {
	if v.fuel.used(int64(in.fuel.Get())) > v.fuel.limit() {
		v.stop = v.exhausted()
		return v.stop
	}
	apart := v.call.rehearsal
	if p.imageable() {
		imaged, err := p.pool.settle(in, v.init.ofItsOwn(&p.limits))
		if err != nil {
			return err
		}
		apart = apart || imaged
	}
	if !apart {
		return p.partOfRequest(v, in)
	}
	now := time.Now()
	v.startUp = v.fuel.used(int64(in.fuel.Get()))
	v.init.running, v.began, v.deadline = false, now, now.Add(p.limits.Timeout)
	v.host.spent, v.waited = 0, 0
	v.fuel.begin()
	in.fuel.Set(0)
	return nil
}

// partOfRequest goes on with what start-up has left of the request's own limit. What the guest was
// granted beyond that is taken back.
func (p *Program) partOfRequest(v *invocation, in *instance) error {
	left := int64(in.fuel.Get())
	if v.fuel.used(left) > p.limits.Fuel {
		v.fuel.starting = 0
		v.stop = v.exhausted()
		return v.stop
	}
	v.init.running = false
	if now := v.fuel.ends(left); now != left {
		in.fuel.Set(uint64(now))
	}
	return nil
}

// exhausted is the error of a guest that has passed the limit that holds now.
func (v *invocation) exhausted() error {
	switch err := fmt.Errorf("%w of %d", abi.ErrFuelExhausted, v.fuel.limit()); {
	case !v.init.running:
		return err
	case v.fuel.limit() > v.limits.Fuel || !v.init.ofItsOwn(v.limits):
		return fmt.Errorf("%w: its start-up takes more", err)
	case v.init.called:
		return fmt.Errorf("%w: its start-up takes more, and runs for each request since it calls a capability", err)
	default:
		return fmt.Errorf("%w: its start-up takes more, and runs for each request since it asks for the clock or for randomness; start_once = true in the manifest lets it run once", err)
	}
}

// prepare runs a module's start function and initialisers.
func (p *Program) prepare(v *invocation, in *instance) error {
	names := []string{fuel.ExportStart, abi.ExportInitialize, abi.ExportInit}
	if v.cgi {
		names = names[:1] // a command initialises itself when it runs
	}
	for _, name := range names {
		if f := in.module.ExportedFunction(name); f != nil {
			in.depth.Set(0)
			if err := in.call(v, f); err != nil {
				return err
			}
		}
	}
	if p.limits.WarmUp != "" && p.imageable() && !v.init.ofItsOwn(&p.limits) && !p.pool.startsAnew() {
		if err := p.warmUp(v, in); err != nil {
			return err
		}
	}
	in.started = p.limits.KeepState && !v.cgi
	return nil
}

// warmUp serves a request that no user made: nothing of the one that happens to
// be the first may get into the image.
func (p *Program) warmUp(v *invocation, in *instance) error {
	r := &abi.Request{Method: "GET", Host: "warm-up.invalid"}
	r.Path, r.Query, _ = strings.Cut(p.limits.WarmUp, "?")
	v.init.warming = true
	_, err := p.serveFrame(v, in, r)
	if v.init.warming = false; err != nil {
		return fmt.Errorf("warm_up %q: %w", p.limits.WarmUp, err)
	}
	return nil
}

// tried notes for a trial that the app failed before it was given a request.
func (v *invocation) tried(failed bool) {
	if t := v.call.trial; t != nil && failed {
		t.StartUp = true
	}
}

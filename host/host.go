package host

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/host/capability/blob"
	"github.com/agora-host/agora/host/capability/kv"
	"github.com/agora-host/agora/host/capability/llm"
	"github.com/agora-host/agora/host/engine"
	"github.com/agora-host/agora/host/gate"
	"github.com/agora-host/agora/internal/calm"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/secrets"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/triggers"
)

// State is what a host reads of the control plane.
type State interface {
	View(ctx context.Context, read func(state.Reader) error) error
	// AddUsed adds to what releases did, see state.Upkeep.
	AddUsed(ctx context.Context, all []approvals.ReleaseUsed) error
}

// Meter journals usage.
type Meter interface {
	// Ready returns why nothing can be journaled now, nil as a rule.
	Ready() error
	Begin() *metering.Running
	Record(v *metering.Invocation) error
	Standing(v *metering.Invocation) error
	// Unstored returns, by release, what calls of an app did that the store does not have yet.
	Unstored(app string) map[int][]metering.Done
}

// Kept says how much an app keeps.
type Kept interface {
	Used(ctx context.Context, app string) (abi.KVQuota, error)
	BlobsUsed(ctx context.Context, app string) (abi.KVQuota, error)
}

// Ring opens secrets.
type Ring interface {
	Open(s secrets.Secret) ([]byte, error)
}

// Logs keeps the apps' logs.
type Logs interface {
	Append(l Line) error
}

// Addresses are where apps are reached.
type Addresses interface {
	// Label returns what a Host header names: with below, a label below the apps' domain; otherwise
	// another host, in the one form in which it is registered.
	Label(host string) (label string, below bool)
	// AppHost returns the host of an app's address.
	AppHost(app string) string
	gate.Addresses
}

// Problem is what an error is to those who did not cause it.
type Problem struct {
	Slug     string // of its kind
	Detail   string
	Internal bool // it is the node's own trouble
}

// Options are what a Host needs.
type Options struct {
	State     State
	Rules     approvals.Rules
	Engine    *engine.Engine
	Meter     Meter
	Queue     triggers.Store
	KV        kv.Store   // as apps may write it
	Blobs     blob.Store // as apps may write them
	Spent     SpentStore
	Kept      Kept
	Ring      Ring
	Logs      Logs
	Addresses Addresses
	// Module returns a release's module, once it is checked against its signature.
	Module func(ctx context.Context, r registry.Release) ([]byte, error)
	// Problem says what an error is.
	Problem func(error) Problem
	// Room returns why apps may keep nothing more, nil as a rule.
	Room func() error
	// FuelSpent returns why an app runs no more today, nil as a rule. It is asked before each call; nil: no app
	// is bounded.
	FuelSpent func(app string) error
	// Paced counts a call of an app, or returns why it is called too often at the moment. It is asked before each
	// call, after FuelSpent; nil: no app is bounded.
	Paced func(app string) error
	// Observers learn of each call once it is journaled. They do not wait for anything.
	Observers []Observer
	// SignOn makes and ends sessions at apps' addresses.
	SignOn gate.SignOn
	// Identities make what apps are told of people.
	Identities gate.Identities
	// Audience is who may open apps for which no audience was set; "" for the default of each tier.
	Audience access.AudienceDefaults
	// Egress are networks that apps may reach although they are not public.
	Egress []netip.Prefix
	// Models are what apps may be granted; nil: none.
	Models *llm.Config
	// Programs bounds the programs in memory, in bytes as they themselves estimate it.
	Programs int64
	// Environment tags all usage. "": the tier in which it was.
	Environment string
	// PauseTriggers keeps every trigger from being delivered.
	PauseTriggers bool
	Logger        *slog.Logger
	Watch         *calm.Watch
	Now           func() time.Time
}

// Host is the data plane of a node.
type Host struct {
	// Triggers delivers what is due to apps.
	Triggers *triggers.Dispatcher
	// Standing bills what no call causes.
	Standing *Standing

	o       Options
	log     *slog.Logger
	watch   *calm.Watch
	binders map[string]binder // of capabilities, by word
	closers []func(context.Context) error

	routes     routes
	gate       *gate.Gate
	lives      lives
	holds      holds
	programs   *programs
	sites      sites
	lines      *lines
	used       *tally
	rights     rightsAt
	deliveries *deliveries
}

// Open makes a host of the state as it is now, which calls nothing yet. Followers of the state's feed
// begin no later: see Follow.
func Open(ctx context.Context, o Options) (*Host, error) {
	if o.FuelSpent == nil {
		o.FuelSpent = func(string) error { return nil }
	}
	if o.Paced == nil {
		o.Paced = func(string) error { return nil }
	}
	h := &Host{
		o: o, log: o.Logger, watch: o.Watch, sites: sites{watch: o.Watch}, used: &tally{}, rights: rightsAt{o.Rules, o.Now},
		Standing: newStanding(o),
	}
	h.gate = gate.New(gate.Options{State: o.State, SignOn: o.SignOn, Addresses: o.Addresses, Default: o.Audience, Identities: o.Identities, Now: o.Now})
	h.lines = &lines{o: &h.o, used: h.used}
	h.programs = newPrograms(o.Watch, h.loadProgram, o.Programs)
	h.binders = h.capabilities()
	h.deliveries = &deliveries{state: o.State, rights: h.rights, addresses: o.Addresses, router: h, lines: h.lines, now: o.Now}
	var err error
	h.Triggers, err = triggers.Open(ctx, triggers.Options{
		Store: o.Queue, Deliver: h.deliveries.deliver, Hold: o.PauseTriggers, Now: o.Now, Logger: o.Logger, Watch: o.Watch,
	})
	if err == nil {
		h.deliveries.dispatcher = h.Triggers
		err = h.learnAll(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, h.Close(ctx))
	}
	return h, nil
}

// Close ends what is in memory, last opened first. Nothing may be called any more.
func (h *Host) Close(ctx context.Context) error {
	var errs []error
	for i := len(h.closers) - 1; i >= 0; i-- {
		errs = append(errs, h.closers[i](ctx))
	}
	return errors.Join(append(errs, h.programs.close(ctx), h.FlushUsed(ctx))...)
}

// Shrink gives up what was used least lately, for when memory is short.
func (h *Host) Shrink() { h.programs.shrink() }

// InMemory is how much a host has in memory.
type InMemory struct {
	Routes   int // addresses that are remembered
	Sessions int // at them that were let in
	Programs int // releases that are loaded
	Calls    int // that hold one of them
}

// InMemory counts what is in memory now.
func (h *Host) InMemory() InMemory {
	m := InMemory{Routes: h.routes.number(), Sessions: h.gate.Remembered()}
	m.Programs, m.Calls = h.programs.numbers()
	return m
}

// Running is how many calls of an app run.
func (h *Host) Running(app string) int { return h.lives.of(app).running() }

// Redacted returns a text without the secrets of an app that were set, or read by it, since the host
// began.
func (h *Host) Redacted(app, text string) string {
	clean, _ := h.lines.redactor(app).Redact(text)
	return clean
}

// WaitIdle returns once no call of a stopped app runs.
func (h *Host) WaitIdle(ctx context.Context, app string) error { return h.lives.of(app).wait(ctx) }

// Forget drops what is in memory of an app that was removed, or is about to be.
func (h *Host) Forget(app string) {
	h.programs.forget(app)
	h.lines.forget(app)
}

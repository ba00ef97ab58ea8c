package llm

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/agora-host/agora/abi"
)

// Ledger keeps what each app spent on a day, through restarts. Amounts are in
// millionths of a millionth of the node's currency.
type Ledger interface {
	// Reserve adds an amount, durably, or returns abi.ErrnoQuota when more than the
	// limit would then be spent.
	Reserve(ctx context.Context, app, day string, amount, limit int64) error
	// Release gives back what was reserved and not spent.
	Release(ctx context.Context, app, day string, amount int64) error
}

// Options configure the capability.
type Options struct {
	// Config are the models. Without it every call is refused.
	Config *Config
	Ledger Ledger
	// Tell lets an app's owner know why something was refused; it may be called often.
	Tell func(ctx context.Context, app App, f abi.Finding)
	// Logger receives the node's own log. Neither prompts nor responses are in it.
	Logger *slog.Logger
	Now    func() time.Time
}

// App is who asks.
type App struct {
	Name           string
	Release        int
	Classification string // of its data
}

// LLM is the capability.
type LLM struct {
	o         Options
	transport *http.Transport
	mu        sync.Mutex
	paces     map[string]*pace // by app, guarded by mu
}

// New makes the capability. Requests go to the operator's own upstreams and to no
// other address: no proxy of the environment, no redirect.
func New(o Options) *LLM {
	o.Logger = o.Logger.With("component", "llm")
	return &LLM{o: o, paces: map[string]*pace{}, transport: &http.Transport{
		Proxy: nil, MaxIdleConns: 64, MaxIdleConnsPerHost: 16, IdleConnTimeout: 90 * time.Second,
		TLSHandshakeTimeout: 5 * time.Second, MaxResponseHeaderBytes: 64 << 10,
	}}
}

// Close closes the connections that no request uses.
func (l *LLM) Close(context.Context) error {
	l.transport.CloseIdleConnections()
	return nil
}

// grant is the capability as it is bound to one app.
type grant struct {
	*LLM
	app       App
	pace      *pace
	models    []string
	maxTokens int64 // of one response
	maxCalls  int64 // in one invocation
	perMinute int64
	daily     int64 // in millionths of a millionth

	drops sync.Once // the owner is told once of what is left out of messages
}

// cent is a hundredth of the currency, in the unit of prices and ledgers.
const cent = 10_000_000_000

// maxTokens and maxCents keep what a response and a day may cost countable.
const (
	maxTokens = 1 << 20
	maxCents  = 100_000_000
)

// Bind links the capability for an app. What of the parameters is missing or
// cannot be read allows nothing.
func (l *LLM) Bind(app App, p abi.Params) abi.Link {
	g := &grant{
		LLM: l, app: app, pace: l.paceOf(app.Name), models: p.List("models"), maxTokens: min(p.Number("max_tokens", 0), maxTokens),
		maxCalls: p.Number("max_calls", 0), perMinute: p.Number("per_minute", 0), daily: min(p.Number("daily_cents", 0), maxCents) * cent,
	}
	return abi.Link{abi.LLMChat: g.chat, abi.LLMOpen: g.openStream, abi.LLMNext: g.nextChunk, abi.LLMClose: g.closeStream}
}

// session is what the grant keeps for one invocation.
type session struct {
	calls   atomic.Int64
	mu      sync.Mutex
	last    uint32             // handle, guarded by mu
	streams map[uint32]*stream // by handle, guarded by mu
}

func (g *grant) session(ctx context.Context) *session {
	return abi.ScopeOf(ctx).Keep(g, func() any { return &session{streams: map[uint32]*stream{}} }).(*session)
}

func note(ctx context.Context, meter, model string) {
	abi.Note(ctx, abi.Use{Capability: "llm", Meter: meter, Subject: model, N: 1})
}

func (g *grant) chat(ctx context.Context, in []byte) ([]byte, abi.Errno) {
	ctx, cancel := abi.LeaveTime(ctx)
	defer cancel()
	r, errno := g.begin(ctx, in, false)
	if errno != abi.ErrnoOK {
		return nil, errno
	}
	r.end()
	return r.out, abi.ErrnoOK
}

// errno says what an error means to the app.
func (g *grant) errno(ctx context.Context, err error) abi.Errno {
	if errno, ok := errors.AsType[abi.Errno](err); ok {
		return errno
	}
	status, _ := errors.AsType[statusError](err)
	switch {
	case isPolicy(err):
		return abi.ErrnoDenied
	case errors.Is(err, errContext), errors.Is(err, errEndless):
		return abi.ErrnoTooLarge
	case status.wrong():
		return abi.ErrnoInvalid
	case errors.Is(err, errSlow), ctx.Err() != nil:
		return abi.ErrnoDeadline
	}
	return abi.ErrnoUnavailable
}

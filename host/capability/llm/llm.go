package llm

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/agora-host/agora/abi"
)

// Ledger keeps what each app spent on a day, through restarts. Amounts are in
// millionths of a millionth of the node's currency.
type Ledger interface {
	// Reserve adds an amount, durably, or answers abi.ErrnoQuota when more than the
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
	// Logger receives the node's own log. Neither prompts nor answers are in it.
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
	maxTokens int64 // of one answer
	maxCalls  int64 // in one invocation
	perMinute int64
	daily     int64 // in millionths of a millionth
}

// cent is a hundredth of the currency, in the unit of prices and ledgers.
const cent = 10_000_000_000

// maxTokens and maxCents keep what an answer and a day may cost countable.
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

// begin finds a model for a request and has it begin to answer.
func (g *grant) begin(ctx context.Context, in []byte, streamed bool) (*run, abi.Errno) {
	q, errno := abi.DecodeChat(in)
	if errno != abi.ErrnoOK {
		return nil, errno
	}
	if g.o.Config == nil {
		g.tell(ctx, "", errNoModels)
		return nil, abi.ErrnoUnavailable
	}
	asked := g.o.Config.model(q.Model)
	if asked == nil {
		note(ctx, abi.MeterDenied, "") // a name that the app made up is in no bill
		g.tell(ctx, q.Model, errUnknown)
		return nil, abi.ErrnoDenied
	}
	if err := g.permits(asked); err != nil {
		note(ctx, abi.MeterDenied, asked.Name)
		g.tell(ctx, asked.Name, err)
		return nil, abi.ErrnoDenied
	}
	if g.session(ctx).calls.Add(1) > g.maxCalls || !g.pace.allows(g.perMinute, g.o.Now()) {
		note(ctx, abi.MeterOver, asked.Name)
		g.tell(ctx, asked.Name, errTooMany)
		return nil, abi.ErrnoQuota
	}
	if !g.pace.enter(ctx) {
		note(ctx, abi.MeterFailed, asked.Name)
		return nil, abi.ErrnoUnavailable
	}
	r, err := g.chain(ctx, &q, asked, streamed)
	if err != nil {
		g.pace.leave()
		return nil, g.errno(ctx, err)
	}
	return r, abi.ErrnoOK
}

// chain asks the model, and then those that it falls back to, until one begins to
// answer. The error is that of the last one which was not refused by policy.
func (g *grant) chain(ctx context.Context, q *abi.ChatRequest, asked *Model, streamed bool) (*run, error) {
	var failed error
	for _, name := range append([]string{asked.Name}, asked.Fallback...) {
		m := g.o.Config.model(name)
		r, err := g.attempt(ctx, q, m, streamed)
		if err == nil {
			return r, nil
		}
		note(ctx, meterOf(err), m.Name)
		g.tell(ctx, m.Name, err)
		g.o.Logger.InfoContext(ctx, "a model did not answer", "app", g.app.Name, "model", m.Name, "upstream", m.Upstream, "err", err)
		if failed == nil || !isPolicy(err) {
			failed = err
		}
		if !another(ctx, err) {
			break
		}
	}
	return nil, failed
}

// attempt asks one model, after all that there is to ask about it.
func (g *grant) attempt(ctx context.Context, q *abi.ChatRequest, m *Model, streamed bool) (*run, error) {
	if err := g.permits(m); err != nil {
		return nil, err
	}
	body, tokens := g.request(q, m, streamed)
	r := &run{
		grant: g, model: m, bounds: bound(body, tokens), prompt: estimatePrompt(q), day: g.o.Now().UTC().Format(time.DateOnly),
		ctx: context.WithoutCancel(ctx),
	}
	if m.Context > 0 && r.prompt+tokens > m.Context {
		return nil, errContext
	}
	r.reserved = m.price.atMost(r.bounds)
	if err := g.o.Ledger.Reserve(ctx, g.app.Name, r.day, r.reserved, g.daily); err != nil {
		return nil, err
	}
	if err := r.send(ctx, body); err != nil {
		return nil, err
	}
	return r, nil
}

// permits tells whether a model may run for the app, whoever asks for it: the app
// or a chain.
func (g *grant) permits(m *Model) error {
	switch {
	case !slices.Contains(g.models, m.Name):
		return errNotGranted
	case !slices.Contains(m.Classifications, g.app.Classification):
		return errClassified
	}
	return nil
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
	defer r.end()
	out, err := r.whole(ctx)
	if err != nil {
		note(ctx, abi.MeterFailed, r.model.Name)
		g.tell(ctx, r.model.Name, err)
		return nil, g.errno(ctx, err)
	}
	return out, abi.ErrnoOK
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
	case errors.Is(err, errContext), status == http.StatusRequestEntityTooLarge, errors.Is(err, errEndless):
		return abi.ErrnoTooLarge
	case status == http.StatusBadRequest, status == http.StatusUnprocessableEntity:
		return abi.ErrnoInvalid
	case errors.Is(err, errSlow), ctx.Err() != nil:
		return abi.ErrnoDeadline
	}
	return abi.ErrnoUnavailable
}

package llm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
)

// begin finds a model for a request and has it begin to answer.
func (g *grant) begin(ctx context.Context, in []byte, streamed bool) (*run, abi.Errno) {
	q, dropped, wrong := abi.ReadChat(in)
	if wrong != nil {
		g.tell(ctx, "", wrong)
		return nil, wrong.Errno
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
		note(ctx, abi.MeterQuotaExceeded, asked.Name)
		g.tell(ctx, asked.Name, errTooMany)
		return nil, abi.ErrnoQuota
	}
	if !g.pace.enter(ctx) {
		note(ctx, abi.MeterFailed, asked.Name)
		g.tell(ctx, asked.Name, errBusy)
		return nil, abi.ErrnoUnavailable
	}
	if len(dropped) > 0 {
		g.drops.Do(func() { g.tellDropped(ctx, dropped) })
	}
	var r *run
	defer func() {
		if r == nil { // also if asking panicked
			g.pace.leave()
		}
	}()
	r, err := g.chain(ctx, &q, asked, streamed)
	if err != nil {
		return nil, g.errno(ctx, err)
	}
	return r, abi.ErrnoOK
}

// chain asks the model, and then those that it falls back to, until one responds. The error is that
// of the last one which was not refused by policy. A request that was too long for a model is not
// tried with one that is known to have no more room.
func (g *grant) chain(ctx context.Context, q *abi.ChatRequest, asked *Model, streamed bool) (*run, error) {
	var failed error
	var room int64 // that was not enough; 0: not known
	for _, name := range append([]string{asked.Name}, asked.Fallback...) {
		m := g.o.Config.model(name)
		if room > 0 && m.Context > 0 && m.Context <= room {
			continue
		}
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
		if errors.Is(err, errContext) {
			room = max(room, m.Context)
		}
		if !another(ctx, err) {
			break
		}
	}
	return nil, failed
}

// attempt asks one model, after all that there is to ask about it. It returns a run whose response is
// there, or of a stream has begun: until then the app has seen nothing, and another model may be
// asked. The run of an attempt that failed is settled.
func (g *grant) attempt(ctx context.Context, asked *abi.ChatRequest, m *Model, streamed bool) (*run, error) {
	if err := g.permits(m); err != nil {
		return nil, err
	}
	q, tokens := g.forModel(asked, m)
	body := encode(q, m, streamed)
	r := &run{
		grant: g, model: m, id: "chat-" + strings.ToLower(rand.Text()), bounds: bound(body, tokens+m.Reasoning), prompt: estimatePrompt(&q), day: g.o.Now().UTC().Format(time.DateOnly),
		ctx: context.WithoutCancel(ctx),
	}
	if m.Context > 0 && r.prompt+tokens > m.Context {
		return nil, errContext
	}
	r.reserved = m.price.atMost(r.bounds)
	if err := g.o.Ledger.Reserve(ctx, g.app.Name, r.day, r.reserved, g.daily); errors.Is(err, abi.ErrnoQuota) {
		return nil, err
	} else if err != nil {
		return nil, fmt.Errorf("%w: %w", errLedger, err)
	}
	if err := r.send(ctx, body); err != nil {
		return nil, err
	}
	begin := r.whole
	if streamed {
		begin = r.begin
	}
	if err := begin(ctx); err != nil {
		r.hangUp()
		return nil, err
	}
	return r, nil
}

// permits reports whether a model may run for the app, whoever asks for it: the app
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

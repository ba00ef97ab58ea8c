package llm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"

	"github.com/agora-host/agora/abi"
)

const (
	maxAnswer     = 8 << 20         // bytes of a whole answer
	settleTimeout = 5 * time.Second // for writing down what was spent
)

var (
	errSlow    = errors.New("the model took too long")
	errBroken  = errors.New("the answer broke off")
	errAnswer  = errors.New("the answer is none")
	errEndless = errors.New("the model does not stop")
)

// statusError is an upstream's refusal. What it said about it is not passed on: it
// may quote prompts and keys.
type statusError int

func (e statusError) Error() string { return fmt.Sprintf("the upstream answered %d", int(e)) }

// run is one model's work for one call, from what was reserved for it to what it
// cost.
type run struct {
	*grant
	model    *Model
	id       string // of the answer: the upstream's own would tell whose it is
	bounds   bounds
	prompt   int64 // tokens, estimated
	day      string
	reserved int64

	ctx    context.Context // of the invocation, for notes: it does not end with a host call
	cancel context.CancelFunc
	body   io.ReadCloser
	ended  sync.Once
}

// request is what the upstream is asked: what the app asked, in the model's words
// and within the grant. It answers the most tokens of the answer, too.
func (g *grant) request(q *abi.ChatRequest, m *Model, streamed bool) (body []byte, tokens int64) {
	wire := *q
	tokens = g.maxTokens
	for _, wanted := range []int64{q.MaxTokens, q.MaxCompletionTokens} {
		if wanted > 0 {
			tokens = min(tokens, wanted)
		}
	}
	wire.Model, wire.N, wire.MaxTokens, wire.MaxCompletionTokens = m.ID, 0, 0, 0
	if m.MaxField == "max_tokens" {
		wire.MaxTokens = tokens
	} else {
		wire.MaxCompletionTokens = tokens
	}
	wire.Stream, wire.StreamOptions = streamed, nil
	if streamed {
		wire.StreamOptions = json.RawMessage(`{"include_usage":true}`)
	}
	body, err := json.Marshal(wire)
	if err != nil {
		panic("BUG: a request that was read cannot be written: " + err.Error())
	}
	return body, tokens
}

// send asks the upstream and returns when it begins to answer. When it fails, the
// run is over, and settled.
func (r *run) send(ctx context.Context, body []byte) error {
	var requested context.Context
	requested, r.cancel = context.WithCancel(r.ctx)
	stop := context.AfterFunc(ctx, r.cancel)
	defer stop()
	slow := time.AfterFunc(r.model.upstream.timeout, r.cancel)
	defer slow.Stop()
	var left, written atomic.Bool
	traced := httptrace.WithClientTrace(requested, &httptrace.ClientTrace{
		WroteHeaders: func() { left.Store(true) },
		WroteRequest: func(i httptrace.WroteRequestInfo) { written.Store(i.Err == nil) },
	})
	resp, err := r.ask(traced, body)
	if left.Load() {
		note(ctx, abi.MeterCalls, r.model.Name)
	}
	if err == nil && resp.StatusCode == http.StatusOK {
		r.body = resp.Body
		return nil
	}
	defer r.cancel()
	if err == nil {
		_ = resp.Body.Close()
		r.settle(counts{}) // it refused: nothing ran
		return statusError(resp.StatusCode)
	}
	used := counts{}
	if written.Load() {
		// It may be working on it, and who works bills.
		used = settled(nil, r.bounds, r.prompt, 0)
	}
	r.settle(used)
	if requested.Err() != nil {
		return errSlow
	}
	return err
}

func (r *run) ask(ctx context.Context, body []byte) (*http.Response, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, r.model.upstream.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("User-Agent", "agora")
	if key := r.model.upstream.key; key != "" {
		q.Header.Set("Authorization", "Bearer "+key)
	}
	return r.transport.RoundTrip(q)
}

// settle notes what was used, and gives back what was reserved beyond it. It is
// done once for each run, however it ends.
func (r *run) settle(c counts) {
	c.note(r.ctx, r.model.Name)
	ctx, cancel := context.WithTimeout(r.ctx, settleTimeout)
	defer cancel()
	cost := r.model.price.cost(c)
	if cost > r.reserved {
		r.o.Logger.ErrorContext(ctx, "BUG: a call cost more than was reserved", "app", r.app.Name, "model", r.model.Name, "cost", cost, "reserved", r.reserved)
	}
	if err := r.o.Ledger.Release(ctx, r.app.Name, r.day, max(0, r.reserved-cost)); err != nil {
		// The app's day stays as if the call had cost the most that it could.
		r.o.Logger.ErrorContext(ctx, "what a call did not cost could not be given back", "app", r.app.Name, "err", err)
	}
}

// sign makes an answer, or a chunk of one, the node's own.
func (r *run) sign(answer *abi.ChatResponse, object string) {
	answer.ID, answer.Object, answer.Created, answer.Model = r.id, object, r.o.Now().Unix(), r.model.Name
}

// end closes the connection and frees the place. It may be called again.
func (r *run) end() {
	r.ended.Do(func() {
		r.cancel()
		_ = r.body.Close()
		r.pace.leave()
	})
}

// whole reads an answer that is not streamed.
func (r *run) whole(ctx context.Context) ([]byte, error) {
	stop := context.AfterFunc(ctx, r.cancel)
	defer stop()
	raw, err := io.ReadAll(io.LimitReader(r.body, maxAnswer+1))
	var answer abi.ChatResponse
	switch {
	case ctx.Err() != nil:
		err = errSlow
	case err != nil:
		err = fmt.Errorf("%w: %w", errBroken, err)
	case len(raw) > maxAnswer:
		err = errEndless
	case json.Unmarshal(raw, &answer) != nil, len(answer.Choices) == 0:
		err = errAnswer
	}
	if err != nil { // what came is what was seen, though not all of it is the model's
		r.settle(settled(nil, r.bounds, r.prompt, int64(len(raw))))
		return nil, err
	}
	used := settled(answer.Usage, r.bounds, r.prompt, answerBytes(answer.Choices))
	r.settle(used)
	r.sign(&answer, "chat.completion")
	answer.Usage = used.usage()
	return json.Marshal(answer)
}

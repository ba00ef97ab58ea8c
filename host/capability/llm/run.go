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
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/agora-host/agora/abi"
)

const (
	maxAnswer     = 8 << 20         // bytes of a whole response
	maxRefusal    = 64 << 10        // bytes of an error that are read
	settleTimeout = 5 * time.Second // for writing down what was spent
)

var (
	errSlow    = errors.New("the model took too long")
	errBroken  = errors.New("the answer broke off")
	errAnswer  = errors.New("the answer is none")
	errFailed  = errors.New("the upstream sent an error in place of an answer")
	errEndless = errors.New("the model does not stop")
)

// statusError is an upstream's refusal. What it said about it is not passed on: it
// may quote prompts and keys. A field of the request that it blames is.
type statusError struct {
	code  int
	param string
}

func (e statusError) Error() string {
	if e.param != "" {
		return fmt.Sprintf("the upstream answered %d about %s", e.code, e.param)
	}
	return fmt.Sprintf("the upstream answered %d", e.code)
}

// wrong reports whether the request is to blame, and would be wrong everywhere.
func (e statusError) wrong() bool {
	return e.code == http.StatusBadRequest || e.code == http.StatusUnprocessableEntity
}

// refusal reads a response that is not 200.
func refusal(resp *http.Response) error {
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusal)) // what can be read of it
	switch resp.StatusCode {
	case http.StatusRequestEntityTooLarge:
		return errContext
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusInternalServerError:
		if tooLong(body) {
			return errContext
		}
	}
	return statusError{resp.StatusCode, blamed(body)}
}

// run is one model's work for one call, from what was reserved for it to what it
// cost.
type run struct {
	*grant
	model    *Model
	id       string // of the response: the upstream's own would tell whose it is
	bounds   bounds
	prompt   int64 // tokens, estimated
	day      string
	reserved int64

	ctx    context.Context // of the invocation, for notes: it does not end with a host call
	asked  context.Context // of the request to the upstream
	cancel context.CancelFunc
	slow   *time.Timer // cancels, unless it was stopped when the response began
	body   io.ReadCloser
	ended  sync.Once

	out    []byte  // the response, if it is whole
	stream *stream // that it comes in, if it is not
}

// forModel is a request as one model may have it: within the grant, and with what the model takes
// back of its earlier responses.
func (g *grant) forModel(asked *abi.ChatRequest, m *Model) (q abi.ChatRequest, tokens int64) {
	q, tokens = *asked, g.maxTokens
	for _, wanted := range []int64{asked.MaxTokens, asked.MaxCompletionTokens} {
		if wanted > 0 {
			tokens = min(tokens, wanted)
		}
	}
	q.Model, q.N, q.MaxTokens, q.MaxCompletionTokens = m.ID, 0, 0, 0
	if m.MaxField == "max_tokens" {
		q.MaxTokens = tokens
	} else {
		q.MaxCompletionTokens = tokens
	}
	q.Messages = slices.Clone(asked.Messages)
	for i := range q.Messages {
		message := &q.Messages[i]
		if !m.takesBack(reasoningContent) && !m.takesBack(reasoningField) {
			message.Reasoning = ""
		}
		if m.takesBack(extraContent) {
			continue
		}
		message.ToolCalls = slices.Clone(message.ToolCalls)
		for j := range message.ToolCalls {
			message.ToolCalls[j].Extra = nil
		}
	}
	return q, tokens
}

// wireMessage is a message with the reasoning under the upstream's name for it.
type wireMessage struct {
	abi.ChatMessage
	ReasoningContent *string `json:"reasoning_content,omitempty"`
	Reasoning        *string `json:"reasoning,omitempty"`
}

// encode writes what the upstream is sent.
func encode(q abi.ChatRequest, m *Model, streamed bool) []byte {
	q.Stream, q.StreamOptions = streamed, nil
	if streamed {
		q.StreamOptions = json.RawMessage(`{"include_usage":true}`)
	}
	wire := struct {
		abi.ChatRequest
		Messages []wireMessage `json:"messages"`
	}{ChatRequest: q}
	for _, message := range q.Messages {
		w := wireMessage{ChatMessage: message}
		// An upstream that takes reasoning back wants it of each response, be it empty.
		if reasoning := message.Reasoning; message.Role == "assistant" && m.takesBack(reasoningContent) {
			w.ReasoningContent = &reasoning
		} else if message.Role == "assistant" && m.takesBack(reasoningField) {
			w.Reasoning = &reasoning
		}
		wire.Messages = append(wire.Messages, w)
	}
	body, err := json.Marshal(wire)
	if err != nil {
		panic("BUG: a request that was read cannot be written: " + err.Error())
	}
	return body
}

// send asks the upstream and returns when it begins to answer. When it fails, the
// run is over, and settled.
func (r *run) send(ctx context.Context, body []byte) error {
	r.asked, r.cancel = context.WithCancel(r.ctx)
	stop := context.AfterFunc(ctx, r.cancel)
	defer stop()
	r.slow = time.AfterFunc(r.model.upstream.timeout, r.cancel)
	var left, written atomic.Bool
	traced := httptrace.WithClientTrace(r.asked, &httptrace.ClientTrace{
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
	defer r.hangUp()
	if err == nil {
		r.settle(counts{}) // it refused: nothing ran
		return refusal(resp)
	}
	r.settle(r.unanswered(nil, 0, written.Load()))
	if r.asked.Err() != nil {
		return errSlow
	}
	return err
}

// unanswered is what a run used that came to nothing: what the provider counted, or what it said.
// If it may be working on it still, its prompt: who works bills. An error is no response, and an
// error's bytes are no tokens.
func (r *run) unanswered(u *usage, seen int64, working bool) counts {
	if _, counted := u.counts(r.bounds, seen); counted || seen > 0 || working {
		return settled(u, r.bounds, r.prompt, seen)
	}
	return counts{}
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

// sign makes a response, or a chunk of one, the node's own.
func (r *run) sign(object string, choices []abi.ChatChoice, u *abi.ChatUsage) []byte {
	out, err := json.Marshal(abi.ChatResponse{ID: r.id, Object: object, Created: r.o.Now().Unix(), Model: r.model.Name, Choices: choices, Usage: u})
	if err != nil {
		panic("BUG: an answer that was read cannot be written: " + err.Error())
	}
	return out
}

// hangUp closes the connection.
func (r *run) hangUp() {
	r.slow.Stop()
	r.cancel()
	if r.body != nil {
		_ = r.body.Close()
	}
}

// end closes the connection and frees the place. It may be called again.
func (r *run) end() {
	r.ended.Do(func() {
		r.hangUp()
		r.pace.leave()
	})
}

// whole reads a response that is not streamed, into out. When it fails, the run is settled.
func (r *run) whole(ctx context.Context) error {
	r.slow.Stop()
	stop := context.AfterFunc(ctx, r.cancel)
	defer stop()
	raw, err := io.ReadAll(io.LimitReader(r.body, maxAnswer+1))
	switch {
	case ctx.Err() != nil:
		err = errSlow
	case err != nil:
		err = fmt.Errorf("%w: %w", errBroken, err)
	case len(raw) > maxAnswer:
		err = errEndless
	case cut(raw):
		err = errBroken
	}
	if err != nil {
		var seen int64
		if began(raw) { // what came is what was seen, though not all of it is the model's
			seen = int64(len(raw))
		}
		r.settle(r.unanswered(nil, seen, true))
		return err
	}
	answer := readReply(raw)
	seen := answerBytes(answer.choices)
	if err := answer.whole(); err != nil {
		r.settle(r.unanswered(answer.usage, seen, false))
		return err
	}
	used := settled(answer.usage, r.bounds, r.prompt, seen)
	r.settle(used)
	r.report(answer.usage, used)
	r.out = r.sign("chat.completion", answer.choices, used.usage())
	return nil
}

// began reports whether bytes are the beginning of a response.
func began(raw []byte) bool {
	return bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) && bytes.Contains(raw, []byte(`"choices"`))
}

// cut reports whether a response began and its end is missing, though the connection ended well.
func cut(raw []byte) bool { return began(raw) && !json.Valid(raw) }

// whole makes a reply a response, and returns why it is none.
func (r *reply) whole() error {
	for i := range r.choices {
		c := &r.choices[i]
		if c.Message == nil {
			c.Message, c.Delta = c.Delta, nil
		}
		if r.err == nil && c.Message == nil {
			return errAnswer
		}
	}
	if r.err == nil && len(r.choices) == 0 {
		return errAnswer
	}
	for _, c := range r.choices {
		if c.Message != nil {
			c.Message.Role = "assistant"
		}
	}
	return r.err
}

// report lets the operator know of counts that are not the provider's: what is billed differs from
// what the provider will bill.
func (r *run) report(u *usage, used counts) {
	if u != nil && used.guessed > 0 {
		r.o.Logger.WarnContext(r.ctx, "a provider's count was not taken", "app", r.app.Name, "model", r.model.Name,
			"prompt", int64(u.Prompt), "answer", int64(u.Answer), "total", int64(u.Total), "reasoning", u.thought(), "estimated", used.guessed)
	}
}

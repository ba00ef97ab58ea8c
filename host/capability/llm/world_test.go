package llm_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/abitest"
	"github.com/agora-host/agora/host/capability/llm"
)

// provider is a server that speaks OpenAI's chat completions, well or badly: how
// is in the model's id.
type provider struct {
	*httptest.Server
	mu    sync.Mutex
	asked []abi.ChatRequest // guarded by mu
	keys  []string          // that came, guarded by mu
	gone  chan struct{}     // one for each caller that left

	scripts map[string]http.HandlerFunc // by the model's id, before its behaviour; guarded by mu
	bodies  [][]byte                    // of the requests that came, guarded by mu
}

// script has a model answer in a test's own way.
func (p *provider) script(model string, h http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.scripts[model] = h
}

// says is a response with a status, a type and a body.
func says(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

const jsonType, sseType = "application/json", "text/event-stream"

func newProvider(t testing.TB) *provider {
	p := &provider{gone: make(chan struct{}, 100), scripts: map[string]http.HandlerFunc{}}
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	return p
}

func (p *provider) serve(w http.ResponseWriter, r *http.Request) {
	var q abi.ChatRequest
	raw, _ := io.ReadAll(r.Body)
	if err := json.Unmarshal(raw, &q); err != nil || r.URL.Path != "/v1/chat/completions" {
		http.Error(w, "bad", 400)
		return
	}
	p.mu.Lock()
	p.asked = append(p.asked, q)
	p.keys = append(p.keys, r.Header.Get("Authorization"))
	p.bodies = append(p.bodies, raw)
	script := p.scripts[q.Model]
	p.mu.Unlock()
	if script != nil {
		if q.Stream {
			r.Header.Set("X-Stream", "1")
		}
		script(w, r)
		return
	}
	switch q.Model {
	case "slow":
		<-r.Context().Done()
		p.gone <- struct{}{}
	case "429", "500", "400", "401", "413":
		w.Header().Set("Location", p.URL+"/elsewhere")
		w.WriteHeader(map[string]int{"429": 429, "500": 500, "400": 400, "401": 401, "413": 413}[q.Model])
		fmt.Fprintf(w, `{"error":{"message":"Incorrect API key provided: %s, %s"}}`, r.Header.Get("Authorization"), raw)
	case "redirects":
		w.Header().Set("Location", p.URL+"/elsewhere")
		w.WriteHeader(307)
	case "html":
		fmt.Fprint(w, "<html>hello</html>")
	case "no-choices":
		fmt.Fprint(w, `{"choices":[]}`)
	case "broken":
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, `{"choices":[{"mess`)
	case "say":
		said := abitest.Say(q)
		if !q.Stream {
			fmt.Fprintf(w, `{"choices":[{"message":{"role":"assistant","content":%q},"finish_reason":"stop"}]%s}`, said, usageOf(""))
			return
		}
		for _, word := range strings.SplitAfter(said, " ") {
			fmt.Fprintf(w, "data: {\"choices\":[{\"delta\":{\"content\":%q}}]}\n\n", word)
		}
		fmt.Fprintf(w, "data: {\"choices\":[]%s}\n\ndata: [DONE]\n\n", usageOf(""))
	default:
		if q.Stream {
			p.stream(w, r, q)
			return
		}
		fmt.Fprintf(w, `{"id":"x1","object":"chat.completion","created":7,"model":"secret-model-2026","system_fingerprint":"fp","service_tier":"gold",
			"choices":[{"index":0,"message":{"role":"assistant","content":"Hello, world","annotations":[]},"finish_reason":"stop","logprobs":null}]%s}`, usageOf(q.Model))
	}
}

func usageOf(model string) string {
	switch model {
	case "no-usage":
		return ""
	case "lies-high":
		return `,"usage":{"prompt_tokens":99999999,"completion_tokens":3}`
	case "lies-answer":
		return `,"usage":{"prompt_tokens":20,"completion_tokens":99999}`
	case "lies-negative":
		return `,"usage":{"prompt_tokens":20,"completion_tokens":-3}`
	case "lies-nothing":
		return `,"usage":{"prompt_tokens":20,"completion_tokens":0}`
	case "lies-cached":
		return `,"usage":{"prompt_tokens":20,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":21}}`
	}
	return `,"usage":{"prompt_tokens":20,"completion_tokens":3,"total_tokens":23,"prompt_tokens_details":{"cached_tokens":8}}`
}

// words are what the models say, in pieces.
var words = []string{"Hel", "lo, ", "world"}

func (p *provider) stream(w http.ResponseWriter, r *http.Request, q abi.ChatRequest) {
	say := func(format string, args ...any) {
		fmt.Fprintf(w, format, args...)
		w.(http.Flusher).Flush()
	}
	w.Header().Set("Content-Type", "text/event-stream")
	say(": a comment\r\n\r\n")
	say("data: {\"id\":\"x1\",\"model\":\"secret-model-2026\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}],\"usage\":null}\n\n")
	for i := 0; i < len(words) || q.Model == "endless"; i++ {
		if q.Model == "endless" {
			say("data: {\"choices\":[{\"delta\":{\"content\":\"%s\"}}]}\n\n", strings.Repeat("x", 8000))
			if r.Context().Err() != nil {
				p.gone <- struct{}{}
				return
			}
			continue
		}
		say("event: chunk\nid: 1\ndata:{\"id\":\"x1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":%q}}]}\n\n", words[i])
		switch {
		case i != 1:
		case q.Model == "breaks":
			panic(http.ErrAbortHandler)
		case q.Model == "ends-early":
			return
		case q.Model == "errs":
			say("data: {\"error\":{\"message\":\"overloaded, key %s\"}}\n\n", r.Header.Get("Authorization"))
			return
		case q.Model == "garbage":
			say("data: {\"choices\"\n\n")
			return
		case q.Model == "huge-event":
			say("data: %s\n\n", strings.Repeat("x", 2<<20))
			return
		case q.Model == "stalls":
			<-r.Context().Done()
			p.gone <- struct{}{}
			return
		}
	}
	say("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n")
	if usage := usageOf(q.Model); usage != "" && q.Model != "no-done" {
		say("data: {\"choices\":[]%s}\n\n", usage)
	}
	if q.Model != "no-done" {
		say("data: [DONE]\n\n")
	}
}

// ledger is one in memory.
type ledger struct {
	mu    sync.Mutex
	spent map[string]int64
	most  int64 // that was ever reserved at once
	fail  error
}

func (l *ledger) Reserve(_ context.Context, app, day string, amount, limit int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return l.fail
	}
	if amount > limit-l.spent[app+day] {
		return abi.ErrnoQuota
	}
	l.spent[app+day] += amount
	l.most = max(l.most, l.spent[app+day])
	return nil
}

func (l *ledger) Release(_ context.Context, app, day string, amount int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spent[app+day] -= amount
	return l.fail
}

func (l *ledger) today(app string) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.spent[app+noon.Format(time.DateOnly)]
}

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// node is the capability over a provider. Each id of the provider's is a model of
// that name; more are in the test's own lines.
type node struct {
	t testing.TB
	*provider
	*llm.LLM
	ledger *ledger
	mu     sync.Mutex
	now    time.Time
	told   []abi.Finding // guarded by mu
}

const behaviours = "plain say slow 429 500 400 401 413 redirects html no-choices broken no-usage lies-high lies-answer lies-negative lies-nothing lies-cached breaks ends-early errs garbage huge-event stalls endless no-done"

func newNode(t testing.TB, more ...string) *node {
	t.Helper()
	n := &node{t: t, provider: newProvider(t), ledger: &ledger{spent: map[string]int64{}}, now: noon}
	models := more
	for name := range strings.FieldsSeq(behaviours) {
		models = append(models, fmt.Sprintf(`{"name":%q,"upstream":"one","id":%q,"prompt":1,"cached":0.5,"answer":10,"classifications":["internal"]}`, name, name))
	}
	c, err := load(t, fmt.Sprintf(`{"upstreams":[{"name":"one","base_url":"%s/v1/","api_key_file":"key","timeout":"2s"},{"name":"hasty","base_url":"%s/v1","timeout":"400ms"},{"name":"down","base_url":"http://127.0.0.1:1"}],
		"models":[%s]}`, n.URL, n.URL, strings.Join(models, ",")))
	if err != nil {
		t.Fatal(err)
	}
	n.LLM = llm.New(llm.Options{
		Config: c, Ledger: n.ledger, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: func() time.Time { return n.now },
		Tell: func(_ context.Context, _ llm.App, f abi.Finding) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.told = append(n.told, f)
		},
	})
	t.Cleanup(func() { _ = n.LLM.Close(context.Background()) })
	return n
}

func load(t testing.TB, text string) (*llm.Config, error) {
	dir := t.TempDir()
	for name, content := range map[string]string{"llm.json": text, "key": "s3cret-key\n", "empty": "\n", "lines": "a\nb"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return llm.Load(filepath.Join(dir, "llm.json"), []string{"public", "internal", "confidential", "restricted"})
}

func grantFor(models string) abi.Params {
	return abi.Params{"models": models, "max_tokens": "100", "max_calls": "50", "per_minute": "1000", "daily_cents": "1000"}
}

// bind links the capability for an app of an internal classification.
func (n *node) bind(app, models string, change ...string) abi.Link {
	p := grantFor(models)
	for i := 0; i+1 < len(change); i += 2 {
		p[change[i]] = change[i+1]
	}
	return n.Bind(llm.App{Name: app, Classification: "internal"}, p)
}

// invocation is one, and what it used.
type invocation struct {
	t    testing.TB
	ctx  context.Context
	rec  *abi.Recorder
	link abi.Link
}

func (n *node) invoke(link abi.Link) *invocation {
	rec := new(abi.Recorder)
	ctx, cancel := context.WithTimeout(abi.WithRecorder(n.t.Context(), rec), 10*time.Second)
	n.t.Cleanup(cancel)
	return &invocation{n.t, ctx, rec, link}
}

func ask(model string) []byte {
	return []byte(fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":"Say hello."}]}`, model))
}

func (i *invocation) chat(in []byte) (answer abi.ChatResponse, errno abi.Errno) {
	i.t.Helper()
	out, errno := i.link[abi.LLMChat](i.ctx, in)
	if errno == 0 {
		if err := json.Unmarshal(out, &answer); err != nil {
			i.t.Fatalf("%s: %v", out, err)
		}
	}
	return answer, errno
}

func (i *invocation) open(model string) ([]byte, abi.Errno) {
	return i.link[abi.LLMOpen](i.ctx, ask(model))
}

// rest reads a stream to its end, and returns what was said and its usage.
func (i *invocation) rest(handle []byte) (said string, usage *abi.ChatUsage, errno abi.Errno) {
	i.t.Helper()
	for {
		out, errno := i.link[abi.LLMNext](i.ctx, handle)
		if errno != 0 || len(out) == 0 {
			return said, usage, errno
		}
		if strings.Contains(string(out), "secret") || strings.Contains(string(out), `"x1"`) {
			i.t.Errorf("a chunk tells of the upstream: %s", out)
		}
		var chunk abi.ChatResponse
		if err := json.Unmarshal(out, &chunk); err != nil {
			i.t.Fatalf("%s: %v", out, err)
		}
		for _, c := range chunk.Choices {
			if c.Delta != nil && c.Delta.Content != nil {
				said += *c.Delta.Content
			}
		}
		usage = chunk.Usage
	}
}

// end ends it, and returns what it used.
func (i *invocation) end() string {
	i.rec.End()
	var all []string
	for _, u := range i.rec.Uses() {
		all = append(all, fmt.Sprintf("%s %s %d", u.Meter, u.Subject, u.N))
	}
	return strings.Join(all, ", ")
}

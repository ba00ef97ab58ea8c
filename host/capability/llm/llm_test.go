package llm_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/abitest"
	"github.com/agora-host/agora/host/capability/llm"
)

// TestLLM is the table that the SDK's stand-in answers, too.
func TestLLM(t *testing.T) {
	abitest.LLM(t, "say", newNode(t).bind("a", "say"))
}

// TestChat: what the provider counts is what is noted, spent and told; and of the
// provider the app learns nothing.
func TestChat(t *testing.T) {
	n := newNode(t, `{"name":"small","upstream":"one","id":"plain","prompt":0.15,"cached":0.075,"answer":0.6,"context":500,"classifications":["internal"],"max_field":"max_completion_tokens"}`)
	i := n.invoke(n.bind("a", "small"))
	answer, errno := i.chat([]byte(`{"model":"small","messages":[{"role":"user","content":"Say hello."}],"temperature":0,"max_tokens":50,"stream":true,"tools":[{"type":"function","function":{"name":"f"}}]}`))
	if errno != 0 || answer.Model != "small" || *answer.Choices[0].Message.Content != "Hello, world" {
		t.Fatalf("%v %+v", errno, answer)
	}
	id := answer.ID
	answer.ID = "" // any letters may be in it
	if out, _ := json.Marshal(answer); strings.Contains(string(out), "secret") || strings.Contains(string(out), "fp") || strings.Contains(string(out), "gold") || id == "x1" || answer.Created != noon.Unix() {
		t.Errorf("the app learns of the upstream: %s", out)
	}
	if *answer.Usage != (abi.ChatUsage{Prompt: 20, Answer: 3, Total: 23, Details: answer.Usage.Details}) || answer.Usage.Details.Cached != 8 {
		t.Errorf("usage %+v", answer.Usage)
	}
	if got, want := i.end(), "cached_input_tokens small 8, calls small 1, input_tokens small 12, output_tokens small 3"; got != want {
		t.Errorf("noted %s, want %s", got, want)
	}
	if got, want := n.ledger.today("a"), int64(12*150_000+8*75_000+3*600_000); got != want {
		t.Errorf("spent %d, want %d", got, want)
	}
	q := n.asked[0]
	if q.Model != "plain" || q.Stream || q.MaxTokens != 0 || q.MaxCompletionTokens != 50 || *q.Temperature != 0 || len(q.Tools) != 1 || n.keys[0] != "Bearer s3cret-key" {
		t.Errorf("the provider was asked %+v with %v", q, n.keys)
	}
}

// TestCounts: a count that is missing or cannot be is replaced by an estimate,
// which is marked; and no lie costs more than was reserved.
func TestCounts(t *testing.T) {
	n := newNode(t)
	for model, want := range map[string]string{
		"plain":         "cached_input_tokens plain 8, calls plain 1, input_tokens plain 12, output_tokens plain 3",
		"no-usage":      "calls no-usage 1, estimated_tokens no-usage 10, input_tokens no-usage 7, output_tokens no-usage 3",
		"lies-high":     "calls lies-high 1, estimated_tokens lies-high 10, input_tokens lies-high 7, output_tokens lies-high 3",
		"lies-answer":   "calls lies-answer 1, estimated_tokens lies-answer 10, input_tokens lies-answer 7, output_tokens lies-answer 3",
		"lies-negative": "calls lies-negative 1, estimated_tokens lies-negative 10, input_tokens lies-negative 7, output_tokens lies-negative 3",
		"lies-nothing":  "calls lies-nothing 1, estimated_tokens lies-nothing 10, input_tokens lies-nothing 7, output_tokens lies-nothing 3",
		"lies-cached":   "calls lies-cached 1, estimated_tokens lies-cached 10, input_tokens lies-cached 7, output_tokens lies-cached 3",
	} {
		i := n.invoke(n.bind("a", model))
		if _, errno := i.chat(ask(model)); errno != 0 {
			t.Errorf("%s: %v", model, errno)
		}
		if got := i.end(); got != want {
			t.Errorf("noted %s\nwant  %s", got, want)
		}
		i = n.invoke(n.bind("a", model))
		handle, errno := i.open(model)
		said, usage, errno2 := i.rest(handle)
		if errno != 0 || errno2 != 0 || said != "Hello, world" || usage == nil {
			t.Errorf("%s, streamed: %v %v %q %+v", model, errno, errno2, said, usage)
		}
		if got := i.end(); got != want {
			t.Errorf("streamed, noted %s\nwant            %s", got, want)
		}
	}
}

// TestFailures: what each way to fail means to the app, and what it costs.
func TestFailures(t *testing.T) {
	n := newNode(t)
	for _, c := range []struct {
		model string
		errno abi.Errno
		noted string
	}{
		{"429", abi.ErrnoUnavailable, "calls 429 1, failed 429 1"},
		{"500", abi.ErrnoUnavailable, "calls 500 1, failed 500 1"},
		{"401", abi.ErrnoUnavailable, "calls 401 1, failed 401 1"},
		{"400", abi.ErrnoInvalid, "calls 400 1, failed 400 1"},
		{"413", abi.ErrnoTooLarge, "calls 413 1, failed 413 1"},
		{"redirects", abi.ErrnoUnavailable, "calls redirects 1, failed redirects 1"},
		// What is no response has no tokens.
		{"html", abi.ErrnoUnavailable, "calls html 1, failed html 1"},
		{"no-choices", abi.ErrnoUnavailable, "calls no-choices 1, failed no-choices 1"},
		// What ran is paid for, though it came to nothing.
		{"broken", abi.ErrnoUnavailable, "calls broken 1, estimated_tokens broken 12, failed broken 1, input_tokens broken 7, output_tokens broken 5"},
	} {
		before := n.ledger.today("a")
		i := n.invoke(n.bind("a", c.model))
		_, errno := i.chat(ask(c.model))
		if got := i.end(); errno != c.errno || got != c.noted {
			t.Errorf("%s: %v, noted %s, want %v and %s", c.model, errno, got, c.errno, c.noted)
		}
		if cost := n.ledger.today("a") - before; (cost > 0) != strings.Contains(c.noted, "input_tokens") {
			t.Errorf("%s costs %d", c.model, cost)
		}
	}
	for _, f := range n.told {
		if strings.Contains(fmt.Sprint(f), "s3cret") || strings.Contains(fmt.Sprint(f), "127.0.0.1") {
			t.Errorf("the owner learns %v", f)
		}
	}
	t.Run("slow", func(t *testing.T) {
		i := n.invoke(n.bind("a", "slow"))
		ctx, cancel := context.WithTimeout(i.ctx, 600*time.Millisecond)
		defer cancel()
		_, errno := i.link[abi.LLMChat](ctx, ask("slow"))
		if errno != abi.ErrnoDeadline {
			t.Error(errno)
		}
		<-n.gone
		if got := i.end(); got != "calls slow 1, estimated_tokens slow 7, failed slow 1, input_tokens slow 7" {
			t.Errorf("noted %s", got)
		}
	})
	t.Run("nothing listens to the ledger", func(t *testing.T) {
		n.ledger.fail = errors.New("disk")
		defer func() { n.ledger.fail = nil }()
		asked := len(n.asked)
		if _, errno := n.invoke(n.bind("a", "plain")).chat(ask("plain")); errno != abi.ErrnoUnavailable || len(n.asked) != asked {
			t.Errorf("%v, and the provider was asked %d times", errno, len(n.asked)-asked)
		}
	})
}

// TestFallback: the chain asks for policy, price and budget of the model that
// really runs, and what is billed is that one.
func TestFallback(t *testing.T) {
	model := func(name, id, upstream string, price int, classes, fallback string) string {
		return fmt.Sprintf(`{"name":%q,"upstream":%q,"id":%q,"prompt":%d,"answer":%d,"context":%d,"classifications":[%s],"fallback":[%s]}`,
			name, upstream, id, price, price, map[bool]int{true: 50, false: 0}[name == "narrow"], classes, fallback)
	}
	const internal = `"internal"`
	n := newNode(t,
		model("busy", "429", "one", 1, internal, `"plain"`),
		model("down", "plain", "down", 1, internal, `"500","plain"`),
		model("hasty", "slow", "hasty", 1, internal, `"plain"`),
		model("wrong", "400", "one", 1, internal, `"plain"`),
		model("narrow", "plain", "one", 1, internal, `"plain"`),
		model("to-public", "500", "one", 1, internal, `"public-only","plain"`),
		model("public-only", "plain", "one", 1, `"public"`, `"plain"`),
		model("to-dear", "500", "one", 1, internal, `"dear"`),
		model("dear", "plain", "one", 900_000, internal, `"plain"`),
	)
	for _, c := range []struct {
		name, model, granted string
		errno                abi.Errno
		ran                  string // by the response
		noted                string
	}{
		{"too many requests", "busy", "busy plain", 0, "plain", "cached_input_tokens plain 8, calls busy 1, calls plain 1, failed busy 1, input_tokens plain 12, output_tokens plain 3"},
		{"nobody listens, then an error", "down", "down 500 plain", 0, "plain", "cached_input_tokens plain 8, calls 500 1, calls plain 1, failed 500 1, failed down 1, input_tokens plain 12, output_tokens plain 3"},
		// The first one may be at work, and is paid for its prompt.
		{"too slow", "hasty", "hasty plain", 0, "plain", "cached_input_tokens plain 8, calls hasty 1, calls plain 1, estimated_tokens hasty 7, failed hasty 1, input_tokens hasty 7, input_tokens plain 12, output_tokens plain 3"},
		{"a wrong request is wrong everywhere", "wrong", "wrong plain", abi.ErrnoInvalid, "", "calls wrong 1, failed wrong 1"},
		{"more context", "narrow", "narrow plain", 0, "plain", "cached_input_tokens plain 8, calls plain 1, failed narrow 1, input_tokens plain 12, output_tokens plain 3"},
		{"the chain is not granted", "busy", "busy", abi.ErrnoUnavailable, "", "calls busy 1, denied plain 1, failed busy 1"},
		{"a part of the chain is not for such data", "to-public", "to-public public-only plain", 0, "plain", "cached_input_tokens plain 8, calls plain 1, calls to-public 1, denied public-only 1, failed to-public 1, input_tokens plain 12, output_tokens plain 3"},
		{"the chain is too dear", "to-dear", "to-dear dear", abi.ErrnoQuota, "", "calls to-dear 1, failed to-dear 1, quota_exceeded dear 1"},
		{"dear, then cheap", "dear", "dear plain", 0, "plain", "cached_input_tokens plain 8, calls plain 1, input_tokens plain 12, output_tokens plain 3, quota_exceeded dear 1"},
		{"not for such data, and no way around", "public-only", "public-only plain", abi.ErrnoDenied, "", "denied public-only 1"},
		{"not granted, and no way around", "busy", "plain", abi.ErrnoDenied, "", "denied busy 1"},
	} {
		i := n.invoke(n.bind("a", c.granted, "daily_cents", "100"))
		answer, errno := i.chat(ask(c.model))
		if got := i.end(); errno != c.errno || answer.Model != c.ran || got != c.noted {
			t.Errorf("%s: %v by %q\nnoted %s\nwant  %s", c.name, errno, answer.Model, got, c.noted)
		}
	}
}

// TestNotAllowed: what is refused without asking anybody.
func TestNotAllowed(t *testing.T) {
	n := newNode(t)
	for _, c := range []struct {
		name  string
		link  abi.Link
		in    string
		errno abi.Errno
		noted string
	}{
		{"a model that there is not", n.bind("a", "plain"), string(ask("gpt-99")), abi.ErrnoDenied, "denied  1"},
		{"a model that is not granted", n.bind("a", "plain"), string(ask("no-usage")), abi.ErrnoDenied, "denied no-usage 1"},
		{"the upstream's name for it", n.bind("a", "secret-model-2026"), string(ask("secret-model-2026")), abi.ErrnoDenied, "denied  1"},
		{"data of another class", n.Bind(llm.App{Name: "a", Classification: "restricted"}, grantFor("plain")), string(ask("plain")), abi.ErrnoDenied, "denied plain 1"},
		{"data of no class", n.Bind(llm.App{Name: "a"}, grantFor("plain")), string(ask("plain")), abi.ErrnoDenied, "denied plain 1"},
		{"nothing granted", n.Bind(llm.App{Name: "a", Classification: "internal"}, nil), string(ask("plain")), abi.ErrnoDenied, "denied plain 1"},
		{"no calls", n.bind("a", "plain", "max_calls", "0"), string(ask("plain")), abi.ErrnoQuota, "quota_exceeded plain 1"},
		{"none in a minute", n.bind("b", "plain", "per_minute", "0"), string(ask("plain")), abi.ErrnoQuota, "quota_exceeded plain 1"},
		{"no money", n.bind("a", "plain", "daily_cents", "0"), string(ask("plain")), abi.ErrnoQuota, "quota_exceeded plain 1"},
		{"no JSON", n.bind("a", "plain"), "hello", abi.ErrnoInvalid, ""},
		{"a hosted tool", n.bind("a", "plain"), `{"model":"plain","messages":[{"role":"user","content":"x"}],"tools":[{"type":"web_search"}]}`, abi.ErrnoInvalid, ""},
	} {
		for _, fn := range []string{abi.LLMChat, abi.LLMOpen} {
			i := n.invoke(c.link)
			_, errno := c.link[fn](i.ctx, []byte(c.in))
			if got := i.end(); errno != c.errno || got != c.noted {
				t.Errorf("%s: %v, noted %q; want %v, %q", c.name, errno, got, c.errno, c.noted)
			}
		}
	}
	if len(n.asked) > 0 {
		t.Errorf("the provider was asked %d times", len(n.asked))
	}
	none := llm.New(llm.Options{Ledger: n.ledger, Tell: func(context.Context, llm.App, abi.Finding) {}, Logger: slog.New(slog.DiscardHandler), Now: time.Now})
	if _, errno := n.invoke(none.Bind(llm.App{Name: "a", Classification: "internal"}, grantFor("plain"))).chat(ask("plain")); errno != abi.ErrnoUnavailable {
		t.Errorf("a node without models: %v", errno)
	}
}

// TestBudget: what runs has reserved the most that it can cost, so an app never
// spends more than its day has, also with streams that are open.
func TestBudget(t *testing.T) {
	n := newNode(t)
	// A call reserves about 400 tokens of input_tokens and 116 of response: some 1600 millionths
	// of the currency. It costs 46 in the end.
	link := n.bind("a", "plain stalls", "daily_cents", "1", "max_tokens", "300")
	i := n.invoke(link)
	var open int
	var errno abi.Errno
	for errno == 0 {
		if _, errno = i.open("stalls"); errno == 0 {
			open++
		}
	}
	if errno != abi.ErrnoQuota || open < 2 {
		t.Errorf("%d streams open, then %v", open, errno)
	}
	if _, errno := i.chat(ask("plain")); open < 4 && errno != abi.ErrnoQuota {
		t.Errorf("a call beside %d streams: %v", open, errno)
	}
	i.end()
	for range open {
		<-n.gone
	}
	const cent = 10_000_000_000
	if n.ledger.most > cent || n.ledger.today("a") > cent/10 {
		t.Errorf("%d were reserved at once, and %d are spent", n.ledger.most, n.ledger.today("a"))
	}
	calls := 0
	for errno = 0; errno == 0; calls++ {
		_, errno = n.invoke(link).chat(ask("plain"))
	}
	if errno != abi.ErrnoQuota || n.ledger.today("a") > cent || calls < 20 {
		t.Errorf("after %d calls: %v, %d spent", calls, errno, n.ledger.today("a"))
	}
	n.now = n.now.Add(24 * time.Hour)
	if _, errno = n.invoke(link).chat(ask("plain")); errno != 0 {
		t.Errorf("on the next day: %v", errno)
	}
}

func TestPace(t *testing.T) {
	n := newNode(t)
	link := n.bind("a", "plain", "per_minute", "3", "max_calls", "2")
	ask := func(i *invocation) abi.Errno { _, errno := i.chat(ask("plain")); return errno }
	i := n.invoke(link)
	if got := []abi.Errno{ask(i), ask(i), ask(i)}; fmt.Sprint(got) != fmt.Sprint([]abi.Errno{0, 0, abi.ErrnoQuota}) {
		t.Errorf("three calls of two in one request: %v", got)
	}
	if errno := ask(n.invoke(link)); errno != 0 {
		t.Errorf("another request: %v", errno)
	}
	if errno := ask(n.invoke(n.bind("a", "plain", "per_minute", "3"))); errno != abi.ErrnoQuota {
		t.Errorf("the fourth in a minute, after the grant was bound anew: %v", errno)
	}
	if errno := ask(n.invoke(n.bind("b", "plain", "per_minute", "3"))); errno != 0 {
		t.Errorf("another app: %v", errno)
	}
	n.now = n.now.Add(21 * time.Second)
	if got := []abi.Errno{ask(n.invoke(link)), ask(n.invoke(link))}; fmt.Sprint(got) != fmt.Sprint([]abi.Errno{0, abi.ErrnoQuota}) {
		t.Errorf("a third of a minute later: %v", got)
	}
}

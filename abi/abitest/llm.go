package abitest

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/agora-host/agora/abi"
)

// Say is what the model that LLM is run with has to answer.
func Say(r abi.ChatRequest) string {
	return "You said: " + *r.Messages[len(r.Messages)-1].Content
}

// LLM runs the table of llm against a link that may ask a model, which answers
// what Say does, and no other.
func LLM(t *testing.T, model string, link abi.Link) {
	complete(t, "llm", link)
	r := &abi.Recorder{}
	ctx := abi.WithRecorder(t.Context(), r)
	defer r.End()
	ask := func(model, rest string) []byte {
		return fmt.Appendf(nil, `{"model":%q,"messages":[{"role":"user","content":"Hello, world"}]%s}`, model, rest)
	}
	for _, c := range []struct {
		name  string
		in    []byte
		errno abi.Errno
	}{
		{"the simplest", ask(model, ""), 0},
		{"with what clients add", ask(model, `,"temperature":0.5,"max_tokens":10,"n":1,"stream":false`), 0},
		{"another model", ask("another", ""), abi.ErrnoDenied},
		{"no model", ask("", ""), abi.ErrnoInvalid},
		{"two answers", ask(model, `,"n":2`), abi.ErrnoInvalid},
		{"what is not listed", ask(model, `,"store":true`), abi.ErrnoInvalid},
		{"no JSON", []byte("Hello"), abi.ErrnoInvalid},
		{"too large", make([]byte, abi.MaxChat+1), abi.ErrnoTooLarge},
	} {
		out, errno := link[abi.LLMChat](ctx, c.in)
		if errno != c.errno {
			t.Errorf("%s: %v, want %v", c.name, errno, c.errno)
		}
		if errno == 0 {
			answer := decodeChat(t, out)
			if m := answer.Choices[0].Message; answer.Model != model || m == nil || m.Role != "assistant" || *m.Content != "You said: Hello, world" {
				t.Errorf("%s: %s", c.name, out)
			}
			if u := answer.Usage; u == nil || u.Prompt < 1 || u.Answer < 1 || u.Total != u.Prompt+u.Answer {
				t.Errorf("%s: the usage is %+v", c.name, u)
			}
		}
		handle, errno := link[abi.LLMOpen](ctx, c.in)
		if errno != c.errno {
			t.Errorf("%s, as a stream: %v, want %v", c.name, errno, c.errno)
		}
		if errno == 0 {
			llmStream(t, model, func(fn string) ([]byte, abi.Errno) { return link[fn](ctx, handle) })
		}
	}
	if _, errno := link[abi.LLMNext](ctx, abi.AppendHandle(nil, 1<<31)); errno != abi.ErrnoNotFound {
		t.Errorf("a stream that was never opened: %v", errno)
	}
	if _, errno := link[abi.LLMNext](ctx, nil); errno != abi.ErrnoInvalid {
		t.Errorf("no handle: %v", errno)
	}
}

// llmStream reads one to its end, where the usage is, and closes it twice.
func llmStream(t *testing.T, model string, do func(fn string) ([]byte, abi.Errno)) {
	t.Helper()
	said, pieces := "", 0
	var usage *abi.ChatUsage
	for {
		out, errno := do(abi.LLMNext)
		if errno != 0 {
			t.Fatal(errno)
		}
		if len(out) == 0 {
			break
		}
		chunk := decodeChat(t, out)
		usage = chunk.Usage
		for _, c := range chunk.Choices {
			if c.Delta != nil && c.Delta.Content != nil {
				said += *c.Delta.Content
				pieces++
			}
		}
		if chunk.Model != model {
			t.Errorf("a chunk of the model %q", chunk.Model)
		}
	}
	if said != "You said: Hello, world" || pieces < 2 || usage == nil || usage.Answer < 1 {
		t.Errorf("%q in %d pieces, usage %+v", said, pieces, usage)
	}
	if out, errno := do(abi.LLMNext); errno != 0 || len(out) > 0 {
		t.Errorf("after the end: %q, %v", out, errno)
	}
	for range 2 {
		if _, errno := do(abi.LLMClose); errno != 0 {
			t.Errorf("closed: %v", errno)
		}
	}
	if _, errno := do(abi.LLMNext); errno != abi.ErrnoNotFound {
		t.Errorf("after it was closed: %v", errno)
	}
}

func decodeChat(t testing.TB, b []byte) (r abi.ChatResponse) {
	t.Helper()
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return r
}

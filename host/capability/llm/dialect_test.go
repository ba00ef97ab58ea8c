package llm_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
)

// TestDialects: whatever a provider's way to say it, whole and streamed, the app reads the same
// answer, and what is billed is what was produced.
func TestDialects(t *testing.T) {
	for _, c := range samples {
		t.Run(c.name, func(t *testing.T) {
			n := newNode(t, scripted("m"))
			n.script("m", c.speak)
			link := n.bind("a", "m", "max_tokens", "1000")
			i := n.invoke(link)
			answer, errno := i.chat(ask("m"))
			if errno != 0 || len(answer.Choices) == 0 {
				t.Fatalf("%v %+v", errno, answer)
			}
			c.check(t, answer.Choices[0].Message, answer.Usage, i.end())
			i = n.invoke(link)
			m, usage := i.together(ask("m"))
			c.check(t, m, usage, i.end())
		})
	}
}

// speak responds as the sample does.
func (c sample) speak(w http.ResponseWriter, r *http.Request) {
	// The world has read the body, and left here how the response is wanted.
	if r.Header.Get("X-Stream") == "" {
		says(200, jsonType, c.whole)(w, r)
		return
	}
	says(200, sseType, ": OPENROUTER PROCESSING\n\ndata: "+strings.Join(c.events, "\n\ndata: ")+"\n\ndata: [DONE]\n\n")(w, r)
}

func (c sample) check(t *testing.T, m *abi.ChatAnswer, u *abi.ChatUsage, noted string) {
	t.Helper()
	if value(m.Content) != c.said || value(m.Reasoning) != c.thought || m.Role != "assistant" {
		t.Errorf("said %q, thought %q as %q", value(m.Content), value(m.Reasoning), m.Role)
	}
	if got := strings.ReplaceAll(strings.Replace(noted, "calls m 1, ", "", 1), " m ", " "); got != c.billed {
		t.Errorf("billed %s, want %s", got, c.billed)
	}
	reasoning := int64(0)
	if u.Answered != nil {
		reasoning = u.Answered.Reasoning
	}
	if reasoning != c.reasoning || u.Total != u.Prompt+u.Answer || u.Estimated > 0 != strings.Contains(c.billed, "estimated_tokens") {
		t.Errorf("the app is told %+v, and %d of reasoning", u, reasoning)
	}
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// scripted is a model whose answers a test gives, with more of its configuration.
func scripted(name string, more ...string) string {
	return fmt.Sprintf(`{"name":%q,"upstream":"one","id":%q,"prompt":1,"cached":0.5,"answer":10,"classifications":["internal"]%s}`, name, name, strings.Join(more, ""))
}

// together reads a stream and puts its chunks together, as clients do.
func (i *invocation) together(in []byte) (*abi.ChatAnswer, *abi.ChatUsage) {
	i.t.Helper()
	handle, errno := i.link[abi.LLMOpen](i.ctx, in)
	if errno != 0 {
		i.t.Fatal(errno)
	}
	all, usage := &abi.ChatAnswer{Role: "assistant"}, (*abi.ChatUsage)(nil)
	for {
		out, errno := i.link[abi.LLMNext](i.ctx, handle)
		if errno != 0 {
			i.t.Fatal(errno)
		}
		if len(out) == 0 {
			return all, usage
		}
		var chunk abi.ChatResponse
		if err := json.Unmarshal(out, &chunk); err != nil {
			i.t.Fatalf("%s: %v", out, err)
		}
		usage = chunk.Usage
		for _, c := range chunk.Choices {
			all.Content, all.Refusal, all.Reasoning = add(all.Content, c.Delta.Content), add(all.Refusal, c.Delta.Refusal), add(all.Reasoning, c.Delta.Reasoning)
			for _, call := range c.Delta.ToolCalls {
				if *call.Index == len(all.ToolCalls) {
					all.ToolCalls = append(all.ToolCalls, call)
					continue
				}
				all.ToolCalls[*call.Index].Function.Arguments += call.Function.Arguments
			}
		}
	}
}

func add(to, more *string) *string {
	if to == nil || more == nil {
		if to == nil {
			return more
		}
		return to
	}
	sum := *to + *more
	return &sum
}

// TestHandedBack: each response that the node hands out can be handed back in a history, as it is or
// as the provider wrote it, and no upstream sees a field that it did not ask for.
func TestHandedBack(t *testing.T) {
	for _, c := range samples {
		t.Run(c.name, func(t *testing.T) {
			n := newNode(t, scripted("m"), scripted("back", `,"takes_back":["reasoning_content","extra_content"]`), scripted("vllm", `,"takes_back":["reasoning"]`))
			n.script("m", c.speak)
			for _, model := range []string{"back", "vllm"} {
				n.script(model, says(200, jsonType, `{`+textHi+`}`))
			}
			link := n.bind("a", "m back vllm", "max_tokens", "1000")
			answer, _ := n.invoke(link).chat(ask("m"))
			streamed, _ := n.invoke(link).together(ask("m"))
			var own struct {
				Choices []struct {
					Message json.RawMessage `json:"message"`
				} `json:"choices"`
			}
			if err := json.Unmarshal([]byte(c.whole), &own); err != nil {
				t.Fatal(err)
			}
			histories := []any{answer.Choices[0].Message, streamed}
			if !strings.Contains(c.name, "a small server") { // whose own message is not OpenAI's
				histories = append(histories, own.Choices[0].Message)
			}
			for _, m := range histories {
				for _, model := range []string{"m", "back", "vllm"} {
					handBack(t, n, link, model, m, c)
				}
			}
		})
	}
}

func handBack(t *testing.T, n *node, link abi.Link, model string, m any, c sample) {
	t.Helper()
	history, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	in := fmt.Appendf(nil, `{"model":%q,"messages":[{"role":"user","content":"Hello"},%s,{"role":"user","content":"And?"}]}`, model, history)
	if _, errno := n.invoke(link).chat(in); errno != 0 {
		t.Fatalf("%s is refused: %v", history, errno)
	}
	n.provider.mu.Lock()
	body := n.bodies[len(n.bodies)-1]
	n.provider.mu.Unlock()
	var sent struct {
		Messages []json.RawMessage `json:"messages"`
	}
	if err := json.Unmarshal(body, &sent); err != nil || len(sent.Messages) != 3 {
		t.Fatalf("%s: %v", body, err)
	}
	// OpenAI's own fields, and no others but for those that are configured.
	var strict struct {
		Role      string  `json:"role"`
		Content   *string `json:"content"`
		ToolCalls []struct {
			ID       string `json:"id"`
			Type     string `json:"type"`
			Function struct {
				Name      string `json:"name"`
				Arguments string `json:"arguments"`
			} `json:"function"`
			Extra *abi.ChatExtra `json:"extra_content"`
		} `json:"tool_calls"`
		ReasoningContent *string `json:"reasoning_content"`
		Reasoning        *string `json:"reasoning"`
	}
	d := json.NewDecoder(bytes.NewReader(sent.Messages[1]))
	d.DisallowUnknownFields()
	if err := d.Decode(&strict); err != nil || strict.Role != "assistant" || strict.Content == nil && len(strict.ToolCalls) == 0 {
		t.Fatalf("%s is sent %s: %v", model, sent.Messages[1], err)
	}
	if said := c.said; !strings.Contains(c.name, "a call of a tool") && value(strict.Content) != said && (c.name != "OpenAI, a refusal" || value(strict.Content) != "I cannot.") {
		t.Errorf("%s is sent %s, and the model said %q", model, sent.Messages[1], said)
	}
	if c.name == "OpenAI, a refusal" && value(strict.Content) == "" {
		t.Errorf("%s is sent no refusal: %s", model, sent.Messages[1])
	}
	thought := map[string]*string{"m": nil, "back": strict.ReasoningContent, "vllm": strict.Reasoning}[model]
	if others := map[string][]*string{"m": {strict.ReasoningContent, strict.Reasoning}, "back": {strict.Reasoning}, "vllm": {strict.ReasoningContent}}[model]; others[0] != nil || len(others) > 1 && others[1] != nil {
		t.Errorf("%s is sent %s", model, sent.Messages[1])
	}
	if model != "m" && (thought == nil || *thought != c.thought) {
		t.Errorf("%s is sent %s, and the model thought %q", model, sent.Messages[1], c.thought)
	}
	for _, call := range strict.ToolCalls {
		if sealed := strings.Contains(c.whole, "thought_signature"); call.Type != "function" || call.Function.Name != "weather" || call.ID == "" || (call.Extra != nil) != (sealed && model == "back") {
			t.Errorf("%s is sent %s", model, sent.Messages[1])
		}
	}
}

// TestReasoningBeyond: an upstream that reasons beyond the limit is counted in full, if the operator
// says how far it may.
func TestReasoningBeyond(t *testing.T) {
	n := newNode(t, scripted("m", `,"reasoning":30000`))
	n.script("m", says(200, jsonType, `{`+textHi+`,"usage":{"prompt_tokens":20,"completion_tokens":9,"total_tokens":30029,"completion_tokens_details":{"reasoning_tokens":30000}}}`))
	i := n.invoke(n.bind("a", "m"))
	if _, errno := i.chat(ask("m")); errno != 0 {
		t.Fatal(errno)
	}
	if got := i.end(); got != "calls m 1, input_tokens m 20, output_tokens m 30009" || n.ledger.today("a") != 20*1_000_000+30009*10_000_000 {
		t.Errorf("noted %s, spent %d", got, n.ledger.today("a"))
	}
}

// TestWholeForStream: some servers send one response though a stream was asked for.
func TestWholeForStream(t *testing.T) {
	n := newNode(t, scripted("m"))
	link := n.bind("a", "m")
	for _, body := range []string{
		`{` + textHi + `,"usage":{"prompt_tokens":20,"completion_tokens":2,"total_tokens":22}}`,
		"\n" + `{"choices":[{"message":{"role":"assistant","content":"Hi."}}],"usage":{"prompt_tokens":20,"completion_tokens":2,"total_tokens":22}}`,
	} {
		n.script("m", says(200, jsonType, body))
		i := n.invoke(link)
		if m, usage := i.together(ask("m")); value(m.Content) != "Hi." || usage == nil || usage.Answer != 2 {
			t.Errorf("%+v, %+v", m, usage)
		}
		if got := i.end(); got != "calls m 1, input_tokens m 20, output_tokens m 2" {
			t.Errorf("noted %s", got)
		}
	}
}

// TestCut: a response whose end is missing is billed as one that broke off, though the connection
// ended well; bytes before a response began are not.
func TestCut(t *testing.T) {
	n := newNode(t, scripted("m"))
	for body, want := range map[string]string{
		`{"choices":[{"message":{"content":"Hel`: "calls m 1, estimated_tokens m 17, failed m 1, input_tokens m 7, output_tokens m 10",
		`{"id":"x",`:                             "calls m 1, failed m 1",
	} {
		n.script("m", says(200, jsonType, body))
		i := n.invoke(n.bind("a", "m"))
		if _, errno := i.chat(ask("m")); errno != abi.ErrnoUnavailable || i.end() != want {
			t.Errorf("%s: %v, noted %s", body, errno, i.end())
		}
	}
}

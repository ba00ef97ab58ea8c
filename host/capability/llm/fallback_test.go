package llm_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
)

// event is a body of one event.
func event(data string) string { return "data: " + data + "\n\n" }

// noAnswers are what comes with status 200 and is no response.
var noAnswers = []struct{ name, kind, body string }{
	{"OpenAI's error", jsonType, `{"error":{"message":"The server had an error, key s3cret-key","type":"server_error","param":null,"code":null}}`},
	{"OpenRouter's error", jsonType, `{"error":{"code":502,"message":"Provider returned error","metadata":{"provider_name":"x","raw":"y"}},"user_id":"u"}`},
	{"OpenRouter's error in a choice", jsonType, `{"choices":[{"index":0,"finish_reason":"error","error":{"code":502,"message":"x"},"message":{"role":"assistant","content":""}}]}`},
	{"an error that is a text", jsonType, `{"error":"model is loading"}`},
	{"an error beside no choices", jsonType, `{"choices":[],"error":{"message":"x"}}`},
	{"Gemini's list of errors", jsonType, `[{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}]`},
	{"vLLM's flat error", jsonType, `{"object":"error","message":"x","type":"InternalServerError","param":null,"code":500}`},
	{"FastAPI's detail", jsonType, `{"detail":"Not Found"}`},
	{"no choices", jsonType, `{"choices":[]}`},
	{"null for choices", jsonType, `{"id":"x","object":"chat.completion","choices":null,"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}`},
	{"a choice of nothing", jsonType, `{"choices":[{}]}`},
	{"null for a choice", jsonType, `{"choices":[null]}`},
	{"choices of another type", jsonType, `{"choices":"none"}`},
	{"an empty object", jsonType, `{}`},
	{"a number", jsonType, `7`},
	{"null", jsonType, `null`},
	{"HTML", "text/html", "<!doctype html>\n<html><body><h1>Sign in</h1></body></html>"},
	{"nothing", jsonType, ""},
	{"white space", jsonType, "\n\n   \n"},
	{"no text", "text/plain", "upstream connect error or disconnect/reset before headers"},
	{"an error first", sseType, event(`{"error":{"message":"overloaded","type":"overloaded_error"}}`)},
	{"an error first, then the end", sseType, event(`{"error":{"message":"overloaded"}}`) + event(`[DONE]`)},
	{"an error by its type", sseType, "event: error\n" + event(`{"message":"overloaded","type":"server_error"}`)},
	{"an error that is no JSON", sseType, "event: error\n" + event(`Internal Server Error`)},
	{"a comment, then an error", sseType, ": keep-alive\n\n" + event(`{"error":{"message":"x"}}`)},
	{"a role, then an error", sseType, event(`{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}`) + event(`{"error":{"code":502,"message":"x"},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}`)},
	{"Azure's filters, then an error", sseType, event(`{"choices":[],"prompt_filter_results":[]}`) + event(`{"error":{"message":"x"}}`)},
	{"Groq's error", sseType, event(`{"choices":[],"x_groq":{"id":"r","error":"over capacity"}}`)},
	{"the end and nothing else", sseType, event(`[DONE]`)},
	{"a comment and nothing else", sseType, ": keep-alive\n\n"},
	{"events without choices", sseType, event(`{"type":"ping"}`) + event(`{"choices":[]}`) + event(`[DONE]`)},
}

// TestNoAnswer: what comes in place of a response is not billed, the next model of the chain is asked
// instead, and the owner reads why. Without a next model the app is told that it is unavailable.
func TestNoAnswer(t *testing.T) {
	for _, c := range noAnswers {
		t.Run(c.name, func(t *testing.T) {
			n := newNode(t, scripted("m", `,"fallback":["plain"]`))
			n.script("m", says(200, c.kind, c.body))
			for _, fn := range []string{abi.LLMChat, abi.LLMOpen} {
				if fn == abi.LLMChat && c.kind == sseType {
					continue // events for what was asked as a whole have no sense
				}
				i := n.invoke(n.bind("a", "m plain"))
				out, errno := i.link[fn](i.ctx, ask("m"))
				if errno != 0 {
					t.Fatalf("%s: %v", fn, errno)
				}
				if fn == abi.LLMOpen {
					if said, _, errno := i.rest(out); errno != 0 || said != "Hello, world" {
						t.Errorf("%s: %q, %v", fn, said, errno)
					}
				}
				if got, want := i.end(), "cached_input_tokens plain 8, calls m 1, calls plain 1, failed m 1, input_tokens plain 12, output_tokens plain 3"; got != want {
					t.Errorf("%s: noted %s", fn, got)
				}
				alone := n.invoke(n.bind("a", "m"))
				if _, errno := alone.link[fn](alone.ctx, ask("m")); errno != abi.ErrnoUnavailable {
					t.Errorf("%s, alone: %v", fn, errno)
				}
				if got := alone.end(); got != "calls m 1, denied plain 1, failed m 1" {
					t.Errorf("%s, alone: noted %s", fn, got)
				}
			}
			n.line(`A call of the model "m" failed: `, "operator")
			if got, want := n.ledger.today("a"), int64(len(n.asked)/3)*(12_000_000+8*500_000+3*10_000_000); got != want {
				t.Errorf("spent %d, want %d", got, want)
			}
		})
	}
}

// line finds a line that an owner is told.
func (n *node) line(parts ...string) {
	n.t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, f := range n.told {
		line, all := f.Message+" "+f.Remedy.Summary, true
		for _, part := range parts {
			all = all && strings.Contains(line, part)
		}
		if strings.Contains(line, "s3cret") || strings.Contains(line, "127.0.0.1") || f.Remedy.Summary == "" {
			n.t.Errorf("the owner is told %q", line)
		}
		if all {
			return
		}
	}
	n.t.Errorf("no line has %q: %+v", parts, n.told)
}

// TestCountedFailure: a provider that counts what it did before it failed is believed.
func TestCountedFailure(t *testing.T) {
	n := newNode(t, scripted("m"))
	const usage = `"usage":{"prompt_tokens":20,"completion_tokens":3,"total_tokens":23}`
	for _, c := range []struct{ name, kind, body string }{
		{"whole", jsonType, `{"error":{"message":"x"},` + usage + `}`},
		{"streamed", sseType, event(`{"choices":[],`+usage+`}`) + event(`{"error":{"message":"x"}}`)},
	} {
		n.script("m", says(200, c.kind, c.body))
		i := n.invoke(n.bind("a", "m"))
		errno := abi.ErrnoOK
		if c.kind == jsonType {
			_, errno = i.chat(ask("m"))
		} else {
			_, errno = i.open("m")
		}
		if got := i.end(); errno != abi.ErrnoUnavailable || got != "calls m 1, failed m 1, input_tokens m 20, output_tokens m 3" {
			t.Errorf("%s: %v, noted %s", c.name, errno, got)
		}
	}
}

// TestErrorAfterTokens: an error in the middle ends the stream, what was produced is billed, and no
// other model is asked: the app has half a response.
func TestErrorAfterTokens(t *testing.T) {
	token := event(`{"choices":[{"index":0,"delta":{"role":"assistant","content":"Hello, "}}]}`)
	for _, c := range []struct {
		name, body string
		errno      abi.Errno
		noted      string
	}{
		{"an error", token + event(`{"error":{"message":"overloaded"}}`), abi.ErrnoUnavailable, "calls m 1, estimated_tokens m 9, failed m 1, input_tokens m 7, output_tokens m 2"},
		{"an error in a choice", token + event(`{"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error","error":{"code":502}}]}`), abi.ErrnoUnavailable, "calls m 1, estimated_tokens m 9, failed m 1, input_tokens m 7, output_tokens m 2"},
		{"an error with a count", token + event(`{"error":{"message":"x"},"usage":{"prompt_tokens":20,"completion_tokens":4,"total_tokens":60}}`), abi.ErrnoUnavailable, "calls m 1, failed m 1, input_tokens m 20, output_tokens m 40"},
		{"an error with the last words", token + event(`{"error":{"message":"x"},"choices":[{"index":0,"delta":{"content":"and good day"}}]}`), abi.ErrnoUnavailable, "calls m 1, estimated_tokens m 12, failed m 1, input_tokens m 7, output_tokens m 5"},
		{"the context is full", token + event(`{"error":{"message":"x","code":"context_length_exceeded"}}`), abi.ErrnoTooLarge, "calls m 1, estimated_tokens m 9, failed m 1, input_tokens m 7, output_tokens m 2"},
		{"no JSON", token + event(`Internal Server Error`), abi.ErrnoUnavailable, "calls m 1, estimated_tokens m 9, failed m 1, input_tokens m 7, output_tokens m 2"},
		{"no end", token, abi.ErrnoUnavailable, "calls m 1, estimated_tokens m 9, failed m 1, input_tokens m 7, output_tokens m 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newNode(t, scripted("m", `,"fallback":["plain"]`))
			n.script("m", says(200, sseType, c.body))
			i := n.invoke(n.bind("a", "m plain"))
			handle, errno := i.open("m")
			if errno != 0 {
				t.Fatal(errno)
			}
			said, _, errno := i.rest(handle)
			if _, again := i.link[abi.LLMNext](i.ctx, handle); said != "Hello, " || errno != c.errno || again != errno {
				t.Errorf("%q, %v, then %v", said, errno, again)
			}
			if got := i.end(); got != c.noted || len(n.asked) != 1 {
				t.Errorf("noted %s, %d asked", got, len(n.asked))
			}
			n.line(`A call of the model "m" failed: `)
		})
	}
}

// TestSilence: a stream that has begun may think for longer than the upstream's timeout; one that
// has not goes on to the next model, and its prompt is paid.
func TestSilence(t *testing.T) {
	waits := func(first string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", sseType)
			fmt.Fprint(w, first)
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
			case <-time.After(700 * time.Millisecond): // longer than the upstream's timeout
				fmt.Fprint(w, event(`{"choices":[{"delta":{"content":"Late."},"finish_reason":"stop"}]}`)+event("[DONE]"))
			}
		}
	}
	n := newNode(t, strings.Replace(scripted("m", `,"fallback":["plain"]`), `"one"`, `"hasty"`, 1))
	for _, c := range []struct{ first, said, noted string }{
		{": keep-alive\n\n", "Hello, world", "cached_input_tokens plain 8, calls m 1, calls plain 1, estimated_tokens m 7, failed m 1, input_tokens m 7, input_tokens plain 12, output_tokens plain 3"},
		{event(`{"choices":[{"delta":{"role":"assistant","content":""}}]}`), "Late.", "calls m 1, estimated_tokens m 9, input_tokens m 7, output_tokens m 2"},
	} {
		n.script("m", waits(c.first))
		i := n.invoke(n.bind("a", "m plain"))
		handle, errno := i.open("m")
		said, _, errno2 := i.rest(handle)
		if got := i.end(); errno != 0 || errno2 != 0 || said != c.said || got != c.noted {
			t.Errorf("%q, %v, %v, noted %s", said, errno, errno2, got)
		}
	}
	t.Run("the app's time", func(t *testing.T) {
		i := n.invoke(n.bind("a", "m plain"))
		ctx, cancel := context.WithTimeout(i.ctx, 500*time.Millisecond)
		defer cancel()
		if _, errno := i.link[abi.LLMOpen](ctx, ask("m")); errno != abi.ErrnoDeadline {
			t.Error(errno)
		}
		if got := i.end(); got != "calls m 1, estimated_tokens m 7, failed m 1, input_tokens m 7" {
			t.Errorf("noted %s", got)
		}
	})
}

// tooLong are how providers say that a request does not fit.
var tooLong = []struct {
	name   string
	status int
	body   string
}{
	{"OpenAI", 400, `{"error":{"message":"This model's maximum context length is 8192 tokens. However, your messages resulted in 8227 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`},
	{"OpenAI, by its code alone", 400, `{"error":{"message":"No.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`},
	{"Azure", 400, `{"error":{"message":"x","type":"invalid_request_error","param":"messages","code":"context_length_exceeded","innererror":{}}}`},
	{"vLLM", 400, `{"object":"error","message":"This model's maximum context length is 16384 tokens. However, you requested 19591 tokens (9591 in the messages, 10000 in the completion). None","type":"BadRequestError","param":null,"code":400}`},
	{"vLLM, newer", 400, `{"error":{"message":"'max_tokens' or 'max_completion_tokens' is too large: 900. This model's maximum context length is 512 tokens and your request has 30 input tokens.","type":"BadRequestError","param":null,"code":400}}`},
	{"Groq", 400, `{"error":{"message":"Please reduce the length of the messages or completion.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`},
	{"Groq, by status", 413, `{"error":{"message":"Request too large for model","type":"tokens","code":"rate_limit_exceeded"}}`},
	{"Mistral", 400, `{"object":"error","message":"Prompt contains 70003 tokens and 0 draft tokens, too large for model with 32768 maximum context length","type":"invalid_request_error","param":null,"code":"3051"}`},
	{"Gemini", 400, `[{"error":{"code":400,"message":"The input token count (337807) exceeds the maximum number of tokens allowed (65536).","status":"INVALID_ARGUMENT"}}]`},
	{"DeepSeek", 400, `{"error":{"message":"This model's maximum context length is 65536 tokens. However, you requested 90000 tokens","type":"invalid_request_error","param":null,"code":"invalid_request_error"}}`},
	{"xAI", 400, `{"code":"Client specified an invalid argument","error":"This model's maximum prompt length is 131072 but the request contains 537812 tokens."}`},
	{"Anthropic", 400, `{"error":{"code":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum","type":"invalid_request_error","param":null}}`},
	{"Anthropic, with the answer", 400, `{"error":{"message":"input length and max_tokens exceed context limit: 190000 + 21000 > 200000"}}`},
	{"Anthropic, by status", 413, `{"type":"error","error":{"type":"request_too_large","message":"x"}}`},
	{"llama.cpp", 400, `{"error":{"code":400,"message":"the request exceeds the available context size. try increasing the context size or enable context shift","type":"exceed_context_size_error","n_prompt_tokens":14429,"n_ctx":8192}}`},
	{"llama.cpp, older", 500, `{"error":{"code":500,"message":"the request exceeds the available context size","type":"exceed_context_size_error"}}`},
	{"llama.cpp, in the answer", 200, `{"error":{"code":400,"message":"the request exceeds the available context size.","type":"exceed_context_size_error","n_prompt_tokens":14429,"n_ctx":8192}}`},
	{"SGLang", 400, `{"object":"error","message":"The input (9000 tokens) is longer than the model's context length (8192 tokens).","type":"BadRequestError","code":400}`},
	{"TGI", 422, "{\"error\":\"Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 9000\",\"error_type\":\"validation\"}"},
	{"Together", 422, "{\"error\":{\"message\":\"Input validation error: `inputs` must have less than 4097 tokens. Given: 9000\",\"type\":\"invalid_request_error\",\"param\":null,\"code\":null}}"},
	{"OpenRouter", 400, `{"error":{"message":"This endpoint's maximum context length is 32768 tokens. However, you requested about 90000 tokens","code":400,"metadata":{"provider_name":null}}}`},
	{"Bedrock", 400, `{"message":"Input is too long for requested model."}`},
	{"Cohere", 400, `{"message":"too many tokens: total number of tokens in the prompt cannot exceed 4081"}`},
	{"Moonshot", 400, `{"error":{"type":"invalid_request_error","message":"Invalid request: Your request exceeded model token limit: 8192"}}`},
	{"Qwen", 400, `{"error":{"code":"invalid_parameter_error","message":"Range of input length should be [1, 30720]","type":"invalid_request_error"}}`},
	{"Copilot", 400, `{"error":{"message":"prompt token count of 70000 exceeds the limit of 64000","code":"model_max_prompt_tokens_exceeded"}}`},
}

// TestTooLong: a request that does not fit goes on to a model of the chain with more context, is
// not tried with one that is known to have no more, and costs nothing where it did not fit.
func TestTooLong(t *testing.T) {
	for _, c := range tooLong {
		t.Run(c.name, func(t *testing.T) {
			n := newNode(t, scripted("m", `,"context":8192,"fallback":["same","wide"]`), scripted("same", `,"context":8192`), scripted("wide", `,"context":128000`))
			n.script("m", says(c.status, jsonType, c.body))
			for _, fn := range []string{abi.LLMChat, abi.LLMOpen} {
				i := n.invoke(n.bind("a", "m same wide"))
				out, errno := i.link[fn](i.ctx, ask("m"))
				if errno == 0 && fn == abi.LLMOpen {
					_, _, errno = i.rest(out)
				}
				if got := i.end(); errno != 0 || got != "cached_input_tokens wide 8, calls m 1, calls wide 1, failed m 1, input_tokens wide 12, output_tokens wide 3" {
					t.Errorf("%s: %v, noted %s", fn, errno, got)
				}
				alone := n.invoke(n.bind("a", "m"))
				if _, errno := alone.link[fn](alone.ctx, ask("m")); errno != abi.ErrnoTooLarge {
					t.Errorf("%s, alone: %v", fn, errno)
				}
			}
			n.line(`A call of the model "m" failed: the messages and the answer do not fit into its context.`, "more context")
		})
	}
	t.Run("another mistake", func(t *testing.T) {
		n := newNode(t, scripted("m", `,"fallback":["plain"]`))
		n.script("m", says(400, jsonType, `{"error":{"message":"Unsupported value: s3cret-key","type":"invalid_request_error","param":"temperature","code":"unsupported_value"}}`))
		if _, errno := n.invoke(n.bind("a", "m plain")).chat(ask("m")); errno != abi.ErrnoInvalid || len(n.asked) != 1 {
			t.Errorf("%v, %d asked", errno, len(n.asked))
		}
		n.line("400 about temperature", "messages and tools")
	})
}

// TestRefusalsAreTold: whatever is refused has a line that says what and what to do.
func TestRefusalsAreTold(t *testing.T) {
	n := newNode(t, scripted("m"))
	message := func(m string) string { return `{"model":"m","messages":[` + m + `]}` }
	const hi = `{"role":"user","content":"hi"}`
	link := n.bind("a", "m stalls")
	for _, c := range []struct{ in, line string }{
		{`Hello`, "not JSON"},
		{`{"messages":[` + hi + `]}`, "model is missing"},
		{`{"model":"m","messages":[]}`, "messages is empty"},
		{`{"model":"m","messages":[` + hi + `],"store":true}`, "the field store is not passed on"},
		{`{"model":"m","messages":[` + hi + `],"n":3}`, "n is not 1"},
		{`{"model":"m","messages":[` + hi + `],"max_tokens":"9"}`, "max_tokens is a string"},
		{`{"model":"m","messages":[` + hi + `],"tools":[{"type":"web_search"}]}`, "tools that the provider runs"},
		{`{"model":"m","messages":[` + hi + `]} {}`, "something after the request"},
		{message(hi + `,{"role":"root","content":"hi"}`), "messages[1]: role is none of"},
		{message(`{"role":"user"}`), "messages[0]: content is missing"},
		{message(`{"role":"user","content":"hi","s3cret=127.0.0.1":1}`), "messages[0]: the field with an odd name is not passed on"},
		{message(`{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://x.example"}}]}`), "messages[0]: content has a part that is no text"},
		{message(`{"role":"user","content":"hi","reasoning_content":"x"}`), "messages[0]: only an assistant has"},
		{strings.Repeat(" ", abi.MaxChat+1), "at most 1048576 are passed on"},
	} {
		if _, errno := n.invoke(link).chat([]byte(c.in)); errno == 0 {
			t.Errorf("%s passes", c.line)
		}
		n.line(c.line, "docs/llm.md")
	}
	for status, line := range map[int]string{401: "key, account or id", 402: "key, account or id", 404: "key, account or id", 422: "messages and tools", 429: "Try again later", 503: "Try again later"} {
		n.script("m", says(status, jsonType, `{"error":{"message":"s3cret"}}`))
		_, _ = n.invoke(link).chat(ask("m"))
		n.line(fmt.Sprintf("the upstream answered %d", status), line)
	}
	i := n.invoke(link)
	for range 5 {
		_, _ = i.open("stalls")
	}
	n.line("4 streams of this request are open", "close them")
	_, _ = i.link[abi.LLMNext](i.ctx, abi.AppendHandle(nil, 99))
	n.line("no stream of that handle", "open another")
	i.end()
}

// TestDropped: what is left out of a history is told once, by name, and the call works.
func TestDropped(t *testing.T) {
	n := newNode(t, scripted("m"))
	n.script("m", says(200, jsonType, `{`+textHi+`}`))
	link := n.bind("a", "m")
	for range 3 {
		in := `{"model":"m","user":null,"messages":[{"role":"assistant","content":"Hi.","refusal":null,"annotations":[{"type":"url_citation"}],"audio":null,"reasoning_details":[{}]},{"role":"user","content":"And?"}]}`
		if _, errno := n.invoke(link).chat([]byte(in)); errno != 0 {
			t.Fatal(errno)
		}
	}
	n.line("annotations, reasoning_details", "docs/llm.md")
	if len(n.told) != 1 {
		t.Errorf("told %d times: %+v", len(n.told), n.told)
	}
}

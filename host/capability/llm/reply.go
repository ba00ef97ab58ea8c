package llm

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/agora-host/agora/abi"
)

// reply is what an upstream sent, read from whichever dialect of chat completions it speaks: an
// answer, a chunk of one, or an error that came where a response should be. Only what an app may
// see is in choices.
type reply struct {
	choices []abi.ChatChoice
	usage   *usage // nil if there is none that can be read
	err     error  // what the upstream says went wrong, in our words
}

// wireReply has every place where a dialect puts something that matters. Decoding is loose: a field
// of another type than expected is as good as absent, and never the end of a response.
type wireReply struct {
	Choices []wireChoice    `json:"choices"`
	Usage   json.RawMessage `json:"usage"`
	Error   json.RawMessage `json:"error"`
	Groq    struct {
		Usage json.RawMessage `json:"usage"`
		Error json.RawMessage `json:"error"`
	} `json:"x_groq"`
	// An error without an envelope: vLLM, Mistral and FastAPI.
	Object  string          `json:"object"`
	Message json.RawMessage `json:"message"`
	Detail  json.RawMessage `json:"detail"`
}

type wireChoice struct {
	Index        int             `json:"index"`
	Message      *wireAnswer     `json:"message"`
	Delta        *wireAnswer     `json:"delta"`
	FinishReason *string         `json:"finish_reason"`
	Error        json.RawMessage `json:"error"` // OpenRouter
	Usage        json.RawMessage `json:"usage"` // Moonshot, in streams
}

type wireAnswer struct {
	Role             string          `json:"role"`
	Content          json.RawMessage `json:"content"`
	Refusal          *string         `json:"refusal"`
	ReasoningContent json.RawMessage `json:"reasoning_content"` // DeepSeek, llama.cpp, SGLang
	Reasoning        json.RawMessage `json:"reasoning"`         // vLLM, Groq, OpenRouter
	ToolCalls        []wireToolCall  `json:"tool_calls"`
}

type wireToolCall struct {
	Index    *int            `json:"index"`
	ID       json.RawMessage `json:"id"`
	Type     string          `json:"type"`
	Function struct {
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"`
	} `json:"function"`
	Extra *abi.ChatExtra `json:"extra_content"`
}

// readReply reads a whole response or the data of one event.
func readReply(raw []byte) reply {
	raw = bytes.TrimSpace(raw)
	var list []json.RawMessage
	if len(raw) > 0 && raw[0] == '[' && json.Unmarshal(raw, &list) == nil && len(list) > 0 {
		raw = list[0] // Gemini puts errors into a list
	}
	var w wireReply
	if len(raw) == 0 || raw[0] != '{' || !loosely(raw, &w) {
		return reply{err: errAnswer}
	}
	r := reply{usage: lastUsage(w)}
	failed := is(w.Error) || is(w.Groq.Error) || len(w.Choices) == 0 && (w.Object == "error" || is(w.Message) || is(w.Detail))
	for _, c := range w.Choices {
		failed = failed || is(c.Error) || c.FinishReason != nil && *c.FinishReason == "error"
		choice := abi.ChatChoice{Index: c.Index, Message: c.Message.answer(), Delta: c.Delta.answer(), FinishReason: c.FinishReason}
		if choice.Message != nil || choice.Delta != nil || c.FinishReason != nil {
			r.choices = append(r.choices, choice)
		}
	}
	if failed {
		r.err = errFailed
		if tooLong(raw) {
			r.err = errContext
		}
	}
	return r
}

// loosely decodes what has the expected type, and reports whether raw is JSON.
func loosely(raw []byte, to any) bool {
	err := json.Unmarshal(raw, to)
	_, mistyped := errors.AsType[*json.UnmarshalTypeError](err)
	return err == nil || mistyped
}

// is reports whether a value says anything: some servers send an empty error with each response.
func is(v json.RawMessage) bool {
	return !slices.Contains([]string{"", "null", "false", `""`, "{}", "[]", "0"}, string(v))
}

// lastUsage returns the usage of a reply, wherever it is.
func lastUsage(w wireReply) *usage {
	places := []json.RawMessage{w.Usage, w.Groq.Usage}
	for _, c := range w.Choices {
		places = append(places, c.Usage)
	}
	for _, place := range places {
		if u := readUsage(place); u != nil {
			return u
		}
	}
	return nil
}

// answer is what the app gets of it: the fields of abi.ChatAnswer and no others.
func (w *wireAnswer) answer() *abi.ChatAnswer {
	if w == nil {
		return nil
	}
	a := &abi.ChatAnswer{Refusal: w.Refusal}
	if w.Role != "" {
		a.Role = "assistant" // nothing else answers
	}
	content, thought := contentOf(w.Content)
	a.Content = content
	for _, v := range []json.RawMessage{w.ReasoningContent, w.Reasoning} {
		var text *string
		if a.Reasoning == nil && json.Unmarshal(v, &text) == nil {
			a.Reasoning = text
		}
	}
	if a.Reasoning == nil {
		a.Reasoning = thought
	}
	for _, t := range w.ToolCalls {
		a.ToolCalls = append(a.ToolCalls, t.call())
	}
	return a
}

// contentOf is what is said and what was thought, of a text or of parts.
func contentOf(v json.RawMessage) (content, thought *string) {
	var parts []struct {
		Text     string          `json:"text"`
		Refusal  string          `json:"refusal"`
		Thinking json.RawMessage `json:"thinking"`
	}
	if !is(v) || v[0] != '[' {
		_ = json.Unmarshal(v, &content) // what is no text stays nil
		return content, nil
	}
	if !loosely(v, &parts) {
		return nil, nil
	}
	for _, p := range parts {
		content = joined(content, p.Text+p.Refusal)
		thought = joined(thought, abi.Thinking(p.Thinking))
	}
	return content, thought
}

func joined(s *string, more string) *string {
	if more == "" {
		return s
	}
	if s != nil {
		more = *s + more
	}
	return &more
}

func (w wireToolCall) call() abi.ChatToolCall {
	c := abi.ChatToolCall{Index: w.Index, ID: looseText(w.ID), Type: w.Type}
	c.Function.Name, c.Function.Arguments = w.Function.Name, looseText(w.Function.Arguments)
	if w.Extra != nil && w.Extra.Google.Signature != "" {
		c.Extra = w.Extra
	}
	return c
}

// looseText is a text, or the JSON that stands where one should: numbers as ids, objects as
// arguments.
func looseText(v json.RawMessage) string {
	var text string
	if json.Unmarshal(v, &text) == nil {
		return text
	}
	return string(v)
}

// longWords are how servers say that a request does not fit into the model's context. There is no
// standard: most send 400 and a sentence.
var longWords = regexp.MustCompile(strings.Join([]string{
	`context_length_exceeded`, `context_window_exceeded`, `exceed_context_size`, `max_prompt_tokens_exceeded`, `request_too_large`,
	`string_above_max_length`, `context[ -](length|window|size|limit)`, `(prompt|input|request)( is)? too (long|large)`, `too many (input |prompt )?tokens`,
	`token count[^.]{0,80}exceed`, `tokens? exceeds? [^.]{0,60}limit`, `maximum prompt length`, `exceeds? max(imum)? (prompt |input )?length`, `exceeded model token limit`,
	`range of input length`, `reduce the length of the (messages|prompt|input)`, "`inputs`? (tokens [+]|must have less than)", `maximum number of (input )?tokens`,
}, "|"))

// tooLong reports whether an upstream's error says so.
func tooLong(body []byte) bool { return longWords.Match(bytes.ToLower(body)) }

// requestFields are the fields that an upstream may name in an error, for an app's owner to read.
// Nothing else of an error is passed on: it may quote prompts and keys.
var requestFields = []string{
	"model", "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "presence_penalty", "frequency_penalty", "seed", "stop",
	"reasoning_effort", "response_format", "tools", "tool_choice", "parallel_tool_calls", "stream_options",
}

// blamed is the field of the request that an error blames, "" if it is none that is known.
func blamed(body []byte) string {
	var w struct {
		Error struct {
			Param string `json:"param"`
		} `json:"error"`
		Param string `json:"param"`
	}
	if !loosely(body, &w) {
		return ""
	}
	param := w.Error.Param + w.Param
	if end := strings.IndexAny(param, ".["); end >= 0 {
		param = param[:end]
	}
	if slices.Contains(requestFields, param) {
		return param
	}
	return ""
}

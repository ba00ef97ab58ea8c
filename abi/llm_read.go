package abi

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// ChatError is why a request cannot be passed on. Its message names fields and never quotes what
// is in them, so it may stand in a log.
type ChatError struct {
	Errno Errno
	Why   string
}

func (e *ChatError) Error() string { return e.Why }

func chatError(format string, args ...any) *ChatError {
	return &ChatError{ErrnoInvalid, fmt.Sprintf(format, args...)}
}

// DecodeChat reads and checks a request. Errors: ErrnoInvalid, ErrnoTooLarge.
func DecodeChat(b []byte) (ChatRequest, Errno) {
	r, _, err := ReadChat(b)
	if err != nil {
		return ChatRequest{}, err.Errno
	}
	return r, ErrnoOK
}

// ReadChat is DecodeChat, and says why a request is refused and what was left out of one that is
// not. Whatever a model answered can be handed back as an assistant's message: its refusal becomes
// its content, its reasoning is kept, and the fields of dialects that mean nothing to another
// model are left out. Nothing is left out of other messages, and null is as good as absent.
func ReadChat(b []byte) (r ChatRequest, dropped []string, err *ChatError) {
	if len(b) > MaxChat {
		return r, nil, &ChatError{ErrnoTooLarge, fmt.Sprintf("the request has %d bytes, and at most %d are passed on", len(b), MaxChat)}
	}
	var wire struct {
		ChatRequest
		Messages []map[string]json.RawMessage `json:"messages"`
	}
	if err := strictly(b, &wire); err != nil {
		without := withoutNulls(b)
		if without == nil {
			return ChatRequest{}, nil, err
		}
		wire.ChatRequest, wire.Messages = ChatRequest{}, nil
		if err := strictly(without, &wire); err != nil {
			return ChatRequest{}, nil, err
		}
	}
	r = wire.ChatRequest
	left := map[string]bool{}
	for i, fields := range wire.Messages {
		m, err := readMessage(fields, left)
		if err != nil {
			return ChatRequest{}, nil, chatError("messages[%d]: %s", i, err.Why)
		}
		r.Messages = append(r.Messages, m)
	}
	if err := checkChat(&r); err != nil {
		return ChatRequest{}, nil, err
	}
	return r, slices.Sorted(maps.Keys(left)), nil
}

func checkChat(r *ChatRequest) *ChatError {
	switch {
	case r.Model == "":
		return chatError("model is missing")
	case len(r.Messages) == 0:
		return chatError("messages is empty")
	case r.N < 0 || r.N > 1:
		return chatError("n is not 1: a call has one answer")
	case r.MaxTokens < 0 || r.MaxCompletionTokens < 0:
		return chatError("the most tokens of the answer are fewer than none")
	case slices.ContainsFunc(r.Tools, func(t ChatTool) bool { return t.Type != "function" }):
		return chatError(`tools has one whose type is not "function": tools that the provider runs are not passed on`)
	}
	return nil
}

// strictly decodes one JSON value that has no other fields than to.
func strictly(b []byte, to any) *ChatError {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil {
		if name, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); unknown {
			return chatError("the field %s is not passed on", fieldName(strings.Trim(name, `"`)))
		}
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
			return chatError("%s is a %s, which is not what it takes", fieldName(wrong.Field), wrong.Value)
		}
		return chatError("the request is not JSON that chat completions take")
	}
	if _, err := d.Token(); err != io.EOF {
		return chatError("there is something after the request")
	}
	return nil
}

// withoutNulls is an object without the fields that are null, or nil if it has none.
func withoutNulls(b []byte) []byte {
	var fields map[string]json.RawMessage
	if json.Unmarshal(b, &fields) != nil {
		return nil
	}
	before := len(fields)
	maps.DeleteFunc(fields, func(_ string, v json.RawMessage) bool { return isNull(v) })
	if len(fields) == before {
		return nil
	}
	without, err := json.Marshal(fields)
	if err != nil {
		return nil
	}
	return without
}

func isNull(v json.RawMessage) bool { return len(v) == 0 || string(v) == "null" }

// fieldName is a field's name as it may stand in a log: an app could have put anything there.
func fieldName(name string) string {
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_-.", r)
	}
	if name == "" || len(name) > 64 || strings.ContainsFunc(name, odd) {
		return "with an odd name"
	}
	return name
}

var chatRoles = []string{"system", "developer", "user", "assistant", "tool"}

// readMessage reads one message, and adds to dropped what it leaves out.
func readMessage(fields map[string]json.RawMessage, dropped map[string]bool) (m ChatMessage, err *ChatError) {
	var refusal, reasoning, thought, content string
	into := map[string]any{"role": &m.Role, "name": &m.Name, "tool_call_id": &m.ToolCallID, "tool_calls": &m.ToolCalls, "refusal": &refusal}
	for name, v := range fields {
		to, known := into[name]
		switch {
		case isNull(v), name == "content":
		case known:
			if json.Unmarshal(v, to) != nil {
				return m, chatError("%s is not what it takes", name)
			}
		case name == "reasoning_content", name == "reasoning":
			var text string
			if json.Unmarshal(v, &text) != nil {
				dropped[name] = true
			} else if name == "reasoning_content" || reasoning == "" {
				reasoning = text
			}
		case string(fields["role"]) == `"assistant"`:
			dropped[fieldName(name)] = true
		default:
			return m, chatError("the field %s is not passed on", fieldName(name))
		}
	}
	if !slices.Contains(chatRoles, m.Role) {
		return m, chatError("role is none of %s", strings.Join(chatRoles, ", "))
	}
	hasContent := !isNull(fields["content"])
	if hasContent {
		if content, thought, err = readContent(fields["content"], m.Role == "assistant", dropped); err != nil {
			return m, err
		}
	}
	return finishMessage(m, content, refusal, cmp.Or(reasoning, thought), hasContent)
}

// finishMessage puts together what a message says. An assistant that said nothing, for instance
// because all its tokens went into reasoning, said "".
func finishMessage(m ChatMessage, content, refusal, reasoning string, hasContent bool) (ChatMessage, *ChatError) {
	if m.Role != "assistant" && (refusal != "" || reasoning != "") {
		return m, chatError("only an assistant has refusal or reasoning_content")
	}
	m.Reasoning = reasoning
	for i := range m.ToolCalls {
		c := &m.ToolCalls[i]
		if c.Index = nil; c.Type == "" {
			c.Type = "function"
		}
		if c.Extra != nil && c.Extra.Google.Signature == "" {
			c.Extra = nil
		}
	}
	if content == "" && refusal != "" {
		content, hasContent = refusal, true
	}
	switch {
	case hasContent, m.Role == "assistant" && len(m.ToolCalls) == 0:
		m.Content = &content
	case len(m.ToolCalls) == 0:
		return m, chatError("content is missing")
	}
	return m, nil
}

// readContent reads a text or its parts. Parts that are not text are refused: the provider would
// ask the address of an image.
func readContent(v json.RawMessage, assistant bool, dropped map[string]bool) (text, thought string, err *ChatError) {
	if json.Unmarshal(v, &text) == nil {
		return text, "", nil
	}
	var parts []map[string]json.RawMessage
	if json.Unmarshal(v, &parts) != nil {
		return "", "", chatError("content is neither a text nor a list of parts")
	}
	var said, thoughts strings.Builder
	for _, p := range parts {
		var kind, part string
		_ = json.Unmarshal(p["type"], &kind)
		known := []string{"text"}
		if assistant {
			known = append(known, "refusal", "thinking")
		}
		if !slices.Contains(known, kind) {
			return "", "", chatError("content has a part that is no text")
		}
		for name, v := range p {
			switch {
			case name == "type", name == kind, isNull(v):
			case assistant, name == "cache_control", name == "annotations":
				dropped["content."+fieldName(name)] = true
			default:
				return "", "", chatError("content has a part with the field %s, which is not passed on", fieldName(name))
			}
		}
		if kind == "thinking" {
			thoughts.WriteString(Thinking(p[kind]))
			continue
		}
		if isNull(p[kind]) || json.Unmarshal(p[kind], &part) != nil {
			return "", "", chatError("content has a part without its text")
		}
		said.WriteString(part)
	}
	return said.String(), thoughts.String(), nil
}

// Thinking reads what Mistral's models thought: a text, or a list of texts. What is neither is "".
func Thinking(v json.RawMessage) string {
	var text string
	if json.Unmarshal(v, &text) == nil {
		return text
	}
	var parts []struct {
		Text string `json:"text"`
	}
	if json.Unmarshal(v, &parts) != nil {
		return ""
	}
	var all strings.Builder
	for _, p := range parts {
		all.WriteString(p.Text)
	}
	return all.String()
}

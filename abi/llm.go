package abi

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"slices"
)

// LLMModule is the import module of the llm capability: chat completions in the
// JSON of OpenAI's API. Its functions:
//
//	chat:  a ChatRequest -> a ChatResponse.
//	open:  a ChatRequest -> u32 LE handle of a stream, which ends with the request.
//	next:  handle -> the next ChatResponse of the stream, a chunk; empty: it is over.
//	close: handle -> empty. Closing again, or what is over, succeeds.
const LLMModule = "app:llm/v1"

// The functions of LLMModule.
const (
	LLMChat  = "chat"
	LLMOpen  = "open"
	LLMNext  = "next"
	LLMClose = "close"
)

// MaxChat bounds a request, in bytes of JSON.
const MaxChat = 1 << 20

// ChatRequest is what may be asked of a model. Fields that are not listed are
// refused: what a provider makes of them may cost, store or reach something.
type ChatRequest struct {
	Model    string        `json:"model"`
	Messages []ChatMessage `json:"messages"`
	// Both mean the most tokens of the answer; a grant has a maximum.
	MaxTokens           int64 `json:"max_tokens,omitempty"`
	MaxCompletionTokens int64 `json:"max_completion_tokens,omitempty"`

	Temperature      *float64        `json:"temperature,omitempty"`
	TopP             *float64        `json:"top_p,omitempty"`
	PresencePenalty  *float64        `json:"presence_penalty,omitempty"`
	FrequencyPenalty *float64        `json:"frequency_penalty,omitempty"`
	Seed             *int64          `json:"seed,omitempty"`
	Stop             json.RawMessage `json:"stop,omitempty"` // a text, or up to four
	ReasoningEffort  string          `json:"reasoning_effort,omitempty"`
	ResponseFormat   json.RawMessage `json:"response_format,omitempty"`

	Tools             []ChatTool      `json:"tools,omitempty"`
	ToolChoice        json.RawMessage `json:"tool_choice,omitempty"`
	ParallelToolCalls *bool           `json:"parallel_tool_calls,omitempty"`

	// What clients send by habit. The function that is called decides, and an
	// answer is one.
	N             int             `json:"n,omitempty"`
	Stream        bool            `json:"stream,omitempty"`
	StreamOptions json.RawMessage `json:"stream_options,omitempty"`
}

// ChatMessage is one message. Content is a text, parts of type "text", or null.
type ChatMessage struct {
	Role       string         `json:"role"`
	Content    *string        `json:"content"`
	Name       string         `json:"name,omitempty"`
	ToolCalls  []ChatToolCall `json:"tool_calls,omitempty"`
	ToolCallID string         `json:"tool_call_id,omitempty"`
}

// ChatTool is a function that the model may ask the app to call. Tools that a
// provider runs itself are refused.
type ChatTool struct {
	Type     string          `json:"type"` // "function"
	Function json.RawMessage `json:"function"`
}

// ChatToolCall is the model's wish to call one.
type ChatToolCall struct {
	Index    *int   `json:"index,omitempty"` // in chunks
	ID       string `json:"id,omitempty"`
	Type     string `json:"type,omitempty"`
	Function struct {
		Name      string `json:"name,omitempty"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

// ChatResponse is an answer, or one chunk of one.
type ChatResponse struct {
	ID      string       `json:"id"`
	Object  string       `json:"object"`
	Created int64        `json:"created"`
	Model   string       `json:"model"` // that really ran, by the node's name for it
	Choices []ChatChoice `json:"choices"`
	Usage   *ChatUsage   `json:"usage,omitempty"` // of a stream: in its last chunk
}

// ChatChoice is the model's answer: Message in a whole answer, Delta in a chunk.
type ChatChoice struct {
	Index        int         `json:"index"`
	Message      *ChatAnswer `json:"message,omitempty"`
	Delta        *ChatAnswer `json:"delta,omitempty"`
	FinishReason *string     `json:"finish_reason"`
}

// ChatAnswer is what a model says, or the next bit of it.
type ChatAnswer struct {
	Role      string         `json:"role,omitempty"`
	Content   *string        `json:"content,omitempty"`
	Refusal   *string        `json:"refusal,omitempty"`
	Reasoning *string        `json:"reasoning_content,omitempty"` // of servers that show it
	ToolCalls []ChatToolCall `json:"tool_calls,omitempty"`
}

// ChatUsage is what was counted, and billed.
type ChatUsage struct {
	Prompt  int64             `json:"prompt_tokens"` // cached ones included
	Answer  int64             `json:"completion_tokens"`
	Total   int64             `json:"total_tokens"`
	Details *ChatUsageDetails `json:"prompt_tokens_details,omitempty"`
}

// ChatUsageDetails say which tokens were cheaper.
type ChatUsageDetails struct {
	Cached int64 `json:"cached_tokens"`
}

var chatRoles = []string{"system", "developer", "user", "assistant", "tool"}

// DecodeChat reads and checks a request. Errors: ErrnoInvalid, ErrnoTooLarge.
func DecodeChat(b []byte) (ChatRequest, Errno) {
	if len(b) > MaxChat {
		return ChatRequest{}, ErrnoTooLarge
	}
	var wire struct {
		ChatRequest
		Messages []wireMessage `json:"messages"`
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if d.Decode(&wire) != nil {
		return ChatRequest{}, ErrnoInvalid
	}
	if _, err := d.Token(); err != io.EOF {
		return ChatRequest{}, ErrnoInvalid
	}
	r := wire.ChatRequest
	for _, m := range wire.Messages {
		message, ok := m.message()
		if !ok {
			return ChatRequest{}, ErrnoInvalid
		}
		r.Messages = append(r.Messages, message)
	}
	if r.Model == "" || len(r.Messages) == 0 || r.N < 0 || r.N > 1 || r.MaxTokens < 0 || r.MaxCompletionTokens < 0 {
		return ChatRequest{}, ErrnoInvalid
	}
	if slices.ContainsFunc(r.Tools, func(t ChatTool) bool { return t.Type != "function" }) {
		return ChatRequest{}, ErrnoInvalid
	}
	return r, ErrnoOK
}

// wireMessage is a message whose content may come in parts.
type wireMessage struct {
	ChatMessage
	Content json.RawMessage `json:"content"`
}

func (w wireMessage) message() (ChatMessage, bool) {
	m := w.ChatMessage
	var whole *string
	if len(w.Content) > 0 && json.Unmarshal(w.Content, &whole) != nil {
		var parts []struct {
			Type string  `json:"type"`
			Text *string `json:"text"`
		}
		d := json.NewDecoder(bytes.NewReader(w.Content))
		d.DisallowUnknownFields()
		if d.Decode(&parts) != nil {
			return m, false
		}
		var text string
		for _, p := range parts {
			if p.Type != "text" || p.Text == nil {
				return m, false // an image's address would be asked by the provider
			}
			text += *p.Text
		}
		whole = &text
	}
	m.Content = whole
	return m, slices.Contains(chatRoles, m.Role) && (whole != nil || len(m.ToolCalls) > 0)
}

// AppendHandle appends a stream's handle, and DecodeHandle reads it.
func AppendHandle(dst []byte, handle uint32) []byte {
	return binary.LittleEndian.AppendUint32(dst, handle)
}

// DecodeHandle reads what AppendHandle wrote.
func DecodeHandle(b []byte) (uint32, bool) {
	if len(b) != 4 {
		return 0, false
	}
	return binary.LittleEndian.Uint32(b), true
}

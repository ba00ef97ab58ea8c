package abi

import (
	"encoding/binary"
	"encoding/json"
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
// refused unless they are null: what a provider makes of them may cost, store or
// reach something. ReadChat has the rule for what earlier responses have besides.
type ChatRequest struct {
	Model    string        `json:"model"`
	Messages []ChatMessage `json:"messages"`
	// Both mean the most tokens of the response; a grant has a maximum.
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
	// response is one.
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
	// Reasoning is a model's own of an earlier response. Only models that take it back get it.
	Reasoning string `json:"reasoning_content,omitempty"`
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
	Extra *ChatExtra `json:"extra_content,omitempty"`
}

// ChatExtra is Gemini's seal on a tool call, which it wants back with the call.
type ChatExtra struct {
	Google struct {
		Signature string `json:"thought_signature"`
	} `json:"google"`
}

// ChatResponse is a response, or one chunk of one.
type ChatResponse struct {
	ID      string       `json:"id"`
	Object  string       `json:"object"`
	Created int64        `json:"created"`
	Model   string       `json:"model"` // that really ran, by the node's name for it
	Choices []ChatChoice `json:"choices"`
	Usage   *ChatUsage   `json:"usage,omitempty"` // of a stream: in its last chunk
}

// ChatChoice is the model's response: Message in a whole response, Delta in a chunk.
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

// ChatUsage is what was counted, and billed. As with OpenAI, the response's tokens include those of
// its reasoning, whatever the provider's own way to count.
type ChatUsage struct {
	Prompt    int64              `json:"prompt_tokens"` // cached ones included
	Answer    int64              `json:"completion_tokens"`
	Total     int64              `json:"total_tokens"`
	Estimated int64              `json:"estimated_tokens,omitempty"` // of the total, what the node estimated
	Details   *ChatUsageDetails  `json:"prompt_tokens_details,omitempty"`
	Answered  *ChatAnswerDetails `json:"completion_tokens_details,omitempty"`
}

// ChatUsageDetails say which tokens were cheaper.
type ChatUsageDetails struct {
	Cached int64 `json:"cached_tokens"`
}

// ChatAnswerDetails say which tokens of the response were spent on reasoning.
type ChatAnswerDetails struct {
	Reasoning int64 `json:"reasoning_tokens"`
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

package llm

import (
	"encoding/json"
	"fmt"
	"iter"

	"github.com/agora-host/agora/abi"
)

// User is a message of the person who asks.
func User(text string) abi.ChatMessage { return abi.ChatMessage{Role: "user", Content: &text} }

// System is a message that says how to answer.
func System(text string) abi.ChatMessage { return abi.ChatMessage{Role: "system", Content: &text} }

// Chat asks a model and waits for the whole response. An error wraps an abi.Errno:
// abi.ErrnoDenied if the model is not granted or may not see the app's data,
// abi.ErrnoQuota if the app asks too often or its day cannot pay for it,
// abi.ErrnoTooLarge, abi.ErrnoDeadline or abi.ErrnoUnavailable. The app's log says
// more.
func Chat(r abi.ChatRequest) (answer abi.ChatResponse, err error) {
	out, err := send(r, chat)
	if err == nil {
		err = json.Unmarshal(out, &answer)
	}
	return answer, err
}

// Stream asks a model and yields the response piece by piece; the last chunk says what
// was used. It ends with an error if the response breaks off. Leaving the loop closes
// the stream.
func Stream(r abi.ChatRequest) iter.Seq2[abi.ChatResponse, error] {
	return func(yield func(abi.ChatResponse, error) bool) {
		handle, err := send(r, open)
		if err != nil {
			yield(abi.ChatResponse{}, err)
			return
		}
		defer func() { _, _ = hangUp(handle) }()
		for {
			out, err := next(handle)
			if err == nil && len(out) == 0 {
				return
			}
			var chunk abi.ChatResponse
			if err == nil {
				err = json.Unmarshal(out, &chunk)
			} else {
				err = fmt.Errorf("llm %s: %w", r.Model, err)
			}
			if !yield(chunk, err) || err != nil {
				return
			}
		}
	}
}

// Text is what a response, or a chunk of one, says.
func Text(r abi.ChatResponse) string {
	for _, c := range r.Choices {
		for _, a := range []*abi.ChatAnswer{c.Message, c.Delta} {
			if a != nil && a.Content != nil {
				return *a.Content
			}
		}
	}
	return ""
}

// Assistant is a response as a message, for the next request of the conversation. It keeps calls of
// tools and, for models that take it back, the reasoning.
func Assistant(r abi.ChatResponse) abi.ChatMessage {
	var nothing string
	m := abi.ChatMessage{Role: "assistant", Content: &nothing}
	for _, c := range r.Choices {
		a := c.Message
		if a == nil {
			continue
		}
		m.ToolCalls = a.ToolCalls
		if a.Reasoning != nil {
			m.Reasoning = *a.Reasoning
		}
		switch {
		case a.Content != nil && *a.Content != "":
			m.Content = a.Content
		case a.Refusal != nil && *a.Refusal != "":
			m.Content = a.Refusal
		case len(a.ToolCalls) > 0:
			m.Content = nil
		}
		break
	}
	return m
}

func send(r abi.ChatRequest, f func([]byte) ([]byte, error)) ([]byte, error) {
	in, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	out, err := f(in)
	if err != nil {
		return nil, fmt.Errorf("llm %s: %w", r.Model, err)
	}
	return out, nil
}

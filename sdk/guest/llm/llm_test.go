//go:build !wasip1

package llm

import (
	"errors"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/abitest"
)

// TestStandIn: what stands in for the node behaves as the node does.
func TestStandIn(t *testing.T) {
	Reset()
	Answer("small", abitest.Say)
	abitest.LLM(t, "small", node.link())
}

func TestChatAndStream(t *testing.T) {
	Reset()
	Answer("small", func(r abi.ChatRequest) string { return *r.Messages[0].Content + " " + *r.Messages[1].Content })
	r := abi.ChatRequest{Model: "small", Messages: []abi.ChatMessage{System("Be short."), User("Hello there")}}
	answer, err := Chat(r)
	if err != nil || Text(answer) != "Be short. Hello there" {
		t.Errorf("%+v, %v", answer, err)
	}
	r.Messages = append(r.Messages, Assistant(answer), User("Again"))
	if again, err := Chat(r); err != nil || *r.Messages[2].Content != "Be short. Hello there" || Text(again) != Text(answer) {
		t.Errorf("handed back: %+v, %v", again, err)
	}
	call := abi.ChatToolCall{ID: "1", Type: "function"}
	for want, a := range map[string]abi.ChatAnswer{"I cannot.": {Refusal: new("I cannot.")}, "": {Reasoning: new("Hm.")}, "none": {ToolCalls: []abi.ChatToolCall{call}}} {
		m := Assistant(abi.ChatResponse{Choices: []abi.ChatChoice{{Message: &a}}})
		if got := m.Content; m.Role != "assistant" || (got == nil) != (want == "none") || got != nil && *got != want || len(m.ToolCalls) != len(a.ToolCalls) || a.Reasoning != nil && m.Reasoning != "Hm." {
			t.Errorf("%+v is %+v", a, m)
		}
	}
	r.Messages = r.Messages[:2]
	said, used := "", int64(0)
	for chunk, err := range Stream(r) {
		if err != nil {
			t.Fatal(err)
		}
		if said += Text(chunk); chunk.Usage != nil {
			used = chunk.Usage.Answer
		}
	}
	if said != "Be short. Hello there" || used != 4 {
		t.Errorf("%q, %d used", said, used)
	}
	for range Stream(r) {
		break
	}
	if n := len(node.streams); n != 0 {
		t.Errorf("%d streams are open", n)
	}
	r.Model = "large"
	if _, err := Chat(r); !errors.Is(err, abi.ErrnoDenied) {
		t.Errorf("a model that nobody answers for: %v", err)
	}
	for chunk, err := range Stream(r) {
		if !errors.Is(err, abi.ErrnoDenied) {
			t.Errorf("%+v, %v", chunk, err)
		}
	}
}

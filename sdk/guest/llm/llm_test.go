//go:build !wasip1

package llm

import (
	"errors"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/abitest"
)

// TestStandIn: what stands in for the node answers as the node does.
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

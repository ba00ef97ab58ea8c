package llm

import (
	"bufio"
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
)

// FuzzEvents: whatever an upstream sends, what is made of it is bounded, counted
// and no longer than what came.
func FuzzEvents(f *testing.F) {
	f.Add([]byte("data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\ndata: [DONE]\n\n"))
	f.Add([]byte(": c\r\nevent: x\r\ndata:a\r\ndata: b\r\n\r\n"))
	f.Add([]byte("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":-1}}\n\n"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		in := bufio.NewReaderSize(bytes.NewReader(sent), 16)
		b := bounds{prompt: 100, answer: 50}
		total := 0
		for {
			event, err := readEvent(in)
			if err != nil {
				return
			}
			if total += len(event); total > len(sent) || len(event) == 0 {
				t.Fatalf("%d bytes of events in %d bytes", total, len(sent))
			}
			r := readReply(event)
			c := settled(r.usage, b, 10, answerBytes(r.choices))
			if c.prompt < 0 || c.cached < 0 || c.answer < 0 || c.prompt+c.cached > b.prompt || c.answer > b.answer || c.guessed > c.prompt+c.answer {
				t.Fatalf("%s counts as %+v", event, c)
			}
		}
	})
}

// FuzzReply: whatever an upstream sends, no count of it is beyond the bounds or below what it said, an
// error in it is in our words, and a response of it can be handed back.
func FuzzReply(f *testing.F) {
	for _, seed := range []string{
		`{"choices":[{"message":{"content":"x","reasoning":"y","tool_calls":[{"id":1,"function":{"arguments":{}}}]}}],"usage":{"prompt_tokens":5,"completion_tokens":1,"total_tokens":9}}`,
		`{"choices":[{"message":{"content":[{"type":"thinking","thinking":[{"text":"t"}]},{"type":"text","text":"x"}],"refusal":"no"},"finish_reason":"error"}],"x_groq":{"usage":{}}}`,
		`[{"error":{"code":400,"message":"context length"}}]`, `{"usage":{"prompt_tokens":"1","completion_tokens_details":{"reasoning_tokens":1e999}}}`, `<html>`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		r := readReply(sent)
		if r.err != nil && !slices.Contains([]error{errAnswer, errFailed, errContext}, r.err) {
			t.Fatal(r.err)
		}
		b, seen := bounds{prompt: 100, answer: 50}, answerBytes(r.choices)
		c := settled(r.usage, b, 10, seen)
		if c.prompt < 0 || c.cached < 0 || c.answer < 0 || c.thought < 0 || c.thought > c.answer || c.prompt+c.cached > b.prompt || c.answer > b.answer || c.answer < min(b.answer, seen/tokenBytes) {
			t.Fatalf("%q counts as %+v", sent, c)
		}
		if r.whole() != nil || len(sent) > abi.MaxChat/16 {
			return
		}
		for _, choice := range r.choices {
			m, err := json.Marshal(choice.Message)
			if err != nil {
				t.Fatal(err)
			}
			if _, dropped, wrong := abi.ReadChat([]byte(`{"model":"m","messages":[` + string(m) + `]}`)); wrong != nil || len(dropped) > 0 {
				t.Fatalf("%q makes %s: %v, %v", sent, m, wrong, dropped)
			}
		}
	})
}

func TestEvents(t *testing.T) {
	in := bufio.NewReaderSize(strings.NewReader("\n\n: hi\nevent: e\ndata: one\ndata:  two\nid: 7\n\nretry: 1\n\ndata:three\r\n\r\ndata: "+strings.Repeat("x", 100)+"\n\ndata: lost"), 16)
	for _, want := range []string{"one\n two", "three", strings.Repeat("x", 100)} {
		if got, err := readEvent(in); string(got) != want || err != nil {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	if got, err := readEvent(in); err == nil {
		t.Errorf("an event without an end: %q", got)
	}
	if got, err := readEvent(bufio.NewReader(strings.NewReader(strings.Repeat("data: x\n", maxEvent)))); err == nil {
		t.Errorf("an event of %d bytes", len(got))
	}
}

func TestPrices(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "1": 1_000_000, "0.15": 150_000, "0.000001": 1, "15.00": 15_000_000, "1000000": 1_000_000_000_000} {
		if got, ok := perToken(json.Number(text)); got != want || !ok {
			t.Errorf("%s: %d, %v", text, got, ok)
		}
	}
	dear := price{1_000_000_000_000, 1_000_000_000_000, 1_000_000_000_000}
	if got := dear.atMost(bounds{1 << 40, 1 << 40}); got < 1<<62 {
		t.Errorf("what cannot be counted is %d", got)
	}
	if got := (price{100, 50, 1000}).cost(counts{prompt: 3, cached: 2, answer: 1, guessed: 4}); got != 1400 {
		t.Errorf("cost %d", got)
	}
}

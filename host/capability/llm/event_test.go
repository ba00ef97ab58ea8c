package llm

import (
	"bufio"
	"bytes"
	"encoding/json"
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
			var chunk abi.ChatResponse
			if json.Unmarshal(event, &chunk) != nil {
				continue
			}
			c := settled(chunk.Usage, b, 10, answerBytes(chunk.Choices))
			if c.prompt < 0 || c.cached < 0 || c.answer < 0 || c.prompt+c.cached > b.prompt || c.answer > b.answer || c.guessed > c.prompt+c.answer {
				t.Fatalf("%s counts as %+v", event, c)
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

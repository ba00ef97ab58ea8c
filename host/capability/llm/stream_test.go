package llm_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
)

// TestBrokenStreams: what was seen is settled, and the app is told that it is not
// the whole.
func TestBrokenStreams(t *testing.T) {
	n := newNode(t)
	for _, c := range []struct{ model, said, noted string }{
		{"breaks", "Hello, ", "calls breaks 1, estimated_tokens breaks 9, failed breaks 1, input_tokens breaks 7, output_tokens breaks 2"},
		{"ends-early", "Hello, ", "calls ends-early 1, estimated_tokens ends-early 9, failed ends-early 1, input_tokens ends-early 7, output_tokens ends-early 2"},
		{"errs", "Hello, ", "calls errs 1, estimated_tokens errs 9, failed errs 1, input_tokens errs 7, output_tokens errs 2"},
		{"garbage", "Hello, ", "calls garbage 1, estimated_tokens garbage 9, failed garbage 1, input_tokens garbage 7, output_tokens garbage 2"},
		{"huge-event", "Hello, ", "calls huge-event 1, estimated_tokens huge-event 9, failed huge-event 1, input_tokens huge-event 7, output_tokens huge-event 2"},
	} {
		i := n.invoke(n.bind("a", c.model))
		handle, errno := i.open(c.model)
		if errno != 0 {
			t.Fatalf("%s: %v", c.model, errno)
		}
		said, _, errno := i.rest(handle)
		if _, again := i.link[abi.LLMNext](i.ctx, handle); errno != abi.ErrnoUnavailable || again != errno || said != c.said {
			t.Errorf("%s: %q, %v, then %v", c.model, said, errno, again)
		}
		if got := i.end(); got != c.noted {
			t.Errorf("%s: noted %s, want %s", c.model, got, c.noted)
		}
	}
	t.Run("no end mark", func(t *testing.T) {
		i := n.invoke(n.bind("a", "no-done"))
		handle, _ := i.open("no-done")
		if said, usage, errno := i.rest(handle); errno != 0 || said != "Hello, world" || usage.Answer != 3 {
			t.Errorf("%q, %+v, %v", said, usage, errno)
		}
		if got := i.end(); got != "calls no-done 1, estimated_tokens no-done 10, input_tokens no-done 7, output_tokens no-done 3" {
			t.Errorf("noted %s", got)
		}
	})
	t.Run("endless", func(t *testing.T) {
		i := n.invoke(n.bind("a", "endless", "max_tokens", "10"))
		handle, _ := i.open("endless")
		said, _, errno := i.rest(handle)
		if errno != abi.ErrnoTooLarge || len(said) > 80_000 {
			t.Errorf("%d bytes, %v", len(said), errno)
		}
		<-n.gone
		if got := i.end(); got != "calls endless 1, estimated_tokens endless 33, failed endless 1, input_tokens endless 7, output_tokens endless 26" {
			t.Errorf("noted %s", got)
		}
	})
	t.Run("deadline", func(t *testing.T) {
		i := n.invoke(n.bind("a", "stalls"))
		handle, _ := i.open("stalls")
		for range 3 {
			if _, errno := i.link[abi.LLMNext](i.ctx, handle); errno != 0 {
				t.Fatal(errno)
			}
		}
		ctx, cancel := context.WithTimeout(i.ctx, 100*time.Millisecond)
		defer cancel()
		if _, errno := i.link[abi.LLMNext](ctx, handle); errno != abi.ErrnoDeadline {
			t.Error(errno)
		}
		<-n.gone
	})
}

// TestStreamHandles: a stream is an invocation's, ends with it, and is settled
// whatever the app does with it.
func TestStreamHandles(t *testing.T) {
	n := newNode(t)
	link := n.bind("a", "stalls plain")
	one, two := n.invoke(link), n.invoke(link)
	handle, errno := one.open("stalls")
	if errno != 0 {
		t.Fatal(errno)
	}
	if _, errno := link[abi.LLMNext](two.ctx, handle); errno != abi.ErrnoNotFound {
		t.Errorf("another invocation reads it: %v", errno)
	}
	if _, errno := link[abi.LLMClose](two.ctx, handle); errno != 0 {
		t.Errorf("another invocation closes it: %v", errno)
	}
	if out, errno := link[abi.LLMNext](one.ctx, handle); errno != 0 || !strings.Contains(string(out), "assistant") {
		t.Errorf("after that: %q, %v", out, errno)
	}
	if got := one.end(); got != "calls stalls 1, estimated_tokens stalls 7, input_tokens stalls 7" {
		t.Errorf("noted %s", got)
	}
	<-n.gone // the provider was told to stop
	if _, errno := link[abi.LLMOpen](one.ctx, ask("plain")); errno != abi.ErrnoUnavailable {
		t.Errorf("opened after the end: %v", errno)
	}
	i := n.invoke(link)
	for range 6 { // one after the other, closed or not
		handle, errno := i.open("plain")
		if said, _, errno2 := i.rest(handle); errno != 0 || errno2 != 0 || said != "Hello, world" {
			t.Fatalf("%q %v %v", said, errno, errno2)
		}
		for range 2 {
			if out, errno := link[abi.LLMNext](i.ctx, handle); errno != 0 || len(out) != 0 {
				t.Errorf("after the end: %q, %v", out, errno)
			}
		}
	}
	for range 2 {
		if _, errno := link[abi.LLMClose](i.ctx, handle); errno != 0 {
			t.Errorf("closed: %v", errno)
		}
	}
	if _, errno := link[abi.LLMNext](i.ctx, []byte{1}); errno != abi.ErrnoInvalid {
		t.Errorf("no handle: %v", errno)
	}
	for range 4 {
		if _, errno := i.open("stalls"); errno != 0 {
			t.Error(errno)
		}
	}
	if _, errno := i.open("stalls"); errno != abi.ErrnoQuota {
		t.Errorf("a fifth stream at once: %v", errno)
	}
	i.end()
	for range 4 {
		<-n.gone
	}
}

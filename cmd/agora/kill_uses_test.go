package main

import (
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/sdk/client"
)

// TestKillUses kills a node at once after calls whose responses had ended: what its page says that the
// app did is all of it, and nothing of it twice, at the next start and after another kill.
func TestKillUses(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	p := launch(t, dir)
	api := signIn(t, p)
	publishRelays(t, p, api)
	const calls = 7
	for i := range calls {
		if _, errno, err := p.relayed(ctx, "keys", "set", abi.AppendKVSet(nil, "key", []byte{byte(i)})); errno != 0 || err != nil {
			t.Fatal(errno, err)
		}
	}
	for start := range 3 { // a start before anything was flushed, one after, and one after a flush of 10 s that may not have come
		p.kill(t)
		p = launch(t, dir)
		api = signIn(t, p)
		if got := writes(t, api); got != calls {
			t.Fatalf("start %d: the release wrote %d times, and its page says %d", start, calls, got)
		}
	}
	// What is done from now on is added, while it is not stored and when it is.
	if _, errno, err := p.relayed(ctx, "keys", "set", abi.AppendKVSet(nil, "key", []byte("x"))); errno != 0 || err != nil {
		t.Fatal(errno, err)
	}
	if got := writes(t, api); got != calls+1 {
		t.Errorf("%d writes are shown, and %d were made", got, calls+1)
	}
	p.kill(t)
	p = launch(t, dir, "--flush-every", "15ms")
	defer p.kill(t)
	api = signIn(t, p)
	for deadline := time.Now().Add(300 * time.Millisecond); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if got := writes(t, api); got != calls+1 {
			t.Fatalf("%d writes are shown, and %d were made", got, calls+1)
		}
	}
}

// writes is how often the release that serves the app keys wrote, as its page says.
func writes(t *testing.T, api *client.Client) (n uint64) {
	t.Helper()
	r, err := api.Release(t.Context(), "keys", 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Access {
		for _, u := range c.Used {
			if u.Meter == abi.MeterWrites {
				n += u.N
			}
		}
	}
	return n
}

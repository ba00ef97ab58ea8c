package main

import (
	"slices"
	"testing"
	"time"

	"github.com/agora-host/agora/sdk/client"
)

// TestKillNotices kills a node between the steps of making notices: of each token a person is told
// once, whether the node died before or after the notice was stored.
func TestKillNotices(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	p := launch(t, dir) // what is followed begins here
	signIn(t, p)
	p.kill(t)
	made := 0
	for _, place := range []string{"notices-found", "notices-made"} {
		p = launchAt(t, dir, place)
		_, _ = signIn(t, p).NewToken(ctx, client.NewToken{Label: place, Hours: 1}) // the node may die before it responds
		_ = p.cmd.Wait()
		p = launch(t, dir)
		api := signIn(t, p)
		if _, err := api.NewToken(ctx, client.NewToken{Label: "last", Hours: 1}); err != nil {
			t.Fatal(err)
		}
		made += 2
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			told, err := api.Notices(ctx, false)
			if err != nil {
				t.Fatal(err)
			}
			told = slices.DeleteFunc(told, func(n client.Notice) bool { return n.Kind != "token.created" })
			if len(told) >= made {
				once(t, place, told, made)
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("killed at %s: %d notices of %d tokens", place, len(told), made)
			}
		}
		p.kill(t)
	}
}

// once fails unless each change was told once.
func once(t *testing.T, place string, told []client.Notice, want int) {
	t.Helper()
	seen := map[uint64]bool{}
	for _, n := range told {
		seen[uint64(n.Rev)] = true
	}
	if len(told) != want || len(seen) != want {
		t.Errorf("killed at %s: %d notices of %d changes, want %d", place, len(told), len(seen), want)
	}
}

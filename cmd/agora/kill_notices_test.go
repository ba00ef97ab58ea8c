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
	// told waits until a person is told of so many tokens, and returns all that they are told of tokens.
	told := func(api *client.Client, place string, made int) []client.Notice {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
			all, err := api.Notices(ctx, false)
			if err != nil {
				t.Fatal(err)
			}
			all = slices.DeleteFunc(all, func(n client.Notice) bool { return n.Kind != "token.created" })
			if len(all) >= made {
				return all
			}
			if time.Now().After(deadline) {
				t.Fatalf("killed at %s: %d notices of %d tokens", place, len(all), made)
			}
		}
	}
	p := launch(t, dir) // what is followed begins here
	api := signIn(t, p)
	if _, err := api.NewToken(ctx, client.NewToken{Label: "first", Hours: 1}); err != nil {
		t.Fatal(err)
	}
	once(t, "no place", told(api, "no place", 1), 1) // nothing that came before is still to be told of, where the next one dies
	p.kill(t)
	made := 1
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
		once(t, place, told(api, place, made), made)
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

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestKillRotation kills a node when every secret is sealed with the new key, and the old one is still
// there: the next start forgets it, and every secret opens.
func TestKillRotation(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	p := launch(t, dir)
	api := signIn(t, p)
	publishRelays(t, p, api)
	if _, err := api.SetSecret(ctx, "vault", "token", []byte("hunter2")); err != nil {
		t.Fatal(err)
	}
	p.kill(t)
	before := keysIn(t, dir)

	p = launchAt(t, dir, "secrets-rotated")
	if _, err := signIn(t, p).RotateSecrets(ctx); err == nil {
		t.Fatal("the node was to end in the middle")
	}
	_ = p.cmd.Wait()
	if keys := keysIn(t, dir); len(keys) != 2 || keys[0] != before[0] {
		t.Fatalf("killed after the rotation was decided, the node has the keys %v, and had %v", keys, before)
	}

	p = launch(t, dir)
	defer p.kill(t)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		keys := keysIn(t, dir)
		if len(keys) == 1 && keys[0] != before[0] {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the node has the keys %v, and the old one is %v", keys, before)
		}
	}
	checks, err := signIn(t, p).Doctor(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range checks {
		if !c.OK {
			t.Errorf("doctor: %+v", c)
		}
	}
	if value, errno, err := p.relayed(ctx, "vault", "get", []byte("token")); err != nil || errno != 0 || string(value) != "hunter2" {
		t.Errorf("the secret: %q, %v, %v", value, errno, err)
	}
}

// keysIn are the ids of the keys of secrets in a data directory.
func keysIn(t *testing.T, dir string) (ids []string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "secret.keys"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Keys []struct {
			ID string `json:"id"`
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	for _, k := range file.Keys {
		ids = append(ids, k.ID)
	}
	return ids
}

package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/sdk/client"
)

// removalPlaces are where a removal is ended.
var removalPlaces = []string{
	"remove-begun", "remove-queue", "remove-kv", "remove-files", "remove-code", "remove-log", "remove-records", "remove-scrubbed",
	"remove-erased", "remove-certified",
}

// TestKillRemoval kills a node at each place of a removal. The next start ends it: nothing of the app
// is on the disk, one certificate says what there was before the first kill, and its neighbours have
// what they had.
func TestKillRemoval(t *testing.T) {
	const canary = "canary-51d27f3a9c"
	ctx := t.Context()
	for _, place := range removalPlaces {
		t.Run(place, func(t *testing.T) {
			dir := t.TempDir()
			p := launch(t, dir)
			api := signIn(t, p)
			publishRelays(t, p, api)
			text := bytes.Repeat([]byte(canary+" "), 2000)
			for app, fn := range map[string]string{"keys": "set", "files": "put"} {
				in := abi.AppendKVSet(nil, canary, text)
				if app == "files" {
					in = abi.AppendBlobPut(nil, canary, text)
				}
				if _, errno, err := p.relayed(ctx, app, fn, in); errno != 0 || err != nil {
					t.Fatal(app, errno, err)
				}
			}
			p.kill(t)

			// It is asked for while the wait is none, by a node that dies in the middle.
			p = launchAt(t, dir, place)
			api = signIn(t, p)
			for _, app := range []string{"keys", "files"} {
				_, _ = api.DeleteApp(ctx, app, "")
			}
			_ = p.cmd.Wait()
			p = launch(t, dir, "--delete-after", "-1s")
			defer p.kill(t)
			api = signIn(t, p)
			for _, app := range []string{"keys", "files"} {
				removedInTheEnd(t, api, app)
			}
			if found := holding(t, dir, canary); len(found) > 0 {
				t.Errorf("the canary is in %v", found)
			}
			checks, err := api.Doctor(ctx)
			for _, c := range checks {
				if !c.OK {
					t.Errorf("doctor: %+v", c)
				}
			}
			if _, errno, err := p.relayed(ctx, "vault", "get", []byte("token")); err != nil || errno != abi.ErrnoNotFound {
				t.Errorf("the neighbour: %v, %v", errno, err)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// launchAt starts a node that deletes without a wait, and ends at the first passing of a place.
func launchAt(t *testing.T, dir, place string) *process {
	t.Helper()
	cmd := serving(t, dir, "--delete-after", "-1s")
	cmd.Env = append(cmd.Env, failpointVar+"="+place+":1")
	p, said := begin(t, cmd)
	if p == nil {
		t.Fatalf("the node did not start:\n%s", said)
	}
	return p
}

// removedInTheEnd waits for an app's removal, asking for it again if the node died before it was.
func removedInTheEnd(t *testing.T, api *client.Client, name string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		app, err := api.App(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if app.State == "active" {
			_, err = api.DeleteApp(t.Context(), name, "")
		}
		if app.State == "removed" {
			break
		}
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("%s is %s: %v", name, app.State, err)
		}
	}
	all, err := api.Certificates(t.Context(), name)
	if err != nil || len(all) != 1 {
		t.Fatalf("%d certificates of %s, %v", len(all), name, err)
	}
	kinds := map[string]bool{}
	for _, r := range all[0].Removed {
		kinds[r.Kind] = true
	}
	if kept := map[string]string{"keys": "key-value pairs", "files": "blobs"}[name]; !kinds["release"] || !kinds[kept] {
		t.Errorf("the certificate of %s does not say all: %s", name, all[0].Document)
	}
}

// holding lists the files of a directory that have a text in them.
func holding(t *testing.T, dir, text string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a node that runs deletes files
		}
		if err != nil || e.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && strings.Contains(string(raw), text) {
			found = append(found, strings.TrimPrefix(path, dir))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

package main

import (
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agora-host/agora/sdk/client"
)

// TestKillReleases kills a node again and again while releases are uploaded, deleted and
// crowded out by newer ones. Afterwards every release that is there has its files, and, once
// the node had the time to tidy, no other files are there.
func TestKillReleases(t *testing.T) {
	cycles := 6
	if testing.Short() {
		cycles = 3
	}
	dir, ctx, uploaded := t.TempDir(), t.Context(), 0
	for cycle := 0; cycle < cycles || uploaded < 4*cycles && cycle < 4*cycles; cycle++ {
		p := launch(t, dir, "--keep-releases", "2")
		api := signIn(t, p)
		healthyReleases(t, api)
		var work sync.WaitGroup
		work.Go(func() {
			for i := 0; ; i++ {
				published, err := tryUpload(ctx, api, string(rune('a'+i%5)))
				if err != nil {
					return
				}
				uploaded++
				_ = api.DeleteRelease(ctx, "shop", published.Release.Number-1) // refused, if it still serves
			}
		})
		time.Sleep(time.Duration(50+rand.IntN(300)) * time.Millisecond)
		p.kill(t)
		work.Wait()
	}
	p := launch(t, dir, "--keep-releases", "2")
	defer p.kill(t)
	api := signIn(t, p)
	healthyReleases(t, api)
	releases, err := api.Releases(ctx, "shop")
	if err != nil || len(releases) == 0 || len(releases) > 2 {
		t.Fatalf("%d releases, %v", len(releases), err)
	}
	named := map[string]bool{}
	for _, r := range releases {
		named[strings.TrimPrefix(r.Digest, "sha256:")] = true
	}
	var found []string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if found = files(t, filepath.Join(dir, "blobs")); len(found) == len(named)+len(releases) { // each has a signature of its own
			break
		}
	}
	if len(found) != len(named)+len(releases) {
		t.Errorf("%d files of %d releases with %d modules", len(found), len(releases), len(named))
	}
	t.Logf("%d uploads", uploaded)
}

func files(t *testing.T, dir string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func healthyReleases(t *testing.T, api *client.Client) {
	t.Helper()
	checks, err := api.Doctor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	healthy(t, checks)
}

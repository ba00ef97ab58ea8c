package node_test

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/node"
)

// TestMissingParts: a node does not start over a data directory of which a part
// is gone, and makes nothing anew there; one that an older version wrote, before
// there was a queue, is taken over.
func TestMissingParts(t *testing.T) {
	for _, c := range []struct {
		name    string
		gone    []string
		refused bool
	}{
		{"the queue", []string{"queue.db"}, true},
		{"the apps' data", []string{"kv.db"}, true},
		{"the trust root", []string{"trust/authority.pem"}, true},
		{"what an older version did not make", []string{"queue.db", "node", "secret.keys"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := start(t)
			n.stop()
			for _, name := range c.gone {
				if err := os.Remove(filepath.Join(n.dir, name)); err != nil {
					t.Fatal(err)
				}
			}
			h, err := node.New(t.Context(), node.Options{DataDir: n.dir, Listen: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
			if err == nil {
				err = h.Stop(t.Context())
			}
			if errors.Is(err, storage.ErrCorrupt) != c.refused || (!c.refused && err != nil) {
				t.Errorf("the node said %v", err)
			}
			if _, err := os.Stat(filepath.Join(n.dir, c.gone[0])); errors.Is(err, fs.ErrNotExist) != c.refused {
				t.Errorf("%s afterwards: %v", c.gone[0], err)
			}
		})
	}
}

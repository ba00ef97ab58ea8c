package host

import (
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/store/boltstore"
)

// TestSpendLedger: whoever reserves at the same time, the limit holds, and what
// was reserved is there after the node starts again.
func TestSpendLedger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kv.db")
	kv, err := boltstore.OpenKV(path, time.Now, nil)
	if err != nil {
		t.Fatal(err)
	}
	l := spendLedger{kv}
	var granted atomic.Int64
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			switch err := l.Reserve(t.Context(), "a", "2026-05-04", 10, 255); {
			case err == nil:
				granted.Add(1)
			case !errors.Is(err, abi.ErrnoQuota):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if granted.Load() != 25 {
		t.Errorf("%d of 25 reservations were granted", granted.Load())
	}
	if err := kv.Close(); err != nil {
		t.Fatal(err)
	}
	if kv, err = boltstore.OpenKV(path, time.Now, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kv.Close() })
	l = spendLedger{kv}
	for _, step := range []struct {
		name string
		err  error
		want error
	}{
		{"after a restart it is still spent", l.Reserve(t.Context(), "a", "2026-05-04", 6, 255), abi.ErrnoQuota},
		{"another app", l.Reserve(t.Context(), "b", "2026-05-04", 6, 255), nil},
		{"another day", l.Reserve(t.Context(), "a", "2026-05-05", 6, 255), nil},
		{"given back", l.Release(t.Context(), "a", "2026-05-04", 1), nil},
		{"and reserved again", l.Reserve(t.Context(), "a", "2026-05-04", 6, 255), nil},
		{"more than everything", l.Reserve(t.Context(), "a", "2026-05-06", 1<<62, 255), abi.ErrnoQuota},
	} {
		if !errors.Is(step.err, step.want) {
			t.Errorf("%s: %v", step.name, step.err)
		}
	}
}

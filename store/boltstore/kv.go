package boltstore

import (
	"context"
	"sync"
	"time"

	"github.com/agora-host/agora/internal/calm"
	"github.com/agora-host/agora/store/boltstore/checked"
)

const (
	bData   = "data"
	bUsed   = "used"   // what each app keeps
	bExpiry = "expiry" // app, NUL, when (Unix milliseconds), name: what will be swept
)

// How often expired entries are looked for. They are invisible before.
const (
	sweepEvery = time.Second
	sweepMore  = 20 * time.Millisecond // when one commit was not enough
)

// KV keeps the apps' own data. Writes are durable before they return; those
// that wait at the same time share one commit.
type KV struct {
	file    *checked.File
	now     func() time.Time
	commits *checked.Committer

	endSweeping context.CancelFunc
	sweeping    sync.WaitGroup
}

// OpenKV opens or makes the file. now is the clock by which entries expire; watch recovers the
// panics of the store's own goroutines, and may be nil.
func OpenKV(path string, now func() time.Time, watch *calm.Watch) (*KV, error) {
	f, err := checked.Open(path, kvShape)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	kv := &KV{file: f, now: now, commits: checked.NewCommitter(f, watch, "kv-commit"), endSweeping: cancel}
	watch.Loop(ctx, &kv.sweeping, "kv-sweep", kv.sweepUntil)
	return kv, nil
}

// Close commits what waits and closes the file. It may be called again.
func (s *KV) Close() error {
	s.endSweeping()
	s.sweeping.Wait()
	s.commits.Stop()
	return s.file.Close()
}

func (s *KV) write(ctx context.Context, apply func(*writer) error) error {
	return write(ctx, s.commits, apply)
}

func (s *KV) sweepUntil(ctx context.Context) {
	next := time.NewTimer(sweepEvery)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		}
		pause := sweepEvery
		if s.sweep(ctx) {
			pause = sweepMore
		}
		next.Reset(pause)
	}
}

package boltstore

import (
	"context"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/agora-host/agora/internal/calm"
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
	db  *bolt.DB
	now func() time.Time
	*committer

	endSweeping context.CancelFunc
	sweeping    sync.WaitGroup
}

// OpenKV opens or makes the file. now is the clock by which entries expire; watch recovers the
// panics of the store's own goroutines, and may be nil.
func OpenKV(path string, now func() time.Time, watch *calm.Watch) (*KV, error) {
	db, err := openFile(path, kvShape)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	kv := &KV{db: db, now: now, committer: newCommitter(db, watch, "kv-commit"), endSweeping: cancel}
	watch.Loop(ctx, &kv.sweeping, "kv-sweep", kv.sweepUntil)
	return kv, nil
}

// Close commits what waits and closes the file. It may be called again.
func (s *KV) Close() error {
	s.endSweeping()
	s.sweeping.Wait()
	s.stop()
	return s.db.Close()
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

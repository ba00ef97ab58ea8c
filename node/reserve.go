package node

import (
	"fmt"
	"sync"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/internal/humanize"
	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/node/internal/telemetry"
)

// reserve is the part of the disk that is kept for what runs. Below it nothing new is taken
// in; below half of it apps keep nothing more of their own, so that the journal, the state
// and the queue always have room.
type reserve struct {
	dir  string
	want int64 // 0: by the size of the disk
	stat func(dir string) (free, size int64, err error)
	now  func() time.Time

	mu     sync.Mutex // guards all below
	at     time.Time  // when the disk was asked
	free   int64
	limit  int64
	err    error
	taking int64 // by uploads that run, and are not on the disk yet
}

// askDisk is how long what the disk said holds. Asking takes about a microsecond.
const askDisk = 100 * time.Millisecond

// The default: a twentieth of the disk, but not less than 1 GiB nor more than 20 GiB, and
// of a small disk not more than a fifth.
const (
	leastReserve = 1 << 30
	mostReserve  = 20 << 30
)

func defaultReserve(size int64) int64 {
	return min(max(leastReserve, min(mostReserve, size/20)), size/5)
}

func newReserve(o Options) *reserve {
	return &reserve{dir: o.DataDir, want: o.DiskReserve, stat: diskSpace, now: time.Now}
}

// ask reads how much is free, at most every so often. The lock is held.
func (r *reserve) ask() {
	if now := r.now(); r.at.IsZero() || now.Sub(r.at) >= askDisk || now.Before(r.at) {
		var size int64
		r.free, size, r.err = r.stat(r.dir)
		r.at, r.limit = now, r.want
		if r.want == 0 {
			r.limit = defaultReserve(size)
		}
	}
}

// room reports what is free and what is kept, as of now.
func (r *reserve) room() (free, limit int64, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ask()
	return r.free - r.taking, r.limit, r.err
}

// low returns storage.ErrReserve if so many bytes more would not leave the reserve. A disk
// that cannot be asked is not low: what is written to it says what is wrong.
func (r *reserve) low(more int64) error {
	free, limit, err := r.room()
	if err != nil || free-more >= limit {
		return nil
	}
	return fmt.Errorf("the disk has %s left, and %s of it are kept: %w", humanize.Bytes(uint64(max(0, free))), humanize.Bytes(uint64(limit)), storage.ErrReserve)
}

// take sets bytes aside for an upload while it runs, or returns storage.ErrReserve.
func (r *reserve) take(n int64) (give func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ask()
	if r.err == nil && r.free-r.taking-n < r.limit {
		return nil, fmt.Errorf("the upload needs %s, and of the %s that the disk has left %s are kept: %w",
			humanize.Bytes(uint64(n)), humanize.Bytes(uint64(max(0, r.free-r.taking))), humanize.Bytes(uint64(r.limit)), storage.ErrReserve)
	}
	r.taking += n
	return sync.OnceFunc(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.taking -= n
		r.at = time.Time{} // what was taken is on the disk now, or not
	}), nil
}

// apps returns abi.ErrnoUnavailable when apps may keep nothing more.
func (r *reserve) apps() error {
	free, limit, err := r.room()
	if err != nil || free >= limit/2 {
		return nil
	}
	return fmt.Errorf("the disk has %s left, which the node needs itself: %w: %w", humanize.Bytes(uint64(max(0, free))), abi.ErrnoUnavailable, storage.ErrReserve)
}

// check is the doctor's line about the disk. One that is nearly full is a reason to make room,
// and no damage.
func (r *reserve) check() control.Check {
	free, limit, err := r.room()
	if err != nil {
		return control.Check{Name: "disk", Detail: "the disk cannot be asked for its free space: " + err.Error()}
	}
	c := control.Check{Name: "disk", OK: true, Detail: fmt.Sprintf("%s are free; below %s nothing new is taken in", humanize.Bytes(uint64(max(0, free))), humanize.Bytes(uint64(limit)))}
	if free < limit {
		c.Detail = "nearly full: " + c.Detail + ", and below half of that apps keep nothing more"
	}
	return c
}

func (r *reserve) measure(p *telemetry.Page) {
	if free, limit, err := r.room(); err == nil {
		p.One("agora_disk_free_bytes", telemetry.Gauge, "room on the data directory's disk, without what running uploads need", float64(free))
		p.One("agora_disk_reserve_bytes", telemetry.Gauge, "free room below which nothing new is taken in", float64(limit))
	}
}

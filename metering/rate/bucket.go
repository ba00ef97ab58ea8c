package rate

import (
	"math"
	"sync/atomic"
	"time"
)

// NoLimit is the limit of a bucket that refuses nothing, and counts.
const NoLimit = math.MaxInt64

// MaxLimit is the most calls in a second that can be bounded.
const MaxLimit = 1_000_000

// perNano is how many units of a bucket's clock a nanosecond has: with the largest limit, rounding the
// time in which a token comes up to whole units costs a millionth.
const perNano = 1024

// late is how long ago a caller may have looked at the clock, in units: see look.
const late = int64(5 * time.Second * perNano)

// never is how long a caller is told to wait for what only a higher limit admits.
const never = time.Minute

// Bucket is a bucket of tokens, written down as one number: the moment at which it will be full (GCRA, the
// generic cell rate algorithm). Moments are units since an epoch that all who use it share. They wrap around:
// what was left alone for a hundred days may then look as if the clock had gone back.
type Bucket struct {
	limit int64
	cost  int64 // units in which a token comes
	burst int64 // units in which all of them do

	full     atomic.Uint64
	admitted atomic.Uint64

	// The sampler's alone.
	sampled uint64
	now     atomic.Int64 // calls in a second, as they were sampled last
}

// NewBucket returns a full bucket of a limit, of MaxLimit at most or NoLimit. now is the time since the epoch.
func NewBucket(limit int64, now time.Duration) *Bucket {
	b := &Bucket{limit: limit}
	if limit > 0 && limit != NoLimit {
		b.cost = (int64(time.Second)*perNano + limit - 1) / limit
		b.burst = limit * b.cost
	}
	b.full.Store(units(now))
	return b
}

func units(now time.Duration) uint64 { return uint64(now) * perNano }

// Limit returns the bucket's limit.
func (b *Bucket) Limit() int64 { return b.limit }

// PerSecond returns how many calls a second were admitted when that was sampled last.
func (b *Bucket) PerSecond() int64 { return b.now.Load() }

// sample notes how many calls a second were admitted since it was called before. One goroutine calls it.
func (b *Bucket) sample(passed time.Duration) {
	admitted := b.admitted.Load()
	since := admitted - b.sampled
	b.sampled = admitted
	b.now.Store(int64(math.Round(float64(since) / max(passed, time.Millisecond).Seconds())))
}

// look returns when the bucket is full, and how long that takes from a moment on, in units. If that is much
// longer than filling it can take, the clock has gone back, and the bucket is empty from here on. What is
// a little longer is of a caller that looked at the clock a while ago.
func (b *Bucket) look(at uint64) (full uint64, ahead int64) {
	full = b.full.Load()
	ahead = max(int64(full-at), 0)
	if ahead > b.burst+late {
		b.full.CompareAndSwap(full, at+uint64(b.burst))
		full, ahead = at+uint64(b.burst), b.burst
	}
	return full, ahead
}

// short returns how long a token takes to come, 0 if there is one.
func (b *Bucket) short(ahead int64) time.Duration {
	if lacks := ahead + b.cost - b.burst; lacks > 0 {
		return time.Duration((lacks + perNano - 1) / perNano)
	}
	return 0
}

// Wait returns how long a token takes to come, 0 if there is one. It takes none.
func (b *Bucket) Wait(now time.Duration) time.Duration {
	switch b.limit {
	case NoLimit:
		return 0
	case 0:
		return never
	}
	_, ahead := b.look(units(now))
	return b.short(ahead)
}

// Take takes a token, or returns how long one takes to come.
func (b *Bucket) Take(now time.Duration) (wait time.Duration) {
	switch b.limit {
	case NoLimit:
		return 0
	case 0:
		return never
	}
	at := units(now)
	for {
		full, ahead := b.look(at)
		if wait := b.short(ahead); wait > 0 {
			return wait
		}
		if b.full.CompareAndSwap(full, at+uint64(ahead+b.cost)) {
			return 0
		}
	}
}

// give gives a token back that was taken just now.
func (b *Bucket) give() { b.full.Add(-uint64(b.cost)) }

// TakeAll takes a token of each bucket, or of none: then it returns which of them makes the caller wait for
// longest, and for how long.
func TakeAll(buckets []*Bucket, now time.Duration) (short int, wait time.Duration) {
	for i, b := range buckets {
		if w := b.Wait(now); w > wait {
			short, wait = i, w
		}
	}
	for i := 0; wait == 0 && i < len(buckets); i++ {
		if wait = buckets[i].Take(now); wait > 0 {
			short = i
			for _, b := range buckets[:i] {
				b.give()
			}
		}
	}
	if wait == 0 {
		for _, b := range buckets {
			b.admitted.Add(1)
		}
	}
	return short, wait
}

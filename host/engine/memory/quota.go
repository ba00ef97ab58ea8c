package memory

import (
	"context"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/agora-host/agora/abi"
)

// Holder is whose guests a quota bounds: Per is "person" or "group", Of which one.
type Holder struct{ Per, Of string }

// Limit is how much the guests of one holder may have together.
type Limit struct {
	Quota string // its name
	Most  int64  // bytes
}

// QuotaError says which quota refused memory. It names no person.
type QuotaError struct {
	Limit
	Per string
}

func (e *QuotaError) Error() string {
	whose, flag := "the person who owns the app", "--user <person>"
	if e.Per == "group" {
		whose, flag = "the group that owns the app", "--group <group>"
	}
	return fmt.Sprintf("the quota %q of %s is used up at the moment: the calls of all its apps hold %d KiB at once at most; an operator can raise it with agora quotas set %s <size> %s --reason <why>",
		e.Quota, whose, e.Most/1024, e.Quota, flag)
}

// Unwrap returns abi.ErrMemoryQuota.
func (e *QuotaError) Unwrap() error { return abi.ErrMemoryQuota }

// quotaWithin is how long a call waits for others that have the same quota to end.
const quotaWithin = time.Second

// quota counts what the guests of one holder have.
type quota struct {
	of      Holder
	users   int // guarded by Memory.mu
	limit   atomic.Pointer[Limit]
	counted atomic.Int64
	waiting atomic.Int64 // calls
	freed   *signal      // of all quotas: what was given back, or that the limit has changed, while calls wait
}

// signal wakes those that wait for it.
type signal struct {
	mu sync.Mutex
	c  chan struct{} // guarded by mu; nil: none waits
}

// next returns a channel that is closed by the next wake.
func (s *signal) next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.c == nil {
		s.c = make(chan struct{})
	}
	return s.c
}

func (s *signal) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.c != nil {
		close(s.c)
		s.c = nil
	}
}

// OnFull has idle memory of a holder's given back, need bytes or more if it is there, when a quota is used
// up. It is called before the first account is joined.
func (m *Memory) OnFull(shed func(of Holder, need int64)) { m.shed = shed }

// SetLimits bounds the guests of these holders, and of no others. What is held above a limit stays until its
// calls end.
func (m *Memory) SetLimits(limits map[Holder]Limit) {
	over := map[Holder]int64{}
	m.mu.Lock()
	m.limits = limits
	for h, q := range m.quotas {
		if q.bound(limits); q.over() {
			over[h] = q.counted.Load() - q.limit.Load().Most
		}
	}
	m.mu.Unlock()
	for h, n := range over {
		m.shedOf(h, n)
	}
}

// Counted returns how many bytes the guests of a holder have that a quota counts.
func (m *Memory) Counted(h Holder) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if q := m.quotas[h]; q != nil {
		return q.counted.Load()
	}
	return 0
}

// join returns a holder's quota; m.mu is held.
func (m *Memory) join(h Holder) *quota {
	q := m.quotas[h]
	if q == nil {
		q = &quota{of: h, freed: &m.freed}
		q.bound(m.limits)
		m.quotas[h] = q
	}
	q.users++
	return q
}

func (m *Memory) shedOf(h Holder, need int64) {
	if m.shed != nil {
		m.shed(h, need)
	}
}

// bound sets the limit that holds from now on.
func (q *quota) bound(limits map[Holder]Limit) {
	q.limit.Store(nil)
	if l, ok := limits[q.of]; ok {
		q.limit.Store(&l)
	}
	q.wake()
}

// count counts n bytes, if the limit allows it.
func (q *quota) count(n int64) bool {
	for {
		l, counted := q.limit.Load(), q.counted.Load()
		if l != nil && counted+n > l.Most {
			return false
		}
		if q.counted.CompareAndSwap(counted, counted+n) {
			return true
		}
	}
}

func (q *quota) uncount(n int64) {
	q.counted.Add(-n)
	q.wake()
}

// wake has those that wait try again.
func (q *quota) wake() {
	if q.waiting.Load() > 0 {
		q.freed.wake()
	}
}

func (q *quota) over() bool {
	l := q.limit.Load()
	return l != nil && q.counted.Load() > l.Most
}

func (q *quota) refusal() error {
	l := q.limit.Load()
	if l == nil { // it was lifted just now
		return ErrShort
	}
	return &QuotaError{*l, q.of.Per}
}

// count counts n bytes in all quotas of the account, or in none and returns one that is used up.
func (o *Owner) count(n int64) (full *quota) {
	for _, q := range o.quotas { // as a rule nothing has to be given back then, which would wake those that wait
		if l := q.limit.Load(); l != nil && q.counted.Load()+n > l.Most {
			return q
		}
	}
	for i, q := range o.quotas {
		if !q.count(n) {
			for _, counted := range o.quotas[:i] {
				counted.uncount(n)
			}
			return q
		}
	}
	return nil
}

func (o *Owner) uncount(n int64) {
	for _, q := range o.quotas {
		q.uncount(n)
	}
}

// waitQuotas counts n bytes in all quotas of the account, and waits until they have room.
func (o *Owner) waitQuotas(ctx context.Context, n int64, within time.Duration) error {
	full := o.count(n)
	if full == nil {
		return nil
	}
	for _, q := range o.quotas {
		q.waiting.Add(1)
		defer q.waiting.Add(-1)
	}
	timer := time.NewTimer(within)
	defer timer.Stop()
	var shed *quota
	for {
		again := o.m.freed.next()
		if full = o.count(n); full == nil {
			return nil
		}
		if full != shed {
			shed = full
			o.m.shedOf(full.of, n)
			continue
		}
		select {
		case <-again:
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			return full.refusal()
		}
	}
}

// Bound returns the least that a quota of the account allows.
func (o *Owner) Bound() int64 {
	least := int64(math.MaxInt64)
	for _, q := range o.quotas {
		if l := q.limit.Load(); l != nil {
			least = min(least, l.Most)
		}
	}
	return least
}

// Crowded reports whether more than half of a quota is used: what is idle should then not be kept, so that
// calls that run can grow.
func (o *Owner) Crowded() bool {
	for _, q := range o.quotas {
		if l := q.limit.Load(); l != nil && q.counted.Load() > l.Most/2 {
			return true
		}
	}
	return false
}

package triggers

import (
	"fmt"
	"sync"
)

// Bounds of what one app may have caused and not been done.
const (
	maxWaiting = 10_000
	maxBytes   = 64 << 20
)

// backlog numbers deliveries in the order of their acceptance, and counts those that are not done,
// dead letters left out, by the app that caused them.
type backlog struct {
	mu   sync.Mutex // guards all below
	seq  uint64     // the last number that was given
	apps map[string]*caused
}

// caused is what one app caused and is not done.
type caused struct {
	waiting int
	bytes   int
}

func (b *backlog) of(app string) *caused {
	a := b.apps[app]
	if a == nil {
		a = &caused{}
		b.apps[app] = a
	}
	return a
}

// next gives a number to a delivery that counts once it is stored.
func (b *backlog) next() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seq++
	return b.seq
}

// used has numbers begin after one that is stored.
func (b *backlog) used(seq uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seq = max(b.seq, seq)
}

// reserve numbers deliveries and counts them in, all or none.
func (b *backlog) reserve(put []Delivery) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range put {
		v := &put[i]
		a := b.of(v.From)
		if a.waiting >= maxWaiting || a.bytes+v.Size() > maxBytes {
			for _, v := range put[:i] {
				b.of(v.From).count(-1, v.Size())
			}
			return fmt.Errorf("%w: %d events of %s, %d bytes", ErrBacklog, a.waiting, v.From, a.bytes)
		}
		b.seq++
		v.Seq = b.seq
		a.count(1, v.Size())
	}
	return nil
}

// add counts in what is stored already, whatever the bounds.
func (b *backlog) add(from string, size int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.of(from).count(1, size)
}

// done counts a delivery out.
func (b *backlog) done(from string, size int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.of(from).count(-1, size)
}

// count changes by n deliveries, each of a size.
func (a *caused) count(n, size int) {
	a.waiting += n
	a.bytes += n * size
}

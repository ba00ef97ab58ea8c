package triggers

import (
	"container/heap"
	"slices"
	"time"
)

// item is what memory holds of a delivery.
type item struct {
	seq  uint64
	id   string
	from string
	at   time.Time
	size int
	busy int // attempts that ended with ErrLater, in a row
}

// line is the queue of one trigger.
type line struct {
	ref     Ref
	trigger *Trigger // nil: the serving release has none of this name
	ready   []*item  // by seq
	waiting int      // items in the timers
	running int
	inTurn  bool      // it stands in queue.turn, or in its app's blocked
	nextDue time.Time // of cron: the due time that is decided next
	alarm   time.Time // and when: later than that only after a commit failed; zero while it is being decided
	firing  bool      // a run is being committed
	unsure  uint64    // the number of a run whose commit failed: it may be stored
}

func (l *line) live() bool { return l.trigger != nil && !l.trigger.Paused }

// busy reports whether a run of a cron trigger would overlap.
func (l *line) busy() bool { return l.firing || l.running > 0 || l.waiting > 0 || len(l.ready) > 0 }

func (l *line) limit() int { return max(1, l.trigger.Concurrency) }

// push inserts by seq: commits that share a moment may end in another order.
func (l *line) push(it *item) {
	at := len(l.ready)
	for at > 0 && l.ready[at-1].seq > it.seq {
		at--
	}
	l.ready = slices.Insert(l.ready, at, it)
}

// pop takes the first; the slice's room is given back when it is used up.
func (l *line) pop() *item {
	it := l.ready[0]
	l.ready[0] = nil
	if l.ready = l.ready[1:]; len(l.ready) == 0 {
		l.ready = nil
	}
	return it
}

// timer is a moment at which something becomes due: an item, or a cron run.
type timer struct {
	at   time.Time
	line *line
	item *item // nil: a cron run, void unless at is still the line's alarm
}

// timers is one heap for the whole node.
type timers []timer

func (h timers) Len() int           { return len(h) }
func (h timers) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h timers) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *timers) Push(x any)        { *h = append(*h, x.(timer)) }
func (h *timers) Pop() any {
	last := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = timer{}
	*h = (*h)[:len(*h)-1]
	return last
}

func (h *timers) add(t timer) { heap.Push(h, t) }

// due takes out what is due.
func (h *timers) due(now time.Time) (t timer, ok bool) {
	if len(*h) == 0 || (*h)[0].at.After(now) {
		return timer{}, false
	}
	return heap.Pop(h).(timer), true
}

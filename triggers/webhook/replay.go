package webhook

import (
	"sync"
	"time"
)

// maxReplays bounds what is remembered on a node. Only requests that were
// verified get in.
const maxReplays = 50_000

// State is what is known of a request.
type State int

const (
	Fresh   State = iota // it was not seen, and is the caller's now
	Running              // another caller is at it
	Done                 // it was delivered
)

// Replays remembers which requests were delivered, for as long as their
// timestamps would let them be sent again. It forgets all when the node stops.
type Replays struct {
	mu   sync.Mutex // guards all below
	seen map[string]*replay
}

type replay struct {
	until time.Time
	done  bool
}

// Begin claims a request, by who it is for and its Proof.Once.
func (r *Replays) Begin(key string, now time.Time) State {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known := r.seen[key]; known != nil && now.Before(known.until) {
		if known.done {
			return Done
		}
		return Running
	}
	if r.seen == nil {
		r.seen = map[string]*replay{}
	}
	if len(r.seen) >= maxReplays {
		r.makeRoom(now)
	}
	// Twice the tolerance: a timestamp may lie ahead as far as behind.
	r.seen[key] = &replay{until: now.Add(2 * Tolerance)}
	return Fresh
}

// End says how it went. What was not delivered may come again.
func (r *Replays) End(key string, delivered bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known := r.seen[key]; known != nil && delivered {
		known.done = true
	} else {
		delete(r.seen, key)
	}
}

// makeRoom forgets what is over and, if that is not enough, a tenth of the rest.
func (r *Replays) makeRoom(now time.Time) {
	for key, s := range r.seen {
		if !now.Before(s.until) {
			delete(r.seen, key)
		}
	}
	if len(r.seen) < maxReplays {
		return
	}
	for key, s := range r.seen {
		if len(r.seen) < maxReplays-maxReplays/10 {
			return
		}
		if s.done {
			delete(r.seen, key)
		}
	}
}

package door

import (
	"cmp"
	"net/http"
	"slices"
	"time"
)

const (
	// barrenFor is how long nothing is looked for after nothing was found: looking costs time
	// for each connection, and whoever floods the door must not be able to ask for it at will.
	barrenFor = 50 * time.Millisecond
	// silentFor is how long a new connection has to send something while places are short.
	silentFor = 500 * time.Millisecond
	// heavier is how many times as much as the newcomer an address has open that gets no such
	// time, and may not keep the node waiting at all.
	heavier = 2
	// batch is how many connections are closed at a time.
	batch = 32
)

// search is one that found nothing.
type search struct {
	at   time.Duration // since the door's epoch; zero: there was none
	open int           // what the address had open that it was for
}

// holds reports whether another search, for an address with so much open, would find nothing
// either: one that has less open may take from more addresses.
func (s search) holds(now time.Duration, open int) bool {
	return s.at != 0 && now-s.at < barrenFor && open >= s.open
}

// stalled is how long a client may keep the node waiting while what it holds is short.
func (d *Door) stalled() time.Duration { return d.grace() / 4 }

// candidate is a connection that could be closed for another.
type candidate struct {
	c       *Conn
	trusted bool
	weight  int // what its address has open
	class   int // 0: idle, 1: no request yet, 2: it does not send or read what it began
	since   time.Duration
}

// candidate reports whether a connection may lose its place to one of from. It is called with
// Door.mu held.
func (d *Door) candidate(c *Conn, from *caller, now time.Duration) (candidate, bool) {
	silent, stalled := silentFor, d.stalled()
	if c.from.open > heavier*from.open {
		silent, stalled = 0, 0
	}
	k := candidate{c: c, trusted: c.trusted, weight: c.from.open, since: time.Duration(c.since.Load())}
	switch http.ConnState(c.state.Load()) {
	case http.StateIdle:
		return k, true
	case http.StateNew:
		k.class = 1
		return k, now-k.since > silent
	}
	k.class = 2
	var owes time.Duration
	c.each(func(e *Exchange) {
		e.mu.Lock()
		defer e.mu.Unlock()
		owes = max(owes, e.waits(bodies, now), e.waits(responses, now))
	})
	k.since = now - owes
	return k, owes > stalled
}

// shed closes connections so that one more of from fits: of that address alone, or of any that
// has as many open. Of the heaviest address first, and of its connections the idle ones first.
// It reports whether it closed any.
func (d *Door) shed(from *caller, own bool) bool {
	now := d.now()
	d.mu.Lock()
	barren := &d.barren
	if own {
		barren = &from.barren
	}
	if barren.holds(now, from.open) {
		d.mu.Unlock()
		return false
	}
	var found []candidate
	for c := range d.conns {
		if own && c.from != from || c.from.open < from.open {
			continue
		}
		if k, ok := d.candidate(c, from, now); ok {
			found = append(found, k)
		}
	}
	if len(found) == 0 {
		*barren = search{now, from.open}
	}
	d.mu.Unlock()
	slices.SortFunc(found, func(a, b candidate) int {
		return cmp.Or(compareBool(a.trusted, b.trusted), -cmp.Compare(a.weight, b.weight), cmp.Compare(a.class, b.class), cmp.Compare(a.since, b.since))
	})
	found = found[:min(len(found), batch)]
	for _, k := range found {
		if k.class == 2 {
			k.c.abort()
		} else {
			_ = k.c.Close()
		}
	}
	return len(found) > 0
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// makeRoom ends requests whose clients do not keep up, the slowest first, until n bytes of a
// kind are given back: of one address, or of any. It reports whether it gave any back.
func (d *Door) makeRoom(kind int, n int64, of *caller) bool {
	now := d.now()
	type holder struct {
		e    *Exchange
		held int64
		owes time.Duration
	}
	var found []holder
	d.mu.Lock()
	barren := &d.barrenOf[kind]
	if of != nil {
		barren = &of.barrenOf[kind]
	}
	if barren.holds(now, 0) {
		d.mu.Unlock()
		return false
	}
	for c := range d.conns {
		c.each(func(e *Exchange) {
			e.mu.Lock()
			defer e.mu.Unlock()
			if owes := e.waits(kind, now); e.held[kind] > 0 && owes > d.stalled() && (of == nil || e.client == of) {
				found = append(found, holder{e, e.held[kind], owes})
			}
		})
	}
	if len(found) == 0 {
		*barren = search{now, 0}
	}
	d.mu.Unlock()
	slices.SortFunc(found, func(a, b holder) int { return -cmp.Compare(a.owes, b.owes) })
	for _, h := range found {
		h.e.end(kind, ErrNoRoom)
		if n -= h.held; n <= 0 {
			break
		}
	}
	return len(found) > 0
}

// sweep ends what is below the least rate.
func (d *Door) sweep() {
	now, grace := d.now(), d.grace()
	var late [kinds][]*Exchange
	d.mu.Lock()
	for c := range d.conns {
		c.each(func(e *Exchange) {
			e.mu.Lock()
			defer e.mu.Unlock()
			for kind := range kinds {
				if e.waits(kind, now) > grace {
					late[kind] = append(late[kind], e)
				}
			}
		})
	}
	d.mu.Unlock()
	for kind := range kinds {
		for _, e := range late[kind] {
			e.end(kind, ErrTooSlow)
		}
	}
}

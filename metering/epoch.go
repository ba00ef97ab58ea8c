package metering

import (
	"fmt"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/metering/journal"
)

// epoch is one journal and what it adds up to. Meter.mu guards all but what
// never changes.
type epoch struct {
	number uint64
	node   string // "" if it was journaled before nodes had ids
	name   string // of the file
	cells  cells

	journal *journal.Journal // nil once nothing is appended any more
	pending []pending        // journaled, and not durable yet: not counted
	running int              // invocations that have checkpoints and no end
	broken  bool             // what it holds can be learned only by reading it
	until   time.Time        // told to the store: no cell before grows
	merged  bool             // all of it is in the store
	damage  bool             // keep the file as it is
	last    time.Time        // of its records
}

// pending is what will be counted when its record is durable.
type pending struct {
	seq    uint64
	cell   *cell
	calls  uint64
	counts Counts
	uses   []abi.Use
	fault  string
}

const journalExt = ".journal"

func journalName(epoch uint64) string { return fmt.Sprintf("%016x%s", epoch, journalExt) }

// put journals a record and sees that it is counted once it is durable, which it
// is when the batch says so. Callers hold Meter.mu.
func (m *Meter) put(e *epoch, k kind, v *Invocation) (*journal.Batch, error) {
	at := m.clock.now()
	if at.Before(m.floor) {
		at = m.floor // the hours before are closed
	}
	c := e.cells.at(hourOf(at), &v.Tags)
	v.Uses = c.admit(v.Uses)
	var err error
	if m.buf, err = appendRecord(m.buf[:0], k, at, v); err != nil {
		return nil, err
	}
	d := journal.Power
	if v.Durability == DurabilityProcess {
		d = journal.Process
	}
	seq, batch, err := e.journal.Append(d, m.buf)
	e.last = later(e.last, at)
	if err != nil || k == kindCheckpoint {
		return batch, err
	}
	var calls uint64
	if k == kindInvocation {
		calls = 1
	}
	if batch == nil {
		c.add(calls, v)
	} else {
		e.pending = append(e.pending, pending{seq, c, calls, v.Counts, v.Uses, v.Fault})
	}
	return batch, nil
}

// commit counts what became durable: never before, so that what is flushed is in
// the journal, and before anybody learns of it, so that it is in the next report.
func (m *Meter) commit(e *epoch, seq uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for n < len(e.pending) && e.pending[n].seq <= seq {
		p := &e.pending[n]
		p.cell.add(p.calls, &Invocation{Counts: p.counts, Uses: p.uses, Fault: p.fault})
		n++
	}
	left := copy(e.pending, e.pending[n:])
	clear(e.pending[left:])
	e.pending = e.pending[:left]
}

// closes answers the hour before which the epoch's cells will not grow any more.
// Callers hold Meter.mu, and floor is not in the future of Meter.floor.
func (e *epoch) closes(floor time.Time) time.Time {
	for i := range e.pending {
		if h := e.pending[i].cell.Hour; h.Before(floor) {
			floor = h
		}
	}
	return floor
}

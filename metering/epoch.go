package metering

import (
	"fmt"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/metering/journal"
)

// epoch is one journal and what it adds up to. writer.mu guards all but what
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
	at     time.Time // by the wall clock, which is what people compare with
	cell   *cell
	calls  uint64
	counts Counts
	uses   []abi.Use
	fault  string
}

const journalExt = ".journal"

func journalName(epoch uint64) string { return fmt.Sprintf("%016x%s", epoch, journalExt) }

// closes returns the hour before which the epoch's cells will not grow any more.
// Callers hold writer.mu, and floor is not in the future of writer.floor.
func (e *epoch) closes(floor time.Time) time.Time {
	for i := range e.pending {
		if h := e.pending[i].cell.Hour; h.Before(floor) {
			floor = h
		}
	}
	return floor
}

package metering

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/agora-host/agora/metering/journal"
)

// writer journals what is used, and counts what is durable: each record into the epoch that is
// current, and those of one invocation that has checkpoints into one. It holds the epochs that are
// not in the store for good.
type writer struct {
	log  *slog.Logger
	wall func() time.Time // the wall clock

	down  atomic.Pointer[failure]         // nil while usage can be journaled
	front atomic.Pointer[journal.Journal] // that of current

	mu      sync.Mutex // guards all below, and epochs
	clock   clock
	floor   time.Time // the first hour that is open on this node
	current *epoch
	earlier []*epoch // complete or becoming so, and not yet in the store for good
	last    uint64   // the largest epoch's number
	closed  bool
	buf     []byte
}

// failure is why usage cannot be journaled, and since when.
type failure struct {
	since time.Time
	err   error
}

var errMeterClosed = errors.New("the meter is closed")

// locked runs f with mu held, and gives it back also if f panics.
func (w *writer) locked(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// use has an epoch written from now on. The one before is earlier now. Callers hold mu.
func (w *writer) use(e *epoch) {
	if w.current != nil {
		w.earlier = append(w.earlier, w.current)
	}
	w.current = e
	w.front.Store(e.journal)
}

// all are the epochs, oldest first. Callers hold mu.
func (w *writer) all() []*epoch {
	return append(w.earlier[:len(w.earlier):len(w.earlier)], w.current)
}

// ready returns nil while usage can be journaled, and else why it cannot.
func (w *writer) ready() error {
	if f := w.down.Load(); f != nil {
		return fmt.Errorf("%w since %s: %w", ErrUnmetered, f.since.UTC().Format(time.RFC3339), f.err)
	}
	if since := w.front.Load().Syncing(); since > patience {
		return fmt.Errorf("%w: the disk has been writing the journal for %s", ErrUnmetered, since.Round(time.Second))
	}
	return nil
}

// append journals into an epoch, or for nil into the current one.
func (w *writer) append(e *epoch, k kind, v *Invocation) error {
	e, batch, err := w.enter(e, k, v)
	if err == nil {
		err = batch.Wait()
	}
	if err != nil {
		w.failed(e)
		return fmt.Errorf("%w: %w", ErrUnmetered, err)
	}
	return nil
}

// enter puts a record into the epoch that it belongs to, which it answers, if there is one.
func (w *writer) enter(e *epoch, k kind, v *Invocation) (*epoch, *journal.Batch, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch f := w.down.Load(); {
	case w.closed:
		return nil, nil, errMeterClosed
	case e == nil && f != nil:
		return nil, nil, f.err
	case e == nil:
		e = w.current
	}
	batch, err := w.put(e, k, v)
	return e, batch, err
}

// put journals a record and sees that it is counted once it is durable, which it
// is when the batch says so. Callers hold mu.
func (w *writer) put(e *epoch, k kind, v *Invocation) (*journal.Batch, error) {
	at := w.clock.now()
	if at.Before(w.floor) {
		at = w.floor // the hours before are closed
	}
	c := e.cells.at(hourOf(at), &v.Tags)
	v.Uses = c.admit(v.Uses)
	var err error
	if w.buf, err = appendRecord(w.buf[:0], k, at, v); err != nil {
		return nil, err
	}
	d := journal.Power
	if v.Durability == DurabilityProcess {
		d = journal.Process
	}
	seq, batch, err := e.journal.Append(d, w.buf)
	e.last = later(e.last, at)
	if err != nil || k == kindCheckpoint {
		return batch, err
	}
	var calls uint64
	if k == kindInvocation {
		calls = 1
	}
	if batch == nil {
		c.add(w.wall(), calls, v)
	} else {
		e.pending = append(e.pending, pending{seq, w.wall(), c, calls, v.Counts, v.Uses, v.Fault})
	}
	return batch, nil
}

// commit counts what became durable: never before, so that what is flushed is in
// the journal, and before anybody learns of it, so that it is in the next report.
func (w *writer) commit(e *epoch, seq uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for n < len(e.pending) && e.pending[n].seq <= seq {
		p := &e.pending[n]
		p.cell.add(p.at, p.calls, &Invocation{Counts: p.counts, Uses: p.uses, Fault: p.fault})
		n++
	}
	left := copy(e.pending, e.pending[n:])
	clear(e.pending[left:])
	e.pending = e.pending[:left]
}

// failed notes that an epoch's journal took a record not, or not for certain. If
// it is the one that is written, nothing is metered until Heal.
func (w *writer) failed(e *epoch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var err error
	if e != nil && e.journal != nil {
		err = e.journal.Err()
	}
	if err == nil || w.closed {
		return // the record was at fault, not the journal
	}
	e.broken = true
	if e == w.current && w.down.Load() == nil {
		w.down.Store(&failure{since: w.wall(), err: err})
		w.log.Error("usage cannot be journaled: apps are not served until it can", "journal", e.name, "err", err)
	}
}

// epochState is what an epoch is at one moment.
type epochState struct {
	complete, broken bool
	until            time.Time
	changed          []Cell
	versions         map[Key]uint64
}

// stateOf copies out what an epoch is now.
func (w *writer) stateOf(e *epoch, floor time.Time) epochState {
	w.mu.Lock()
	defer w.mu.Unlock()
	return epochState{
		complete: e != w.current && e.running == 0 && (e.broken || len(e.pending) == 0),
		broken:   e.broken, until: e.closes(floor),
		changed: e.cells.timed(e.cells.list(e.node, e.number, true)), versions: e.cells.versions(),
	}
}

// moment is an epoch whose journal is written, as it is at one moment.
type moment struct {
	e    *epoch
	last uint64
	held []Cell
	wait map[uint64]bool
}

// moments copies out the epochs whose journals are written.
func (w *writer) moments() []moment {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []moment
	for _, e := range w.all() {
		if e.broken || e.journal == nil || e.node == "" {
			continue // read again, or put away, at the next flush
		}
		now := moment{e: e, last: e.journal.Last(), held: e.cells.list(e.node, e.number, false), wait: map[uint64]bool{}}
		for _, p := range e.pending {
			now.wait[p.seq] = true
		}
		all = append(all, now)
	}
	return all
}

// live copies out the cells that are not in the store for good.
func (w *writer) live() (all []Cell) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.all() {
		all = append(all, e.cells.list(e.node, e.number, false)...)
	}
	return all
}

// least is the smallest number that a new epoch may have.
func (w *writer) least() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return max(w.last+1, uint64(max(0, w.wall().UnixMicro())))
}

// numbered notes that an epoch has a number.
func (w *writer) numbered(n uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = max(w.last, n)
}

// open closes the hours that are over, and returns the first that is open.
func (w *writer) open() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.floor = later(w.floor, hourOf(w.clock.now()))
	return w.floor
}

// due reports whether a new epoch is to begin: the journal has grown to size, or the wall clock
// was set, and by how much.
func (w *writer) due(size int64) (by time.Duration, jumped, due bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	by = w.clock.skew(w.wall())
	jumped = by.Abs() > maxSkew
	return by, jumped, !w.closed && w.down.Load() == nil && (jumped || w.current.journal.Size() >= size)
}

// flushed notes that an epoch's cells are in the store as they were.
func (w *writer) flushed(e *epoch, was epochState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e.cells.flushed(was.changed, was.versions)
	e.until = was.until
	e.cells.forget(was.until)
}

// retired forgets an epoch that is in the store for good.
func (w *writer) retired(e *epoch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.earlier = slices.DeleteFunc(w.earlier, func(o *epoch) bool { return o == e })
}

// close lets nothing be written any more. It returns the epoch that was, and false if it was closed
// before.
func (w *writer) close() (e *epoch, first bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	first = !w.closed
	w.closed = true
	return w.current, first
}

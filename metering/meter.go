package metering

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/agora-host/agora/internal/calm"
	"github.com/agora-host/agora/internal/failpoint"
	"github.com/agora-host/agora/metering/journal"
)

const (
	flushEvery     = 10 * time.Second
	healEvery      = time.Second
	reconcileEvery = 24 * time.Hour
	maxJournal     = 64 << 20
	patience       = 5 * time.Second // with a disk that syncs
)

// Options are what a Meter needs. All are required but those with a default.
type Options struct {
	FS    journal.FS // where the journals are
	Node  string     // the node's id: 32 hexadecimal digits
	Store Store
	Log   *slog.Logger
	// Now is the wall clock, Elapsed a clock that is never set. Default: the system's.
	Now     func() time.Time
	Elapsed func() time.Duration
	// FlushEvery is how often Run flushes. Default 10 s.
	FlushEvery time.Duration
	// JournalSize is how many bytes a journal has before the next begins. Default
	// 64 MiB.
	JournalSize int64
	// Keep is how long journals are kept, compressed, for reconciliation and
	// disputes, and KeepBytes how many bytes of them. Default seven days and 1 GiB.
	Keep      time.Duration
	KeepBytes int64
	// Watch recovers panics of the meter's own goroutines. Default: none is counted.
	Watch *calm.Watch
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Elapsed == nil {
		start := time.Now()
		o.Elapsed = func() time.Duration { return time.Since(start) }
	}
	if o.FlushEvery == 0 {
		o.FlushEvery = flushEvery
	}
	if o.JournalSize == 0 {
		o.JournalSize = maxJournal
	}
	if o.Keep == 0 {
		o.Keep = 7 * 24 * time.Hour
	}
	if o.KeepBytes == 0 {
		o.KeepBytes = 1 << 30
	}
	return o
}

// Meter counts what is used. Record journals, then counts; Flush brings the
// counts to the store; Open recovers what an earlier process did not flush.
//
// A journal belongs to one epoch. Once the epoch's cells are in the store for
// good, it is compressed and kept for a while.
type Meter struct {
	o    Options
	log  *slog.Logger
	lock io.Closer

	down  atomic.Pointer[failure]         // nil while usage can be journaled
	front atomic.Pointer[journal.Journal] // that of current

	aside      sync.Map                       // by file that was set aside: []abi.Finding
	reconciled atomic.Pointer[Reconciliation] // the last one; nil before

	flushing sync.Mutex // held by whoever flushes, heals or reconciles; guards sealed
	sealed   time.Time  // the first hour that is open

	mu      sync.Mutex // guards all below
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

// Open takes the journal directory, reads the journals of earlier processes and
// begins a new epoch. What was read is in reports at once, and in the store with
// the first flush.
func Open(ctx context.Context, o Options) (*Meter, error) {
	o = o.withDefaults()
	lock, err := o.FS.Lock()
	if err != nil {
		return nil, err
	}
	m := &Meter{o: o, log: o.Log.With("component", "meter"), lock: lock, clock: newClock(o.Now(), o.Elapsed)}
	if err := m.open(ctx); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return m, nil
}

func (m *Meter) open(ctx context.Context) error {
	var err error
	if m.sealed, err = m.o.Store.Seal(ctx, time.Time{}); err != nil {
		return fmt.Errorf("read which hours are sealed: %w", err)
	}
	m.floor = m.sealed
	if err := m.recoverAll(); err != nil {
		return err
	}
	// The new journal is there before an old one goes: numbers never go back.
	next, err := m.beginEpoch(ctx)
	if err != nil {
		return err
	}
	m.use(next)
	if err := m.endUnknown(ctx); err != nil {
		return errors.Join(err, m.current.journal.Abandon())
	}
	return nil
}

// use makes an epoch the one that is written. Callers hold mu, or are the only
// ones.
func (m *Meter) use(e *epoch) {
	m.current = e
	m.front.Store(e.journal)
}

// beginEpoch makes the next epoch. Its number exceeds what the store has given
// out, every journal found, and the clock: whichever of them is lost, no number
// is used twice.
func (m *Meter) beginEpoch(ctx context.Context) (*epoch, error) {
	var least uint64
	m.locked(func() { least = max(m.last+1, uint64(max(0, m.o.Now().UnixMicro()))) })
	number, err := m.o.Store.BeginEpoch(ctx, m.o.Node, least)
	if err != nil {
		return nil, fmt.Errorf("begin an epoch: %w", err)
	}
	failpoint.Hit("epoch-begun")
	m.locked(func() { m.last = max(m.last, number) })
	e := &epoch{number: number, node: m.o.Node, name: journalName(number), cells: newCells()}
	e.journal, err = journal.Create(m.o.FS, e.name, journal.Header{Node: e.node, Epoch: number}, m.o.Watch, func(seq uint64) { m.commit(e, seq) })
	if err != nil {
		return nil, err
	}
	// From here on the store knows that there is a journal, and its loss is told.
	m.locked(func() {
		m.floor = later(m.floor, hourOf(m.clock.now()))
		e.until = m.floor
	})
	if err := m.o.Store.Merge(ctx, Flush{Node: e.node, Epoch: number, Until: e.until}); err != nil {
		return nil, errors.Join(fmt.Errorf("begin an epoch: %w", err), e.journal.Abandon(), m.o.FS.Remove(e.name))
	}
	return e, nil
}

// Record journals an invocation that ended, and counts it. When it returns nil,
// the call is as durable as it asked to be, and is counted. When it fails, it is
// not counted, and the caller must not give the work away. It may rename subjects
// of uses for want of room.
func (m *Meter) Record(v *Invocation) error { return m.append(nil, kindInvocation, v) }

// Standing journals and counts usage that no invocation caused, such as what is
// stored.
func (m *Meter) Standing(v *Invocation) error { return m.append(nil, kindStanding, v) }

// append journals into an epoch, or for nil into the current one.
func (m *Meter) append(e *epoch, k kind, v *Invocation) error {
	e, batch, err := m.enter(e, k, v)
	if err == nil {
		err = batch.Wait()
	}
	if err != nil {
		m.failed(e)
		return fmt.Errorf("%w: %w", ErrUnmetered, err)
	}
	return nil
}

// enter puts a record into the epoch that it belongs to, which it answers, if there is one.
func (m *Meter) enter(e *epoch, k kind, v *Invocation) (*epoch, *journal.Batch, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch f := m.down.Load(); {
	case m.closed:
		return nil, nil, errMeterClosed
	case e == nil && f != nil:
		return nil, nil, f.err
	case e == nil:
		e = m.current
	}
	batch, err := m.put(e, k, v)
	return e, batch, err
}

var errMeterClosed = errors.New("the meter is closed")

// locked runs f with mu held, and gives it back also if f panics.
func (m *Meter) locked(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// Ready answers nil while usage can be journaled, and else why it cannot. A disk
// that hangs cannot be given up, since what it has taken may yet be durable: who
// waits for it waits, and nobody else begins.
func (m *Meter) Ready() error {
	if f := m.down.Load(); f != nil {
		return fmt.Errorf("%w since %s: %w", ErrUnmetered, f.since.UTC().Format(time.RFC3339), f.err)
	}
	if since := m.front.Load().Syncing(); since > patience {
		return fmt.Errorf("%w: the disk has been writing the journal for %s", ErrUnmetered, since.Round(time.Second))
	}
	return nil
}

// Run flushes, heals and reconciles until ctx ends. A flush that fails is tried
// again at the next turn: until then the journal has it all.
func (m *Meter) Run(ctx context.Context) {
	flush, heal, reconcile := time.NewTicker(m.o.FlushEvery), time.NewTicker(healEvery), time.NewTicker(reconcileEvery)
	defer flush.Stop()
	defer heal.Stop()
	defer reconcile.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-heal.C:
			if m.down.Load() != nil {
				err = m.Heal(ctx)
			}
		case <-flush.C:
			err = m.Flush(ctx)
		case <-reconcile.C:
			_, err = m.Reconcile(ctx)
		}
		if err != nil && ctx.Err() == nil {
			m.log.Error("usage stays in the journal until disk and store take it", "err", err)
		}
	}
}

// Close flushes and closes. What it cannot flush stays in the journal, and is
// recovered at the next Open. It may be called again.
func (m *Meter) Close(ctx context.Context) error {
	var was bool
	var e *epoch
	m.locked(func() { was, m.closed, e = m.closed, true, m.current })
	if was {
		return nil
	}
	err := m.Flush(ctx)
	m.flushing.Lock()
	defer m.flushing.Unlock()
	if m.down.Load() == nil {
		err = errors.Join(err, e.journal.Close())
	} else {
		err = errors.Join(err, e.journal.Abandon())
	}
	return errors.Join(err, m.lock.Close())
}

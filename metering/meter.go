package metering

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
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
	o       Options
	log     *slog.Logger
	lock    io.Closer
	writer  *writer
	archive *archive
	auditor *auditor

	flushing sync.Mutex // held by whoever flushes, heals or reconciles; guards sealed
	sealed   time.Time  // the first hour that is open
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
	log := o.Log.With("component", "meter")
	w := &writer{log: log, wall: o.Now, clock: newClock(o.Now(), o.Elapsed)}
	m := &Meter{
		o: o, log: log, lock: lock, writer: w,
		archive: &archive{fs: o.FS, watch: o.Watch, now: o.Now, keep: o.Keep, most: o.KeepBytes},
		auditor: &auditor{o: o, log: log, writer: w},
	}
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
	said := recovery{archive: m.archive, node: m.o.Node, log: m.log}
	if err := said.all(); err != nil {
		return err
	}
	m.writer.locked(func() { m.writer.floor, m.writer.earlier, m.writer.last = m.sealed, said.earlier, said.last })
	// The new journal is there before an old one goes: numbers never go back.
	next, err := m.beginEpoch(ctx)
	if err != nil {
		return err
	}
	m.writer.locked(func() { m.writer.use(next) })
	if err := m.endUnknown(ctx); err != nil {
		return errors.Join(err, next.journal.Abandon())
	}
	// What a killed process did not flush is in the store before anything asks what is not.
	for _, e := range said.earlier {
		if err := m.settle(ctx, e); err != nil {
			m.log.Error("usage stays in the journal until the store takes it", "err", err)
		}
	}
	return nil
}

// beginEpoch makes the next epoch. Its number exceeds what the store has given
// out, every journal found, and the clock: whichever of them is lost, no number
// is used twice.
func (m *Meter) beginEpoch(ctx context.Context) (*epoch, error) {
	number, err := m.o.Store.BeginEpoch(ctx, m.o.Node, m.writer.least())
	if err != nil {
		return nil, fmt.Errorf("begin an epoch: %w", err)
	}
	failpoint.Hit("epoch-begun")
	m.writer.numbered(number)
	e := &epoch{number: number, node: m.o.Node, name: journalName(number), cells: newCells()}
	e.journal, err = journal.Create(m.o.FS, e.name, journal.Header{Node: e.node, Epoch: number}, m.o.Watch, func(seq uint64) { m.writer.commit(e, seq) })
	if err != nil {
		return nil, err
	}
	// From here on the store knows that there is a journal, and its loss is told.
	e.until = m.writer.open()
	if err := m.o.Store.Merge(ctx, Flush{Node: e.node, Epoch: number, Until: e.until}); err != nil {
		return nil, errors.Join(fmt.Errorf("begin an epoch: %w", err), e.journal.Abandon(), m.o.FS.Remove(e.name))
	}
	return e, nil
}

// Record journals an invocation that ended, and counts it. When it returns nil,
// the call is as durable as it asked to be, and is counted. When it fails, it is
// not counted, and the caller must not give the work away. It may rename subjects
// of uses for want of room.
func (m *Meter) Record(v *Invocation) error { return m.writer.append(nil, kindInvocation, v) }

// Standing journals and counts usage that no invocation caused, such as what is
// stored.
func (m *Meter) Standing(v *Invocation) error { return m.writer.append(nil, kindStanding, v) }

// Ready returns nil while usage can be journaled, and else why it cannot. A disk
// that hangs cannot be given up, since what it has taken may yet be durable: who
// waits for it waits, and no other begins.
func (m *Meter) Ready() error { return m.writer.ready() }

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
			if m.writer.down.Load() != nil {
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
	e, first := m.writer.close()
	if !first {
		return nil
	}
	err := m.Flush(ctx)
	m.flushing.Lock()
	defer m.flushing.Unlock()
	if m.writer.down.Load() == nil {
		err = errors.Join(err, e.journal.Close())
	} else {
		err = errors.Join(err, e.journal.Abandon())
	}
	return errors.Join(err, m.lock.Close())
}

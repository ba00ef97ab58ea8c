package metering

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	flushEvery = 10 * time.Second
	maxJournal = 64 << 20
	journalExt = ".journal"
	damagedExt = ".damaged"
)

// Meter counts what is used. Record journals, then counts; Flush brings the
// counts to the store; Open replays what an earlier process did not flush.
//
// A journal belongs to one epoch, and is deleted once the epoch's cells are in
// the store for good. Journals are written, not synced: they outlive the
// process, not the machine.
type Meter struct {
	dir   string
	store Store
	now   func() time.Time
	log   *slog.Logger
	limit int64 // bytes of a journal before the next begins

	flushing sync.Mutex // held by the one flush that runs

	mu      sync.Mutex // guards all below
	current *epoch
	retired []*epoch // complete, and not yet known to be in the store
	closed  bool
	buf     []byte
}

// epoch is one journal and what it adds up to.
type epoch struct {
	number uint64
	path   string
	file   *os.File
	size   int64
	cells  cells
}

// Open opens or makes the journal directory, brings the usage of earlier
// processes to the store and begins a new epoch. now is the clock of epochs.
func Open(dir string, store Store, now func() time.Time, log *slog.Logger) (*Meter, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	m := &Meter{dir: dir, store: store, now: now, log: log.With("component", "meter"), limit: maxJournal}
	names, err := filepath.Glob(filepath.Join(dir, "*"+journalExt))
	if err != nil {
		return nil, err
	}
	// Numbers grow with the clock and beyond every journal that is there, so
	// that an epoch is never used twice, even if the directory was deleted.
	next := uint64(now().UnixMicro())
	var earlier []*epoch
	for _, path := range names {
		e, err := m.recover(path)
		if err != nil {
			return nil, err
		}
		if e == nil {
			continue
		}
		earlier = append(earlier, e)
		next = max(next, e.number+1)
	}
	// The new journal is there before an old one goes: numbers never go back.
	if m.current, err = newEpoch(dir, next); err != nil {
		return nil, err
	}
	for _, e := range earlier {
		if err := m.retire(context.Background(), e); err != nil {
			return nil, errors.Join(err, m.current.file.Close())
		}
	}
	return m, nil
}

// recover reads the journal of an earlier process. A torn end is what a killed
// process leaves and means nothing; a journal that is damaged is counted as far
// as it can be read, and kept beside, for somebody to look at.
func (m *Meter) recover(path string) (*epoch, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	number, cells, err := replay(f)
	switch {
	case err == nil, errors.Is(err, errTorn):
	case errors.Is(err, errDamaged):
		m.log.Error("a usage journal is damaged: counted up to there, and kept", "journal", path+damagedExt, "err", err)
		if err := copyFile(path, path+damagedExt); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if number == 0 { // not even a header: nothing was counted in it
		return nil, os.Remove(path)
	}
	return &epoch{number: number, path: path, cells: cells}, nil
}

func copyFile(from, to string) error {
	raw, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, raw, 0o600)
}

func newEpoch(dir string, number uint64) (*epoch, error) {
	e := &epoch{number: number, path: filepath.Join(dir, fmt.Sprintf("%016x%s", number, journalExt)), cells: newCells()}
	var err error
	if e.file, err = os.OpenFile(e.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return nil, fmt.Errorf("begin a journal: %w", err)
	}
	n, err := e.file.Write(appendHeader(nil, number))
	e.size = int64(n)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("begin a journal: %w", err), e.file.Close(), os.Remove(e.path))
	}
	return e, nil
}

// retire brings a complete epoch to the store for good and deletes its journal.
// Doing it again changes nothing.
func (m *Meter) retire(ctx context.Context, e *epoch) error {
	if err := m.store.MergeCells(ctx, e.cells.list(e.number)); err != nil {
		return fmt.Errorf("store the usage of an epoch: %w", err)
	}
	if err := os.Remove(e.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Record journals an invocation and counts it. When it returns nil, a kill of
// the process no longer loses it. When it fails, nothing was counted, and the
// caller must not give the work away.
func (m *Meter) Record(v Invocation) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return fmt.Errorf("%w: the meter is closed", ErrUnmetered)
	}
	var err error
	if m.buf, err = appendRecord(m.buf[:0], &v); err != nil {
		return fmt.Errorf("%w: %w", ErrUnmetered, err)
	}
	e := m.current
	n, err := e.file.Write(m.buf)
	if err != nil {
		// Half a record in the middle would hide all that follow.
		if n > 0 {
			if cut := e.file.Truncate(e.size); cut != nil {
				m.closed = true
				err = errors.Join(err, cut)
			}
		}
		return fmt.Errorf("%w: %w", ErrUnmetered, err)
	}
	e.size += int64(n)
	e.cells.add(&v)
	return nil
}

// Flush brings all counts to the store. A flush that is repeated, or whose
// answer is lost, changes nothing.
func (m *Meter) Flush(ctx context.Context) error {
	m.flushing.Lock()
	defer m.flushing.Unlock()
	if err := m.rotate(); err != nil {
		return err
	}
	m.mu.Lock()
	retired := slices.Clone(m.retired)
	number, live := m.current.number, m.current.cells.list(m.current.number)
	m.mu.Unlock()
	for _, e := range retired {
		if err := m.retire(ctx, e); err != nil {
			return err
		}
		m.mu.Lock()
		m.retired = slices.DeleteFunc(m.retired, func(o *epoch) bool { return o == e })
		m.mu.Unlock()
	}
	if err := m.store.MergeCells(ctx, live); err != nil {
		return fmt.Errorf("store the usage of epoch %d: %w", number, err)
	}
	return nil
}

// rotate begins a new epoch when the journal has grown large.
func (m *Meter) rotate() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.current.size < m.limit || m.closed {
		return nil
	}
	next, err := newEpoch(m.dir, max(m.current.number+1, uint64(m.now().UnixMicro())))
	if err != nil {
		return err
	}
	m.retired = append(m.retired, m.current)
	if err := m.current.file.Close(); err != nil {
		m.log.Warn("close a journal", "err", err)
	}
	m.current = next
	return nil
}

// Run flushes until ctx ends. A flush that fails is tried again at the next
// turn: until then the journal has it all.
func (m *Meter) Run(ctx context.Context) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := m.Flush(ctx); err != nil && ctx.Err() == nil {
				m.log.Error("usage stays in the journal until the store takes it", "err", err)
			}
		}
	}
}

// Close flushes and closes. What it cannot flush stays in the journal, and is
// replayed at the next Open. It may be called again.
func (m *Meter) Close(ctx context.Context) error {
	m.mu.Lock()
	was := m.closed
	m.closed = true
	m.mu.Unlock()
	if was {
		return nil
	}
	err := m.Flush(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	return errors.Join(err, m.current.file.Close())
}

// Damaged lists the journals that were found damaged and kept.
func (m *Meter) Damaged() ([]string, error) {
	entries, err := os.ReadDir(m.dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), damagedExt) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

package metering

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/agora-host/agora/metering/journal"
)

// Reconciliation is the proof that nothing was counted twice or lost: the
// journals that are still there say what the cells say, and the cells what the
// sealed hours and their adjustments say.
type Reconciliation struct {
	At       time.Time   `json:"at"`
	Epochs   int         `json:"epochs"`   // whose journals were read
	Journals Usage       `json:"journals"` // what they say, in sum
	Cells    Usage       `json:"cells"`    // what the cells of these epochs say
	Balance  Balance     `json:"balance"`  // of all cells, however old
	Differ   []EpochDiff `json:"differ,omitempty"`
}

// EpochDiff is an epoch whose cells are not its journal's.
type EpochDiff struct {
	Node    string `json:"node"`
	Epoch   uint64 `json:"epoch"`
	Journal Usage  `json:"journal"`
	Cells   Usage  `json:"cells"`
}

// Holds tells that all sums agree.
func (r Reconciliation) Holds() bool { return len(r.Differ) == 0 && len(r.Balance.Differ) == 0 }

// Reconcile flushes, reads every journal that is kept, and compares. It takes
// about a second for each 100 MB, holds up no call, and other flushes until it is
// done.
func (m *Meter) Reconcile(ctx context.Context) (Reconciliation, error) {
	m.flushing.Lock()
	defer m.flushing.Unlock()
	if err := m.flush(ctx); err != nil {
		m.log.Warn("reconcile without what could not be flushed", "err", err)
	}
	r := Reconciliation{At: m.o.Now().UTC()}
	files, err := m.o.FS.List()
	if err != nil {
		return r, fmt.Errorf("list the journals: %w", err)
	}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return r, err
		}
		if strings.HasSuffix(f.Name, keptExt) || strings.HasSuffix(f.Name, journalExt+damagedExt) {
			if err := m.reconcileKept(ctx, f.Name, &r); err != nil {
				return r, err
			}
		}
	}
	if err := m.reconcileLive(ctx, &r); err != nil {
		return r, err
	}
	if r.Balance, err = m.o.Store.Balance(ctx); err != nil {
		return r, fmt.Errorf("balance the hours: %w", err)
	}
	m.reconciled.Store(&r)
	if !r.Holds() {
		m.log.Error("the books do not balance", "epochs", len(r.Differ), "hours", len(r.Balance.Differ))
	}
	return r, nil
}

func (m *Meter) reconcileKept(ctx context.Context, name string, r *Reconciliation) error {
	f, err := m.o.FS.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	var raw io.Reader = f
	if strings.HasSuffix(name, keptExt) {
		if raw, err = gzip.NewReader(f); err != nil {
			return m.unreadable(name, err)
		}
	}
	found, err := replay(raw, nil)
	if errors.Is(err, journal.ErrNotJournal) || found.earlier {
		return nil // never counted, or before epochs could be compared
	}
	if err != nil {
		return m.unreadable(name, err)
	}
	stored, err := m.o.Store.Cells(ctx, found.node, found.epoch)
	if err != nil {
		return fmt.Errorf("read the cells of epoch %d: %w", found.epoch, err)
	}
	r.compare(found, stored)
	return nil
}

// unreadable: the books are not proven wrong by a proof that is damaged.
func (m *Meter) unreadable(name string, err error) error {
	m.log.Error("a kept journal cannot be read: it proves nothing any more", "journal", name, "err", err)
	return nil
}

// reconcileLive compares the journals that are written, as of one moment.
func (m *Meter) reconcileLive(ctx context.Context, r *Reconciliation) error {
	m.mu.Lock()
	type moment struct {
		e    *epoch
		last uint64
		held []Cell
		wait map[uint64]bool
	}
	var all []moment
	for _, e := range append(m.earlier[:len(m.earlier):len(m.earlier)], m.current) {
		if e.broken || e.journal == nil || e.node == "" {
			continue // read again, or put away, at the next flush
		}
		now := moment{e: e, last: e.journal.Last(), held: e.cells.list(e.node, e.number, false), wait: map[uint64]bool{}}
		for _, p := range e.pending {
			now.wait[p.seq] = true
		}
		all = append(all, now)
	}
	m.mu.Unlock()
	for _, now := range all {
		f, err := m.o.FS.Open(now.e.name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		found, err := replay(f, func(seq uint64) bool { return seq <= now.last && !now.wait[seq] })
		if err = errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("read %s: %w", now.e.name, err)
		}
		stored, err := m.o.Store.Cells(ctx, now.e.node, now.e.number)
		if err != nil {
			return fmt.Errorf("read the cells of epoch %d: %w", now.e.number, err)
		}
		r.compare(found, overlay(stored, now.held))
	}
	return nil
}

// overlay takes cells from memory where they are there, and else as stored.
func overlay(stored, held []Cell) []Cell {
	newer := make(map[Key]bool, len(held))
	for _, c := range held {
		newer[c.Key] = true
	}
	for _, c := range stored {
		if !newer[c.Key] {
			held = append(held, c)
		}
	}
	return held
}

// compare adds an epoch, cell by cell.
func (r *Reconciliation) compare(found reading, stored []Cell) {
	r.Epochs++
	said := found.cells.total()
	var counted Usage
	same := true
	seen := 0
	for _, c := range stored {
		if c.Usage.IsZero() {
			continue
		}
		counted = counted.Add(c.Usage)
		seen++
		want := found.cells.m[c.Key]
		same = same && want != nil && want.Equal(c.Usage)
	}
	for _, c := range found.cells.m {
		if !c.IsZero() {
			seen--
		}
	}
	r.Journals, r.Cells = r.Journals.Add(said), r.Cells.Add(counted)
	if !same || seen != 0 {
		r.Differ = append(r.Differ, EpochDiff{Node: found.node, Epoch: found.epoch, Journal: said, Cells: counted})
	}
}

package metering

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/agora-host/agora/abi"
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
	// Damage is what is wrong with the journals that were read.
	Damage []abi.Finding `json:"damage,omitempty"`
}

// EpochDiff is an epoch whose cells are not its journal's.
type EpochDiff struct {
	File    string `json:"file"` // the journal
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
	return m.auditor.reconcile(ctx)
}

// auditor compares the journals with the store, and remembers what it found.
type auditor struct {
	o      Options
	log    *slog.Logger
	writer *writer

	aside sync.Map                       // by file that was set aside: []abi.Finding
	last  atomic.Pointer[Reconciliation] // nil before the first
}

func (b *auditor) reconcile(ctx context.Context) (Reconciliation, error) {
	r := Reconciliation{At: b.o.Now().UTC()}
	files, err := b.o.FS.List()
	if err != nil {
		return r, fmt.Errorf("list the journals: %w", err)
	}
	accounts, err := newAccounts(ctx, b.o, false)
	if err != nil {
		return r, err
	}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return r, err
		}
		if !isJournal(f.Name) || strings.HasSuffix(f.Name, journalExt) {
			continue
		}
		a, err := accounts.of(ctx, f.Name)
		if err != nil {
			return r, err
		}
		r.add(a)
	}
	if err := b.live(ctx, &r); err != nil {
		return r, err
	}
	if r.Balance, err = b.o.Store.Balance(ctx); err != nil {
		return r, fmt.Errorf("balance the hours: %w", err)
	}
	b.last.Store(&r)
	if !r.Holds() {
		b.log.Error("the books do not balance", "epochs", len(r.Differ), "hours", len(r.Balance.Differ))
	}
	return r, nil
}

// accountOf reads what a journal said by a moment.
func (b *auditor) accountOf(now moment) (account, error) {
	f, err := b.o.FS.Open(now.e.name)
	if err != nil {
		return account{}, err
	}
	defer f.Close()
	a := account{name: now.e.name, node: b.o.Node, asked: true}
	a.said, a.err = replay(f, func(seq uint64) bool { return seq <= now.last && !now.wait[seq] })
	a.state = a.said.condition(a.err, now.e.node)
	return a, readable(a)
}

// live compares the journals that are written, as of one moment.
func (b *auditor) live(ctx context.Context, r *Reconciliation) error {
	for _, now := range b.writer.moments() {
		a, err := b.accountOf(now)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", now.e.name, err)
		}
		stored, err := b.o.Store.Cells(ctx, now.e.node, now.e.number)
		if err != nil {
			return fmt.Errorf("read the cells of epoch %d: %w", now.e.number, err)
		}
		a.stored = overlay(stored, now.held)
		r.add(a)
	}
	return nil
}

// readable is nil unless the disk failed.
func readable(a account) error {
	if a.state == unreadable {
		return a.err
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

// add compares an epoch, cell by cell.
func (r *Reconciliation) add(a account) {
	if a.state != foreign && !a.said.earlier && a.asked && a.said.epoch != 0 {
		r.Epochs++
		r.Journals, r.Cells = r.Journals.Add(a.said.cells.total()), r.Cells.Add(a.billed())
	}
	// What is written while it is read may end in anything.
	if allStored, allSaid := a.compare(); a.inUse() && !a.stays && a.said.epoch != 0 && allStored && allSaid {
		return
	}
	if !a.agrees() {
		r.Differ = append(r.Differ, EpochDiff{File: a.name, Node: a.said.node, Epoch: a.said.epoch, Journal: a.said.cells.total(), Cells: a.billed()})
	}
	r.Damage = append(r.Damage, a.damage()...)
}

package metering

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/agora-host/agora/metering/journal"
)

const (
	damagedExt = ".damaged" // counted up to the damage, and kept
	foreignExt = ".foreign" // another node's, and not counted
)

// reading is what a journal says.
type reading struct {
	node     string
	epoch    uint64
	earlier  bool // in a form before there were nodes
	tail     journal.Tail
	cells    cells
	unproven Usage     // of whole records behind something that is not whole
	last     time.Time // of its records
}

// read reads a journal by name. A journal that never got a header is
// journal.ErrNoHeader, what is none at all journal.ErrNotJournal.
func (m *Meter) read(name string) (reading, error) {
	f, err := m.o.FS.Open(name)
	if err != nil {
		return reading{}, err
	}
	defer f.Close()
	return replay(f, nil)
}

// replay folds a journal into cells. Where it ends, so did the invocations that
// run: they are billed their last checkpoint. only, if not nil, says which
// records count, and that those still run.
func replay(from io.Reader, only func(seq uint64) bool) (reading, error) {
	br := bufio.NewReaderSize(from, 1<<17)
	r := reading{cells: newCells()}
	if isEarlier(br) {
		var err error
		r.earlier = true
		r.epoch, r.cells, err = replayEarlier(br)
		r.tail.Torn, r.tail.Damaged = err != nil, errors.Is(err, errDamaged)
		switch {
		case r.epoch == 0 && r.tail.Damaged:
			return r, fmt.Errorf("%w: %w", journal.ErrNotJournal, err)
		case r.epoch == 0:
			return r, journal.ErrNoHeader
		case err != nil && !errors.Is(err, errTorn) && !r.tail.Damaged:
			return r, err
		}
		return r, nil
	}
	var f fold
	count := func(e Entry) error {
		r.last = later(r.last, e.At)
		switch {
		case e.Kind == EntryRunning:
		case !e.Proven:
			r.unproven = r.unproven.Add(e.usage())
		default:
			r.cells.at(hourOf(e.At), &e.Tags).add(e.calls(), &e.Invocation)
		}
		return nil
	}
	header, tail, err := journal.Read(br, func(rec journal.Record, proven bool) error {
		if only != nil && !only(rec.Seq) {
			return nil
		}
		return f.add(rec, proven, count)
	})
	if only == nil && err == nil {
		err = f.end(count)
	}
	r.node, r.epoch, r.tail = header.Node, header.Epoch, tail
	return r, err
}

func (e Entry) calls() uint64 {
	if e.Kind == EntryCall {
		return 1
	}
	return 0
}

func (e Entry) usage() Usage {
	var c cell
	c.add(e.calls(), &e.Invocation)
	return c.Usage
}

// recoverAll reads the journals of earlier processes.
func (m *Meter) recoverAll() error {
	files, err := m.o.FS.List()
	if err != nil {
		return fmt.Errorf("list the journals: %w", err)
	}
	for _, f := range files {
		name := f.Name
		switch {
		case strings.HasSuffix(name, tempExt):
			err = m.o.FS.Remove(name)
		case strings.HasSuffix(name, journalExt):
			err = m.recover(name)
		}
		if err != nil {
			return err
		}
		if n, ok := epochOf(name); ok && !strings.HasSuffix(name, foreignExt) {
			m.last = max(m.last, n)
		}
	}
	slices.SortFunc(m.earlier, func(a, b *epoch) int { return strings.Compare(a.name, b.name) })
	return nil
}

// epochOf reads an epoch's number out of a file's name.
func epochOf(name string) (n uint64, ok bool) {
	_, err := fmt.Sscanf(name, "%016x.", &n)
	return n, err == nil
}

// recover reads the journal of an earlier process. A torn end is what a process
// leaves that is killed, and means nothing.
func (m *Meter) recover(name string) error {
	r, err := m.read(name)
	switch {
	case errors.Is(err, journal.ErrNoHeader):
		return m.o.FS.Remove(name)
	case errors.Is(err, journal.ErrNotJournal), errors.Is(err, errDamaged):
		m.log.Error("a usage journal cannot be read, and is kept", "journal", name+damagedExt, "err", err)
		return m.o.FS.Rename(name, name+damagedExt)
	case err != nil:
		return fmt.Errorf("read %s: %w", name, err)
	case !r.earlier && r.node != m.o.Node:
		m.log.Error("a journal of another node is in the directory: it is not counted", "journal", name+foreignExt, "node", r.node)
		return m.o.FS.Rename(name, name+foreignExt)
	}
	if r.tail.Damaged {
		m.log.Error("a usage journal is damaged: counted up to there, and kept", "journal", name+damagedExt, "found", r.tail.String())
	}
	m.last = max(m.last, r.epoch)
	m.earlier = append(m.earlier, &epoch{number: r.epoch, node: r.node, name: name, cells: r.cells, damage: r.tail.Damaged, last: r.last})
	return nil
}

// endUnknown ends this node's epochs whose journals are gone. What such an epoch
// had flushed is billed; that there was more cannot be proven or ruled out.
func (m *Meter) endUnknown(ctx context.Context) error {
	epochs, err := m.o.Store.Epochs(ctx)
	if err != nil {
		return fmt.Errorf("list the epochs: %w", err)
	}
	for _, e := range epochs {
		known := slices.ContainsFunc(append(m.earlier, m.current), func(o *epoch) bool { return o.number == e.Number })
		if e.Node != m.o.Node || e.Ended || known {
			continue
		}
		lost := !e.Until.IsZero() // else nothing was ever flushed: its journal was never made
		if lost {
			m.log.Error("the journal of an epoch is gone: what it had not flushed cannot be proven", "epoch", e.Number)
		}
		if err := m.o.Store.Merge(ctx, Flush{Node: e.Node, Epoch: e.Number, Ended: true, Lost: lost}); err != nil {
			return fmt.Errorf("end epoch %d: %w", e.Number, err)
		}
	}
	return nil
}

package metering

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
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
func (a *archive) read(name string) (reading, error) {
	r := <-a.begin(name)
	return r.reading, r.err
}

type outcome struct {
	reading
	err error
}

// begin reads a journal while the caller does something else. What it says was
// handed to the system, perhaps by a process that was killed before it synced: it
// is made durable first, so that no bill outlives what proves it.
func (a *archive) begin(name string) <-chan outcome {
	done := make(chan outcome, 1)
	var f io.ReadCloser
	err := a.fs.SyncFile(name)
	if err == nil {
		f, err = a.fs.Open(name)
	}
	if err != nil {
		done <- outcome{err: err}
		return done
	}
	var r reading
	a.watch.Job(new(sync.WaitGroup), "journal-replay", func() (err error) {
		r, err = replay(f, nil)
		return err
	}, func(err error) {
		defer f.Close()
		done <- outcome{r, err}
	})
	return done
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
	f := newFold()
	header, tail, err := journal.Read(br, func(rec journal.Record, proven bool) error {
		if only != nil && !only(rec.Seq) {
			return nil
		}
		one, err := f.add(rec, proven)
		if err == nil {
			r.count(one)
		}
		return err
	})
	if only == nil && err == nil {
		err = f.end(func(one *record) error { r.count(one); return nil })
	}
	r.node, r.epoch, r.tail = header.Node, header.Epoch, tail
	return r, err
}

// count adds a record to its cell. The cell is remembered with the names, which
// is where the next record that has them most often belongs.
func (r *reading) count(one *record) {
	r.last = later(r.last, one.at)
	switch {
	case one.kind == kindCheckpoint:
		return
	case !one.proven:
		var c cell
		c.add(one.at, one.calls(), &one.Invocation)
		r.unproven = r.unproven.Add(c.Usage)
		return
	}
	c, hour := one.names.cell, hourOf(one.at)
	if c == nil || c.Release != one.Release || !c.Hour.Equal(hour) {
		c = r.cells.at(hour, &one.Tags)
		one.names.cell = c
	}
	c.add(one.at, one.calls(), &one.Invocation)
}

func (r *record) calls() uint64 {
	if r.kind == kindInvocation {
		return 1
	}
	return 0
}

// recovery is what the journals of earlier processes say.
type recovery struct {
	archive *archive
	node    string
	log     *slog.Logger

	earlier []*epoch // oldest first
	last    uint64   // the largest number that an epoch has had
}

// all reads the journals of earlier processes.
func (r *recovery) all() error {
	files, err := r.archive.fs.List()
	if err != nil {
		return fmt.Errorf("list the journals: %w", err)
	}
	var names []string
	for _, f := range files {
		switch {
		case strings.HasSuffix(f.Name, tempExt):
			if err := r.archive.fs.Remove(f.Name); err != nil {
				return err
			}
		case strings.HasSuffix(f.Name, journalExt):
			names = append(names, f.Name)
		}
		if n, ok := epochOf(f.Name); ok && !strings.HasSuffix(f.Name, foreignExt) {
			r.last = max(r.last, n)
		}
	}
	err = r.each(names)
	slices.SortFunc(r.earlier, func(a, b *epoch) int { return strings.Compare(a.name, b.name) })
	return err
}

// each reads a journal on each processor. They are opened and judged in
// turn, and all that were begun are read when it returns.
func (r *recovery) each(names []string) (err error) {
	var begun []<-chan outcome
	for i := 0; i < len(begun) || err == nil && i < len(names); i++ {
		for err == nil && len(begun) < min(i+runtime.GOMAXPROCS(0), len(names)) {
			begun = append(begun, r.archive.begin(names[len(begun)]))
		}
		if o := <-begun[i]; err == nil {
			err = r.take(names[i], o.reading, o.err)
		}
	}
	return err
}

// epochOf reads an epoch's number out of a file's name.
func epochOf(name string) (n uint64, ok bool) {
	_, err := fmt.Sscanf(name, "%016x.", &n)
	return n, err == nil
}

// take counts what the journal of an earlier process says. A torn end is what a
// process leaves that is killed, and means nothing.
func (r *recovery) take(name string, said reading, err error) error {
	switch said.condition(err, r.node) {
	case headless:
		return r.archive.fs.Remove(name)
	case illegible:
		r.log.Error("a usage journal cannot be read, and is kept", "journal", name+damagedExt, "err", err)
		return r.archive.fs.Rename(name, name+damagedExt)
	case unreadable:
		return fmt.Errorf("read %s: %w", name, err)
	case foreign:
		r.log.Error("a journal of another node is in the directory: it is not counted", "journal", name+foreignExt, "node", said.node)
		return r.archive.fs.Rename(name, name+foreignExt)
	case damaged:
		r.log.Error("a usage journal is damaged: counted up to there, and kept", "journal", name+damagedExt, "found", said.tail.String())
	}
	r.last = max(r.last, said.epoch)
	for _, e := range r.earlier { // a person has copied the file
		if e.number == said.epoch && e.node == said.node {
			e.cells.max(said.cells)
			said.cells = newCells()
		}
	}
	r.earlier = append(r.earlier, &epoch{number: said.epoch, node: said.node, name: name, cells: said.cells, damage: said.tail.Damaged, last: said.last})
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
		known := slices.ContainsFunc(m.writer.all(), func(o *epoch) bool { return o.number == e.Number })
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

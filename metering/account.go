package metering

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/agora-host/agora/metering/journal"
)

// condition is what a reading of a journal amounts to.
type condition int

const (
	whole      condition = iota
	torn                 // it ends in bytes that are no record, as a kill or the loss of power leaves them
	damaged              // something in it is not as it was for certain
	foreign              // another node's
	headless             // it never got a header, or lost it
	illegible            // none of it is a journal
	unreadable           // the disk, or the compression, does not give it away
)

// condition judges a reading, and the error that came with it, for a node.
func (r reading) condition(err error, node string) condition {
	switch {
	case errors.Is(err, journal.ErrNoHeader):
		return headless
	case errors.Is(err, journal.ErrNotJournal), errors.Is(err, errDamaged):
		return illegible
	case err != nil:
		return unreadable
	case !r.earlier && r.node != node:
		return foreign
	case r.tail.Damaged:
		return damaged
	case r.tail.Torn:
		return torn
	}
	return whole
}

// readFile reads a file of the journal directory, which is compressed if its name
// says so. With an error, it returns what it read before.
func readFile(disk journal.FS, name string) (reading, error) {
	f, err := disk.Open(name)
	if err != nil {
		return reading{cells: newCells()}, err
	}
	defer f.Close()
	var raw io.Reader = f
	if strings.HasSuffix(plainName(name), keptExt) {
		if raw, err = gzip.NewReader(f); err != nil {
			return reading{cells: newCells()}, err
		}
	}
	return replay(raw, nil)
}

// plainName is a file's name before it was set aside.
func plainName(name string) string {
	return strings.TrimSuffix(strings.TrimSuffix(name, damagedExt), foreignExt)
}

func isJournal(name string) bool {
	name = plainName(name)
	return strings.HasSuffix(name, journalExt) || strings.HasSuffix(name, keptExt)
}

// account is what a file of the journal directory says, beside what the store
// says of the same epoch.
type account struct {
	name  string
	node  string // whose directory it is; "" if it has no id
	stays bool   // no process writes to it, and none has counted it: the next start will, if it is one in use
	said  reading
	state condition
	err   error // why no more was read

	asked  bool  // the store was; else all below is unknown
	epoch  Epoch // as the store has it; zero if it has none
	stored []Cell
}

// accounts makes accounts. A nil store is not asked.
type accounts struct {
	disk   journal.FS
	node   string
	stays  bool
	store  Store
	epochs []Epoch
}

func newAccounts(ctx context.Context, o Options, stays bool) (s accounts, err error) {
	s = accounts{disk: o.FS, node: o.Node, stays: stays, store: o.Store}
	if o.Store != nil {
		if s.epochs, err = o.Store.Epochs(ctx); err != nil {
			return s, fmt.Errorf("list the epochs: %w", err)
		}
	}
	return s, nil
}

// of reads a file, and looks up what the store has of its epoch: the one that its
// header names or, without that, its name.
func (s accounts) of(ctx context.Context, name string) (a account, err error) {
	a = account{name: name, node: s.node, stays: s.stays}
	a.said, a.err = readFile(s.disk, name)
	number, node := a.said.epoch, a.said.node
	if number == 0 {
		number, _ = epochOf(name)
		node = s.node
	}
	if i := slices.IndexFunc(s.epochs, func(e Epoch) bool { return e.Node == node && e.Number == number }); i >= 0 {
		a.epoch = s.epochs[i]
	}
	home := s.node
	if !a.inUse() && (a.epoch.Number != 0 || s.store == nil) {
		home = a.said.node // counted before this directory was restored
	}
	if a.state = a.said.condition(a.err, home); strings.HasSuffix(name, foreignExt) && a.said.node != "" {
		a.state = foreign
	}
	if a.asked = s.store != nil; a.asked {
		if a.stored, err = s.store.Cells(ctx, node, number); err != nil {
			return a, fmt.Errorf("read the cells of epoch %d: %w", number, err)
		}
	}
	return a, nil
}

func (a account) inUse() bool { return strings.HasSuffix(a.name, journalExt) }
func (a account) kept() bool  { return strings.HasSuffix(a.name, keptExt) }

// billed sums what the store has of the epoch.
func (a account) billed() (u Usage) {
	for _, c := range a.stored {
		u = u.Add(c.Usage)
	}
	return u
}

// compare reports whether the store has all that the file says, and the other way
// round.
func (a account) compare() (allStored, allSaid bool) {
	stored := make(map[Key]Usage, len(a.stored))
	for _, c := range a.stored {
		stored[c.Key] = c.Usage
	}
	said := make(map[Key]Usage, len(a.said.cells.m))
	for k, c := range a.said.cells.m {
		said[k] = c.Usage
	}
	return covers(stored, said), covers(said, stored)
}

// agrees tells that the store has what it should of the epoch: what the file
// says. What is damaged says too little, and nothing too much; and what no
// process has counted yet says more.
func (a account) agrees() bool {
	allStored, allSaid := a.compare()
	switch {
	case !a.asked || a.said.earlier || a.state == foreign || a.state == headless || a.state == illegible:
		return true
	case a.inUse() && a.stays:
		return allSaid || a.state == damaged || a.state == unreadable
	case a.state == damaged || a.state == unreadable:
		return allStored
	}
	return allStored && allSaid
}

// covers tells that no number of b is larger than in a.
func covers(a, b map[Key]Usage) bool {
	for k, u := range b {
		if !u.Less(a[k]).IsZero() {
			return false
		}
	}
	return true
}

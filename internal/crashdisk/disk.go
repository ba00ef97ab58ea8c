package crashdisk

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
)

// Node is a *File or a *Dir.
type Node any

// Disk is a tree of files.
type Disk struct {
	Root *Dir
	dirs []*Dir // all that were made, also those that are no longer there
}

// Dir is a directory.
type Dir struct {
	disk   *Disk
	names  map[string]Node // as a process sees them
	stable map[string]Node // as they are after the loss of power, at least
	moves  []*move         // not synced, oldest first
	synced int             // how many moves there were before
}

// move is a change of names: nil is the absence of one.
type move struct {
	changes map[string]Node
	dir     *Dir
	twin    *move // the other half of a rename between directories
}

// New makes an empty disk.
func New() *Disk {
	d := &Disk{}
	d.Root = d.NewDir()
	return d
}

// NewDir makes a directory that has no name yet.
func (d *Disk) NewDir() *Dir {
	dir := &Dir{disk: d, names: map[string]Node{}, stable: map[string]Node{}}
	d.dirs = append(d.dirs, dir)
	return dir
}

// Node is what a name leads to, or nil.
func (d *Dir) Node(name string) Node { return d.names[name] }

// Names are those that a process sees, in order.
func (d *Dir) Names() []string { return slices.Sorted(maps.Keys(d.names)) }

// Link gives something a name that is free.
func (d *Dir) Link(name string, n Node) error {
	if d.names[name] != nil {
		return fmt.Errorf("%s: %w", name, fs.ErrExist)
	}
	d.move(map[string]Node{name: n})
	return nil
}

// Unlink takes a name away.
func (d *Dir) Unlink(name string) error {
	if d.names[name] == nil {
		return fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	d.move(map[string]Node{name: nil})
	return nil
}

// Rename gives something another name, in place of what had it.
func (d *Dir) Rename(name string, to *Dir, as string) error {
	n := d.names[name]
	switch {
	case n == nil:
		return fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	case d == to && name == as:
		return nil
	case d == to:
		d.move(map[string]Node{name: nil, as: n})
	default:
		away, here := d.move(map[string]Node{name: nil}), to.move(map[string]Node{as: n})
		away.twin, here.twin = here, away
	}
	return nil
}

func (d *Dir) move(changes map[string]Node) *move {
	m := &move{changes: changes, dir: d}
	m.apply(d.names)
	d.moves = append(d.moves, m)
	return m
}

func (m *move) apply(names map[string]Node) {
	for name, n := range m.changes {
		if n == nil {
			delete(names, name)
		} else {
			names[name] = n
		}
	}
}

// BeginSync returns what EndSync takes once the sync has succeeded.
func (d *Dir) BeginSync() (covered int) { return d.synced + len(d.moves) }

// EndSync makes durable what had been done when the sync began.
func (d *Dir) EndSync(covered int) {
	for d.synced < covered && len(d.moves) > 0 {
		m := d.moves[0]
		m.apply(d.stable)
		d.moves, d.synced = d.moves[1:], d.synced+1
		if m.twin != nil {
			if n := slices.Index(m.twin.dir.moves, m.twin); n >= 0 {
				m.twin.dir.EndSync(m.twin.dir.synced + n + 1)
			}
		}
	}
}

// Synced makes a disk on which everything is durable.
func (d *Disk) Synced() {
	for _, dir := range d.dirs {
		dir.EndSync(dir.BeginSync())
		for _, n := range dir.names {
			if f, ok := n.(*File); ok {
				f.EndSync(f.ended)
			}
		}
	}
}

// AfterPowerLoss is the disk as it may be when the power goes now. This one goes
// on.
func (d *Disk) AfterPowerLoss(r *rand.Rand) *Disk {
	kept := map[*Dir]int{} // moves that are there
	for _, dir := range d.dirs {
		if n := len(dir.moves); n > 0 {
			kept[dir] = [...]int{0, n, r.IntN(n + 1)}[r.IntN(3)]
		}
	}
	keepTogether(d.dirs, kept)
	left := &Disk{}
	made := map[Node]Node{} // a file may have two names
	left.Root = d.Root.afterPowerLoss(r, left, kept, made).(*Dir)
	return left
}

// keepTogether loses both halves of a rename where one is lost.
func keepTogether(dirs []*Dir, kept map[*Dir]int) {
	for again := true; again; {
		again = false
		for _, dir := range dirs {
			for i, m := range dir.moves[:kept[dir]] {
				if m.twin == nil {
					continue
				}
				if n := slices.Index(m.twin.dir.moves, m.twin); n >= kept[m.twin.dir] {
					kept[dir], again = i, true
					break
				}
			}
		}
	}
}

func (d *Dir) afterPowerLoss(r *rand.Rand, disk *Disk, kept map[*Dir]int, made map[Node]Node) Node {
	left := disk.NewDir()
	made[d] = left
	names := maps.Clone(d.stable)
	for _, m := range d.moves[:kept[d]] {
		m.apply(names)
	}
	for _, name := range slices.Sorted(maps.Keys(names)) { // so that the seed alone decides
		n := names[name]
		if made[n] == nil {
			switch n := n.(type) {
			case *File:
				made[n] = n.afterPowerLoss(r)
			case *Dir:
				n.afterPowerLoss(r, disk, kept, made)
			}
		}
		left.names[name], left.stable[name] = made[n], made[n]
	}
	return left
}

// CopyTo writes what a process sees into a directory of the operating system.
func (d *Dir) CopyTo(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	for name, n := range d.names {
		to := filepath.Join(path, name)
		switch n := n.(type) {
		case *Dir:
			if err := n.CopyTo(to); err != nil {
				return err
			}
		case *File:
			f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return err
			}
			if err := errors.Join(n.CopyTo(f), f.Truncate(n.size), f.Close()); err != nil {
				return err
			}
		}
	}
	return nil
}

package meteringtest

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/agora-host/agora/metering/journal"
)

// Machine is a disk and a store that lose power together. Its disk behaves as
// disks do: what was written and not synced may be lost in any part, in any
// order, torn between sectors; after a sync that failed, it is as if it had
// succeeded and some of it is gone. Safe for concurrent use.
type Machine struct {
	Store Memory
	// Fault, if not nil, is asked before each operation of the disk, with its number
	// (from 1) and its name: "create", "write", "sync", "truncate", "rename",
	// "remove", "syncdir", "open", "list". It is called with the machine locked.
	Fault func(n int, op string) Fault
	// NoSync is a defect: the disk says that it synced, and has not.
	NoSync bool

	mu      sync.Mutex
	random  *rand.Rand
	ops     int
	names   map[string]*inode // as a process sees them
	durable map[string]*inode // as they are after the loss of power
	moves   []func(map[string]*inode)
	running *process
}

// Fault is how an operation of the disk goes wrong.
type Fault struct {
	Err  error // nil: it does not
	Half bool  // of a write: the first half is written
}

const sector = 512

type inode struct {
	seen   []byte // as a process sees it
	stable []byte // as it is after the loss of power, at least
	dirty  []extent
}

// extent is a write that is not synced. Without data it is a truncation.
type extent struct {
	at   int64
	data []byte
}

// NewMachine makes one. Everything random comes from the seed.
func NewMachine(seed uint64) *Machine {
	m := &Machine{random: rand.New(rand.NewPCG(seed, 2)), names: map[string]*inode{}, durable: map[string]*inode{}}
	m.Store.shared = &m.mu
	return m
}

// Process answers the disk as a new process sees it. The one before was killed:
// nothing of what it still does has any effect, and its writes remain.
func (m *Machine) Process() journal.FS {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running = &process{m}
	return m.running
}

// Ops is how many operations the disk has seen.
func (m *Machine) Ops() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ops
}

// LosePower answers the machine as it may come up after losing power now. note is
// called at that moment. This machine goes on.
func (m *Machine) LosePower(seed uint64, note func()) *Machine {
	m.mu.Lock()
	defer m.mu.Unlock()
	note()
	c := NewMachine(seed)
	c.Store.copyFrom(&m.Store)
	survivors := maps.Clone(m.durable)
	for _, move := range m.moves[:c.random.IntN(len(m.moves)+1)] {
		move(survivors)
	}
	for name, f := range survivors {
		n := f.afterPowerLoss(c.random)
		c.names[name], c.durable[name] = n, n
	}
	return c
}

// WithoutDisk answers the machine with an empty disk.
func (m *Machine) WithoutDisk() *Machine {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := NewMachine(m.random.Uint64())
	c.Store.copyFrom(&m.Store)
	return c
}

// Files are the files as a process sees them.
func (m *Machine) Files() map[string][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	files := map[string][]byte{}
	for name, f := range m.names {
		files[name] = bytes.Clone(f.seen)
	}
	return files
}

// Put makes a file, as it may be found.
func (m *Machine) Put(name string, data []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := &inode{seen: bytes.Clone(data), stable: bytes.Clone(data)}
	m.names[name], m.durable[name] = f, f
}

// Corrupt changes what is on the disk.
func (m *Machine) Corrupt(change func(name string, data []byte) []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, f := range m.names {
		f.seen = change(name, bytes.Clone(f.seen))
		f.stable, f.dirty = bytes.Clone(f.seen), nil
	}
}

func (f *inode) afterPowerLoss(r *rand.Rand) *inode {
	data := bytes.Clone(f.stable)
	dirty := slices.Clone(f.dirty)
	if r.IntN(2) == 0 {
		r.Shuffle(len(dirty), func(i, j int) { dirty[i], dirty[j] = dirty[j], dirty[i] })
	}
	for _, w := range dirty {
		switch chance := r.Float64(); {
		case w.data == nil:
			if chance < 0.5 && int64(len(data)) > w.at {
				data = data[:w.at]
			}
		case chance < 0.4:
			data = w.apply(data)
		case chance < 0.7:
			for at := 0; at < len(w.data); { // what a sector holds survives or does not
				end := min(len(w.data), at+sector-int(w.at+int64(at))%sector)
				if r.IntN(2) == 0 {
					data = extent{w.at + int64(at), w.data[at:end]}.apply(data)
				}
				at = end
			}
		}
	}
	return &inode{seen: data, stable: bytes.Clone(data)}
}

func (w extent) apply(data []byte) []byte {
	if w.data == nil {
		if int64(len(data)) > w.at {
			data = data[:w.at]
		}
		return data
	}
	if end := w.at + int64(len(w.data)); int64(len(data)) < end {
		data = append(data, make([]byte, end-int64(len(data)))...)
	}
	copy(data[w.at:], w.data)
	return data
}

var errKilled = errors.New("this process was killed")

// process is one process's view. It is dead once the machine has another.
type process struct{ m *Machine }

// do runs an operation, unless it is to fail.
func (p *process) do(op string, apply func(Fault) error) error {
	m := p.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running != p {
		return errKilled
	}
	m.ops++
	var fault Fault
	if m.Fault != nil {
		fault = m.Fault(m.ops, op)
	}
	if fault.Err != nil && !fault.Half && op != "sync" {
		return fault.Err
	}
	return errors.Join(apply(fault), fault.Err)
}

// Lock is the running process's own.
func (p *process) Lock() (io.Closer, error) { return io.NopCloser(nil), nil }

func (p *process) List() (files []journal.Entry, err error) {
	err = p.do("list", func(Fault) error {
		for name, f := range p.m.names {
			files = append(files, journal.Entry{Name: name, Size: int64(len(f.seen))})
		}
		slices.SortFunc(files, func(a, b journal.Entry) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
		return nil
	})
	return files, err
}

func (p *process) Create(name string) (journal.File, error) {
	var made *inode
	err := p.do("create", func(Fault) error {
		if p.m.names[name] != nil {
			return fs.ErrExist
		}
		made = &inode{}
		p.m.names[name] = made
		p.m.moves = append(p.m.moves, func(names map[string]*inode) { names[name] = made })
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &file{p, made}, nil
}

func (p *process) Open(name string) (f io.ReadCloser, err error) {
	err = p.do("open", func(Fault) error {
		found := p.m.names[name]
		if found == nil {
			return fs.ErrNotExist
		}
		f = io.NopCloser(bytes.NewReader(bytes.Clone(found.seen)))
		return nil
	})
	return f, err
}

func (p *process) Rename(from, to string) error {
	return p.do("rename", func(Fault) error {
		f := p.m.names[from]
		if f == nil {
			return fs.ErrNotExist
		}
		move := func(names map[string]*inode) {
			if f := names[from]; f != nil {
				names[to] = f
				delete(names, from)
			}
		}
		move(p.m.names)
		p.m.moves = append(p.m.moves, move)
		return nil
	})
}

func (p *process) Remove(name string) error {
	return p.do("remove", func(Fault) error {
		if p.m.names[name] == nil {
			return fs.ErrNotExist
		}
		delete(p.m.names, name)
		p.m.moves = append(p.m.moves, func(names map[string]*inode) { delete(names, name) })
		return nil
	})
}

func (p *process) Sync() error {
	return p.do("syncdir", func(Fault) error {
		for _, move := range p.m.moves {
			move(p.m.durable)
		}
		p.m.moves = nil
		return nil
	})
}

type file struct {
	p *process
	f *inode
}

func (f *file) WriteAt(data []byte, at int64) (n int, err error) {
	err = f.p.do("write", func(fault Fault) error {
		n = len(data)
		if fault.Half {
			n /= 2
		}
		w := extent{at, bytes.Clone(data[:n])}
		f.f.seen = w.apply(f.f.seen)
		f.f.dirty = append(f.f.dirty, w)
		return nil
	})
	return n, err
}

// Sync that fails leaves nothing to be synced later: a kernel takes pages for
// clean whose writing failed. Some of them are on the disk.
func (f *file) Sync() error {
	return f.p.do("sync", func(fault Fault) error {
		if f.p.m.NoSync {
			return nil
		}
		if fault.Err != nil {
			f.f.stable = f.f.afterPowerLoss(f.p.m.random).stable
			f.f.seen = bytes.Clone(f.f.stable)
		} else {
			for _, w := range f.f.dirty {
				f.f.stable = w.apply(f.f.stable)
			}
		}
		f.f.dirty = nil
		return nil
	})
}

func (f *file) Truncate(size int64) error {
	return f.p.do("truncate", func(Fault) error {
		w := extent{at: size}
		f.f.seen = w.apply(f.f.seen)
		f.f.dirty = append(f.f.dirty, w)
		return nil
	})
}

func (f *file) Close() error { return nil }

package meteringtest

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"sync"

	"github.com/agora-host/agora/internal/crashdisk"
	"github.com/agora-host/agora/metering/journal"
)

// Machine is a disk and a store that lose power together. What the disk loses is
// in package crashdisk; after a sync that failed, it is as if it had succeeded and
// some of it is gone. Safe for concurrent use.
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
	disk    *crashdisk.Disk // of one directory
	running *process
}

// Fault is how an operation of the disk goes wrong.
type Fault struct {
	Err  error // nil: it does not
	Half bool  // of a write: the first half is written
}

// NewMachine makes one. Everything random comes from the seed.
func NewMachine(seed uint64) *Machine {
	m := &Machine{random: rand.New(rand.NewPCG(seed, 2)), disk: crashdisk.New()}
	m.Store.shared = &m.mu
	return m
}

// Process returns the disk as a new process sees it. The one before was killed:
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

// LosePower returns the machine as it may come up after losing power now. note is
// called at that moment. This machine goes on.
func (m *Machine) LosePower(seed uint64, note func()) *Machine {
	m.mu.Lock()
	defer m.mu.Unlock()
	note()
	c := NewMachine(seed)
	c.Store.copyFrom(&m.Store)
	c.disk = m.disk.AfterPowerLoss(c.random)
	return c
}

// WithoutDisk returns the machine with an empty disk.
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
	for _, name := range m.disk.Root.Names() {
		files[name] = m.file(name).Bytes()
	}
	return files
}

// file is a file, or nil if there is none.
func (m *Machine) file(name string) *crashdisk.File {
	f, _ := m.disk.Root.Node(name).(*crashdisk.File)
	return f
}

// Put makes a file, as it may be found.
func (m *Machine) Put(name string, data []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(name, data)
	m.disk.Synced()
}

func (m *Machine) put(name string, data []byte) {
	_ = m.disk.Root.Unlink(name) // if it is there
	_ = m.disk.Root.Link(name, crashdisk.NewFile(data))
}

// Corrupt changes what is on the disk.
func (m *Machine) Corrupt(change func(name string, data []byte) []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range m.disk.Root.Names() {
		m.put(name, change(name, m.file(name).Bytes()))
	}
	m.disk.Synced()
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
		for _, name := range p.m.disk.Root.Names() {
			files = append(files, journal.Entry{Name: name, Size: p.m.file(name).Size()})
		}
		return nil
	})
	return files, err
}

func (p *process) Create(name string) (journal.File, error) {
	made := crashdisk.NewFile(nil)
	if err := p.do("create", func(Fault) error { return p.m.disk.Root.Link(name, made) }); err != nil {
		return nil, err
	}
	return &file{p, made}, nil
}

func (p *process) Open(name string) (f io.ReadCloser, err error) {
	err = p.do("open", func(Fault) error {
		found := p.m.file(name)
		if found == nil {
			return fs.ErrNotExist
		}
		f = io.NopCloser(bytes.NewReader(found.Bytes()))
		return nil
	})
	return f, err
}

func (p *process) SyncFile(name string) error {
	p.m.mu.Lock()
	f := p.m.file(name)
	p.m.mu.Unlock()
	if f == nil {
		return fs.ErrNotExist
	}
	return p.sync(f)
}

func (p *process) Rename(from, to string) error {
	return p.do("rename", func(Fault) error { return p.m.disk.Root.Rename(from, p.m.disk.Root, to) })
}

func (p *process) Remove(name string) error {
	return p.do("remove", func(Fault) error { return p.m.disk.Root.Unlink(name) })
}

func (p *process) Sync() error {
	return p.do("syncdir", func(Fault) error {
		p.m.disk.Root.EndSync(p.m.disk.Root.BeginSync())
		return nil
	})
}

type file struct {
	p *process
	f *crashdisk.File
}

func (f *file) WriteAt(data []byte, at int64) (n int, err error) {
	err = f.p.do("write", func(fault Fault) error {
		n = len(data)
		if fault.Half {
			n /= 2
		}
		f.f.WriteAt(data[:n], at).End()
		return nil
	})
	return n, err
}

func (f *file) Sync() error { return f.p.sync(f.f) }

func (p *process) sync(f *crashdisk.File) error {
	return p.do("sync", func(fault Fault) error {
		switch {
		case p.m.NoSync:
		case fault.Err != nil:
			f.FailSync(p.m.random)
		default:
			f.EndSync(f.BeginSync())
		}
		return nil
	})
}

func (f *file) Truncate(size int64) error {
	return f.p.do("truncate", func(Fault) error {
		f.f.Truncate(size).End()
		return nil
	})
}

func (f *file) Close() error { return nil }

package strace

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/agora-host/agora/internal/crashdisk"
)

// Player plays records of processes that ran one after the other with the same
// directory, from when it was empty.
type Player struct {
	Dir  string // absolute, without symbolic links
	Disk *crashdisk.Disk
	// Unsynced, if not nil, tells for which files and directories, by their path
	// below Dir, a sync has no effect: a defect of the disk.
	Unsynced func(path string) bool

	Steps int     // events that had to do with Dir or a connection
	Conns []*Conn // that were accepted, in order

	processes map[int]*process // by thread
	parents   map[int]birth
	pending   map[*Call]func() error // what the end of a call does
}

// Conn is what a connection was sent.
type Conn struct {
	Port int // of the other side
	Sent []Sent
}

// Sent are bytes, and the step at which they began to be written: whoever has them
// has them later.
type Sent struct {
	Step int
	Data []byte
}

type birth struct {
	parent int
	shares bool // the table of descriptors
}

// process has a table of descriptors; those of files elsewhere are not in it.
type process struct {
	fds map[int]*descriptor
	cwd string
}

type descriptor struct {
	*opened
	closesOnExec bool
}

type opened struct {
	file   *crashdisk.File
	dir    *crashdisk.Dir
	conn   *Conn
	path   string // it was opened under
	at     int64
	append bool
}

// Play plays the record of a process and its children. after, if not nil, is
// called after each step.
func (p *Player) Play(events []Event, after func(Event) error) error {
	p.processes, p.parents, p.pending = map[int]*process{}, map[int]birth{}, map[*Call]func() error{}
	for _, e := range events {
		if !e.Ends || e.Result <= 0 {
			continue
		}
		switch e.Name {
		case "clone", "clone3", "fork", "vfork":
			child := int(e.Result)
			if _, twice := p.parents[child]; twice {
				return fmt.Errorf("thread %d is made twice", child)
			}
			p.parents[child] = birth{e.Thread, strings.Contains(strings.Join(e.Args(), ","), "CLONE_FILES")}
		}
	}
	if len(events) > 0 {
		p.processes[events[0].Thread] = &process{fds: map[int]*descriptor{}, cwd: "/"}
	}
	for _, e := range events {
		touched, err := p.step(e)
		if err != nil {
			return fmt.Errorf("%s(%.300s): %w", e.Name, strings.Join(e.Args(), ", "), err)
		}
		if touched {
			p.Steps++
			if after != nil {
				if err := after(e); err != nil {
					return err
				}
			}
		}
	}
	for c := range p.pending {
		return fmt.Errorf("%s(%.300s) had not ended when the process did: whether it happened is not known", c.Name, strings.Join(c.began, ", "))
	}
	return nil
}

func (p *Player) process(thread int) (*process, error) {
	if q := p.processes[thread]; q != nil {
		return q, nil
	}
	b, known := p.parents[thread]
	if !known {
		return nil, fmt.Errorf("where thread %d is from is not in the record", thread)
	}
	parent, err := p.process(b.parent)
	if err != nil {
		return nil, err
	}
	q := parent
	if !b.shares {
		q = &process{fds: maps.Clone(parent.fds), cwd: parent.cwd}
	}
	p.processes[thread] = q
	return q, nil
}

// step plays one event. A call that writes or syncs does so from its beginning to
// its end; one that changes names, at its end.
func (p *Player) step(e Event) (touched bool, err error) {
	q, err := p.process(e.Thread)
	if err != nil {
		return false, err
	}
	if !e.Ends {
		end, err := p.begin(q, e)
		if end != nil {
			p.pending[e.Call] = end
		}
		return end != nil, err
	}
	if end := p.pending[e.Call]; end != nil {
		delete(p.pending, e.Call)
		return true, end()
	}
	if e.Result == -1 {
		return false, nil // nothing happened; what was begun has seen to its own end
	}
	return p.end(q, e)
}

var errUnplayed = errors.New("changes what is in the directory in a way that cannot be played")

// begin starts what has effect while a call runs, and returns what its end does.
func (p *Player) begin(q *process, e Event) (end func() error, err error) {
	args := arguments{e.Args()}
	switch e.Name {
	case "close":
		// Free from now on: another thread may be given the number before this
		// call is seen to end.
		delete(q.fds, args.number(0))
	case "write", "pwrite64", "writev", "sendto", "ftruncate", "fsync", "fdatasync":
		d := q.fds[args.number(0)]
		switch {
		case d == nil:
		case d.conn != nil:
			return p.send(d, e)
		case d.file != nil:
			return p.change(d, e, args)
		case e.Name == "fsync" && d.dir != nil:
			if p.ignores(d.path) {
				return e.mustSucceed, nil
			}
			covered := d.dir.BeginSync()
			return func() error { d.dir.EndSync(covered); return e.mustSucceed() }, nil
		default:
			return nil, errUnplayed
		}
	}
	return nil, nil
}

func (p *Player) ignores(path string) bool { return p.Unsynced != nil && p.Unsynced(path) }

func (e Event) mustSucceed() error {
	if e.Result == -1 {
		return fmt.Errorf("it failed with %s: what is on the disk is not known", e.Error)
	}
	return nil
}

func (p *Player) change(d *descriptor, e Event, args arguments) (end func() error, err error) {
	finish := func(op *crashdisk.Op, n int64) func() error {
		return func() error {
			op.End()
			if e.Result != n {
				return fmt.Errorf("it returned %d", e.Result)
			}
			return nil
		}
	}
	switch e.Name {
	case "write", "pwrite64":
		data, err := bytesOf(args.text(1))
		if err != nil {
			return nil, err
		}
		at := d.at
		switch {
		case e.Name == "pwrite64":
			at = int64(args.number(3))
		case d.append:
			at = d.file.Size()
			fallthrough
		default:
			d.at = at + int64(len(data))
		}
		return finish(d.file.WriteAt(data, at), int64(len(data))), nil
	case "ftruncate":
		return finish(d.file.Truncate(int64(args.number(1))), 0), nil
	case "fsync", "fdatasync":
		if p.ignores(d.path) {
			return e.mustSucceed, nil
		}
		covered := d.file.BeginSync()
		return func() error { d.file.EndSync(covered); return e.mustSucceed() }, nil
	}
	return nil, errUnplayed
}

var vector = regexp.MustCompile(`iov_base=("[^"]*")`)

// send notes what a connection is sent. How much of it was taken is known at the
// end; that it was going to be, now.
func (p *Player) send(d *descriptor, e Event) (end func() error, err error) {
	var data []byte
	parts := []string{arguments{e.Args()}.text(1)}
	if e.Name == "writev" {
		parts = nil
		for _, m := range vector.FindAllStringSubmatch(arguments{e.Args()}.text(1), -1) {
			parts = append(parts, m[1])
		}
	}
	for _, part := range parts {
		b, err := bytesOf(part)
		if err != nil {
			return nil, err
		}
		data = append(data, b...)
	}
	step := p.Steps
	return func() error {
		if e.Result > 0 {
			d.conn.Sent = append(d.conn.Sent, Sent{step, data[:e.Result]})
		}
		return nil
	}, nil
}

// end does what a call that succeeded did.
func (p *Player) end(q *process, e Event) (touched bool, err error) {
	args := arguments{e.Args()}
	switch e.Name {
	case "openat":
		touched, err = p.open(q, args, args.text(2), int(e.Result))
	case "open":
		touched, err = p.open(q, arguments{append([]string{"AT_FDCWD"}, args.args...)}, args.text(1), int(e.Result))
	case "creat":
		touched, err = p.open(q, arguments{append([]string{"AT_FDCWD"}, args.args...)}, "O_WRONLY|O_CREAT|O_TRUNC", int(e.Result))
	case "accept", "accept4":
		touched, err = true, p.accept(q, args, int(e.Result))
	case "dup", "dup2", "dup3", "fcntl":
		p.duplicate(q, e, args)
	case "lseek":
		if d := q.fds[args.number(0)]; d != nil {
			d.at = e.Result
		}
	case "copy_file_range":
		touched, err = p.copy(q, e, args)
	case "execve":
		p.execute(q, e)
	case "chdir":
		q.cwd, err = p.absolute(q, "AT_FDCWD", args.text(0))
	case "rename", "link", "unlink", "mkdir", "rmdir", "renameat", "renameat2", "linkat", "unlinkat", "mkdirat":
		touched, err = p.rename(q, e.Name, args)
	default:
		err = p.unplayed(q, e, args)
	}
	return touched, err
}

// unplayed refuses a call that is not played, if it has to do with the directory.
func (p *Player) unplayed(q *process, e Event, args arguments) error {
	switch e.Name {
	case "io_uring_setup", "io_setup", "chroot", "unshare":
		return errUnplayed // what comes of it is in no record
	case "write", "pwrite64", "writev", "sendto", "ftruncate", "fsync", "fdatasync", "close":
		return nil // what they are about was looked at when they began
	case "clone", "clone3", "fork", "vfork", "sync", "syncfs", "sync_file_range":
		return nil // the last three promise less than they seem to
	case "mmap":
		if d := q.fds[args.number(4)]; d != nil && flag(args.text(3), "MAP_SHARED") && flag(args.text(2), "PROT_WRITE") {
			return errUnplayed
		}
		return nil
	case "close_range", "execveat", "fchdir", "openat2":
		if len(q.fds) > 0 {
			return errUnplayed
		}
	}
	for _, arg := range args.args {
		if n, err := strconv.Atoi(arg); err == nil && q.fds[n] != nil {
			return errUnplayed
		}
		if b, err := bytesOf(arg); err == nil && p.below(filepath.Clean(string(b))) {
			return errUnplayed
		}
	}
	return nil
}

func (p *Player) accept(q *process, args arguments, fd int) error {
	m := regexp.MustCompile(`sin6?_port=htons\((\d+)\)`).FindStringSubmatch(args.text(1))
	if m == nil {
		return errForm
	}
	port, err := strconv.Atoi(m[1])
	c := &Conn{Port: port}
	p.Conns = append(p.Conns, c)
	q.fds[fd] = &descriptor{opened: &opened{conn: c}, closesOnExec: true}
	return err
}

func (p *Player) duplicate(q *process, e Event, args arguments) {
	if e.Name == "fcntl" && !strings.HasPrefix(args.text(1), "F_DUPFD") {
		return
	}
	d, to := q.fds[args.number(0)], int(e.Result)
	delete(q.fds, to)
	if d != nil {
		cloexec := e.Name == "fcntl" && args.text(1) == "F_DUPFD_CLOEXEC" || e.Name == "dup3" && flag(args.text(2), "O_CLOEXEC")
		q.fds[to] = &descriptor{d.opened, cloexec}
	}
}

// copy plays a copy within the directory. What a file elsewhere had is in no record.
func (p *Player) copy(q *process, e Event, args arguments) (touched bool, err error) {
	from, to := q.fds[args.number(0)], q.fds[args.number(2)]
	if to == nil {
		return false, nil
	}
	if from == nil || from.file == nil || to.file == nil || args.text(1) != "NULL" || args.text(3) != "NULL" {
		return false, errUnplayed
	}
	data := from.file.Bytes()[min(from.at, from.file.Size()):]
	if int64(len(data)) < e.Result {
		return false, fmt.Errorf("%s had only %d bytes more", from.path, len(data))
	}
	to.file.WriteAt(data[:e.Result], to.at).End()
	from.at, to.at = from.at+e.Result, to.at+e.Result
	return true, nil
}

// execute gives a process a table of its own, which a thread that became it may
// have shared.
func (p *Player) execute(q *process, e Event) {
	fresh := &process{fds: map[int]*descriptor{}, cwd: q.cwd}
	for n, d := range q.fds {
		if !d.closesOnExec {
			fresh.fds[n] = d
		}
	}
	p.processes[e.Thread] = fresh
}

// arguments are those of one call, as strace prints them.
type arguments struct{ args []string }

func (a arguments) text(n int) string {
	if n < len(a.args) {
		return a.args[n]
	}
	return ""
}

func (a arguments) number(n int) int {
	v, err := strconv.Atoi(a.text(n))
	if err != nil {
		return -1
	}
	return v
}

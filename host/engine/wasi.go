package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/metering/fuel"
)

// WASI preview 1, as a closed world: standard streams, clocks, randomness,
// arguments and environment. Every other function exists, because compilers
// import more than programs use, and refuses. Numbers are those of the
// specification, WASI snapshot-01.
const (
	wasiSuccess = 0
	wasiBadf    = 8
	wasiFault   = 21
	wasiInval   = 28
	wasiNotdir  = 54
	wasiNotsock = 57
	wasiNotsup  = 58
	wasiSpipe   = 70
)

// wasiFunc serves one call and answers an errno. args are the parameters.
type wasiFunc func(v *invocation, m api.Memory, args []uint64) uint64

func refuse(errno uint64) wasiFunc {
	return func(*invocation, api.Memory, []uint64) uint64 { return errno }
}

// refuseStream refuses with one errno for the standard streams, and with wasiBadf for descriptors
// that are not open.
func refuseStream(errno uint64) wasiFunc {
	return refuseStreams(errno, errno)
}

// refuseStreams is refuseStream with one errno for standard input and another for the two others.
func refuseStreams(in, out uint64) wasiFunc {
	return func(v *invocation, _ api.Memory, a []uint64) uint64 {
		switch s := v.streamOf(a[0]); s {
		case closed:
			return wasiBadf
		case stdin:
			return in
		default:
			return out
		}
	}
}

// stream is what a descriptor is open for.
type stream uint8

const (
	closed stream = iota
	stdin
	stdout
	stderr
)

// descriptors are the standard streams as a program has closed and renumbered them. No other
// descriptor can be opened.
type descriptors struct {
	at      [3]stream
	changed bool // else each is what its number says
}

func (d *descriptors) streamOf(fd uint64) stream {
	switch {
	case fd > 2:
		return closed
	case d.changed:
		return d.at[fd]
	}
	return stdin + stream(fd)
}

func (d *descriptors) set(fd uint64, s stream) {
	if !d.changed {
		d.at, d.changed = [3]stream{stdin, stdout, stderr}, true
	}
	d.at[fd] = s
}

func fdClose(v *invocation, _ api.Memory, a []uint64) uint64 {
	if v.streamOf(a[0]) == closed {
		return wasiBadf
	}
	v.set(a[0], closed)
	return wasiSuccess
}

func fdRenumber(v *invocation, _ api.Memory, a []uint64) uint64 {
	from := v.streamOf(a[0])
	if from == closed || v.streamOf(a[1]) == closed {
		return wasiBadf
	}
	if a[0] != a[1] {
		v.set(a[0], closed)
		v.set(a[1], from)
	}
	return wasiSuccess
}

// fdFilestat describes a pipe: nothing is known of it but that it is no terminal.
func fdFilestat(v *invocation, m api.Memory, a []uint64) uint64 {
	if v.streamOf(a[0]) == closed {
		return wasiBadf
	}
	if !m.Write(uint32(a[1]), make([]byte, 64)) {
		return wasiFault
	}
	return wasiSuccess
}

func clockRes(_ *invocation, m api.Memory, a []uint64) uint64 {
	if a[0] > 3 {
		return wasiInval
	}
	return put64(m, a[1], 1000)
}

// wasiTable says what each function does. Its parameters are in abi.WASIFunction.
var wasiTable = []struct {
	name string
	call wasiFunc
}{
	{"args_get", listGet(func(v *invocation) []string { return []string{"app"} })},
	{"args_sizes_get", listSizes(func(v *invocation) []string { return []string{"app"} })},
	{"environ_get", listGet((*invocation).environ)},
	{"environ_sizes_get", listSizes((*invocation).environ)},
	{"clock_res_get", clockRes},
	{"clock_time_get", clockTime},
	{"fd_advise", refuse(wasiBadf)},
	{"fd_allocate", refuse(wasiBadf)},
	{"fd_close", fdClose},
	{"fd_datasync", refuse(wasiBadf)},
	{"fd_fdstat_get", fdStat},
	{"fd_fdstat_set_flags", refuse(wasiBadf)},
	{"fd_fdstat_set_rights", refuse(wasiBadf)},
	{"fd_filestat_get", fdFilestat},
	{"fd_filestat_set_size", refuse(wasiBadf)},
	{"fd_filestat_set_times", refuse(wasiBadf)},
	{"fd_pread", refuseStreams(wasiSpipe, wasiBadf)},
	{"fd_prestat_get", refuse(wasiBadf)},
	{"fd_prestat_dir_name", refuseStream(wasiNotdir)},
	{"fd_pwrite", refuseStreams(wasiBadf, wasiSpipe)},
	{"fd_read", fdRead},
	{"fd_readdir", refuse(wasiBadf)},
	{"fd_renumber", fdRenumber},
	{"fd_seek", refuseStream(wasiSpipe)},
	{"fd_sync", refuse(wasiBadf)},
	{"fd_tell", refuseStream(wasiSpipe)},
	{"fd_write", fdWrite},
	{"path_create_directory", refuse(wasiBadf)},
	{"path_filestat_get", refuse(wasiBadf)},
	{"path_filestat_set_times", refuse(wasiBadf)},
	{"path_link", refuse(wasiBadf)},
	{"path_open", refuse(wasiBadf)},
	{"path_readlink", refuse(wasiBadf)},
	{"path_remove_directory", refuse(wasiBadf)},
	{"path_rename", refuse(wasiBadf)},
	{"path_symlink", refuse(wasiBadf)},
	{"path_unlink_file", refuse(wasiBadf)},
	{"poll_oneoff", pollOneoff},
	{"proc_raise", refuse(wasiNotsup)},
	{"random_get", randomGet},
	{"sched_yield", refuse(wasiSuccess)},
	{"sock_accept", refuseStream(wasiNotsock)},
	{"sock_recv", refuseStream(wasiNotsock)},
	{"sock_send", refuseStream(wasiNotsock)},
	{"sock_shutdown", refuseStream(wasiNotsock)},
}

func exportWASI(b wazero.HostModuleBuilder) {
	for _, f := range wasiTable {
		shape, _, _ := abi.WASIFunction(f.name)
		params := make([]api.ValueType, len(shape))
		for i, c := range shape {
			params[i] = api.ValueTypeI32
			if c == 'I' {
				params[i] = api.ValueTypeI64
			}
		}
		call := f.call
		b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(ctx context.Context, m api.Module, stack []uint64) {
			v := of(ctx)
			v.alive()
			v.charge(fuel.HostCall)
			for i, c := range shape {
				if c == 'i' {
					stack[i] = uint64(uint32(stack[i])) // the upper half may be garbage
				}
			}
			stack[0] = call(v, m.Memory(), stack[:len(shape)])
		}), params, []api.ValueType{api.ValueTypeI32}).Export(f.name)
	}
	b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(ctx context.Context, _ api.Module, stack []uint64) {
		v := of(ctx)
		v.exited, v.exitCode = true, uint32(stack[0])
		panic(errHalted)
	}), []api.ValueType{api.ValueTypeI32}, nil).Export(abi.WASIExit)
}

func put32(m api.Memory, at, v uint64) bool { return m.WriteUint32Le(uint32(at), uint32(v)) }

func put64(m api.Memory, at, v uint64) uint64 {
	if !m.WriteUint64Le(uint32(at), v) {
		return wasiFault
	}
	return wasiSuccess
}

func (v *invocation) environ() []string {
	if !v.cgi {
		return nil
	}
	return environment(v.call.Request)
}

// listGet writes pointers and NUL-terminated texts.
func listGet(list func(*invocation) []string) wasiFunc {
	return func(v *invocation, m api.Memory, a []uint64) uint64 {
		at, text := a[0], a[1]
		for _, s := range list(v) {
			v.charge(fuel.HostItem + fuel.Copying(len(s)+1))
			if !put32(m, at, text) || !m.Write(uint32(text), append([]byte(s), 0)) {
				return wasiFault
			}
			at, text = at+4, text+uint64(len(s))+1
		}
		return wasiSuccess
	}
}

func listSizes(list func(*invocation) []string) wasiFunc {
	return func(v *invocation, m api.Memory, a []uint64) uint64 {
		items, total := list(v), 0
		for _, s := range items {
			v.charge(fuel.HostItem)
			total += len(s) + 1
		}
		if !put32(m, a[0], uint64(len(items))) || !put32(m, a[1], uint64(total)) {
			return wasiFault
		}
		return wasiSuccess
	}
}

func clockTime(v *invocation, m api.Memory, a []uint64) uint64 {
	v.init.ofTheMoment()
	wall, monotonic := v.moments.now()
	switch a[0] {
	case 0:
		return put64(m, a[2], uint64(wall.UnixNano()))
	case 1, 2, 3: // monotonic, and CPU time as far as a guest may know it
		return put64(m, a[2], uint64(monotonic))
	}
	return wasiInval
}

// fdStat describes a pipe. Its type is unknown, since WASI has none for pipes; a character device
// without the right to seek is what libraries take for a terminal.
func fdStat(v *invocation, m api.Memory, a []uint64) uint64 {
	const fdRead, fdWrite = 1 << 1, 1 << 6
	rights := uint64(fdWrite)
	switch v.streamOf(a[0]) {
	case closed:
		return wasiBadf
	case stdin:
		rights = fdRead
	}
	stat := make([]byte, 24)
	binary.LittleEndian.PutUint64(stat[8:], rights)
	binary.LittleEndian.PutUint64(stat[16:], rights)
	if !m.Write(uint32(a[1]), stat) {
		return wasiFault
	}
	return wasiSuccess
}

// vectors reads an iovec array and answers the memory behind each entry.
func vectors(v *invocation, m api.Memory, at, n uint64, each func([]byte) bool) uint64 {
	if n > 1024 {
		return wasiInval
	}
	for i := range n {
		v.charge(fuel.HostItem)
		entry, ok := m.Read(uint32(at+8*i), 8)
		if !ok || at+8*i > 1<<32-8 {
			return wasiFault
		}
		view, ok := m.Read(binary.LittleEndian.Uint32(entry), binary.LittleEndian.Uint32(entry[4:]))
		if !ok {
			return wasiFault
		}
		v.alive()
		if !each(view) {
			break
		}
	}
	return wasiSuccess
}

func fdRead(v *invocation, m api.Memory, a []uint64) uint64 {
	if v.streamOf(a[0]) != stdin {
		return wasiBadf
	}
	total := 0
	errno := vectors(v, m, a[1], a[2], func(view []byte) bool {
		v.charge(fuel.Copying(min(len(view), len(v.stdin))))
		n := copy(view, v.stdin)
		v.stdin = v.stdin[n:]
		total += n
		return len(v.stdin) > 0
	})
	if errno == wasiSuccess && !put32(m, a[3], uint64(total)) {
		return wasiFault
	}
	return errno
}

func fdWrite(v *invocation, m api.Memory, a []uint64) uint64 {
	total, to := 0, v.streamOf(a[0])
	errno := vectors(v, m, a[1], a[2], func(view []byte) bool {
		total += len(view)
		switch to {
		case stdout:
			v.charge(fuel.Copying(len(view)))
			v.writeOut(view)
		case stderr:
			v.charge(fuel.Copying(len(view)))
			v.stderr.write(view)
		}
		return true
	})
	if to != stdout && to != stderr {
		return wasiBadf
	}
	if errno == wasiSuccess && !put32(m, a[3], uint64(total)) {
		return wasiFault
	}
	return errno
}

// writeOut takes standard output. What abi/v1 apps print is for their log: their
// answer is the frame.
func (v *invocation) writeOut(view []byte) {
	if !v.cgi {
		v.stderr.write(view)
		return
	}
	v.printed(view)
}

func randomGet(v *invocation, m api.Memory, a []uint64) uint64 {
	v.init.ofTheMoment()
	view, ok := m.Read(uint32(a[0]), uint32(a[1]))
	if !ok {
		return wasiFault
	}
	v.charge(fuel.HostRandomByte * uint64(len(view)))
	for len(view) > 0 {
		v.alive()
		n := min(len(view), 64<<10)
		v.moments.random(view[:n])
		view = view[n:]
	}
	return wasiSuccess
}

// pollOneoff sleeps until the first clock is due, but never past the deadline. Standard streams
// are always ready; what can never be is told at once, in an event of its own.
func pollOneoff(v *invocation, m api.Memory, a []uint64) uint64 {
	v.init.ofTheMoment()
	const subscription, event = 48, 32
	v.charge(fuel.HostPoll) // also for none
	if a[2] == 0 || a[2] > 64 {
		return wasiInval
	}
	in, ok := m.Read(uint32(a[0]), uint32(a[2]*subscription))
	if !ok {
		return wasiFault
	}
	v.charge(fuel.HostItem * a[2])
	wall, monotonic := v.moments.now()
	wait := time.Duration(1<<63 - 1)
	for i := range int(a[2]) {
		s := in[i*subscription:]
		if s[8] > 2 || s[8] == 0 && binary.LittleEndian.Uint32(s[16:]) > 3 {
			return wasiInval // neither a clock that exists nor a stream
		}
		wait = min(wait, pollDelay(s, wall, monotonic))
	}
	v.sleep(wait)
	ready := uint64(0)
	for i := range int(a[2]) {
		s := in[i*subscription:]
		if pollDelay(s, wall, monotonic) > wait {
			continue
		}
		e := make([]byte, event)
		copy(e, s[:8]) // userdata
		e[8] = byte(v.pollErrno(s))
		e[10] = s[8] // type
		if !m.Write(uint32(a[1]+ready*event), e) {
			return wasiFault
		}
		ready++
	}
	if !put32(m, a[3], ready) {
		return wasiFault
	}
	return wasiSuccess
}

// pollErrno is the errno of a subscription's event.
func (d *descriptors) pollErrno(s []byte) uint64 {
	of := d.streamOf(uint64(binary.LittleEndian.Uint32(s[16:])))
	switch s[8] {
	case 1: // to read
		if of != stdin {
			return wasiBadf
		}
	case 2: // to write
		if of != stdout && of != stderr {
			return wasiBadf
		}
	}
	return wasiSuccess
}

// pollDelay is how long a subscription waits.
func pollDelay(s []byte, wall time.Time, monotonic time.Duration) time.Duration {
	if s[8] != 0 { // a stream
		return 0
	}
	timeout := binary.LittleEndian.Uint64(s[24:])
	if s[40]&1 == 1 { // absolute
		now := uint64(monotonic)
		if s[16] == 0 {
			now = uint64(wall.UnixNano())
		}
		if timeout <= now {
			return 0
		}
		timeout -= now
	}
	return time.Duration(min(timeout, 1<<62))
}

func (v *invocation) sleep(d time.Duration) {
	if v.moments.rehearsal {
		v.moments.ticks += min(d, time.Hour)
		return
	}
	v.whileHost(func() {
		timer := time.NewTimer(min(d, time.Until(v.host.until(v.deadline))+time.Millisecond))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-v.Done():
		}
	})
}

// lineWriter cuts a stream into lines, with bounds on their length and number.
type lineWriter struct {
	sink  func(string)
	part  []byte
	lines int
}

const (
	maxLine  = 8 << 10
	maxLines = 1000
)

func (w *lineWriter) write(p []byte) {
	for len(p) > 0 && w.sink != nil && w.lines < maxLines {
		if len(w.part) == 0 { // empty lines are left out
			if p = bytes.TrimLeft(p, "\n"); len(p) == 0 {
				return
			}
		}
		line, rest, ended := bytes.Cut(p, []byte("\n"))
		w.part = append(w.part, line[:min(len(line), maxLine-len(w.part))]...)
		if ended {
			w.flush()
		}
		p = rest
	}
}

func (w *lineWriter) flush() {
	if len(w.part) == 0 || w.sink == nil {
		return
	}
	if w.lines++; w.lines == maxLines {
		w.sink("… more lines than one request may write were dropped")
	} else if w.lines < maxLines {
		w.sink(string(w.part))
	}
	w.part = w.part[:0]
}

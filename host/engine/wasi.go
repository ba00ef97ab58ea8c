package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

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
	wasiNosys   = 52
	wasiSpipe   = 70
)

// wasiFunc serves one call and answers an errno. args are the parameters.
type wasiFunc func(v *invocation, m api.Memory, args []uint64) uint64

func refuse(errno uint64) wasiFunc {
	return func(*invocation, api.Memory, []uint64) uint64 { return errno }
}

// wasiTable: name, parameter types (i: i32, I: i64), and what it does.
var wasiTable = []struct {
	name, params string
	call         wasiFunc
}{
	{"args_get", "ii", listGet(func(v *invocation) []string { return []string{"app"} })},
	{"args_sizes_get", "ii", listSizes(func(v *invocation) []string { return []string{"app"} })},
	{"environ_get", "ii", listGet((*invocation).environ)},
	{"environ_sizes_get", "ii", listSizes((*invocation).environ)},
	{"clock_res_get", "ii", func(_ *invocation, m api.Memory, a []uint64) uint64 { return put64(m, a[1], 1000) }},
	{"clock_time_get", "iIi", clockTime},
	{"fd_advise", "iIIi", refuse(wasiBadf)},
	{"fd_allocate", "iII", refuse(wasiBadf)},
	{"fd_close", "i", func(_ *invocation, _ api.Memory, a []uint64) uint64 { return stdOr(a[0], wasiSuccess) }},
	{"fd_datasync", "i", refuse(wasiBadf)},
	{"fd_fdstat_get", "ii", fdStat},
	{"fd_fdstat_set_flags", "ii", func(_ *invocation, _ api.Memory, a []uint64) uint64 { return stdOr(a[0], wasiSuccess) }},
	{"fd_fdstat_set_rights", "iII", refuse(wasiBadf)},
	{"fd_filestat_get", "ii", refuse(wasiBadf)},
	{"fd_filestat_set_size", "iI", refuse(wasiBadf)},
	{"fd_filestat_set_times", "iIIi", refuse(wasiBadf)},
	{"fd_pread", "iiiIi", refuse(wasiBadf)},
	{"fd_prestat_get", "ii", refuse(wasiBadf)},
	{"fd_prestat_dir_name", "iii", refuse(wasiBadf)},
	{"fd_pwrite", "iiiIi", refuse(wasiBadf)},
	{"fd_read", "iiii", fdRead},
	{"fd_readdir", "iiiIi", refuse(wasiBadf)},
	{"fd_renumber", "ii", refuse(wasiBadf)},
	{"fd_seek", "iIii", func(_ *invocation, _ api.Memory, a []uint64) uint64 { return stdOr(a[0], wasiSpipe) }},
	{"fd_sync", "i", refuse(wasiBadf)},
	{"fd_tell", "ii", func(_ *invocation, _ api.Memory, a []uint64) uint64 { return stdOr(a[0], wasiSpipe) }},
	{"fd_write", "iiii", fdWrite},
	{"path_create_directory", "iii", refuse(wasiBadf)},
	{"path_filestat_get", "iiiii", refuse(wasiBadf)},
	{"path_filestat_set_times", "iiiiIIi", refuse(wasiBadf)},
	{"path_link", "iiiiiii", refuse(wasiBadf)},
	{"path_open", "iiiiiIIii", refuse(wasiBadf)},
	{"path_readlink", "iiiiii", refuse(wasiBadf)},
	{"path_remove_directory", "iii", refuse(wasiBadf)},
	{"path_rename", "iiiiii", refuse(wasiBadf)},
	{"path_symlink", "iiiii", refuse(wasiBadf)},
	{"path_unlink_file", "iii", refuse(wasiBadf)},
	{"poll_oneoff", "iiii", pollOneoff},
	{"proc_raise", "i", refuse(wasiNosys)},
	{"random_get", "ii", randomGet},
	{"sched_yield", "", refuse(wasiSuccess)},
	{"sock_accept", "iii", refuse(wasiBadf)},
	{"sock_recv", "iiiiii", refuse(wasiBadf)},
	{"sock_send", "iiiii", refuse(wasiBadf)},
	{"sock_shutdown", "ii", refuse(wasiBadf)},
}

func exportWASI(b wazero.HostModuleBuilder) {
	for _, f := range wasiTable {
		params := make([]api.ValueType, len(f.params))
		for i, c := range f.params {
			params[i] = api.ValueTypeI32
			if c == 'I' {
				params[i] = api.ValueTypeI64
			}
		}
		shape, call := f.params, f.call
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
	}), []api.ValueType{api.ValueTypeI32}, nil).Export("proc_exit")
}

func stdOr(fd, errno uint64) uint64 {
	if fd > 2 {
		return wasiBadf
	}
	return errno
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
	v.ofTheMoment()
	wall, monotonic := v.moments.now()
	switch a[0] {
	case 0:
		return put64(m, a[2], uint64(wall.UnixNano()))
	case 1, 2, 3: // monotonic, and CPU time as far as a guest may know it
		return put64(m, a[2], uint64(monotonic))
	}
	return wasiInval
}

func fdStat(_ *invocation, m api.Memory, a []uint64) uint64 {
	if a[0] > 2 {
		return wasiBadf
	}
	stat := make([]byte, 24)
	stat[0] = 2 // character device: a terminal or a pipe, nothing to seek in
	binary.LittleEndian.PutUint64(stat[8:], 1<<1|1<<6)
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
	if a[0] != 0 {
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
	total := 0
	errno := vectors(v, m, a[1], a[2], func(view []byte) bool {
		total += len(view)
		if a[0] == 1 || a[0] == 2 {
			v.charge(fuel.Copying(len(view)))
		}
		switch a[0] {
		case 1:
			v.writeOut(view)
		case 2:
			v.stderr.write(view)
		}
		return true
	})
	if a[0] != 1 && a[0] != 2 {
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
	v.ofTheMoment()
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

// pollOneoff sleeps until the first clock is due, but never past the deadline.
// Standard streams are always ready.
func pollOneoff(v *invocation, m api.Memory, a []uint64) uint64 {
	v.ofTheMoment()
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
		wait = min(wait, pollDelay(in[i*subscription:], wall, monotonic))
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
		e[10] = s[8]   // type
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
		timer := time.NewTimer(min(d, time.Until(v.hostDeadline())+time.Millisecond))
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

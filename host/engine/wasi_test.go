package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/metering/fuel"
)

// wasiGuest is a guest's side of WASI: a memory, and an invocation whose work is free.
func wasiGuest(t *testing.T) (v *invocation, m api.Memory) {
	t.Helper()
	raw := (&wasm.Module{Memory: &wasm.Limits{Min: 1}, Exports: []wasm.Export{{Name: "memory", Kind: wasm.KindMemory}}}).Encode()
	ctx := t.Context()
	runtime := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	t.Cleanup(func() { _ = runtime.Close(context.Background()) })
	module, err := runtime.Instantiate(ctx, raw)
	if err != nil {
		t.Fatal(err)
	}
	return &invocation{
		Context: ctx, limits: &Limits{Table: fuel.Table1}, deadline: time.Now().Add(time.Minute), cgi: true,
		moments: moments{rehearsal: true},
	}, module.Memory()
}

func wasiCall(t *testing.T, v *invocation, m api.Memory, name string, args ...uint64) uint64 {
	t.Helper()
	params, _, _ := abi.WASIFunction(name)
	for len(args) < len(params) {
		args = append(args, 256) // pointers, mostly
	}
	for _, f := range wasiTable {
		if f.name == name {
			return f.call(v, m, args)
		}
	}
	t.Fatalf("WASI has no %s", name)
	return 0
}

// TestWASIDescriptors compares what each function returns for each descriptor with what wasmtime
// returns for standard streams that are pipes and for descriptors that are not open. Source: its
// crates/wasi/src/p1.rs, function by function; for example get_seekable for fd_seek and fd_tell,
// the arms of fd_pread and fd_write_impl, Notsock for all of sock_*.
func TestWASIDescriptors(t *testing.T) {
	const ok, bad, notdir, notsock, spipe = wasiSuccess, wasiBadf, wasiNotdir, wasiNotsock, wasiSpipe
	for name, want := range map[string][4]uint64{ // standard input, output and error; 3, which is not open
		"fd_advise":               {bad, bad, bad, bad},
		"fd_allocate":             {bad, bad, bad, bad},
		"fd_close":                {ok, ok, ok, bad},
		"fd_datasync":             {bad, bad, bad, bad},
		"fd_fdstat_get":           {ok, ok, ok, bad},
		"fd_fdstat_set_flags":     {bad, bad, bad, bad},
		"fd_fdstat_set_rights":    {bad, bad, bad, bad},
		"fd_filestat_get":         {ok, ok, ok, bad},
		"fd_filestat_set_size":    {bad, bad, bad, bad},
		"fd_filestat_set_times":   {bad, bad, bad, bad},
		"fd_pread":                {spipe, bad, bad, bad},
		"fd_prestat_get":          {bad, bad, bad, bad},
		"fd_prestat_dir_name":     {notdir, notdir, notdir, bad},
		"fd_pwrite":               {bad, spipe, spipe, bad},
		"fd_read":                 {ok, bad, bad, bad},
		"fd_readdir":              {bad, bad, bad, bad},
		"fd_renumber":             {ok, ok, ok, bad}, // onto itself
		"fd_seek":                 {spipe, spipe, spipe, bad},
		"fd_sync":                 {bad, bad, bad, bad},
		"fd_tell":                 {spipe, spipe, spipe, bad},
		"fd_write":                {bad, ok, ok, bad},
		"path_create_directory":   {bad, bad, bad, bad},
		"path_filestat_get":       {bad, bad, bad, bad},
		"path_filestat_set_times": {bad, bad, bad, bad},
		"path_link":               {bad, bad, bad, bad},
		"path_open":               {bad, bad, bad, bad},
		"path_readlink":           {bad, bad, bad, bad},
		"path_remove_directory":   {bad, bad, bad, bad},
		"path_rename":             {bad, bad, bad, bad},
		"path_unlink_file":        {bad, bad, bad, bad},
		"sock_accept":             {notsock, notsock, notsock, bad},
		"sock_recv":               {notsock, notsock, notsock, bad},
		"sock_send":               {notsock, notsock, notsock, bad},
		"sock_shutdown":           {notsock, notsock, notsock, bad},
	} {
		for fd, errno := range want {
			v, m := wasiGuest(t)
			args := []uint64{uint64(fd)}
			switch name {
			case "fd_renumber":
				args = append(args, uint64(fd))
			case "fd_read", "fd_write":
				args = append(args, 0, 0) // no vectors
			}
			if got := wasiCall(t, v, m, name, args...); got != errno {
				t.Errorf("%s of %d = %d, want %d", name, fd, got, errno)
			}
		}
	}
	v, m := wasiGuest(t)
	for name, want := range map[string]uint64{"path_symlink": bad, "proc_raise": wasiNotsup, "sched_yield": ok} {
		if got := wasiCall(t, v, m, name); got != want {
			t.Errorf("%s = %d, want %d", name, got, want)
		}
	}
}

// TestWASITable: what a module may import is what is there.
func TestWASITable(t *testing.T) {
	for _, f := range wasiTable {
		if _, returns, ok := abi.WASIFunction(f.name); !ok || !returns {
			t.Errorf("%s is served and is no function of WASI", f.name)
		}
	}
	if got, want := len(wasiTable)+1, abi.WASIFunctions(); got != want { // proc_exit is apart
		t.Errorf("%d functions are served, WASI has %d", got, want)
	}
}

// TestWASIStreamsAreNoTerminal: a terminal is a character device, and an interpreter that finds
// one waits for a person to type.
func TestWASIStreamsAreNoTerminal(t *testing.T) {
	for fd, rights := range []uint64{1 << 1, 1 << 6, 1 << 6} {
		v, m := wasiGuest(t)
		m.Write(0, bytes.Repeat([]byte{0xff}, 128))
		if errno := wasiCall(t, v, m, "fd_fdstat_get", uint64(fd), 0); errno != 0 {
			t.Fatal(errno)
		}
		stat, _ := m.Read(0, 24)
		if stat[0] != 0 || binary.LittleEndian.Uint64(stat[8:]) != rights || binary.LittleEndian.Uint64(stat[16:]) != rights {
			t.Errorf("fdstat of %d = %x", fd, stat)
		}
		if errno := wasiCall(t, v, m, "fd_filestat_get", uint64(fd), 64); errno != 0 {
			t.Fatal(errno)
		}
		if stat, _ := m.Read(64, 64); !bytes.Equal(stat, make([]byte, 64)) {
			t.Errorf("filestat of %d = %x", fd, stat)
		}
	}
	v, m := wasiGuest(t)
	if errno := wasiCall(t, v, m, "fd_filestat_get", 1, 65536-8); errno != wasiFault {
		t.Errorf("filestat outside of memory = %d", errno)
	}
}

func TestWASICloseAndRenumber(t *testing.T) {
	v, m := wasiGuest(t)
	m.WriteUint32Le(0, 64) // one vector of 5 bytes
	m.WriteUint32Le(4, 5)
	m.Write(64, []byte("hello"))
	steps := []struct {
		name string
		args []uint64
		want uint64
	}{
		{"fd_renumber", []uint64{1, 3}, wasiBadf},
		{"fd_renumber", []uint64{3, 1}, wasiBadf},
		{"fd_renumber", []uint64{1, 2}, wasiSuccess}, // standard error goes to the response
		{"fd_write", []uint64{1, 0, 1, 32}, wasiBadf},
		{"fd_write", []uint64{2, 0, 1, 32}, wasiSuccess},
		{"fd_close", []uint64{2}, wasiSuccess},
		{"fd_close", []uint64{2}, wasiBadf},
		{"fd_write", []uint64{2, 0, 1, 32}, wasiBadf},
		{"sock_send", []uint64{2}, wasiBadf},
		{"fd_renumber", []uint64{2, 2}, wasiBadf},
		{"fd_filestat_get", []uint64{0}, wasiSuccess},
	}
	v.limits.ResponseBody = 100
	for i, s := range steps {
		if got := wasiCall(t, v, m, s.name, s.args...); got != s.want {
			t.Errorf("step %d: %s%v = %d, want %d", i, s.name, s.args, got, s.want)
		}
	}
	if string(v.stdout) != "hello" {
		t.Errorf("standard output = %q", v.stdout)
	}
}

func TestWASIClocks(t *testing.T) {
	v, m := wasiGuest(t)
	for id, want := range []uint64{0, 0, 0, 0, wasiInval, wasiInval} {
		if got := wasiCall(t, v, m, "clock_res_get", uint64(id), 0); got != want {
			t.Errorf("clock_res_get(%d) = %d, want %d", id, got, want)
		}
		if got := wasiCall(t, v, m, "clock_time_get", uint64(id), 0, 0); got != want {
			t.Errorf("clock_time_get(%d) = %d, want %d", id, got, want)
		}
	}
}

func TestWASIPoll(t *testing.T) {
	const read, write = 1, 2
	for _, c := range []struct {
		kind, fd byte
		errno    byte
	}{
		{read, 0, wasiSuccess}, {read, 1, wasiBadf}, {read, 7, wasiBadf},
		{write, 0, wasiBadf}, {write, 1, wasiSuccess}, {write, 2, wasiSuccess}, {write, 3, wasiBadf},
	} {
		t.Run(fmt.Sprintf("kind %d of %d", c.kind, c.fd), func(t *testing.T) {
			v, m := wasiGuest(t)
			m.WriteUint64Le(0, 42)
			m.WriteByte(8, c.kind)
			m.WriteByte(16, c.fd)
			errno := wasiCall(t, v, m, "poll_oneoff", 0, 100, 1, 200)
			event, _ := m.Read(100, 32)
			if n, _ := m.ReadUint32Le(200); errno != 0 || n != 1 || event[0] != 42 || event[8] != c.errno || event[10] != c.kind {
				t.Errorf("errno %d, %d events, %x", errno, n, event)
			}
		})
	}
	v, m := wasiGuest(t)
	for at, b := range map[uint32]byte{8: 3, 16 + 48: 4} { // no such kind; a clock that does not exist
		m.Write(0, make([]byte, 96))
		m.WriteByte(at, b)
		if errno := wasiCall(t, v, m, "poll_oneoff", 0, 100, 2, 200); errno != wasiInval {
			t.Errorf("byte %d: errno %d", at, errno)
		}
	}
}

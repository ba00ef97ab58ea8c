package engine_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/host/engine"
)

// burglar is the input of a compile child that tries to get out as soon as it is asked for the
// first byte of a module, as a module would that found a defect in the compiler.
type burglar struct {
	task []byte // what the child was told, until the line's end
}

const burglarExit = 7

func (b *burglar) Read(p []byte) (int, error) {
	if bytes.HasSuffix(b.task, []byte("\n")) {
		b.breakOut()
	}
	n, err := os.Stdin.Read(p[:1])
	b.task = append(b.task, p[:n]...)
	return n, err
}

// breakOut tries everything, says what worked, and ends the process.
func (b *burglar) breakOut() {
	var t struct {
		CodeDir string `json:"code_dir"`
	}
	worked := []string{}
	if err := json.Unmarshal(b.task, &t); err != nil {
		worked = append(worked, err.Error())
	}
	if err := os.WriteFile(filepath.Join(t.CodeDir, "own"), []byte("1"), 0o600); err != nil {
		worked = append(worked, "could not write into its own directory: "+err.Error())
	}
	for name, attempt := range attempts(t.CodeDir) {
		if onThreads(attempt) == nil {
			worked = append(worked, name)
		}
	}
	slices.Sort(worked)
	fmt.Fprintf(os.Stderr, "environment %d worked %q", len(os.Environ()), worked)
	os.Exit(burglarExit)
}

// onThreads makes an attempt on several threads at once, those too that were there before the
// process was confined. It returns nil if one succeeded.
func onThreads(attempt func() error) (err error) {
	const threads = 8
	outcomes := make(chan error, threads)
	var all sync.WaitGroup
	all.Add(threads)
	for range threads {
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			all.Done()
			all.Wait()
			outcomes <- attempt()
		}()
	}
	for range threads {
		if err = <-outcomes; err == nil {
			return nil
		}
	}
	return err
}

func attempts(dir string) map[string]func() error {
	read := func(path string) func() error {
		return func() error { _, err := os.ReadFile(path); return err }
	}
	call := func(number uintptr, args ...uintptr) func() error {
		return func() error {
			var a [6]uintptr
			copy(a[:], args)
			if _, _, errno := syscall.RawSyscall6(number, a[0], a[1], a[2], a[3], a[4], a[5]); errno != 0 {
				return errno
			}
			return nil
		}
	}
	parent := os.Getppid()
	return map[string]func() error{
		"read /etc/passwd":            read("/etc/passwd"),
		"read its environment":        read("/proc/self/environ"),
		"read its parent's memory":    read(fmt.Sprintf("/proc/%d/maps", parent)),
		"read the cache's key":        read(filepath.Join(dir, "..", "key")),
		"list the cache":              func() error { _, err := os.ReadDir(filepath.Dir(dir)); return err },
		"write beside its directory":  func() error { return os.WriteFile(filepath.Join(dir, "..", "own"), nil, 0o600) },
		"link to its directory":       func() error { return os.Link("/etc/passwd", filepath.Join(dir, "p")) },
		"look through a symlink":      func() error { return errors.Join(os.Symlink("/etc/passwd", dir+"/s"), read(dir+"/s")()) },
		"open a TCP socket":           func() error { _, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0); return err },
		"open a Unix socket":          func() error { _, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0); return err },
		"open a netlink socket":       func() error { _, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, 0); return err },
		"run a program":               func() error { return exec.Command("/bin/true").Run() },
		"replace itself":              func() error { return unix.Exec("/bin/true", []string{"true"}, nil) },
		"fork":                        fork,
		"signal its parent":           func() error { return unix.Kill(parent, 0) },
		"signal its parent's threads": func() error { return unix.Tgkill(parent, parent, 0) },
		"trace its parent":            func() error { return unix.PtraceAttach(parent) },
		"read its parent by call":     call(unix.SYS_PROCESS_VM_READV, uintptr(parent)),
		"open its parent":             func() error { _, err := unix.PidfdOpen(parent, 0); return err },
		"raise its limits": func() error {
			return unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 64, Max: 64})
		},
		"make a user namespace": func() error { return unix.Unshare(unix.CLONE_NEWUSER) },
		"mount":                 func() error { return unix.Mount("none", dir, "tmpfs", 0, "") },
		"use io_uring":          call(unix.SYS_IO_URING_SETUP, 1, 0),
		"load a program":        call(unix.SYS_BPF, 0, 0, 0),
		"share memory":          func() error { _, err := unix.MemfdCreate("x", 0); return err },
		"open 64 files": func() error {
			for range 64 {
				if _, err := os.CreateTemp(dir, ""); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// fork makes a process; if that works, the new one ends at once.
func fork() error {
	pid, _, errno := syscall.RawSyscall(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0)
	switch {
	case errno != 0:
		return errno
	case pid == 0:
		syscall.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
	}
	return nil
}

// TestChildIsConfined: a compile child that is taken over by its module reaches nothing.
func TestChildIsConfined(t *testing.T) {
	if missing := engine.Unconfined(); len(missing) > 0 {
		t.Skipf("this kernel has no %s", strings.Join(missing, " and no "))
	}
	if raceDetector {
		t.Skip("the race detector takes all the memory that the child may have; the plain run tries it")
	}
	t.Setenv("AGORA_TEST_SECRET", "is not the child's to know")
	e := newEngine(t, func(o *engine.Options) { o.Worker = append(o.Worker, "burglar") })
	// The module is large, so that the child has memory for the threads of a C library.
	m, err := wasm.Parse(wasmtest.App{}.Bytes(), wasm.DefaultBounds())
	if err != nil {
		t.Fatal(err)
	}
	m.Data = append(m.Data, wasm.Data{Mode: wasm.Passive, Bytes: make([]byte, 16<<20)})
	err = e.Compile(t.Context(), m.Encode(), limits)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("exit status %d", burglarExit)) {
		t.Fatalf("err = %v", err)
	}
	if !strings.HasSuffix(err.Error(), "environment 2 worked []") {
		t.Errorf("the child reached something: %v", err)
	}
}

// childInput is what a compile child reads, by the words behind its command.
func childInput(words []string) io.Reader {
	if slices.Contains(words, "burglar") {
		return &burglar{}
	}
	return os.Stdin
}

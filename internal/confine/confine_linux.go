package confine

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"github.com/landlock-lsm/go-landlock/landlock"
	landlocksys "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// Missing names what this system cannot do.
func Missing() (missing []string) {
	if !hasLandlock() {
		missing = append(missing, "Landlock")
	}
	if !hasSeccomp() {
		missing = append(missing, "seccomp")
	}
	return missing
}

func hasLandlock() bool {
	version, err := landlocksys.LandlockGetABIVersion()
	return err == nil && version > 0
}

func hasSeccomp() bool {
	_, err := arch.GetInfo("")
	return err == nil && seccomp.Supported()
}

// Self confines the process to the bounds and to one directory; "": it touches no file any more.
func Self(b Bounds, dir string) error {
	// If memory runs out, the kernel is to take this process and not the node. The file is
	// missing where /proc is; then the kernel chooses.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)
	if err := b.limit(); err != nil {
		return err
	}
	if hasLandlock() {
		var may []landlock.Rule
		if dir != "" {
			may = append(may, landlock.RWDirs(dir))
		}
		if err := landlock.V6.BestEffort().Restrict(may...); err != nil {
			return fmt.Errorf("confine the process to its directory: %w", err)
		}
	}
	// The filter's library sets no_new_privs of one thread, and the filter reaches all
	// threads from that one.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if !hasSeccomp() {
		return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	}
	p, err := policy(arches[runtime.GOARCH], os.Getpid())
	if err != nil {
		return err
	}
	if err := seccomp.LoadFilter(seccomp.Filter{NoNewPrivs: true, Flag: seccomp.FilterFlagTSync, Policy: p}); err != nil {
		return fmt.Errorf("confine the process to its system calls: %w", err)
	}
	return nil
}

// limit sets the resource limits.
func (b Bounds) limit() error {
	mapped, err := mappedBytes()
	if err != nil {
		return err
	}
	var errs []error
	for _, l := range []struct {
		name     string
		resource int
		most     uint64
	}{
		{"address space", unix.RLIMIT_AS, mapped + b.Memory},
		{"processor time", unix.RLIMIT_CPU, b.CPU},
		{"file size", unix.RLIMIT_FSIZE, b.File},
		{"core dumps", unix.RLIMIT_CORE, 0},
		{"open files", unix.RLIMIT_NOFILE, files},
	} {
		var now unix.Rlimit
		err := unix.Getrlimit(l.resource, &now)
		if err == nil {
			most := min(l.most, now.Max)
			err = unix.Setrlimit(l.resource, &unix.Rlimit{Cur: most, Max: most})
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("limit the %s: %w", l.name, err))
		}
	}
	return errors.Join(errs...)
}

// mappedBytes is the size of the address space. Go reserves more than a GiB of it when it
// starts, how much depends on its version.
func mappedBytes() (uint64, error) {
	raw, err := os.ReadFile("/proc/self/statm")
	if errors.Is(err, os.ErrNotExist) {
		return gib + gib/2, nil // there is no /proc
	}
	var pages uint64
	if err == nil {
		_, err = fmt.Sscan(string(raw), &pages)
	}
	return pages * uint64(os.Getpagesize()), err
}

var arches = map[string]*arch.Info{"amd64": arch.X86_64, "arm64": arch.AARCH64}

// allowed are the system calls of a Go process that computes, and works with the files of a
// directory. An architecture has some of them: arm64 was made without the older ones.
var allowed = []string{
	// files
	"read", "write", "close", "openat", "newfstatat", "fstatat", "fstat", "lseek", "pread64", "pwrite64", "fcntl",
	"fsync", "ftruncate", "mkdirat", "unlinkat", "renameat", "renameat2", "getdents64", "fchmod", "fchmodat",
	"open", "mkdir", "unlink", "rmdir", "rename",
	// memory
	"brk", "mmap", "munmap", "mprotect", "madvise", "mremap", "mincore",
	// threads, time and signals of its own
	"futex", "nanosleep", "clock_gettime", "clock_getres", "clock_nanosleep", "sched_yield", "sched_getaffinity",
	"getpid", "gettid", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "set_robust_list", "rseq",
	"exit", "exit_group", "restart_syscall", "timer_create", "timer_settime", "timer_delete", "setitimer",
	// the network poller, which Go uses for pipes
	"epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_wait", "eventfd2", "pipe2",
	"getrandom", "getrusage", "uname",
}

// refusal is the action that makes a call fail with an error number.
func refusal(errno syscall.Errno) seccomp.Action {
	return seccomp.Action(unix.SECCOMP_RET_ERRNO | uint32(errno))
}

// policy allows the system calls, threads (and no processes), and signals to the process itself.
func policy(a *arch.Info, pid int) (seccomp.Policy, error) {
	if a == nil {
		return seccomp.Policy{}, fmt.Errorf("the system calls of %s are not known", runtime.GOARCH)
	}
	var names []string
	for _, name := range allowed {
		if _, ok := a.SyscallNames[name]; ok {
			names = append(names, name)
		}
	}
	when := func(name string, argument uint32, op seccomp.Operation, value uint64) seccomp.NameWithConditions {
		return seccomp.NameWithConditions{Name: name, Conditions: seccomp.ArgumentConditions{{Argument: argument, Operation: op, Value: value}}}
	}
	return seccomp.Policy{
		DefaultAction: seccomp.ActionErrno,
		Syscalls: []seccomp.SyscallGroup{
			// The flags of clone3 are in memory, where a filter cannot see them. A C library
			// that is told it does not exist uses clone.
			{Action: refusal(unix.ENOSYS), Names: []string{"clone3"}},
			{Action: seccomp.ActionAllow, Names: names, NamesWithCondtions: []seccomp.NameWithConditions{
				when("clone", 0, seccomp.BitsSet, unix.CLONE_THREAD),
				when("tgkill", 0, seccomp.Equal, uint64(pid)),
			}},
		},
	}, nil
}

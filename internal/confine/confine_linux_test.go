package confine

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/elastic/go-seccomp-bpf/arch"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "confine" { // a child of these tests
		if err := Self(For(mib), os.Args[2]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("confined")
		_, _ = os.Stdin.Read(make([]byte, 1)) // until the parent has looked
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestSelf looks at a confined process from outside, as the kernel describes it.
func TestSelf(t *testing.T) {
	child := exec.CommandContext(t.Context(), os.Args[0], "confine", t.TempDir())
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "confined\n" {
		t.Fatalf("%q, %v", line, err)
	}
	limits, status, score := proc(t, child, "limits"), proc(t, child, "status"), proc(t, child, "oom_score_adj")
	_ = in.Close()
	if err := child.Wait(); err != nil {
		t.Error(err)
	}
	b := For(mib)
	for _, want := range []string{
		fmt.Sprint("Max cpu time ", b.CPU, " ", b.CPU, " seconds"),
		fmt.Sprint("Max file size ", b.File, " ", b.File, " bytes"),
		"Max core file size 0 0 bytes", "Max open files 64 64 files",
	} {
		if !strings.Contains(limits, want) {
			t.Errorf("the limits lack %q:\n%s", want, limits)
		}
	}
	if strings.Contains(limits, "Max address space unlimited") {
		t.Error("address space is not bounded")
	}
	for what, want := range map[string]string{"no new privileges": "NoNewPrivs: 1", "a filter": "Seccomp: 2"} {
		if len(Missing()) == 0 && !strings.Contains(status, want) {
			t.Errorf("the process has not %s:\n%s", what, status)
		}
	}
	if score != "1000" {
		t.Errorf("oom_score_adj is %s", score)
	}
}

// proc reads what the kernel says of a process, with single spaces.
func proc(t *testing.T, of *exec.Cmd, file string) string {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", of.Process.Pid, file))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(string(raw)), " ")
}

// TestPolicies assembles the filter of each architecture that is built for, on any of them.
func TestPolicies(t *testing.T) {
	known := map[string]bool{}
	for name, a := range arches {
		p, err := policy(a, 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, group := range p.Syscalls {
			for _, call := range group.Names {
				known[call] = true
			}
			for _, call := range group.NamesWithCondtions {
				if _, ok := a.SyscallNames[call.Name]; !ok {
					t.Errorf("%s has no %s", name, call.Name)
				}
			}
		}
		for _, needed := range [][]string{{"openat"}, {"newfstatat", "fstatat"}, {"renameat"}, {"mkdirat"}, {"unlinkat"}, {"getdents64"}, {"mmap"}, {"mprotect"}, {"madvise"}, {"futex"}, {"epoll_pwait"}, {"rt_sigreturn"}} {
			if !slices.ContainsFunc(needed, func(call string) bool { return slices.Contains(p.Syscalls[1].Names, call) }) {
				t.Errorf("%s allows none of %v", name, needed)
			}
		}
	}
	for _, call := range allowed {
		if !known[call] {
			t.Errorf("no architecture has %q", call)
		}
	}
	if p, err := policy(arches[runtime.GOARCH], 1); err == nil {
		if _, err := p.Assemble(); err != nil {
			t.Error(err)
		}
	}
	if _, err := policy((*arch.Info)(nil), 1); err == nil {
		t.Error("an architecture that is not known has a policy")
	}
}

func TestBounds(t *testing.T) {
	small, large := For(200), For(3*mib)
	if small.Memory >= large.Memory || small.CPU >= large.CPU || small.File >= large.File {
		t.Errorf("the bounds do not follow the size: %+v and %+v", small, large)
	}
	capped := large.AtMost(Bounds{Memory: 10, CPU: 1 << 40})
	if capped != (Bounds{10, large.CPU, large.File}) {
		t.Errorf("%+v", capped)
	}
	for _, v := range large.Env() {
		if !strings.HasPrefix(v, "GOMAXPROCS=") && !strings.HasPrefix(v, "GOMEMLIMIT=") {
			t.Errorf("the environment has %s", v)
		}
	}
}

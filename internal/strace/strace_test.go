//go:build linux && !race

package strace_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/agora-host/agora/internal/crashdisk"
	"github.com/agora-host/agora/internal/strace"
)

// A test runs this binary once more, to be recorded.
const (
	whatVar  = "AGORA_TEST_STRACE"
	whereVar = "AGORA_TEST_STRACE_DIR"
)

func TestMain(m *testing.M) {
	if what := os.Getenv(whatVar); what != "" {
		dir := os.Getenv(whereVar)
		do := good
		if what != "good" {
			do = strange[what]
		}
		if err := do(dir); err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// good is all that can be played.
func good(dir string) error {
	in := func(name string) string { return filepath.Join(dir, name) }
	if os.Getenv("AGORA_TEST_STRACE_CHILD") != "" { // it has a file of its parent's
		_, err := os.NewFile(3, "inherited").WriteString("the child's ")
		return errors.Join(err, os.WriteFile(in("by-a-child"), []byte("x"), 0o600))
	}
	f, err := os.Create(in("log"))
	if err != nil {
		return err
	}
	f.WriteString("once ")
	f.WriteString("twice ")
	f.Seek(3, 0)
	f.WriteString("###")
	f.WriteAt([]byte("far"), 9000)
	f.Truncate(9001)
	f.Sync()
	f.Seek(0, 2)
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "AGORA_TEST_STRACE_CHILD=1")
	child.ExtraFiles = []*os.File{f}
	err = errors.Join(os.WriteFile(in("short"), []byte("long text"), 0o600), os.WriteFile(in("short"), []byte("short"), 0o600),
		child.Run(), f.Close(), os.Link(in("log"), in("link")), os.Rename(in("log"), in("renamed")), os.Remove(in("renamed")),
		os.MkdirAll(in("a/b/c"), 0o700), os.WriteFile(in("a/b/c/d"), []byte("deep"), 0o600), os.Rename(in("a/b"), in("moved")),
		os.Remove(in("a")), os.MkdirAll(in("gone/x/y"), 0o700), os.WriteFile(in("gone/x/y/z"), nil, 0o600), os.RemoveAll(in("gone")),
		os.WriteFile(filepath.Join(filepath.Dir(dir), "elsewhere"), []byte("outside"), 0o600))
	a, e := os.OpenFile(in("appended"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if e != nil {
		return e
	}
	a.WriteString("one")
	a.Seek(0, 0)
	a.WriteString("two")
	root, e := os.OpenRoot(dir)
	if e != nil {
		return e
	}
	d, e := os.Open(dir)
	if e != nil {
		return e
	}
	from, e := os.Open(in("appended"))
	if e != nil {
		return e
	}
	to, e := os.Create(in("copied"))
	if e != nil {
		return e
	}
	if _, e := unix.CopyFileRange(int(from.Fd()), nil, int(to.Fd()), nil, 4, 0); e != nil {
		return e
	}
	to.WriteString(" and more")
	err = errors.Join(err, from.Close(), to.Close())
	return errors.Join(err, a.Close(), root.WriteFile("moved/relative", []byte("r"), 0o600), root.Close(), d.Sync(), d.Close())
}

// strange is what changes a directory and cannot be played.
var strange = map[string]func(dir string) error{
	"fallocate": func(dir string) error {
		return with(dir, func(fd int) error { return unix.Fallocate(fd, 0, 0, 5000) })
	},
	"truncate by name":   func(dir string) error { return os.Truncate(file(dir), 1) },
	"symbolic link":      func(dir string) error { return os.Symlink("x", filepath.Join(dir, "link")) },
	"device":             func(dir string) error { return unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600) },
	"rename from within": func(dir string) error { return os.Rename(file(dir), dir+"-outside") },
	"vectors": func(dir string) error {
		return with(dir, func(fd int) error { _, err := unix.Pwritev(fd, [][]byte{[]byte("x")}, 1); return err })
	},
	"mapping": func(dir string) error {
		return with(dir, func(fd int) error {
			b, err := unix.Mmap(fd, 0, 3, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
			if err == nil {
				b[0] = 'X'
			}
			return err
		})
	},
	"copy within the kernel": func(dir string) error {
		return with(dir, func(fd int) error {
			from, err := os.Open(os.Args[0])
			if err == nil {
				_, err = unix.CopyFileRange(int(from.Fd()), nil, fd, nil, 100, 0)
			}
			return err
		})
	},
	"write that fails": func(dir string) error {
		f, err := os.Open(file(dir))
		if err == nil {
			_, _ = f.WriteString("to a file that is open to be read")
		}
		return err
	},
}

func file(dir string) string {
	name := filepath.Join(dir, "file")
	_ = os.WriteFile(name, []byte("text"), 0o600)
	return name
}

func with(dir string, do func(fd int) error) error {
	f, err := os.OpenFile(file(dir), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return do(int(f.Fd()))
}

// recorded runs a scenario and plays it.
func recorded(t *testing.T, what string) (dir string, disk *crashdisk.Disk, err error) {
	t.Helper()
	parent, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(parent, "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), whatVar+"="+what, whereVar+"="+dir)
	var said strings.Builder
	cmd.Stderr = &said
	r, err := strace.Record(cmd)
	if err != nil {
		t.Fatal(err)
	}
	err = cmd.Start()
	r.Started()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, &said)
	}
	events, err := r.Events()
	if err != nil {
		t.Fatal(err)
	}
	p := &strace.Player{Dir: dir, Disk: crashdisk.New()}
	return dir, p.Disk, p.Play(events, nil)
}

// TestPlay: what a process and its child did to a directory is what the disk has.
func TestPlay(t *testing.T) {
	dir, disk, err := recorded(t, "good")
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		node := crashdisk.Node(disk.Root)
		if rest := strings.TrimPrefix(path, dir); rest != "" {
			for _, name := range strings.Split(rest[1:], "/") {
				d, ok := node.(*crashdisk.Dir)
				if !ok {
					t.Fatalf("%s is not in the record", path)
				}
				node = d.Node(name)
			}
		}
		if d, ok := node.(*crashdisk.Dir); ok {
			entries, err := os.ReadDir(path)
			var names []string
			for _, e := range entries {
				names = append(names, e.Name())
			}
			if err != nil || !slices.Equal(names, d.Names()) {
				t.Errorf("%s has %q (%v), the record makes %q", path, names, err, d.Names())
			}
			return nil
		}
		raw, err := os.ReadFile(path)
		if f, ok := node.(*crashdisk.File); !ok || err != nil || !bytes.Equal(raw, f.Bytes()) {
			t.Errorf("%s is not what the record makes of it", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestNothingIsLeftOut: what cannot be played is an error, each time.
func TestNothingIsLeftOut(t *testing.T) {
	for what := range strange {
		if _, _, err := recorded(t, what); err == nil {
			t.Errorf("%s: it was played", what)
		} else {
			t.Logf("%s: %v", what, err)
		}
	}
}

// TestKilledWithin: a write that had not ended may have happened or not.
func TestKilledWithin(t *testing.T) {
	events, err := strace.Parse(slices.Values([]string{
		`7 openat(AT_FDCWD, "\x2f\x64\x2f\x66", O_WRONLY|O_CREAT, 0600) = 3`, `7 write(3, "\x78", 1 <unfinished ...>`, `7 +++ killed by SIGKILL +++`,
	}))
	if err != nil {
		t.Fatal(err)
	}
	p := &strace.Player{Dir: "/d", Disk: crashdisk.New()}
	if err := p.Play(events, nil); err == nil {
		t.Error("it was played")
	}
}

// TestParse: calls that other threads interrupt are put together, and a line that
// is not understood ends the reading.
func TestParse(t *testing.T) {
	events, err := strace.Parse(slices.Values([]string{
		`7  openat(AT_FDCWD, "\x2f\x61", O_RDWR|O_CLOEXEC) = 3` + "\n",
		`7  fsync(3 <unfinished ...>` + "\n",
		`8  accept4(4,  <unfinished ...>` + "\n",
		`7  <... fsync resumed>)              = -1 EIO (Input/output error)` + "\n",
		`8  <... accept4 resumed>{sa_family=AF_INET, sin_port=htons(80)}, [16], SOCK_CLOEXEC) = 5` + "\n",
		`8  +++ killed by SIGKILL +++` + "\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range events {
		got = append(got, strings.TrimSpace(strings.Join(append([]string{e.Name, map[bool]string{true: "ends", false: "begins"}[e.Ends]}, e.Args()...), " ")))
	}
	want := []string{
		`openat begins AT_FDCWD "\x2f\x61" O_RDWR|O_CLOEXEC`, `openat ends AT_FDCWD "\x2f\x61" O_RDWR|O_CLOEXEC`,
		`fsync begins 3`, `accept4 begins 4`, `fsync ends 3`, `accept4 ends 4 {sa_family=AF_INET, sin_port=htons(80)} [16] SOCK_CLOEXEC`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if e := events[4]; e.Result != -1 || e.Error != "EIO" {
		t.Errorf("%+v", e.Call)
	}
	if events, err := strace.Parse(slices.Values([]string{"7  ???( <detached ...>"})); err != nil || len(events) > 0 {
		t.Errorf("a thread that ended before a call: %v, %v", events, err)
	}
	for _, line := range []string{"", "x", "7 write(", "7  <... write resumed>) = 1", "strace: something", "7  write(1, \"\", 0) = many", "7  ???("} {
		if _, err := strace.Parse(slices.Values([]string{line})); err == nil {
			t.Errorf("%q is understood", line)
		}
	}
}

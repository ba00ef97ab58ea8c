package strace

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// maxData is how many bytes of a write are kept; more are an error when played.
const maxData = 8 << 20

// traced are the calls that can change a file, a name, or what a descriptor means,
// and those by which a connection begins and speaks. "?" is for architectures that
// do not have one.
const traced = "?open,openat,?openat2,?creat,close,?close_range,dup,?dup2,dup3,fcntl," +
	"write,writev,pwrite64,pwritev,?pwritev2,lseek,ftruncate,truncate,fallocate,fsync,fdatasync,sync,syncfs,?sync_file_range," +
	"sendfile,splice,copy_file_range,mmap,?io_uring_setup,?io_setup," +
	"?rename,?renameat,renameat2,?link,linkat,?symlink,symlinkat,?unlink,unlinkat,?mkdir,mkdirat,?rmdir,?mknod,mknodat," +
	"chdir,fchdir,chroot,unshare,?fork,?vfork,clone,?clone3,execve,?execveat,accept,accept4,sendto,sendmsg"

// ErrRefused: this system does not let one process trace another.
var ErrRefused = errors.New("the system refuses ptrace: in a container allow it with --cap-add SYS_PTRACE, on a hardened system with sysctl kernel.yama.ptrace_scope=1")

// Recording is a record that grows.
type Recording struct {
	to   *os.File
	done chan struct{}
	text []byte
	err  error
}

// Record changes a command that is not started yet: it will run under strace, and
// yet be the direct child of this process, to be signalled and waited for like
// any other.
func Record(cmd *exec.Cmd) (*Recording, error) {
	path, err := exec.LookPath("strace")
	if err != nil {
		return nil, fmt.Errorf("the record of a node's file operations needs strace: apt-get install strace (%w)", err)
	}
	if said, err := exec.Command(path, "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", errors.Join(ErrRefused, err), said)
	}
	from, to, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	args := []string{"strace", "-D", "-f", "--seccomp-bpf", "-qq", "-xx", "-e", "signal=none", "-s", strconv.Itoa(maxData), "-e", "trace=" + traced}
	cmd.ExtraFiles = append(cmd.ExtraFiles, to)
	args = append(args, "-o", fmt.Sprintf("/dev/fd/%d", 2+len(cmd.ExtraFiles)), cmd.Path)
	cmd.Path, cmd.Args = path, append(args, cmd.Args[1:]...)
	r := &Recording{to: to, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.text, r.err = io.ReadAll(from)
		r.err = errors.Join(r.err, from.Close())
	}()
	return r, nil
}

// Started is to be called once the command has been started, or was not.
func (r *Recording) Started() { _ = r.to.Close() }

// Events waits for the end of all that was started, and returns what it did.
func (r *Recording) Events() ([]Event, error) {
	<-r.done
	if r.err != nil {
		return nil, r.err
	}
	return Parse(strings.Lines(string(r.text)))
}

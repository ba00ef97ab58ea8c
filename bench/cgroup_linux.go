package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
)

// cgroupNote says what inCgroup does here.
var cgroupNote = "no cgroup: --memory alone"

// inCgroup puts the node's process into a cgroup of so many bytes, where this user may make one: a
// shell joins it and becomes the node. remove is for when the process has ended.
func inCgroup(limit int64) (prepare func(*exec.Cmd), remove func()) {
	remove = func() {}
	prepare = func(cmd *exec.Cmd) {
		for _, v := range []struct{ root, file string }{
			{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"}, {"/sys/fs/cgroup", "memory.max"},
		} {
			dir := filepath.Join(v.root, fmt.Sprintf("agora-siege-%d", os.Getpid()))
			if os.Mkdir(dir, 0o755) != nil {
				continue
			}
			if os.WriteFile(filepath.Join(dir, v.file), []byte(strconv.FormatInt(limit, 10)), 0o644) != nil {
				_ = os.Remove(dir)
				continue
			}
			cmd.Args = append([]string{"sh", "-c", `echo $$ >"$0" && exec "$@"`, filepath.Join(dir, "cgroup.procs")}, append([]string{cmd.Path}, cmd.Args[1:]...)...)
			cmd.Path = "/bin/sh"
			cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
			cgroupNote = "in a cgroup of that size"
			remove = func() { _ = os.Remove(dir) }
			return
		}
	}
	return prepare, func() { remove() }
}

package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// listener finds the process that listens on a port, among those whose descriptors this user may
// see. It returns 0 if it finds none.
func listener(port uint16) (pid int, name string) {
	sockets := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		listening(table, port, sockets)
	}
	if len(sockets) == 0 {
		return 0, ""
	}
	descriptors, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, path := range descriptors {
		if to, err := os.Readlink(path); err != nil || !sockets[to] {
			continue
		}
		dir := filepath.Dir(filepath.Dir(path))
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil {
			name, _ := os.ReadFile(filepath.Join(dir, "comm"))
			return pid, strings.TrimSpace(string(name))
		}
	}
	return 0, ""
}

// listening adds the sockets of a table of the kernel that listen on a port, as the links in
// /proc/PID/fd name them. Its columns are described in proc(5).
func listening(table string, port uint16, sockets map[string]bool) {
	const stateListen = "0A"
	f, err := os.Open(table)
	if err != nil {
		return
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		w := strings.Fields(lines.Text())
		if len(w) > 9 && w[3] == stateListen && strings.HasSuffix(w[1], fmt.Sprintf(":%04X", port)) {
			sockets["socket:["+w[9]+"]"] = true
		}
	}
}

package door

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// smallBuffers bounds what the kernel holds of each connection's request and response: what is
// set on a listening socket is inherited.
func smallBuffers(_, _ string, raw syscall.RawConn) error {
	var err error
	if cerr := raw.Control(func(fd uintptr) {
		err = errors.Join(unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer),
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer))
	}); cerr != nil {
		return cerr
	}
	return err
}

// noSYN lets every packet to a listening socket pass but the first of a new connection. A
// filter sees a segment from its TCP header on, whose flags are in byte 13.
var noSYN = []unix.SockFilter{
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 13},
	{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: 0x12},        // SYN, ACK
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 0x02, Jf: 1}, // SYN alone
	{Code: unix.BPF_RET | unix.BPF_K, K: 0},                          // drop
	{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff},                 // pass
}

// keepAway keeps new connections from being made, and reports whether it could. Those that are
// half made, or wait to be accepted, are not touched: closing the listener would reset them.
//
// The kernel drops the first packet of a new connection, whose sender tries again after a
// second: by then the next process listens. A kernel without filters is told that the socket
// is for another network device, so that new connections are refused as if it were closed.
func keepAway(l *net.TCPListener) bool {
	raw, err := l.SyscallConn()
	if err != nil {
		return false
	}
	program := unix.SockFprog{Len: uint16(len(noSYN)), Filter: &noSYN[0]}
	device := unusedDevice(l)
	cerr := raw.Control(func(fd uintptr) {
		if err = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program); err != nil && device != "" {
			err = unix.SetsockoptString(int(fd), unix.SOL_SOCKET, unix.SO_BINDTODEVICE, device)
		}
	})
	return cerr == nil && err == nil
}

// unusedDevice returns a network device through which nothing comes to a listener, or "".
func unusedDevice(l *net.TCPListener) string {
	all, err := net.Interfaces()
	if err != nil {
		return ""
	}
	local := l.Addr().(*net.TCPAddr).IP.IsLoopback()
	for _, i := range all {
		if i.Flags&net.FlagLoopback == 0 && (local || i.Flags&net.FlagUp == 0) {
			return i.Name
		}
	}
	return ""
}

// pending reports whether a connection waits to be accepted.
func pending(l *net.TCPListener) bool { return readable(l) }

// readable reports whether there is something to read.
func readable(c any) bool {
	s, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return false
	}
	ready := false
	_ = raw.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, 0)
		ready = err == nil && n > 0 && fds[0].Revents&unix.POLLIN != 0
	})
	return ready
}

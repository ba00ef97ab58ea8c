package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	"github.com/agora-host/agora/node"
)

// openNode opens a node. An address that cannot be listened on is an error that says who has it
// and what to do: a node that came up elsewhere would not be found by those who look for it.
func openNode(ctx context.Context, o node.Options) (*node.Node, error) {
	node.TuneProcess(o.Memory)
	n, err := node.New(ctx, o)
	at, ok := errors.AsType[*node.ListenError](err)
	switch {
	case !ok:
		return n, err
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, &exitError{exitConflict, fmt.Errorf("%s is taken%s\nStop what listens there, or choose another address: %s %s", at.Address, holder(at.Address), at.Flag, nextPort(at.Address))}
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("%w\nPorts below 1024 are for the system's administrator. Give the node the right to them (CAP_NET_BIND_SERVICE), or choose another one, such as %s %s, and put a proxy in front", err, at.Flag, withPort(at.Address, "8080"))
	}
	return nil, fmt.Errorf("%w\nName an address of this machine and a port, such as %s 127.0.0.1:8080", err, at.Flag)
}

// holder says which process listens at an address, as far as that can be found out.
func holder(address string) string {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return ""
	}
	if pid, name := listener(uint16(n)); pid != 0 {
		return fmt.Sprintf(" by process %d (%s)", pid, printable(name))
	}
	return fmt.Sprintf(" by another process (as its user or as root, lsof -i :%s names it)", port)
}

// nextPort is an address that is free just now, beside one that is not.
func nextPort(address string) string {
	host, port, err := net.SplitHostPort(address)
	n, errPort := strconv.Atoi(port)
	if err != nil || errPort != nil {
		return "127.0.0.1:0"
	}
	for p := n + 1; p < min(n+100, 1<<16); p++ {
		next := net.JoinHostPort(host, strconv.Itoa(p))
		if l, err := net.Listen("tcp", next); err == nil {
			_ = l.Close()
			return next
		}
	}
	return net.JoinHostPort(host, "0")
}

func withPort(address, port string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

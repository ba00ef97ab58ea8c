package door

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// errProxy: what a proxy sent first is no header of the proxy protocol.
var errProxy = errors.New("no valid header of the proxy protocol")

// signature begins a header of version 2; signature1, one of version 1.
const (
	signature  = "\r\n\r\n\x00\r\nQUIT\n"
	signature1 = "PROXY "
	// longest1 is how long a line of version 1 may be, its end included.
	longest1 = 107
	// longest2 is how much may follow the fixed part of version 2: addresses, and what a proxy
	// adds about them, of which nothing is used.
	longest2 = 2048
)

// introduce reads the header that a proxy has put before what its client sends, and counts the
// connection for the client. A proxy that speaks for itself, as its health checks do, stays what
// it is, but names no clients.
func (c *Conn) introduce() error {
	d := c.door
	addr, err := readProxyHeader(c.Conn)
	if err != nil {
		return err
	}
	d.mu.Lock()
	c.trusted = addr.IsValid() && proxies(d.o.Trusted).trust(addr.Addr())
	d.mu.Unlock()
	if !addr.IsValid() {
		return nil
	}
	c.addr = net.TCPAddrFromAddrPort(addr)
	if c.trusted {
		return nil // another proxy, before this one
	}
	from, ok := d.enter(addr.Addr(), false)
	if !ok && d.shed(from, true) {
		from, ok = d.enter(addr.Addr(), false)
	}
	if !ok {
		d.warn("a client has as many connections open, through the proxy, as one address may", from)
		return ErrTooMany
	}
	d.mu.Lock()
	before := c.from
	c.from, c.exempt = from, false
	d.mu.Unlock()
	d.leave(before)
	return nil
}

// readProxyHeader reads a header of version 1 or 2 from r, and nothing beyond it. The address is
// the zero value if the proxy speaks for itself or says that it does not know.
func readProxyHeader(r io.Reader) (netip.AddrPort, error) {
	var head [len(signature)]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return netip.AddrPort{}, fmt.Errorf("%w: %w", errProxy, err)
	}
	switch {
	case string(head[:]) == signature:
		return readVersion2(r)
	case strings.HasPrefix(string(head[:]), signature1):
		return readVersion1(r, head[:])
	}
	return netip.AddrPort{}, fmt.Errorf("%w: it begins with %q", errProxy, head[:])
}

// readVersion1 reads the rest of a line. Bytes are read one by one: what follows the line is the
// client's.
func readVersion1(r io.Reader, line []byte) (netip.AddrPort, error) {
	for line[len(line)-1] != '\n' {
		if len(line) == longest1 {
			return netip.AddrPort{}, fmt.Errorf("%w: a line of version 1 is too long", errProxy)
		}
		var one [1]byte
		if _, err := io.ReadFull(r, one[:]); err != nil {
			return netip.AddrPort{}, fmt.Errorf("%w: %w", errProxy, err)
		}
		line = append(line, one[0])
	}
	text, ok := strings.CutSuffix(string(line), "\r\n")
	if !ok || strings.ContainsAny(text, "\r\n") {
		return netip.AddrPort{}, fmt.Errorf("%w: %q", errProxy, line)
	}
	words := strings.Split(text, " ")
	if words[1] == "UNKNOWN" { // what follows has to be ignored
		return netip.AddrPort{}, nil
	}
	if len(words) != 6 {
		return netip.AddrPort{}, fmt.Errorf("%w: %q", errProxy, line)
	}
	from, errFrom := addrOfFamily(words[1], words[2], words[4])
	_, errTo := addrOfFamily(words[1], words[3], words[5])
	if errFrom != nil || errTo != nil {
		return netip.AddrPort{}, fmt.Errorf("%w: %q", errProxy, line)
	}
	return from, nil
}

// addrOfFamily reads an address of TCP4 or TCP6 with its port.
func addrOfFamily(family, addr, port string) (netip.AddrPort, error) {
	a, err := netip.ParseAddr(addr)
	n, errPort := strconv.ParseUint(port, 10, 16)
	if err != nil || errPort != nil || a.Zone() != "" || (family != "TCP4" || !a.Is4()) && (family != "TCP6" || !a.Is6()) {
		return netip.AddrPort{}, errProxy
	}
	return netip.AddrPortFrom(plainAddr(a), uint16(n)), nil
}

// readVersion2 reads what follows the signature.
func readVersion2(r io.Reader) (netip.AddrPort, error) {
	var fixed [4]byte // version and command, family and transport, length
	if _, err := io.ReadFull(r, fixed[:]); err != nil {
		return netip.AddrPort{}, fmt.Errorf("%w: %w", errProxy, err)
	}
	command, family, length := fixed[0], fixed[1], binary.BigEndian.Uint16(fixed[2:])
	if command>>4 != 2 || command&15 > 1 || length > longest2 {
		return netip.AddrPort{}, fmt.Errorf("%w: %x", errProxy, fixed)
	}
	rest := make([]byte, length)
	if _, err := io.ReadFull(r, rest); err != nil {
		return netip.AddrPort{}, fmt.Errorf("%w: %w", errProxy, err)
	}
	size := map[byte]int{0x11: 4, 0x21: 16}[family] // TCP over IPv4 and over IPv6
	switch {
	case command&15 == 0, family == 0x00: // LOCAL, UNSPEC
		return netip.AddrPort{}, nil
	case size == 0, len(rest) < 2*size+4:
		return netip.AddrPort{}, fmt.Errorf("%w: %x with %d bytes", errProxy, fixed, len(rest))
	}
	a, _ := netip.AddrFromSlice(rest[:size])
	return netip.AddrPortFrom(plainAddr(a), binary.BigEndian.Uint16(rest[2*size:])), nil
}

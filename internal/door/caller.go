package door

import (
	"net"
	"net/netip"

	"github.com/agora-host/agora/internal/budget"
)

// caller is one address, as long as it has something open.
type caller struct {
	addr  netip.Addr
	open  int // connections, and requests that a proxy forwarded; guarded by Door.mu
	bytes [kinds]*budget.Budget

	barren   search        // among its connections; guarded by Door.mu
	barrenOf [kinds]search // among its requests; guarded by Door.mu
}

// source returns the address that counts as one: of IPv6 the network that a subscriber gets.
func source(a netip.Addr) netip.Addr {
	if a = a.Unmap().WithZone(""); a.Is6() {
		p, _ := a.Prefix(64)
		return p.Addr()
	}
	return a
}

func addrOf(a net.Addr) netip.AddrPort {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return netip.AddrPortFrom(tcp.AddrPort().Addr().Unmap(), tcp.AddrPort().Port())
	}
	return netip.AddrPort{}
}

// enter counts one more for an address. Unless it is exempt, it has at most its share; ok
// reports whether there was one left.
func (d *Door) enter(a netip.Addr, exempt bool) (c *caller, ok bool) {
	a = source(a)
	d.mu.Lock()
	defer d.mu.Unlock()
	c = d.callers[a]
	if c == nil {
		c = &caller{addr: a}
		for kind, limit := range d.o.BytesPerAddress() {
			c.bytes[kind] = budget.New("", "", limit)
		}
		d.callers[a] = c
	}
	if !exempt && c.open >= d.o.PerAddress {
		return c, false
	}
	c.open++
	return c, true
}

// leave gives back what enter counted.
func (d *Door) leave(c *caller) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c.open--; c.open == 0 {
		delete(d.callers, c.addr)
	}
}

// takeOf takes bytes of an address' own budget.
func (d *Door) takeOf(c *caller, kind int, n int64) bool {
	return c.bytes[kind].Take(n) || d.makeRoom(kind, n, c) && c.bytes[kind].Take(n)
}

// takeAll takes bytes of the node's budget.
func (d *Door) takeAll(kind int, n int64) bool {
	b := d.bytes(kind)
	return b.Take(n) || d.makeRoom(kind, n, nil) && b.Take(n)
}

func (d *Door) bytes(kind int) *budget.Budget {
	if kind == bodies {
		return d.o.Bodies
	}
	return d.o.Responses
}

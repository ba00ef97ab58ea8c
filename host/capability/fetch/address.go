package fetch

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"syscall"
)

// errPrivate is for an address that apps may not reach.
var errPrivate = errors.New("the address lies in a network that apps may not reach")

// special are the networks that are not the public internet's, from the IANA
// registries of special-purpose addresses (RFC 6890), and the address at which
// one cloud keeps what others keep at a link-local one. Of IPv6 only the global
// unicast space is public at all, see public; these lie within it.
var special = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", // this host, private, CGNAT, loopback, link-local
	"192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", // protocols, documentation, 6to4 relays, private, benchmarks
	"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", // documentation, multicast, reserved and broadcast
	"168.63.129.16/32",                                     // a cloud's metadata
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", // protocols with Teredo and ORCHID, documentation, 6to4, documentation
)

var (
	globalUnicast = netip.MustParsePrefix("2000::/3")
	nat64         = netip.MustParsePrefix("64:ff9b::/96")
)

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		all[i] = netip.MustParsePrefix(text)
	}
	return all
}

// reachable reports whether apps may reach an address: a public one, or one in a
// network that the operator allows. Of an address that only wraps another one,
// the kernel or a gateway takes the inner one; so it is judged.
func reachable(addr netip.Addr, allowed []netip.Prefix) bool {
	addr = addr.Unmap()
	within := func(p netip.Prefix) bool { return p.Contains(addr) }
	switch {
	case addr.Zone() != "":
		return false
	case nat64.Contains(addr):
		b := addr.As16()
		return slices.ContainsFunc(allowed, within) && reachable(netip.AddrFrom4([4]byte(b[12:])), allowed)
	case slices.ContainsFunc(allowed, within):
		return true
	case addr.Is6() && !globalUnicast.Contains(addr):
		return false
	}
	return !slices.ContainsFunc(special, within)
}

// judge is asked by the dialer with the very address that it is about to
// connect to, after all resolution.
func (f *Fetch) judge(_ context.Context, _, address string, _ syscall.RawConn) error {
	return judge(address, f.o.Allow)
}

// Judge returns what a dialer of the node's own asks in the same way, for what an operator has it call.
func Judge(allow []netip.Prefix) func(ctx context.Context, network, address string, c syscall.RawConn) error {
	return func(_ context.Context, _, address string, _ syscall.RawConn) error { return judge(address, allow) }
}

func judge(address string, allow []netip.Prefix) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || !reachable(to.Addr(), allow) {
		return errPrivate
	}
	return nil
}

package door

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Client is what the door knows of the client of one request.
type Client struct {
	// Addr is its address: the connection's, unless a trusted proxy names another. Its port is 0
	// if the proxy did not say it. It is the zero value outside of a request.
	Addr netip.AddrPort
	// Scheme is "http" or "https" if a trusted proxy says by which of them the client came; if not, it
	// is "https" over TLS, and else "".
	Scheme string
	// Host is the host that the client asked for, if a trusted proxy says it; "" if not. It is not
	// checked, and a proxy that passes Host on may pass this on from its client.
	Host string
}

// ClientOf returns the client of the request whose context ctx is, as it was when the request
// came in: what a handler changes in its headers has no effect.
func ClientOf(ctx context.Context) Client {
	e := Of(ctx)
	if e == nil {
		return Client{}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.named
}

// hop is what one proxy says of the client that came to it.
type hop struct {
	addr  netip.AddrPort
	proto string
	host  string
}

// proxies are the networks of the proxies in front, which name their clients.
type proxies []netip.Prefix

func (ps proxies) trust(a netip.Addr) bool {
	return slices.ContainsFunc(ps, func(p netip.Prefix) bool { return p.Contains(a) })
}

// client returns what trusted proxies say of a request's client. A proxy appends to what it
// was sent, so the client is the last one in the list that is not a trusted proxy itself: what
// stands before that was written by the client. Without a valid address there Addr is the zero
// value.
//
// X-Forwarded-For is read, or else Forwarded (RFC 7239): a client can send the one that its proxy
// does not set, so the more common of them is believed.
func (ps proxies) client(h http.Header) Client {
	var hops []hop
	if lines := h["X-Forwarded-For"]; lines != nil {
		hops = forwardedFor(lines, h["X-Forwarded-Proto"], h["X-Forwarded-Host"])
	} else if lines := h["Forwarded"]; lines != nil {
		hops = rfc7239(lines)
	} else {
		return Client{
			Scheme: scheme(last(elements(h["X-Forwarded-Proto"], plainly))), Host: plainHost(last(elements(h["X-Forwarded-Host"], plainly))),
		}
	}
	for i := len(hops) - 1; i >= 0; i-- {
		if a := hops[i].addr.Addr(); !a.IsValid() || !ps.trust(a) || i == 0 {
			c := Client{Addr: hops[i].addr, Scheme: scheme(hops[i].proto), Host: plainHost(hops[i].host)}
			if a.IsValid() && ps.trust(a) {
				c.Addr = netip.AddrPort{} // only proxies are named
			}
			return c
		}
	}
	return Client{}
}

// forwardedFor pairs addresses with protocols and hosts, from the end. A proxy that does not append
// these says one for all.
func forwardedFor(addresses, protos, names []string) []hop {
	addrs, schemes, hosts := elements(addresses, plainly), elements(protos, plainly), elements(names, plainly)
	hops := make([]hop, len(addrs))
	for i, a := range addrs {
		hops[i].addr = parseNode(a)
		if n := len(schemes); n > 0 {
			hops[i].proto = schemes[max(0, n-(len(addrs)-i))]
		}
		if n := len(hosts); n > 0 {
			hops[i].host = hosts[max(0, n-(len(addrs)-i))]
		}
	}
	return hops
}

// rfc7239 reads the for, proto and host parameters of each element of Forwarded.
func rfc7239(lines []string) []hop {
	all := elements(lines, unquoted)
	hops := make([]hop, len(all))
	for i, element := range all {
		for _, pair := range unquoted(element, ";") {
			name, value, _ := strings.Cut(pair, "=")
			switch value = strings.Trim(value, `"`); {
			case strings.EqualFold(name, "for"):
				hops[i].addr = parseNode(value)
			case strings.EqualFold(name, "proto"):
				hops[i].proto = value
			case strings.EqualFold(name, "host"):
				hops[i].host = value
			}
		}
	}
	return hops
}

// maxHops is how many proxies are looked at.
const maxHops = 64

// elements are those of a list that may be spread over several lines. One that is empty stays: it
// names no address, and what stands before it is not believed. Of a long list it is the end.
func elements(lines []string, split func(s, separator string) []string) (all []string) {
	for _, line := range lines {
		all = append(all, split(line, ",")...)
	}
	return all[max(0, len(all)-maxHops):]
}

// plainly splits a text at each separator.
func plainly(s, separator string) []string {
	parts := strings.Split(s, separator)
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

// unquoted splits a text at each separator that does not stand in a quoted string. If a string
// does not end, quotes mean nothing: a client could otherwise open one, so that what its proxy
// appends was in it.
func unquoted(s, separator string) (parts []string) {
	from, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case c == separator[0] && !quoted:
			parts, from = append(parts, strings.TrimSpace(s[from:i])), i+1
		}
	}
	if quoted {
		return plainly(s, separator)
	}
	return append(parts, strings.TrimSpace(s[from:]))
}

// plainHost returns a host, perhaps with a port, or "" if it has other characters than such have.
func plainHost(s string) string {
	for i := range len(s) {
		if c := s[i]; c != '.' && c != '-' && c != ':' && c != '[' && c != ']' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return ""
		}
	}
	return s
}

func last(all []string) string {
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1]
}

// scheme returns the scheme that a proxy names, or "". A WebSocket begins as a request of HTTP.
func scheme(proto string) string {
	switch strings.ToLower(proto) {
	case "http", "ws":
		return "http"
	case "https", "wss":
		return "https"
	}
	return ""
}

// parseNode reads an address, with or without a port.
func parseNode(s string) netip.AddrPort {
	if p, err := netip.ParseAddrPort(s); err == nil {
		return netip.AddrPortFrom(plainAddr(p.Addr()), p.Port())
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(plainAddr(a), 0)
}

// plainAddr is an address without what is of no meaning elsewhere.
func plainAddr(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

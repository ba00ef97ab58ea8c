package abi

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// Origin is where a request goes: scheme, host and port (RFC 6454). The host is
// lower-case, in ASCII (punycode) and without a trailing dot; or an IP address.
type Origin struct {
	Scheme string // "http" or "https"
	Host   string // of an IPv6 address: without brackets
	Port   uint16
}

// OriginPattern is an origin that an app may fetch from. With Wild, one label
// stands before Host: "*.example.com" is "a.example.com", and neither
// "example.com" nor "a.b.example.com".
type OriginPattern struct {
	Wild bool
	Origin
}

// defaultPort is the port of a scheme that we speak, or 0.
func defaultPort(scheme string) uint16 {
	switch scheme {
	case "http":
		return 80
	case "https":
		return 443
	}
	return 0
}

// ParseOrigin reads "https://api.example.com:8443". Nothing but scheme, host and
// port may stand there. The error says what is wrong in words for people.
func ParseOrigin(s string) (Origin, error) {
	scheme, rest, found := strings.Cut(s, "://")
	o := Origin{Scheme: strings.ToLower(scheme)}
	if o.Port = defaultPort(o.Scheme); !found || o.Port == 0 {
		return Origin{}, errors.New("does not begin with https:// or http://")
	}
	host, port, err := cutPort(rest)
	if err != nil {
		return Origin{}, err
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || port[0] == '0' || port[0] == '+' {
			return Origin{}, errors.New("has no valid port: write a number between 1 and 65535")
		}
		o.Port = uint16(n)
	}
	o.Host, err = canonicalHost(host)
	return o, err
}

// cutPort splits host and port. An IPv6 address stands in brackets, which stay.
func cutPort(s string) (host, port string, err error) {
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return "", "", errors.New("has a bracket that does not end")
		}
		host, s = s[:end+1], s[end+1:]
		if s == "" {
			return host, "", nil
		}
		if port = strings.TrimPrefix(s, ":"); port == s || port == "" {
			return "", "", errors.New("has something after its address that is no port")
		}
		return host, port, nil
	}
	host, port, found := strings.Cut(s, ":")
	if found && port == "" {
		return "", "", errors.New("ends with a colon")
	}
	return host, port, nil
}

// canonicalHost reads a host as it stands in an origin. What looks like a number
// is an IPv4 address in four decimal parts or nothing: "2130706433", "0x7f.1" and
// "0177.0.0.1" are other ways to write one (WHATWG URL, section 3.5).
func canonicalHost(host string) (string, error) {
	if strings.HasPrefix(host, "[") {
		addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
		if err != nil || !addr.Is6() || addr.Zone() != "" || addr.Is4In6() {
			return "", errors.New("has no valid IPv6 address in its brackets")
		}
		return addr.String(), nil
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if endsInNumber(host) {
		addr, err := netip.ParseAddr(host)
		if err != nil || !addr.Is4() {
			return "", errors.New("has an address that is not written as four decimal numbers")
		}
		return host, nil
	}
	return host, checkName(host)
}

func endsInNumber(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	if digits, hex := strings.CutPrefix(last, "0x"); hex {
		return strings.Trim(digits, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}

// checkName checks a host name in its ASCII form.
func checkName(host string) error {
	if host == "" || len(host) > 253 {
		return errors.New("has no host, or one that is too long")
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return errors.New("has a host with an empty or malformed part")
		}
		for _, c := range []byte(label) {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return errors.New("has a host with other characters than letters, digits and hyphens: write it in its ASCII form (xn--…), with neither user nor path")
			}
		}
	}
	return nil
}

// String writes an origin in its one form: without the scheme's own port.
func (o Origin) String() string {
	host := o.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if o.Port != defaultPort(o.Scheme) {
		host += ":" + strconv.Itoa(int(o.Port))
	}
	return o.Scheme + "://" + host
}

// Literal is the address that the host is, if it is one.
func (o Origin) Literal() (netip.Addr, bool) {
	addr, err := netip.ParseAddr(o.Host)
	return addr, err == nil
}

// ParseOriginPattern reads an origin whose host may begin with "*.".
func ParseOriginPattern(s string) (OriginPattern, error) {
	scheme, host, _ := strings.Cut(s, "://")
	host, wild := strings.CutPrefix(host, "*.")
	o, err := ParseOrigin(scheme + "://" + host)
	if err != nil || !wild {
		return OriginPattern{Origin: o}, err
	}
	if _, literal := o.Literal(); literal || !strings.Contains(o.Host, ".") {
		return OriginPattern{}, errors.New("has a * before an address, or before a name of one part")
	}
	return OriginPattern{Wild: true, Origin: o}, nil
}

// String writes a pattern as ParseOriginPattern reads it.
func (p OriginPattern) String() string {
	if p.Wild {
		return strings.Replace(p.Origin.String(), "://", "://*.", 1)
	}
	return p.Origin.String()
}

// Allows reports whether an origin is one of the pattern's. An address is allowed
// only where it is listed itself.
func (p OriginPattern) Allows(o Origin) bool {
	if !p.Wild {
		return o == p.Origin
	}
	label, parent, found := strings.Cut(o.Host, ".")
	return found && label != "" && Origin{o.Scheme, parent, o.Port} == p.Origin
}

package node

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/agora-host/agora/registry"
)

// origins are the two sides of the front door, known once the port is. All hosts are in the form
// of authority.
type origins struct {
	consoleURL  string // "http://localhost:8080"
	scheme      string // of both sides
	consoleHost string // "localhost:8080"
	appsDomain  string // "localhost:8080"
	bare        string // "127.0.0.1:8080", the address itself
	spoken      string // the scheme at that address, which differs if a proxy ends TLS
}

func (o Options) origins(listen net.Addr) (origins, error) {
	_, port, err := net.SplitHostPort(listen.String())
	if err != nil {
		return origins{}, fmt.Errorf("read the listen address: %w", err)
	}
	console := o.ConsoleURL
	if console == "" {
		console = o.spoken() + "://localhost:" + port
	}
	u, err := url.Parse(console)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return origins{}, fmt.Errorf("console URL %q: write a scheme and a host, such as https://agora.example.com", console)
	}
	if o.speaksTLS() && u.Scheme != "https" {
		return origins{}, fmt.Errorf("console URL %q: the node speaks TLS, so it begins with https", console)
	}
	host := authority(u.Host, u.Scheme)
	g := origins{
		consoleURL: u.Scheme + "://" + host, scheme: u.Scheme, consoleHost: host,
		bare: authority(listen.String(), o.spoken()), spoken: o.spoken(),
	}
	apps := o.AppsDomain
	if apps == "" {
		apps = "localhost:" + port
	}
	g.appsDomain, err = g.readAppsDomain(apps)
	return g, err
}

// spoken is the scheme at the address that the node listens on.
func (o Options) spoken() string {
	if o.speaksTLS() {
		return "https"
	}
	return "http"
}

// readAppsDomain checks the domain of the apps. It must not be the console's host or above it:
// an app could then take the console's address, or set its cookies.
func (g origins) readAppsDomain(text string) (string, error) {
	domain := authority(text, g.scheme)
	refuse := func(why, write string) (string, error) {
		return "", fmt.Errorf("apps domain %q %s: write %s", text, why, write)
	}
	for _, lead := range []string{"*.", "."} {
		if rest, ok := strings.CutPrefix(domain, lead); ok {
			return refuse("begins with "+lead+", and each app's name is put before it", rest)
		}
	}
	name, _ := splitPort(domain)
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return refuse("is an address, which has no names below it", "a domain such as apps.example.com")
	}
	if err := registry.CheckDomain(domain); err != nil {
		return refuse("is no host name", "one such as apps.example.com, with a port if it is not the scheme's own")
	}
	console, _ := splitPort(g.consoleHost)
	switch {
	case name == console && name != "localhost": // for which no browser lets an app set a cookie
		return refuse("is the console's host", "another domain, such as apps."+name)
	case strings.HasSuffix(console, "."+name):
		return refuse("is above the console, "+console+", so that an app could take its address or set its cookies", "a domain of its own, such as apps."+name)
	}
	return domain, nil
}

// authority returns the one form of a host, perhaps with a port, as a Host header has it: lower
// case, without a dot at the end of the name, and without a port that the scheme has anyway.
func authority(host, scheme string) string {
	if plain(host) {
		return host
	}
	name, port := splitPort(host)
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	port = strings.TrimLeft(port, "0")
	if port == "" || port == map[string]string{"http": "80", "https": "443"}[scheme] {
		return name
	}
	return name + ":" + port
}

// splitPort splits a host from its port. Brackets of an address stay.
func splitPort(host string) (name, port string) {
	i := strings.LastIndexByte(host, ':')
	if i < 0 || strings.IndexByte(host[i:], ']') >= 0 {
		return host, ""
	}
	return host[:i], host[i+1:]
}

// plain reports whether a host is in the form of authority already, whatever the scheme, as nearly
// all are.
func plain(host string) bool {
	for i := range len(host) {
		switch c := host[i]; {
		case c >= 'A' && c <= 'Z', c >= 0x80, c == '[':
			return false
		case c == '.' && (i+1 == len(host) || host[i+1] == ':'):
			return false
		case c == ':':
			port := host[i+1:]
			return port != "" && port[0] != '0' && port != "80" && port != "443"
		}
	}
	return true
}

// isConsole reports whether a Host header means the console. A node on loopback is also there at
// its bare address, for programs that cannot resolve "localhost".
func (g origins) isConsole(host string) bool {
	return authority(host, g.scheme) == g.consoleHost || g.isBare(host)
}

// isBare reports whether a Host header is the address itself.
func (g origins) isBare(host string) bool { return authority(host, g.spoken) == g.bare }

func (g origins) appURL(label string) string {
	return g.scheme + "://" + label + "." + g.appsDomain + "/"
}

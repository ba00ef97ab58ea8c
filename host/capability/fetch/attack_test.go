package fetch_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/host/capability/fetch"
)

// TestAttacksByName: an author may list any name, and make it lead anywhere. No
// connection is made to what is inside.
func TestAttacksByName(t *testing.T) {
	w := newWorld(t)
	port := w.port()
	w.addr("good.example", "127.0.0.1")
	w.addr("direct.example", "127.0.0.2")
	w.addr("mapped.example", "::ffff:127.0.0.2")
	w.addr("compatible.example", "::127.0.0.2")
	w.addr("nat64.example", "64:ff9b::7f00:2")
	w.addr("sixtofour.example", "2002:7f00:2::1")
	w.addr("zero.example", "0.0.0.0", "::")
	w.addr("loopback6.example", "::1")
	w.addr("metadata.example", "169.254.169.254", "fd00:ec2::254")
	w.addr("metadata.google.internal", "169.254.169.254")
	w.addr("private.example", "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "fd00::1")
	w.name("alias.example", answers{cname: "inner.corp"})
	w.addr("inner.corp", "127.0.0.2")
	w.name("chain.example", answers{cname: "alias.example"})
	// The first look-up is harmless, all later ones are not; the time to live is zero.
	w.name("rebinds.example", answers{addrs: []string{"127.0.0.1"}}, answers{addrs: []string{"127.0.0.2"}})
	o := &told{}
	f := w.capability(func(op *fetch.Options) { op.Tell = o.tell })
	for _, name := range []string{
		"direct.example", "mapped.example", "compatible.example", "nat64.example", "sixtofour.example", "zero.example",
		"loopback6.example", "metadata.example", "metadata.google.internal", "private.example", "alias.example", "chain.example",
	} {
		t.Run(name, func(t *testing.T) {
			o.findings = nil
			origin := "http://" + name + ":" + port
			got := call(t, f.Bind(fetch.App{Name: "a"}, params(origin)), get(origin, "/"))
			if got.errno != abi.ErrnoDenied || got.uses["denied "+origin] != 1 || got.uses["calls "+origin] != 0 {
				t.Errorf("%v, %v", got.errno, got.uses)
			}
			if strings.Join(o.codes(), " ") != "fetch.private" {
				t.Errorf("the owner was told %v", o.findings)
			}
			for _, f := range o.findings {
				if strings.Contains(fmt.Sprint(f), "127.0.0.2") {
					t.Errorf("the owner learns an address: %v", f)
				}
			}
		})
	}
	t.Run("both", func(t *testing.T) { // one address of two may be reached, and that one is
		w.addr("both.example", "127.0.0.2", "127.0.0.1")
		origin := "http://both.example:" + port
		if got := call(t, f.Bind(fetch.App{Name: "a"}, params(origin)), get(origin, "/")); got.errno != 0 || string(got.Body) != "outside" {
			t.Errorf("%v %q", got.errno, got.Body)
		}
	})
	t.Run("rebinding", func(t *testing.T) {
		origin := "http://rebinds.example:" + port
		link := f.Bind(fetch.App{Name: "rebinder"}, params(origin))
		if got := call(t, link, get(origin, "/")); string(got.Body) != "outside" {
			t.Fatalf("the first: %v %q", got.errno, got.Body)
		}
		if got := call(t, link, get(origin, "/")); string(got.Body) != "outside" {
			t.Errorf("over the connection that is open: %v %q", got.errno, got.Body)
		}
		// Another app has no connection, and asks where the name leads now.
		if got := call(t, f.Bind(fetch.App{Name: "other"}, params(origin)), get(origin, "/")); got.errno != abi.ErrnoDenied {
			t.Errorf("the second look-up: %v %q", got.errno, got.Body)
		}
	})
	t.Run("the operator's word", func(t *testing.T) {
		origin := "http://direct.example:" + port
		wide := w.capability(func(op *fetch.Options) { op.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
		before := w.accepts.Load()
		if got := call(t, wide.Bind(fetch.App{Name: "a"}, params(origin)), get(origin, "/")); got.errno != 0 || w.accepts.Swap(before) != before+1 {
			t.Errorf("%v: the listener inside counts nothing", got.errno)
		}
	})
	if n := w.accepts.Load(); n != 0 {
		t.Errorf("%d connections were made to what is inside", n)
	}
}

// TestAttacksByText: the grant lists good.example, and an app writes origins,
// targets and headers that a person might read as something else.
func TestAttacksByText(t *testing.T) {
	w := newWorld(t)
	port := w.port()
	for _, name := range []string{"evil.example", "evil", "allowed.example", "127.1", "localhost"} {
		w.addr(name, "127.0.0.2")
	}
	reached := 0
	w.handle = func(http.ResponseWriter, *http.Request) { reached++ }
	w.addr("good.example", "127.0.0.1")
	w.addr("sub.good.example", "127.0.0.2")
	granted := params("http://good.example:"+port, "http://*.wild.example:"+port)
	link := w.capability().Bind(fetch.App{Name: "a"}, granted)
	for _, origin := range []string{
		"http://2130706434:" + port, "http://0x7f000002:" + port, "http://0177.0.0.2:" + port, "http://127.2:" + port, "http://0x7f.2:" + port,
		"http://127.0.0.2:" + port, "http://[::ffff:127.0.0.2]:" + port, "http://[::127.0.0.2]:" + port, "http://[::1]:" + port, "http://[::]:" + port,
		"http://[fe80::1%25eth0]:" + port, "http://[fe80::1%lo]:" + port, "http://①②⑦.⓪.⓪.②:" + port, "http://127。0。0。2:" + port, "http://127.0.0.2.:" + port,
		"http://good.example@evil.example:" + port, "http://good.example:" + port + "@evil.example:" + port, "http://good.example:x@evil.example:" + port,
		"http://evil.example:" + port + "\\@good.example:" + port, "http://good.example:" + port + "/@evil.example", "http://good.example:" + port + "#.evil.example",
		"http://evil.example:" + port + "?good.example:" + port, "http://good.example%00.evil.example:" + port, "http://good.example\x00.evil.example:" + port,
		"http://good.example:" + port + "\r\nHost: evil.example", "http://good.example \t:" + port, "http://good.example..:" + port, "http://.good.example:" + port,
		"http://sub.good.example:" + port, "http://notgood.example:" + port, "http://good.example.evil.example:" + port, "http://wild.example:" + port,
		"http://a.b.wild.example:" + port, "http://.wild.example:" + port, "http://*.wild.example:" + port,
		"http://good.example", "http://good.example:", "http://good.example:0", "http://good.example:00" + port, "http://good.example:+" + port, "http://good.example:99999", "http://good.example:-1",
		"https://good.example:" + port, "ftp://good.example:" + port, "file:///etc/passwd", "gopher://good.example:" + port, "//good.example:" + port, "good.example:" + port, "http:good.example", "", "http://",
		"unix:///var/run/docker.sock", "http://localhost:" + port, "http://metadata:" + port,
	} {
		got := call(t, link, get(origin, "/"))
		if got.errno != abi.ErrnoInvalid && got.errno != abi.ErrnoDenied {
			t.Errorf("%q: %v %q", origin, got.errno, got.Body)
		}
	}
	good := "http://good.example:" + port
	for name, r := range map[string]abi.Request{
		"path without slash":    {Method: "GET", Host: good, Path: "@evil.example/"},
		"full URL as path":      {Method: "GET", Host: good, Path: "http://evil.example/"},
		"CRLF in path":          {Method: "GET", Host: good, Path: "/ HTTP/1.1\r\nHost: evil.example\r\n\r\n"},
		"space in path":         {Method: "GET", Host: good, Path: "/ HTTP/1.1"},
		"backslash":             {Method: "GET", Host: good, Path: "/\\evil.example/"},
		"fragment":              {Method: "GET", Host: good, Path: "/#/"},
		"broken escape":         {Method: "GET", Host: good, Path: "/%zz"},
		"CRLF in query":         {Method: "GET", Host: good, Path: "/", Query: "a=b\r\nX: y"},
		"CRLF in method":        {Method: "GET / HTTP/1.1\r\nX: y", Host: good, Path: "/"},
		"CONNECT":               {Method: "CONNECT", Host: good, Path: "/"},
		"TRACE":                 {Method: "TRACE", Host: good, Path: "/"},
		"lower case":            {Method: "get", Host: good, Path: "/"},
		"no method":             {Host: good, Path: "/"},
		"two methods":           {Method: "GET HEAD", Host: good, Path: "/"},
		"Host header":           header(good, "Host", "evil.example"),
		"CRLF in header value":  header(good, "X", "a\r\nHost: evil.example"),
		"CRLF in header name":   header(good, "X: a\r\nY", "b"),
		"space in header name":  header(good, "Host ", "evil.example"),
		"empty header name":     header(good, "", "b"),
		"NUL":                   header(good, "X", "a\x00b"),
		"Content-Length":        header(good, "Content-Length", "5"),
		"Transfer-Encoding":     header(good, "transfer-encoding", "chunked"),
		"Connection":            header(good, "Connection", "Upgrade"),
		"Upgrade":               header(good, "Upgrade", "h2c"),
		"Proxy-Authorization":   header(good, "Proxy-Authorization", "Basic x"),
		"Expect":                header(good, "Expect", "100-continue"),
		"header that is a tome": header(good, "X", strings.Repeat("x", abi.MaxFetchHeader)),
		"target that is a tome": {Method: "GET", Host: good, Path: "/" + strings.Repeat("x", abi.MaxFetchTarget)},
		"body over the limit":   {Method: "POST", Host: good, Path: "/", Body: make([]byte, 1001)},
	} {
		if got := call(t, link, r); got.errno != abi.ErrnoInvalid && got.errno != abi.ErrnoTooLarge {
			t.Errorf("%s: %v %q", name, got.errno, got.Body)
		}
	}
	if n := w.accepts.Load(); n != 0 || reached != 0 {
		t.Errorf("%d connections were made to what is inside, and %d requests outside", n, reached)
	}
	// The grant itself works, in every way to write it that means the same.
	for _, origin := range []string{good, "HTTP://GOOD.Example.:" + port} {
		if got := call(t, link, get(origin, "//evil.example/%2e%2e/")); got.errno != 0 || reached == 0 {
			t.Errorf("%s: %v", origin, got.errno)
		}
	}
}

func header(origin, name, value string) abi.Request {
	return abi.Request{Method: "GET", Host: origin, Path: "/", Header: []abi.Field{{Name: name, Value: value}}}
}

// TestAttacksByRedirect: what answers is as hostile as what asks.
func TestAttacksByRedirect(t *testing.T) {
	w := newWorld(t)
	port := w.port()
	w.addr("a.example", "127.0.0.1")
	w.addr("b.example", "127.0.0.1")
	w.addr("inside.example", "127.0.0.2")
	a, b, inside := "http://a.example:"+port, "http://b.example:"+port, "http://inside.example:"+port
	var location string
	asked := 0
	w.handle = func(rw http.ResponseWriter, r *http.Request) {
		asked++
		if r.URL.Path == "/end" {
			fmt.Fprint(rw, "the end")
			return
		}
		rw.Header().Set("Location", location)
		rw.WriteHeader(302)
	}
	link := w.capability().Bind(fetch.App{Name: "a"}, params(a, b, inside))
	for _, c := range []struct {
		name, to string
		errno    abi.Errno
		asked    int
	}{
		{"to itself, relative", "/end", 0, 2},
		{"to another listed origin", b + "/end", 0, 2},
		{"without scheme", "//b.example:" + port + "/end", 0, 2},
		{"to what is not listed", "http://c.example:" + port + "/", abi.ErrnoDenied, 1},
		{"to a listed name that leads inside", inside + "/", abi.ErrnoDenied, 1},
		{"to an address inside", "http://" + w.inside + "/", abi.ErrnoDenied, 1},
		{"to a short address", "http://127.2:" + port + "/", abi.ErrnoUnavailable, 1},
		{"to a number", "http://2130706434:" + port + "/", abi.ErrnoUnavailable, 1},
		{"to a user's part", "http://a.example:" + port + "@" + w.inside + "/", abi.ErrnoUnavailable, 1},
		{"with a backslash", "http:\\\\" + w.inside + "\\", abi.ErrnoUnavailable, 1},
		{"to a mapped address", "http://[::ffff:127.0.0.2]:" + port + "/", abi.ErrnoUnavailable, 1},
		{"to a zone", "http://[fe80::1%25lo]:" + port + "/", abi.ErrnoUnavailable, 1},
		{"to another scheme", "file:///etc/passwd", abi.ErrnoUnavailable, 1},
		{"to nothing", "http://", abi.ErrnoUnavailable, 1},
		{"with a space", "/end?a b HTTP/1.1", abi.ErrnoUnavailable, 1},
		{"round and round", "/again", abi.ErrnoUnavailable, 4},
	} {
		location, asked = c.to, 0
		if got := call(t, link, get(a, "/")); got.errno != c.errno || asked != c.asked {
			t.Errorf("%s: %v after %d requests, want %v after %d", c.name, got.errno, asked, c.errno, c.asked)
		}
	}
	if n := w.accepts.Load(); n != 0 {
		t.Errorf("%d connections were made to what is inside", n)
	}
}

package door_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/agora-host/agora/internal/door"
)

// TestClient: a request's client is the one that trusted proxies name, in the list that they
// append to; what the client wrote itself is not believed, whichever way it is spelled.
func TestClient(t *testing.T) {
	f := open(t, func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("X-Forwarded-For", "203.0.113.66") // what a handler changes has no effect
		c := door.ClientOf(r.Context())
		fmt.Fprintf(w, "%s %s%s.", c.Addr.Addr(), c.Scheme, c.Host)
	}, func(o *door.Options) { o.Trusted = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/24")} })
	for _, k := range []struct{ from, header, want string }{
		{"127.0.1.1", "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https", "127.0.1.1 ."},
		{"127.0.1.1", "Forwarded: for=192.0.2.1;proto=https", "127.0.1.1 ."},
		{"127.0.0.1", "Accept: x", "127.0.0.1 ."},
		{"127.0.0.1", "X-Forwarded-For: 192.0.2.1", "192.0.2.1 ."},
		{"127.0.0.1", "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: HTTPS", "192.0.2.1 https."},
		{"127.0.0.1", "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: gopher", "192.0.2.1 ."},
		{"127.0.0.1", "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: wss", "192.0.2.1 https."},
		{"127.0.0.1", "X-Forwarded-For: 203.0.113.1, 192.0.2.1\r\nX-Forwarded-Proto: https, http", "192.0.2.1 http."},
		{"127.0.0.1", "X-Forwarded-For: 203.0.113.1\r\nX-Forwarded-For: 192.0.2.1", "192.0.2.1 ."},
		{"127.0.0.1", "X-Forwarded-For: 203.0.113.1, 192.0.2.1, 127.0.0.9\r\nX-Forwarded-Proto: http, https, http", "192.0.2.1 https."},
		{"127.0.0.1", "X-Forwarded-For: 192.0.2.1, 127.0.0.9\r\nX-Forwarded-Proto: https", "192.0.2.1 https."},
		{"127.0.1.1", "X-Forwarded-Host: a.test\r\nX-Forwarded-For: 192.0.2.1", "127.0.1.1 ."},
		{"127.0.1.1", "Forwarded: for=192.0.2.1;host=a.test", "127.0.1.1 ."},
		{"127.0.1.1", "x-forwarded-host: a.test\r\nX_Forwarded_Host: a.test\r\nX-Forwarded-Server: a.test\r\nX-Original-Host: a.test\r\nX-Real-Ip: 192.0.2.1\r\nX-Client-Ip: 192.0.2.1\r\nTrue-Client-Ip: 192.0.2.1\r\nX_Forwarded_For: 192.0.2.1", "127.0.1.1 ."},
		{"127.0.0.1", "X_Forwarded_For: 192.0.2.1\r\nX-Real-Ip: 192.0.2.1\r\nX-Forwarded: for=192.0.2.1", "127.0.0.1 ."},
		{"127.0.0.1", "X-Forwarded-Host: a.test", "127.0.0.1 a.test."},
		{"127.0.0.1", "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Host: a.test, b.test", "192.0.2.1 b.test."},
		{"127.0.0.1", "X-Forwarded-For: 192.0.2.1, 127.0.0.9\r\nX-Forwarded-Host: a.test, b.test", "192.0.2.1 a.test."},
		{"127.0.0.1", "Forwarded: for=192.0.2.1;host=\"a.test:8080\";proto=https", "192.0.2.1 httpsa.test:8080."},
		{"127.0.0.1", "X-Forwarded-For: 192.0.2.1, unknown", "127.0.0.1 ."},
		{"127.0.0.1", "X-Forwarded-For: 192.0.2.1,", "127.0.0.1 ."},
		{"127.0.0.1", "X-Forwarded-For: 127.0.0.9", "127.0.0.1 ."},
		{"127.0.0.1", "X-Forwarded-For: [2001:db8::1]:443", "2001:db8::1 ."},
		{"127.0.0.1", "X-Forwarded-For: ::ffff:192.0.2.1", "192.0.2.1 ."},
		{"127.0.0.1", "X-Forwarded-For: 192.0.2.1" + strings.Repeat(",127.0.0.9", 2000), "127.0.0.1 ."},
		{"127.0.0.1", "X-Forwarded-Proto: https", "127.0.0.1 https."},
		{"127.0.0.1", "Forwarded: for=192.0.2.1;proto=https;by=203.0.113.43", "192.0.2.1 https."},
		{"127.0.0.1", "Forwarded: For=\"[2001:db8:cafe::17]:4711\"; Proto=http", "2001:db8:cafe::17 http."},
		{"127.0.0.1", "Forwarded: for=203.0.113.1, for=192.0.2.1;proto=https, for=127.0.0.9", "192.0.2.1 https."},
		{"127.0.0.1", "Forwarded: for=203.0.113.1\r\nForwarded: for=192.0.2.1", "192.0.2.1 ."},
		{"127.0.0.1", "Forwarded: for=203.0.113.1;host=\"a,for=203.0.113.2\", for=192.0.2.1", "192.0.2.1 ."},
		{"127.0.0.1", "Forwarded: for=192.0.2.1;host=\"a,for=203.0.113.2\"", "192.0.2.1 ."},
		{"127.0.0.1", "Forwarded: for=192.0.2.1;host=\"a\\\",for=203.0.113.2\"", "192.0.2.1 ."},
		{"127.0.0.1", "Forwarded: for=203.0.113.9;x=\", for=192.0.2.1;proto=https", "192.0.2.1 https."}, // what a client opens
		{"127.0.0.1", "Forwarded: for=203.0.113.9;x=\", for=\"[2001:db8::1]\"", "2001:db8::1 ."},
		{"127.0.0.1", "X-Forwarded-For: 203.0.113.9, \", 192.0.2.1", "192.0.2.1 ."},
		{"127.0.0.1", "Forwarded: for=192.0.2.1, for=unknown;proto=https", "127.0.0.1 https."},
		{"127.0.0.1", "Forwarded: for=_hidden, for=\"_SEVKISEK\"", "127.0.0.1 ."},
		{"127.0.0.1", "Forwarded: for=203.0.113.1;proto=http\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https", "192.0.2.1 https."},
	} {
		got := f.exchange(k.from, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"+k.header+"\r\n\r\n")
		if _, got, _ = strings.Cut(got, "\r\n\r\n"); got != k.want {
			t.Errorf("from %s, %.120q: %q, want %q", k.from, k.header, got, k.want)
		}
	}
}

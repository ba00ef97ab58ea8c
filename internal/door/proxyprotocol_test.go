package door_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/internal/door"
)

// version2 is a header of version 2.
func version2(command, family byte, body ...byte) string {
	b := append([]byte("\r\n\r\n\x00\r\nQUIT\n"), 0x20|command, family)
	return string(append(binary.BigEndian.AppendUint16(b, uint16(len(body))), body...))
}

// addrs are the addresses of a header of version 2.
func addrs(from, to string, more ...byte) []byte {
	a, b := netip.MustParseAddrPort(from), netip.MustParseAddrPort(to)
	body := append(a.Addr().AsSlice(), b.Addr().AsSlice()...)
	body = binary.BigEndian.AppendUint16(body, a.Port())
	return append(binary.BigEndian.AppendUint16(body, b.Port()), more...)
}

// TestProxyProtocol: a connection from the proxies is its client's, as their header says; one
// without a valid header is not served, and from elsewhere a header is no request.
func TestProxyProtocol(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS %v", secure), func(t *testing.T) {
			f := open(t, func(w http.ResponseWriter, r *http.Request) {
				c := door.ClientOf(r.Context())
				fmt.Fprintf(w, "%s %s.", c.Addr, r.RemoteAddr)
			}, func(o *door.Options) {
				o.Trusted, o.ProxyProtocol = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/24"), netip.MustParsePrefix("10.9.0.0/16")}, true
				if secure {
					overTLS(o)
				}
			})
			v4, v6 := addrs("192.0.2.7:4711", "127.0.0.1:80"), addrs("[2001:db8::7]:4711", "[::1]:80")
			tlv := append(bytes.Clone(v4), bytes.Repeat([]byte{4, 0, 1, 0}, 300)...)
			for _, k := range []struct{ name, from, header, want string }{
				{"v1", "127.0.0.1", "PROXY TCP4 192.0.2.7 127.0.0.1 4711 80\r\n", "192.0.2.7:4711"},
				{"v1, IPv6", "127.0.0.1", "PROXY TCP6 2001:db8::7 ::1 4711 80\r\n", "[2001:db8::7]:4711"},
				{"v1, unknown", "127.0.0.1", "PROXY UNKNOWN\r\n", "127.0.0.1"},
				{"v1, unknown with more", "127.0.0.1", "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", "127.0.0.1"},
				{"v2", "127.0.0.1", version2(1, 0x11, v4...), "192.0.2.7:4711"},
				{"v2, IPv6", "127.0.0.1", version2(1, 0x21, v6...), "[2001:db8::7]:4711"},
				{"v2, mapped", "127.0.0.1", version2(1, 0x21, addrs("[::ffff:192.0.2.7]:4711", "[::1]:80")...), "192.0.2.7:4711"},
				{"v2, with more", "127.0.0.1", version2(1, 0x11, tlv...), "192.0.2.7:4711"},
				{"v2, local", "127.0.0.1", version2(0, 0x00), "127.0.0.1"},
				{"v2, local with an address", "127.0.0.1", version2(0, 0x11, v4...), "127.0.0.1"},
				{"v2, unspecified", "127.0.0.1", version2(1, 0x00), "127.0.0.1"},
				{"a proxy before the proxy", "127.0.0.1", "PROXY TCP4 10.9.0.1 127.0.0.1 4711 80\r\n", "203.0.113.9:0"}, // which X-Forwarded-For names
				{"none", "127.0.0.1", "", ""},
				{"v1, words", "127.0.0.1", "PROXY TCP4 192.0.2.7 127.0.0.1 4711\r\n", ""},
				{"v1, more words", "127.0.0.1", "PROXY TCP4 192.0.2.7 127.0.0.1 4711 80 1\r\n", ""},
				{"v1, spaces", "127.0.0.1", "PROXY  TCP4 192.0.2.7 127.0.0.1 4711 80\r\n", ""},
				{"v1, family", "127.0.0.1", "PROXY TCP4 2001:db8::7 ::1 4711 80\r\n", ""},
				{"v1, zone", "127.0.0.1", "PROXY TCP6 fe80::7%1 ::1 4711 80\r\n", ""},
				{"v1, port", "127.0.0.1", "PROXY TCP4 192.0.2.7 127.0.0.1 65536 80\r\n", ""},
				{"v1, line feed", "127.0.0.1", "PROXY TCP4 192.0.2.7 127.0.0.1 4711 80\n", ""},
				{"v1, long", "127.0.0.1", "PROXY UNKNOWN " + strings.Repeat("x", 200) + "\r\n", ""},
				{"v1, lower case", "127.0.0.1", "proxy tcp4 192.0.2.7 127.0.0.1 4711 80\r\n", ""},
				{"v2, version", "127.0.0.1", strings.Replace(version2(1, 0x11, v4...), "\n\x21", "\n\x31", 1), ""},
				{"v2, command", "127.0.0.1", version2(2, 0x11, v4...), ""},
				{"v2, family", "127.0.0.1", version2(1, 0x31, make([]byte, 216)...), ""},
				{"v2, datagrams", "127.0.0.1", version2(1, 0x12, v4...), ""},
				{"v2, short", "127.0.0.1", version2(1, 0x11, v4[:11]...), ""},
				{"v2, huge", "127.0.0.1", version2(1, 0x11, make([]byte, 60000)...), ""},
				{"garbage", "127.0.0.1", "\r\n\r\n\x00\r\nQUIT garbage garbage", ""},
				{"a stranger", "127.0.1.1", "PROXY TCP4 192.0.2.7 127.0.0.1 4711 80\r\n", ""},
				{"a stranger, v2", "127.0.1.1", version2(1, 0x11, v4...), ""},
				{"a stranger without", "127.0.1.1", "", "127.0.1.1"},
				{"twice", "127.0.0.1", "PROXY TCP4 192.0.2.7 127.0.0.1 4711 80\r\nPROXY TCP4 192.0.2.8 127.0.0.1 4711 80\r\n", ""},
			} {
				got := f.introduced(k.from, k.header, secure)
				_, body, _ := strings.Cut(got, "\r\n\r\n")
				addr, remote, _ := strings.Cut(strings.TrimSuffix(body, "."), " ")
				if k.want == "" {
					if strings.HasPrefix(got, "HTTP/1.1 200") {
						t.Errorf("%s: served as %q", k.name, body)
					}
					continue
				}
				if !strings.HasPrefix(got, "HTTP/1.1 200") || addr != k.want && !strings.HasPrefix(addr, k.want+":") {
					t.Errorf("%s: %.200q, want %s", k.name, got, k.want)
				}
				if strings.HasPrefix(k.want, "192") && remote != k.want {
					t.Errorf("%s: the remote address is %s", k.name, remote)
				}
			}
			if _, failed := f.Handshakes(); failed[door.HandshakeProxy] < 15 {
				t.Errorf("%v", failed)
			}
		})
	}
}

// introduced sends a header and then a request that names another client, and returns what comes.
func (f *front) introduced(from, header string, secure bool) string {
	f.t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := dialer.DialContext(f.t.Context(), "tcp", f.Addr().String())
	if err != nil {
		f.t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(7 * time.Second))
	if _, err := io.WriteString(c, header); err != nil {
		return err.Error()
	}
	if secure {
		c = tls.Client(c, clientTLS("http/1.1"))
	}
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.9\r\nConnection: close\r\n\r\n"); err != nil {
		return err.Error()
	}
	b, _ := io.ReadAll(c)
	return string(b)
}

// TestProxyProtocolCounts: each client behind a proxy has its share and no more, whatever the proxy
// has; and a proxy whose header does not come is dropped.
func TestProxyProtocolCounts(t *testing.T) {
	f := open(t, echo, func(o *door.Options) {
		o.Trusted, o.ProxyProtocol = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/24")}, true
		o.PerAddress = 4
	})
	var all []net.Conn
	for i := range 40 {
		c, err := net.Dial("tcp", f.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "PROXY TCP4 192.0.2.%d 127.0.0.1 4711 80\r\nPOST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n", 1+i%2)
		all = append(all, c)
	}
	until(t, "each has its share", func() bool { return f.budgets[0].Used() == 8 })
	if got := f.introduced("127.0.0.1", "PROXY TCP4 192.0.2.3 127.0.0.1 4711 80\r\n", false); !strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Errorf("another client: %q", got)
	}
	for _, c := range all {
		c.Close()
	}
	until(t, "all is given back", func() bool { return f.budgets[0].Used() == 0 })
	if testing.Short() {
		return
	}
	began := time.Now()
	for _, begun := range []string{"", "PROXY TCP4 ", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c"} {
		c, err := net.Dial("tcp", f.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, begun)
		all = append(all, c)
	}
	until(t, "those who begin and do not go on are there", func() bool { return f.budgets[0].Used() == 3 })
	until(t, "they are dropped", func() bool { return f.budgets[0].Used() == 0 || time.Since(began) > 9*time.Second })
	if took := time.Since(began); took < 4*time.Second || took > 8*time.Second {
		t.Errorf("they are dropped after %s", took)
	}
}

// FuzzProxyHeader: no header makes the node read beyond it, hold much, or take what is no address
// for one; what is valid means what was written.
func FuzzProxyHeader(f *testing.F) {
	f.Add([]byte("PROXY TCP4 192.0.2.7 127.0.0.1 4711 80\r\nGET"))
	f.Add([]byte("PROXY TCP6 2001:db8::7 ::1 4711 80\r\n"))
	f.Add([]byte("PROXY UNKNOWN\r\nx"))
	f.Add([]byte(version2(1, 0x11, addrs("192.0.2.7:4711", "127.0.0.1:80", 1, 2, 3)...) + "GET"))
	f.Add([]byte(version2(1, 0x21, addrs("[2001:db8::7]:4711", "[::1]:80")...)))
	f.Add([]byte(version2(0, 0)))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		addr, err := door.ReadProxyHeader(r)
		read := b[:len(b)-r.Len()]
		if len(read) > 16+2048 {
			t.Errorf("%d bytes were read", len(read))
		}
		if err != nil {
			if addr.IsValid() {
				t.Errorf("%s with an error", addr)
			}
			return
		}
		if bytes.HasPrefix(read, []byte("PROXY ")) && (bytes.Count(read, []byte("\n")) != 1 || !bytes.HasSuffix(read, []byte("\r\n"))) {
			t.Errorf("%q was read", read)
		}
		if !addr.IsValid() {
			return
		}
		if addr.Addr().Zone() != "" || addr.Addr().Is4In6() {
			t.Errorf("%s of %q", addr, read)
		}
		// What was read is written again and means the same.
		again, err := door.ReadProxyHeader(strings.NewReader(written(addr)))
		if err != nil || again != addr {
			t.Errorf("%s, %v, and was %s", again, err, addr)
		}
	})
}

func written(a netip.AddrPort) string {
	if a.Addr().Is4() {
		return fmt.Sprintf("PROXY TCP4 %s 127.0.0.1 %d 80\r\n", a.Addr(), a.Port())
	}
	return version2(1, 0x21, addrs(a.String(), "[::1]:80")...)
}

package door_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/agora-host/agora/internal/door"
	"github.com/agora-host/agora/internal/siege"
)

// pair is a certificate for the name x, which signs itself.
var pair = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}, DNSNames: []string{"x"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

// overTLS makes a door speak TLS.
func overTLS(o *door.Options) { o.TLS = &tls.Config{Certificates: []tls.Certificate{pair()}} }

func clientTLS(protocols ...string) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, ServerName: "x", NextProtos: protocols}
}

// http2Target is the front by HTTP/2.
func (f *front) http2Target(path string) siege.Target {
	return siege.Target{Addr: f.Addr().String(), Host: "x", Path: path, TLS: clientTLS("h2")}
}

// client returns an ordinary client from an address.
func (f *front) client(from string) *http.Client {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	transport := &http.Transport{
		TLSClientConfig: clientTLS(), ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp", f.Addr().String())
		},
	}
	f.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Timeout: 10 * time.Second, Transport: transport}
}

// get asks for a path over TLS, on a connection of its own.
func (f *front) get(from, path string) (status, size int, proto string) {
	f.t.Helper()
	c := f.client(from)
	defer c.CloseIdleConnections()
	resp, err := c.Get("https://x" + path)
	if err != nil {
		f.t.Error(err)
		return 0, 0, ""
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil {
		f.t.Error(err)
	}
	return resp.StatusCode, int(n), resp.Proto
}

// TestTLS: both protocols are served over TLS, as the client likes, with the address and the
// scheme that handlers see.
func TestTLS(t *testing.T) {
	f := open(t, func(w http.ResponseWriter, r *http.Request) {
		c := door.ClientOf(r.Context())
		body, err := io.ReadAll(r.Body)
		if err != nil {
			fail(w, err)
			return
		}
		fmt.Fprintf(w, "%s %s %s %d", r.Proto, c.Addr.Addr(), c.Scheme, len(body))
	}, overTLS)
	for _, protocol := range []string{"http/1.1", "h2"} {
		c := f.client("127.0.0.3")
		if protocol == "http/1.1" {
			c.Transport.(*http.Transport).ForceAttemptHTTP2 = false
		}
		resp, err := c.Post("https://x/", "text/plain", strings.NewReader(strings.Repeat("x", 100<<10)))
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if got, want := string(b), resp.Proto+" 127.0.0.3 https 102400"; got != want {
			t.Errorf("%s: %q, want %q", protocol, got, want)
		}
		if protocol == "h2" && resp.Proto != "HTTP/2.0" || protocol != "h2" && resp.Proto != "HTTP/1.1" {
			t.Errorf("%s: %s", protocol, resp.Proto)
		}
	}
	if got := f.exchange("127.0.0.1", get); !strings.HasPrefix(got, "HTTP/1.0 400") || !strings.Contains(got, "https://") {
		t.Errorf("a client without TLS: %q", got)
	}
}

// TestHandshakes: why clients do not get through is counted, and each connection leaves.
func TestHandshakes(t *testing.T) {
	f := open(t, echo, func(o *door.Options) {
		o.TLS = &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if hello.ServerName != "x" {
				return nil, fmt.Errorf("%w: %q", door.ErrNoCertificate, hello.ServerName)
			}
			p := pair()
			return &p, nil
		}}
	})
	dial := func(c *tls.Config) {
		t.Helper()
		conn, err := tls.Dial("tcp", f.Addr().String(), c)
		if err == nil {
			conn.Close()
			t.Error("a handshake succeeded")
		}
	}
	other := clientTLS()
	other.ServerName = "y"
	old := clientTLS()
	old.MaxVersion = tls.VersionTLS11
	old.MinVersion = tls.VersionTLS10
	for range 2 {
		f.exchange("127.0.0.1", get)
		f.exchange("127.0.0.1", "SSH-2.0-OpenSSH_9.6\r\n")
		dial(other)
		dial(old)
		dial(&tls.Config{ServerName: "x"}) // trusts nothing
		c, err := net.Dial("tcp", f.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(c, "\x16\x03\x01\x02\x00\x01")
		c.Close()
	}
	want := map[string]uint64{
		door.HandshakePlain: 2, door.HandshakeGarbage: 2, door.HandshakeName: 2,
		door.HandshakeUnsupported: 2, door.HandshakeRejected: 2, door.HandshakeClosed: 2,
	}
	until(t, "all are counted", func() bool {
		_, failed := f.Handshakes()
		return fmt.Sprint(failed) == fmt.Sprint(want)
	})
	if done, _ := f.Handshakes(); done != 0 {
		t.Errorf("%d got through", done)
	}
	f.get("127.0.0.1", "/")
	if done, _ := f.Handshakes(); done != 1 {
		t.Errorf("%d got through", done)
	}
}

// half is the beginning of a handshake.
const half = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"

// TestUnfinishedHandshakes: clients that do not finish their handshakes hold their address'
// share for no longer than others, lose their places to those who want them, and are dropped.
func TestUnfinishedHandshakes(t *testing.T) {
	for name, raw := range map[string]string{"silent": "", "half": half} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := open(t, echo, overTLS, func(o *door.Options) { o.PerAddress = 60 })
			target := f.target()
			target.From = "127.0.0.5"
			began := time.Now()
			a := target.SilentAfter(t.Context(), 64, raw)
			until(t, "all have come", func() bool { return a.Opened.Load()+a.Refused.Load() == 64 })
			for range 3 {
				if status, _, _ := f.get("127.0.0.2", "/"); status != 200 {
					t.Errorf("another address: %d", status)
				}
			}
			if testing.Short() {
				return
			}
			a.Wait()
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("to drop them took %s", took)
			}
			if _, failed := f.Handshakes(); failed[door.HandshakeTimeout]+failed[door.HandshakeClosed] < 50 {
				t.Errorf("%v", failed)
			}
		})
	}
}

// TestSiegeOverTLS: the attacks of HTTP/1.1 end over TLS as they do without.
func TestSiegeOverTLS(t *testing.T) {
	for _, k := range []struct {
		name   string
		attack func(siege.Target) *siege.Attack
		want   func(f *front, a *siege.Attack) bool
	}{
		{"unfinished", func(s siege.Target) *siege.Attack { return s.Unfinished(t.Context(), 12, 100<<10, 60<<10, 0) }, func(f *front, a *siege.Attack) bool {
			s := f.budgets[1].State()
			return a.Statuses()[408] > 0 && a.Statuses()[408]+a.Statuses()[503] == 12 && s.Most <= s.Limit/2
		}},
		{"drip", func(s siege.Target) *siege.Attack { return s.Unfinished(t.Context(), 4, 1000, 1, 20*time.Millisecond) }, func(_ *front, a *siege.Attack) bool { return a.Statuses()[408] == 4 }},
		{"unread", func(s siege.Target) *siege.Attack { s.Path = "/big"; return s.Unread(t.Context(), 12) }, func(f *front, _ *siege.Attack) bool {
			s := f.budgets[2].State()
			return s.Used == 0 && s.Most <= s.Limit/2 && s.Most >= 1<<20
		}},
		{"uncounted", func(s siege.Target) *siege.Attack { s.Path = "/uncounted"; return s.Unread(t.Context(), 12) }, func(f *front, _ *siege.Attack) bool {
			s := f.budgets[2].State()
			return s.Used == 0 && s.Most <= s.Limit/2 && s.Most >= 900<<10
		}},
	} {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			f := open(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/uncounted" {
					_, _ = w.Write(make([]byte, 1<<20))
					return
				}
				echo(w, r)
			}, overTLS)
			target := f.target()
			target.TLS = clientTLS("http/1.1")
			a := k.attack(target)
			a.Wait()
			until(t, "all is given back", func() bool { return f.budgets[1].Used() == 0 && f.budgets[2].Used() == 0 })
			if !k.want(f, a) {
				t.Errorf("responses %v, %+v, %+v", a.Statuses(), f.budgets[1].State(), f.budgets[2].State())
			}
			if status, size, _ := f.get("127.0.0.1", "/big"); status != 200 || size != 1<<20 {
				t.Errorf("afterwards: %d, %d bytes", status, size)
			}
		})
	}
}

// TestStreams: a stream is held to what a connection is: its place, its bytes and its pace.
func TestStreams(t *testing.T) {
	t.Run("places", func(t *testing.T) {
		var most, now atomic.Int64
		release := make(chan struct{})
		f := open(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/hold" {
				n := now.Add(1)
				defer now.Add(-1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				<-release
			}
		}, overTLS)
		ctx, stop := context.WithCancel(t.Context())
		a := f.http2Target("/hold").UnreadStreams(ctx, 4, 50, 1<<20)
		until(t, "streams are refused", func() bool { return a.Resets.Load()+int64(a.Statuses()[503]) == 200-16 })
		if m := most.Load(); m > 16 || m < 10 {
			t.Errorf("one address has %d requests open of 16", m)
		}
		if a.Statuses()[503] == 0 {
			t.Error("none was told why")
		}
		if status, _, _ := f.get("127.0.0.2", "/"); status != 200 {
			t.Errorf("another address: %d", status)
		}
		if s := f.budgets[0].State(); s.Most > 18 {
			t.Errorf("%+v", s)
		}
		close(release)
		stop()
		a.Wait()
		until(t, "all is given back", func() bool { return f.budgets[0].Used() == 0 })
	})
	t.Run("unfinished", func(t *testing.T) {
		f := open(t, echo, overTLS)
		ctx, stop := context.WithCancel(t.Context())
		a := f.http2Target("/").UnfinishedStreams(ctx, 2, 6, 100<<10, 9<<10)
		until(t, "all have ended", func() bool { return a.Statuses()[408]+a.Statuses()[503] == 12 })
		if a.Ended.Load() != 0 {
			t.Error("a connection was closed for a stream")
		}
		if s := f.budgets[1].State(); s.Most > s.Limit/2 || s.Most < 50<<10 {
			t.Errorf("%+v", s)
		}
		stop()
		a.Wait()
	})
	for _, window := range []uint32{0, 1 << 10, 64 << 10} {
		for _, path := range []string{"/big", "/small", "/uncounted", "/pieces"} {
			t.Run(fmt.Sprintf("unread%s with a window of %d", path, window), func(t *testing.T) {
				t.Parallel()
				if testing.Short() && (window != 1<<10 || path == "/pieces") {
					t.Skip("one of many alike")
				}
				if path == "/small" && window > 0 {
					t.Skip("it is read")
				}
				if path != "/big" && window > 1<<10 {
					t.Skip("as with less")
				}
				var running atomic.Int64
				f := open(t, func(w http.ResponseWriter, r *http.Request) {
					running.Add(1)
					defer running.Add(-1)
					switch r.URL.Path {
					case "/uncounted":
						_, _ = w.Write(make([]byte, 1<<20))
					case "/small":
						_, _ = w.Write(make([]byte, 100))
					case "/pieces":
						for range 1 << 10 {
							if _, err := w.Write(make([]byte, 1<<10)); err != nil {
								return
							}
							if err := http.NewResponseController(w).Flush(); err != nil {
								return
							}
						}
					default:
						echo(w, r)
					}
				}, overTLS, func(o *door.Options) { o.Grace = 800 * time.Millisecond }) // the client needs the processor, too
				ctx, stop := context.WithCancel(t.Context())
				a := f.http2Target(path).UnreadStreams(ctx, 2, 6, window)
				until(t, "streams are reset", func() bool { return a.Resets.Load()+int64(a.Statuses()[503]) >= 12 && running.Load() == 0 })
				until(t, "places are given back", func() bool { return f.budgets[0].Used() <= 2 && f.budgets[2].Used() == 0 })
				if a.Ended.Load() != 0 {
					t.Error("a connection was closed for a stream")
				}
				if s := f.budgets[2].State(); s.Most > s.Limit/2 {
					t.Errorf("%+v", s)
				}
				stop()
				a.Wait()
			})
		}
	}
}

// TestStreamsStandAlone: what becomes of one stream does not matter to the others of its
// connection, and a client that reads steadily gets all, however long it takes.
func TestStreamsStandAlone(t *testing.T) {
	f := open(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			_, _ = w.Write(make([]byte, 1<<20))
			return
		}
		echo(w, r)
	}, overTLS)
	c := f.client("127.0.0.1")
	stalled, err := c.Get("https://x/big?stalled") // and is not read
	if err != nil {
		t.Fatal(err)
	}
	defer stalled.Body.Close()
	slow, err := c.Get("https://x/slow")
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Body.Close()
	began, total := time.Now(), 0
	for buffer := make([]byte, 16<<10); ; {
		n, err := slow.Body.Read(buffer)
		if total += n; err != nil {
			break
		}
		time.Sleep(time.Duration(n) * time.Second / (1 << 20))
	}
	if total != 1<<20 || time.Since(began) < 500*time.Millisecond {
		t.Errorf("%d bytes after %s", total, time.Since(began))
	}
	if resp, err := c.Get("https://x/"); err != nil || resp.StatusCode != 200 {
		t.Errorf("%+v, %v", resp, err)
	} else {
		resp.Body.Close()
	}
	if f.budgets[0].Used() > 3 {
		t.Errorf("%d connections and streams", f.budgets[0].Used())
	}
}

// TestHTTP2Floods: a connection that makes work and asks for little is closed, and others are
// served meanwhile.
func TestHTTP2Floods(t *testing.T) {
	attacks := map[string]func(siege.Target, context.Context) *siege.Attack{
		"taken back": func(s siege.Target, ctx context.Context) *siege.Attack {
			s.Path = "/wait"
			return s.TakenBack(ctx, 2, 1<<20)
		},
		"endless headers": func(s siege.Target, ctx context.Context) *siege.Attack { return s.EndlessHeaders(ctx, 2, 1<<16) },
	}
	for _, what := range []string{"ping", "settings", "window", "priority", "data", "unknown"} {
		attacks[what] = func(s siege.Target, ctx context.Context) *siege.Attack { return s.Chatter(ctx, 2, what) }
	}
	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := open(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/wait" {
					<-r.Context().Done()
					return
				}
				echo(w, r)
			}, overTLS, func(o *door.Options) { o.Grace = 30 * time.Second })
			ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
			defer stop()
			a := attack(f.http2Target("/"), ctx)
			if status, _, _ := f.get("127.0.0.2", "/"); status != 200 {
				t.Errorf("another address: %d", status)
			}
			a.Wait()
			if a.Ended.Load() != 2 {
				t.Error("the node did not close the connections")
			}
		})
	}
}

// TestTakenBack: a client that takes back most of what it asked for, however slowly, loses its
// connection; one that changes its mind now and then keeps it.
func TestTakenBack(t *testing.T) {
	for name, k := range map[string]struct{ every, handshakes uint64 }{"most": {1, 2}, "a third": {3, 1}} {
		t.Run(name, func(t *testing.T) {
			begun := make(chan struct{})
			f := open(t, func(_ http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/wait" {
					begun <- struct{}{}
					<-r.Context().Done()
				}
			}, overTLS, func(o *door.Options) { o.Grace = 10 * time.Second })
			c := f.client("127.0.0.1")
			for i := range uint64(620) {
				if i%k.every > 0 {
					if resp, err := c.Get("https://x/"); err == nil {
						resp.Body.Close()
					}
					continue
				}
				ctx, cancel := context.WithCancel(t.Context())
				r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://x/wait", nil)
				if err != nil {
					t.Fatal(err)
				}
				over := make(chan struct{})
				go func() {
					defer close(over)
					if resp, err := c.Do(r); err == nil {
						resp.Body.Close()
					}
				}()
				select {
				case <-begun:
				case <-over:
				}
				cancel()
				<-over
			}
			if done, _ := f.Handshakes(); done < k.handshakes || k.handshakes == 1 && done > 1 {
				t.Errorf("%d connections, want %d", done, k.handshakes)
			}
		})
	}
}

// TestGoAway: a client of HTTP/2 is told that its connection ends before it is closed.
func TestGoAway(t *testing.T) {
	f := open(t, echo, overTLS)
	c, err := tls.Dial("tcp", f.Addr().String(), clientTLS("h2"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	frames := http2.NewFramer(c, c)
	if err := frames.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	if _, err := frames.ReadFrame(); err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() { defer close(over); f.shut() }()
	told := false
	for {
		frame, err := frames.ReadFrame()
		if err != nil {
			break
		}
		if _, ok := frame.(*http2.GoAwayFrame); ok {
			told = true
		}
	}
	if <-over; !told {
		t.Error("the connection was closed without a word")
	}
}

// TestLargeHeaders: too many headers are refused, also those that are short on the line, and what
// is said to them holds nothing for long if it is not read.
func TestLargeHeaders(t *testing.T) {
	f := open(t, echo, overTLS)
	ctx, stop := context.WithCancel(t.Context())
	a := f.http2Target("/").LargeHeaders(ctx, 1, 50)
	until(t, "they are refused", func() bool { return a.Statuses()[431] == 50 })
	until(t, "their streams have ended", func() bool { return a.Resets.Load() == 50 })
	stop()
	a.Wait()
	c := f.client("127.0.0.1")
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://x/", nil)
	for i := range 200 {
		r.Header.Set(fmt.Sprint("x-", i), "1")
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 431 {
		t.Errorf("many headers: %d", resp.StatusCode)
	}
}

// TestLongTalk: a client that asks much and reads much is not taken for one that talks.
func TestLongTalk(t *testing.T) {
	f := open(t, func(w http.ResponseWriter, r *http.Request) {
		door.Unheld(r.Context())
		_, _ = io.Copy(w, r.Body)
	}, overTLS, func(o *door.Options) { o.Grace = 10 * time.Second })
	c := f.client("127.0.0.1")
	for range 30 {
		resp, err := c.Post("https://x/", "text/plain", io.LimitReader(zeros{}, 2<<20))
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if n != 2<<20 || err != nil || resp.Proto != "HTTP/2.0" {
			t.Fatalf("%d bytes by %s, %v", n, resp.Proto, err)
		}
	}
	if done, _ := f.Handshakes(); done != 1 {
		t.Errorf("%d connections", done)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestShutdownHTTP2: clients of HTTP/2 are told that a node stops, and lose no request.
func TestShutdownHTTP2(t *testing.T) {
	release := make(chan struct{})
	f := open(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hold" {
			<-release
		}
		fmt.Fprint(w, "whole")
	}, overTLS)
	c := f.client("127.0.0.1")
	idle := f.client("127.0.0.2")
	if resp, err := idle.Get("https://x/"); err != nil {
		t.Fatal(err)
	} else {
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	got := make(chan string)
	for range 3 {
		go func() {
			resp, err := c.Get("https://x/hold")
			if err != nil {
				got <- err.Error()
				return
			}
			b, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			got <- fmt.Sprint(string(b), err)
		}()
	}
	until(t, "they are there", func() bool { return f.budgets[0].Used() == 4 })
	over := make(chan int)
	go func() { over <- f.shut() }()
	until(t, "the idle one has left", func() bool { return f.budgets[0].Used() == 3 })
	close(release)
	for range 3 {
		if s := <-got; s != "whole<nil>" {
			t.Error(s)
		}
	}
	if cut := <-over; cut != 0 {
		t.Errorf("%d were cut", cut)
	}
}

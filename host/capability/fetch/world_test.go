package fetch_test

import (
	"bufio"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/host/capability/fetch"
)

// world is a small internet on the loopback: a real DNS server, and real
// listeners that count who comes.
type world struct {
	t       testing.TB
	dns     *net.UDPConn
	mu      sync.Mutex
	records map[string][]answers // by name, guarded by mu
	accepts atomic.Int64         // at inside: connections that should never have been made
	inside  string               // host and port of what no one may reach: 127.0.0.2
	outside *httptest.Server     // what may be reached: 127.0.0.1
	handle  http.HandlerFunc     // of outside
}

// answers are what a name has, the first for the first question and so on; the
// last stays.
type answers struct {
	cname string
	addrs []string
}

// outsideNet is what the tests' operator allows: one address of the loopback,
// and not its neighbour.
var outsideNet = netip.MustParsePrefix("127.0.0.1/32")

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, records: map[string][]answers{}}
	w.handle = func(rw http.ResponseWriter, r *http.Request) { fmt.Fprint(rw, "outside") }
	w.outside = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.handle(rw, r) }))
	t.Cleanup(w.outside.Close)
	w.listenInside()
	w.serveDNS()
	return w
}

func (w *world) listenInside() {
	l, err := net.Listen("tcp", "127.0.0.2:"+w.port())
	if err != nil {
		w.t.Skipf("this system has one loopback address only: %v", err)
	}
	w.inside = l.Addr().String()
	w.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			w.accepts.Add(1)
			go func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(5 * time.Second))
				if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\ninside")
				}
			}()
		}
	}()
}

// port is the one that outside and inside share.
func (w *world) port() string {
	_, port, _ := net.SplitHostPort(w.outside.Listener.Addr().String())
	return port
}

func (w *world) serveDNS() {
	var err error
	if w.dns, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { w.dns.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := w.dns.ReadFromUDP(buf)
			if err != nil {
				return
			}
			var q dnsmessage.Message
			if q.Unpack(buf[:n]) == nil && len(q.Questions) == 1 {
				if reply, err := w.answer(&q).Pack(); err == nil {
					_, _ = w.dns.WriteToUDP(reply, from)
				}
			}
		}
	}()
}

// name has a name answer, first this, then that.
func (w *world) name(name string, sequence ...answers) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.records[name] = sequence
}

func (w *world) addr(name string, addrs ...string) { w.name(name, answers{addrs: addrs}) }

func (w *world) answer(q *dnsmessage.Message) *dnsmessage.Message {
	w.mu.Lock()
	defer w.mu.Unlock()
	asked := q.Questions[0]
	reply := &dnsmessage.Message{Header: dnsmessage.Header{ID: q.ID, Response: true, Authoritative: true, RecursionAvailable: true}, Questions: q.Questions}
	name := strings.TrimSuffix(asked.Name.String(), ".")
	if len(w.records[name]) == 0 {
		reply.RCode = dnsmessage.RCodeNameError
	}
	for seq := w.records[name]; len(seq) > 0; seq = w.records[name] {
		if len(seq) > 1 && asked.Type == dnsmessage.TypeA {
			w.records[name] = seq[1:]
		}
		for _, text := range seq[0].addrs {
			if r, ok := record(name, netip.MustParseAddr(text)); ok && r.Header.Type == asked.Type {
				reply.Answers = append(reply.Answers, r)
			}
		}
		if seq[0].cname == "" {
			break
		}
		header := dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name + "."), Type: dnsmessage.TypeCNAME, Class: dnsmessage.ClassINET}
		reply.Answers = append(reply.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName(seq[0].cname + ".")}})
		name = seq[0].cname
	}
	return reply
}

// record is one address with a time to live of zero.
func record(name string, addr netip.Addr) (dnsmessage.Resource, bool) {
	r := dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name + "."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}
	if addr.Is4() {
		r.Body = &dnsmessage.AResource{A: addr.As4()}
		return r, true
	}
	r.Header.Type = dnsmessage.TypeAAAA
	r.Body = &dnsmessage.AAAAResource{AAAA: addr.As16()}
	return r, true
}

func (w *world) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, StrictErrors: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", w.dns.LocalAddr().String())
	}}
}

// secure starts a TLS server for a name, which the capability trusts.
func (w *world) secure(h http.HandlerFunc) (*httptest.Server, *x509.CertPool) {
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true // an offer that is to be declined
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	w.t.Cleanup(s.Close)
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return s, pool
}

// told collects findings.
type told struct {
	mu       sync.Mutex
	findings []abi.Finding
}

func (o *told) tell(_ context.Context, _ fetch.App, f abi.Finding) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.findings = append(o.findings, f)
}

func (o *told) codes() (codes []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, f := range o.findings {
		codes = append(codes, f.Code)
	}
	return codes
}

// capability is one over this world, whose operator allows outside.
func (w *world) capability(change ...func(*fetch.Options)) *fetch.Fetch {
	o := fetch.Options{Allow: []netip.Prefix{outsideNet}, Resolver: w.resolver(), Logger: slog.New(slog.DiscardHandler)}
	for _, c := range change {
		c(&o)
	}
	f := fetch.New(o)
	w.t.Cleanup(func() { _ = f.Close(context.Background()) })
	return f
}

// params are a grant for some origins.
func params(allow ...string) abi.Params {
	return abi.Params{"allow": strings.Join(allow, " "), "max_calls": "100", "max_request": "1000", "max_response": "100000"}
}

// result is what a call did.
type result struct {
	abi.Response
	errno abi.Errno
	uses  map[string]uint64 // by meter and subject
}

// call makes one call in an invocation of its own.
func call(t testing.TB, link abi.Link, r abi.Request) result {
	t.Helper()
	var rec abi.Recorder
	ctx, cancel := context.WithTimeout(abi.WithRecorder(t.Context(), &rec), 5*time.Second)
	defer cancel()
	out, errno := link[abi.FetchDo](ctx, abi.AppendRequest(nil, &r))
	rec.End()
	got := result{errno: errno, uses: map[string]uint64{}}
	if errno == abi.ErrnoOK {
		var err error
		if got.Response, err = abi.DecodeResponse(out); err != nil {
			t.Fatal(err)
		}
	}
	for _, u := range rec.Uses() {
		got.uses[u.Meter+" "+u.Subject] = u.N
	}
	return got
}

func get(origin, path string) abi.Request {
	return abi.Request{Method: "GET", Host: origin, Path: path}
}

func body(r *http.Request) string {
	b, _ := io.ReadAll(r.Body)
	return string(b)
}

package door_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agora-host/agora/internal/budget"
	"github.com/agora-host/agora/internal/door"
	"github.com/agora-host/agora/internal/siege"
)

// front is a door that serves on a free port.
type front struct {
	*door.Door
	t       testing.TB
	budgets [3]*budget.Budget // connections, bodies, responses
}

func open(t testing.TB, handler http.HandlerFunc, change ...func(*door.Options)) *front {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	f := &front{t: t, budgets: [3]*budget.Budget{
		budget.New("connections", "", 64), budget.New("bodies", "", 1<<20), budget.New("responses", "", 4<<20),
	}}
	o := door.Options{
		Log: log, Connections: f.budgets[0], Bodies: f.budgets[1], Responses: f.budgets[2],
		PerAddress: 16, Rate: 64 << 10, Grace: 400 * time.Millisecond,
		Refuse: func(w http.ResponseWriter, _ *http.Request, err error) { fail(w, err) },
	}
	for _, c := range change {
		c(&o)
	}
	var err error
	if f.Door, err = door.Listen(t.Context(), "127.0.0.1:0", o); err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		if err := f.Serve(handler); err != nil {
			t.Error(err)
		}
	})
	ctx, stop := context.WithCancel(context.Background())
	served.Go(func() { f.Sweep(ctx) })
	t.Cleanup(func() {
		f.shut()
		stop()
		served.Wait()
		for _, b := range f.budgets {
			if b.Used() != 0 {
				t.Errorf("not given back: %+v", b.State())
			}
		}
	})
	return f
}

func (f *front) shut() (cut int) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	cut, err := f.Shutdown(ctx)
	if err != nil {
		f.t.Error(err)
	}
	return cut
}

// fail is how the tests' handlers say what went wrong.
func fail(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, door.ErrBadBody):
		status = http.StatusBadRequest
	case errors.Is(err, door.ErrTooSlow):
		status = http.StatusRequestTimeout
	case errors.Is(err, door.ErrNoRoom), errors.Is(err, door.ErrTooMany):
		status = http.StatusServiceUnavailable
	case errors.Is(err, door.ErrMethod):
		status = http.StatusMethodNotAllowed
	case errors.Is(err, door.ErrHeaders):
		status = http.StatusRequestHeaderFieldsTooLarge
	case errors.Is(err, door.ErrProtocol):
		status = http.StatusHTTPVersionNotSupported
	}
	http.Error(w, err.Error(), status)
}

// echo sends back how many bytes came; on /big, a large response.
func echo(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/big" {
		const size = 1 << 20
		if err := door.Of(r.Context()).Hold(size); err != nil {
			fail(w, err)
			return
		}
		_, _ = w.Write(make([]byte, size))
		return
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		fail(w, err)
		return
	}
	fmt.Fprint(w, len(b))
}

func (f *front) target() siege.Target { return siege.Target{Addr: f.Addr().String(), Host: "x"} }

// exchange sends raw bytes from an address and returns all that comes back.
func (f *front) exchange(from, raw string) string {
	f.t.Helper()
	c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 5 * time.Second}).DialContext(f.t.Context(), "tcp", f.Addr().String())
	if err != nil {
		f.t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(c, raw); err != nil {
		return err.Error()
	}
	b, _ := io.ReadAll(c)
	return string(b)
}

const get = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

// served reports whether an address is served.
func (f *front) served(from string) bool {
	return strings.HasPrefix(f.exchange(from, get), "HTTP/1.1 200")
}

// until waits for something that will come true.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for range 4000 {
		if ok() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

// TestOneAddress: an address has its share of connections and no more, whatever it does with
// them, and others are served.
func TestOneAddress(t *testing.T) {
	for name, attack := range map[string]func(siege.Target, context.Context, int) *siege.Attack{
		"silent": siege.Target.Silent, "idle": siege.Target.Idle,
		"unread": func(target siege.Target, ctx context.Context, n int) *siege.Attack {
			target.Path = "/big"
			return target.Unread(ctx, n)
		},
		"unfinished": func(target siege.Target, ctx context.Context, n int) *siege.Attack {
			return target.Unfinished(ctx, n, 1000, 10, 0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := open(t, echo)
			ctx, stop := context.WithCancel(t.Context())
			a := attack(f.target(), ctx, 100)
			until(t, "all have come", func() bool { return a.Opened.Load()+a.Refused.Load() == 100 })
			for range 3 {
				if !f.served("127.0.0.2") {
					t.Error("another address is not served")
				}
			}
			if most := f.budgets[0].State().Most; most > 18 {
				t.Errorf("one address had %d connections of 16", most)
			}
			stop()
			a.Wait()
			until(t, "all is given back", func() bool { return f.budgets[0].Used() == 0 })
			if !f.served("127.0.0.1") {
				t.Error("the address is not served after its attack")
			}
		})
	}
}

// TestAllConnections: when every place is taken by connections that do nothing, a new one gets
// the place of one that the heaviest address has.
func TestAllConnections(t *testing.T) {
	f := open(t, echo, func(o *door.Options) { o.PerAddress = 60 })
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	one, other := f.target(), f.target()
	one.From, other.From = "127.0.0.1", "127.0.0.3"
	few := other.Idle(ctx, 8)
	until(t, "the light address has its connections", func() bool { return few.Ready.Load() == 8 })
	many := one.Idle(ctx, 56)
	until(t, "the node is full", func() bool { return many.Ready.Load() == 56 })
	if !f.served("127.0.0.2") {
		t.Error("a new connection has no place")
	}
	until(t, "the heavy address lost connections", func() bool { return many.Ended.Load() > 0 })
	if few.Ended.Load() != 0 {
		t.Error("the light address lost connections")
	}
	if n := f.budgets[0].State(); n.Most > n.Limit {
		t.Errorf("%+v", n)
	}
	stop()
	few.Wait()
	many.Wait()
}

// TestUnfinishedBodies: bodies that do not end hold no more than their budget, are answered when
// there is no more, and are given up when they stall.
func TestUnfinishedBodies(t *testing.T) {
	f := open(t, echo, func(o *door.Options) { o.PerAddress = 60 })
	a := f.target().Unfinished(t.Context(), 32, 256<<10, 200<<10, 0)
	a.Wait() // all end, though the clients would wait for ever
	got := a.Statuses()
	if got[503] == 0 || got[408] == 0 || got[503]+got[408] != 32 {
		t.Errorf("responses %v", got)
	}
	// Half of the budget is one address'.
	if s := f.budgets[1].State(); s.Most > s.Limit/2 || s.Most < 200<<10 {
		t.Errorf("%+v", s)
	}
	until(t, "all is given back", func() bool { return f.budgets[1].Used() == 0 })
}

// TestRoomBeforeRead: room is taken for what a handler is about to read, before it reads.
func TestRoomBeforeRead(t *testing.T) {
	f := open(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadFull(r.Body, make([]byte, r.ContentLength)); err != nil {
			fail(w, err)
		}
	})
	a := f.target().Unfinished(t.Context(), 1, 600<<10, 0, 0)
	a.Wait()
	if got := a.Statuses(); got[503] != 1 {
		t.Errorf("responses %v", got)
	}
}

// TestDrip: a body that comes byte by byte is as slow as one that does not come.
func TestDrip(t *testing.T) {
	f := open(t, echo)
	began := time.Now()
	a := f.target().Unfinished(t.Context(), 4, 1000, 1, 20*time.Millisecond)
	a.Wait()
	if got := a.Statuses(); got[408] != 4 {
		t.Errorf("responses %v after %s", got, time.Since(began))
	}
	// A body that pauses for less than the grace is taken.
	c, err := net.Dial("tcp", f.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na")
	time.Sleep(100 * time.Millisecond)
	fmt.Fprint(c, "b")
	if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.StatusCode != 200 || resp.Close {
		t.Errorf("after a pause: %+v, %v", resp, err)
	}
}

// TestStalledBodiesMakeRoom: what stalled bodies hold goes to one that comes.
func TestStalledBodiesMakeRoom(t *testing.T) {
	f := open(t, echo, func(o *door.Options) { o.Grace = 4 * time.Second })
	ctx, stop := context.WithCancel(t.Context())
	for i := range 2 { // each address holds its half
		target := f.target()
		target.From = fmt.Sprintf("127.0.0.%d", 1+i)
		target.Unfinished(ctx, 2, 240<<10, 235<<10, 0)
	}
	until(t, "the budget is used up", func() bool { return f.budgets[1].Used() > 930<<10 })
	time.Sleep(1200 * time.Millisecond) // a quarter of the grace
	body := strings.Repeat("x", 500<<10)
	got := f.exchange("127.0.0.9", fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	if !strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Errorf("a body that comes: %.100q", got)
	}
	stop()
}

// TestUnread: readers that do not read hold no more than the budget, and not for long.
func TestUnread(t *testing.T) {
	f := open(t, echo)
	target := f.target()
	target.Path = "/big"
	a := target.Unread(t.Context(), 12)
	until(t, "some are held", func() bool { return f.budgets[2].Used() > 0 })
	a.Wait() // reset by the node, all of them
	if s := f.budgets[2].State(); s.Used != 0 || s.Most > s.Limit/2 || s.Most < 1<<20 {
		t.Errorf("%+v", s)
	}
}

// TestUncountedResponse: a handler that counts nothing is counted as it writes.
func TestUncountedResponse(t *testing.T) {
	f := open(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<20)) })
	a := f.target().Unread(t.Context(), 12)
	a.Wait()
	if s := f.budgets[2].State(); s.Used != 0 || s.Most < 900<<10 || s.Most > s.Limit/2 {
		t.Errorf("%+v", s)
	}
	if got := f.exchange("127.0.0.1", get); len(got) < 1<<20 {
		t.Errorf("a client that reads gets %d bytes", len(got))
	}
}

// TestSlowReaderThatReads: a client at a steady pace above the least rate gets everything,
// however long it takes.
func TestSlowReaderThatReads(t *testing.T) {
	f := open(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 2<<20)) })
	c, err := net.Dial("tcp", f.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, get)
	began, total := time.Now(), 0
	for buffer := make([]byte, 16<<10); ; {
		n, err := c.Read(buffer)
		if total += n; err != nil {
			break
		}
		time.Sleep(time.Duration(n) * time.Second / (1 << 20))
	}
	if total < 2<<20 || time.Since(began) < time.Second {
		t.Errorf("%d bytes after %s", total, time.Since(began))
	}
}

// TestProxy: a trusted proxy has as many connections as it likes, and its clients are counted
// by what it says of them; what a client wrote itself does not count.
func TestProxy(t *testing.T) {
	hold := make(chan struct{})
	f := open(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hold" {
			<-hold
		}
	}, func(o *door.Options) {
		o.Trusted = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/24")}
		o.PerAddress = 4
	})
	ctx, stop := context.WithCancel(t.Context())
	target := f.target()
	target.Path, target.Header = "/hold", "X-Forwarded-For: 10.1.1.1, 192.0.2.1, 127.0.0.7\r\n"
	a := target.Idle(ctx, 8)
	until(t, "four are refused", func() bool { return a.Statuses()[503] == 4 })
	for forwarded, want := range map[string]string{
		"192.0.2.2": "200", "10.1.1.1, 192.0.2.1": "503", "192.0.2.1:4711": "503", "192.0.2.9, 127.0.0.9": "200",
		"nonsense": "200", "192.0.2.1, nonsense": "200", "2001:db8::1": "200", "[2001:db8::1]:80": "200", "192.0.2.1\r\nX-Forwarded-For: 192.0.2.5": "200", "192.0.2.5\r\nX-Forwarded-For: 192.0.2.1": "503",
	} {
		got := f.exchange("127.0.0.1", "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-For: "+forwarded+"\r\n\r\n")
		if !strings.HasPrefix(got, "HTTP/1.1 "+want) {
			t.Errorf("%q: %.40q, want %s", forwarded, got, want)
		}
	}
	if got := f.exchange("127.0.1.1", "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Errorf("a stranger names somebody else's address: %.40q", got)
	}
	close(hold)
	stop()
	a.Wait()
}

// TestFraming: what could be read in two ways ends the connection, and what no handler is to
// see does not get there.
func TestFraming(t *testing.T) {
	var reached []string
	f := open(t, func(w http.ResponseWriter, r *http.Request) {
		reached = append(reached, r.Method+" "+r.URL.Path)
		echo(w, r)
	})
	smuggled := "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
	for _, k := range []struct{ name, raw, status string }{
		{"both lengths", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled, "200"},
		{"both lengths, the other way", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + smuggled, "200"},
		{"HTTP/1.0 with chunks", "POST / HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled, "200"},
		{"two lengths", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde" + smuggled, "400"},
		{"a bad chunk", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + smuggled, "400"},
		{"CONNECT", "CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n" + smuggled, "405"},
		{"TRACE", "TRACE / HTTP/1.1\r\nHost: x\r\n\r\n" + smuggled, "405"},
		{"TRACK", "TRACK / HTTP/1.1\r\nHost: x\r\n\r\n" + smuggled, "405"},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"},
		{"many headers", "GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("a: b\r\n", 200) + "\r\n" + smuggled, "431"},
		{"large headers", "GET / HTTP/1.1\r\nHost: x\r\na: " + strings.Repeat("b", 64<<10) + "\r\n\r\n", "431"},
	} {
		got := f.exchange("127.0.0.1", k.raw)
		if !strings.HasPrefix(got, "HTTP/1.1 "+k.status) && !strings.HasPrefix(got, "HTTP/1.0 "+k.status) {
			t.Errorf("%s: %.60q, want %s", k.name, got, k.status)
		}
	}
	for _, r := range reached {
		if r != "POST /" {
			t.Errorf("a handler saw %s", r)
		}
	}
}

// TestCutOffBody: a client that closes its side in a body learns that it was cut off.
func TestCutOffBody(t *testing.T) {
	f := open(t, echo)
	for _, framing := range []string{"Content-Length: 9\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"} {
		c, err := net.Dial("tcp", f.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\n"+framing)
		_ = c.(*net.TCPConn).CloseWrite()
		if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.StatusCode != 400 || !resp.Close {
			t.Errorf("%q: %+v, %v", framing, resp, err)
		}
	}
}

// TestRefusedBody: a request that is refused, or that no handler sees, holds its connection no
// longer than another if its body does not come.
func TestRefusedBody(t *testing.T) {
	f := open(t, echo)
	for _, line := range []string{"TRACE / HTTP/1.1", "OPTIONS * HTTP/1.1", "PRI * HTTP/2.0"} {
		began := time.Now()
		f.exchange("127.0.0.1", line+"\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("%s: %s", line, took)
		}
	}
}

// TestUnreadBody: a handler that does not read a body that does not come holds nothing.
func TestUnreadBody(t *testing.T) {
	f := open(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	a := f.target().Unfinished(t.Context(), 4, 1000, 10, 0)
	a.Wait()
	if got := a.Statuses(); got[204] != 4 {
		t.Errorf("responses %v", got)
	}
}

// TestSources: an IPv6 subscriber is one address, and an IPv4 address is itself however it is
// written.
func TestSources(t *testing.T) {
	for a, want := range map[string]string{
		"2001:db8:1:2:3::4": "2001:db8:1:2::", "::ffff:192.0.2.1": "192.0.2.1", "192.0.2.1": "192.0.2.1", "fe80::1%eth0": "fe80::",
	} {
		if got := door.Source(netip.MustParseAddr(a)); got != netip.MustParseAddr(want) {
			t.Errorf("%s: %s, want %s", a, got, want)
		}
	}
}

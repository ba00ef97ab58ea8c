package node_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/internal/siege"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// large is a module with a response of 1 MiB.
var large = wasmtest.App{Pages: 20, Frame: abi.AppendResponse(nil, &abi.Response{Status: 200, Body: bytes.Repeat([]byte("x"), 1<<20)})}.Bytes()

// besieged is a node with small budgets.
func besieged(t *testing.T, change ...func(*node.Options)) *testNode {
	t.Helper()
	small := func(o *node.Options) {
		o.Connections, o.ConnectionsPerAddress, o.BodyMemory, o.ResponseMemory, o.LeastRate = 128, 64, 8<<20, 8<<20, 64<<10
		node.SetGrace(o, 600*time.Millisecond)
	}
	n := start(t, append([]func(*node.Options){small}, change...)...)
	t.Cleanup(func() { // before the node stops
		until(t, "all is given back", func() bool {
			return n.Budget("request-bodies").Used == 0 && n.Budget("responses").Used == 0 && n.Budget("connections").Used <= 8
		})
	})
	return n
}

func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for range 1500 {
		if ok() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

func (n *testNode) target(address string) siege.Target {
	n.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		n.t.Fatal(err)
	}
	return siege.Target{Addr: n.Addr().String(), Host: u.Host, Path: u.Path}
}

// from asks from another loopback address than attacks come from.
func (n *testNode) from(local, address string) int {
	n.t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(local)}}
	c := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, "tcp", n.Addr().String())
	}}}
	r, err := http.NewRequestWithContext(n.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	resp, err := c.Do(r)
	if err != nil {
		n.t.Error(err)
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// usage returns what an app was billed.
func (n *testNode) usage(c *client.Client, app string) client.Report {
	n.t.Helper()
	u, err := c.Usage(n.t.Context(), client.UsageQuery{App: app})
	if err != nil {
		n.t.Fatal(err)
	}
	return u
}

// TestUnfinishedBodiesLeave: clients that do not finish their bodies take all places of an app
// and get no further; others are served, by the app itself after a second, and no one is billed.
func TestUnfinishedBodiesLeave(t *testing.T) {
	n := besieged(t, func(o *node.Options) { node.SetGrace(o, 20*time.Second) })
	c := n.ada()
	besieged := n.publish(c, manifest("gate", "[limits]\nconcurrency = 4\nrequest_body = \"4MiB\"\n"), says("in"))
	other := n.publish(c, manifest("other"), says("out"))
	ctx, stop := context.WithCancel(t.Context())
	a := n.target(besieged.URL).Unfinished(ctx, 16, 4<<20, 100<<10, 0)
	until(t, "all places are taken", func() bool { return a.Statuses()[503] == 12 })
	if got := n.from("127.0.0.2", other.URL); got != 200 {
		t.Errorf("another app: %d", got)
	}
	if got := n.Budget("request-bodies"); got.Most > 4<<20 || got.Used == 0 {
		t.Errorf("%+v", got)
	}
	busy := n.usage(c, "gate").Total
	until(t, "the app serves again", func() bool { return n.from("127.0.0.2", besieged.URL) == 200 })
	until(t, "one whose body was unfinished reads that it lost its place", func() bool { return a.Statuses()[408] > 0 })
	stop()
	a.Wait()
	if busy.Calls != 12 || busy.Errors["busy"] != 12 || busy.BytesIn != 0 {
		t.Errorf("billed: %+v", busy)
	}
}

// TestPlaceBeforeBody: a request that finds no place is refused before its body is read.
func TestPlaceBeforeBody(t *testing.T) {
	n := besieged(t)
	c := n.ada()
	p := n.publish(c, manifest("one", "[limits]\nconcurrency = 1\nfuel = 2000000000\ntimeout = \"10s\"\n"), streams(wasmtest.Forever...))
	conn, _ := n.ask(p.URL) // its first bytes are here, so it has the place
	got := n.do("POST", p.URL, strings.Repeat("x", 900<<10))
	if got.Status != 503 || got.Header.Get("Retry-After") == "" {
		t.Errorf("%d %v", got.Status, got.Header)
	}
	if most := n.Budget("request-bodies").Most; most > 16<<10 {
		t.Errorf("%d bytes of a body were read for a call without a place", most)
	}
	conn.Close()
}

// TestUnreadResponses: clients that do not read hold no more than the budget, and lose it.
func TestUnreadResponses(t *testing.T) {
	n := besieged(t)
	c := n.ada()
	big := n.publish(c, manifest("big", "[limits]\nconcurrency = 32\nresponse_body = \"2MiB\"\n"), large)
	other := n.publish(c, manifest("other"), says("out"))
	a := n.target(big.URL).Unread(t.Context(), 32)
	until(t, "some are held", func() bool { return n.Budget("responses").Used > 2<<20 })
	for range 5 {
		if got := n.from("127.0.0.2", other.URL); got != 200 {
			t.Errorf("another app: %d", got)
		}
	}
	until(t, "readers that do not read have left", func() bool { return n.Budget("responses").Used == 0 })
	if got := n.Budget("responses"); got.Most > got.Limit/2 {
		t.Errorf("%+v", got)
	}
	if got := n.from("127.0.0.2", big.URL); got != 200 {
		t.Errorf("a client that reads: %d", got)
	}
	a.Wait()
}

// TestUnreadFiles: readers of a packed file share its bytes, and those of the file itself hold
// no more than a window of it each.
func TestUnreadFiles(t *testing.T) {
	n := besieged(t)
	c := n.ada()
	p := n.publish(c, manifest("files", "[static]\ndir = \"x\"\n"), withFiles(t, says("app"), fstest.MapFS{"big.bin": {Data: bytes.Repeat([]byte("0123456789abcdef"), 8<<20/16)}}))
	target := n.target(p.URL + "big.bin")
	if got := n.from("127.0.0.2", p.URL+"big.bin"); got != 200 {
		t.Fatalf("the file: %d", got)
	}
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	ctx, stop := context.WithCancel(t.Context())
	a := target.Unread(ctx, 50)
	until(t, "all are served", func() bool { return a.Ready.Load() == 50 && n.usage(c, "files").Total.Calls >= 51 })
	if more := heap() - before; more > 24<<20 {
		t.Errorf("50 readers of a file of 8 MiB hold %d MiB", more>>20)
	}
	stop()
	a.Wait()
}

// TestMalformedBodyIsNoFault: a body that cannot be read is its sender's fault, at an app, its
// webhook and the API, and the app is not billed for it.
func TestMalformedBodyIsNoFault(t *testing.T) {
	n := besieged(t)
	c := n.ada()
	p := n.publish(c, manifest("strict"), says("in"))
	u, err := url.Parse(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	for what, k := range map[string]struct{ host, path, body string }{
		"a bad chunk":      {u.Host, "/", "Transfer-Encoding: chunked\r\n\r\nnothing\r\n"},
		"a chunk cut off":  {u.Host, "/", "Transfer-Encoding: chunked\r\n\r\n5\r\nab"},
		"a length cut off": {u.Host, "/", "Content-Length: 5\r\n\r\nab"},
		"at the API":       {n.Addr().String(), "/api/v1/sign-in", "Content-Type: application/json\r\nContent-Length: 5\r\n\r\n{"},
	} {
		conn, err := net.Dial("tcp", n.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\n%s", k.path, k.host, k.body)
		_ = conn.(*net.TCPConn).CloseWrite()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		got, _ := io.ReadAll(conn)
		conn.Close()
		if !strings.HasPrefix(string(got), "HTTP/1.1 400") || !strings.Contains(string(got), "Connection: close") {
			t.Errorf("%s: %.200q", what, got)
		}
	}
	if u := n.usage(c, "strict").Total; u.Calls != 0 || len(u.Errors) != 0 {
		t.Errorf("billed: %+v", u)
	}
	for _, method := range []string{"CONNECT", "TRACE"} {
		conn, err := net.Dial("tcp", n.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "%s / HTTP/1.1\r\nHost: %s\r\n\r\n", method, u.Host)
		got, _ := io.ReadAll(conn)
		conn.Close()
		if !strings.HasPrefix(string(got), "HTTP/1.1 405") {
			t.Errorf("%s: %.100q", method, got)
		}
	}
}

// TestStopWithStalledReader: a client that does not read does not keep the node from stopping.
func TestStopWithStalledReader(t *testing.T) {
	n := start(t)
	p := n.publish(n.ada(), manifest("big", "[limits]\nresponse_body = \"2MiB\"\n"), large)
	a := n.target(p.URL).Unread(t.Context(), 1)
	until(t, "it is held", func() bool { return n.Budget("responses").Used > 0 })
	began := time.Now()
	n.stop() // and it succeeds
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("to stop took %s", took)
	}
	a.Wait()
}

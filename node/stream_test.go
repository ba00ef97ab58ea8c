package node_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/sdk/client"
)

// streams is an app that starts a response and then runs code.
func streams(code ...byte) []byte {
	frame := abi.AppendResponse(nil, &abi.Response{Status: 200, Header: []abi.Field{{Name: "Content-Type", Value: "text/event-stream"}}, Body: []byte("data: 1\n\n")})
	start := wasm.AppendS64([]byte{wasm.OpI32Const}, wasmtest.ResponseAt)
	start = wasm.AppendS64(append(start, wasm.OpI32Const), int64(len(frame)))
	start = append(start, wasm.OpI32Const, 0, wasm.OpI32Const, 0, wasm.OpCall, 0, wasm.OpDrop)
	return wasmtest.App{Stream: true, Frame: frame, Raw: append(append(start, code...), wasm.OpI64Const, 0)}.Bytes()
}

// pump sends 60,000 bytes from the start of memory, over and over.
var pump = append(append([]byte{wasm.OpLoop, wasm.BlockEmpty, wasm.OpI32Const, 0}, wasm.AppendS64([]byte{wasm.OpI32Const}, 60_000)...),
	wasm.OpI32Const, 0, wasm.OpI32Const, 0, wasm.OpCall, 1, wasm.OpDrop, wasm.OpBr, 0, wasm.OpEnd)

// ask sends a request on a connection of its own and returns what comes back,
// its body not yet read.
func (n *testNode) ask(url string) (net.Conn, *http.Response) {
	n.t.Helper()
	r, err := http.NewRequestWithContext(n.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	c, err := net.Dial("tcp", n.Addr().String())
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		n.t.Fatal(err)
	}
	if err := r.Write(c); err != nil {
		n.t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReaderSize(c, 16), r)
	if err != nil {
		n.t.Fatal(err)
	}
	return c, resp
}

// TestStreamedAnswer: the first piece is there while the app still runs, and
// what was sent is billed however the response ends.
func TestStreamedAnswer(t *testing.T) {
	n := start(t)
	c := n.ada()
	for _, k := range []struct {
		name   string
		limits string
		module []byte
		broken bool
		leaves bool // the caller does, after the first piece
		kind   string
		bytes  func(uint64) bool
	}{
		{name: "whole", module: streams(), bytes: func(b uint64) bool { return b == 9 }},
		{name: "traps", module: streams(wasm.OpUnreachable), broken: true, kind: "trap", bytes: func(b uint64) bool { return b == 9 }},
		{name: "spins", limits: "[limits]\nfuel = 2000000000\ntimeout = \"200ms\"\n", module: streams(wasmtest.Forever...), broken: true, kind: "deadline", bytes: func(b uint64) bool { return b == 9 }},
		{name: "floods", limits: "[limits]\nresponse_body = \"1MiB\"\n", module: streams(pump...), broken: true, kind: "response_too_large", bytes: func(b uint64) bool { return b > 1<<20-60_000 && b <= 1<<20 }},
		{name: "deserted", limits: "[limits]\nresponse_body = \"4MiB\"\nfuel = 1000000\n", module: streams(append(wasmtest.Forever, pump...)...), leaves: true, kind: "fuel", bytes: func(b uint64) bool { return b == 9 }},
	} {
		t.Run(k.name, func(t *testing.T) {
			p := n.publish(c, manifest(k.name, k.limits), k.module)
			conn, resp := n.ask(p.URL)
			piece := make([]byte, 9)
			if _, err := io.ReadFull(resp.Body, piece); err != nil || string(piece) != "data: 1\n\n" || resp.ContentLength != -1 {
				t.Fatalf("the first piece is %q, %v, announced as %d bytes", piece, err, resp.ContentLength)
			}
			if k.leaves {
				conn.Close()
			} else if rest, err := io.ReadAll(resp.Body); (err != nil) != k.broken {
				t.Errorf("after %d bytes more the answer ends with %v", len(rest), err)
			}
			var u client.Report
			for range 100 {
				var err error
				if u, err = c.Usage(t.Context(), client.UsageQuery{App: k.name}); err != nil {
					t.Fatal(err)
				}
				if u.Total.Calls > 0 {
					break
				}
				time.Sleep(20 * time.Millisecond)
			}
			failed := u.Total.Errors[k.kind]
			if k.leaves { // whether it is noticed before the fuel is used up is a matter of luck
				failed += u.Total.Errors["canceled"]
			}
			if k.leaves && u.Total.Failed() != u.Total.Errors[k.kind] {
				t.Errorf("a reader that left is a failure: %+v", u.Total)
			}
			if u.Total.Calls != 1 || !k.bytes(u.Total.BytesOut) || (k.kind != "" && failed != 1) {
				t.Errorf("usage: %+v", u.Total)
			}
		})
	}
}

// TestReaderLeaves: to close a page that streams is no failure of its app, in counts, metrics and
// the log, and what was sent is billed.
func TestReaderLeaves(t *testing.T) {
	n := start(t)
	c := n.ada()
	p := n.publish(c, manifest("feed", "[limits]\ntimeout = \"10s\"\nhost_time = \"10s\"\nresponse_body = \"16MiB\"\nfuel = 100000000\n"), streams(pump...))
	conn, resp := n.ask(p.URL)
	if _, err := io.ReadFull(resp.Body, make([]byte, 100_000)); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	var total client.Usage
	eventually(t, "the call is over", func() bool {
		u, err := c.Usage(t.Context(), client.UsageQuery{App: "feed"})
		total = u.Total
		return err == nil && total.Calls == 1
	})
	if total.Failed() != 0 || total.Errors[abi.KindCanceled] != 1 || len(total.Errors) != 1 || total.BytesOut < 100_000 || total.Instructions == 0 {
		t.Errorf("%+v", total)
	}
	metrics := n.metrics()
	for _, want := range []string{`agora_invocations_total{app="feed"} 1`, `agora_invocations_failed_total{app="feed"} 0`, `agora_invocations_canceled_total{app="feed"} 1`} {
		if !strings.Contains(metrics, want+"\n") {
			t.Errorf("metrics have no line %s", want)
		}
	}
	if logs, err := c.Logs(t.Context(), "feed", 10); err != nil || len(logs) != 0 {
		t.Errorf("the app's log has %v, %v", logs, err)
	}
}

// TestTicker: the example's events come one by one, in a Go program that sleeps
// between them.
func TestTicker(t *testing.T) {
	n := start(t)
	manifest, module := example(t, "ticker")
	p := n.publish(n.ada(), manifest, module)
	if got := n.get(p.URL); got.Status != 200 || !strings.Contains(got.Body, "EventSource") {
		t.Fatalf("the page: %+v", got)
	}
	_, resp := n.ask(p.URL + "events?n=3")
	var at []time.Time
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "event: tick") {
			at = append(at, time.Now())
		}
	}
	if len(at) != 3 || at[2].Sub(at[0]) < 900*time.Millisecond {
		t.Errorf("three ticks came at %v", at)
	}
}

// TestSlowReader: a caller that does not read holds an app no longer than the
// app's time limit, and the time is not the guest's.
func TestSlowReader(t *testing.T) {
	n := start(t)
	c := n.ada()
	p := n.publish(c, manifest("slow", "[limits]\ntimeout = \"1s\"\nhost_time = \"300ms\"\nresponse_body = \"16MiB\"\nfuel = 100000000\n"), streams(pump...))
	began := time.Now()
	_, resp := n.ask(p.URL)
	var u client.Report
	for u.Total.Calls == 0 && time.Since(began) < 10*time.Second {
		time.Sleep(20 * time.Millisecond)
		var err error
		if u, err = c.Usage(t.Context(), client.UsageQuery{App: "slow"}); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(began); u.Total.Errors["host_time"] != 1 || took > 2*time.Second {
		t.Errorf("after %s: %+v", took, u.Total)
	}
	if u.Total.HostMicros < 250_000 || u.Total.GuestMicros > 250_000 {
		t.Errorf("%d µs were the guest's, %d µs the host's", u.Total.GuestMicros, u.Total.HostMicros)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Error("an answer that was broken off looks whole")
	}
}

// TestConnectionAfterStream: a connection serves on after a streamed answer, and
// HEAD and the API's invoke see what is theirs.
func TestConnectionAfterStream(t *testing.T) {
	n := start(t)
	c := n.ada()
	p := n.publish(c, manifest("tick", "[limits]\ntimeout = \"300ms\"\n"), streams())
	conn, err := net.Dial("tcp", n.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	read := bufio.NewReader(conn)
	for i, method := range []string{"GET", "HEAD", "GET"} {
		time.Sleep(time.Duration(i) * 300 * time.Millisecond) // past the deadline of the one before
		r, err := http.NewRequestWithContext(t.Context(), method, p.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Write(conn); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(read, r)
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		body, err := io.ReadAll(resp.Body)
		if want := strings.Repeat("data: 1\n\n", 1-i%2); err != nil || string(body) != want || resp.StatusCode != 200 {
			t.Errorf("%s: %d %q %v", method, resp.StatusCode, body, err)
		}
	}
	r, err := c.Invoke(t.Context(), "tick", client.Call{Method: "GET", Path: "/"})
	if err != nil || string(r.Body) != "data: 1\n\n" || r.Status != 200 || fmt.Sprint(r.Header["Content-Type"]) != "[text/event-stream]" {
		t.Errorf("through the API: %+v, %v", r, err)
	}
}

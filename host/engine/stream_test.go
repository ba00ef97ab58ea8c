package engine_test

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/host/engine"
)

// pieces is a caller that takes a response piece by piece.
type pieces struct {
	head     abi.Response
	all      []string
	at       []time.Time
	take     func(deadline time.Time) error // nil: takes everything at once
	deadline time.Time
}

func (p *pieces) Start(r abi.Response, deadline time.Time) error {
	p.head = r
	return p.Write(r.Body, deadline)
}

func (p *pieces) Write(b []byte, deadline time.Time) error {
	p.all, p.at, p.deadline = append(p.all, string(b)), append(p.at, time.Now()), deadline
	if p.take != nil {
		return p.take(deadline)
	}
	return nil
}

// call of a stream function with what is in memory.
func send(function byte, ptr, n int64) []byte {
	b := wasm.AppendS64([]byte{i32c}, ptr)
	b = wasm.AppendS64(append(b, i32c), n)
	return append(b, i32c, 0, i32c, 0, wasm.OpCall, function, drop)
}

// streaming is an app whose memory holds a frame (its response's head and first
// piece), and that starts with it and then does what code says.
func streaming(code ...[]byte) wasmtest.App {
	frame := abi.AppendResponse(nil, &abi.Response{Status: 201, Header: []abi.Field{{Name: "X-A", Value: "a"}}, Body: []byte("first")})
	return wasmtest.App{Stream: true, Frame: frame, Raw: append(bytes.Join(append([][]byte{send(0, wasmtest.ResponseAt, int64(len(frame)))}, code...), nil), i64c, 0)}
}

func TestStream(t *testing.T) {
	bodyAt := int64(wasmtest.ResponseAt + len(abi.AppendResponse(nil, &abi.Response{Status: 201, Header: []abi.Field{{Name: "X-A", Value: "a"}}})))
	second := send(1, bodyAt, 3) // "fir"
	endless := append(append([]byte{wasm.OpLoop, wasm.BlockEmpty}, second...), wasm.OpBr, 0, end)
	small := limits
	small.ResponseBody = 10
	brief := limits
	brief.Timeout, brief.Fuel, brief.ResponseBody = 300*time.Millisecond, 1<<50, 1<<40
	waiting := limits
	waiting.HostTime = 100 * time.Millisecond
	slow := func(deadline time.Time) error { time.Sleep(time.Until(deadline)); return os.ErrDeadlineExceeded }
	gone := func(time.Time) error { return errors.New("connection reset") }
	raw := func(code []byte) wasmtest.App { return wasmtest.App{Stream: true, Raw: append(code, i64c, 0)} }
	forged := abi.AppendResponse(nil, &abi.Response{Status: 200, Header: []abi.Field{{Name: "X", Value: "a\r\nb"}}})
	for _, c := range []struct {
		name  string
		app   wasmtest.App
		l     engine.Limits
		take  func(time.Time) error
		want  error
		body  string
		fewer bool // body is only how it begins
	}{
		{name: "two pieces", app: streaming(second), l: limits, body: "first|fir"},
		{name: "only a head", app: streaming(), l: limits, body: "first"},
		{name: "over its size", app: streaming(second, second), l: small, want: abi.ErrResponseTooLarge, body: "first|fir"},
		{name: "without end", app: streaming(endless), l: brief, want: abi.ErrDeadlineExceeded, body: "first|fir|fir|", fewer: true},
		{name: "a caller that takes nothing", app: streaming(second), l: brief, take: slow, want: abi.ErrDeadlineExceeded, body: "first"},
		{name: "a caller that takes nothing, with a budget for waiting", app: streaming(second), l: waiting, take: slow, want: abi.ErrHostTimeExceeded, body: "first"},
		{name: "a caller that left", app: streaming(second), l: limits, take: gone, want: abi.ErrCanceled, body: "first"},
		{name: "a trap in the middle", app: streaming([]byte{wasm.OpUnreachable}), l: limits, want: abi.ErrTrap, body: "first"},
		{name: "started twice", app: streaming(send(0, wasmtest.ResponseAt, 64)), l: limits, want: abi.ErrBadResponse, body: "first"},
		{name: "bytes before the start", app: raw(send(1, 0, 3)), l: limits, want: abi.ErrBadResponse},
		{name: "a start that is no frame", app: raw(send(0, 0, 64)), l: limits, want: abi.ErrBadResponse},
		{name: "a start from outside is refused to the guest", app: raw(append(send(0, -64, 65), wasm.OpUnreachable)), l: limits, want: abi.ErrTrap},
		{name: "a header that splits", app: wasmtest.App{Stream: true, Frame: forged, Raw: append(send(0, wasmtest.ResponseAt, int64(len(forged))), i64c, 0)}, l: limits, want: abi.ErrBadResponse},
		{name: "an answer after the start", app: func() wasmtest.App { a := streaming(); a.Raw = append(a.Raw, drop, i64c, 1); return a }(), l: limits, want: abi.ErrBadResponse, body: "first"},
		{name: "in an initialiser nobody listens", app: func() wasmtest.App {
			a := streaming()
			a.Init = send(0, wasmtest.ResponseAt, 64)
			return a
		}(), l: limits, body: "first"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := load(t, newEngine(t), c.app.Bytes(), abi.InterfaceV1, c.l)
			for range 2 { // the second finds nothing of the first
				caller := &pieces{take: c.take}
				began := time.Now()
				r, err := p.Invoke(t.Context(), engine.Call{Request: get("/"), Stream: caller})
				if !errors.Is(err, c.want) || (c.want == nil && err != nil) {
					t.Fatalf("err = %v, want %v", err, c.want)
				}
				got := strings.Join(caller.all, "|")
				if c.fewer && len(got) > len(c.body) {
					got = got[:len(c.body)]
				}
				if got != c.body {
					t.Errorf("the caller has %q, want %q", got, c.body)
				}
				if c.body != "" && (caller.head.Status != 201 || len(caller.head.Header) != 1) {
					t.Errorf("the head is %+v", caller.head)
				}
				if took := time.Since(began); took > c.l.Timeout+100*time.Millisecond {
					t.Errorf("took %s", took)
				}
				if c.take != nil && !errors.Is(c.want, abi.ErrCanceled) && r.Host < 90*time.Millisecond {
					t.Errorf("waiting for the caller took %s of host time, and %s of the guest's", r.Host, r.Guest)
				}
			}
			// Who takes no pieces gets the whole.
			if r, err := p.Invoke(t.Context(), engine.Call{Request: get("/")}); c.want == nil && (err != nil || string(r.Response.Body) != strings.ReplaceAll(c.body, "|", "") || r.Response.Status != 201 || r.BodyBytes != int64(len(r.Response.Body))) {
				t.Errorf("collected: %+v, %v", r, err)
			}
		})
	}
}

// TestCommandStreams: a WASI command's output goes out as it is printed if its
// headers say so, and in one piece if not.
func TestCommandStreams(t *testing.T) {
	module := goGuest(t, `package main
import ("fmt"; "os"; "time")
func main() {
	switch os.Getenv("PATH_INFO") {
	case "/events": fmt.Print("Content-Type: text/event-stream; charset=utf-8\r\n\r\n")
	case "/unbuffered": fmt.Print("Content-Type: text/plain\nX-Accel-Buffering: no\n\nhead ")
	default: fmt.Print("Content-Type: text/plain\nX-Accel-Buffering: yes\n\n")
	}
	fmt.Print("one ")
	time.Sleep(100 * time.Millisecond)
	fmt.Print("two")
	if os.Getenv("QUERY_STRING") == "fail" { os.Exit(1) }
}`)
	p := load(t, newEngine(t), module, abi.InterfaceWASI, limits)
	for path, want := range map[string]string{"/events": "|one |two", "/unbuffered": "head |one |two", "/": ""} {
		caller := &pieces{}
		r, err := p.Invoke(t.Context(), engine.Call{Request: get(path), Stream: caller})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(caller.all, "|"); got != want {
			t.Errorf("%s: the caller has %q, want %q", path, got, want)
		}
		if n := len(caller.at); n > 1 && caller.at[n-1].Sub(caller.at[n-2]) < 90*time.Millisecond {
			t.Errorf("%s: the pieces came together", path)
		}
		if r.Host < 90*time.Millisecond || r.Guest > r.Host+5*time.Second {
			t.Errorf("%s: sleeping took %s of host time", path, r.Host)
		}
		if path == "/" && string(r.Response.Body) != "one two" {
			t.Errorf("%s answers %q", path, r.Response.Body)
		}
		for _, f := range append(caller.head.Header, r.Response.Header...) {
			if f.Name == abi.UnbufferedHeader {
				t.Errorf("%s: %v went out", path, f)
			}
		}
	}
	q := get("/events")
	q.Query = "fail"
	if _, err := p.Invoke(t.Context(), engine.Call{Request: q, Stream: &pieces{}}); !errors.Is(err, abi.ErrExitStatus) {
		t.Errorf("an exit status after the start: %v", err)
	}
}

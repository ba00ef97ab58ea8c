package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/host/engine"
	"github.com/agora-host/agora/metering/fuel"
	"github.com/agora-host/agora/registry"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "compile-worker" { // a child of these tests
		os.Exit(engine.CompileWorker(childInput(os.Args[2:]), os.Stdout))
	}
	os.Exit(m.Run())
}

func newEngine(t testing.TB, change ...func(*engine.Options)) *engine.Engine {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := engine.Options{CacheDir: t.TempDir(), Worker: []string{exe, "compile-worker"}}
	for _, c := range change {
		c(&o)
	}
	e, err := engine.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

var limits = engine.Limits{
	Fuel: 50_000_000, Memory: 32 << 20, Timeout: 5 * time.Second, RequestBody: 1 << 20, ResponseBody: 1 << 20, Concurrency: 4,
}

const i32c, i64c, end, drop = wasm.OpI32Const, wasm.OpI64Const, wasm.OpEnd, wasm.OpDrop

var forever = wasmtest.Forever

func load(t testing.TB, e *engine.Engine, module []byte, iface abi.Interface, l engine.Limits) *engine.Program {
	t.Helper()
	p, err := e.Load(t.Context(), module, iface, l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close(context.Background()) })
	return p
}

func get(path string) *abi.Request {
	return &abi.Request{Method: "GET", Path: path, Host: "hello.localhost"}
}

func TestFrameApp(t *testing.T) {
	p := load(t, newEngine(t), wasmtest.App{}.Bytes(), abi.InterfaceV1, limits)
	r, err := p.Invoke(t.Context(), engine.Call{Request: get("/")})
	if err != nil || string(r.Response.Body) != "ok" || r.Response.Status != 200 {
		t.Fatalf("%+v, %v", r, err)
	}
	// One constant in each of app_alloc and app_handle_v1. The data segment was
	// paid for by the node, when it took the image.
	if want := uint64(1 + 1); r.Instructions != want {
		t.Errorf("instructions = %d, want %d", r.Instructions, want)
	}
	if r.MemoryPeak != 65536 {
		t.Errorf("memory = %d", r.MemoryPeak)
	}
}

// single passes over a test of what one call computes. The race detector finds nothing where nothing
// happens at once, and the compiler takes twenty times as long under it; the run without it has all.
func single(t *testing.T) {
	t.Helper()
	if testing.Short() && raceDetector {
		t.Skip("one call at a time: it runs without the race detector")
	}
}

// TestExactCounts states what small programs cost, by hand from the cost table.
func TestExactCounts(t *testing.T) {
	single(t)
	const base = 2 // TestFrameApp
	for _, c := range []struct {
		name   string
		code   []byte
		want   uint64
		blocks uint64 // that are entered: each costs one by tables 1 and 2
	}{
		{"two instructions", []byte{i32c, 1, drop}, 2, 0},
		{"an untaken if costs its condition", []byte{i32c, 0, wasm.OpIf, wasm.BlockEmpty, wasm.OpNop, wasm.OpNop, end}, 2, 0},
		{"a taken if costs its arm", []byte{i32c, 1, wasm.OpIf, wasm.BlockEmpty, wasm.OpNop, wasm.OpNop, end}, 4, 0},
		{"a branch skips", []byte{wasm.OpBlock, wasm.BlockEmpty, wasm.OpBr, 0, wasm.OpNop, end}, 1, 1},
		{"blocks around a switch", []byte{wasm.OpBlock, wasm.BlockEmpty, wasm.OpBlock, wasm.BlockEmpty, wasm.OpBlock, wasm.BlockEmpty, i32c, 1, wasm.OpBrTable, 2, 0, 1, 2, end, wasm.OpNop, end, wasm.OpNop, wasm.OpNop, end}, 2 + 2, 3},
		// local 0 is the frame's pointer, 16384: count it down by 4096, 4 times.
		{"a loop costs its body each time", []byte{wasm.OpLoop, wasm.BlockEmpty, wasm.OpLocalGet, 0, i32c, 0x80, 0x20, wasm.OpI32Sub, wasm.OpLocalTee, 0, wasm.OpBrIf, 0, end}, 1 + 4*5, 0},
		{"a fill of 100 bytes", []byte{i32c, 0, i32c, 0, i32c, 0xe4, 0, wasm.OpPrefixFC, wasm.FCMemoryFill, 0}, 4 + 13, 0},
		{"growing by two pages", []byte{i32c, 2, wasm.OpMemoryGrow, 0, drop}, 3 + 2*8192, 0},
		{"growing beyond the limit", []byte{i32c, 0xff, 0xff, 1, wasm.OpMemoryGrow, 0, drop}, 3, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEngine(t)
			for table := fuel.Table1; table <= fuel.Newest; table++ {
				l, want := limits, base+c.want
				if l.Table = table; table <= fuel.Table2 {
					want += c.blocks
				}
				p := load(t, e, wasmtest.App{Code: c.code}.Bytes(), abi.InterfaceV1, l)
				for range 2 {
					r, err := p.Invoke(t.Context(), engine.Call{Request: get("/")})
					if err != nil || r.Instructions != want {
						t.Errorf("table %d: instructions = %d, %v; want %d", table, r.Instructions, err, want)
					}
				}
			}
		})
	}
}

// TestHostileGuests: each ends as it has to, within its limits. How far beyond,
// and what its neighbours notice, is measured by the benchmark of that name.
func TestHostileGuests(t *testing.T) {
	single(t)
	e := newEngine(t)
	for _, h := range wasmtest.Corpus() {
		t.Run(h.Name, func(t *testing.T) {
			l := limits
			if h.Rich {
				l.Fuel, l.Timeout = 1<<50, 300*time.Millisecond
				if raceDetector && h.Fault != abi.ErrDeadlineExceeded { // what it does takes it ten times as long
					l.Timeout = 5 * time.Second
				}
			}
			if h.Refused {
				if err := e.Compile(t.Context(), h.App.Bytes(), l); !errors.Is(err, registry.ErrBadModule) {
					t.Errorf("it is taken in: %v", err)
				}
				return
			}
			p := load(t, e, h.App.Bytes(), abi.InterfaceV1, l)
			for range 2 { // the second meets what the first left behind
				started := time.Now()
				r, err := p.Invoke(t.Context(), engine.Call{Request: get("/"), Links: h.Links()})
				if !errors.Is(err, h.Fault) || h.Fault == nil && err != nil {
					t.Fatalf("err = %v, want %v", err, h.Fault)
				}
				if h.Fault == abi.ErrFuelExhausted && r.Instructions != l.Fuel {
					t.Errorf("instructions = %d, want the limit %d", r.Instructions, l.Fuel)
				}
				if r.Instructions > l.Fuel || r.MemoryPeak > l.Memory {
					t.Errorf("over the limits: %+v", r)
				}
				if took := time.Since(started); took > l.Timeout+2*time.Second {
					t.Errorf("took %s", took)
				}
			}
		})
	}
}

// TestCapabilityPointers calls kv.get with pointers at every boundary.
func TestCapabilityPointers(t *testing.T) {
	kv := map[string]abi.Link{"kv": {"get": func(_ context.Context, in []byte) ([]byte, abi.Errno) {
		return append([]byte("v:"), in...), abi.ErrnoOK
	}}}
	for _, c := range []struct {
		ptr, n, out, room int32
		want              int64
	}{
		{0, 3, 100, 10, 5},                          // fits
		{0, 3, 100, 4, 5},                           // the length, and nothing written
		{65536, 0, 100, 10, 2},                      // an empty request at the very end
		{65535, 2, 100, 10, -int64(abi.ErrnoFault)}, // request outside
		{-1, -1, 100, 10, -int64(abi.ErrnoFault)},   // request far outside
		{0, 3, 65535, 10, -int64(abi.ErrnoFault)},   // answer outside
		{0, 3, -1, -1, -int64(abi.ErrnoFault)},      // answer far outside
	} {
		code := []byte{}
		for _, v := range []int32{c.ptr, c.n, c.out, c.room} {
			code = wasm.AppendS64(append(code, i32c), int64(v))
		}
		code = append(code, wasm.OpCall, 0, i64c)
		code = wasm.AppendS64(code, c.want)
		code = append(code, 0x52 /* i64.ne */, wasm.OpIf, wasm.BlockEmpty, wasm.OpUnreachable, end)
		p := load(t, newEngine(t), wasmtest.App{Code: code, KV: true}.Bytes(), abi.InterfaceV1, limits)
		if _, err := p.Invoke(t.Context(), engine.Call{Request: get("/"), Links: kv}); err != nil {
			t.Errorf("kv.get%v does not answer %d: %v", []int32{c.ptr, c.n, c.out, c.room}, c.want, err)
		}
	}
}

// TestAnswerIsKept: a guest whose buffer was too small asks again, and what the
// call did is not done again. Another request in between is another call.
func TestAnswerIsKept(t *testing.T) {
	call := func(code []byte, ptr, room int32, want int64) []byte {
		for _, v := range []int32{ptr, 3, 100, room} {
			code = wasm.AppendS64(append(code, i32c), int64(v))
		}
		code = wasm.AppendS64(append(code, wasm.OpCall, 0, i64c), want)
		return append(code, 0x52 /* i64.ne */, wasm.OpIf, wasm.BlockEmpty, wasm.OpUnreachable, end)
	}
	for _, c := range []struct {
		name string
		code []byte
		want int
	}{
		{"asked again with room", call(call(nil, 0, 2, 5), 0, 10, 5), 1},
		{"asked again, still without room", call(call(call(nil, 0, 2, 5), 0, 3, 5), 0, 10, 5), 1},
		{"given once", call(call(call(nil, 0, 2, 5), 0, 10, 5), 0, 10, 5), 2},
		{"another request in between", call(call(call(nil, 0, 2, 5), wasmtest.ResponseAt, 10, 5), 0, 10, 5), 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			done := 0
			kv := map[string]abi.Link{"kv": {"get": func(_ context.Context, in []byte) ([]byte, abi.Errno) {
				done++
				return append([]byte("v:"), in...), abi.ErrnoOK
			}}}
			p := load(t, newEngine(t), wasmtest.App{Code: c.code, KV: true}.Bytes(), abi.InterfaceV1, limits)
			if _, err := p.Invoke(t.Context(), engine.Call{Request: get("/"), Links: kv}); err != nil {
				t.Fatal(err)
			}
			if done != c.want {
				t.Errorf("the call was done %d times, want %d", done, c.want)
			}
		})
	}
}

func TestConcurrencyCap(t *testing.T) {
	l := limits
	l.Concurrency, l.Fuel, l.Timeout = 1, 1<<50, 500*time.Millisecond
	p := load(t, newEngine(t), wasmtest.App{Code: forever}.Bytes(), abi.InterfaceV1, l)
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = p.Invoke(context.Background(), engine.Call{Request: get("/")}) })
	time.Sleep(100 * time.Millisecond)
	if _, err := p.Invoke(t.Context(), engine.Call{Request: get("/")}); !errors.Is(err, abi.ErrBusy) {
		t.Errorf("a second request: %v", err)
	}
	wg.Wait()
}

func TestCallerLeaves(t *testing.T) {
	l := limits
	l.Fuel, l.Timeout = 1<<50, time.Minute
	p := load(t, newEngine(t), wasmtest.App{Code: forever}.Bytes(), abi.InterfaceV1, l)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	started := time.Now()
	if _, err := p.Invoke(ctx, engine.Call{Request: get("/")}); !errors.Is(err, abi.ErrCanceled) || time.Since(started) > 2*time.Second {
		t.Errorf("%v after %s", err, time.Since(started))
	}
}

// TestCache: compiled code is used again, and code that another person put there is not.
func TestCache(t *testing.T) {
	dir := t.TempDir()
	e := newEngine(t, func(o *engine.Options) { o.CacheDir = dir })
	module := wasmtest.App{}.Bytes()
	load(t, e, module, abi.InterfaceV1, limits)
	var files []string
	_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, _ error) error {
		if !d.IsDir() && d.Name() != "key" && d.Name() != "version" {
			files = append(files, path)
		}
		return nil
	})
	if len(files) != 2 {
		t.Fatalf("an entry is %v, not a file for the entry and one for its code", files)
	}
	for _, path := range files {
		genuine, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []int{0, 31, 33, 37, len(genuine) / 2, len(genuine) - 1} {
			forged := bytes.Clone(genuine)
			forged[at] ^= 1
			if err := os.WriteFile(path, forged, 0o600); err != nil {
				t.Fatal(err)
			}
			p := load(t, e, module, abi.InterfaceV1, limits)
			if r, err := p.Invoke(t.Context(), engine.Call{Request: get("/")}); err != nil || string(r.Response.Body) != "ok" {
				t.Errorf("after forging byte %d of %s: %v", at, path, err)
			}
			if now, _ := os.ReadFile(path); bytes.Equal(now, forged) || len(now) != len(genuine) {
				t.Errorf("forged byte %d of %s was kept", at, path)
			}
		}
		if err := os.WriteFile(path, genuine[:len(genuine)/2], 0o600); err != nil {
			t.Fatal(err)
		}
		load(t, e, module, abi.InterfaceV1, limits)
		if now, _ := os.ReadFile(path); len(now) != len(genuine) {
			t.Errorf("half of %s was kept", path)
		}
	}
}

// TestCacheSweep: what another version wrote, and what a killed compilation
// left, is removed when the engine starts.
func TestCacheSweep(t *testing.T) {
	dir := t.TempDir()
	same := func(o *engine.Options) { o.CacheDir = dir }
	e := newEngine(t, same)
	module := wasmtest.App{}.Bytes()
	if err := e.Compile(t.Context(), module, limits); err != nil {
		t.Fatal(err)
	}
	kept, _ := os.ReadDir(dir)
	if err := os.Mkdir(filepath.Join(dir, "abc.part-123"), 0o700); err != nil {
		t.Fatal(err)
	}
	newEngine(t, same)
	if now, _ := os.ReadDir(dir); len(now) != len(kept) {
		t.Errorf("after a restart there is %v, and was %v", now, kept)
	}
	if err := os.WriteFile(filepath.Join(dir, "version"), []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	newEngine(t, same)
	for _, pattern := range []string{"*", "code/*/*"} {
		now, _ := filepath.Glob(filepath.Join(dir, pattern))
		for _, path := range now {
			if name := filepath.Base(path); name != "key" && name != "version" && name != "code" {
				t.Errorf("after another version there is still %s", path)
			}
		}
	}
}

// TestSharedCode: two programs of the same module share its code, and each lives
// on when the other is closed.
func TestSharedCode(t *testing.T) {
	e := newEngine(t)
	module := wasmtest.App{}.Bytes()
	one := load(t, e, module, abi.InterfaceV1, limits)
	for range 3 {
		other := load(t, e, module, abi.InterfaceV1, limits)
		for _, p := range []*engine.Program{one, other} {
			if _, err := p.Invoke(t.Context(), engine.Call{Request: get("/")}); err != nil {
				t.Fatal(err)
			}
		}
		if err := one.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := other.Invoke(t.Context(), engine.Call{Request: get("/")}); err != nil {
			t.Fatal(err)
		}
		one = other
	}
}

func TestWorkerLimits(t *testing.T) {
	// Few bytes that take the compiler long: one function of many nested calls.
	code := bytes.Repeat([]byte{wasm.OpLocalGet, 0, wasm.OpCall, 0, drop}, 120_000)
	bomb := wasmtest.App{Code: code}.Bytes()
	for _, c := range []struct {
		name   string
		change func(*engine.Options)
	}{
		{"time", func(o *engine.Options) { o.WorkerTime = 50 * time.Millisecond }},
		{"memory", func(o *engine.Options) { o.WorkerMemory = 32 << 20 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if raceDetector && c.name == "memory" {
				t.Skip("the race detector needs more address space than the limit; the plain run tries it")
			}
			err := newEngine(t, c.change).Compile(t.Context(), bomb, limits)
			if !errors.Is(err, registry.ErrTooHeavy) || !strings.Contains(err.Error(), "make its functions smaller") {
				t.Errorf("err = %v", err)
			}
		})
	}
	invalid := wasmtest.App{Raw: []byte{i32c, 1}}.Bytes() // i32 where i64 is due
	if err := newEngine(t).Compile(t.Context(), invalid, limits); !errors.Is(err, registry.ErrBadModule) {
		t.Errorf("a module with wrong types: %v", err)
	}
}

// goGuest compiles a Go program for WASI.
func goGuest(t testing.TB, source string, flags ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "main.go")
	if err := os.WriteFile(path, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "main.wasm")
	cmd := exec.CommandContext(t.Context(), "go", append(append([]string{"build", "-ldflags=-s -w", "-o", out}, flags...), path)...)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, msg)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const echo = `package main
import ("fmt"; "io"; "os"; "time"; "crypto/rand")
func main() {
	body, _ := io.ReadAll(os.Stdin)
	time.Sleep(time.Millisecond)
	var b [8]byte
	rand.Read(b[:])
	fmt.Fprintln(os.Stderr, "to the log")
	if _, err := os.Open("/etc/passwd"); err == nil { panic("a file!") }
	if os.Getenv("PATH_INFO") == "/exit" { os.Exit(3) }
	if os.Getenv("PATH_INFO") == "/panic" { panic("boom") }
	fmt.Printf("Status: 201 Created\nContent-Type: text/plain\n\n%s %s %s %s|%s", os.Getenv("REQUEST_METHOD"), os.Getenv("PATH_INFO"), os.Getenv("HTTP_X_A"), os.Getenv("HTTP_PROXY"), body)
}`

func TestGoCommand(t *testing.T) {
	single(t)
	p := load(t, newEngine(t), goGuest(t, echo), abi.InterfaceWASI, limits)
	var lines []string
	call := engine.Call{Request: &abi.Request{
		Method: "POST", Path: "/p", Host: "h", Body: []byte("body"),
		Header: []abi.Field{{Name: "Proxy", Value: "evil"}, {Name: "X-A", Value: "a"}},
	}, Stderr: func(l string) { lines = append(lines, l) }}
	r, err := p.Invoke(t.Context(), call)
	if err != nil {
		t.Fatalf("%v\n%s\n%v", err, r.FaultDetail, lines)
	}
	if got := string(r.Response.Body); got != "POST /p a |body" || r.Response.Status != 201 {
		t.Errorf("%d %q", r.Response.Status, got)
	}
	if strings.Join(lines, "|") != "to the log" {
		t.Errorf("log = %q", lines)
	}
	if r.Instructions < 100_000 {
		t.Errorf("a Go program started with %d instructions", r.Instructions)
	}
	call.Request = get("/exit")
	if _, err := p.Invoke(t.Context(), call); !errors.Is(err, abi.ErrExitStatus) || !strings.Contains(err.Error(), "3") {
		t.Errorf("exit 3: %v", err)
	}
	call.Request = get("/panic")
	if _, err := p.Invoke(t.Context(), call); !errors.Is(err, abi.ErrExitStatus) || !strings.Contains(strings.Join(lines, "\n"), "boom") {
		t.Errorf("panic: %v\n%s", err, lines)
	}
}

// TestNothingStays: what one request leaves in memory, the next does not find.
func TestNothingStays(t *testing.T) {
	p := load(t, newEngine(t), goGuest(t, `package main
import ("fmt"; "os")
var secret string
func main() {
	before := secret
	secret = os.Getenv("QUERY_STRING")
	fmt.Printf("Content-Type: text/plain\n\n%q", before)
}`), abi.InterfaceWASI, limits)
	for i := range 20 {
		q := get("/")
		q.Query = fmt.Sprint("canary", i)
		r, err := p.Invoke(t.Context(), engine.Call{Request: q})
		if err != nil || string(r.Response.Body) != `""` {
			t.Fatalf("%q %v", r.Response.Body, err)
		}
	}
}

func TestCGIOutput(t *testing.T) {
	for _, c := range []struct {
		name, out string
		status    int
		fails     string
	}{
		{"plain", "Content-Type: text/plain\n\nhi", 200, ""},
		{"CRLF", "Content-Type: text/plain\r\n\r\nhi", 200, ""},
		{"a status", "Status: 404 Not Found\n\n", 404, ""},
		{"a redirect", "Location: /x\n\n", 302, ""},
		{"a redirect with a status", "Status: 307\nLocation: /x\n\n", 307, ""},
		{"nothing", "", 0, "printed nothing"},
		{"no header", "hello", 0, "no empty line"},
		{"no empty line", "A: b\n", 0, "no empty line"},
		{"text first", "hello\n\n", 0, "no header line"},
		{"a name with a space", "A b: c\n\n", 0, "no header line"},
		{"a status of 99", "Status: 99\n\n", 0, "between 200 and 599"},
		{"a status of words", "Status: fine\n\n", 0, "between 200 and 599"},
		{"a carriage return in a value", "A: b\rc\n\n", 0, "not allowed"},
		{"a NUL in a value", "A: b\x00c\n\n", 0, "not allowed"},
		{"headers without end", strings.Repeat("A: "+strings.Repeat("b", 1000)+"\n", 100), 0, "no empty line"},
		{"too many headers", strings.Repeat("A: b\n", 300) + "\n", 0, "more than 256"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := engine.ParseCGI([]byte(c.out))
			if c.fails == "" && (err != nil || r.Status != c.status) {
				t.Errorf("%d, %v", r.Status, err)
			}
			if c.fails != "" && (!errors.Is(err, abi.ErrBadResponse) && c.fails != "" || !strings.Contains(fmt.Sprint(err), c.fails)) {
				t.Errorf("err = %v, want %q", err, c.fails)
			}
		})
	}
}

func FuzzCGIResponse(f *testing.F) {
	f.Add([]byte("Status: 404\r\nA: b\r\n\r\nbody"))
	f.Fuzz(func(t *testing.T, out []byte) {
		r, err := engine.ParseCGI(out)
		if err != nil {
			if !errors.Is(err, abi.ErrBadResponse) {
				t.Fatalf("%v is no bad response", err)
			}
			return
		}
		if r.Status < 200 || r.Status > 599 || !bytes.HasSuffix(out, r.Body) {
			t.Fatalf("%+v", r)
		}
		for _, h := range r.Header {
			if strings.ContainsAny(h.Name+h.Value, "\r\n\x00") {
				t.Fatalf("header %q", h)
			}
		}
	})
}

// TestCompileTogether: many who ask for the same module at once get it, and one
// who goes away takes no one along.
func TestCompileTogether(t *testing.T) {
	e := newEngine(t)
	module := wasmtest.App{Code: bytes.Repeat([]byte{wasm.OpNop}, 20_000)}.Bytes()
	var all sync.WaitGroup
	for i := range 8 {
		ctx, cancel := context.WithCancel(t.Context())
		if i == 0 {
			time.AfterFunc(5*time.Millisecond, cancel)
		}
		all.Go(func() {
			defer cancel()
			if err := e.Compile(ctx, module, limits); err != nil && (i > 0 || !errors.Is(err, context.Canceled)) {
				t.Errorf("caller %d: %v", i, err)
			}
		})
		time.Sleep(time.Millisecond)
	}
	all.Wait()
	load(t, e, module, abi.InterfaceV1, limits)
}

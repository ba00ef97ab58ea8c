package engine

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/internal/calm"
)

// withTypes is an app with n more function types, all distinct: the entry preambles that
// wazero makes for each are the time in which a second load could meet the first.
func withTypes(t testing.TB, n int) []byte {
	t.Helper()
	m, err := wasm.Parse(wasmtest.App{}.Bytes(), wasm.DefaultBounds())
	if err != nil {
		t.Fatal(err)
	}
	kinds := []wasm.ValType{wasm.I32, wasm.I64, wasm.F32, wasm.F64}
	for i := range n {
		params := make([]wasm.ValType, 8)
		for at := range params {
			params[at] = kinds[i>>(2*at)&3]
		}
		m.Types = append(m.Types, wasm.FuncType{Params: params})
	}
	return m.Encode()
}

func testEngine(t testing.TB, dir string, watch *calm.Watch) *Engine {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(Options{CacheDir: dir, Worker: []string{exe, "compile-worker"}, Watch: watch})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

var small = Limits{Fuel: 1_000_000, Memory: 1 << 20, Timeout: 5 * time.Second, RequestBody: 1000, ResponseBody: 1000, Concurrency: 16}

// TestFirstLoadsTogether loads two modules that share a shell, and their copies, at once and
// calls each: without the lock by shell, wazero's NewFunction panics in most rounds.
func TestFirstLoadsTogether(t *testing.T) {
	dir, watch := t.TempDir(), calm.New(slog.New(slog.DiscardHandler))
	module := withTypes(t, 1000)
	copied := append(bytes.Clone(module), 0, 3, 1, 'n', 0) // a custom section more
	e := testEngine(t, dir, watch)
	for _, m := range [][]byte{module, copied} {
		if err := e.Compile(t.Context(), m, small); err != nil {
			t.Fatal(err)
		}
	}
	_ = e.Close(t.Context())
	for range 10 {
		e := testEngine(t, dir, watch) // nothing is in memory
		var group sync.WaitGroup
		for i := range 8 {
			group.Go(func() {
				p, err := e.Load(t.Context(), [][]byte{module, copied}[i%2], abi.InterfaceV1, small)
				if err != nil {
					t.Error(err)
					return
				}
				if r, err := p.Invoke(t.Context(), Call{Request: &abi.Request{Method: "GET", Path: "/"}}); err != nil || r.Response.Status != 200 {
					t.Errorf("%d, %v", r.Response.Status, err)
				}
				if err := p.Close(t.Context()); err != nil {
					t.Error(err)
				}
				_ = p.Close(t.Context()) // a second time takes no other program's code
			})
		}
		group.Wait()
		if n := len(e.runtimes.loads); n != 0 {
			t.Errorf("%d locks of loads are left", n)
		}
		if err := e.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if got := watch.Counts(); len(got) != 0 {
		t.Errorf("panics: %v", got)
	}
}

// TestLoadCallTrapClose loads, calls, traps and closes a few programs at random while the collector
// runs: closing one must not take the code of another away.
func TestLoadCallTrapClose(t *testing.T) {
	watch := calm.New(slog.New(slog.DiscardHandler))
	e := testEngine(t, t.TempDir(), watch)
	defer e.Close(context.Background())
	var modules [][]byte
	for i := range 4 {
		app := wasmtest.App{Frame: abi.AppendResponse(nil, &abi.Response{Status: 200 + i})}
		if i%2 == 1 {
			app.Code = []byte{wasm.OpUnreachable}
		}
		modules = append(modules, app.Bytes())
		if err := e.Compile(t.Context(), modules[i], small); err != nil {
			t.Fatal(err)
		}
	}
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for turn := range 100 {
				i := (worker*7 + turn*turn) % len(modules)
				p, err := e.Load(t.Context(), modules[i], abi.InterfaceV1, small)
				if err != nil {
					t.Error(err)
					return
				}
				r, err := p.Invoke(t.Context(), Call{Request: &abi.Request{Method: "GET", Path: "/"}})
				if traps := i%2 == 1; errors.Is(err, abi.ErrTrap) != traps || !traps && r.Response.Status != 200+i {
					t.Errorf("program %d: %d, %v", i, r.Response.Status, err)
				}
				if err := p.Close(t.Context()); err != nil {
					t.Error(err)
				}
				if turn%10 == 0 {
					runtime.GC()
				}
			}
		})
	}
	group.Wait()
	if got := watch.Counts(); len(got) != 0 {
		t.Errorf("panics: %v", got)
	}
}

// TestTypesAreForgotten: a node that loads modules of ever other types begins another runtime,
// and ends the one before with its last program.
func TestTypesAreForgotten(t *testing.T) {
	e := testEngine(t, t.TempDir(), nil)
	defer e.Close(context.Background())
	e.runtimes.most = 100
	var programs []*Program
	for i := range 6 {
		p, err := e.Load(t.Context(), withTypes(t, 60+i), abi.InterfaceV1, small)
		if err != nil {
			t.Fatal(err)
		}
		programs = append(programs, p)
		again, err := e.Load(t.Context(), withTypes(t, 60+i), abi.InterfaceV1, small) // adds no type
		if err != nil {
			t.Fatal(err)
		}
		programs = append(programs, again)
		if got := len(e.runtimes.earlier); got != i {
			t.Errorf("after module %d: %d earlier runtimes", i, got)
		}
	}
	for i, p := range programs {
		if _, err := p.Invoke(t.Context(), Call{Request: &abi.Request{Method: "GET", Path: "/"}}); err != nil {
			t.Errorf("program %d: %v", i, err)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if got := len(e.runtimes.earlier); got != 0 {
		t.Errorf("%d runtimes without programs are left", got)
	}
}

// TestPanicsOfTheNode: a capability that panics is unavailable to the app, and a panic beside the
// guest's code ends the call and its instance, and nothing else.
func TestPanicsOfTheNode(t *testing.T) {
	watch := calm.New(slog.New(slog.DiscardHandler))
	e := testEngine(t, t.TempDir(), watch)
	defer e.Close(context.Background())
	p, err := e.Load(t.Context(), wasmtest.App{}.Bytes(), abi.InterfaceV1, small)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(context.Background())
	call := Call{Request: &abi.Request{Method: "GET", Path: "/"}}
	first, err := p.Invoke(t.Context(), call)
	if err != nil {
		t.Fatal(err)
	}
	broken := p.pool.ready[0]
	watch.Inject(func(where string) {
		if where == "invocation" {
			p.pool.image, broken.image = nil, &image{size: pageSize, large: &pages{}} // restore panics
		}
	})
	if _, err := p.Invoke(t.Context(), call); !errors.Is(err, errNode) {
		t.Errorf("a call whose instance could not be put back: %v", err)
	}
	watch.Inject(nil)
	if watch.Counts()["invocation"] != 1 || len(p.pool.ready) != 0 || broken.slot.space != nil || len(p.slots) != 0 {
		t.Errorf("panics %v, %d instances wait, slot kept %v, %d places taken", watch.Counts(), len(p.pool.ready), broken.slot.space != nil, len(p.slots))
	}
	if again, err := p.Invoke(t.Context(), call); err != nil || !bytes.Equal(again.Response.Body, first.Response.Body) {
		t.Errorf("the call after it: %q, %v", again.Response.Body, err)
	}
}

func TestPanicOfACapability(t *testing.T) {
	watch := calm.New(slog.New(slog.DiscardHandler))
	e := testEngine(t, t.TempDir(), watch)
	defer e.Close(context.Background())
	relay := wasmtest.Relay{Capability: "kv"}
	l := small
	l.Memory, l.RequestBody, l.ResponseBody = 4<<20, 1<<20, 1<<20
	p, err := e.Load(t.Context(), relay.Bytes(), abi.InterfaceV1, l)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(context.Background())
	links := map[string]abi.Link{"kv": {"get": func(context.Context, []byte) ([]byte, abi.Errno) { panic("defect") }}}
	r, err := p.Invoke(t.Context(), Call{Request: &abi.Request{Method: "GET", Path: "/", Body: relay.Request(wasmtest.RelayCall{Func: "get"})}, Links: links})
	if err != nil {
		t.Fatal(err)
	}
	if _, errno, _ := relay.Answer(r.Response.Body); errno != abi.ErrnoUnavailable || watch.Counts()["capability kv"] != 1 {
		t.Errorf("errno %v, panics %v", errno, watch.Counts())
	}
}

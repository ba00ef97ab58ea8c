package engine

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/internal/budget"
)

// grows is an app that makes its memory larger by so many pages and traps if it cannot.
func grows(pages int64) []byte {
	code := wasm.AppendS64([]byte{wasm.OpI32Const}, pages)
	code = append(code, 0x40, 0 /* memory.grow */, wasm.OpI32Const, 0, 0x48 /* i32.lt_s */, wasm.OpIf, 0x40, wasm.OpUnreachable, wasm.OpEnd)
	return wasmtest.App{Code: code}.Bytes()
}

func memoryEngine(t *testing.T, limit, mappings int64) (*Engine, *budget.Budget, *budget.Budget) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	all, maps := budget.New("guest-memory", "bytes", limit), budget.New("mappings", "mappings", mappings)
	e, err := New(Options{CacheDir: t.TempDir(), Worker: []string{exe, "compile-worker"}, Memory: all, Mappings: maps})
	if err != nil {
		t.Fatal(err)
	}
	return e, all, maps
}

func loadFor(t *testing.T, e *Engine, owner string, memory int64, module []byte) *Program {
	t.Helper()
	l := small
	l.Memory, l.Owner, l.App, l.Concurrency, l.Fuel = memory, owner, owner, 64, 100_000_000
	p, err := e.Load(t.Context(), module, abi.InterfaceV1, l)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var request = Call{Request: &abi.Request{Method: "GET", Path: "/"}}

// TestMemoryIsBounded: calls that need more together than there is wait for each other; all of them are
// served, or refused as the node's trouble, and everything comes back.
func TestMemoryIsBounded(t *testing.T) {
	e, all, maps := memoryEngine(t, 64<<20, 1000)
	hog, other := loadFor(t, e, "hog", 16<<20, grows(200)), loadFor(t, e, "other", 1<<20, wasmtest.App{}.Bytes())
	var group sync.WaitGroup
	var mu sync.Mutex
	outcome := map[string]int{}
	for i := range 40 {
		p := hog
		if i%4 == 0 {
			p = other
		}
		group.Go(func() {
			_, err := p.Invoke(t.Context(), request)
			mu.Lock()
			defer mu.Unlock()
			outcome[abi.FaultKind(err)]++
			if err != nil && (p == other || !errors.Is(err, abi.ErrNodeBusy)) {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if s := all.State(); s.Most > s.Limit || outcome[""] < 20 {
		t.Errorf("%+v: %v", s, outcome)
	}
	if got, want := all.Used(), held(hog)+held(other); got != want {
		t.Errorf("%d are taken, and %d are held", got, want)
	}
	for _, p := range []*Program{hog, other} {
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if all.Used() != 0 || maps.Used() != 0 {
		t.Errorf("after all was closed, %d bytes and %d mappings are taken", all.Used(), maps.Used())
	}
	_ = e.Close(t.Context())
}

// held is what a program's instances hold while none runs.
func held(p *Program) (sum int64) {
	for _, in := range p.pool.ready {
		sum += in.slot.held
	}
	if p.pool.image != nil && p.pool.image.owner != nil {
		sum += p.pool.image.large.filled
	}
	return sum
}

// TestGrowthIsNotTheAppsFault: an app within its limit that the node has no memory for is not said to
// have passed its limit, and one that passed it is.
func TestGrowthIsNotTheAppsFault(t *testing.T) {
	e, all, _ := memoryEngine(t, 32<<20, 1000)
	defer e.Close(context.Background())
	p := loadFor(t, e, "o", 64<<20, grows(600))
	defer p.Close(context.Background())
	if _, err := p.Invoke(t.Context(), request); !errors.Is(err, abi.ErrNodeBusy) || errors.Is(err, abi.ErrMemoryExhausted) {
		t.Errorf("the node is out of memory: %v", err)
	}
	own := loadFor(t, e, "o", 4<<20, grows(600))
	defer own.Close(context.Background())
	if _, err := own.Invoke(t.Context(), request); !errors.Is(err, abi.ErrMemoryExhausted) {
		t.Errorf("the app passed its limit: %v", err)
	}
	if got, want := all.Used(), held(p)+held(own); got != want {
		t.Errorf("%d are taken, and %d are held", got, want)
	}
}

// TestIdleGivesWay: instances that wait for requests are ended when others need their memory, but not
// the small ones.
func TestIdleGivesWay(t *testing.T) {
	e, all, _ := memoryEngine(t, 32<<20, 1000)
	defer e.Close(context.Background())
	tiny := loadFor(t, e, "tiny", 1<<20, wasmtest.App{}.Bytes())
	defer tiny.Close(context.Background())
	idle := loadFor(t, e, "idle", 12<<20, wasmtest.App{Pages: 100}.Bytes())
	defer idle.Close(context.Background())
	var group sync.WaitGroup
	for range 2 {
		for _, p := range []*Program{tiny, idle} {
			group.Go(func() {
				if _, err := p.Invoke(t.Context(), request); err != nil {
					t.Error(err)
				}
			})
		}
	}
	group.Wait()
	kept := len(tiny.pool.ready)
	if len(idle.pool.ready) == 0 || kept == 0 {
		t.Fatalf("%d and %d instances wait", len(idle.pool.ready), kept)
	}
	all.SetLimit(all.Used() + 2<<20)
	other := loadFor(t, e, "other", 3<<20, wasmtest.App{}.Bytes())
	defer other.Close(context.Background())
	began := time.Now()
	if _, err := other.Invoke(t.Context(), request); err != nil {
		t.Errorf("%v after %s", err, time.Since(began))
	}
	if len(tiny.pool.ready) != kept {
		t.Errorf("%d of %d small instances are left", len(tiny.pool.ready), kept)
	}
}

// TestMappingsAreBounded: the kernel allows a process only so many, and Go does not survive their end.
func TestMappingsAreBounded(t *testing.T) {
	e, _, maps := memoryEngine(t, 1<<30, 2*slotMappings)
	defer e.Close(context.Background())
	p := loadFor(t, e, "o", 1<<20, wasmtest.App{Code: wasmtest.Forever}.Bytes())
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	refused := make(chan error, 3)
	for range 3 {
		group.Go(func() {
			if _, err := p.Invoke(ctx, request); errors.Is(err, abi.ErrNodeBusy) {
				refused <- err
			}
		})
	}
	select {
	case <-refused:
	case <-time.After(10 * time.Second):
		t.Error("three instances have the mappings of two")
	}
	cancel()
	group.Wait()
	other := loadFor(t, e, "other", 1<<20, wasmtest.App{}.Bytes())
	defer other.Close(context.Background())
	if _, err := other.Invoke(t.Context(), request); err != nil {
		t.Errorf("idle instances and slots have all mappings, and keep them: %v", err)
	}
	if err := errors.Join(p.Close(t.Context()), other.Close(t.Context())); err != nil || maps.Used() != 0 {
		t.Errorf("%v, %d mappings are taken", err, maps.Used())
	}
}

// TestCompilingTakesMemory: what compiles a module takes its memory from the guests' budget, waits for it,
// and gives it back.
func TestCompilingTakesMemory(t *testing.T) {
	e, all, _ := memoryEngine(t, 64<<20, 1000)
	defer e.Close(context.Background())
	hog := e.memory.Join("hog")
	hog.Force(60 << 20)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := e.Compile(ctx, wasmtest.App{}.Bytes(), small); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("there is no memory: %v", err)
	}
	hog.Give(60 << 20)
	if err := e.Compile(t.Context(), wasmtest.App{}.Bytes(), small); err != nil {
		t.Error(err)
	}
	if s := all.State(); s.Used != 0 || s.Most < 60<<20 {
		t.Errorf("%+v", s)
	}
	e.o.Memory.SetLimit(32 << 20)
	if err := e.Compile(t.Context(), wasmtest.App{Pages: 2}.Bytes(), small); err != nil { // half of it at most
		t.Error(err)
	}
}

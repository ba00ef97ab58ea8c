package engine

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/host/engine/memory"
)

// TestMemoryQuota: the calls of a person's apps hold no more at once than their quota allows, of a group's
// apps no more than the group's; a call that is alone runs whatever the app's own limit is, and what is idle
// makes room for it. What a call cannot get in its middle is said to be the quota's doing.
func TestMemoryQuota(t *testing.T) {
	e, all, _ := memoryEngine(t, 1<<30, 1000)
	defer e.Close(context.Background())
	load := func(owner, group string, most int64, module []byte) *Program {
		l := small
		l.Memory, l.Owner, l.Group, l.App, l.Concurrency, l.Fuel = most, owner, group, owner, 64, 1<<50
		l.Timeout = time.Minute
		p, err := e.Load(t.Context(), module, abi.InterfaceV1, l)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	bound := func(most, groups int64) {
		e.BoundMemory(map[memory.Holder]memory.Limit{
			{Per: "person", Of: "ada"}: {Quota: "memory", Most: most}, {Per: "group", Of: "g"}: {Quota: "group-memory", Most: groups},
		})
	}
	bound(8<<20, 1<<30)
	one, two := load("ada", "", 16<<20, wasmtest.App{Pages: 20}.Bytes()), load("ada", "g", 16<<20, wasmtest.App{Pages: 40}.Bytes())
	bobs := load("bob", "g", 16<<20, wasmtest.App{Pages: 60}.Bytes())
	forever := load("ada", "", 6<<20, wasmtest.App{Code: wasmtest.Forever}.Bytes())
	greedy := load("ada", "", 32<<20, grows(300))
	defer func() {
		for _, p := range []*Program{one, two, bobs, forever, greedy} {
			if err := p.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if all.Used() != 0 {
			t.Errorf("after all was closed, %d bytes are taken", all.Used())
		}
	}()
	call := func(p *Program) error {
		_, err := p.Invoke(t.Context(), request)
		return err
	}
	refused := func(p *Program, quota string) {
		t.Helper()
		var why *memory.QuotaError
		if err := call(p); !errors.As(err, &why) || why.Quota != quota || abi.FaultKind(err) != "memory_quota" || errors.Is(err, abi.ErrNodeBusy) {
			t.Errorf("%v, and the quota is %s", err, quota)
		}
	}
	if err := errors.Join(call(one), call(two), call(one), call(two), call(bobs)); err != nil {
		t.Error(err)
	}
	if len(two.pool.ready) != 1 {
		t.Errorf("%d instances are kept, which together hold less than half", len(two.pool.ready))
	}
	two.peak.Store(16 << 20)
	if err := call(two); err != nil {
		t.Errorf("it is alone, and likely to need more than the quota: %v", err)
	}
	bound(4<<20, 1<<30)
	if err := call(two); err != nil || len(two.pool.ready) != 0 {
		t.Errorf("%v; %d instances are kept, which hold more than half", err, len(two.pool.ready))
	}
	bound(8<<20, 1<<30)
	refused(greedy, "memory")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := forever.Invoke(ctx, request)
		ended <- err
	}()
	ada := memory.Holder{Per: "person", Of: "ada"}
	for e.MemoryOf(ada) < 6<<20 {
		time.Sleep(time.Millisecond)
	}
	two.peak.Store(3 << 20)
	refused(two, "memory")
	if err := call(bobs); err != nil {
		t.Errorf("another person's: %v", err)
	}
	bound(12<<20, 1<<20)
	one.peak.Store(3 << 20)
	if err := call(one); err != nil {
		t.Errorf("it was raised: %v", err)
	}
	refused(two, "group-memory")
	refused(bobs, "group-memory")
	cancel()
	if err := <-ended; !errors.Is(err, abi.ErrCanceled) {
		t.Error(err)
	}
	bound(0, 1<<30)
	refused(one, "memory")
	if err := call(bobs); err != nil {
		t.Error(err)
	}
	if got := e.MemoryOf(ada); got != 0 {
		t.Errorf("%d bytes are held of a quota of 0", got)
	}
}

package memory_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/host/engine/memory"
	"github.com/agora-host/agora/internal/budget"
)

var (
	adas  = memory.Holder{Per: "person", Of: "ada"}
	sales = memory.Holder{Per: "group", Of: "sales"}
)

// TestQuotaBounds: what is beyond a person's or a group's quota is refused by its name, and nothing is left
// of what was refused; who has no quota goes on.
func TestQuotaBounds(t *testing.T) {
	all := budget.New("memory", "bytes", 1<<20)
	m := memory.New(all, nil)
	m.SetLimits(map[memory.Holder]memory.Limit{adas: {Quota: "memory", Most: 100}, sales: {Quota: "group-memory", Most: 150}})
	own, shared := m.Join("ada", adas), m.Join("ada", adas, sales)
	bobs := m.Join("bob", memory.Holder{Per: "person", Of: "bob"}, sales)
	refused := func(o *memory.Owner, n int64, quota string) {
		t.Helper()
		var e *memory.QuotaError
		if err := o.Grow(n); !errors.As(err, &e) || e.Quota != quota || !errors.Is(err, abi.ErrMemoryQuota) {
			t.Errorf("%d more: %v", n, err)
		}
	}
	if err := errors.Join(own.Grow(40), shared.Grow(60)); err != nil {
		t.Fatal(err)
	}
	refused(own, 1, "memory")
	refused(shared, 1, "memory")
	refused(bobs, 91, "group-memory")
	if err := bobs.Grow(90); err != nil {
		t.Error(err)
	}
	if m.Counted(adas) != 100 || m.Counted(sales) != 150 || all.Used() != 190 || !own.Crowded() || bobs.Most() != 150 {
		t.Errorf("counted %d and %d, used %d", m.Counted(adas), m.Counted(sales), all.Used())
	}
	other := m.Join("eve")
	other.Force(1 << 20)
	shared.Give(20)
	if err, later := shared.Grow(20), shared.Wait(t.Context(), 20, time.Millisecond); !errors.Is(err, memory.ErrShort) || !errors.Is(later, memory.ErrShort) || m.Counted(adas) != 80 || m.Counted(sales) != 130 {
		t.Errorf("the node has none: %v, %v, counted %d and %d", err, later, m.Counted(adas), m.Counted(sales))
	}
	other.Give(1 << 20)
	if !shared.Take(20) {
		t.Error("what was given back is not there")
	}
	own.Unbounded().Force(500)
	own.Unbounded().Give(500)
	var shed []string
	m.OnFull(func(of memory.Holder, need int64) { shed = append(shed, fmt.Sprint(of.Per, " ", need)) })
	m.SetLimits(map[memory.Holder]memory.Limit{adas: {Quota: "memory", Most: 50}})
	if fmt.Sprint(shed) != "[person 50]" || bobs.Bound() < 1<<40 {
		t.Errorf("it was lowered, and %v are told to give back; or the other is not lifted", shed)
	}
	m.SetLimits(nil)
	if err := own.Grow(1000); err != nil {
		t.Error(err)
	}
	own.Give(1040)
	shared.Give(60)
	bobs.Give(90)
	if m.Counted(adas) != 0 || m.Counted(sales) != 0 || all.Used() != 0 {
		t.Errorf("after all was given back: %d, %d, %d", m.Counted(adas), m.Counted(sales), all.Used())
	}
}

// TestQuotaIsWaitedFor: a call waits a moment for others of the same quota to end, or for the quota to be
// raised, has what is idle given back, and is in nobody else's way meanwhile.
func TestQuotaIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memory.New(budget.New("memory", "bytes", 1<<20), nil)
		var shed []string
		m.OnFull(func(of memory.Holder, need int64) { shed = append(shed, fmt.Sprint(of.Per, " ", need)) })
		limit := func(most int64) {
			m.SetLimits(map[memory.Holder]memory.Limit{adas: {Quota: "memory", Most: most}})
		}
		limit(100)
		a, bob := m.Join("ada", adas), m.Join("bob")
		if !a.Take(100) {
			t.Fatal("nothing is there")
		}
		waits := func(n int64) <-chan error {
			c := make(chan error, 1)
			go func() { c <- a.Wait(t.Context(), n, 5*time.Second) }()
			synctest.Wait()
			return c
		}
		first := waits(60)
		if m.Short() || !bob.Take(1000) || fmt.Sprint(shed) != "[person 60]" {
			t.Errorf("short: %v; %v were told to give back", m.Short(), shed)
		}
		time.Sleep(time.Second / 2)
		a.Give(59)
		synctest.Wait()
		select {
		case err := <-first:
			t.Fatalf("60 of 59: %v", err)
		default:
		}
		a.Give(1)
		if err := <-first; err != nil {
			t.Error(err)
		}
		second := waits(60)
		limit(160)
		if err := <-second; err != nil {
			t.Errorf("it was raised: %v", err)
		}
		began := time.Now()
		var e *memory.QuotaError
		if err := a.Wait(t.Context(), 60, 5*time.Second); !errors.As(err, &e) || e.Most != 160 || time.Since(began) != time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := a.Wait(ctx, 60, 5*time.Second); !errors.Is(err, context.Canceled) {
			t.Errorf("the caller has left: %v", err)
		}
		if m.Counted(adas) != 160 {
			t.Errorf("%d are counted", m.Counted(adas))
		}
		limit(100)
		if got := fmt.Sprint(shed); got != "[person 60 person 60 person 60 person 60 person 60]" {
			t.Errorf("%s were told to give back", got)
		}
	})
}

// TestQuotaHammer: whatever the interleaving, no quota is passed, nobody waits for what is there, and all of it
// comes back.
func TestQuotaHammer(t *testing.T) {
	all := budget.New("memory", "bytes", 6000) // of which not all find room either
	m := memory.New(all, nil)
	limits := map[memory.Holder]memory.Limit{adas: {Quota: "memory", Most: 3000}, sales: {Quota: "group-memory", Most: 4000}}
	m.SetLimits(limits)
	accounts := []*memory.Owner{m.Join("ada", adas), m.Join("ada", adas, sales), m.Join("bob", sales), m.Join("eve"), m.Join("joe")}
	var group sync.WaitGroup
	for i := range 12 {
		group.Go(func() {
			r := rand.New(rand.NewPCG(9, uint64(i)))
			for range 400 {
				o := accounts[r.IntN(len(accounts))]
				n := 1 + r.Int64N(1500)
				if o.Wait(t.Context(), n, time.Duration(r.IntN(300))*time.Microsecond) != nil {
					continue
				}
				if more := r.Int64N(500); o.Take(more) {
					n += more
				}
				time.Sleep(time.Duration(r.IntN(50)) * time.Microsecond) // so that they overlap
				for h, l := range limits {
					if got := m.Counted(h); got > l.Most {
						t.Errorf("%d of %d", got, l.Most)
					}
				}
				o.Give(n)
			}
		})
	}
	group.Wait()
	if m.Counted(adas) != 0 || m.Counted(sales) != 0 || all.Used() != 0 || m.Short() {
		t.Errorf("%d, %d and %d are left", m.Counted(adas), m.Counted(sales), all.Used())
	}
	for _, o := range accounts {
		o.Leave()
	}
	if len(m.Heaviest()) != 0 {
		t.Errorf("accounts %v are left", m.Heaviest())
	}
}

// TestQuotaRace: of calls that come at the same time, exactly as many get what there is as it is for.
func TestQuotaRace(t *testing.T) {
	m := memory.New(budget.New("memory", "bytes", 1<<30), nil)
	m.SetLimits(map[memory.Holder]memory.Limit{adas: {Quota: "memory", Most: 1000}, sales: {Quota: "group-memory", Most: 990}})
	o := m.Join("ada", adas, sales)
	for range 100 {
		var group sync.WaitGroup
		start := make(chan struct{})
		taken := make([]int64, 4)
		for i := range taken {
			group.Go(func() {
				<-start
				for range 1000 {
					if o.Take(1) {
						taken[i]++
					}
				}
			})
		}
		close(start)
		group.Wait()
		if sum := taken[0] + taken[1] + taken[2] + taken[3]; sum != 990 || m.Counted(adas) != 990 || m.Counted(sales) != 990 {
			t.Fatalf("%d were given, counted %d and %d", sum, m.Counted(adas), m.Counted(sales))
		}
		o.Give(990)
	}
}

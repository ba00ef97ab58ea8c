package memory_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agora-host/agora/host/engine/memory"
	"github.com/agora-host/agora/internal/budget"
)

func TestTakeAndGive(t *testing.T) {
	all := budget.New("memory", "bytes", 1600)
	m := memory.New(all, nil)
	much, little := m.Join("much"), m.Join("little")
	for much.Take(100) {
	}
	if got := much.Held(); got != 1400 {
		t.Errorf("an owner of much took %d of 1600, and an eighth is not for it", got)
	}
	if !little.Take(100) || little.Take(1) {
		t.Errorf("an owner of little holds %d of its sixteenth", little.Held())
	}
	much.Give(1400)
	little.Give(100)
	if all.Used() != 0 {
		t.Errorf("%d are left", all.Used())
	}
}

// TestLeastFirst: of those that wait, the owner that holds least is served first, and one that
// needs much is not passed by others that hold more.
func TestLeastFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := budget.New("memory", "bytes", 1000)
		m := memory.New(all, nil)
		hog, small, none := m.Join("hog"), m.Join("small"), m.Join("none")
		if !hog.Take(800) || !small.Take(60) {
			t.Fatal("nothing is there")
		}
		var mu sync.Mutex
		var order []string
		var group sync.WaitGroup
		wait := func(o *memory.Owner, name string, n int64) {
			group.Go(func() {
				if err := o.Wait(t.Context(), n, time.Minute); err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
				mu.Lock()
				order = append(order, name)
				mu.Unlock()
			})
			synctest.Wait()
		}
		wait(hog, "hog", 100)
		wait(small, "small", 100)
		wait(none, "none", 400)
		for range 8 {
			hog.Give(100)
			synctest.Wait()
		}
		group.Wait()
		if got := fmt.Sprint(order); got != "[none small hog]" && got != "[none hog small]" {
			t.Errorf("served in the order %s", got)
		}
	})
}

func TestWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := budget.New("memory", "bytes", 1000)
		evicted := int64(0)
		m := memory.New(all, func(need int64) { evicted = need })
		hog, o := m.Join("hog"), m.Join("o")
		hog.Force(1000)
		began := time.Now()
		if err := o.Wait(t.Context(), 100, 5*time.Second); !errors.Is(err, memory.ErrShort) || time.Since(began) != 5*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		if evicted != 100 {
			t.Errorf("asked to evict %d", evicted)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := o.Wait(ctx, 100, time.Minute); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the caller left: %v", err)
		}
		if m.Short() || o.Held() != 0 {
			t.Errorf("after all that: short %v, held %d", m.Short(), o.Held())
		}
		hog.Give(1000)
		m.Press(true)
		go func() {
			time.Sleep(time.Second)
			m.Press(false)
		}()
		began = time.Now()
		if err := o.Wait(t.Context(), 100, time.Minute); err != nil || time.Since(began) != time.Second {
			t.Errorf("while the machine is short: %v after %s", err, time.Since(began))
		}
	})
}

// TestHammer: whatever the interleaving, what is held never passes the limit, and all of it comes back.
func TestHammer(t *testing.T) {
	all := budget.New("memory", "bytes", 1<<20)
	var idle atomic.Int64
	m := memory.New(all, func(int64) { idle.Add(1) })
	var group sync.WaitGroup
	for i := range 32 {
		group.Go(func() {
			r := rand.New(rand.NewPCG(7, uint64(i)))
			for range 500 {
				o := m.Join(fmt.Sprint(r.IntN(5)))
				n := r.Int64N(1 << 18)
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(r.IntN(500))*time.Microsecond)
				if o.Wait(ctx, n, time.Duration(r.IntN(500))*time.Microsecond) == nil {
					if more := r.Int64N(1 << 16); o.Take(more) {
						n += more
					}
					o.Give(n)
				}
				cancel()
				o.Leave()
			}
		})
	}
	group.Wait()
	if s := all.State(); s.Used != 0 || s.Most > s.Limit || m.Short() || len(m.Heaviest()) != 0 {
		t.Errorf("%+v, short %v, owners %v", s, m.Short(), m.Heaviest())
	}
}

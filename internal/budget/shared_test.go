package budget_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agora-host/agora/internal/budget"
)

func shared(limit, each int64) *budget.Shared {
	return budget.NewShared(budget.New("things", "things at once", limit), each)
}

func TestShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shared(10, 4)
		take := func(who string, n int64, patience time.Duration) func() {
			t.Helper()
			give, err := s.Take(t.Context(), who, n, patience)
			if err != nil {
				t.Fatal(err)
			}
			return give
		}
		a := take("a", 4, 0)
		if _, err := s.Take(t.Context(), "a", 1, 0); !errors.Is(err, budget.ErrShare) {
			t.Errorf("more than a share: %v", err)
		}
		b, c := take("b", 99, 0), take("c", 2, 0) // 99 is as much as one may have
		began := time.Now()
		if _, err := s.Take(t.Context(), "d", 1, time.Second); !errors.Is(err, budget.ErrExhausted) || time.Since(began) != time.Second {
			t.Errorf("more than there is: %v after %s", err, time.Since(began))
		}
		time.AfterFunc(time.Second, a)
		d := take("d", 3, time.Minute) // waits
		if s.Used() != 9 || time.Since(began) != 2*time.Second {
			t.Errorf("%d used after %s", s.Used(), time.Since(began))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Take(ctx, "e", 4, time.Minute); !errors.Is(err, context.Canceled) {
			t.Errorf("whose caller has left: %v", err)
		}
		a() // again: nothing
		b()
		c()
		d()
		if st := s.State(); st.Used != 0 || st.Most != 10 || st.Refused != 2 {
			t.Errorf("%+v", st)
		}
	})
}

// TestSharedOrder: who has a whole share stands in no one's way; small ones go before a large
// one that does not fit, but not for ever.
func TestSharedOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shared(10, 10)
		first, err := s.Take(t.Context(), "a", 6, 0)
		if err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		var mu sync.Mutex
		var order []string
		come := func(who string, n int64) {
			group.Go(func() {
				give, err := s.Take(t.Context(), who, n, time.Minute)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				order = append(order, who)
				mu.Unlock()
				give()
			})
			synctest.Wait()
		}
		come("a", 6) // of who has a share: waits
		come("large", 8)
		come("small", 2)
		time.Sleep(11 * time.Second)
		come("late", 2)
		if got := fmt.Sprint(order); got != "[small]" {
			t.Errorf("before anything was given back: %s", got)
		}
		first()
		group.Wait()
		if got := fmt.Sprint(order[:2]); got != "[small a]" && got != "[small large]" || s.Used() != 0 {
			t.Errorf("order %v", order)
		}
	})
}

// TestSharedHammer: whatever the interleaving, limits hold and nothing is lost.
func TestSharedHammer(t *testing.T) {
	s := shared(7, 3)
	var group sync.WaitGroup
	for i := range 12 {
		group.Go(func() {
			for j := range 300 {
				patience := time.Duration(j%3) * time.Millisecond
				if give, err := s.Take(t.Context(), fmt.Sprint(i%4), int64(j%3)+1, patience); err == nil {
					give()
				}
			}
		})
	}
	group.Wait()
	if st := s.State(); st.Used != 0 || st.Most > 7 {
		t.Errorf("%+v", st)
	}
}

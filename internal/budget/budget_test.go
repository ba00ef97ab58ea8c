package budget_test

import (
	"sync"
	"testing"

	"github.com/agora-host/agora/internal/budget"
)

func TestTakeAndGive(t *testing.T) {
	b := budget.New("things", "things that exist", 10)
	if !b.Take(10) || b.Take(1) || b.Take(1) {
		t.Errorf("%+v", b.State())
	}
	b.Give(4)
	b.Force(7)
	if got := b.State(); got.Used != 13 || got.Most != 13 || got.Refused != 2 || got.Limit != 10 {
		t.Errorf("%+v", got)
	}
	b.Give(13)
	b.SetLimit(2)
	if b.Take(3) || !b.Take(2) {
		t.Errorf("after the limit changed: %+v", b.State())
	}
	defer func() {
		if recover() == nil {
			t.Error("more was given back than was taken, and nothing said so")
		}
	}()
	b.Give(3)
}

// TestHammer: whatever the interleaving, the limit holds and nothing is lost.
func TestHammer(t *testing.T) {
	b := budget.New("things", "things that exist", 100)
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			for range 10_000 {
				if n := int64(i * 3); b.Take(n) {
					b.Give(n)
				}
			}
		})
	}
	group.Wait()
	if got := b.State(); got.Used != 0 || got.Most > got.Limit {
		t.Errorf("%+v", got)
	}
}

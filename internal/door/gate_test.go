package door

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestGate: no more handshakes than there are places run at once, addresses take turns whatever
// each has waiting, and one that gives up leaves no gap.
func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1)
		heavy, light := &caller{}, &caller{}
		first, err := g.enter(t.Context(), heavy)
		if err != nil {
			t.Fatal(err)
		}
		var order []string
		running := 0
		enter := func(ctx context.Context, name string, from *caller) {
			turn, err := g.enter(ctx, from)
			if err != nil {
				order = append(order, name+" gave up")
				return
			}
			if running++; running > 1 {
				t.Error("two run at once")
			}
			order = append(order, name)
			time.Sleep(time.Second)
			running--
			turn.leave()
			turn.leave() // once more has no effect
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		go enter(impatient, "impatient", heavy)
		synctest.Wait()
		for i := range 4 {
			go enter(t.Context(), fmt.Sprint("heavy ", i), heavy)
			synctest.Wait()
		}
		go enter(t.Context(), "light 0", light)
		synctest.Wait()
		go enter(t.Context(), "light 1", light)
		synctest.Wait()
		time.Sleep(time.Second)
		first.leave()
		time.Sleep(time.Minute)
		want := "[impatient gave up heavy 0 light 0 heavy 1 light 1 heavy 2 heavy 3]"
		if got := fmt.Sprint(order); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if g.free != 1 || len(g.lines) != 0 || len(g.order) != 0 {
			t.Errorf("left over: %+v", g)
		}
		over, cancel := context.WithCancel(t.Context())
		cancel()
		turn, _ := g.enter(t.Context(), light)
		if _, err := g.enter(over, heavy); !errors.Is(err, context.Canceled) {
			t.Errorf("a handshake that is over: %v", err)
		}
		if turn.leave(); g.free != 1 {
			t.Errorf("%d places", g.free)
		}
	})
}

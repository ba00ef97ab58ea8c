package host

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var errStopped = errors.New("stopped")

// TestLife: calls end when their app is stopped, whether they wait for that or ask, and stay ended when
// it is resumed; none begins meanwhile; who waits for them learns of the last.
func TestLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		apps := &lives{}
		l := apps.of("app")
		caller, left := context.WithCancel(t.Context())
		asks, err := l.join(caller)
		waits, waitsErr := l.join(caller)
		if err := errors.Join(err, waitsErr); err != nil {
			t.Fatal(err)
		}
		below, cancel := context.WithTimeout(waits, time.Hour)
		defer cancel()
		var idle error = errors.New("nothing yet")
		l.set(errStopped)
		go func() { idle = l.wait(t.Context()) }()
		synctest.Wait()
		if asks.Err() == nil || below.Err() == nil || context.Cause(below) != errStopped || caller.Err() != nil || idle == nil || l.running() != 2 {
			t.Errorf("stopped: %v, %v (%v), %v", asks.Err(), below.Err(), context.Cause(below), idle)
		}
		if _, err := l.join(caller); !errors.Is(err, errStopped) {
			t.Errorf("it begins in a stopped app: %v", err)
		}
		asks.leave()
		synctest.Wait()
		if idle == nil {
			t.Error("one runs still")
		}
		waits.leave()
		synctest.Wait()
		if idle != nil {
			t.Errorf("the last has left: %v", idle)
		}
		l.set(nil)
		if asks.Err() == nil || asks.span.reason() != errStopped {
			t.Error("a call that was ended lives again")
		}
		again, err := l.join(caller)
		if err != nil || again.Err() != nil {
			t.Fatalf("resumed: %v", err)
		}
		select {
		case <-again.Done():
			t.Error("it has ended")
		default:
		}
		left()
		<-again.Done()
		if !errors.Is(again.Err(), context.Canceled) || again.span.reason() != nil {
			t.Errorf("the caller left: %v, %v", again.Err(), again.span.reason())
		}
		again.leave()
		late, err := l.join(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		late.leave()
		<-late.Done() // by what outlives its call
		if n := len(again.span.cancels); n != 0 || l.running() != 0 {
			t.Errorf("%d are left behind", n)
		}
	})
}

// TestLivesAtOnce: whoever joins, leaves and stops at once, after wait no call runs that was let in
// before the stop.
func TestLivesAtOnce(t *testing.T) {
	l := (&lives{}).of("app")
	var calls sync.WaitGroup
	ctx, end := context.WithCancel(t.Context())
	for i := range 4 {
		calls.Go(func() {
			for ctx.Err() == nil {
				c, err := l.join(ctx)
				if err != nil {
					continue
				}
				if i%2 == 0 {
					select {
					case <-c.Done():
					case <-time.After(10 * time.Microsecond):
					}
				}
				c.leave()
			}
		})
	}
	for range 200 {
		l.set(errStopped)
		waiting, cancel := context.WithTimeout(ctx, 10*time.Second)
		if err := l.wait(waiting); err != nil {
			t.Fatal(err)
		}
		cancel()
		l.set(nil)
	}
	end()
	calls.Wait()
	if n := l.running(); n != 0 {
		t.Errorf("%d calls run for ever", n)
	}
}

func BenchmarkJoin(b *testing.B) {
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	l := (&lives{}).of("app")
	b.ReportAllocs()
	for b.Loop() {
		c, err := l.join(ctx)
		if err != nil {
			b.Fatal(err)
		}
		c.leave()
	}
}

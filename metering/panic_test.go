package metering_test

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/agora-host/agora/internal/calm"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/metering/meteringtest"
)

// TestPanicInTheJournal: after a panic of the journal's goroutine nothing is metered until a new
// journal is begun; what was acknowledged is billed, once, and what was not is not.
func TestPanicInTheJournal(t *testing.T) {
	m, w := meteringtest.NewMachine(1), &wall{now: hour}
	var panics atomic.Bool
	o := options(m, w)
	o.Watch = calm.New(quiet())
	o.Watch.Inject(func(string) {
		if panics.Load() {
			panic("injected")
		}
	})
	meter, err := metering.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	acknowledged := uint64(0)
	for range 3 {
		record(t, meter, call("a", ""))
		acknowledged++
		panics.Store(true)
		err := meter.Record(call("a", ""))
		for ; err == nil; err = meter.Record(call("a", "")) {
			acknowledged++ // its batch had begun
		}
		if !errors.Is(err, metering.ErrUnmetered) {
			t.Errorf("a call whose journal panicked: %v", err)
		}
		if meter.Ready() == nil {
			t.Error("apps are served without a journal")
		}
		panics.Store(false)
		if err := meter.Heal(t.Context()); err != nil || meter.Ready() != nil {
			t.Fatalf("heal: %v", err)
		}
	}
	flush(t, meter)
	balanced(t, meter)
	if n := report(t, meter, all()).Total.Calls; n != acknowledged {
		t.Errorf("%d calls are billed, and %d were acknowledged", n, acknowledged)
	}
	if err := meter.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestPanicInReplay: a panic while a journal is read at the start is the start's error. Nothing
// is billed by halves, and the next start reads it all.
func TestPanicInReplay(t *testing.T) {
	m, w := meteringtest.NewMachine(1), &wall{now: hour}
	record(t, open(t, m, w), call("a", ""), call("a", "")) // and is killed
	o := options(m, w)
	o.Watch = calm.New(quiet())
	o.Watch.Inject(func(where string) {
		if where == "journal-replay" {
			panic("injected")
		}
	})
	_, err := metering.Open(t.Context(), o)
	if _, ok := errors.AsType[*calm.PanicError](err); !ok {
		t.Fatalf("opened with %v", err)
	}
	meter := open(t, m, w)
	flush(t, meter)
	if n := report(t, meter, all()).Total.Calls; n != 2 {
		t.Errorf("%d calls are billed, and 2 were acknowledged", n)
	}
	balanced(t, meter)
}

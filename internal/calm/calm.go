package calm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"sync"
	"time"
)

// PanicError is a panic that was recovered.
type PanicError struct {
	Where string // the name under which the code ran
	Value any    // what was passed to panic
	Stack []byte // as runtime/debug.Stack returns it
}

func (e *PanicError) Error() string { return fmt.Sprintf("BUG: panic in %s: %v", e.Where, e.Value) }

// Unwrap returns the panic's value if that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// A node that panics this often within this time says that it is not well.
const (
	unwellPanics = 5
	unwellWithin = time.Minute
)

// Watch recovers and counts panics.
type Watch struct {
	log    *slog.Logger
	inject func(where string)

	mu     sync.Mutex // guards all below
	counts map[string]uint64
	recent [unwellPanics]time.Time // of the last panics, a ring
	next   int                     // in recent
}

// New returns a Watch that logs to log.
func New(log *slog.Logger) *Watch { return &Watch{log: log, counts: map[string]uint64{}} }

// Inject has f called wherever code under the watch begins, with the name of the place, so
// that a test can panic there. It must be called before the watch is used.
func (w *Watch) Inject(f func(where string)) { w.inject = f }

// Do runs f and returns its error, or a *PanicError.
func (w *Watch) Do(where string, f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = w.caught(where, r)
		}
	}()
	w.injected(where)
	return f()
}

func (w *Watch) injected(where string) {
	if w != nil && w.inject != nil {
		w.inject(where)
	}
}

// caught logs and counts a panic. It is called by the deferred function that recovered it, so
// the stack still shows where it came from.
func (w *Watch) caught(where string, value any) error {
	if err, ok := value.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(value)
	}
	e := &PanicError{Where: where, Value: value, Stack: debug.Stack()}
	if w == nil {
		slog.Default().Error("panic recovered", "where", where, "err", e, "stack", string(e.Stack))
		return e
	}
	w.log.Error("panic recovered", "where", where, "err", e, "stack", string(e.Stack))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[where]++
	w.recent[w.next] = time.Now()
	w.next = (w.next + 1) % len(w.recent)
	return e
}

// Go runs f in a goroutine that group waits for. A panic ends the goroutine and nothing else.
func (w *Watch) Go(group *sync.WaitGroup, where string, f func()) {
	group.Go(func() { _ = w.run(where, f) })
}

// After runs f in a goroutine of its own once ctx has ended, which nothing waits for. A panic ends
// the goroutine and nothing else.
func (w *Watch) After(ctx context.Context, where string, f func()) {
	context.AfterFunc(ctx, func() { _ = w.run(where, f) })
}

// errExited is what a Job ends with whose goroutine ended before its work was done.
var errExited = errors.New("the goroutine ended before its work was done")

// Job runs f in a goroutine that group waits for, and then end, with f's error or *PanicError.
// Whatever becomes of f, end is called once, and is where what was taken for f is given back.
// A panic in end is recovered and counted, too.
func (w *Watch) Job(group *sync.WaitGroup, where string, f func() error, end func(error)) {
	group.Go(func() {
		err := errExited
		defer func() { _ = w.hold(where, func() { end(err) }) }()
		var failed error
		if err = w.run(where, func() { failed = f() }); err == nil {
			err = failed
		}
	})
}

// run is Do for a goroutine of the node's own: nothing above it takes http.ErrAbortHandler.
func (w *Watch) run(where string, f func()) error {
	return w.hold(where, func() { w.injected(where); f() })
}

func (w *Watch) hold(where string, f func()) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = w.caughtAll(where, r)
		}
	}()
	f()
	return nil
}

// caughtAll is caught, and stops http.ErrAbortHandler too.
func (w *Watch) caughtAll(where string, value any) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &PanicError{Where: where, Value: r, Stack: debug.Stack()}
		}
	}()
	return w.caught(where, value)
}

// After a panic a loop starts again, each time after a longer pause.
const (
	firstPause = time.Second
	lastPause  = time.Minute
)

// Loop runs f in a goroutine that group waits for, and runs it again after a panic, with
// pauses from one second to one minute, until ctx ends or f returns. After a minute without a
// panic the pauses are short again.
func (w *Watch) Loop(ctx context.Context, group *sync.WaitGroup, where string, f func(context.Context)) {
	group.Go(func() {
		for pause := firstPause; ; pause = min(2*pause, lastPause) {
			began := time.Now()
			if w.run(where, func() { f(ctx) }) == nil {
				return
			}
			if time.Since(began) > lastPause {
				pause = firstPause
			}
			t := time.NewTimer(pause)
			select {
			case <-ctx.Done():
				t.Stop()
				return
			case <-t.C:
			}
		}
	})
}

// Counts returns how many panics were recovered in each place.
func (w *Watch) Counts() map[string]uint64 {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.counts)
}

// Unwell reports whether five panics were recovered within the last minute.
func (w *Watch) Unwell() bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	oldest := w.recent[w.next]
	return !oldest.IsZero() && time.Since(oldest) < unwellWithin
}

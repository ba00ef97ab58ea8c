package calm_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agora-host/agora/internal/calm"
)

func TestDo(t *testing.T) {
	var log bytes.Buffer
	w := calm.New(slog.New(slog.NewTextHandler(&log, nil)))
	cause := errors.New("cause")
	if err := w.Do("here", func() error { return cause }); err != cause {
		t.Errorf("an error: %v", err)
	}
	err := w.Do("here", func() error { panic(cause) })
	p, ok := errors.AsType[*calm.PanicError](err)
	if !ok || !errors.Is(err, cause) || p.Where != "here" || !bytes.Contains(p.Stack, []byte("TestDo")) {
		t.Errorf("a panic: %v", err)
	}
	if got := w.Counts(); len(got) != 1 || got["here"] != 1 {
		t.Errorf("counts %v", got)
	}
	if s := log.String(); !strings.Contains(s, "level=ERROR") || !strings.Contains(s, "where=here") || !strings.Contains(s, "TestDo") {
		t.Errorf("log %q", s)
	}
	if err := (*calm.Watch)(nil).Do("here", func() error { panic("x") }); err == nil {
		t.Error("a nil watch lets a panic through")
	}
}

func TestAbortPassesThroughDo(t *testing.T) {
	w := calm.New(slog.New(slog.DiscardHandler))
	defer func() {
		if r := recover(); r != http.ErrAbortHandler {
			t.Errorf("recovered %v", r)
		}
		if len(w.Counts()) != 0 {
			t.Error("an aborted handler is counted as a panic")
		}
	}()
	_ = w.Do("handler", func() error { panic(http.ErrAbortHandler) })
}

func TestGo(t *testing.T) {
	w := calm.New(slog.New(slog.DiscardHandler))
	var group sync.WaitGroup
	for _, value := range []any{"x", http.ErrAbortHandler, nil} {
		w.Go(&group, "job", func() { panic(value) })
	}
	w.Go(&group, "job", runtime.Goexit)
	group.Wait()
	if got := w.Counts()["job"]; got != 2 { // panic(nil) is a *runtime.PanicNilError
		t.Errorf("%d panics counted", got)
	}
}

func TestLoopStartsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := calm.New(slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var group sync.WaitGroup
		var starts []time.Duration
		began := time.Now()
		w.Loop(ctx, &group, "loop", func(context.Context) {
			if starts = append(starts, time.Since(began)); len(starts) < 4 {
				panic("again")
			}
		})
		group.Wait()
		want := []time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second}
		for i := range want {
			if len(starts) != len(want) || starts[i] != want[i] {
				t.Fatalf("started at %v, want %v", starts, want)
			}
		}
		starts, began = nil, time.Now()
		w.Loop(ctx, &group, "loop", func(context.Context) {
			if starts = append(starts, time.Since(began)); len(starts) == 4 {
				return
			}
			if len(starts) == 3 {
				time.Sleep(time.Hour) // it ran well
			}
			panic("again")
		})
		group.Wait()
		if len(starts) != 4 || starts[3] != time.Hour+4*time.Second {
			t.Errorf("after an hour without a panic it started at %v", starts)
		}
		w.Loop(ctx, &group, "loop", func(context.Context) { panic("for ever") })
		time.Sleep(time.Hour)
		cancel()
		group.Wait() // it ends with its context, also while it pauses
	})
}

func TestUnwell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := calm.New(slog.New(slog.DiscardHandler))
		for i := range 5 {
			if w.Unwell() {
				t.Errorf("unwell after %d panics", i)
			}
			_ = w.Do("here", func() error { panic(i) })
			time.Sleep(time.Second)
		}
		if !w.Unwell() {
			t.Error("well after five panics in five seconds")
		}
		time.Sleep(time.Minute)
		if w.Unwell() {
			t.Error("unwell a minute later")
		}
	})
}

func TestInject(t *testing.T) {
	w := calm.New(slog.New(slog.DiscardHandler))
	w.Inject(func(where string) { panic("injected in " + where) })
	if err := w.Do("here", func() error { return nil }); err == nil || !strings.Contains(err.Error(), "injected in here") {
		t.Errorf("got %v", err)
	}
}

// TestJob: its end runs once, whatever became of the work, and the group waits for it.
func TestJob(t *testing.T) {
	refused := errors.New("refused")
	for what, f := range map[string]func() error{
		"done":    func() error { return nil },
		"refused": func() error { return refused },
		"panic":   func() error { panic(refused) },
		"abort":   func() error { panic(http.ErrAbortHandler) },
		"exit":    func() error { runtime.Goexit(); return nil },
	} {
		w := calm.New(slog.New(slog.DiscardHandler))
		var group sync.WaitGroup
		var ends []error
		w.Job(&group, "job", f, func(err error) {
			ends = append(ends, err)
			panic("in the end")
		})
		group.Wait()
		if len(ends) != 1 || (ends[0] == nil) != (what == "done") {
			t.Fatalf("%s: it ended with %v", what, ends)
		}
		_, panicked := errors.AsType[*calm.PanicError](ends[0])
		if want := what == "panic" || what == "abort"; panicked != want {
			t.Errorf("%s: it ended with %v", what, ends[0])
		}
		if errors.Is(ends[0], refused) != (what == "refused" || what == "panic") {
			t.Errorf("%s: it ended with %v", what, ends[0])
		}
		if n := w.Counts()["job"]; n != 1 && what != "panic" || what == "panic" && n != 2 {
			t.Errorf("%s: %d panics counted", what, n)
		}
	}
	w := calm.New(slog.New(slog.DiscardHandler))
	w.Inject(func(string) { panic("before it began") })
	var group sync.WaitGroup
	given := false
	w.Job(&group, "job", func() error { return nil }, func(err error) { given = err != nil })
	if group.Wait(); !given {
		t.Error("a job that panics before it begins gives nothing back")
	}
}

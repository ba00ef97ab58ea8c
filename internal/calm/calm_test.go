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

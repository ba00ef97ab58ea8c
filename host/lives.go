package host

import (
	"context"
	"sync"
)

// lives are what lets apps be called. An app that is stopped is not called from then on, and its
// running calls end. They follow the apps' states, see Host.Follow.
type lives struct{ byApp sync.Map } // of *life

func (l *lives) of(app string) *life {
	if found, ok := l.byApp.Load(app); ok {
		return found.(*life)
	}
	found, _ := l.byApp.LoadOrStore(app, &life{})
	return found.(*life)
}

// life is one app's. A target that was read before the app was stopped has it too: what it calls
// after is refused here.
type life struct {
	mu    sync.Mutex // guards all below
	ended error      // why the app is stopped; nil: it is not
	calls map[*context.CancelCauseFunc]struct{}
	idle  chan struct{} // closed when the last call of a stopped app has ended; nil: it has none
}

// set stops the app, with what its callers are told, or lets it be called again, with nil.
func (l *life) set(ended error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = ended
	if ended == nil {
		l.idle = nil
		return
	}
	if l.idle == nil && len(l.calls) > 0 {
		l.idle = make(chan struct{})
	}
	for end := range l.calls {
		(*end)(ended)
	}
}

// join counts a call in, whose context ends when the app is stopped. leave is called when it ended.
func (l *life) join(ctx context.Context) (of context.Context, leave func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended != nil {
		return ctx, nil, l.ended
	}
	of, end := context.WithCancelCause(ctx)
	if l.calls == nil {
		l.calls = map[*context.CancelCauseFunc]struct{}{}
	}
	l.calls[&end] = struct{}{}
	return of, func() {
		l.leave(&end)
		end(nil)
	}, nil
}

func (l *life) leave(end *context.CancelCauseFunc) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.calls, end)
	if len(l.calls) == 0 && l.idle != nil {
		close(l.idle)
		l.idle = nil
	}
}

// running is how many calls run.
func (l *life) running() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.calls)
}

// why is the reason that the app was stopped for, if it was.
func (l *life) why() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended
}

// wait returns once no call of a stopped app runs.
func (l *life) wait(ctx context.Context) error {
	l.mu.Lock()
	idle := l.idle
	l.mu.Unlock()
	if idle == nil {
		return ctx.Err()
	}
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

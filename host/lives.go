package host

import (
	"context"
	"sync"
	"sync/atomic"
)

// lives are what lets apps be called. An app that is stopped is not called from then on, and its
// running calls end. They follow the apps' states, see Host.Follow.
type lives struct{ byApp sync.Map } // of *life

func (l *lives) of(app string) *life {
	if found, ok := l.byApp.Load(app); ok {
		return found.(*life)
	}
	first := &life{}
	first.span.Store(newSpan())
	found, _ := l.byApp.LoadOrStore(app, first)
	return found.(*life)
}

// life is one app's. A target that was read before the app was stopped has it too: what it calls
// after is refused here.
type life struct {
	mu   sync.Mutex           // held while span is replaced, or ended
	span atomic.Pointer[span] // the present one, or the last one, which has ended
}

// span is a time in which an app may be called. It ends once, and calls that began in it with it.
type span struct {
	running atomic.Int64  // calls
	ended   atomic.Bool   // set after why, and before cancels are taken
	idle    chan struct{} // told when the last call has left an ended span; holds one

	mu      sync.Mutex // guards all below
	why     error      // the app is stopped for
	cancels map[*callContext]context.CancelCauseFunc
}

func newSpan() *span { return &span{idle: make(chan struct{}, 1)} }

// set stops the app, with what its callers are told, or lets it be called again, with nil.
func (l *life) set(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.span.Load()
	switch {
	case why != nil:
		s.end(why)
	case s.ended.Load():
		l.span.Store(newSpan())
	}
}

// end ends the span and the calls in it. Ended again, it has another reason.
func (s *span) end(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.why = why
	s.ended.Store(true)
	for _, cancel := range s.cancels {
		cancel(why)
	}
	s.cancels = nil
}

// join counts a call in, whose context ends when the app is stopped. It leaves when it has ended.
func (l *life) join(ctx context.Context) (*callContext, error) {
	s := l.span.Load()
	s.running.Add(1)
	if s.ended.Load() { // who waits for the calls may have counted this one
		s.leave()
		return nil, s.reason()
	}
	c := &callContext{Context: ctx, span: s}
	if v, ok := ctx.(*visitContext); ok {
		c.visit = v
		v.gate.Begin(&v.visit, c)
	}
	return c, nil
}

func (s *span) leave() {
	if s.running.Add(-1) == 0 && s.ended.Load() {
		s.tell()
	}
}

func (s *span) tell() {
	select {
	case s.idle <- struct{}{}:
	default:
	}
}

// reason is why the span has ended, if it has.
func (s *span) reason() error {
	if !s.ended.Load() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.why
}

// running is how many calls run.
func (l *life) running() int { return int(l.span.Load().running.Load()) }

// wait returns once no call of a stopped app runs.
func (l *life) wait(ctx context.Context) error {
	s := l.span.Load()
	for s.ended.Load() && s.running.Load() > 0 {
		select {
		case <-s.idle:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.tell() // others wait, too
	return ctx.Err()
}

// callContext is a call's context. It ends with the caller's, and when the app is stopped. Most calls
// ask whether it has ended, and do not wait for its end: what that takes is made when they do.
type callContext struct {
	context.Context // the caller's
	span            *span
	waited          atomic.Pointer[context.Context] // once its end is waited for
	left            atomic.Bool                     // the call has ended
	ended           atomic.Pointer[error]           // why what it was let in by has ended; nil: it has not
	visit           *visitContext                   // nil: nothing but the caller and the app end it
}

// End ends a call whose caller would not be let in any more.
func (c *callContext) End(why error) {
	c.ended.Store(&why)
	c.forget(why)
}

// reason is why the call was ended, if it was.
func (c *callContext) reason() error {
	if why := c.ended.Load(); why != nil {
		return *why
	}
	return c.span.reason()
}

// leave counts the call out.
func (c *callContext) leave() {
	if c.visit != nil {
		c.visit.gate.Left(&c.visit.visit)
	}
	c.left.Store(true)
	c.forget(nil)
	c.span.leave()
}

// forget ends what waits for the end, which nothing has to do any more.
func (c *callContext) forget(why error) {
	if c.waited.Load() == nil {
		return
	}
	c.span.mu.Lock()
	cancel := c.span.cancels[c]
	delete(c.span.cancels, c)
	c.span.mu.Unlock()
	if cancel != nil {
		cancel(why)
	}
}

// Err returns why the context has ended, if it has.
func (c *callContext) Err() error {
	if c.span.ended.Load() || c.ended.Load() != nil {
		return context.Canceled
	}
	return c.Context.Err()
}

// Done returns a channel that is closed at the context's end.
func (c *callContext) Done() <-chan struct{} {
	if of := c.waited.Load(); of != nil {
		return (*of).Done()
	}
	c.span.mu.Lock()
	defer c.span.mu.Unlock()
	if of := c.waited.Load(); of != nil {
		return (*of).Done()
	}
	of, cancel := context.WithCancelCause(c.Context)
	c.waited.Store(&of)
	switch {
	case c.span.ended.Load():
		cancel(c.span.why)
	case c.ended.Load() != nil:
		cancel(*c.ended.Load())
	case c.left.Load(): // asked after that was stored: leave sees what is stored here, or this sees that
		cancel(nil)
	default:
		if c.span.cancels == nil {
			c.span.cancels = map[*callContext]context.CancelCauseFunc{}
		}
		c.span.cancels[c] = cancel
	}
	return of.Done()
}

// Value finds what the caller's context has. Contexts that are made of one whose end is waited for find
// that here, and need no goroutine to follow it.
func (c *callContext) Value(key any) any {
	if of := c.waited.Load(); of != nil {
		return (*of).Value(key)
	}
	return c.Context.Value(key)
}

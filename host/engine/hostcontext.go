package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// hostContext is the context of a host call: the invocation's, until the call has to end.
// Most calls answer at once and never wait for it, so the timer is set when
// somebody asks for Done, and not before. One serves the calls of an invocation
// one after the other, until one has waited.
type hostContext struct {
	*invocation
	deadline time.Time

	mu    sync.Mutex // held while waits is made: a capability may have goroutines
	waits atomic.Pointer[waiting]
}

// waiting is what a call is told by that waits.
type waiting struct {
	context.Context
	cancel context.CancelFunc
}

// callContext is the context for the host call that begins.
func (v *invocation) callContext() *hostContext {
	if v.calling == nil {
		v.calling = &hostContext{invocation: v}
	}
	v.calling.deadline = v.host.until(v.deadline)
	return v.calling
}

// end ends the call: whoever waits is told.
func (c *hostContext) end() {
	if w := c.waits.Load(); w != nil {
		w.cancel()
		c.calling = nil // what waits may keep it
	}
}

// Deadline is the end of the call's time.
func (c *hostContext) Deadline() (time.Time, bool) { return c.deadline, true }

// Done closes when the call's time is over, the caller left, or the call ended.
func (c *hostContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.waits.Load()
	if w == nil {
		w = &waiting{}
		w.Context, w.cancel = context.WithDeadline(c.invocation, c.deadline)
		c.waits.Store(w)
	}
	return w.Done()
}

// Err tells why the call should end, if it should.
func (c *hostContext) Err() error {
	if w := c.waits.Load(); w != nil {
		return w.Err()
	}
	if err := c.invocation.Err(); err != nil {
		return err
	}
	if now().After(c.deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

package engine

import (
	"context"
	"sync"
	"time"
)

// hostContext is the context of a host call: the invocation's, until hostDeadline.
// Most calls answer at once and never wait for it, so the timer is set when
// somebody asks for Done, and not before. One serves the calls of an invocation
// one after the other, until one has waited.
type hostContext struct {
	*invocation
	deadline time.Time

	mu     sync.Mutex      // guards what follows: a capability may have goroutines
	waits  context.Context // nil: nobody has asked for Done
	cancel context.CancelFunc
}

// callContext is the context for the host call that begins.
func (v *invocation) callContext() *hostContext {
	if v.calling == nil {
		v.calling = &hostContext{invocation: v}
	}
	v.calling.deadline = v.hostDeadline()
	return v.calling
}

// end ends the call: whoever waits is told.
func (c *hostContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waits != nil {
		c.cancel()
		c.calling = nil // what waits may keep it
	}
}

func (c *hostContext) waiting() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.waits
}

// Deadline is the end of the call's time.
func (c *hostContext) Deadline() (time.Time, bool) { return c.deadline, true }

// Done closes when the call's time is over, the caller left, or the call ended.
func (c *hostContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waits == nil {
		c.waits, c.cancel = context.WithDeadline(c.invocation, c.deadline)
	}
	return c.waits.Done()
}

// Err tells why the call should end, if it should.
func (c *hostContext) Err() error {
	if w := c.waiting(); w != nil {
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

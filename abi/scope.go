package abi

import (
	"context"
	"sync"
	"time"
)

// Scope is one invocation as its capabilities see it: what they count and keep
// for it, and what they close when it ends. It is safe for concurrent use.
type Scope struct {
	mu    sync.Mutex
	kept  map[any]any
	ends  []func()
	ended bool
}

// ScopeOf is the scope of the invocation that a context belongs to. Outside of
// one, nothing is kept from one call to the next.
func ScopeOf(ctx context.Context) *Scope {
	if r, ok := ctx.Value(recorderKey{}).(*Recorder); ok {
		return &r.scope
	}
	return &Scope{ended: true}
}

// Keep returns what is kept under a key, which it makes the first time.
func (s *Scope) Keep(key any, make func() any) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil {
		s.kept = map[any]any{}
	}
	v, ok := s.kept[key]
	if !ok {
		v = make()
		s.kept[key] = v
	}
	return v
}

// OnEnd has a function called when the invocation ends, or tells that it has
// ended already.
func (s *Scope) OnEnd(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.ends = append(s.ends, f)
	}
	return !s.ended
}

// End closes what the invocation's capabilities left open. What that uses is
// still noted.
func (r *Recorder) End() {
	s := &r.scope
	s.mu.Lock()
	ends := s.ends
	s.ends, s.kept, s.ended = nil, nil, true
	s.mu.Unlock()
	for i := len(ends) - 1; i >= 0; i-- {
		ends[i]()
	}
}

func (s *Scope) reopen() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = false
}

// LeaveTime bounds a call that waits for the world outside to nine tenths of the
// time that is left, so that the app can still say what went wrong.
func LeaveTime(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	left := time.Until(end)
	return context.WithTimeout(ctx, left-left/10)
}

package budget

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

var (
	// ErrExhausted means that nothing of a shared budget was left, for as long as was waited.
	ErrExhausted = errors.New("the node does as much of this at once as it can")
	// ErrShare means that something was left, and the person who asked has a whole share.
	ErrShare = errors.New("you do as much of this at once as one person may")
)

// bypass is how long an amount that does not fit waits before smaller ones, which do, may no
// longer go first.
const bypass = 10 * time.Second

// Shared is a budget of which each person has a share at most, so that one leaves something to
// the others, and for which one can wait.
type Shared struct {
	*Budget
	each int64

	mu      sync.Mutex       // guards all below
	held    map[string]int64 // by person
	waiting []*turn          // in the order in which they came
}

type turn struct {
	who  string
	n    int64
	came time.Time
	took chan struct{} // closed once it has what it waits for
}

// NewShared returns a budget of which no one has more than each at once.
func NewShared(b *Budget, each int64) *Shared {
	return &Shared{Budget: b, each: each, held: map[string]int64{}}
}

// Take takes n, or as much as one person may have if that is less, and returns the function
// that gives it back. If that much is not left, it waits until patience ends.
func (s *Shared) Take(ctx context.Context, who string, n int64, patience time.Duration) (give func(), err error) {
	t := &turn{who: who, n: min(n, s.each), came: time.Now(), took: make(chan struct{})}
	s.mu.Lock()
	s.waiting = append(s.waiting, t)
	s.serve()
	s.mu.Unlock()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-t.took:
		return s.giver(t), nil
	default:
	}
	select {
	case <-t.took:
		return s.giver(t), nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
	}
	return s.leave(t, err)
}

// leave ends a wait. What came at the last moment is taken all the same.
func (s *Shared) leave(t *turn, err error) (func(), error) {
	s.mu.Lock()
	i := slices.Index(s.waiting, t)
	if i >= 0 {
		s.waiting = slices.Delete(s.waiting, i, i+1)
		s.serve() // it may have stood before others
	}
	full := s.each < s.Limit() && s.held[t.who]+t.n > s.each
	s.mu.Unlock()
	switch {
	case i < 0:
		return s.giver(t), nil
	case err != nil:
		return nil, err
	}
	s.refused.Add(1)
	if full {
		return nil, fmt.Errorf("%w: %s (%d for one person)", ErrShare, s.help, s.each)
	}
	return nil, fmt.Errorf("%w: %s (%d for the node)", ErrExhausted, s.help, s.Limit())
}

func (s *Shared) giver(t *turn) func() {
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.Give(t.n)
		if s.held[t.who] -= t.n; s.held[t.who] == 0 {
			delete(s.held, t.who)
		}
		s.serve()
	})
}

// serve gives those who wait what is left, in order; a person whose share is taken stands in
// the way of no other. The lock is held.
func (s *Shared) serve() {
	s.waiting = slices.DeleteFunc(s.waiting, func() func(*turn) bool {
		closed := false
		return func(t *turn) bool {
			switch {
			case closed || s.held[t.who]+t.n > s.each:
				return false
			case s.Used()+t.n > s.Limit():
				closed = time.Since(t.came) > bypass
				return false
			}
			s.Force(t.n)
			s.held[t.who] += t.n
			close(t.took)
			return true
		}
	}())
}

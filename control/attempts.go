package control

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/state"
)

// What becomes of a write whose key was used before.
var (
	ErrKeyReused    = errors.New("the key was used for another request")
	ErrInProgress   = errors.New("the request with this key is being served")
	ErrAnswerLost   = errors.New("the request was served, and its answer is not kept")
	ErrAnswerSecret = errors.New("the request was served, and its answer held a secret")
	ErrBadKey       = errors.New("the idempotency key is not valid")
)

const (
	// attemptLife is how long a response is given again.
	attemptLife = 24 * time.Hour
	// maxAttempts bounds what is kept for one person; the oldest goes first.
	maxAttempts = 500
	// MaxAnswer is the largest response that is kept, in bytes.
	MaxAnswer = 32 << 10
	maxKey    = 255
)

// Answer is the response to a write, as it is given again.
type Answer = state.Answer

// Attempts serve writes that have a key at most once, and give the response of the first again. Its
// zero value with a Desk is ready, and safe for concurrent use.
type Attempts struct {
	Desk *Desk

	mu      sync.Mutex // guards running
	running map[string]struct{}
}

// attempt is one run of a request that has a key.
type attempt struct {
	state.Attempt
}

type attemptKey struct{}

// BeginAttempt looks up a key of the actor's. If it was used, it returns the response of then, or
// why there is none. Otherwise the request is to be served with the context that is returned, and
// end to be called with the response (nil: an error, which is not kept): every change that is made with that
// context is committed together with the key, so that no other run of the request makes it again.
func (s *Attempts) BeginAttempt(ctx context.Context, key, print string) (within context.Context, was *state.Answer, end func(*state.Answer) error, err error) {
	if err := checkKey(key); err != nil {
		return ctx, nil, nil, err
	}
	sum := sha256.Sum256([]byte(key))
	a := &attempt{Attempt: state.Attempt{User: access.ActorFrom(ctx).User, Key: hex.EncodeToString(sum[:]), Print: print, ID: rand.Text()}}
	place := a.User + "\x00" + a.Key
	s.mu.Lock()
	_, busy := s.running[place]
	if !busy {
		if s.running == nil {
			s.running = map[string]struct{}{}
		}
		s.running[place] = struct{}{}
	}
	s.mu.Unlock()
	if busy {
		return ctx, nil, nil, ErrInProgress
	}
	leave := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.running, place)
	}
	known, found, err := s.find(ctx, a)
	if err == nil && found {
		was, err = given(known, print)
	}
	if err != nil || found {
		leave()
		return ctx, was, nil, err
	}
	return context.WithValue(ctx, attemptKey{}, a), nil, func(answer *state.Answer) error {
		defer leave()
		return s.keep(context.WithoutCancel(ctx), a, answer)
	}, nil
}

func checkKey(key string) error {
	if key == "" || len(key) > maxKey || slices.ContainsFunc([]byte(key), func(c byte) bool { return c <= ' ' || c > '~' }) {
		return ErrBadKey
	}
	return nil
}

// find reads an attempt that is not too old.
func (s *Attempts) find(ctx context.Context, a *attempt) (known state.Attempt, found bool, err error) {
	err = s.Desk.View(ctx, func(tx state.Reader) (err error) {
		known, found, err = tx.Attempt(a.User, a.Key)
		return err
	})
	return known, found && s.Desk.Now().Before(known.At.Add(attemptLife)), err
}

// given is the response of an attempt to a request, or why there is none.
func given(known state.Attempt, print string) (*state.Answer, error) {
	switch {
	case known.Print != print:
		return nil, ErrKeyReused
	case known.Answer == nil:
		return nil, ErrAnswerLost
	case known.Answer.Secret:
		return nil, ErrAnswerSecret
	}
	return known.Answer, nil
}

// keep adds the response. Of a request that failed and changed nothing, nothing is kept: it may be
// sent again.
func (s *Attempts) keep(ctx context.Context, a *attempt, answer *state.Answer) error {
	if answer == nil || len(answer.Body) > MaxAnswer {
		return nil // what was changed is marked, and is not changed again
	}
	_, err := s.Desk.Store.Update(ctx, a.User, func(tx state.Tx) error {
		known, found, err := tx.Attempt(a.User, a.Key)
		if err != nil {
			return err
		}
		if found && known.ID != a.ID && s.Desk.Now().Before(known.At.Add(attemptLife)) {
			return ErrInProgress // another node served the same, and its response counts
		}
		done := a.Attempt
		done.At, done.Answer = s.Desk.Now().UTC(), answer
		return putAttempt(tx, done)
	})
	if errors.Is(err, ErrInProgress) {
		return nil
	}
	return err
}

// markAttempt notes, in the transaction of a change, which attempt makes it. Of two runs of one
// request, on whichever nodes, one commits: the store's transactions are serial.
func markAttempt(ctx context.Context, tx state.Tx, now time.Time) error {
	a, ok := ctx.Value(attemptKey{}).(*attempt)
	if !ok {
		return nil
	}
	known, found, err := tx.Attempt(a.User, a.Key)
	if err != nil {
		return err
	}
	if found && now.Before(known.At.Add(attemptLife)) {
		switch {
		case known.ID == a.ID:
			return nil // the second change of one request
		case known.Print != a.Print:
			return ErrKeyReused
		}
		return ErrInProgress
	}
	marked := a.Attempt
	marked.At = now.UTC()
	return putAttempt(tx, marked)
}

// Once notes that something happens to a person which is to happen once, and reports whether it is the
// first time within a day.
func Once(tx state.Tx, user, what string, now time.Time) (bool, error) {
	sum := sha256.Sum256([]byte(what))
	a := state.Attempt{User: user, Key: hex.EncodeToString(sum[:]), ID: rand.Text(), At: now.UTC()}
	known, found, err := tx.Attempt(a.User, a.Key)
	if err != nil || found && now.Before(known.At.Add(attemptLife)) {
		return false, err
	}
	return true, putAttempt(tx, a)
}

// putAttempt stores an attempt, and forgets those of the same person that are too old or too many.
func putAttempt(tx state.Tx, a state.Attempt) error {
	if err := tx.PutAttempt(a); err != nil {
		return err
	}
	all, err := tx.Attempts(a.User)
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(x, y state.Attempt) int { return y.At.Compare(x.At) })
	for i, old := range all {
		if i >= maxAttempts || !a.At.Before(old.At.Add(attemptLife)) {
			if err := tx.DeleteAttempt(old.User, old.Key); err != nil {
				return err
			}
		}
	}
	return nil
}

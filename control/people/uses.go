package people

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/agora-host/agora/access"
)

// uses remember when tokens and sessions were used, until it is stored. They are no more than there are of
// those, which are bounded by quotas.
type uses struct {
	mu    sync.Mutex
	times map[string]time.Time // by hash
}

func (u *uses) note(hash string, at time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.times == nil {
		u.times = map[string]time.Time{}
	}
	u.times[hash] = at
}

func (u *uses) at(hash string) time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.times[hash]
}

// newest brings a credential to what is not stored yet.
func (u *uses) newest(c *access.Credential) {
	if at := u.at(c.Hash); at.After(c.Used) {
		c.Used = at
	}
}

func (u *uses) take() map[string]time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := u.times
	u.times = nil
	return all
}

// giveBack takes back what was not stored.
func (u *uses) giveBack(all map[string]time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	newer := u.times
	u.times = all
	maps.Copy(u.times, newer)
}

// noteUse notes that a token or a session was used. It is stored with those of others, within seconds; at once
// if a session would end before that.
func (s *Service) noteUse(ctx context.Context, c access.Credential) {
	at, soon := c.Note(s.desk.Now())
	if at.IsZero() {
		return
	}
	s.used.note(c.Hash, at)
	if !soon {
		return
	}
	if err := s.StoreUses(context.WithoutCancel(ctx)); err != nil {
		s.desk.Logger.ErrorContext(ctx, "that a session was used is not stored yet", "err", err)
	}
}

// StoreUses stores when tokens and sessions were used. What cannot be stored is stored the next time.
func (s *Service) StoreUses(ctx context.Context) error {
	all := s.used.take()
	err := s.desk.Store.TokensUsed(ctx, all)
	if err != nil && all != nil {
		s.used.giveBack(all)
	}
	return err
}

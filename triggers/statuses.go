package triggers

import (
	"sync"
	"time"
)

// statuses are what is remembered of triggers. Each change gives one a higher version than any had,
// and what no commit has yet is known, until a commit takes it.
type statuses struct {
	mu      sync.Mutex // guards all below
	all     map[Ref]*Status
	dirty   map[Ref]bool // that no commit has yet
	version uint64
}

// load takes what is stored.
func (s *statuses) load(stored []Status) {
	for _, one := range stored {
		s.all[one.Ref] = &one
		s.version = max(s.version, one.Version)
	}
}

// ran notes, of what is stored, that a due time was decided.
func (s *statuses) ran(r Ref, due time.Time) {
	if one := s.all[r]; one != nil {
		one.LastDue = later(one.LastDue, due)
	}
}

// get returns what is remembered of a trigger, and whether anything is.
func (s *statuses) get(r Ref) (Status, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one := s.all[r]; one != nil {
		return *one, true
	}
	return Status{Ref: r}, false
}

// change changes what is remembered of a trigger, and returns it for a commit. It takes nothing of
// what no commit has: that is taken by take.
func (s *statuses) change(r Ref, f func(*Status)) Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.all[r]
	if one == nil {
		one = &Status{Ref: r}
		s.all[r] = one
	}
	s.version++
	one.Version = s.version
	f(one)
	return *one
}

// note is change, for the next commit that is made by itself.
func (s *statuses) note(r Ref, f func(*Status)) Status {
	one := s.change(r, f)
	s.stale([]Status{one})
	return one
}

// take returns what is remembered of a trigger, for a commit.
func (s *statuses) take(r Ref) Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.dirty, r)
	return *s.all[r]
}

// takeDirty returns what no commit has yet, for one.
func (s *statuses) takeDirty() (all []Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for r := range s.dirty {
		all = append(all, *s.all[r])
	}
	clear(s.dirty)
	return all
}

// stale notes that a commit did not take place, or that there was none.
func (s *statuses) stale(all []Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range all {
		if s.all[one.Ref] != nil {
			s.dirty[one.Ref] = true
		}
	}
}

// forget takes out what is remembered of an app's triggers, and returns of which.
func (s *statuses) forget(app string) (gone []Ref) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for r := range s.all {
		if r.App == app {
			gone = append(gone, r)
			delete(s.all, r)
			delete(s.dirty, r)
		}
	}
	return gone
}

// concluded notes what came of one delivery.
func (s *Status) concluded(id string, err error, now time.Time) {
	s.LastRun, s.LastID = now, id
	if err != nil {
		s.Failed++
		s.Outcome = clip(err.Error())
		return
	}
	s.Done++
	s.Outcome = "ok"
}

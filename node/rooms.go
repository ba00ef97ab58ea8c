package node

import (
	"cmp"
	"errors"
	"slices"
	"sync"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/control"
)

// rooms bound what several apps keep in sum. The sums are measured now and then; in between each write takes
// what it may need from what is left and gives back what it did not, so that no sum is ever more than it may be.
// What was deleted is room again when it is measured the next time.
type rooms struct {
	mu  sync.Mutex
	all map[control.Holder]*room // guarded by mu
	of  map[string][]*room       // by app; guarded by mu
}

// room is what the apps of one holder may still keep.
type room struct {
	holder control.Holder
	quota  string

	tight sync.Mutex // held by the one write that is given all that is left

	// Guarded by the rooms' lock, in bytes.
	left  int64
	busy  int64 // taken by writes that are not over
	taken int64 // since it was last begun to measure
	base  int64 // busy when it was begun
}

// begin is called before it is measured, which is done once at a time.
func (s *rooms) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.all {
		r.base, r.taken = r.busy, 0
	}
}

// set stores what was measured, by app. What writes took meanwhile may be in it, or not: it is counted again.
func (s *rooms) set(bounds map[string][]*control.Bound) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, of := map[control.Holder]*room{}, map[string][]*room{}
	for app, those := range bounds {
		for _, b := range those {
			r := all[b.Holder]
			if r == nil {
				if r = s.all[b.Holder]; r == nil {
					r = &room{holder: b.Holder}
				}
				r.quota, r.left = b.Quota, b.Left-r.base-r.taken
				all[b.Holder] = r
			}
			of[app] = append(of[app], r)
		}
	}
	s.all, s.of = all, of
}

// write has do write n bytes or less of an app's. It gives do by how many it may grow, nil if that does not
// matter; if that is too little, it returns an *abi.SumError.
func (s *rooms) write(app string, n int64, do func(*abi.Growth) error) error {
	rooms, taken := s.take(app, n)
	if len(rooms) == 0 {
		return do(nil)
	}
	grow := &abi.Growth{May: n}
	if taken {
		return s.during(rooms, n, grow, do)
	}
	// Perhaps it replaces as much as it writes, which only the store knows: it gets all that is left, alone.
	for _, r := range rooms { // in the order of control.Compare
		r.tight.Lock()
		defer r.tight.Unlock()
	}
	left, full := s.takeAll(rooms)
	grow.May = left
	err := s.during(rooms, left, grow, do)
	if _, ok := errors.AsType[*abi.GrowthError](err); ok {
		return full
	}
	return err
}

// during has do write, and gives back what of the taken bytes it did not use; none if it panics.
func (s *rooms) during(rooms []*room, taken int64, grow *abi.Growth, do func(*abi.Growth) error) error {
	used := taken
	defer func() { s.settle(rooms, taken, used) }()
	err := do(grow)
	used = grown(grow, err)
	return err
}

// grown returns how many bytes are to be counted until it is measured. A write that makes something smaller
// counts as none: a measure that saw it already would give that back a second time. What the store refused is not
// there; what it could not write may be.
func grown(g *abi.Growth, err error) int64 {
	if errno, ok := errors.AsType[abi.Errno](err); ok && errno != abi.ErrnoUnavailable {
		return 0
	}
	if err != nil {
		return g.May
	}
	return max(0, g.Did)
}

// take takes bytes from all rooms of an app, or from none.
func (s *rooms) take(app string, n int64) (rooms []*room, taken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rooms = s.of[app]
	if slices.ContainsFunc(rooms, func(r *room) bool { return r.left < n }) {
		return rooms, false
	}
	for _, r := range rooms {
		r.took(n)
	}
	return rooms, true
}

func (r *room) took(n int64) {
	r.left -= n
	r.busy += n
	r.taken += n
}

// takeAll takes as much as all rooms have, and returns with it the refusal of what needs more.
func (s *rooms) takeAll(rooms []*room) (left int64, full *abi.SumError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	least := slices.MinFunc(rooms, func(a, b *room) int { return cmp.Compare(a.left, b.left) })
	left = max(0, least.left)
	for _, r := range rooms {
		r.took(left)
	}
	return left, &abi.SumError{Quota: least.quota, Per: least.holder.Per}
}

// settle gives back what was taken and not used.
func (s *rooms) settle(rooms []*room, taken, used int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range rooms {
		r.busy -= taken
		r.left += taken - used
	}
}

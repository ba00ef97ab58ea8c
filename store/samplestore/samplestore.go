package samplestore

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/agora-host/agora/abi"
)

const (
	perKind  = 4
	maxApps  = 4096
	maxHours = 30 * 24
	maxBytes = 256 << 20
)

// Why a call was kept.
const (
	Slow   = "slow"   // one of the slowest of its hour
	Failed = "failed" // one of the last that failed
	Random = "random" // as likely as any other
)

// Sample is one call.
type Sample struct {
	App          string    `json:"app"` // the first field: readers look for it
	ID           string    `json:"id"`
	At           time.Time `json:"at"` // when it ended
	Why          string    `json:"why"`
	Release      int       `json:"release"`
	Tier         string    `json:"tier"`
	Trigger      string    `json:"trigger"`
	Status       int       `json:"status,omitempty"` // HTTP; 0 if there was no answer
	Fault        string    `json:"fault,omitempty"`  // abi.FaultKind
	Instructions uint64    `json:"instructions"`
	GuestMicros  uint64    `json:"guest_us"`
	HostMicros   uint64    `json:"host_us"`
	Of           uint64    `json:"of"` // calls of the app in the hour, when this was written
}

func (s *Sample) micros() uint64 { return s.GuestMicros + s.HostMicros }

// Store is a directory of samples, one file for each hour.
type Store struct {
	dir string
	now func() time.Time

	mu    sync.Mutex // guards hours, and all in them
	hours map[time.Time]*hour
}

type hour struct {
	apps  map[string]*kept
	dirty bool // not written as it is
}

// kept are one app's samples of an hour.
type kept struct {
	seen   uint64
	slow   []Sample // slowest first
	failed []Sample // oldest first
	random []Sample
}

// Open opens or makes a directory, and goes on with the hour that runs.
func Open(dir string, now func() time.Time) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s := &Store{dir: dir, now: now, hours: map[time.Time]*hour{}}
	at := hourOf(now())
	samples, err := s.readFile(context.Background(), at, "")
	if err != nil { // it is no account: begin anew
		return s, nil
	}
	for i := range samples {
		s.at(at).restore(&samples[i])
	}
	return s, nil
}

func hourOf(t time.Time) time.Time { return t.UTC().Truncate(time.Hour) }

func (s *Store) at(t time.Time) *hour {
	h := s.hours[t]
	if h == nil {
		h = &hour{apps: map[string]*kept{}}
		s.hours[t] = h
	}
	return h
}

// restore takes a sample back as it was written.
func (h *hour) restore(v *Sample) {
	k := h.of(v.App)
	if k == nil {
		return
	}
	k.seen = max(k.seen, v.Of)
	list := map[string]*[]Sample{Slow: &k.slow, Failed: &k.failed, Random: &k.random}[v.Why]
	if list != nil && len(*list) < perKind {
		*list = append(*list, *v)
	}
}

func (h *hour) of(app string) *kept {
	k := h.apps[app]
	if k == nil && len(h.apps) < maxApps {
		k = &kept{}
		h.apps[app] = k
	}
	return k
}

// Add considers a call.
func (s *Store) Add(v *Sample) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.at(hourOf(v.At))
	k := h.of(v.App)
	if k == nil {
		return
	}
	k.seen++
	h.dirty = true
	k.addSlow(v)
	if abi.Failed(v.Fault) {
		if len(k.failed) == perKind {
			k.failed = slices.Delete(k.failed, 0, 1)
		}
		k.failed = append(k.failed, *v)
	}
	if len(k.random) < perKind {
		k.random = append(k.random, *v)
	} else if i := rand.Uint64N(k.seen); i < perKind { // Vitter's algorithm R
		k.random[i] = *v
	}
}

func (k *kept) addSlow(v *Sample) {
	if len(k.slow) == perKind {
		if k.slow[perKind-1].micros() >= v.micros() {
			return
		}
		k.slow = k.slow[:perKind-1]
	}
	i, _ := slices.BinarySearchFunc(k.slow, v.micros(), func(s Sample, micros uint64) int { return cmp.Compare(micros, s.micros()) })
	k.slow = slices.Insert(k.slow, i, *v)
}

// list returns the samples of an app, or of all for "". A call that was kept for
// more than one reason is there for the first.
func (h *hour) list(app string) []Sample {
	var all []Sample
	for name, k := range h.apps {
		if app != "" && name != app {
			continue
		}
		for _, kind := range []struct {
			why  string
			list []Sample
		}{{Failed, k.failed}, {Slow, k.slow}, {Random, k.random}} {
			for _, v := range kind.list {
				v.Why, v.Of = kind.why, k.seen
				all = append(all, v)
			}
		}
	}
	return all
}

// Read returns the samples of an app (or of all, for "") in an hour: each call
// once, the last first.
func (s *Store) Read(ctx context.Context, app string, at time.Time) ([]Sample, error) {
	at = hourOf(at)
	s.mu.Lock()
	h := s.hours[at]
	var all []Sample
	if h != nil {
		all = h.list(app)
	}
	s.mu.Unlock()
	if h == nil {
		var err error
		if all, err = s.readFile(ctx, at, app); err != nil {
			return nil, err
		}
	}
	seen := map[string]bool{}
	all = slices.DeleteFunc(all, func(v Sample) bool {
		was := seen[v.ID]
		seen[v.ID] = true
		return was
	})
	slices.SortStableFunc(all, func(a, b Sample) int { return b.At.Compare(a.At) })
	return all, nil
}

// Find returns the sample of a call that ended in the hour of a time, or up to a span earlier.
func (s *Store) Find(ctx context.Context, id string, at time.Time, back time.Duration) (Sample, bool, error) {
	for hour := hourOf(at); !hour.Before(hourOf(at.Add(-back))); hour = hour.Add(-time.Hour) {
		found, err := s.Read(ctx, "", hour)
		if err != nil {
			return Sample{}, false, err
		}
		if i := slices.IndexFunc(found, func(v Sample) bool { return v.ID == id }); i >= 0 {
			return found[i], true, nil
		}
	}
	return Sample{}, false, nil
}

// Run writes each minute, and once more at the end.
func (s *Store) Run(done <-chan struct{}, failed func(error)) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-done:
			if err := s.Flush(); err != nil {
				failed(err)
			}
			return
		case <-tick.C:
			if err := s.Flush(); err != nil {
				failed(err)
			}
		}
	}
}

// Flush writes what changed, and forgets hours that are over and files that are
// too old or too many.
func (s *Store) Flush() error {
	type work struct {
		at   time.Time
		list []Sample
	}
	var write []work
	s.mu.Lock()
	for at, h := range s.hours {
		if h.dirty {
			write = append(write, work{at, h.list("")})
			h.dirty = false
		}
	}
	s.mu.Unlock()
	var errs []error
	for _, w := range write {
		if err := s.writeFile(w.at, w.list); err != nil {
			errs = append(errs, err)
			s.mu.Lock()
			if h := s.hours[w.at]; h != nil {
				h.dirty = true
			}
			s.mu.Unlock()
		}
	}
	s.mu.Lock()
	for at, h := range s.hours {
		// A disk that takes nothing for hours does not fill the memory either.
		if age := s.now().Sub(at); age > 2*time.Hour && !h.dirty || age > 6*time.Hour {
			delete(s.hours, at)
		}
	}
	s.mu.Unlock()
	return errors.Join(append(errs, s.trim())...)
}

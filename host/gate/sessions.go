package gate

import (
	"crypto/sha256"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

// Key is the SHA-256 of a secret: by it sessions are found, in memory and in the state.
type Key [sha256.Size]byte

// keyOf hashes a secret without an allocation. No secret of ours is longer than the buffer.
func keyOf(secret string) (k Key, ok bool) {
	var b [96]byte
	if secret == "" || len(secret) > len(b) {
		return k, false
	}
	return sha256.Sum256(b[:copy(b[:], secret)]), true
}

const (
	shards     = 16
	perShard   = 8192 // sessions; one more, and the shard is read anew
	groupCount = 4096 // of people: those whose names hash alike are forgotten together
)

// sessions remember which sessions may open which door, until a change that concerns their people. It
// holds no pointers, so that the collector does not look at it however many sessions there are.
type sessions struct {
	seed   maphash.Seed
	clock  atomic.Uint64             // counts changes
	groups [groupCount]atomic.Uint64 // when people were last changed, by the clock
	all    [shards]shard
}

type shard struct {
	mu    sync.RWMutex
	known map[Key]known
}

// known is a session that was let in.
type known struct {
	door  uint64 // that it may open
	read  uint64 // when, by the clock, the state was read for it
	until int64  // Unix seconds; 0: for ever
	group uint32 // of its person
}

func newSessions() *sessions { return &sessions{seed: maphash.MakeSeed()} }

func (s *sessions) groupOf(person string) uint32 {
	return uint32(maphash.String(s.seed, person) % groupCount)
}

// mayOpen reports whether a session is known to be let in at a door.
func (s *sessions) mayOpen(k Key, door uint64, now time.Time) bool {
	sh := &s.all[k[0]%shards]
	sh.mu.RLock()
	e, ok := sh.known[k]
	sh.mu.RUnlock()
	return ok && e.door == door && (e.until == 0 || now.Unix() < e.until) && s.groups[e.group].Load() <= e.read
}

// now returns the time by which what is read of the state from here on is to be kept.
func (s *sessions) now() uint64 { return s.clock.Load() }

// keep remembers that a session of a person may open a door, as it was read since.
func (s *sessions) keep(k Key, door, since uint64, person string, until time.Time) {
	e := known{door: door, read: since, group: s.groupOf(person)}
	if !until.IsZero() {
		e.until = until.Unix()
	}
	sh := &s.all[k[0]%shards]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.known == nil || len(sh.known) >= perShard {
		sh.known = map[Key]known{}
	}
	sh.known[k] = e
}

// forget has the sessions of a person read again.
func (s *sessions) forget(person string) {
	s.groups[s.groupOf(person)].Store(s.clock.Add(1))
}

// forgetAll has every session read again.
func (s *sessions) forgetAll() {
	at := s.clock.Add(1)
	for i := range s.groups {
		s.groups[i].Store(at)
	}
}

// number is how many sessions are remembered.
func (s *sessions) number() (n int) {
	for i := range s.all {
		s.all[i].mu.RLock()
		n += len(s.all[i].known)
		s.all[i].mu.RUnlock()
	}
	return n
}

package engine

import (
	"strings"
	"sync"
	"time"

	"github.com/agora-host/agora/host/engine/lines"
)

// sourceLines tell from which lines of source a program's machine code was made.
// The table is read when a trap is explained, and not kept.
type sourceLines struct {
	read func() ([]byte, error) // nil: the module does not say

	mu    sync.Mutex // guards all below
	known map[uint32]string
	reads int       // of the table, within this second
	since time.Time // when this second began
}

const (
	// maxReads is how often a program's table is read in a second: an app that fails
	// all the time, each time elsewhere, is not to be a burden.
	maxReads = 20
	maxKnown = 1024
)

// of returns the lines of offsets in the machine code, "" for what is not known.
func (s *sourceLines) of(offsets []uint32) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := make([]string, len(offsets))
	missing := false
	for i, o := range offsets {
		var ok bool
		found[i], ok = s.known[o]
		missing = missing || !ok
	}
	if !missing || !s.mayRead(time.Now()) {
		return found
	}
	table, err := s.read()
	if err != nil {
		return found
	}
	fresh, err := lines.Find(table, offsets)
	if err != nil {
		return found
	}
	if s.known == nil || len(s.known) > maxKnown {
		s.known = map[uint32]string{}
	}
	for i, o := range offsets {
		s.known[o] = fresh[i]
	}
	return fresh
}

func (s *sourceLines) mayRead(now time.Time) bool {
	if now.Sub(s.since) > time.Second {
		s.since, s.reads = now, 0
	}
	s.reads++
	return s.reads <= maxReads
}

// explain writes the engine's stack trace with the lines of source beside its
// functions, where the module says what they are.
func (p *Program) explain(in *instance, trace string) string {
	frames := strings.Split(trace, "\n\t")
	var at []string
	if in != nil && p.lines.read != nil && len(frames) > 1 {
		at = p.lines.of(in.trace())
	}
	for i := range frames[1:] {
		frame := strings.TrimPrefix(frames[i+1], ".") // instances have no names
		if i < len(at) && at[i] != "" {
			frame += "  " + at[i]
		}
		frames[i+1] = frame
	}
	return strings.Join(frames, "\n\t")
}

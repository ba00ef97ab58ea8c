package engine

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"
	_ "unsafe" // for linkname

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

// of answers the lines of offsets in the machine code, "" for what is not known.
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
		at = p.lines.of(in.stack())
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

// stack answers where each open call of the function that trapped is, as offsets in
// the program's machine code, the innermost first; 0 for what is elsewhere. The
// engine knows that and tells only names; so it is read where the engine
// left it, as shrink does. Where the inside is another, there are no lines, and
// TestLines notices.
func (in *instance) stack() (offsets []uint32) {
	_ = guard(func() error {
		call := reflect.ValueOf(in.called)
		code := inside(call, "parent", "parent", "executables", "executable")
		base, size := uintptr(code.Pointer()), uintptr(code.Len())
		saved := inside(call, "execCtx")
		sp, fp := inside(saved, "stackPointerBeforeGoCall").Pointer(), uintptr(inside(saved, "framePointerBeforeGoCall").Uint())
		stack, top := inside(call, "stack"), uintptr(inside(call, "stackTop").Uint())
		if bottom := stack.Pointer(); sp < bottom || sp > top || top > bottom+uintptr(stack.Len()) {
			return fmt.Errorf("%w: its stack is elsewhere", errNode)
		}
		returns := append([]uintptr{inside(saved, "goCallReturnAddress").Pointer()}, unwindStack(sp, fp, top, nil)...)
		for _, pc := range returns[:len(returns)-1] { // the last leads out of the guest
			offset := uint32(0)
			if pc > base && pc <= base+size {
				offset = uint32(pc - base)
			}
			offsets = append(offsets, offset)
		}
		return nil
	})
	return offsets
}

// inside follows fields by their names. It panics if one is not there.
func inside(v reflect.Value, names ...string) reflect.Value {
	for _, name := range names {
		v = reflect.Indirect(v).FieldByName(name)
	}
	return v
}

// unwindStack finds the return addresses on a guest's stack, as wazero does for its
// stack traces. It knows how each processor's frames look.
//
//go:linkname unwindStack github.com/tetratelabs/wazero/internal/engine/wazevo.unwindStack
func unwindStack(sp, fp, top uintptr, to []uintptr) []uintptr

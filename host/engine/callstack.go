package engine

import (
	"fmt"
	"reflect"
	_ "unsafe" // for linkname
)

// What the engine keeps of a function's calls, and has no words for. It depends on
// wazero's inside, as shrink does.

// An interpreter takes tens of kilobytes of call stack for each call of its own language, so that
// the engine would make a stack larger in each request, and each would be garbage after it. So a
// stack that has grown is kept with its instance, up to a size. The engine makes it larger, up to
// hundreds of megabytes, and never smaller.
const (
	maxStack = 1 << 20
	// smallStack is what a stack may have without being counted: it is as much as the rest of an
	// instance takes.
	smallStack = 64 << 10
)

// beginStack makes an empty call stack for requests.
func (in *instance) beginStack() {
	if in.serve = in.module.ExportedFunction(in.entry); in.serve != nil {
		in.stack, in.called = stackOf(in.serve), nil
	}
}

// keepStack keeps the call stack for the next request, or begins another if it is too large, or
// if the node has no memory for it.
func (in *instance) keepStack() {
	if !in.stack.IsValid() {
		return
	}
	n := int64(in.stack.Len())
	if n <= smallStack {
		n = 0
	}
	if n > maxStack || !in.slot.holdStack(n) {
		in.beginStack()
		in.slot.holdStack(0)
	}
}

// stackOf shows a function's call stack, a slice of bytes; nothing if the inside is another.
func stackOf(f any) reflect.Value {
	if v := reflect.Indirect(reflect.ValueOf(f)); v.Kind() == reflect.Struct {
		if stack := v.FieldByName("stack"); stack.Kind() == reflect.Slice {
			return stack
		}
	}
	return reflect.Value{}
}

// trace returns where each open call of the function that trapped is, as offsets in
// the program's machine code, the innermost first; 0 for what is elsewhere. The
// engine knows that and tells only names; so it is read where the engine
// left it, as shrink does. Where the inside is another, there are no lines, and
// TestLines notices.
func (in *instance) trace() (offsets []uint32) {
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

package wasm

import "unicode/utf8"

// Segment is data that lies at a constant place in memory when a module is instantiated.
type Segment struct {
	At    uint32
	Bytes []byte
}

// TakeApart divides a module into its data and all that its code is compiled from: code, the other
// sections and the custom sections that tell of them, each as it stands in the module. Modules with
// the same code are the same but for their data. ok is false where data is more than what memory
// begins with: where instructions name a segment, where its place is no constant, or where it does not
// fit into the memory, so that instantiating the module traps. It is false for much that Parse
// refuses, too, and whatever Parse refuses of the data.
//
// It is for modules whose code was or will be parsed: of that it reads nothing. Both results alias
// module.
func TakeApart(module []byte) (code [][]byte, data []Segment, ok bool) {
	bounds := DefaultBounds()
	if preamble(module, bounds) != nil {
		return nil, nil, false
	}
	r := &reader{b: module, p: 8}
	memory, behind := uint64(0), false // bytes that memory begins with; the data is behind us
	for r.rest() > 0 && r.err == nil {
		start := r.p
		id := r.byte()
		s := &reader{b: r.bytes(r.u32())}
		switch {
		case r.err != nil, id == 12, id != 0 && behind: // 12: the count of segments, for instructions
			return nil, nil, false
		case id == 0 && !describes(s):
			continue
		case id == 5:
			memory = s.memoryMin()
		case id == 11:
			data, behind = s.segments(bounds.DataSegments, memory), true
			if r.err = s.err; s.rest() > 0 {
				return nil, nil, false
			}
			continue
		}
		code = append(code, module[start:r.p:r.p])
	}
	return code, data, r.err == nil
}

// describes reports whether a custom section tells of code, or is malformed.
func describes(s *reader) bool {
	name := string(s.bytes(s.u32()))
	return s.err != nil || !utf8.ValidString(name) || name == "name" || len(name) > 0 && name[0] == '.'
}

// memoryMin reads the size of the one memory from its section, in bytes; 0 for what Parse refuses.
func (r *reader) memoryMin() uint64 {
	if r.u32() != 1 {
		return 0
	}
	if l := r.limits(); r.err == nil && l.Min <= MaxMemoryPages {
		return uint64(l.Min) << 16
	}
	return 0
}

// segments reads a data section. It fails for a segment that is not active, whose place is no
// constant, or that ends behind size.
func (r *reader) segments(limit int, size uint64) []Segment {
	n := r.count(limit, manySegments)
	if n > 0 && size == 0 {
		r.fail("there is no memory")
	}
	all := make([]Segment, 0, n)
	for range n {
		switch r.u32() {
		case 0:
		case 2:
			if r.u32() != 0 {
				r.fail("is of another memory")
			}
		default:
			r.fail("is not active")
		}
		s := Segment{At: r.constant()}
		s.Bytes = r.bytes(r.u32())
		if uint64(s.At)+uint64(len(s.Bytes)) > size {
			r.fail("ends behind the memory")
		}
		if r.err != nil {
			return nil
		}
		all = append(all, s)
	}
	return all
}

// constant reads an expression that is one i32.const.
func (r *reader) constant() uint32 {
	if r.byte() != OpI32Const {
		r.fail("is no constant")
	}
	start := r.p
	v := r.leb(32, true)
	if sign := uint(7 * (r.p - start)); r.err == nil && sign < 32 && v>>(sign-1)&1 == 1 {
		v |= ^uint64(0) << sign
	}
	if r.byte() != OpEnd {
		r.fail("is no constant")
	}
	return uint32(v)
}

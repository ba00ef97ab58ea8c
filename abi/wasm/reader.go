package wasm

import (
	"fmt"
	"unicode/utf8"
)

// reader is a cursor over untrusted bytes. The first error sticks, and from
// then on every read returns zero: callers check once for each item of a list.
type reader struct {
	b       []byte
	base    int // offset of b[0] in the module
	p       int
	section string
	err     error
}

func (r *reader) fail(format string, args ...any) {
	r.failed(Error{Msg: fmt.Sprintf(format, args...)})
}

// failed ends reading with e, at the place where the reader is; the first failure stays.
func (r *reader) failed(e Error) {
	if r.err == nil {
		e.Offset, e.Section = r.base+r.p, r.section
		r.err, r.p = &e, len(r.b)
	}
}

func (r *reader) rest() int { return len(r.b) - r.p }

func (r *reader) byte() byte {
	if r.p >= len(r.b) {
		r.fail("ends too early")
		return 0
	}
	c := r.b[r.p]
	r.p++
	return c
}

func (r *reader) bytes(n uint32) []byte {
	if int64(n) > int64(r.rest()) {
		r.fail("ends too early")
		return nil
	}
	b := r.b[r.p : r.p+int(n) : r.p+int(n)]
	r.p += int(n)
	return b
}

// u32 reads an unsigned LEB128 integer (spec 5.2.2): at most 5 bytes, no bits
// beyond the 32nd.
func (r *reader) u32() uint32 { return uint32(r.leb(32, false)) }

// leb reads an integer of the given width. For a signed one the value is not
// returned sign-extended: only its length and form matter here.
func (r *reader) leb(width uint, signed bool) uint64 {
	var v uint64
	for shift := uint(0); ; shift += 7 {
		if shift >= width {
			r.fail("an integer has too many bytes")
			return 0
		}
		c := r.byte()
		if r.err != nil {
			return 0
		}
		v |= uint64(c&0x7f) << shift
		if left := width - shift; left < 7 && !unusedBitsFit(c, left, signed) {
			r.fail("an integer is out of range")
			return 0
		}
		if c < 0x80 {
			return v
		}
	}
}

// unusedBitsFit reports whether the bits of a last byte beyond the integer's
// width are zero or, for a signed integer, its sign.
func unusedBitsFit(c byte, left uint, signed bool) bool {
	unused := c & 0x7f >> left
	all := byte(0x7f) >> left
	if !signed {
		return unused == 0
	}
	if c>>(left-1)&1 == 1 {
		return unused == all
	}
	return unused == 0
}

// count reads the length of a list whose items take at least one byte each, so
// that nothing is allocated for items that cannot be there.
func (r *reader) count(limit int, e excess) int {
	n := r.u32()
	if r.beyond(uint64(n), uint64(limit), e) {
		return 0
	}
	if int64(n) > int64(r.rest()) {
		r.fail("ends too early")
		return 0
	}
	return int(n)
}

func (r *reader) name() string {
	b := r.bytes(r.u32())
	if !utf8.Valid(b) {
		r.fail("a name is not UTF-8")
		return ""
	}
	return string(b)
}

func (r *reader) valType() ValType {
	t := ValType(r.byte())
	switch t {
	case I32, I64, F32, F64, V128, FuncRef, ExternRef:
	default:
		r.featureOr(featureOfType(byte(t)), "type 0x%02x is not known", byte(t))
	}
	return t
}

func (r *reader) refType() ValType {
	t := ValType(r.byte())
	if t != FuncRef && t != ExternRef {
		r.featureOr(featureOfType(byte(t)), "reference type 0x%02x is not known", byte(t))
	}
	return t
}

func (r *reader) limits() Limits {
	var l Limits
	switch flag := r.byte(); flag {
	case 0:
		l.Min = r.u32()
	case 1:
		l.Min, l.HasMax = r.u32(), true
		l.Max = r.u32()
		if l.Max < l.Min {
			r.fail("a maximum is below its minimum")
		}
	default:
		r.featureOr(featureOfLimits(flag), "limits of kind 0x%02x are not known", flag)
	}
	return l
}

package fueltest

import (
	"math"
	"math/bits"

	"github.com/agora-host/agora/abi/wasm"
)

// numeric runs an instruction that computes (spec 4.3). Values of all types are
// their bits in a uint64, the upper half of 32-bit types zero.
func (v *Machine) numeric(in *instruction) {
	switch op := in.op; {
	case op == wasm.OpPrefixFC:
		v.push(saturating(in.sub, v.pop()))
	case op == 0x45:
		v.push(boolean(v.pop32() == 0))
	case op <= 0x4f:
		b, a := v.pop32(), v.pop32()
		v.push(boolean(compareInts(op-0x46, uint64(a), uint64(b), int64(int32(a)), int64(int32(b)))))
	case op == 0x50:
		v.push(boolean(v.pop() == 0))
	case op <= 0x5a:
		b, a := v.pop(), v.pop()
		v.push(boolean(compareInts(op-0x51, a, b, int64(a), int64(b))))
	case op <= 0x60:
		b, a := f32(v.pop()), f32(v.pop())
		v.push(boolean(compareFloats(op-0x5b, float64(a), float64(b))))
	case op <= 0x66:
		b, a := f64(v.pop()), f64(v.pop())
		v.push(boolean(compareFloats(op-0x61, a, b)))
	case op <= 0x69:
		v.push(uint64(countBits32(op-0x67, v.pop32())))
	case op <= 0x78:
		b, a := v.pop32(), v.pop32()
		v.push(uint64(int32s(op-0x6a, a, b)))
	case op <= 0x7b:
		v.push(uint64(countBits64(op-0x79, v.pop())))
	case op <= 0x8a:
		b, a := v.pop(), v.pop()
		v.push(int64s(op-0x7c, a, b))
	case op <= 0x91:
		v.push(unary32(op-0x8b, v.pop()))
	case op <= 0x98:
		b, a := v.pop(), v.pop()
		v.push(binary32(op-0x92, a, b))
	case op <= 0x9f:
		v.push(unary64(op-0x99, v.pop()))
	case op <= 0xa6:
		b, a := v.pop(), v.pop()
		v.push(binary64(op-0xa0, a, b))
	default:
		v.push(convert(op, v.pop()))
	}
}

func f32(x uint64) float32    { return math.Float32frombits(uint32(x)) }
func f64(x uint64) float64    { return math.Float64frombits(x) }
func of32(x float32) uint64   { return uint64(math.Float32bits(x)) }
func of64(x float64) uint64   { return math.Float64bits(x) }
func ofInt32(x int32) uint64  { return uint64(uint32(x)) }
func narrow(x float64) uint64 { return of32(float32(x)) }

// compareInts: eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u.
func compareInts(op byte, a, b uint64, sa, sb int64) bool {
	switch op {
	case 0:
		return a == b
	case 1:
		return a != b
	case 2:
		return sa < sb
	case 3:
		return a < b
	case 4:
		return sa > sb
	case 5:
		return a > b
	case 6:
		return sa <= sb
	case 7:
		return a <= b
	case 8:
		return sa >= sb
	}
	return a >= b
}

// compareFloats: eq ne lt gt le ge.
func compareFloats(op byte, a, b float64) bool {
	return [...]bool{a == b, a != b, a < b, a > b, a <= b, a >= b}[op]
}

// countBits32: clz ctz popcnt.
func countBits32(op byte, x uint32) int {
	return [...]int{bits.LeadingZeros32(x), bits.TrailingZeros32(x), bits.OnesCount32(x)}[op]
}

func countBits64(op byte, x uint64) int {
	return [...]int{bits.LeadingZeros64(x), bits.TrailingZeros64(x), bits.OnesCount64(x)}[op]
}

// int32s: add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr.
func int32s(op byte, a, b uint32) uint32 {
	if op >= 3 && op <= 6 && b == 0 {
		panic(DivideByZero)
	}
	switch op {
	case 3:
		if int32(a) == math.MinInt32 && int32(b) == -1 {
			panic(Overflow)
		}
		return uint32(int32(a) / int32(b))
	case 4:
		return a / b
	case 5:
		if int32(b) == -1 {
			return 0
		}
		return uint32(int32(a) % int32(b))
	case 6:
		return a % b
	case 11:
		return uint32(int32(a) >> (b & 31))
	case 12:
		return a >> (b & 31)
	case 13:
		return bits.RotateLeft32(a, int(b&31))
	case 14:
		return bits.RotateLeft32(a, -int(b&31))
	case 10:
		return a << (b & 31)
	}
	return uint32(int64s(op, uint64(a), uint64(b)))
}

func int64s(op byte, a, b uint64) uint64 {
	if op >= 3 && op <= 6 && b == 0 {
		panic(DivideByZero)
	}
	switch op {
	case 0:
		return a + b
	case 1:
		return a - b
	case 2:
		return a * b
	case 3:
		if int64(a) == math.MinInt64 && int64(b) == -1 {
			panic(Overflow)
		}
		return uint64(int64(a) / int64(b))
	case 4:
		return a / b
	case 5:
		if int64(b) == -1 {
			return 0
		}
		return uint64(int64(a) % int64(b))
	case 6:
		return a % b
	case 7:
		return a & b
	case 8:
		return a | b
	case 9:
		return a ^ b
	case 10:
		return a << (b & 63)
	case 11:
		return uint64(int64(a) >> (b & 63))
	case 12:
		return a >> (b & 63)
	case 13:
		return bits.RotateLeft64(a, int(b&63))
	}
	return bits.RotateLeft64(a, -int(b&63))
}

// unary32: abs neg ceil floor trunc nearest sqrt.
func unary32(op byte, x uint64) uint64 {
	switch op {
	case 0:
		return x &^ (1 << 31)
	case 1:
		return x ^ 1<<31
	}
	return narrow(round(op, float64(f32(x))))
}

func unary64(op byte, x uint64) uint64 {
	switch op {
	case 0:
		return x &^ (1 << 63)
	case 1:
		return x ^ 1<<63
	}
	return of64(round(op, f64(x)))
}

func round(op byte, x float64) float64 {
	switch op {
	case 2:
		return math.Ceil(x)
	case 3:
		return math.Floor(x)
	case 4:
		return math.Trunc(x)
	case 5:
		return math.RoundToEven(x)
	}
	return math.Sqrt(x)
}

// binary32: add sub mul div min max copysign. A double holds the exact sum or
// product of two floats, or enough of it that rounding twice is rounding once.
func binary32(op byte, a, b uint64) uint64 {
	x, y := f32(a), f32(b)
	switch op {
	case 0:
		return of32(x + y)
	case 1:
		return of32(x - y)
	case 2:
		return of32(x * y)
	case 3:
		return of32(x / y)
	case 6:
		return a&^(1<<31) | b&(1<<31)
	}
	return narrow(extreme(op, float64(x), float64(y)))
}

func binary64(op byte, a, b uint64) uint64 {
	x, y := f64(a), f64(b)
	switch op {
	case 0:
		return of64(x + y)
	case 1:
		return of64(x - y)
	case 2:
		return of64(x * y)
	case 3:
		return of64(x / y)
	case 6:
		return a&^(1<<63) | b&(1<<63)
	}
	return of64(extreme(op, x, y))
}

func extreme(op byte, x, y float64) float64 {
	switch {
	case math.IsNaN(x) || math.IsNaN(y):
		return math.NaN()
	case op == 4:
		return min(x, y)
	}
	return max(x, y)
}

// convert runs the instructions from 0xa7 on.
func convert(op byte, x uint64) uint64 {
	switch op {
	case 0xa7, 0xad, 0xbc, 0xbd, 0xbe, 0xbf: // wrap, extend_i32_u, reinterpret
		if op == 0xa7 {
			return uint64(uint32(x))
		}
		return x
	case 0xa8, 0xa9, 0xaa, 0xab:
		return truncate(op&1 == 0, true, float(op >= 0xaa, x))
	case 0xae, 0xaf, 0xb0, 0xb1:
		return truncate(op&1 == 0, false, float(op >= 0xb0, x))
	case 0xac, 0xc4:
		return uint64(int64(int32(x)))
	case 0xb2:
		return of32(float32(int32(x)))
	case 0xb3:
		return of32(float32(uint32(x)))
	case 0xb4:
		return of32(float32(int64(x)))
	case 0xb5:
		return of32(float32(x))
	case 0xb6:
		return narrow(f64(x))
	case 0xb7:
		return of64(float64(int32(x)))
	case 0xb8:
		return of64(float64(uint32(x)))
	case 0xb9:
		return of64(float64(int64(x)))
	case 0xba:
		return of64(float64(x))
	case 0xbb:
		return of64(float64(f32(x)))
	case 0xc0:
		return ofInt32(int32(int8(x)))
	case 0xc1:
		return ofInt32(int32(int16(x)))
	case 0xc2:
		return uint64(int64(int8(x)))
	}
	return uint64(int64(int16(x))) // 0xc3
}

func float(double bool, x uint64) float64 {
	if double {
		return f64(x)
	}
	return float64(f32(x))
}

// limits of a truncation: the results are above low-1 and below high.
func truncationLimits(signed, word bool) (low, high float64) {
	switch {
	case signed && word:
		return -1 << 31, 1 << 31
	case signed:
		return -1 << 63, 1 << 63
	case word:
		return 0, 1 << 32
	}
	return 0, 1 << 64
}

func truncate(signed, word bool, x float64) uint64 {
	low, high := truncationLimits(signed, word)
	if math.IsNaN(x) {
		panic(InvalidConversion)
	}
	if x = math.Trunc(x); x < low || x >= high {
		panic(Overflow)
	}
	return whole(signed, word, x)
}

// saturating: i32 from f32 s u, f64 s u; i64 from f32 s u, f64 s u.
func saturating(sub uint32, bits uint64) uint64 {
	signed, word := sub&1 == 0, sub < 4
	x := float(sub&2 != 0, bits)
	low, high := truncationLimits(signed, word)
	switch {
	case math.IsNaN(x):
		return 0
	case x < low:
		x = low
	case x >= high:
		switch {
		case signed && word:
			return math.MaxInt32
		case signed:
			return math.MaxInt64
		case word:
			return math.MaxUint32
		}
		return math.MaxUint64
	}
	return whole(signed, word, math.Trunc(x))
}

func whole(signed, word bool, x float64) uint64 {
	switch {
	case signed && word:
		return ofInt32(int32(x))
	case signed:
		return uint64(int64(x))
	}
	if x >= 1<<63 {
		return uint64(int64(x-1<<63)) ^ 1<<63
	}
	return uint64(int64(x))
}

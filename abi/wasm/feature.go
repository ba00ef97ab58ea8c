package wasm

import "fmt"

// Feature is a proposal to WebAssembly beyond version 2.0, by the name that its authors use. A
// module that uses one may be valid; it is not run here.
type Feature string

// The proposals that are recognised, by the forms that they add to the binary format
// (WebAssembly/proposals; core specification 3.0, chapter 5).
const (
	Exceptions         Feature = "exception handling"
	ExtendedConst      Feature = "extended constant expressions"
	GC                 Feature = "garbage collection"
	FunctionReferences Feature = "typed function references"
	StackSwitching     Feature = "stack switching"
	RelaxedSIMD        Feature = "relaxed SIMD"
	HalfPrecision      Feature = "half-precision floats"
	Threads            Feature = "threads"
	Memory64           Feature = "memory64"
	MultiMemory        Feature = "multiple memories"
	TailCalls          Feature = "tail calls"
	WideArithmetic     Feature = "wide arithmetic"
	StringReferences   Feature = "string references"
	CustomPageSizes    Feature = "custom page sizes"
)

// Features lists all of them.
func Features() []Feature {
	return []Feature{
		Exceptions, ExtendedConst, GC, FunctionReferences, StackSwitching, RelaxedSIMD, HalfPrecision, Threads,
		Memory64, MultiMemory, TailCalls, WideArithmetic, StringReferences, CustomPageSizes,
	}
}

func (r *reader) feature(f Feature) {
	r.failed(Error{Feature: f, Msg: fmt.Sprintf("it uses %s, a feature of WebAssembly that is not run here", f)})
}

// featureOr fails for a feature, or as a fault in the module's form if there is none.
func (r *reader) featureOr(f Feature, format string, args ...any) {
	if f != "" {
		r.feature(f)
		return
	}
	r.fail(format, args...)
}

// featureOfSection says which proposal adds a section.
func featureOfSection(id byte) Feature {
	switch id {
	case 13: // tags
		return Exceptions
	case 14:
		return StringReferences
	}
	return ""
}

// featureOfType says which proposal adds a value type or a form of types.
func featureOfType(t byte) Feature {
	switch t {
	case 0x5f, 0x5e, 0x50, 0x4f, 0x4e, 0x4d, 0x4c, // struct, array, sub, final, rec, descriptors
		0x6e, 0x6d, 0x6c, 0x6b, 0x6a, 0x71, 0x72, 0x73, 0x78, 0x77: // any, eq, i31, struct, array, none …, packed fields
		return GC
	case 0x64, 0x63: // ref, ref null
		return FunctionReferences
	case 0x69, 0x74: // exn, noexn
		return Exceptions
	case 0x5d, 0x68, 0x75: // cont, nocont
		return StackSwitching
	case 0x67, 0x66, 0x65, 0x62, 0x61: // string and its views
		return StringReferences
	}
	return ""
}

// featureOfKind says which proposal adds a kind of imports and exports.
func featureOfKind(k Kind) Feature {
	if k == 4 { // tags
		return Exceptions
	}
	return ""
}

// featureOfOp says which proposal adds an instruction of one byte, or a prefix.
func featureOfOp(op byte) Feature {
	switch op {
	case 0x06, 0x07, 0x08, 0x09, 0x0a, 0x18, 0x19, 0x1f: // try, catch, throw …, try_table
		return Exceptions
	case 0x12, 0x13, 0x15: // return_call, return_call_indirect, return_call_ref
		return TailCalls
	case 0x14, 0xd4, 0xd5, 0xd6: // call_ref, ref.as_non_null, br_on_null, br_on_non_null
		return FunctionReferences
	case 0xd3, 0xfb: // ref.eq, prefix
		return GC
	case 0xe0, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6: // cont.new … switch
		return StackSwitching
	case 0xfe: // atomics
		return Threads
	}
	return ""
}

// featureOfSub says which proposal adds an instruction after a prefix.
func featureOfSub(prefix byte, sub uint32) Feature {
	switch {
	case prefix == OpPrefixFC && sub >= 19 && sub <= 22:
		return WideArithmetic
	case prefix == OpPrefixFD && sub >= 0x100 && sub < 0x120:
		return RelaxedSIMD
	case prefix == OpPrefixFD && sub >= 0x120 && sub < 0x160:
		return HalfPrecision
	}
	return ""
}

// featureOfConstant says which proposal lets an instruction stand in a constant expression.
func featureOfConstant(in Instr) Feature {
	switch in.Op {
	case OpI32Add, OpI32Sub, OpI32Mul, OpI64Add, OpI64Sub, OpI64Mul:
		return ExtendedConst
	}
	return ""
}

// featureOfLimits says which proposal adds a flag to limits.
func featureOfLimits(flags byte) Feature {
	switch {
	case flags&8 != 0 && flags < 16:
		return CustomPageSizes
	case flags&4 != 0 && flags < 8:
		return Memory64
	case flags&2 != 0 && flags < 4:
		return Threads
	}
	return ""
}

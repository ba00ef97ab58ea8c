package wasm

import "fmt"

// Bounds limit what a module may contain, to what it costs to read and to compile. They leave
// room for what the standard toolchains emit: a JavaScript engine of 13 MB, a Go program with
// net/http, an interpreter that a C compiler did not optimise.
type Bounds struct {
	Module         int // bytes
	Types          int
	Imports        int
	Functions      int
	Globals        int
	MutableGlobals int // each is reloaded around calls in compiled code
	Exports        int
	Tables         int
	TableElements  uint32 // in a table's minimum
	Elements       int    // in all element segments together
	DataSegments   int    // what engines have in common; Go's linker stops there
	Locals         uint32 // in one function, parameters not counted
	AllLocals      int    // in all functions together: a few bytes declare thousands
	Body           int    // bytes of one function
	BranchTable    int    // labels of one br_table
	Params         int    // parameters or results of one signature
	Nesting        int    // blocks within blocks
	Loops          int    // loops within loops: compilers take the square of it
	Blocks         int    // of one function: compilers take the square of it
	LocalBlocks    int    // locals times blocks of one function: what a compiler keeps to know each local's value in each block
}

// DefaultBounds are the bounds for an upload.
func DefaultBounds() Bounds {
	return Bounds{
		Module: 64 << 20, Types: 5_000, Imports: 1_000, Functions: 200_000, Globals: 20_000, MutableGlobals: 128,
		Exports: 20_000, Tables: 16, TableElements: 65_536, Elements: 1_000_000, DataSegments: 100_000,
		Locals: 16_000, AllLocals: 4_000_000, Body: 2 << 20, BranchTable: 20_000, Params: 64,
		Nesting: 5_000, Loops: 2_000, Blocks: 20_000, LocalBlocks: 64_000_000,
	}
}

// Unbounded are bounds for what was judged before it was rewritten.
func Unbounded() Bounds {
	const most = 1 << 30
	return Bounds{
		Module: most, Types: most, Imports: most, Functions: most, Globals: most, MutableGlobals: most,
		Exports: most, Tables: most, TableElements: most, Elements: most, DataSegments: most,
		Locals: most, AllLocals: most, Body: most, BranchTable: most, Params: most,
		Nesting: most, Loops: most, Blocks: most, LocalBlocks: 1 << 60,
	}
}

// excess is a bound as a module's author is told of it: what there is too much of, and what makes
// so much of it, with what helps.
type excess struct{ what, advice string }

var (
	manyBytes    = excess{"bytes in the module", "strip it of names and debug information, and keep data among static files"}
	manyTypes    = excess{"types", "generated bindings make one for each signature: link fewer of them, with link-time optimisation"}
	manyImports  = excess{"imports", "generated bindings declare what is never called: link with removal of what is not used (wasm-ld does it by itself; wasm-opt --remove-unused-module-elements)"}
	manyFuncs    = excess{"functions", "templates and generics make copies: link fewer libraries, with link-time optimisation and optimisation for size"}
	manyGlobals  = excess{"globals", "dynamic linking makes one for each symbol: link statically, without -shared, -sMAIN_MODULE and -fPIC"}
	manyMutable  = excess{"mutable globals", "each is loaded anew after each call; dynamic linking makes one for each symbol: link statically, without -shared, -sMAIN_MODULE and -fPIC"}
	manyExports  = excess{"exports", "--export-all and -C link-dead-code make them: export what the node calls alone"}
	manyTables   = excess{"tables", "a toolchain needs one: link statically"}
	largeTable   = excess{"elements in a table", "it has one for each function whose address is taken: link fewer libraries, with link-time optimisation"}
	manyElements = excess{"elements in all segments", "there is one for each function whose address is taken: link fewer libraries, with link-time optimisation"}
	manySegments = excess{"data segments", "linkers make one for each run of bytes that are not zero: keep large tables and files among static files, or compress them in the program"}
	manyLocals   = excess{"local variables in one function", "a compiler that does not optimise makes one for each value in between: build with optimisation (-O1 and higher; opt-level = 1 and higher), or split the function"}
	allLocals    = excess{"local variables in all functions", "a compiler that does not optimise makes one for each value in between: build with optimisation (-O1 and higher; opt-level = 1 and higher)"}
	largeBody    = excess{"bytes in one function", "generated code and inlining make such functions: split it, keep its tables in data, or build with optimisation for size (-Os; opt-level = \"s\")"}
	manyLabels   = excess{"branches of one br_table", "a switch has one for each value between its least and its greatest case: look the cases up in a table instead"}
	manyParams   = excess{"parameters or results of one function", "pass a pointer to a structure"}
	deepBlocks   = excess{"blocks within blocks", "a switch or a state machine has one for each case, and Go one for each call in a function: split the function, or build with optimisation for size (-Os; opt-level = \"s\")"}
	deepLoops    = excess{"loops within loops", "generated code makes such functions: split it"}
	manyBlocks   = excess{"blocks in one function", "generated code and inlining make such functions, and compiling takes the square of it: split it, or build with optimisation for size (-Os; opt-level = \"s\")"}
	localBlocks  = excess{"(local variables times blocks) in one function", "a large function that was not optimised has them, and compiling follows each variable through each block: build with optimisation (-O1 and higher; opt-level = 1 and higher), or split the function"}
)

// beyond fails if n of something are more than a bound.
func (r *reader) beyond(n, limit uint64, e excess) bool {
	if n <= limit {
		return false
	}
	r.failed(Error{Bound: true, Msg: e.text(n, limit)})
	return true
}

func (e excess) text(n, limit uint64) string {
	return fmt.Sprintf("%d %s are more than the %d that are allowed: %s", n, e.what, limit, e.advice)
}

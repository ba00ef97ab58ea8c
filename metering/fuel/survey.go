package fuel

import (
	"encoding/binary"
	"iter"
	"maps"
	"slices"

	"github.com/agora-host/agora/abi/wasm"
)

// segment is a straight line of code.
type segment struct {
	at   int // offset of its first instruction
	cost uint64
	// exact: it calls or may trap, and then the count must be right. What it
	// costs is taken before its first instruction, all of it and no more.
	exact bool
	check bool // ask the host here if nothing is left
	loops int  // how many loops it is in
	loop  int  // the innermost, or -1

	in, out      class // where it begins and ends, see placement
	enter, leave class // the same before any class was settled

	charge int64 // what is taken at its beginning, see place
	owed   int64 // what it leaves to its successors to take

	reads, keeps bool // it reads what is left from the local, and sets it: see hold
}

// loop is what is known about a loop.
type loop struct {
	from, to int      // its segments, without the last
	entry    segment  // of no length, in front of it: what is taken from those who come from outside
	calls    bool     // something in it calls
	renew    []uint32 // if it does not call: the locals it may carry from turn to turn, see emitter.renew
}

// shortLeaf is the most units of a function that does not ask at its entry.
const shortLeaf = 32

// facts are what is known about every body before one is rewritten.
type facts struct {
	calls   bool // it calls: its depth is counted
	scratch bool // it has bulk operations, which need scratch locals
	traces  bool // it changes state other than memory, globals and locals
}

func (f *facts) note(in wasm.Instr) {
	f.calls = f.calls || in.Op == wasm.OpCall || in.Op == wasm.OpCallIndirect
	f.scratch = f.scratch || bulk(in) != bulkNone
	f.traces = f.traces || leavesTraces(in)
}

// look finds the facts of a body.
func look(code []byte) (f facts, err error) {
	c := wasm.NewCode(code, codeBounds())
	var in wasm.Instr
	for c.Next(&in) {
		f.note(in)
	}
	return f, c.Err()
}

// plan is how a body is rewritten. It is large, and made for one body at a time.
type plan struct {
	facts
	segments []segment
	loops    []loop // in the order of their beginnings
	total    uint64 // of all segments
}

// bounds for code that was accepted once: only its form matters again.
func codeBounds() wasm.Bounds { return wasm.DefaultBounds() }

// survey cuts a body into segments and decides what each is charged by a table.
func survey(code []byte, table Table) plan {
	s := surveyor{flow: newPlacement(), table: table}
	s.begin(0, settled, true)
	c := wasm.NewCode(code, codeBounds())
	var in wasm.Instr
	for c.Next(&in) {
		s.take(in)
		s.locals(in)
		s.flows(in, code[in.Start:in.End])
	}
	s.relax()
	s.flow.place(s.edges())
	s.hold(len(s.flow.parent))
	return s.plan
}

// relax takes the check from entries that need none.
func (s *surveyor) relax() {
	first := &s.segments[0]
	// A short function that calls no other and repeats nothing is over before it
	// matters: whoever calls it asks often enough.
	short := s.total <= shortLeaf && !s.calls && len(s.loops) == 0 && !s.scratch
	// The head of a loop comes next, and it asks.
	next := len(s.segments) > 1 && s.segments[1].check && first.cost <= shortLeaf && !first.exact
	first.check = !short && !next
}

// surveyor walks through a body.
type surveyor struct {
	plan
	table    Table
	flow     *placement
	straight uint64  // units since the last check
	open     []scope // blocks, innermost last
	inside   []visit // loops, innermost last
}

// scope is an open block.
type scope struct {
	label class // where branches to it arrive
	arms  class // of an if: where its arms begin
	op    byte
}

// visit is an open loop.
type visit struct {
	index int               // in plan.loops
	seen  map[uint32]access // locals; nil when it calls
}

type access byte

const (
	readFirst access = 1 << iota // before it is written, in the order of the text
	written
)

// begin opens a segment.
func (s *surveyor) begin(at int, in class, check bool) {
	s.segments = append(s.segments, segment{at: at, check: check, in: in, out: settled, loops: len(s.inside), loop: s.innermost()})
}

func (s *surveyor) last() *segment { return &s.segments[len(s.segments)-1] }

// take adds an instruction to the segment that is open.
func (s *surveyor) take(in wasm.Instr) {
	last, units := s.last(), s.table.cost(in)
	last.cost += units
	last.exact = last.exact || !harmless(in)
	s.straight += units
	s.total += units
	s.note(in)
	if in.Op == wasm.OpCall || in.Op == wasm.OpCallIndirect {
		for i := len(s.inside) - 1; i >= 0 && s.inside[i].seen != nil; i-- {
			s.inside[i].seen = nil
		}
	}
}

// locals notes how the innermost loop uses a local.
func (s *surveyor) locals(in wasm.Instr) {
	if len(s.inside) == 0 {
		return
	}
	switch in.Op {
	case wasm.OpLocalGet:
		s.inside[len(s.inside)-1].use(in.Index, readFirst)
	case wasm.OpLocalSet, wasm.OpLocalTee:
		s.inside[len(s.inside)-1].use(in.Index, written)
	}
}

// use adds a later use of a local.
func (v visit) use(local uint32, a access) {
	if v.seen == nil {
		return
	}
	if before, ok := v.seen[local]; ok {
		a = before | a&written
	}
	v.seen[local] = a
}

// flows ends the segment if an instruction does, and opens the next. It tells
// placement how code flows between them.
func (s *surveyor) flows(in wasm.Instr, raw []byte) {
	if in.Op == wasm.OpBlock {
		s.open = append(s.open, scope{op: in.Op, label: s.flow.class()})
	}
	if !ends(in) {
		if s.straight > MaxStraightLine {
			next := s.flow.class()
			s.cut(in.End, next, next, true)
		}
		return
	}
	end := s.flow.class() // where the segment ends
	next := end           // where the next begins
	switch in.Op {
	case wasm.OpLoop:
		next = s.enterLoop(end)
	case wasm.OpIf:
		s.open = append(s.open, scope{op: in.Op, arms: end, label: s.flow.class()})
	case wasm.OpElse:
		top := &s.open[len(s.open)-1]
		s.flow.same(end, top.label)
		next, top.op = top.arms, in.Op
	case wasm.OpEnd:
		next = s.close(end)
		end = next
	case wasm.OpBrIf:
		s.flow.same(end, s.label(in.Index))
	case wasm.OpBr:
		end = s.label(in.Index)
	case wasm.OpBrTable:
		for l := range labels(raw) {
			s.flow.same(end, s.label(l))
		}
		next = s.flow.class()
	case wasm.OpReturn, wasm.OpUnreachable:
		end = settled
	case wasm.OpCall, wasm.OpCallIndirect:
		end, next = settled, settled
	}
	s.cut(in.End, end, next, in.Op == wasm.OpLoop || s.straight > MaxStraightLine)
}

// ends reports whether a segment ends after an instruction.
func ends(in wasm.Instr) bool {
	switch in.Op {
	case wasm.OpLoop, wasm.OpIf, wasm.OpElse, wasm.OpEnd, wasm.OpBr, wasm.OpBrIf, wasm.OpBrTable, wasm.OpReturn,
		wasm.OpUnreachable, wasm.OpCall, wasm.OpCallIndirect:
		return true
	}
	return false
}

// cut ends the segment in one class and begins the next in another.
func (s *surveyor) cut(at int, end, next class, check bool) {
	if check {
		s.straight = 0
	}
	if s.last().exact {
		s.flow.settle(end)
	}
	s.last().out = end
	s.begin(at, next, check)
}

// enterLoop opens a loop. It returns where its head begins, to which branches
// come back: that is not where the segment before it ends.
func (s *surveyor) enterLoop(before class) class {
	head := s.flow.class()
	s.open = append(s.open, scope{op: wasm.OpLoop, label: head})
	s.loops = append(s.loops, loop{from: len(s.segments), entry: segment{in: before, out: head, loops: len(s.inside), loop: s.innermost()}})
	s.inside = append(s.inside, visit{index: len(s.loops) - 1, seen: map[uint32]access{}})
	return head
}

// innermost is the loop that is open, or -1.
func (s *surveyor) innermost() int {
	if n := len(s.inside); n > 0 {
		return s.inside[n-1].index
	}
	return -1
}

// edges are all segments, those in front of loops too.
func (p *plan) edges() []*segment {
	all := make([]*segment, 0, len(p.segments)+len(p.loops))
	for i := range p.segments {
		all = append(all, &p.segments[i])
	}
	for i := range p.loops {
		all = append(all, &p.loops[i].entry)
	}
	return all
}

// close leaves the innermost block. It returns where the code behind it begins.
func (s *surveyor) close(end class) class {
	if len(s.open) == 0 {
		return settled // the function's own
	}
	top := s.open[len(s.open)-1]
	s.open = s.open[:len(s.open)-1]
	switch top.op {
	case wasm.OpLoop:
		s.leaveLoop()
		return end
	case wasm.OpIf:
		s.flow.same(top.arms, top.label) // there is no else
	}
	s.flow.same(end, top.label)
	return end
}

func (s *surveyor) leaveLoop() {
	v := s.inside[len(s.inside)-1]
	s.inside = s.inside[:len(s.inside)-1]
	l := &s.loops[v.index]
	l.to, l.calls = len(s.segments), v.seen == nil
	for _, local := range slices.Sorted(maps.Keys(v.seen)) {
		if v.seen[local] == readFirst|written {
			l.renew = append(l.renew, local)
		}
		if len(s.inside) > 0 {
			s.inside[len(s.inside)-1].use(local, v.seen[local])
		}
	}
}

func (s *surveyor) label(l uint32) class {
	if int(l) >= len(s.open) {
		return settled // the function's own
	}
	return s.open[len(s.open)-1-int(l)].label
}

// labels are those of a br_table, the default last.
func labels(raw []byte) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		rest := raw[1:]
		count, size := binary.Uvarint(rest)
		for range count + 1 {
			rest = rest[size:]
			var l uint64
			l, size = binary.Uvarint(rest)
			if !yield(uint32(l)) {
				return
			}
		}
	}
}

// harmless reports whether an instruction neither calls nor traps, in any engine.
// What is not known here does.
func harmless(in wasm.Instr) bool {
	switch op := in.Op; {
	case op == wasm.OpUnreachable, op == wasm.OpCall, op == wasm.OpCallIndirect:
		return false
	case op <= wasm.OpReturn, op >= wasm.OpDrop && op <= wasm.OpGlobalSet, op >= wasm.OpI32Const && op <= wasm.OpF64Const:
		return true
	case op >= wasm.OpI32Eqz && op <= wasm.OpI64Extend32S:
		return !(op >= wasm.OpI32DivS && op <= wasm.OpI32RemU || op >= wasm.OpI64DivS && op <= wasm.OpI64RemU ||
			op >= wasm.OpI32TruncF32S && op <= wasm.OpI32TruncF64U || op >= wasm.OpI64TruncF32S && op <= wasm.OpI64TruncF64U)
	case op == wasm.OpPrefixFC: // saturating truncations; the rest is bulk
		return in.Sub < wasm.FCMemoryInit
	case op == wasm.OpMemorySize, op == wasm.OpRefNull, op == wasm.OpRefIsNull:
		return true
	}
	return false
}

// cost returns what an instruction costs without its size.
func (t Table) cost(in wasm.Instr) uint64 {
	switch in.Op {
	case wasm.OpEnd, wasm.OpElse:
		return 0
	case wasm.OpBlock:
		if !t.chargesBlocks() {
			return 0
		}
	case wasm.OpRefFunc:
		return 100
	}
	return 1
}

// bulkKind is how an instruction's size is charged.
type bulkKind byte

const (
	bulkNone     bulkKind = iota
	bulkBytes             // one unit for every 8 bytes, before
	bulkElements          // one for each element, before
	growPages             // 8192 for each page, after, if it succeeded
	growElements          // one for each element, after, if it succeeded
)

func bulk(in wasm.Instr) bulkKind {
	if in.Op == wasm.OpMemoryGrow {
		return growPages
	}
	if in.Op != wasm.OpPrefixFC {
		return bulkNone
	}
	switch in.Sub {
	case wasm.FCMemoryInit, wasm.FCMemoryCopy, wasm.FCMemoryFill:
		return bulkBytes
	case wasm.FCTableInit, wasm.FCTableCopy, wasm.FCTableFill:
		return bulkElements
	case wasm.FCTableGrow:
		return growElements
	}
	return bulkNone
}

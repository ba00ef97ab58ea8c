package wasm

import "bytes"

// Section ids (spec 5.5.2), and the order in which they must come.
var sections = []struct {
	id   byte
	name string
	read func(*parser, *reader)
}{
	{1, "type", (*parser).types},
	{2, "import", (*parser).imports},
	{3, "function", (*parser).functions},
	{4, "table", (*parser).tables},
	{5, "memory", (*parser).memories},
	{6, "global", (*parser).globals},
	{7, "export", (*parser).exports},
	{8, "start", (*parser).start},
	{9, "element", (*parser).elements},
	{12, "data count", (*parser).dataCount},
	{10, "code", (*parser).code},
	{11, "data", (*parser).data},
}

type parser struct {
	m      Module
	b      Bounds
	items  int // elements in all segments
	locals int // in all functions
}

// Parse reads a module, strictly, within bounds. Its errors are *Error or wrap
// ErrComponent. The module aliases b.
func Parse(b []byte, bounds Bounds) (*Module, error) {
	if err := preamble(b, bounds); err != nil {
		return nil, err
	}
	p := &parser{b: bounds}
	r := &reader{b: b, p: 8}
	next := 0 // the sections before this one are behind us
	for r.rest() > 0 && r.err == nil {
		id := r.byte()
		body := r.bytes(r.u32())
		s := &reader{b: body, base: r.p - len(body)}
		if r.err != nil {
			break
		}
		if id == 0 {
			s.section = "custom"
			p.custom(s)
		} else if next = p.section(id, next, s); s.err == nil && s.rest() > 0 {
			s.fail("has %d bytes too many", s.rest())
		}
		r.err = s.err
	}
	if r.err != nil {
		return nil, r.err
	}
	if err := p.whole(len(b)); err != nil {
		return nil, err
	}
	return &p.m, nil
}

func preamble(b []byte, bounds Bounds) error {
	switch {
	case len(b) > bounds.Module:
		return &Error{Msg: manyBytes.text(uint64(len(b)), uint64(bounds.Module)), Bound: true}
	case len(b) < 8 && bytes.HasPrefix([]byte("\x00asm\x01\x00\x00\x00"), b):
		return &Error{Offset: len(b), Msg: "ends before its version"}
	case len(b) < 8 || !bytes.HasPrefix(b, []byte("\x00asm")):
		return &Error{Msg: "does not start like a WebAssembly module"}
	case bytes.Equal(b[6:8], []byte{1, 0}):
		return ErrComponent
	case !bytes.Equal(b[4:8], []byte{1, 0, 0, 0}):
		return &Error{Offset: 4, Msg: "its version is not 1"}
	}
	return nil
}

// section reads one section and returns the place of the next.
func (p *parser) section(id byte, next int, s *reader) int {
	for i, known := range sections {
		if known.id != id {
			continue
		}
		s.section = known.name
		if i < next {
			s.fail("comes twice or out of order")
			return next
		}
		known.read(p, s)
		return i + 1
	}
	s.featureOr(featureOfSection(id), "section %d is not known", id)
	return next
}

// whole checks what spans sections.
func (p *parser) whole(size int) error {
	m := &p.m
	switch {
	case len(m.Bodies) != len(m.Funcs):
		return &Error{Offset: size, Section: "code", Msg: "declared functions and code differ in number"}
	case m.DataCount != nil && int(*m.DataCount) != len(m.Data):
		return &Error{Offset: size, Section: "data", Msg: "segments differ in number from what was announced"}
	}
	return nil
}

func (p *parser) types(r *reader) {
	for range r.count(p.b.Types, manyTypes) {
		if form := r.byte(); form != 0x60 {
			r.featureOr(featureOfType(form), "type form 0x%02x is not known", form)
		}
		p.m.Types = append(p.m.Types, FuncType{Params: p.valTypes(r), Results: p.valTypes(r)})
		if r.err != nil {
			return
		}
	}
}

func (p *parser) valTypes(r *reader) []ValType {
	n := r.count(p.b.Params, manyParams)
	types := make([]ValType, n)
	for i := range types {
		types[i] = r.valType()
	}
	return types
}

func (p *parser) typeIndex(r *reader) uint32 {
	i := r.u32()
	if int64(i) >= int64(len(p.m.Types)) {
		r.fail("type %d does not exist", i)
		return 0
	}
	return i
}

func (p *parser) imports(r *reader) {
	for range r.count(p.b.Imports, manyImports) {
		im := Import{Module: r.name(), Name: r.name(), Kind: Kind(r.byte())}
		switch im.Kind {
		case KindFunc:
			im.Func = p.typeIndex(r)
		case KindTable:
			im.Table = p.table(r)
		case KindMemory:
			im.Memory = p.memory(r)
		case KindGlobal:
			im.Global = p.globalType(r)
		default:
			r.featureOr(featureOfKind(im.Kind), "imports of kind 0x%02x are not known", byte(im.Kind))
		}
		if r.err != nil {
			return
		}
		p.m.Imports = append(p.m.Imports, im)
	}
}

func (p *parser) functions(r *reader) {
	for range r.count(p.b.Functions, manyFuncs) {
		p.m.Funcs = append(p.m.Funcs, p.typeIndex(r))
		if r.err != nil {
			return
		}
	}
}

func (p *parser) table(r *reader) Table {
	if r.p < len(r.b) && r.b[r.p] == 0x40 { // a table with an initial value
		r.feature(FunctionReferences)
	}
	t := Table{Type: r.refType(), Limits: r.limits()}
	r.beyond(uint64(t.Min), uint64(p.b.TableElements), largeTable)
	return t
}

func (p *parser) tables(r *reader) {
	for range r.count(p.b.Tables, manyTables) {
		p.m.Tables = append(p.m.Tables, p.table(r))
	}
}

func (p *parser) memory(r *reader) Limits {
	l := r.limits()
	if l.Min > MaxMemoryPages {
		r.fail("a memory of %d pages is larger than the %d that are possible", l.Min, MaxMemoryPages)
	}
	if l.HasMax && l.Max > MaxMemoryPages+1 {
		r.fail("a memory can have at most %d pages", MaxMemoryPages+1)
	}
	return l
}

func (p *parser) memories(r *reader) {
	n := r.u32()
	if n > 1 {
		r.feature(MultiMemory)
	} else if n == 1 {
		l := p.memory(r)
		p.m.Memory = &l
	}
}

func (p *parser) globalType(r *reader) GlobalType {
	t := GlobalType{Type: r.valType()}
	switch r.byte() {
	case 0:
	case 1:
		t.Mutable = true
	default:
		r.fail("a global is neither mutable nor immutable")
	}
	return t
}

func (p *parser) globals(r *reader) {
	mutable := 0
	for range r.count(p.b.Globals, manyGlobals) {
		g := Global{GlobalType: p.globalType(r), Init: p.constExpr(r)}
		if g.Mutable {
			mutable++
		}
		r.beyond(uint64(mutable), uint64(p.b.MutableGlobals), manyMutable)
		if r.err != nil {
			return
		}
		p.m.Globals = append(p.m.Globals, g)
	}
}

// constExpr reads a constant expression (spec 3.3.10) and returns its bytes.
func (p *parser) constExpr(r *reader) []byte {
	start := r.p
	code := NewCode(r.b[r.p:], p.b)
	code.r.base, code.r.section = r.base+r.p, r.section
	var in Instr
	for code.Next(&in) {
		switch in.Op {
		case OpI32Const, OpI64Const, OpF32Const, OpF64Const, OpRefNull, OpRefFunc, OpGlobalGet:
			continue
		case OpPrefixFD:
			if in.Sub == 12 {
				continue
			}
		case OpEnd:
			r.p += in.End
			return r.b[start:r.p:r.p]
		}
		r.featureOr(featureOfConstant(in), "an initial value must be a constant")
		return nil
	}
	if r.err == nil {
		r.err = code.Err()
	}
	return nil
}

func (p *parser) exports(r *reader) {
	seen := map[string]bool{}
	for range r.count(p.b.Exports, manyExports) {
		e := Export{Name: r.name(), Kind: Kind(r.byte()), Index: r.u32()}
		if e.Kind > KindGlobal {
			r.featureOr(featureOfKind(e.Kind), "exports of kind 0x%02x are not known", byte(e.Kind))
		} else if int64(e.Index) >= int64(p.space(e.Kind)) {
			r.fail("what is exported as %q does not exist", e.Name)
		} else if seen[e.Name] {
			r.fail("%q is exported twice", e.Name)
		}
		if r.err != nil {
			return
		}
		seen[e.Name] = true
		p.m.Exports = append(p.m.Exports, e)
	}
}

// space is the size of an index space.
func (p *parser) space(k Kind) int {
	n := p.m.Imported(k)
	switch k {
	case KindFunc:
		return n + len(p.m.Funcs)
	case KindTable:
		return n + len(p.m.Tables)
	case KindMemory:
		if p.m.Memory != nil {
			n++
		}
		return n
	}
	return n + len(p.m.Globals)
}

func (p *parser) funcIndex(r *reader) uint32 {
	i := r.u32()
	if r.err == nil && int64(i) >= int64(p.space(KindFunc)) {
		r.fail("function %d does not exist", i)
	}
	return i
}

func (p *parser) start(r *reader) {
	i := p.funcIndex(r)
	p.m.Start = &i
}

func (p *parser) elements(r *reader) {
	for range r.count(p.b.Elements, manyElements) {
		e := p.element(r)
		if r.err != nil {
			return
		}
		p.m.Elements = append(p.m.Elements, e)
	}
}

// element reads a segment in one of its eight forms (spec 5.5.12): bit 0 means
// passive or declarative, bit 1 an explicit table or declarative, bit 2
// expressions instead of indices.
func (p *parser) element(r *reader) Element {
	flags := r.u32()
	if flags > 7 {
		r.fail("element segments of kind %d are not known", flags)
		return Element{}
	}
	e := Element{Type: FuncRef}
	switch {
	case flags&1 == 0:
		if flags&2 != 0 {
			e.Table = r.u32()
		}
		e.Offset = p.constExpr(r)
	case flags&2 != 0:
		e.Mode = Declarative
	default:
		e.Mode = Passive
	}
	if flags&3 != 0 {
		if flags&4 != 0 {
			e.Type = r.refType()
		} else if kind := r.byte(); kind != 0 {
			r.fail("elements of kind 0x%02x are not known", kind)
		}
	}
	p.elementItems(r, &e, flags&4 != 0)
	return e
}

func (p *parser) elementItems(r *reader, e *Element, exprs bool) {
	n := r.count(r.rest(), manyElements)
	if p.items += n; r.beyond(uint64(p.items), uint64(p.b.Elements), manyElements) {
		return
	}
	for range n {
		if exprs {
			e.Exprs = append(e.Exprs, p.constExpr(r))
		} else {
			e.Funcs = append(e.Funcs, p.funcIndex(r))
		}
		if r.err != nil {
			return
		}
	}
}

func (p *parser) dataCount(r *reader) {
	n := r.u32()
	p.m.DataCount = &n
}

func (p *parser) data(r *reader) {
	for range r.count(p.b.DataSegments, manySegments) {
		var d Data
		switch flags := r.u32(); flags {
		case 0:
			d.Offset = p.constExpr(r)
		case 1:
			d.Mode = Passive
		case 2:
			if r.u32() != 0 {
				r.feature(MultiMemory)
			}
			d.Offset = p.constExpr(r)
		default:
			r.fail("data segments of kind %d are not known", flags)
		}
		d.Bytes = r.bytes(r.u32())
		if r.err != nil {
			return
		}
		p.m.Data = append(p.m.Data, d)
	}
}

func (p *parser) code(r *reader) {
	n := r.count(p.b.Functions, manyFuncs)
	if r.err == nil && n != len(p.m.Funcs) {
		r.fail("declared functions and code differ in number")
	}
	for range n {
		body := r.bytes(r.u32())
		r.beyond(uint64(len(body)), uint64(p.b.Body), largeBody)
		if r.err != nil {
			return
		}
		s := &reader{b: body, base: r.base + r.p - len(body), section: "code"}
		p.m.Bodies = append(p.m.Bodies, p.body(s))
		p.m.Bodies[len(p.m.Bodies)-1].At += r.p - len(body)
		if r.err = s.err; r.err != nil {
			return
		}
	}
}

func (p *parser) body(r *reader) Body {
	var body Body
	var locals uint64
	for range r.count(int(p.b.Locals), manyLocals) {
		g := LocalGroup{Count: r.u32(), Type: r.valType()}
		locals += uint64(g.Count)
		if r.beyond(locals, uint64(p.b.Locals), manyLocals) || r.err != nil {
			return body
		}
		body.Locals = append(body.Locals, g)
	}
	if p.locals += int(locals); r.beyond(uint64(p.locals), uint64(p.b.AllLocals), allLocals) {
		return body
	}
	body.Code, body.At = r.b[r.p:len(r.b):len(r.b)], r.p
	p.instructions(r, body.Code, locals)
	return body
}

// instructions checks the form of a body and the function indices in it.
func (p *parser) instructions(r *reader, body []byte, locals uint64) {
	code := NewCode(body, p.b)
	code.r.base = r.base + r.p
	var in Instr
	for code.Next(&in) {
		if (in.Op == OpCall || in.Op == OpRefFunc) && int64(in.Index) >= int64(p.space(KindFunc)) {
			code.r.fail("function %d does not exist", in.Index)
		}
	}
	if code.Err() == nil && !code.ended {
		code.r.fail("a function does not end")
	}
	code.r.beyond(locals*uint64(code.blocks), uint64(p.b.LocalBlocks), localBlocks)
	if r.err = code.Err(); r.err == nil {
		r.p = len(r.b)
	}
}

func (p *parser) custom(r *reader) {
	c := Custom{Name: r.name()}
	c.Data = r.bytes(uint32(r.rest()))
	if r.err == nil {
		p.m.Custom = append(p.m.Custom, c)
	}
}

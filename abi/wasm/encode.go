package wasm

// AppendU32 appends an unsigned LEB128 integer.
func AppendU32(b []byte, v uint32) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

// AppendS64 appends a signed LEB128 integer.
func AppendS64(b []byte, v int64) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if (v == 0 && c&0x40 == 0) || (v == -1 && c&0x40 != 0) {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

// Encode writes the module in the binary format. Custom sections come last.
func (m *Module) Encode() []byte {
	b := []byte("\x00asm\x01\x00\x00\x00")
	b = appendSection(b, 1, len(m.Types), m.Types, appendType)
	b = appendSection(b, 2, len(m.Imports), m.Imports, appendImport)
	b = appendSection(b, 3, len(m.Funcs), m.Funcs, AppendU32)
	b = appendSection(b, 4, len(m.Tables), m.Tables, appendTable)
	if m.Memory != nil {
		b = appendSection(b, 5, 1, []Limits{*m.Memory}, appendLimits)
	}
	b = appendSection(b, 6, len(m.Globals), m.Globals, appendGlobal)
	b = appendSection(b, 7, len(m.Exports), m.Exports, appendExport)
	if m.Start != nil {
		b = appendBytes(append(b, 8), AppendU32(nil, *m.Start))
	}
	b = appendSection(b, 9, len(m.Elements), m.Elements, appendElement)
	if m.DataCount != nil {
		b = appendBytes(append(b, 12), AppendU32(nil, *m.DataCount))
	}
	b = appendSection(b, 10, len(m.Bodies), m.Bodies, appendBody)
	b = appendSection(b, 11, len(m.Data), m.Data, appendData)
	for _, c := range m.Custom {
		b = appendBytes(append(b, 0), append(appendName(nil, c.Name), c.Data...))
	}
	return b
}

func appendSection[T any](b []byte, id byte, n int, items []T, item func([]byte, T) []byte) []byte {
	if n == 0 {
		return b
	}
	body := AppendU32(nil, uint32(n))
	for _, it := range items {
		body = item(body, it)
	}
	return appendBytes(append(b, id), body)
}

func appendBytes(b, data []byte) []byte {
	return append(AppendU32(b, uint32(len(data))), data...)
}

func appendName(b []byte, s string) []byte {
	return append(AppendU32(b, uint32(len(s))), s...)
}

func appendTypes(b []byte, types []ValType) []byte {
	b = AppendU32(b, uint32(len(types)))
	for _, t := range types {
		b = append(b, byte(t))
	}
	return b
}

func appendType(b []byte, t FuncType) []byte {
	return appendTypes(appendTypes(append(b, 0x60), t.Params), t.Results)
}

func appendLimits(b []byte, l Limits) []byte {
	if !l.HasMax {
		return AppendU32(append(b, 0), l.Min)
	}
	return AppendU32(AppendU32(append(b, 1), l.Min), l.Max)
}

func appendTable(b []byte, t Table) []byte { return appendLimits(append(b, byte(t.Type)), t.Limits) }

func appendGlobalType(b []byte, t GlobalType) []byte {
	b = append(b, byte(t.Type))
	if t.Mutable {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendGlobal(b []byte, g Global) []byte {
	return append(appendGlobalType(b, g.GlobalType), g.Init...)
}

func appendImport(b []byte, im Import) []byte {
	b = append(appendName(appendName(b, im.Module), im.Name), byte(im.Kind))
	switch im.Kind {
	case KindFunc:
		return AppendU32(b, im.Func)
	case KindTable:
		return appendTable(b, im.Table)
	case KindMemory:
		return appendLimits(b, im.Memory)
	}
	return appendGlobalType(b, im.Global)
}

func appendExport(b []byte, e Export) []byte {
	return AppendU32(append(appendName(b, e.Name), byte(e.Kind)), e.Index)
}

func appendElement(b []byte, e Element) []byte {
	flags := uint32(0)
	if e.Exprs != nil {
		flags |= 4
	}
	switch e.Mode {
	case Passive:
		flags |= 1
	case Declarative:
		flags |= 3
	default:
		if e.Table != 0 || e.Type != FuncRef {
			flags |= 2
		}
	}
	b = AppendU32(b, flags)
	if e.Mode == Active {
		if flags&2 != 0 {
			b = AppendU32(b, e.Table)
		}
		b = append(b, e.Offset...)
	}
	if flags&3 != 0 {
		if flags&4 != 0 {
			b = append(b, byte(e.Type))
		} else {
			b = append(b, 0)
		}
	}
	if e.Exprs == nil {
		b = AppendU32(b, uint32(len(e.Funcs)))
		for _, f := range e.Funcs {
			b = AppendU32(b, f)
		}
		return b
	}
	b = AppendU32(b, uint32(len(e.Exprs)))
	for _, x := range e.Exprs {
		b = append(b, x...)
	}
	return b
}

func appendBody(b []byte, body Body) []byte {
	inner := AppendU32(nil, uint32(len(body.Locals)))
	for _, g := range body.Locals {
		inner = append(AppendU32(inner, g.Count), byte(g.Type))
	}
	return appendBytes(b, append(inner, body.Code...))
}

func appendData(b []byte, d Data) []byte {
	if d.Mode == Passive {
		return appendBytes(append(b, 1), d.Bytes)
	}
	return appendBytes(append(append(b, 0), d.Offset...), d.Bytes)
}

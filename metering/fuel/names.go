package fuel

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/agora-host/agora/abi/wasm"
)

// shiftNames keeps of all custom sections the names of functions, moved to
// their new indices, so that a trap can say where it happened. Other custom
// sections describe bytes that are no longer there. Names are advice: a section
// that is malformed is left out.
func shiftNames(custom []wasm.Custom, imported uint32) []wasm.Custom {
	for _, c := range custom {
		if c.Name != "name" {
			continue
		}
		if data, ok := shiftNameSection(c.Data, imported); ok {
			return []wasm.Custom{{Name: "name", Data: data}}
		}
	}
	return nil
}

// shiftNameSection finds the function name subsection (spec 7.4.1).
func shiftNameSection(data []byte, imported uint32) ([]byte, bool) {
	for len(data) > 0 {
		id := data[0]
		size, n := binary.Uvarint(data[1:])
		if n <= 0 || size > uint64(len(data)-1-n) {
			return nil, false
		}
		body := data[1+n : 1+n+int(size)]
		data = data[1+n+int(size):]
		if id == 1 {
			moved, ok := shiftFunctionNames(body, imported)
			return append(wasm.AppendU32([]byte{1}, uint32(len(moved))), moved...), ok
		}
	}
	return nil, false
}

func shiftFunctionNames(body []byte, imported uint32) ([]byte, bool) {
	read := func() uint64 {
		v, n := binary.Uvarint(body)
		if n <= 0 || v > 1<<31 {
			body = nil
			return 0
		}
		body = body[n:]
		return v
	}
	count := read()
	out := wasm.AppendU32(nil, uint32(count))
	for range count {
		index, size := read(), read()
		if body == nil || size > uint64(len(body)) || !utf8.Valid(body[:size]) {
			return nil, false
		}
		if index >= uint64(imported) {
			index++
		}
		out = wasm.AppendU32(wasm.AppendU32(out, uint32(index)), uint32(size))
		out = append(out, body[:size]...)
		body = body[size:]
	}
	return out, true
}

package script

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/source"
	"github.com/agora-host/agora/abi/wasm"
)

// capabilities are those that engines can reach, each with its bit in the header: their order is that of
// javascript/engine/host.c and python/engine/output.c.
var capabilities = []string{"log", "config", "secret", "kv", "blob", "events", "fetch", "llm"}

// Capabilities are those that engines can reach.
func Capabilities() []string { return slices.Clone(capabilities) }

// The engines' side of the header is struct app in javascript/engine/memory.c.
const (
	exportHeader = "agora_app"
	exportHeap   = "__heap_base"
	exportCheck  = "agora_check" // of an engine that can say what is wrong with a script
	headerMagic  = "AGORAJS2"
	headerSize   = 8 + 6*4

	pageSize = 64 << 10
	// memoryStep is what a module's memory is rounded up to, so that modules with scripts of like size have the
	// same code; startRoom is what start-up takes behind the script without growing memory.
	memoryStep = 2 << 20
	startRoom  = 1 << 20
)

// Packing is what is put into an engine.
type Packing struct {
	Script  string
	Lines   []byte   // from where in its source each place of the script is, in the engine's own form
	Allowed []string // capabilities
	Info    source.Origin
	Files   []source.File
	// Check keeps the function by which an engine says what is wrong with the script: the module is to be asked
	// that, and not to be published.
	Check bool
}

// Pack puts a script into the engine's memory, behind what the linker laid out.
func (e *Engine) Pack(p Packing) ([]byte, error) {
	t, err := e.template()
	if err != nil {
		return nil, err
	}
	return pack(t.bytes, p)
}

func pack(engine []byte, p Packing) ([]byte, error) {
	m, err := wasm.Parse(engine, wasm.Unbounded())
	if err != nil {
		return nil, fmt.Errorf("read the engine: %w", err)
	}
	header, at, err := findHeader(m)
	if err != nil {
		return nil, err
	}
	heap, ok := address(m, exportHeap)
	if !ok || m.Memory == nil {
		return nil, errEngine
	}
	data, start := segment(p, int(heap), header[8:headerSize])
	binary.LittleEndian.PutUint32(header[8+4*4:], bitsOf(p.Allowed))
	m.Data[at].Bytes = slices.Concat(m.Data[at].Bytes) // it aliases the engine
	m.Data = append(m.Data, wasm.Data{Offset: append(wasm.AppendS64([]byte{wasm.OpI32Const}, int64(int32(start))), wasm.OpEnd), Bytes: data})
	end := (start + len(data) + startRoom + memoryStep - 1) / memoryStep * memoryStep
	m.Memory.Min = max(m.Memory.Min, uint32(end/pageSize))
	m.Exports = slices.DeleteFunc(m.Exports, func(e wasm.Export) bool {
		return e.Name == exportHeader || e.Name == exportHeap || e.Name == exportCheck && !p.Check
	})
	restrict(m, p.Allowed)
	said, err := source.Sections(p.Info, p.Files)
	if err != nil {
		return nil, err
	}
	m.Custom = append(m.Custom, said...)
	return m.Encode(), nil
}

var errEngine = errors.New("the engine is not one that this version can put a script into")

// address is the value of an exported constant.
func address(m *wasm.Module, name string) (uint32, bool) {
	e, ok := m.Export(name)
	i := int(e.Index) - m.Imported(wasm.KindGlobal)
	if !ok || e.Kind != wasm.KindGlobal || i < 0 || i >= len(m.Globals) {
		return 0, false
	}
	return constant(m.Globals[i].Init)
}

// constant reads the expression `i32.const n`.
func constant(code []byte) (uint32, bool) {
	if len(code) < 3 || code[0] != wasm.OpI32Const || code[len(code)-1] != wasm.OpEnd {
		return 0, false
	}
	var v uint64
	for i, c := range code[1 : len(code)-1] {
		if i > 4 {
			return 0, false
		}
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			if c&0x40 != 0 && i < 4 {
				v |= ^uint64(0) << (7 * (i + 1))
			}
			return uint32(v), i == len(code)-3
		}
	}
	return 0, false
}

// findHeader returns the header's bytes, which may be changed, and the segment that they are in.
func findHeader(m *wasm.Module) (header []byte, segment int, err error) {
	at, ok := address(m, exportHeader)
	if !ok {
		return nil, 0, errEngine
	}
	for i := range m.Data {
		d := &m.Data[i]
		start, ok := constant(d.Offset)
		if d.Mode != wasm.Active || !ok || at < start || uint64(at)+headerSize > uint64(start)+uint64(len(d.Bytes)) {
			continue
		}
		d.Bytes = slices.Clone(d.Bytes)
		header = d.Bytes[at-start:][:headerSize]
		if string(header[:8]) != headerMagic {
			return nil, 0, errEngine
		}
		return header, i, nil
	}
	return nil, 0, errEngine
}

// segment lays script and lines out behind the heap's base, each with a NUL behind it, and writes where
// they are. start is its address.
func segment(p Packing, heap int, header []byte) (data []byte, start int) {
	start = (heap + 15) &^ 15
	for i, part := range [][]byte{[]byte(p.Script), p.Lines} {
		binary.LittleEndian.PutUint32(header[8*i:], uint32(start+len(data)))
		binary.LittleEndian.PutUint32(header[8*i+4:], uint32(len(part)))
		data = append(append(data, part...), 0)
		for len(data)%16 != 0 {
			data = append(data, 0)
		}
	}
	binary.LittleEndian.PutUint32(header[5*4:], uint32(start+len(data)))
	return data, start
}

func bitsOf(allowed []string) (bits uint32) {
	for i, name := range capabilities {
		if slices.Contains(allowed, name) {
			bits |= 1 << i
		}
	}
	return bits
}

// restrict makes a module import no capability but those that are allowed. An import that has to go becomes
// one of a baseline function of the same type: so no index moves, and the code stays the same. It is never
// called: the header has no bit for it.
func restrict(m *wasm.Module, allowed []string) {
	for i := range m.Imports {
		im := &m.Imports[i]
		if c, is := abi.CapabilityOf(im.Module); is && !slices.Contains(allowed, c.Name) {
			im.Module, im.Name = abi.StreamModule, abi.StreamWrite
		}
	}
}

package wasmtest

import (
	"bytes"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
)

const (
	i32c, i64c, end = wasm.OpI32Const, wasm.OpI64Const, wasm.OpEnd

	// ResponseAt is where in memory an App keeps its Frame.
	ResponseAt = 4096
)

// Forever is a loop without end.
var Forever = []byte{wasm.OpLoop, wasm.BlockEmpty, wasm.OpBr, 0, end}

// App is an abi/v1 module whose memory holds a response, and whose handler
// runs code and then returns it.
type App struct {
	Code   []byte // of the handler, before its response
	Raw    []byte // instead of code and response
	Init   []byte // of app_init
	Start  []byte // of the start function
	Alloc  []byte // of app_alloc
	KV     bool   // imports kv.get as function 0
	Stream bool   // imports stream.start and stream.write as functions 0 and 1
	Import string // imports this module's function Func as function 0
	Func   string
	Frame  []byte // the response; default 200 "ok"
	Pages  uint32 // of memory; default 1
}

// Count is code for an App without a Frame of its own: it adds one to a word of
// memory, and makes that the first byte of the response's body.
func Count(at int64) []byte {
	constant := func(n int64) []byte { return wasm.AppendS64([]byte{i32c}, n) }
	word := append(constant(at), 0x28 /* i32.load */, 2, 0)
	body := ResponseAt + int64(len(OKFrame())) - int64(len("ok"))
	return bytes.Join([][]byte{
		constant(at), word, {i32c, 1, wasm.OpI32Add, 0x36 /* i32.store */, 2, 0},
		constant(body), word, {0x3a /* i32.store8 */, 0, 0},
	}, nil)
}

// OKFrame is the response of an App without a Frame of its own.
func OKFrame() []byte {
	return abi.AppendResponse(nil, &abi.Response{Status: 200, Header: []abi.Field{{Name: "Content-Type", Value: "text/plain"}}, Body: []byte("ok")})
}

// Calls is an app whose response is what one call of a capability returns: a
// response frame. If the call is refused, so is the app's response.
func Calls(module, function string, in []byte) []byte {
	const out, room = 1 << 16, 1 << 16
	constant := func(n int64) []byte { return wasm.AppendS64([]byte{i32c}, n) }
	return App{Import: module, Func: function, Frame: in, Pages: 2, Raw: bytes.Join([][]byte{
		wasm.AppendS64([]byte{i64c}, int64(abi.PackResult(out, 0))),
		constant(ResponseAt), constant(int64(len(in))), constant(out), constant(room),
		{wasm.OpCall, 0, 0x84 /* i64.or */},
	}, nil)}.Bytes()
}

// Mirror is an app whose response's body is the frame of the request.
func Mirror() []byte {
	head := abi.AppendResponse(nil, &abi.Response{Status: 200})
	constant := func(n int64) []byte { return wasm.AppendS64([]byte{i32c}, n) }
	store := []byte{0x36 /* i32.store */, 2, 0}
	return App{
		Frame: head, Pages: 2, Alloc: constant(ResponseAt + int64(len(head))), // the request follows the head of the response
		Raw: bytes.Join([][]byte{
			constant(ResponseAt + 24), constant(int64(len(head))), store, // where the body is
			constant(ResponseAt + 28), {wasm.OpLocalGet, 1}, store, // and its length
			{wasm.OpLocalGet, 1, wasm.OpI64ExtendU}, wasm.AppendS64([]byte{i64c}, int64(abi.PackResult(ResponseAt, uint32(len(head))))), {wasm.OpI64Add},
		}, nil),
	}.Bytes()
}

// Bytes encodes the module.
func (a App) Bytes() []byte {
	i32, i64 := wasm.I32, wasm.I64
	frame := a.Frame
	if frame == nil {
		frame = OKFrame()
	}
	handler := a.Raw
	if handler == nil {
		handler = append(bytes.Clone(a.Code), i64c)
		handler = wasm.AppendS64(handler, int64(abi.PackResult(ResponseAt, uint32(len(frame)))))
	}
	alloc := a.Alloc
	if alloc == nil {
		alloc = wasm.AppendS64([]byte{i32c}, 16384)
	}
	m := &wasm.Module{
		Types: []wasm.FuncType{
			{}, {Params: []wasm.ValType{i32}, Results: []wasm.ValType{i32}},
			{Params: []wasm.ValType{i32, i32}, Results: []wasm.ValType{i64}},
			{Params: []wasm.ValType{i32, i32, i32, i32}, Results: []wasm.ValType{i64}},
		},
		Funcs:  []uint32{1, 2},
		Memory: &wasm.Limits{Min: max(1, a.Pages)},
		Bodies: []wasm.Body{{Code: append(bytes.Clone(alloc), end)}, {Code: append(bytes.Clone(handler), end)}},
		Data:   []wasm.Data{{Offset: append(wasm.AppendS64([]byte{i32c}, ResponseAt), end), Bytes: frame}},
	}
	host := func(module, name string) {
		m.Imports = append(m.Imports, wasm.Import{Module: module, Name: name, Kind: wasm.KindFunc, Func: 3})
	}
	if a.Import != "" {
		host(a.Import, a.Func)
	}
	if a.KV {
		host("app:kv/v1", "get")
	}
	if a.Stream {
		host(abi.StreamModule, abi.StreamStart)
		host(abi.StreamModule, abi.StreamWrite)
	}
	base := uint32(len(m.Imports))
	m.Exports = []wasm.Export{
		{Name: "memory", Kind: wasm.KindMemory}, {Name: abi.ExportAlloc, Kind: wasm.KindFunc, Index: base},
		{Name: abi.ExportHandle, Kind: wasm.KindFunc, Index: base + 1},
	}
	add := func(code []byte) uint32 {
		m.Funcs = append(m.Funcs, 0)
		m.Bodies = append(m.Bodies, wasm.Body{Code: append(bytes.Clone(code), end)})
		return base + uint32(len(m.Funcs)) - 1
	}
	if a.Init != nil {
		m.Exports = append(m.Exports, wasm.Export{Name: abi.ExportInit, Kind: wasm.KindFunc, Index: add(a.Init)})
	}
	if a.Start != nil {
		i := add(a.Start)
		m.Start = &i
	}
	return m.Encode()
}

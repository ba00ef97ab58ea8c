package wasmtest

import (
	"bytes"
	"encoding/binary"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
)

// Relay is an abi/v1 module that makes whatever call of a capability its request
// says, with whatever pointers, and returns what it got. It imports every
// function of a capability.
type Relay struct {
	Capability string // its word
	Pages      uint32 // of memory; default 32. Half of it is for answers.
}

// RelayCall is one call. Zero values of the last three mean what a well-behaved
// guest would pass.
type RelayCall struct {
	Func     string
	In       []byte
	Ptr, Len uint32 // of the request
	Out, Cap uint32 // of the buffer; with an Out of its own nothing but the result comes back
	Bad      bool   // pointers and lengths are as given, zero or not
}

const (
	relayOwn  = 1<<32 - 1 // stands for what a well-behaved guest would pass
	relayHead = 32        // of a response frame
)

// Request is the body of the request that has the call made.
func (r Relay) Request(c RelayCall) []byte {
	known, _ := abi.CapabilityNamed(r.Capability)
	index := uint32(relayOwn)
	for i, name := range known.Functions {
		if name == c.Func {
			index = uint32(i)
		}
	}
	words := [5]uint32{index, relayOwn, uint32(len(c.In)), relayOwn, r.room()}
	if c.Bad {
		words = [5]uint32{index, c.Ptr, c.Len, c.Out, c.Cap}
	}
	var b []byte
	for _, w := range words {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return append(b, c.In...)
}

// Answer reads the body of the response: the call's result, and what was written
// into the buffer.
func (r Relay) Answer(body []byte) (out []byte, errno abi.Errno, length int64) {
	if len(body) < 8 {
		return nil, abi.ErrnoFault, -1
	}
	result := int64(binary.LittleEndian.Uint64(body))
	if result < 0 {
		return nil, abi.Errno(-result), result
	}
	return body[8:], abi.ErrnoOK, result
}

func (r Relay) half() uint32 { return max(32, r.Pages) * 65536 / 2 }
func (r Relay) room() uint32 { return r.half() - ResponseAt - relayHead - 8 }

// Bytes encodes the module.
func (r Relay) Bytes() []byte {
	const ptr, body, in, result, n, out, room = 0, 2, 3, 4, 5, 6, 7
	const answerAt = ResponseAt + relayHead
	constant := func(v int64) []byte { return wasm.AppendS64([]byte{i32c}, v) }
	get := func(local byte) []byte { return []byte{wasm.OpLocalGet, local} }
	set := func(local byte) []byte { return []byte{wasm.OpLocalSet, local} }
	load := func(local, offset byte) []byte { return []byte{wasm.OpLocalGet, local, 0x28, 0, offset} }
	orOwn := func(local byte, own []byte) []byte {
		return bytes.Join([][]byte{get(local), constant(-1), {wasm.OpI32Eq, wasm.OpIf, wasm.BlockEmpty}, own, set(local), {end}}, nil)
	}
	code := [][]byte{
		get(ptr), load(ptr, 56), {wasm.OpI32Add}, set(body),
		load(body, 4), set(in), orOwn(in, append(append(get(body), constant(20)...), wasm.OpI32Add)),
		load(body, 12), set(out), orOwn(out, constant(answerAt+8)), load(body, 16), set(room),
	}
	known, _ := abi.CapabilityNamed(r.Capability)
	for i := range known.Functions {
		code = append(code, load(body, 0), constant(int64(i)), []byte{wasm.OpI32Eq, wasm.OpIf, wasm.BlockEmpty},
			get(in), load(body, 8), get(out), get(room), []byte{wasm.OpCall, byte(i)}, set(result), []byte{end})
	}
	code = append(code,
		constant(answerAt), get(result), []byte{0x37 /* i64.store */, 0, 0},
		constant(8), set(n),
		// What was written into the buffer goes along, if something was.
		get(result), []byte{i64c, 0, 0x55 /* i64.gt_s */}, get(result), get(room), []byte{wasm.OpI64ExtendU, 0x57 /* i64.le_s */, 0x71 /* i32.and */},
		get(out), constant(answerAt+8), []byte{wasm.OpI32Eq, 0x71 /* i32.and */, wasm.OpIf, wasm.BlockEmpty},
		constant(8), get(result), []byte{0xa7 /* i32.wrap_i64 */, wasm.OpI32Add}, set(n), []byte{end},
		constant(ResponseAt+28), get(n), []byte{0x36 /* i32.store */, 0, 0},
		wasm.AppendS64([]byte{i64c}, ResponseAt<<32), get(n), constant(relayHead), []byte{wasm.OpI32Add, wasm.OpI64ExtendU, 0x84 /* i64.or */, end})
	return r.module(known, bytes.Join(code, nil))
}

func (r Relay) module(known abi.Capability, handler []byte) []byte {
	i32, i64 := wasm.I32, wasm.I64
	head := abi.AppendResponse(nil, &abi.Response{Status: 200})
	binary.LittleEndian.PutUint32(head[24:], relayHead) // where the body is; its length is filled in
	base := uint32(len(known.Functions))
	m := &wasm.Module{
		Types: []wasm.FuncType{
			{Params: []wasm.ValType{i32}, Results: []wasm.ValType{i32}},
			{Params: []wasm.ValType{i32, i32}, Results: []wasm.ValType{i64}},
			{Params: []wasm.ValType{i32, i32, i32, i32}, Results: []wasm.ValType{i64}},
		},
		Funcs:  []uint32{0, 1},
		Memory: &wasm.Limits{Min: max(32, r.Pages)},
		Exports: []wasm.Export{
			{Name: abi.ExportMemory, Kind: wasm.KindMemory}, {Name: abi.ExportAlloc, Kind: wasm.KindFunc, Index: base},
			{Name: abi.ExportHandle, Kind: wasm.KindFunc, Index: base + 1},
		},
		Bodies: []wasm.Body{
			{Code: append(wasm.AppendS64([]byte{i32c}, int64(r.half())), end)},
			{Code: handler, Locals: []wasm.LocalGroup{{Count: 2, Type: i32}, {Count: 1, Type: i64}, {Count: 3, Type: i32}}},
		},
		Data: []wasm.Data{{Offset: append(wasm.AppendS64([]byte{i32c}, ResponseAt), end), Bytes: head}},
	}
	for _, name := range known.Functions {
		m.Imports = append(m.Imports, wasm.Import{Module: known.Module, Name: name, Kind: wasm.KindFunc, Func: 2})
	}
	return m.Encode()
}

package wasmtest

import (
	"bytes"
	"context"
	"errors"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
)

// Hostile is a guest that means harm, or is broken as if it did.
type Hostile struct {
	Name string // what it does
	App  App
	// Rich means that it is to be given all the fuel of the world, so that its
	// deadline has to end it.
	Rich bool
	// Refused means that it is not even taken in.
	Refused bool
	// Fault is the sentinel of package abi that its invocation has to end with;
	// nil if it does no harm in the end.
	Fault error
}

// Links are what a hostile guest's capabilities are linked with: they return at
// once, and nothing.
func (h Hostile) Links() map[string]abi.Link {
	if !h.App.KV || errors.Is(h.Fault, abi.ErrNotGranted) {
		return nil
	}
	nothing := func(context.Context, []byte) ([]byte, abi.Errno) { return nil, abi.ErrnoOK }
	return map[string]abi.Link{"kv": {"get": nothing}}
}

// Corpus is every hostile guest that is known here, as source.
func Corpus() []Hostile {
	const brIf, br, drop, grow = wasm.OpBrIf, wasm.OpBr, wasm.OpDrop, wasm.OpMemoryGrow
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	loop := func(body ...byte) []byte {
		return join([]byte{wasm.OpLoop, wasm.BlockEmpty}, body, []byte{br, 0, end})
	}
	number := func(n int64) []byte { return wasm.AppendS64([]byte{i32c}, n) }
	answer := func(ptr, n uint32) []byte { return wasm.AppendS64([]byte{i64c}, int64(abi.PackResult(ptr, n))) }
	framed := func(r abi.Response) []byte { return abi.AppendResponse(nil, &r) }

	recursion := []byte{wasm.OpLocalGet, 0, wasm.OpLocalGet, 1, wasm.OpCall, 1, drop}
	growth := []byte{wasm.OpLoop, wasm.BlockEmpty, i32c, 1, grow, 0, i32c, 0x7f, wasm.OpI32Ne, brIf, 0, end, wasm.OpUnreachable}
	touch := join( // grows by a page and writes to it, until it may not
		[]byte{wasm.OpLoop, wasm.BlockEmpty, i32c, 1, grow, 0, wasm.OpLocalTee, 0, i32c, 0x7f, wasm.OpI32Ne, wasm.OpIf, wasm.BlockEmpty},
		[]byte{wasm.OpLocalGet, 0}, number(65536), []byte{wasm.OpI32Mul, i32c, 1, 0x36, 2, 0, br, 1, end, end, wasm.OpUnreachable})
	fill := join([]byte{i32c, 0, i32c, 0}, number(65536), []byte{wasm.OpPrefixFC, wasm.FCMemoryFill, 0})
	move := join([]byte{i32c, 0, i32c, 1}, number(65535), []byte{wasm.OpPrefixFC, wasm.FCMemoryCopy, 0, 0})
	ask := []byte{i32c, 0, i32c, 0, i32c, 0, i32c, 0, wasm.OpCall, 0, drop}
	head := framed(abi.Response{Status: 200, Body: []byte("begun")})
	begin := join(number(ResponseAt), number(int64(len(head))), []byte{i32c, 0, i32c, 0, wasm.OpCall, 0, drop})
	send := join([]byte{i32c, 0}, number(60_000), []byte{i32c, 0, i32c, 0, wasm.OpCall, 1, drop})
	split := framed(abi.Response{Status: 200, Header: []abi.Field{{Name: "X", Value: "a\r\nSet-Cookie: b"}}})
	spaced := framed(abi.Response{Status: 200, Header: []abi.Field{{Name: "X Y", Value: "a"}}})
	return []Hostile{
		{Name: "loops in its handler", App: App{Code: Forever}, Fault: abi.ErrFuelExhausted},
		{Name: "loops in its allocator", App: App{Alloc: join(Forever, []byte{wasm.OpUnreachable})}, Fault: abi.ErrFuelExhausted},
		{Name: "loops in its initialiser", App: App{Init: Forever}, Fault: abi.ErrFuelExhausted},
		{Name: "loops in its start function", App: App{Start: Forever}, Fault: abi.ErrFuelExhausted},
		{Name: "loops with all the fuel of the world", App: App{Code: Forever}, Rich: true, Fault: abi.ErrDeadlineExceeded},
		{Name: "loops in its start function with all of it", App: App{Start: Forever}, Rich: true, Fault: abi.ErrDeadlineExceeded},
		{Name: "recurses for ever", App: App{Code: recursion}, Fault: abi.ErrStackExhausted},
		{Name: "grows its memory until it cannot", App: App{Code: growth}, Fault: abi.ErrMemoryExhausted},
		{Name: "grows its memory and uses it", App: App{Code: touch}, Fault: abi.ErrMemoryExhausted},
		{Name: "grows its memory when it starts", App: App{Start: join([]byte{wasm.OpLoop, wasm.BlockEmpty, i32c, 1, grow, 0, i32c, 0x7f, wasm.OpI32Ne, brIf, 0, end, wasm.OpUnreachable})}, Fault: abi.ErrMemoryExhausted},
		{Name: "fills memory over and over", App: App{Code: loop(fill...)}, Rich: true, Fault: abi.ErrDeadlineExceeded},
		{Name: "moves memory over and over", App: App{Code: loop(move...)}, Rich: true, Fault: abi.ErrDeadlineExceeded},
		{Name: "fills all of 32 bits", App: App{Code: join([]byte{i32c, 0, i32c, 0, i32c, 0x7f, wasm.OpPrefixFC, wasm.FCMemoryFill, 0})}, Rich: true, Fault: abi.ErrTrap},
		{Name: "floods the host with calls", App: App{Code: loop(ask...), KV: true}, Rich: true, Fault: abi.ErrTooManyCalls},
		{Name: "is a megabyte without a branch", App: App{Code: bytes.Repeat([]byte{i32c, 1, drop}, 350_000)}},
		{Name: "is half a megabyte of blocks", App: App{Code: bytes.Repeat([]byte{wasm.OpBlock, wasm.BlockEmpty, i32c, 0, brIf, 0, end}, 60_000)}, Refused: true},
		{Name: "answers without end", App: App{Stream: true, Frame: head, Raw: join(begin, loop(send...), []byte{i64c, 0})}, Rich: true, Fault: abi.ErrResponseTooLarge},
		{Name: "begins an answer and hangs", App: App{Stream: true, Frame: head, Raw: join(begin, Forever, []byte{i64c, 0})}, Rich: true, Fault: abi.ErrDeadlineExceeded},
		{Name: "traps", App: App{Code: []byte{wasm.OpUnreachable}}, Fault: abi.ErrTrap},
		{Name: "traps in its allocator", App: App{Alloc: []byte{wasm.OpUnreachable}}, Fault: abi.ErrTrap},
		{Name: "traps in its initialiser", App: App{Init: []byte{wasm.OpUnreachable}}, Fault: abi.ErrTrap},
		{Name: "traps in its start function", App: App{Start: []byte{wasm.OpUnreachable}}, Fault: abi.ErrTrap},
		{Name: "traps in the middle of its answer", App: App{Stream: true, Frame: head, Raw: join(begin, []byte{wasm.OpUnreachable})}, Fault: abi.ErrTrap},
		{Name: "divides by zero", App: App{Code: []byte{i32c, 1, i32c, 0, wasm.OpI32DivU, drop}}, Fault: abi.ErrTrap},
		{Name: "reads beyond its memory", App: App{Code: join(number(65533), []byte{0x28, 2, 0, drop})}, Fault: abi.ErrTrap},
		{Name: "reads at the end of 32 bits", App: App{Code: join(number(-1), []byte{0x28, 2}, wasm.AppendU32(nil, 1<<32-1), []byte{drop})}, Fault: abi.ErrTrap},
		{Name: "answers nothing", App: App{Raw: answer(0, 0)}, Fault: abi.ErrBadResponse},
		{Name: "answers from outside", App: App{Raw: answer(0xfffffff0, 64)}, Fault: abi.ErrBadResponse},
		{Name: "answers from the last byte on", App: App{Raw: answer(65535, 2)}, Fault: abi.ErrBadResponse},
		{Name: "answers 4 GiB", App: App{Raw: answer(0, 0xffffffff)}, Fault: abi.ErrResponseTooLarge},
		{Name: "answers zeros", App: App{Raw: answer(0, 64)}, Fault: abi.ErrBadResponse},
		{Name: "allocates outside", App: App{Alloc: []byte{i32c, 0x7f}}, Fault: abi.ErrBadResponse},
		{Name: "allocates at the last byte", App: App{Alloc: number(65535)}, Fault: abi.ErrBadResponse},
		{Name: "splits a header", App: App{Frame: split}, Fault: abi.ErrBadResponse},
		{Name: "names a header with a space", App: App{Frame: spaced}, Fault: abi.ErrBadResponse},
		{Name: "is not granted what it imports", App: App{KV: true}, Fault: abi.ErrNotGranted},
	}
}

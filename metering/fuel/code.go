package fuel

import "github.com/agora-host/agora/abi/wasm"

// code is a body that is being written.
type code struct {
	b     []byte
	first uint32 // index of the first local that is ours
}

func (c *code) op(bytes ...byte) { c.b = append(c.b, bytes...) }

func (c *code) branch(op byte, index uint32) { c.b = wasm.AppendU32(append(c.b, op), index) }

func (c *code) local(op byte, which uint32) { c.branch(op, c.first+which) }

func (c *code) global(op byte, index uint32) { c.branch(op, index) }

func (c *code) i32(n int32) { c.b = wasm.AppendS64(append(c.b, wasm.OpI32Const), int64(n)) }

func (c *code) i64(n int64) { c.b = wasm.AppendS64(append(c.b, wasm.OpI64Const), n) }

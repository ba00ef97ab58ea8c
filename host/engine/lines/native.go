package lines

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// place says from which instruction machine code was made: from native on, up to
// the next place.
type place struct {
	native uint32 // offset in the machine code
	code   uint32 // offset in the compiled module's code section
}

var errForm = errors.New("the compiled code has another form than this version of wazero gives it")

// Split takes the map of places out of a file of wazero's compilation cache,
// which would otherwise be kept in memory with the code: 16 bytes for each place.
// It returns the file without it, which is the same that wazero writes for a module
// without DWARF, and the map.
//
// The form is that of wazero 1.12 (serializeCompiledModule in
// internal/engine/wazevo/engine_cache.go): magic, the version and its length, the
// number of functions (u32) and their offsets, the code's length (u64), the code,
// its CRC32, and 1 if a map follows: its length (u64) and pairs of an offset in the
// module and one in the code. A table follows, which is left as it is.
func Split(file []byte) (without []byte, places []byte, err error) {
	r := &cursor{b: file}
	if !bytes.Equal(r.bytes(6), []byte("WAZEVO")) {
		return nil, nil, errForm
	}
	r.bytes(uint64(r.u8()))
	r.bytes(8 * uint64(r.u32()))
	r.bytes(r.u64())
	r.bytes(4)
	at := r.p
	if r.u8() == 0 || r.failed {
		return nil, nil, errForm
	}
	n := r.u64()
	if n > uint64(len(file))/16 {
		return nil, nil, errForm
	}
	places = r.bytes(16 * n)
	if r.failed {
		return nil, nil, errForm
	}
	without = append(append(append([]byte(nil), file[:at]...), 0), file[r.p:]...)
	return without, places, nil
}

// readPlaces reads a map that Split answered.
func readPlaces(b []byte) []place {
	all := make([]place, 0, len(b)/16)
	for ; len(b) >= 16; b = b[16:] {
		code, native := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
		if code < 1<<32 && native < 1<<32 {
			all = append(all, place{native: uint32(native), code: uint32(code)})
		}
	}
	return all
}

// cursor reads little-endian integers; after what is not there it returns zero.
type cursor struct {
	b      []byte
	p      int
	failed bool
}

func (c *cursor) bytes(n uint64) []byte {
	if n > uint64(len(c.b)-c.p) {
		c.failed = true
		return make([]byte, 8)
	}
	c.p += int(n)
	return c.b[c.p-int(n) : c.p]
}

func (c *cursor) u8() byte    { return c.bytes(1)[0] }
func (c *cursor) u32() uint32 { return binary.LittleEndian.Uint32(c.bytes(4)) }
func (c *cursor) u64() uint64 { return binary.LittleEndian.Uint64(c.bytes(8)) }

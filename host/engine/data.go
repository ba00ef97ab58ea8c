package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/agora-host/agora/abi/wasm"
)

// source is a module as the cache sees it: what its code is compiled from, and what its memory
// begins with. Apps that bring the same interpreter differ in their data alone. So the code is
// compiled, kept and loaded once for all of them, under the digest of the module without its data,
// and each program writes the data of its own module into memory before anything runs.
//
// Where a segment is more than what memory begins with (see wasm.TakeApart), it stays with the code.
type source struct {
	module []byte
	apart  bool
	digest [sha256.Size]byte // of what the code is compiled from
	data   initial           // empty if it is not apart
	cost   uint64            // of writing it, see fuel.Result.InitCost
}

func readSource(module []byte) source {
	code, segments, ok := wasm.TakeApart(module)
	if !ok {
		return source{module: module, digest: sha256.Sum256(module)}
	}
	s := source{module: module, apart: true}
	h := sha256.New()
	h.Write([]byte("without data\n"))
	for _, section := range code {
		h.Write(section)
	}
	h.Sum(s.digest[:0])
	s.data, s.cost = initialData(segments)
	return s
}

// initial is what memory begins with: bytes, each run of them behind its place and its length, u32
// little-endian, in the order in which they are written.
type initial []byte

const (
	runHead = 8
	// segmentGap is how many zeros are written rather than beginning another run. Go's linker makes a
	// segment of every few bytes that are not zero, 33,000 for a small program.
	segmentGap = 64
)

// initialData joins segments that follow each other closely, where nothing was written in between.
func initialData(segments []wasm.Segment) (b initial, cost uint64) {
	var highest, end uint64 // the end of all that was written, and of the last run
	head := 0               // where the last run begins in b
	size := 0
	for _, s := range segments {
		size += len(s.Bytes)
	}
	b = make(initial, 0, size+size/8)
	for _, s := range segments {
		cost += (uint64(len(s.Bytes)) + 7) / 8
		if len(s.Bytes) == 0 {
			continue
		}
		at := uint64(s.At)
		if len(b) > 0 && end == highest && at >= end && at-end <= segmentGap {
			b = append(b, make([]byte, at-end)...)
		} else {
			head = len(b)
			b = binary.LittleEndian.AppendUint32(append(b, 0, 0, 0, 0), 0)
			binary.LittleEndian.PutUint32(b[head:], s.At)
		}
		b = append(b, s.Bytes...)
		binary.LittleEndian.PutUint32(b[head+4:], uint32(len(b)-head-runHead))
		end = at + uint64(len(s.Bytes))
		highest = max(highest, end)
	}
	return b, cost
}

// write puts the data into the memory of an instance in which nothing has run yet.
func (b initial) write(memory []byte) error {
	for len(b) > 0 {
		at, n := uint64(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[4:]))
		if at+n > uint64(len(memory)) {
			return fmt.Errorf("%w: its data ends at %d, behind its memory of %d bytes", errNode, at+n, len(memory))
		}
		copy(memory[at:], b[runHead:runHead+n])
		b = b[runHead+n:]
	}
	return nil
}

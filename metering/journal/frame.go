package journal

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
)

// A journal is a header, records, and zeros up to the end of the file:
//
//	header  "AGJ3", epoch u64 LE, node (16 bytes), CRC-32C of the 28 bytes before u32 LE
//	record  0xA7 in the highest byte and the body's length in the lower three, u32 LE;
//	        CRC-32C of header's CRC, length word and body, u32 LE; body
//	body    uvarint number, uvarint number minus the last number that was on the disk
//	        for certain when this was written, durability u8, payload
//
// The header's CRC in each record's makes a record of one journal none of another.
const (
	magic        = "AGJ3"
	headerSize   = 32
	prefixSize   = 8
	marker       = 0xA7
	maxBody      = 1 << 16
	minBody      = 3
	bodyOverhead = 2*binary.MaxVarintLen64 + 1
	// MaxPayload is the largest record, in bytes.
	MaxPayload = maxBody - bodyOverhead
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	// ErrNoHeader: it ends before its header does, as a process leaves it that is
	// killed while it makes the file. Nothing is in it.
	ErrNoHeader = errors.New("the journal ends within its header")
	// ErrNotJournal: it does not begin as a journal does.
	ErrNotJournal = errors.New("this is no journal's header")
)

// Header says whose records a journal holds.
type Header struct {
	Node  string // 32 hexadecimal digits
	Epoch uint64 // of the node, never used twice
}

func appendHeader(dst []byte, h Header) ([]byte, error) {
	node, err := hex.DecodeString(h.Node)
	if err != nil || len(node) != 16 {
		return nil, fmt.Errorf("%q is no node's id: it has 32 hexadecimal digits", h.Node)
	}
	start := len(dst)
	dst = binary.LittleEndian.AppendUint64(append(dst, magic...), h.Epoch)
	dst = append(dst, node...)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli)), nil
}

// decodeHeader also returns the CRC that its records are salted with.
func decodeHeader(b []byte) (h Header, salt uint32, err error) {
	if len(b) < headerSize {
		return h, 0, ErrNoHeader
	}
	salt = binary.LittleEndian.Uint32(b[28:])
	if string(b[:4]) != magic || crc32.Checksum(b[:28], castagnoli) != salt {
		return h, 0, ErrNotJournal
	}
	return Header{Epoch: binary.LittleEndian.Uint64(b[4:]), Node: hex.EncodeToString(b[12:28])}, salt, nil
}

// Record is what was appended once.
type Record struct {
	Seq        uint64
	Known      uint64 // the last number that was on the disk for certain when this was written
	Durability Durability
	Payload    []byte
}

func appendFrame(dst []byte, salt uint32, r Record) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
	dst = binary.AppendUvarint(dst, r.Seq)
	dst = binary.AppendUvarint(dst, r.Seq-r.Known)
	dst = append(dst, byte(r.Durability))
	dst = append(dst, r.Payload...)
	frame := dst[start:]
	binary.LittleEndian.PutUint32(frame, marker<<24|uint32(len(frame)-prefixSize))
	binary.LittleEndian.PutUint32(frame[4:], checksum(salt, frame))
	return dst
}

func checksum(salt uint32, frame []byte) uint32 {
	c := crc32.Update(salt, castagnoli, frame[:4])
	return crc32.Update(c, castagnoli, frame[prefixSize:])
}

// frameSize returns how long the frame is that begins with these eight bytes, or
// 0 if none does.
func frameSize(prefix []byte) int {
	word := binary.LittleEndian.Uint32(prefix)
	if n := word & 0xFFFFFF; word>>24 == marker && n >= minBody && n <= maxBody {
		return prefixSize + int(n)
	}
	return 0
}

func decodeFrame(frame []byte, salt uint32) (r Record, ok bool) {
	if binary.LittleEndian.Uint32(frame[4:]) != checksum(salt, frame) {
		return r, false
	}
	body := frame[prefixSize:]
	seq, n := binary.Uvarint(body)
	if n <= 0 {
		return r, false
	}
	lag, m := binary.Uvarint(body[n:])
	if m <= 0 || lag > seq || len(body) <= n+m {
		return r, false
	}
	return Record{Seq: seq, Known: seq - lag, Durability: Durability(body[n+m]), Payload: body[n+m+1:]}, true
}

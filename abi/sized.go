package abi

import "encoding/binary"

// Requests and responses of capabilities join texts by writing the length of each
// before it, as a u32 LE.

func appendSized[T string | []byte](dst []byte, s T) []byte {
	return append(binary.LittleEndian.AppendUint32(dst, uint32(len(s))), s...)
}

func cutSized(b []byte) (sized, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := int64(binary.LittleEndian.Uint32(b))
	if n > int64(len(b)-4) {
		return nil, nil, false
	}
	return b[4 : 4+n : 4+n], b[4+n:], true
}

// appendOptional writes nil apart from what is empty.
func appendOptional(dst, s []byte) []byte {
	if s == nil {
		return binary.LittleEndian.AppendUint32(dst, absent)
	}
	return appendSized(dst, s)
}

func cutOptional(b []byte) (sized, rest []byte, ok bool) {
	if len(b) >= 4 && binary.LittleEndian.Uint32(b) == absent {
		return nil, b[4:], true
	}
	sized, rest, ok = cutSized(b)
	return present(sized), rest, ok
}

// present makes nothing, which is there, different from what is not.
func present(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

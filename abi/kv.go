package abi

import "encoding/binary"

// Bounds of one entry of the kv capability, in bytes.
const (
	MaxKVKey   = 512
	MaxKVValue = 256 << 10
)

// AppendKVSet appends the request of kv's set: key length, key, value.
func AppendKVSet(dst []byte, key string, value []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(key)))
	return append(append(dst, key...), value...)
}

// DecodeKVSet reads the request of kv's set. The value aliases b.
func DecodeKVSet(b []byte) (key string, value []byte, ok bool) {
	first, rest, ok := cutSized(b)
	return string(first), rest, ok
}

// AppendKVKey appends one key to the answer of kv's list.
func AppendKVKey(dst []byte, key string) []byte {
	return append(binary.LittleEndian.AppendUint32(dst, uint32(len(key))), key...)
}

// DecodeKVKeys reads the answer of kv's list.
func DecodeKVKeys(b []byte) (keys []string, ok bool) {
	for len(b) > 0 {
		key, rest, ok := cutSized(b)
		if !ok {
			return nil, false
		}
		keys = append(keys, string(key))
		b = rest
	}
	return keys, true
}

func cutSized(b []byte) (sized, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := int64(binary.LittleEndian.Uint32(b))
	if n > int64(len(b)-4) {
		return nil, nil, false
	}
	return b[4 : 4+n], b[4+n:], true
}

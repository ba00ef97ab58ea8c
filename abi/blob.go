package abi

import (
	"encoding/binary"
	"math"
	"time"
)

// Bounds of the blob capability: bytes of a name, and of a blob.
const (
	MaxBlobName = MaxKVKey
	MaxBlob     = 8 << 20
)

// BlobInfo is what is known of a blob without reading it.
type BlobInfo struct {
	Name     string
	Size     int64
	Modified time.Time // to the millisecond
	Digest   [32]byte  // SHA-256
}

// AppendBlobPut appends the request of blob's put: name length, name, contents.
func AppendBlobPut(dst []byte, name string, contents []byte) []byte {
	return AppendKVSet(dst, name, contents)
}

// DecodeBlobPut reads the request of blob's put. The contents alias b.
func DecodeBlobPut(b []byte) (name string, contents []byte, ok bool) {
	first, rest, ok := cutSized(b)
	return string(first), rest, ok
}

// AppendBlobGet appends the request of blob's get: where to begin, how many
// bytes at most, name.
func AppendBlobGet(dst []byte, name string, offset, length int64) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(offset))
	return append(binary.LittleEndian.AppendUint64(dst, uint64(length)), name...)
}

// DecodeBlobGet reads the request of blob's get.
func DecodeBlobGet(b []byte) (name string, offset, length int64, ok bool) {
	if len(b) < 16 {
		return "", 0, 0, false
	}
	from, n := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
	if from > math.MaxInt64 || n > math.MaxInt64 {
		return "", 0, 0, false
	}
	return string(b[16:]), int64(from), int64(n), true
}

// AppendBlobStat appends the response of blob's stat: size, Unix milliseconds,
// digest.
func AppendBlobStat(dst []byte, i BlobInfo) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(i.Size))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(i.Modified.UnixMilli()))
	return append(dst, i.Digest[:]...)
}

// DecodeBlobStat reads the response of blob's stat.
func DecodeBlobStat(b []byte) (i BlobInfo, ok bool) {
	if len(b) != 16+len(i.Digest) || binary.LittleEndian.Uint64(b) > math.MaxInt64 {
		return i, false
	}
	i.Size = int64(binary.LittleEndian.Uint64(b))
	i.Modified = time.UnixMilli(int64(binary.LittleEndian.Uint64(b[8:]))).UTC()
	copy(i.Digest[:], b[16:])
	return i, true
}

// AppendBlobEntry appends one blob to the response of blob's list: name length,
// name, size.
func AppendBlobEntry(dst []byte, name string, size int64) []byte {
	return binary.LittleEndian.AppendUint64(appendSized(dst, name), uint64(size))
}

// DecodeBlobEntries reads the response of blob's list: names and sizes.
func DecodeBlobEntries(b []byte) (all []BlobInfo, ok bool) {
	for len(b) > 0 {
		name, rest, ok := cutSized(b)
		if !ok || len(rest) < 8 || binary.LittleEndian.Uint64(rest) > math.MaxInt64 {
			return nil, false
		}
		all = append(all, BlobInfo{Name: string(name), Size: int64(binary.LittleEndian.Uint64(rest))})
		b = rest[8:]
	}
	return all, true
}

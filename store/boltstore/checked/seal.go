package checked

import (
	"encoding/binary"
	"hash/crc32"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// SealSize is how many bytes a seal puts before a value.
const SealSize = 5

// plain is the format of seals that nothing else is said about.
const plain = 1

// Seal makes a record: a format byte and a CRC-32C, which covers bucket, key and value, before the
// value.
func Seal(bucket string, key, value []byte) []byte { return SealAs(plain, bucket, key, value) }

// Unseal returns the value of a record, which it does not copy, and reports whether it is the one
// that was sealed.
func Unseal(bucket string, key, record []byte) (value []byte, ok bool) {
	return UnsealAs(plain, bucket, key, record)
}

// SealAs is Seal for values of another format, which cannot be taken for those of the first: the
// checksum covers other words than the bucket's name.
func SealAs(format byte, words string, key, value []byte) []byte {
	return append(binary.LittleEndian.AppendUint32([]byte{format}, checksum(words, key, value)), value...)
}

// UnsealAs is the inverse of SealAs.
func UnsealAs(format byte, words string, key, record []byte) (value []byte, ok bool) {
	if len(record) < SealSize || record[0] != format || binary.LittleEndian.Uint32(record[1:]) != checksum(words, key, record[SealSize:]) {
		return nil, false
	}
	return record[SealSize:], true
}

func checksum(words string, key, value []byte) uint32 {
	c := crc32.Update(0, castagnoli, []byte(words))
	c = crc32.Update(c, castagnoli, key)
	return crc32.Update(c, castagnoli, value)
}

package boltstore

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"

	bolt "go.etcd.io/bbolt"

	"github.com/agora-host/agora/internal/storage"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sealSize is how many bytes a seal puts before a value.
const sealSize = 5

// seal puts a format byte and a CRC-32C, which covers bucket, key and value,
// before a value: bbolt itself checks nothing.
func seal(bucket string, key, value []byte) []byte {
	return append(binary.LittleEndian.AppendUint32([]byte{1}, checksum(bucket, key, value)), value...)
}

func unseal(bucket string, key, record []byte) ([]byte, error) {
	if len(record) < sealSize || record[0] != 1 || binary.LittleEndian.Uint32(record[1:]) != checksum(bucket, key, record[sealSize:]) {
		return nil, fmt.Errorf("%s: %w", recordName(bucket, key), storage.ErrCorrupt)
	}
	return record[sealSize:], nil
}

func checksum(bucket string, key, value []byte) uint32 {
	c := crc32.Update(0, castagnoli, []byte(bucket))
	c = crc32.Update(c, castagnoli, key)
	return crc32.Update(c, castagnoli, value)
}

// get reads a value, or answers missing.
func get[T any](tx *bolt.Tx, bucket string, key []byte, missing error) (v T, err error) {
	record := tx.Bucket([]byte(bucket)).Get(key)
	if record == nil {
		return v, missing
	}
	return decode[T](bucket, key, record)
}

func decode[T any](bucket string, key, record []byte) (v T, err error) {
	raw, err := unseal(bucket, key, record)
	if err != nil {
		return v, err
	}
	return parse[T](bucket, key, raw)
}

func parse[T any](bucket string, key, raw []byte) (v T, err error) {
	if err := json.Unmarshal(raw, &v); err != nil {
		return v, fmt.Errorf("%s: %w: %w", recordName(bucket, key), storage.ErrCorrupt, err)
	}
	return v, nil
}

// list reads all values whose keys start with prefix, in key order.
func list[T any](tx *bolt.Tx, bucket string, prefix []byte) ([]T, error) {
	var all []T
	c := tx.Bucket([]byte(bucket)).Cursor()
	for k, record := c.Seek(prefix); k != nil && hasPrefix(k, prefix); k, record = c.Next() {
		v, err := decode[T](bucket, k, record)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

func hasPrefix(k, prefix []byte) bool {
	return len(k) >= len(prefix) && string(k[:len(prefix)]) == string(prefix)
}

// key joins texts with NUL, which occurs in none of them, so that one app's
// records are a range.
func key(parts ...string) []byte {
	var k []byte
	for i, p := range parts {
		if i > 0 {
			k = append(k, 0)
		}
		k = append(k, p...)
	}
	return k
}

// number is a key part that sorts as a number.
func number(n uint64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], n)
	return string(b[:])
}

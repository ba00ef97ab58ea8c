package boltstore

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/store/boltstore/checked"
)

// unseal returns the value of a record, or that it is damaged.
func unseal(bucket string, key, record []byte) ([]byte, error) {
	value, ok := checked.Unseal(bucket, key, record)
	if !ok {
		return nil, fmt.Errorf("%s: %w", recordName(bucket, key), storage.ErrCorrupt)
	}
	return value, nil
}

// get reads a value, or returns missing.
func get[T any](tx checked.Tx, bucket string, key []byte, missing error) (v T, err error) {
	record := tx.Record(bucket, key)
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
func list[T any](tx checked.Tx, bucket string, prefix []byte) ([]T, error) {
	var all []T
	for k, record := range tx.Under(bucket, prefix) {
		v, err := decode[T](bucket, k, record)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
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

// within is the beginning of the keys that begin with these parts and have more.
func within(parts ...string) []byte { return append(key(parts...), 0) }

// cutKey is the inverse of key for two parts. Names of apps hold no NUL.
func cutKey(k []byte) (app, name string) {
	before, after, _ := bytes.Cut(k, []byte{0})
	return string(before), string(after)
}

// number is a key part that sorts as a number.
func number(n uint64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], n)
	return string(b[:])
}

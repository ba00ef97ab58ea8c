package boltstore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/store/boltstore/checked"
)

// An entry is a sealed record: of format 1 the value, of format 2 the time it
// expires at, in Unix milliseconds, and the value. The checksum of format 2
// covers other words, so that one format cannot be taken for the other.
const (
	expirySize   = 8
	expiryFormat = 2
	expirySum    = bData + "/" + bExpiry
)

type entry struct {
	value   []byte // bbolt's
	expires uint64 // Unix milliseconds; 0: never
}

func (e entry) gone(now time.Time) bool {
	return e.expires != 0 && uint64(now.UnixMilli()) >= e.expires
}

func sealEntry(k, value []byte, expires uint64) []byte {
	if expires == 0 {
		return checked.Seal(bData, k, value)
	}
	return checked.SealAs(expiryFormat, expirySum, k, append(binary.BigEndian.AppendUint64(make([]byte, 0, expirySize+len(value)), expires), value...))
}

func openEntry(k, record []byte) (entry, error) {
	if len(record) < checked.SealSize+expirySize || record[0] != expiryFormat {
		value, err := unseal(bData, k, record)
		return entry{value: value}, err
	}
	payload, ok := checked.UnsealAs(expiryFormat, expirySum, k, record)
	if !ok {
		return entry{}, fmt.Errorf("%s: %w", recordName(bData, k), storage.ErrCorrupt)
	}
	return entry{payload[expirySize:], binary.BigEndian.Uint64(payload)}, nil
}

// goneRecord reports, without reading all of it, whether a record's entry is gone.
func goneRecord(record []byte, now time.Time) bool {
	return len(record) >= checked.SealSize+expirySize && record[0] == expiryFormat &&
		entry{expires: binary.BigEndian.Uint64(record[checked.SealSize:])}.gone(now)
}

// used is what an app keeps, with what has expired and is not yet swept.
type used struct{ Bytes, Keys int64 }

func readUsed(tx checked.Tx, app string) (used, error) { return readUsedFrom(tx, bUsed, app) }

func readUsedFrom(tx checked.Tx, bucket, app string) (u used, err error) {
	record := tx.Record(bucket, []byte(app))
	if record == nil {
		return u, nil
	}
	raw, err := unseal(bucket, []byte(app), record)
	if err != nil {
		return u, err
	}
	return decodeUsed(raw), nil
}

func decodeUsed(raw []byte) (u used) {
	if len(raw) == 16 {
		u.Bytes, u.Keys = int64(binary.BigEndian.Uint64(raw)), int64(binary.BigEndian.Uint64(raw[8:]))
	}
	return u
}

func (u used) put(w *writer, app string) error { return u.putInto(w, bUsed, app) }

func (u used) putInto(w *writer, bucket, app string) error {
	raw := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(u.Bytes)), uint64(u.Keys))
	return w.set(bucket, []byte(app), checked.Seal(bucket, []byte(app), raw))
}

func (u used) plus(o used) used  { return used{u.Bytes + o.Bytes, u.Keys + o.Keys} }
func (u used) minus(o used) used { return used{u.Bytes - o.Bytes, u.Keys - o.Keys} }

// expiryKey sorts an app's entries by when they expire.
func expiryKey(app string, expires uint64, name string) []byte {
	return key(app, number(expires)+name)
}

// cutExpiryKey is the inverse of expiryKey. Names of apps hold no NUL.
func cutExpiryKey(k []byte) (app string, expires uint64, name string, ok bool) {
	before, rest, ok := bytes.Cut(k, []byte{0})
	if !ok || len(rest) < expirySize {
		return "", 0, "", false
	}
	return string(before), binary.BigEndian.Uint64(rest), string(rest[expirySize:]), true
}

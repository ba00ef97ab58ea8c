package boltstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/store/boltstore/checked"
)

const (
	bBlobs     = "blobs"      // what apps keep in files beside: app, NUL, name
	bBlobsUsed = "blobs_used" // how much that is, by app
)

// A blob's record is its size in bytes, big-endian, and what whoever keeps the
// files wants to find again.
func openBlob(k, record []byte) (size int64, note []byte, err error) {
	raw, err := unseal(bBlobs, k, record)
	if err != nil {
		return 0, nil, err
	}
	if len(raw) < 8 {
		return 0, nil, fmt.Errorf("%s: %w", recordName(bBlobs, k), storage.ErrCorrupt)
	}
	return int64(binary.BigEndian.Uint64(raw)), raw[8:], nil
}

// BlobRoom reports whether a blob of so many bytes has room now, or returns
// abi.ErrnoQuota.
func (s *KV) BlobRoom(_ context.Context, app, name string, size int64, quota abi.KVQuota) error {
	return s.file.View(func(tx checked.Tx) error {
		_, _, err := blobsAfter(tx, app, name, size, quota)
		return err
	})
}

// blobsAfter is what an app keeps once a blob has so many bytes (-1: once it is
// gone), and the note of the one that is there now.
func blobsAfter(tx checked.Tx, app, name string, size int64, quota abi.KVQuota) (u used, old []byte, err error) {
	var before, after used
	k := key(app, name)
	if record := tx.Record(bBlobs, k); record != nil {
		n, note, err := openBlob(k, record)
		if err != nil {
			return u, nil, err
		}
		before, old = used{int64(len(name)) + n, 1}, append([]byte{}, note...)
	}
	if size >= 0 {
		after = used{int64(len(name)) + size, 1}
	}
	if u, err = readUsedFrom(tx, bBlobsUsed, app); err != nil {
		return u, nil, err
	}
	u = u.plus(after).minus(before)
	if (u.Bytes > quota.Bytes && after.Bytes > before.Bytes) || (u.Keys > quota.Keys && after.Keys > before.Keys) {
		return u, nil, abi.ErrnoQuota
	}
	return u, old, quota.Grows(after.Bytes - before.Bytes)
}

// PutBlob notes a blob of so many bytes, unless the app would then keep more than
// its quota (abi.ErrnoQuota). It returns the note that it replaces, or nil.
func (s *KV) PutBlob(ctx context.Context, app, name string, size int64, note []byte, quota abi.KVQuota) (old []byte, err error) {
	k := key(app, name)
	record := checked.Seal(bBlobs, k, append(binary.BigEndian.AppendUint64(nil, uint64(size)), note...))
	err = s.write(ctx, func(w *writer) error {
		u, was, err := blobsAfter(w.tx, app, name, size, quota)
		if err != nil {
			return err
		}
		if err := w.set(bBlobs, k, record); err != nil {
			return err
		}
		old = was
		return u.putInto(w, bBlobsUsed, app)
	})
	return old, err
}

// DeleteBlob forgets a blob. It returns its note, or nil if there is none.
func (s *KV) DeleteBlob(ctx context.Context, app, name string) (old []byte, err error) {
	err = s.write(ctx, func(w *writer) error {
		u, was, err := blobsAfter(w.tx, app, name, -1, abi.KVQuota{})
		if err != nil || was == nil {
			return err
		}
		if err := w.remove(bBlobs, key(app, name)); err != nil {
			return err
		}
		old = was
		return u.putInto(w, bBlobsUsed, app)
	})
	return old, err
}

// Blob reads a blob's note; abi.ErrnoNotFound if there is none.
func (s *KV) Blob(_ context.Context, app, name string) (note []byte, err error) {
	k := key(app, name)
	err = s.file.View(func(tx checked.Tx) error {
		record := tx.Record(bBlobs, k)
		if record == nil {
			return abi.ErrnoNotFound
		}
		_, raw, err := openBlob(k, record)
		note = append([]byte{}, raw...)
		return err
	})
	return note, err
}

// Blobs lists up to limit blobs of an app that start with prefix and sort behind
// after, in order: names and sizes.
func (s *KV) Blobs(_ context.Context, app, prefix, after string, limit int) (all []abi.BlobInfo, err error) {
	start := key(app, prefix)
	from := start
	if after != "" && after >= prefix {
		from = append(key(app, after), 0)
	}
	err = s.file.View(func(tx checked.Tx) error {
		for k, record := range tx.From(bBlobs, from) {
			if !bytes.HasPrefix(k, start) || len(all) >= limit {
				break
			}
			size, _, err := openBlob(k, record)
			if err != nil {
				return err
			}
			all = append(all, abi.BlobInfo{Name: string(k[len(app)+1:]), Size: size})
		}
		return nil
	})
	return all, err
}

// EachBlob shows every note of every app. It is not to be kept.
func (s *KV) EachBlob(see func(app, name string, note []byte) error) error {
	return s.file.View(func(tx checked.Tx) error {
		for k, record := range tx.From(bBlobs, nil) {
			_, note, err := openBlob(k, record)
			if err != nil {
				return err
			}
			app, name := cutKey(k)
			if err := see(app, name, note); err != nil {
				return err
			}
		}
		return nil
	})
}

// BlobsUsed is what an app keeps in blobs.
func (s *KV) BlobsUsed(_ context.Context, app string) (u abi.KVQuota, err error) {
	err = s.file.View(func(tx checked.Tx) error {
		found, err := readUsedFrom(tx, bBlobsUsed, app)
		u = abi.KVQuota{Bytes: found.Bytes, Keys: found.Keys}
		return err
	})
	return u, err
}

package boltstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
)

// Check is Store.Check for the apps' data.
func (s *KV) Check(ctx context.Context) []error { return verifyOpen(ctx, s.db, kvShape) }

var kvBuckets = []string{bData, bUsed, bExpiry, bBlobs, bBlobsUsed, bScrub}

var kvShape = shape{
	buckets: kvBuckets, required: []string{"format"}, prepare: prepareKV,
	unseal: func(bucket string, key, record []byte) ([]byte, error) {
		if bucket != bData {
			return unseal(bucket, key, record)
		}
		_, err := openEntry(key, record)
		return record, err
	},
	also: func() (func(string, []byte, []byte), func(map[string][]byte, map[string]tally) []string) {
		c := newKVCounts()
		return c.see, func(map[string][]byte, map[string]tally) []string { return c.wrong() }
	},
}

// kvCounts compares what apps keep with what was counted, and what expires with
// what will be swept.
type kvCounts struct {
	kept, counted map[string]used
	expires       map[string]int // by key in expiry: 1 if it is there, 2 if an entry says so, 3 if both
	blobs         blobCounts
}

// blobCounts are the same for what is kept in files.
type blobCounts struct{ kept, counted map[string]used }

func newKVCounts() kvCounts {
	return kvCounts{map[string]used{}, map[string]used{}, map[string]int{}, blobCounts{map[string]used{}, map[string]used{}}}
}

func (c kvCounts) see(bucket string, k, raw []byte) {
	app, name, _ := bytes.Cut(k, []byte{0})
	switch bucket {
	case bUsed:
		c.counted[string(app)] = decodeUsed(raw)
	case bExpiry:
		c.expires[string(k)] |= 1
	case bBlobsUsed:
		c.blobs.counted[string(app)] = decodeUsed(raw)
	case bBlobs:
		if len(raw) >= 8 {
			c.blobs.kept[string(app)] = c.blobs.kept[string(app)].plus(used{int64(len(name)) + int64(binary.BigEndian.Uint64(raw)), 1})
		}
	case bData:
		e, _ := openEntry(k, raw) // the whole record, which was checked
		c.kept[string(app)] = c.kept[string(app)].plus(used{int64(len(name) + len(e.value)), 1})
		if e.expires != 0 {
			c.expires[string(expiryKey(string(app), e.expires, string(name)))] |= 2
		}
	}
}

func (c kvCounts) wrong() []string {
	wrong := append(miscounted("keeps", c.kept, c.counted), miscounted("keeps in files", c.blobs.kept, c.blobs.counted)...)
	for due, said := range c.expires {
		if said != 3 {
			wrong = append(wrong, fmt.Sprintf("does not say the same about when %q expires as what will be swept", due))
		}
	}
	return wrong
}

func miscounted(verb string, kept, counted map[string]used) (wrong []string) {
	for app, n := range counted {
		if kept[app] != n {
			wrong = append(wrong, fmt.Sprintf("%s %+v of app %q, and counted %+v", verb, kept[app], app, n))
		}
		delete(kept, app)
	}
	for app, n := range kept {
		wrong = append(wrong, fmt.Sprintf("%s %+v of app %q, and counted nothing", verb, n, app))
	}
	return wrong
}

const kvFormat = 2

// prepareKV makes a new file ready. What a file of format 1 has is counted and
// sealed.
func prepareKV(w *writer) error {
	b := w.tx.Bucket([]byte(bMeta))
	done := b != nil && b.Get([]byte("format")) != nil
	if err := w.prepare(kvBuckets); err != nil || done {
		return err
	}
	c := newKVCounts()
	err := w.tx.Bucket([]byte(bData)).ForEach(func(k, record []byte) error {
		c.see(bData, k, record)
		return nil
	})
	if err != nil {
		return err
	}
	for app, u := range c.kept {
		if err := u.put(w, app); err != nil {
			return err
		}
	}
	for due := range c.expires {
		if err := w.set(bExpiry, []byte(due), seal(bExpiry, []byte(due), nil)); err != nil {
			return err
		}
	}
	return put(w, bMeta, []byte("format"), kvFormat)
}

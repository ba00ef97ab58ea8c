package boltstore

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/agora-host/agora/store/boltstore/checked"
)

var kvShape = &checked.Shape{
	Buckets: []string{bData, bUsed, bExpiry, bBlobs, bBlobsUsed}, Required: []string{"format"}, Name: recordName, Prepare: prepareKV,
	Unseal: func(bucket string, key, record []byte) ([]byte, bool) {
		if bucket != bData {
			return checked.Unseal(bucket, key, record)
		}
		_, err := openEntry(key, record)
		return record, err == nil
	},
	Relate: func() checked.Relation { return newKVCounts() },
	// Format 1 had no meta at all, and sealed data alone.
	Uncounted: func(found map[string]bool, _ map[string][]byte) bool {
		return !found[bMeta] && found[bData] && found[bUsed]
	},
	AlwaysSealed: []string{bData},
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

// See implements checked.Relation.
func (c kvCounts) See(bucket string, k, raw []byte) {
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

// Wrong implements checked.Relation.
func (c kvCounts) Wrong(map[string][]byte, map[string]checked.Tally) []string {
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
func prepareKV(f *checked.Writer, _ func(string) bool) error {
	w := newWriter(f)
	if w.tx.Record(bMeta, []byte("format")) != nil {
		return nil
	}
	c := newKVCounts()
	for k, record := range w.tx.From(bData, nil) {
		c.See(bData, k, record)
	}
	for app, u := range c.kept {
		if err := u.put(w, app); err != nil {
			return err
		}
	}
	for due := range c.expires {
		if err := w.set(bExpiry, []byte(due), checked.Seal(bExpiry, []byte(due), nil)); err != nil {
			return err
		}
	}
	return put(w, bMeta, []byte("format"), kvFormat)
}

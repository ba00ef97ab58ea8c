package boltstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	bolt "go.etcd.io/bbolt"

	"github.com/agora-host/agora/internal/storage"
)

// maxDamage bounds a report: who has more has lost the file.
const maxDamage = 1000

// shape is what a file must have.
type shape struct {
	buckets  []string // but meta
	required []string // records of meta, from format 2 on
	prepare  func(*writer) error
	unseal   func(bucket string, key, record []byte) ([]byte, error)
	// also compares records with each other: it is shown each, and asked at the end.
	also func() (see func(bucket string, key, value []byte), end func(meta map[string][]byte, counted map[string]tally) []string)
}

// verification is one reading of a whole file.
type verification struct {
	path    string
	problem []error
	more    int // beyond maxDamage
	// unsealed are records without a right seal; format 1 of the apps' data sealed
	// data alone, and what format it is, is known at the end.
	unsealed []string
	found    map[string]bool
	tallies  map[string]*tally
	meta     map[string][]byte // unsealed
	see      func(bucket string, key, value []byte)
	unseal   func(bucket string, key, record []byte) ([]byte, error)
}

// Verify reads the whole file of a store that no process has open, and answers
// all that is damaged: *storage.Damage for each. rest, if not nil, is called
// between pages, and ends the reading with an error.
func Verify(path string, rest func() error) []error { return verifyFile(path, storeShape, rest) }

// VerifyKV is Verify for the apps' data.
func VerifyKV(path string, rest func() error) []error { return verifyFile(path, kvShape, rest) }

// VerifyQueue is Verify for what waits to be delivered.
func VerifyQueue(path string, rest func() error) []error { return verifyFile(path, queueShape, rest) }

func verifyFile(path string, s shape, rest func() error) []error {
	f, err := os.Open(path)
	if err != nil {
		return []error{err}
	}
	defer f.Close()
	if rest == nil {
		return verify(f, f, path, s)
	}
	return verify(f, restingReader{f, rest}, path, s)
}

type restingReader struct {
	r    io.ReaderAt
	rest func() error
}

func (r restingReader) ReadAt(b []byte, at int64) (int, error) {
	if err := r.rest(); err != nil {
		return 0, err
	}
	return r.r.ReadAt(b, at)
}

// verify reads the newest state in an open file, through r.
func verify(f *os.File, r io.ReaderAt, path string, s shape) []error {
	info, err := f.Stat()
	if err != nil {
		return []error{err}
	}
	if info.Size() == 0 { // it gets its name only once it is whole
		return []error{&storage.Damage{File: path, Detail: "is empty: everything in it is lost"}}
	}
	_, newest, err := readMetas(r)
	if err != nil {
		return []error{&storage.Damage{File: path, Item: "a root", Detail: "is damaged: " + err.Error()}}
	}
	return verifyAt(r, info.Size(), newest, path, s)
}

// verifyOpen reads what one transaction of an open database sees, while others
// go on: no page of it is written over before the transaction ends.
func verifyOpen(ctx context.Context, db *bolt.DB, s shape) (problems []error) {
	f, err := os.Open(db.Path())
	if err != nil {
		return []error{err}
	}
	defer f.Close()
	// A root that two commits have replaced meanwhile, or that is half written at
	// this moment, is not found: the next transaction's will be.
	for range 100 {
		done := false
		err = guard(func() error {
			return db.View(func(tx *bolt.Tx) error {
				older, newer, err := readMetas(f)
				if err != nil {
					return err
				}
				if older.txn == uint64(tx.ID()) {
					newer = older
				}
				info, err := f.Stat()
				if err != nil || newer.txn != uint64(tx.ID()) {
					return err
				}
				problems, done = verifyAt(restingReader{f, ctx.Err}, info.Size(), newer, db.Path(), s), true
				return nil
			})
		})
		if done {
			return problems
		}
	}
	if err == nil {
		return []error{fmt.Errorf("%s changes too fast to be checked: try again", db.Path())}
	}
	return []error{&storage.Damage{File: db.Path(), Item: "a root", Detail: "is damaged: " + err.Error()}}
}

func verifyAt(r io.ReaderAt, size int64, m meta, path string, s shape) []error {
	v := &verification{path: path, found: map[string]bool{}, tallies: map[string]*tally{}, meta: map[string][]byte{}}
	see, end := s.also()
	v.see, v.unseal = see, s.unseal
	w := &walker{r: r, damaged: v.page, record: v.record, bucket: v.bucket}
	w.walk(m, size)
	for _, name := range v.unsealed {
		if !v.first(s) || strings.HasPrefix(name, "key ") {
			v.add(name, "does not match its checksum")
		}
	}
	if w.sound {
		v.compare(s, end)
	}
	if v.more > 0 {
		v.problem = append(v.problem, &storage.Damage{File: path, Detail: fmt.Sprintf("has %d more damaged items", v.more)})
	}
	return v.problem
}

func (v *verification) add(item, detail string) {
	if len(v.problem) == maxDamage {
		v.more++
		return
	}
	v.problem = append(v.problem, &storage.Damage{File: v.path, Item: item, Detail: detail})
}

func (v *verification) page(bucket string, id uint64, lo, hi []byte, what string) {
	if id == 0 {
		v.add("", "is cut off: "+what)
		return
	}
	item := fmt.Sprintf("page %d", id)
	switch {
	case bucket == "":
	case lo == nil && hi == nil:
		item += fmt.Sprintf(" (all %s)", bucket)
	case hi == nil:
		item += fmt.Sprintf(" (%s, from %s on)", bucket, recordName(bucket, lo))
	case lo == nil:
		item += fmt.Sprintf(" (%s, up to %s)", bucket, recordName(bucket, hi))
	default:
		item += fmt.Sprintf(" (%s, from %s to %s)", bucket, recordName(bucket, lo), recordName(bucket, hi))
	}
	v.add(item, what)
}

func (v *verification) bucket(name string) {
	v.found[name] = true
	v.tallies[name] = &tally{}
}

func (v *verification) record(bucket string, key, value []byte) {
	v.tallies[bucket].add(key, value)
	raw, err := v.unseal(bucket, key, value)
	if err != nil {
		v.unsealed = append(v.unsealed, recordName(bucket, key))
		return
	}
	if bucket == bMeta {
		v.meta[string(key)] = slices.Clone(raw)
		return
	}
	v.see(bucket, key, raw)
}

// compare finds what is whole and yet not right: what vanished, or came back.
func (v *verification) compare(s shape, end func(map[string][]byte, map[string]tally) []string) {
	for b := range v.found {
		if b != bMeta && !slices.Contains(s.buckets, b) {
			v.add(fmt.Sprintf("bucket %q", b), "was never made")
		}
	}
	if len(v.problem) > 0 || v.first(s) {
		return
	}
	for _, name := range s.required {
		if v.meta[name] == nil {
			v.add(recordName(bMeta, []byte(name)), "is gone")
		}
	}
	counted := map[string]tally{}
	for _, b := range s.buckets {
		raw, counts := v.meta[tallyKey(b)]
		if !counts && !v.found[b] {
			continue // newer than the file: it will be made
		}
		var want tally
		if err := json.Unmarshal(raw, &want); err != nil {
			v.add("the count of "+b, "is gone")
			continue
		}
		counted[b] = want
		v.count(b, want)
	}
	for _, what := range end(v.meta, counted) {
		v.add("", what)
	}
}

func (v *verification) count(bucket string, want tally) {
	got := v.tallies[bucket]
	if got == nil {
		v.add("bucket "+bucket, fmt.Sprintf("is gone, with its %d records", want.Records))
		return
	}
	switch {
	case got.Records < want.Records:
		v.add(bucket, fmt.Sprintf("has %d records, and should have %d: some are lost", got.Records, want.Records))
	case got.Records > want.Records:
		v.add(bucket, fmt.Sprintf("has %d records, and should have %d: some came back", got.Records, want.Records))
	case got.Sum != want.Sum:
		v.add(bucket, fmt.Sprintf("has %d records, as it should, but not the ones that were written last", got.Records))
	}
}

// first tells whether the file is of format 1, which counted nothing.
func (v *verification) first(s shape) bool {
	if slices.Contains(s.buckets, bData) { // format 1 of the apps' data had no meta at all
		return !v.found[bMeta] && v.found[bData] && v.found[bUsed]
	}
	return string(v.meta["format"]) == "1"
}

// DamagedError says that a file is not opened, and why.
type DamagedError struct {
	Path   string
	Damage []error
}

func (e *DamagedError) Error() string {
	text := e.Damage[0].Error()
	if n := len(e.Damage) - 1; n > 0 {
		text += fmt.Sprintf(", and %d more", n)
	}
	dir := filepath.Dir(e.Path)
	return fmt.Sprintf("%s is damaged and was not opened: %s. Nothing was changed. List all of it with `agora doctor --data %s`, then go back to a snapshot with `agora restore --snapshot latest --data %s`, or to a backup with `agora restore FILE`",
		e.Path, text, dir, dir)
}

func (e *DamagedError) Unwrap() []error { return e.Damage }

// damaged makes one error of what a verification found, or answers nil.
func damaged(path string, problems []error) error {
	if len(problems) == 0 {
		return nil
	}
	for _, p := range problems {
		if !errors.Is(p, storage.ErrCorrupt) {
			return fmt.Errorf("read %s: %w", path, p)
		}
	}
	return &DamagedError{path, problems}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// tallyKey is where meta keeps a bucket's tally.
func tallyKey(bucket string) string { return strings.Join([]string{"tally", bucket}, "\x00") }

package checked

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/agora-host/agora/internal/storage"
)

// maxDamage bounds a report: who has more has lost the file.
const maxDamage = 1000

// verification is one reading of a whole file.
type verification struct {
	path    string
	problem []error
	more    int // beyond maxDamage
	// unsealed are records without a right seal; format 1 of the apps' data sealed
	// data alone, and what format it is, is known at the end.
	unsealed []unsealed
	found    map[string]bool
	tallies  map[string]*Tally
	meta     map[string][]byte // unsealed
	shape    *Shape
	relation Relation
}

type unsealed struct{ bucket, name string }

// Verify reads a whole file that no process has open, and returns
// all that is damaged: *storage.Damage for each. rest, if not nil, is called
// between pages, and ends the reading with an error.
func Verify(path string, s *Shape, rest func() error) []error {
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
func verify(f *os.File, r io.ReaderAt, path string, s *Shape) []error {
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

// Check reads the whole file as it is at this moment, and returns all that is
// damaged: *storage.Damage for each. Others may go on: no page that this one
// transaction sees is written over before it ends.
func (f *File) Check(ctx context.Context) (problems []error) {
	path := f.db.Path()
	raw, err := os.Open(path)
	if err != nil {
		return []error{err}
	}
	defer raw.Close()
	// A root that two commits have replaced meanwhile, or that is half written at
	// this moment, is not found: the next transaction's will be.
	for range 100 {
		done := false
		err = guard(func() error {
			return f.db.View(func(tx *bolt.Tx) error {
				older, newer, err := readMetas(raw)
				if err != nil {
					return err
				}
				if older.txn == uint64(tx.ID()) {
					newer = older
				}
				info, err := raw.Stat()
				if err != nil || newer.txn != uint64(tx.ID()) {
					return err
				}
				problems, done = verifyAt(restingReader{raw, ctx.Err}, info.Size(), newer, path, f.shape), true
				return nil
			})
		})
		if done {
			return problems
		}
	}
	if err == nil {
		return []error{fmt.Errorf("%s changes too fast to be checked: try again", path)}
	}
	return []error{&storage.Damage{File: path, Item: "a root", Detail: "is damaged: " + err.Error()}}
}

func verifyAt(r io.ReaderAt, size int64, m meta, path string, s *Shape) []error {
	v := &verification{path: path, found: map[string]bool{}, tallies: map[string]*Tally{}, meta: map[string][]byte{}, shape: s, relation: s.relation()}
	w := &walker{r: r, damaged: v.page, record: v.record, bucket: v.bucket}
	w.walk(m, size)
	for _, u := range v.unsealed {
		if !v.uncounted() || slices.Contains(s.AlwaysSealed, u.bucket) {
			v.add(u.name, "does not match its checksum")
		}
	}
	if w.sound {
		v.compare()
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
		item += fmt.Sprintf(" (%s, from %s on)", bucket, v.shape.Name(bucket, lo))
	case lo == nil:
		item += fmt.Sprintf(" (%s, up to %s)", bucket, v.shape.Name(bucket, hi))
	default:
		item += fmt.Sprintf(" (%s, from %s to %s)", bucket, v.shape.Name(bucket, lo), v.shape.Name(bucket, hi))
	}
	v.add(item, what)
}

func (v *verification) bucket(name string) {
	v.found[name] = true
	v.tallies[name] = &Tally{}
}

func (v *verification) record(bucket string, key, value []byte) {
	v.tallies[bucket].Add(key, value)
	raw, ok := v.shape.unseal(bucket, key, value)
	if !ok {
		v.unsealed = append(v.unsealed, unsealed{bucket, v.shape.Name(bucket, key)})
		return
	}
	if bucket == Meta {
		v.meta[string(key)] = slices.Clone(raw)
		return
	}
	v.relation.See(bucket, key, raw)
}

// compare finds what is whole and yet not right: what vanished, or came back.
func (v *verification) compare() {
	buckets := v.shape.buckets()
	for b := range v.found {
		if b != Meta && !slices.Contains(buckets, b) {
			v.add(fmt.Sprintf("bucket %q", b), "was never made")
		}
	}
	if len(v.problem) > 0 || v.uncounted() {
		return
	}
	for _, name := range v.shape.Required {
		if v.meta[name] == nil {
			v.add(v.shape.Name(Meta, []byte(name)), "is gone")
		}
	}
	counted := map[string]Tally{}
	for _, b := range buckets {
		raw, counts := v.meta[string(tallyKey(b))]
		if !counts && !v.found[b] {
			continue // newer than the file: it will be made
		}
		var want Tally
		if err := json.Unmarshal(raw, &want); err != nil {
			v.add("the count of "+b, "is gone")
			continue
		}
		counted[b] = want
		v.count(b, want)
	}
	for _, what := range v.relation.Wrong(v.meta, counted) {
		v.add("", what)
	}
}

func (v *verification) count(bucket string, want Tally) {
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

func (v *verification) uncounted() bool { return v.shape.uncounted(v.found, v.meta) }

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

// damaged makes one error of what a verification found, or returns nil.
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

package checked_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/store/boltstore/checked"
)

// words is a shape whose values must not say "bad".
func words(buckets ...string) *checked.Shape {
	return &checked.Shape{
		Buckets: buckets,
		Prepare: func(*checked.Writer, func(string) bool) error { return nil },
		Name:    func(bucket string, key []byte) string { return fmt.Sprintf("the word %q of %s", key, bucket) },
		Relate:  func() checked.Relation { return &noBad{} },
	}
}

type noBad struct{ bad int }

func (n *noBad) See(_ string, _, value []byte) {
	if string(value) == "bad" {
		n.bad++
	}
}

func (n *noBad) Wrong(map[string][]byte, map[string]checked.Tally) []string {
	return make([]string, n.bad)
}

func put(w *checked.Writer, bucket, key, value string) error {
	return w.Set(bucket, []byte(key), checked.Seal(bucket, []byte(key), []byte(value)))
}

// model is what a file should have: by bucket, values by key.
type model map[string]map[string]string

func (m model) clone() model {
	c := model{}
	for bucket, records := range m {
		c[bucket] = maps.Clone(records)
	}
	return c
}

var drawnKey = rapid.StringMatching(`[ab\x00\xff]{1,3}`)

// act draws a change, makes it in both, and refuses it sometimes.
func (m model) act(t *rapid.T, w *checked.Writer) error {
	for range rapid.IntRange(1, 30).Draw(t, "changes") {
		bucket, key := rapid.SampledFrom([]string{"one", "two"}).Draw(t, "bucket"), drawnKey.Draw(t, "key")
		var err error
		if rapid.Bool().Draw(t, "remove") {
			err = w.Remove(bucket, []byte(key))
			delete(m[bucket], key)
		} else {
			m[bucket][key] = rapid.StringN(0, 3, -1).Draw(t, "value")
			err = put(w, bucket, key, m[bucket][key])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	m.check(t, w.Tx)
	if rapid.IntRange(0, 3).Draw(t, "refuse") == 0 {
		return errRefused
	}
	return nil
}

var errRefused = errors.New("refused")

// check compares every way to read.
func (m model) check(t *rapid.T, tx checked.Tx) {
	from, prefix := drawnKey.Draw(t, "from"), rapid.SampledFrom([]string{"", "a", "\x00", "\xff", "b\xff"}).Draw(t, "prefix")
	for bucket, records := range m {
		keys := slices.Sorted(maps.Keys(records))
		only := func(keep func(string) bool) (kept []string) {
			for _, k := range keys {
				if keep(k) {
					kept = append(kept, k)
				}
			}
			return kept
		}
		same := func(what string, got iter.Seq2[[]byte, []byte], want []string) {
			t.Helper()
			var found []string
			for k, record := range got {
				if value, ok := checked.Unseal(bucket, k, record); !ok || string(value) != records[string(k)] {
					t.Fatalf("%s: %q has %q, want %q", what, k, value, records[string(k)])
				}
				found = append(found, string(k))
			}
			if !slices.Equal(found, want) {
				t.Fatalf("%s: found %q, want %q", what, found, want)
			}
		}
		under := only(func(k string) bool { return strings.HasPrefix(k, prefix) })
		same("from", tx.From(bucket, []byte(from)), only(func(k string) bool { return k >= from }))
		same("under", tx.Under(bucket, []byte(prefix)), under)
		same("part", tx.Part(bucket, []byte(prefix), nil, false), under)
		same("part after", tx.Part(bucket, []byte(prefix), []byte(from), false), only(func(k string) bool { return strings.HasPrefix(k, prefix) && k > prefix+from }))
		before := only(func(k string) bool { return strings.HasPrefix(k, prefix) && k < prefix+from })
		slices.Reverse(before)
		same("part before", tx.Part(bucket, []byte(prefix), []byte(from), true), before)
		slices.Reverse(under)
		same("newest", tx.Part(bucket, []byte(prefix), nil, true), under)
		if n, err := tx.Count(bucket); err != nil || n != uint64(len(keys)) {
			t.Fatalf("%d records of %d are counted, %v", n, len(keys), err)
		}
		if k, _ := tx.Seek(bucket, []byte(from)); string(k) != first(only(func(k string) bool { return k >= from })) {
			t.Fatalf("sought %q, found %q", from, k)
		}
		if k := []byte(from); (tx.Record(bucket, k) != nil) != slices.Contains(keys, from) {
			t.Fatalf("the record %q is there or not", from)
		}
	}
}

func first(keys []string) string {
	if len(keys) == 0 {
		return ""
	}
	return keys[0]
}

// TestRecords: whatever is written, every way to read shows what the model has, also within the
// transaction that writes; a refused change leaves nothing; and the checker finds nothing wrong.
func TestRecords(t *testing.T) {
	dir, n := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		path, shape := filepath.Join(dir, fmt.Sprint(n)), words("one", "two")
		f, err := checked.Open(path, shape)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		is := model{"one": {}, "two": {}}
		for range rapid.IntRange(1, 4).Draw(t, "commits") {
			next := is.clone()
			err := f.Commit(func(w *checked.Writer) error { return next.act(t, w) })
			if err == nil {
				is = next
			} else if !errors.Is(err, errRefused) {
				t.Fatal(err)
			}
		}
		if problems := f.Check(context.Background()); len(problems) > 0 {
			t.Fatal(problems)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		err = checked.Inspect(path, shape, func(f *checked.File) error {
			return f.View(func(tx checked.Tx) error { is.check(t, tx); return nil })
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// TestNumbersGoOn: numbers are given out once, also to a change whose file was closed since.
func TestNumbersGoOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	for want := uint64(1); want < 4; want++ {
		f, err := checked.Open(path, words("one"))
		if err != nil {
			t.Fatal(err)
		}
		refuse := func(w *checked.Writer) error { _, err := w.Next("one"); return errors.Join(err, errRefused) }
		if err := f.Commit(refuse); !errors.Is(err, errRefused) {
			t.Fatal(err)
		}
		var got uint64
		err = f.Commit(func(w *checked.Writer) (err error) { got, err = w.Next("one"); return err })
		if err := errors.Join(err, f.Close()); err != nil || got != want {
			t.Errorf("number %d, want %d: %v", got, want, err)
		}
	}
}

// TestShapes: a file is not opened if what relates its records does not hold, and is named in the
// shape's words; a bucket that is new to it is made, and reported, once.
func TestShapes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	write := func(s *checked.Shape, change func(*checked.Writer) error) error {
		t.Helper()
		f, err := checked.Open(path, s)
		if err != nil {
			return err
		}
		return errors.Join(f.Commit(change), f.Close())
	}
	if err := write(words("one"), func(w *checked.Writer) error { return put(w, "one", "a", "good") }); err != nil {
		t.Fatal(err)
	}
	if err := checked.Inspect(path, words("one", "two"), func(*checked.File) error { return nil }); !errors.Is(err, checked.ErrEarlier) {
		t.Errorf("a file that has one bucket of two: %v", err)
	}
	var made []string
	both := words("one", "two")
	both.Prepare = func(w *checked.Writer, isNew func(string) bool) error {
		for _, b := range both.Buckets {
			if isNew(b) {
				made = append(made, b)
			}
		}
		return nil
	}
	for range 2 {
		if err := write(both, func(w *checked.Writer) error { return put(w, "two", "b", "good") }); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(made, []string{"two"}) {
		t.Errorf("made %q", made)
	}
	unsealed := func(w *checked.Writer) error { return w.Set("two", []byte("c"), []byte("anything")) }
	if err := write(both, unsealed); err != nil {
		t.Fatal(err)
	}
	err := write(both, unsealed)
	if _, ok := errors.AsType[*checked.DamagedError](err); !ok || !errors.Is(err, storage.ErrCorrupt) || !strings.Contains(err.Error(), `the word "c" of two`) {
		t.Errorf("a record without a seal: %v", err)
	}
	lenient := *both
	lenient.Unseal = func(bucket string, key, record []byte) ([]byte, bool) {
		value, ok := checked.Unseal(bucket, key, record)
		return value, ok || bytes.Equal(record, []byte("anything"))
	}
	if err := write(&lenient, func(w *checked.Writer) error { return put(w, "two", "c", "bad") }); err != nil {
		t.Errorf("a shape with seals of its own: %v", err)
	}
	if problems := checked.Verify(path, both, nil); len(problems) != 1 {
		t.Errorf("a relation that does not hold: %v", problems)
	}
	required := *words("one", "two")
	required.Relate, required.Required = nil, []string{"format"}
	if problems := fmt.Sprint(checked.Verify(path, &required, nil)); !strings.Contains(problems, `the word "format" of meta`) {
		t.Errorf("a required record that is gone: %s", problems)
	}
}

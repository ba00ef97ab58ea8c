package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/agora-host/agora/metering/journal"
)

var header = journal.Header{Node: "000102030405060708090a0b0c0d0e0f", Epoch: 7}

// write makes a journal of n records and returns its bytes.
func write(t testing.TB, n int, end bool) []byte {
	t.Helper()
	dir := t.TempDir()
	disk, err := journal.Disk(dir)
	if err != nil {
		t.Fatal(err)
	}
	var committed uint64
	j, err := journal.Create(disk, "x", header, nil, func(seq uint64) { committed = seq })
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		_, b, err := j.Append(journal.Power, fmt.Appendf(nil, "record %d", i+1))
		if err = errors.Join(err, b.Wait()); err != nil || committed != uint64(i+1) {
			t.Fatalf("record %d, committed %d, %v", i+1, committed, err)
		}
	}
	if end {
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(filepath.Join(dir, "x"))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// read returns the texts that are proven and that are not.
func read(t testing.TB, raw []byte) (proven, unproven []string, tail journal.Tail) {
	t.Helper()
	h, tail, err := journal.Read(bytes.NewReader(raw), func(r journal.Record, ok bool) error {
		if ok {
			proven = append(proven, string(r.Payload))
		} else {
			unproven = append(unproven, string(r.Payload))
		}
		return nil
	})
	if err != nil || h != header {
		t.Fatalf("%+v, %v", h, err)
	}
	return proven, unproven, tail
}

func TestRead(t *testing.T) {
	raw := write(t, 5, false)
	at := func(n int) int { return bytes.Index(raw, fmt.Appendf(nil, "record %d", n)) }
	end := at(5) + len("record 5")
	for _, c := range []struct {
		name             string
		change           func(b []byte) []byte
		proven, unproven int
		torn, damaged    bool
	}{
		{"as it was written", func(b []byte) []byte { return b }, 5, 0, false, false},
		{"cut within the last record", func(b []byte) []byte { return b[:end-2] }, 4, 0, true, false},
		{"the last record's end is zeros", func(b []byte) []byte { clear(b[end-2:]); return b }, 4, 0, true, false},
		{"cut between records", func(b []byte) []byte { return b[:end] }, 5, 0, false, false},
		{"noise after the end", func(b []byte) []byte { return append(b[:end:end], 0xA7, 1, 2, 3, 4, 5, 6, 7, 8, 9) }, 5, 0, true, false},
		// Each record was synced before the next was written: those that follow say so.
		{"a flipped bit in the second", func(b []byte) []byte { b[at(2)] ^= 1; return b }, 1, 3, true, true},
		{"the third is gone", func(b []byte) []byte { clear(b[at(3)-8 : at(3)+8]); return b }, 2, 2, true, true},
		{"the last is there twice", func(b []byte) []byte { return append(b[:end:end], b[at(4)+8:end]...) }, 5, 0, true, false},
	} {
		proven, unproven, tail := read(t, c.change(bytes.Clone(raw)))
		if len(proven) != c.proven || len(unproven) != c.unproven || tail.Torn != c.torn || tail.Damaged != c.damaged || tail.Last != uint64(c.proven) {
			t.Errorf("%s: proven %q, unproven %q, %+v", c.name, proven, unproven, tail)
		}
	}
	if _, _, tail := read(t, write(t, 2, true)); !tail.Closed {
		t.Errorf("a journal that was closed: %+v", tail)
	}
	other := write(t, 1, false)
	other[4] ^= 1 // another epoch, under a header that is no longer whole
	if _, _, err := journal.Read(bytes.NewReader(other), nil); !errors.Is(err, journal.ErrNotJournal) {
		t.Errorf("a header that was changed: %v", err)
	}
	if _, _, err := journal.Read(bytes.NewReader(make([]byte, 100)), nil); !errors.Is(err, journal.ErrNoHeader) {
		t.Errorf("a file of zeros: %v", err)
	}
}

// TestManyAtOnce: records from many goroutines are numbered without gaps, and in
// the file in that order.
func TestManyAtOnce(t *testing.T) {
	dir := t.TempDir()
	disk, err := journal.Disk(dir)
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Create(disk, "x", header, nil, func(uint64) {})
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	for i := range 16 {
		work.Go(func() {
			for k := range 50 {
				d := journal.Power
				if k%3 == 0 {
					d = journal.Process
				}
				_, b, err := j.Append(d, fmt.Appendf(nil, "%d/%d", i, k))
				if err = errors.Join(err, b.Wait()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := j.Append(journal.Power, nil); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("appended to what is closed: %v", err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "x"))
	if err != nil {
		t.Fatal(err)
	}
	proven, unproven, tail := read(t, raw)
	if len(proven) != 800 || len(unproven) != 0 || !tail.Closed {
		t.Errorf("%d records, %+v", len(proven), tail)
	}
}

// FuzzRead: whatever the bytes, reading ends, and takes no record for whole whose
// checksum does not match: those of a journal stay as they are, or go.
func FuzzRead(f *testing.F) {
	raw := write(f, 3, true)
	f.Add(raw, 40, byte(1))
	f.Fuzz(func(t *testing.T, raw []byte, at int, x byte) {
		if len(raw) > 0 {
			raw[uint(at)%uint(len(raw))] ^= x
		}
		total := 0
		_, tail, err := journal.Read(io.MultiReader(bytes.NewReader(raw)), func(r journal.Record, _ bool) error {
			total += len(r.Payload)
			return nil
		})
		if err == nil && (total > len(raw) || tail.Whole > int64(len(raw))) {
			t.Errorf("%d bytes of records in %d, %+v", total, len(raw), tail)
		}
	})
}

package samplestore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/agora-host/agora/store/samplestore"
)

func TestSamples(t *testing.T) {
	dir, now := t.TempDir(), time.Date(2026, 3, 1, 10, 20, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	s, err := samplestore.Open(dir, clock)
	if err != nil {
		t.Fatal(err)
	}
	const calls = 5000
	for i := range calls {
		v := samplestore.Sample{App: "shop", ID: fmt.Sprint("id", i), At: now, GuestMicros: uint64(i * 7919 % calls)}
		if i%100 == 0 {
			v.Fault = "trap"
		}
		s.Add(&v)
		s.Add(&samplestore.Sample{App: "shopper", ID: fmt.Sprint("other", i), At: now})
	}
	check := func(s *samplestore.Store) {
		t.Helper()
		all, err := s.Read(t.Context(), "shop", now)
		if err != nil || len(all) < 9 || len(all) > 12 {
			t.Fatalf("%d samples, %v", len(all), err)
		}
		why := map[string]int{}
		for _, v := range all {
			why[v.Why]++
			if v.App != "shop" || v.Of != calls || (v.Why == samplestore.Failed) != (v.Fault != "") && v.Why == samplestore.Failed {
				t.Errorf("%+v", v)
			}
			if v.Why == samplestore.Slow && v.GuestMicros < calls-5 {
				t.Errorf("%d µs is none of the slowest", v.GuestMicros)
			}
		}
		if why[samplestore.Failed] != 4 || why[samplestore.Slow] < 3 {
			t.Errorf("%v", why)
		}
		if both, err := s.Read(t.Context(), "", now); err != nil || len(both) <= len(all) {
			t.Errorf("of all apps: %d, %v", len(both), err)
		}
	}
	check(s)
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	s, err = samplestore.Open(dir, clock) // in the same hour
	if err != nil {
		t.Fatal(err)
	}
	check(s)
	old := now
	now = now.Add(5 * time.Hour)
	s, err = samplestore.Open(dir, clock)
	if err != nil {
		t.Fatal(err)
	}
	if all, err := s.Read(t.Context(), "shop", old); err != nil || len(all) < 9 {
		t.Errorf("from the file: %d, %v", len(all), err)
	}
	if all, err := s.Read(t.Context(), "shop", now); err != nil || len(all) != 0 {
		t.Errorf("of an hour without calls: %v, %v", all, err)
	}
	if err := os.WriteFile(filepath.Join(dir, now.Format("2006010215")+".jsonl.gz"), []byte("no gzip"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(t.Context(), "shop", now); err == nil {
		t.Error("a damaged file was read")
	}
	if _, err := samplestore.Open(dir, clock); err != nil {
		t.Errorf("a damaged file keeps the node from starting: %v", err)
	}
}

// TestRandomSamples: each call is as likely to be kept as any other.
func TestRandomSamples(t *testing.T) {
	now := time.Date(2026, 3, 1, 10, 20, 0, 0, time.UTC)
	late := 0
	for range 300 {
		s, err := samplestore.Open(t.TempDir(), func() time.Time { return now })
		if err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			s.Add(&samplestore.Sample{App: "a", ID: fmt.Sprint(i), At: now.Add(time.Duration(i) * time.Second), GuestMicros: uint64(max(0, 4-i))})
		}
		all, err := s.Read(t.Context(), "a", now)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range all {
			if v.Why == samplestore.Random && v.At.Sub(now) >= 50*time.Second {
				late++
			}
		}
	}
	if late < 450 || late > 750 { // of 1200, half of them; a deviation is 17
		t.Errorf("%d samples are from the second half", late)
	}
}

// TestBounds: the directory does not grow without end.
func TestBounds(t *testing.T) {
	dir, now := t.TempDir(), time.Date(2026, 3, 1, 10, 20, 0, 0, time.UTC)
	s, err := samplestore.Open(dir, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	for i := range 800 {
		if err := os.WriteFile(filepath.Join(dir, now.Add(-time.Duration(i)*time.Hour).Format("2006010215")+".jsonl.gz"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5000 {
		s.Add(&samplestore.Sample{App: fmt.Sprint("app", i), ID: "x", At: now})
	}
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	files, _ := os.ReadDir(dir)
	if all, err := s.Read(t.Context(), "", now); err != nil || len(all) > 4096*12 || len(files) > 720 {
		t.Errorf("%d samples and %d files, %v", len(all), len(files), err)
	}
}

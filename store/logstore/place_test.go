package logstore_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/store/logstore"
)

// TestBefore: reading back page by page meets each line once and in order, whatever is appended
// meanwhile; what was dropped with its file is passed over, and nothing is met twice.
func TestBefore(t *testing.T) {
	for seed := range uint64(8) {
		dir, now := t.TempDir(), time.Unix(1_770_000_000, 0)
		clock := func() time.Time { now = now.Add(time.Second); return now }
		s, err := logstore.Open(dir, clock)
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(seed, 1))
		written := 0
		write := func(n int) {
			t.Helper()
			for range n {
				line := logstore.Line{At: now, App: "a", Level: "info", Message: fmt.Sprint(written, strings.Repeat(" ", 40_000))}
				if err := s.Append(line); err != nil {
					t.Fatal(err)
				}
				written++
			}
		}
		write(r.IntN(70)) // a file holds some 26
		oldest := written // that was met
		var end *logstore.Place
		for {
			lines, next, err := s.Before("a", end, 1+r.IntN(9))
			if err != nil {
				t.Fatal(err)
			}
			var first, last int
			for i, l := range lines {
				n := 0
				if _, err := fmt.Sscan(l.Message, &n); err != nil {
					t.Fatal(err)
				}
				if i == 0 {
					first = n
				} else if n != last+1 {
					t.Fatalf("seed %d: %d after %d", seed, n, last)
				}
				last = n
			}
			if len(lines) > 0 && last != oldest-1 {
				t.Fatalf("seed %d: the page before %d ends with %d", seed, oldest, last)
			}
			if len(lines) > 0 {
				oldest = first
			}
			if next == nil {
				break
			}
			place, ok := logstore.ParsePlace(next.Bytes())
			if !ok {
				t.Fatal("a place cannot be read")
			}
			end = &place
			write(r.IntN(12))
			if r.IntN(3) == 0 { // and another process goes on
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				if s, err = logstore.Open(dir, clock); err != nil {
					t.Fatal(err)
				}
			}
		}
		kept, err := s.Tail("a", written)
		if err != nil {
			t.Fatal(err)
		}
		if missing := written - len(kept); written > 0 && oldest > missing {
			t.Errorf("seed %d: read back to %d, and %d of %d are kept", seed, oldest, len(kept), written)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, raw := range []string{"", "short", strings.Repeat("x", 17)} {
		if _, ok := logstore.ParsePlace([]byte(raw)); ok {
			t.Errorf("%q is a place", raw)
		}
	}
}

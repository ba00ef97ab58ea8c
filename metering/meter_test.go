package metering_test

import (
	"bufio"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/metering/meteringtest"
)

var hour = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

func call(app string, fault string) metering.Invocation {
	return metering.Invocation{
		App: app, Release: 1, Tier: "sandbox", CostCenter: "CC-1", Team: "a", At: hour.Add(5 * time.Minute), Fault: fault,
		Counts: metering.Counts{Instructions: 100, GuestMicros: 7, MemoryKiBMS: 3, BytesIn: 2, BytesOut: 11},
	}
}

func open(t testing.TB, dir string, store metering.Store, now time.Time) *metering.Meter {
	t.Helper()
	m, err := metering.Open(dir, store, at(now), quiet())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func report(t testing.TB, m *metering.Meter, q metering.Query) metering.Report {
	t.Helper()
	r, err := m.Report(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestMemoryConforms(t *testing.T) {
	meteringtest.TestStore(t, func(*testing.T) metering.Store { return &meteringtest.Memory{} })
}

func TestReport(t *testing.T) {
	m := open(t, t.TempDir(), &meteringtest.Memory{}, hour.Add(30*time.Minute))
	for _, v := range []metering.Invocation{call("a", ""), call("a", "trap"), call("b", "")} {
		if err := m.Record(v); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the same before and after a flush
		r := report(t, m, metering.Query{By: []string{"app", "hour"}})
		if r.Total.Calls != 3 || r.Total.Instructions != 300 || r.Total.Errors["trap"] != 1 || r.Total.Failed() != 1 {
			t.Errorf("total %+v", r.Total)
		}
		if len(r.Rows) != 2 || r.Rows[0].Group["app"] != "a" || r.Rows[0].Calls != 2 || r.Rows[0].Group["hour"] != "2026-03-01T10:00:00Z" {
			t.Errorf("rows %+v", r.Rows)
		}
		if err := m.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if r := report(t, m, metering.Query{App: "b"}); r.Total.Calls != 1 || len(r.Rows) != 1 {
		t.Errorf("one app: %+v", r)
	}
	if r := report(t, m, metering.Query{CostCenter: "other"}); r.Total.Calls != 0 || len(r.Rows) != 0 {
		t.Errorf("another cost center: %+v", r)
	}
	for _, q := range []metering.Query{
		{By: []string{"colour"}}, {By: []string{"app", "app"}}, {From: hour, To: hour.Add(-time.Hour)},
	} {
		if _, err := m.Report(t.Context(), q); !errors.Is(err, metering.ErrBadQuery) {
			t.Errorf("%+v: %v", q, err)
		}
	}
}

// TestUsageIsConserved: whatever fails, is repeated, torn or killed, what was
// recorded is reported, once.
func TestUsageIsConserved(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "journal")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		store := &meteringtest.Memory{}
		m := open(t, dir, store, hour)
		recorded := map[string]uint64{}
		rt.Repeat(map[string]func(*rapid.T){
			"record": func(rt *rapid.T) {
				app := rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "app")
				if err := m.Record(call(app, "")); err != nil {
					rt.Fatal(err)
				}
				recorded[app]++
			},
			"flush": func(*rapid.T) { _ = m.Flush(t.Context()) },
			"store fails": func(rt *rapid.T) {
				applied := rapid.Bool().Draw(rt, "applied all the same")
				store.Fail = func() (error, bool) { return errors.New("lost"), applied }
				if err := m.Flush(t.Context()); err == nil {
					rt.Fatal("a flush that failed was reported as done")
				}
				store.Fail = nil
			},
			"rotate": func(rt *rapid.T) {
				m.SetLimit(1)
				if err := m.Flush(t.Context()); err != nil {
					rt.Fatal(err)
				}
				m.SetLimit(1 << 20)
			},
			"killed and opened again": func(rt *rapid.T) {
				if rapid.Bool().Draw(rt, "torn") {
					tear(rt, dir)
				}
				m = open(t, dir, store, hour)
			},
			"closed and opened again": func(rt *rapid.T) {
				if err := m.Close(t.Context()); err != nil {
					rt.Fatal(err)
				}
				m = open(t, dir, store, hour)
			},
			"": func(rt *rapid.T) {
				for app, n := range recorded {
					if r := report(t, m, metering.Query{App: app}); r.Total.Calls != n || r.Total.Instructions != 100*n {
						rt.Fatalf("app %s: reported %d calls, %d instructions; recorded %d", app, r.Total.Calls, r.Total.Instructions, n)
					}
				}
			},
		})
	})
}

// tear leaves half a record at the end of every journal, as a kill within a
// write may.
func tear(t *rapid.T, dir string) {
	names, _ := filepath.Glob(filepath.Join(dir, "*.journal"))
	for _, name := range names {
		f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte{60, 0, 0, 0, 1, 2, 3, 4, 5}[:rapid.IntRange(1, 9).Draw(t, "bytes")]); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
}

// TestDamageIsKept: a journal that is damaged counts up to there, and is kept.
func TestDamageIsKept(t *testing.T) {
	dir, store := t.TempDir(), &meteringtest.Memory{}
	m := open(t, dir, store, hour)
	for range 3 {
		if err := m.Record(call("a", "")); err != nil {
			t.Fatal(err)
		}
	}
	names, _ := filepath.Glob(filepath.Join(dir, "*.journal"))
	raw, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	size := (len(raw) - 16) / 3
	raw[16+size+12] ^= 1 // in the second record's payload
	if err := os.WriteFile(names[0], raw, 0o600); err != nil {
		t.Fatal(err)
	}
	m = open(t, dir, store, hour)
	if r := report(t, m, metering.Query{}); r.Total.Calls != 1 {
		t.Errorf("counted %d calls before the damage, want 1", r.Total.Calls)
	}
	if names, err := m.Damaged(); err != nil || len(names) != 1 {
		t.Errorf("damaged journals: %v, %v", names, err)
	}
}

// TestFullDisk: what cannot be journaled is refused and not counted. /dev/full
// is a disk without room.
func TestFullDisk(t *testing.T) {
	m := open(t, t.TempDir(), &meteringtest.Memory{}, hour)
	restore := m.BreakJournal(t)
	if err := m.Record(call("a", "")); !errors.Is(err, metering.ErrUnmetered) {
		t.Errorf("recorded on a full disk: %v", err)
	}
	restore()
	if err := m.Record(call("a", "")); err != nil {
		t.Errorf("there is room again: %v", err)
	}
	if r := report(t, m, metering.Query{}); r.Total.Calls != 1 {
		t.Errorf("%d calls, want 1", r.Total.Calls)
	}
}

// TestKill kills a process that records as fast as it can. Every call it had
// acknowledged must be reported afterwards.
func TestKill(t *testing.T) {
	if os.Getenv("METERING_TEST_DIR") != "" {
		recordForEver(t)
		return
	}
	rounds := 10
	if testing.Short() {
		rounds = 3
	}
	dir, store := t.TempDir(), &meteringtest.Memory{}
	var acknowledged uint64
	for range rounds {
		acknowledged += killRecorder(t, dir)
		m := open(t, dir, store, hour)
		got := report(t, m, metering.Query{}).Total.Calls
		// A record may be in the journal whose acknowledgement was not read.
		if got < acknowledged || got > acknowledged+1 {
			t.Fatalf("reported %d calls after a kill, acknowledged %d", got, acknowledged)
		}
		acknowledged = got
		if err := m.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func recordForEver(t *testing.T) {
	m, err := metering.Open(os.Getenv("METERING_TEST_DIR"), &meteringtest.Memory{}, at(hour), quiet())
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; ; n++ {
		if err := m.Record(call("a", "")); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(os.Stdout, n)
	}
}

func killRecorder(t *testing.T, dir string) uint64 {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestKill$")
	cmd.Env = append(os.Environ(), "METERING_TEST_DIR="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var last uint64
	lines := bufio.NewScanner(out)
	deadline := time.Now().Add(30 * time.Millisecond)
	killed := false
	for lines.Scan() {
		if n, err := strconv.ParseUint(strings.TrimSpace(lines.Text()), 10, 64); err == nil {
			last = n
		}
		if !killed && time.Now().After(deadline) {
			killed = true
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait()
	if last == 0 {
		t.Fatal("the recorder recorded nothing")
	}
	return last
}

func BenchmarkRecord(b *testing.B) {
	m := open(b, b.TempDir(), &meteringtest.Memory{}, hour)
	v := call("a", "")
	b.ReportAllocs()
	for b.Loop() {
		if err := m.Record(v); err != nil {
			b.Fatal(err)
		}
	}
}

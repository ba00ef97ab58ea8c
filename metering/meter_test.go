package metering_test

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/metering/meteringtest"
)

const (
	node  = "000102030405060708090a0b0c0d0e0f"
	other = "ff0102030405060708090a0b0c0d0e0f"
)

var hour = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

var calls int

func call(app string, fault string) *metering.Invocation {
	calls++
	return &metering.Invocation{
		ID: fmt.Sprintf("%024x", calls), Tags: metering.Tags{App: app, Release: 1, Tier: "sandbox", CostCenter: "CC-1", Team: "a"}, Fault: fault,
		Counts: metering.Counts{Instructions: 100, GuestMicros: 7, MemoryKiBMS: 3, BytesIn: 2, BytesOut: 11},
	}
}

// wall is a clock that a test sets.
type wall struct {
	now     time.Time     // what the wall clock shows
	elapsed time.Duration // what the monotonic clock shows
}

func (w *wall) pass(d time.Duration) { w.now, w.elapsed = w.now.Add(d), w.elapsed+d }

func options(m *meteringtest.Machine, w *wall) metering.Options {
	return metering.Options{
		FS: m.Process(), Node: node, Store: &m.Store, Log: quiet(),
		Now: func() time.Time { return w.now }, Elapsed: func() time.Duration { return w.elapsed },
	}
}

func open(t testing.TB, m *meteringtest.Machine, w *wall) *metering.Meter {
	t.Helper()
	meter, err := metering.Open(t.Context(), options(m, w))
	if err != nil {
		t.Fatal(err)
	}
	return meter
}

func record(t testing.TB, m *metering.Meter, all ...*metering.Invocation) {
	t.Helper()
	for _, v := range all {
		if err := m.Record(v); err != nil {
			t.Fatal(err)
		}
	}
}

func flush(t testing.TB, m *metering.Meter) {
	t.Helper()
	if err := m.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func report(t testing.TB, m *metering.Meter, q metering.Query) metering.Report {
	t.Helper()
	r, err := m.Report(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// all asks for everything, whenever it was.
func all(by ...string) metering.Query {
	return metering.Query{From: hour.AddDate(-1, 0, 0), To: hour.AddDate(1, 0, 0), By: by}
}

func balanced(t testing.TB, m *metering.Meter) metering.Reconciliation {
	t.Helper()
	r, err := m.Reconcile(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !r.Holds() {
		t.Errorf("the books do not balance: %+v", r)
	}
	return r
}

func findings(t testing.TB, m *metering.Meter) (codes []string) {
	t.Helper()
	found, err := m.Findings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		codes = append(codes, f.Code)
	}
	return codes
}

func TestMemoryConforms(t *testing.T) {
	meteringtest.TestStore(t, func(*testing.T) metering.Store { return &meteringtest.Memory{} })
}

func TestReport(t *testing.T) {
	m := open(t, meteringtest.NewMachine(1), &wall{now: hour.Add(30 * time.Minute)})
	a := call("a", "")
	a.Uses = []abi.Use{{Capability: "llm", Meter: abi.MeterInputTokens, Subject: "m", N: 5}}
	record(t, m, a, call("a", "trap"), call("b", ""))
	for range 2 { // the same before and after a flush
		r := report(t, m, metering.Query{By: []string{"app", "hour"}})
		if r.Total.Calls != 3 || r.Total.Instructions != 300 || r.Total.Errors["trap"] != 1 || r.Total.Failed() != 1 || used(r.Total, "llm", abi.MeterInputTokens) != 5 {
			t.Errorf("total %+v", r.Total)
		}
		if len(r.Rows) != 2 || r.Rows[0].Group["app"] != "a" || r.Rows[0].Calls != 2 || r.Rows[0].Group["hour"] != "2026-03-01T10:00:00Z" {
			t.Errorf("rows %+v", r.Rows)
		}
		flush(t, m)
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
// recorded is reported, once, and the books balance.
func TestUsageIsConserved(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		machine, w := meteringtest.NewMachine(rapid.Uint64().Draw(rt, "seed")), &wall{now: hour}
		m := open(t, machine, w)
		recorded, steps := map[string]uint64{}, 0
		rt.Repeat(map[string]func(*rapid.T){
			"record": func(rt *rapid.T) {
				app := rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "app")
				v := call(app, "")
				v.Durability = rapid.SampledFrom([]metering.Durability{metering.DurabilityPower, metering.DurabilityProcess}).Draw(rt, "durability")
				record(t, m, v)
				recorded[app]++
			},
			"stream": func(rt *rapid.T) {
				running, v := m.Begin(), call("a", "")
				for range rapid.IntRange(0, 2).Draw(rt, "checkpoints") {
					if err := running.Checkpoint(v); err != nil {
						rt.Fatal(err)
					}
				}
				if err := running.End(v); err != nil {
					rt.Fatal(err)
				}
				recorded["a"]++
			},
			"stream that a kill cuts off": func(rt *rapid.T) {
				running, v := m.Begin(), call("a", "")
				if err := running.Checkpoint(v); err != nil {
					rt.Fatal(err)
				}
				m = open(t, machine, w)
				recorded["a"]++
			},
			"flush": func(*rapid.T) { flush(t, m) },
			"store fails": func(rt *rapid.T) {
				applied := rapid.Bool().Draw(rt, "applied all the same")
				machine.Store.Fail = func() (error, bool) { return errors.New("lost"), applied }
				_ = m.Flush(t.Context())
				machine.Store.Fail = nil
			},
			"time passes": func(rt *rapid.T) { w.pass(time.Duration(rapid.IntRange(1, 90).Draw(rt, "minutes")) * time.Minute) },
			"the clock is set": func(rt *rapid.T) {
				w.now = w.now.Add(time.Duration(rapid.IntRange(-30, 30).Draw(rt, "hours")) * time.Hour)
			},
			"killed and opened again": func(*rapid.T) { m = open(t, machine, w) },
			"closed and opened again": func(rt *rapid.T) {
				if err := m.Close(t.Context()); err != nil {
					rt.Fatal(err)
				}
				m = open(t, machine, w)
			},
			"power is lost": func(rt *rapid.T) { // nothing waits, so nothing may be lost but what asked for less
				flush(t, m)
				machine = machine.LosePower(rapid.Uint64().Draw(rt, "seed"), func() {})
				m = open(t, machine, w)
			},
			"": func(rt *rapid.T) {
				r := report(t, m, all("app"))
				got := map[string]uint64{}
				for _, row := range r.Rows {
					got[row.Group["app"]] = row.Calls
				}
				for app, n := range recorded {
					if got[app] != n {
						rt.Fatalf("app %s: reported %d calls; recorded %d", app, got[app], n)
					}
				}
				if steps++; steps%8 == 0 && !balanced(t, m).Holds() {
					rt.Fatal("out of balance")
				}
			},
		})
	})
}

// TestDamageIsKept: a journal that is damaged counts up to there, and is kept;
// what follows is shown, and not billed.
func TestDamageIsKept(t *testing.T) {
	machine, w := meteringtest.NewMachine(1), &wall{now: hour}
	m := open(t, machine, w)
	record(t, m, call("a", ""), call("a", ""), call("a", ""), call("a", ""))
	machine.Corrupt(func(name string, raw []byte) []byte {
		if strings.HasSuffix(name, ".journal") {
			size := len(strings.TrimRight(string(raw), "\x00"))
			raw[32+(size-32)/4+20] ^= 1 // in the second record
		}
		return raw
	})
	m = open(t, machine, w)
	if r := report(t, m, metering.Query{}); r.Total.Calls != 1 {
		t.Errorf("counted %d calls before the damage, want 1", r.Total.Calls)
	}
	flush(t, m)
	found, err := m.Findings(t.Context())
	if err != nil || len(found) != 1 || found[0].Code != metering.FindingDamaged || !strings.Contains(found[0].Message, "not billed: 2 calls and 200 instructions") {
		t.Errorf("findings %+v, %v", found, err)
	}
	balanced(t, m)
	m = open(t, machine, w)
	if r := report(t, m, metering.Query{}); r.Total.Calls != 1 {
		t.Errorf("counted %d calls after another start, want 1", r.Total.Calls)
	}
}

// TestFullDisk: what cannot be journaled is refused and not counted, and as soon
// as there is room the node meters again.
func TestFullDisk(t *testing.T) {
	machine, w := meteringtest.NewMachine(1), &wall{now: hour}
	m := open(t, machine, w)
	record(t, m, call("a", ""))
	machine.Fault = func(_ int, op string) meteringtest.Fault {
		if op == "write" || op == "create" {
			return meteringtest.Fault{Err: errors.New("no space left on device"), Half: op == "write"}
		}
		return meteringtest.Fault{}
	}
	for range 2 {
		if err := m.Record(call("a", "")); !errors.Is(err, metering.ErrUnmetered) {
			t.Errorf("recorded on a full disk: %v", err)
		}
	}
	if err := m.Ready(); !errors.Is(err, metering.ErrUnmetered) || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("ready on a full disk: %v", err)
	}
	if err := m.Heal(t.Context()); err == nil {
		t.Error("healed on a full disk")
	}
	if r := report(t, m, metering.Query{}); r.Total.Calls != 1 {
		t.Errorf("%d calls on a full disk, want 1: reports go on", r.Total.Calls)
	}
	if got := findings(t, m); len(got) != 1 || got[0] != metering.FindingUnmetered {
		t.Errorf("findings %v", got)
	}
	machine.Fault = nil
	if err := m.Heal(t.Context()); err != nil {
		t.Fatal(err)
	}
	record(t, m, call("a", ""))
	flush(t, m)
	if r := report(t, m, metering.Query{}); r.Total.Calls != 2 || m.Ready() != nil {
		t.Errorf("%d calls, want 2; ready: %v", r.Total.Calls, m.Ready())
	}
	balanced(t, m)
}

// used sums the uses of a capability by one of its meters, over all subjects.
func used(u metering.Usage, capability, meter string) (n uint64) {
	for _, use := range u.Uses {
		if use.Capability == capability && use.Meter == meter {
			if n += use.N; n < use.N {
				return math.MaxUint64 // as sums of usage do
			}
		}
	}
	return n
}

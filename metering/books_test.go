package metering_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/metering/journal"
	"github.com/agora-host/agora/metering/meteringtest"
)

func ledgerOf(t testing.TB, m *meteringtest.Machine) metering.Ledger {
	t.Helper()
	l, err := m.Store.Ledger(t.Context(), "", time.Time{}, hour.AddDate(9, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestHoursAreSealed: an hour that is over is sealed at the next flush, and
// reports show it as before.
func TestHoursAreSealed(t *testing.T) {
	machine, w := meteringtest.NewMachine(1), &wall{now: hour.Add(59 * time.Minute)}
	m := open(t, machine, w)
	record(t, m, call("a", ""))
	flush(t, m)
	w.pass(2 * time.Minute)
	record(t, m, call("a", ""), call("b", ""))
	flush(t, m)
	l := ledgerOf(t, machine)
	if !l.Sealed.Equal(hour.Add(time.Hour)) || len(l.Hours) != 1 || l.Hours[0].Calls != 1 || len(l.Cells) != 2 {
		t.Errorf("%+v", l)
	}
	if r := report(t, m, all("hour")); len(r.Rows) != 2 || r.Rows[0].Calls != 1 || r.Rows[1].Calls != 2 {
		t.Errorf("report %+v", r)
	}
	balanced(t, m)
}

// TestCutOff: a call whose node dies is billed its last checkpoint, once; if its
// hour was sealed meanwhile, as an adjustment that says where it comes from.
func TestCutOff(t *testing.T) {
	machine, w := meteringtest.NewMachine(1), &wall{now: hour.Add(59 * time.Minute)}
	m := open(t, machine, w)
	running, v := m.Begin(), call("a", "")
	for i := range uint64(3) {
		v.Instructions = 1000 * (i + 1)
		if err := running.Checkpoint(v); err != nil {
			t.Fatal(err)
		}
	}
	if r := report(t, m, all()); r.Total.Calls != 0 {
		t.Errorf("%d calls while it runs: it is counted when it ends", r.Total.Calls)
	}
	w.pass(time.Hour)
	flush(t, m) // seals the hour
	for range 2 {
		m = open(t, machine, w)
		flush(t, m)
		r := report(t, m, all())
		if r.Total.Calls != 1 || r.Total.Instructions != 3000 || r.Total.Errors[metering.FaultCutOff] != 1 {
			t.Errorf("total %+v", r.Total)
		}
		if l := ledgerOf(t, machine); len(l.Adjustments) != 1 || !l.Adjustments[0].Hour.Equal(hour) || l.Adjustments[0].Posted.Before(l.Sealed.Add(-time.Hour)) || l.Adjustments[0].Node != node {
			t.Errorf("ledger %+v", l)
		}
		balanced(t, m)
	}
}

// TestStreamOverRotation: a call's records stay in one journal, whatever begins
// meanwhile, and the journal stays until the call has ended.
func TestStreamOverRotation(t *testing.T) {
	for _, ends := range []bool{true, false} {
		machine, w := meteringtest.NewMachine(1), &wall{now: hour}
		o := options(machine, w)
		o.JournalSize = 1
		m, err := metering.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		running, v := m.Begin(), call("a", "")
		if err := running.Checkpoint(v); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			flush(t, m) // rotates
			record(t, m, call("b", ""))
		}
		if ends {
			if err := running.End(v); err != nil {
				t.Fatal(err)
			}
			flush(t, m)
		} else {
			m = open(t, machine, w)
		}
		if r := report(t, m, all("app")); len(r.Rows) != 2 || r.Rows[0].Calls != 1 || r.Rows[1].Calls != 3 {
			t.Errorf("ends %v: %+v", ends, r.Rows)
		}
		balanced(t, m)
	}
}

// TestClockJumps: the wall clock is set by an hour or a day, forward and back,
// while the node runs and while it does not. Nothing is lost or counted twice,
// and nothing is written into an hour that is sealed.
func TestClockJumps(t *testing.T) {
	for _, jump := range []time.Duration{time.Hour, -time.Hour, 24 * time.Hour, -24 * time.Hour, 3 * time.Second} {
		for _, restart := range []bool{false, true} {
			machine, w := meteringtest.NewMachine(1), &wall{now: hour}
			m := open(t, machine, w)
			want := uint64(0)
			use := func() {
				record(t, m, call("a", ""))
				want++
				flush(t, m)
				w.pass(20 * time.Minute)
			}
			for range 5 {
				use()
			}
			before := ledgerOf(t, machine)
			for range 2 { // there and back
				w.now = w.now.Add(jump)
				if restart {
					m = open(t, machine, w)
				}
				for range 5 {
					use()
				}
				jump = -jump
			}
			if got := report(t, m, all()).Total.Calls; got != want {
				t.Errorf("jump %s, restart %v: %d calls, want %d", jump, restart, got, want)
			}
			after := ledgerOf(t, machine)
			for _, h := range before.Hours {
				if !slices.ContainsFunc(after.Hours, func(o metering.Hour) bool { return o.Key == h.Key && o.Usage.Equal(h.Usage) }) {
					t.Errorf("jump %s, restart %v: the sealed hour %s has changed", jump, restart, h.Hour)
				}
			}
			balanced(t, m)
		}
	}
}

// TestForeignJournal: a journal of another node is told, kept and not counted.
func TestForeignJournal(t *testing.T) {
	w := &wall{now: hour}
	theirs := meteringtest.NewMachine(1)
	o := options(theirs, w)
	o.Node = other
	m, err := metering.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	record(t, m, call("a", ""))
	machine := meteringtest.NewMachine(2)
	for name, raw := range theirs.Files() {
		machine.Put(name, raw)
	}
	for range 2 {
		m = open(t, machine, w)
		if got := report(t, m, all()).Total.Calls; got != 0 {
			t.Errorf("%d calls of another node were counted", got)
		}
		if got := findings(t, m); len(got) != 1 || got[0] != metering.FindingForeign {
			t.Errorf("findings %v", got)
		}
		balanced(t, m)
	}
}

// TestJournalsAreKept: what is in the store for good is kept compressed, up to an
// age and a size.
func TestJournalsAreKept(t *testing.T) {
	machine, w := meteringtest.NewMachine(1), &wall{now: hour}
	kept := func() (n int) {
		for name := range machine.Files() {
			if strings.HasSuffix(name, ".gz") {
				n++
			}
		}
		return n
	}
	for range 5 {
		m := open(t, machine, w)
		record(t, m, call("a", ""))
		flush(t, m)
		w.pass(24 * time.Hour)
	}
	m := open(t, machine, w)
	if r := balanced(t, m); kept() != 5 || r.Epochs != 6 || r.Journals.Calls != 5 || r.Cells.Calls != 5 {
		t.Errorf("%d kept, %+v", kept(), r)
	}
	w.pass(4*24*time.Hour + time.Hour)
	flush(t, m)
	if kept() != 2 {
		t.Errorf("%d journals are kept, two of them are younger than seven days", kept())
	}
	if r := balanced(t, m); r.Balance.Cells.Calls != 5 {
		t.Errorf("the cells have gone with the journals: %+v", r)
	}
	o := options(machine, w)
	o.KeepBytes = 1
	if m, err := metering.Open(t.Context(), o); err != nil || m.Flush(t.Context()) != nil || kept() != 0 {
		t.Errorf("%d journals are kept in one byte, %v", kept(), err)
	}
}

// TestReconcileFindsOut: a store that has more, or less, than the journals is
// told of.
func TestReconcileFindsOut(t *testing.T) {
	for name, spoil := range map[string]func(*meteringtest.Machine, metering.Cell){
		"a cell that grew": func(m *meteringtest.Machine, c metering.Cell) {
			c.Calls++
			_ = m.Store.Merge(t.Context(), metering.Flush{Node: c.Node, Epoch: c.Epoch, Cells: []metering.Cell{c}})
		},
		"a cell that appeared": func(m *meteringtest.Machine, c metering.Cell) {
			c.App = "ghost"
			_ = m.Store.Merge(t.Context(), metering.Flush{Node: c.Node, Epoch: c.Epoch, Cells: []metering.Cell{c}})
		},
		"a cell that is gone": func(m *meteringtest.Machine, c metering.Cell) { m.Store.Forget(c) },
		"a row that changed":  func(m *meteringtest.Machine, c metering.Cell) { m.Store.Rewrite(c.Key, c.Usage.Add(c.Usage)) },
	} {
		machine, w := meteringtest.NewMachine(1), &wall{now: hour}
		m := open(t, machine, w)
		record(t, m, call("a", ""))
		m = open(t, machine, w)
		w.pass(2 * time.Hour)
		flush(t, m)
		epochs, _ := machine.Store.Epochs(t.Context())
		cells, _ := machine.Store.Cells(t.Context(), node, epochs[0].Number)
		if len(cells) != 1 {
			t.Fatalf("cells %+v", cells)
		}
		balanced(t, m)
		spoil(machine, cells[0])
		if r, err := m.Reconcile(t.Context()); err != nil || r.Holds() {
			t.Errorf("%s was not noticed: %+v, %v", name, r, err)
		}
		if got := findings(t, m); !slices.Contains(got, metering.FindingUnbalanced) {
			t.Errorf("%s: findings %v", name, got)
		}
	}
}

// TestCountersSaturate: a counter at its end stays there, and it is told.
func TestCountersSaturate(t *testing.T) {
	machine, w := meteringtest.NewMachine(1), &wall{now: hour}
	m := open(t, machine, w)
	for range 2 {
		v := call("a", "")
		v.Instructions = math.MaxUint64 - 10
		v.Uses = []abi.Use{{Capability: "fetch", Meter: abi.MeterBytesSent, N: math.MaxUint64 - 1}}
		record(t, m, v)
	}
	r := report(t, m, all())
	if r.Total.Instructions != math.MaxUint64 || used(r.Total, "fetch", abi.MeterBytesSent) != math.MaxUint64 || r.Total.Calls != 2 || !r.Total.Saturated() {
		t.Errorf("%+v", r.Total)
	}
	flush(t, m)
	balanced(t, m)
	if got := findings(t, m); !slices.Contains(got, metering.FindingSaturated) {
		t.Errorf("findings %v", got)
	}
}

// TestManySubjects: a cell keeps a bounded number of subjects, and what is billed
// is still what the journal says.
func TestManySubjects(t *testing.T) {
	machine, w := meteringtest.NewMachine(1), &wall{now: hour}
	m := open(t, machine, w)
	for i := range 200 {
		v := call("a", "")
		for k := range 10 {
			v.Uses = append(v.Uses, abi.Use{Capability: "fetch", Meter: abi.MeterCalls, Subject: fmt.Sprintf("%04d.example", 10*i+k), N: 1})
		}
		record(t, m, v)
	}
	for range 2 {
		r := report(t, m, all())
		if n := len(r.Total.Uses); n > 600 || used(r.Total, "fetch", abi.MeterCalls) != 2000 {
			t.Errorf("%d subjects, %d calls", n, used(r.Total, "fetch", abi.MeterCalls))
		}
		balanced(t, m)
		m = open(t, machine, w)
	}
}

// TestStanding: usage that no call caused is counted, and is no call.
func TestStanding(t *testing.T) {
	machine, w := meteringtest.NewMachine(1), &wall{now: hour}
	m := open(t, machine, w)
	v := call("a", "")
	v.Counts, v.Uses = metering.Counts{}, []abi.Use{{Capability: "kv", Meter: abi.MeterByteHours, N: 100}}
	if err := m.Standing(v); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if r := report(t, m, all()); r.Total.Calls != 0 || used(r.Total, "kv", abi.MeterByteHours) != 100 {
			t.Errorf("%+v", r.Total)
		}
		balanced(t, m)
		m = open(t, machine, w)
	}
}

// TestUpgrade: journals of earlier versions are counted when a node is opened
// with this one, once.
func TestUpgrade(t *testing.T) {
	payload := []byte{5, 3, 10, 20, 25, 30, 40, 50, 1, 'a', 0, 0, 0, 0}
	castagnoli := crc32.MakeTable(crc32.Castagnoli)
	raw := binary.LittleEndian.AppendUint64([]byte("AGJ2"), 9)
	raw = binary.LittleEndian.AppendUint32(raw, crc32.Checksum(raw, castagnoli))
	raw = binary.LittleEndian.AppendUint32(raw, uint32(len(payload)))
	raw = append(binary.LittleEndian.AppendUint32(raw, crc32.Checksum(payload, castagnoli)), payload...)
	machine, w := meteringtest.NewMachine(1), &wall{now: hour}
	machine.Put(fmt.Sprintf("%016x.journal", 9), raw)
	for range 2 {
		m := open(t, machine, w)
		r := report(t, m, metering.Query{From: time.Unix(0, 0), To: hour.AddDate(1, 0, 0)})
		if r.Total.Calls != 1 || r.Total.Instructions != 10 || r.Total.BytesOut != 50 {
			t.Errorf("%+v", r.Total)
		}
		balanced(t, m)
	}
}

// TestLostJournal: an epoch whose journal is gone is told, and does not keep
// hours from being sealed.
func TestLostJournal(t *testing.T) {
	machine, w := meteringtest.NewMachine(1), &wall{now: hour}
	m := open(t, machine, w)
	record(t, m, call("a", ""))
	flush(t, m)
	machine = machine.WithoutDisk()
	m = open(t, machine, w)
	w.pass(2 * time.Hour)
	flush(t, m)
	if l := ledgerOf(t, machine); len(l.Hours) != 1 || !l.Sealed.Equal(hour.Add(2*time.Hour)) {
		t.Errorf("%+v", l)
	}
	if got := findings(t, m); len(got) != 1 || got[0] != metering.FindingLost {
		t.Errorf("findings %v", got)
	}
	balanced(t, m)
}

// TestOneProcess: a second process on the same directory is refused.
func TestOneProcess(t *testing.T) {
	disk, err := journal.Disk(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	o := options(meteringtest.NewMachine(1), &wall{now: hour})
	o.FS = disk
	m, err := metering.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := metering.Open(t.Context(), o); !errors.Is(err, journal.ErrLocked) {
		t.Errorf("the second process: %v", err)
	}
	record(t, m, call("a", ""))
	if err := m.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if m, err = metering.Open(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if got := report(t, m, all()).Total.Calls; got != 1 {
		t.Errorf("%d calls, want 1", got)
	}
	if err := m.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkRecord(b *testing.B) {
	for _, d := range []metering.Durability{metering.DurabilityProcess, metering.DurabilityPower} {
		b.Run(string(d), func(b *testing.B) {
			disk, err := journal.Disk(b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			o := options(meteringtest.NewMachine(1), &wall{now: hour})
			o.FS = disk
			m, err := metering.Open(b.Context(), o)
			if err != nil {
				b.Fatal(err)
			}
			defer m.Close(b.Context())
			b.ReportAllocs()
			b.SetParallelism(32)
			b.RunParallel(func(p *testing.PB) {
				v := call("a", "")
				v.Durability = d
				for p.Next() {
					if err := m.Record(v); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

package metering_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/metering/journal"
	"github.com/agora-host/agora/metering/meteringtest"
)

// examine examines, and sees that nothing is changed.
func examine(t testing.TB, machine *meteringtest.Machine, w *wall) metering.Examination {
	t.Helper()
	before := machine.Files()
	x, err := metering.Examine(t.Context(), options(machine, w))
	if err != nil {
		t.Fatal(err)
	}
	if !maps.EqualFunc(before, machine.Files(), bytes.Equal) {
		t.Error("the examination has changed a file")
	}
	return x
}

// stopped is a machine with a journal that is kept and has two calls, and one in
// use that has four, of which two are in the store.
func stopped(t testing.TB) (*meteringtest.Machine, *wall) {
	t.Helper()
	machine, w := meteringtest.NewMachine(1), &wall{now: hour}
	m := open(t, machine, w)
	record(t, m, call("a", ""), call("b", ""))
	m = open(t, machine, w)
	flush(t, m)
	record(t, m, call("a", ""), call("b", ""))
	flush(t, m)
	record(t, m, call("a", ""), call("b", ""))
	machine.Process() // kill -9
	return machine, w
}

// change changes the files with a suffix.
func change(machine *meteringtest.Machine, suffix string, how func([]byte) []byte) {
	machine.Corrupt(func(name string, raw []byte) []byte {
		if strings.HasSuffix(name, suffix) {
			return how(raw)
		}
		return raw
	})
}

// TestExamine: what is wrong with the journals of a node that does not run is
// told, with what it means for the bills, before and after the next start. Nothing
// is changed by that.
func TestExamine(t *testing.T) {
	cut := func(n int) func([]byte) []byte { return func(raw []byte) []byte { return raw[:n] } }
	const size = 32                                                                           // of a header
	record := func(raw []byte) int { return 8 + int(binary.LittleEndian.Uint16(raw[size:])) } // all are as long
	for _, c := range []struct {
		name   string
		suffix string // of the files that are changed
		how    func([]byte) []byte
		code   string // "" if no one can know
		text   string
		billed uint64 // after the next start; six calls were made
	}{
		{"nothing", "", cut(0), "", "", 6},
		{"a record in the middle", ".journal", func(raw []byte) []byte { raw[size+2*record(raw)+20] ^= 1; return raw },
			metering.FindingDamaged, "unproven and not billed: 1 call and", 4},
		// Two calls are in the store, and one is proven: the two stay billed.
		{"a record that is in the store", ".journal", func(raw []byte) []byte { raw[size+record(raw)+20] ^= 1; return raw },
			metering.FindingDamaged, "unproven and billed only as far as the state had it before: 2 calls", 4},
		{"the last record", ".journal", func(raw []byte) []byte { raw[size+3*record(raw)+20] ^= 1; return raw },
			metering.FindingTorn, "behind record 3", 5},
		{"the header", ".journal", func(raw []byte) []byte { raw[9] ^= 1; return raw },
			metering.FindingDamaged, "does not begin as a journal does", 4},
		{"zeros where the header was", ".journal", func(raw []byte) []byte { clear(raw[:size]); return raw },
			metering.FindingDamaged, "does not begin as a journal does", 4},
		{"nothing but zeros", ".journal", func(raw []byte) []byte { clear(raw); return raw },
			metering.FindingDamaged, "has lost its beginning", 4},
		{"no byte left", ".journal", cut(0), metering.FindingDamaged, "has lost its beginning", 4},
		{"the store has more", ".journal", func(raw []byte) []byte { return raw[:size+record(raw)] },
			metering.FindingUnbalanced, "says 1 call and 100 instructions, and billed are 2 calls", 4},
		{"cut where a kill might have been", ".journal", func(raw []byte) []byte { return raw[:size+3*record(raw)] }, "", "", 5},
		{"a kept journal", ".gz", func(raw []byte) []byte { raw[len(raw)/2] ^= 1; return raw },
			metering.FindingKept, "billed of it: 2 calls", 6},
		{"a kept journal's beginning", ".gz", cut(5), metering.FindingKept, "billed of it: 2 calls", 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			machine, w := stopped(t)
			if c.suffix != "" {
				change(machine, c.suffix, c.how)
			}
			x := examine(t, machine, w)
			told(t, x.Found, c.code, c.text)
			if c.suffix == "" && (x.Journals != 2 || x.Billed != 4 || x.Waiting != 2) {
				t.Errorf("%+v", x)
			}
			m := open(t, machine, w)
			if _, err := m.Reconcile(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := report(t, m, all()).Total.Calls; got != c.billed {
				t.Errorf("%d calls are billed, want %d", got, c.billed)
			}
			found, err := m.Findings(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if c.text == "has lost its beginning" { // the file is removed
				c.code, c.text = metering.FindingLost, "is gone"
			}
			told(t, found, c.code, c.text)
		})
	}
}

// told sees that there is such a finding about a file, or none at all.
func told(t *testing.T, found []abi.Finding, code, text string) {
	t.Helper()
	if code == "" && len(found) == 0 {
		return
	}
	ok := slices.ContainsFunc(found, func(f abi.Finding) bool {
		return f.Code == code && f.Path != "" && strings.HasPrefix(f.Message, f.Path) && strings.Contains(f.Message, text) && (f.Severity == abi.SeverityInfo || f.Remedy.Summary != "")
	})
	if !ok {
		t.Errorf("found %+v, want %q: %q", found, code, text)
	}
}

// TestJournalThatVanished: that a journal is gone is told, also if nothing of it
// was in the store.
func TestJournalThatVanished(t *testing.T) {
	machine, w := meteringtest.NewMachine(1), &wall{now: hour}
	record(t, open(t, machine, w), call("a", ""))
	machine = machine.WithoutDisk()
	told(t, examine(t, machine, w).Found, metering.FindingLost, "is gone")
	m := open(t, machine, w)
	found, err := m.Findings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	told(t, found, metering.FindingLost, "is gone")
	if found[0].Severity != abi.SeverityReview {
		t.Errorf("%+v", found)
	}
	w.pass(8 * 24 * time.Hour)
	if found, err = m.Findings(t.Context()); err != nil || len(found) != 1 || found[0].Severity != abi.SeverityInfo {
		t.Errorf("after the time for which journals are kept: %+v, %v", found, err)
	}
}

// TestForeignJournals: whose a journal is, and what to do with it, is told apart.
func TestForeignJournals(t *testing.T) {
	machine, w := stopped(t)
	for _, c := range []struct{ node, text, remedy string }{
		{other, "was written by another node, " + node, "holds " + node}, // the store knows it: the id was changed
		{"", "the next start makes another id", "holds " + node},
	} {
		o := options(machine, w)
		o.Node = c.node
		x, err := metering.Examine(t.Context(), o)
		if err != nil || len(x.Found) != 1 || x.Found[0].Code != metering.FindingForeign || !strings.Contains(x.Found[0].Message, c.text) || !strings.Contains(x.Found[0].Remedy.Summary, c.remedy) {
			t.Errorf("node %q: %+v, %v", c.node, x.Found, err)
		}
	}
	theirs := meteringtest.NewMachine(2)
	for name, raw := range machine.Files() {
		theirs.Put(name, raw)
	}
	o := options(theirs, w)
	o.Node = other
	x, err := metering.Examine(t.Context(), o)
	if err != nil || len(x.Found) != 2 || x.Found[0].Code != metering.FindingForeign || !strings.Contains(x.Found[0].Remedy.Summary, "stop that node") {
		t.Errorf("%+v, %v", x.Found, err)
	}
}

// TestExamineWithoutStore: where the state is damaged, the journals are read.
func TestExamineWithoutStore(t *testing.T) {
	machine, w := stopped(t)
	change(machine, ".gz", func(raw []byte) []byte { return raw[:len(raw)-9] })
	o := options(machine, w)
	o.Store = nil
	x, err := metering.Examine(t.Context(), o)
	if err != nil || x.Journals != 2 {
		t.Fatalf("%+v, %v", x, err)
	}
	told(t, x.Found, metering.FindingKept, "cannot be told")
}

// TestExamineOneProcess: it does not read beside a process that writes, and makes
// nothing in a directory where none ever was.
func TestExamineOneProcess(t *testing.T) {
	dir := t.TempDir()
	disk, err := journal.Disk(dir)
	if err != nil {
		t.Fatal(err)
	}
	o := options(meteringtest.NewMachine(1), &wall{now: hour})
	o.FS = journal.Look(dir)
	if x, err := metering.Examine(t.Context(), o); err != nil || x.Journals != 0 {
		t.Errorf("%+v, %v", x, err)
	}
	if files, err := disk.List(); err != nil || len(files) != 0 {
		t.Errorf("%v, %v", files, err)
	}
	o.FS = disk
	m, err := metering.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	o.FS = journal.Look(dir)
	if _, err := metering.Examine(t.Context(), o); !errors.Is(err, journal.ErrLocked) {
		t.Errorf("while a process writes: %v", err)
	}
	if err := m.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if x, err := metering.Examine(t.Context(), o); err != nil || x.Journals != 1 {
		t.Errorf("%+v, %v", x, err)
	}
}

// TestRecallDamaged: going back to an older store counts of damaged journals what
// is legible, and all of the others.
func TestRecallDamaged(t *testing.T) {
	machine, w := meteringtest.NewMachine(1), &wall{now: hour}
	for range 3 {
		m := open(t, machine, w)
		for range 40 {
			record(t, m, call("a", ""))
		}
		flush(t, m)
		w.pass(time.Minute)
	}
	flush(t, open(t, machine, w))
	first := true
	change(machine, ".gz", func(raw []byte) []byte {
		if first {
			raw = raw[:len(raw)/2]
		}
		first = false
		return raw
	})
	older := meteringtest.NewMachine(2) // with the journals, and a store that knows nothing
	for name, raw := range machine.Files() {
		older.Put(name, raw)
	}
	for range 2 {
		if n, err := metering.Recall(older.Process()); err != nil || n < 3 {
			t.Fatalf("%d recalled, %v", n, err)
		}
	}
	m := open(t, older, w)
	flush(t, m)
	got := report(t, m, all()).Total.Calls
	if got <= 80 || got >= 120 {
		t.Errorf("%d calls are billed: 80 are in whole journals, and 40 in one that is cut in half", got)
	}
	balanced(t, m)
	found, err := m.Findings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	told(t, found, metering.FindingDamaged, "unexpected EOF")
}

// TestRecallSetAside: a journal that was set aside as damaged is counted again, too,
// up to the damage.
func TestRecallSetAside(t *testing.T) {
	machine, w := stopped(t)
	change(machine, ".journal", func(raw []byte) []byte { raw[32+3*(8+int(raw[32]))-3] ^= 1; return raw }) // its third record
	flush(t, open(t, machine, w))
	older := meteringtest.NewMachine(2)
	for name, raw := range machine.Files() {
		older.Put(name, raw)
	}
	if n, err := metering.Recall(older.Process()); err != nil || n != 2 {
		t.Fatalf("%d recalled, %v", n, err)
	}
	m := open(t, older, w)
	flush(t, m)
	if got := report(t, m, all()).Total.Calls; got != 4 {
		t.Errorf("%d calls are billed, want 4: two in a whole journal, and two in front of the damage", got)
	}
	balanced(t, m)
	found, err := m.Findings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	told(t, found, metering.FindingDamaged, "billed of it: 2 calls")
}

// TestCopiedJournal: a journal that a person copied is billed once, at every
// moment.
func TestCopiedJournal(t *testing.T) {
	machine, w := stopped(t)
	for name, raw := range machine.Files() {
		if strings.HasSuffix(name, ".journal") {
			machine.Put("00000000000000ff.journal", raw)
		}
	}
	if x := examine(t, machine, w); x.Waiting != 2 {
		t.Errorf("%+v", x)
	}
	m := open(t, machine, w)
	for range 2 {
		if got := report(t, m, all()).Total.Calls; got != 6 {
			t.Errorf("%d calls are billed, want 6", got)
		}
		balanced(t, m)
	}
}

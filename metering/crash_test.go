package metering_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/metering/journal"
	"github.com/agora-host/agora/metering/meteringtest"
)

// ledger is what a test knows: which calls were begun, and which of them were
// answered.
type ledger struct {
	mu       sync.Mutex
	n        int
	begun    map[string]bool
	answered map[string]metering.Durability
}

func newLedger() *ledger {
	return &ledger{begun: map[string]bool{}, answered: map[string]metering.Durability{}}
}

func (l *ledger) call(d metering.Durability) *metering.Invocation {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n++
	v := call(string(rune('a'+l.n%3)), "")
	v.ID, v.Durability = fmt.Sprintf("%024x", l.n), d
	l.begun[v.ID] = true
	return v
}

func (l *ledger) answer(v *metering.Invocation, err error) {
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.answered[v.ID] = v.Durability
	}
}

// copy is what is known at one moment.
func (l *ledger) copy(d ...metering.Durability) *ledger {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := newLedger()
	for id := range l.begun {
		c.begun[id] = true
	}
	for id, has := range l.answered {
		for _, want := range d {
			if has == want {
				c.answered[id] = has
			}
		}
	}
	return c
}

// check opens a machine as its next process does, and compares three things by
// the ids of the calls: what was answered, what the journals have, and what is
// billed. It returns everything that is wrong.
func (l *ledger) check(t testing.TB, machine *meteringtest.Machine, w *wall) (wrong []string) {
	t.Helper()
	m, err := metering.Open(t.Context(), options(machine, w))
	if err != nil {
		return []string{"the next process does not start: " + err.Error()}
	}
	return l.compare(t, machine, m)
}

func (l *ledger) compare(t testing.TB, machine *meteringtest.Machine, m *metering.Meter) (wrong []string) {
	t.Helper()
	add := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	journaled := map[string]int{}
	files := machine.Files()
	for name, raw := range files {
		if epoch, copied := strings.CutSuffix(name, ".journal.gz"); copied && files[epoch[:16]+".journal"] != nil {
			continue // the machine stopped between the copy and the removal; the next flush removes
		}
		_, err := metering.ReadJournal(name, strings.NewReader(string(raw)), func(e metering.Entry) error {
			if e.Proven && e.Kind == metering.EntryCall {
				journaled[e.ID]++
			}
			return nil
		})
		if err != nil && !errors.Is(err, journal.ErrNotJournal) && !errors.Is(err, journal.ErrNoHeader) {
			add("%s: %v", name, err)
		}
	}
	for id, n := range journaled {
		if n > 1 {
			add("call %s is journaled %d times", id, n)
		}
		if !l.begun[id] {
			add("call %s is journaled and was never made", id)
		}
	}
	for id := range l.answered {
		if journaled[id] == 0 {
			add("call %s was answered and is in no journal", id)
		}
	}
	r, err := m.Reconcile(t.Context())
	if err != nil {
		add("reconcile: %v", err)
	}
	if !r.Holds() {
		add("the books do not balance: %+v", r)
	}
	if billed := report(t, m, all()).Total.Calls; billed != uint64(len(journaled)) {
		add("%d calls are billed, and %d are in the journals", billed, len(journaled))
	}
	return wrong
}

func number(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// lose runs calls from several goroutines, lets the machine lose power at random
// moments, and returns how many of the images were wrong, with an example.
func lose(t *testing.T, images int, mutate func(*meteringtest.Machine)) (bad int, example string) {
	t.Helper()
	for seed := uint64(1); images > 0; seed++ {
		n := min(images, 20)
		images -= n
		b, e := loseRun(t, seed, n, mutate)
		if bad += b; e != "" {
			example = e
		}
	}
	return bad, example
}

func loseRun(t *testing.T, seed uint64, images int, mutate func(*meteringtest.Machine)) (bad int, example string) {
	machine, w := meteringtest.NewMachine(seed), &wall{now: hour}
	if mutate != nil {
		mutate(machine)
	}
	o := options(machine, w)
	o.JournalSize = 8 << 10 // a new one every fifty calls
	m, err := metering.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	l := newLedger()
	stop := make(chan struct{})
	var work sync.WaitGroup
	for i := range 4 {
		work.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			for {
				select {
				case <-stop:
					return
				default:
				}
				d := metering.DurabilityPower
				if r.IntN(4) == 0 {
					d = metering.DurabilityProcess
				}
				v := l.call(d)
				if r.IntN(8) == 0 {
					running := m.Begin()
					for range r.IntN(3) {
						if running.Checkpoint(v) != nil {
							break
						}
					}
					l.answer(v, running.End(v))
				} else {
					l.answer(v, m.Record(v))
				}
			}
		})
	}
	work.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				_ = m.Flush(t.Context())
			}
		}
	})
	r := rand.New(rand.NewPCG(seed, 99))
	type image struct {
		machine *meteringtest.Machine
		known   *ledger
	}
	var taken []image
	for range images {
		time.Sleep(time.Duration(r.IntN(100)) * time.Microsecond)
		var known *ledger
		c := machine.LosePower(r.Uint64(), func() { known = l.copy(metering.DurabilityPower) })
		// What was begun between is in the image's journals, perhaps.
		taken = append(taken, image{c, known})
	}
	close(stop)
	work.Wait()
	for _, im := range taken {
		im.known.begun = l.begun
		if wrong := im.known.check(t, im.machine, w); len(wrong) > 0 {
			bad++
			example = fmt.Sprintf("seed %d: %.300s", seed, strings.Join(wrong, "; "))
		}
	}
	return bad, example
}

// TestPowerLoss: whenever the power goes, and whatever of the unsynced writes is
// on the disk then, in whatever order, torn between sectors, every call that was
// answered is in the journal and billed, and none twice.
func TestPowerLoss(t *testing.T) {
	images := number("AGORA_IMAGES", 500)
	if testing.Short() {
		images = 100
	}
	if bad, example := lose(t, images, nil); bad > 0 {
		t.Errorf("%d of %d images are wrong: %s", bad, images, example)
	}
}

// TestPowerLossCanFail: with a disk that does not sync, or a store that adds, the
// same test finds something.
func TestPowerLossCanFail(t *testing.T) {
	for name, mutate := range map[string]func(*meteringtest.Machine){
		"a disk that does not sync": func(m *meteringtest.Machine) { m.NoSync = true },
		"a store that adds":         func(m *meteringtest.Machine) { m.Store.Additive = true },
	} {
		if bad, _ := lose(t, 50, mutate); bad == 0 {
			t.Errorf("%s: 50 images, and none is wrong: this test cannot fail", name)
		}
	}
}

// TestPowerLossAfterKill: what a node that was killed had not synced, and the next
// one found all the same and billed, has its proof on the disk.
func TestPowerLossAfterKill(t *testing.T) {
	for seed := range uint64(40) {
		machine, w, l := meteringtest.NewMachine(seed), &wall{now: hour}, newLedger()
		m := open(t, machine, w)
		for range 5 {
			v := l.call(metering.DurabilityProcess)
			l.answer(v, m.Record(v))
		}
		m = open(t, machine, w)
		machine.Fault = func(_ int, op string) meteringtest.Fault {
			if op == "create" { // the journal is billed, and not put away yet
				return meteringtest.Fault{Err: syscall.ENOSPC}
			}
			return meteringtest.Fault{}
		}
		if err := m.Flush(t.Context()); err == nil {
			t.Fatal("a journal is put away on a full disk")
		}
		machine.Fault = nil
		if wrong := l.copy(metering.DurabilityPower).check(t, machine.LosePower(seed, func() {}), w); len(wrong) > 0 {
			t.Fatalf("seed %d: %s", seed, strings.Join(wrong, "; "))
		}
	}
}

// script is a few calls, a stream, flushes and a restart: everything that a meter
// does with its disk.
func script(t testing.TB, machine *meteringtest.Machine, w *wall, l *ledger) {
	var m *metering.Meter
	start := func() bool {
		o := options(machine, w)
		o.JournalSize = 1 << 10
		var err error
		m, err = metering.Open(t.Context(), o)
		return err == nil
	}
	use := func(n int) {
		for i := range n {
			d := metering.DurabilityPower
			if i%3 == 2 {
				d = metering.DurabilityProcess
			}
			v := l.call(d)
			l.answer(v, m.Record(v))
		}
		v := l.call(metering.DurabilityPower)
		running := m.Begin()
		if running.Checkpoint(v) == nil {
			l.answer(v, running.End(v))
		} else {
			_ = running.End(v)
		}
	}
	for range 2 {
		for tries := 0; !start(); tries++ {
			if tries > 3 {
				t.Fatal("the node does not start, and the disk is well")
			}
		}
		use(6)
		_ = m.Flush(t.Context())
		if m.Ready() != nil {
			_ = m.Heal(t.Context())
		}
		use(6)
		w.pass(time.Hour)
		_ = m.Flush(t.Context())
		if m.Ready() != nil {
			if err := m.Heal(t.Context()); err != nil {
				t.Errorf("the disk is well, and the node does not heal: %v", err)
			}
		}
		use(3)
		_ = m.Flush(t.Context())
		_ = m.Close(t.Context())
	}
}

// TestEveryFault makes the disk fail once at each operation there is, in each way
// there is. Nothing that was answered may be lost, and nothing counted twice.
func TestEveryFault(t *testing.T) {
	machine, w := meteringtest.NewMachine(1), &wall{now: hour}
	l := newLedger()
	script(t, machine, w, l)
	if wrong := l.check(t, machine, w); len(wrong) > 0 {
		t.Fatal(strings.Join(wrong, "\n"))
	}
	total := machine.Ops()
	faults := map[string]meteringtest.Fault{
		"an I/O error": {Err: syscall.EIO}, "a full disk": {Err: syscall.ENOSPC},
		"half a write, and a full disk": {Err: syscall.ENOSPC, Half: true}, "a short write": {Err: io.ErrShortWrite, Half: true},
	}
	for name, fault := range faults {
		for k := 1; k <= total; k++ {
			machine, w, l := meteringtest.NewMachine(uint64(k)), &wall{now: hour}, newLedger()
			what := ""
			machine.Fault = func(n int, op string) meteringtest.Fault {
				if n == k {
					what = op
					return fault
				}
				return meteringtest.Fault{}
			}
			script(t, machine, w, l)
			machine.Fault = nil
			if what == "sync" { // a disk that fails is more than the death of a process
				l = l.copy(metering.DurabilityPower)
			}
			if wrong := l.check(t, machine, w); len(wrong) > 0 {
				t.Fatalf("%s at operation %d (%s) of %d:\n%.600s", name, k, what, total, strings.Join(wrong, "\n"))
			}
		}
	}
	t.Logf("%d operations, each with %d faults", total, len(faults))
}

// TestDiskThatStaysFull: from some operation on, nothing can be written for a
// while. The node refuses, and serves again when there is room.
func TestDiskThatStaysFull(t *testing.T) {
	for k := 1; k < 60; k++ {
		machine, w, l := meteringtest.NewMachine(uint64(k)), &wall{now: hour}, newLedger()
		m := open(t, machine, w)
		from := machine.Ops()
		machine.Fault = func(n int, op string) meteringtest.Fault {
			if n >= from+k && (op == "write" || op == "create" || op == "sync") {
				return meteringtest.Fault{Err: syscall.ENOSPC, Half: op == "write" && n%2 == 0}
			}
			return meteringtest.Fault{}
		}
		for range 20 {
			v := l.call(metering.DurabilityPower)
			l.answer(v, m.Record(v))
		}
		_, _ = m.Flush(t.Context()), m.Heal(t.Context())
		if m.Ready() == nil {
			_ = m.Flush(t.Context())
		}
		machine.Fault = nil
		if err := m.Heal(t.Context()); err != nil || m.Ready() != nil {
			t.Fatalf("there is room again: %v, %v", err, m.Ready())
		}
		v := l.call(metering.DurabilityPower)
		if err := m.Record(v); err != nil {
			t.Fatal(err)
		}
		l.answer(v, nil)
		flush(t, m)
		if wrong := l.compare(t, machine, m); len(wrong) > 0 {
			t.Fatalf("full from operation %d on: %s", k, strings.Join(wrong, "\n"))
		}
	}
}

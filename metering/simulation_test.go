package metering_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/metering/meteringtest"
)

// wire is the way to a store that many nodes share: calls and responses get lost,
// and some calls arrive again, much later and in another order.
type wire struct {
	*meteringtest.Memory
	r    *rand.Rand
	late []metering.Flush
}

var errLost = errors.New("the connection broke")

func (w *wire) Merge(ctx context.Context, f metering.Flush) error {
	if w.r.IntN(3) == 0 {
		w.late = append(w.late, f)
	}
	switch w.r.IntN(6) {
	case 0:
		return errLost
	case 1:
		_ = w.Memory.Merge(ctx, f)
		return errLost
	}
	return w.Memory.Merge(ctx, f)
}

func (w *wire) BeginEpoch(ctx context.Context, node string, least uint64) (uint64, error) {
	n, err := w.Memory.BeginEpoch(ctx, node, least)
	if w.r.IntN(8) == 0 {
		return 0, errLost
	}
	return n, err
}

// repeat delivers some of what came late.
func (w *wire) repeat(t testing.TB, n int) {
	w.r.Shuffle(len(w.late), func(i, j int) { w.late[i], w.late[j] = w.late[j], w.late[i] })
	n = min(n, len(w.late))
	for _, f := range w.late[:n] {
		if err := w.Memory.Merge(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	w.late = w.late[n:]
}

// simNode is a node of the simulation, through all its lives.
type simNode struct {
	id       string
	machine  *meteringtest.Machine
	wall     *wall
	meter    *metering.Meter
	link     *link  // of this process
	recorded uint64 // calls that were answered
	lost     uint64 // of them, those that were on a disk that died and in no flush
}

func (n *simNode) start(t testing.TB, w *wire) bool {
	o := options(n.machine, n.wall)
	n.link = &link{wire: w}
	o.Node, o.Store, o.JournalSize = n.id, n.link, 1<<10
	m, err := metering.Open(t.Context(), o)
	if err != nil && !errors.Is(err, errLost) {
		t.Fatal(err)
	}
	n.meter = m
	return err == nil
}

// kill ends the process: what it still does reaches neither disk nor store.
func (n *simNode) kill(t testing.TB) {
	if n.meter != nil {
		n.link.dead = true
		n.machine.Process()
		_ = n.meter.Close(t.Context()) // so that its goroutine goes
		n.meter = nil
	}
}

// link is one process's way to the store.
type link struct {
	*wire
	dead bool
}

func (l *link) Merge(ctx context.Context, f metering.Flush) error {
	if l.dead {
		return errLost
	}
	return l.wire.Merge(ctx, f)
}

// billed is what the store has of a node.
func (n *simNode) billed(t testing.TB, w *wire) (calls uint64) {
	epochs, err := w.Epochs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range epochs {
		if e.Node != n.id {
			continue
		}
		cells, err := w.Memory.Cells(t.Context(), e.Node, e.Number)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cells {
			calls += c.Calls
		}
	}
	return calls
}

func (n *simNode) step(t testing.TB, w *wire) {
	for n.meter == nil {
		n.start(t, w)
	}
	switch w.r.IntN(16) {
	default:
		for range 1 + w.r.IntN(4) {
			record(t, n.meter, call("a", ""))
			n.recorded++
		}
	case 0, 1, 2, 3:
		_ = n.meter.Flush(t.Context())
	case 4, 5:
		n.wall.pass(time.Duration(w.r.IntN(100)) * time.Minute)
	case 6:
		n.wall.now = n.wall.now.Add(time.Duration(w.r.IntN(50)-25) * time.Hour)
	case 7, 8: // kill -9
		n.kill(t)
	case 9:
		_ = n.meter.Close(t.Context())
		n.meter = nil
	case 10: // power is lost; everything that was answered was synced
		after := n.machine.LosePower(w.r.Uint64(), func() {})
		n.kill(t)
		n.machine = after
	case 11:
		if w.r.IntN(3) == 0 { // the disk dies
			n.lost = n.recorded - n.billed(t, w)
			n.kill(t)
			n.machine = meteringtest.NewMachine(w.r.Uint64())
		}
	case 12: // a call is cut off
		running := n.meter.Begin()
		if err := running.Checkpoint(call("a", "")); err != nil {
			t.Fatal(err)
		}
		n.recorded++
		n.kill(t)
	}
}

func simulate(t *testing.T, seed uint64, mutate func(*wire)) error {
	r := rand.New(rand.NewPCG(seed, 7))
	w := &wire{Memory: &meteringtest.Memory{}, r: r}
	if mutate != nil {
		mutate(w)
	}
	nodes := make([]*simNode, 2+r.IntN(4))
	for i := range nodes {
		nodes[i] = &simNode{id: fmt.Sprintf("%032x", i+1), machine: meteringtest.NewMachine(seed*31 + uint64(i)), wall: &wall{now: hour}}
	}
	var sealed []metering.Hour
	for range 60 {
		nodes[r.IntN(len(nodes))].step(t, w)
		if r.IntN(5) == 0 {
			w.repeat(t, 3)
		}
		if r.IntN(10) == 0 {
			l, err := w.Ledger(t.Context(), "", time.Time{}, hour.AddDate(9, 0, 0))
			if err != nil {
				return err
			}
			sealed = l.Hours
		}
	}
	err := settle(t, w, nodes, sealed)
	for _, n := range nodes {
		n.kill(t)
	}
	return err
}

// settle lets all nodes come back and say what they have, and compares.
func settle(t *testing.T, w *wire, nodes []*simNode, sealed []metering.Hour) error {
	var total, lost, billed uint64
	for _, n := range nodes {
		n.kill(t)
		for !n.start(t, w) {
			continue
		}
		for n.meter.Flush(t.Context()) != nil {
			continue
		}
		total, lost = total+n.recorded, lost+n.lost
	}
	w.repeat(t, len(w.late))
	for i, n := range nodes {
		got := n.billed(t, w)
		if got > n.recorded || got < n.recorded-n.lost {
			return fmt.Errorf("node %d: %d calls are billed, %d were answered, and at most %d of them lost with their disk", i, got, n.recorded, n.lost)
		}
		billed += got
		if rec, err := n.meter.Reconcile(t.Context()); err != nil || !rec.Holds() {
			return fmt.Errorf("node %d does not balance: %+v, %v", i, rec, err)
		}
	}
	b, err := w.Balance(t.Context())
	if err != nil || len(b.Differ) > 0 || b.Cells.Calls != billed || b.Hours.Calls+b.Adjustments.Calls+b.Open.Calls != billed {
		return fmt.Errorf("%d calls are billed, and the store says %+v, %v", billed, b, err)
	}
	l, err := w.Ledger(t.Context(), "", time.Time{}, hour.AddDate(9, 0, 0))
	if err != nil {
		return err
	}
	now := map[metering.Key]metering.Usage{}
	for _, h := range l.Hours {
		now[h.Key] = h.Usage
	}
	for _, h := range sealed {
		if !now[h.Key].Equal(h.Usage) {
			return fmt.Errorf("the sealed hour %+v has become %+v", h, now[h.Key])
		}
	}
	return nil
}

// TestSimulation: many nodes, each with its own clock and disk, that are killed,
// lose power or their disk, share a store over a bad connection. Every unit is
// billed once, but for those that nothing is left of.
func TestSimulation(t *testing.T) {
	seeds := number("AGORA_SEEDS", 150)
	if testing.Short() {
		seeds = 50
	}
	for seed := range uint64(seeds) {
		if err := simulate(t, seed, nil); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// TestSimulationCanFail: a store that adds is found out.
func TestSimulationCanFail(t *testing.T) {
	for seed := range uint64(20) {
		if simulate(t, seed, func(w *wire) { w.Additive = true }) != nil {
			return
		}
	}
	t.Error("a store that adds what it should merge was not found out: this test cannot fail")
}

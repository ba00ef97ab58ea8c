package governance_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control/governance"
	"github.com/agora-host/agora/state"
)

// counted is how often the app has used kv. The time of a use is the clock's, which is wrong when it likes.
type counted struct {
	n    uint64
	last time.Time
}

func (c *counted) UsedByAny(state.Reader, string) ([]approvals.Used, error) {
	denied := approvals.Used{Use: abi.Use{Capability: "kv", Meter: abi.MeterDenied, N: uint64(time.Now().UnixNano())}}
	return []approvals.Used{denied, {Use: abi.Use{Capability: "kv", Meter: abi.MeterReads, N: c.n}, Last: c.last}}, nil
}

// TestUnusedGrantsLapse: calls use a grant or do not, nodes run, end and begin, and their clocks jump by years. The
// grant lapses when nothing has used it while nodes ran for as long as the rule says, and never before; its owners
// were told two weeks before; and with one node that goes on it does lapse.
func TestUnusedGrantsLapse(t *testing.T) {
	const look, most = 6 * time.Hour, 40 * aDay
	var lapsed, survived int
	rapid.Check(t, func(rt *rapid.T) {
		b := newBoard(t, rex)
		uses := &counted{}
		b.Service = governance.New(governance.Options{Desk: b.desk, Policy: b.rules, Verifier: b.rules, Uses: uses})
		b.rules.life, b.rules.requires = approvals.Life{UnusedDays: int(most / aDay)}, []string{"kv"}
		q := b.ask(t, 1)
		if _, err := b.vote(t, rex, q.ID, true); err != nil {
			rt.Fatal(err)
		}
		id := q.ID + "-kv"
		var ran, born, idle, sinceTold time.Duration // idle: how long nodes ran since the last use
		told := false
		begin := func() *governance.Clocks {
			born = ran
			return governance.NewClocks(b.Service, func() time.Duration { return ran - born })
		}
		node, r := begin(), rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 7)) // rapid prefers what is small, and most looks find nothing
		steady := time.Duration(0)                                                    // how long this node has run without a use
		for range 400 {
			switch r.IntN(500) {
			case 0, 1:
				uses.n++
				uses.last, idle, steady, told = b.now, 0, 0, false
			case 2:
				node, steady = begin(), 0
			case 4: // the rule becomes stricter, or less strict
				b.rules.life.UnusedDays = rapid.SampledFrom([]int{int(most / aDay), 100}).Draw(rt, "days")
			case 3:
				b.now = b.now.AddDate(6*r.IntN(2)-3, 0, 0)
			}
			ran, idle, steady, sinceTold, b.now = ran+look, idle+look, steady+look, sinceTold+look, b.now.Add(look)
			if err := node.Sweep(t.Context()); err != nil {
				rt.Fatal(err)
			}
			var g approvals.Grant
			if err := b.desk.View(t.Context(), func(tx state.Reader) (err error) {
				g, err = tx.Grant(id)
				return err
			}); err != nil {
				rt.Fatal(err)
			}
			if g.Idle.Told != 0 && !told {
				told, sinceTold = true, 0
			}
			switch {
			case !g.Revoked.IsZero() && (idle < most || !told || sinceTold < 14*aDay-look):
				rt.Fatalf("it lapsed %s after its last use, and %s after it was told (%v): %+v", idle, sinceTold, told, g)
			case g.Revoked.IsZero() && steady > 115*aDay:
				rt.Fatalf("it holds, and nothing has used it for %s: %+v", steady, g)
			case !g.Revoked.IsZero():
				lapsed++
				if _, err := governance.NewLives(b.Service).RenewGrant(b.as(t, owner), id, "it is needed"); err != nil {
					rt.Fatalf("it does not come back by a request: %v", err)
				}
				return
			}
		}
		survived++
	})
	if !testing.Short() && (lapsed < 5 || survived < 5) {
		t.Errorf("%d lapsed and %d did not", lapsed, survived)
	}
}

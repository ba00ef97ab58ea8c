package governance_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/control/governance"
	"github.com/agora-host/agora/state"
)

// hand is the clock of a request as the oracle keeps it: whose turn it is, and for how long it has been.
type hand struct {
	turn approvals.Turn
	ran  time.Duration // while some node ran
	told int
	late time.Duration // since it was told first
}

// TestClocksOverTwoYears: over two simulated years people write, ask, answer, vote and do nothing at random, on
// nodes of which some end and begin again and whose clocks jump by up to a year. No clock rings against those
// whose turn it is not, or before their time is over; each rings once, and at the next look after it.
func TestClocksOverTwoYears(t *testing.T) {
	const look = 12 * time.Hour
	rings := map[string]int{}
	runs, lasts := uint64(2), 2*365*24*time.Hour
	if testing.Short() { // the whole run counts what it has seen
		runs, lasts = 1, 90*24*time.Hour
	}
	for seed := range runs {
		r := rand.New(rand.NewPCG(seed, 7))
		b := newBoard(t, rex, sue)
		b.rules.stages = []approvals.Stage{{Need: 2}}
		b.rules.clocks = approvals.Clocks{Reviewers: 72, Requester: 96, Withdraw: 240}
		began := b.now
		var ran time.Duration
		// Two nodes of one store. Each has its own time since it began; skew is what the wall clock is off.
		var born [2]time.Duration
		node := func(i int) *governance.Clocks {
			born[i] = ran
			return governance.NewClocks(b.Service, func() time.Duration { return ran - born[i] })
		}
		nodes := [2]*governance.Clocks{node(0), node(1)}
		var skew time.Duration
		hands := map[string]*hand{}
		asking := map[string]map[string]bool{}
		voted := map[string]string{}
		turn := func(id string, to approvals.Turn) {
			if h := hands[id]; h.turn != to {
				*h = hand{turn: to}
			}
		}
		rev, err := b.desk.Store.Rev(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for ran < lasts {
			ran += look
			for _, h := range hands {
				h.ran += look
				if h.told > 0 {
					h.late += look
				}
			}
			if r.IntN(40) == 0 {
				skew = time.Duration(r.Int64N(int64(2*366*24*time.Hour))) - 366*24*time.Hour
			}
			b.now = began.Add(ran + skew)
			if len(hands) == 0 || len(hands) < 3 && r.IntN(30) == 0 {
				b.update(t, func(tx state.Tx) error { // as if nothing had served
					a, err := tx.App(app)
					a.Active = nil
					return errors.Join(err, tx.PutApp(a))
				})
				if q, err := b.Promote(b.as(t, owner), app, 1+r.IntN(2), []abi.Tier{abi.TierPilot, abi.TierProduction}[r.IntN(2)], "ready"); err == nil {
					hands[q.ID], asking[q.ID] = &hand{turn: approvals.TurnReviewers}, map[string]bool{}
					if q.Replaces != "" {
						delete(hands, q.Replaces)
					}
				}
			}
			for id := range hands { // any of them
				who := []string{owner, rex, sue}[r.IntN(3)]
				switch r.IntN(60) {
				case 0:
					if _, err := b.Comment(b.as(t, who), id, fmt.Sprint(r.Int())); err == nil && who == owner {
						clear(asking[id])
						turn(id, approvals.TurnReviewers)
					}
				case 1, 2:
					if _, err := b.AskChanges(b.as(t, who), id, control.Verdict{Reason: fmt.Sprint(r.Int())}); err == nil {
						asking[id][who] = true
						turn(id, approvals.TurnRequester)
						if voted[id] == who {
							voted[id] = ""
						}
					}
				case 3:
					if q, err := b.Decide(b.as(t, who), id, control.Verdict{Approve: true}); err == nil {
						if delete(asking[id], who); q.Status != approvals.StatusOpen {
							delete(hands, id)
						} else {
							voted[id] = who
							turn(id, approvals.TurnReviewers)
						}
					}
				}
				break
			}
			if r.IntN(30) == 0 {
				i := r.IntN(2)
				nodes[i] = node(i) // it ended, and began again: what it had counted on since is lost
			}
			for _, i := range r.Perm(2) {
				if err := nodes[i].Sweep(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			events, err := b.desk.Store.Events(t.Context(), state.EventQuery{After: rev, Limit: -1})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				rev = e.Rev
				h := hands[e.Subject]
				if h == nil || !slices.Contains([]string{"request.overdue", "request.escalated", "request.withdrawn"}, e.Kind) || e.Actor != "node" {
					continue
				}
				rings[e.Kind]++
				of := b.rules.clocks.Of(h.turn)
				switch {
				case e.Kind == "request.overdue" && (e.Detail["turn"] != string(h.turn) || h.told != 0 || h.ran < of):
					t.Fatalf("seed %d: %s rings against %s after %v, and it is %+v", seed, e.Subject, e.Detail["turn"], h.ran, h)
				case e.Kind == "request.escalated" && (e.Detail["turn"] != string(h.turn) || h.told != 1 || h.late < of):
					t.Fatalf("seed %d: %s is escalated, and it is %+v", seed, e.Subject, h)
				case e.Kind == "request.withdrawn" && (h.turn != approvals.TurnRequester || h.told == 0 || h.late < 240*time.Hour):
					t.Fatalf("seed %d: %s is withdrawn, and it is %+v", seed, e.Subject, h)
				}
				if h.told++; e.Kind == "request.withdrawn" {
					delete(hands, e.Subject)
				}
			}
			// A node that ends takes with it what it counted since the last look, and the other goes on at
			// the look after: so a clock is late by a few looks for each, and never by more.
			for id, h := range hands {
				if of := b.rules.clocks.Of(h.turn); h.told == 0 && h.ran > of+10*look {
					t.Fatalf("seed %d: the clock of %s does not ring: %+v", seed, id, h)
				}
				q, err := b.Request(b.as(t, rex), id)
				if err != nil || q.Turn != h.turn || q.Overdue() != (h.told > 0) {
					t.Fatalf("seed %d: %+v, want %+v, %v", seed, q, h, err)
				}
			}
		}
	}
	for _, kind := range []string{"request.overdue", "request.escalated", "request.withdrawn"} {
		if rings[kind] < 5 && !testing.Short() {
			t.Errorf("%s: %d", kind, rings[kind])
		}
	}
}

// TestStageHasItsOwnTime: the reviewers of the next stage do not pay for those of the one before, and a second
// vote of one stage gives the others no more time.
func TestStageHasItsOwnTime(t *testing.T) {
	b := newBoard(t, rex, sue, tom)
	b.rules.stages = []approvals.Stage{{Need: 2}, {Need: 1, Order: 1}}
	b.rules.clocks = approvals.Clocks{Reviewers: 10}
	var ran time.Duration
	clocks := governance.NewClocks(b.Service, func() time.Duration { return ran })
	after := func(hours int) {
		for range hours {
			ran += time.Hour
			if err := clocks.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	late := func() bool {
		list, err := b.Requests(b.as(t, rex), control.RequestFilter{Overdue: true}, control.Page{})
		if err != nil {
			t.Fatal(err)
		}
		return len(list.Items) == 1
	}
	q := b.ask(t, 1)
	after(6)
	if _, err := b.vote(t, rex, q.ID, true); err != nil {
		t.Fatal(err)
	}
	after(5)
	if !late() {
		t.Error("one of two votes gave the other reviewer more time")
	}
	if _, err := b.vote(t, sue, q.ID, true); err != nil || late() {
		t.Errorf("the next stage is late as it begins: %v", err)
	}
	after(10)
	if late() {
		t.Error("the next stage has less time")
	}
	after(1)
	if !late() {
		t.Error("the next stage has no end")
	}
}

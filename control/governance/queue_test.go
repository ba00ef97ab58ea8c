package governance_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/control/governance"
	"github.com/agora-host/agora/state"
)

// TestQueue: what is read once is what lists and counts say that read by themselves: each page of each list, how many are
// open, overdue and wait for each concern, and how many wait for the reader.
func TestQueue(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		b, _ := away(t)
		briefs := governance.NewBriefings(b.Service, nil, nil)
		b.fill(t, rapid.IntRange(0, 150).Draw(r, "requests"), rapid.Uint64().Draw(r, "seed"))
		ctx := b.as(t, rapid.SampledFrom([]string{sue, tom, rex, owner}).Draw(r, "who"))
		f := rapid.SampledFrom([]control.RequestFilter{
			{}, {Status: approvals.StatusOpen}, {Status: approvals.StatusWithdrawn}, {Mine: true}, {Overdue: true}, {Concern: "privacy"}, {App: app, Status: approvals.StatusOpen}, {By: sue, Status: approvals.StatusOpen},
		}).Draw(r, "filter")
		p := control.Page{Limit: rapid.SampledFrom([]int{0, 1, 7, 99, 100, 101, 150, 1000}).Draw(r, "limit")}
		counts, waiting := inWords(r, b.counts(t, ctx)), b.waiting(t, ctx)
		for page := range 6 {
			queue, err := briefs.Queue(ctx, f, p)
			if err != nil {
				r.Fatal(err)
			}
			list, err := b.Requests(ctx, f, p)
			if err != nil {
				r.Fatal(err)
			}
			if got, want := inWords(r, queue.Requests), inWords(r, list); got != want {
				r.Fatalf("page %d: %.900s\nwant %.900s", page, got, want)
			}
			if got := inWords(r, queue.Counts); got != counts || queue.Waiting != waiting {
				r.Fatalf("it counts %s and %d for the reader, want %s and %d", got, queue.Waiting, counts, waiting)
			}
			if p.Cursor = list.Next; p.Cursor == "" {
				return
			}
		}
	})
}

// fill stores requests of every kind of standing.
func (b *board) fill(t *testing.T, n int, seed uint64) {
	dice := rand.New(rand.NewPCG(seed, 1))
	raw, err := json.Marshal(approvals.Terms{})
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(raw)
	terms := hex.EncodeToString(sum[:16]) // what a vote of now relies on
	b.update(t, func(tx state.Tx) error {
		for i := range n {
			q := approvals.Request{
				ID: fmt.Sprintf("req-%d", i+1), Kind: approvals.KindPromotion, App: app, Owner: owner, Release: 1, Tier: "production", By: owner, Created: b.now,
				Status: approvals.StatusOpen, Turn: approvals.TurnReviewers, Policy: []approvals.Digest{b.rules.Digest(), "another"}[dice.IntN(2)],
			}
			if dice.IntN(4) == 0 {
				q.Status, q.Turn = approvals.StatusWithdrawn, approvals.TurnOver
			}
			if dice.IntN(3) == 0 {
				q.Told = 1
			}
			if dice.IntN(2) == 0 {
				q.Stages = []approvals.Stage{{Concern: []string{"security", "privacy", ""}[dice.IntN(3)], Need: 1 + dice.IntN(2)}}
				if dice.IntN(2) == 0 {
					q.Votes = []approvals.Vote{{By: []string{rex, sue, tom}[dice.IntN(3)], Approve: true, Concern: q.Stages[0].Concern, At: b.now, About: approvals.Basis{Terms: terms, Policy: q.Policy}}}
				}
			}
			if dice.IntN(5) == 0 {
				q.By = sue
			}
			if err := tx.PutRequest(q); err != nil {
				return err
			}
		}
		return nil
	})
}

// counts counts by the lists of requests.
func (b *board) counts(t *testing.T, ctx context.Context) (c control.OpenCounts) {
	count := func(f control.RequestFilter) int {
		all, err := b.Requests(ctx, f, control.Page{Limit: control.MaxPageLimit})
		if err != nil || all.Next != "" {
			t.Fatal(all.Next, err)
		}
		return len(all.Items)
	}
	c.Open, c.Overdue = count(control.RequestFilter{Status: approvals.StatusOpen}), count(control.RequestFilter{Overdue: true})
	for _, concern := range access.Concerns() {
		c.Concerns = append(c.Concerns, control.ConcernCount{Concern: concern, N: count(control.RequestFilter{Concern: concern})})
	}
	return c
}

func (b *board) waiting(t *testing.T, ctx context.Context) (n int) {
	err := b.desk.View(ctx, func(tx state.Reader) (err error) {
		n, err = governance.Waiting(tx, access.ActorFrom(ctx), b.now)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func inWords(r *rapid.T, v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		r.Fatal(err)
	}
	return string(raw)
}

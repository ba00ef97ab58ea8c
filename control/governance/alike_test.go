package governance_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// TestDecideAlike: requests of several apps that ask for the same are decided all or none, each as it was seen.
func TestDecideAlike(t *testing.T) {
	b := newBoard(t, rex, sue)
	b.update(t, func(tx state.Tx) error {
		m := registry.Manifest{Name: "bank", Owner: owner}
		return errors.Join(tx.PutApp(registry.App{Name: "bank", Owner: owner, Releases: 1}),
			tx.AddRelease(registry.Release{App: "bank", Number: 1, Digest: "sha256:cc", Manifest: m, Signer: registry.Signer{Identity: owner}, Created: b.now}))
	})
	shop := b.ask(t, 1)
	promote := func(app string, n int, to abi.Tier) approvals.Request {
		q, err := b.Promote(b.as(t, owner), app, n, to, "ready")
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	bank, pilot := promote("bank", 1, abi.TierProduction), promote("shop", 2, abi.TierPilot)
	part := func(ids ...string) (d control.ReleaseVerdict) {
		d.Approve, d.Reason = true, "like the others"
		for _, id := range ids {
			q, err := b.Request(b.as(t, rex), id)
			if err != nil {
				t.Fatal(err)
			}
			d.Parts = append(d.Parts, control.PartVerdict{ID: id, Tag: control.Tag(q)})
		}
		return d
	}
	serves := func(want int) {
		t.Helper()
		for _, name := range []string{"shop", "bank"} {
			if err := b.desk.View(t.Context(), func(tx state.Reader) error {
				a, err := tx.App(name)
				if err == nil && a.Active[abi.TierProduction] != want {
					t.Errorf("%s serves %d, want %d", name, a.Active[abi.TierProduction], want)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	changed := part(shop.ID, bank.ID)
	if _, err := b.Comment(b.as(t, owner), bank.ID, "please"); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		who  string
		d    control.ReleaseVerdict
		want error
		says string
	}{
		"something else":   {rex, part(shop.ID, pilot.ID), approvals.ErrBadRequest, "asks for something else than " + shop.ID},
		"one is another":   {rex, changed, approvals.ErrChanged, bank.ID + " is not what it was"},
		"their own":        {owner, part(shop.ID, bank.ID), approvals.ErrSelfReview, "none of the 2 requests was decided"},
		"none":             {rex, control.ReleaseVerdict{}, approvals.ErrBadRequest, "name the requests"},
		"twice":            {rex, part(shop.ID, shop.ID), approvals.ErrBadRequest, "is there twice"},
		"one is not there": {rex, control.ReleaseVerdict{Verdict: control.Verdict{Approve: true}, Parts: []control.PartVerdict{{ID: shop.ID}, {ID: "req-99"}}}, approvals.ErrNotFound, "req-99"},
		"without a reason": {rex, control.ReleaseVerdict{Parts: []control.PartVerdict{{ID: shop.ID}, {ID: bank.ID}}}, approvals.ErrReasonMissing, shop.ID},
		"a module of one":  {rex, control.ReleaseVerdict{Verdict: control.Verdict{Approve: true, Digest: "sha256:aa"}, Parts: []control.PartVerdict{{ID: shop.ID}, {ID: bank.ID}}}, approvals.ErrChanged, bank.ID},
		"who has no vote":  {"", part(shop.ID, bank.ID), access.ErrUnauthenticated, ""},
	} {
		ctx := t.Context()
		if c.who != "" {
			ctx = b.as(t, c.who)
		}
		if _, err := b.DecideAlike(ctx, c.d); !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
		serves(0)
	}
	done, err := b.DecideAlike(b.as(t, rex), part(shop.ID, bank.ID))
	if err != nil || len(done) != 2 || done[0].Status != approvals.StatusApproved || done[1].Decision.Reason != "like the others" {
		t.Fatalf("%+v, %v", done, err)
	}
	serves(1)
}

// TestAwaits: what waits for reviewers of a concern is what its stages wait for, or what it is about.
func TestAwaits(t *testing.T) {
	b := newBoard(t, rex, sue)
	b.rules.requires = []string{"fetch"}
	list := func(c access.Concern) int {
		all, err := b.Requests(b.as(t, rex), control.RequestFilter{Concern: c}, control.Page{Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		return len(all.Items)
	}
	q := b.ask(t, 1)
	if list("security") != 1 || list("platform") != 1 || list("privacy") != 0 {
		t.Errorf("without stages: %d %d %d", list("security"), list("platform"), list("privacy"))
	}
	if _, err := b.AskChanges(b.as(t, rex), q.ID, control.Verdict{Reason: "say more"}); err != nil || list("security") != 0 {
		t.Errorf("while it waits for its requester: %d, %v", list("security"), err)
	}
	if _, err := b.Withdraw(b.as(t, owner), q.ID, ""); err != nil {
		t.Fatal(err)
	}
	b.rules.version++
	b.rules.stages = []approvals.Stage{{Concern: "security", Need: 1}, {Concern: "privacy", Need: 1, Order: 1}}
	q = b.ask(t, 1)
	if list("security") != 1 || list("privacy") != 0 || list("platform") != 0 {
		t.Errorf("in order: %d %d %d", list("security"), list("privacy"), list("platform"))
	}
	if _, err := b.vote(t, rex, q.ID, true); err != nil || list("security") != 0 || list("privacy") != 1 {
		t.Errorf("after the first stage: %v", err)
	}
}

package governance_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/control/governance"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/rights"
)

const ops = "ops@example.com"

// emergency is a grant that was made before its review, as the oracle keeps it.
type emergency struct {
	id, request, word, by string
	tier                  abi.Tier
	release               int
	end                   time.Time
	review                approvals.Status
	closed                time.Time // when the review was over
	revoked, overdue      bool
}

func (e *emergency) live(now time.Time) bool {
	return !e.revoked && e.review == approvals.StatusOpen && now.Before(e.end)
}

// ordinary is what a review granted.
type ordinary struct {
	word    string
	tier    abi.Tier
	release int
}

type glassWorld struct {
	*board
	*governance.Lives
	t       *testing.T
	broken  []*emergency // the oldest first
	granted []ordinary
	seen    map[string]int // how often each refusal came, and each outcome
}

// TestEmergencies: owners, operators and others break the glass for releases that are promoted and some that are not;
// reviewers, the owner and who broke it decide, take back and revoke, rules change and time goes on, in any order. A
// capability is there exactly while the oracle has it: by an ordinary grant, or until its hours are over or its
// review is, whichever is first; nobody decides about their own, and no emergency is allowed that must not be.
func TestEmergencies(t *testing.T) {
	seen := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		b := newBoard(t, rex, sue, ops)
		b.user(t, ops, func(u *access.User) { u.Roles = append(u.Roles, access.RoleOperator) })
		if _, err := b.vote(t, rex, b.ask(t, 1).ID, true); err != nil {
			rt.Fatal(err)
		}
		w := &glassWorld{board: b, Lives: governance.NewLives(b.Service), t: t, seen: seen}
		w.rules.life.EmergencyHours = 8
		rt.Repeat(map[string]func(*rapid.T){
			"break": w.breakGlass, "break again": w.breakGlass, "break more": w.breakGlass, "decide": w.decide, "withdraw": w.withdraw, "revoke": w.revoke,
			"wait": w.wait, "rule": w.rule, "overdue": w.late, "": w.check,
		})
	})
	if testing.Short() {
		return
	}
	for _, what := range []string{"made", "approved", "rejected", "withdrawn", "own", access.ErrNotOwner.Error(), registry.ErrNotApproved.Error(), approvals.ErrNothingToAsk.Error(), approvals.ErrEmergencyOff.Error(), approvals.ErrEmergencyOpen.Error(), approvals.ErrEmergencyRejected.Error(), approvals.ErrBadRequest.Error(), "overdue"} {
		if seen[what] == 0 {
			t.Errorf("no run came to %q: %v", what, seen)
		}
	}
}

func (w *glassWorld) rule(rt *rapid.T) {
	w.rules.life.EmergencyHours = rapid.SampledFrom([]int{0, 4, 8, 8, 24}).Draw(rt, "hours")
}

func (w *glassWorld) wait(rt *rapid.T) {
	w.now = w.now.Add(rapid.SampledFrom([]time.Duration{time.Second, time.Hour, 3 * time.Hour, aDay, 29 * aDay, 31 * aDay}).Draw(rt, "time"))
}

// has reports whether the oracle has a capability for a release in a tier.
func (w *glassWorld) has(word string, release int, tier abi.Tier) bool {
	return slices.ContainsFunc(w.granted, func(g ordinary) bool {
		return g.word == word && g.release == release && g.tier.Rank() >= tier.Rank()
	}) || slices.ContainsFunc(w.broken, func(e *emergency) bool {
		return e.word == word && e.release == release && e.tier.Rank() >= tier.Rank() && e.live(w.now)
	})
}

// refusal is what the oracle says to somebody who would break the glass; nil if they may.
func (w *glassWorld) refusal(who string, e control.Emergency) error {
	switch {
	case who != owner && who != ops:
		return access.ErrNotOwner
	case w.rules.life.EmergencyHours == 0:
		return approvals.ErrEmergencyOff
	case e.Tier == abi.TierProduction && e.Release != 1:
		return registry.ErrNotApproved
	case w.has(e.Capability, e.Release, e.Tier):
		return approvals.ErrNothingToAsk
	}
	var last *emergency
	for _, was := range w.broken {
		if was.review == approvals.StatusOpen && (was.word == e.Capability || was.overdue) {
			if was.word != e.Capability {
				w.seen["overdue"]++
			}
			return approvals.ErrEmergencyOpen
		}
		if was.word == e.Capability {
			last = was
		}
	}
	if last != nil && last.review != approvals.StatusApproved && w.now.Sub(last.closed) < 30*aDay && (who != ops || last.by == ops) {
		return approvals.ErrEmergencyRejected
	}
	if e.Hours < 1 || e.Hours > w.rules.life.EmergencyHours {
		return approvals.ErrBadRequest
	}
	return nil
}

func (w *glassWorld) breakGlass(rt *rapid.T) {
	w.now = w.now.Add(time.Second)
	who := rapid.SampledFrom([]string{owner, owner, ops, ops, rex}).Draw(rt, "who")
	e := control.Emergency{
		Release: rapid.IntRange(1, 2).Draw(rt, "release"), Capability: rapid.SampledFrom([]string{"kv", "fetch"}).Draw(rt, "capability"),
		Tier: rapid.SampledFrom([]abi.Tier{abi.TierSandbox, abi.TierProduction}).Draw(rt, "tier"), Hours: rapid.SampledFrom([]int{0, 1, 4, 4, 8, 9}).Draw(rt, "hours"), Reason: "it burns",
	}
	want := w.refusal(who, e)
	made, err := w.BreakGlass(w.as(w.t, who), app, e)
	if want != nil {
		w.seen[want.Error()]++
		if !errors.Is(err, want) {
			rt.Fatalf("%s, %+v: %v, and the oracle has %v", who, e, err, want)
		}
		return
	}
	if err != nil {
		rt.Fatalf("%s, %+v: %v", who, e, err)
	}
	w.seen["made"]++
	if q := made.Request; q.Status != approvals.StatusOpen || q.By != who || q.Emergency != made.Grant.ID || made.Grant.Request != q.ID {
		rt.Fatalf("%+v", made)
	}
	w.broken = append(w.broken, &emergency{
		id: made.Grant.ID, request: made.Request.ID, word: e.Capability, by: who, tier: e.Tier, release: e.Release,
		end: w.now.Add(time.Duration(e.Hours) * time.Hour), review: approvals.StatusOpen,
	})
}

// open draws an emergency of which the review is open.
func (w *glassWorld) open(rt *rapid.T) *emergency {
	open := slices.DeleteFunc(slices.Clone(w.broken), func(e *emergency) bool { return e.review != approvals.StatusOpen })
	if len(open) == 0 {
		rt.Skip()
	}
	return rapid.SampledFrom(open).Draw(rt, "emergency")
}

func (w *glassWorld) over(e *emergency, how approvals.Status) {
	e.review, e.closed = how, w.now
	w.seen[string(how)]++
}

func (w *glassWorld) decide(rt *rapid.T) {
	e, who, approve := w.open(rt), rapid.SampledFrom([]string{owner, ops, rex, sue}).Draw(rt, "who"), rapid.Bool().Draw(rt, "approve")
	w.now = w.now.Add(time.Second)
	_, err := w.Decide(w.as(w.t, who), e.request, control.Verdict{Approve: approve, Reason: "because"})
	if who == owner || who == e.by {
		if w.seen["own"]++; err == nil {
			rt.Fatalf("%s decided about %+v", who, e)
		}
		return
	}
	if err != nil {
		rt.Fatal(err)
	}
	if !approve {
		w.over(e, approvals.StatusRejected)
		return
	}
	w.over(e, approvals.StatusApproved)
	w.granted = append(w.granted, ordinary{e.word, e.tier, e.release})
}

func (w *glassWorld) withdraw(rt *rapid.T) {
	e := w.open(rt)
	if _, err := w.Withdraw(w.as(w.t, owner), e.request, ""); err != nil {
		rt.Fatal(err)
	}
	w.over(e, approvals.StatusWithdrawn)
}

// revoke ends what was allowed, and leaves the review, which has to follow all the same.
func (w *glassWorld) revoke(rt *rapid.T) {
	e := w.open(rt)
	if _, err := w.RevokeGrant(w.as(w.t, rapid.SampledFrom([]string{owner, rex}).Draw(rt, "who")), e.id, "it is out", false); err != nil {
		rt.Fatal(err)
	}
	e.revoked = true
}

// late has the clock of a review run out.
func (w *glassWorld) late(rt *rapid.T) {
	e := w.open(rt)
	w.update(w.t, func(tx state.Tx) error {
		q, err := tx.Request(e.request)
		if err != nil {
			return err
		}
		q.Told = 1
		return tx.PutRequest(q)
	})
	e.overdue = true
}

// check compares grants and rights with the oracle.
func (w *glassWorld) check(rt *rapid.T) {
	err := w.desk.View(w.t.Context(), func(tx state.Reader) error {
		for _, e := range w.broken {
			g, err := tx.Grant(e.id)
			if err != nil {
				return err
			}
			for _, at := range []time.Time{w.now, e.end.Add(-1), e.end} {
				if g.Live(at) != e.live(at) {
					return fmt.Errorf("%s is live at %s: %v, and the oracle has %+v", e.id, at, g.Live(at), e)
				}
			}
			if q, err := tx.Request(e.request); err != nil || q.Status != e.review {
				return fmt.Errorf("%s is %s, and the oracle has %+v; %w", e.request, q.Status, e, err)
			}
		}
		for release := 1; release <= 2; release++ {
			r, err := tx.Release(app, release)
			if err != nil {
				return err
			}
			for _, tier := range abi.Tiers() {
				have, err := rights.Of(tx, w.rules, r, tier, w.now)
				if err != nil {
					return err
				}
				for _, word := range []string{"kv", "fetch"} {
					if _, has := have[word]; has != w.has(word, release, tier) {
						return fmt.Errorf("release %d has %s in %s: %v", release, word, tier, has)
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		rt.Fatal(err)
	}
}

// TestEmergencyIsOfOneRelease: what was allowed in an emergency reaches no later release, whatever the rule of the
// tier is; and a later upload does not take back the review of it.
func TestEmergencyIsOfOneRelease(t *testing.T) {
	terms := approvals.Terms{Release: 1, Digest: "sha256:aa", Asks: map[string]abi.Params{"kv": nil}}
	later := approvals.Terms{Release: 2, Digest: "sha256:bb", Asks: map[string]abi.Params{"kv": nil}}
	for _, emergency := range []bool{false, true} {
		g := approvals.Grant{Capability: "kv", Emergency: emergency, Reviewed: terms}
		if _, ok := g.Covers(terms, approvals.Reach{Releases: approvals.ReachLater}); !ok {
			t.Error("it does not reach its own")
		}
		if _, ok := g.Covers(later, approvals.Reach{Releases: approvals.ReachLater}); ok == emergency {
			t.Errorf("emergency %v: it reaches a later release: %v", emergency, ok)
		}
	}
	b := newBoard(t, rex)
	b.rules.life.EmergencyHours = 8
	made, err := governance.NewLives(b.Service).BreakGlass(b.as(t, owner), app, control.Emergency{Release: 1, Capability: "kv", Tier: abi.TierSandbox, Reason: "it burns", Hours: 1})
	if err != nil {
		t.Fatal(err)
	}
	b.update(t, func(tx state.Tx) error {
		if gone, err := approvals.Supersede(tx, app, 2, owner, b.now); err != nil || len(gone) != 0 {
			t.Errorf("%+v, %v", gone, err)
		}
		return nil
	})
	if q, err := b.Request(b.as(t, rex), made.Request.ID); err != nil || q.Status != approvals.StatusOpen {
		t.Errorf("%+v, %v", q, err)
	}
}

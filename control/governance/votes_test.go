package governance_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/control/governance"
	"github.com/agora-host/agora/control/people"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/persons"
	"github.com/agora-host/agora/state/statetest"
)

// rules are a policy that a test changes.
type rules struct {
	version  int
	stages   []approvals.Stage
	requires []string
	clocks   approvals.Clocks
	life     approvals.Life

	refuses   bool
	signature error  // what is wrong with that of each release
	verifying func() // if not nil, is called once, while a release is verified
}

func (r *rules) Evaluate(context.Context, approvals.Subject) (approvals.Verdict, error) {
	v := approvals.Verdict{Stages: slices.Clone(r.stages), Policy: r.Digest()}
	for _, word := range r.requires {
		v.Requires = append(v.Requires, approvals.Requirement{Kind: approvals.KindGrant, Capability: word, Code: "c", Reason: "r"})
	}
	if r.refuses {
		v.Findings = append(v.Findings, abi.Finding{Severity: abi.SeverityDeny, Message: "not that"})
	}
	return v, nil
}

func (r *rules) Digest() approvals.Digest               { return approvals.Digest(fmt.Sprint("sha256:", r.version)) }
func (r *rules) Allowance(abi.Tier) approvals.Allowance { return nil }
func (r *rules) Reach(abi.Tier) approvals.Reach         { return approvals.Reach{} }
func (r *rules) AllowsName(string) bool                 { return false }
func (r *rules) Clocks(abi.Tier) approvals.Clocks       { return r.clocks }
func (r *rules) Exemptions() approvals.ExemptionRules   { return approvals.ExemptionRules{} }
func (r *rules) Life(abi.Tier) approvals.Life           { return r.life }
func (r *rules) OpenToAll(string) bool                  { return true }
func (r *rules) VerifyRelease(context.Context, registry.Release) error {
	if during := r.verifying; during != nil {
		r.verifying = nil
		during()
	}
	return r.signature
}

const (
	owner = "ada@example.com"
	app   = "shop"
	team  = "g_team"
)

// board is a service with people before it.
type board struct {
	*governance.Service
	*governance.Threads
	*governance.Together
	desk  *control.Desk
	rules *rules
	now   time.Time
}

func newBoard(t testing.TB, names ...string) *board {
	b := &board{rules: &rules{version: 1}, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return b.now }
	b.desk = &control.Desk{
		Store: persons.Over(statetest.NewMemory(clock)), Now: clock, Logger: slog.New(slog.DiscardHandler),
		Low: func() error { return nil }, Follow: func(context.Context, abi.Rev) error { return nil },
	}
	b.Service = governance.New(governance.Options{Desk: b.desk, Policy: b.rules, Verifier: b.rules})
	b.Threads, b.Together = governance.NewThreads(b.Service), governance.NewTogether(b.Service)
	b.update(t, func(tx state.Tx) error {
		for _, name := range append([]string{owner}, names...) {
			if err := tx.PutUser(access.User{ID: "u_" + name[:3], Name: name, Roles: []access.Role{access.RoleDeveloper, access.RoleReviewer}}); err != nil {
				return err
			}
		}
		m := registry.Manifest{Name: app, Owner: owner, Capabilities: map[string]registry.CapabilityAsk{"kv": {}, "fetch": {}}}
		return errors.Join(
			tx.PutGroup(access.Group{ID: team, Name: "team"}),
			tx.PutApp(registry.App{Name: app, Owner: owner, Releases: 2}),
			tx.AddRelease(registry.Release{App: app, Number: 1, Digest: "sha256:aa", Manifest: m, Signer: registry.Signer{Identity: owner}, Created: b.now}),
			tx.AddRelease(registry.Release{App: app, Number: 2, Digest: "sha256:bb", Manifest: m, Signer: registry.Signer{Identity: owner}, Created: b.now}),
		)
	})
	return b
}

func (b *board) update(t testing.TB, change func(tx state.Tx) error) {
	t.Helper()
	if _, err := b.desk.Update(context.Background(), "node", func(tx state.Tx) error {
		tx.Emit("user.changed", "", owner, nil)
		return change(tx)
	}); err != nil {
		t.Fatal(err)
	}
}

// as is a context in which a person acts, with the roles that they have now.
func (b *board) as(t testing.TB, name string) context.Context {
	t.Helper()
	var a access.Actor
	err := b.desk.View(context.Background(), func(tx state.Reader) error {
		u, err := tx.User(name)
		if err == nil {
			a, err = access.ActorOf(tx, u, access.Credential{}, b.now)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return access.WithActor(context.Background(), a)
}

func (b *board) user(t testing.TB, name string, change func(*access.User)) {
	b.update(t, func(tx state.Tx) error {
		u, err := tx.User(name)
		if err != nil {
			return err
		}
		change(&u)
		return tx.PutUser(u)
	})
}

func (b *board) app(t testing.TB) (a registry.App) {
	if err := b.desk.View(context.Background(), func(tx state.Reader) (err error) {
		a, err = tx.App(app)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return a
}

// ask asks for a release to enter production.
func (b *board) ask(t testing.TB, release int) approvals.Request {
	t.Helper()
	q, err := b.Promote(b.as(t, b.app(t).Owner), app, release, abi.TierProduction, "ready")
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func (b *board) vote(t testing.TB, name, id string, approve bool) (approvals.Request, error) {
	t.Helper()
	b.now = b.now.Add(time.Second)
	return b.Decide(b.as(t, name), id, control.Verdict{Approve: approve, Reason: "because"})
}

func void(q approvals.Request) (all []string) {
	for _, v := range q.Votes {
		if v.Void != "" {
			all = append(all, v.By+": "+v.Void)
		}
	}
	return all
}

const (
	rex, sue, tom = "rex@example.com", "sue@example.com", "tom@example.com"
)

func security2(b *board) {
	b.rules.stages = []approvals.Stage{{Concern: "security", Need: 1}, {Need: 1, Order: 1}}
}

// TestQuorum: a request is approved by the vote that its last stage waited for, and by nothing less; all
// that follows is in that very revision.
func TestQuorum(t *testing.T) {
	b := newBoard(t, rex, sue, tom)
	security2(b)
	b.rules.requires = []string{"kv"}
	b.user(t, rex, func(u *access.User) { u.Roles = []access.Role{"reviewer/privacy"} })
	q := b.ask(t, 1)
	if q.Turn != approvals.TurnReviewers || len(q.Waits()) != 1 || q.Waits()[0].Concern != "security" {
		t.Fatalf("%+v", q)
	}
	if _, err := b.vote(t, rex, q.ID, true); !errors.Is(err, access.ErrForbidden) || !strings.Contains(err.Error(), "waits for a reviewer of security") {
		t.Errorf("a reviewer of privacy votes for security: %v", err)
	}
	if _, err := b.vote(t, rex, q.ID, false); err == nil {
		t.Error("a reviewer of privacy rejects while security is to vote")
	}
	q, err := b.vote(t, sue, q.ID, true)
	if err != nil || q.Status != approvals.StatusOpen || q.Decision != nil || len(q.Waits()) != 1 || q.Waits()[0].Concern != "" || b.app(t).Active[abi.TierProduction] != 0 {
		t.Fatalf("after the first of two: %+v, %v", q, err)
	}
	// A double click, a replay, and the same person for the other stage.
	any := ""
	for _, concern := range []*string{nil, &any} {
		if _, err := b.Decide(b.as(t, sue), q.ID, control.Verdict{Approve: true, Concern: concern}); !errors.Is(err, approvals.ErrAlreadyVoted) || !strings.Contains(err.Error(), "one person counts once") {
			t.Errorf("a second vote: %v", err)
		}
	}
	var rev abi.Rev
	if rev, err = b.desk.Store.Rev(t.Context()); err != nil {
		t.Fatal(err)
	}
	if q, err = b.vote(t, rex, q.ID, true); err != nil || q.Status != approvals.StatusApproved || q.Turn != approvals.TurnOver || len(q.Votes) != 2 || b.app(t).Active[abi.TierProduction] != 1 {
		t.Fatalf("after the last: %+v, %v", q, err)
	}
	events, err := b.desk.Store.Events(t.Context(), state.EventQuery{After: rev, Limit: -1})
	var kinds []string
	for _, e := range events {
		kinds = append(kinds, e.Kind)
		if e.Rev != rev+1 {
			t.Errorf("%s is in another revision", e.Kind)
		}
	}
	if err != nil || !slices.Equal(kinds, []string{"request.approved", "grant.added", "release.activated"}) {
		t.Errorf("%v, %v", kinds, err)
	}
	if _, err := b.vote(t, tom, q.ID, true); !errors.Is(err, approvals.ErrAlreadyDecided) || !strings.Contains(err.Error(), "approved, by "+rex) {
		t.Errorf("a decided request: %v", err)
	}
}

// TestOneRejectionEnds: whoever may vote, or has, ends it with a reason.
func TestOneRejectionEnds(t *testing.T) {
	for _, who := range []string{sue, tom} {
		b := newBoard(t, rex, sue, tom)
		b.rules.stages = []approvals.Stage{{Need: 3}}
		q := b.ask(t, 1)
		if _, err := b.vote(t, sue, q.ID, true); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Decide(b.as(t, who), q.ID, control.Verdict{Remedy: "less"}); !errors.Is(err, approvals.ErrReasonMissing) {
			t.Errorf("without a reason: %v", err)
		}
		if _, err := b.Decide(b.as(t, who), q.ID, control.Verdict{Reason: "a\x1b[2Jb"}); !errors.Is(err, registry.ErrBadText) {
			t.Errorf("a reason that moves the cursor: %v", err)
		}
		q, err := b.Decide(b.as(t, who), q.ID, control.Verdict{Reason: "too much", Remedy: "ask for less"})
		if err != nil || q.Status != approvals.StatusRejected || q.Decision.Remedy != "ask for less" || q.Decision.By != who {
			t.Errorf("%+v, %v", q, err)
		}
		if _, err := b.vote(t, rex, q.ID, true); !errors.Is(err, approvals.ErrAlreadyDecided) {
			t.Errorf("after it: %v", err)
		}
	}
}

// TestVotesThatFallAway: a vote counts while its voter may vote and what it was about is what it is, and
// exactly the votes that a change is about fall away.
func TestVotesThatFallAway(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(t *testing.T, b *board)
		want    []string // words of the votes that are void; none: it is approved
	}{
		"nothing": {func(*testing.T, *board) {}, nil},
		"the role is lost": {func(t *testing.T, b *board) {
			b.user(t, sue, func(u *access.User) { u.Roles = []access.Role{"reviewer/finance"} })
		}, []string{sue + ": its voter is no reviewer of that any more"}},
		"the voter left":    {func(t *testing.T, b *board) { b.user(t, sue, func(u *access.User) { u.Disabled = true }) }, []string{sue + ": " + sue + " has left"}},
		"the voter renamed": {func(t *testing.T, b *board) { b.user(t, sue, func(u *access.User) { u.Name = "zoe@example.com" }) }, nil},
		"the voter became an owner": {func(t *testing.T, b *board) {
			b.update(t, func(tx state.Tx) error {
				a, err := tx.App(app)
				a.CoOwner = sue
				return errors.Join(err, tx.PutApp(a), control.OwnRequests(tx, a))
			})
		}, []string{sue + ": the request concerns its voter since"}},
		"the policy changed":                {func(_ *testing.T, b *board) { b.rules.version++ }, []string{sue + ": the policy has changed since", tom + ": the policy has changed since"}},
		"a requirement for security is new": {func(_ *testing.T, b *board) { b.rules.requires = []string{"fetch", "kv"} }, []string{sue + ": the policy requires something else of it since"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBoard(t, rex, sue, tom)
			b.rules.requires = []string{"kv"}
			b.rules.stages = []approvals.Stage{{Concern: "security", Need: 1}, {Concern: "privacy", Need: 1}, {Need: 1, Order: 1}}
			b.user(t, sue, func(u *access.User) { u.Roles = []access.Role{"reviewer/security"} })
			b.user(t, tom, func(u *access.User) { u.Roles = []access.Role{"reviewer/privacy"} })
			q := b.ask(t, 1)
			for _, who := range []string{sue, tom} {
				if _, err := b.vote(t, who, q.ID, true); err != nil {
					t.Fatal(err)
				}
			}
			c.happens(t, b)
			_, err := b.vote(t, rex, q.ID, true)
			q, _ = b.Request(b.as(t, rex), q.ID)
			if got := void(q); !slices.Equal(got, c.want) {
				t.Fatalf("void are %q, want %q (%v)", got, c.want, err)
			}
			if (len(c.want) == 0) != (q.Status == approvals.StatusApproved) || (len(c.want) > 0) != (b.app(t).Active[abi.TierProduction] == 0) {
				t.Fatalf("%+v, %v", q, err)
			}
		})
	}
}

// TestMoreThanWasSeen: a vote does not grant what its page did not say; the request says it from then on.
func TestMoreThanWasSeen(t *testing.T) {
	b := newBoard(t, rex, sue)
	q := b.ask(t, 1)
	b.rules.requires = []string{"kv"}
	if _, err := b.vote(t, rex, q.ID, true); !errors.Is(err, approvals.ErrChanged) || !strings.Contains(err.Error(), "a grant of kv") || b.app(t).Active[abi.TierProduction] != 0 {
		t.Fatalf("granted what was not seen: %v", err)
	}
	if q, err := b.vote(t, rex, q.ID, true); err != nil || q.Status != approvals.StatusApproved || !slices.Equal(q.Grants(), []string{"kv"}) {
		t.Errorf("%+v, %v", q, err)
	}
}

// TestOwnersOfBefore: whoever owned the app while a request was open does not decide it, however they
// ceased to.
func TestOwnersOfBefore(t *testing.T) {
	for name, was := range map[string]func(tx state.Tx, a registry.App) error{
		"a co-owner": func(tx state.Tx, a registry.App) error {
			a.CoOwner = sue
			err := errors.Join(tx.PutApp(a), control.OwnRequests(tx, a))
			a.CoOwner = ""
			return errors.Join(err, tx.PutApp(a), control.OwnRequests(tx, a))
		},
		"in the group, which they left": func(tx state.Tx, a registry.App) error {
			a.Group = team
			g, err := tx.Group(team)
			return errors.Join(err, tx.PutApp(a), control.OwnRequests(tx, a), people.Join(tx, g, sue), people.Leave(tx, g, sue))
		},
		"in the group, which owns it no more and which they left": func(tx state.Tx, a registry.App) error {
			g, err := tx.Group(team)
			a.Group = team
			err = errors.Join(err, people.Join(tx, g, sue), tx.PutApp(a), control.OwnRequests(tx, a))
			a.Group = ""
			return errors.Join(err, tx.PutApp(a), control.OwnRequests(tx, a), people.Leave(tx, g, sue))
		},
		"in the group, which is gone": func(tx state.Tx, a registry.App) error {
			g, err := tx.Group(team)
			a.Group = team
			return errors.Join(err, people.Join(tx, g, sue), tx.PutApp(a), control.OwnRequests(tx, a), people.Forget(tx, g))
		},
		"of a group that a provider tells, and told otherwise": func(tx state.Tx, a registry.App) error {
			now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			if err := people.Tell(tx, sue, "corp", []string{"staff"}, "seed", now); err != nil {
				return err
			}
			groups, err := tx.GroupsOf(sue)
			a.Group = groups[0]
			return errors.Join(err, tx.PutApp(a), control.OwnRequests(tx, a), people.Tell(tx, sue, "corp", nil, "seed", now))
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBoard(t, rex, sue)
			q := b.ask(t, 1)
			b.update(t, func(tx state.Tx) error {
				a, err := tx.App(app)
				return errors.Join(err, was(tx, a))
			})
			if _, err := b.vote(t, sue, q.ID, true); !errors.Is(err, approvals.ErrSelfReview) {
				t.Errorf("decides: %v", err)
			}
			if _, err := b.vote(t, rex, q.ID, true); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestRacingVotes: of votes at once each person's counts once, and one of them decides.
func TestRacingVotes(t *testing.T) {
	b := newBoard(t, rex, sue, tom)
	b.rules.stages = []approvals.Stage{{Need: 2}}
	q := b.ask(t, 1)
	done := make(chan error)
	for _, who := range []string{rex, rex, rex, sue, sue, tom} {
		ctx := b.as(t, who)
		go func() {
			_, err := b.Decide(ctx, q.ID, control.Verdict{Approve: true})
			done <- err
		}()
	}
	good := 0
	for range 6 {
		switch err := <-done; {
		case err == nil:
			good++
		case !errors.Is(err, approvals.ErrAlreadyVoted) && !errors.Is(err, approvals.ErrAlreadyDecided) && !errors.Is(err, approvals.ErrChanged):
			t.Error(err)
		}
	}
	q, err := b.Request(b.as(t, rex), q.ID)
	if err != nil || good != 2 || len(q.Votes) != 2 || q.Votes[0].By == q.Votes[1].By || q.Status != approvals.StatusApproved {
		t.Errorf("%d votes were taken: %+v, %v", good, q, err)
	}
}

// cast is a vote as the oracle remembers it.
type cast struct {
	who, concern string
	stage        int
	policy       int
	saw          []approvals.Requirement // what would have been granted with it
}

// oracle knows only this: whose votes there were, who owned the app at some time, and what a quorum is.
type oracle struct {
	id    string
	votes []cast
	owned map[string]bool
	team  bool            // the team owned the app, too
	later map[string]bool // who was in the team after that
	given []given
}

// given is a delegation as the oracle remembers it.
type given struct {
	id, by, to, concern string
	until               time.Time
}

// reviews reports whether somebody reviews a concern by their own roles, of those that some concern has ("": all).
func reviews(u access.User, concern, only string, staged bool) bool {
	return !u.Disabled && slices.ContainsFunc(u.Roles, func(r access.Role) bool {
		of, is, _ := strings.Cut(string(r), "/")
		switch {
		case of != "reviewer" || only != "" && is != "" && is != only:
			return false
		case is == "":
			is = only
		}
		return is == "" || is == concern || concern == "" && staged
	})
}

// quorum says what is missing from an approval; "" if nothing is: some votes, by as many people, fill the
// stages, the last one among them.
func (o *oracle) quorum(b *board, users map[string]access.User, last string, requires []approvals.Requirement) string {
	stages := b.rules.stages
	if len(stages) == 0 {
		stages = []approvals.Stage{{Need: 1}}
	}
	staged := len(b.rules.stages) > 0
	counts := func(v cast, s approvals.Stage) bool {
		seen := !slices.ContainsFunc(requires, func(r approvals.Requirement) bool {
			of := map[string]string{"kv": "privacy", "fetch": "security"}[r.Capability]
			return (v.concern == "" || v.concern == of) && !slices.Contains(v.saw, r)
		})
		return v.stage == s.Order && v.concern == s.Concern && seen && !users[v.who].Disabled && !o.owned[v.who] && v.policy == b.rules.version
	}
	// rights are those by whose right a vote may count: its voter's own, or of whom the voter decides in the place.
	rights := func(v cast, s approvals.Stage) (all []string) {
		if reviews(users[v.who], s.Concern, "", staged) {
			all = append(all, v.who)
		}
		for _, g := range o.given {
			if g.to == v.who && b.now.Before(g.until) && !o.owned[g.by] && reviews(users[g.by], s.Concern, g.concern, staged) && isReviewer(users[v.who]) {
				all = append(all, g.by)
			}
		}
		return all
	}
	var need []approvals.Stage // one for each vote that is needed
	for _, s := range stages {
		need = append(need, slices.Repeat([]approvals.Stage{s}, s.Need)...)
	}
	used := map[string]bool{}
	var fill func(int) bool
	fill = func(i int) bool {
		if i == len(need) {
			return slices.ContainsFunc(o.votes, func(v cast) bool { return v.who == last }) && used[last]
		}
		for _, v := range o.votes {
			if used[v.who] || !counts(v, need[i]) {
				continue
			}
			for _, right := range rights(v, need[i]) {
				if used[right] {
					continue
				}
				used[v.who], used[right] = true, true
				if fill(i + 1) {
					return true
				}
				delete(used, v.who)
				delete(used, right)
			}
		}
		return false
	}
	if !fill(0) {
		return fmt.Sprintf("no votes fill %v, with that of %s", stages, last)
	}
	return ""
}

func isReviewer(u access.User) bool {
	return slices.ContainsFunc(u.Roles, func(r access.Role) bool { return strings.HasPrefix(string(r), "reviewer") })
}

// TestQuorumIsNeverBroken: many people act at random, and each approval has its quorum as a small oracle
// sees it; whoever may vote is never refused.
func TestQuorumIsNeverBroken(t *testing.T) {
	names := []string{owner, rex, sue, tom, "uma@example.com", "vic@example.com"}
	roles := [][]access.Role{{"reviewer"}, {"reviewer"}, {"reviewer/security"}, {"reviewer/privacy"}, {"reviewer/finance"}, {"reviewer/finance"}, {"reviewer/security", "reviewer/privacy"}, {"viewer"}}
	shapes := [][]approvals.Stage{nil, {{Need: 2}}, {{Concern: "security", Need: 1}, {Need: 1}}, {{Concern: "security", Need: 1}, {Concern: "privacy", Need: 1}, {Need: 1, Order: 1}}, {{Concern: "privacy", Need: 2}}}
	approved, inPlace := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		b := newBoard(t, names[1:]...)
		b.rules.stages = rapid.SampledFrom(shapes).Draw(rt, "stages")
		var o *oracle
		var delegated []given
		delegations := people.NewDelegations(b.desk)
		users := func() map[string]access.User {
			all := map[string]access.User{}
			_ = b.desk.View(context.Background(), func(tx state.Reader) error {
				for _, name := range names {
					all[name], _ = tx.User(name)
				}
				return nil
			})
			return all
		}
		owning := func() {
			a := b.app(t)
			_ = b.desk.View(context.Background(), func(tx state.Reader) error {
				if o != nil && a.Group == team {
					o.team = true
				}
				for _, name := range names {
					if o != nil && o.team && slices.Contains(access.ActorFrom(b.as(t, name)).Groups, team) {
						o.later[name] = true
					}
					if is, _ := control.Owns(tx, a, name); is && o != nil {
						o.owned[name] = true
					}
				}
				return nil
			})
		}
		pick := func(rt *rapid.T) string { return rapid.SampledFrom(names[1:]).Draw(rt, "who") }
		voteAs := func(rt *rapid.T, who string, approve bool) {
			if o == nil {
				return
			}
			u, fresh := users()[who], !slices.ContainsFunc(o.votes, func(v cast) bool { return v.who == who })
			if u.Disabled {
				return
			}
			before, _ := b.Request(b.as(t, who), o.id)
			q, err := b.vote(t, who, o.id, approve)
			// Whoever joins a team that owned the app is refused, too: its people asked together.
			fresh = fresh && !slices.ContainsFunc(before.Votes, func(v approvals.Vote) bool { return v.For == who })
			own := slices.Contains(u.Roles, access.RoleReviewer)
			// Nor is who decides for a reviewer of all whom it does not concern, and who has not voted.
			other := isReviewer(u) && !own && slices.ContainsFunc(delegated, func(g given) bool {
				d := users()[g.by]
				_, voted := before.VoteOf(g.by)
				return g.to == who && b.now.Add(time.Second).Before(g.until) && g.concern == "" && !voted && !d.Disabled && slices.Contains(d.Roles, access.RoleReviewer) && !o.owned[g.by] && !o.later[g.by]
			})
			whole := (own || other) && !o.owned[who] && !o.later[who]
			o.given = delegated
			if whole && fresh && err != nil && !errors.Is(err, approvals.ErrChanged) {
				rt.Fatalf("%s may vote, and is refused: %v (%+v)", who, err, before)
			}
			if err != nil {
				return
			}
			if o.owned[who] || !isReviewer(u) {
				rt.Fatalf("%s voted", who)
			}
			if q.Votes[len(q.Votes)-1].For != "" {
				inPlace++
			}
			if !approve {
				if q.Status != approvals.StatusRejected {
					rt.Fatalf("a rejection left it %s", q.Status)
				}
				o = nil
				return
			}
			v := q.Votes[len(q.Votes)-1]
			o.votes = append(o.votes, cast{who, v.Concern, v.Stage, b.rules.version, slices.Clone(q.Requires)})
			serves := b.app(t).Active[abi.TierProduction] == q.Release
			if q.Status == approvals.StatusApproved {
				approved++
				if lacks := o.quorum(b, users(), who, q.Requires); lacks != "" || !serves {
					rt.Fatalf("approved, and %s; it serves: %v; %+v; the oracle has %+v", lacks, serves, q, o)
				}
				o = nil
			}
		}
		vote := func(rt *rapid.T, approve bool) { voteAs(rt, pick(rt), approve) }
		inAnothers := func(rt *rapid.T) {
			if len(delegated) > 0 {
				voteAs(rt, rapid.SampledFrom(delegated).Draw(rt, "delegation").to, true)
			}
		}
		delegate := func(rt *rapid.T) {
			by, g := pick(rt), given{to: pick(rt), concern: rapid.SampledFrom([]string{"", "", "security", "privacy"}).Draw(rt, "concern")}
			if users()[by].Disabled {
				return
			}
			n := control.NewDelegation{To: g.to, Until: b.now.Add(time.Duration(rapid.IntRange(3, 120).Draw(rt, "seconds")) * time.Second), Reason: "away"}
			if g.concern != "" {
				n.Concerns = []access.Concern{access.Concern(g.concern)}
			}
			d, err := delegations.Delegate(b.as(t, by), n)
			if err == nil {
				g.id, g.by, g.until = d.ID, by, d.Until
				delegated = append(delegated, g)
			} else if !errors.Is(err, access.ErrBadDelegation) && !errors.Is(err, access.ErrDelegatedRight) && !errors.Is(err, access.ErrForbidden) {
				rt.Fatal(err)
			}
		}
		ask := func(rt *rapid.T) {
			if o == nil {
				b.update(t, func(tx state.Tx) error { // as if it had not served
					a, err := tx.App(app)
					a.Active = nil
					return errors.Join(err, tx.PutApp(a))
				})
				o = &oracle{id: b.ask(t, rapid.IntRange(1, 2).Draw(rt, "release")).ID, owned: map[string]bool{}, later: map[string]bool{}}
			}
		}
		if rapid.Bool().Draw(rt, "roles at first") {
			for _, name := range names[1:] {
				to := rapid.SampledFrom(roles).Draw(rt, name)
				b.user(t, name, func(u *access.User) { u.Roles = to })
			}
			for range 6 {
				delegate(rt)
			}
			ask(rt)
			owning()
			for range 4 {
				inAnothers(rt)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"ask": ask, "ask, too": ask,
			"approve":       func(rt *rapid.T) { vote(rt, true) },
			"approve too":   func(rt *rapid.T) { vote(rt, true) },
			"approve, also": func(rt *rapid.T) { vote(rt, true) },
			"reject": func(rt *rapid.T) {
				if rapid.IntRange(0, 5).Draw(rt, "at all") == 0 {
					vote(rt, false)
				}
			},
			"withdraw": func(rt *rapid.T) {
				if o != nil && rapid.IntRange(0, 5).Draw(rt, "at all") == 0 {
					if _, err := b.Withdraw(b.as(t, owner), o.id, ""); err != nil {
						rt.Fatal(err)
					}
					o = nil
				}
			},
			"roles": func(rt *rapid.T) {
				who := pick(rt)
				to := rapid.SampledFrom(roles).Draw(rt, "roles")
				b.user(t, who, func(u *access.User) { u.Roles = to })
			},
			"leave or return": func(rt *rapid.T) { b.user(t, pick(rt), func(u *access.User) { u.Disabled = !u.Disabled }) },
			"team": func(rt *rapid.T) {
				who, join := pick(rt), rapid.Bool().Draw(rt, "join")
				b.update(t, func(tx state.Tx) error {
					g, err := tx.Group(team)
					if join {
						return errors.Join(err, people.Join(tx, g, who))
					}
					return errors.Join(err, people.Leave(tx, g, who))
				})
			},
			"share": func(rt *rapid.T) {
				co, group := rapid.SampledFrom([]string{"", "", pick(rt)}).Draw(rt, "co-owner"), rapid.SampledFrom([]string{"", "", team}).Draw(rt, "group")
				b.update(t, func(tx state.Tx) error {
					a, err := tx.App(app)
					a.CoOwner, a.Group = co, group
					return errors.Join(err, tx.PutApp(a), control.OwnRequests(tx, a))
				})
			},
			"policy": func(rt *rapid.T) {
				b.rules.version++
				b.rules.stages = rapid.SampledFrom(shapes).Draw(rt, "stages")
			},
			"approve in another's place": inAnothers, "approve in another's place, too": inAnothers, "approve in another's place, also": inAnothers,
			"delegate":      delegate,
			"delegate, too": delegate,
			"end a delegation": func(rt *rapid.T) {
				if len(delegated) == 0 {
					return
				}
				i := rapid.IntRange(0, len(delegated)-1).Draw(rt, "which")
				g := delegated[i]
				if users()[g.by].Disabled {
					return
				}
				if err := delegations.EndDelegation(b.as(t, g.by), "", g.id); err != nil && !errors.Is(err, access.ErrNoDelegation) && !errors.Is(err, access.ErrForbidden) {
					rt.Fatal(err)
				} else if !errors.Is(err, access.ErrForbidden) {
					delegated = slices.Delete(slices.Clone(delegated), i, i+1)
				}
			},
			"wait": func(rt *rapid.T) {
				b.now = b.now.Add(time.Duration(rapid.IntRange(1, 15).Draw(rt, "seconds")) * time.Second)
			},
			"grants": func(rt *rapid.T) {
				b.rules.requires = rapid.SampledFrom([][]string{nil, {"kv"}, {"fetch"}, {"fetch", "kv"}}).Draw(rt, "requires")
			},
			"": func(*rapid.T) { owning() },
		})
	})
	if (approved < 5 || inPlace < 5) && !testing.Short() { // rapid tries a fifth in a short run
		t.Errorf("%d requests were approved, and %d votes cast in another's place: the test tries nothing", approved, inPlace)
	}
}

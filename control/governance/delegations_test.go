package governance_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/control/governance"
	"github.com/agora-host/agora/control/people"
	"github.com/agora-host/agora/state"
)

// away is a board on which sue reviews security, tom privacy, and rex everything.
func away(t *testing.T) (*board, *people.Delegations) {
	b := newBoard(t, rex, sue, tom)
	b.rules.stages = []approvals.Stage{{Concern: "security", Need: 1}, {Concern: "privacy", Need: 1}}
	b.user(t, sue, func(u *access.User) { u.Roles = []access.Role{"reviewer/security"} })
	b.user(t, tom, func(u *access.User) { u.Roles = []access.Role{"reviewer/privacy"} })
	return b, people.NewDelegations(b.desk)
}

func (b *board) delegate(t *testing.T, s *people.Delegations, by, to string, concerns ...access.Concern) control.ShownDelegation {
	t.Helper()
	d, err := s.Delegate(b.as(t, by), control.NewDelegation{To: to, Concerns: concerns, Until: b.now.Add(time.Hour), Reason: "on leave"})
	if err != nil || !d.Holds || d.By != by {
		t.Fatalf("%+v, %v", d, err)
	}
	return d
}

// TestInPlaceOf: a delegate votes as themselves in the place of another, once, and the vote says so.
func TestInPlaceOf(t *testing.T) {
	b, s := away(t)
	q := b.ask(t, 1)
	if _, err := b.vote(t, tom, q.ID, true); err != nil {
		t.Fatal(err)
	}
	b.delegate(t, s, sue, rex)
	b.delegate(t, s, rex, sue) // both at once is harmless
	b.delegate(t, s, sue, tom)
	// tom has voted, so no vote of his counts in her place.
	if _, err := b.vote(t, tom, q.ID, true); !errors.Is(err, approvals.ErrAlreadyVoted) {
		t.Errorf("one person twice: %v", err)
	}
	q, err := b.vote(t, sue, q.ID, true)
	if err != nil || q.Status != approvals.StatusApproved || q.Votes[1].For != "" {
		t.Errorf("by her own role: %+v, %v", q, err)
	}

	b, s = away(t)
	b.rules.stages = []approvals.Stage{{Concern: "security", Need: 2}}
	b.user(t, rex, func(u *access.User) { u.Roles = []access.Role{"reviewer/security"} })
	d := b.delegate(t, s, sue, tom)
	q = b.ask(t, 1)
	if !control.WaitsFor(access.ActorFrom(b.as(t, tom)), q) {
		t.Error("it does not wait for her delegate")
	}
	q, err = b.vote(t, tom, q.ID, true)
	if err != nil || q.Votes[0].By != tom || q.Votes[0].For != sue || q.Status != approvals.StatusOpen {
		t.Fatalf("%+v, %v", q, err)
	}
	if _, err := b.vote(t, sue, q.ID, true); !errors.Is(err, approvals.ErrAlreadyVoted) || !strings.Contains(err.Error(), tom+" approved "+q.ID+" in your place") {
		t.Errorf("she votes, too: %v", err)
	}
	if control.WaitsFor(access.ActorFrom(b.as(t, sue)), q) || control.WaitsFor(access.ActorFrom(b.as(t, tom)), q) {
		t.Error("it waits for one of the two")
	}
	// It ends: the vote falls away as that of one who lost the role, and she votes herself.
	if err := s.EndDelegation(b.as(t, sue), "", d.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := b.vote(t, tom, q.ID, true); !errors.Is(err, access.ErrForbidden) {
		t.Errorf("after it ended: %v", err)
	}
	if q, err = b.vote(t, rex, q.ID, true); err != nil || q.Status != approvals.StatusOpen || !slices.Equal(void(q), []string{tom + ": " + tom + " does not decide in the place of " + sue + " any more"}) {
		t.Fatalf("%q, %+v, %v", void(q), q, err)
	}
	if q, err = b.vote(t, sue, q.ID, true); err != nil || q.Status != approvals.StatusApproved {
		t.Errorf("%+v, %v", q, err)
	}
}

// TestNoWayAround: neither end of a delegation approves what concerns either.
func TestNoWayAround(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(t *testing.T, b *board, s *people.Delegations)
		want    error // of tom, who votes in the place of sue
	}{
		"nothing":          {func(*testing.T, *board, *people.Delegations) {}, nil},
		"sue owns it, too": {func(t *testing.T, b *board, _ *people.Delegations) { b.share(t, sue) }, access.ErrForbidden},
		"tom owns it, too": {func(t *testing.T, b *board, _ *people.Delegations) { b.share(t, tom) }, approvals.ErrSelfReview},
		"sue owned it":     {func(t *testing.T, b *board, _ *people.Delegations) { b.share(t, sue); b.share(t, "") }, access.ErrForbidden},
		"sue lost the role": {func(t *testing.T, b *board, _ *people.Delegations) {
			b.user(t, sue, func(u *access.User) { u.Roles = []access.Role{"reviewer/finance"} })
		}, access.ErrForbidden},
		"sue left": {func(t *testing.T, b *board, _ *people.Delegations) { b.leave(t, sue) }, access.ErrForbidden},
		"tom left": {func(t *testing.T, b *board, _ *people.Delegations) { b.leave(t, tom) }, access.ErrForbidden},
		"tom is no reviewer": {func(t *testing.T, b *board, _ *people.Delegations) {
			b.user(t, tom, func(u *access.User) { u.Roles = []access.Role{"developer"} })
		}, access.ErrForbidden},
		"it is over": {func(_ *testing.T, b *board, _ *people.Delegations) { b.now = b.now.Add(time.Hour) }, access.ErrForbidden},
		"sue came back": {func(t *testing.T, b *board, _ *people.Delegations) {
			b.leave(t, sue)
			b.user(t, sue, func(u *access.User) { u.Disabled = false })
		}, access.ErrForbidden},
		"sue is renamed": {func(t *testing.T, b *board, _ *people.Delegations) {
			b.user(t, sue, func(u *access.User) { u.Name = "zoe@example.com" })
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b, s := away(t)
			b.rules.stages = []approvals.Stage{{Concern: "security", Need: 1}}
			b.delegate(t, s, sue, tom)
			q := b.ask(t, 1)
			c.happens(t, b, s)
			q, err := b.vote(t, tom, q.ID, true)
			if c.want == nil && (err != nil || q.Status != approvals.StatusApproved || q.Decision.For == "") || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%v, want %v; %+v", err, c.want, q)
			}
		})
	}
}

func (b *board) share(t *testing.T, with string) {
	b.update(t, func(tx state.Tx) error {
		a, err := tx.App(app)
		a.CoOwner = with
		return errors.Join(err, tx.PutApp(a), control.OwnRequests(tx, a))
	})
}

func (b *board) leave(t *testing.T, name string) {
	b.update(t, func(tx state.Tx) error {
		u, err := tx.User(name)
		if err != nil {
			return err
		}
		u.Disabled = true
		_, err = access.ChangeUser(tx, u)
		return err
	})
}

// TestDelegationsThatAreRefused says why none is made.
func TestDelegationsThatAreRefused(t *testing.T) {
	b, s := away(t)
	b.update(t, func(tx state.Tx) error {
		return tx.PutUser(access.User{ID: "u_dev", Name: "dev@example.com", Roles: []access.Role{"developer"}})
	})
	b.delegate(t, s, sue, tom)
	for _, c := range []struct {
		by   string
		n    control.NewDelegation
		want error
		says string
	}{
		{sue, control.NewDelegation{To: sue}, access.ErrBadDelegation, "yourself"},
		{sue, control.NewDelegation{To: "dev@example.com"}, access.ErrBadDelegation, "is no reviewer of anything"},
		{sue, control.NewDelegation{To: "ghost@example.com"}, access.ErrNoUser, "ghost"},
		{sue, control.NewDelegation{To: "ci@service.agora"}, access.ErrBadUser, ""},
		{sue, control.NewDelegation{To: rex, Until: b.now.Add(91 * 24 * time.Hour)}, access.ErrBadDelegation, "90 days at most"},
		{sue, control.NewDelegation{To: rex, Until: b.now.Add(-time.Hour)}, access.ErrBadDelegation, "ends before it begins"},
		{sue, control.NewDelegation{To: rex, From: b.now.Add(-2 * time.Hour), Until: b.now.Add(-time.Hour)}, access.ErrBadDelegation, "ended already"},
		{sue, control.NewDelegation{To: rex, Reason: " "}, access.ErrBadDelegation, "say why"},
		{sue, control.NewDelegation{To: rex, Reason: "a\x1b[2J"}, access.ErrBadDelegation, "control characters"},
		{sue, control.NewDelegation{To: rex, Concerns: []access.Concern{"fun"}}, access.ErrBadDelegation, "the concerns are"},
		{sue, control.NewDelegation{To: rex, Concerns: []access.Concern{"privacy"}}, access.ErrBadDelegation, "no reviewer of privacy"},
		{tom, control.NewDelegation{To: rex, Concerns: []access.Concern{"security"}}, access.ErrDelegatedRight, "you review security in place of " + sue + " alone"},
		{"dev@example.com", control.NewDelegation{To: rex}, access.ErrForbidden, "reviewer"},
	} {
		if c.n.Reason == "" {
			c.n.Reason = "away"
		}
		if c.n.Until.IsZero() {
			c.n.Until = b.now.Add(time.Hour)
		}
		if _, err := s.Delegate(b.as(t, c.by), c.n); !errors.Is(err, c.want) && c.n.To != "ci@service.agora" || err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v", c.n, err)
		}
	}
	machine := access.ActorFrom(b.as(t, sue))
	machine.Automation = "Claude"
	if _, err := s.Delegate(access.WithActor(t.Context(), machine), control.NewDelegation{To: rex, Until: b.now.Add(time.Hour), Reason: "away"}); !errors.Is(err, access.ErrInPerson) {
		t.Errorf("an assistant delegates: %v", err)
	}
	if err := s.EndDelegation(b.as(t, rex), sue, "d_1"); !errors.Is(err, access.ErrForbidden) {
		t.Errorf("another ends it: %v", err)
	}
	if _, err := s.List(b.as(t, rex), sue, control.Page{Limit: 10}); !errors.Is(err, access.ErrForbidden) {
		t.Errorf("another lists them: %v", err)
	}
	all, err := s.List(b.as(t, tom), "", control.Page{Limit: 10})
	if err != nil || len(all.Items) != 1 || all.Items[0].By != sue || !all.Items[0].Holds {
		t.Errorf("%+v, %v", all, err)
	}
}

// TestAway: a reviewer who is away and named nobody is named beside a request about which they could still vote, and
// on no other; they may vote as before, nobody may in their place, and it ends by itself.
func TestAway(t *testing.T) {
	b, s := away(t)
	briefs := governance.NewBriefings(b.Service, nil, nil)
	q := b.ask(t, 1)
	names := func() string {
		t.Helper()
		of, err := briefs.AwayOf(b.as(t, rex), q.ID)
		if err != nil {
			t.Fatal(err)
		}
		queue, err := briefs.Queue(b.as(t, rex), control.RequestFilter{}, control.Page{})
		if err != nil || !slices.Equal(queue.Away[q.ID], of) {
			t.Errorf("of one %v, of all %v, %v", of, queue.Away, err)
		}
		var words []string
		for _, a := range of {
			words = append(words, a.Person+" until "+a.Until.Format(time.RFC3339))
		}
		return strings.Join(words, ", ")
	}
	is := func(when, want string) {
		t.Helper()
		if got := names(); got != want {
			t.Errorf("%s: away are %q, want %q", when, got, want)
		}
	}
	is("at first", "")
	note := func(by string, from, until time.Time) control.ShownDelegation {
		t.Helper()
		d, err := s.Delegate(b.as(t, by), control.NewDelegation{From: from, Until: until})
		if err != nil || d.To != "" || d.Reason != "" {
			t.Fatalf("%+v, %v", d, err)
		}
		return d
	}
	day := b.now.Add(24 * time.Hour).UTC()
	sueIs, tomIs, rexIs := sue+" until "+day.Format(time.RFC3339), tom+" until "+day.Format(time.RFC3339), rex+" until "+day.Format(time.RFC3339)
	back := note(sue, time.Time{}, day)
	if !back.Holds {
		t.Errorf("%+v", back)
	}
	note(tom, b.now.Add(time.Hour), day)
	note(rex, time.Time{}, day)
	is("sue and rex are, and tom will be", rexIs+", "+sueIs)
	b.now = b.now.Add(time.Hour)
	is("an hour later", rexIs+", "+sueIs+", "+tomIs)
	if q, err := b.vote(t, sue, q.ID, true); err != nil || q.Votes[0].For != "" {
		t.Errorf("who is away cannot vote: %+v, %v", q, err)
	}
	is("sue has voted, and only privacy is missing", rexIs+", "+tomIs)
	b.user(t, rex, func(u *access.User) { u.Roles = []access.Role{"reviewer/security"} })
	is("rex reviews security alone", tomIs)
	b.share(t, tom)
	is("tom owns the app", "")
	b.share(t, "")
	b.user(t, tom, func(u *access.User) { u.Roles = nil })
	is("tom is no reviewer", "")
	b.user(t, tom, func(u *access.User) { u.Roles = []access.Role{"reviewer/privacy"} })
	q = b.ask(t, 2)
	is("another request", rexIs+", "+sueIs+", "+tomIs)
	if err := s.EndDelegation(b.as(t, sue), "", back.ID); err != nil {
		t.Fatal(err)
	}
	is("sue is back", rexIs+", "+tomIs)
	b.now = day
	is("by itself", "")
	if _, err := s.Delegate(b.as(t, sue), control.NewDelegation{Until: b.now.Add(time.Hour), Concerns: []access.Concern{"security"}}); !errors.Is(err, access.ErrBadDelegation) {
		t.Errorf("away for one concern: %v", err)
	}
	if _, err := s.Delegate(b.as(t, sue), control.NewDelegation{Until: b.now.Add(91 * 24 * time.Hour)}); !errors.Is(err, access.ErrBadDelegation) {
		t.Errorf("away for too long: %v", err)
	}
}

// TestRejectedUnderOtherRules: once the rules have changed, an approval before does not count, as its page says, and
// so is in nobody's way who rejects the request, or asks for changes of it, in the place of its voter.
func TestRejectedUnderOtherRules(t *testing.T) {
	for _, changes := range []bool{false, true} {
		b, s := away(t)
		b.rules.stages = []approvals.Stage{{Concern: "security", Need: 2}}
		b.delegate(t, s, sue, tom)
		q := b.ask(t, 1)
		if _, err := b.vote(t, sue, q.ID, true); err != nil {
			t.Fatal(err)
		}
		refuse := func() (approvals.Request, error) {
			if changes {
				return b.askChanges(t, tom, q.ID, "less")
			}
			return b.vote(t, tom, q.ID, false)
		}
		if _, err := refuse(); !errors.Is(err, approvals.ErrAlreadyVoted) {
			t.Errorf("changes %v: in the place of one whose vote counts: %v", changes, err)
		}
		b.rules.version++
		if shown := b.request(t, q.ID); len(void(shown)) != 1 {
			t.Fatalf("her vote counts: %+v", shown)
		}
		if is, err := refuse(); err != nil || is.Status == approvals.StatusOpen != changes {
			t.Errorf("changes %v: %+v, %v", changes, is, err)
		}
	}
}

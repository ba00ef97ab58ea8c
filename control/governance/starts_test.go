package governance_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/control/governance"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// scheduled has a promotion approved by two reviewers, to start in an hour as the later of them has it.
func scheduled(t *testing.T, b *board, release int) approvals.Request {
	t.Helper()
	q, at := b.ask(t, release), b.now.Add(time.Hour)
	for who, starts := range map[string]time.Time{rex: at, sue: at.Add(-time.Minute)} {
		var err error
		if q, err = b.Decide(b.as(t, who), q.ID, control.Verdict{Approve: true, Reason: "because", Starts: starts}); err != nil {
			t.Fatal(err)
		}
	}
	if q.Status != approvals.StatusScheduled || !q.Starts.Equal(at) || !q.Started.IsZero() || q.Turn != approvals.TurnOver {
		t.Fatalf("approved to start later: %+v", q)
	}
	return q
}

// heard counts the events of some kinds.
func (b *board) heard(t *testing.T, kinds ...string) int {
	t.Helper()
	all, err := b.desk.Store.Events(t.Context(), state.EventQuery{Kinds: kinds, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func (b *board) sweepStarts(t *testing.T) (next time.Time) {
	t.Helper()
	next, err := governance.NewStarts(b.Service).Sweep(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// TestStartsLater: a promotion that was approved for a later time has no effect before it, and the whole of it then,
// once, whatever the clock does afterwards. Its grants live from when it started.
func TestStartsLater(t *testing.T) {
	b := newBoard(t, rex, sue, tom)
	b.rules.stages, b.rules.requires, b.rules.life = []approvals.Stage{{Need: 2}}, []string{"kv"}, approvals.Life{Days: 10}
	q := scheduled(t, b, 1)
	nothing := func(when string) {
		t.Helper()
		if next := b.sweepStarts(t); !next.Equal(q.Starts) || b.app(t).Active[abi.TierProduction] != 0 || b.heard(t, "grant.added", "release.activated", "request.started") != 0 {
			t.Fatalf("%s: something happened (next is %s)", when, next)
		}
	}
	nothing("at once")
	if _, err := b.Activate(b.as(t, owner), app, 1, abi.TierProduction, "now"); !errors.Is(err, registry.ErrNotApproved) {
		t.Errorf("its owner activates it before its time: %v", err)
	}
	if _, err := b.vote(t, tom, q.ID, true); !errors.Is(err, approvals.ErrAlreadyDecided) {
		t.Errorf("a vote about it: %v", err)
	}
	b.now = q.Starts.Add(-time.Nanosecond)
	nothing("just before its time")
	b.now = q.Starts
	for range 3 {
		b.sweepStarts(t)
		b.now = b.now.Add(time.Minute)
	}
	b.now = b.now.Add(-2 * time.Hour) // a clock that jumps back
	b.sweepStarts(t)
	b.now = b.now.Add(3 * time.Hour)
	b.sweepStarts(t)
	if b.app(t).Active[abi.TierProduction] != 1 || b.heard(t, "request.started") != 1 || b.heard(t, "release.activated") != 1 || b.heard(t, "grant.added") != 1 {
		t.Fatalf("it did not start once: %+v", b.app(t))
	}
	done := b.request(t, q.ID)
	if done.Status != approvals.StatusApproved || !done.Started.Equal(q.Starts) || done.Decision.By == "node" || done.Decision.By == "" {
		t.Errorf("%+v", done)
	}
	var grants []approvals.Grant
	if err := b.desk.View(t.Context(), func(tx state.Reader) (err error) {
		grants, err = tx.Grants(app)
		return err
	}); err != nil || len(grants) != 1 || !grants[0].Created.Equal(q.Starts) || !grants[0].Expires.Equal(q.Starts.AddDate(0, 0, 10)) {
		t.Errorf("%+v, %v", grants, err)
	}
}

// TestTwoNodesStartOnce: what another node starts, or a person takes back, between this node's look and its change, this node
// neither starts nor calls an error.
func TestTwoNodesStartOnce(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile func(b *board, id string)
		started   int
	}{
		"another node starts it": {func(b *board, _ string) { b.sweepStarts(t) }, 1},
		"its owner takes it back": {func(b *board, id string) {
			if _, err := b.Withdraw(b.as(t, owner), id, ""); err != nil {
				t.Error(err)
			}
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBoard(t, rex, sue, tom)
			b.rules.stages, b.rules.requires = []approvals.Stage{{Need: 2}}, []string{"kv"}
			q := scheduled(t, b, 1)
			b.now, b.rules.verifying = q.Starts, func() { c.meanwhile(b, q.ID) }
			b.sweepStarts(t)
			for _, kind := range []string{"request.started", "grant.added", "release.activated"} {
				if n := b.heard(t, kind); n != c.started {
					t.Errorf("%s was heard %d times, want %d", kind, n, c.started)
				}
			}
			if b.heard(t, "request.not_started") != 0 {
				t.Error("it was told that it does not start")
			}
		})
	}
}

// TestDoesNotStart: what does not hold any more when its time has come does not start; nothing is granted, the
// request says why, and is told once.
func TestDoesNotStart(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(t *testing.T, b *board)
		why     string // "": it starts all the same
	}{
		"nothing":          {func(*testing.T, *board) {}, ""},
		"the policy":       {func(_ *testing.T, b *board) { b.rules.version++ }, "the policy has changed since"},
		"what is required": {func(_ *testing.T, b *board) { b.rules.requires = []string{"kv", "fetch"} }, "it would grant fetch beside what was approved"},
		"the rules refuse": {func(_ *testing.T, b *board) { b.rules.refuses = true }, "not that"},
		"the signature":    {func(_ *testing.T, b *board) { b.rules.signature = registry.ErrBadSignature }, "the signature does not match"},
		"a voter left":     {func(t *testing.T, b *board) { b.user(t, sue, func(u *access.User) { u.Disabled = true }) }, sue + " has left"},
		"a voter's role": {func(t *testing.T, b *board) {
			b.user(t, sue, func(u *access.User) { u.Roles = []access.Role{access.RoleViewer} })
		}, "its voter is no reviewer"},
		"a voter owns it": {func(t *testing.T, b *board) {
			b.change(t, func(a *registry.App) { a.CoOwner = sue })
			b.change(t, func(a *registry.App) { a.CoOwner = "" })
		}, "the request concerns its voter since"},
		"suspended": {func(t *testing.T, b *board) {
			b.change(t, func(a *registry.App) { a.Suspension = &registry.Suspension{By: rex, Authority: registry.ByReviewer} })
		}, "suspended"},
		"quarantined": {func(t *testing.T, b *board) {
			b.change(t, func(a *registry.App) { a.Quarantine = &registry.Quarantine{By: rex, Authority: registry.ByReviewer} })
		}, "quarantined"},
		"deleted": {func(t *testing.T, b *board) {
			b.change(t, func(a *registry.App) { a.Deletion = &registry.Deletion{By: owner} })
		}, "being deleted"},
		"the release": {func(t *testing.T, b *board) { b.update(t, func(tx state.Tx) error { return tx.DeleteRelease(app, 1) }) }, "release 1"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBoard(t, rex, sue, tom)
			b.rules.stages, b.rules.requires = []approvals.Stage{{Need: 2}}, []string{"kv"}
			q := scheduled(t, b, 1)
			c.happens(t, b)
			b.now = q.Starts.Add(time.Second)
			for range 2 {
				b.sweepStarts(t)
			}
			is := b.request(t, q.ID)
			if c.why == "" {
				if is.Status != approvals.StatusApproved || b.app(t).Active[abi.TierProduction] != 1 {
					t.Fatalf("it did not start: %+v", is)
				}
				return
			}
			if is.Status != approvals.StatusWithdrawn || !strings.Contains(is.NotStarted, c.why) || !is.Started.IsZero() || is.Decision.By != "node" {
				t.Errorf("%q, want %q: %+v", is.NotStarted, c.why, is)
			}
			if b.app(t).Active[abi.TierProduction] != 0 || b.heard(t, "request.not_started") != 1 || b.heard(t, "grant.added", "release.activated", "request.started") != 0 {
				t.Error("something of it happened, or it was told otherwise than once")
			}
		})
	}
}

// TestStartIsTriedAgain: trouble of the node is no reason against a promotion, which starts when that is over.
func TestStartIsTriedAgain(t *testing.T) {
	b := newBoard(t, rex, sue)
	b.rules.stages = []approvals.Stage{{Need: 2}}
	q := scheduled(t, b, 1)
	b.now = q.Starts
	whole := b.desk.Store
	for _, after := range []bool{false, true} { // the process ends before the change, or just after it
		if !after {
			b.rules.signature = errors.New("the disk cannot be read")
			if _, err := governance.NewStarts(b.Service).Sweep(t.Context()); err == nil || b.request(t, q.ID).Status != approvals.StatusScheduled {
				t.Fatalf("with a disk that cannot be read: %v", err)
			}
			b.rules.signature = nil
		}
		b.desk.Store = &killed{whole, 0, after}
		if _, err := governance.NewStarts(b.Service).Sweep(t.Context()); !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		b.desk.Store = whole
	}
	b.sweepStarts(t)
	if b.request(t, q.ID).Status != approvals.StatusApproved || b.heard(t, "release.activated") != 1 {
		t.Errorf("%+v", b.request(t, q.ID))
	}
}

// TestTakenBackBeforeItStarts: its requester, an owner, a reviewer and an operator can, others cannot, and the last
// two say why. Nothing of it happens then.
func TestTakenBackBeforeItStarts(t *testing.T) {
	for who, c := range map[string]struct {
		role   access.Role
		reason string
		want   error
	}{
		owner:             {access.RoleDeveloper, "", nil},
		"bob@example.com": {access.RoleReviewer, "not that day", nil},
		"cyd@example.com": {access.RoleOperator, "not that day", nil},
		"dan@example.com": {access.RoleReviewer, " ", approvals.ErrReasonMissing},
		"eve@example.com": {access.RoleDeveloper, "not that day", access.ErrForbidden},
		"fay@example.com": {access.RoleViewer, "not that day", access.ErrForbidden},
		"gus@example.com": {access.RoleReviewer, "a\x1b[2Jb", registry.ErrBadText},
	} {
		b := newBoard(t, rex, sue, "bob@example.com", "cyd@example.com", "dan@example.com", "eve@example.com", "fay@example.com", "gus@example.com")
		b.rules.stages = []approvals.Stage{{Need: 2}}
		q := scheduled(t, b, 1)
		b.user(t, who, func(u *access.User) { u.Roles = []access.Role{c.role} })
		_, err := b.Withdraw(b.as(t, who), q.ID, c.reason)
		if !errors.Is(err, c.want) {
			t.Errorf("%s takes it back: %v, want %v", who, err, c.want)
		}
		b.now = q.Starts
		b.sweepStarts(t)
		if started := b.app(t).Active[abi.TierProduction] == 1; started != (c.want != nil) {
			t.Errorf("%s took it back: %v, and it started: %v", who, err, started)
		}
		if _, err := b.Withdraw(b.as(t, owner), q.ID, ""); !errors.Is(err, approvals.ErrAlreadyDecided) {
			t.Errorf("taken back when it is over: %v", err)
		}
	}
}

// TestTimesThatAreRefused: a time is to come, within 30 days, and of the approval of a promotion; what is granted does
// not end before it.
func TestTimesThatAreRefused(t *testing.T) {
	b := newBoard(t, rex, sue)
	b.rules.stages, b.rules.requires = []approvals.Stage{{Need: 2}}, []string{"kv"}
	q := b.ask(t, 1)
	for name, v := range map[string]control.Verdict{
		"is over":         {Approve: true, Starts: b.now},
		"30 days":         {Approve: true, Starts: b.now.AddDate(0, 0, 30).Add(time.Second)},
		"leave the time":  {Reason: "no", Starts: b.now.Add(time.Hour)},
		"is over; say a ": {Approve: true, Starts: b.now.Add(time.Hour), Until: b.now.Add(time.Minute)},
	} {
		if _, err := b.Decide(b.as(t, rex), q.ID, v); !errors.Is(err, approvals.ErrBadRequest) || !strings.Contains(err.Error(), name) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := b.Decide(b.as(t, rex), q.ID, control.Verdict{Approve: true, Until: b.now.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Decide(b.as(t, sue), q.ID, control.Verdict{Approve: true, Starts: b.now.Add(2 * time.Hour)}); !errors.Is(err, approvals.ErrBadRequest) || !strings.Contains(err.Error(), "before it starts") {
		t.Errorf("a grant that ends before it begins: %v", err)
	}
	// A time that has come before the last vote: at once.
	if _, err := b.Decide(b.as(t, sue), q.ID, control.Verdict{Approve: true}); err != nil || b.app(t).Active[abi.TierProduction] != 1 {
		t.Error(err)
	}
}

// TestTheLaterStartServes: of two promotions of one tier the one that starts later serves, also if one look starts both.
func TestTheLaterStartServes(t *testing.T) {
	for _, late := range []bool{false, true} {
		b := newBoard(t, rex, sue)
		b.rules.stages = []approvals.Stage{{Need: 2}}
		second := scheduled(t, b, 2)
		b.now = b.now.Add(time.Minute)
		first := scheduled(t, b, 1)
		if !late {
			b.now = second.Starts
			if b.sweepStarts(t); b.app(t).Active[abi.TierProduction] != 2 {
				t.Error("the first to start does not serve")
			}
		}
		b.now = first.Starts
		if b.sweepStarts(t); b.app(t).Active[abi.TierProduction] != 1 {
			t.Errorf("the later does not serve: %v", b.app(t).Active)
		}
	}
}

// TestStartWithoutStages: where the rules name no stages, who approved has to review all of it still.
func TestStartWithoutStages(t *testing.T) {
	for role, starts := range map[access.Role]bool{access.RoleReviewer: true, "reviewer/finance": false, access.RoleViewer: false} {
		b := newBoard(t, rex)
		q := b.ask(t, 1)
		d, err := b.DecideRelease(b.as(t, rex), app, 1, control.ReleaseVerdict{Verdict: control.Verdict{Approve: true, Starts: b.now.Add(time.Hour)}})
		if err != nil || len(d) != 1 || d[0].Status != approvals.StatusScheduled {
			t.Fatalf("%+v, %v", d, err)
		}
		b.user(t, rex, func(u *access.User) { u.Roles = []access.Role{role} })
		b.now = b.now.Add(time.Hour)
		b.sweepStarts(t)
		if is := b.request(t, q.ID); (is.Status == approvals.StatusApproved) != starts || (b.app(t).Active[abi.TierProduction] == 1) != starts {
			t.Errorf("as %s: %+v", role, is)
		}
	}
}

// change changes the app, and makes its requests those of its owners.
func (b *board) change(t *testing.T, change func(*registry.App)) {
	b.update(t, func(tx state.Tx) error {
		a, err := tx.App(app)
		if err != nil {
			return err
		}
		change(&a)
		return errors.Join(tx.PutApp(a), control.OwnRequests(tx, a))
	})
}

// TestStartsRun: a node that runs starts a promotion at its time, without being asked.
func TestStartsRun(t *testing.T) {
	b := newBoard(t, rex, sue)
	b.rules.stages = []approvals.Stage{{Need: 2}}
	q := scheduled(t, b, 1)
	b.now = q.Starts.Add(-time.Millisecond)
	began := time.Now()
	b.desk.Now = func() time.Time { return q.Starts.Add(time.Since(began) - time.Millisecond) }
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	ran := make(chan struct{})
	go func() { defer close(ran); governance.NewStarts(b.Service).Run(ctx) }()
	for b.app(t).Active[abi.TierProduction] != 1 && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	if ctx.Err() != nil {
		t.Error("it did not start")
	}
	stop()
	<-ran
}

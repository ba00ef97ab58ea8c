package governance_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/state"
)

// newShop is a board with a release that lacks fetch and kv in the sandbox.
func newShop(t testing.TB, names ...string) *board {
	b := newBoard(t, names...)
	b.rules.requires = []string{"fetch", "kv"} // of promotions, too
	b.update(t, func(tx state.Tx) error {
		a, err := tx.App(app)
		r, noRelease := tx.Release(app, 1)
		a.Releases, r.Number, r.Digest, r.Capabilities = 3, 3, "sha256:cc", []string{"fetch", "kv"}
		return errors.Join(err, noRelease, tx.PutApp(a), tx.AddRelease(r))
	})
	return b
}

// askAll has a release ask for all that there is to ask for: a grant of fetch, one of kv, and two tiers.
func (b *board) askAll(t testing.TB, release int) (ids []string) {
	t.Helper()
	ctx := b.as(t, owner)
	grants, err := b.AskAgain(ctx, app, release, "needed")
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []abi.Tier{abi.TierPilot, abi.TierProduction} {
		q, err := b.Promote(ctx, app, release, to, "ready")
		if err != nil {
			t.Fatal(err)
		}
		grants = append(grants, q)
	}
	for _, q := range grants {
		ids = append(ids, q.ID)
	}
	return ids
}

func (b *board) request(t testing.TB, id string) approvals.Request {
	t.Helper()
	q, err := b.Request(b.as(t, owner), id)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// all is everything that decisions change, and what was told of them since a revision.
func (b *board) all(t testing.TB, since abi.Rev) string {
	t.Helper()
	var out []string
	err := b.desk.View(context.Background(), func(tx state.Reader) error {
		a, err := tx.App(app)
		if err != nil {
			return err
		}
		grants, err := tx.Grants(app)
		if err != nil {
			return err
		}
		open, _, err := tx.RequestsPart(app, "", state.Part{Limit: -1})
		for _, doc := range []any{a, grants, open} {
			raw, _ := json.Marshal(doc)
			out = append(out, string(raw))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(append(out, b.events(t, since)...), "\n")
}

// events are what was told since a revision, but for the revisions themselves.
func (b *board) events(t testing.TB, since abi.Rev) (out []string) {
	t.Helper()
	told, err := b.desk.Store.Events(context.Background(), state.EventQuery{After: since, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range told {
		out = append(out, fmt.Sprint(e.Kind, e.App, e.Subject, e.Actor, e.Detail))
	}
	return out
}

func (b *board) rev(t testing.TB) abi.Rev {
	t.Helper()
	rev, err := b.desk.Store.Rev(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return rev
}

// TestOneDecision: all that a release asks for is decided in one revision, with a vote, an event and a
// grant each.
func TestOneDecision(t *testing.T) {
	b := newShop(t, rex, sue)
	ids, other := b.askAll(t, 3), b.ask(t, 2)
	before := b.rev(t)
	done, err := b.DecideRelease(b.as(t, rex), app, 3, control.ReleaseVerdict{Verdict: control.Verdict{Approve: true, Reason: "fine", Digest: "sha256:cc"}})
	if err != nil || len(done) != len(ids) || b.rev(t) != before+1 {
		t.Fatalf("%d decided by revision %d after %d: %v", len(done), b.rev(t), before, err)
	}
	for i, q := range done {
		if q.ID != ids[i] || q.Status != approvals.StatusApproved || len(q.Votes) != 1 || q.Votes[0].By != rex || q.Decision.Reason != "fine" {
			t.Errorf("%+v", q)
		}
	}
	if a := b.app(t); a.Active[abi.TierSandbox] != 3 || a.Active[abi.TierPilot] != 3 || a.Active[abi.TierProduction] != 3 {
		t.Errorf("serves %v", a.Active)
	}
	told := strings.Join(b.events(t, before), "\n")
	if n := strings.Count(told, "request.approved"); n != len(ids) {
		t.Errorf("%d approvals are told: %s", n, told)
	}
	if q := b.request(t, other.ID); q.Status != approvals.StatusOpen || len(q.Votes) != 0 {
		t.Errorf("another release's request: %+v", q)
	}
	if _, err := b.DecideRelease(b.as(t, rex), app, 3, control.ReleaseVerdict{Verdict: control.Verdict{Approve: true}}); !errors.Is(err, approvals.ErrAlreadyDecided) {
		t.Errorf("a double click: %v", err)
	}
}

// TestNothingIsDecided: one part that cannot be decided keeps all others from it.
func TestNothingIsDecided(t *testing.T) {
	yes, no := true, false
	approve := control.Verdict{Approve: true}
	for name, c := range map[string]struct {
		who    string
		before func(*board, []string)
		asks   func(*board, []string) control.ReleaseVerdict
		want   error
		says   string
	}{
		"the owner": {who: owner, want: approvals.ErrSelfReview},
		"somebody without the role": {
			who: sue, want: access.ErrForbidden,
			before: func(b *board, _ []string) {
				b.user(t, sue, func(u *access.User) { u.Roles = []access.Role{access.RoleDeveloper} })
			},
		},
		"another module": {
			asks: func(*board, []string) control.ReleaseVerdict {
				return control.ReleaseVerdict{Verdict: control.Verdict{Approve: true, Digest: "sha256:bb"}}
			},
			want: approvals.ErrChanged,
		},
		"one was withdrawn": {
			before: func(b *board, ids []string) {
				if _, err := b.Withdraw(b.as(t, owner), ids[3], ""); err != nil {
					t.Fatal(err)
				}
			},
			asks: func(_ *board, ids []string) control.ReleaseVerdict {
				return control.ReleaseVerdict{Verdict: approve, Parts: []control.PartVerdict{{ID: ids[0]}, {ID: ids[3]}}}
			},
			want: approvals.ErrAlreadyDecided, says: "nothing that release 3",
		},
		"one was voted about since it was looked at": {
			asks: func(b *board, ids []string) control.ReleaseVerdict {
				v := control.ReleaseVerdict{Verdict: approve}
				for _, id := range ids {
					v.Parts = append(v.Parts, control.PartVerdict{ID: id, Tag: control.Tag(b.request(t, id))})
				}
				b.rules.stages = []approvals.Stage{{Need: 2}}
				if _, err := b.vote(t, sue, ids[3], true); err != nil {
					t.Fatal(err)
				}
				b.rules.stages = nil
				return v
			},
			want: approvals.ErrChanged, says: "look at it again",
		},
		"more would be granted than was said": {
			before: func(b *board, _ []string) { b.rules.requires = []string{"fetch", "kv", "blob"} },
			want:   approvals.ErrChanged, says: "needs a grant of blob",
		},
		"a rejection without a reason": {
			asks: func(_ *board, ids []string) control.ReleaseVerdict {
				return control.ReleaseVerdict{Verdict: approve, Parts: []control.PartVerdict{{ID: ids[0]}, {ID: ids[1], Approve: &no}}}
			},
			want: approvals.ErrReasonMissing,
		},
		"one twice": {
			asks: func(_ *board, ids []string) control.ReleaseVerdict {
				return control.ReleaseVerdict{Parts: []control.PartVerdict{{ID: ids[0], Approve: &yes}, {ID: ids[0], Approve: &no, Reason: "no"}}}
			},
			want: approvals.ErrBadRequest,
		},
		"one of another release": {
			asks: func(b *board, ids []string) control.ReleaseVerdict {
				return control.ReleaseVerdict{Verdict: approve, Parts: []control.PartVerdict{{ID: ids[0]}, {ID: b.ask(t, 2).ID}}}
			},
			want: approvals.ErrBadRequest, says: "is about release 2",
		},
		"one waits for its requester": {
			before: func(b *board, ids []string) {
				if _, err := b.AskChanges(b.as(t, sue), ids[2], control.Verdict{Reason: "say more"}); err != nil {
					t.Fatal(err)
				}
			},
			asks: func(_ *board, ids []string) control.ReleaseVerdict {
				return control.ReleaseVerdict{Verdict: approve, Parts: []control.PartVerdict{{ID: ids[0]}, {ID: ids[2]}}}
			},
			want: approvals.ErrRequestersTurn,
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newShop(t, rex, sue)
			ids, v := b.askAll(t, 3), control.ReleaseVerdict{Verdict: approve}
			if c.before != nil {
				c.before(b, ids)
			}
			if c.asks != nil {
				v = c.asks(b, ids)
			}
			if c.who == "" {
				c.who = rex
			}
			_, err := b.DecideRelease(b.as(t, c.who), app, 3, v)
			if !errors.Is(err, c.want) || !strings.Contains(fmt.Sprint(err), c.says) {
				t.Errorf("%v", err)
			}
			for _, id := range ids {
				if q := b.request(t, id); q.Status != approvals.StatusOpen && q.Status != approvals.StatusWithdrawn || slices.ContainsFunc(q.Votes, func(v approvals.Vote) bool { return v.By == c.who }) {
					t.Errorf("%s was decided: %+v", id, q)
				}
			}
			if a := b.app(t); len(a.Active) != 0 {
				t.Errorf("serves %v", a.Active)
			}
		})
	}
}

// TestOneDecisionLeavesOut: without parts it is about what the reviewer may decide, and about nothing else.
func TestOneDecisionLeavesOut(t *testing.T) {
	b := newShop(t, rex, sue)
	ids := b.askAll(t, 3)
	if _, err := b.AskChanges(b.as(t, sue), ids[2], control.Verdict{Reason: "say more"}); err != nil {
		t.Fatal(err)
	}
	done, err := b.DecideRelease(b.as(t, rex), app, 3, control.ReleaseVerdict{Verdict: control.Verdict{Approve: true}})
	if err != nil || len(done) != 3 || b.request(t, ids[2]).Status != approvals.StatusOpen {
		t.Fatalf("%+v, %v", done, err)
	}
	done, err = b.DecideRelease(b.as(t, rex), app, 3, control.ReleaseVerdict{Verdict: control.Verdict{Reason: "no"}})
	if err != nil || len(done) != 1 || done[0].ID != ids[2] || done[0].Status != approvals.StatusRejected {
		t.Errorf("rejecting what is left: %+v, %v", done, err)
	}
}

// TestOneDecisionIsItsParts: whatever people vote, deciding at once is the same as deciding one by one if
// each of that is done, with the same records and the same events, and is nothing if one is not.
func TestOneDecisionIsItsParts(t *testing.T) {
	names := []string{rex, sue, tom, owner}
	roles := [][]access.Role{{"reviewer"}, {"reviewer"}, {"reviewer/security"}, {"reviewer/privacy"}, {"developer"}}
	shapes := [][]approvals.Stage{nil, nil, {{Need: 2}}, {{Concern: "security", Need: 1}, {Need: 1}}, {{Concern: "privacy", Need: 1}, {Need: 1, Order: 1}}}
	same, refused := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		stages := rapid.SampledFrom(shapes).Draw(rt, "stages")
		requires := rapid.SampledFrom([][]string{nil, {"fetch", "kv"}, {"fetch", "kv"}}).Draw(rt, "requires")
		of := map[string][]access.Role{}
		for _, name := range names[:3] {
			of[name] = rapid.SampledFrom(roles).Draw(rt, name)
		}
		var boards [2]*board
		var ids []string
		for i := range boards {
			b := newShop(t, rex, sue, tom)
			b.rules.stages, b.rules.requires = stages, requires
			for name, to := range of {
				b.user(t, name, func(u *access.User) { u.Roles = to })
			}
			ids, boards[i] = b.askAll(t, 3), b
		}
		together, apart := boards[0], boards[1]
		for range rapid.IntRange(1, 4).Draw(rt, "rounds") {
			who := rapid.SampledFrom(names).Draw(rt, "who")
			var v control.ReleaseVerdict
			for _, id := range rapid.Permutation(ids).Draw(rt, "parts")[:rapid.IntRange(1, len(ids)).Draw(rt, "number")] {
				approve := rapid.IntRange(0, 4).Draw(rt, "approve") > 0
				v.Parts = append(v.Parts, control.PartVerdict{ID: id, Approve: &approve, Reason: "because"})
			}
			since, start, was := together.rev(t), apart.rev(t), together.all(t, 0)
			_, err := together.DecideRelease(together.as(t, who), app, 3, v)
			var one error
			ctx := apart.as(t, who)
			for _, p := range v.Parts {
				if _, one = apart.Decide(ctx, p.ID, v.About(p)); one != nil {
					break
				}
			}
			if (err == nil) != (one == nil) {
				rt.Fatalf("together: %v; one by one: %v", err, one)
			}
			if err != nil {
				refused++
				if is := together.all(t, 0); is != was {
					rt.Fatalf("refused with %v, and something was done:\n%s\nbefore:\n%s", err, is, was)
				}
				return // the other board has the first of them
			}
			same++
			if a, b := together.all(t, since), apart.all(t, start); sorted(a) != sorted(b) {
				rt.Fatalf("together:\n%s\none by one:\n%s", a, b)
			}
		}
	})
	if (same < 10 || refused < 10) && !testing.Short() { // rapid tries a fifth in a short run
		t.Errorf("%d were the same and %d refused: the test tries nothing", same, refused)
	}
}

// sorted has the lines of a text in order: events of one revision are told in another order than those of
// several are listed in.
func sorted(text string) string {
	lines := strings.Split(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

package governance_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// askChanges asks for changes in a person's name.
func (b *board) askChanges(t testing.TB, name, id, reason string) (approvals.Request, error) {
	return b.AskChanges(b.as(t, name), id, control.Verdict{Reason: reason})
}

// kinds are those of the events after a revision.
func (b *board) kinds(t testing.TB, after abi.Rev) (all []string) {
	t.Helper()
	events, err := b.desk.Store.Events(context.Background(), state.EventQuery{After: after, Limit: -1})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		all = append(all, e.Kind)
	}
	return all
}

// TestChangesAreAskedFor: a request that changes are asked for waits for its requester, and no one's approval
// is taken until they have answered; the one who asked can think again, and anybody can reject.
func TestChangesAreAskedFor(t *testing.T) {
	b := newBoard(t, rex, sue, tom)
	b.rules.stages = []approvals.Stage{{Need: 2}}
	q := b.ask(t, 1)
	if _, err := b.vote(t, sue, q.ID, true); err != nil {
		t.Fatal(err)
	}
	if _, err := b.askChanges(t, rex, q.ID, " "); !errors.Is(err, approvals.ErrReasonMissing) {
		t.Errorf("without a reason: %v", err)
	}
	if _, err := b.askChanges(t, owner, q.ID, "mine"); !errors.Is(err, approvals.ErrSelfReview) && !errors.Is(err, access.ErrOwnRequest) {
		t.Errorf("the owner: %v", err)
	}
	if _, err := b.Changed(b.as(t, owner), q.ID, ""); !errors.Is(err, approvals.ErrNothingAsked) {
		t.Errorf("an answer to nothing: %v", err)
	}
	rev, _ := b.desk.Store.Rev(t.Context())
	q, err := b.askChanges(t, rex, q.ID, "less memory")
	if err != nil || q.Turn != approvals.TurnRequester || !slices.Equal(q.Asking(), []string{rex}) || len(void(q)) != 0 {
		t.Fatalf("%+v, %v", q, err)
	}
	if _, err := b.vote(t, tom, q.ID, true); !errors.Is(err, approvals.ErrRequestersTurn) || !strings.Contains(err.Error(), rex+" asked for changes") {
		t.Errorf("an approval meanwhile: %v", err)
	}
	if q, err = b.Comment(b.as(t, tom), q.ID, "I agree"); err != nil || q.Turn != approvals.TurnRequester {
		t.Errorf("a reviewer's comment turned it: %+v, %v", q, err)
	}
	if q, err = b.Comment(b.as(t, owner), q.ID, "a\r\nb"); err != nil || q.Turn != approvals.TurnReviewers || q.Thread[2].Kind != approvals.CommentAnswer || q.Thread[2].Text != "a\nb" {
		t.Errorf("the answer: %+v, %v", q, err)
	}
	if again, err := b.Comment(b.as(t, owner), q.ID, "a\r\nb"); err != nil || !reflect.DeepEqual(again, q) {
		t.Errorf("sent twice: %+v, %v", again, err)
	}
	if got, want := b.kinds(t, rev), []string{"request.changes_asked", "request.commented", "request.answered"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	// Two ask; the second thought of one is not that of the other.
	for _, who := range []string{rex, tom} {
		if _, err := b.askChanges(t, who, q.ID, "still"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.vote(t, rex, q.ID, true); !errors.Is(err, approvals.ErrRequestersTurn) {
		t.Errorf("one of two who asked: %v", err)
	}
	if q, err = b.Changed(b.as(t, owner), q.ID, ""); err != nil || q.Turn != approvals.TurnReviewers {
		t.Errorf("%+v, %v", q, err)
	}
	if _, err := b.askChanges(t, rex, q.ID, "one more"); err != nil {
		t.Fatal(err)
	}
	if q, err = b.vote(t, rex, q.ID, true); err != nil || q.Status != approvals.StatusApproved || q.Thread[len(q.Thread)-1].Kind != approvals.CommentSettled {
		t.Errorf("a second thought: %+v, %v", q, err)
	}
	if _, err := b.Comment(b.as(t, owner), q.ID, "late"); !errors.Is(err, approvals.ErrAlreadyDecided) {
		t.Errorf("a comment on what is decided: %v", err)
	}
}

// TestApprovalTakenBack: whoever approved and asks for changes has not approved; a rejection needs no answer.
func TestApprovalTakenBack(t *testing.T) {
	b := newBoard(t, rex, sue)
	b.rules.stages = []approvals.Stage{{Concern: "security", Need: 1}, {Need: 1, Order: 1}}
	b.user(t, sue, func(u *access.User) { u.Roles = []access.Role{"reviewer/security"} })
	q := b.ask(t, 1)
	if _, err := b.vote(t, sue, q.ID, true); err != nil {
		t.Fatal(err)
	}
	q, err := b.askChanges(t, sue, q.ID, "I overlooked it")
	if err != nil || !slices.Equal(void(q), []string{sue + ": its voter asked for changes since"}) || q.Waits()[0].Concern != "security" {
		t.Fatalf("%+v, %v", q, err)
	}
	if q, err = b.vote(t, rex, q.ID, false); err != nil || q.Status != approvals.StatusRejected || q.Turn != approvals.TurnOver {
		t.Errorf("a rejection meanwhile: %+v, %v", q, err)
	}
}

// TestLaterReleaseAnswers: asking about a later release replaces the request that waits for its requester, and
// not one that waits for reviewers.
func TestLaterReleaseAnswers(t *testing.T) {
	for _, asked := range []bool{true, false} {
		b := newBoard(t, rex)
		first := b.ask(t, 1)
		if asked {
			if _, err := b.askChanges(t, rex, first.ID, "less"); err != nil {
				t.Fatal(err)
			}
		}
		second := b.ask(t, 2)
		was, err := b.Request(b.as(t, rex), first.ID)
		if err != nil || (was.Status == approvals.StatusWithdrawn) != asked || (was.ReplacedBy == second.ID) != asked || (second.Replaces == first.ID) != asked || second.Turn != approvals.TurnReviewers {
			t.Errorf("asked %v: %+v, then %+v, %v", asked, was, second, err)
		}
	}
}

// TestThreadIsBounded, and a full one can still be answered.
func TestThreadIsBounded(t *testing.T) {
	b := newBoard(t, rex)
	q := b.ask(t, 1)
	for _, text := range []string{"", " \n", strings.Repeat("x", 2001), "a\x1b[2J", "a\x00"} {
		if _, err := b.Comment(b.as(t, rex), q.ID, text); !errors.Is(err, approvals.ErrNoComment) && !errors.Is(err, registry.ErrBadText) {
			t.Errorf("%.10q: %v", text, err)
		}
	}
	var err error
	for i := 0; err == nil; i++ {
		if i > 100 {
			t.Fatal("no bound")
		}
		_, err = b.Comment(b.as(t, rex), q.ID, fmt.Sprint(i))
	}
	if !errors.Is(err, approvals.ErrThreadFull) {
		t.Fatal(err)
	}
	for err = nil; err == nil; {
		if _, err = b.askChanges(t, rex, q.ID, "less"); err == nil {
			_, err = b.Changed(b.as(t, owner), q.ID, "")
		}
	}
	if !errors.Is(err, approvals.ErrThreadFull) {
		t.Error(err)
	}
	if q, err = b.Request(b.as(t, rex), q.ID); err != nil || len(q.Thread) != 140 || q.Turn != approvals.TurnReviewers {
		t.Errorf("%d entries, %s, %v", len(q.Thread), q.Turn, err)
	}
}

// TestWhoseTurn: many people write, ask, answer and vote at random, and the turn is what a small oracle says:
// whoever asked for changes since the requester's side last said something waits for it. Nothing is approved
// while it does, entries are never changed, and what is listed as one's own is what one may act on.
func TestWhoseTurn(t *testing.T) {
	const mostAsked, mostComments = 20, 100
	names := []string{owner, rex, sue, tom}
	approved, refused := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		b := newBoard(t, names[1:]...)
		b.rules.stages = []approvals.Stage{{Need: 2}}
		b.update(t, func(tx state.Tx) error { // tom owns it, too
			a, err := tx.App(app)
			a.CoOwner = tom
			return errors.Join(err, tx.PutApp(a))
		})
		q, asking, over := b.ask(t, 1), map[string]bool{}, false
		mine := func(name string) bool { return name == owner || name == tom }
		pick := func(rt *rapid.T) string { return rapid.SampledFrom(names).Draw(rt, "who") }
		n, asked, comments := 0, 0, 0
		rt.Repeat(map[string]func(*rapid.T){
			"comment": func(rt *rapid.T) {
				who := pick(rt)
				n++
				if comments == mostComments { // TestThreadIsBounded
					return
				}
				_, err := b.Comment(b.as(t, who), q.ID, fmt.Sprint(n))
				if err == nil {
					comments++
				}
				if over != errors.Is(err, approvals.ErrAlreadyDecided) || !over && err != nil {
					rt.Fatalf("%s writes: %v", who, err)
				}
				if mine(who) {
					clear(asking)
				}
			},
			"ask": func(rt *rapid.T) {
				who := pick(rt)
				n++
				_, err := b.askChanges(t, who, q.ID, fmt.Sprint(n))
				full := !over && !mine(who) && asked == mostAsked
				if (err == nil) != (!over && !mine(who) && !full) || full && !errors.Is(err, approvals.ErrThreadFull) {
					rt.Fatalf("%s asks for changes, after %d times: %v", who, asked, err)
				}
				if err == nil {
					asking[who] = true
					asked++
				}
			},
			"changed": func(rt *rapid.T) {
				who := pick(rt)
				_, err := b.Changed(b.as(t, who), q.ID, "")
				if (err == nil) != (!over && mine(who) && len(asking) > 0) {
					rt.Fatalf("%s says that it is changed: %v", who, err)
				}
				if err == nil {
					clear(asking)
				}
			},
			"vote": func(rt *rapid.T) {
				who := pick(rt)
				waits := len(asking) > 1 || len(asking) == 1 && !asking[who]
				got, err := b.vote(t, who, q.ID, true)
				if err == nil && (waits || mine(who) || over) {
					rt.Fatalf("%s approved while %v asks", who, asking)
				}
				if errors.Is(err, approvals.ErrRequestersTurn) {
					if !waits || over {
						rt.Fatalf("%s is refused, and no one waits: %v", who, err)
					}
					refused++
				}
				if err == nil {
					delete(asking, who)
					if over = got.Status == approvals.StatusApproved; over {
						approved++
					}
				}
			},
			"": func(rt *rapid.T) {
				was := q
				var err error
				if q, err = b.Request(b.as(t, rex), q.ID); err != nil {
					rt.Fatal(err)
				}
				want := approvals.TurnReviewers
				switch {
				case over:
					want = approvals.TurnOver
				case len(asking) > 0:
					want = approvals.TurnRequester
				}
				if q.Turn != want || len(q.Thread) < len(was.Thread) || !reflect.DeepEqual(q.Thread[:len(was.Thread)], was.Thread) && len(was.Thread) > 0 {
					rt.Fatalf("the turn is %q, want %q (%v asks); %+v, before %+v", q.Turn, want, asking, q.Thread, was.Thread)
				}
				for _, who := range names {
					list, err := b.Requests(b.as(t, who), control.RequestFilter{Mine: true}, control.Page{})
					_, voted := q.VoteOf(who)
					waits := !over && (want == approvals.TurnRequester && mine(who) || want == approvals.TurnReviewers && !mine(who) && !voted)
					if err != nil || (len(list.Items) == 1) != waits {
						rt.Fatalf("%s has %d requests to see to, want %v; the turn is %q; %v", who, len(list.Items), waits, want, err)
					}
				}
				turned, err := b.Requests(b.as(t, rex), control.RequestFilter{Turn: approvals.TurnRequester}, control.Page{})
				if err != nil || (len(turned.Items) == 1) != (want == approvals.TurnRequester) {
					rt.Fatalf("filtered by turn: %d, %v", len(turned.Items), err)
				}
			},
		})
	})
	if (approved == 0 || refused == 0) && !testing.Short() { // rapid tries a fifth in a short run
		t.Errorf("%d approved and %d refused: the test tries nothing", approved, refused)
	}
}

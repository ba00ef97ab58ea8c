package governance_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/control/governance"
	"github.com/agora-host/agora/state"
)

// life is a grant as the oracle keeps it: what reviewers and rules have said of its end, and no more.
type life struct {
	word      string
	made      time.Time
	last      time.Time // no word of a reviewer makes it hold longer; zero: there is no such time
	certified time.Time // the last time that a reviewer said that it is needed, or that it was made; zero: no one has to
	every     int       // the days between two such times, as the rule was then; 0: none
	revoked   bool
	told      map[string]int // by what was told of which end
}

const aDay = 24 * time.Hour

// end is when it allows nothing any more.
func (l *life) end() time.Time {
	if l.every == 0 {
		return l.last
	}
	if end := l.certified.Add(time.Duration(l.every) * aDay); l.last.IsZero() || end.Before(l.last) {
		return end
	}
	return l.last
}

func (l *life) live(now time.Time) bool {
	return !l.revoked && (l.end().IsZero() || now.Before(l.end()))
}

// livesWorld is a board, its grants as the oracle has them, and the place in the feed up to which it was read.
type livesWorld struct {
	*board
	*governance.Lives
	t      *testing.T
	clocks []*governance.Clocks
	known  map[string]*life
	read   abi.Rev
	kinds  map[string]int
}

// TestLivesOfGrants: reviewers approve with an end and without, ask and certify, revoke, rules become stricter and
// looser, and the clock goes on by seconds and by months, in any order, with sweeps of two nodes between. A grant
// allows something exactly until the end that the oracle has for it; nobody but a reviewer who owns nothing makes
// it hold longer; and each step of each end is told once, and none of what does not come.
func TestLivesOfGrants(t *testing.T) {
	kinds := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		b := newBoard(t, rex, sue)
		w := &livesWorld{board: b, Lives: governance.NewLives(b.Service), t: t, known: map[string]*life{}, kinds: kinds}
		for range 2 {
			w.clocks = append(w.clocks, governance.NewClocks(b.Service, func() time.Duration { return 0 }))
		}
		w.rule(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"approve": w.approve, "approve another": w.approve, "certify": w.certify, "renew": w.renew, "revoke": w.revoke, "rule": w.rule,
			"wait": w.wait, "wait longer": w.wait, "wait for an end": w.near, "sweep": w.sweep, "sweep again": w.sweep, "": w.check,
		})
	})
	t.Logf("%v", kinds)
	if testing.Short() {
		return
	}
	for _, kind := range []string{"grant.ending", "grant.ended", "grant.certification_due", "grant.certified", "grant.dated"} {
		if kinds[kind] == 0 {
			t.Errorf("no run came to %s: %v", kind, kinds)
		}
	}
}

// rule changes how long grants live.
func (w *livesWorld) rule(rt *rapid.T) {
	w.rules.life = approvals.Life{
		Days: rapid.SampledFrom([]int{0, 0, 40, 100}).Draw(rt, "days"), CertifyDays: rapid.SampledFrom([]int{0, 0, 30, 60}).Draw(rt, "certify"),
	}
}

func (w *livesWorld) wait(rt *rapid.T) {
	w.now = w.now.Add(rapid.SampledFrom([]time.Duration{time.Second, time.Hour, 20 * time.Hour, 3 * aDay, 13 * aDay, 50 * aDay}).Draw(rt, "time"))
}

// near waits until shortly before, or after, one of the grants ends, and has that noticed.
func (w *livesWorld) near(rt *rapid.T) {
	var ends []time.Time
	for _, l := range w.known {
		if end := l.end(); l.live(w.now) && !end.IsZero() {
			ends = append(ends, end)
		}
	}
	if len(ends) == 0 {
		return
	}
	slices.SortFunc(ends, time.Time.Compare)
	before := rapid.SampledFrom([]time.Duration{13 * aDay, 6 * aDay, 20 * time.Hour, -time.Hour}).Draw(rt, "before")
	if at := rapid.SampledFrom(ends).Draw(rt, "end").Add(-before); at.After(w.now) {
		w.now = at
	}
	w.sweep(rt)
}

// approve has a grant made: by a promotion that requires it.
func (w *livesWorld) approve(rt *rapid.T) {
	w.rules.requires = []string{rapid.SampledFrom([]string{"kv", "fetch"}).Draw(rt, "capability")}
	q, err := w.Promote(w.as(w.t, owner), app, rapid.IntRange(1, 2).Draw(rt, "release"), abi.TierProduction, "ready")
	if err != nil {
		rt.Fatal(err)
	}
	w.decide(rt, q, q.ID+"-"+w.rules.requires[0], w.rules.requires[0])
}

// decide approves a request, perhaps with an end, which the rule may not admit.
func (w *livesWorld) decide(rt *rapid.T, q approvals.Request, id, word string) {
	w.now = w.now.Add(time.Second)
	var until time.Time
	if days := rapid.SampledFrom([]int{-1, 0, 0, 1, 10, 70, 200}).Draw(rt, "until"); days != 0 {
		until = w.now.Add(time.Duration(days) * aDay)
	}
	_, err := w.Decide(w.as(w.t, rex), q.ID, control.Verdict{Approve: true, Until: until})
	l, rule := &life{word: word, made: w.now, told: map[string]int{}}, w.rules.life
	bound := w.now.Add(time.Duration(rule.Days) * aDay)
	if wrong := !until.IsZero() && (!until.After(w.now) || rule.Days > 0 && until.After(bound)); wrong != errors.Is(err, approvals.ErrBadRequest) {
		rt.Fatalf("until %s under %+v at %s: %v", until, rule, w.now, err)
	} else if wrong {
		if _, err := w.Withdraw(w.as(w.t, owner), q.ID, ""); err != nil {
			rt.Fatal(err)
		}
		return
	}
	if err != nil {
		rt.Fatal(err)
	}
	if l.last = until; until.IsZero() && rule.Days > 0 {
		l.last = bound
	}
	if rule.CertifyDays > 0 {
		l.every, l.certified = rule.CertifyDays, w.now
	}
	w.known[id] = l
}

func (w *livesWorld) pick(rt *rapid.T) (string, *life) {
	if len(w.known) == 0 {
		rt.Skip()
	}
	id := rapid.SampledFrom(slices.Sorted(maps.Keys(w.known))).Draw(rt, "grant")
	return id, w.known[id]
}

func (w *livesWorld) certify(rt *rapid.T) {
	id, l := w.pick(rt)
	who := rapid.SampledFrom([]string{rex, sue, owner}).Draw(rt, "who")
	_, err := w.CertifyGrant(w.as(w.t, who), id, "still needed")
	switch certifiable := !l.end().IsZero() && !l.end().Equal(l.last); {
	case who == owner:
		if err == nil {
			rt.Fatal("an owner certified a grant of their own app")
		}
	case !l.live(w.now):
		if !errors.Is(err, approvals.ErrGrantEnded) {
			rt.Fatalf("%s has ended, and certifying it said %v", id, err)
		}
	case !certifiable:
		if !errors.Is(err, approvals.ErrNothingToCertify) {
			rt.Fatalf("%s: %v", id, err)
		}
	case err != nil:
		rt.Fatal(err)
	default:
		l.every, l.certified = w.rules.life.CertifyDays, w.now
	}
}

// renew asks for a grant anew, and has that approved.
func (w *livesWorld) renew(rt *rapid.T) {
	id, l := w.pick(rt)
	q, err := w.RenewGrant(w.as(w.t, owner), id, "still needed")
	longer := slices.ContainsFunc(slices.Collect(maps.Values(w.known)), func(o *life) bool {
		return o.word == l.word && o.made.After(l.made) && o.live(w.now) && (!l.live(w.now) || o.end().IsZero() || !l.end().IsZero() && o.end().After(l.end()))
	})
	if needless := l.live(w.now) && l.end().IsZero() || longer; needless {
		if !errors.Is(err, approvals.ErrNothingToAsk) {
			rt.Fatalf("%s needs no renewal: %v", id, err)
		}
		return
	}
	if err != nil {
		rt.Fatal(err)
	}
	if q.Renews != id || q.Tier != abi.TierProduction || q.Capability != l.word {
		rt.Fatalf("%+v", q)
	}
	if rapid.IntRange(0, 3).Draw(rt, "reject") == 0 { // the grant holds until its end
		if _, err := w.Decide(w.as(w.t, rex), q.ID, control.Verdict{Reason: "no"}); err != nil {
			rt.Fatal(err)
		}
		return
	}
	w.decide(rt, q, "grant-"+q.ID[len("req-"):], l.word)
}

func (w *livesWorld) revoke(rt *rapid.T) {
	id, l := w.pick(rt)
	if _, err := w.RevokeGrant(w.as(w.t, rex), id, "because", false); err != nil {
		rt.Fatal(err)
	}
	l.revoked = true
}

// sweep has one of the nodes look. What lives on under rules that want an end has one from then on.
func (w *livesWorld) sweep(rt *rapid.T) {
	rule := w.rules.life
	for _, l := range w.known {
		if !l.live(w.now) {
			continue
		}
		endless := l.end().IsZero()
		if l.last.IsZero() && rule.Days > 0 {
			l.last = w.now.Add(time.Duration(rule.Days) * aDay)
		}
		switch {
		case rule.CertifyDays == 0:
			l.every = 0
		case endless:
			l.every, l.certified = rule.CertifyDays, w.now
		}
	}
	if err := rapid.SampledFrom(w.clocks).Draw(rt, "node").Sweep(w.t.Context()); err != nil {
		rt.Fatal(err)
	}
}

// check compares what the node says with what the oracle has, and what was told since the last time.
func (w *livesWorld) check(rt *rapid.T) {
	err := w.desk.View(w.t.Context(), func(tx state.Reader) error {
		for id, l := range w.known {
			g, err := tx.Grant(id)
			if err != nil {
				return err
			}
			for _, at := range []time.Time{w.now, l.end().Add(-1), l.end()} {
				if g.Live(at) != l.live(at) {
					return fmt.Errorf("%s: live is %v at %s, and the oracle has %+v; %+v", id, g.Live(at), at, l, g)
				}
			}
		}
		return nil
	})
	if err != nil {
		rt.Fatal(err)
	}
	for {
		events, err := w.desk.Store.Events(w.t.Context(), state.EventQuery{After: w.read, Limit: 1000})
		if err != nil {
			rt.Fatal(err)
		}
		if len(events) == 0 {
			return
		}
		for _, e := range events {
			w.read = e.Rev
			w.heard(rt, e)
		}
	}
}

// heard checks one event of the feed.
func (w *livesWorld) heard(rt *rapid.T, e abi.Event) {
	w.kinds[e.Kind]++
	l := w.known[e.Subject]
	if l == nil || !slices.Contains([]string{"grant.ending", "grant.ended", "grant.certification_due"}, e.Kind) {
		return
	}
	left, what := l.end().Sub(e.At), fmt.Sprint(e.Detail["days"], " before ", e.Detail["until"])
	if l.told[what]++; l.told[what] > 1 {
		rt.Fatalf("%s: %s was told %d times", e.Subject, what, l.told[what])
	}
	uncertified := !l.end().Equal(l.last)
	ok := e.Detail["until"] == l.end().UTC().Format("2006-01-02 15:04 UTC") && !l.revoked && (e.Detail["cause"] == "uncertified") == uncertified
	switch e.Detail["days"] {
	case "14":
		ok = ok && left <= 14*aDay && left > aDay
	case "1":
		ok = ok && left <= aDay && left > 0
	default:
		ok = ok && left <= 0 && e.Kind == "grant.ended"
	}
	if !ok {
		rt.Fatalf("told %+v of %+v, with %s left", e, l, left)
	}
}

// killed is a store whose process ends at some Update: before it has an effect, or after, when no one is told.
type killed struct {
	state.Store
	left  int // Updates until then
	after bool
}

var errKilled = errors.New("the process has ended")

func (k *killed) Update(ctx context.Context, by string, change func(state.Tx) error) (abi.Rev, error) {
	if k.left--; k.left >= 0 {
		return k.Store.Update(ctx, by, change)
	}
	if k.left < -1 || !k.after {
		return 0, errKilled
	}
	if _, err := k.Store.Update(ctx, by, change); err != nil {
		return 0, err
	}
	return 0, errKilled
}

// TestEndsAreToldOnceAfterAKill: whichever change of a sweep a process ends at, before it or just after, the next one
// tells what was not told, and nothing twice.
func TestEndsAreToldOnceAfterAKill(t *testing.T) {
	for left := range 3 {
		for _, after := range []bool{false, true} {
			b := newBoard(t, rex)
			b.rules.life.Days = 10
			for _, word := range []string{"kv", "fetch"} {
				b.rules.requires = []string{word}
				if _, err := b.vote(t, rex, b.ask(t, 1).ID, true); err != nil {
					t.Fatal(err)
				}
			}
			b.now = b.now.Add(11 * aDay)
			whole := b.desk.Store
			b.desk.Store = &killed{whole, left, after}
			if err := governance.NewClocks(b.Service, nil).Sweep(t.Context()); left < 2 && !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
			b.desk.Store = whole
			for range 2 {
				if err := governance.NewClocks(b.Service, nil).Sweep(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			events, err := whole.Events(t.Context(), state.EventQuery{Kinds: []string{"grant.ended"}, Limit: 100})
			if err != nil || len(events) != 2 || events[0].Detail["capability"] == events[1].Detail["capability"] {
				t.Errorf("killed at change %d, after it: %v: %+v, %v", left, after, events, err)
			}
		}
	}
}

package approvals

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Life is a tier's rule about how long its grants allow anything. The zero value is: for ever.
type Life struct {
	// Days is the most days that a grant lives; 0: for ever.
	Days int `json:"days"`
	// CertifyDays is how many days a grant lives before a reviewer has to say that it is still needed; 0: no
	// one has to.
	CertifyDays int `json:"certify_days"`
	// UnusedDays is after how many days a grant lapses that nothing uses; 0: it does not.
	UnusedDays int `json:"unused_days"`
	// EmergencyHours is the most hours for which a grant can be made before its review; 0: none can.
	EmergencyHours int `json:"emergency_hours"`
}

// mostDays bounds each of them: ten years.
const mostDays = 3660

// Check reports what is wrong with a rule.
func (l Life) Check() error {
	for name, n := range map[string]int{"days": l.Days, "certify_days": l.CertifyDays} {
		if n < 0 || n > mostDays {
			return fmt.Errorf("%s is 0 to %d days, not %d", name, mostDays, n)
		}
	}
	if n := l.UnusedDays; n != 0 && (n < leastIdle || n > mostDays) {
		return fmt.Errorf("unused_days is 0, or %d to %d days, of which owners are told two weeks before, not %d", leastIdle, mostDays, n)
	}
	if n := l.EmergencyHours; n < 0 || n > mostEmergencyHours {
		return fmt.Errorf("emergency_hours is 0, which is none, to %d hours, not %d", mostEmergencyHours, n)
	}
	return nil
}

// String says a rule in words.
func (l Life) String() string {
	var words []string
	if l.Days > 0 {
		words = append(words, fmt.Sprintf("at most %s", inDays(l.Days)))
	}
	if l.CertifyDays > 0 {
		words = append(words, fmt.Sprintf("certified every %s", inDays(l.CertifyDays)))
	}
	if l.UnusedDays > 0 {
		words = append(words, fmt.Sprintf("as long as it is used every %s", inDays(l.UnusedDays)))
	}
	if len(words) == 0 {
		words = []string{"for ever"}
	}
	if l.EmergencyHours > 0 {
		words = append(words, fmt.Sprintf("in an emergency %d hours before its review", l.EmergencyHours))
	}
	return strings.Join(words, ", ")
}

func inDays(n int) string {
	if n == 1 {
		return "day"
	}
	return fmt.Sprintf("%d days", n)
}

func daysAfter(from time.Time, n int) time.Time { return from.Add(time.Duration(n) * 24 * time.Hour) }

// sooner is the earlier of two times of which zero is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

// bound is the last moment of a grant that is made at a time, as its reviewers and the rule have it; zero:
// there is none.
func (l Life) bound(at, until time.Time) time.Time {
	if l.Days == 0 {
		return until
	}
	return sooner(until, daysAfter(at, l.Days))
}

// expires is when a grant ends that may live until then, if nobody certifies it after a time.
func (l Life) expires(at, until time.Time) time.Time {
	if l.CertifyDays == 0 {
		return until
	}
	return sooner(until, daysAfter(at, l.CertifyDays))
}

// Admits returns an error unless reviewers may let a grant that is made at a time hold until then.
func (l Life) Admits(at, until time.Time) error {
	switch {
	case until.IsZero():
	case !until.After(at):
		return fmt.Errorf("%w: %s is over; say a time that is to come", ErrBadRequest, until.UTC().Format(time.RFC3339))
	case l.Days > 0 && until.After(daysAfter(at, l.Days)):
		return fmt.Errorf("%w: the rules of the tier let a grant live %s at most; say a time before %s, or none", ErrBadRequest, inDays(l.Days), daysAfter(at, l.Days).UTC().Format(time.RFC3339))
	}
	return nil
}

// untilOf is when the grants of a request end, as those have it whose votes count: the earliest of them.
func untilOf(votes []Vote) (until time.Time) {
	for _, v := range votes {
		if v.Approve && v.Void == "" {
			until = sooner(until, v.Until)
		}
	}
	return until
}

// Certifiable reports whether somebody who says that the grant is still needed makes it hold longer.
func (g Grant) Certifiable() bool {
	return !g.Expires.IsZero() && (g.Until.IsZero() || g.Expires.Before(g.Until))
}

// Cause is why a grant ends by itself.
type Cause string

// Why grants end by themselves.
const (
	CauseExpired     Cause = "expired"     // it was granted until then
	CauseUncertified Cause = "uncertified" // no reviewer said that it is still needed
	CauseUnused      Cause = "unused"      // nothing used it
)

// Cause is why the grant ends when it expires.
func (g Grant) Cause() Cause {
	if g.Certifiable() {
		return CauseUncertified
	}
	return CauseExpired
}

// Steps of an end, of which each is told once.
const (
	StepNone = iota
	StepWeeks
	StepDay
	StepEnded
)

// StepDays are how many days before the end the steps are that come before it.
var StepDays = map[int]int{StepWeeks: 14, StepDay: 1}

// Told is what was told of a grant's end.
type Told struct {
	Of   time.Time `json:"of,omitzero"`    // the end that it was about: another one is told of anew
	Step int       `json:"step,omitempty"` // the last one
}

// step is how near the end is. Before that of a grant that was never to live longer there is no step.
func (g Grant) step(now time.Time) int {
	from := g.Created
	if g.Certified.After(from) {
		from = g.Certified
	}
	switch left, whole := g.Expires.Sub(now), g.Expires.Sub(from); {
	case left <= 0:
		return StepEnded
	case left <= 24*time.Hour && whole > 24*time.Hour:
		return StepDay
	case left <= 14*24*time.Hour && whole > 14*24*time.Hour:
		return StepWeeks
	}
	return StepNone
}

// Near notes how near the end of a grant is, and returns the step to tell, if there is one, and whether the
// grant is another one then. An end that a clock which was wrong brought, and that is to come again, is told again.
func (g *Grant) Near(now time.Time) (tell int, changed bool) {
	if g.Expires.IsZero() || !g.Revoked.IsZero() {
		return StepNone, false
	}
	was := g.Told
	if !was.Of.Equal(g.Expires) {
		was = Told{Of: g.Expires}
	}
	is := was
	switch step := g.step(now); {
	case step > was.Step:
		is.Step, tell = step, step
	case was.Step == StepEnded && step < StepEnded:
		is.Step = StepDay
	}
	if is.Step == StepNone || is == g.Told {
		return StepNone, false
	}
	g.Told = is
	return tell, true
}

// Date gives a grant that was made under other rules the end that the rules want of it, counted from now, and
// reports whether it did: none ends in a moment because a rule became stricter.
func (g *Grant) Date(l Life, now time.Time) bool {
	if !g.Live(now) {
		return false
	}
	was := *g
	if g.Until.IsZero() {
		g.Until = l.bound(now, time.Time{})
	}
	if g.Expires.IsZero() {
		g.Expires = l.expires(now, g.Until)
	} else if l.CertifyDays == 0 {
		g.Expires = g.Until // nobody has to certify it any more
	}
	g.Expires = sooner(g.Expires, g.Until)
	return !g.Expires.Equal(was.Expires) || !g.Until.Equal(was.Until)
}

// Outlives reports whether the grant is a newer one that allows the capability of another wherever that holds,
// and for longer.
func (g Grant) Outlives(o Grant, now time.Time) bool {
	return g.ID != o.ID && g.Capability == o.Capability && g.Tier.Rank() >= o.Tier.Rank() && g.Created.After(o.Created) && g.Live(now) &&
		(g.Expires.IsZero() || !o.Live(now) || !o.Expires.IsZero() && g.Expires.After(o.Expires))
}

var (
	// ErrGrantEnded: the grant allows nothing any more.
	ErrGrantEnded = errors.New("the grant has ended")
	// ErrNothingToCertify: no reviewer's word makes the grant hold longer.
	ErrNothingToCertify = errors.New("there is nothing to certify")
)

// Certify has a live grant hold for as long as the rule of its tier lets it before the next time, within the end
// that it was given. The caller has checked that who certifies is a reviewer.
func Certify(tx Tx, id, by, reason string, l Life, now time.Time) (Grant, error) {
	g, err := tx.Grant(id)
	switch {
	case err != nil:
		return g, fmt.Errorf("grant %q: %w", id, err)
	case strings.TrimSpace(reason) == "":
		return g, fmt.Errorf("say why %s still needs it: %w", g.App, ErrReasonMissing)
	case !g.Live(now):
		return g, fmt.Errorf("grant %s allows nothing any more, and is asked for anew: %w", id, ErrGrantEnded)
	case g.Expires.IsZero():
		return g, fmt.Errorf("grant %s has no end: %w", id, ErrNothingToCertify)
	case !g.Certifiable():
		return g, fmt.Errorf("grant %s was given until %s, and is asked for anew before that: %w", id, g.Until.UTC().Format(time.RFC3339), ErrNothingToCertify)
	}
	g.Expires = l.expires(now, g.Until)
	g.Certified, g.CertifiedBy, g.CertifiedFor = now, by, reason
	return g, tx.PutGrant(g)
}

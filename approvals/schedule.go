package approvals

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// MostAhead is how many days ahead a promotion can be set to start.
const MostAhead = 30

// Schedule is when an approved promotion takes effect, if not at once.
type Schedule struct {
	Starts  time.Time `json:"starts,omitzero"`  // the time that was set, if it was to come when the last vote was counted
	Started time.Time `json:"started,omitzero"` // when it did: until then nothing of it has any effect
	// NotStarted is why it never will: what it was approved for did not hold any more.
	NotStarted string `json:"not_started,omitempty"`
}

// NotStartedError is why a promotion does not start at its time: what it was approved for does not hold any more.
type NotStartedError struct{ why string }

func (e *NotStartedError) Error() string { return e.why }

func notStarted(form string, args ...any) error {
	return &NotStartedError{fmt.Sprintf(form, args...)}
}

// startsOf is when a promotion begins, as those have it whose votes count: the latest of their times.
func startsOf(votes []Vote) (starts time.Time) {
	for _, v := range votes {
		if v.Approve && v.Void == "" && v.Starts.After(starts) {
			starts = v.Starts
		}
	}
	return starts
}

// begins is when what a ballot approves begins by that ballot alone.
func (b Ballot) begins() time.Time {
	if b.Starts.After(b.At) {
		return b.Starts
	}
	return b.At
}

// begins is when what a decided request does begins, or began.
func begins(q Request) time.Time {
	switch {
	case !q.Started.IsZero():
		return q.Started
	case q.Starts.After(q.Decision.At):
		return q.Starts
	}
	return q.Decision.At
}

// admitsStart returns an error unless a ballot may set the time at which a request starts.
func admitsStart(q Request, b Ballot) error {
	switch {
	case b.Starts.IsZero():
	case !b.Approve || q.Kind != KindPromotion:
		return fmt.Errorf("%w: the approval of a promotion sets when it starts, and your vote about %s is none; leave the time out", ErrBadRequest, q.ID)
	case !b.Starts.After(b.At):
		return fmt.Errorf("%w: %s is over; say a time that is to come, or leave it out to start at once", ErrBadRequest, b.Starts.UTC().Format(time.RFC3339))
	case b.Starts.After(daysAfter(b.At, MostAhead)):
		return fmt.Errorf("%w: a promotion starts in %d days at the latest; say a time before %s", ErrBadRequest, MostAhead, daysAfter(b.At, MostAhead).UTC().Format(time.RFC3339))
	}
	return nil
}

// Startable reports whether an approved promotion is to start.
func Startable(q Request, now time.Time) bool {
	return q.Status == StatusScheduled && !now.Before(q.Starts)
}

// Start has an approved promotion take effect now, if its votes approve it as things are: they are counted as if
// the last had just been cast. What it grants, and where it leads, is for the caller. A NotStartedError if they do not.
func Start(q Request, v Verdict, terms Terms, voters Voters, now time.Time) (Request, error) {
	as := q
	as.Status = StatusOpen
	if more := as.Renew(v, terms); len(more) > 0 {
		return q, notStarted("it would grant %s beside what was approved", strings.Join(more, " and "))
	}
	if err := as.Count(v.Policy, voters); err != nil {
		return q, err
	}
	if waits := as.Waits(); len(waits) > 0 {
		return q, notStarted("it needs the vote of %s again%s", waits[0], because(as))
	}
	if !as.Staged() { // where stages are named, their count has asked
		by, err := unable(as, voters)
		if err != nil {
			return q, err
		}
		if by != "" {
			return q, notStarted("%s does not review what it asks for any more", by)
		}
	}
	if until := q.Decision.Until; !until.IsZero() && !until.After(now) {
		return q, notStarted("what it grants was to end on %s", until.UTC().Format(time.RFC3339))
	}
	as.Status, as.Started = StatusApproved, now
	return as, nil
}

// because says why a vote does not count any more; "" if all do.
func because(q Request) string {
	for _, v := range q.Votes {
		if v.Approve && v.Void != "" {
			return ", because that of " + v.By + " does not count any more: " + v.Void
		}
	}
	return ""
}

// unable returns who approved a request without stages and could not any more, by the roles that they have now.
func unable(q Request, voters Voters) (by string, err error) {
	for _, v := range q.Votes {
		if !v.Approve || v.Void != "" {
			continue
		}
		who, err := voters(v.By)
		if err != nil {
			return "", err
		}
		may := who.Whole && v.For == "" || slices.ContainsFunc(who.For, func(o Voter) bool { return o.Name == v.For && o.Whole })
		if !may {
			return v.By, nil
		}
	}
	return "", nil
}

// NotStart closes an approved promotion that does not start.
func NotStart(q Request, why string, now time.Time) Request {
	q.Status, q.Turn, q.NotStarted = StatusWithdrawn, TurnOver, why
	q.Decision = &Decision{Reason: "it did not start: " + why, By: "node", At: now, Digest: q.Digest}
	return q
}

package approvals

import (
	"fmt"
	"time"
)

// Clocks are how many hours each side has when it is its turn; 0: as many as it likes.
type Clocks struct {
	Reviewers int `json:"reviewers"`
	Requester int `json:"requester"`
	// Withdraw is how long after its requester was told that the time is over a request is withdrawn; 0: never.
	Withdraw int `json:"withdraw"`
}

// mostHours bounds each of them: a year.
const mostHours = 366 * 24

// Check reports what is wrong with clocks.
func (c Clocks) Check() error {
	for name, n := range map[string]int{"reviewers": c.Reviewers, "requester": c.Requester, "withdraw": c.Withdraw} {
		if n < 0 || n > mostHours {
			return fmt.Errorf("%s is 0 to %d hours, not %d", name, mostHours, n)
		}
	}
	if c.Withdraw > 0 && c.Requester == 0 {
		return fmt.Errorf("withdraw counts from the end of the requester's time: say how many hours that is, in requester")
	}
	return nil
}

// Of is how long those have whose turn it is; 0: as long as they like.
func (c Clocks) Of(t Turn) time.Duration {
	switch t {
	case TurnReviewers:
		return time.Duration(c.Reviewers) * time.Hour
	case TurnRequester:
		return time.Duration(c.Requester) * time.Hour
	}
	return 0
}

// Clock is where the clock of an open request stands. It runs against those whose turn it is, and begins anew
// with each turn, and with the turn of each stage's reviewers. It counts the time that nodes have run,
// and not what their clocks say: nothing depends on these.
type Clock struct {
	Began  int64 `json:"began,omitempty"`   // when it was first looked at in this turn, in seconds that nodes have run; 0: not yet
	Told   int   `json:"told,omitempty"`    // how often it was told that the time is over, in this turn
	ToldAt int64 `json:"told_at,omitempty"` // for the first time, in such seconds
	// Due is about when the time is over, for people who read it.
	Due   time.Time `json:"due,omitzero"`
	Hours int       `json:"hours,omitempty"` // that Due is by
}

// restart begins a turn.
func (q *Request) restart() { q.Clock = Clock{} }

// Overdue reports whether the time of those is over whose turn it is.
func (q Request) Overdue() bool { return q.Status == StatusOpen && q.Told > 0 }

// Ring is what a clock has to tell.
type Ring string

// What clocks tell.
const (
	RingNothing   Ring = ""
	RingOverdue   Ring = "overdue"   // to those whose turn it is
	RingEscalated Ring = "escalated" // to operators, after the same time once more
	RingWithdrawn Ring = "withdrawn" // the requester has not answered
)

// Run does one thing that a clock has to do when so many seconds were worked, if there is any, and reports
// whether the request is another one then. now is for people to read, and for nothing else.
func (q *Request) Run(c Clocks, worked int64, now time.Time) (rings Ring, changed bool) {
	if q.Status != StatusOpen {
		return RingNothing, false
	}
	if q.Began == 0 {
		q.Began, changed = worked, true
	}
	of := c.Of(q.WaitsFor())
	if hours := int(of.Hours()); hours != q.Hours {
		q.Hours, q.Due, changed = hours, time.Time{}, true
		if of > 0 {
			q.Due = now.Add(of - seconds(worked-q.Began)).Truncate(time.Minute)
		}
	}
	switch told := seconds(worked - q.ToldAt); {
	case of == 0:
	case q.Told == 0 && seconds(worked-q.Began) >= of:
		q.Told, q.ToldAt = 1, worked
		return RingOverdue, true
	case q.Told == 0:
	case q.WaitsFor() == TurnRequester && c.Withdraw > 0 && told >= time.Duration(c.Withdraw)*time.Hour:
		q.Status, q.Turn = StatusWithdrawn, TurnOver
		q.Decision = &Decision{Reason: fmt.Sprintf("nobody answered what was asked of it in %s", days(c.Requester+c.Withdraw)), By: "node", At: now, Digest: q.Digest}
		return RingWithdrawn, true
	case q.Told == 1 && told >= of:
		q.Told = 2
		return RingEscalated, true
	}
	return RingNothing, changed
}

func seconds(n int64) time.Duration { return time.Duration(n) * time.Second }

func days(hours int) string {
	if hours%24 != 0 {
		return fmt.Sprintf("%d hours", hours)
	}
	return fmt.Sprintf("%d days", hours/24)
}

package approvals

import (
	"time"

	"github.com/agora-host/agora/abi"
)

// Idle is since when nothing has used a grant. It counts the time that nodes have run, and not what their clocks
// say. Any release of the app that uses the capability uses all of the app's grants of it.
type Idle struct {
	Uses  uint64 `json:"uses,omitempty"`  // how many uses there were then, and are still
	Since int64  `json:"since,omitempty"` // in seconds that nodes have run; 0: it was not looked at yet
	Told  int64  `json:"told,omitempty"`  // when its owners were told that it is about to lapse, in such seconds
}

// IdleStep is what there is to do about a grant that nothing uses.
type IdleStep int

// The steps of a grant that nothing uses, each done once.
const (
	IdleNothing IdleStep = iota
	IdleNoted            // to note since when that is so, for the next node
	IdleWarned           // to tell its owners that it is about to lapse
	IdleLapsed           // to end it
)

// A grant that is used every week is never written for it; and its owners have two weeks.
const (
	idleNoted  = 7 * 24 * time.Hour
	idleWarned = 14 * 24 * time.Hour
	leastIdle  = 28 // days
)

// Measured reports whether uses of a capability are counted. A topic that an app receives is nothing that it calls.
func Measured(word string) bool { return word != abi.CapabilitySubscribe }

// Rest notes since when nothing has used a grant, as was seen when so many seconds were worked, and returns what
// there is to do about it. A grant does not lapse before its owners had two weeks.
func (g *Grant) Rest(l Life, seen Idle, worked int64) IdleStep {
	is, most := g.Idle, time.Duration(l.UnusedDays)*24*time.Hour
	if is.Since != seen.Since || is.Uses != seen.Uses {
		is = Idle{Uses: seen.Uses, Since: seen.Since}
	}
	idle := seconds(worked - is.Since)
	switch {
	case l.UnusedDays == 0:
		return IdleNothing
	case idle >= most-idleWarned && is.Told == 0:
		is.Told = worked
		g.Idle = is
		return IdleWarned
	case idle >= most && seconds(worked-is.Told) >= idleWarned: // two weeks, however late they were told
		g.Idle = is
		return IdleLapsed
	case idle >= idleNoted && is != g.Idle:
		g.Idle = is
		return IdleNoted
	}
	return IdleNothing
}

package control

import (
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/state"
)

// ShownDelegation is a delegation as it is shown.
type ShownDelegation struct {
	access.Delegation
	By    string `json:"by"`            // in whose place To decides
	Holds bool   `json:"holds"`         // it holds now
	Why   string `json:"why,omitempty"` // why it does not
}

// NewDelegation is a delegation that is asked for.
type NewDelegation struct {
	To       string           `json:"to,omitempty"`       // "": the actor is away, and nobody decides in their place
	Concerns []access.Concern `json:"concerns,omitempty"` // none: all that the actor reviews
	From     time.Time        `json:"from,omitzero"`      // default now
	Until    time.Time        `json:"until"`
	Reason   string           `json:"reason,omitempty"` // needed if it names a person
}

// Absent is a reviewer who has said that they are away, and named nobody who decides in their place.
type Absent struct {
	Person string    `json:"person"`
	Until  time.Time `json:"until"`
}

// Day is the last day of the absence.
func (a Absent) Day() time.Time { return a.Until.Add(-time.Nanosecond).UTC() }

// AwayFrom lists, by name, the reviewers who could still vote about an open request, of which the votes that do not
// count any more are noted, by their own roles and have said that they are away; of all who have said so anywhere.
func AwayFrom(tx state.Reader, absent []access.User, q approvals.Request, now time.Time) (away []Absent, err error) {
	if q.WaitsFor() != approvals.TurnReviewers {
		return nil, nil
	}
	for _, u := range absent {
		until := u.AwayUntil(now)
		if until.IsZero() || u.Disabled {
			continue
		}
		a, err := access.ActorOf(tx, u, access.Credential{Kind: access.KindSession}, now)
		if err != nil {
			return nil, err
		}
		if a.For = nil; votes(a, q) {
			away = append(away, Absent{u.Name, until})
		}
	}
	return away, nil
}

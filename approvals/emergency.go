package approvals

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

var (
	// ErrEmergencyOff: the rules of the tier let nobody break the glass.
	ErrEmergencyOff = errors.New("the rules of the tier allow nothing without a review, in an emergency either")
	// ErrEmergencyOpen: the review that an earlier emergency waits for has to come first.
	ErrEmergencyOpen = errors.New("the review of an earlier emergency is open")
	// ErrEmergencyRejected: a review said of the last emergency that it was none.
	ErrEmergencyRejected = errors.New("the last emergency was not approved")
)

// mostEmergencyHours bounds what a tier can say: a week, in which some reviewer is there.
const mostEmergencyHours = 7 * 24

// distrust is how long after an emergency that no reviewer approved the next one takes an operator.
const distrust = 30 * 24 * time.Hour

// MayBreakGlass returns an error unless an app may have a capability before its review: no review of an earlier
// emergency with it is open, none of the app is overdue, and the last one with it was not turned down a short while
// ago. trusted is an operator who did not ask for that one: the last condition is not for them.
func MayBreakGlass(tx Reader, app, capability string, trusted func(Request) bool, now time.Time) error {
	open, err := tx.OpenRequests(app, KindGrant)
	if err != nil {
		return err
	}
	for _, q := range open {
		switch {
		case q.Emergency == "":
		case q.Capability == capability:
			return fmt.Errorf("%s waits for the review of %s, which gave %s to %s: %w", q.ID, q.Emergency, capability, app, ErrEmergencyOpen)
		case q.Overdue():
			return fmt.Errorf("%s, the review of %s, is overdue, and the app gets no other emergency before it: %w", q.ID, q.Emergency, ErrEmergencyOpen)
		}
	}
	all, err := tx.AskedFor(app, capability)
	if err != nil {
		return err
	}
	for _, q := range all { // the newest first
		if q.Emergency == "" {
			continue
		}
		if q.Status != StatusApproved && q.Decision != nil && now.Before(q.Decision.At.Add(distrust)) && !trusted(q) {
			return fmt.Errorf("%s, the review of %s, was %s at %s; until %s an operator who did not ask for it has to break the glass: %w", q.ID, q.Emergency, q.Status, q.Decision.At.UTC().Format(time.RFC3339), q.Decision.At.Add(distrust).UTC().Format(time.RFC3339), ErrEmergencyRejected)
		}
		break
	}
	return nil
}

// BreakGlass makes a grant before its review, and opens the request for that review, which asks for the same for as
// long as the rules let it. The grant holds for one release, for so many hours, and no longer than its request is
// open. A request for the same that waits already is withdrawn for it, and returned: who voted there did so about
// something that was not there yet.
func BreakGlass(tx Tx, q Request, hours int, l Life) (Request, Grant, []Request, error) {
	switch {
	case l.EmergencyHours == 0:
		return q, Grant{}, nil, fmt.Errorf("%s, tier %s: %w", q.App, q.Tier, ErrEmergencyOff)
	case hours < 1 || hours > l.EmergencyHours:
		return q, Grant{}, nil, fmt.Errorf("%w: an emergency in the %s tier is 1 to %d hours, not %d", ErrBadRequest, q.Tier, l.EmergencyHours, hours)
	case strings.TrimSpace(q.Reason) == "":
		return q, Grant{}, nil, fmt.Errorf("say what the emergency is; reviewers read it: %w", ErrReasonMissing)
	}
	known, err := tx.OpenRequests(q.App, q.Kind)
	if err != nil {
		return q, Grant{}, nil, err
	}
	if q.ID, err = tx.NextRequest(); err != nil {
		return q, Grant{}, nil, err
	}
	var gone []Request
	for _, old := range known {
		if old.Tier != q.Tier || old.Capability != q.Capability || old.Release != q.Release {
			continue
		}
		old.Status, old.Turn, old.ReplacedBy = StatusWithdrawn, TurnOver, q.ID
		old.Decision = &Decision{Reason: fmt.Sprintf("%s asks about it, in an emergency", q.ID), By: q.By, At: q.Created, Digest: old.Digest}
		if err := tx.PutRequest(old); err != nil {
			return q, Grant{}, nil, err
		}
		q.Replaces, gone = old.ID, append(gone, old)
	}
	g := Grant{
		ID: "emergency-" + strings.TrimPrefix(q.ID, "req-"), Emergency: true, App: q.App, Capability: q.Capability, Tier: q.Tier, Params: q.Params,
		Request: q.ID, By: q.By, Reason: q.Reason, Created: q.Created, Reviewed: q.Reviewed,
	}
	g.Expires = q.Created.Add(time.Duration(hours) * time.Hour)
	g.Until = g.Expires
	q.Emergency, q.Status, q.Turn = g.ID, StatusOpen, TurnReviewers
	q.restart()
	if err := tx.PutRequest(q); err != nil {
		return q, g, nil, err
	}
	return q, g, gone, tx.PutGrant(g)
}

// EndEmergency ends the grant that a request was opened after, if the request is not open any more: what an approval
// grants is a grant of its own, so that each says who allowed it. It returns the grant, nil if none ended.
func EndEmergency(tx Tx, q Request) (*Grant, error) {
	if q.Emergency == "" || q.Status == StatusOpen {
		return nil, nil
	}
	g, err := tx.Grant(q.Emergency)
	if err != nil {
		return nil, fmt.Errorf("grant %q: %w", q.Emergency, err)
	}
	if !g.Revoked.IsZero() {
		return nil, nil
	}
	g.Revoked, g.RevokedBy, g.RevokedFor = q.Decision.At, q.Decision.By, fmt.Sprintf("%s was %s", q.ID, q.Status)
	if q.Decision.Reason != "" {
		g.RevokedFor += ": " + q.Decision.Reason
	}
	return &g, tx.PutGrant(g)
}

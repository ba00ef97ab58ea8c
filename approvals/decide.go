package approvals

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
)

// Open stores a new request. ErrAlreadyRequested if the same thing is open.
func Open(tx Tx, q Request) (Request, error) {
	known, err := tx.Requests()
	if err != nil {
		return Request{}, err
	}
	for _, k := range known {
		if k.Status == StatusOpen && k.Kind == q.Kind && k.App == q.App && k.Tier == q.Tier && k.Capability == q.Capability &&
			(q.Kind == KindGrant || k.Release == q.Release) {
			return Request{}, fmt.Errorf("request %s waits for the same: %w", k.ID, ErrAlreadyRequested)
		}
	}
	if q.ID, err = tx.NextRequest(); err != nil {
		return Request{}, err
	}
	q.Status, q.Decision = StatusOpen, nil
	return q, tx.PutRequest(q)
}

// Decide closes a request. Approving a grant request makes the grant. The
// caller has checked that the decider has the reviewer role.
func Decide(tx Tx, id string, d Decision) (Request, *Grant, error) {
	q, err := open(tx, id)
	if err != nil {
		return Request{}, nil, err
	}
	if d.By == q.Owner || d.By == q.By {
		return Request{}, nil, fmt.Errorf("%s was made by %s for an app of %s; another reviewer has to decide: %w", id, q.By, q.Owner, ErrSelfReview)
	}
	if !d.Approve && strings.TrimSpace(d.Reason) == "" {
		return Request{}, nil, fmt.Errorf("say to %s why it is rejected: %w", q.By, ErrReasonMissing)
	}
	q.Status, q.Decision = StatusRejected, &d
	if d.Approve {
		q.Status = StatusApproved
	}
	if err := tx.PutRequest(q); err != nil {
		return Request{}, nil, err
	}
	if !d.Approve || q.Kind != KindGrant {
		return q, nil, nil
	}
	g := Grant{
		ID: "grant-" + strings.TrimPrefix(q.ID, "req-"), App: q.App, Capability: q.Capability, Tier: q.Tier, Params: q.Params,
		Request: q.ID, By: d.By, Reason: d.Reason, Created: d.At,
	}
	return q, &g, tx.PutGrant(g)
}

// Withdraw closes one's own request.
func Withdraw(tx Tx, id, by string, now time.Time) (Request, error) {
	q, err := open(tx, id)
	if err != nil {
		return Request{}, err
	}
	if by != q.By && by != q.Owner {
		return Request{}, fmt.Errorf("%s can be withdrawn by %s or %s: %w", id, q.By, q.Owner, ErrNotYours)
	}
	q.Status, q.Decision = StatusWithdrawn, &Decision{By: by, At: now}
	return q, tx.PutRequest(q)
}

func open(tx Tx, id string) (Request, error) {
	q, err := tx.Request(id)
	if err != nil {
		return Request{}, fmt.Errorf("request %q: %w", id, err)
	}
	if q.Status != StatusOpen {
		return Request{}, fmt.Errorf("request %s is %s: %w", id, q.Status, ErrAlreadyDecided)
	}
	return q, nil
}

// Revoke ends a grant. Revoking again changes nothing.
func Revoke(tx Tx, id, by, reason string, now time.Time) (Grant, error) {
	g, err := tx.Grant(id)
	if err != nil {
		return Grant{}, fmt.Errorf("grant %q: %w", id, err)
	}
	if strings.TrimSpace(reason) == "" {
		return Grant{}, fmt.Errorf("the app's owner will want to know why: %w", ErrReasonMissing)
	}
	if !g.Revoked.IsZero() {
		return g, nil
	}
	g.Revoked, g.RevokedBy, g.RevokedFor = now, by, reason
	return g, tx.PutGrant(g)
}

// Shrink makes a live grant allow less, at once. What it gave away comes back
// only through a new request.
func Shrink(tx Tx, id, by string, to abi.Params, now time.Time) (Grant, error) {
	g, err := tx.Grant(id)
	if err != nil {
		return Grant{}, fmt.Errorf("grant %q: %w", id, err)
	}
	switch {
	case !g.Live(now):
		return Grant{}, fmt.Errorf("grant %s holds no more: %w", id, ErrNothingToShrink)
	case !maps.Equal(abi.NarrowParams(g.Params, to), to) || len(to) != len(g.Params):
		return Grant{}, fmt.Errorf("%w: a grant is shrunk to a part of what it allows", ErrBadRequest)
	case maps.Equal(g.Params, to):
		return Grant{}, fmt.Errorf("grant %s: %w", id, ErrNothingToShrink)
	}
	g.Params, g.Shrunk, g.ShrunkBy = to, now, by
	return g, tx.PutGrant(g)
}

// Effective is the newest live grant of a capability for a tier: one for that
// tier or for a higher one.
func Effective(grants []Grant, tier abi.Tier, capability string, now time.Time) (Grant, bool) {
	var best Grant
	found := false
	for _, g := range grants {
		if g.Capability == capability && g.Tier.Rank() >= tier.Rank() && g.Live(now) && (!found || g.Created.After(best.Created)) {
			best, found = g, true
		}
	}
	return best, found
}

package approvals

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
)

// Open stores a new request. ErrAlreadyRequested if the same is open for the same
// release.
func Open(tx Tx, q Request) (Request, error) {
	known, err := tx.OpenRequests(q.App, q.Kind)
	if err != nil {
		return Request{}, err
	}
	for _, k := range known {
		if k.Tier == q.Tier && k.Capability == q.Capability && exemptFrom(k) == exemptFrom(q) && k.Release == q.Release {
			return Request{}, fmt.Errorf("request %s waits for the same: %w", k.ID, ErrAlreadyRequested)
		}
	}
	if q.ID, err = tx.NextRequest(); err != nil {
		return Request{}, err
	}
	q.Status, q.Turn, q.Decision, q.Votes, q.Thread = StatusOpen, TurnReviewers, nil, nil, nil
	q.restart()
	return q, tx.PutRequest(q)
}

// Supersede withdraws an app's open requests for grants about releases before one
// that was uploaded, so that no reviewer decides about bytes that are not what is
// asked for any more. It returns them. Requests for promotions name their release
// and stay.
func Supersede(tx Tx, app string, release int, by string, now time.Time) ([]Request, error) {
	known, err := tx.OpenRequests(app, KindGrant)
	if err != nil {
		return nil, err
	}
	var gone []Request
	for _, q := range known {
		if q.Release >= release || q.Renews != "" || q.Emergency != "" { // a renewal is about what the grant serves; and what was allowed before its review is reviewed
			continue
		}
		q.Status, q.Turn, q.Superseded = StatusWithdrawn, TurnOver, release
		q.Decision = &Decision{Reason: fmt.Sprintf("release %d was uploaded", release), By: by, At: now, Digest: q.Digest}
		if err := tx.PutRequest(q); err != nil {
			return nil, err
		}
		gone = append(gone, q)
	}
	return gone, nil
}

// Person is somebody who decides or takes back, with the ids of their groups. Sponsor is the person who
// answers for a service account.
type Person struct {
	Name    string
	Groups  []string
	Sponsor string
}

// Concerns reports whether a request is a person's own: they asked, or a service account that they
// answer for did, or they own the app.
func (q Request) Concerns(p Person) bool {
	who := cmp.Or(p.Sponsor, p.Name)
	return p.Name == q.By || (q.Sponsor != "" && who == q.Sponsor) || who == q.Owner || (q.CoOwner != "" && who == q.CoOwner) || (q.Group != "" && slices.Contains(p.Groups, q.Group))
}

// conflicts reports whether a person may not decide about a request: it is theirs, or they owned the
// app at some time while it was open.
func (q Request) conflicts(p Person) bool {
	return q.Concerns(p) || slices.Contains(q.Former, p.Name) || slices.ContainsFunc(p.Groups, func(g string) bool { return slices.Contains(q.Former, g) })
}

// DecidableBy reports whether a reviewer may decide an open request: one whom it does not concern.
func (q Request) DecidableBy(p Person) bool { return q.Status == StatusOpen && !q.conflicts(p) }

// OwnedBy makes an open request that of its app's owners of now. Those of before, people and groups, go
// on to decide nothing about it.
func (q Request) OwnedBy(owner, coOwner, group string) Request {
	for _, was := range []string{q.Owner, q.CoOwner, q.Group} {
		if was != "" && was != owner && was != coOwner && was != group {
			q = q.After(was)
		}
	}
	q.Owner, q.CoOwner, q.Group = owner, coOwner, group
	return q
}

// After notes somebody who owned the app while the request was open, a person or a group.
func (q Request) After(was string) Request {
	if !slices.Contains(q.Former, was) {
		q.Former = append(slices.Clone(q.Former), was)
	}
	return q
}

// Renew has an open request ask for what the policy asks for now, as far as people decide about it, and
// returns the capabilities that approving it would grant beside those that it said. What was asked for
// once stays asked for.
func (q *Request) Renew(v Verdict, terms Terms) (more []string) {
	requires := v.Requires
	if q.Kind == KindGrant {
		requires = v.Requirements(q.Capability)
	}
	had := q.Grants()
	for _, r := range q.Requires {
		if !slices.ContainsFunc(requires, func(o Requirement) bool { return o.Capability == r.Capability }) {
			requires = append(slices.Clone(requires), r)
		}
	}
	q.Requires, q.Stages, q.Policy, q.Reviewed = requires, v.Stages, v.Policy, terms
	return slices.DeleteFunc(q.Grants(), func(word string) bool { return slices.Contains(had, word) })
}

// Ballot is a vote as it is cast.
type Ballot struct {
	Approve bool
	Reason  string  // needed to reject
	Remedy  string  // of a rejection: what would pass
	Digest  string  // of the module that was looked at; "": of the one that it is about
	Concern *string // of the stage; nil: the first that waits for a reviewer such as this
	By      string
	At      time.Time
	Until   time.Time // of an approval: when what is granted ends; zero: as Life has it
	Starts  time.Time // of the approval of a promotion: when it begins; zero: at once
	Life    Life      // the rule of the request's tier
	Policy  Digest    // by which the votes so far count; "": the one by which the request was judged
}

// Decide casts a vote. The one that a request's last stage waited for approves it, and makes the grant
// of a request for one; what an approved promotion grants is what Granted returns. One rejection ends
// it. The caller has checked that who votes is a reviewer.
func Decide(tx Tx, id string, b Ballot, voters Voters) (Request, *Grant, error) {
	q, err := Undecided(tx, id)
	if err != nil {
		return Request{}, nil, err
	}
	who, err := q.admits(b, voters)
	if err != nil {
		return Request{}, nil, err
	}
	if err := q.Count(cmp.Or(b.Policy, q.Policy), voters); err != nil {
		return Request{}, nil, err
	}
	was, voted := q.VoteOf(b.By)
	if voted && b.Approve {
		return Request{}, nil, fmt.Errorf("%s at %s, and one person counts once; it waits for others: %w", was.approved(id, b.By), was.At.UTC().Format(time.RFC3339), ErrAlreadyVoted)
	}
	stage, inPlaceOf := Stage{Order: was.Stage, Concern: was.Concern}, "" // whoever approved may still reject
	if was.By == b.By {
		inPlaceOf = was.For
	}
	if !voted {
		if stage, inPlaceOf, err = q.stageFor(who, b.Concern); err != nil {
			return Request{}, nil, err
		}
	}
	if err := q.settle(b); err != nil {
		return Request{}, nil, err
	}
	stages := q.Waits()
	q.Votes = append(q.Votes, Vote{
		Stage: stage.Order, Concern: stage.Concern, By: b.By, For: inPlaceOf, Approve: b.Approve, Reason: b.Reason, Remedy: b.Remedy, At: b.At, Until: b.Until, Starts: b.Starts, About: q.basis(stage.Concern),
	})
	if now := q.Waits(); b.Approve && len(now) > 0 {
		if now[0].Order != stages[0].Order { // it is the turn of others
			q.restart()
		}
		return q, nil, tx.PutRequest(q)
	}
	return q.close(tx, b)
}

// approved says whose vote it is that a person has.
func (v Vote) approved(id, name string) string {
	switch {
	case v.By != name:
		return fmt.Sprintf("%s approved %s in your place", v.By, id)
	case v.For != "":
		return fmt.Sprintf("you approved %s in the place of %s", id, v.For)
	}
	return "you approved " + id
}

// admits returns an error unless somebody may cast a vote, whatever the stage.
func (q Request) admits(b Ballot, voters Voters) (who Voter, err error) {
	if who, err = voters(b.By); err != nil {
		return who, err
	}
	switch {
	case who.Gone != "":
		return who, fmt.Errorf("%s: %s: %w", q.ID, who.Gone, ErrNoVote)
	case q.Concerns(who.Person):
		return who, fmt.Errorf("%s was made by %s for an app of %s; another reviewer has to decide: %w", q.ID, q.By, q.Owner, ErrSelfReview)
	case q.conflicts(who.Person):
		return who, fmt.Errorf("%s is about an app that you owned while it was open; another reviewer has to decide: %w", q.ID, ErrSelfReview)
	case b.Digest != "" && b.Digest != q.Digest:
		return who, fmt.Errorf("%s is about the module %s, and you decided about %s: %w", q.ID, q.Digest, b.Digest, ErrChanged)
	case !b.Approve && strings.TrimSpace(b.Reason) == "":
		return who, fmt.Errorf("say to %s why it is rejected: %w", q.By, ErrReasonMissing)
	case !b.Until.IsZero() && (!b.Approve || len(q.Grants()) == 0):
		return who, fmt.Errorf("%w: your vote about %s would make no grant that could end; leave the time out", ErrBadRequest, q.ID)
	}
	if err := admitsStart(q, b); err != nil {
		return who, err
	}
	return who, b.Life.Admits(b.begins(), b.Until)
}

// close decides a request by its last vote.
func (q Request) close(tx Tx, b Ballot) (Request, *Grant, error) {
	q.Status, q.Turn = StatusRejected, TurnOver
	q.Decision = &Decision{Approve: b.Approve, Reason: b.Reason, Remedy: b.Remedy, Digest: q.Digest, By: b.By, For: q.Votes[len(q.Votes)-1].For, At: b.At}
	if b.Approve {
		q.Status, q.Decision.Policy = StatusApproved, q.Policy
		if starts := startsOf(q.Votes); starts.After(b.At) {
			q.Status, q.Starts = StatusScheduled, starts
		}
		if len(q.Grants()) > 0 {
			q.Decision.Until = b.Life.bound(begins(q), untilOf(q.Votes))
		}
		if until := q.Decision.Until; !until.IsZero() && !until.After(begins(q)) {
			return Request{}, nil, fmt.Errorf("%w: what %s grants would end on %s, before it starts on %s; say another time", ErrBadRequest, q.ID, until.UTC().Format(time.RFC3339), begins(q).UTC().Format(time.RFC3339))
		}
	}
	if err := tx.PutRequest(q); err != nil {
		return Request{}, nil, err
	}
	switch {
	case q.Kind != KindGrant:
		return q, nil, nil
	case !b.Approve && q.Renews != "": // the grant that it would have renewed holds until its end
		return q, nil, nil
	case !b.Approve:
		return q, nil, except(tx, q)
	}
	g := q.grant("grant-"+strings.TrimPrefix(q.ID, "req-"), q.Capability, q.Params, b.Life)
	var err error
	if g.Except, err = rejected(tx, q); err != nil {
		return Request{}, nil, err
	}
	return q, &g, tx.PutGrant(g)
}

// grant is a grant that an approved request makes.
func (q Request) grant(id, capability string, params abi.Params, life Life) Grant {
	return Grant{
		ID: id, App: q.App, Capability: capability, Tier: q.Tier, Params: params, Request: q.ID,
		By: q.Decision.By, Reason: q.Decision.Reason, Created: begins(q), Reviewed: q.Reviewed,
		Until: q.Decision.Until, Expires: life.expires(begins(q), q.Decision.Until),
	}
}

// Grants lists the capabilities that approving a request grants.
func (q Request) Grants() []string {
	switch q.Kind {
	case KindGrant:
		return []string{q.Capability}
	case KindAudience, KindExemption:
		return nil
	}
	return Capabilities(q.Requires)
}

// Granted stores and returns the grants of an approved promotion: what it required.
func Granted(tx Tx, q Request, life Life) ([]Grant, error) {
	var made []Grant
	for _, word := range q.Grants() {
		g := q.grant(q.ID+"-"+word, word, q.Reviewed.Asks[word], life)
		if err := tx.PutGrant(g); err != nil {
			return nil, err
		}
		made = append(made, g)
	}
	return made, nil
}

// except keeps rejected bytes out of the grants that would reach them by a rule.
func except(tx Tx, q Request) error {
	grants, err := tx.Grants(q.App)
	if err != nil {
		return err
	}
	for _, g := range grants {
		if g.Capability != q.Capability || slices.Contains(g.Except, q.Digest) {
			continue
		}
		g.Except = append(g.Except, q.Digest)
		if err := tx.PutGrant(g); err != nil {
			return err
		}
	}
	return nil
}

// rejected are the digests that were refused what a request asks for, where no
// later decision allowed it.
func rejected(tx Reader, asked Request) ([]string, error) {
	all, err := tx.AskedFor(asked.App, asked.Capability)
	if err != nil {
		return nil, err
	}
	var digests []string
	last := map[string]Decision{}
	for _, q := range all {
		if q.Decision == nil || q.Status == StatusWithdrawn || q.Digest == asked.Digest {
			continue
		}
		if d, ok := last[q.Digest]; !ok || q.Decision.At.After(d.At) {
			last[q.Digest] = *q.Decision
		}
	}
	for digest, d := range last {
		if !d.Approve {
			digests = append(digests, digest)
		}
	}
	slices.Sort(digests)
	return digests, nil
}

// Withdraw closes a request before it has any effect: one's own, or with a reason one that is approved and has not
// started. The caller has checked that who takes back another's approved one may.
func Withdraw(tx Tx, id string, by Person, reason string, now time.Time) (Request, error) {
	q, err := tx.Request(id)
	if err == nil && q.Status == StatusScheduled {
		if !q.Concerns(by) && strings.TrimSpace(reason) == "" {
			return Request{}, fmt.Errorf("say to %s why it does not start: %w", q.By, ErrReasonMissing)
		}
	} else if q, err = Undecided(tx, id); err != nil {
		return Request{}, err
	} else if !q.Concerns(by) {
		return Request{}, fmt.Errorf("%s can be withdrawn by %s or %s: %w", id, q.By, q.Owner, ErrNotYours)
	}
	q.Status, q.Turn, q.Decision = StatusWithdrawn, TurnOver, &Decision{By: by.Name, Reason: reason, At: now}
	return q, tx.PutRequest(q)
}

// Undecided returns a request that can be decided, or says why it cannot:
// ErrAlreadyDecided, or ErrChanged if an upload replaced it.
func Undecided(tx Reader, id string) (Request, error) {
	q, err := tx.Request(id)
	if err != nil {
		return Request{}, fmt.Errorf("request %q: %w", id, err)
	}
	if q.Superseded > 0 {
		now := "nothing is asked for any more"
		if q.ReplacedBy != "" {
			now = q.ReplacedBy + " asks about it"
		}
		return Request{}, fmt.Errorf("%s is about release %d; release %d was uploaded since, and %s: %w", id, q.Release, q.Superseded, now, ErrChanged)
	}
	if q.Status != StatusOpen {
		by := ""
		if d := q.Decision; d != nil {
			by = fmt.Sprintf(", by %s at %s", d.By, d.At.UTC().Format(time.RFC3339))
		}
		return Request{}, fmt.Errorf("request %s is %s%s: %w", id, q.Status, by, ErrAlreadyDecided)
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

// supersedes reports whether the grant holds in a tier, which is its own or below it, and is newer than
// another (nil: none).
func (g *Grant) supersedes(best *Grant, tier abi.Tier, now time.Time) bool {
	return g.Tier.Rank() >= tier.Rank() && (best == nil || g.Created.After(best.Created)) && g.Live(now)
}

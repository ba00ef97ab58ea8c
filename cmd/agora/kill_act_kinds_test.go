package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/sdk/client"
)

// acts are what a node is killed during.
var acts = []act{
	{"promotion", 6 * time.Millisecond, promotion},
	{"promotion-at-a-time", 250 * time.Millisecond, promotionAtATime},
	{"delegation", 3 * time.Millisecond, delegation},
	{"delegation-ends", 3 * time.Millisecond, delegationEnds},
	{"exemption", 6 * time.Millisecond, exemption},
	{"exemption-revoked", 3 * time.Millisecond, exemptionRevoked},
	{"quota", 3 * time.Millisecond, quota},
	{"quota-cleared", 3 * time.Millisecond, quotaCleared},
	{"quarantine", 3 * time.Millisecond, quarantine},
	{"quarantine-ends", 3 * time.Millisecond, quarantineEnds},
	{"grant-certified", 3 * time.Millisecond, grantCertified},
	{"grant-renewed", 6 * time.Millisecond, grantRenewed},
	{"grant-revoked", 3 * time.Millisecond, grantRevoked},
	{"grant-ends", 250 * time.Millisecond, grantEnds},
}

const (
	keysApp     = "keys"
	raisedQuota = "apps"
	awayFor     = 5 * time.Minute
)

// asked publishes a release, and asks to promote it. Each asks for another quota, so that the last vote makes a
// grant, too.
func (k *killing) asked() client.Request {
	k.Helper()
	ctx, module := k.Context(), relays[keysApp].Bytes()
	text := strings.Replace(killManifest, "shop", keysApp, 1) + "description = \"Keeps.\"\n" + fmt.Sprintf("[capabilities.kv]\nquota = \"%dKiB\"\n", 64+k.cycle%900)
	published := got(k.ada().Publish(ctx, []byte(text), module, got(sign(ctx, k.ada(), module, ""))(k), nil))(k)
	return got(k.ada().Promote(ctx, keysApp, published.Release.Number, abi.TierPilot, "ready"))(k)
}

// promoted are the parts of a promotion.
func promoted(q client.Request) func(k *killing) map[string]bool {
	return func(k *killing) map[string]bool {
		now, app := got(k.ada().Request(k.Context(), q.ID))(k), got(k.ada().App(k.Context(), q.App))(k)
		routed := 0
		for _, a := range got(k.ada().Activations(k.Context(), q.App))(k) {
			if a.Tier == q.Tier && a.Release == q.Release {
				routed++
			}
		}
		return map[string]bool{
			"decision": now.Status == "approved", "grant": len(k.grantsOf(q)) == 1,
			"route": app.Active[q.Tier] == q.Release, "record of the route": routed == 1,
		}
	}
}

// grantsOf are the grants that a request made.
func (k *killing) grantsOf(q client.Request) (made []client.Grant) {
	k.Helper()
	for _, g := range got(k.ada().Grants(k.Context(), q.App))(k) {
		if g.Request == q.ID {
			made = append(made, g)
		}
	}
	return made
}

func approve(id string, v client.Verdict) func(context.Context, *client.Client) error {
	v.Approve = true
	return func(ctx context.Context, api *client.Client) error {
		_, err := api.Vote(ctx, id, v)
		return err
	}
}

func promotion(k *killing) deed {
	q := k.asked()
	return deed{
		by: rexName, do: approve(q.ID, client.Verdict{}), again: "already-decided",
		events: []string{"request.approved", "grant.added", "release.activated"}, parts: promoted(q),
	}
}

// soon votes for something that has a time, which is over if the machine was busy: later then.
func (k *killing) soon(q client.Request, after time.Duration, verdict func(at time.Time) client.Verdict) time.Time {
	k.Helper()
	for ; ; after *= 2 {
		at := time.Now().Add(after)
		_, err := k.rex().Vote(k.Context(), q.ID, verdict(at))
		if err == nil {
			return at
		}
		if !isSlug(err, "bad-approval-request") || after > 10*time.Second {
			k.Fatal(err)
		}
	}
}

// promotionAtATime is approved to start when no node runs: the next that does starts it.
func promotionAtATime(k *killing) deed {
	q := k.asked()
	from := k.revision() // a node may look before this one is killed
	due := k.soon(q, 400*time.Millisecond, func(at time.Time) client.Verdict { return client.Verdict{Approve: true, Starts: at} })
	return deed{due: due, from: from, events: []string{"request.started", "grant.added", "release.activated"}, parts: promoted(q)}
}

// away is a delegation of rex to sue, that no other one of this cycle is like.
func (k *killing) away() client.NewDelegation {
	return client.NewDelegation{To: sueName, Until: time.Now().Add(awayFor).Truncate(time.Second), Reason: k.reason()}
}

// delegated is how many delegations of this cycle a person is shown.
func (k *killing) delegated(person string) (n int) {
	k.Helper()
	for _, d := range got(k.ada().Delegations(k.Context(), person))(k) {
		if d.Reason == k.reason() && d.By == rexName && d.To == sueName && d.Holds {
			n++
		}
	}
	return n
}

func delegation(k *killing) deed {
	for _, d := range got(k.rex().Delegations(k.Context(), ""))(k) {
		if err := k.rex().EndDelegation(k.Context(), "", d.ID); err != nil {
			k.Fatal(err)
		}
	}
	away := k.away()
	return deed{
		by: rexName, another: true, events: []string{"delegation.made"},
		do: func(ctx context.Context, api *client.Client) error {
			_, err := api.Delegate(ctx, away)
			return err
		},
		parts: func(k *killing) map[string]bool {
			return map[string]bool{"of rex": k.delegated(rexName) == 1, "to sue": k.delegated(sueName) == 1}
		},
	}
}

func delegationEnds(k *killing) deed {
	made := got(k.rex().Delegate(k.Context(), k.away()))(k)
	return deed{
		by: rexName, again: "no-delegation", events: []string{"delegation.ended"},
		do: func(ctx context.Context, api *client.Client) error { return api.EndDelegation(ctx, "", made.ID) },
		parts: func(k *killing) map[string]bool {
			return map[string]bool{"of rex": k.delegated(rexName) == 0, "to sue": k.delegated(sueName) == 0}
		},
	}
}

// exempting asks for an exemption.
func (k *killing) exempting() client.Request {
	k.Helper()
	for _, q := range got(k.ada().Exemptions(k.Context(), keysApp))(k) {
		got(k.rex().RevokeExemption(k.Context(), q.ID, "the next one comes"))(k)
	}
	return got(k.ada().AskExemption(k.Context(), keysApp, client.ExemptionAsk{
		Tier: "sandbox", Code: "limits.exceeded", Reason: k.reason(), Control: "it is watched", Until: time.Now().AddDate(0, 0, 30).UTC().Format(time.DateOnly),
	}))(k)
}

// exempts is how often an exemption is among those that an app has.
func (k *killing) exempts(q client.Request) (n int) {
	k.Helper()
	for _, e := range got(k.ada().App(k.Context(), q.App))(k).Exemptions {
		if e == q.ID {
			n++
		}
	}
	return n
}

func exemption(k *killing) deed {
	q := k.exempting()
	return deed{
		by: rexName, do: approve(q.ID, client.Verdict{}), again: "already-decided", events: []string{"request.approved"},
		parts: func(k *killing) map[string]bool {
			return map[string]bool{"decision": got(k.ada().Request(k.Context(), q.ID))(k).Status == "approved", "exemption": k.exempts(q) == 1}
		},
	}
}

func exemptionRevoked(k *killing) deed {
	q := k.exempting()
	got(k.rex().Decide(k.Context(), q.ID, true, ""))(k)
	return deed{
		by: rexName, again: "no-exemption", events: []string{"request.exemption_revoked"},
		do: func(ctx context.Context, api *client.Client) error {
			_, err := api.RevokeExemption(ctx, q.ID, k.reason())
			return err
		},
		parts: func(k *killing) map[string]bool {
			now := got(k.ada().Request(k.Context(), q.ID))(k)
			return map[string]bool{"revocation": now.Exemption.RevokedFor == k.reason(), "end of the exemption": k.exempts(q) == 0}
		},
	}
}

// raised is the setting of rex's quota, and what holds for rex.
func (k *killing) raised() (set []client.QuotaSetting, holds client.Quota) {
	k.Helper()
	for _, s := range got(k.ada().QuotaSettings(k.Context()))(k) {
		if s.Quota == raisedQuota && s.Of == rexName {
			set = append(set, s)
		}
	}
	for _, q := range got(k.ada().Quotas(k.Context(), rexName, ""))(k) {
		if q.Name == raisedQuota {
			holds = q
		}
	}
	return set, holds
}

func (k *killing) raise() client.SetQuota {
	return client.SetQuota{QuotaOf: client.QuotaOf{User: rexName}, Limit: int64(1000 + k.cycle), Reason: k.reason()}
}

func quota(k *killing) deed {
	to := k.raise()
	return deed{
		by: adaName, events: []string{"quota.set"},
		do: func(ctx context.Context, api *client.Client) error {
			_, err := api.SetQuota(ctx, raisedQuota, to)
			return err
		},
		parts: func(k *killing) map[string]bool {
			set, holds := k.raised()
			return map[string]bool{"setting": len(set) == 1 && set[0].Limit == to.Limit && set[0].Reason == to.Reason, "limit": holds.Limit == to.Limit}
		},
	}
}

func quotaCleared(k *killing) deed {
	to := k.raise()
	got(k.ada().SetQuota(k.Context(), raisedQuota, to))(k)
	return deed{
		by: adaName, again: "no-such-quota", events: []string{"quota.cleared"},
		do: func(ctx context.Context, api *client.Client) error {
			_, err := api.ClearQuota(ctx, raisedQuota, to.QuotaOf)
			return err
		},
		parts: func(k *killing) map[string]bool {
			set, holds := k.raised()
			return map[string]bool{"setting": len(set) == 0, "limit": holds.Limit != to.Limit}
		},
	}
}

// stopped are the parts of an app's being in quarantine or, with not, of its being out of it.
func stopped(not bool) func(k *killing) map[string]bool {
	return func(k *killing) map[string]bool {
		status, _, err := k.p.get(k.Context(), strings.Replace(k.p.console, "localhost", "files.localhost", 1)+"/")
		if err != nil {
			k.Fatal(err)
		}
		app := got(k.ada().App(k.Context(), "files"))(k)
		return map[string]bool{"state": (app.State == "quarantined") != not, "gateway": (status == http.StatusServiceUnavailable) != not}
	}
}

// well ends a quarantine that there is.
func (k *killing) well() {
	k.Helper()
	if got(k.ada().App(k.Context(), "files"))(k).State == "quarantined" {
		got(k.rex().EndQuarantine(k.Context(), "files", "it is well"))(k)
	}
}

func quarantine(k *killing) deed {
	k.well()
	return deed{
		by: rexName, again: "app-state", events: []string{"app.quarantined"}, parts: stopped(false),
		do: func(ctx context.Context, api *client.Client) error {
			_, err := api.Quarantine(ctx, "files", k.reason())
			return err
		},
	}
}

func quarantineEnds(k *killing) deed {
	k.well()
	got(k.rex().Quarantine(k.Context(), "files", k.reason()))(k)
	return deed{
		by: rexName, again: "app-state", events: []string{"app.unquarantined"}, parts: stopped(true),
		do: func(ctx context.Context, api *client.Client) error {
			_, err := api.EndQuarantine(ctx, "files", k.reason())
			return err
		},
	}
}

// granted is a grant that a promotion made, with the end that the rules want.
func (k *killing) granted() client.Grant {
	k.Helper()
	q := k.asked()
	got(k.rex().Decide(k.Context(), q.ID, true, ""))(k)
	return k.grantsOf(q)[0]
}

// now reads a grant.
func (k *killing) now(g client.Grant) client.Grant { return got(k.ada().Grant(k.Context(), g.ID))(k) }

func grantCertified(k *killing) deed {
	g := k.granted()
	return deed{
		by: rexName, events: []string{"grant.certified"},
		do: func(ctx context.Context, api *client.Client) error {
			_, err := api.CertifyGrant(ctx, g.ID, k.reason())
			return err
		},
		parts: func(k *killing) map[string]bool {
			is := k.now(g)
			return map[string]bool{"certificate": is.CertifiedFor == k.reason(), "end": is.Expires.After(g.Expires)}
		},
	}
}

func grantRenewed(k *killing) deed {
	g := k.granted()
	q := got(k.ada().RenewGrant(k.Context(), g.ID, k.reason()))(k)
	return deed{
		by: rexName, do: approve(q.ID, client.Verdict{}), again: "already-decided", events: []string{"request.approved", "grant.added"},
		parts: func(k *killing) map[string]bool {
			made := k.grantsOf(q)
			return map[string]bool{
				"decision": got(k.ada().Request(k.Context(), q.ID))(k).Status == "approved",
				"grant":    len(made) == 1 && made[0].Expires.After(g.Expires),
			}
		},
	}
}

func grantRevoked(k *killing) deed {
	g := k.granted()
	return deed{
		by: rexName, events: []string{"grant.revoked"},
		do: func(ctx context.Context, api *client.Client) error {
			_, err := api.RevokeGrant(ctx, g.ID, k.reason())
			return err
		},
		parts: func(k *killing) map[string]bool {
			return map[string]bool{"revocation": k.now(g).RevokedFor == k.reason()}
		},
	}
}

// grantEnds: that a grant has ended is told by the next node that starts.
func grantEnds(k *killing) deed {
	q := k.asked()
	due := k.soon(q, 150*time.Millisecond, func(at time.Time) client.Verdict { return client.Verdict{Approve: true, Until: at} })
	g := k.grantsOf(q)[0]
	return deed{
		due: due, events: []string{"grant.ended"},
		parts: func(k *killing) map[string]bool {
			return map[string]bool{"note of what was told": k.now(g).Told.Step == 3}
		},
	}
}

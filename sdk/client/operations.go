package client

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
)

// Info tells what the node is.
func (c *Client) Info(ctx context.Context) (Info, error) { return get[Info](ctx, c, "/info", nil) }

// Whoami tells whom the token belongs to.
func (c *Client) Whoami(ctx context.Context) (Whoami, error) {
	return get[Whoami](ctx, c, "/whoami", nil)
}

// Apps lists every app. This and the other lists are read page by page; see First.
func (c *Client) Apps(ctx context.Context) ([]App, error) { return c.FindApps(ctx, AppSearch{}) }

// FindApps lists the apps that a search finds, by title.
func (c *Client) FindApps(ctx context.Context, s AppSearch) ([]App, error) {
	q := url.Values{}
	for name, value := range map[string]string{"q": s.Text, "tier": s.Tier, "team": s.Team, "owner": s.Owner, "capability": s.Capability, "state": s.State} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if s.Orphaned {
		q.Set("orphaned", "true")
	}
	if s.OldEngine {
		q.Set("old_engine", "true")
	}
	return list[App](ctx, c, "/apps", q)
}

// App reads one app.
func (c *Client) App(ctx context.Context, name string) (App, error) {
	return read(ctx, c, "/apps/"+url.PathEscape(name), func(a *App) *string { return &a.ETag })
}

// Releases lists an app's releases, newest first.
func (c *Client) Releases(ctx context.Context, app string) ([]Release, error) {
	return list[Release](ctx, c, "/apps/"+url.PathEscape(app)+"/releases", nil)
}

// Release reads one release.
func (c *Client) Release(ctx context.Context, app string, number int) (Release, error) {
	return get[Release](ctx, c, fmt.Sprintf("/apps/%s/releases/%d", url.PathEscape(app), number), nil)
}

// ReleaseSource reads what a release was made of.
func (c *Client) ReleaseSource(ctx context.Context, app string, number int) (ReleaseSource, error) {
	return get[ReleaseSource](ctx, c, fmt.Sprintf("/apps/%s/releases/%d/source", url.PathEscape(app), number), nil)
}

// DeleteRelease deletes a release for good, unless it is needed.
func (c *Client) DeleteRelease(ctx context.Context, app string, number int) error {
	_, err := c.bytes(ctx, request{method: http.MethodDelete, path: fmt.Sprintf("/apps/%s/releases/%d", url.PathEscape(app), number)})
	return err
}

// Quotas are what a person ("" for the caller) and an app ("" for none) have and may have.
func (c *Client) Quotas(ctx context.Context, user, app string) ([]Quota, error) {
	return c.QuotasOf(ctx, QuotaOf{User: user, App: app})
}

// QuotasOf are what a person (the caller, if none is named), and a group and an app, if they are named,
// have and may have.
func (c *Client) QuotasOf(ctx context.Context, whose QuotaOf) ([]Quota, error) {
	return short[Quota](ctx, c, "/quotas", whose.query())
}

// QuotaSettings lists the quotas that operators set.
func (c *Client) QuotaSettings(ctx context.Context) ([]QuotaSetting, error) {
	return list[QuotaSetting](ctx, c, "/quotas/settings", nil)
}

// SetQuota sets a quota of one person, group or app, or of all of them alike.
func (c *Client) SetQuota(ctx context.Context, quota string, to SetQuota) (Quota, error) {
	return write[Quota](ctx, c, http.MethodPut, "/quotas/"+url.PathEscape(quota), to)
}

// ClearQuota takes back what was set of a quota, and returns what holds then.
func (c *Client) ClearQuota(ctx context.Context, quota string, whose QuotaOf) (Quota, error) {
	return do[Quota](ctx, c, request{method: http.MethodDelete, path: "/quotas/" + url.PathEscape(quota), query: whose.query()})
}

// Activate routes a tier to a release.
func (c *Client) Activate(ctx context.Context, app string, number int, tier abi.Tier, reason string) (Activation, error) {
	return post[Activation](ctx, c, "/apps/"+url.PathEscape(app)+"/activate", struct {
		Release int      `json:"release"`
		Tier    abi.Tier `json:"tier,omitempty"`
		Reason  string   `json:"reason"`
	}{number, tier, reason})
}

// RollBack routes a tier ("" for the highest that serves) to the release before.
func (c *Client) RollBack(ctx context.Context, app string, tier abi.Tier, reason string) (Activation, error) {
	return post[Activation](ctx, c, "/apps/"+url.PathEscape(app)+"/rollback", struct {
		Tier   abi.Tier `json:"tier,omitempty"`
		Reason string   `json:"reason"`
	}{tier, reason})
}

// Promote asks for a release to enter a higher tier.
func (c *Client) Promote(ctx context.Context, app string, number int, to abi.Tier, reason string) (Request, error) {
	return post[Request](ctx, c, "/apps/"+url.PathEscape(app)+"/promote", map[string]any{"release": number, "to": to, "reason": reason})
}

// Triggers are what calls an app besides requests.
func (c *Client) Triggers(ctx context.Context, app string) ([]Trigger, error) {
	return list[Trigger](ctx, c, "/apps/"+url.PathEscape(app)+"/triggers", nil)
}

// Trigger reads one trigger.
func (c *Client) Trigger(ctx context.Context, app string, kind abi.TriggerKind, name string) (Trigger, error) {
	path := "/apps/" + url.PathEscape(app) + "/triggers/" + url.PathEscape(string(kind)) + "/" + url.PathEscape(name)
	return read(ctx, c, path, func(t *Trigger) *string { return &t.ETag })
}

// PauseTrigger pauses or resumes a trigger.
func (c *Client) PauseTrigger(ctx context.Context, app string, kind abi.TriggerKind, name string, paused bool, reason string) (Trigger, error) {
	return post[Trigger](ctx, c, "/apps/"+url.PathEscape(app)+"/triggers/pause", map[string]any{"kind": kind, "name": name, "paused": paused, "reason": reason})
}

// RunTrigger runs a cron trigger now and returns the run's id.
func (c *Client) RunTrigger(ctx context.Context, app, name string) (Run, error) {
	return post[Run](ctx, c, "/apps/"+url.PathEscape(app)+"/triggers/run", map[string]any{"name": name})
}

// DeadLetters are what an app could not be brought to take, newest first.
func (c *Client) DeadLetters(ctx context.Context, app string) ([]Delivery, error) {
	return list[Delivery](ctx, c, "/apps/"+url.PathEscape(app)+"/dead-letters", nil)
}

// Redeliver gives a dead letter another life.
func (c *Client) Redeliver(ctx context.Context, app string, seq uint64) (Delivery, error) {
	return do[Delivery](ctx, c, request{method: http.MethodPost, path: fmt.Sprintf("/apps/%s/dead-letters/%d/redeliver", url.PathEscape(app), seq)})
}

// DeleteDeadLetter forgets a dead letter.
func (c *Client) DeleteDeadLetter(ctx context.Context, app string, seq uint64) error {
	_, err := c.bytes(ctx, request{method: http.MethodDelete, path: fmt.Sprintf("/apps/%s/dead-letters/%d", url.PathEscape(app), seq)})
	return err
}

// Activations is the history of an app's routes, newest first.
func (c *Client) Activations(ctx context.Context, app string) ([]Activation, error) {
	return list[Activation](ctx, c, "/apps/"+url.PathEscape(app)+"/activations", nil)
}

// Logs are the newest lines of an app's log, oldest first: so many, or all that are kept for 0.
func (c *Client) Logs(ctx context.Context, app string, limit int) (lines []LogLine, err error) {
	err = pages(ctx, c.First(limit), "/apps/"+url.PathEscape(app)+"/logs", nil, func(older []LogLine) { lines = append(older, lines...) })
	return lines, err
}

// FindCall is what is known of a call, by the id that its caller was given. App is "" for any that
// the caller may look into.
func (c *Client) FindCall(ctx context.Context, app, id string) (CallRecord, error) {
	v := url.Values{}
	if app != "" {
		v.Set("app", app)
	}
	return get[CallRecord](ctx, c, "/calls/"+url.PathEscape(id), v)
}

// Invoke calls an app.
func (c *Client) Invoke(ctx context.Context, app string, call Call) (Response, error) {
	path := "/apps/" + url.PathEscape(app) + "/invoke"
	if call.Release != 0 {
		path += "?release=" + strconv.Itoa(call.Release) // what the body may have is judged before it is read
	}
	return post[Response](ctx, c, path, call)
}

// Usage asks what was used. Zero times mean the last 24 hours. All rows are read, page by page.
func (c *Client) Usage(ctx context.Context, q UsageQuery) (Report, error) {
	all, err := get[Report](ctx, c, "/usage", q.values())
	for err == nil && all.Next != "" {
		q.From, q.To = all.From, all.To // of the first page, whatever the clock says now
		v := q.values()
		v.Set("cursor", all.Next)
		var page Report
		if page, err = get[Report](ctx, c, "/usage", v); err == nil {
			all.Rows, all.Next = append(all.Rows, page.Rows...), page.Next
		}
	}
	return all, err
}

// UsageCSV is Usage as comma-separated values, a line for each row; with bom it begins with a byte
// order mark, which Excel needs.
func (c *Client) UsageCSV(ctx context.Context, q UsageQuery, bom bool) ([]byte, error) {
	v := q.values()
	v.Set("format", "csv")
	v.Set("bom", strconv.FormatBool(bom))
	return c.bytes(ctx, request{method: http.MethodGet, path: "/usage", query: v})
}

// Samples are some calls of an app ("" for all) in the hour of a time.
func (c *Client) Samples(ctx context.Context, app string, hour time.Time) ([]Sample, error) {
	v := url.Values{"hour": {hour.UTC().Format(time.RFC3339)}}
	if app != "" {
		v.Set("app", app)
	}
	return list[Sample](ctx, c, "/usage/samples", v)
}

func (q UsageQuery) values() url.Values {
	v := url.Values{}
	for name, value := range map[string]string{"app": q.App, "team": q.Team, "cost_center": q.CostCenter, "over": q.Over, "by": strings.Join(q.By, ",")} {
		if value != "" {
			v.Set(name, value)
		}
	}
	for name, t := range map[string]time.Time{"from": q.From, "to": q.To} {
		if !t.IsZero() {
			v.Set(name, t.UTC().Format(time.RFC3339))
		}
	}
	return v
}

// Requests lists requests, newest first; "" filters nothing.
func (c *Client) Requests(ctx context.Context, status, app string) ([]Request, error) {
	return c.FindRequests(ctx, RequestFilter{Status: status, App: app})
}

// FindRequests lists the requests that a filter lets through, newest first.
func (c *Client) FindRequests(ctx context.Context, f RequestFilter) ([]Request, error) {
	return list[Request](ctx, c, "/requests", url.Values{
		"status": {f.Status}, "app": {f.App}, "by": {f.By}, "turn": {f.Turn}, "mine": onlyIf(f.Mine), "overdue": onlyIf(f.Overdue), "concern": {f.Concern}, "kind": {f.Kind}, "holds": onlyIf(f.Holds),
	})
}

// onlyIf is the value of a parameter that narrows a list if it is true.
func onlyIf(narrow bool) []string {
	if narrow {
		return []string{"true"}
	}
	return nil
}

// Request reads one request.
func (c *Client) Request(ctx context.Context, id string) (Request, error) {
	return read(ctx, c, "/requests/"+url.PathEscape(id), func(q *Request) *string { return &q.ETag })
}

// Decide approves or rejects a request.
func (c *Client) Decide(ctx context.Context, id string, approve bool, reason string) (Request, error) {
	return c.DecideAbout(ctx, id, "", approve, reason)
}

// DecideAbout is Decide for a module that was looked at: a request that is about
// another digest is not decided.
func (c *Client) DecideAbout(ctx context.Context, id, digest string, approve bool, reason string) (Request, error) {
	return c.Vote(ctx, id, Verdict{Approve: approve, Reason: reason, Digest: digest})
}

// Verdict is how a reviewer votes about a request.
type Verdict struct {
	Approve bool    `json:"approve"`
	Reason  string  `json:"reason,omitempty"`  // needed to reject
	Remedy  string  `json:"remedy,omitempty"`  // of a rejection: what would pass
	Digest  string  `json:"digest,omitempty"`  // of the module that was looked at
	Concern *string `json:"concern,omitempty"` // of the stage; nil: the first that waits for a reviewer such as this
	// Until is when what an approval grants ends; zero: as the rules of the tier say.
	Until time.Time `json:"until,omitzero"`
	// Starts is when an approved promotion takes effect, in 30 days at the latest; zero: at once.
	Starts time.Time `json:"starts,omitzero"`
}

// Vote votes about a request. The vote that its last stage waited for approves it; one rejection ends it.
func (c *Client) Vote(ctx context.Context, id string, v Verdict) (Request, error) {
	return post[Request](ctx, c, "/requests/"+url.PathEscape(id)+"/decision", v)
}

// ReleaseVerdict is how a reviewer decides at once about what one release asks for.
type ReleaseVerdict struct {
	Verdict
	Parts []PartVerdict `json:"parts,omitempty"` // nil: every open request of it that the caller may decide now
}

// PartVerdict is one request that is decided with others.
type PartVerdict struct {
	ID      string `json:"id"`
	Tag     string `json:"etag,omitempty"`    // of the request that was looked at
	Approve *bool  `json:"approve,omitempty"` // nil: the verdict about all, with its reason and remedy
	Reason  string `json:"reason,omitempty"`
	Remedy  string `json:"remedy,omitempty"`
	// Until is when what this part grants ends; zero: as the verdict about all says.
	Until time.Time `json:"until,omitzero"`
}

// DecideRelease votes about what a release asks for: about all of it, or about nothing.
func (c *Client) DecideRelease(ctx context.Context, app string, number int, v ReleaseVerdict) ([]Request, error) {
	done, err := post[struct{ Items []Request }](ctx, c, fmt.Sprintf("/apps/%s/releases/%d/decision", url.PathEscape(app), number), v)
	return done.Items, err
}

// DecideRequests votes about requests that ask for the same, of any apps: about all that are named, or about none.
func (c *Client) DecideRequests(ctx context.Context, v ReleaseVerdict) ([]Request, error) {
	done, err := post[struct{ Items []Request }](ctx, c, "/requests/decision", v)
	return done.Items, err
}

// Briefing reads what a reviewer has to know of a release.
func (c *Client) Briefing(ctx context.Context, app string, number int) (Briefing, error) {
	return get[Briefing](ctx, c, fmt.Sprintf("/apps/%s/releases/%d/briefing", url.PathEscape(app), number), nil)
}

// AskChanges asks for changes of a request about a module that was looked at ("": whichever): it waits for
// its requester then.
func (c *Client) AskChanges(ctx context.Context, id, digest, reason string) (Request, error) {
	return post[Request](ctx, c, "/requests/"+url.PathEscape(id)+"/ask-changes", map[string]any{"reason": reason, "digest": digest})
}

// Comment writes about a request. Of its requester it is an answer, if changes were asked for.
func (c *Client) Comment(ctx context.Context, id, text string) (Request, error) {
	return post[Request](ctx, c, "/requests/"+url.PathEscape(id)+"/comments", map[string]any{"text": text})
}

// Changed says of one's own request that what was asked for is done; text says more, or is "".
func (c *Client) Changed(ctx context.Context, id, text string) (Request, error) {
	return post[Request](ctx, c, "/requests/"+url.PathEscape(id)+"/changed", map[string]any{"text": text})
}

// AskAgain asks for what a release lacks in the sandbox and nothing waits for.
func (c *Client) AskAgain(ctx context.Context, app string, number int, reason string) ([]Request, error) {
	asked, err := post[struct{ Items []Request }](ctx, c, "/apps/"+url.PathEscape(app)+"/ask", map[string]any{"release": number, "reason": reason})
	return asked.Items, err
}

// Withdraw takes one's own request back.
func (c *Client) Withdraw(ctx context.Context, id string) (Request, error) {
	return do[Request](ctx, c, request{method: http.MethodPost, path: "/requests/" + url.PathEscape(id) + "/withdraw"})
}

// WithdrawBecause takes back a request that is approved and has not started. Who neither made it nor owns the app gives a
// reason.
func (c *Client) WithdrawBecause(ctx context.Context, id, reason string) (Request, error) {
	return post[Request](ctx, c, "/requests/"+url.PathEscape(id)+"/withdraw", map[string]string{"reason": reason})
}

// Grants lists grants, of one app or of all.
func (c *Client) Grants(ctx context.Context, app string) ([]Grant, error) {
	return c.FindGrants(ctx, GrantFilter{App: app})
}

// FindGrants lists the grants that a filter lets through, newest first.
func (c *Client) FindGrants(ctx context.Context, f GrantFilter) ([]Grant, error) {
	q := url.Values{"app": {f.App}, "capability": {f.Capability}}
	if f.Live {
		q.Set("live", "true")
	}
	return list[Grant](ctx, c, "/grants", q)
}

// Grant reads one grant.
func (c *Client) Grant(ctx context.Context, id string) (Grant, error) {
	return read(ctx, c, "/grants/"+url.PathEscape(id), func(g *Grant) *string { return &g.ETag })
}

// RevokeGrant ends a grant, and says what still allows the same.
func (c *Client) RevokeGrant(ctx context.Context, id, reason string) (Revoked, error) {
	return post[Revoked](ctx, c, "/grants/"+url.PathEscape(id)+"/revoke", map[string]any{"reason": reason})
}

// RevokeAll ends a grant and every other one of its app for the same capability.
func (c *Client) RevokeAll(ctx context.Context, id, reason string) (Revoked, error) {
	return post[Revoked](ctx, c, "/grants/"+url.PathEscape(id)+"/revoke", map[string]any{"reason": reason, "all": true})
}

// RenewGrant asks for a grant anew, before its end or after it.
func (c *Client) RenewGrant(ctx context.Context, id, reason string) (Request, error) {
	return post[Request](ctx, c, "/grants/"+url.PathEscape(id)+"/renew", map[string]any{"reason": reason})
}

// CertifyGrant says as a reviewer that a grant is still needed.
func (c *Client) CertifyGrant(ctx context.Context, id, reason string) (Grant, error) {
	return post[Grant](ctx, c, "/grants/"+url.PathEscape(id)+"/certify", map[string]any{"reason": reason})
}

// BreakGlass allows a release of an app a capability at once and for hours, before the review that has to follow.
func (c *Client) BreakGlass(ctx context.Context, app string, e Emergency) (BrokenGlass, error) {
	return post[BrokenGlass](ctx, c, "/apps/"+url.PathEscape(app)+"/emergency-grants", e)
}

// ShrinkGrant takes off a grant what its app has not used.
func (c *Client) ShrinkGrant(ctx context.Context, id string) (Grant, error) {
	return do[Grant](ctx, c, request{method: http.MethodPost, path: "/grants/" + url.PathEscape(id) + "/shrink"})
}

// Tiers are what the policy says about each tier, from the lowest.
func (c *Client) Tiers(ctx context.Context) ([]Tier, error) {
	all, err := get[struct{ Items []Tier }](ctx, c, "/policy/tiers", nil)
	return all.Items, err
}

// Policy is the policy in force: the source of its rules, by file name.
func (c *Client) Policy(ctx context.Context) (map[string]string, error) {
	return get[map[string]string](ctx, c, "/policy", nil)
}

// Keys lists the public keys that sign for an identity.
func (c *Client) Keys(ctx context.Context) ([]Key, error) {
	return list[Key](ctx, c, "/trust/keys", nil)
}

// KeyChallenge reads the text that a key signs to prove that it is to sign for an identity, "" for
// the caller's.
func (c *Client) KeyChallenge(ctx context.Context, identity string) (string, error) {
	v, err := get[struct{ Text string }](ctx, c, "/trust/keys/challenge", url.Values{"identity": {identity}})
	return v.Text, err
}

// AddKey lets a public key sign for an identity, "" for the caller's. proof is a signature of its
// private half over a text of KeyChallenge.
func (c *Client) AddKey(ctx context.Context, pem, identity, challenge, proof string) (Key, error) {
	return post[Key](ctx, c, "/trust/keys", map[string]any{"pem": pem, "identity": identity, "challenge": challenge, "proof": proof})
}

// DeleteKey ends the trust in a key.
func (c *Client) DeleteKey(ctx context.Context, hint string) error {
	_, err := c.bytes(ctx, request{method: http.MethodDelete, path: "/trust/keys/" + url.PathEscape(hint)})
	return err
}

// Secrets lists an app's secrets, without their values.
func (c *Client) Secrets(ctx context.Context, app string) ([]Secret, error) {
	return list[Secret](ctx, c, "/apps/"+url.PathEscape(app)+"/secrets", nil)
}

// SetSecret sets a secret of an app, which is never returned again.
func (c *Client) SetSecret(ctx context.Context, app, name string, value []byte) (Secret, error) {
	return do[Secret](ctx, c, request{
		method: http.MethodPut, path: "/apps/" + url.PathEscape(app) + "/secrets/" + url.PathEscape(name),
		media: "application/octet-stream", body: bytes.NewReader(value),
	})
}

// DeleteSecret forgets a secret.
func (c *Client) DeleteSecret(ctx context.Context, app, name string) error {
	_, err := c.bytes(ctx, request{method: http.MethodDelete, path: "/apps/" + url.PathEscape(app) + "/secrets/" + url.PathEscape(name)})
	return err
}

// RotateSecrets has all secrets sealed with a new key. It returns how many.
func (c *Client) RotateSecrets(ctx context.Context) (int, error) {
	done, err := do[struct{ Sealed int }](ctx, c, request{method: http.MethodPost, path: "/secrets/rotate"})
	return done.Sealed, err
}

// Domains lists the domains of apps, beside the addresses that their names make.
func (c *Client) Domains(ctx context.Context) ([]Domain, error) {
	return list[Domain](ctx, c, "/domains", nil)
}

// CreateDomain gives an app a domain.
func (c *Client) CreateDomain(ctx context.Context, host, app string) (Domain, error) {
	return post[Domain](ctx, c, "/domains", map[string]any{"host": host, "app": app})
}

// DeleteDomain takes a domain away from its app.
func (c *Client) DeleteDomain(ctx context.Context, host string) error {
	_, err := c.bytes(ctx, request{method: http.MethodDelete, path: "/domains/" + url.PathEscape(host)})
	return err
}

// Tokens lists the caller's API tokens.
func (c *Client) Tokens(ctx context.Context) ([]Credential, error) {
	return list[Credential](ctx, c, "/tokens", nil)
}

// NewToken is an API token that is asked for.
type NewToken struct {
	Label  string   `json:"label"`
	Hours  int      `json:"hours,omitempty"`  // 0: it does not expire
	Scopes []string `json:"scopes,omitempty"` // none: to read apps, requests and usage
	Apps   []string `json:"apps,omitempty"`   // none: all
	// Automation names the assistant or pipeline that acts with it, on the caller's behalf.
	Automation string `json:"automation,omitempty"`
}

// NewToken makes an API token.
func (c *Client) NewToken(ctx context.Context, t NewToken) (Token, error) {
	return post[Token](ctx, c, "/tokens", t)
}

// RevokeToken ends a token.
func (c *Client) RevokeToken(ctx context.Context, id string) error {
	_, err := c.bytes(ctx, request{method: http.MethodDelete, path: "/tokens/" + url.PathEscape(id)})
	return err
}

// Users lists everybody.
func (c *Client) Users(ctx context.Context) ([]User, error) {
	return c.FindUsers(ctx, UserFilter{})
}

// FindUsers lists the users that a filter lets through.
func (c *Client) FindUsers(ctx context.Context, f UserFilter) ([]User, error) {
	return list[User](ctx, c, "/users", url.Values{"role": {f.Role}, "name": {f.Name}})
}

// User reads one user.
func (c *Client) User(ctx context.Context, name string) (User, error) {
	return read(ctx, c, "/users/"+url.PathEscape(name), func(u *User) *string { return &u.ETag })
}

// PutUser makes or changes a user.
func (c *Client) PutUser(ctx context.Context, name string, roles []string, disabled bool) (User, error) {
	if roles == nil {
		roles = []string{}
	}
	return write[User](ctx, c, http.MethodPut, "/users/"+url.PathEscape(name), map[string]any{"roles": roles, "disabled": disabled})
}

// RenameUser gives a user another name.
func (c *Client) RenameUser(ctx context.Context, from, to string) (User, error) {
	return write[User](ctx, c, http.MethodPost, "/users/"+url.PathEscape(from)+"/rename", map[string]string{"name": to})
}

// Invite makes a one-time sign-in link for a user.
func (c *Client) Invite(ctx context.Context, user string) (string, error) {
	link, err := do[struct{ URL string }](ctx, c, request{method: http.MethodPost, path: "/users/" + url.PathEscape(user) + "/invite"})
	return link.URL, err
}

// Accounts lists a user's accounts at sign-in providers.
func (c *Client) Accounts(ctx context.Context, user string) ([]Account, error) {
	return short[Account](ctx, c, "/users/"+url.PathEscape(user)+"/accounts", nil)
}

// Links returns whether operators' one-time sign-in links are taken.
func (c *Client) Links(ctx context.Context) (Links, error) {
	return do[Links](ctx, c, request{method: http.MethodGet, path: "/sign-in/links"})
}

// SwitchLinks switches one-time sign-in links on or off.
func (c *Client) SwitchLinks(ctx context.Context, off bool) (Links, error) {
	return write[Links](ctx, c, http.MethodPut, "/sign-in/links", map[string]bool{"off": off})
}

// DisconnectAccount takes an account from a user.
func (c *Client) DisconnectAccount(ctx context.Context, user, id string) error {
	_, err := c.bytes(ctx, request{method: http.MethodDelete, path: "/users/" + url.PathEscape(user) + "/accounts/" + url.PathEscape(id)})
	return err
}

// Doctor checks everything that the node stores.
func (c *Client) Doctor(ctx context.Context) ([]Check, error) {
	return short[Check](ctx, c, "/doctor", nil)
}

// Events reads up to limit changes after a revision, oldest first; 0 for all of them.
func (c *Client) Events(ctx context.Context, after abi.Rev, limit int) ([]abi.Event, error) {
	return c.First(limit).FindEvents(ctx, EventFilter{After: after})
}

// FindEvents reads the changes that a filter lets through, in the order that it says.
func (c *Client) FindEvents(ctx context.Context, f EventFilter) ([]abi.Event, error) {
	q := url.Values{"after": {strconv.FormatUint(uint64(f.After), 10)}, "app": {f.App}, "kind": {strings.Join(f.Kinds, ",")}, "actor": {f.Actor}}
	if f.Newest {
		q.Set("order", "newest")
	}
	for name, t := range map[string]time.Time{"from": f.From, "to": f.To} {
		if !t.IsZero() {
			q.Set(name, t.UTC().Format(time.RFC3339))
		}
	}
	return list[abi.Event](ctx, c, "/events", q)
}

// Backup reads all that the node keeps: a stream that the caller closes. It is a
// backup only if it can be verified as one; see package archive's form in
// docs/operations.md.
func (c *Client) Backup(ctx context.Context) (io.ReadCloser, error) {
	long := *c
	long.http = &http.Client{Transport: c.http.Transport, CheckRedirect: c.http.CheckRedirect} // as long as it takes
	resp, err := long.send(ctx, request{method: http.MethodGet, path: "/backup"})
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

func (q QuotaOf) query() url.Values {
	return url.Values{"user": {q.User}, "group": {q.Group}, "app": {q.App}}
}

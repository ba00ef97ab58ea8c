package statetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/notices"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/secrets"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/triggers"
)

// vocabulary are the names that acts use, of which one is the beginning of another: a prefix is not a
// match.
var vocabulary = []string{"a", "ab", "a-b", "ada", "ada2", "absent"}

// act is one call of a Tx or of a Store.
type act struct {
	What   string
	App    string
	Person string
	Number int // 10 sorts after 9
	Tier   abi.Tier
	Text   string
	Choice int
	At     int
}

func drawAct(t *rapid.T) act {
	return act{
		What: rapid.SampledFrom([]string{
			"app", "release", "release", "unrelease", "activation", "key", "unkey", "host", "unhost", "ask", "ask", "decide",
			"grant", "revoke", "user", "person", "absence", "absence", "service account", "service account", "group", "group", "ungroup", "member", "member", "member", "unmember", "credential", "credential", "uncredential", "provisioned", "provisioned", "provisioning", "account", "account", "unaccount", "links", "quota", "quota", "unquota", "told", "secret", "unsecret", "audience", "ask access", "pause", "unpause", "attempt", "unattempt", "emit", "act as", "behalf", "charge", "certify", "remove", "erase",
		}).Draw(t, "what"),
		App:    rapid.SampledFrom([]string{"a", "ab", "a-b"}).Draw(t, "app"),
		Person: rapid.SampledFrom([]string{"ada", "ada2"}).Draw(t, "person"),
		Number: rapid.IntRange(1, 12).Draw(t, "number"),
		Tier:   rapid.SampledFrom(abi.Tiers()).Draw(t, "tier"),
		Text:   rapid.SampledFrom([]string{"x", "<&\x00é", ""}).Draw(t, "text"),
		Choice: rapid.IntRange(0, 3).Draw(t, "choice"),
		At:     rapid.IntRange(0, 9).Draw(t, "at"),
	}
}

// drawn is an act for tests that need any.
func drawn() act { return act{What: "app", App: "a", Person: "ada"} }

func (a act) put(tx state.Tx) error {
	tx.Emit("release.published", a.App, "1", nil)
	return tx.PutApp(registry.App{Name: a.App, Owner: a.Person})
}

func (a act) at() time.Time { return time.Date(2026, 1, 1, 0, 0, a.At, 0, time.UTC) }

// do does the act within a transaction, and says what came of it.
func (a act) do(tx state.Tx) string {
	switch a.What {
	case "app", "release", "unrelease", "activation", "key", "unkey", "host", "unhost", "charge", "certify", "remove", "erase":
		return a.register(tx)
	case "ask", "decide", "grant", "revoke":
		return a.approve(tx)
	case "user":
		return said(nil, tx.PutUser(access.User{Name: a.Person, Roles: []access.Role{access.RoleViewer}, Created: a.at()}))
	case "person": // whose name is sometimes another's
		u := access.User{ID: fmt.Sprint("u_", a.Number%3), Name: fmt.Sprint(a.Person, a.Number%3, a.Choice%2)}
		if was, err := tx.Person(u.ID); err == nil && was.Name != u.Name {
			u.Former = []access.FormerName{{Name: was.Name, Until: a.at()}}
		}
		return said(nil, tx.PutUser(u))
	case "absence": // or what is none
		u := access.User{Name: a.Person, Sponsor: []string{"", "", "", "ada"}[a.Choice], Delegations: []access.Delegation{{ID: "d", To: "ada"}, {ID: "e", To: []string{"", "ada2"}[a.Number%2], Until: a.at()}}[a.Choice%2:]}
		return said(nil, tx.PutUser(u))
	case "service account": // which may be a person's afterwards
		return said(nil, tx.PutUser(access.User{Name: a.App + abi.ServiceDomain, Sponsor: []string{"ada", "ada2", "ad", ""}[a.Choice], Purpose: a.Text}))
	case "group": // whose name is sometimes another's in other letters
		return said(nil, tx.PutGroup(a.group()))
	case "ungroup":
		return said(nil, tx.DeleteGroup(a.App))
	case "member":
		return said(nil, tx.PutMember(a.App, a.Person))
	case "unmember":
		return said(nil, tx.DeleteMember(a.App, a.Person))
	case "credential":
		if a.Number%2 == 0 {
			return said(nil, access.AddCredential(tx, a.credential(), time.Date(2026, 1, 1, 0, a.Number, 0, 500, time.UTC)))
		}
		return said(nil, tx.PutCredential(a.credential()))
	case "uncredential":
		return said(nil, tx.DeleteCredential(a.credential().Hash))
	case "provisioned":
		return said(nil, tx.PutProvisioned(a.provisioned()))
	case "provisioning":
		return said(nil, tx.PutProvisioning(a.provisioning()))
	case "account":
		return said(nil, tx.PutAccount(a.account()))
	case "links":
		return said(nil, tx.PutLinks(access.Links{Off: a.Choice > 1, By: a.Person, At: a.at()}))
	case "quota":
		s := a.quota()
		return said(nil, tx.PutQuotaSetting(s))
	case "unquota":
		s := a.quota()
		return said(nil, tx.DeleteQuotaSetting(s.Per, s.Of, s.Quota))
	case "told":
		return said(nil, tx.PutNoticeSettings(a.noticeSettings()))
	case "unaccount":
		return said(nil, tx.DeleteAccount(a.account().ID))
	case "secret":
		return said(nil, tx.PutSecret(secrets.Secret{App: a.App, Name: a.secret(), Key: a.Text, Sealed: []byte(a.Text), At: a.at()}))
	case "unsecret":
		return said(nil, tx.DeleteSecret(a.App, a.secret()))
	case "audience":
		return said(nil, tx.PutAudience(access.Audience{App: a.App, Tier: a.Tier, Kind: access.AudienceKinds()[a.Choice], People: []string{a.Person}, At: a.at()}))
	case "ask access":
		return said(nil, tx.PutAccessRequest(access.AccessRequest{App: a.App, Tier: a.Tier, Person: a.Person, Reason: a.Text, At: a.at()}))
	case "pause":
		return said(nil, tx.PutPause(triggers.Pause{Ref: a.trigger(), By: a.Person, Reason: a.Text, At: a.at()}))
	case "attempt":
		return said(nil, tx.PutAttempt(state.Attempt{User: a.Person, Key: a.secret(), Print: a.Text, At: a.at(), Answer: &state.Answer{Status: a.Number, Body: []byte(a.Text)}}))
	case "unattempt":
		return said(nil, tx.DeleteAttempt(a.Person, a.secret()))
	case "unpause":
		return said(nil, tx.DeletePause(a.trigger()))
	case "act as":
		tx.As(a.Person)
	case "behalf":
		tx.Behalf([]abi.Behalf{{}, {Sponsor: a.Person}, {Automation: a.Text}, {}}[a.Choice])
	}
	kind := []string{"user.changed", "secret.set", "key.deleted", "release.published"}[a.Choice]
	tx.Emit(kind, a.App, a.Text, map[string]string{"reason": a.Text})
	return ""
}

func (a act) register(tx state.Tx) string {
	digest := registry.Digest(fmt.Sprint("d", a.Choice))
	switch a.What {
	case "app":
		return said(nil, tx.PutApp(registry.App{Name: a.App, Owner: a.Person, Group: []string{"", "", "a", "ab"}[a.Choice], Title: a.Text, Created: a.at(), Releases: a.Number, Active: map[abi.Tier]int{a.Tier: a.Number}}))
	case "release":
		return said(nil, tx.AddRelease(registry.Release{
			App: a.App, Number: a.Number, Version: a.Text, Digest: digest, Bundle: registry.Digest(fmt.Sprint("b", a.At%3)), Size: int64(a.At),
			Created: a.at(), Manifest: registry.Manifest{Name: a.App, Owner: a.Person, Config: map[string]string{"k": a.Text}},
		}))
	case "unrelease":
		return said(nil, tx.DeleteRelease(a.App, a.Number))
	case "activation":
		return said(nil, tx.AddActivation(registry.Activation{App: a.App, Tier: a.Tier, Release: a.Number, Reason: a.Text, At: a.at()}))
	case "key":
		return said(nil, tx.PutKey(registry.Key{Hint: a.App + "/+=", Identity: a.Person, Added: a.at()}))
	case "unkey":
		return said(nil, tx.DeleteKey(a.App+"/+="))
	case "charge":
		return said(nil, tx.ChargeRelease(a.App, a.Number, a.Person))
	case "erase":
		return said(nil, tx.EraseApp(a.App))
	case "remove": // what is left of a removed app counts as no person's
		return said(nil, tx.PutApp(registry.App{Name: a.App, Owner: a.Person, Removal: &registry.Removal{Done: a.at()}}))
	case "certify":
		id, err := tx.NextCertificate()
		if err != nil {
			return said(nil, err)
		}
		return id + said(nil, tx.PutCertificate(registry.Issued{Certificate: registry.Certificate{ID: id, App: a.App, Owner: a.Person, At: a.at()}, Document: []byte(a.Text)}))
	case "host":
		return said(nil, tx.PutHostName(registry.HostName{Host: a.host(), App: a.App, By: a.Person, At: a.at()}))
	}
	return said(nil, tx.DeleteHostName(a.host()))
}

func (a act) host() string   { return fmt.Sprint(a.Person, ".example.org:", a.Choice) }
func (a act) secret() string { return fmt.Sprint("s", a.Choice) }

func (a act) trigger() triggers.Ref {
	return triggers.Ref{App: a.App, Kind: []abi.TriggerKind{abi.TriggerCron, abi.TriggerWebhook}[a.Choice%2], Name: a.Person}
}

// credential has an id, a hash and a time of its own for each choice, so that lists have one order.
func (a act) credential() access.Credential {
	kind := []access.CredentialKind{access.KindToken, access.KindSession, access.KindLink}[a.Choice%3]
	n := a.Number + 100*(a.Choice%3)
	c := access.Credential{
		ID: fmt.Sprintf("id-%03d", n), Hash: fmt.Sprintf("hash-%03d", n), Kind: kind, User: a.Person, Label: a.Text,
		Created: time.Date(2026, 1, 1, 1, 0, n, 0, time.UTC),
	}
	if a.At > 4 { // some end, in the course of a test
		c.Expires = time.Date(2026, 1, 1, 0, a.At-5, 0, 500, time.UTC)
	}
	if kind == access.KindSession {
		c.Idle = time.Duration(a.Number%3) * 100 * time.Second
		c.Account, c.ProviderSession = a.account().ID, []string{"", "s", "s1"}[a.At%3]
	}
	if kind == access.KindLink && a.At%3 == 0 { // a login that waits is no one's yet
		c.Kind, c.User = []access.CredentialKind{access.KindLogin, access.KindSpent}[a.Number%2], ""
	}
	if a.At%2 == 1 {
		c.Parent = fmt.Sprintf("id-%03d", a.At)
	}
	return c
}

func (a act) quota() access.QuotaSetting {
	s := access.QuotaSetting{Quota: []string{"apps", "releases"}[a.Number%2], Limit: int64(a.Number), Reason: a.Text, By: "ada", At: a.at()}
	s.Per = []string{"person", "group", "app", "node"}[a.Choice]
	s.Of = []string{a.Person, a.App, a.App, ""}[a.Choice]
	if a.At == 0 { // of all of them
		s.Of = ""
	}
	return s
}

func (a act) group() access.Group {
	g := access.Group{ID: a.App, Name: []string{"Ops", "ops", "Ops team", "ÉCOLE"}[a.Choice], Created: a.at()}
	if a.At > 4 {
		g.Source, g.External = []string{"idp", "idp2"}[a.At%2], []string{"", "k", "key", "k"}[a.Number%4]
	}
	return g
}

func (a act) account() access.Account {
	provider := []string{"p", "p1"}[a.Choice%2]
	return access.Account{ID: access.AccountID(provider, a.App, a.Person), Provider: provider, Issuer: a.App, Subject: a.Person, User: a.Person, Email: a.Text, Connected: a.at()}
}

func (a act) approve(tx state.Tx) string {
	switch a.What {
	case "ask":
		id, err := tx.NextRequest()
		if err != nil {
			return said(nil, err)
		}
		kind := []approvals.Kind{approvals.KindGrant, approvals.KindPromotion}[a.Choice%2]
		return id + said(nil, tx.PutRequest(approvals.Request{
			ID: id, App: a.App, Kind: kind, Release: a.Number, By: a.Person, Tier: a.Tier, Capability: []string{"kv", "fetch"}[a.Choice/2],
			Status: approvals.StatusOpen, Created: a.at(), Reason: a.Text, Intent: &approvals.Intent{Description: a.Text},
		}))
	case "decide":
		q, err := tx.Request(fmt.Sprint("req-", a.Number))
		if err != nil {
			return said(nil, err)
		}
		q.Status = []approvals.Status{approvals.StatusApproved, approvals.StatusScheduled, approvals.StatusWithdrawn, approvals.StatusOpen}[a.Choice]
		return said(q, tx.PutRequest(q))
	}
	g := approvals.Grant{ID: fmt.Sprint("grant-", a.Number), App: a.App, Capability: "kv", Tier: a.Tier, By: a.Person, Created: a.at(), Params: abi.Params{"quota": a.Text}}
	if a.What == "revoke" {
		known, err := tx.Grant(g.ID)
		if err != nil {
			return said(nil, err)
		}
		g = known
		g.Revoked = a.at()
	}
	return said(nil, tx.PutGrant(g))
}

// keepUp does what makes no revision.
func (a act) keepUp(s state.Store) error {
	ctx := context.Background()
	switch {
	case a.What == "told" || a.At > 6:
		return s.Note(ctx, func(n state.Notes) error {
			_, err := a.tell(n)
			return err
		})
	case a.Choice == 0:
		use := abi.Use{Capability: "fetch", Meter: "requests", Subject: a.Person, N: uint64(a.Number)}
		return s.AddUsed(ctx, []approvals.ReleaseUsed{{App: a.App, Release: a.Number, Used: []approvals.Used{{Use: use, First: a.at(), Last: a.at()}}}})
	case a.Choice == 1:
		return s.ForgetExpired(ctx)
	}
	if a.Number%2 == 0 {
		return s.TokensUsed(ctx, map[string]time.Time{a.credential().Hash: a.at(), "absent": a.at()})
	}
	u := registry.Unnamed{Digest: registry.Digest(fmt.Sprint("found", a.Number)), Size: int64(a.At), Since: a.at()}
	if a.Choice == 2 {
		return s.MarkUnnamed(ctx, []registry.Unnamed{u})
	}
	return s.ForgetUnnamed(ctx, []registry.Unnamed{u, {Digest: registry.Digest(fmt.Sprint("d", a.Choice))}})
}

// known are the errors that callers branch on. What else a store says is its own.
// The narrower ones come first.
var known = []error{
	registry.ErrNoApp, registry.ErrNoRelease, registry.ErrNoKey, approvals.ErrNoRequest, approvals.ErrNoGrant, access.ErrNoQuotaSetting, access.ErrNoUser, access.ErrNoGroup, access.ErrNotProvisioned, access.ErrNoProvisioning, access.ErrNoAccount, notices.ErrNoNotice,
	registry.ErrNotFound, registry.ErrExists, approvals.ErrNotFound, access.ErrNotFound, secrets.ErrNotFound,
}

// sentinel writes an error by what it is.
func sentinel(err error) string {
	for i, k := range known {
		if errors.Is(err, k) {
			return fmt.Sprintf("error %d: %v", i, k)
		}
	}
	return "unexpected: " + err.Error()
}

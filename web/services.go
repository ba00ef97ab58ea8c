package web

import (
	"context"
	"io"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/triggers"
)

// About says what a node is.
type About interface {
	Info(ctx context.Context) control.Info
	// Bare is Info without how many requests wait for the reader, for those who count them anyway.
	Bare(ctx context.Context) control.Info
}

// Authenticator knows the holders of secrets.
type Authenticator interface {
	// Authenticate returns the holder of a token or of a session's secret.
	Authenticate(ctx context.Context, secret string) (access.Actor, error)
}

// Room is the memory for bodies.
type Room interface {
	// Hold takes n bytes until release is called. It waits for a moment, and no longer, if there is
	// no room.
	Hold(ctx context.Context, n int64) (release func(), err error)
}

// Intake takes modules in. It is asked before a body is read.
type Intake interface {
	// BeginUpload takes a place among the uploads for a body of n bytes (-1: it does not say),
	// until done is called. It waits for a moment, and no longer, if all places are taken.
	BeginUpload(ctx context.Context, why control.Purpose, n int64) (done func(), err error)
	// Receive writes a module to the disk, and hashes it meanwhile.
	Receive(ctx context.Context, r io.Reader) (control.Module, error)
}

// Publisher makes releases of uploads.
type Publisher interface {
	// Publish admits, stores and, when nothing needs a review, activates. stage, if not nil, is
	// called with each step as it begins. When rules refuse, the error is a *Refusal (errors.Is
	// registry.ErrRefused).
	Publish(ctx context.Context, u control.Upload, stage func(string)) (control.Published, error)
}

// Policy is the policy in force.
type Policy interface {
	// Rules are file name to source.
	Rules(ctx context.Context) (map[string]string, error)
	// Tiers are what the policy says about each tier, from the lowest.
	Tiers(ctx context.Context) ([]control.Tier, error)
}

// Catalogue finds apps.
type Catalogue interface {
	// Apps are those that a search finds, by title.
	Apps(ctx context.Context, s registry.Search, p control.Page) (control.Items[control.App], error)
}

// Quotas say how much there may be, and have it set.
type Quotas interface {
	// List shows what a person (the actor, if none is named) and, if they are named, a group and an app
	// have and may have; for operators, the node, too.
	List(ctx context.Context, whose control.QuotaOf) ([]control.Quota, error)
	// Settings lists what operators set.
	Settings(ctx context.Context, p control.Page) (control.Items[access.QuotaSetting], error)
	// Set sets a quota, and returns it as it is then; Clear takes back what was set.
	Set(ctx context.Context, quota string, to control.SetQuota) (control.Quota, error)
	Clear(ctx context.Context, quota string, whose control.QuotaOf) (control.Quota, error)
}

// Front is the front door.
type Front interface {
	// TLS is how people reach the node; operators alone may ask.
	TLS(ctx context.Context) (control.TLS, error)
}

// HostNames are addresses of apps beside those that their names make.
type HostNames interface {
	HostNames(ctx context.Context, p control.Page) (control.Items[registry.HostName], error)
	AddHostName(ctx context.Context, host, app string) (registry.HostName, error)
	DeleteHostName(ctx context.Context, host string) error
}

// States puts apps into the states that people declare and end: maintenance and quarantine.
type States interface {
	// MaintainApp says that an app gets nothing new: its owners, or an operator.
	MaintainApp(ctx context.Context, app string, m control.Maintain) (control.App, error)
	// EndMaintenance lets it get new things again.
	EndMaintenance(ctx context.Context, app, reason string) (control.App, error)
	// QuarantineApp keeps an app from everybody: a reviewer of security, or an operator.
	QuarantineApp(ctx context.Context, app, reason string) (control.App, error)
	// EndQuarantine ends that; registry.ErrNotGuard for its owners, and if it was a higher authority's.
	EndQuarantine(ctx context.Context, app, reason string) (control.App, error)
}

// Lifecycle stops apps, removes them and hands them over. Each act is refused with
// registry.ErrState where the app's state does not allow it, and with registry.ErrRemoved if the app
// is gone. An act on another person's app needs a reason.
type Lifecycle interface {
	States
	// SuspendApp stops an app: its owner, a reviewer or an operator.
	SuspendApp(ctx context.Context, app, reason string) (control.App, error)
	// ResumeApp ends a suspension; registry.ErrHeld if it was a higher authority's.
	ResumeApp(ctx context.Context, app, reason string) (control.App, error)
	// DeleteApp stops an app and has it removed after a wait.
	DeleteApp(ctx context.Context, app, reason string) (control.App, error)
	// UndeleteApp ends a deletion while the wait lasts.
	UndeleteApp(ctx context.Context, app string) (control.App, error)
	// TransferApp offers an app to another person, if its owner asks; an operator hands it over.
	TransferApp(ctx context.Context, app, to, reason string) (control.App, error)
	// ShareApp says who owns an app with its owner.
	ShareApp(ctx context.Context, app string, with control.Owners, reason string) (control.App, error)
	// AnswerOffer takes an app that is offered to the actor, or ends the offer.
	AnswerOffer(ctx context.Context, app string, accept bool) (control.App, error)
	// RenameApp gives an app another title.
	RenameApp(ctx context.Context, app, title string) (control.App, error)
}

// Remover removes what is not needed.
type Remover interface {
	// DeleteRelease forgets a release for good; registry.ErrInUse if it is needed.
	DeleteRelease(ctx context.Context, app string, number int) error
}

// Certificates are of what was removed.
type Certificates interface {
	// Certificates say what was removed of an app, or for "" of all that the actor may see.
	Certificates(ctx context.Context, app string, p control.Page) (control.Items[registry.Issued], error)
	Certificate(ctx context.Context, id string) (registry.Issued, error)
}

// Routes lead tiers to releases.
type Routes interface {
	// Activate routes a tier to a release that is approved for it.
	Activate(ctx context.Context, app string, number int, tier abi.Tier, reason string) (registry.Activation, error)
	// RollBack routes a tier to the release that was active before. A reason is required.
	RollBack(ctx context.Context, app string, tier abi.Tier, reason string) (registry.Activation, error)
}

// Requests go from a question to a decision.
type Requests interface {
	Requests(ctx context.Context, f control.RequestFilter, p control.Page) (control.Items[approvals.Request], error)
	Promote(ctx context.Context, app string, number int, to abi.Tier, reason string) (approvals.Request, error)
	// AskAgain asks for what a release lacks in the sandbox and nothing waits for.
	AskAgain(ctx context.Context, app string, number int, reason string) ([]approvals.Request, error)
	Decide(ctx context.Context, id string, d control.Verdict) (approvals.Request, error)
	Withdraw(ctx context.Context, id, reason string) (approvals.Request, error)
}

// Exemptions let apps through rules for a time.
type Exemptions interface {
	// AskExemption asks for one; approvals.ErrNotExemptable if the policy exempts nobody from that rule.
	AskExemption(ctx context.Context, app string, in control.ExemptionAsk) (approvals.Request, error)
	// RevokeExemption ends one at once.
	RevokeExemption(ctx context.Context, id, reason string) (approvals.Request, error)
}

// Together decides about several requests at once.
type Together interface {
	// DecideRelease decides about several requests of a release, or about none.
	DecideRelease(ctx context.Context, app string, number int, d control.ReleaseVerdict) ([]approvals.Request, error)
	// DecideAlike decides about requests that ask for the same, of any apps, or about none.
	DecideAlike(ctx context.Context, d control.ReleaseVerdict) ([]approvals.Request, error)
}

// Briefings tell reviewers what they have to know before a decision.
type Briefings interface {
	// Queue lists requests, and counts those that are open.
	Queue(ctx context.Context, f control.RequestFilter, p control.Page) (control.Queue, error)
	// AwayOf lists who could still vote about a request and has said that they are away.
	AwayOf(ctx context.Context, id string) ([]control.Absent, error)
	// Briefing is about one release, and what of it is open.
	Briefing(ctx context.Context, app string, number int) (control.Briefing, error)
}

// Threads are what people write about requests.
type Threads interface {
	// AskChanges has a request wait for its requester; Comment, by them, and Changed are answers.
	AskChanges(ctx context.Context, id string, d control.Verdict) (approvals.Request, error)
	Comment(ctx context.Context, id, text string) (approvals.Request, error)
	Changed(ctx context.Context, id, text string) (approvals.Request, error)
}

// Grants are what decisions allow.
type Grants interface {
	Grants(ctx context.Context, f control.GrantFilter, p control.Page) (control.Items[approvals.Grant], error)
	Grant(ctx context.Context, id string) (approvals.Grant, error)
	// RevokeGrant ends a grant, or with all every grant of its app for the same capability.
	RevokeGrant(ctx context.Context, id, reason string, all bool) (control.Revoked, error)
	// ShrinkGrant takes off a grant, at once, what its app has not used.
	ShrinkGrant(ctx context.Context, id string) (approvals.Grant, error)
}

// Lives carry grants beyond their first end, and make those that come before their review.
type Lives interface {
	// RenewGrant asks for a grant anew, before its end or after it.
	RenewGrant(ctx context.Context, id, reason string) (approvals.Request, error)
	// CertifyGrant is a reviewer's word that a grant is still needed.
	CertifyGrant(ctx context.Context, id, reason string) (approvals.Grant, error)
	// BreakGlass allows a release a capability for hours, before the review that it asks for.
	BreakGlass(ctx context.Context, app string, e control.Emergency) (control.BrokenGlass, error)
}

// Audiences say who may open apps.
type Audiences interface {
	// Audiences returns who may open each tier of an app, from the lowest.
	Audiences(ctx context.Context, app string) ([]control.Audience, error)
	// SetAudience says who may open a tier. The kind public takes a request, which what is returned
	// names, and holds once that is approved.
	SetAudience(ctx context.Context, a access.Audience, reason string) (control.Audience, error)
	// AccessRequests lists who asked for access to an app, those who wait first.
	AccessRequests(ctx context.Context, app string) ([]access.AccessRequest, error)
	// AnswerAccess decides about one of them. Granting it adds the person to the audience.
	AnswerAccess(ctx context.Context, app string, tier abi.Tier, person string, grant bool, reason string) (access.AccessRequest, error)
}

// Meter shows what was used.
type Meter interface {
	Usage(ctx context.Context, q metering.Query) (metering.Report, error)
}

// Samples are calls that were kept as examples.
type Samples interface {
	// Samples are some calls of an app (or of all, for "") in the hour of a time, the last first.
	Samples(ctx context.Context, app string, hour time.Time, p control.Page) (control.Items[control.Sample], error)
}

// Calls are single calls of apps.
type Calls interface {
	// Call is what is known of a call, by the id that its caller was given; control.ErrNoSuchCall.
	// app is "" for any that the actor may look into. at, if not zero, is when it ended.
	Call(ctx context.Context, app, id string, at time.Time) (control.Call, error)
}

// Events are the changes that were made.
type Events interface {
	Events(ctx context.Context, f control.EventFilter, p control.Page) (control.Items[abi.Event], error)
}

// Automation steers what calls apps besides requests.
type Automation interface {
	// PauseTrigger pauses or resumes; what comes for a paused trigger waits.
	PauseTrigger(ctx context.Context, ref triggers.Ref, paused bool, reason string) (control.Trigger, error)
	// RunTrigger runs a cron trigger now and returns the run's id.
	RunTrigger(ctx context.Context, app, name string) (id string, err error)
	Redeliver(ctx context.Context, app string, seq uint64) (triggers.Delivery, error)
	DropDeadLetter(ctx context.Context, app string, seq uint64) (triggers.Delivery, error)
}

// Vault keeps what apps hold confidential. No method of it, or of what embeds it, returns a value.
type Vault interface {
	SetSecret(ctx context.Context, app, name string, value []byte) (control.Secret, error)
	DeleteSecret(ctx context.Context, app, name string) error
}

// Tokens are the actor's own.
type Tokens interface {
	// NewToken returns a secret that is shown this once.
	NewToken(ctx context.Context, t control.NewToken) (secret string, c access.Credential, err error)
	Tokens(ctx context.Context, p control.Page) (control.Items[access.Credential], error)
	RevokeToken(ctx context.Context, id string) error
}

// Sessions are where people are signed in to the console. "" is the actor.
type Sessions interface {
	List(ctx context.Context, user string, p control.Page) (control.Items[control.SignedIn], error)
	// End ends one, and all that it made; access.ErrNoSession.
	End(ctx context.Context, user, id string) error
	// EndAll ends all but the one that the actor acts with.
	EndAll(ctx context.Context, user string) (ended int, err error)
}

// Delegations say who decides in the place of reviewers who are away.
type Delegations interface {
	// List lists those of a person, "" for the actor, and those to that person.
	List(ctx context.Context, person string, p control.Page) (control.Items[control.ShownDelegation], error)
	// Delegate has another person decide in the actor's place; access.ErrBadDelegation, access.ErrDelegatedRight.
	Delegate(ctx context.Context, n control.NewDelegation) (control.ShownDelegation, error)
	// EndDelegation ends one of a person, "" for the actor; access.ErrNoDelegation.
	EndDelegation(ctx context.Context, person, id string) error
}

// WorkloadRules are the rules of the node's file by which jobs of a CI get tokens. Nothing here changes one.
type WorkloadRules interface {
	// Rules lists all, for auditors and operators.
	Rules(ctx context.Context, p control.Page) (control.Items[control.WorkloadRule], error)
	// RulesFor lists those by which jobs may act on an app, for its owners, too.
	RulesFor(ctx context.Context, app string, p control.Page) (control.Items[control.WorkloadRule], error)
}

// ServiceAccounts are accounts of machines, for each of which a person answers.
type ServiceAccounts interface {
	// List lists those of a sponsor: for that person, auditors and operators.
	List(ctx context.Context, f control.ServiceAccountFilter, p control.Page) (control.Items[control.ServiceAccount], error)
	Show(ctx context.Context, name string) (control.ServiceAccount, error)
	Create(ctx context.Context, n control.NewServiceAccount) (control.ServiceAccount, error)
	Change(ctx context.Context, name string, to control.ServiceAccountChange) (control.ServiceAccount, error)
	// Delete ends a service account for good: no other is given its name.
	Delete(ctx context.Context, name string) error
	// NewToken returns a secret that is shown this once.
	NewToken(ctx context.Context, name string, t control.NewToken) (secret string, c access.Credential, err error)
	Tokens(ctx context.Context, name string, p control.Page) (control.Items[access.Credential], error)
	RevokeToken(ctx context.Context, name, id string) error
}

// Users are the people who may come in.
type Users interface {
	Users(ctx context.Context, f control.UserFilter, p control.Page) (control.Items[access.User], error)
	User(ctx context.Context, name string) (access.User, error)
	PutUser(ctx context.Context, name string, roles []access.Role, disabled bool) (access.User, error)
	// RenameUser gives a user another name, under which all that is theirs stays theirs;
	// access.ErrNameTaken if it is or was another person's.
	RenameUser(ctx context.Context, from, to string) (access.User, error)
	// NewLink makes a one-time sign-in link for a user: its path and query on the console.
	NewLink(ctx context.Context, user string) (path string, err error)
}

// Accounts are people's accounts at sign-in providers.
type Accounts interface {
	// Accounts are those of a person, "" for the actor.
	Accounts(ctx context.Context, user string) ([]access.Account, error)
	// Disconnect takes an account from a person, "" for the actor; access.ErrLastWayIn if it is that.
	Disconnect(ctx context.Context, user, id string) error
}

// Explainer says who may do what, and why.
type Explainer interface {
	Why(ctx context.Context, q control.AccessQuestion) (control.Explanation, error)
}

// Groups are sets of people.
type Groups interface {
	List(ctx context.Context, f control.GroupFilter, p control.Page) (control.Items[control.Group], error)
	// Show finds a group by its id or, of those made here, by its name.
	Show(ctx context.Context, group string) (control.Group, error)
	// People are for those who are in the group, and for operators.
	People(ctx context.Context, group string, p control.Page) (control.Items[control.GroupPerson], error)
	Create(ctx context.Context, name string) (control.Group, error)
	// Rename, Delete, Add and Remove are refused with access.ErrGroupTold for a provider's group.
	Rename(ctx context.Context, group, name string) (control.Group, error)
	Delete(ctx context.Context, group string) error
	Add(ctx context.Context, group, person string) (control.Group, error)
	Remove(ctx context.Context, group, person string) (control.Group, error)
}

// Inbox has what the actor is told.
type Inbox interface {
	// Notices lists the actor's, newest first.
	Notices(ctx context.Context, f control.NoticeFilter, p control.Page) (control.Items[control.Notice], error)
	// Notice is one of the actor's; notices.ErrNoNotice.
	Notice(ctx context.Context, id string) (control.Notice, error)
	MarkNotices(ctx context.Context, m control.MarkNotices) (control.Unread, error)
	NoticeSettings(ctx context.Context) (control.NoticeSettings, error)
	// SetNoticeSettings says how the actor is told; notices.ErrBadSettings.
	SetNoticeSettings(ctx context.Context, c control.NoticeChoice) (control.NoticeSettings, error)
}

// Links say whether operators' one-time sign-in links are taken.
type Links interface {
	Links(ctx context.Context) (access.Links, error)
	// SwitchLinks switches them on or off; access.ErrLastWayIn if no operator could sign in then.
	SwitchLinks(ctx context.Context, off bool) (access.Links, error)
}

// Keys are public keys that sign for an identity.
type Keys interface {
	Keys(ctx context.Context, p control.Page) (control.Items[registry.Key], error)
	// KeyChallenge returns the text that a key's private half signs to prove that it is to sign for
	// an identity, "" for the actor's.
	KeyChallenge(ctx context.Context, identity string) (string, error)
	AddKey(ctx context.Context, k control.NewKey) (registry.Key, error)
	DeleteKey(ctx context.Context, hint string) error
}

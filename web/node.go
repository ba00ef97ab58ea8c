package web

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/triggers"
)

// Node is a running node as its front doors see it. Who acts is in the context
// (access.WithActor); every method checks that this actor may, and answers
// access.ErrUnauthenticated or access.ErrForbidden if not. Errors are sentinels
// of the domains, wrapped; web/problem knows what each means.
type Node interface {
	Catalogue
	Lifecycle
	Intake
	Publisher
	Reviewer
	Observer
	Automation
	SecretKeeper
	Identity
	Trust
	Health
	Repeats
}

// Repeats serves writes that have a key once.
type Repeats interface {
	// BeginAttempt is asked before a write that has a key is served: see control.Attempts.
	BeginAttempt(ctx context.Context, key, print string) (within context.Context, was *control.Answer, end func(*control.Answer) error, err error)
}

// Catalogue reads and routes apps.
type Catalogue interface {
	// Apps are those that a search finds, by title.
	Apps(ctx context.Context, s registry.Search, p control.Page) (control.Items[control.App], error)
	App(ctx context.Context, name string) (control.App, error)
	// AppPage and ReleasePage are all that a page shows to who acts, of one state.
	AppPage(ctx context.Context, app string, parts control.AppParts) (control.AppPage, error)
	ReleasePage(ctx context.Context, app string, number int) (control.ReleasePage, error)
	// Releases are newest first, as are all lists here that do not say otherwise.
	Releases(ctx context.Context, app string, p control.Page) (control.Items[control.Release], error)
	Release(ctx context.Context, app string, number int) (control.Release, error)
	// DeleteRelease forgets a release for good; registry.ErrInUse if it is needed.
	DeleteRelease(ctx context.Context, app string, number int) error
	// Quotas are what a person ("" for who asks) and, if one is named, an app have and may
	// have; for operators, the node, too.
	Quotas(ctx context.Context, person, app string) ([]control.Quota, error)
	// Activate routes a tier to a release that is approved for it.
	Activate(ctx context.Context, app string, number int, tier abi.Tier, reason string) (registry.Activation, error)
	// RollBack routes a tier to the release that was active before. A reason is required.
	RollBack(ctx context.Context, app string, tier abi.Tier, reason string) (registry.Activation, error)
	Activations(ctx context.Context, app string, p control.Page) (control.Items[registry.Activation], error)
	// Invoke calls a release (0: the serving one) as the gateway would, and is metered.
	Invoke(ctx context.Context, app string, number int, r *http.Request) (control.Response, error)
	// CallLimits are how many bytes a release (0: the serving one) takes and answers at most.
	CallLimits(ctx context.Context, app string, number int) (request, response int64, err error)
	Events(ctx context.Context, f control.EventFilter, p control.Page) (control.Items[abi.Event], error)
	// HostNames are addresses of apps beside those that their names make.
	HostNames(ctx context.Context, p control.Page) (control.Items[registry.HostName], error)
	AddHostName(ctx context.Context, host, app string) (registry.HostName, error)
	DeleteHostName(ctx context.Context, host string) error
}

// Lifecycle stops apps, removes them and hands them over. Each act is refused with
// registry.ErrState where the app's state does not allow it, and with registry.ErrRemoved if it is
// gone. Who does something to another person's app gives a reason.
type Lifecycle interface {
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
	// AnswerOffer takes an app that is offered to the actor, or ends the offer.
	AnswerOffer(ctx context.Context, app string, accept bool) (control.App, error)
	// RenameApp gives an app another title.
	RenameApp(ctx context.Context, app, title string) (control.App, error)
	// Certificates say what was removed of an app, or for "" of all that the actor may see.
	Certificates(ctx context.Context, app string, p control.Page) (control.Items[registry.Issued], error)
	Certificate(ctx context.Context, id string) (registry.Issued, error)
}

// Intake is asked before a body is read: API and console share what it gives.
type Intake interface {
	// BeginUpload takes a place among the uploads for a body of n bytes (-1: it does not say),
	// until done is called. It waits for a moment, and no longer, if all places are taken.
	BeginUpload(ctx context.Context, why control.Purpose, n int64) (done func(), err error)
	// Hold takes n bytes of the memory for bodies until release is called, as BeginUpload does.
	Hold(ctx context.Context, n int64) (release func(), err error)
	// Receive writes a module to the disk, and hashes it meanwhile.
	Receive(ctx context.Context, r io.Reader) (control.Module, error)
}

// Publisher takes uploads in.
type Publisher interface {
	// Publish admits, stores and, when nothing needs a review, activates.
	// stage, if not nil, is told each step as it begins. When rules refuse, the
	// error is a *Refusal (errors.Is registry.ErrRefused).
	Publish(ctx context.Context, u control.Upload, stage func(string)) (control.Published, error)
	// Inspect reads a module without storing anything.
	Inspect(ctx context.Context, module control.Module) (registry.Inspection, error)
	// CheckPolicy tells what the rules would say of a manifest and a module
	// (nil: the manifest alone) in a tier.
	CheckPolicy(ctx context.Context, manifest []byte, module control.Module, tier abi.Tier) ([]abi.Finding, error)
	// Rules are the policy in force: file name to source.
	Rules(ctx context.Context) (map[string]string, error)
}

// Reviewer carries requests to decisions, and decisions to grants.
type Reviewer interface {
	Requests(ctx context.Context, f control.RequestFilter, p control.Page) (control.Items[approvals.Request], error)
	Request(ctx context.Context, id string) (approvals.Request, error)
	Promote(ctx context.Context, app string, number int, to abi.Tier, reason string) (approvals.Request, error)
	// AskAgain asks for what a release lacks in the sandbox and nothing waits for.
	AskAgain(ctx context.Context, app string, number int, reason string) ([]approvals.Request, error)
	Decide(ctx context.Context, id string, d control.Verdict) (approvals.Request, error)
	Withdraw(ctx context.Context, id string) (approvals.Request, error)
	Grants(ctx context.Context, f control.GrantFilter, p control.Page) (control.Items[approvals.Grant], error)
	// RevokeGrant ends a grant, or with all every grant of its app for the same
	// capability.
	RevokeGrant(ctx context.Context, id, reason string, all bool) (control.Revoked, error)
	// ShrinkGrant takes off a grant, at once, what its app has not used.
	ShrinkGrant(ctx context.Context, id string) (approvals.Grant, error)
}

// Observer shows what happened.
type Observer interface {
	Usage(ctx context.Context, q metering.Query) (metering.Report, error)
	// Books says what is wrong with what Usage is made of; nothing, as a rule.
	Books(ctx context.Context) ([]abi.Finding, error)
	// Samples are some calls of an app (or of all, for "") in the hour of a time, the
	// last first.
	Samples(ctx context.Context, app string, hour time.Time, p control.Page) (control.Items[control.Sample], error)
	// Call is what is known of a call, by the id that its caller was given; control.ErrNoSuchCall.
	// app is "" for any that the actor may look into. at, if not zero, is when it ended.
	Call(ctx context.Context, app, id string, at time.Time) (control.Call, error)
	// Logs are the newest lines of an app, oldest first.
	Logs(ctx context.Context, app string, limit int) ([]control.LogLine, error)
}

// Automation is what calls apps besides requests.
type Automation interface {
	// Triggers are those of the release that serves, and those of earlier ones that
	// something still waits for.
	Triggers(ctx context.Context, app string, p control.Page) (control.Items[control.Trigger], error)
	// PauseTrigger pauses or resumes; what comes for a paused trigger waits.
	PauseTrigger(ctx context.Context, ref triggers.Ref, paused bool, reason string) (control.Trigger, error)
	// RunTrigger runs a cron trigger now and answers the run's id.
	RunTrigger(ctx context.Context, app, name string) (id string, err error)
	// DeadLetters are what an app could not be brought to take, newest first.
	DeadLetters(ctx context.Context, app string, p control.Page) (control.Items[triggers.Delivery], error)
	Redeliver(ctx context.Context, app string, seq uint64) (triggers.Delivery, error)
	DropDeadLetter(ctx context.Context, app string, seq uint64) (triggers.Delivery, error)
}

// SecretKeeper keeps what apps hold confidential. No method answers a value.
type SecretKeeper interface {
	Secrets(ctx context.Context, app string, p control.Page) (control.Items[control.Secret], error)
	SetSecret(ctx context.Context, app, name string, value []byte) (control.Secret, error)
	DeleteSecret(ctx context.Context, app, name string) error
	// RotateSecrets seals all of them with a new key. It answers how many.
	RotateSecrets(ctx context.Context) (int, error)
}

// Identity is who may come in.
type Identity interface {
	// Authenticate answers who holds a token or a session's secret.
	Authenticate(ctx context.Context, secret string) (access.Actor, error)
	// SignIn uses up a one-time link and answers the secret of a new session.
	SignIn(ctx context.Context, link string) (secret string, actor access.Actor, err error)
	SignOut(ctx context.Context, secret string) error
	// NewToken answers a secret that is shown this once.
	NewToken(ctx context.Context, t control.NewToken) (secret string, c access.Credential, err error)
	Tokens(ctx context.Context, p control.Page) (control.Items[access.Credential], error)
	RevokeToken(ctx context.Context, id string) error
	Users(ctx context.Context, f control.UserFilter, p control.Page) (control.Items[access.User], error)
	PutUser(ctx context.Context, name string, roles []access.Role, disabled bool) (access.User, error)
	// RenameUser gives a user another name, under which all that is theirs stays theirs;
	// access.ErrNameTaken if it is or was another person's.
	RenameUser(ctx context.Context, from, to string) (access.User, error)
	// NewLink makes a one-time sign-in link for a user: its path and query on the console.
	NewLink(ctx context.Context, user string) (path string, err error)
}

// Trust signs and tells what is trusted.
type Trust interface {
	// Certify answers a short-lived certificate (PEM chain, leaf first) for the
	// actor's identity and the key that signed the PKCS #10 request (DER).
	Certify(ctx context.Context, csr []byte) (chainPEM []byte, err error)
	// Timestamp answers an RFC 3161 request (DER) with a response (DER).
	Timestamp(ctx context.Context, request []byte) ([]byte, error)
	// TrustRoot is the sigstore trusted root of this node, as JSON.
	TrustRoot(ctx context.Context) ([]byte, error)
	Keys(ctx context.Context, p control.Page) (control.Items[registry.Key], error)
	// KeyChallenge returns the text that a key's private half signs to prove that it is to sign for
	// an identity, "" for the actor's.
	KeyChallenge(ctx context.Context, identity string) (string, error)
	AddKey(ctx context.Context, k control.NewKey) (registry.Key, error)
	DeleteKey(ctx context.Context, hint string) error
}

// Health tells how the node is.
type Health interface {
	Info(ctx context.Context) control.Info
	// Doctor checks everything stored and everything running.
	Doctor(ctx context.Context) ([]control.Check, error)
	// Backup writes all that the node keeps as one stream. If it fails, what was
	// written is no backup.
	Backup(ctx context.Context, w io.Writer) error
}

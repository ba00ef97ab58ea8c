package api

import (
	"context"
	"io"
	"net/http"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/triggers"
	"github.com/agora-host/agora/web"
)

// Services are what the API asks of a node, by area. Each has to be there.
type Services struct {
	About         web.About
	Authenticator web.Authenticator
	SignIn        Links
	Logins        Logins
	Workloads     Workloads
	Attempts      Attempts
	Conditions    Conditions
	Room          web.Room

	Catalogue    Catalogue
	Quotas       web.Quotas
	HostNames    web.HostNames
	Lifecycle    web.Lifecycle
	Remover      web.Remover
	Certificates web.Certificates
	Caller       Caller

	Intake    web.Intake
	Publisher web.Publisher
	Policy    Policy
	Trust     Trust

	Routes     web.Routes
	Requests   Requests
	Threads    web.Threads
	Together   web.Together
	Briefings  web.Briefings
	Exemptions web.Exemptions
	Lives      web.Lives
	Grants     web.Grants

	Audiences Audiences

	Meter      web.Meter
	Samples    web.Samples
	Calls      web.Calls
	Events     web.Events
	Logs       Logs
	Automation Automation
	Vault      Vault

	Tokens          web.Tokens
	Sessions        web.Sessions
	ServiceAccounts web.ServiceAccounts
	Delegations     web.Delegations

	Accounts     web.Accounts
	Links        web.Links
	Users        web.Users
	Provisioning web.Provisioning
	Groups       web.Groups
	Inbox        web.Inbox
	Access       web.Explainer
	Keys         web.Keys

	Doctor Doctor
	Backup Backup
}

// Links are one-time links for signing in.
type Links interface {
	// SignIn uses a link up and returns the secret of a new session.
	SignIn(ctx context.Context, link string) (secret string, actor access.Actor, err error)
}

// Logins give programs tokens that a person has confirmed in the console.
type Logins interface {
	// Begin takes what a program asks for that waits for a person at another machine; access.ErrLoginsFull.
	Begin(ctx context.Context, asked control.LoginAsk) (control.DeviceLogin, error)
	// Redeem trades a code for a token; access.ErrLoginPending until a person has confirmed it.
	Redeem(ctx context.Context, code, verifier string) (secret string, token access.Credential, err error)
}

// Workloads give the jobs of a CI tokens of service accounts.
type Workloads interface {
	// Exchange trades a CI's token for one of a service account; access.ErrExchange.
	Exchange(ctx context.Context, asked control.Exchange) (secret string, token access.Credential, err error)
	web.WorkloadRules
}

// Conditions hold writes to what their callers have read.
type Conditions interface {
	// Expect returns a context within which a change is made only if a document is as expected;
	// control.ErrPrecondition if it is not: see revisions.Service.
	Expect(ctx context.Context, of control.Document, c control.Condition) (context.Context, error)
}

// Attempts serve writes that have a key once.
type Attempts interface {
	// BeginAttempt is asked before a write that has a key is served: see control.Attempts.
	BeginAttempt(ctx context.Context, key, print string) (within context.Context, was *control.Answer, end func(*control.Answer) error, err error)
}

// Catalogue reads apps and their releases.
type Catalogue interface {
	web.Catalogue
	App(ctx context.Context, name string) (control.App, error)
	Releases(ctx context.Context, app string, p control.Page) (control.Items[control.Release], error)
	Release(ctx context.Context, app string, number int) (control.Release, error)
	Activations(ctx context.Context, app string, p control.Page) (control.Items[registry.Activation], error)
}

// Caller calls apps.
type Caller interface {
	// Invoke calls a release (0: the serving one) as the gateway would, and is metered.
	Invoke(ctx context.Context, app string, number int, r *http.Request) (control.Response, error)
	// CallLimits are how many bytes a release (0: the serving one) takes and returns at most.
	CallLimits(ctx context.Context, app string, number int) (request, response int64, err error)
}

// Policy judges what is not published yet.
type Policy interface {
	web.Policy
	// Inspect reads a module without storing anything.
	Inspect(ctx context.Context, module control.Module) (registry.Inspection, error)
	// Build makes a module of a script without storing anything.
	Build(ctx context.Context, s control.Script) (control.Built, error)
	// ReleaseSource reads what a release was made of.
	ReleaseSource(ctx context.Context, app string, number int) (control.ReleaseSource, error)
	// CheckPolicy returns what the rules would say of a manifest and a module (nil: the manifest
	// alone) in a tier.
	CheckPolicy(ctx context.Context, manifest []byte, module control.Module, tier abi.Tier) ([]abi.Finding, error)
}

// Trust signs, and says what is trusted.
type Trust interface {
	// Certify returns a short-lived certificate (PEM chain, leaf first) for the actor's identity and
	// the key that signed the PKCS #10 request (DER).
	Certify(ctx context.Context, csr []byte) (chainPEM []byte, err error)
	// Timestamp returns the response (DER) to an RFC 3161 request (DER).
	Timestamp(ctx context.Context, request []byte) ([]byte, error)
	// TrustRoot is the sigstore trusted root of this node, as JSON.
	TrustRoot(ctx context.Context) ([]byte, error)
}

// Requests can be read one by one, too.
type Requests interface {
	web.Requests
	Request(ctx context.Context, id string) (approvals.Request, error)
}

// Audiences can be read one by one, and be asked for access.
type Audiences interface {
	web.Audiences
	Audience(ctx context.Context, app string, tier abi.Tier) (control.Audience, error)
	// AskAccess asks for access to a tier in the actor's name; "" for the highest that serves.
	AskAccess(ctx context.Context, app string, tier abi.Tier) (access.AccessRequest, error)
}

// Logs are what apps wrote.
type Logs interface {
	// Logs are the newest lines of an app before a page's cursor, oldest first.
	Logs(ctx context.Context, app string, p control.Page) (control.Items[control.LogLine], error)
}

// Automation lists what it steers.
type Automation interface {
	web.Automation
	// Triggers are those of the release that serves, and those of earlier ones that something still
	// waits for.
	Triggers(ctx context.Context, app string, p control.Page) (control.Items[control.Trigger], error)
	// Trigger is one of them, with the tag of what people decide about it.
	Trigger(ctx context.Context, ref triggers.Ref) (t control.Trigger, tag string, err error)
	// DeadLetters are what an app could not be brought to take, newest first.
	DeadLetters(ctx context.Context, app string, p control.Page) (control.Items[triggers.Delivery], error)
}

// Vault lists the names of what it keeps, and can change its own key.
type Vault interface {
	web.Vault
	Secrets(ctx context.Context, app string, p control.Page) (control.Items[control.Secret], error)
	// RotateSecrets seals all of them with a new key. It returns how many.
	RotateSecrets(ctx context.Context) (int, error)
}

// Doctor checks everything stored and everything running.
type Doctor interface {
	Doctor(ctx context.Context) ([]control.Check, error)
}

// Backup copies a node.
type Backup interface {
	// Backup writes all that the node keeps as one stream. If it fails, what was written is no
	// backup.
	Backup(ctx context.Context, w io.Writer) error
}

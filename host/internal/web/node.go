package web

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/internal/humanize"
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
}

// Catalogue reads and routes apps.
type Catalogue interface {
	// Apps are those that a search finds, by title.
	Apps(ctx context.Context, s registry.Search, p Page) (Items[App], error)
	App(ctx context.Context, name string) (App, error)
	// Releases are newest first, as are all lists here that do not say otherwise.
	Releases(ctx context.Context, app string, p Page) (Items[Release], error)
	Release(ctx context.Context, app string, number int) (Release, error)
	// DeleteRelease forgets a release for good; registry.ErrInUse if it is needed.
	DeleteRelease(ctx context.Context, app string, number int) error
	// Quotas are what a person ("" for who asks) and, if one is named, an app have and may
	// have; for operators, the node, too.
	Quotas(ctx context.Context, person, app string) ([]Quota, error)
	// Activate routes a tier to a release that is approved for it.
	Activate(ctx context.Context, app string, number int, tier abi.Tier, reason string) (registry.Activation, error)
	// RollBack routes a tier to the release that was active before. A reason is required.
	RollBack(ctx context.Context, app string, tier abi.Tier, reason string) (registry.Activation, error)
	Activations(ctx context.Context, app string, p Page) (Items[registry.Activation], error)
	// Invoke calls a release (0: the serving one) as the gateway would, and is metered.
	Invoke(ctx context.Context, app string, number int, r *http.Request) (Response, error)
	// CallLimits are how many bytes a release (0: the serving one) takes and answers at most.
	CallLimits(ctx context.Context, app string, number int) (request, response int64, err error)
	Events(ctx context.Context, f EventFilter, p Page) (Items[abi.Event], error)
	// HostNames are addresses of apps beside those that their names make.
	HostNames(ctx context.Context, p Page) (Items[registry.HostName], error)
	AddHostName(ctx context.Context, host, app string) (registry.HostName, error)
	DeleteHostName(ctx context.Context, host string) error
}

// Lifecycle stops apps, removes them and hands them over. Each act is refused with
// registry.ErrState where the app's state does not allow it, and with registry.ErrRemoved if it is
// gone. Who does something to another person's app gives a reason.
type Lifecycle interface {
	// SuspendApp stops an app: its owner, a reviewer or an operator.
	SuspendApp(ctx context.Context, app, reason string) (App, error)
	// ResumeApp ends a suspension; registry.ErrHeld if it was a higher authority's.
	ResumeApp(ctx context.Context, app, reason string) (App, error)
	// DeleteApp stops an app and has it removed after a wait.
	DeleteApp(ctx context.Context, app, reason string) (App, error)
	// UndeleteApp ends a deletion while the wait lasts.
	UndeleteApp(ctx context.Context, app string) (App, error)
	// TransferApp offers an app to another person, if its owner asks; an operator hands it over.
	TransferApp(ctx context.Context, app, to, reason string) (App, error)
	// AnswerOffer takes an app that is offered to the actor, or ends the offer.
	AnswerOffer(ctx context.Context, app string, accept bool) (App, error)
	// RenameApp gives an app another title.
	RenameApp(ctx context.Context, app, title string) (App, error)
	// Certificates say what was removed of an app, or for "" of all that the actor may see.
	Certificates(ctx context.Context, app string, p Page) (Items[registry.Issued], error)
	Certificate(ctx context.Context, id string) (registry.Issued, error)
}

// Intake is asked before a body is read: API and console share what it gives.
type Intake interface {
	// BeginUpload takes a place among the uploads for a body of n bytes (-1: it does not say),
	// until done is called. It waits for a moment, and no longer, if all places are taken.
	BeginUpload(ctx context.Context, why Purpose, n int64) (done func(), err error)
	// Hold takes n bytes of the memory for bodies until release is called, as BeginUpload does.
	Hold(ctx context.Context, n int64) (release func(), err error)
	// Receive writes a module to the disk, and hashes it meanwhile.
	Receive(ctx context.Context, r io.Reader) (Module, error)
}

// Purpose is what a module is uploaded for.
type Purpose string

// A module is uploaded to become a release, or to be looked at.
const (
	ToPublish Purpose = "publish"
	ToInspect Purpose = "inspect"
)

// BesideModule is how many bytes an upload may have beside its module.
const BesideModule = 4 << 20

// Module is an uploaded module, on the disk.
type Module interface {
	Size() int64
	Bytes() ([]byte, error) // reads it
	Keep() error            // makes it durable
	Discard() error         // removes it, unless it was kept
}

// Publisher takes uploads in.
type Publisher interface {
	// Publish admits, stores and, when nothing needs a review, activates.
	// stage, if not nil, is told each step as it begins. When rules refuse, the
	// error is a *Refusal (errors.Is registry.ErrRefused).
	Publish(ctx context.Context, u Upload, stage func(string)) (Published, error)
	// Inspect reads a module without storing anything.
	Inspect(ctx context.Context, module Module) (registry.Inspection, error)
	// CheckPolicy tells what the rules would say of a manifest and a module
	// (nil: the manifest alone) in a tier.
	CheckPolicy(ctx context.Context, manifest []byte, module Module, tier abi.Tier) ([]abi.Finding, error)
	// Rules are the policy in force: file name to source.
	Rules(ctx context.Context) (map[string]string, error)
}

// Reviewer carries requests to decisions, and decisions to grants.
type Reviewer interface {
	Requests(ctx context.Context, f RequestFilter, p Page) (Items[approvals.Request], error)
	Request(ctx context.Context, id string) (approvals.Request, error)
	Promote(ctx context.Context, app string, number int, to abi.Tier, reason string) (approvals.Request, error)
	// AskAgain asks for what a release lacks in the sandbox and nothing waits for.
	AskAgain(ctx context.Context, app string, number int, reason string) ([]approvals.Request, error)
	Decide(ctx context.Context, id string, d Verdict) (approvals.Request, error)
	Withdraw(ctx context.Context, id string) (approvals.Request, error)
	Grants(ctx context.Context, app string, p Page) (Items[approvals.Grant], error) // "" for all
	// RevokeGrant ends a grant, or with all every grant of its app for the same
	// capability.
	RevokeGrant(ctx context.Context, id, reason string, all bool) (Revoked, error)
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
	Samples(ctx context.Context, app string, hour time.Time, p Page) (Items[Sample], error)
	// Call is what is known of a call, by the id that its caller was given; problem.ErrNoSuchCall.
	// app is "" for any that the actor may look into. at, if not zero, is when it ended.
	Call(ctx context.Context, app, id string, at time.Time) (Call, error)
	// Logs are the newest lines of an app, oldest first.
	Logs(ctx context.Context, app string, limit int) ([]LogLine, error)
}

// Automation is what calls apps besides requests.
type Automation interface {
	// Triggers are those of the release that serves, and those of earlier ones that
	// something still waits for.
	Triggers(ctx context.Context, app string, p Page) (Items[Trigger], error)
	// PauseTrigger pauses or resumes; what comes for a paused trigger waits.
	PauseTrigger(ctx context.Context, ref triggers.Ref, paused bool, reason string) (Trigger, error)
	// RunTrigger runs a cron trigger now and answers the run's id.
	RunTrigger(ctx context.Context, app, name string) (id string, err error)
	// DeadLetters are what an app could not be brought to take, newest first.
	DeadLetters(ctx context.Context, app string, p Page) (Items[triggers.Delivery], error)
	Redeliver(ctx context.Context, app string, seq uint64) (triggers.Delivery, error)
	DropDeadLetter(ctx context.Context, app string, seq uint64) (triggers.Delivery, error)
}

// SecretKeeper keeps what apps hold confidential. No method answers a value.
type SecretKeeper interface {
	Secrets(ctx context.Context, app string, p Page) (Items[Secret], error)
	SetSecret(ctx context.Context, app, name string, value []byte) (Secret, error)
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
	NewToken(ctx context.Context, t NewToken) (secret string, c access.Credential, err error)
	Tokens(ctx context.Context, p Page) (Items[access.Credential], error)
	RevokeToken(ctx context.Context, id string) error
	Users(ctx context.Context, p Page) (Items[access.User], error)
	PutUser(ctx context.Context, name string, roles []access.Role, disabled bool) (access.User, error)
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
	Keys(ctx context.Context, p Page) (Items[registry.Key], error)
	// KeyChallenge returns the text that a key's private half signs to prove that it is to sign for
	// an identity, "" for the actor's.
	KeyChallenge(ctx context.Context, identity string) (string, error)
	AddKey(ctx context.Context, k NewKey) (registry.Key, error)
	DeleteKey(ctx context.Context, hint string) error
}

// Health tells how the node is.
type Health interface {
	Info(ctx context.Context) Info
	// Doctor checks everything stored and everything running.
	Doctor(ctx context.Context) ([]Check, error)
	// Backup writes all that the node keeps as one stream. If it fails, what was
	// written is no backup.
	Backup(ctx context.Context, w io.Writer) error
}

// Upload is what publishing needs.
type Upload struct {
	Manifest []byte // TOML
	Module   Module
	Bundle   []byte // sigstore bundle, JSON
	// Sign lets the node sign for who uploads, with a key that exists for this signature only:
	// for browsers, which have none.
	Sign bool
}

// NewToken is a token that is asked for.
type NewToken struct {
	Label string
	TTL   time.Duration // 0: it does not expire
	access.Reach
}

// NewKey is a public key with what proves that it is to sign for an identity.
type NewKey struct {
	PEM       string `json:"pem"`
	Identity  string `json:"identity,omitempty"` // default the caller
	Challenge string `json:"challenge"`          // the text that the node gave, within the last hour
	Proof     string `json:"proof"`              // its signature by the key: a bundle of cosign sign-blob, or base64
}

// Published says what became of an upload.
type Published struct {
	Release  Release             `json:"release"`
	Active   bool                `json:"active"`             // the sandbox serves it
	Requests []approvals.Request `json:"requests,omitempty"` // what waits for a reviewer
	Findings []abi.Finding       `json:"findings,omitempty"`
	URL      string              `json:"url"`         // the app's address
	Preview  string              `json:"preview_url"` // this release's own address
	// Unchanged: the upload repeats the newest release, so there is no other one.
	Unchanged bool `json:"unchanged,omitempty"`
}

// Verdict is what a reviewer decides about a request.
type Verdict struct {
	Approve bool   `json:"approve"`
	Reason  string `json:"reason,omitempty"` // needed to reject
	// Digest is the module that the reviewer looked at. A request that is about
	// another is not decided. Left out: the one that the request names, which never
	// changes.
	Digest string `json:"digest,omitempty"`
}

// Revoked is a grant that was ended, and what allows the same still.
type Revoked struct {
	approvals.Grant
	Also    []string          `json:"also,omitempty"`    // other grants that were ended with it
	Still   []approvals.Grant `json:"still,omitempty"`   // live grants of the same capability
	Default []abi.Tier        `json:"default,omitempty"` // tiers that give it to every app
}

// Refusal is an upload or a promotion that the rules refuse.
type Refusal struct {
	Findings []abi.Finding
}

func (r *Refusal) Error() string { return registry.ErrRefused.Error() + ": " + r.Reasons() }

// Reasons are the messages of what denied.
func (r *Refusal) Reasons() string {
	var reasons []string
	for _, f := range r.Findings {
		if f.Severity == abi.SeverityDeny {
			reasons = append(reasons, f.Message)
		}
	}
	return strings.Join(reasons, " ")
}

func (r *Refusal) Unwrap() error { return registry.ErrRefused }

// Quota is how much of one thing is used, and how much may be.
type Quota struct {
	Name   string     `json:"name"`
	About  string     `json:"about"`        // what is counted
	Per    string     `json:"per"`          // "person", "app" or "node"
	Of     string     `json:"of,omitempty"` // which person or app
	Used   int64      `json:"used"`
	Limit  int64      `json:"limit"`
	Bytes  bool       `json:"bytes,omitempty"` // used and limit are bytes
	Remedy abi.Remedy `json:"remedy"`          // what to do when it is used up
}

// OverQuota refuses what would make something larger than its quota.
type OverQuota struct {
	Quota Quota
	More  int64 // that was wanted
}

func (e *OverQuota) Error() string {
	q, amount := e.Quota, func(n int64) string { return strconv.FormatInt(n, 10) }
	if q.Bytes {
		amount = func(n int64) string { return humanize.Bytes(uint64(max(0, n))) }
	}
	of := q.Of
	switch q.Per {
	case "app":
		of = "app " + strconv.Quote(q.Of)
	case "node":
		of = "this node"
	}
	return fmt.Sprintf("the quota %q of %s (%s) is used up: %s of %s, and %s more would be needed", q.Name, of, q.About, amount(q.Used), amount(q.Limit), amount(e.More))
}

func (e *OverQuota) Unwrap() error { return registry.ErrQuota }

// Kept says why a release is kept, and until when.
type Kept struct {
	Because []string  `json:"because"`        // "serves pilot", "req-3 is open", "one of the newest 50"
	Needed  bool      `json:"needed"`         // it cannot be deleted
	More    int       `json:"more,omitempty"` // so many uploads more, and it goes, if nothing else keeps it
	Until   time.Time `json:"until,omitzero"` // and not before
}

// App is an app as it is shown.
type App struct {
	registry.App
	State    registry.State      `json:"state"`
	May      []string            `json:"may,omitempty"`      // what the caller may do to it: suspend, resume, rename, transfer, accept, end-offer, delete, undelete; not in lists
	URL      string              `json:"url"`                // of the highest tier that serves
	TierURLs map[abi.Tier]string `json:"tier_urls"`          // of each tier that serves
	Tier     abi.Tier            `json:"tier,omitempty"`     // the highest tier that serves; "" for none
	Serving  int                 `json:"serving,omitempty"`  // its release
	Waiting  int                 `json:"waiting"`            // open requests
	Previous map[abi.Tier]int    `json:"previous,omitempty"` // what rolling a tier back leads to; not in lists
}

// Trigger is a trigger as it is shown.
type Trigger struct {
	triggers.Status
	Path     string `json:"path"`
	Schedule string `json:"schedule,omitempty"` // of cron triggers, with its time zone
	Paused   bool   `json:"paused"`
	PausedBy string `json:"paused_by,omitempty"`
	Reason   string `json:"reason,omitempty"` // why it is paused
	Live     bool   `json:"live"`             // the serving release has it
	// Waits says why a trigger that is declared does not call the app yet.
	Waits   string    `json:"waits,omitempty"`
	Next    time.Time `json:"next,omitzero"` // run of a cron trigger
	Queued  int       `json:"queued"`
	Running int       `json:"running"`
	Dead    int       `json:"dead"`
}

// Release is a release as it is shown.
type Release struct {
	registry.Release
	PreviewURL string            `json:"preview_url"`
	ActiveIn   []abi.Tier        `json:"active_in,omitempty"`
	Access     []CapabilityState `json:"access"` // every capability declared or imported
	Kept       Kept              `json:"kept"`
	// MayServe are tiers that can be routed to it at once. Only where one release is read.
	MayServe []abi.Tier `json:"may_serve,omitempty"`
}

// CapabilityState is the truth about one capability of a release, from four
// sides: what its manifest declares, what its binary imports, what is granted,
// and what it really used.
type CapabilityState struct {
	Name     string   `json:"name"`
	Summary  string   `json:"summary"`
	Tier     abi.Tier `json:"tier"` // where it is looked at: the highest that the release serves, or the sandbox
	Declared bool     `json:"declared"`
	Imported bool     `json:"imported"`
	Granted  bool     `json:"granted"` // by default or by a grant
	Default  bool     `json:"default"` // no grant needed

	Asked    abi.Params         `json:"asked,omitempty"`    // as declared
	Params   abi.Params         `json:"params,omitempty"`   // as it holds: what is granted and declared; of what is not granted, as declared
	Grant    string             `json:"grant,omitempty"`    // the grant that allows it
	Reviewed int                `json:"reviewed,omitempty"` // the release that the grant is about
	How      string             `json:"how,omitempty"`      // how the grant reaches this one: reviewed or later
	Request  string             `json:"request,omitempty"`  // the open request
	Refused  *approvals.Request `json:"refused,omitempty"`  // the last request about it, if it was rejected
	Used     []approvals.Used   `json:"used,omitempty"`     // by this release, since it was first called
	Enough   abi.Params         `json:"enough,omitempty"`   // what the grant could be shrunk to, if that is less

	May      string        `json:"may,omitempty"`      // the same in words, after "This app may"
	Did      []string      `json:"did,omitempty"`      // after "It"
	Last     time.Time     `json:"last,omitzero"`      // when it was last used
	Findings []abi.Finding `json:"findings,omitempty"` // what its owner can do something about
}

// AddRequest finds what was last asked about a capability of a release. Requests are
// newest first.
func (s *CapabilityState) AddRequest(app string, release int, requests []approvals.Request) {
	for _, q := range requests {
		if q.App != app || q.Release != release || q.Capability != s.Name || q.Kind != approvals.KindGrant {
			continue
		}
		switch q.Status {
		case approvals.StatusOpen:
			s.Request = q.ID
		case approvals.StatusRejected:
			s.Refused = &q
		}
		return
	}
}

// Response is an invocation's answer.
type Response struct {
	Status       int         `json:"status"`
	Header       http.Header `json:"header"`
	Body         []byte      `json:"body"`
	Instructions uint64      `json:"instructions"`
	GuestMicros  uint64      `json:"guest_us"`
	HostMicros   uint64      `json:"host_us"`
	MemoryKiB    uint64      `json:"memory_kib"`
	Release      int         `json:"release"`
}

// RequestFilter narrows a list of requests.
type RequestFilter struct {
	Status  approvals.Status // "" for all
	App     string           // "" for all
	Release int              // 0 for all; otherwise App is named, and Status is not
}

// EventFilter narrows the list of events.
type EventFilter struct {
	After  abi.Rev
	Newest bool // newest first; otherwise oldest first
}

// LogLine is one line of an app's log.
type LogLine struct {
	At      time.Time `json:"at"`
	App     string    `json:"app"`
	Release int       `json:"release"`
	Level   string    `json:"level"`  // debug, info, warn, error
	Source  string    `json:"source"` // "log" (the capability), "stderr", or "node"
	Message string    `json:"message"`
	Call    string    `json:"call,omitempty"` // the call that it is about
}

// Call is what is known of one call. Every call that failed or was refused is noted in its app's
// log, and kept as long as that; of the others some are kept as samples.
type Call struct {
	ID           string       `json:"id"`
	App          string       `json:"app"`
	Owner        string       `json:"owner"`
	Team         string       `json:"team"`
	At           time.Time    `json:"at"` // when it ended, or wrote last
	Release      int          `json:"release,omitempty"`
	Tier         string       `json:"tier,omitempty"`
	Trigger      string       `json:"trigger,omitempty"`
	Outcome      string       `json:"outcome"` // one of the outcomes below; "" if it wrote lines, and no more is kept
	Status       int          `json:"status,omitempty"`
	Problem      *abi.Problem `json:"problem,omitempty"` // why it failed, and what its maker does about it
	Instructions uint64       `json:"instructions"`
	GuestMicros  uint64       `json:"guest_us"`
	HostMicros   uint64       `json:"host_us"`
	MemoryKiB    uint64       `json:"memory_kib,omitempty"`
	Lines        []LogLine    `json:"lines"` // of the app's log, oldest first
}

// How a call ended.
const (
	CallServed  = "served"
	CallFailed  = "failed"
	CallRefused = "refused" // the app was not called
)

// Secret is a secret as it is shown: never its value.
type Secret struct {
	Name string    `json:"name"`
	By   string    `json:"by"` // who set it
	At   time.Time `json:"at"` // when
}

// Sample is a call that was kept to be looked at.
type Sample struct {
	App          string    `json:"app"`
	ID           string    `json:"id"`
	At           time.Time `json:"at"`  // when it ended
	Why          string    `json:"why"` // "failed", "slow" or "random"
	Release      int       `json:"release"`
	Tier         string    `json:"tier"`
	Trigger      string    `json:"trigger"`
	Status       int       `json:"status,omitempty"` // HTTP; 0 if there was no answer
	Fault        string    `json:"fault,omitempty"`
	Instructions uint64    `json:"instructions"`
	GuestMicros  uint64    `json:"guest_us"`
	HostMicros   uint64    `json:"host_us"`
	Of           uint64    `json:"of"` // calls of the app in that hour
}

// Info describes the node.
type Info struct {
	Version    string    `json:"version"`
	Started    time.Time `json:"started"`
	ConsoleURL string    `json:"console_url"`
	AppsDomain string    `json:"apps_domain"` // "localhost:8080"
	Rev        abi.Rev   `json:"rev"`
	Waiting    int       `json:"waiting"` // open requests that the reader may decide
	Demo       bool      `json:"demo"`    // started by `agora up`
	// TriggersPaused: started with --pause-triggers. Nothing is delivered, and all waits.
	TriggersPaused bool `json:"triggers_paused"`
}

// Check is one line of the doctor's report.
type Check struct {
	Name   string     `json:"name"`
	OK     bool       `json:"ok"`
	Detail string     `json:"detail"`
	Damage []Damage   `json:"damage,omitempty"`
	Remedy abi.Remedy `json:"remedy,omitzero"`
}

// Damage is one thing that is not as it was written.
type Damage struct {
	File   string `json:"file,omitempty"` // path on the node
	Item   string `json:"item,omitempty"` // what in the file
	Detail string `json:"detail"`
}

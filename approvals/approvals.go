package approvals

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/internal/sentinel"
)

var (
	// ErrNotFound: no such request or grant.
	ErrNotFound  = errors.New("not found")
	ErrNoRequest = sentinel.New(ErrNotFound, "there is no such request")
	ErrNoGrant   = sentinel.New(ErrNotFound, "there is no such grant")
	// ErrAlreadyDecided: the request was decided before.
	ErrAlreadyDecided = errors.New("already decided")
	// ErrSelfReview: the owner or the requester tried to decide.
	ErrSelfReview = errors.New("reviewers do not decide about their own requests")
	// ErrNotYours: only the requester or the owner can take a request back.
	ErrNotYours = errors.New("not your request")
	// ErrReasonMissing: an act that must say why has no reason.
	ErrReasonMissing = errors.New("a reason is needed")
	// ErrAlreadyRequested: the same thing is already waiting for a decision.
	ErrAlreadyRequested = errors.New("already requested")
	// ErrBadRequest: what is asked for cannot be granted to anybody.
	ErrBadRequest = errors.New("the request is not valid")
	// ErrNothingToShrink: the grant allows no more than was used.
	ErrNothingToShrink = errors.New("there is nothing to take off")
	// ErrChanged: what a decision was made about is not what it would be about now.
	ErrChanged = errors.New("the request changed while you looked")
	// ErrNothingToAsk: the release has all that it asks for.
	ErrNothingToAsk = errors.New("there is nothing to ask for")
	// ErrPolicy: the policy could not be evaluated; nothing was allowed.
	ErrPolicy = errors.New("the policy could not be evaluated")
)

// Kind is what a request asks for.
type Kind string

const (
	KindGrant     Kind = "grant"     // a capability
	KindPromotion Kind = "promotion" // a release to a higher tier
	KindExemption Kind = "exemption" // that a rule refuses an app nothing for a time
	KindAudience  Kind = "audience"  // a tier of an app to be open to everybody, without a sign-in
)

// Status is where a request stands.
type Status string

const (
	StatusOpen      Status = "open"
	StatusApproved  Status = "approved"
	StatusRejected  Status = "rejected"
	StatusWithdrawn Status = "withdrawn"
	StatusScheduled Status = "scheduled" // approved, and starts at a time that is to come
)

// Turn is whom an open request waits for.
type Turn string

const (
	TurnReviewers Turn = "reviewers"
	TurnRequester Turn = "requester" // whoever asked, or another owner of the app: changes were asked for
	TurnOver      Turn = ""          // it waits for no one: it is decided, or was taken back
)

// Request asks reviewers for something. It is about one release from its first
// day to its last: when another release is to be decided about, it is withdrawn and
// replaced.
type Request struct {
	ID         string        `json:"id"` // "req-" and the number, ascending
	Kind       Kind          `json:"kind"`
	App        string        `json:"app"`
	Owner      string        `json:"owner"`              // the app's owner when it was asked
	CoOwner    string        `json:"co_owner,omitempty"` // and who owned it with the owner: see registry.App
	Group      string        `json:"group,omitempty"`
	Release    int           `json:"release"`
	Digest     string        `json:"digest"` // the release's digest: what is approved
	Tier       abi.Tier      `json:"tier"`   // where the grant holds, or where the promotion leads
	Capability string        `json:"capability,omitempty"`
	Params     abi.Params    `json:"params,omitempty"` // the grant's parameters: quota …
	Exemption  *Exemption    `json:"exemption,omitempty"`
	Reason     string        `json:"reason,omitempty"`
	Findings   []abi.Finding `json:"findings,omitempty"`
	By         string        `json:"by"`
	abi.Behalf               // of who made it
	Created    time.Time     `json:"created"`
	Status     Status        `json:"status"`
	Decision   *Decision     `json:"decision,omitempty"`
	Schedule

	// Stages are whose votes the policy wants; none: one reviewer of all that it is about decides.
	Stages []Stage `json:"stages,omitempty"`
	Votes  []Vote  `json:"votes,omitempty"` // in the order in which they were cast
	Turn   Turn    `json:"turn,omitempty"`
	Clock          // of those whose turn it is
	// Thread are the comments about it, in the order in which they were written.
	Thread []Comment `json:"thread,omitempty"`
	// Former are the people, and the ids of the groups, that owned the app while it was open, and do not
	// any more. They decide nothing about it either.
	Former []string `json:"former,omitempty"`

	// Intent is what the app is for, as its release says.
	Intent *Intent `json:"intent,omitempty"`
	// Reviewed is what of the release a reviewer relies on.
	Reviewed Terms `json:"reviewed,omitzero"`
	// Requires is what the policy wanted decided when it was asked, about the one capability of a
	// request for a grant; approving a promotion grants it. Policy is the policy that it is by; "" in
	// requests from before they said it.
	Requires []Requirement `json:"requires,omitempty"`
	Policy   Digest        `json:"policy,omitempty"`
	// Since is the release that Changes compare with; 0: there is none.
	Since   int      `json:"since,omitempty"`
	Changes []Change `json:"changes,omitempty"`
	// Replaces is the request that asked for the same before: about an earlier
	// release, or about this one and rejected.
	Replaces string `json:"replaces,omitempty"`
	// Renews is the grant that it asks for anew, before or after its end.
	Renews string `json:"renews,omitempty"`
	// Emergency is the grant that was made before this review of it, and ends with it at the latest.
	Emergency  string `json:"emergency,omitempty"`
	Superseded int    `json:"superseded,omitempty"`  // by this later release, if it was
	ReplacedBy string `json:"replaced_by,omitempty"` // the request about that, if there is one

	// Reaches says which releases a grant reaches; after a decision, as it was said
	// to the reviewer. Newer is the newest release, if this one is not. Both are
	// filled in where a request is shown.
	Reaches string `json:"reaches,omitempty"`
	Newer   int    `json:"newer,omitempty"`
	// Progress is how far its stages are, filled in likewise if the policy names any.
	Progress []Tally `json:"progress,omitempty"`
}

// Intent is what an app is for and what it is expected to need, in its owner's words.
type Intent struct {
	Description   string            `json:"description,omitempty"`
	ExpectedUsers int64             `json:"expected_users,omitempty"` // people who will use it
	MonthlyCents  int64             `json:"monthly_cents,omitempty"`  // what it will cost
	Answers       map[string]string `json:"answers,omitempty"`        // to the organisation's questions, by their names
}

// Change is one difference between two releases.
type Change struct {
	Path   string `json:"path"` // in the manifest, or "module"
	Was    string `json:"was,omitempty"`
	Now    string `json:"now,omitempty"`
	Effect Effect `json:"effect,omitempty"`
}

// Effect is what a change lets the later release do, beside the earlier one.
type Effect string

// The effects of changes.
const (
	EffectWider    Effect = "wider"    // more, or something else
	EffectNarrower Effect = "narrower" // less
	EffectOther    Effect = ""         // neither can be said: it is another module, title or signer
)

// Decision is the outcome of a request: the vote that decided it.
type Decision struct {
	Approve bool      `json:"approve"`
	Reason  string    `json:"reason,omitempty"` // required to reject
	Remedy  string    `json:"remedy,omitempty"` // of a rejection: what would pass
	Digest  string    `json:"digest,omitempty"` // of the module that was decided about
	By      string    `json:"by"`
	For     string    `json:"for,omitempty"` // in whose place: see Vote
	At      time.Time `json:"at"`
	Policy  Digest    `json:"policy,omitempty"` // that an approval was judged by once more
	Until   time.Time `json:"until,omitzero"`   // when the grants that it made end at the latest
}

// Grant allows an app one capability in a tier and every tier below it.
type Grant struct {
	ID           string     `json:"id"`
	Emergency    bool       `json:"emergency,omitempty"` // it was made before its review, which Request is, for one release
	App          string     `json:"app"`
	Capability   string     `json:"capability"`
	Tier         abi.Tier   `json:"tier"`
	Params       abi.Params `json:"params,omitempty"`
	Request      string     `json:"request"`
	By           string     `json:"by"`
	Reason       string     `json:"reason,omitempty"`
	Created      time.Time  `json:"created"`
	Expires      time.Time  `json:"expires,omitzero"` // from when on it allows nothing; zero: never
	Until        time.Time  `json:"until,omitzero"`   // the latest that Expires can become; zero: there is none
	Shrunk       time.Time  `json:"shrunk,omitzero"`  // when something was last taken off its parameters
	ShrunkBy     string     `json:"shrunk_by,omitempty"`
	Revoked      time.Time  `json:"revoked,omitzero"`
	RevokedBy    string     `json:"revoked_by,omitempty"`
	RevokedFor   string     `json:"revoked_for,omitempty"`
	Certified    time.Time  `json:"certified,omitzero"` // when a reviewer last said that it is still needed
	CertifiedBy  string     `json:"certified_by,omitempty"`
	CertifiedFor string     `json:"certified_for,omitempty"`

	// Told is what its owners were told of its end.
	Told Told `json:"told,omitzero"`
	// Idle is since when nothing has used it.
	Idle Idle `json:"idle,omitzero"`

	// Reviewed is the release that was decided about, as it was then.
	Reviewed Terms `json:"reviewed,omitzero"`
	// Except are digests of modules that a reviewer refused this capability.
	Except []string `json:"except,omitempty"`

	// Reaches says which releases the grant reaches, and Serving which of those
	// that serve. Both are filled in where a grant is shown.
	Reaches string    `json:"reaches,omitempty"`
	Serving []Serving `json:"serving,omitempty"`
}

// Serving is a release that serves a tier with a grant.
type Serving struct {
	Tier    abi.Tier `json:"tier"`
	Release int      `json:"release"`
	How     string   `json:"how"` // ReachReviewed or ReachLater
}

// Live reports whether the grant allows anything at that time.
func (g Grant) Live(now time.Time) bool {
	return g.Revoked.IsZero() && (g.Expires.IsZero() || now.Before(g.Expires))
}

// Reader is what the acts of this package read within one transaction. Methods return ErrNotFound for
// what does not exist. Lists are newest first.
type Reader interface {
	Request(id string) (Request, error)
	// OpenRequests lists the requests of a kind and an app that wait.
	OpenRequests(app string, kind Kind) ([]Request, error)
	// AskedFor lists the requests for grants of a capability to an app.
	AskedFor(app, capability string) ([]Request, error)
	Grant(id string) (Grant, error)
	Grants(app string) ([]Grant, error) // that are not revoked
}

// Overview is what flows across domains read of approvals besides.
type Overview interface {
	// CountOpen returns how many requests of an app wait or, for "", of all.
	CountOpen(app string) (int, error)
	// Waiting returns the id of a request that is open, or approved and has not started, for each release of an app that one is about.
	Waiting(app string) (map[int]string, error)
	// AskedBefore returns the last request about the newest release of an app before one that was
	// asked about or, with approved, that was approved; ErrNotFound if there is none.
	AskedBefore(app string, release int, approved bool) (Request, error)
	// Used returns what a release did with its capabilities.
	Used(app string, release int) ([]Used, error)
	// UsedByAny returns what the releases of an app did together, those that are gone as well.
	UsedByAny(app string) ([]Used, error)
}

// Writer is what one transaction can change of approvals.
type Writer interface {
	// NextRequest returns the next request id.
	NextRequest() (string, error)
	PutRequest(Request) error
	PutGrant(Grant) error
}

// Tx is the approvals' part of one transaction.
type Tx interface {
	Reader
	Writer
}

// Subject is what the policy judges: a release about to enter or serve a tier.
// Its JSON form is the `input` document of the rules.
type Subject struct {
	Action   string          `json:"action"` // "publish" or "promote"
	Actor    string          `json:"actor"`
	Tier     abi.Tier        `json:"tier"`
	App      SubjectApp      `json:"app"`
	Module   SubjectModule   `json:"module"`
	Limits   SubjectLimits   `json:"limits"`
	Triggers SubjectTriggers `json:"triggers"`
	Signer   SubjectSigner   `json:"signer"`
	Grants   []SubjectGrant  `json:"grants"` // live grants of the app
	Asked    []SubjectAsked  `json:"asked"`  // capabilities the manifest declares
	// Allowed are the capabilities that the tier's rules allow as they are asked for, without a
	// reviewer.
	Allowed []string `json:"allowed,omitempty"`
	// Exemptions are those that hold. What rules find is marked by them whatever the rules make of them.
	Exemptions []SubjectExemption `json:"exemptions,omitempty"`
	// Models are the node's language models, with the classes of data that each may see.
	Models map[string][]string `json:"models,omitempty"`
}

// SubjectApp is the metadata that the manifest carries.
type SubjectApp struct {
	Name           string `json:"name"`
	Title          string `json:"title"`
	Description    string `json:"description"`
	Owner          string `json:"owner"`
	Team           string `json:"team"`
	CostCenter     string `json:"cost_center"`
	Classification string `json:"data_classification"`
	KeepState      bool   `json:"keep_state"` // what a request leaves in memory may be found by the next
	Identity       string `json:"identity"`   // what it is told of who calls it: "", "pseudonym" or "person"
	Public         bool   `json:"public"`     // the tier was opened to everybody, or is about to be
	Shared         bool   `json:"shared"`     // it has a co-owner, or belongs to a group
	// What its owner expects and answers: see Request.Intent.
	ExpectedUsers int64             `json:"expected_users"`
	MonthlyCents  int64             `json:"monthly_cents"`
	Answers       map[string]string `json:"answers,omitempty"`
	// Closed are capabilities that were taken from it or refused, so that no rule alone allows them.
	Closed   []string `json:"closed,omitempty"`
	Reserved string   `json:"reserved,omitempty"` // why no new app may have its name; "" for one that is there
}

// SubjectModule is what was read from the binary.
type SubjectModule struct {
	Digest       string        `json:"digest"`
	Size         int64         `json:"size"` // bytes
	Interface    abi.Interface `json:"interface"`
	Capabilities []string      `json:"capabilities"` // imported, or needed by its triggers, by word
}

// SubjectLimits are the limits the manifest asks for.
type SubjectLimits struct {
	Fuel        uint64 `json:"fuel"`        // instructions for each request
	Memory      int64  `json:"memory"`      // bytes
	TimeoutMS   int64  `json:"timeout_ms"`  //
	Request     int64  `json:"request"`     // bytes of a request body
	Response    int64  `json:"response"`    // bytes of a response body
	Concurrency int    `json:"concurrency"` // requests served at once
}

// SubjectTriggers is what calls the app besides requests.
type SubjectTriggers struct {
	Crons    []SubjectCron `json:"crons,omitempty"`
	Webhooks int           `json:"webhooks"`
	Events   int           `json:"events"` // subscriptions
}

// SubjectCron is one cron trigger.
type SubjectCron struct {
	Name      string `json:"name"`
	Schedule  string `json:"schedule"`
	IntervalS int64  `json:"interval_s"` // the shortest time between two runs, in seconds
}

// SubjectSigner is who signed and how that was checked.
type SubjectSigner struct {
	Identity string `json:"identity"`
	Method   string `json:"method"`
	Trust    string `json:"trust"`
	Owns     bool   `json:"owns"` // it is one of the app's owners: its owner, its co-owner, or in its group
}

// SubjectGrant is a live grant.
type SubjectGrant struct {
	Capability string     `json:"capability"`
	Tier       abi.Tier   `json:"tier"`
	Params     abi.Params `json:"params"`
}

// SubjectAsked is a capability that the manifest declares.
type SubjectAsked struct {
	Capability string     `json:"capability"`
	Params     abi.Params `json:"params"`
}

// Digest names a policy by what its rules are: "sha256:" and 64 hexadecimal digits.
type Digest string

// Requirement is something that the policy wants a reviewer to decide about for one release, before
// it does what it is about to. A request is made of requirements, and an approval grants them: no
// flow reads either out of a finding.
type Requirement struct {
	Kind       Kind   `json:"kind"` // KindGrant
	Capability string `json:"capability"`
	Code       string `json:"code,omitempty"`   // of the rule
	Reason     string `json:"reason,omitempty"` // why, for people
}

// UnmarshalJSON reads the name of a capability, too, which is what requests stored before
// requirements had reasons.
func (r *Requirement) UnmarshalJSON(b []byte) error {
	var word string
	if json.Unmarshal(b, &word) == nil {
		*r = Requirement{Kind: KindGrant, Capability: word}
		return nil
	}
	type plain Requirement
	return json.Unmarshal(b, (*plain)(r))
}

// Capabilities lists the capabilities that requirements are about, sorted, each once.
func Capabilities(requires []Requirement) []string {
	var words []string
	for _, r := range requires {
		words = append(words, r.Capability)
	}
	slices.Sort(words)
	return slices.Compact(words)
}

// Verdict is what the policy says of a subject.
type Verdict struct {
	// Findings are for people. One of severity deny refuses the subject. Each requirement is among
	// them, with severity review; nothing follows from that.
	Findings []abi.Finding
	// Requires is what a reviewer has to decide about, by capability and code.
	Requires []Requirement
	// Stages are whose votes it takes; none: those of one reviewer of all that it is about.
	Stages []Stage
	// Policy is what said so.
	Policy Digest
}

// Requirements are those about one capability.
func (v Verdict) Requirements(capability string) []Requirement {
	return slices.DeleteFunc(slices.Clone(v.Requires), func(r Requirement) bool { return r.Capability != capability })
}

// Refuses reports whether the policy refuses the subject.
func (v Verdict) Refuses() bool {
	return slices.ContainsFunc(v.Findings, func(f abi.Finding) bool { return f.Severity == abi.SeverityDeny })
}

// About are the findings about one capability.
func (v Verdict) About(capability string) []abi.Finding {
	return slices.DeleteFunc(slices.Clone(v.Findings), func(f abi.Finding) bool { return f.Subject != capability })
}

// Policy judges a subject. An error means that the policy could not be evaluated:
// it wraps ErrPolicy and the caller must refuse. Safe for concurrent use.
type Policy interface {
	Evaluate(ctx context.Context, s Subject) (Verdict, error)
	// Digest names the policy, as its verdicts do.
	Digest() Digest
	Rules
}

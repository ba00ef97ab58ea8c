package control

import (
	"cmp"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/source"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/triggers"
)

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

// Upload is what publishing needs.
type Upload struct {
	Manifest []byte // TOML
	Module   Module
	Bundle   []byte // sigstore bundle, JSON
	// Script is what the module is to be made of, if Module is nil.
	Script *Script
	// Sign lets the node sign for who uploads, with a key that exists for this signature only:
	// for browsers, which have none.
	Sign bool
}

// SignInProvider is a provider as people choose it.
type SignInProvider struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// MaxScript bounds a script that the node builds, in bytes.
const MaxScript = 5 << 20

// Script is one file in JavaScript, TypeScript or Python, which imports no other; its name says the language.
type Script struct {
	Entry string // its name: "app.ts"
	Code  []byte
	// Capabilities are those that the module is to import.
	Capabilities []string
}

// Built is a module that the node made of a script.
type Built struct {
	Module   []byte          `json:"module"` // in JSON base64
	Digest   registry.Digest `json:"digest"`
	Size     int64           `json:"size"` // bytes of the module
	Made     source.Origin   `json:"made"`
	Findings []abi.Finding   `json:"findings,omitempty"` // what is doubtful in the script
}

// ScriptError says why a script cannot become a module.
type ScriptError struct{ Findings []abi.Finding }

func (e *ScriptError) Error() string {
	var all []string
	for _, f := range e.Findings {
		if f.Path != "" {
			f.Message = f.Path + ": " + f.Message
		}
		all = append(all, f.Message)
	}
	return registry.ErrBadScript.Error() + ": " + strings.Join(all, "; ")
}

func (e *ScriptError) Unwrap() error { return registry.ErrBadScript }

// ReleaseSource is what a release was made of, as its module says.
type ReleaseSource struct {
	Made     source.Origin `json:"made"`
	Outdated bool          `json:"outdated,omitempty"` // this node makes modules with another version of the engine
	Rebuilt  bool          `json:"rebuilt,omitempty"`  // this node made the same module of the files
	Files    []source.File `json:"files"`
}

// NewToken is a token that is asked for.
type NewToken struct {
	Label string
	TTL   time.Duration // 0: it does not expire
	// Automation names what acts with it on behalf of whose it is; "": that person.
	Automation string
	access.Reach
}

// LoginAsk is what a program of a person's asks for.
type LoginAsk struct {
	Machine   string        // as it calls itself
	Life      time.Duration // of its token
	Challenge string        // of a program that opened the browser: the S256 of its verifier
	access.Reach
}

// DeviceLogin is what a program is told that waits for a person at another machine (RFC 8628, 3.2).
type DeviceLogin struct {
	DeviceCode string `json:"device_code"` // shown once: the program's own
	UserCode   string `json:"user_code"`   // what the person types
	Address    string `json:"verification_uri"`
	Complete   string `json:"verification_uri_complete"` // with the code
	Expires    int    `json:"expires_in"`                // seconds
	Interval   int    `json:"interval"`                  // seconds between two questions
}

// LoginAsked is a login that waits for a person, as it is shown to that person.
type LoginAsked struct {
	LoginAsk
	From access.Device // what asked, and from where
	At   time.Time
	Ends time.Time // if no one confirms it
}

// SignedIn is where a person is signed in to the console, as it is shown.
type SignedIn struct {
	ID       string    `json:"id"`
	Device   string    `json:"device,omitempty"`   // what the browser or the program calls itself
	Address  string    `json:"address,omitempty"`  // from which the session began
	Provider string    `json:"provider,omitempty"` // with which it began; left out: with a one-time link
	Began    time.Time `json:"began"`
	Used     time.Time `json:"used"`    // last, to a few minutes
	Ends     time.Time `json:"ends"`    // if it is not used
	Longest  time.Time `json:"longest"` // however much it is used
	Current  bool      `json:"current,omitempty"`
	Apps     []string  `json:"apps,omitempty"` // at whose addresses it is signed in, too
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

// Verdict is how a reviewer votes about a request.
type Verdict struct {
	Approve bool   `json:"approve"`
	Reason  string `json:"reason,omitempty"` // needed to reject
	Remedy  string `json:"remedy,omitempty"` // of a rejection: what would pass
	// Concern is that of the stage which the vote is about, "" for a stage of any reviewer. Left out: the
	// first that waits for a reviewer such as this.
	Concern *string `json:"concern,omitempty"`
	// Digest is the module that the reviewer looked at. A request that is about
	// another is not decided. Left out: the one that the request names, which never
	// changes.
	Digest string `json:"digest,omitempty"`
	// Until is when what an approval grants ends. Left out: as the rules of the tier say.
	Until time.Time `json:"until,omitzero"`
	// Starts is when an approved promotion takes effect: later than now, and in 30 days at the latest. Of several votes
	// the latest counts. Left out: at once.
	Starts time.Time `json:"starts,omitzero"`
}

// ReleaseVerdict is how a reviewer decides at once about what one release asks for.
type ReleaseVerdict struct {
	Verdict
	// Parts are the requests that are decided. Left out: every open one of the release that the reviewer
	// may decide now.
	Parts []PartVerdict `json:"parts,omitempty"`
}

// PartVerdict is one request in a ReleaseVerdict.
type PartVerdict struct {
	ID string `json:"id"`
	// Tag is the ETag of the request that the reviewer looked at. One that is another now is not decided,
	// nor is any other part.
	Tag string `json:"etag,omitempty"`
	// Approve is the verdict about this part, which has a reason and a remedy of its own then. Left out:
	// the verdict about all.
	Approve *bool  `json:"approve,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Remedy  string `json:"remedy,omitempty"`
	// Until is when what this part grants ends. Left out: as the verdict about all says.
	Until time.Time `json:"until,omitzero"`
}

// About is the verdict about one part.
func (v ReleaseVerdict) About(p PartVerdict) Verdict {
	one := v.Verdict
	if p.Approve != nil {
		one.Approve, one.Reason, one.Remedy = *p.Approve, p.Reason, p.Remedy
	}
	if !p.Until.IsZero() {
		one.Until = p.Until
	} else if !one.Approve {
		one.Until = time.Time{}
	}
	if !one.Approve {
		one.Starts = time.Time{}
	}
	return one
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
	Tier     abi.Tier // that it was refused
	Script   string   // the file that the release was made of, as its module says; "": of none
}

// plainName is a file's name that can stand in a command as it is.
var plainName = regexp.MustCompile(`\A[A-Za-z0-9_][A-Za-z0-9_./-]{0,199}\z`)

// Check is the command that asks the rules about what was deployed, without an upload.
func (r *Refusal) Check() string {
	command := "agora policy check agora.toml app.wasm"
	if plainName.MatchString(r.Script) {
		command = "agora policy check " + r.Script
	}
	if r.Tier != "" && r.Tier != abi.TierSandbox {
		command += " --tier " + string(r.Tier)
	}
	return command
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
	Name  string `json:"name"`
	About string `json:"about"`        // what is counted
	Per   string `json:"per"`          // "person", "app", "group" or "node"
	Of    string `json:"of,omitempty"` // which person, app or, by its id, group
	// GroupName is the name of that group.
	GroupName string `json:"group_name,omitempty"`
	Used      int64  `json:"used"`
	Limit     int64  `json:"limit"`
	From      string `json:"from"` // who said so: "own", "everybody", "start" or "default"
	// Set is by whom, why and until when it was set, if an operator did.
	Set    *access.QuotaSetting `json:"set,omitempty"`
	Bytes  bool                 `json:"bytes,omitempty"` // used and limit are bytes
	Remedy abi.Remedy           `json:"remedy"`          // what to do when it is used up
}

// QuotaOf says whose quota is meant: one of a person, a group or an app or, without any, all alike.
type QuotaOf struct {
	User  string `json:"user,omitempty"`
	Group string `json:"group,omitempty"` // by its id or, if it was made here, its name
	App   string `json:"app,omitempty"`
}

// SetQuota is what an operator sets.
type SetQuota struct {
	QuotaOf
	Limit  int64     `json:"limit" bounds:"min=0"`        // a number, or bytes
	Reason string    `json:"reason" bounds:"length=1000"` // which the person concerned reads
	Until  time.Time `json:"until,omitzero"`              // when it ends; left out: when it is cleared
}

// OverQuota refuses what would make something larger than its quota.
type OverQuota struct {
	Quota Quota
	More  int64 // that was wanted
}

func (e *OverQuota) Error() string {
	q := e.Quota
	of := q.Of
	switch q.Per {
	case "app":
		of = "app " + strconv.Quote(q.Of)
	case "group":
		of = "group " + strconv.Quote(cmp.Or(q.GroupName, q.Of))
	case "node":
		of = "this node"
	}
	text := fmt.Sprintf("the quota %q of %s (%s) is used up: %s of %s, and %s more would be needed", q.Name, of, q.About, q.Amount(q.Used), q.Amount(q.Limit), q.Amount(e.More))
	if q.Set != nil {
		text += fmt.Sprintf("; %s set it on %s: %s", q.Set.By, q.Set.At.UTC().Format(time.DateOnly), q.Set.Reason)
	}
	return text
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
	// GroupName is the name of the group that owns it.
	GroupName string `json:"group_name,omitempty"`
	Orphaned  bool   `json:"orphaned,omitempty"`  // its owner is disabled
	Successor string `json:"successor,omitempty"` // who could own an orphaned app: its co-owner
	// Engine is what the release that serves, or else the newest, was made with, if of a script.
	Engine   *Engine       `json:"engine,omitempty"`
	Findings []abi.Finding `json:"findings,omitempty"` // what its owner can do something about; not in lists
}

// Maintain is what is said of an app that is put in maintenance. Each but the reason for another person's app
// may be left out.
type Maintain struct {
	Until     time.Time // zero: no end is said
	Successor string    // the app that people should use from now on
	Reason    string
}

// ExemptionAsk is what is asked for an exemption from a rule.
type ExemptionAsk struct {
	Release int       // 0: the newest
	Tier    abi.Tier  //
	Code    string    // of the rule
	Bound   bool      // to that release's module; else it is for the app in the tier
	Reason  string    //
	Control string    // what is done instead
	Until   time.Time //
}

// AppCode is what leads a browser from the console to an app's address, where it is signed in then.
type AppCode struct {
	Secret string // good once
	Host   string
	App    registry.App
	// SignOn is the secret of a new cookie, by which the console knows the browser the next time that
	// an app sends it; "" where it was that cookie that vouched.
	SignOn string
}

// Audience is who may open a tier of an app, as it is shown.
type Audience struct {
	access.Audience
	GroupNames []string `json:"group_names,omitempty"` // of groups, in their order
	Set        bool     `json:"set"`                   // it was set, and is not the default
	Waiting    string   `json:"waiting,omitempty"`     // the open request to open the tier to everybody
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

// TriggerFace is what of a trigger people decide: what declares it and whether it is paused, and not
// how it goes, which changes by itself.
type TriggerFace struct {
	Ref                   triggers.Ref
	Path, Schedule, Waits string
	Serves                bool // the release that serves declares it
	Pause                 *triggers.Pause
}

// Release is a release as it is shown.
type Release struct {
	registry.Release
	PreviewURL string            `json:"preview_url"`
	ActiveIn   []abi.Tier        `json:"active_in,omitempty"`
	Access     []CapabilityState `json:"access"` // every capability declared or imported
	Kept       Kept              `json:"kept"`
	// Outdated: the release was made of a script, and this node makes modules with another version of
	// the engine. The release goes on to run as it is.
	Outdated bool `json:"outdated,omitempty"`
	// Engine is what a script was made into the release's module with.
	Engine *Engine `json:"engine,omitempty"`
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

	Asked    abi.Params `json:"asked,omitempty"`    // as declared
	Params   abi.Params `json:"params,omitempty"`   // as it holds: what is granted and declared; of what is not granted, as declared
	Grant    string     `json:"grant,omitempty"`    // the grant that allows it
	Reviewed int        `json:"reviewed,omitempty"` // the release that the grant is about
	How      string     `json:"how,omitempty"`      // how the grant reaches this one: reviewed or later
	// EmergencyBy and EmergencyUntil are who broke the glass, of a grant that was made before its review, and its end.
	EmergencyBy    string    `json:"emergency_by,omitempty"`
	EmergencyUntil time.Time `json:"emergency_until,omitzero"`

	Request string             `json:"request,omitempty"` // the open request
	Refused *approvals.Request `json:"refused,omitempty"` // the last request about it, if it was rejected
	Used    []approvals.Used   `json:"used,omitempty"`    // by this release, since it was first called
	Enough  abi.Params         `json:"enough,omitempty"`  // what the grant could be shrunk to, if that is less

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
	By      string           // who asked; "" for all
	Turn    approvals.Turn   // only open ones that wait for those; "" for all
	Mine    bool             // only open ones that wait for who asks: see WaitsFor
	Overdue bool             // only open ones whose time is over
	Concern access.Concern   // only open ones that a reviewer of it is to look at now: see Awaits; "" for all
	Kind    approvals.Kind   // "" for all
	Holds   bool             // only exemptions that hold
}

// OpenCounts are how many requests are open, among the newest that one page can list.
type OpenCounts struct {
	Open, Overdue int
	Concerns      []ConcernCount // in the order of access.Concerns
	More          bool           // there are more than were counted
}

// Queue is a page of requests, with how many are open.
type Queue struct {
	Requests Items[approvals.Request]
	Counts   OpenCounts
	Waiting  int                 // open ones of which it is the reader's turn, of as many as one page lists
	Away     map[string][]Absent // who could still vote and is away, by the ids of requests
}

// ConcernCount is how many requests wait for a reviewer of a concern.
type ConcernCount struct {
	Concern access.Concern
	N       int
}

// OfOpen is the filter with the status that what it asks for says: what is over waits for no one.
func (f RequestFilter) OfOpen() RequestFilter {
	if f.Mine || f.Overdue || f.Turn != "" || f.Concern != "" {
		f.Status = approvals.StatusOpen
	}
	return f
}

// Keeps reports whether a request is one that is wanted, as far as no index tells and whoever reads it.
func (f RequestFilter) Keeps(q approvals.Request) bool {
	return (f.By == "" || q.By == f.By) && (f.Kind == "" || q.Kind == f.Kind) && (f.Turn == "" || q.WaitsFor() == f.Turn)
}

// GrantFilter narrows a list of grants.
type GrantFilter struct {
	App        string // "" for all
	Capability string // "" for all
	Live       bool   // only those that hold
}

// Keeps reports whether a grant is one that is wanted at a time, as far as no index tells.
func (f GrantFilter) Keeps(now time.Time) func(approvals.Grant) bool {
	return func(g approvals.Grant) bool {
		return (f.Capability == "" || g.Capability == f.Capability) && (!f.Live || g.Live(now))
	}
}

// AccessQuestion asks whether a person may do something.
type AccessQuestion struct {
	Person string // "" for who asks
	Act    access.Act
	On     string // the app, request, person or group that the act is about; "" for the node
}

// Explanation answers an AccessQuestion.
type Explanation struct {
	Person string     `json:"person"`
	Act    access.Act `json:"act"`
	On     string     `json:"on,omitempty"`
	access.Explanation
	Operators []string `json:"operators"` // some of those whom to ask
}

// Group is a group with how many people are in it.
type Group struct {
	access.Group
	People int `json:"people"`
}

// GroupPerson is somebody who is in a group.
type GroupPerson struct {
	Name     string `json:"name"`
	Disabled bool   `json:"disabled,omitempty"`
}

// GroupFilter narrows the list of groups.
type GroupFilter struct {
	Name   string // part of the name, in any case; "" for all
	Source string // the id of a provider, HereSource for those made here; "" for all
	Person string // who is in them; "" for all
}

// HereSource names, in a filter, the groups that no provider keeps.
const HereSource = "here"

// Keeps reports whether a group is one that is wanted.
func (f GroupFilter) Keeps(g access.Group) bool {
	return (f.Source == "" || cmp.Or(g.Source, HereSource) == f.Source) && strings.Contains(access.FoldGroupName(g.Name), access.FoldGroupName(f.Name))
}

// UserFilter narrows the list of users.
type UserFilter struct {
	Role access.Role // "" for all
	Name string      // part of the name, in any case; "" for all
}

// Keeps reports whether a user is one that is wanted.
func (f UserFilter) Keeps(u access.User) bool {
	return (f.Role == "" || u.Holds(f.Role)) && strings.Contains(u.Name, strings.ToLower(f.Name))
}

// EventFilter narrows the list of events.
type EventFilter struct {
	After  abi.Rev
	Newest bool // newest first; otherwise oldest first
	App    string
	Kinds  []string
	Actor  string
	From   time.Time // of this time and later
	To     time.Time // of earlier times
}

// Keeps reports whether an event is one that is wanted, as far as no index tells.
func (f EventFilter) Keeps(e abi.Event) bool {
	return (f.Actor == "" || e.Actor == f.Actor) && !e.At.Before(f.From) && (f.To.IsZero() || e.At.Before(f.To))
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
	Waiting    int       `json:"waiting"` // open requests of which it is the reader's turn
	Unread     int       `json:"unread"`  // notices that the reader has not read
	Demo       bool      `json:"demo"`    // started by `agora up`
	// TriggersPaused: started with --pause-triggers. Nothing is delivered, and all waits.
	TriggersPaused bool `json:"triggers_paused"`
}

// TLS is how people reach a node that speaks TLS itself.
type TLS struct {
	On           bool
	Certificates []ServerCertificate
	// Uncovered are addresses that people are sent to and no certificate is for.
	Uncovered []string
}

// ServerCertificate is a certificate that the node shows to its clients.
type ServerCertificate struct {
	Names   []string
	Issuer  string
	Source  string    // the file, or the directory that issues it
	Expires time.Time // zero: there is none yet
	Soon    bool      // it should have been replaced by now
	Trouble string    // why it is not replaced, or not there
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

// Exchange is what a job of a CI asks for.
type Exchange struct {
	Token  string         // the CI's own
	Scopes []access.Scope // of the token; none: those of the rule
}

// Emergency is what a release is to be allowed before its review.
type Emergency struct {
	Release    int      `json:"release" bounds:"min=1,max=2147483647"`
	Capability string   `json:"capability"`
	Tier       abi.Tier `json:"tier"`
	Reason     string   `json:"reason"`                       // reviewers and the app's owners read it
	Hours      int      `json:"hours" bounds:"min=1,max=168"` // the rules of the tier bound them further
}

// BrokenGlass is what an emergency made.
type BrokenGlass struct {
	Grant   approvals.Grant   `json:"grant"`
	Request approvals.Request `json:"request"` // the review that has to follow
	Routed  bool              `json:"routed"`  // the tier serves the release since
}

package client

import (
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/source"
)

// The documents of the API, as /api/v1/openapi.json describes them. A test of
// the node keeps them whole: a field that the node sends and that is not here
// fails it.
type (
	// Info describes a node.
	Info struct {
		Version    string    `json:"version"`
		Started    time.Time `json:"started"`
		ConsoleURL string    `json:"console_url"`
		AppsDomain string    `json:"apps_domain"`
		Rev        abi.Rev   `json:"rev"`
		Waiting    int       `json:"waiting"` // open requests that you may decide
		Unread     int       `json:"unread"`  // notices that you have not read
		Demo       bool      `json:"demo"`
		// TriggersPaused: nothing is delivered until the node is restarted without --pause-triggers.
		TriggersPaused bool `json:"triggers_paused"`
	}
	// Session is what a sign-in link is traded for.
	Session struct {
		Secret string   `json:"secret"`
		User   string   `json:"user"`
		Roles  []string `json:"roles"`
	}
	// Whoami is who a token belongs to.
	Whoami struct {
		User  string   `json:"user"`
		Roles []string `json:"roles"`
		Via   string   `json:"via"`
		abi.Behalf

		Scopes []string `json:"scopes,omitempty"` // of the token; none: all
		Apps   []string `json:"apps,omitempty"`
	}

	// AppSearch is what is looked for among the apps. What is left out narrows nothing.
	AppSearch struct {
		Text       string // words, all of which occur; case and accents do not matter
		Tier       string
		Team       string
		Owner      string
		Capability string
		State      string // active, suspended, deleting or removing
		Orphaned   bool   // their owner is disabled
		OldEngine  bool   // they were made of scripts, with an engine that is too old
	}

	// RequestFilter narrows a list of requests. What is left out narrows nothing.
	RequestFilter struct {
		Status  string // open, approved, rejected or withdrawn
		App     string
		By      string // who asked
		Turn    string // open ones that wait for reviewers or requester
		Mine    bool   // only open ones of which it is the caller's turn
		Overdue bool   // only open ones of which the time is over
		Concern string // only open ones that wait for a reviewer of this concern
		Kind    string // grant, promotion, audience or exemption
		Holds   bool   // only exemptions that hold
	}

	// GrantFilter narrows a list of grants. What is left out narrows nothing.
	GrantFilter struct {
		App        string
		Capability string
		Live       bool // only those that hold now
	}

	// UserFilter narrows the list of users. What is left out narrows nothing.
	UserFilter struct {
		Role string
		Name string // part of the name
	}

	// Notice is what you are told.
	Notice struct {
		ID   string    `json:"id"`
		At   time.Time `json:"at"`
		Kind string    `json:"kind"` // of the event that it tells of
		Rev  abi.Rev   `json:"rev"`  // of that event
		App  string    `json:"app,omitempty"`
		By   string    `json:"by"`
		Text string    `json:"text"`
		Todo string    `json:"todo"` // what to do about it
		Path string    `json:"path"`
		URL  string    `json:"url"` // where that is done
		Read time.Time `json:"read,omitzero"`
	}

	// NoticeChoice is how you want to be told.
	NoticeChoice struct {
		Mail      string `json:"mail"` // at-once, daily or off
		Zone      string `json:"zone,omitempty"`
		Daily     string `json:"daily,omitempty"`
		QuietFrom string `json:"quiet_from,omitempty"`
		QuietTo   string `json:"quiet_to,omitempty"`
	}

	// NoticeSettings are how you are told.
	NoticeSettings struct {
		NoticeChoice
		Address string `json:"address"` // where mail goes
		Sends   bool   `json:"sends"`   // whether the node sends mail
	}

	// GroupFilter narrows the list of groups. What is left out narrows nothing.
	GroupFilter struct {
		Name   string // part of the name
		Source string // the id of a provider, or "here"
		Person string // who is in them
	}

	// EventFilter narrows the list of events. What is left out narrows nothing.
	EventFilter struct {
		After    abi.Rev // of later revisions
		App      string
		Kinds    []string
		Actor    string
		From, To time.Time
		Newest   bool // the newest first; otherwise the oldest
	}

	// App is an app.
	App struct {
		Name           string              `json:"name"`
		Title          string              `json:"title,omitempty"`
		Description    string              `json:"description,omitempty"`
		Owner          string              `json:"owner"`
		CoOwner        string              `json:"co_owner,omitempty"`   // who may do what the owner may, but for giving it away
		Group          string              `json:"group,omitempty"`      // the id of a group whose people may do the same
		GroupName      string              `json:"group_name,omitempty"` // its name
		Orphaned       bool                `json:"orphaned,omitempty"`   // its owner is disabled
		Successor      string              `json:"successor,omitempty"`  // who could own it then: its co-owner
		Team           string              `json:"team"`                 // as its manifest names it, for bills
		CostCenter     string              `json:"cost_center"`
		Classification string              `json:"data_classification"`
		Created        time.Time           `json:"created"`
		Releases       int                 `json:"releases"` // the highest number
		Active         map[abi.Tier]int    `json:"active"`   // the release that each tier serves
		URL            string              `json:"url"`
		TierURLs       map[abi.Tier]string `json:"tier_urls"`
		Tier           abi.Tier            `json:"tier,omitempty"`
		Serving        int                 `json:"serving,omitempty"`
		Waiting        int                 `json:"waiting"`
		Previous       map[abi.Tier]int    `json:"previous,omitempty"` // what rolling a tier back leads to; not in lists
		State          string              `json:"state"`              // active, maintenance, suspended, quarantined, deleting, removing or removed
		May            []string            `json:"may,omitempty"`      // what the caller may do to it as a whole; not in lists
		Engine         *Engine             `json:"engine,omitempty"`   // what its release that serves, or else the newest, was made with, if of a script
		Findings       []abi.Finding       `json:"findings,omitempty"` // what its owner can do something about; not in lists
		Maintenance    *Maintenance        `json:"maintenance,omitempty"`
		Suspension     *Suspension         `json:"suspension,omitempty"`
		Quarantine     *Quarantine         `json:"quarantine,omitempty"`
		Deletion       *Deletion           `json:"deletion,omitempty"`
		Removal        *Removal            `json:"removal,omitempty"`
		Offer          *Offer              `json:"offer,omitempty"`
		Exemptions     []string            `json:"exemptions,omitempty"` // the requests by which it is exempted from rules
		ETag           string              `json:"-"`                    // of one app that is read, for IfMatch
	}
	// Maintenance says that an app gets nothing new, until when, and what follows it.
	Maintenance struct {
		By        string    `json:"by,omitempty"`
		At        time.Time `json:"at,omitzero"`
		Until     time.Time `json:"until,omitzero"`
		Successor string    `json:"successor,omitempty"`
		Reason    string    `json:"reason,omitempty"`
		Over      bool      `json:"over,omitempty"` // its owners were told that its end has come
	}
	// Suspension says who stopped an app.
	Suspension struct {
		By        string    `json:"by"`
		Authority string    `json:"authority"` // owner, reviewer or operator
		At        time.Time `json:"at"`
		Reason    string    `json:"reason,omitempty"`
	}
	// Quarantine says who found that something is wrong with an app, and what.
	Quarantine struct {
		By        string    `json:"by"`
		Authority string    `json:"authority"` // reviewer or operator
		At        time.Time `json:"at"`
		Reason    string    `json:"reason"`
	}
	// Deletion says until when the deletion of an app can be undone.
	Deletion struct {
		By     string    `json:"by"`
		At     time.Time `json:"at"`
		Until  time.Time `json:"until"`
		Reason string    `json:"reason,omitempty"`
	}
	// Removal is what is known of an app that is being removed, or was.
	Removal struct {
		By          string    `json:"by"`
		Asked       time.Time `json:"asked"`
		Reason      string    `json:"reason,omitempty"`
		Began       time.Time `json:"began"`
		Inventory   []Removed `json:"inventory,omitempty"` // what is being removed, until it is done
		Done        time.Time `json:"done,omitzero"`
		Certificate string    `json:"certificate,omitempty"`
	}
	// Offer is an app that its owner hands over.
	Offer struct {
		To string    `json:"to"`
		By string    `json:"by"`
		At time.Time `json:"at"`
	}
	// Certificate says what was removed for good. Document is what the node signed, as JSON of
	// the fields before it.
	Certificate struct {
		ID        string    `json:"id"`
		App       string    `json:"app"`
		Owner     string    `json:"owner"`
		What      string    `json:"what"` // releases or app
		At        time.Time `json:"at"`
		By        string    `json:"by"`
		Rule      string    `json:"rule"`
		Removed   []Removed `json:"removed"`
		Kept      []string  `json:"kept"`
		Previous  string    `json:"previous,omitempty"` // digest of the certificate before
		Document  []byte    `json:"document"`
		Signature []byte    `json:"signature"` // a sigstore bundle over Document
		Digest    string    `json:"digest"`    // of Document
	}
	// Removed is one thing that was removed, or a number of things of one kind.
	Removed struct {
		Kind    string `json:"kind"`
		Name    string `json:"name,omitempty"`
		Version string `json:"version,omitempty"`
		Digest  string `json:"digest,omitempty"`
		Count   int64  `json:"count,omitempty"`
		Bytes   int64  `json:"bytes,omitempty"`
	}
	// Engine is what a release was made of a script with, and how that version stands to those that the node knows.
	Engine struct {
		Version  string    `json:"version"`
		Standing string    `json:"standing"`       // current, earlier, old, flawed or unknown
		Until    time.Time `json:"until,omitzero"` // when another came in its place
		Flaw     string    `json:"flaw,omitempty"` // what is known against it, after "it"
	}

	// Release is one immutable version of an app.
	Release struct {
		App          string            `json:"app"`
		Number       int               `json:"number"`
		Version      string            `json:"version"`
		Digest       string            `json:"digest"`
		Size         int64             `json:"size"`
		Manifest     Manifest          `json:"manifest"`
		Interface    abi.Interface     `json:"interface"`
		Capabilities []string          `json:"capabilities"`
		FuelTable    int               `json:"fuel_table"`         // the version of the cost table that counts its instructions
		Made         *source.Origin    `json:"made,omitempty"`     // what it was made of, if that was a script
		Rebuilt      bool              `json:"rebuilt,omitempty"`  // the node made the same module of the files that it carries
		Outdated     bool              `json:"outdated,omitempty"` // the node makes modules with another version of the engine
		Engine       *Engine           `json:"engine,omitempty"`   // what it was made with, if of a script
		Signer       Signer            `json:"signer"`
		Bundle       string            `json:"bundle"`
		Findings     []abi.Finding     `json:"findings,omitempty"`
		Requires     []string          `json:"requires,omitempty"` // capabilities that need a review of this very release
		Created      time.Time         `json:"created"`
		CreatedBy    string            `json:"created_by"`
		abi.Behalf                     // of who uploaded it
		Charged      string            `json:"charged,omitempty"` // whose quota it counts in, if the app was handed over since
		Group        string            `json:"group,omitempty"`   // in whose quota it counts, too: the group that owns its app
		PreviewURL   string            `json:"preview_url"`
		ActiveIn     []abi.Tier        `json:"active_in,omitempty"`
		Access       []CapabilityState `json:"access"`
		Kept         Kept              `json:"kept"`
		MayServe     []abi.Tier        `json:"may_serve,omitempty"` // tiers that can be routed to it at once
	}
	// Manifest is what the author declared. Sizes and durations are texts:
	// "32MiB", "2s".
	Manifest struct {
		Name           string                    `json:"name"`
		Version        string                    `json:"version"`
		Title          string                    `json:"title,omitempty"`
		Description    string                    `json:"description,omitempty"`
		Owner          string                    `json:"owner"`
		Team           string                    `json:"team"`
		CostCenter     string                    `json:"cost_center"`
		Classification string                    `json:"data_classification"`
		ExpectedUsers  int64                     `json:"expected_users,omitempty"` // people
		MonthlyCents   int64                     `json:"monthly_cents,omitempty"`  // what it is expected to cost
		Answers        map[string]string         `json:"answers,omitempty"`        // to the organisation's questions, by their names
		StartOnce      bool                      `json:"start_once,omitempty"`
		WarmUp         string                    `json:"warm_up,omitempty"`
		KeepState      bool                      `json:"keep_state,omitempty"`
		Limits         Limits                    `json:"limits"`
		Capabilities   map[string]map[string]any `json:"capabilities,omitempty"`
		Triggers       Triggers                  `json:"triggers,omitzero"`
		Static         map[string]string         `json:"static,omitempty"`
		Access         *Access                   `json:"access,omitempty"`
		Config         map[string]string         `json:"config,omitempty"`
	}
	// Access is what a manifest says about who reaches the app and what it learns of them.
	Access struct {
		Open           []string `json:"open,omitempty"`
		ServiceWorkers bool     `json:"service_workers,omitempty"`
		Identity       string   `json:"identity,omitempty"`
	}
	// Domain is an address of an app beside the one that its name makes.
	Domain struct {
		Host string    `json:"host"`
		App  string    `json:"app"`
		By   string    `json:"by"`
		At   time.Time `json:"at"`
	}
	// Limits bound one request.
	Limits struct {
		Fuel         uint64 `json:"fuel"`
		Memory       string `json:"memory"`
		Timeout      string `json:"timeout"`
		HostTime     string `json:"host_time"`
		RequestBody  string `json:"request_body"`
		ResponseBody string `json:"response_body"`
		Concurrency  int    `json:"concurrency"`
	}
	// Signer says whose signature a release carries.
	Signer struct {
		Identity string    `json:"identity"`
		SignedAs string    `json:"signed_as,omitempty"` // the name in the certificate, if the person has another now
		Method   string    `json:"method"`
		Issuer   string    `json:"issuer,omitempty"`
		KeyHint  string    `json:"key_hint,omitempty"`
		Trust    string    `json:"trust"`
		SignedAt time.Time `json:"signed_at"`
	}
	// CapabilityState is the truth about one capability of a release: what is
	// declared, imported, granted and used.
	CapabilityState struct {
		Name     string     `json:"name"`
		Summary  string     `json:"summary"`
		Tier     abi.Tier   `json:"tier"`
		Declared bool       `json:"declared"`
		Imported bool       `json:"imported"`
		Granted  bool       `json:"granted"`
		Default  bool       `json:"default"`
		Asked    abi.Params `json:"asked,omitempty"`
		Params   abi.Params `json:"params,omitempty"`
		Grant    string     `json:"grant,omitempty"`
		Reviewed int        `json:"reviewed,omitempty"` // the release that the grant is about
		How      string     `json:"how,omitempty"`      // how it reaches this one: reviewed or later
		// Who broke the glass, of a grant that was made before its review, and its end.
		EmergencyBy    string     `json:"emergency_by,omitempty"`
		EmergencyUntil time.Time  `json:"emergency_until,omitzero"`
		Request        string     `json:"request,omitempty"`
		Refused        *Request   `json:"refused,omitempty"` // the last request, if it was rejected
		Used           []Used     `json:"used,omitempty"`
		Enough         abi.Params `json:"enough,omitempty"` // what the grant can be shrunk to

		May      string        `json:"may,omitempty"` // in words, after "This app may"
		Did      []string      `json:"did,omitempty"` // after "It"
		Last     time.Time     `json:"last,omitzero"`
		Findings []abi.Finding `json:"findings,omitempty"`
	}
	// Used is what a release did with a capability, in all its calls.
	Used struct {
		abi.Use
		First time.Time `json:"first"`
		Last  time.Time `json:"last"`
	}
	// Kept says why a release is kept, and until when.
	Kept struct {
		Because []string  `json:"because"`
		Needed  bool      `json:"needed"`         // it cannot be deleted
		More    int       `json:"more,omitempty"` // so many uploads more, and it goes, if nothing else keeps it
		Until   time.Time `json:"until,omitzero"` // and not before
	}
	// Quota is how much of one thing is used, and how much may be.
	Quota struct {
		Name      string        `json:"name"`
		About     string        `json:"about"`
		Per       string        `json:"per"`
		Of        string        `json:"of,omitempty"`
		GroupName string        `json:"group_name,omitempty"`
		Used      int64         `json:"used"`
		Limit     int64         `json:"limit"`
		From      string        `json:"from"`
		Set       *QuotaSetting `json:"set,omitempty"`
		Bytes     bool          `json:"bytes,omitempty"`
		Remedy    abi.Remedy    `json:"remedy"`
	}
	// QuotaSetting is a quota that an operator set.
	QuotaSetting struct {
		Quota  string    `json:"quota"`
		Per    string    `json:"per"`
		Of     string    `json:"of,omitempty"`
		Limit  int64     `json:"limit"`
		Reason string    `json:"reason"`
		By     string    `json:"by"`
		At     time.Time `json:"at"`
		Until  time.Time `json:"until,omitzero"`
	}
	// QuotaOf says whose quota is meant.
	QuotaOf struct {
		User  string `json:"user,omitempty"`
		Group string `json:"group,omitempty"`
		App   string `json:"app,omitempty"`
	}
	// SetQuota is what an operator sets.
	SetQuota struct {
		QuotaOf
		Limit  int64     `json:"limit"`
		Reason string    `json:"reason"`
		Until  time.Time `json:"until,omitzero"`
	}
	// Published says what became of an upload.
	Published struct {
		Release  Release       `json:"release"`
		Active   bool          `json:"active"`
		Requests []Request     `json:"requests,omitempty"`
		Findings []abi.Finding `json:"findings,omitempty"`
		URL      string        `json:"url"`
		Preview  string        `json:"preview_url"`
		// Unchanged: the upload repeats the newest release, so there is no other one.
		Unchanged bool `json:"unchanged,omitempty"`
	}
	// Activation records that a tier was routed to a release.
	Activation struct {
		App        string    `json:"app"`
		Tier       abi.Tier  `json:"tier"`
		Release    int       `json:"release"`
		Previous   int       `json:"previous"`
		Rollback   bool      `json:"rollback"`
		Reason     string    `json:"reason,omitempty"`
		By         string    `json:"by"`
		abi.Behalf           // of who did it
		At         time.Time `json:"at"`
	}
	// Inspection is what was read from a module.
	Inspection struct {
		Digest       string        `json:"digest"`
		Size         int64         `json:"size"`
		Interface    abi.Interface `json:"interface"`
		Capabilities []string      `json:"capabilities"`
		Imports      []struct {
			Module string `json:"module"`
			Name   string `json:"name"`
		} `json:"imports"`
		Exports   []string `json:"exports"`
		MemoryMin int64    `json:"memory_min"`
		MemoryMax int64    `json:"memory_max"`
		Functions int      `json:"functions"`
		Sections  []string `json:"sections"`
		Language  string   `json:"language,omitempty"`

		Made *source.Origin `json:"made,omitempty"`
	}
	// Built is a module that the node made of a script.
	Built struct {
		Module   []byte        `json:"module"`
		Digest   string        `json:"digest"`
		Size     int64         `json:"size"`
		Made     source.Origin `json:"made"`
		Findings []abi.Finding `json:"findings,omitempty"` // what is doubtful in the script
	}
	// ReleaseSource is what a release was made of, as its module says.
	ReleaseSource struct {
		Made     source.Origin `json:"made"`
		Outdated bool          `json:"outdated,omitempty"`
		Rebuilt  bool          `json:"rebuilt,omitempty"`
		Files    []source.File `json:"files"`
	}

	// Call is an invocation. Header values and a body are optional.
	Call struct {
		Method  string              `json:"method,omitempty"`
		Path    string              `json:"path,omitempty"`
		Header  map[string][]string `json:"header,omitempty"`
		Body    []byte              `json:"body,omitempty"`
		Release int                 `json:"release,omitempty"` // 0: the one that serves
	}
	// Response is what an app answered, and what it cost.
	Response struct {
		Status       int                 `json:"status"`
		Header       map[string][]string `json:"header"`
		Body         []byte              `json:"body"`
		Instructions uint64              `json:"instructions"`
		GuestMicros  uint64              `json:"guest_us"`
		HostMicros   uint64              `json:"host_us"`
		MemoryKiB    uint64              `json:"memory_kib"`
		Release      int                 `json:"release"`
	}
	// LogLine is one line of an app's log.
	LogLine struct {
		At      time.Time `json:"at"`
		App     string    `json:"app"`
		Release int       `json:"release"`
		Level   string    `json:"level"`
		Source  string    `json:"source"`
		Message string    `json:"message"`
		Call    string    `json:"call,omitempty"` // the call that it is about
	}

	// CallRecord is what is known of one call.
	CallRecord struct {
		ID           string       `json:"id"`
		App          string       `json:"app"`
		Owner        string       `json:"owner"`
		Team         string       `json:"team"`
		At           time.Time    `json:"at"` // when it ended, or wrote last
		Release      int          `json:"release,omitempty"`
		Tier         string       `json:"tier,omitempty"`
		Trigger      string       `json:"trigger,omitempty"`
		Outcome      string       `json:"outcome"` // served, failed or refused; "" if it wrote lines, and no more is kept
		Status       int          `json:"status,omitempty"`
		Problem      *abi.Problem `json:"problem,omitempty"` // why it failed, and what its maker does about it
		Instructions uint64       `json:"instructions"`
		GuestMicros  uint64       `json:"guest_us"`
		HostMicros   uint64       `json:"host_us"`
		MemoryKiB    uint64       `json:"memory_kib,omitempty"`
		Lines        []LogLine    `json:"lines"` // of the app's log, oldest first
	}

	// UsageQuery asks for usage.
	UsageQuery struct {
		App, Team, CostCenter string
		From, To              time.Time
		By                    []string // hour, day, month, app, release, tier, cost_center, team, owner, environment, trigger
		Over                  string   // hour, day or month: also their totals
	}
	// Sample is a call that was kept to be looked at.
	Sample struct {
		App          string    `json:"app"`
		ID           string    `json:"id"`
		At           time.Time `json:"at"`  // when it ended
		Why          string    `json:"why"` // failed, slow or random
		Release      int       `json:"release"`
		Tier         string    `json:"tier"`
		Trigger      string    `json:"trigger"`
		Status       int       `json:"status,omitempty"`
		Fault        string    `json:"fault,omitempty"`
		Instructions uint64    `json:"instructions"`
		GuestMicros  uint64    `json:"guest_us"`
		HostMicros   uint64    `json:"host_us"`
		Of           uint64    `json:"of"` // calls of the app in that hour
	}
	// Usage is what a group amounts to.
	Usage struct {
		Calls        uint64            `json:"calls"`
		Errors       map[string]uint64 `json:"errors,omitempty"`
		Instructions uint64            `json:"instructions"`
		GuestMicros  uint64            `json:"guest_us"`
		HostMicros   uint64            `json:"host_us"`
		MemoryKiBMS  uint64            `json:"memory_kib_ms"`
		BytesIn      uint64            `json:"bytes_in"`
		BytesOut     uint64            `json:"bytes_out"`
		Uses         []abi.Use         `json:"uses,omitempty"` // of capabilities
	}
	// Row is the usage of one group.
	Row struct {
		Group map[string]string `json:"group"`
		Usage
	}
	// Report makes the report of a query.
	Report struct {
		From  time.Time `json:"from"`
		To    time.Time `json:"to"`
		By    []string  `json:"by"`
		Rows  []Row     `json:"rows"`
		Next  string    `json:"next,omitempty"` // rows that are left
		Total Usage     `json:"total"`
		// Series are the totals over time, if they were asked for.
		Series []Row `json:"series,omitempty"`
	}

	// Request asks a reviewer for something.
	Request struct {
		ID         string            `json:"id"`
		Kind       string            `json:"kind"`
		App        string            `json:"app"`
		Owner      string            `json:"owner"`
		CoOwner    string            `json:"co_owner,omitempty"`
		Group      string            `json:"group,omitempty"`
		Release    int               `json:"release"`
		Digest     string            `json:"digest"`
		Tier       abi.Tier          `json:"tier"`
		Capability string            `json:"capability,omitempty"`
		Params     map[string]string `json:"params,omitempty"`
		Exemption  *Exemption        `json:"exemption,omitempty"`
		Reason     string            `json:"reason,omitempty"`
		Findings   []abi.Finding     `json:"findings,omitempty"`
		By         string            `json:"by"`
		abi.Behalf                   // of who made it
		Created    time.Time         `json:"created"`
		Status     string            `json:"status"`
		Decision   *Decision         `json:"decision,omitempty"`
		Starts     time.Time         `json:"starts,omitzero"`       // the time that was set for it to take effect, if one was
		Started    time.Time         `json:"started,omitzero"`      // when it then did
		NotStarted string            `json:"not_started,omitempty"` // why it never does
		Intent     *Intent           `json:"intent,omitempty"`
		Reviewed   Terms             `json:"reviewed,omitzero"`
		Requires   []Requirement     `json:"requires,omitempty"` // what the policy wanted decided; approving a promotion grants it
		Policy     string            `json:"policy,omitempty"`   // the digest of the policy that it is by
		Since      int               `json:"since,omitempty"`    // the release that Changes compare with
		Changes    []Change          `json:"changes,omitempty"`
		Replaces   string            `json:"replaces,omitempty"`
		Renews     string            `json:"renews,omitempty"`     // the grant that it asks for anew
		Emergency  string            `json:"emergency,omitempty"`  // the grant that was made before this review of it
		Superseded int               `json:"superseded,omitempty"` // by this later release
		ReplacedBy string            `json:"replaced_by,omitempty"`
		Stages     []Stage           `json:"stages,omitempty"`   // whose votes the policy wants; none: one reviewer of all that it is about
		Votes      []Vote            `json:"votes,omitempty"`    // in the order in which they were cast
		Progress   []Tally           `json:"progress,omitempty"` // how far its stages are
		Turn       string            `json:"turn,omitempty"`     // whom it waits for: reviewers or requester; "" when it is over
		Began      int64             `json:"began,omitempty"`    // when its clock began, in seconds that nodes have run
		Told       int               `json:"told,omitempty"`     // how often it was told that its time is over
		ToldAt     int64             `json:"told_at,omitempty"`  // for the first time, in such seconds
		Due        time.Time         `json:"due,omitzero"`       // about when it is over
		Hours      int               `json:"hours,omitempty"`    // that those have whose turn it is
		Thread     []Comment         `json:"thread,omitempty"`   // in the order in which it was written
		Former     []string          `json:"former,omitempty"`   // people and groups that owned the app while it was open
		Reaches    string            `json:"reaches,omitempty"`  // which releases a grant reaches
		Newer      int               `json:"newer,omitempty"`    // the newest release, if this is not about it
		ETag       string            `json:"-"`                  // of one request that is read, for IfMatch
	}
	// Comment is an entry of a request's thread.
	Comment struct {
		Kind       string    `json:"kind"` // comment; changes, which were asked for; answer or changed, by the requester; settled, by who asked
		Text       string    `json:"text,omitempty"`
		By         string    `json:"by"`
		abi.Behalf           // of who wrote it
		At         time.Time `json:"at"`
	}
	// Stage is a part of a review: how many different people approve, as reviewers of what.
	Stage struct {
		Concern string `json:"concern,omitempty"` // "": a reviewer of anything
		Need    int    `json:"need"`
		Order   int    `json:"order,omitempty"` // stages of a lower one come first
	}
	// Tally is how far a stage is.
	Tally struct {
		Stage
		Have int  `json:"have"`
		Open bool `json:"open"` // it waits for votes now
	}
	// Vote is one person's verdict about one stage of a request.
	Vote struct {
		Stage   int       `json:"stage,omitempty"` // its order
		Concern string    `json:"concern,omitempty"`
		By      string    `json:"by"`
		For     string    `json:"for,omitempty"` // in whose place they voted; "": in their own
		Approve bool      `json:"approve"`
		Reason  string    `json:"reason,omitempty"`
		Remedy  string    `json:"remedy,omitempty"` // of a rejection: what would pass
		At      time.Time `json:"at"`
		Until   time.Time `json:"until,omitzero"`  // when what is granted ends; zero: as the rules say
		Starts  time.Time `json:"starts,omitzero"` // of a promotion: not before then; zero: at once
		About   Basis     `json:"about,omitzero"`
		Void    string    `json:"void,omitempty"` // why it does not count any more
	}
	// Basis is what a vote relies on: it counts as long as its request has the same.
	Basis struct {
		Digest   string   `json:"digest"`             // of the module
		Terms    string   `json:"terms"`              // a digest of the release's terms
		Policy   string   `json:"policy,omitempty"`   // that judged it
		Requires []string `json:"requires,omitempty"` // what it required of the vote's concern
	}
	// Tier is what the policy says about one tier.
	Tier struct {
		Tier         abi.Tier                    `json:"tier"`
		Capabilities []string                    `json:"capabilities"` // that every app has which declares them
		Allow        map[string]map[string]any   `json:"allow"`        // without a reviewer, up to these parameters: a number, a list of words, or "*"
		Most         map[string]map[string]int64 `json:"most"`         // that can be asked for at all
		Limits       TierLimits                  `json:"limits"`
		Triggers     TierTriggers                `json:"triggers"`
		Grants       GrantRules                  `json:"grants"`
		Metadata     []string                    `json:"metadata"` // that a manifest has to say
		Audience     string                      `json:"audience"` // of an app for which none was set
		Clocks       Clocks                      `json:"clocks"`   // hours that those have whose turn it is in a request
		Says         []string                    `json:"says"`     // in words: what it allows without a reviewer
	}
	// Clocks are hours; 0: as many as one likes.
	Clocks struct {
		Reviewers int `json:"reviewers"`
		Requester int `json:"requester"`
		Withdraw  int `json:"withdraw"` // after the requester's, until the request is withdrawn
	}
	// TierLimits are the most that a manifest may ask for one request.
	TierLimits struct {
		Fuel        uint64 `json:"fuel"`
		Memory      int64  `json:"memory"`
		TimeoutMS   int64  `json:"timeout_ms"`
		Request     int64  `json:"request"`
		Response    int64  `json:"response"`
		Concurrency int    `json:"concurrency"`
	}
	// TierTriggers bound what calls an app besides requests.
	TierTriggers struct {
		Crons     int   `json:"crons"`
		IntervalS int64 `json:"interval_s"`
		Webhooks  int   `json:"webhooks"`
		Events    int   `json:"events"`
	}
	// GrantRules say which releases a grant reaches, and how long it lives.
	GrantRules struct {
		Reach       string   `json:"reach"` // reviewed or later
		Unless      []string `json:"unless,omitempty"`
		Days        int      `json:"days"`         // that a grant lives at most; 0: for ever
		CertifyDays int      `json:"certify_days"` // after which a reviewer has to certify it; 0: no one has to
		UnusedDays  int      `json:"unused_days"`  // after which a grant lapses that nothing uses; 0: it does not
		// EmergencyHours is for how long one can be made before its review; 0: none can.
		EmergencyHours int `json:"emergency_hours"`
	}
	// Intent is what an app is for and what it is expected to need.
	Intent struct {
		Description   string            `json:"description,omitempty"`
		ExpectedUsers int64             `json:"expected_users,omitempty"`
		MonthlyCents  int64             `json:"monthly_cents,omitempty"`
		Answers       map[string]string `json:"answers,omitempty"`
	}
	// Requirement is something that the policy wants a reviewer to decide about.
	Requirement struct {
		Kind       string `json:"kind"` // "grant"
		Capability string `json:"capability"`
		Code       string `json:"code,omitempty"`   // of the rule
		Reason     string `json:"reason,omitempty"` // why, for people
	}
	// Change is one difference between two releases.
	Change struct {
		Path   string `json:"path"`
		Was    string `json:"was,omitempty"`
		Now    string `json:"now,omitempty"`
		Effect string `json:"effect,omitempty"` // "wider": the release may do more by it; "narrower": less
	}
	// Advice is a reason of the policy for one decision or the other.
	Advice struct {
		Code    string `json:"code"`
		Leans   string `json:"leans"` // "approve", "look" or "reject"
		Message string `json:"message"`
	}
	// Measured is what a release did lately.
	Measured struct {
		Days         int    `json:"days"`
		Calls        uint64 `json:"calls"`
		Failed       uint64 `json:"failed"`
		Instructions uint64 `json:"instructions"`
	}
	// BriefedAudience is who may open a tier, in words.
	BriefedAudience struct {
		Tier  abi.Tier `json:"tier"`
		Kind  string   `json:"kind"`
		Words string   `json:"words"`
	}
	// Briefing is what a reviewer has to know of a release before a decision about it.
	Briefing struct {
		App            string            `json:"app"`
		Title          string            `json:"title"`
		Owner          string            `json:"owner"`
		Release        int               `json:"release"`
		Digest         string            `json:"digest"`
		Tier           abi.Tier          `json:"tier"` // that it is about to enter
		Summary        string            `json:"summary"`
		Intent         *Intent           `json:"intent,omitempty"`
		Classification string            `json:"classification"`
		Audiences      []BriefedAudience `json:"audiences"`
		Since          int               `json:"since,omitempty"`
		Changes        []Change          `json:"changes,omitempty"`
		Access         []CapabilityState `json:"access"`
		Measured       Measured          `json:"measured"`
		Findings       []abi.Finding     `json:"findings,omitempty"`
		Recommends     string            `json:"recommends,omitempty"` // "approve", "look" or "reject"
		Advice         []Advice          `json:"advice,omitempty"`
		Requests       []Request         `json:"requests"` // that are open
	}
	// Terms are what of a release a review relies on, beside its bytes.
	Terms struct {
		Release        int                   `json:"release"`
		Digest         string                `json:"digest"`
		Signer         string                `json:"signer"`
		Classification string                `json:"data_classification"`
		KeepState      bool                  `json:"keep_state,omitempty"`
		Identity       string                `json:"identity,omitempty"`
		Limits         map[string]uint64     `json:"limits"`
		Triggers       map[string]any        `json:"triggers"`
		Asks           map[string]abi.Params `json:"asks,omitempty"`
		Requires       []string              `json:"requires,omitempty"`
	}
	// Decision is a reviewer's verdict.
	Decision struct {
		Approve bool      `json:"approve"`
		Reason  string    `json:"reason,omitempty"`
		Remedy  string    `json:"remedy,omitempty"` // of a rejection: what would pass
		Digest  string    `json:"digest,omitempty"` // of the module that was decided about
		By      string    `json:"by"`
		For     string    `json:"for,omitempty"` // in whose place
		At      time.Time `json:"at"`
		Policy  string    `json:"policy,omitempty"` // that an approval was judged by once more
		Until   time.Time `json:"until,omitzero"`   // when the grants that it made end at the latest
	}
	// Grant allows an app one capability in a tier and those below.
	Grant struct {
		ID           string            `json:"id"`
		Emergency    bool              `json:"emergency,omitempty"` // it was made before its review, for one release
		App          string            `json:"app"`
		Capability   string            `json:"capability"`
		Tier         abi.Tier          `json:"tier"`
		Params       map[string]string `json:"params,omitempty"`
		Request      string            `json:"request"`
		By           string            `json:"by"`
		Reason       string            `json:"reason,omitempty"`
		Created      time.Time         `json:"created"`
		Expires      time.Time         `json:"expires,omitzero"` // from when on it allows nothing; zero: never
		Until        time.Time         `json:"until,omitzero"`   // the latest that Expires can become; zero: there is none
		Shrunk       time.Time         `json:"shrunk,omitzero"`
		ShrunkBy     string            `json:"shrunk_by,omitempty"`
		Revoked      time.Time         `json:"revoked,omitzero"`
		RevokedBy    string            `json:"revoked_by,omitempty"`
		RevokedFor   string            `json:"revoked_for,omitempty"`
		Certified    time.Time         `json:"certified,omitzero"` // when a reviewer last said that it is still needed
		CertifiedBy  string            `json:"certified_by,omitempty"`
		CertifiedFor string            `json:"certified_for,omitempty"`
		Told         Told              `json:"told,omitzero"`
		Idle         Idle              `json:"idle,omitzero"`
		Reviewed     Terms             `json:"reviewed,omitzero"`
		Except       []string          `json:"except,omitempty"`  // digests that a reviewer refused it
		Reaches      string            `json:"reaches,omitempty"` // which releases it reaches, in words
		Serving      []Serving         `json:"serving,omitempty"`
		ETag         string            `json:"-"` // of one grant that is read, for IfMatch
	}
	// Told is what was told of a grant's end: 1 two weeks before it, 2 a day before it, 3 that it has ended.
	Told struct {
		Of   time.Time `json:"of,omitzero"`
		Step int       `json:"step,omitempty"`
	}
	// Idle is since when nothing has used a grant, in seconds that nodes have run.
	Idle struct {
		Uses  uint64 `json:"uses,omitempty"` // how many there were then, and are still
		Since int64  `json:"since,omitempty"`
		Told  int64  `json:"told,omitempty"` // when its owners were told that it is about to lapse
	}
	// Emergency is what a release is to be allowed before its review.
	Emergency struct {
		Release    int      `json:"release"`
		Capability string   `json:"capability"`
		Tier       abi.Tier `json:"tier"`
		Reason     string   `json:"reason"`
		Hours      int      `json:"hours"`
	}
	// BrokenGlass is what an emergency made.
	BrokenGlass struct {
		Grant   Grant   `json:"grant"`
		Request Request `json:"request"` // the review that has to follow
		Routed  bool    `json:"routed"`  // the tier serves the release since
	}
	// Serving is a release that serves a tier with a grant.
	Serving struct {
		Tier    abi.Tier `json:"tier"`
		Release int      `json:"release"`
		How     string   `json:"how"` // reviewed or later
	}
	// Revoked is a grant that was ended, and what allows the same still.
	Revoked struct {
		Grant
		Also    []string   `json:"also,omitempty"`
		Still   []Grant    `json:"still,omitempty"`
		Default []abi.Tier `json:"default,omitempty"`
	}

	// Key is a public key that signs for an identity.
	Key struct {
		Hint     string    `json:"hint"`
		PEM      string    `json:"pem"`
		Identity string    `json:"identity"`
		AddedBy  string    `json:"added_by"`
		Added    time.Time `json:"added"`
	}
	// Secret describes a secret of an app; never its value.
	Secret struct {
		Name string    `json:"name"`
		By   string    `json:"by"`
		At   time.Time `json:"at"`
	}
	// Credential describes a token; never its secret.
	Credential struct {
		ID      string    `json:"id"`
		Kind    string    `json:"kind"`
		User    string    `json:"user"`
		Label   string    `json:"label,omitempty"`
		Created time.Time `json:"created"`
		Expires time.Time `json:"expires,omitzero"`
		Used    time.Time `json:"used,omitzero"` // when it was last used, to the hour
		Scopes  []string  `json:"scopes,omitempty"`
		Apps    []string  `json:"apps,omitempty"` // the only ones that it reaches; none: all
		Parent  string    `json:"parent,omitempty"`
		Until   time.Time `json:"until,omitzero"`

		Automation string `json:"automation,omitempty"` // what acts with it, on its user's behalf
		Rule       string `json:"rule,omitempty"`       // the workload rule by which it was exchanged
	}
	// Token is a new token with its secret.
	Token struct {
		Secret string `json:"secret"`
		Credential
	}
	// ServiceAccount is an account of a machine, for which a person answers.
	ServiceAccount struct {
		Name      string    `json:"name"`    // "deploy-hello"
		User      string    `json:"user"`    // as which it acts
		Sponsor   string    `json:"sponsor"` // the person who answers for it
		Purpose   string    `json:"purpose,omitempty"`
		Roles     []string  `json:"roles"`           // that it was given
		Effective []string  `json:"effective_roles"` // that its sponsor has, too
		Disabled  bool      `json:"disabled,omitempty"`
		Orphaned  bool      `json:"orphaned,omitempty"` // its sponsor has left
		Created   time.Time `json:"created"`
		Tokens    int64     `json:"tokens"` // how many it has
	}
	// WorkloadRule is a rule by which jobs of a CI get tokens of a service account.
	WorkloadRule struct {
		Place     int               `json:"place"` // in the node's file, from 1: of the rules that a job meets, the first counts
		ID        string            `json:"id"`
		Issuer    string            `json:"issuer"`
		Audience  string            `json:"audience"`
		Claims    map[string]string `json:"claims"`
		Account   string            `json:"service_account"`
		Sponsor   string            `json:"sponsor,omitempty"`
		Scopes    []string          `json:"scopes"`
		Apps      []string          `json:"apps,omitempty"`  // none: all that the account reaches
		Effective []string          `json:"effective_roles"` // of the account
		Idle      string            `json:"idle,omitempty"`  // why no job gets a token by it now
	}
	// NewServiceAccount is a service account that is asked for.
	NewServiceAccount struct {
		Name    string   `json:"name"`
		Sponsor string   `json:"sponsor,omitempty"` // default the caller
		Purpose string   `json:"purpose,omitempty"`
		Roles   []string `json:"roles"`
	}
	// ServiceAccountChange is what becomes of a service account; nil: it stays as it is.
	ServiceAccountChange struct {
		Sponsor  *string   `json:"sponsor,omitempty"`
		Purpose  *string   `json:"purpose,omitempty"`
		Roles    *[]string `json:"roles,omitempty"`
		Disabled *bool     `json:"disabled,omitempty"`
	}
	// ServiceAccountFilter narrows the list of service accounts.
	ServiceAccountFilter struct {
		Sponsor  string
		Orphaned bool
	}
	// User is a person or a machine that acts.
	User struct {
		ID       string       `json:"id"` // which never changes
		Name     string       `json:"name"`
		Roles    []string     `json:"roles"`
		Created  time.Time    `json:"created"`
		Disabled bool         `json:"disabled,omitempty"`
		Former   []FormerName `json:"former,omitempty"` // the names that the user had
		Given    []Given      `json:"given,omitempty"`  // roles that rules gave, beside Roles
		// Delegations say who decides in the user's place; DecidesFor names those of whom one is to the user.
		Delegations []Delegation `json:"delegations,omitempty"`
		DecidesFor  []string     `json:"decides_for,omitempty"`
		ETag        string       `json:"-"` // of one user that is read, for IfMatch
	}
	// Given is a role that a rule gave, by what a sign-in provider said.
	Given struct {
		Role     string    `json:"role"`
		Provider string    `json:"provider"`
		Rule     int       `json:"rule"`            // from 1
		Group    string    `json:"group,omitempty"` // "": everyone
		Until    time.Time `json:"until"`           // it ends then, unless the provider says the same again
	}
	// Links say whether operators' one-time sign-in links are taken.
	Links struct {
		Off bool      `json:"off"`
		By  string    `json:"by,omitempty"`
		At  time.Time `json:"at,omitzero"`
	}
	// Account is a user's account at a sign-in provider.
	Account struct {
		ID        string    `json:"id"`
		Provider  string    `json:"provider"`
		Issuer    string    `json:"issuer"`
		Subject   string    `json:"subject"`
		User      string    `json:"user"`
		Email     string    `json:"email,omitempty"` // a label, as the provider wrote it last
		Name      string    `json:"name,omitempty"`
		Connected time.Time `json:"connected"`
		SignedIn  time.Time `json:"signed_in,omitzero"` // last
		GroupsAt  time.Time `json:"groups_at,omitzero"` // when the provider said the groups last
	}
	// Group is a set of people: made here, or told by a sign-in provider.
	Group struct {
		ID       string    `json:"id"` // which never changes
		Name     string    `json:"name"`
		Source   string    `json:"source,omitempty"`   // the provider that keeps it; "": it was made here
		External string    `json:"external,omitempty"` // its key at the provider
		Created  time.Time `json:"created"`
		Changed  time.Time `json:"changed,omitzero"` // its name or key
		People   int       `json:"people"`           // how many are in it
		ETag     string    `json:"-"`                // of one group that is read, for IfMatch
	}
	// Explanation says whether a person may do something, by what, and who could change it.
	Explanation struct {
		Person    string   `json:"person"`
		Act       string   `json:"act"`
		On        string   `json:"on,omitempty"`
		Allowed   bool     `json:"allowed"`
		Reason    string   `json:"reason"`
		Ways      []string `json:"ways"`      // all ways to be allowed
		Change    []string `json:"change"`    // who could change it
		Operators []string `json:"operators"` // some of those whom to ask
	}
	// GroupPerson is somebody who is in a group.
	GroupPerson struct {
		Name     string `json:"name"`
		Disabled bool   `json:"disabled,omitempty"`
	}
	// FormerName is a name that a user had.
	FormerName struct {
		Name  string    `json:"name"`
		Until time.Time `json:"until"`
	}
	// Check is one line of the doctor's report.
	Check struct {
		Name   string     `json:"name"`
		OK     bool       `json:"ok"`
		Detail string     `json:"detail"`
		Damage []Damage   `json:"damage,omitempty"`
		Remedy abi.Remedy `json:"remedy,omitzero"`
	}
	// Damage is one thing that is not as it was written.
	Damage struct {
		File   string `json:"file,omitempty"` // path on the node
		Item   string `json:"item,omitempty"` // what in the file
		Detail string `json:"detail"`
	}
)

// Failed is the number of calls that failed. Those whose callers left are not among them.
func (u Usage) Failed() uint64 {
	var n uint64
	for kind, v := range u.Errors {
		if abi.Failed(kind) {
			n += v
		}
	}
	return n
}

package access

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

var (
	// ErrBadQuestion: a question about an act names nothing that the act can be about.
	ErrBadQuestion = errors.New("the question names no act and what it is about")
	// ErrNotOwner: what the act is about belongs to another person.
	ErrNotOwner = errors.New("it belongs to another person")
	// ErrNotNow: the actor may do that in another state of what it is about.
	ErrNotNow = errors.New("its state does not allow that")
	// ErrNotOffered: the app is not offered to the person who would take or refuse it.
	ErrNotOffered = errors.New("it is not offered to you")
	// ErrOwnRequest: a reviewer decides about the requests of others.
	ErrOwnRequest = errors.New("reviewers do not decide about their own requests")
)

// Act is something that people do. Its text is how API, CLI and console name it.
type Act string

// What people do. The table below says who may, and when.
const (
	// About an app.
	FindApp         Act = "find"
	ReadApp         Act = "read"
	ReadReleases    Act = "read-releases"
	CallApp         Act = "call"
	ReadUsage       Act = "read-usage"
	ReadLog         Act = "read-log"
	ReadSource      Act = "read-source"
	ReadCalls       Act = "read-calls"
	ReadEvents      Act = "read-events"
	ReadDeadLetters Act = "read-dead-letters"
	ReadCertificate Act = "read-certificate"
	ListSecrets     Act = "list-secrets"
	Publish         Act = "publish"
	AskReview       Act = "ask-review"
	Route           Act = "activate"
	DeleteRelease   Act = "delete-release"
	SetSecrets      Act = "set-secrets"
	RunTriggers     Act = "run-triggers"
	RenameApp       Act = "rename"
	MaintainApp     Act = "maintain"
	EndMaintenance  Act = "unmaintain"
	SuspendApp      Act = "suspend"
	ResumeApp       Act = "resume"
	QuarantineApp   Act = "quarantine"
	EndQuarantine   Act = "unquarantine"
	DeleteApp       Act = "delete"
	UndeleteApp     Act = "undelete"
	TransferApp     Act = "transfer"
	ShareApp        Act = "share"
	AcceptOffer     Act = "accept"
	EndOffer        Act = "end-offer"
	ReduceGrant     Act = "reduce-grants"
	GrantEmergency  Act = "break-glass"
	ReadAudience    Act = "read-audience"
	ReadBriefing    Act = "read-briefing"

	ReadAppWorkloads Act = "read-app-workloads"

	SetAudience Act = "set-audience"
	AskAccess   Act = "ask-access"

	// About a request.
	ReadRequest     Act = "read-request"
	DecideRequest   Act = "decide"
	CommentRequest  Act = "comment"
	AskChanges      Act = "ask-changes"
	AnswerRequest   Act = "answer"
	WithdrawRequest Act = "withdraw"
	CertifyGrant    Act = "certify"

	// About a person.
	ReadQuotas        Act = "read-quotas"
	ReadPersonsEvents Act = "read-persons-events"
	ManageTokens      Act = "manage-tokens"
	ManageSessions    Act = "manage-sessions"
	Sign              Act = "sign"
	ManageKeys        Act = "manage-keys"
	ManagePerson      Act = "manage-person"
	ManageAccounts    Act = "manage-accounts"
	ReadAccounts      Act = "read-accounts"
	ReadPerson        Act = "read-person"
	ExplainAccess     Act = "explain-access"
	ReadMemberships   Act = "read-memberships"
	ReadNotices       Act = "read-notices"

	ReadDelegations Act = "read-delegations"
	Delegate        Act = "delegate"
	EndDelegations  Act = "end-delegations"

	ReadServiceAccounts  Act = "read-service-accounts"
	ManageServiceAccount Act = "manage-service-account"

	// About a group.
	ReadGroup   Act = "read-group"
	ReadMembers Act = "read-members"
	ManageGroup Act = "manage-group"

	// About the node.
	LookAround     Act = "look-around"
	ReadCatalogue  Act = "read-catalogue"
	ReadAllUsage   Act = "read-all-usage"
	ReadNodeEvents Act = "read-node-events"
	CheckModule    Act = "check-module"
	Develop        Act = "develop"
	Review         Act = "review"
	ReadWorkloads  Act = "read-workloads"
	SetQuotas      Act = "set-quotas"
	Operate        Act = "operate"
)

// Kind is what kind of thing an act is about.
type Kind string

// The kinds of things that acts are about.
const (
	OnApp     Kind = "app"
	OnRequest Kind = "request"
	OnPerson  Kind = "person"
	OnGroup   Kind = "group"
	OnNode    Kind = "node"
)

// Stage is how far an app's life has come, as far as who may do what depends on it.
type Stage string

// The stages of an app's life.
const (
	Alive    Stage = "alive"
	Deleting Stage = "being deleted"
	Gone     Stage = "removed"
)

// Resource is what an act is about: as much of it as the table asks for.
type Resource struct {
	Kind  Kind
	Name  string // of the app that it is, or that it is about
	Owner string // whose it is: an app's owner, also for a request about the app; or the person that it is, or a group's name

	// Of an app.
	Serves      bool   // it can be called by those who know its address
	Stage       Stage  // "" is Alive
	SuspendedBy string // in whose name: "owner", "reviewer" or "operator"; "" if it is not suspended
	Quarantined string // in whose name: "reviewer" or "operator"; "" if it is not quarantined
	Maintained  bool   // it is in maintenance
	OfferedTo   string // whom its owner offers it to

	// Of an app, and of a request about it: who owns it with its owner.
	CoOwner string
	Group   string // the id of the group whose people do; of a group, its own

	// Of a request.
	By       string    // who made it
	Sponsor  string    // who answered for that one, a service account
	Concerns []Concern // that it is about
	Stages   []Concern // what it waits for reviewers of, each by itself; "": of anything. None: of all Concerns
	Former   []string  // people and ids of groups that owned the app while it was open
	Closed   bool      // it is decided, or withdrawn
	Waits    bool      // it is approved, and starts at a time that is to come
}

// App is an app of which no more is known than its name and its owner.
func App(name, owner string) Resource { return Resource{Kind: OnApp, Name: name, Owner: owner} }

// Person is what belongs to one person.
func Person(name string) Resource { return Resource{Kind: OnPerson, Owner: name} }

// TheGroup is a group, by its id and name.
func TheGroup(id, name string) Resource { return Resource{Kind: OnGroup, Group: id, Owner: name} }

// TheNode is the node as a whole.
var TheNode = Resource{Kind: OnNode}

// holder is which roles an actor has: one of some, or with and both. A role that is for the apps of one
// group counts for those or, with anyGroup, wherever it is asked for.
type holder struct {
	words    string
	any      []Role
	and      Role
	anyGroup bool
	concerns bool // a reviewer's concerns have to be the request's
	security bool // a reviewer's concerns have to be security, or all
}

// has reports whether an actor has them for a resource. No role implies another.
func (h holder) has(a Actor, on Resource) bool {
	if h.concerns && a.decidesForOne(on) {
		return true
	}
	if h.concerns && !a.reviews(on) || h.security && !a.reviewsOne(ConcernSecurity, on.Group, false) {
		return false
	}
	return slices.ContainsFunc(h.any, func(r Role) bool { return r == SignedIn || a.holds(r, h.anyGroup, on) }) &&
		(h.and == "" || a.holds(h.and, h.anyGroup, on))
}

// being is what an actor is to a resource.
type being struct {
	words string // after "who is"
	is    func(a Actor, on Resource) bool
}

// when is what has to hold of a resource now.
type when struct {
	words string // after "while"
	holds func(on Resource) bool
}

// way is one way to be allowed: with one of some roles, being something to the resource, while it is
// in some state.
type way struct {
	roles holder
	be    being
	while when
}

// rule says who may do one act.
type rule struct {
	act  Act
	on   Kind
	what string // the act in words
	noun string // what is looked at, by acts that read
	// wrong is the error of an actor who has the role and is not the right person.
	wrong error
	ways  []way
}

// owns reports whether an actor is one of the owners of an app: its owner, its co-owner, or in the group
// that owns it.
func owns(a Actor, on Resource) bool {
	who := a.Person() // a service account works on what its sponsor owns
	return who == on.Owner || (on.CoOwner != "" && who == on.CoOwner) || In(a.Groups, on.Group)
}

// isConcerned reports whether a request is an actor's own, or that of a service account of theirs.
func isConcerned(a Actor, on Resource) bool {
	return a.User == on.By || (on.Sponsor != "" && a.Person() == on.Sponsor) || owns(a, on)
}

// owned reports whether an actor owned the app of a request while it was open.
func owned(a Actor, on Resource) bool {
	return slices.ContainsFunc(on.Former, func(was string) bool { return was == a.User || In(a.Groups, was) })
}

func alive(on Resource) bool { return on.Stage == Alive || on.Stage == "" }

// unheld reports whether an app can be changed as a whole: what is quarantined stays as it is.
func unheld(on Resource) bool { return alive(on) && on.Quarantined == "" }

func heldBy(words string, by ...string) when {
	return when{words, func(on Resource) bool { return unheld(on) && slices.Contains(by, on.SuspendedBy) }}
}

func quarantined(words string, by ...string) when {
	return when{words, func(on Resource) bool { return on.Stage != Gone && slices.Contains(by, on.Quarantined) }}
}

var (
	anyone   = holder{words: "everyone who is signed in", any: []Role{SignedIn}}
	members  = holder{words: "everyone with a role", any: Roles(), anyGroup: true}
	doers    = holder{words: "everyone with a role but auditor", any: []Role{RoleViewer, RoleDeveloper, RoleReviewer, RoleFinance, RoleOperator}, anyGroup: true}
	viewers  = holder{words: "a viewer, reviewer, finance, auditor or operator", any: []Role{RoleViewer, RoleReviewer, RoleFinance, RoleAuditor, RoleOperator}}
	maker    = holder{words: "a developer", any: []Role{RoleDeveloper}}
	anyMaker = holder{words: "a developer", any: []Role{RoleDeveloper}, anyGroup: true}
	helper   = holder{words: "a developer who is an operator, too", any: []Role{RoleDeveloper}, and: RoleOperator}
	stoppers = holder{words: "a developer, reviewer or operator", any: []Role{RoleDeveloper, RoleReviewer, RoleOperator}}
	reviewer = holder{words: "a reviewer", any: []Role{RoleReviewer}}
	guard    = holder{words: "a reviewer of security", any: []Role{RoleReviewer}, security: true}
	anyRev   = holder{words: "a reviewer", any: []Role{RoleReviewer}, anyGroup: true}
	decider  = holder{words: "a reviewer of all that it concerns or, if the policy names stages, of one that waits, or a reviewer who decides in the place of such a one whom it does not concern,", any: []Role{RoleReviewer}, concerns: true}
	auditor  = holder{words: "an auditor", any: []Role{RoleAuditor}}
	counters = holder{words: "a finance, auditor or operator", any: []Role{RoleFinance, RoleAuditor, RoleOperator}}
	watchers = holder{words: "an auditor or operator", any: []Role{RoleAuditor, RoleOperator}}
	operator = holder{words: "an operator", any: []Role{RoleOperator}}

	anybody   = being{"", func(Actor, Resource) bool { return true }}
	owner     = being{"one of its owners", owns}
	sole      = being{"its owner", func(a Actor, on Resource) bool { return a.User == on.Owner }}
	stranger  = being{"none of its owners", func(a Actor, on Resource) bool { return !owns(a, on) }}
	self      = being{"that person", func(a Actor, on Resource) bool { return a.User == on.Owner }}
	offered   = being{"the person it is offered to", func(a Actor, on Resource) bool { return a.User == on.OfferedTo }}
	concerned = being{"its requester or one of the app's owners", isConcerned}
	bystander = being{"neither its requester nor one of the app's owners, now or while it was open", func(a Actor, on Resource) bool { return !isConcerned(a, on) && !owned(a, on) }}
	member    = being{"in it", func(a Actor, on Resource) bool { return In(a.Groups, on.Group) }}

	always     = when{"", func(Resource) bool { return true }}
	serving    = when{"it serves", func(on Resource) bool { return on.Serves }}
	living     = when{"it is alive and not quarantined", unheld}
	maintained = when{"it is in maintenance", func(on Resource) bool { return unheld(on) && on.Maintained }}
	there      = when{"it is alive", alive}
	deleting   = when{"its deletion can be undone", func(on Resource) bool { return on.Stage == Deleting && on.Quarantined == "" }}
	onOffer    = when{"it is offered to a person", func(on Resource) bool { return unheld(on) && on.OfferedTo != "" }}
	open       = when{"it is open", func(on Resource) bool { return !on.Closed }}
	unstarted  = when{"it is approved and has not started", func(on Resource) bool { return on.Closed && on.Waits }}
	pending    = when{"it is open, or approved and has not started", func(on Resource) bool { return !on.Closed || on.Waits }}
	running    = heldBy("it is not suspended", "")
	ownHeld    = heldBy("its owner suspended it", "owner")
	revHeld    = heldBy("a reviewer suspended it", "reviewer")
	anyHeld    = heldBy("it is suspended", "owner", "reviewer", "operator")
	belowRev   = heldBy("neither a reviewer nor an operator suspended it", "", "owner")
	belowOps   = heldBy("no operator suspended it", "", "owner", "reviewer")

	notQuarantined      = quarantined("it is not quarantined", "")
	revQuarantined      = quarantined("a reviewer quarantined it", "reviewer")
	anyQuarantined      = quarantined("it is quarantined", "reviewer", "operator")
	belowOpsQuarantined = quarantined("no operator quarantined it", "", "reviewer")
)

// inside are the ways to look into an app: what is in there may be as confidential as what it
// works on. own is what its owner needs.
func inside(own holder) []way {
	return []way{{own, owner, always}, {reviewer, anybody, always}, {auditor, anybody, always}, {operator, anybody, always}}
}

// change are the ways to change an app, and upload those to have a release made or reviewed.
func change(state when) []way { return []way{{maker, owner, state}, {operator, anybody, state}} }

// give are the ways to give an app away, and what cannot be undone by its other owners.
func give(state when) []way { return []way{{maker, sole, state}, {operator, anybody, state}} }

func upload(state when) []way { return []way{{maker, owner, state}, {helper, anybody, state}} }

// one is a way that asks for a role alone.
func one(h holder) []way { return []way{{h, anybody, always}} }

// rules is the one table of who may do what, and when.
var rules = []rule{
	{FindApp, OnApp, "find it in the catalogue, and see its public face", "the app", ErrForbidden, []way{{anyone, anybody, serving}, {members, anybody, always}, {anyone, owner, always}}},
	{ReadApp, OnApp, "see more of it than its public face", "the app", ErrForbidden, []way{{members, anybody, always}, {anyone, owner, always}}},
	{ReadReleases, OnApp, "see its releases, routes, grants and triggers", "the app", ErrForbidden, one(members)},
	{CallApp, OnApp, "call it through the API", "the app", ErrForbidden, one(doers)},
	{ReadUsage, OnApp, "see its usage", "the usage", ErrForbidden, []way{{anyone, owner, always}, {viewers, anybody, always}}},
	{ReadLog, OnApp, "read its log", "the log", ErrForbidden, inside(anyone)},
	{ReadSource, OnApp, "read what its releases were made of", "the source", ErrForbidden, inside(members)},
	{ReadCalls, OnApp, "see single calls of it", "the calls", ErrForbidden, inside(anyone)},
	{ReadEvents, OnApp, "see what changed in it", "the events", ErrForbidden, inside(members)},
	{ReadDeadLetters, OnApp, "read its dead letters", "the dead letters", ErrForbidden, inside(members)},
	{ReadCertificate, OnApp, "read certificates of what was removed", "the certificate", ErrForbidden, inside(members)},
	{ListSecrets, OnApp, "list the names of its secrets", "the secrets", ErrForbidden, inside(members)},
	{Publish, OnApp, "publish a release of it, as its owner", "", ErrNotOwner, upload(there)},
	{AskReview, OnApp, "ask for a tier or a capability", "", ErrNotOwner, upload(living)},
	{Route, OnApp, "activate a release, and roll back", "", ErrNotOwner, change(living)},
	{DeleteRelease, OnApp, "delete a release of it", "", ErrNotOwner, change(living)},
	{SetSecrets, OnApp, "set and delete its secrets", "", ErrNotOwner, change(there)},
	{RunTriggers, OnApp, "run, pause and resume its triggers, and see to its dead letters", "", ErrNotOwner, change(living)},
	{RenameApp, OnApp, "change its title", "", ErrNotOwner, change(living)},
	{MaintainApp, OnApp, "put it in maintenance", "", ErrNotOwner, change(living)},
	{EndMaintenance, OnApp, "end its maintenance", "", ErrNotOwner, change(maintained)},
	{SuspendApp, OnApp, "suspend it", "", ErrNotOwner, []way{{stoppers, owner, running}, {reviewer, stranger, belowRev}, {operator, stranger, belowOps}}},
	{ResumeApp, OnApp, "end its suspension", "", ErrNotOwner, []way{{stoppers, owner, ownHeld}, {reviewer, stranger, revHeld}, {operator, anybody, anyHeld}}},
	{QuarantineApp, OnApp, "quarantine it", "", ErrNotOwner, []way{{guard, anybody, notQuarantined}, {operator, anybody, belowOpsQuarantined}}},
	{EndQuarantine, OnApp, "end its quarantine", "", ErrNotOwner, []way{{guard, stranger, revQuarantined}, {operator, stranger, anyQuarantined}}},
	{DeleteApp, OnApp, "delete it", "", ErrNotOwner, give(living)},
	{UndeleteApp, OnApp, "undo its deletion", "", ErrNotOwner, give(deleting)},
	{TransferApp, OnApp, "offer it to another person, or, of another's, hand it over", "", ErrNotOwner, append(give(living), way{operator, stranger, there})},
	{ShareApp, OnApp, "say who owns it with its owner", "", ErrNotOwner, give(living)},
	{AcceptOffer, OnApp, "become its owner", "", ErrNotOffered, []way{{maker, offered, living}, {operator, offered, living}}},
	{EndOffer, OnApp, "refuse it, or take an offer back", "", ErrNotOffered, []way{{maker, sole, onOffer}, {maker, offered, onOffer}, {operator, anybody, onOffer}}},
	{ReadAudience, OnApp, "see who may open it, and who asks for that", "the audience", ErrForbidden, inside(members)},
	{ReadBriefing, OnApp, "read what a reviewer has to know of a release", "the briefing", ErrForbidden, inside(members)},
	{ReadAppWorkloads, OnApp, "see which jobs of a CI may act on it, by which rules", "the list of pipelines", ErrForbidden, []way{{anyone, owner, always}, {auditor, anybody, always}, {operator, anybody, always}}},
	{SetAudience, OnApp, "say who may open it, and decide who is let in", "", ErrNotOwner, change(living)},
	{AskAccess, OnApp, "ask to be let in", "", ErrForbidden, one(anyone)},
	{GrantEmergency, OnApp, "allow a release a capability for hours, before its review", "", ErrNotOwner, change(living)},
	{ReduceGrant, OnApp, "revoke and shrink its grants, and revoke its exemptions", "", ErrNotOwner, []way{{reviewer, anybody, always}, {doers, owner, there}, {operator, anybody, there}}},

	{ReadRequest, OnRequest, "read it", "the request", ErrForbidden, one(members)},
	{DecideRequest, OnRequest, "decide about it", "", ErrOwnRequest, []way{{decider, bystander, open}}},
	{CommentRequest, OnRequest, "write about it", "", ErrForbidden, []way{{reviewer, anybody, open}, {doers, concerned, open}}},
	{AskChanges, OnRequest, "ask for changes, so that it waits for its requester", "", ErrOwnRequest, []way{{decider, bystander, open}}},
	{AnswerRequest, OnRequest, "say that what was asked for is changed", "", ErrForbidden, []way{{doers, concerned, open}}},
	{WithdrawRequest, OnRequest, "take it back", "", ErrForbidden, []way{{maker, concerned, pending}, {reviewer, anybody, unstarted}, {operator, anybody, unstarted}}},
	{CertifyGrant, OnRequest, "say of a grant that it made that it is still needed", "", ErrOwnRequest, []way{{decider, bystander, always}}},

	{ReadQuotas, OnPerson, "see what they have and may have", "the quotas", ErrForbidden, []way{{anyone, self, always}, {counters, anybody, always}}},
	{ReadPersonsEvents, OnPerson, "see what concerns them in the feed", "the events", ErrForbidden, []way{{members, self, always}, {watchers, anybody, always}}},
	{ManageTokens, OnPerson, "make, list and revoke their tokens", "", ErrForbidden, []way{{anyone, self, always}}},
	{ManageSessions, OnPerson, "see where they are signed in, and end their sessions", "", ErrForbidden, []way{{anyone, self, always}, {operator, anybody, always}}},
	{Sign, OnPerson, "get a certificate to sign as them", "", ErrForbidden, []way{{anyMaker, self, always}}},
	{ManageKeys, OnPerson, "add and remove keys that sign as them", "", ErrForbidden, []way{{anyMaker, self, always}, {operator, anybody, always}}},
	{ReadMemberships, OnPerson, "see which groups they are in", "the groups", ErrForbidden, []way{{anyone, self, always}, {watchers, anybody, always}}},
	{ReadNotices, OnPerson, "read what they are told, and choose how they are", "the notices", ErrForbidden, []way{{anyone, self, always}}},
	{ReadPerson, OnPerson, "see who they are, and their roles", "", ErrForbidden, one(watchers)},
	{ExplainAccess, OnPerson, "see what they may do, and why", "the explanation", ErrForbidden, []way{{anyone, self, always}, {watchers, anybody, always}}},
	{ReadAccounts, OnPerson, "see their accounts at sign-in providers", "the accounts", ErrForbidden, []way{{anyone, self, always}, {watchers, anybody, always}}},
	{ManageAccounts, OnPerson, "connect and disconnect their accounts at sign-in providers", "", ErrForbidden, []way{{anyone, self, always}, {operator, anybody, always}}},
	{ReadServiceAccounts, OnPerson, "see the service accounts that they answer for", "the service accounts", ErrForbidden, []way{{anyone, self, always}, {watchers, anybody, always}}},
	{ManageServiceAccount, OnPerson, "make, change and delete the service accounts that they answer for, and make their tokens", "", ErrForbidden, []way{{doers, self, always}, {operator, anybody, always}}},
	{ReadDelegations, OnPerson, "see who decides in their place, and in whose they do", "the delegations", ErrForbidden, []way{{members, self, always}, {watchers, anybody, always}}},
	{Delegate, OnPerson, "say who decides in their place while they are away", "", ErrForbidden, []way{{anyRev, self, always}}},
	{EndDelegations, OnPerson, "end that before its time", "", ErrForbidden, []way{{anyRev, self, always}, {operator, anybody, always}}},
	{ManagePerson, OnPerson, "add them, invite them, and change their name and roles", "", ErrForbidden, one(operator)},

	{ReadGroup, OnGroup, "see its name, and how many are in it", "", ErrForbidden, one(members)},
	{ReadMembers, OnGroup, "see who is in it", "", ErrForbidden, []way{{anyone, member, always}, {watchers, anybody, always}}},
	{ManageGroup, OnGroup, "make, rename and delete it, and change who is in it", "", ErrForbidden, one(operator)},

	{LookAround, OnNode, "see what node this is, and who one is", "", ErrForbidden, one(anyone)},
	{ReadCatalogue, OnNode, "see requests, grants, keys, host names, the policy and the feed", "", ErrForbidden, one(members)},
	{ReadAllUsage, OnNode, "see the usage of all apps in sum", "", ErrForbidden, one(viewers)},
	{ReadNodeEvents, OnNode, "see what changed in the node", "", ErrForbidden, one(watchers)},
	{CheckModule, OnNode, "have a module read, or judged by the rules", "", ErrForbidden, one(doers)},
	{Develop, OnNode, "upload modules", "", ErrForbidden, one(anyMaker)},
	{Review, OnNode, "decide requests of others", "", ErrForbidden, one(anyRev)},
	{ReadWorkloads, OnNode, "see the rules by which jobs of a CI get tokens", "", ErrForbidden, one(watchers)},
	{SetQuotas, OnNode, "set how much people, groups and apps may have", "", ErrForbidden, one(operator)},
	{Operate, OnNode, "manage people, host names and the node's keys, and see to the node", "", ErrForbidden, one(operator)},
}

var byAct = func() map[Act]*rule {
	all := map[Act]*rule{}
	for i := range rules {
		all[rules[i].act] = &rules[i]
	}
	return all
}()

// ruleOf returns the rule of an act about a resource of its kind.
func ruleOf(act Act, on Resource) *rule {
	r := byAct[act]
	if r == nil || r.on != on.Kind {
		panic(fmt.Sprintf("BUG: %q is no act on a resource of the kind %q", act, on.Kind))
	}
	return r
}

// Allowed reports whether an actor may do something now. It is May for those who need no reason.
func Allowed(a Actor, act Act, on Resource) bool {
	r := ruleOf(act, on)
	return a.User != "" && a.able(act) == nil && a.reaches(on) == nil && slices.ContainsFunc(r.ways, func(w way) bool {
		return w.roles.has(a, on) && w.be.is(a, on) && w.while.holds(on)
	})
}

// May returns nil if an actor may do something now. Otherwise it returns, in this order,
// ErrUnauthenticated; ErrInPerson for what is no machine's; ErrForbidden for a role that is missing; ErrScope for an app that the actor's
// token is not bound to; for what is another person's ErrNotOwner, ErrNotOffered, ErrOwnRequest or
// ErrForbidden; and ErrNotNow.
func May(a Actor, act Act, on Resource) error {
	if Allowed(a, act, on) {
		return nil
	}
	r := ruleOf(act, on)
	with := slices.DeleteFunc(slices.Clone(r.ways), func(w way) bool { return !w.roles.has(a, on) })
	switch {
	case a.User == "":
		return ErrUnauthenticated
	case a.able(act) != nil:
		return a.able(act)
	case len(with) == 0:
		return r.notFor(a, on)
	}
	if err := a.reaches(on); err != nil {
		return err
	}
	if !slices.ContainsFunc(with, func(w way) bool { return w.be.is(a, on) }) {
		return r.another(a, on)
	}
	return fmt.Errorf("%s %s: %w", on.words(), r.condition(a, on), ErrNotNow)
}

// notFor is the refusal of an actor who has no role for what a resource is, though perhaps for another.
func (r *rule) notFor(a Actor, on Resource) error {
	door := Door(r.act)
	if !slices.ContainsFunc(door, a.Has) {
		return a.lacks(door)
	}
	if slices.ContainsFunc(r.ways, func(w way) bool { return w.roles.security }) && a.holds(RoleReviewer, false, on) {
		return fmt.Errorf("to %s is for reviewers of %s and operators, and your role is for other concerns: %w", r.what, ConcernSecurity, ErrForbidden)
	}
	if len(on.Stages) > 0 && a.holds(RoleReviewer, false, on) {
		return fmt.Errorf("%s waits for a reviewer of %s, and your role is for other concerns: %w", on.words(), listed(on.Stages, " or "), ErrForbidden)
	}
	if len(on.Concerns) > 0 && a.holds(RoleReviewer, false, on) {
		return fmt.Errorf("%s is for reviewers of %s, and your role is for other concerns: %w", on.words(), listed(on.Concerns, " and "), ErrForbidden)
	}
	return fmt.Errorf("your role is for the apps of one group, and %s is of none of them: %w", on.words(), ErrForbidden)
}

func listed(concerns []Concern, between string) string {
	words := make([]string, len(concerns))
	for i, c := range concerns {
		words[i] = string(c)
	}
	return strings.Join(words, between)
}

// reaches returns an error if the actor's token is bound to apps of which the resource is none.
func (a Actor) reaches(on Resource) error {
	if on.Name == "" {
		return nil
	}
	return a.AllowsApp(on.Name)
}

// another is the refusal of an actor who is not the right person.
func (r *rule) another(a Actor, on Resource) error {
	switch {
	case r.noun != "":
		return fmt.Errorf("%s of %s %s for %s: %w", r.noun, on.words(), isOrAre(r.noun), r.audience(on), r.wrong)
	case on.Kind == OnApp:
		if owns(a, on) {
			return fmt.Errorf("app %q belongs to %s; you own it with them, and this is the owner's alone: %w", on.Name, on.Owner, r.wrong)
		}
		return fmt.Errorf("app %q belongs to %s, and you are %s: %w", on.Name, on.Owner, a.User, r.wrong)
	case on.Kind == OnRequest:
		return fmt.Errorf("the request was made by %s for an app of %s, and you are %s: %w", on.By, on.Owner, a.User, r.wrong)
	}
	return fmt.Errorf("that is for %s: %w", r.audience(on), r.wrong)
}

func isOrAre(noun string) string {
	if strings.HasSuffix(noun, "s") {
		return "are"
	}
	return "is"
}

// audience names those for whom something is.
func (r *rule) audience(on Resource) string {
	var words []string
	for _, w := range r.ways {
		switch {
		case w.be.words != "" && on.Kind == OnPerson:
			words = append(words, on.Owner)
		case on.Kind == OnGroup && w.be.words != "":
			words = append(words, fmt.Sprintf("the people in the group %q", on.Owner))
		case w.be.words != "" && on.CoOwner == "" && on.Group == "":
			words = append(words, "its owner "+on.Owner)
		case w.be.words != "":
			words = append(words, "its owner "+on.Owner+" and those who own it, too")
		default:
			for _, role := range w.roles.any {
				words = append(words, role.plural())
			}
		}
	}
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
	return strings.Join(words, "")
}

// condition says what does not hold of a resource for those whom the actor belongs to.
func (r *rule) condition(a Actor, on Resource) string {
	var words []string
	for _, w := range r.ways {
		if w.roles.has(a, on) && w.be.is(a, on) && !slices.Contains(words, w.while.words) {
			words = append(words, w.while.words)
		}
	}
	return "does not allow you to " + r.what + " unless " + strings.Join(words, " or ")
}

// words names a resource.
func (on Resource) words() string {
	switch on.Kind {
	case OnApp:
		return fmt.Sprintf("%q", on.Name)
	case OnRequest:
		return fmt.Sprintf("the request about %q", on.Name)
	case OnPerson:
		return on.Owner
	case OnGroup:
		return fmt.Sprintf("the group %q", on.Owner)
	}
	return "the node"
}

// Door returns the roles without any of which no actor may do an act, whatever it is about: for
// Require, which asks at the door, before anything is read.
func Door(act Act) []Role {
	var roles []Role
	rule := byAct[act]
	for _, w := range rule.ways {
		for _, r := range w.roles.any {
			if r == SignedIn {
				return []Role{SignedIn}
			}
			if w.roles.anyGroup || rule.on == OnApp || rule.on == OnRequest {
				r = OfAnyGroup(r)
			}
			if !slices.Contains(roles, r) {
				roles = append(roles, r)
			}
		}
	}
	if all := func(r Role) bool { return slices.Contains(roles, OfAnyGroup(r)) }; !slices.ContainsFunc(Roles(), func(r Role) bool { return !all(r) }) {
		return []Role{RoleViewer} // which Has takes for any role
	}
	return roles
}

// Acts lists what an actor may do to a resource now, in the order of the table.
func Acts(a Actor, on Resource) (may []Act) {
	for i := range rules {
		if rules[i].on == on.Kind && Allowed(a, rules[i].act, on) {
			may = append(may, rules[i].act)
		}
	}
	return may
}

// Changes reports whether an actor may do anything now that changes an app.
func Changes(a Actor, app Resource) bool {
	return slices.ContainsFunc(rules, func(r rule) bool {
		return r.on == OnApp && r.noun == "" && r.act != AskAccess && Allowed(a, r.act, app)
	})
}

// Rule is a line of the table, in words.
type Rule struct {
	Act      Act
	On       Kind
	What     string
	Who      []string // each of the ways to be allowed
	InPerson bool     // it is for people themselves, and for no service account or automation
	Afresh   bool     // a session has to be one in which the person gave proof a moment ago
}

// Rules lists the table.
func Rules() []Rule {
	all := make([]Rule, len(rules))
	for i := range rules {
		all[i] = rules[i].shown()
	}
	return all
}

// shown is a rule in words.
func (r *rule) shown() Rule {
	shown := Rule{Act: r.act, On: r.on, What: r.what, InPerson: InPerson(r.act), Afresh: Afresh(r.act)}
	for _, w := range r.ways {
		text := w.roles.words
		if w.be.words != "" {
			text += " who is " + w.be.words
		}
		if w.while.words != "" {
			text += ", while " + w.while.words
		}
		shown.Who = append(shown.Who, text)
	}
	return shown
}

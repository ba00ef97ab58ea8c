package api

import (
	"math"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/triggers"
)

type bodyKind int

const (
	bodyNone bodyKind = iota
	bodyJSON
	bodyMultipart // parts by name
	bodyBinary    // of the media type named
)

type body struct {
	kind    bodyKind
	doc     any      // bodyJSON: a zero value of its shape
	maybe   bool     // bodyJSON: it may be left out
	form    bool     // bodyJSON: or the same as a form, whose fields are texts
	parts   []string // bodyMultipart: those that it has
	mayHave []string // and those that it may have
	media   string   // bodyBinary

	upload control.Purpose // "" unless it carries a module
	// room returns how large the body may be, and how much memory is needed beside it; nil for a
	// body of the usual size.
	room func(*server, echo.Context) (limit, needs int64, err error)
}

// route is one operation: what serves it, and what describes it.
type route struct {
	method, path string // path in the framework's form, ":name" for a parameter
	id           string // operationId
	about        string
	public       bool
	act          access.Act   // what it does, by the table of who may do what, which says whom it is for
	scope        access.Scope // what a token needs for it; anyScope: nothing
	anyApp       bool         // a token that is bound to apps may call it, though its address names none
	query        []param
	paged        bool // a list: it takes cursor and limit
	body         body
	answer       any    // a zero value of the document's shape; nil: no content
	media        string // of the response, if it is not JSON
	also         string // a media type that the response may have, too
	lines        any    // a zero value of the lines of a stream, if there can be one
	status       int    // of success, if it is not 200 or 204
	handle       handler

	of      subject // the document that it reads or changes, if that has an ETag; nil: none
	creates bool    // it can make that document
	inBody  bool    // its body names the document: the handler itself calls expect

	repeatable bool    // it changes nothing, or knows by itself what it has: a key makes no difference
	secret     bool    // its response holds a secret, which is not kept
	reread     handler // what its response is about, as it is now; nil if that cannot be told
}

func (r route) success() int {
	if r.status != 0 {
		return r.status
	}
	return http.StatusOK
}

// anyOf are the roles that the table of who may do what asks for at the door.
func (r route) anyOf() []access.Role { return access.Door(r.act) }

// anyScope is the scope of what every token may call.
const anyScope access.Scope = "any"

// scopes are what a token needs, as the description lists them.
func (r route) scopes() []string {
	if r.scope == anyScope {
		return []string{}
	}
	return []string{string(r.scope)}
}

// app is which single app a request is about: as its path or, if it can, its query names it.
func (r route) app(c echo.Context) string {
	if app := c.Param("app"); app != "" {
		return app
	}
	if slices.ContainsFunc(r.query, func(p param) bool { return p.name == "app" }) {
		return arg[string](c, "app")
	}
	return ""
}

// allow decides whether who calls may call an operation. It is the one place where the API decides
// that by role and by scope; what belongs to whom the node decides.
func (r route) allow(a access.Actor) error {
	if err := access.AtDoor(a, r.act); err != nil {
		return err
	}
	if r.scope != anyScope && r.scope != access.ScopeBackupRead { // which the node judges, by more than the scope
		return a.Allows(r.scope)
	}
	return nil
}

// reaches decides whether a token that is bound to apps is for the app that a request is about.
func (r route) reaches(a access.Actor, c echo.Context) error {
	if r.anyApp {
		return nil
	}
	return a.AllowsApp(r.app(c))
}

func jsonBody(doc any) body { return body{kind: bodyJSON, doc: doc} }

func capabilityNames() (words []string) {
	for _, c := range abi.Capabilities() {
		words = append(words, c.Name)
	}
	return words
}

func eventKinds() (words []string) {
	for _, k := range abi.EventKinds() {
		words = append(words, k.Kind)
	}
	return words
}

func acts() (all []access.Act) {
	for _, r := range access.Rules() {
		all = append(all, r.Act)
	}
	return all
}

// routes is the whole API on one screen.
func routes() []route {
	var (
		get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
		usage               = []param{
			text("app", "one app; all if left out"), text("team", "one team; all if left out"), text("cost_center", "one cost center; all if left out"),
			moment("from", "rounded down to the hour; default 24 hours before to"), moment("to", "rounded up to the hour; default now"),
			choices("by", "what to group by", metering.Groupings()),
			choice("over", "the totals of each of them, too", metering.Spans()...), choice("format", "text/csv, a line for each row, all of them", "csv"),
			choice("bom", "whether the CSV begins with a byte order mark, for Excel", "true", "false"),
			number("limit", "rows of a page", 1, control.MaxPageLimit, control.MaxPageLimit), text("cursor", "the next of the page before"),
		}
	)
	return []route{
		{method: get, path: "/openapi.json", id: "describe", about: "This description.", public: true, answer: map[string]any{}, handle: describeSelf},
		{method: get, path: "/schemas/manifest.json", id: "manifestSchema", about: "The JSON schema of agora.toml.", public: true, answer: map[string]any{}, handle: manifestSchema},
		{method: post, path: "/sign-in", id: "signIn", about: "Trade a one-time sign-in link for a session secret, which works as a token while the session lasts.", public: true, body: jsonBody(SignIn{}), answer: Session{}, handle: signIn},
		{method: post, path: "/login/device", id: "beginLogin", about: "Ask for a token that a person confirms in the console, at another machine (in the shape of RFC 8628): the person types user_code at verification_uri within ten minutes. Without scopes the token reads apps, requests and usage.", public: true, body: jsonBody(BeginLogin{}), answer: control.DeviceLogin{}, handle: beginLogin},
		{method: post, path: "/login/token", id: "redeemLogin", about: "Trade the code of a login for its token: device_code, or, with its verifier, the code that a browser brought back from the console's page /login. Until a person has confirmed it, the problem is authorization-pending; a program that asks more often than the interval says is told slow-down, and waits five seconds longer. A code is good once.", public: true, body: jsonBody(RedeemLogin{}), answer: Token{}, handle: redeemLogin},
		{method: post, path: "/token", id: "exchangeToken", about: "Trade the OpenID Connect token of a CI's job for a token of a service account that lives fifteen minutes, by a rule of the node (in the shape of RFC 8693; docs/workloads.md). The CI's token is good once. Why one is refused, the node's log says.", public: true, body: body{kind: bodyJSON, doc: Exchange{}, form: true}, answer: Exchanged{}, handle: exchangeToken},
		{method: get, path: "/info", id: "info", act: access.LookAround, scope: anyScope, anyApp: true, about: "What this node is.", answer: control.Info{}, handle: info},
		{method: get, path: "/types/agora.d.ts", id: "types", act: access.LookAround, scope: anyScope, anyApp: true, about: "What this node gives to apps in TypeScript and JavaScript, as a file of declarations for editors and compilers.", answer: "", media: "text/plain", handle: types},
		{method: get, path: "/whoami", id: "whoami", act: access.LookAround, scope: anyScope, anyApp: true, about: "Who the token belongs to.", answer: Whoami{}, handle: whoami},

		{method: get, path: "/apps", id: "listApps", act: access.FindApp, scope: access.ScopeAppsRead, about: "Apps, by title. Everyone without a role sees the public face of those that serve.", query: []param{text("q", "words, all of which occur in title, name, description, owner, team, tiers or capabilities; case and accents do not matter"), choice("tier", "that the app serves", abi.Tiers()...), text("team", "one team"), text("owner", "a person who owns them, alone or with others"), text("capability", "a capability of the release that serves"), choice("state", "where the app stands", registry.StateActive, registry.StateMaintenance, registry.StateSuspended, registry.StateQuarantined, registry.StateDeleting, registry.StateRemoving), choice("orphaned", "those whose owner is disabled", "true"), choice("old_engine", "those that were made of scripts with an engine that is too old", "true")}, paged: true, answer: Items[control.App]{}, handle: listing(listApps)},
		{method: get, path: "/apps/:app", id: "getApp", act: access.FindApp, scope: access.ScopeAppsRead, about: "One app.", answer: control.App{}, handle: getApp, of: anApp},
		{method: post, path: "/apps/:app/suspend", id: "suspendApp", act: access.SuspendApp, scope: access.ScopeAppsManage, about: "Stop an app: it serves nothing and nothing calls it, until it is resumed. Its owner, a reviewer or an operator.", body: jsonBody(Reason{}), answer: control.App{}, handle: suspendApp, reread: getApp, of: anApp},
		{method: post, path: "/apps/:app/resume", id: "resumeApp", act: access.ResumeApp, scope: access.ScopeAppsManage, about: "End a suspension: an operator any, others what their own authority suspended.", body: jsonBody(Reason{}), answer: control.App{}, handle: resumeApp, reread: getApp, of: anApp},
		{method: post, path: "/apps/:app/maintain", id: "maintainApp", act: access.MaintainApp, scope: access.ScopeAppsManage, about: "Put an app in maintenance: it serves as before, and promotions have to say what they mend. Or say anew until when, and what follows it. Its owners, or an operator.", body: jsonBody(MaintainApp{}), answer: control.App{}, handle: maintainApp, reread: getApp, of: anApp},
		{method: post, path: "/apps/:app/unmaintain", id: "endMaintenance", act: access.EndMaintenance, scope: access.ScopeAppsManage, about: "End the maintenance of an app. Its owners, or an operator.", body: jsonBody(Reason{}), answer: control.App{}, handle: endMaintenance, reread: getApp, of: anApp},
		{method: post, path: "/apps/:app/quarantine", id: "quarantineApp", act: access.QuarantineApp, scope: access.ScopeAppsManage, about: "Keep an app from everybody because something is wrong with it: it serves nothing, nothing calls it, and what could be evidence stays as it is. A reviewer of security or an operator.", body: jsonBody(Because{}), answer: control.App{}, handle: quarantineApp, reread: getApp, of: anApp},
		{method: post, path: "/apps/:app/unquarantine", id: "endQuarantine", act: access.EndQuarantine, scope: access.ScopeAppsManage, about: "End a quarantine: the authority that set it or one above, and no one who owns the app. The app is then what it was before.", body: jsonBody(Because{}), answer: control.App{}, handle: endQuarantine, reread: getApp, of: anApp},
		{method: post, path: "/apps/:app/delete", id: "deleteApp", act: access.DeleteApp, scope: access.ScopeAppsManage, about: "Stop an app and have it removed, with all that it keeps, when a wait is over. The name is repeated, so that no other app is deleted by mistake.", body: jsonBody(DeleteApp{}), answer: control.App{}, handle: deleteApp, reread: getApp, of: anApp},
		{method: post, path: "/apps/:app/undelete", id: "undeleteApp", act: access.UndeleteApp, scope: access.ScopeAppsManage, about: "Undo the deletion of an app while its wait lasts.", answer: control.App{}, handle: undeleteApp, reread: getApp, of: anApp},
		{method: post, path: "/apps/:app/transfer", id: "transferApp", act: access.TransferApp, scope: access.ScopeAppsManage, about: "Offer one's app to another person, who accepts it; an operator hands another one's app over at once.", body: jsonBody(TransferApp{}), answer: control.App{}, handle: transferApp, reread: getApp, of: anApp},
		{method: post, path: "/apps/:app/offer", id: "answerOffer", act: access.EndOffer, scope: access.ScopeAppsManage, about: "Take an app that is offered to the caller, or end the offer: refuse it, or take it back.", body: jsonBody(AnswerOffer{}), answer: control.App{}, handle: answerOffer, reread: getApp, of: anApp},
		{method: put, path: "/apps/:app/owners", id: "shareApp", act: access.ShareApp, scope: access.ScopeAppsManage, about: "Say who owns an app with its owner: a co-owner and a group, in the place of those that were. They may do what the owner may, but for giving it away and deleting it; none of them decides its requests.", body: jsonBody(ShareApp{}), answer: control.App{}, handle: shareApp, reread: getApp, of: anApp},
		{method: put, path: "/apps/:app/title", id: "renameApp", act: access.RenameApp, scope: access.ScopeAppsManage, about: "Give an app another title. Its name is its address, and stays; the next release's manifest gives its title again.", body: jsonBody(RenameApp{}), answer: control.App{}, handle: renameApp, reread: getApp, of: anApp},
		{method: get, path: "/certificates", id: "listCertificates", act: access.ReadCertificate, scope: access.ScopeAppsRead, about: "Certificates of what was removed for good, newest first: of the caller's apps, for reviewers and operators of all.", query: []param{text("app", "one app; all if left out")}, paged: true, answer: Items[registry.Issued]{}, handle: listing(listCertificates)},
		{method: get, path: "/certificates/:id", id: "getCertificate", act: access.ReadCertificate, scope: access.ScopeAppsRead, about: "One certificate, whose signature was checked: document is the JSON that was signed, signature a sigstore bundle over it by urn:agora:node.", answer: registry.Issued{}, handle: getCertificate},
		{method: get, path: "/apps/:app/releases", id: "listReleases", act: access.ReadReleases, scope: access.ScopeAppsRead, about: "An app's releases, newest first.", paged: true, answer: Items[control.Release]{}, handle: listing(listReleases)},
		{method: get, path: "/apps/:app/releases/:number", id: "getRelease", act: access.ReadReleases, scope: access.ScopeAppsRead, about: "One release.", answer: control.Release{}, handle: getRelease},
		{method: get, path: "/apps/:app/releases/:number/source", id: "getReleaseSource", act: access.ReadSource, scope: access.ScopeAppsRead, about: "The files that a release was made of, as its module carries them: for the app's owner, reviewers and operators. rebuilt says that this node made the same module of them.", answer: control.ReleaseSource{}, handle: releaseSource},
		{method: del, path: "/apps/:app/releases/:number", id: "deleteRelease", act: access.DeleteRelease, scope: access.ScopeAppsManage, about: "Delete a release for good, unless it serves or is waited for.", handle: deleteRelease},
		{method: post, path: "/releases", id: "publish", act: access.Publish, scope: access.ScopeAppsPublish, anyApp: true, about: "Upload a signed module with its manifest. With Accept: application/x-ndjson, each step is told as it begins.", body: body{kind: bodyMultipart, parts: []string{"manifest", "module"}, mayHave: []string{"bundle"}, upload: control.ToPublish}, answer: control.Published{}, lines: Step{}, status: http.StatusCreated, handle: publish, repeatable: true},
		{method: post, path: "/apps/:app/activate", id: "activate", act: access.Route, scope: access.ScopeAppsManage, about: "Route a tier to a release that is approved for it.", body: jsonBody(Activate{}), answer: registry.Activation{}, handle: activate, of: anApp},
		{method: post, path: "/apps/:app/rollback", id: "rollBack", act: access.Route, scope: access.ScopeAppsManage, about: "Route a tier to the release that it served before.", body: jsonBody(RollBack{}), answer: registry.Activation{}, handle: rollBack, of: anApp},
		{method: post, path: "/apps/:app/promote", id: "promote", act: access.AskReview, scope: access.ScopeAppsPublish, about: "Ask for a release to enter a higher tier.", body: jsonBody(Promote{}), answer: approvals.Request{}, status: http.StatusCreated, handle: promote, of: anApp},
		{method: post, path: "/apps/:app/ask", id: "askAgain", act: access.AskReview, scope: access.ScopeAppsPublish, about: "Ask again for what a release lacks in the sandbox and nothing waits for.", body: jsonBody(AskAgain{}), answer: Items[approvals.Request]{}, status: http.StatusCreated, handle: askAgain, of: anApp},
		{method: get, path: "/apps/:app/audiences", id: "listAudiences", act: access.ReadAudience, scope: access.ScopeAppsRead, about: "Who may open an app, by tier, from the lowest.", answer: Items[control.Audience]{}, handle: listAudiences},
		{method: get, path: "/apps/:app/audiences/:tier", id: "getAudience", act: access.ReadAudience, scope: access.ScopeAppsRead, about: "Who may open one tier of an app.", answer: control.Audience{}, handle: getAudience, of: anAudience},
		{method: put, path: "/apps/:app/audiences/:tier", id: "setAudience", act: access.SetAudience, scope: access.ScopeAppsManage, about: "Say who may open a tier of an app: its owner, named people and groups, or everyone who is signed in. Open to everybody without a sign-in it is once a reviewer has approved that: the response names the request as waiting, and the audience stays what it was until then.", body: jsonBody(SetAudience{}), answer: control.Audience{}, handle: setAudience, of: anAudience},
		{method: get, path: "/apps/:app/access-requests", id: "listAccessRequests", act: access.ReadAudience, scope: access.ScopeAppsRead, about: "Who asked for access to an app: those who wait first, then the latest.", answer: Items[access.AccessRequest]{}, handle: listAccessRequests},
		{method: post, path: "/apps/:app/access-requests", id: "askAccess", act: access.AskAccess, scope: access.ScopeAppsRead, about: "Ask for access to an app in the caller's name. Its owner decides.", body: jsonBody(AskAccess{}), answer: access.AccessRequest{}, status: http.StatusCreated, handle: askAccess},
		{method: post, path: "/apps/:app/access-requests/:tier/:person/decision", id: "answerAccess", act: access.SetAudience, scope: access.ScopeAppsManage, about: "Decide about a request for access. Granting it adds the person to the audience of the tier at once.", body: jsonBody(AnswerAccess{}), answer: access.AccessRequest{}, handle: answerAccess},
		{method: get, path: "/apps/:app/activations", id: "listActivations", act: access.ReadReleases, scope: access.ScopeAppsRead, about: "The history of an app's routes, newest first.", paged: true, answer: Items[registry.Activation]{}, handle: listing(listActivations)},
		{method: get, path: "/apps/:app/logs", id: "logs", act: access.ReadLog, scope: access.ScopeLogsRead, about: "An app's log: the newest lines that are kept, oldest first. The cursor leads to older ones.", paged: true, answer: Items[control.LogLine]{}, handle: listing(logs)},
		{method: get, path: "/apps/:app/triggers", id: "listTriggers", act: access.ReadReleases, scope: access.ScopeAppsRead, about: "What calls an app besides requests, and how that went.", paged: true, answer: Items[control.Trigger]{}, handle: listing(listTriggers)},
		{method: get, path: "/apps/:app/triggers/:kind/:name", id: "getTrigger", act: access.ReadReleases, scope: access.ScopeAppsRead, about: "One trigger. Its ETag is of what people decide about it, and not of how it goes, which changes by itself.", answer: control.Trigger{}, handle: getTrigger, of: aTrigger},
		{method: post, path: "/apps/:app/triggers/pause", id: "pauseTrigger", act: access.RunTriggers, scope: access.ScopeAppsManage, about: "Pause or resume a trigger. What comes for a paused one waits.", body: jsonBody(PauseTrigger{}), answer: control.Trigger{}, handle: pauseTrigger, of: aTrigger, inBody: true},
		{method: post, path: "/apps/:app/triggers/run", id: "runTrigger", act: access.RunTriggers, scope: access.ScopeAppsManage, about: "Run a cron trigger now.", body: jsonBody(RunTrigger{}), answer: Run{}, status: http.StatusAccepted, handle: runTrigger},
		{method: get, path: "/apps/:app/dead-letters", id: "listDeadLetters", act: access.ReadDeadLetters, scope: access.ScopeAppsRead, about: "Events and webhooks whose deliveries to the app failed, newest first.", paged: true, answer: Items[triggers.Delivery]{}, handle: listing(listDeadLetters)},
		{method: post, path: "/apps/:app/dead-letters/:seq/redeliver", id: "redeliver", act: access.RunTriggers, scope: access.ScopeAppsManage, about: "Deliver a dead letter again.", answer: triggers.Delivery{}, handle: redeliver},
		{method: del, path: "/apps/:app/dead-letters/:seq", id: "deleteDeadLetter", act: access.RunTriggers, scope: access.ScopeAppsManage, about: "Delete a dead letter.", handle: deleteDeadLetter},
		{method: post, path: "/apps/:app/invoke", id: "invoke", act: access.CallApp, scope: access.ScopeAppsInvoke, about: "Call an app as its own address would, and see what it cost.", body: body{kind: bodyJSON, doc: Invoke{}, room: callRoom}, query: []param{number("release", "the release to call, whose limits bound the body; default the one that serves", 0, math.MaxInt32, 0)}, answer: control.Response{}, handle: invoke},

		{method: get, path: "/apps/:app/workloads", id: "listAppWorkloads", act: access.ReadAppWorkloads, scope: access.ScopeAppsRead, about: "The rules by which jobs of a CI may act on an app: those that name it, and those that name no app and whose service account may change it now.", paged: true, answer: Items[control.WorkloadRule]{}, handle: listing(listAppWorkloads)},
		{method: get, path: "/apps/:app/secrets", id: "listSecrets", act: access.ListSecrets, scope: access.ScopeSecretsRead, about: "An app's secrets, without their values.", paged: true, answer: Items[control.Secret]{}, handle: listing(listSecrets)},
		{method: put, path: "/apps/:app/secrets/:name", id: "setSecret", act: access.SetSecrets, scope: access.ScopeSecretsWrite, about: "Set a secret of an app: the body is its value, which is never returned again.", body: body{kind: bodyBinary, media: octets}, answer: control.Secret{}, handle: setSecret},
		{method: del, path: "/apps/:app/secrets/:name", id: "deleteSecret", act: access.SetSecrets, scope: access.ScopeSecretsWrite, about: "Forget a secret.", handle: deleteSecret},
		{method: post, path: "/secrets/rotate", id: "rotateSecrets", act: access.Operate, scope: access.ScopeNodeWrite, about: "Seal all secrets with a new key, and forget the earlier ones.", answer: Rotated{}, handle: rotateSecrets},

		{method: post, path: "/apps/:app/emergency-grants", id: "breakGlass", act: access.GrantEmergency, scope: access.ScopeRequestsDecide, about: "Allow a release a capability that it lacks in a tier, at once and for hours, before its review: in an emergency, where the rules of the tier have emergency_hours. The review is asked for in the same change, and has to follow. The grant is for this release, and ends after those hours, or when the review is over, whichever is first; what an approval grants is a grant of its own. It lifts no promotion, no signature, and nothing that the rules deny. The tier serves the release from then on if it has all that it needs there and no later one serves.", body: jsonBody(control.Emergency{}), answer: control.BrokenGlass{}, status: http.StatusCreated, handle: breakGlass, of: anApp},

		{method: get, path: "/calls/:id", id: "getCall", act: access.ReadCalls, scope: access.ScopeLogsRead, about: "What is known of a call, by the id in its Agora-Invocation header: how it ended, what it cost, and what it wrote into its app's log. Calls that failed or were refused are kept as long as their app's log; of others some are, for thirty days. Calls of other people's apps are not found, except by reviewers and operators.", query: []param{text("app", "one app; any if left out"), moment("at", "when it ended, RFC 3339, to the hour: finds samples that are older than two days")}, answer: control.Call{}, handle: getCall},
		{method: get, path: "/usage", id: "usage", act: access.ReadUsage, scope: access.ScopeUsageRead, about: "What was used: by all apps for viewers, reviewers and operators, by their own for others.", query: usage, answer: metering.Report{}, also: "text/csv", handle: usageReport},
		{method: get, path: "/usage/samples", id: "usageSamples", act: access.ReadCalls, scope: access.ScopeUsageRead, about: "Some calls of an hour: the slowest, the last that failed, and some at random; the last first. They are kept for thirty days.", query: []param{text("app", "one app; all if left out"), moment("hour", "a time in that hour; default now")}, paged: true, answer: Items[control.Sample]{}, handle: listing(usageSamples)},
		{method: get, path: "/events", id: "events", act: access.ReadCatalogue, scope: access.ScopeEventsRead, about: "Changes that the caller may see: what concerns an app's secrets, triggers and dead letters is for its owner, reviewers and operators, what concerns users, tokens and keys for whom it is about and for operators. None of these is left out; the revisions between are for others. What one change did stays on one page.", query: []param{number("after", "a revision; default 0", 0, math.MaxInt64, 0), choice("order", "oldest or newest first; default oldest", "oldest", "newest"), text("app", "one app; all if left out"), choices("kind", "kinds of events; all if left out", eventKinds()), text("actor", "who made the change; all if left out"), moment("from", "changes of this time and later"), moment("to", "changes of earlier times")}, paged: true, answer: Items[abi.Event]{}, handle: listing(events)},

		{method: post, path: "/apps/:app/exemptions", id: "askExemption", act: access.AskReview, scope: access.ScopeAppsPublish, about: "Ask that a rule that refuses an app in a tier refuses nothing for a time: with why, and what is done instead. A reviewer of the concern that the policy names for the rule decides. Once it is approved, the rule's finding is marked with it wherever it is shown.", body: jsonBody(AskExemption{}), answer: approvals.Request{}, handle: askExemption, of: anApp},
		{method: get, path: "/requests", id: "listRequests", act: access.ReadRequest, scope: access.ScopeRequestsRead, about: "What waits for a decision or was decided, newest first.", query: []param{choice("status", "all if left out", approvals.StatusOpen, approvals.StatusScheduled, approvals.StatusApproved, approvals.StatusRejected, approvals.StatusWithdrawn), text("app", "one app; all if left out"), text("by", "who asked; all if left out"), choice("turn", "open ones that wait for these; all if left out", approvals.TurnReviewers, approvals.TurnRequester), choice("mine", "true: only open ones of which it is the caller's turn: to vote, or to answer", "true", "false"), choice("concern", "only open ones that wait for a reviewer of this concern now; all if left out", access.Concerns()...), choice("overdue", "true: only open ones of which the time is over for those whose turn it is", "true", "false"), choice("kind", "what is asked for; all if left out", approvals.KindGrant, approvals.KindPromotion, approvals.KindAudience, approvals.KindExemption), choice("holds", "true: only exemptions that hold", "true", "false")}, paged: true, answer: Items[approvals.Request]{}, handle: listing(listRequests)},
		{method: get, path: "/requests/:id", id: "getRequest", act: access.ReadRequest, scope: access.ScopeRequestsRead, about: "One request.", answer: approvals.Request{}, handle: getRequest, of: aRequest},
		{method: get, path: "/requests/:id/away", id: "listAway", act: access.ReadRequest, scope: access.ScopeRequestsRead, about: "Who could still vote about an open request by their own roles and has said that they are away, without naming who decides in their place, by name. It changes nothing about who may vote.", answer: Items[control.Absent]{}, handle: listAway},
		{method: get, path: "/apps/:app/releases/:number/briefing", id: "getBriefing", act: access.ReadBriefing, scope: access.ScopeRequestsRead, about: "What a reviewer has to know of a release before a decision, in one document: in words what it is, for whom and what is new; what differs from the last release that was approved, and whether it may do more or less by that; what it declares, imports, was granted and used; what was measured of it in thirty days; what the rules say, and what they advise. Nothing follows from the advice. It is about the highest tier that an open request names or, if none is open, the lowest that the release does not serve.", answer: control.Briefing{}, handle: getBriefing},
		{method: post, path: "/apps/:app/releases/:number/decision", id: "decideRelease", act: access.DecideRequest, scope: access.ScopeRequestsDecide, about: "Vote about what one release asks for, in one transaction: about the parts that are named, each with the verdict about all or with one of its own, or about every open request of the release that the caller may decide now. All of them are decided or none: if one is refused, or is not what it was when it was looked at, no vote is cast. Each request keeps its own votes, stages, events and notices. With a digest, only if the release is that module.", body: jsonBody(control.ReleaseVerdict{}), answer: Items[approvals.Request]{}, handle: decideRelease},
		{method: post, path: "/requests/decision", id: "decideRequests", act: access.DecideRequest, scope: access.ScopeRequestsDecide, about: "Vote about several requests that ask for the same, of any apps, in one transaction: one capability in one tier, or to enter one tier. All that are named are decided, or none. With the etag of a part, only if it is as it was read with that.", body: jsonBody(control.ReleaseVerdict{}), answer: Items[approvals.Request]{}, handle: decideRequests},
		{method: post, path: "/requests/:id/decision", id: "decide", act: access.DecideRequest, scope: access.ScopeRequestsDecide, about: "Vote about another person's request: approve it, or reject it with a reason. The vote that the last stage of the request waited for approves it, with all that follows; one rejection ends it. With starts, the approval of a promotion has no effect before that time, when all that it was approved for is checked again. Each person counts once over all stages. With a digest, only if the request is about that module.", body: jsonBody(control.Verdict{}), answer: approvals.Request{}, handle: decide, reread: getRequest, of: aRequest},
		{method: post, path: "/requests/:id/comments", id: "commentOnRequest", act: access.CommentRequest, scope: access.ScopeRequestsWrite, about: "Write about an open request, as its requester, an owner of the app or a reviewer. While it waits for its requester, what they or the owners write is the answer, and it is the reviewers' turn. The same text sent twice in a row is one comment.", body: jsonBody(Written{}), answer: approvals.Request{}, handle: commentOnRequest, reread: getRequest, of: aRequest},
		{method: post, path: "/requests/:id/ask-changes", id: "askChanges", act: access.AskChanges, scope: access.ScopeRequestsDecide, about: "Ask for changes of another person's request, with a reason. It waits for its requester then, and is not approved before they have answered; who approved it and asks for changes has taken the approval back. With a digest, only if the request is about that module.", body: jsonBody(AskChanges{}), answer: approvals.Request{}, handle: askChanges, reread: getRequest, of: aRequest},
		{method: post, path: "/requests/:id/changed", id: "changed", act: access.AnswerRequest, scope: access.ScopeRequestsWrite, about: "Say of one's own request that what a reviewer asked for is done, with a comment if there is more to say: it is the reviewers' turn.", body: jsonBody(Written{}), answer: approvals.Request{}, handle: changed, reread: getRequest, of: aRequest},
		{method: post, path: "/requests/:id/revoke-exemption", id: "revokeExemption", act: access.ReduceGrant, scope: access.ScopeRequestsDecide, about: "End an exemption at once. What serves goes on; the next time that the policy is asked, the rule refuses again.", body: jsonBody(Because{}), answer: approvals.Request{}, handle: revokeExemption, reread: getRequest, of: aRequest},
		{method: post, path: "/requests/:id/withdraw", id: "withdraw", act: access.WithdrawRequest, scope: access.ScopeAppsPublish, about: "Take a request back before it has any effect: one's own that is open, or one that is approved and has not started, which its requester, an owner of the app, a reviewer or an operator can do, the latter two with a reason.", body: body{kind: bodyJSON, doc: Reason{}, maybe: true}, answer: approvals.Request{}, handle: withdraw, reread: getRequest, of: aRequest},
		{method: get, path: "/grants", id: "listGrants", act: access.ReadCatalogue, scope: access.ScopeRequestsRead, about: "What was granted, newest first.", query: []param{text("app", "one app; all if left out"), text("capability", "one capability; all if left out"), choice("live", "true: only those that hold now", "true", "false")}, paged: true, answer: Items[approvals.Grant]{}, handle: listing(listGrants)},
		{method: get, path: "/grants/:id", id: "getGrant", act: access.ReadCatalogue, scope: access.ScopeRequestsRead, about: "One grant, with the releases that serve with it.", answer: approvals.Grant{}, handle: getGrant, of: aGrant},
		{method: post, path: "/grants/:id/revoke", id: "revokeGrant", act: access.ReduceGrant, scope: access.ScopeRequestsDecide, about: "End a grant at once, and say what still allows the same.", body: jsonBody(Revoke{}), answer: control.Revoked{}, handle: revokeGrant, of: aGrant},
		{method: post, path: "/grants/:id/renew", id: "renewGrant", act: access.AskReview, scope: access.ScopeRequestsWrite, about: "Ask for a grant anew, in its tier and for the release that serves there, before its end or after it. The request is decided like any other. Approved before the end, it leaves no gap.", body: jsonBody(Reason{}), answer: approvals.Request{}, handle: renewGrant, of: aGrant},
		{method: post, path: "/grants/:id/certify", id: "certifyGrant", act: access.CertifyGrant, scope: access.ScopeRequestsDecide, about: "Say, as a reviewer of what it is about and none of its app's owners, that a grant is still needed. It holds until the next time then that the rules of its tier want that, and not beyond the end that it was given.", body: jsonBody(Reason{}), answer: approvals.Grant{}, handle: certifyGrant, of: aGrant},
		{method: post, path: "/grants/:id/shrink", id: "shrinkGrant", act: access.ReduceGrant, scope: access.ScopeRequestsDecide, about: "Take off a grant, at once, what its app has not used.", answer: approvals.Grant{}, handle: shrinkGrant, of: aGrant},

		{method: post, path: "/inspect", id: "inspect", act: access.CheckModule, scope: access.ScopeAppsPublish, anyApp: true, about: "Read a module without storing it.", body: body{kind: bodyBinary, media: wasm, upload: control.ToInspect}, answer: registry.Inspection{}, handle: inspect, repeatable: true},
		{method: post, path: "/builds", id: "build", act: access.CheckModule, scope: access.ScopeAppsPublish, anyApp: true, about: "Make a module of one script in JavaScript or TypeScript or, as a preview, in Python, without storing anything: to be signed, and published as it is. The extension of its name says which. What is wrong with the script is told by its lines.", query: []param{text("entry", "the script's name, which says its language, and by which errors name it; default app.ts"), choices("capability", "what the manifest lists: the module imports no others", capabilityNames())}, body: body{kind: bodyBinary, media: script, upload: control.ToInspect}, answer: control.Built{}, handle: build, repeatable: true},
		{method: get, path: "/policy", id: "getPolicy", act: access.ReadCatalogue, scope: access.ScopeAppsRead, anyApp: true, about: "The policy in force: the source of its rules, by file name.", answer: map[string]string{}, handle: getPolicy},
		{method: get, path: "/policy/tiers", id: "listTiers", act: access.ReadCatalogue, scope: access.ScopeAppsRead, anyApp: true, about: "What the policy says about each tier: what it allows without a reviewer, the most that can be asked for, limits, required metadata, and who opens an app by default.", answer: Items[control.Tier]{}, handle: listTiers},
		{method: post, path: "/policy/check", id: "checkPolicy", act: access.CheckModule, scope: access.ScopeAppsPublish, anyApp: true, about: "What the policy would say of a manifest and a module.", query: []param{choice("tier", "default sandbox", abi.Tiers()...)}, body: body{kind: bodyMultipart, parts: []string{"manifest"}, mayHave: []string{"module"}, upload: control.ToInspect}, answer: Items[abi.Finding]{}, handle: checkPolicy, repeatable: true},

		{method: get, path: "/domains", id: "listDomains", act: access.ReadCatalogue, scope: access.ScopeAppsRead, about: "Domains of apps, beside the addresses that their names make.", paged: true, answer: Items[registry.HostName]{}, handle: listing(listDomains)},
		{method: post, path: "/domains", id: "createDomain", act: access.Operate, scope: access.ScopeNodeWrite, about: "Give an app a domain.", body: jsonBody(CreateDomain{}), answer: registry.HostName{}, status: http.StatusCreated, handle: createDomain},
		{method: del, path: "/domains/:host", id: "deleteDomain", act: access.Operate, scope: access.ScopeNodeWrite, about: "Take a domain away from its app.", handle: deleteDomain},

		{method: get, path: "/trust/root", id: "trustRoot", about: "The sigstore trusted root of this node.", public: true, answer: map[string]any{}, handle: trustRoot},
		{method: post, path: "/trust/certificate", id: "certify", act: access.Sign, scope: access.ScopeAppsPublish, anyApp: true, about: "A short-lived certificate for the caller's identity, from a PKCS #10 request.", body: body{kind: bodyBinary, media: "application/pkcs10"}, answer: "", media: "application/pem-certificate-chain", handle: certify, repeatable: true},
		{method: post, path: "/trust/timestamp", id: "timestamp", act: access.ReadCatalogue, scope: access.ScopeAppsPublish, anyApp: true, about: "An RFC 3161 timestamp.", body: body{kind: bodyBinary, media: "application/timestamp-query"}, answer: "", media: "application/timestamp-reply", handle: timestamp, repeatable: true},
		{method: get, path: "/trust/keys", id: "listKeys", act: access.ReadCatalogue, scope: access.ScopeKeysRead, about: "Public keys that sign for an identity.", paged: true, answer: Items[registry.Key]{}, handle: listing(listKeys)},
		{method: get, path: "/trust/keys/challenge", id: "keyChallenge", act: access.ManageKeys, scope: access.ScopeKeysWrite, about: "The text that a key signs, within an hour, to prove that it is to sign for an identity.", query: []param{text("identity", "whom it is to sign for; default the caller")}, answer: Challenge{}, handle: keyChallenge},
		{method: post, path: "/trust/keys", id: "addKey", act: access.ManageKeys, scope: access.ScopeKeysWrite, about: "Let a public key sign for an identity, which its private half has to have agreed to.", body: jsonBody(control.NewKey{}), answer: registry.Key{}, status: http.StatusCreated, handle: addKey},
		{method: del, path: "/trust/keys/:hint", id: "deleteKey", act: access.ManageKeys, scope: access.ScopeKeysWrite, about: "End the trust in a key.", handle: deleteKey},

		{method: get, path: "/provisioning", id: "listProvisioning", act: access.ManagePerson, scope: access.ScopeUsersRead, about: "Providers that tell who there is, by SCIM or by files.", answer: Items[control.ProvisioningStatus]{}, handle: listProvisioning},
		{method: get, path: "/provisioning/:provider", id: "getProvisioning", act: access.ManagePerson, scope: access.ScopeUsersRead, about: "One provider, with the people whom it cannot have and why, and its last changes.", answer: control.ProvisioningStatus{}, handle: getProvisioning},
		{method: get, path: "/provisioning/:provider/tokens", id: "listProvisioningTokens", act: access.ManagePerson, scope: access.ScopeUsersRead, about: "The tokens that let a provider in.", answer: Items[access.Credential]{}, handle: listProvisioningTokens},
		{method: post, path: "/provisioning/:provider/tokens", id: "newProvisioningToken", act: access.ManagePerson, scope: access.ScopeUsersWrite, about: "Let a provider tell who there is: its token opens SCIM for that provider and nothing else. The secret is answered once.", body: jsonBody(NewProvisioningToken{}), answer: ProvisioningToken{}, status: http.StatusCreated, handle: newProvisioningToken, secret: true},
		{method: del, path: "/provisioning/:provider/tokens/:id", id: "revokeProvisioningToken", act: access.ManagePerson, scope: access.ScopeUsersWrite, about: "End a token of a provider. The people of whom it told stay.", handle: revokeProvisioningToken},
		{method: post, path: "/provisioning/:provider/link", id: "linkPerson", act: access.ManagePerson, scope: access.ScopeUsersWrite, about: "Say that a provider's person is one who is here already.", body: jsonBody(control.ProvisioningLink{}), answer: access.Provisioned{}, handle: linkPerson},
		{method: del, path: "/provisioning/:provider/conflicts/:user", id: "dismissConflict", act: access.ManagePerson, scope: access.ScopeUsersWrite, about: "Forget a conflict of a provider. It comes back if the provider tries again.", handle: dismissConflict},
		{method: post, path: "/people/import", id: "importPeople", act: access.ManagePerson, scope: access.ScopeUsersWrite, about: "Say what a file of people would change or, with apply and the revision of what was said, change it.", body: body{kind: bodyJSON, doc: control.PeopleImport{}, room: importRoom}, answer: control.ImportPlan{}, handle: importPeople},
		{method: get, path: "/users/:name/accounts", id: "listAccounts", act: access.ReadAccounts, scope: access.ScopeUsersRead, about: "A user's accounts at sign-in providers: your own, or, for operators, anybody's.", answer: Items[access.Account]{}, handle: listAccounts},
		{method: del, path: "/users/:name/accounts/:id", id: "disconnectAccount", act: access.ManageAccounts, scope: access.ScopeUsersWrite, about: "Take an account from a user, with the roles that it gave and the sessions that began with it. Nobody takes away their own last way in.", handle: disconnectAccount},
		{method: get, path: "/quotas", id: "listQuotas", act: access.ReadQuotas, scope: access.ScopeAppsRead, about: "What a person, a group and an app have, and may have; for operators, the node, too.", query: []param{text("user", "another person, for operators; default the caller"), text("group", "a group that the caller is in, by its id or name, too"), text("app", "an app, too")}, answer: Items[control.Quota]{}, handle: listQuotas},
		{method: get, path: "/quotas/settings", id: "listQuotaSettings", act: access.ReadNodeEvents, scope: access.ScopeNodeRead, about: "The quotas that operators set, with who, when and why, by what they are of; those that have ended, too.", paged: true, answer: Items[access.QuotaSetting]{}, handle: listing(listQuotaSettings)},
		{method: put, path: "/quotas/:quota", id: "setQuota", act: access.SetQuotas, scope: access.ScopeNodeWrite, about: "Set a quota of one person, group or app or, if none is named, of all of them alike. What was there already stays, and does not grow beyond it.", body: jsonBody(control.SetQuota{}), answer: control.Quota{}, handle: setQuota},
		{method: del, path: "/quotas/:quota", id: "clearQuota", act: access.SetQuotas, scope: access.ScopeNodeWrite, about: "Take back what was set of a quota of one person, group or app or, if none is named, of all of them alike: what is less particular holds again.", query: []param{text("user", "whose quota, if it is one person's"), text("group", "or one group's, by its id or name"), text("app", "or one app's")}, answer: control.Quota{}, handle: clearQuota},
		{method: get, path: "/sessions", id: "listSessions", act: access.ManageSessions, scope: access.ScopeTokensRead, about: "Where the caller is signed in to the console, the oldest session first.", paged: true, answer: Items[control.SignedIn]{}, handle: listing(listSessions)},
		{method: del, path: "/sessions/:id", id: "endSession", act: access.ManageSessions, scope: access.ScopeTokensWrite, about: "End one of the caller's sessions, and those at apps' addresses that it made.", handle: endSession},
		{method: del, path: "/sessions", id: "endSessions", act: access.ManageSessions, scope: access.ScopeTokensWrite, about: "End the caller's sessions, but the one that this is asked with.", answer: EndedSessions{}, handle: endSessions},
		{method: get, path: "/users/:name/sessions", id: "listUserSessions", act: access.ManageSessions, scope: access.ScopeUsersRead, about: "Where a user is signed in: oneself, and for operators anybody.", paged: true, answer: Items[control.SignedIn]{}, handle: listing(listSessions)},
		{method: del, path: "/users/:name/sessions/:id", id: "endUserSession", act: access.ManageSessions, scope: access.ScopeUsersWrite, about: "End one of a user's sessions, and those at apps' addresses that it made.", handle: endSession},
		{method: del, path: "/users/:name/sessions", id: "endUserSessions", act: access.ManageSessions, scope: access.ScopeUsersWrite, about: "End all of a user's sessions, but the one that this is asked with. Their tokens stay.", answer: EndedSessions{}, handle: endSessions},
		{method: get, path: "/delegations", id: "listDelegations", act: access.ReadDelegations, scope: access.ScopeRequestsRead, about: "Who decides in a reviewer's place, and in whose place the reviewer decides, with whether it holds now: of the caller and, for auditors and operators, of anybody.", query: []param{text("person", "of whom; default the caller")}, paged: true, answer: Items[control.ShownDelegation]{}, handle: listing(listDelegations)},
		{method: post, path: "/delegations", id: "delegate", act: access.Delegate, scope: access.ScopeRequestsDecide, about: "Have another reviewer decide in your place, for at most 90 days, for all that you review or some of it; without to, say that you are away, and nobody does. They vote as themselves, and each vote says in whose place it is. Neither of you may be the requester, or an owner of the app.", body: jsonBody(control.NewDelegation{}), answer: control.ShownDelegation{}, status: http.StatusCreated, handle: delegate},
		{method: del, path: "/delegations/:id", id: "endDelegation", act: access.EndDelegations, scope: access.ScopeRequestsDecide, about: "End a delegation before its time: of the caller or, for operators, of anybody. Votes that were cast by it in open requests do not count any more.", query: []param{text("person", "whose it is; default the caller")}, handle: endDelegation},
		{method: get, path: "/tokens", id: "listTokens", act: access.ManageTokens, scope: access.ScopeTokensRead, about: "Your own API tokens.", paged: true, answer: Items[access.Credential]{}, handle: listing(listTokens)},
		{method: post, path: "/tokens", id: "newToken", act: access.ManageTokens, scope: access.ScopeTokensWrite, about: "Make an API token. Its secret is returned once.", body: jsonBody(NewToken{}), answer: Token{}, status: http.StatusCreated, handle: newToken, secret: true},
		{method: del, path: "/tokens/:id", id: "revokeToken", act: access.ManageTokens, scope: access.ScopeTokensWrite, about: "End one of your tokens.", handle: revokeToken},
		{method: get, path: "/service-accounts", id: "listServiceAccounts", act: access.ReadServiceAccounts, scope: access.ScopeUsersRead, about: "Service accounts, by name: those that you answer for and, for auditors and operators, all.", query: []param{text("sponsor", "those that this person answers for"), choice("orphaned", "those alone whose sponsor has left", "true")}, paged: true, answer: Items[control.ServiceAccount]{}, handle: listing(listServiceAccounts)},
		{method: post, path: "/service-accounts", id: "createServiceAccount", act: access.ManageServiceAccount, scope: access.ScopeUsersWrite, about: "Make an account for a machine. You answer for it, or, if an operator says so, another person does. It never has a role that its sponsor has not, never decides a request, and ends when its sponsor leaves.", body: jsonBody(control.NewServiceAccount{}), answer: control.ServiceAccount{}, status: http.StatusCreated, handle: createServiceAccount},
		{method: get, path: "/service-accounts/:name", id: "getServiceAccount", act: access.ReadServiceAccounts, scope: access.ScopeUsersRead, about: "One service account.", answer: control.ServiceAccount{}, handle: getServiceAccount},
		{method: post, path: "/service-accounts/:name", id: "changeServiceAccount", act: access.ManageServiceAccount, scope: access.ScopeUsersWrite, about: "Change what is named of a service account. All its tokens end when it is disabled, and when an operator names another sponsor.", body: jsonBody(control.ServiceAccountChange{}), answer: control.ServiceAccount{}, handle: changeServiceAccount},
		{method: del, path: "/service-accounts/:name", id: "deleteServiceAccount", act: access.ManageServiceAccount, scope: access.ScopeUsersWrite, about: "Delete a service account, and all its tokens. What it did stays under its name, which no other is given.", handle: deleteServiceAccount},
		{method: get, path: "/service-accounts/:name/tokens", id: "listServiceTokens", act: access.ReadServiceAccounts, scope: access.ScopeTokensRead, about: "The tokens of a service account.", paged: true, answer: Items[access.Credential]{}, handle: listing(listServiceTokens)},
		{method: post, path: "/service-accounts/:name/tokens", id: "newServiceToken", act: access.ManageServiceAccount, scope: access.ScopeTokensWrite, about: "Make a token of a service account, which reaches no further than you do. Without hours it lives for 90 days. Its secret is returned once.", body: jsonBody(NewToken{}), answer: Token{}, status: http.StatusCreated, handle: newServiceToken, secret: true},
		{method: del, path: "/service-accounts/:name/tokens/:id", id: "revokeServiceToken", act: access.ManageServiceAccount, scope: access.ScopeTokensWrite, about: "End a token of a service account.", handle: revokeServiceToken},
		{method: get, path: "/users", id: "listUsers", act: access.ReadPerson, scope: access.ScopeUsersRead, about: "List the node's users.", query: []param{choice("role", "those who have a role", access.Roles()...), text("name", "part of the name")}, paged: true, answer: Items[access.User]{}, handle: listing(listUsers)},
		{method: get, path: "/users/:name", id: "getUser", act: access.ReadPerson, scope: access.ScopeUsersRead, about: "One user.", answer: access.User{}, handle: getUser, of: aUser},
		{method: put, path: "/users/:name", id: "putUser", act: access.ManagePerson, scope: access.ScopeUsersWrite, about: "Make a user, or change what a user may do.", body: jsonBody(PutUser{}), answer: access.User{}, handle: putUser, of: aUser, creates: true},
		{method: post, path: "/users/:name/rename", id: "renameUser", act: access.ManagePerson, scope: access.ScopeUsersWrite, about: "Give a user another name. Their apps, keys, tokens and decisions stay theirs, and what they signed verifies as theirs; the old name is not given to another person.", body: jsonBody(RenameUser{}), answer: access.User{}, handle: renameUser, of: aUser},
		{method: post, path: "/users/:name/invite", id: "inviteUser", act: access.ManagePerson, scope: access.ScopeAll, about: "A one-time sign-in link for a user.", answer: Invitation{}, status: http.StatusCreated, handle: inviteUser, secret: true},
		{method: get, path: "/workloads", id: "listWorkloads", act: access.ReadWorkloads, scope: access.ScopeUsersRead, about: "The rules by which jobs of a CI get tokens, in the order in which they count, for auditors and operators. They stand in a file of the node's, and nothing here changes one.", paged: true, answer: Items[control.WorkloadRule]{}, handle: listing(listWorkloads)},
		{method: get, path: "/access/why", id: "whyAccess", act: access.ExplainAccess, scope: access.ScopeUsersRead, about: "Whether a person may do something now when they are signed in, by what, and who could change it: for oneself, and for auditors and operators of anybody.", query: []param{text("person", "whom it is about; default the caller"), choice("act", "what they would do", acts()...), text("on", "the app, the id of the request, the person or the group that the act is about; left out for acts about the node")}, answer: control.Explanation{}, handle: whyAccess},
		{method: get, path: "/groups", id: "listGroups", act: access.ReadMemberships, scope: access.ScopeUsersRead, about: "Groups, by name; of one person, for that person and for operators, by id.", query: []param{text("name", "part of the name"), text("source", "the id of the provider that keeps them, or here for those made here"), text("person", "who is in them")}, paged: true, answer: Items[control.Group]{}, handle: listing(listGroups)},
		{method: post, path: "/groups", id: "createGroup", act: access.ManageGroup, scope: access.ScopeUsersWrite, about: "Make a group.", body: jsonBody(NameGroup{}), answer: control.Group{}, status: http.StatusCreated, handle: createGroup},
		{method: get, path: "/groups/:group", id: "getGroup", act: access.ReadGroup, scope: access.ScopeUsersRead, about: "One group, by its id or, if it was made here, its name.", answer: control.Group{}, handle: getGroup, of: aGroup},
		{method: post, path: "/groups/:group/rename", id: "renameGroup", act: access.ManageGroup, scope: access.ScopeUsersWrite, about: "Give a group another name. What refers to it refers to its id, and stays.", body: jsonBody(NameGroup{}), answer: control.Group{}, handle: renameGroup, of: aGroup},
		{method: del, path: "/groups/:group", id: "deleteGroup", act: access.ManageGroup, scope: access.ScopeUsersWrite, about: "Delete a group. Whoever was in it has what it gave no more.", handle: deleteGroup, of: aGroup},
		{method: get, path: "/groups/:group/people", id: "listGroupPeople", act: access.ReadMembers, scope: access.ScopeUsersRead, about: "Who is in a group, for those who are in it and for operators.", paged: true, answer: Items[control.GroupPerson]{}, handle: listing(listGroupPeople)},
		{method: put, path: "/groups/:group/people/:name", id: "addToGroup", act: access.ManageGroup, scope: access.ScopeUsersWrite, about: "Put a person into a group.", answer: control.Group{}, handle: addToGroup, of: aGroup},
		{method: del, path: "/groups/:group/people/:name", id: "removeFromGroup", act: access.ManageGroup, scope: access.ScopeUsersWrite, about: "Take a person out of a group.", answer: control.Group{}, handle: removeFromGroup, of: aGroup},
		{method: get, path: "/notices", id: "listNotices", act: access.ReadNotices, scope: access.ScopeEventsRead, about: "What the caller is told, newest first: what happened, what to do, and where.", query: []param{choice("unread", "those alone that are not read", "true", "false")}, paged: true, answer: Items[control.Notice]{}, handle: listing(listNotices)},
		{method: get, path: "/notices/:id", id: "getNotice", act: access.ReadNotices, scope: access.ScopeEventsRead, about: "One notice of the caller's.", answer: control.Notice{}, handle: getNotice},
		{method: post, path: "/notices/mark", id: "markNotices", act: access.ReadNotices, scope: access.ScopeAll, about: "Mark notices of the caller's, or all, as read or as not read.", body: jsonBody(control.MarkNotices{}), answer: control.Unread{}, handle: markNotices, repeatable: true},
		{method: get, path: "/notice-settings", id: "getNoticeSettings", act: access.ReadNotices, scope: access.ScopeEventsRead, about: "How the caller is told.", answer: control.NoticeSettings{}, handle: getNoticeSettings},
		{method: put, path: "/notice-settings", id: "putNoticeSettings", act: access.ReadNotices, scope: access.ScopeAll, about: "Choose how the caller is told: by mail at once, once a day or not, and when no mail comes.", body: jsonBody(control.NoticeChoice{}), answer: control.NoticeSettings{}, handle: putNoticeSettings},
		{method: get, path: "/sign-in/links", id: "getLinks", act: access.Operate, scope: access.ScopeUsersRead, about: "Whether operators' one-time sign-in links are taken.", answer: access.Links{}, handle: getLinks},
		{method: put, path: "/sign-in/links", id: "switchLinks", act: access.Operate, scope: access.ScopeUsersWrite, about: "Switch one-time sign-in links on or off. They can be switched off once an operator has signed in at a provider; anyone who holds the data directory can make one in any case.", body: jsonBody(SwitchLinks{}), answer: access.Links{}, handle: switchLinks},
		{method: get, path: "/doctor", id: "doctor", act: access.Operate, scope: access.ScopeNodeRead, about: "Check everything that is stored.", answer: Items[control.Check]{}, handle: doctor},
		{method: get, path: "/backup", id: "backup", act: access.Operate, scope: access.ScopeBackupRead, about: "All that the node keeps, as one stream (tar within gzip). It is complete if its last member is MANIFEST.json. For operators.", answer: "", media: "application/gzip", handle: backup},
	}
}

// The documents that only the API has.
type (
	SignIn struct {
		Link string `json:"link"` // the link, or the secret in it
	}
	BeginLogin struct {
		Machine string         `json:"machine"`                       // the name of the machine, which the person is shown
		Scopes  []access.Scope `json:"scopes,omitempty"`              // of the token
		Hours   int            `json:"hours" bounds:"min=1,max=8784"` // that the token lives
	}
	RedeemLogin struct {
		DeviceCode string `json:"device_code,omitempty"`
		Code       string `json:"code,omitempty"`
		Verifier   string `json:"verifier,omitempty"` // of the challenge that code was made for
	}
	Exchange struct {
		GrantType          grantType     `json:"grant_type"`
		SubjectToken       string        `json:"subject_token"` // the CI's token
		SubjectTokenType   subjectType   `json:"subject_token_type"`
		RequestedTokenType requestedType `json:"requested_token_type,omitempty"`
		Scope              string        `json:"scope,omitempty"` // some of the rule's scopes, with spaces between them; default all of them
	}
	Exchanged struct {
		AccessToken     string `json:"access_token"`
		IssuedTokenType string `json:"issued_token_type"`
		TokenType       string `json:"token_type"` // Bearer
		ExpiresIn       int    `json:"expires_in"` // seconds
		Scope           string `json:"scope"`
		User            string `json:"user"` // the service account
		Rule            string `json:"rule"` // that gave it
	}
	SwitchLinks struct {
		Off bool `json:"off"`
	}
	Session struct {
		Secret string        `json:"secret"`
		User   string        `json:"user"`
		Roles  []access.Role `json:"roles"`
	}
	Whoami struct {
		User  string                `json:"user"`
		Roles []access.Role         `json:"roles"`
		Via   access.CredentialKind `json:"via"`
		abi.Behalf
		access.Reach
	}
	Activate struct {
		Release int      `json:"release" bounds:"min=1,max=2147483647"`
		Tier    abi.Tier `json:"tier,omitempty"` // default sandbox
		Reason  string   `json:"reason,omitempty"`
	}
	RollBack struct {
		Tier   abi.Tier `json:"tier,omitempty"` // default the highest that serves
		Reason string   `json:"reason"`
	}
	Promote struct {
		Release int      `json:"release" bounds:"min=1,max=2147483647"`
		To      abi.Tier `json:"to"`
		Reason  string   `json:"reason,omitempty"`
	}
	Invoke struct {
		Method  string              `json:"method,omitempty" bounds:"pattern=^[A-Za-z0-9!#$%&'*+.^_|~-]*$"`                // default GET
		Path    string              `json:"path,omitempty" bounds:"pattern=^(/([^\\x00-\\x1f\\x7f%]|%[0-9A-Fa-f]{2})*)?$"` // with query; default "/"
		Header  map[string][]string `json:"header,omitempty" bounds:"names=^[A-Za-z0-9!#$%&'*+.^_|~-]+$"`
		Body    []byte              `json:"body,omitempty"`                                  // base64
		Release int                 `json:"release,omitempty" bounds:"min=0,max=2147483647"` // default the one that serves
	}
	PauseTrigger struct {
		Kind   abi.TriggerKind `json:"kind"`
		Name   string          `json:"name"`
		Paused bool            `json:"paused"`
		Reason string          `json:"reason,omitempty"`
	}
	RunTrigger struct {
		Name string `json:"name"`
	}
	Run struct {
		ID string `json:"id"`
	}
	AskAgain struct {
		Release int    `json:"release" bounds:"min=1,max=2147483647"`
		Reason  string `json:"reason,omitempty"`
	}
	Revoke struct {
		Reason string `json:"reason"`
		All    bool   `json:"all,omitempty"` // every grant of its app for the same capability
	}
	Rotated struct {
		Sealed int `json:"sealed"` // secrets
	}
	CreateDomain struct {
		Host string `json:"host"` // with a port if it is not the scheme's own
		App  string `json:"app"`
	}
	Challenge struct {
		Text string `json:"text"`
	}
	NewToken struct {
		Label string `json:"label"`
		Hours int    `json:"hours,omitempty" bounds:"min=0,max=8784"` // 0: does not expire
		// Automation names the assistant or pipeline that acts with it, on your behalf; "": you do.
		Automation string `json:"automation,omitempty"`
		access.Reach
	}
	Token struct {
		Secret string `json:"secret"`
		access.Credential
	}
	RenameUser struct {
		Name string `json:"name"` // the new one
	}
	ShareApp struct {
		CoOwner string `json:"co_owner,omitempty"`
		Group   string `json:"group,omitempty"`  // an id, or the name of a group that was made here
		Reason  string `json:"reason,omitempty"` // needed for another person's app
	}
	NameGroup struct {
		Name string `json:"name"`
	}
	PutUser struct {
		Roles    []access.Role `json:"roles"`
		Disabled bool          `json:"disabled,omitempty"`
	}
	Invitation struct {
		URL string `json:"url"`
	}
)

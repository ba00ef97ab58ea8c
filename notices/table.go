package notices

import "github.com/agora-host/agora/abi"

// Whom is what people are to an event who are told of it. Who they are the node finds out.
type Whom string

// Whom notices are for.
const (
	Deciders   Whom = "deciders"    // who may decide about the request
	Requester  Whom = "requester"   // who made the request
	Awaited    Whom = "awaited"     // whose turn it is in the request
	Party      Whom = "party"       // who voted about the request, or wrote about it
	Owners     Whom = "owners"      // the owner of the app, its co-owner, and who is in its group
	Subject    Whom = "subject"     // the person whom the event is about
	Person     Whom = "person"      // the person that the event names under person
	Holder     Whom = "holder"      // the person that the event names under identity
	Giver      Whom = "giver"       // the person that the event names under from
	CoOwner    Whom = "co-owner"    // the person that the event names under co_owner
	Former     Whom = "was"         // the person that the event names under was_co_owner
	Sponsor    Whom = "sponsor"     // the person that the event names under sponsor
	WasSponsor Whom = "was-sponsor" // the person that the event names under was_sponsor
	Heirs      Whom = "heirs"       // who owns an app with the person whom the event is about
	Certifiers Whom = "certifiers"  // who may say of the grant that it is still needed
	Operators  Whom = "operators"   // who sees to the node
	Actor      Whom = "themselves"  // who acted
)

// Row says who is told of a kind of events, and what. In its texts a name in braces stands for what the
// event says: actor, app, subject, what (a request asks for), or a key of its detail. What stands in
// brackets is left out where one of those in it is empty.
type Row struct {
	Kind string
	To   Whom
	Says string // a sentence without a full stop; it fits readers whom it does not concern, too
	Do   string // what to do about it
	At   string // where, in the console
	// Self has those told who acted themselves, too: of what another person could do in their name.
	Self bool
}

const (
	appPage   = "/apps/{app}"
	openPage  = "/requests#{subject}"
	grantPage = "/grants#{subject}"
	settings  = "/settings"
)

// rows is the one table of notices.
var rows = []Row{
	{Kind: "request.exemption_revoked", To: Owners, Says: "{actor} revoked the exemption of {app} from {code} in {tier}[: {reason}]", Do: "What serves goes on. Before the next release, do what the rule asks for, or ask again", At: "/requests?status=approved#{subject}"},
	{Kind: "request.exemption_ending", To: Owners, Says: "The exemption of {app} from {code} in {tier} ends on {until}", Do: "Do what the rule asks for, or ask for another exemption", At: "/requests?status=approved#{subject}"},
	{Kind: "request.exemption_over", To: Owners, Says: "The exemption of {app} from {code} in {tier} ended on {until}", Do: "What serves goes on. The next release is refused unless it does what the rule asks for", At: "/requests?status=approved#{subject}"},
	{Kind: "request.opened", To: Deciders, Says: "{actor} asks for {what} for {app}", Do: "Look at what it needs it for, and decide", At: openPage},
	{Kind: "request.approved", To: Requester, Says: "{actor} approved {subject} of {app}[ in the place of {for}][: {reason}]", Do: "Nothing has to be done: it holds from now on", At: "/requests?status=approved#{subject}"},
	{Kind: "request.approved", To: Owners, Says: "{actor} approved {subject} of {app}[ in the place of {for}][: {reason}]", Do: "Nothing has to be done: it holds from now on", At: "/requests?status=approved#{subject}"},
	{Kind: "request.scheduled", To: Requester, Says: "{actor} approved {subject} of {app}[ in the place of {for}], and it starts on {starts}[: {reason}]", Do: "Nothing has to be done: it starts then, if all that it was approved for still holds", At: "/requests?status=scheduled#{subject}"},
	{Kind: "request.scheduled", To: Owners, Says: "{actor} approved {subject} of {app}[ in the place of {for}], and it starts on {starts}[: {reason}]", Do: "Nothing has to be done: it starts then, if all that it was approved for still holds", At: "/requests?status=scheduled#{subject}"},
	{Kind: "request.started", To: Requester, Says: "{subject} of {app} has started: release {release} serves {tier}", Do: "Nothing has to be done: it holds from now on", At: "/requests?status=approved#{subject}"},
	{Kind: "request.started", To: Owners, Says: "{subject} of {app} has started: release {release} serves {tier}", Do: "Nothing has to be done: it holds from now on", At: "/requests?status=approved#{subject}"},
	{Kind: "request.started", To: Party, Says: "{subject} of {app} has started: release {release} serves {tier}", Do: "Nothing has to be done: it holds from now on", At: "/requests?status=approved#{subject}"},
	{Kind: "request.not_started", To: Requester, Says: "{subject} of {app} was to bring release {release} to {tier}, and did not start: {reason}", Do: "Nothing has changed. Mend what the reason says, and ask again", At: "/requests?status=withdrawn#{subject}"},
	{Kind: "request.not_started", To: Owners, Says: "{subject} of {app} was to bring release {release} to {tier}, and did not start: {reason}", Do: "Nothing has changed. Mend what the reason says, and ask again", At: "/requests?status=withdrawn#{subject}"},
	{Kind: "request.not_started", To: Party, Says: "{subject} of {app} was to bring release {release} to {tier}, and did not start: {reason}", Do: "Nothing has changed. Mend what the reason says, and ask again", At: "/requests?status=withdrawn#{subject}"},
	{Kind: "request.rejected", To: Requester, Says: "{actor} rejected {subject} of {app}[ in the place of {for}][: {reason}]", Do: "Read the reason, change what it is about, and ask again[: {remedy}]", At: "/requests?status=rejected#{subject}"},
	{Kind: "request.rejected", To: Owners, Says: "{actor} rejected {subject} of {app}[ in the place of {for}][: {reason}]", Do: "Read the reason, change what it is about, and ask again[: {remedy}]", At: "/requests?status=rejected#{subject}"},
	{Kind: "request.voted", To: Requester, Says: "{actor} voted for {subject} of {app}[ in the place of {for}][ as a reviewer of {concern}][: {reason}]", Do: "Others still have to vote", At: openPage},
	{Kind: "request.voted", To: Deciders, Says: "{actor} voted for {subject} of {app}[ in the place of {for}][ as a reviewer of {concern}][: {reason}]", Do: "It waits for another vote, which can be yours", At: openPage},
	{Kind: "request.changed", To: Deciders, Says: "The policy asks for something else of {subject} of {app} than before[: {capability}]", Do: "Look at it again, and decide", At: openPage},
	{Kind: "request.changed", To: Requester, Says: "The policy asks for something else of {subject} of {app} than before[: {capability}]", Do: "Reviewers look at it again; nothing has to be done", At: openPage},
	{Kind: "request.commented", To: Requester, Says: "{actor} wrote about {subject} of {app}[: {reason}]", Do: "Read it, and write back if there is something to say", At: openPage},
	{Kind: "request.commented", To: Owners, Says: "{actor} wrote about {subject} of {app}[: {reason}]", Do: "Read it, and write back if there is something to say", At: openPage},
	{Kind: "request.commented", To: Party, Says: "{actor} wrote about {subject} of {app}[: {reason}]", Do: "Read it, and write back if there is something to say", At: openPage},
	{Kind: "request.changes_asked", To: Requester, Says: "{actor} asks for changes of {subject} of {app}[: {reason}]", Do: "Your turn: answer, say that it is changed, or ask about a release that has it", At: openPage},
	{Kind: "request.changes_asked", To: Owners, Says: "{actor} asks for changes of {subject} of {app}[: {reason}]", Do: "Your turn: answer, say that it is changed, or ask about a release that has it", At: openPage},
	{Kind: "request.changes_asked", To: Party, Says: "{actor} asks for changes of {subject} of {app}[: {reason}]", Do: "Nothing has to be done before it is answered", At: openPage},
	{Kind: "request.answered", To: Deciders, Says: "{actor} answered what was asked of {subject} of {app}[: {reason}]", Do: "Your turn again: look at it, and decide", At: openPage},
	{Kind: "request.answered", To: Party, Says: "{actor} answered what was asked of {subject} of {app}[: {reason}]", Do: "Nothing has to be done: other reviewers decide", At: openPage},
	{Kind: "request.answered", To: Owners, Says: "{actor} answered what was asked of {subject} of {app}[: {reason}]", Do: "Nothing has to be done: it is the reviewers' turn", At: openPage},
	{Kind: "request.overdue", To: Awaited, Says: "{subject} of {app} waits for its {turn}, and the {hours} hours for that are over", Do: "Your turn: look at it, and vote or answer", At: openPage},
	{Kind: "request.escalated", To: Operators, Says: "{subject} of {app} waits for its {turn}, who did not act in twice {hours} hours", Do: "See who can act: ask them, or give another person the role", At: openPage},
	{Kind: "request.withdrawn", To: Requester, Says: "{subject} of {app} was taken back by {actor}[: {reason}][; {replaced_by} replaces it]", Do: "See whether it still has to be asked for", At: "/requests?status=withdrawn#{subject}"},

	{Kind: "request.withdrawn", To: Party, Says: "{subject} of {app} was taken back by {actor}[: {reason}][; {replaced_by} replaces it]", Do: "Nothing has to be done: nobody has to decide about it any more", At: "/requests?status=withdrawn#{subject}"},
	{Kind: "request.withdrawn", To: Owners, Says: "{subject} of {app} was taken back by {actor}[: {reason}][; {replaced_by} replaces it]", Do: "See whether it still has to be asked for", At: "/requests?status=withdrawn#{subject}"},
	{Kind: "app.suspended", To: Owners, Says: "{actor} suspended {app}[: {reason}]", Do: "It serves nothing now. Mend what the reason says, then have it resumed", At: appPage},
	{Kind: "app.resumed", To: Owners, Says: "{actor} resumed {app}[: {reason}]", Do: "Nothing has to be done: it serves again", At: appPage},
	{Kind: "app.maintained", To: Owners, Says: "{actor} put {app} in maintenance[ until {until}][: {reason}]", Do: "It serves as before. From now on a promotion has to say what the release mends", At: appPage},
	{Kind: "app.unmaintained", To: Owners, Says: "{actor} ended the maintenance of {app}[: {reason}]", Do: "Nothing has to be done", At: appPage},
	{Kind: "app.maintenance_over", To: Owners, Says: "{app} was to be in maintenance until {until}[, and {successor} follows it]", Do: "It still serves. Delete it, or say a new end", At: appPage},
	{Kind: "app.quarantined", To: Owners, Says: "{actor} quarantined {app}[: {reason}]", Do: "It serves nothing now, and stays as it is. Upload a release that mends what the reason says, and tell them", At: appPage, Self: true},
	{Kind: "app.quarantined", To: Operators, Says: "{actor} quarantined {app}[: {reason}]", Do: "See whether what it keeps or sent elsewhere has to be looked at, too", At: appPage},
	{Kind: "app.unquarantined", To: Owners, Says: "{actor} ended the quarantine of {app}[: {reason}]", Do: "It is {state} now. Activate the release that mends it, if that does not serve yet", At: appPage},
	{Kind: "app.offered", To: Subject, Says: "{actor} offers the app {app} to {subject}[: {reason}]", Do: "Accept it, or refuse it", At: appPage},
	{Kind: "app.offer_ended", To: Owners, Says: "{actor} ended the offer of {app}", Do: "Offer it to another person, or keep it", At: appPage},
	{Kind: "app.transferred", To: Subject, Says: "{app} belongs to {subject} now[: {reason}]", Do: "See what it may do, and what waits for its owner", At: appPage},
	{Kind: "app.transferred", To: Giver, Says: "{app} belongs to {subject} now, and no more to {from}[: {reason}]", Do: "Nothing has to be done", At: appPage},
	{Kind: "app.shared", To: CoOwner, Says: "{actor} made {co_owner} a co-owner of {app}[: {reason}]", Do: "See what it may do, and what waits for its owners", At: appPage},
	{Kind: "app.shared", To: Former, Says: "{was_co_owner} is no co-owner of {app} any more[: {reason}]", Do: "Nothing has to be done", At: appPage},
	{Kind: "app.deleted", To: Owners, Says: "{actor} deleted {app}[: {reason}]", Do: "It has stopped. Undo the deletion[ before {until}] if it is needed", At: appPage},
	{Kind: "app.undeleted", To: Owners, Says: "{actor} undid the deletion of {app}", Do: "Nothing has to be done: it serves again", At: appPage},
	{Kind: "app.removed", To: Owners, Says: "{app} was removed, with all that it kept", Do: "Keep its certificate if you need proof of that", At: "/certificates/{certificate}"},
	{Kind: "audience.access_requested", To: Owners, Says: "{subject} asks to be let in to {app}[ in {tier}]", Do: "Let them in, or refuse", At: appPage},
	{Kind: "audience.access_granted", To: Subject, Says: "{actor} lets {subject} in to {app}[ in {tier}]", Do: "Open it", At: appPage},
	{Kind: "audience.access_refused", To: Subject, Says: "{actor} does not let {subject} in to {app}[ in {tier}][: {reason}]", Do: "Read the reason; ask its owner if you need it", At: appPage},
	{Kind: "audience.person_added", To: Subject, Says: "{actor} lets {subject} in to {app}[ in {tier}]", Do: "Open it", At: appPage},
	{Kind: "audience.person_removed", To: Subject, Says: "{subject} may open {app} no more[ in {tier}]", Do: "Ask its owner if you need it", At: appPage},
	{Kind: "audience.changed", To: Owners, Says: "{actor} changed who may open {app} in {subject}[ to {kind}]", Do: "See that it is for whom it should be", At: appPage},
	{Kind: "release.rolled_back", To: Owners, Says: "{actor} rolled {app} back to release {subject}[ in {tier}][: {reason}]", Do: "Find out what was wrong with the later release", At: appPage},
	{Kind: "grant.emergency", To: Certifiers, Says: "Emergency: {actor} allowed {app} {capability} in {tier} without a review, until {until}[: {reason}]", Do: "Review it now, in {request}: it holds already. Rejecting it ends it at once", At: "/requests/{request}"},
	{Kind: "grant.emergency", To: Operators, Says: "Emergency: {actor} allowed {app} {capability} in {tier} without a review, until {until}[: {reason}]", Do: "See that it is one, and that a reviewer decides about {request}. To end it at once: agora grants revoke {subject}", At: "/requests/{request}"},
	{Kind: "grant.emergency", To: Owners, Says: "Emergency: {actor} allowed {app} {capability} in {tier} without a review, until {until}[: {reason}]", Do: "See that it is needed. It ends by itself, or when a reviewer rejects {request}", At: "/requests/{request}"},
	{Kind: "grant.revoked", To: Owners, Says: "{actor} revoked the grant of {capability} to {app}[: {reason}]", Do: "Its calls of it fail from now on. Publish a release without it, or ask again", At: appPage},
	{Kind: "grant.ending", To: Owners, Says: "The grant of {capability} to {app} in {tier} ends on {until}", Do: "Ask for it anew before that if the app still needs it: agora grants renew {subject}", At: grantPage},
	{Kind: "grant.certification_due", To: Certifiers, Says: "The grant of {capability} to {app} in {tier} ends on {until} unless a reviewer certifies it", Do: "See whether the app still needs it, and certify it, or let it end", At: grantPage},
	{Kind: "grant.certification_due", To: Owners, Says: "The grant of {capability} to {app} in {tier} ends on {until} unless a reviewer certifies it", Do: "Nothing has to be done: the reviewers were told. Remind one if the app still needs it", At: grantPage},
	{Kind: "grant.lapsing", To: Owners, Says: "The grant of {capability} to {app} in {tier} ends about {until}: {reason}", Do: "Let it go, or use it before that", At: grantPage},
	{Kind: "grant.ended", To: Owners, Says: "The grant of {capability} to {app} in {tier} has ended[: {reason}]", Do: "Its calls of it fail now. Ask for it anew if the app still needs it: agora grants renew {subject}", At: grantPage},
	{Kind: "grant.certified", To: Owners, Says: "{actor} certified the grant of {capability} to {app} in {tier}[, until {until}][: {reason}]", Do: "Nothing has to be done", At: grantPage},
	{Kind: "grant.shrunk", To: Owners, Says: "{actor} shrank the grant of {capability} to {app}", Do: "See what it lost; what was taken off has to be asked for again", At: appPage},
	{Kind: "host.added", To: Owners, Says: "{actor} gave {app} the address {subject}", Do: "Nothing has to be done: it serves there, too", At: appPage},
	{Kind: "host.removed", To: Owners, Says: "{actor} took the address {subject} away from {app}", Do: "Tell those who use that address", At: appPage},
	{Kind: "secret.deleted", To: Owners, Says: "{actor} deleted the secret {subject} of {app}", Do: "Set it again if the app still reads it", At: appPage},
	{Kind: "trigger.paused", To: Owners, Says: "{actor} paused the trigger {subject} of {app}[: {reason}]", Do: "What comes for it waits. Resume it when it may run", At: appPage},
	{Kind: "trigger.resumed", To: Owners, Says: "{actor} resumed the trigger {subject} of {app}[: {reason}]", Do: "See that what waited went well", At: appPage},

	{Kind: "user.changed", To: Subject, Says: "{actor} changed the roles of {subject}[ to {roles}]", Do: "See what you may do now", At: "/access"},
	{Kind: "user.renamed", To: Subject, Says: "{was} is called {name} now", Do: "Sign with the new name from now on: log in again with the CLI", At: settings},
	{Kind: "user.deprovisioned", To: Heirs, Says: "{subject} left, and owned apps that you own, too", Do: "Ask an operator to make you or another person their owner", At: "/"},
	{Kind: "account.connected", To: Subject, Says: "An account at {provider} was connected to {subject}", Do: "If that was not you, disconnect it and tell an operator", At: settings, Self: true},
	{Kind: "account.disconnected", To: Subject, Says: "An account at {provider} was disconnected from {subject}", Do: "If that was not you, tell an operator", At: settings, Self: true},
	{Kind: "session.revoked", To: Subject, Says: "{actor} ended a session of {subject}[ on {device}]", Do: "Sign in again; ask an operator if you do not know why", At: settings},
	{Kind: "token.created", To: Actor, Says: "{actor} made the API token {subject}[ ({label})]", Do: "If that was not you, revoke it and tell an operator", At: settings, Self: true},
	{Kind: "key.added", To: Holder, Says: "{actor} added a key that signs as {identity}", Do: "If that was not you, delete it and tell an operator", At: settings, Self: true},
	{Kind: "key.deleted", To: Holder, Says: "{actor} deleted a key that signed as {identity}", Do: "What it signed does not verify any more: sign again with another key", At: settings},
	{Kind: "group.member_added", To: Person, Says: "{actor} put {person} into the group {group}", Do: "See what you may do by it", At: "/groups/{subject}"},
	{Kind: "group.member_removed", To: Person, Says: "{actor} took {person} out of the group {group}", Do: "See what you may do now", At: "/access"},

	{Kind: "delegation.made", To: Person, Says: "{person} decides in the place of {subject} from {starts} until {until}[, as a reviewer of {concerns}][: {reason}]", Do: "What waits for {subject} is among what waits for you then; look at it, and decide", At: "/requests?mine=true"},
	{Kind: "delegation.ended", To: Person, Says: "{person} does not decide in the place of {subject} any more", Do: "Nothing has to be done: votes that were cast in open requests do not count any more", At: settings},
	{Kind: "delegation.ended", To: Subject, Says: "{actor} ended that {person} decides in the place of {subject}", Do: "Name another person if you are away", At: settings},
	{Kind: "service_account.created", To: Sponsor, Says: "{actor} made the service account {subject}, for which {sponsor} answers", Do: "See what it may do; if that was not agreed, disable it", At: "/service-accounts/{subject}", Self: true},
	{Kind: "service_account.changed", To: Sponsor, Says: "{actor} changed the service account {subject}, for which {sponsor} answers", Do: "See what it may do now", At: "/service-accounts/{subject}"},
	{Kind: "service_account.changed", To: WasSponsor, Says: "{was_sponsor} answers for the service account {subject} no more", Do: "Nothing has to be done", At: "/service-accounts"},
	{Kind: "service_account.deleted", To: Sponsor, Says: "{actor} deleted the service account {subject}", Do: "What used it does not work any more", At: "/service-accounts"},

	{Kind: "quota.set", To: Person, Says: "{actor} set the quota {subject} of {person} to {amount}[ until {until}][: {reason}]", Do: "See what you use of it; nothing that is there is taken away", At: "/quotas"},
	{Kind: "quota.set", To: Owners, Says: "{actor} set the quota {subject} of {app} to {amount}[ until {until}][: {reason}]", Do: "See what the app uses of it; nothing that is there is taken away", At: "/quotas?app={app}"},
	{Kind: "quota.cleared", To: Person, Says: "{actor} took back what was set of the quota {subject} of {person}, which is {amount} now", Do: "See what you use of it; nothing that is there is taken away", At: "/quotas"},
	{Kind: "quota.cleared", To: Owners, Says: "{actor} took back what was set of the quota {subject} of {app}, which is {amount} now", Do: "See what the app uses of it; nothing that is there is taken away", At: "/quotas?app={app}"},

	{Kind: "links.switched_off", To: Operators, Says: "{actor} switched one-time sign-in links off", Do: "See that every operator can sign in at a provider", At: settings},
	{Kind: "links.switched_on", To: Operators, Says: "{actor} switched one-time sign-in links on", Do: "Switch them off again when they are not needed", At: settings},
	{Kind: "provisioning.token_created", To: Operators, Says: "{actor} let the provider {subject} tell who there is", Do: "If that was not agreed, revoke its token", At: "/provisioning/{subject}", Self: true},
	{Kind: "provisioning.token_revoked", To: Operators, Says: "{actor} revoked a token of the provider {subject}", Do: "Give the provider another, or it tells of no one any more", At: "/provisioning/{subject}"},
	{Kind: "provisioning.conflict", To: Operators, Says: "The provider {subject} tells of {user_name}, who meets another person here[: {why}]", Do: "Link the two, or dismiss it", At: "/provisioning/{subject}"},
	{Kind: "backup.read", To: Operators, Says: "{actor} read a backup, which holds all that the node keeps", Do: "If that was not agreed, revoke the token and change the node's keys", At: "/activity", Self: true},
}

// silent are the kinds of events of which no person is told, and why.
var silent = map[string]string{
	"delegation.away":        "it changes no right, and stands on the requests that the person could vote about",
	"delegation.back":        "likewise",
	"app.renamed":            "a title is read where the app is",
	"app.removing":           "the deletion was told, and the removal is told when it is done",
	"certificate.issued":     "the removal that it is of is told",
	"request.clock_started":  "whose turn it is was told, and that their time is over will be",
	"release.published":      "whoever uploads reads what came of it, and what has to be decided is a request",
	"release.activated":      "the decision that led there is told, and whoever activates knows",
	"release.removed":        "it served no tier, and old releases go by themselves",
	"grant.added":            "the decision that made it is told",
	"grant.unused":           "its owners are told before it lapses",
	"grant.replaced":         "the decision that replaced it is told",
	"grant.dated":            "its owners are told before that end",
	"secret.set":             "it is a part of the work of an app's owners",
	"trigger.run":            "whoever runs it sees what comes of it",
	"letter.redelivered":     "whoever redelivers sees what comes of it",
	"letter.dropped":         "it is a part of the work of an app's owners",
	"user.invited":           "the link itself is what the person is given",
	"user.signed_in":         "one's sessions are in the settings",
	"user.signed_out":        "one's sessions are in the settings",
	"user.provisioned":       "the person reads nothing here before they sign in",
	"user.described":         "it is the provider's own word about a person",
	"user.linked":            "an operator did it, and the account is in the settings",
	"user.notices_set":       "the person chose it, and sees it",
	"people.imported":        "an operator does it, and reads what came of it; roles that change are told",
	"provisioning.dismissed": "an operator did it, so that no one is told again",
	"account.refused":        "it can come as often as someone outside tries, and is in the activity",
	"token.revoked":          "what is gone does no harm, and is missing in the settings",
	"group.created":          "it gives nothing before people are put into it",
	"group.changed":          "a name is read where the group is",
	"group.deleted":          "the apps that it owned and the roles that it gave are told by their own events",
	"audience.group_added":   "its people see the app where the apps are",
	"audience.group_removed": "its people see that the app is not there any more",
	"session.asked":          "it is a step of a sign-in, which the person made",
	"session.started":        "the person made it; one's sessions are in the settings",
	"session.refused":        "it can come as often as someone outside tries, and is in the activity",
	"session.ended":          "one's sessions are in the settings",
	"workload.exchanged":     "each run of a pipeline does it; it is in the activity",
	"workload.replayed":      "it can come as often as someone outside tries, and is in the activity",
	"login.asked":            "whose it is, is unknown, and the person who started it confirms it",
	"login.confirmed":        "the token that comes of it is told",
	"login.denied":           "the person did it, and nothing came of it",
	"login.refused":          "it can come as often as someone outside tries, and is in the activity",
	"session.shortened":      "whoever started the node set it, and a session that has ended says so at its next request",
	"secrets.rotated":        "nothing changes for anyone",
}

// Rows are the table.
func Rows() []Row { return append([]Row(nil), rows...) }

// Silent returns why no person is told of a kind of events; "" if one is.
func Silent(kind string) string { return silent[kind] }

// RowsOf are the rows of a kind.
func RowsOf(kind string) (all []Row) {
	for _, r := range rows {
		if r.Kind == kind {
			all = append(all, r)
		}
	}
	return all
}

// RowOf is the row of a kind for those who are something to it. For a notice of another version of
// Agora it is one that says as much as is known of the kind.
func RowOf(kind string, to Whom) Row {
	for _, r := range rows {
		if r.Kind == kind && (r.To == to || to == "") {
			return r
		}
	}
	return Row{Kind: kind, To: to, Says: "{actor} " + abi.EventKindNamed(kind).Meaning + "[ {subject}][ of {app}]", Do: "See what was changed", At: "/activity"}
}

// Kinds are those of which people are told.
func Kinds() (all []string) {
	seen := map[string]bool{}
	for _, r := range rows {
		if !seen[r.Kind] {
			seen[r.Kind] = true
			all = append(all, r.Kind)
		}
	}
	return all
}

package abi

import "time"

// Rev numbers the committed changes of a node's state, from 1, without gaps.
type Rev uint64

// Event is one entry of the revision feed: who did what to which app.
type Event struct {
	Rev     Rev               `json:"rev"`
	Seq     int               `json:"seq"` // within the revision, from 0
	At      time.Time         `json:"at"`
	Actor   string            `json:"actor"`
	Kind    string            `json:"kind"` // "release.published", "request.approved" …
	App     string            `json:"app,omitempty"`
	Subject string            `json:"subject,omitempty"` // release number, request id, grant id
	Detail  map[string]string `json:"detail,omitempty"`
	Behalf                    // of the actor, then
}

// By names for people who acted.
func (e Event) By() string { return e.Name(e.Actor) }

// Audience is who may see an event: a change is told to those who need it.
type Audience string

const (
	AudienceEverybody Audience = "everybody" // who is signed in
	AudienceApp       Audience = "app"       // the app's owner, reviewers and operators, as its log
	AudienceConcerned Audience = "concerned" // who acted, whom it is about, and operators
	AudienceOperators Audience = "operators"
)

// EventKind describes a kind of events.
type EventKind struct {
	Kind     string   `json:"kind"`
	Meaning  string   `json:"meaning"`          // after who acted
	Detail   []string `json:"detail,omitempty"` // the keys that it may have; "*" for parameters of a grant
	Audience Audience `json:"audience"`
}

var eventKinds = []EventKind{
	{"app.suspended", "suspended", []string{"authority", "reason"}, AudienceEverybody},
	{"app.resumed", "resumed", []string{"reason"}, AudienceEverybody},
	{"app.maintained", "put in maintenance", []string{"until", "successor", "reason"}, AudienceEverybody},
	{"app.unmaintained", "ended the maintenance of", []string{"reason"}, AudienceEverybody},
	{"app.maintenance_over", "found that the end has come that was said for the maintenance of", []string{"until", "successor"}, AudienceEverybody},
	{"app.quarantined", "quarantined", []string{"authority", "reason"}, AudienceEverybody},
	{"app.unquarantined", "ended the quarantine of", []string{"reason", "state"}, AudienceEverybody},
	{"app.renamed", "gave another title to", []string{"title", "was"}, AudienceEverybody},
	{"app.offered", "offered the app to", []string{"reason"}, AudienceEverybody},
	{"app.offer_ended", "ended the offer of", nil, AudienceEverybody},
	{"app.transferred", "transferred the app to", []string{"from", "reason"}, AudienceEverybody},
	{"app.shared", "changed who owns with its owner", []string{"co_owner", "was_co_owner", "group", "group_id", "reason"}, AudienceEverybody},
	{"app.deleted", "asked to delete", []string{"until", "reason"}, AudienceEverybody},
	{"app.undeleted", "undid the deletion of", nil, AudienceEverybody},
	{"app.removing", "began to remove", nil, AudienceEverybody},
	{"app.removed", "removed, with all that it kept,", []string{"certificate", "digest"}, AudienceEverybody},
	{"certificate.issued", "certified what was removed in", []string{"digest", "what"}, AudienceApp},
	{"release.published", "uploaded release", []string{"digest", "signer"}, AudienceEverybody},
	{"release.activated", "let a tier serve release", []string{"tier", "previous", "reason"}, AudienceEverybody},
	{"release.rolled_back", "rolled back to release", []string{"tier", "previous", "reason"}, AudienceEverybody},
	{"release.removed", "removed release", []string{"digest", "version", "reason"}, AudienceEverybody},
	{"request.exemption_revoked", "revoked the exemption", []string{"code", "tier", "reason"}, AudienceEverybody},
	{"request.exemption_ending", "found that an exemption ends soon:", []string{"code", "tier", "until"}, AudienceEverybody},
	{"request.exemption_over", "found that an exemption has ended:", []string{"code", "tier", "until"}, AudienceEverybody},
	{"request.opened", "asked", []string{"kind", "tier", "release", "capability", "code"}, AudienceEverybody},
	{"request.approved", "approved", []string{"kind", "for", "reason", "release", "digest"}, AudienceEverybody},
	{"request.scheduled", "approved, to start later,", []string{"kind", "for", "reason", "release", "digest", "starts"}, AudienceEverybody},
	{"request.started", "found that its time has come, and started", []string{"tier", "release"}, AudienceEverybody},
	{"request.not_started", "found that its time has come, and could not start", []string{"tier", "release", "reason"}, AudienceEverybody},
	{"request.voted", "voted for", []string{"kind", "concern", "for", "reason", "release", "digest"}, AudienceEverybody},
	{"request.changed", "found that the policy asks for something else of", []string{"capability", "void", "release"}, AudienceEverybody},
	{"request.commented", "wrote about", []string{"kind", "reason", "release"}, AudienceApp},
	{"request.changes_asked", "asked for changes of", []string{"kind", "reason", "release"}, AudienceEverybody},
	{"request.answered", "answered what was asked of", []string{"kind", "reason", "release"}, AudienceEverybody},
	{"request.rejected", "rejected", []string{"kind", "for", "reason", "remedy", "release", "digest"}, AudienceEverybody},
	{"request.clock_started", "began to count the time of those who have to act on", []string{"turn", "hours", "release"}, AudienceEverybody},
	{"request.overdue", "found that the time is over to act on", []string{"turn", "hours", "release"}, AudienceEverybody},
	{"request.escalated", "found that nobody acts on", []string{"turn", "hours", "release"}, AudienceEverybody},
	{"request.withdrawn", "took back", []string{"reason", "replaced_by"}, AudienceEverybody},
	{"grant.added", "granted", []string{"capability", "tier", "release"}, AudienceEverybody},
	{"grant.emergency", "granted in an emergency, before a review,", []string{"capability", "tier", "release", "until", "request", "reason"}, AudienceEverybody},
	{"grant.replaced", "replaced a grant", []string{"capability", "tier", "by"}, AudienceEverybody},
	{"grant.revoked", "revoked a grant", []string{"capability", "reason"}, AudienceEverybody},
	{"grant.ending", "found that a grant ends soon", []string{"capability", "tier", "until", "cause", "days"}, AudienceEverybody},
	{"grant.ended", "found that a grant has ended", []string{"capability", "tier", "until", "cause", "reason"}, AudienceEverybody},
	{"grant.unused", "found that nothing uses a grant", []string{"capability", "tier", "reason"}, AudienceEverybody},
	{"grant.lapsing", "found that a grant which nothing uses ends soon", []string{"capability", "tier", "until", "reason"}, AudienceEverybody},
	{"grant.dated", "noted the end of a grant", []string{"capability", "tier", "until"}, AudienceEverybody},
	{"grant.certification_due", "found that a grant has to be certified", []string{"capability", "tier", "until", "cause", "days"}, AudienceEverybody},
	{"grant.certified", "certified a grant", []string{"capability", "tier", "until", "reason"}, AudienceEverybody},
	{"grant.shrunk", "shrunk a grant", []string{"capability", "*"}, AudienceApp}, // names secrets and origins
	{"host.added", "gave the address", nil, AudienceEverybody},
	{"host.removed", "took away the address", nil, AudienceEverybody},

	{"audience.changed", "said who may open the tier", []string{"kind", "was"}, AudienceApp},
	{"audience.person_added", "opened the app to", []string{"tier"}, AudienceApp},
	{"audience.person_removed", "closed the app to", []string{"tier"}, AudienceApp},
	{"audience.group_added", "opened the app to the group", []string{"tier"}, AudienceApp},
	{"audience.group_removed", "closed the app to the group", []string{"tier"}, AudienceApp},
	{"audience.access_requested", "asked for access as", []string{"tier"}, AudienceApp},
	{"audience.access_granted", "gave access to", []string{"tier"}, AudienceApp},
	{"audience.access_refused", "refused access to", []string{"tier", "reason"}, AudienceApp},

	{"secret.set", "set the secret", nil, AudienceApp},
	{"secret.deleted", "deleted the secret", nil, AudienceApp},
	{"trigger.paused", "paused the trigger", []string{"kind", "reason"}, AudienceApp},
	{"trigger.resumed", "resumed the trigger", []string{"kind", "reason"}, AudienceApp},
	{"trigger.run", "ran the trigger", []string{"id"}, AudienceApp},
	{"letter.redelivered", "delivered again dead letter", []string{"id", "trigger"}, AudienceApp},
	{"letter.dropped", "dropped dead letter", []string{"id", "trigger"}, AudienceApp},

	{"user.changed", "changed a user", []string{"roles", "provider"}, AudienceConcerned},
	{"user.renamed", "renamed", []string{"was", "name"}, AudienceConcerned},
	{"user.invited", "made a sign-in link", nil, AudienceConcerned},
	{"user.signed_in", "signed in", []string{"provider", "link"}, AudienceConcerned},
	{"user.provisioned", "let in", []string{"provider"}, AudienceConcerned},
	{"user.deprovisioned", "ended, with all sessions and tokens,", []string{"provider", "how"}, AudienceConcerned},
	{"user.described", "told more of", []string{"provider"}, AudienceConcerned},
	{"user.linked", "linked to a person of a provider", []string{"provider", "user_name", "external"}, AudienceConcerned},
	{"people.imported", "imported people of", []string{"added", "changed", "disabled"}, AudienceOperators},
	{"provisioning.token_created", "let a provider tell who there is:", []string{"id", "label"}, AudienceOperators},
	{"provisioning.token_revoked", "revoked a token of the provider", []string{"id"}, AudienceOperators},
	{"provisioning.conflict", "told of a person who meets another here, in the name of", []string{"user_name", "why"}, AudienceOperators},
	{"provisioning.dismissed", "dismissed a conflict of", []string{"user_name"}, AudienceOperators},
	{"user.signed_out", "signed out", []string{"provider"}, AudienceConcerned},
	{"user.notices_set", "chose how to be told of what concerns", []string{"mail"}, AudienceConcerned},
	{"links.switched_off", "switched one-time sign-in links off", nil, AudienceOperators},
	{"links.switched_on", "switched one-time sign-in links on", nil, AudienceOperators},
	{"account.connected", "connected an account at a sign-in provider to", []string{"provider", "account"}, AudienceConcerned},
	{"account.disconnected", "disconnected an account at a sign-in provider from", []string{"provider", "account"}, AudienceConcerned},
	{"account.refused", "was refused who signed in at a provider as", []string{"provider", "email", "reason"}, AudienceOperators},
	{"session.asked", "asked for a session at an app's address", []string{"app"}, AudienceConcerned},
	{"session.started", "signed in at an app's address", []string{"app"}, AudienceConcerned},
	{"session.refused", "was refused a session at an app's address, and ended what the code had become", []string{"app"}, AudienceConcerned},
	{"session.ended", "signed out at an app's address", []string{"app"}, AudienceConcerned},
	{"session.revoked", "ended a session of", []string{"session", "device"}, AudienceConcerned},
	{"session.shortened", "shortened sessions that began before", []string{"idle", "longest"}, AudienceOperators},
	{"login.asked", "asked for a login that waits for a person", []string{"machine", "scopes", "address"}, AudienceOperators},
	{"login.confirmed", "confirmed that a program acts for", []string{"machine", "scopes", "address"}, AudienceConcerned},
	{"login.denied", "refused that a program acts for", []string{"machine", "scopes", "address"}, AudienceConcerned},
	{"login.refused", "was refused a token for what was used before, and ended the token of then, of", []string{"machine"}, AudienceConcerned},
	{"workload.exchanged", "exchanged a CI's token, by a rule, for the token", []string{"rule", "issuer", "run", "scopes", "apps"}, AudienceConcerned},
	{"workload.replayed", "was refused a CI's token that had been exchanged before, and ended the token of then,", []string{"rule", "issuer", "run"}, AudienceConcerned},
	{"token.created", "made a token", []string{"label", "scopes", "apps", "person", "automation"}, AudienceConcerned},
	{"token.revoked", "revoked a token", []string{"person"}, AudienceConcerned},
	{"delegation.made", "had another decide in the place of", []string{"person", "delegation", "concerns", "starts", "until", "reason"}, AudienceConcerned},
	{"delegation.ended", "ended that another decides in the place of", []string{"person", "delegation"}, AudienceConcerned},
	{"delegation.away", "noted the absence, in which nobody decides in their place, of", []string{"delegation", "starts", "until", "reason"}, AudienceConcerned},
	{"delegation.back", "ended the absence of", []string{"delegation"}, AudienceConcerned},
	{"service_account.created", "made the service account", []string{"sponsor", "roles"}, AudienceConcerned},
	{"service_account.changed", "changed the service account", []string{"sponsor", "was_sponsor", "roles", "disabled"}, AudienceConcerned},
	{"service_account.deleted", "deleted the service account", []string{"sponsor"}, AudienceConcerned},
	{"key.added", "added a key", []string{"identity"}, AudienceConcerned},
	{"key.deleted", "distrusted a key", []string{"identity"}, AudienceConcerned},

	{"group.created", "made the group", []string{"group", "source"}, AudienceOperators},
	{"group.changed", "renamed the group", []string{"group", "was"}, AudienceOperators},
	{"group.deleted", "deleted the group", []string{"group", "people"}, AudienceOperators},
	{"group.member_added", "put into the group", []string{"group", "person"}, AudienceConcerned},
	{"group.member_removed", "took out of the group", []string{"group", "person"}, AudienceConcerned},

	{"quota.set", "set the quota", []string{"person", "group", "group_id", "limit", "amount", "was", "until", "reason"}, AudienceConcerned},
	{"quota.cleared", "took back what was set of the quota", []string{"person", "group", "group_id", "limit", "amount"}, AudienceConcerned},

	{"backup.read", "read a backup", []string{"via"}, AudienceOperators},
	{"secrets.rotated", "sealed all secrets anew with key", nil, AudienceOperators},
}

// EventKinds are all kinds of events.
func EventKinds() []EventKind { return append([]EventKind(nil), eventKinds...) }

// EventKindNamed describes a kind. One that is not in the table is for operators.
func EventKindNamed(kind string) EventKind {
	for _, k := range eventKinds {
		if k.Kind == kind {
			return k
		}
	}
	return EventKind{Kind: kind, Meaning: kind, Audience: AudienceOperators}
}

package state

// CountKind is what is counted. Counts are sums over records, kept with every change: none is made by
// listing.
type CountKind string

// The kinds of counts. What each is of stands beside it.
const (
	CountApps     CountKind = "apps"      // a person
	CountReleases CountKind = "releases"  // an app
	CountOwned    CountKind = "owned"     // a person: releases, and the bytes of their modules
	CountModules  CountKind = "modules"   // "": all releases, and the bytes of their modules
	CountRequests CountKind = "requests"  // a person: those that are open
	CountTokens   CountKind = "tokens"    // a person
	CountSessions CountKind = "sessions"  // a person
	CountLinks    CountKind = "links"     // a person
	CountKeys     CountKind = "keys"      // an identity
	CountSecrets  CountKind = "secrets"   // an app
	CountHosts    CountKind = "hosts"     // an app
	CountAllHosts CountKind = "all-hosts" // ""
	CountUsers    CountKind = "users"     // ""
	CountGroups   CountKind = "groups"    // ""
	CountAllApps  CountKind = "all-apps"  // ""

	CountGroupApps  CountKind = "group-apps"  // a group: the apps that it owns
	CountGroupOwned CountKind = "group-owned" // a group: the releases of those, and the bytes of their modules

	CountMembers  CountKind = "members"   // a group: the people in it
	CountMemberOf CountKind = "member-of" // a person: the groups that they are in

	CountProvisioned   CountKind = "provisioned"   // a provider: the people whom it tells of
	CountDeprovisioned CountKind = "deprovisioned" // a provider: those of them who are not active

	CountNotices     CountKind = "notices"     // a person
	CountUnread      CountKind = "unread"      // a person: notices that were not read
	CountWaiting     CountKind = "deliveries"  // a lane of deliveries: those that wait
	CountUndelivered CountKind = "undelivered" // a lane of deliveries: those that were given up
)

// CountKinds lists all kinds. In CountOwned, CountGroupOwned and CountModules a module that no release names any more
// counts as if its release were there, until its file is gone: deleting makes no room before.
func CountKinds() []CountKind {
	return []CountKind{CountApps, CountReleases, CountOwned, CountModules, CountRequests, CountTokens, CountSessions, CountLinks, CountKeys, CountSecrets, CountHosts, CountAllHosts, CountUsers, CountGroups, CountAllApps, CountGroupApps, CountGroupOwned, CountMembers, CountMemberOf, CountProvisioned, CountDeprovisioned, CountNotices, CountUnread, CountWaiting, CountUndelivered}
}

// Count is one sum.
type Count struct {
	N     int64 `json:"n,omitempty"`
	Bytes int64 `json:"bytes,omitempty"`
}

// Growth is a count that a transaction made larger.
type Growth struct {
	Kind        CountKind
	Of          string
	Before, Now Count
}

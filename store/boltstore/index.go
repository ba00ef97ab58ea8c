package boltstore

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/store/boltstore/checked"
)

// bIndex leads to records in other orders than that of their keys: an entry's key says what
// the record is found by, its value is the record's own key. The writer keeps it, so that no
// change of a record can forget it.
const bIndex = "index"

// The first part of an entry's key: what the record is found by, in the order of the parts.
const (
	byApp       = "request-app"        // app, number
	byStatus    = "request-status"     // status, number
	byAppStatus = "request-app-status" // app, status, number
	byRelease   = "request-release"    // app, number of the release, number
	byOpen      = "request-open"       // app, kind, number; of those that wait
	byApproved  = "request-approved"   // app, number of the release, number; of those that were approved
	byAsked     = "request-asked"      // app, capability, number; of those for a grant
	byGranted   = "grant"              // time, id
	byGrantApp  = "grant-app"          // app, time, id
	byLive      = "grant-live"         // app, time, id; of those that are not revoked
	byUser      = "credential"         // user, kind, time, hash
	byParent    = "credential-made"    // id of the token it was made with, hash
	byAccount   = "account"            // user, provider, id
	byBegun     = "credential-begun"   // session at the provider with which a session began, hash
	byTier      = "activation"         // app, tier, number
	byGroupName = "group-name"         // name in its folded form, source, id
	byGroupKey  = "group-key"          // source, key at the source, id; of those that have one
	byMember    = "member"             // person, group
	byProvider  = "provisioned"        // provider, person; of those who are not deleted
	byUserName  = "provisioned-name"   // provider, user name in its folded form, person; likewise
	bySponsor   = "service-account"    // sponsor, name; of users that are service accounts
	byAbsent    = "user-absent"        // name; of users with an absence
	byExternal  = "provisioned-as"     // provider, key at the provider, person; of those who have one
	byNoticed   = "notice"             // time of the event, person, id
	byDue       = "outbox-due"         // lane, time, key; of what was not given up
	byGivenUp   = "outbox-dead"        // time, key; of what was given up
)

// fields are what entries are made of.
type fields struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Source   string    `json:"source"`
	External string    `json:"external"`
	Group    string    `json:"group"`
	Person   string    `json:"person"`
	App      string    `json:"app"`
	Status   string    `json:"status"`
	Release  int       `json:"release"`
	Tier     string    `json:"tier"`
	Asked    string    `json:"capability"`
	User     string    `json:"user"`
	Kind     string    `json:"kind"`
	Parent   string    `json:"parent"`
	At       string    `json:"provider_session"`
	Created  time.Time `json:"created"`
	Revoked  time.Time `json:"revoked"`
	Provider string    `json:"provider"`
	UserName string    `json:"user_name"`
	Deleted  time.Time `json:"deleted"`
	Sponsor  string    `json:"sponsor"`

	Delegations []struct {
		To string `json:"to"`
	} `json:"delegations"`
}

// entriesOf makes the keys under which the index leads to a record.
func entriesOf(bucket string, k, raw []byte) ([][]byte, error) {
	if !slices.Contains(indexed, bucket) {
		return nil, nil
	}
	if bucket == bNotices || bucket == bOutbox {
		return entriesOfNotices(bucket, k, raw)
	}
	f, err := parse[fields](bucket, k, raw)
	if err != nil {
		return nil, err
	}
	switch bucket {
	case bRequests:
		n := string(k)
		entries := [][]byte{key(byApp, f.App, n), key(byStatus, f.Status, n), key(byAppStatus, f.App, f.Status, n), key(byRelease, f.App, number(uint64(f.Release)), n)}
		switch approvals.Status(f.Status) {
		case approvals.StatusOpen:
			entries = append(entries, key(byOpen, f.App, f.Kind, n))
		case approvals.StatusApproved:
			entries = append(entries, key(byApproved, f.App, number(uint64(f.Release)), n))
		}
		if f.Kind == string(approvals.KindGrant) {
			entries = append(entries, key(byAsked, f.App, f.Asked, n))
		}
		return entries, nil
	case bGrants:
		entries := [][]byte{key(byGranted, moment(f.Created), f.ID), key(byGrantApp, f.App, moment(f.Created), f.ID)}
		if f.Revoked.IsZero() {
			entries = append(entries, key(byLive, f.App, moment(f.Created), f.ID))
		}
		return entries, nil
	case bUsers:
		var entries [][]byte
		if f.Sponsor != "" {
			entries = append(entries, key(bySponsor, f.Sponsor, string(k)))
		}
		for _, d := range f.Delegations {
			if d.To == "" {
				entries = append(entries, key(byAbsent, string(k)))
				break
			}
		}
		return entries, nil
	case bAccounts:
		return [][]byte{key(byAccount, f.User, f.Provider, string(k))}, nil
	case bActivations:
		return [][]byte{key(byTier, f.App, f.Tier, string(k[max(0, len(k)-8):]))}, nil
	case bGroups:
		entries := [][]byte{key(byGroupName, access.FoldGroupName(f.Name), f.Source, f.ID)}
		if f.External != "" {
			entries = append(entries, key(byGroupKey, f.Source, f.External, f.ID))
		}
		return entries, nil
	case bProvisioned:
		return entriesOfProvisioned(f), nil
	case bMembers:
		return [][]byte{key(byMember, f.Person, f.Group)}, nil
	}
	// Places in lists are shown to people, and a credential's key is what no one is shown.
	sum := sha256.Sum256(k)
	tail := string(sum[:16])
	entries := [][]byte{key(byUser, f.User, f.Kind, moment(f.Created), tail)}
	if f.Parent != "" {
		entries = append(entries, key(byParent, f.Parent, tail))
	}
	if f.At != "" {
		entries = append(entries, key(byBegun, f.At, tail))
	}
	return entries, nil
}

// indexed are the buckets that have entries.
var indexed = []string{bRequests, bGrants, bCredentials, bActivations, bAccounts, bGroups, bMembers, bProvisioned, bUsers, bNotices, bOutbox}

// moment is a key part that sorts as a time.
func moment(t time.Time) string { return number(uint64(max(0, t.UnixNano()))) }

// follow brings the index along with a record that changes; nil: it was not there, or goes.
func (w *writer) follow(bucket string, k, old, record []byte) error {
	before, err := entriesOfRecord(bucket, k, old)
	if err != nil {
		return err
	}
	after, err := entriesOfRecord(bucket, k, record)
	if err != nil {
		return err
	}
	has := func(all [][]byte, e []byte) bool {
		return slices.ContainsFunc(all, func(x []byte) bool { return bytes.Equal(x, e) })
	}
	for _, e := range before {
		if !has(after, e) {
			if err := w.remove(bIndex, e); err != nil {
				return err
			}
		}
	}
	for _, e := range after {
		if !has(before, e) {
			if err := w.set(bIndex, e, checked.Seal(bIndex, e, k)); err != nil {
				return err
			}
		}
	}
	return nil
}

func entriesOfRecord(bucket string, k, record []byte) ([][]byte, error) {
	if record == nil || !slices.Contains(indexed, bucket) {
		return nil, nil
	}
	raw, err := unseal(bucket, k, record)
	if err != nil {
		return nil, err
	}
	return entriesOf(bucket, k, raw)
}

// reindex makes the index of a file that had none: one of a format before 4.
func (w *writer) reindex() error {
	for _, bucket := range indexed {
		for k, record := range w.tx.From(bucket, nil) {
			if err := w.follow(bucket, k, nil, record); err != nil {
				return err
			}
		}
	}
	return nil
}

// indexCheck compares, while a file is read, the index with what it leads to. It keeps sums
// alone: a file may have millions of records.
type indexCheck struct{ want, got checked.Tally }

func (c *indexCheck) see(bucket string, k, raw []byte) {
	if bucket == bIndex {
		c.got.Add(k, raw)
		return
	}
	entries, _ := entriesOf(bucket, k, raw) // what cannot be read counts as an entry that is missing
	for _, e := range entries {
		c.want.Add(e, k)
	}
}

func (c *indexCheck) wrong() []string {
	if c.want == c.got {
		return nil
	}
	return []string{"has an index that does not lead to what there is"}
}

package state

import (
	"context"
	"slices"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/notices"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/secrets"
	"github.com/agora-host/agora/triggers"
)

// Store keeps the control plane.
type Store interface {
	// View reads one state, that of the last revision. read does not wait for an Update: a store may
	// have an Update wait for whoever reads.
	View(ctx context.Context, read func(Reader) error) error
	// Update runs change in one serializable transaction, by names who acts. change may run more
	// than once: it does no I/O and has no effect but through its Tx. When Update returns nil, its
	// writes, its events and the returned revision are durable; otherwise nothing of it happened.
	Update(ctx context.Context, by string, change func(Tx) error) (abi.Rev, error)
	Feed
	Upkeep
}

// Feed is what a node follows to learn of every change, whichever node made it.
type Feed interface {
	// Rev is the last committed revision.
	Rev(ctx context.Context) (abi.Rev, error)
	// Events lists what a query asks for, see Reader.Events.
	Events(ctx context.Context, q EventQuery) ([]abi.Event, error)
	// Wait returns nil once there may be a revision after the given one, or an error once ctx ends.
	// It may return early: who waits reads again.
	Wait(ctx context.Context, after abi.Rev) error
}

// Upkeep is what a node notes without a person's decision. It makes no revision and no event.
type Upkeep interface {
	// AddUsed adds to what releases did what is in no cell of usage, and is lost by a crash before: that
	// a secret was taken out of a log. What calls did the store adds of their cells, see metering.Store.
	AddUsed(ctx context.Context, all []approvals.ReleaseUsed) error
	// TokensUsed notes when credentials were used last, by hash. What is not there any more, or was
	// used later, stays as it is.
	TokensUsed(ctx context.Context, at map[string]time.Time) error
	// MarkUnnamed notes blobs that are stored and that no release names.
	MarkUnnamed(ctx context.Context, all []registry.Unnamed) error
	// ForgetUnnamed forgets blobs whose files are gone.
	ForgetUnnamed(ctx context.Context, all []registry.Unnamed) error
	// ForgetExpired forgets the credentials that have ended.
	ForgetExpired(ctx context.Context) error
	// Note runs change in one serializable transaction that makes no revision and no event: what is
	// told and read beside the feed. change may run more than once.
	Note(ctx context.Context, change func(Notes) error) error
	Cursors
}

// Notes is a transaction that reads everything, and changes what makes no revision.
type Notes interface {
	Reader
	notices.Keeper
	// Seen returns the revision up to which a durable follower has seen every event, as Cursors does.
	Seen(follower string) (rev abi.Rev, known bool, err error)
	// SetSeen moves that revision on, with what the transaction notes of the events up to there. It
	// never moves it back.
	SetSeen(follower string, rev abi.Rev) error
}

// Reader reads one state.
type Reader interface {
	registry.Reader
	approvals.Reader
	approvals.Overview
	access.Reader
	access.ProvisionReader
	secrets.Reader
	triggers.Reader
	notices.Reader
	Lists
	Attempts
	// Count reads one of the counts.
	Count(kind CountKind, of string) (Count, error)
}

// Tx is one transaction over all domains. It reads what it has written.
type Tx interface {
	Reader
	registry.Writer
	approvals.Writer
	access.Writer
	access.ProvisionWriter
	secrets.Writer
	triggers.Writer
	notices.SettingsWriter
	AttemptWriter
	// EraseApp forgets all records of an app but itself, its usage, its requests without their Intent,
	// its certificates and its events. Blobs that only its releases named are noted as unnamed, and count as no one's.
	EraseApp(app string) error
	// Emit adds an event to the revision, which is its entry in the audit log as well. The detail
	// holds no secret.
	Emit(kind, app, subject string, detail map[string]string)
	// As names who acts, where that is known only once the transaction has read it. It counts for
	// the events that are emitted after it.
	As(actor string)
	// Behalf says which person is behind the actor, if it is none itself. It counts for the events that
	// are emitted after it.
	Behalf(of abi.Behalf)
	// Grown lists the counts that the transaction has made larger so far, by kind and what they
	// are of.
	Grown() ([]Growth, error)
}

// Part is the part of a list to read.
type Part struct {
	After []byte // the place where the part before ended; nil for the beginning
	Limit int    // -1: all
}

// Lists are the lists that can be long, in parts. Each returns the place where the part ended: nil at
// the end of the list. What comes and goes meanwhile moves nothing else. A place holds nothing
// that is a secret.
type Lists interface {
	// AppsPart lists the apps for which keep returns true, by name; keep nil: all.
	AppsPart(p Part, keep func(registry.App) bool) ([]registry.App, []byte, error)
	// ReleasesPart lists an app's releases, newest first.
	ReleasesPart(app string, p Part) ([]registry.Release, []byte, error)
	// ActivationsPart lists an app's activations, newest first.
	ActivationsPart(app string, p Part) ([]registry.Activation, []byte, error)
	// KeysPart lists the public keys, by hint.
	KeysPart(p Part) ([]registry.Key, []byte, error)
	// HostNamesPart lists the host names, by host.
	HostNamesPart(p Part) ([]registry.HostName, []byte, error)
	// CertificatesPart lists the certificates for which keep returns true, newest first; keep nil: all.
	CertificatesPart(p Part, keep func(registry.Issued) bool) ([]registry.Issued, []byte, error)
	// RequestsPart lists the requests of an app ("" for all) in a status ("" for all), newest first.
	RequestsPart(app string, status approvals.Status, p Part) ([]approvals.Request, []byte, error)
	// ReleaseRequests lists the requests that name a release, newest first.
	ReleaseRequests(app string, release int, p Part) ([]approvals.Request, []byte, error)
	// GrantsPart lists the grants of one app or, for "", of all, newest first, with those that are
	// revoked.
	GrantsPart(app string, p Part) ([]approvals.Grant, []byte, error)
	// UsersPart lists the users, by name.
	UsersPart(p Part) ([]access.User, []byte, error)
	// GroupsPart lists the groups, by name, letter case aside.
	GroupsPart(p Part) ([]access.Group, []byte, error)
	// MembersPart lists the people in a group, in an order that outlives their names.
	MembersPart(group string, p Part) ([]string, []byte, error)
	// CredentialsPart lists the credentials of a user that are of one kind, oldest first.
	CredentialsPart(user string, kind access.CredentialKind, p Part) ([]access.Credential, []byte, error)
	// SecretsPart lists the sealed secrets of an app, by name.
	SecretsPart(app string, p Part) ([]secrets.Secret, []byte, error)
	// QuotaSettingsPart lists the quotas that operators set, by what they are of.
	QuotaSettingsPart(p Part) ([]access.QuotaSetting, []byte, error)
	// NoticesPart lists the notices of a person, newest first.
	NoticesPart(person string, p Part) ([]notices.Notice, []byte, error)
	// Events lists a part of the events that a query asks for and for which sees returns true (nil:
	// all). What one revision did stays together, so a part may have a few more than its limit; it
	// may have fewer, though others follow, where few are seen. next is the last revision that was
	// looked at, from which the next part goes on; 0 at the end of the list.
	Events(q EventQuery, sees func(abi.Event) (bool, error)) (part []abi.Event, next abi.Rev, err error)
}

// EventQuery selects events.
type EventQuery struct {
	After  abi.Rev  // of later revisions alone
	Before abi.Rev  // and of earlier ones; 0: up to the last
	App    string   // "": of all, and of none
	Kinds  []string // none: all
	Newest bool     // the last event first
	Limit  int      // -1: none
}

// Matches reports whether an event is one that a query asks for.
func (q EventQuery) Matches(e abi.Event) bool {
	return e.Rev > q.After && (q.Before == 0 || e.Rev < q.Before) && (q.App == "" || q.App == e.App) &&
		(len(q.Kinds) == 0 || slices.Contains(q.Kinds, e.Kind))
}

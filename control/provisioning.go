package control

import (
	"errors"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
)

// ErrTooMany: finding what is asked for would mean to look at more than is looked at for one request.
var ErrTooMany = errors.New("the search looks at too much")

// ErrBadFile: a file of people cannot be read.
var ErrBadFile = errors.New("the file of people cannot be read")

// ProvisionedPerson is a person as the provider that tells of them sees them.
type ProvisionedPerson struct {
	ID string `json:"id"`
	access.Provisioned
}

// ProvisionedQuery selects what a provider tells of.
type ProvisionedQuery struct {
	Skip, Limit int
	// Key and Value, if Key is not "", name the one that is looked for, without looking at others.
	Key, Value string
}

// The keys of a ProvisionedQuery.
const (
	ByID       = "id"
	ByName     = "name"
	ByExternal = "external"
	ByMember   = "member" // of groups: the id of a person who is in it
)

// ProvisioningStatus is how a provider's provisioning stands.
type ProvisioningStatus struct {
	access.Provisioning
	People   int64       `json:"people"`            // of whom it tells
	Inactive int64       `json:"inactive"`          // those of them who are not active
	Tokens   int         `json:"tokens"`            // that let it in
	Used     time.Time   `json:"used,omitzero"`     // when it came last, to the hour
	Changed  time.Time   `json:"changed,omitzero"`  // when it last changed something
	URL      string      `json:"url"`               // what the provider is given as the address
	Changes  []abi.Event `json:"changes,omitempty"` // the last ones; of one provider alone
}

// NewProvisioningToken is a token for a provider that is asked for.
type NewProvisioningToken struct {
	Provider string
	Label    string
	TTL      time.Duration // 0: it does not expire
}

// ProvisioningLink says which person here a provider's person is.
type ProvisioningLink struct {
	UserName string `json:"user_name"`
	External string `json:"external,omitempty"`
	Person   string `json:"person"`
}

// ProvisionedGroup is a group of a provider, as the provider sees it.
type ProvisionedGroup struct {
	ID       string
	Name     string
	External string
	Created  time.Time
	Changed  time.Time
	Members  []string // ids of people, if they were asked for
}

// MemberStep changes who is in a group. Steps happen in their order.
type MemberStep struct {
	Set bool     // the group has IDs and no others
	Add bool     // IDs come in
	IDs []string // otherwise, they go
	// Where, if not nil, says of each member, by the id, whether they go.
	Where func(id string) bool
}

// GroupChange is what a group is to be.
type GroupChange struct {
	Name     string
	External string
	Members  []MemberStep
}

// PeopleImport is a file that says who there is.
type PeopleImport struct {
	// Provider is in whose name the file speaks: "" for ImportProvider. With that of a sign-in provider,
	// who signs in there with a row's external id is that row's person.
	Provider string `json:"provider,omitempty"`
	Format   string `json:"format"` // "csv" or "json"
	File     string `json:"file"`
	// Complete says that whoever is not in the file, and was in an earlier one, is not there any more.
	Complete bool `json:"complete,omitempty"`
	Apply    bool `json:"apply,omitempty"` // otherwise nothing is changed
	// Revision is that of the preview that is applied: what would change otherwise meanwhile is refused.
	Revision string `json:"revision,omitempty"`
}

// ImportProvider is the provider of files that name none.
const ImportProvider = "file"

// Bounds of an import.
const (
	MaxImport     = 4 << 20 // bytes
	MaxImportRows = 10_000
)

// What an import does to a person.
const (
	ImportAdd      = "add"
	ImportChange   = "change"
	ImportDisable  = "disable"
	ImportConflict = "conflict"
)

// ImportRow is what an import does to one person.
type ImportRow struct {
	Line     int      `json:"line,omitempty"` // of the file; 0: who is not in it
	Name     string   `json:"name"`
	External string   `json:"external,omitempty"`
	What     string   `json:"what"`
	Changes  []string `json:"changes,omitempty"`
	Why      string   `json:"why,omitempty"` // of a conflict
}

// ImportPlan is what an import does, or did.
type ImportPlan struct {
	Provider  string      `json:"provider"`
	Revision  string      `json:"revision"`
	Applied   bool        `json:"applied"`
	Added     int         `json:"added"`
	Changed   int         `json:"changed"`
	Disabled  int         `json:"disabled"`
	Unchanged int         `json:"unchanged"`
	Conflicts int         `json:"conflicts"`
	Rows      []ImportRow `json:"rows"`              // all but the unchanged ones
	Ignored   []string    `json:"ignored,omitempty"` // columns that are not kept
}

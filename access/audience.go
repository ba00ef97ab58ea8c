package access

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/internal/sentinel"
)

var (
	// ErrNoAudience: no audience was set for a tier of an app, so that the default holds.
	ErrNoAudience = sentinel.New(ErrNotFound, "no audience was set")
	// ErrNoAccessRequest: the person did not ask for access.
	ErrNoAccessRequest = sentinel.New(ErrNotFound, "there is no such request for access")
	// ErrBadAudience: an audience that cannot be set.
	ErrBadAudience = errors.New("the audience is not valid")
	// ErrAccessAsked: the same was asked for, and is not decided or was refused a moment ago.
	ErrAccessAsked = errors.New("access was asked for already")
	// ErrAccessThere: the person may open the app.
	ErrAccessThere = errors.New("the person may open the app already")
)

// AudienceKind is a kind of people who may open an app.
type AudienceKind string

// The kinds of audiences, from the smallest to the largest.
const (
	AudienceOwner        AudienceKind = "owner"        // those whose app it is
	AudiencePeople       AudienceKind = "people"       // named people and groups, and those of AudienceOwner
	AudienceOrganisation AudienceKind = "organisation" // everyone who is signed in
	AudiencePublic       AudienceKind = "public"       // whoever reaches the address
)

// AudienceKinds lists all kinds, from the smallest to the largest.
func AudienceKinds() []AudienceKind {
	return []AudienceKind{AudienceOwner, AudiencePeople, AudienceOrganisation, AudiencePublic}
}

// Bounds of an audience.
const (
	MaxAudiencePeople = 500
	MaxAudienceGroups = 50
)

// Audience says who may open one tier of an app.
type Audience struct {
	App    string       `json:"app"`
	Tier   abi.Tier     `json:"tier"`
	Kind   AudienceKind `json:"kind"`
	People []string     `json:"people,omitempty"` // by name, of AudiencePeople
	Groups []string     `json:"groups,omitempty"` // by id, of AudiencePeople
	// Request is the approved request for AudiencePublic; "" if none was needed.
	Request string    `json:"request,omitempty"`
	By      string    `json:"by,omitempty"` // who set it; "" for a default
	At      time.Time `json:"at,omitzero"`
}

// AudienceDefaults say who may open apps for which no audience was set, by tier. Where they say nothing,
// sandbox and pilot are their owner's, and production is the organisation's.
type AudienceDefaults map[abi.Tier]AudienceKind

// InAllTiers returns defaults that say the same of every tier; "" says nothing.
func InAllTiers(kind AudienceKind) AudienceDefaults {
	all := AudienceDefaults{}
	for _, tier := range abi.Tiers() {
		all[tier] = kind
	}
	return all
}

// DefaultAudience is the audience of a tier for which none was set.
func DefaultAudience(app string, tier abi.Tier, given AudienceDefaults) Audience {
	kind := given[tier]
	switch {
	case kind != "":
	case tier == abi.TierProduction:
		kind = AudienceOrganisation
	default:
		kind = AudienceOwner
	}
	return Audience{App: app, Tier: tier, Kind: kind}
}

// AudienceOf reads who may open a tier of an app.
func AudienceOf(r AudienceReader, app string, tier abi.Tier, given AudienceDefaults) (Audience, error) {
	a, err := r.Audience(app, tier)
	if errors.Is(err, ErrNotFound) {
		return DefaultAudience(app, tier, given), nil
	}
	return a, err
}

// Admits reports whether a person may open the app, which is on. The person's token, if one stands behind
// the request, is judged elsewhere.
func (a Audience) Admits(who Actor, on Resource) bool {
	switch {
	case a.Kind == AudiencePublic:
		return true
	case who.User == "":
		return false
	case a.Kind == AudienceOrganisation, owns(who, on):
		return true
	case a.Tier != abi.TierProduction && slices.Contains(who.Roles, RoleReviewer):
		return true // reviewers try what they decide about
	}
	return a.Kind == AudiencePeople && (slices.Contains(a.People, who.User) ||
		slices.ContainsFunc(who.Groups, func(g string) bool { return slices.Contains(a.Groups, g) }))
}

// Restricted reports whether opening the app takes a sign-in.
func (a Audience) Restricted() bool { return a.Kind != AudiencePublic }

// Words says who that is, after "is for".
func (a Audience) Words() string {
	switch a.Kind {
	case AudienceOwner:
		return "its owner"
	case AudiencePeople:
		return "the people and groups that its owner named"
	case AudienceOrganisation:
		return "everybody who is signed in"
	}
	return "everybody, without a sign-in"
}

// Same reports whether two audiences are of the same people.
func (a Audience) Same(b Audience) bool {
	return a.App == b.App && a.Tier == b.Tier && a.Kind == b.Kind && slices.Equal(a.People, b.People) && slices.Equal(a.Groups, b.Groups)
}

// CheckAudience returns an audience in its one form: names as CanonicalName writes them, sorted, each
// once. It returns an error for one that cannot be set.
func CheckAudience(a Audience) (Audience, error) {
	switch {
	case a.Tier.Rank() < 0:
		return a, fmt.Errorf("%w: there is no tier %.40q; use sandbox, pilot or production", ErrBadAudience, a.Tier)
	case !slices.Contains(AudienceKinds(), a.Kind):
		return a, fmt.Errorf("%w: there is no kind %.40q; use owner, people, organisation or public", ErrBadAudience, a.Kind)
	case a.Kind != AudiencePeople && len(a.People)+len(a.Groups) > 0:
		return a, fmt.Errorf("%w: people and groups are named for the kind people alone", ErrBadAudience)
	case len(a.People) > MaxAudiencePeople || len(a.Groups) > MaxAudienceGroups:
		return a, fmt.Errorf("%w: an audience names at most %d people and %d groups; make a group of them", ErrBadAudience, MaxAudiencePeople, MaxAudienceGroups)
	}
	people := make([]string, len(a.People))
	for i, p := range a.People {
		name, err := CanonicalName(p)
		if err != nil {
			return a, fmt.Errorf("%w: %w", ErrBadAudience, err)
		}
		people[i] = name
	}
	a.People, a.Groups = sorted(people), sorted(a.Groups)
	return a, nil
}

// sorted returns a sorted copy of a list without repetitions; nil for an empty one.
func sorted(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// With returns the audience with one more person: at least those of AudiencePeople.
func (a Audience) With(person string) Audience {
	if a.Kind == AudienceOwner {
		a.Kind = AudiencePeople
	}
	if a.Kind == AudiencePeople {
		a.People = sorted(append(slices.Clone(a.People), person))
	}
	return a
}

// AccessStatus is where a request for access stands.
type AccessStatus string

// What becomes of a request for access.
const (
	AccessOpen    AccessStatus = "open"
	AccessGranted AccessStatus = "granted"
	AccessRefused AccessStatus = "refused"
)

// AskAgainAfter is how long after a refusal the same person may ask again.
const AskAgainAfter = 24 * time.Hour

// AccessRequest is a person's request to be let into a tier of an app. There is one for each person
// and tier: the last.
type AccessRequest struct {
	App     string       `json:"app"`
	Tier    abi.Tier     `json:"tier"`
	Person  string       `json:"person"`
	At      time.Time    `json:"at"`
	Status  AccessStatus `json:"status"`
	By      string       `json:"by,omitempty"` // who decided
	Decided time.Time    `json:"decided,omitzero"`
	Reason  string       `json:"reason,omitempty"` // of the decision
}

// MaxAccessReason is how long the reason of a decision may be, in bytes.
const MaxAccessReason = 500

// Decide closes a request for access.
func (q AccessRequest) Decide(grant bool, by, reason string, now time.Time) (AccessRequest, error) {
	reason = strings.TrimSpace(reason)
	switch {
	case q.Status != AccessOpen:
		return q, fmt.Errorf("the request of %s for %s was %s: %w", q.Person, q.App, q.Status, ErrAccessAsked)
	case len(reason) > MaxAccessReason:
		return q, fmt.Errorf("%w: a reason has at most %d bytes", ErrBadAudience, MaxAccessReason)
	}
	q.Status, q.By, q.Decided, q.Reason = AccessRefused, by, now, reason
	if grant {
		q.Status = AccessGranted
	}
	return q, nil
}

// MayAsk returns an error if a person who is not admitted may not ask for access now. last is the last
// request, nil if there is none.
func MayAsk(last *AccessRequest, now time.Time) error {
	switch {
	case last == nil || last.Status == AccessGranted:
		return nil // who was let in once, and is not admitted any more
	case last.Status == AccessOpen:
		return fmt.Errorf("the owner has not decided yet: %w", ErrAccessAsked)
	case now.Before(last.Decided.Add(AskAgainAfter)):
		return fmt.Errorf("the owner refused it; ask again after %s: %w", last.Decided.Add(AskAgainAfter).UTC().Format("2006-01-02 15:04 MST"), ErrAccessAsked)
	}
	return nil
}

// AudienceReader is what one transaction can read of audiences.
type AudienceReader interface {
	// Audience returns what was set for a tier of an app; ErrNoAudience.
	Audience(app string, tier abi.Tier) (Audience, error)
	// AccessRequest returns the last request of a person; ErrNoAccessRequest.
	AccessRequest(app string, tier abi.Tier, person string) (AccessRequest, error)
	// AccessRequests lists those of an app, by tier and person.
	AccessRequests(app string) ([]AccessRequest, error)
}

// AudienceWriter is what one transaction can change of audiences.
type AudienceWriter interface {
	PutAudience(Audience) error
	PutAccessRequest(AccessRequest) error
}

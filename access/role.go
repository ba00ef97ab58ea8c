package access

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Role is what a user may do: the name of a role and, with a reviewer's, the concern that it is for,
// and, if it is for the apps of one group alone, that group: "developer", "reviewer/security",
// "developer@g_…". Role.Parts is the one place that reads it.
type Role string

const (
	RoleViewer    Role = "viewer"    // see every app, its releases and its usage
	RoleDeveloper Role = "developer" // publish apps, and see every app and the usage of one's own
	RoleReviewer  Role = "reviewer"  // decide requests of others, and see what viewers see
	RoleFinance   Role = "finance"   // see what all apps used, and what people and apps may have
	RoleAuditor   Role = "auditor"   // see everything that people did and decided, and change nothing
	RoleOperator  Role = "operator"  // manage users, keys and every app, and see what viewers see
)

// SignedIn is what everybody has who is signed in, with or without a role. It is no role that can
// be given.
const SignedIn Role = ""

// Roles lists all roles, without concerns and groups.
func Roles() []Role {
	return []Role{RoleViewer, RoleDeveloper, RoleReviewer, RoleFinance, RoleAuditor, RoleOperator}
}

// Concern is what a reviewer looks at. A reviewer without one looks at all.
type Concern string

// The concerns.
const (
	ConcernSecurity Concern = "security"
	ConcernPrivacy  Concern = "privacy"
	ConcernFinance  Concern = "finance"
	ConcernPlatform Concern = "platform"
)

// Concerns lists all concerns.
func Concerns() []Concern {
	return []Concern{ConcernSecurity, ConcernPrivacy, ConcernFinance, ConcernPlatform}
}

// Parts are the role itself, the concern that it is for ("" for all), and the id of the group whose apps it
// is for ("" for all).
func (r Role) Parts() (of Role, concern Concern, group string) {
	text, group, _ := strings.Cut(string(r), "@")
	text, word, _ := strings.Cut(text, "/")
	return Role(text), Concern(word), group
}

// anyGroup marks, among the roles that a door lets in, one that may be for the apps of any group.
const anyGroup = "@"

// OfAnyGroup is a role as a door lets it in, whichever apps it is for. It is none that can be given.
func OfAnyGroup(r Role) Role { return r + anyGroup }

// Word is a role's name, for texts.
func (r Role) Word() string {
	of, _, _ := r.Parts()
	return string(of)
}

// plural names those who have a role.
func (r Role) plural() string {
	if r == RoleFinance {
		return "finance"
	}
	return string(r) + "s"
}

// maxRoles is how many roles one user has, at most.
const maxRoles = 100

// checkRoles returns an error unless each role can be given.
func checkRoles(roles []Role) error {
	if len(roles) > maxRoles {
		return fmt.Errorf("%w: a user has at most %d roles", ErrBadUser, maxRoles)
	}
	for _, r := range roles {
		of, concern, group := r.Parts()
		switch {
		case !slices.Contains(Roles(), of):
			return fmt.Errorf("%w: there is no role %.80q; use viewer, developer, reviewer, finance, auditor or operator", ErrBadUser, r)
		case strings.Contains(string(r), "/") && (of != RoleReviewer || !slices.Contains(Concerns(), concern)):
			return fmt.Errorf("%w: there is no role %.80q; a reviewer may be for one concern: reviewer/security, reviewer/privacy, reviewer/finance or reviewer/platform", ErrBadUser, r)
		case strings.Contains(string(r), "@") && !IsGroupID(group):
			return fmt.Errorf("%w: the role %.80q is for a group that has no id", ErrBadUser, r)
		}
	}
	return nil
}

// ResolveRoles returns roles with the ids of the groups that they name, by id or by name.
func ResolveRoles(tx GroupReader, roles []Role) ([]Role, error) {
	resolved := slices.Clone(roles)
	for i, r := range resolved {
		text, group, found := strings.Cut(string(r), "@")
		if !found {
			continue
		}
		g, err := FindGroup(tx, group)
		if errors.Is(err, ErrNotFound) {
			return nil, fmt.Errorf("%w: the role %.80q is for the group %.80q, which is not there", ErrBadUser, text, group)
		}
		if err != nil {
			return nil, err
		}
		resolved[i] = Role(text + "@" + g.ID)
	}
	return resolved, nil
}

// GroupOf returns the group that an actor's new apps belong to: that of the role developer, if it is
// for the apps of a group alone; otherwise "".
func GroupOf(a Actor) (group string) {
	for _, r := range a.Roles {
		of, _, g := r.Parts()
		if of == RoleDeveloper && g == "" {
			return ""
		}
		if of == RoleDeveloper && group == "" {
			group = g
		}
	}
	return group
}

// Has reports whether an actor has a role for everything or, of a role as doors let it in, for the apps of
// some group. Every role lets its holder see apps and releases, as viewers do. The table behind May says
// what else.
func (a Actor) Has(r Role) bool {
	switch {
	case a.User == "":
		return false
	case r == SignedIn:
		return true
	case r == RoleViewer:
		return len(a.Roles) > 0
	}
	of, any := strings.CutSuffix(string(r), anyGroup)
	return a.holds(Role(of), any, Resource{})
}

// Holds reports whether an actor has a role for a resource.
func Holds(a Actor, r Role, on Resource) bool { return a.User != "" && a.holds(r, false, on) }

// holds reports whether an actor has a role that is for a resource or, with anyGroup, that may be for the apps
// of any group. A role for a group's apps is none for the group itself: whoever has it does not say who
// is in it.
func (a Actor) holds(r Role, anyGroup bool, on Resource) bool {
	for _, held := range a.Roles {
		if of, _, group := held.Parts(); of == r && (group == "" || anyGroup || on.Kind != OnGroup && group == on.Group) {
			return true
		}
	}
	return false
}

// Reviews reports whether an actor is a reviewer of a concern ("": of anything) in the apps of a group
// ("": those of none).
func Reviews(a Actor, c Concern, group string) bool {
	return a.User != "" && a.reviewsOne(c, group, true)
}

// reviewsOne reports whether an actor is a reviewer of a concern. Of "" are those that are for no single
// concern or, with anyConcern, for whichever.
func (a Actor) reviewsOne(c Concern, group string, anyConcern bool) bool {
	return slices.ContainsFunc(a.Roles, func(held Role) bool {
		of, concern, g := held.Parts()
		return of == RoleReviewer && (concern == "" || concern == c || anyConcern && c == "") && (g == "" || g == group)
	})
}

// reviews reports whether an actor is a reviewer of a stage that a request waits for or, if it has none,
// of all that it is about.
func (a Actor) reviews(on Resource) bool {
	if len(on.Stages) > 0 {
		return slices.ContainsFunc(on.Stages, func(c Concern) bool { return a.reviewsOne(c, on.Group, true) })
	}
	if len(on.Concerns) == 0 {
		return a.reviewsOne("", on.Group, false)
	}
	for _, c := range on.Concerns {
		if !a.reviewsOne(c, on.Group, false) {
			return false
		}
	}
	return true
}

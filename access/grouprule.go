package access

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ErrRule: a rule that gives roles cannot be used.
var ErrRule = errors.New("a rule that gives roles is not written well")

// GroupRule gives roles to the people whom a sign-in provider puts into one of its groups, or to all
// whom it signs in.
type GroupRule struct {
	Roles []Role `json:"roles"`
	// Provider is the only one that it is about; "": any.
	Provider string `json:"provider,omitempty"`
	// Groups as the provider writes them, letter for letter: one of them is enough.
	Groups []string `json:"groups,omitempty"`
	// Everyone: whoever the provider signs in, whatever their groups.
	Everyone bool `json:"everyone,omitempty"`
}

// Given is a role with what gave it.
type Given struct {
	Role     Role   `json:"role"`
	Provider string `json:"provider"`
	Rule     int    `json:"rule"`            // the first one that gives it, from 1
	Group    string `json:"group,omitempty"` // in which that rule found the person; "": everyone
	// GroupID is that group here: who is taken out of it has the role no more, from that moment.
	GroupID string `json:"group_id,omitempty"`
	// Until is when it ends unless the provider says the same again.
	Until time.Time `json:"until"`
}

func (g Given) same(as Given) bool {
	until := g.Until.Equal(as.Until)
	g.Until, as.Until = time.Time{}, time.Time{}
	return until && g == as
}

// Check refuses a rule that gives nothing, or a role or a provider that there is not.
func (r GroupRule) Check(providers []string) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrRule, fmt.Sprintf(format, args...))
	}
	switch {
	case len(r.Roles) == 0:
		return bad("it gives no role: name one or more of %s", roleWords())
	case r.Everyone == (len(r.Groups) > 0):
		return bad("say whom it is for: groups, or everyone, and not both")
	case slices.Contains(r.Groups, ""):
		return bad("a group has no name")
	case r.Provider != "" && !slices.Contains(providers, r.Provider):
		return bad("there is no provider %q", r.Provider)
	}
	if err := checkRoles(r.Roles); err != nil {
		return bad("%s", strings.TrimPrefix(err.Error(), ErrBadUser.Error()+": "))
	}
	if r.Everyone && slices.Contains(r.Roles, RoleOperator) {
		return bad("it would make everyone an operator: name a group")
	}
	return nil
}

// roleWords lists the roles in a sentence.
func roleWords() string {
	var b strings.Builder
	for i, r := range Roles() {
		switch {
		case i == len(Roles())-1:
			b.WriteString(" or ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(string(r))
	}
	return b.String()
}

// RoleRules are all rules of a node, and the providers that it has.
type RoleRules struct {
	Providers []string
	Rules     []GroupRule
}

// Give returns the roles that rules give to a person of a provider, each by the first rule that gives
// it.
func (all RoleRules) Give(provider string, groups []string) (given []Given) {
	if !slices.Contains(all.Providers, provider) {
		return nil
	}
	for i, r := range all.Rules {
		if r.Provider != "" && r.Provider != provider {
			continue
		}
		group := ""
		if !r.Everyone {
			at := slices.IndexFunc(r.Groups, func(g string) bool { return slices.Contains(groups, g) })
			if at < 0 {
				continue
			}
			group = r.Groups[at]
		}
		for _, role := range r.Roles {
			if !slices.ContainsFunc(given, func(g Given) bool { return g.Role == role }) {
				given = append(given, Given{Role: role, Provider: provider, Rule: i + 1, Group: group})
			}
		}
	}
	return given
}

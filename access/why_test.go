package access_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/agora-host/agora/access"
)

// TestExplain: an explanation says what May says, with what decides it, and always who could change it.
func TestExplain(t *testing.T) {
	for _, rule := range access.Rules() {
		for _, on := range everyResource(rule.On) {
			for _, w := range []who{{}, {developer: true}, {reviewer: true, only: access.ConcernPrivacy}, {operator: true}, {auditor: true, for_: mine}} {
				actor := access.Actor{User: me, Roles: w.roles(), Groups: []string{mine}}
				e, err := access.Explain(actor, rule.Act, on), access.May(actor, rule.Act, on)
				if e.Allowed != (err == nil) || e.Reason == "" || len(e.Change) == 0 || !slices.Equal(e.Ways, rule.Who) || (err != nil && strings.Contains(" "+e.Reason, " you")) {
					t.Fatalf("%+v %s %+v: %+v, %v", w, rule.Act, on, e, err)
				}
			}
		}
	}
	shop := access.App("shop", other)
	shop.CoOwner = me
	for _, c := range []struct {
		role   access.Role
		act    access.Act
		on     access.Resource
		reason string
		change string
	}{
		{"developer", access.SetSecrets, shop, me + " has the role developer, and is its co-owner, while it is alive", "an operator can take the role away; the owner " + other + " and operators say who owns the app"},
		{"operator", access.Operate, access.TheNode, me + " has the role operator", "an operator can take the role away"},
		{"viewer", access.Operate, access.TheNode, me + " needs the role operator, which an operator can give: not allowed", "an operator can give the role operator"},
		{"developer", access.DeleteApp, shop, `app "shop" belongs to other@example.com; me@example.com owns it with them, and this is the owner's alone: it belongs to another person`, "the owner " + other + " can hand the app over, or name a co-owner or a group; an operator can do the same"},
		{"viewer", access.ManageTokens, access.Person(other), "that is for other@example.com: not allowed", "nobody: it is for other@example.com"},
	} {
		e := access.Explain(access.Actor{User: me, Roles: []access.Role{c.role}}, c.act, c.on)
		if e.Reason != c.reason || strings.Join(e.Change, "; ") != c.change {
			t.Errorf("%s: %q, %q", c.act, e.Reason, strings.Join(e.Change, "; "))
		}
	}
}

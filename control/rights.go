package control

import (
	"fmt"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/registry"
)

// MayChange returns nil if an actor may change an app: its owner and operators may, while it is
// neither removed nor about to be.
func MayChange(actor access.Actor, app registry.App) error {
	if err := actor.AllowsApp(app.Name); err != nil {
		return err
	}
	if actor.User != app.Owner && !actor.Has(access.RoleOperator) {
		return fmt.Errorf("app %q belongs to %s, and you are %s: %w", app.Name, app.Owner, actor.User, registry.ErrNotOwner)
	}
	return app.Alive()
}

// MayLookInto reports whether an actor may look into an app of an owner: that owner, a reviewer or
// an operator may. What is in there may be as confidential as what the app works on.
func MayLookInto(actor access.Actor, owner string) bool {
	return actor.User == owner || actor.Has(access.RoleReviewer) || actor.Has(access.RoleOperator)
}

package host

import (
	"context"
	"errors"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/host/internal/boltstore"
	"github.com/agora-host/agora/host/internal/web"
	"github.com/agora-host/agora/registry"
)

// Events reads the changes that the actor may see. Of those none is left out, and a revision is
// there as a whole, so that who asks again after the last revision misses nothing.
func (h *Host) Events(ctx context.Context, f web.EventFilter, p web.Page) (all web.Items[abi.Event], err error) {
	actor, err := h.allow(ctx, access.RoleViewer)
	if err != nil {
		return all, err
	}
	if p.Cursor == "" && f.After > 0 && !f.Newest {
		p.Cursor = cursorOf(boltstore.AfterRev(f.After))
	}
	err = h.store.View(ctx, func(tx *boltstore.Tx) (err error) {
		sees := eyes(tx, actor)
		all, err = part(p, func(p boltstore.Part) ([]abi.Event, []byte, error) { return tx.Events(p, f.Newest, sees) })
		return err
	})
	return all, err
}

// eyes reports of events whether an actor may see them, by the audience of their kind.
func eyes(tx *boltstore.Tx, actor access.Actor) func(abi.Event) (bool, error) {
	owns := map[string]bool{}
	return func(e abi.Event) (bool, error) {
		audience := abi.EventKindNamed(e.Kind).Audience
		switch {
		case audience == abi.AudienceEverybody || actor.Has(access.RoleOperator):
			return true, nil
		case audience == abi.AudienceConcerned:
			return actor.User == e.Actor || actor.User == e.Subject || actor.User == e.Detail["identity"], nil
		case audience != abi.AudienceApp:
			return false, nil
		case actor.Has(access.RoleReviewer):
			return true, nil
		}
		mine, known := owns[e.App]
		if !known {
			app, err := tx.App(e.App)
			if err != nil && !errors.Is(err, registry.ErrNotFound) {
				return false, err
			}
			mine = err == nil && app.Owner == actor.User
			owns[e.App] = mine
		}
		return mine, nil
	}
}

// looksInto reports whether an actor may look into an app: its owner, a reviewer or an
// operator. What is in there may be as confidential as what the app works on.
func looksInto(actor access.Actor, owner string) bool {
	return actor.User == owner || actor.Has(access.RoleReviewer) || actor.Has(access.RoleOperator)
}

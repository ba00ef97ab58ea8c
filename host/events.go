package host

import (
	"context"
	"errors"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/host/internal/boltstore"
	"github.com/agora-host/agora/registry"
)

// Events reads the changes after a revision that the actor may see. Of those none is left out, and
// a revision is there as a whole, so that who asks again after the last revision misses nothing.
func (h *Host) Events(ctx context.Context, after abi.Rev, limit int) ([]abi.Event, error) {
	return h.seenEvents(ctx, after, limit, h.store.Events)
}

// EventsBefore is Events backwards: the newest below a revision (0: of all) first.
func (h *Host) EventsBefore(ctx context.Context, before abi.Rev, limit int) ([]abi.Event, error) {
	return h.seenEvents(ctx, before, limit, h.store.EventsBefore)
}

// seenEvents reads on from a revision, in either direction, until there are limit events that the
// actor may see. read returns whole revisions.
func (h *Host) seenEvents(ctx context.Context, from abi.Rev, limit int, read func(context.Context, abi.Rev, int) ([]abi.Event, error)) ([]abi.Event, error) {
	actor, err := h.allow(ctx, access.RoleViewer)
	if err != nil {
		return nil, err
	}
	var seen []abi.Event
	for len(seen) < limit {
		events, err := read(ctx, from, 1000)
		if err != nil || len(events) == 0 {
			return seen, err
		}
		err = h.store.View(ctx, func(tx *boltstore.Tx) error {
			sees := eyes(tx, actor)
			for _, e := range events {
				if len(seen) >= limit && e.Rev != seen[len(seen)-1].Rev {
					return nil
				}
				ok, err := sees(e)
				if err != nil {
					return err
				}
				if ok {
					seen = append(seen, e)
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		from = events[len(events)-1].Rev
	}
	return seen, nil
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

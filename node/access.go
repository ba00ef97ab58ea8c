package node

import (
	"context"
	"fmt"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/state"
)

// ShrinkGrant takes off a grant what its app has not used. The owner may give
// away a right, and a reviewer may take it: it needs no review, since nothing is
// added. It comes back through a new request.
func (h *Node) ShrinkGrant(ctx context.Context, id string) (approvals.Grant, error) {
	actor, err := h.desk.Allow(ctx, access.RoleViewer)
	if err != nil {
		return approvals.Grant{}, err
	}
	var grant approvals.Grant
	err = h.store.View(ctx, func(tx state.Reader) error {
		grant, err = h.ownGrant(tx, actor, id)
		return err
	})
	if err != nil {
		return grant, err
	}
	stored, err := h.Catalogue.Stored(ctx, grant.App)
	if err != nil {
		return grant, err
	}
	_, err = h.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		before, err := h.ownGrant(tx, actor, id)
		if err != nil {
			return err
		}
		to, err := h.Catalogue.Enough(tx, before, stored)
		if err != nil {
			return err
		}
		if grant, err = approvals.Shrink(tx, id, actor.User, to, h.o.Now().UTC()); err != nil {
			return err
		}
		detail := map[string]string{"capability": grant.Capability}
		for name, was := range before.Params {
			if was != grant.Params[name] {
				detail[name] = grant.Params[name]
				detail[name+"_before"] = was
			}
		}
		tx.Emit("grant.shrunk", grant.App, id, detail)
		return nil
	})
	return grant, err
}

// ownGrant reads a grant that the actor may take away from: a reviewer any, an
// owner those of their apps.
func (h *Node) ownGrant(tx state.Reader, actor access.Actor, id string) (approvals.Grant, error) {
	grant, err := tx.Grant(id)
	if err != nil {
		return grant, fmt.Errorf("grant %q: %w", id, err)
	}
	app, err := tx.App(grant.App)
	if err != nil || actor.Has(access.RoleReviewer) {
		return grant, err
	}
	return grant, control.MayChange(actor, app)
}

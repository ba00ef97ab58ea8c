package apps

import (
	"cmp"
	"context"
	"fmt"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// MayUpload refuses, before anything costly, an upload that would be refused at its end.
func (c *Catalogue) MayUpload(ctx context.Context, r registry.Release) error {
	return c.desk.View(ctx, func(tx state.Reader) error {
		owner := r.Manifest.Owner
		if _, err := tx.App(r.App); err != nil {
			if err := c.desk.Quotas.WouldFit(tx, "apps", owner, 1); err != nil {
				return err
			}
		}
		if err := c.desk.Quotas.WouldFit(tx, "module-bytes", owner, r.Size); err != nil {
			return err
		}
		return c.desk.Quotas.WouldFit(tx, "node-module-bytes", "", r.Size)
	})
}

// Quotas shows what a person, "" for who asks, has and may have; of an app, if one is
// named; and to operators, of the node. Operators may ask about others.
func (c *Catalogue) Quotas(ctx context.Context, person, app string) ([]control.Quota, error) {
	actor, err := c.desk.Door(ctx, access.ReadQuotas)
	if err != nil {
		return nil, err
	}
	person = cmp.Or(person, actor.User)
	if err := access.May(actor, access.ReadQuotas, access.Person(person)); err != nil {
		return nil, err
	}
	if err := c.desk.Store.ForgetExpired(ctx); err != nil {
		return nil, err
	}
	of := map[string]string{"person": person}
	if access.Allowed(actor, access.Operate, access.TheNode) {
		of["node"] = ""
	}
	var shown []control.Quota
	err = c.desk.View(ctx, func(tx state.Reader) error {
		if _, err := tx.User(person); err != nil {
			return fmt.Errorf("user %q: %w", person, err)
		}
		if app != "" {
			if _, err := find(tx, app); err != nil {
				return err
			}
			of["app"] = app
		}
		shown, err = c.desk.Quotas.Of(tx, of)
		return err
	})
	return shown, err
}

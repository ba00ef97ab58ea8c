package apps

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// HostNames lists the addresses that operators gave to apps, by host name.
func (c *Catalogue) HostNames(ctx context.Context, p control.Page) (all control.Items[registry.HostName], err error) {
	if _, err := c.desk.May(ctx, access.ReadCatalogue, access.TheNode); err != nil {
		return all, err
	}
	err = c.desk.View(ctx, func(tx state.Reader) (err error) {
		all, err = control.Part(p, tx.HostNamesPart)
		return err
	})
	return all, err
}

// AddHostName has an app serve a host name: to exactly this one, and only
// if it is neither the console's nor below the apps' domain.
func (c *Catalogue) AddHostName(ctx context.Context, host, app string) (registry.HostName, error) {
	actor, err := c.desk.May(ctx, access.Operate, access.TheNode)
	if err != nil {
		return registry.HostName{}, err
	}
	name := registry.HostName{App: app, By: actor.User, At: c.desk.Now().UTC()}
	if name.Host, err = registry.CanonicalHost(host); err != nil {
		return name, err
	}
	name.Host = c.at.Canonical(name.Host)
	if c.at.Reserved(name.Host) {
		return name, fmt.Errorf("%w: %s belongs to the console, or lies in the apps' domain", registry.ErrBadHost, name.Host)
	}
	_, err = c.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		of, err := find(tx, app)
		if err != nil {
			return err
		}
		if err := of.Alive(); err != nil {
			return err
		}
		known, err := tx.HostName(name.Host)
		if err == nil && known.App != app {
			return fmt.Errorf("%s is an address of %s: %w", name.Host, known.App, registry.ErrExists)
		}
		if err != nil && !errors.Is(err, registry.ErrNotFound) {
			return err
		}
		tx.Emit("host.added", app, name.Host, nil)
		return tx.PutHostName(name)
	})
	return name, err
}

// DeleteHostName takes an address away.
func (c *Catalogue) DeleteHostName(ctx context.Context, host string) error {
	actor, err := c.desk.May(ctx, access.Operate, access.TheNode)
	if err != nil {
		return err
	}
	_, err = c.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		name, err := tx.HostName(c.at.Canonical(host))
		if errors.Is(err, registry.ErrNotFound) { // added when the scheme's own port was kept
			name, err = tx.HostName(strings.ToLower(host))
		}
		if err != nil {
			if errors.Is(err, registry.ErrNotFound) {
				err = registry.ErrNoHost
			}
			return fmt.Errorf("host name %q: %w", host, err)
		}
		tx.Emit("host.removed", name.App, name.Host, nil)
		return tx.DeleteHostName(name.Host)
	})
	return err
}

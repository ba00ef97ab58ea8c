package apps

import (
	"context"
	"fmt"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// View reads one state.
type View interface {
	View(ctx context.Context, read func(state.Reader) error) error
}

// appNamed reads one app.
func appNamed(ctx context.Context, from View, name string) (app registry.App, err error) {
	err = from.View(ctx, func(tx state.Reader) error {
		app, err = find(tx, name)
		return err
	})
	return app, err
}

// find reads an app, and names it in the error if it is not there.
func find(tx state.Reader, name string) (registry.App, error) {
	app, err := tx.App(name)
	if err != nil {
		err = fmt.Errorf("app %q: %w", name, err)
	}
	return app, err
}

// changeable reads an app that an actor may change.
func changeable(tx state.Reader, actor access.Actor, name string) (registry.App, error) {
	app, err := find(tx, name)
	if err != nil {
		return app, err
	}
	return app, control.MayChange(actor, app)
}

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

// appFor reads an app that an actor may do something to.
func appFor(ctx context.Context, from View, actor access.Actor, act access.Act, name string) (app registry.App, err error) {
	err = from.View(ctx, func(tx state.Reader) error {
		app, err = findFor(tx, actor, act, name)
		return err
	})
	return app, err
}

// findFor is appFor within a transaction.
func findFor(tx state.Reader, actor access.Actor, act access.Act, name string) (registry.App, error) {
	app, err := find(tx, name)
	if err != nil {
		return app, err
	}
	return app, control.MayApp(actor, act, app)
}

// find reads an app, and names it in the error if it is not there.
func find(tx state.Reader, name string) (registry.App, error) {
	app, err := tx.App(name)
	if err != nil {
		err = fmt.Errorf("app %q: %w", name, err)
	}
	return app, err
}

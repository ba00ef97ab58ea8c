package control

import (
	"errors"
	"slices"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// Owners are who own an app with its owner.
type Owners struct {
	CoOwner string // a person; "" for none
	Group   string // an id, or the name of a group that was made here; "" for none
}

// Pending lists the requests of an app, or for "" of all, that can still change something: those that are open, and
// those that are approved and have not started.
func Pending(tx state.Reader, app string) ([]approvals.Request, error) {
	open, _, err := tx.RequestsPart(app, approvals.StatusOpen, state.Part{Limit: -1})
	if err != nil {
		return nil, err
	}
	scheduled, _, err := tx.RequestsPart(app, approvals.StatusScheduled, state.Part{Limit: -1})
	return append(open, scheduled...), err
}

// OwnRequests makes an app's open requests those of its owners of now. Neither they nor those of before
// decide about them.
func OwnRequests(tx state.Tx, app registry.App) error {
	open, err := Pending(tx, app.Name)
	if err != nil {
		return err
	}
	for _, q := range open {
		if err := tx.PutRequest(q.OwnedBy(app.Owner, app.CoOwner, app.Group)); err != nil {
			return err
		}
	}
	return nil
}

// LeftGroup notes in the open requests of the apps that a group owns, or owned while they were open, that
// some people were in it: leaving a group does not make them judges of what they asked for together.
func LeftGroup(tx state.Tx, group string, people ...string) error {
	open, err := Pending(tx, "")
	if err != nil {
		return err
	}
	for _, q := range open {
		if q.Group != group && !slices.Contains(q.Former, group) {
			continue
		}
		for _, name := range people {
			q = q.After(name)
		}
		if err := tx.PutRequest(q); err != nil {
			return err
		}
	}
	return nil
}

// AppsOfGroup lists the apps that a group owns.
func AppsOfGroup(tx state.Reader, group string) ([]registry.App, error) {
	apps, _, err := tx.AppsPart(state.Part{Limit: -1}, func(a registry.App) bool { return a.Group == group && a.State() != registry.StateRemoved })
	return apps, err
}

// Orphaned returns whether the owner of an app can act for it no more, and who is there to become its
// owner: the co-owner, if that person could.
func Orphaned(tx access.Reader, app registry.App) (orphaned bool, successor string, err error) {
	u, err := tx.User(app.Owner)
	if errors.Is(err, access.ErrNotFound) || (err == nil && !u.Disabled) || app.State() == registry.StateRemoved {
		return false, "", nil // who owns an app was known once: a name that is not is one of a test, or of before
	}
	if err != nil || app.CoOwner == "" {
		return err == nil, "", err
	}
	co, err := tx.User(app.CoOwner)
	if err != nil {
		return true, "", err
	}
	if !co.Disabled && access.Allowed(access.Actor{User: co.Name, Roles: co.Roles}, access.Develop, access.TheNode) {
		successor = co.Name
	}
	return true, successor, nil
}

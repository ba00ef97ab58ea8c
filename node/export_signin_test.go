package node

import (
	"context"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/state"
)

// PersonKept reads a user with accounts, as they are stored.
func (h *Node) PersonKept(ctx context.Context, name string) (u access.User, accounts []access.Account, err error) {
	err = h.store.View(ctx, func(tx state.Reader) (err error) {
		if u, err = tx.User(name); err == nil {
			accounts, err = tx.Accounts(name)
		}
		return err
	})
	return u, accounts, err
}

// GroupsKept reads the ids of a person's groups.
func (h *Node) GroupsKept(ctx context.Context, name string) (ids []string, err error) {
	err = h.store.View(ctx, func(tx state.Reader) (err error) {
		ids, err = tx.GroupsOf(name)
		return err
	})
	return ids, err
}

// EventsKept reads all events, oldest first.
func (h *Node) EventsKept(ctx context.Context) ([]abi.Event, error) {
	return h.store.Events(ctx, state.EventQuery{Limit: -1})
}

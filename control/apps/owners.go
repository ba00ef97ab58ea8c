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

// ShareApp says who owns an app with its owner: a co-owner and a group, "" for none, in the place of
// those that were.
func (l *Lifecycle) ShareApp(ctx context.Context, name string, with control.Owners, reason string) (control.App, error) {
	if with.CoOwner != "" {
		var err error
		if with.CoOwner, err = access.CanonicalName(with.CoOwner); err != nil {
			return control.App{}, err
		}
	}
	return l.act(ctx, access.ShareApp, name, reason, func(tx state.Tx, p person, a registry.App) (registry.App, error) {
		var group access.Group
		var err error
		if with.CoOwner != "" && with.CoOwner != a.CoOwner {
			err = mayOwn(tx, with.CoOwner, l.desk.Now())
		}
		if with.Group != "" && err == nil {
			if group, err = access.FindGroup(tx, with.Group); err != nil {
				err = fmt.Errorf("group %.80q: %w", with.Group, err)
			}
		}
		if err != nil {
			return a, err
		}
		was := a.CoOwner
		if a, err = a.ShareWith(p.Party, with.CoOwner, group.ID); cmp.Or(err, p.explained(name, reason)) != nil {
			return a, cmp.Or(err, p.explained(name, reason))
		}
		detail := map[string]string{"co_owner": a.CoOwner, "was_co_owner": was, "group": group.Name, "group_id": group.ID, "reason": reason}
		for k, v := range detail {
			if v == "" {
				delete(detail, k)
			}
		}
		tx.Emit("app.shared", name, name, detail)
		return a, control.OwnRequests(tx, a)
	})
}

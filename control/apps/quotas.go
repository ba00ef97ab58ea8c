package apps

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// MayUpload refuses, before anything costly, an upload that would be refused at its end.
func (c *Catalogue) MayUpload(ctx context.Context, r registry.Release) error {
	return c.desk.View(ctx, func(tx state.Reader) error {
		owner := r.Manifest.Owner
		app, err := tx.App(r.App)
		if err != nil {
			if err := c.desk.WouldFit(tx, "apps", owner, 1); err != nil {
				return err
			}
		}
		if err := c.desk.SumsLeave(tx, control.Compiling, registry.App{Owner: owner, Group: app.Group}); err != nil {
			return err
		}
		if err := c.desk.WouldFit(tx, "module-bytes", owner, r.Size); err != nil {
			return err
		}
		if app.Group != "" {
			if err := c.desk.WouldFit(tx, "group-module-bytes", app.Group, r.Size); err != nil {
				return err
			}
		}
		return c.desk.WouldFit(tx, "node-module-bytes", "", r.Size)
	})
}

// Quotas show what people, groups, apps and the node have and may have, and set it. It is safe for
// concurrent use.
type Quotas struct{ desk *control.Desk }

// NewQuotas makes Quotas.
func NewQuotas(desk *control.Desk) *Quotas { return &Quotas{desk} }

// List shows what a person, if none is named who asks, has and may have; of a group and an app, if one
// is named; and to operators, of the node. Operators may ask about others.
func (s *Quotas) List(ctx context.Context, whose control.QuotaOf) ([]control.Quota, error) {
	actor, err := s.desk.Door(ctx, access.ReadQuotas)
	if err != nil {
		return nil, err
	}
	person := cmp.Or(whose.User, actor.User)
	if err := access.May(actor, access.ReadQuotas, access.Person(person)); err != nil {
		return nil, err
	}
	if err := s.desk.Store.ForgetExpired(ctx); err != nil {
		return nil, err
	}
	of := map[string]string{"person": person}
	if access.Allowed(actor, access.Operate, access.TheNode) {
		of["node"] = ""
	}
	var shown []control.Quota
	err = s.desk.View(ctx, func(tx state.Reader) error {
		if _, err := tx.User(person); err != nil {
			return fmt.Errorf("user %q: %w", person, err)
		}
		if whose.App != "" {
			if _, err := find(tx, whose.App); err != nil {
				return err
			}
			of["app"] = whose.App
		}
		if whose.Group != "" {
			g, err := findGroup(tx, whose.Group)
			if err != nil {
				return err
			}
			if err := access.May(actor, access.ReadMembers, access.TheGroup(g.ID, g.Name)); err != nil {
				return err
			}
			of["group"] = g.ID
		}
		shown, err = s.desk.QuotasOf(tx, of)
		return err
	})
	return shown, err
}

// Settings lists the quotas that operators set, by what they are of; those that have ended, too.
func (s *Quotas) Settings(ctx context.Context, p control.Page) (all control.Items[access.QuotaSetting], err error) {
	if _, err := s.desk.May(ctx, access.ReadNodeEvents, access.TheNode); err != nil {
		return all, err
	}
	err = s.desk.View(ctx, func(tx state.Reader) error {
		all, err = control.Part(p, tx.QuotaSettingsPart)
		return err
	})
	return all, err
}

// Set sets a quota of one person, group or app, or of all of them alike, and of the node.
func (s *Quotas) Set(ctx context.Context, quota string, in control.SetQuota) (is control.Quota, err error) {
	actor, err := s.desk.May(ctx, access.SetQuotas, access.TheNode)
	if err != nil {
		return is, err
	}
	_, err = s.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		per, of, detail, err := holder(tx, quota, in.QuotaOf)
		if err != nil {
			return err
		}
		set := access.QuotaSetting{Quota: quota, Per: per, Of: of, Limit: in.Limit, Reason: in.Reason, By: actor.User, At: s.desk.Now().UTC(), Until: in.Until.UTC()}
		if in.Until.IsZero() {
			set.Until = time.Time{}
		}
		var was int64
		if is, was, err = s.desk.SetQuota(tx, set); err != nil {
			return err
		}
		detail["limit"], detail["was"], detail["amount"], detail["reason"] = strconv.FormatInt(in.Limit, 10), strconv.FormatInt(was, 10), is.Amount(in.Limit), in.Reason
		if !set.Until.IsZero() {
			detail["until"] = set.Until.Format(time.RFC3339)
		}
		tx.Emit("quota.set", in.App, quota, detail)
		return nil
	})
	return is, err
}

// Clear forgets what was set of one person, group or app, or of all of them alike, and returns what
// holds from then on.
func (s *Quotas) Clear(ctx context.Context, quota string, whose control.QuotaOf) (is control.Quota, err error) {
	actor, err := s.desk.May(ctx, access.SetQuotas, access.TheNode)
	if err != nil {
		return is, err
	}
	_, err = s.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		_, of, detail, err := holder(tx, quota, whose)
		if err != nil {
			return err
		}
		if is, err = s.desk.ClearQuota(tx, quota, of); err != nil {
			return fmt.Errorf("quota %q: %w", quota, err)
		}
		detail["limit"], detail["amount"] = strconv.FormatInt(is.Limit, 10), is.Amount(is.Limit)
		tx.Emit("quota.cleared", whose.App, quota, detail)
		return nil
	})
	return is, err
}

// holder returns what a quota is of, whose of those is meant, "" for all, and who that is for an event.
func holder(tx state.Reader, quota string, whose control.QuotaOf) (per, of string, detail map[string]string, err error) {
	if per, err = control.QuotaIs(quota); err != nil {
		return "", "", nil, err
	}
	detail = map[string]string{}
	for kind, name := range map[string]string{"person": whose.User, "group": whose.Group, "app": whose.App} {
		if name != "" && kind != per {
			return "", "", nil, fmt.Errorf("%w: %q is a quota of %s, and %q names %s", access.ErrBadQuota, quota, article[per], name, article[kind])
		}
	}
	switch {
	case whose.User != "":
		if of, err = access.CanonicalName(whose.User); err != nil {
			return "", "", nil, fmt.Errorf("user %.80q: %w", whose.User, access.ErrNoUser)
		}
		if _, err := tx.User(of); err != nil {
			return "", "", nil, fmt.Errorf("user %.80q: %w", whose.User, err)
		}
		detail["person"] = of
	case whose.Group != "":
		g, err := findGroup(tx, whose.Group)
		if err != nil {
			return "", "", nil, err
		}
		of, detail["group"], detail["group_id"] = g.ID, g.Name, g.ID
	case whose.App != "":
		app, err := find(tx, whose.App)
		if err == nil {
			err = app.Alive()
		}
		if err != nil {
			return "", "", nil, err
		}
		of = app.Name
	}
	return per, of, detail, nil
}

var article = map[string]string{"person": "a person", "group": "a group", "app": "an app", "node": "the node"}

func findGroup(tx state.Reader, text string) (access.Group, error) {
	g, err := access.FindGroup(tx, text)
	if err != nil {
		err = fmt.Errorf("group %.80q: %w", text, err)
	}
	return g, err
}

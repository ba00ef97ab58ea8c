package apps

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// The bounds of what people write about an app, in bytes.
const (
	maxLifeReason = 1000
	maxTitle      = 100 // as in a manifest
)

// LifecycleOptions are what a Lifecycle needs.
type LifecycleOptions struct {
	Desk      *control.Desk
	Catalogue *Catalogue
	// DeleteAfter is how long a deletion can be undone.
	DeleteAfter time.Duration
}

// Lifecycle stops apps, removes them and hands them over.
type Lifecycle struct {
	desk        *control.Desk
	catalogue   *Catalogue
	deleteAfter time.Duration
}

// NewLifecycle makes a Lifecycle.
func NewLifecycle(o LifecycleOptions) *Lifecycle {
	return &Lifecycle{desk: o.Desk, catalogue: o.Catalogue, deleteAfter: o.DeleteAfter}
}

// person is an actor, and what they are to an app.
type person struct {
	registry.Party
	access.Actor
}

func personOf(actor access.Actor, app registry.App) person {
	on := control.OfApp(app)
	who := actor.Person()
	shares := (app.CoOwner != "" && who == app.CoOwner) || access.In(actor.Groups, app.Group) || (who == app.Owner && who != actor.User)
	p := registry.Party{Owner: actor.User == app.Owner, Shares: shares, Reviewer: access.Holds(actor, access.RoleReviewer, on), Security: access.Reviews(actor, access.ConcernSecurity, app.Group), Operator: access.Holds(actor, access.RoleOperator, on)}
	return person{p, actor}
}

// act changes an app as a whole, in one transaction with the event by which all its effects come. The
// state machine in package registry says first what is wrong, in the words of an app's life; what it
// allows is done only by an actor whom the table of acts allows it.
func (l *Lifecycle) act(ctx context.Context, act access.Act, name, reason string, change func(state.Tx, person, registry.App) (registry.App, error)) (shown control.App, err error) {
	actor, err := l.desk.Door(ctx, act)
	if err != nil {
		return shown, err
	}
	if err := control.PlainText("reason", reason, maxLifeReason); err != nil {
		return shown, err
	}
	_, err = l.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		app, err := find(tx, name)
		if err != nil {
			return err
		}
		was := app
		if app, err = change(tx, personOf(actor, app), app); err != nil {
			return err
		}
		if err := control.MayApp(actor, act, was); err != nil {
			return err
		}
		if err := tx.PutApp(app); err != nil {
			return err
		}
		if shown, err = l.catalogue.showApp(tx, actor, app); err == nil {
			shown.May = lifeActs(actor, app)
		}
		return err
	})
	return shown, err
}

// explained requires a reason of a person who does something to another one's app.
func (p person) explained(app, reason string) error {
	if !p.Owner && !p.Shares && strings.TrimSpace(reason) == "" {
		return fmt.Errorf("the owner of %q will read why: %w", app, approvals.ErrReasonMissing)
	}
	return nil
}

// MaintainApp says that an app is kept running and gets nothing new, until when, and what follows it.
func (l *Lifecycle) MaintainApp(ctx context.Context, name string, m control.Maintain) (control.App, error) {
	return l.act(ctx, access.MaintainApp, name, m.Reason, func(tx state.Tx, p person, a registry.App) (registry.App, error) {
		is := registry.Maintenance{By: p.User, At: l.desk.Now().UTC(), Until: m.Until.UTC(), Successor: m.Successor, Reason: m.Reason}
		a, err := a.Maintain(p.Party, is)
		if err := cmp.Or(err, p.explained(name, m.Reason)); err != nil {
			return a, err
		}
		if m.Successor != "" {
			if next, err := find(tx, m.Successor); err != nil {
				return a, err
			} else if err := next.Alive(); err != nil {
				return a, err
			}
		}
		detail := map[string]string{"reason": m.Reason, "successor": m.Successor}
		if !is.Until.IsZero() {
			detail["until"] = is.Until.Format(time.DateOnly)
		}
		tx.Emit("app.maintained", name, name, detail)
		return a, nil
	})
}

// EndMaintenance lets an app get new things again.
func (l *Lifecycle) EndMaintenance(ctx context.Context, name, reason string) (control.App, error) {
	return l.act(ctx, access.EndMaintenance, name, reason, func(tx state.Tx, p person, a registry.App) (registry.App, error) {
		a, err := a.EndMaintenance(p.Party)
		if err := cmp.Or(err, p.explained(name, reason)); err != nil {
			return a, err
		}
		tx.Emit("app.unmaintained", name, name, map[string]string{"reason": reason})
		return a, nil
	})
}

// TellEnds tells the owners of apps whose maintenance was to end by now, once. Nothing stops by that.
func (l *Lifecycle) TellEnds(ctx context.Context) error {
	var over []registry.App
	err := l.desk.View(ctx, func(tx state.Reader) (err error) {
		over, _, err = tx.AppsPart(state.Part{Limit: -1}, func(a registry.App) bool { return a.MaintenanceOver(l.desk.Now()) })
		return err
	})
	for _, found := range over {
		_, failed := l.desk.Update(ctx, "node", func(tx state.Tx) error {
			a, err := tx.App(found.Name)
			if err != nil || !a.MaintenanceOver(l.desk.Now()) {
				return err
			}
			m := *a.Maintenance
			m.Over, a.Maintenance = true, &m
			tx.Emit("app.maintenance_over", a.Name, a.Name, map[string]string{"until": m.Until.Format(time.DateOnly), "successor": m.Successor})
			return tx.PutApp(a)
		})
		err = errors.Join(err, failed)
	}
	return err
}

// SuspendApp stops an app: it serves nothing and nothing calls it, until it is resumed.
func (l *Lifecycle) SuspendApp(ctx context.Context, name, reason string) (control.App, error) {
	return l.act(ctx, access.SuspendApp, name, reason, func(tx state.Tx, p person, a registry.App) (registry.App, error) {
		a, err := a.Suspend(p.Party, p.User, reason, l.desk.Now().UTC())
		if err := cmp.Or(err, p.explained(name, reason)); err != nil {
			return a, err
		}
		tx.Emit("app.suspended", name, name, map[string]string{"authority": string(a.Suspension.Authority), "reason": reason})
		return a, nil
	})
}

// ResumeApp ends a suspension.
func (l *Lifecycle) ResumeApp(ctx context.Context, name, reason string) (control.App, error) {
	return l.act(ctx, access.ResumeApp, name, reason, func(tx state.Tx, p person, a registry.App) (registry.App, error) {
		a, err := a.Resume(p.Party)
		tx.Emit("app.resumed", name, name, map[string]string{"reason": reason})
		return a, err
	})
}

// QuarantineApp keeps an app from everybody, because something is wrong with it.
func (l *Lifecycle) QuarantineApp(ctx context.Context, name, reason string) (control.App, error) {
	return l.act(ctx, access.QuarantineApp, name, reason, func(tx state.Tx, p person, a registry.App) (registry.App, error) {
		a, err := a.SetQuarantine(p.Party, p.User, reason, l.desk.Now().UTC())
		if err := cmp.Or(err, given(reason, "what is wrong with an app has to be said")); err != nil {
			return a, err
		}
		tx.Emit("app.quarantined", name, name, map[string]string{"authority": string(a.Quarantine.Authority), "reason": reason})
		return a, nil
	})
}

// EndQuarantine lets an app be what it was before it was quarantined.
func (l *Lifecycle) EndQuarantine(ctx context.Context, name, reason string) (control.App, error) {
	return l.act(ctx, access.EndQuarantine, name, reason, func(tx state.Tx, p person, a registry.App) (registry.App, error) {
		a, err := a.EndQuarantine(p.Party, l.desk.Now().UTC())
		if err := cmp.Or(err, given(reason, "why an app is safe again has to be said")); err != nil {
			return a, err
		}
		tx.Emit("app.unquarantined", name, name, map[string]string{"reason": reason, "state": string(a.State())})
		return a, nil
	})
}

// given requires a reason.
func given(reason, why string) error {
	if strings.TrimSpace(reason) == "" {
		return fmt.Errorf("%s: %w", why, approvals.ErrReasonMissing)
	}
	return nil
}

// DeleteApp stops an app, which is removed with all that it keeps when a wait is over.
func (l *Lifecycle) DeleteApp(ctx context.Context, name, reason string) (control.App, error) {
	return l.act(ctx, access.DeleteApp, name, reason, func(tx state.Tx, p person, a registry.App) (registry.App, error) {
		now := l.desk.Now().UTC()
		d := registry.Deletion{By: p.User, At: now, Until: now.Add(l.deleteAfter), Reason: reason}
		a, err := a.Delete(p.Party, d)
		tx.Emit("app.deleted", name, name, map[string]string{"until": d.Until.Format(time.RFC3339), "reason": reason})
		return a, cmp.Or(err, p.explained(name, reason))
	})
}

// UndeleteApp ends a deletion before the app is removed.
func (l *Lifecycle) UndeleteApp(ctx context.Context, name string) (control.App, error) {
	return l.act(ctx, access.UndeleteApp, name, "", func(tx state.Tx, p person, a registry.App) (registry.App, error) {
		a, err := a.Undelete(p.Party)
		tx.Emit("app.undeleted", name, name, nil)
		return a, err
	})
}

// TransferApp hands an app over: its owner offers it, and an operator gives it at once.
func (l *Lifecycle) TransferApp(ctx context.Context, name, to, reason string) (control.App, error) {
	to, err := access.CanonicalName(to)
	if err != nil {
		return control.App{}, err
	}
	return l.act(ctx, access.TransferApp, name, reason, func(tx state.Tx, p person, a registry.App) (registry.App, error) {
		if err := mayOwn(tx, to, l.desk.Now()); err != nil {
			return a, err
		}
		if p.Owner {
			a, err := a.OfferTo(p.Party, registry.Offer{To: to, By: p.User, At: l.desk.Now().UTC()})
			tx.Emit("app.offered", name, to, map[string]string{"reason": reason})
			return a, err
		}
		from := a.Owner
		a, err := a.HandOver(p.Party, to)
		if err := cmp.Or(err, p.explained(name, reason)); err != nil {
			return a, err
		}
		tx.Emit("app.transferred", name, to, map[string]string{"from": from, "reason": reason})
		return a, moveTo(tx, a)
	})
}

// AnswerOffer takes an app that is offered to the actor, or ends the offer: the one it is made to
// refuses it, and its owner or an operator takes it back.
func (l *Lifecycle) AnswerOffer(ctx context.Context, name string, accept bool) (control.App, error) {
	act := access.EndOffer
	if accept {
		act = access.AcceptOffer
	}
	return l.act(ctx, act, name, "", func(tx state.Tx, p person, a registry.App) (registry.App, error) {
		if !accept {
			a, err := a.EndOffer(p.Party, p.User)
			tx.Emit("app.offer_ended", name, name, nil)
			return a, err
		}
		from := a.Owner
		a, err := a.Accept(p.User)
		if err := cmp.Or(err, mayOwn(tx, p.User, l.desk.Now())); err != nil {
			return a, err
		}
		tx.Emit("app.transferred", name, p.User, map[string]string{"from": from})
		return a, moveTo(tx, a)
	})
}

// mayOwn refuses a person who could do nothing with an app.
func mayOwn(tx state.Reader, name string, now time.Time) error {
	if err := access.AsPerson(name, "owns no apps: it works on those of its sponsor"); err != nil {
		return err
	}
	u, err := tx.User(name)
	if err != nil {
		return fmt.Errorf("user %q: %w", name, err)
	}
	groups, err := tx.GroupsOf(u.Name)
	if err != nil {
		return err
	}
	a := access.Actor{User: u.Name, Roles: u.RolesAt(now, groups)}
	if u.Disabled || !access.Allowed(a, access.Develop, access.TheNode) {
		return fmt.Errorf("%s is disabled, or has not the role developer, which an app's owner needs: %w", name, registry.ErrBadOwner)
	}
	return nil
}

// moveTo makes what belongs to an app its new owner's: its releases count in their quota, and they
// do not decide about what was asked for the app.
func moveTo(tx state.Tx, app registry.App) error {
	numbers, err := tx.ReleaseNumbers(app.Name)
	if err != nil {
		return err
	}
	for _, n := range numbers {
		if err := tx.ChargeRelease(app.Name, n, app.Owner); err != nil {
			return err
		}
	}
	return control.OwnRequests(tx, app)
}

// RenameApp gives an app another title. Its name is its address, and stays.
func (l *Lifecycle) RenameApp(ctx context.Context, name, title string) (control.App, error) {
	title = strings.TrimSpace(title)
	if err := control.PlainText("title", title, maxTitle); err != nil {
		return control.App{}, err
	}
	return l.act(ctx, access.RenameApp, name, "", func(tx state.Tx, p person, a registry.App) (registry.App, error) {
		was := a.Title
		a.Title = title
		tx.Emit("app.renamed", name, name, map[string]string{"title": title, "was": was})
		return a, nil
	})
}

// lifeActs lists what an actor may do to an app as a whole now. They are the names of operations.
func lifeActs(actor access.Actor, app registry.App) (may []string) {
	for _, act := range []access.Act{
		access.MaintainApp, access.EndMaintenance, access.SuspendApp, access.ResumeApp, access.QuarantineApp, access.EndQuarantine, access.RenameApp, access.TransferApp, access.ShareApp, access.AcceptOffer, access.EndOffer, access.DeleteApp, access.UndeleteApp,
	} {
		if access.Allowed(actor, act, control.OfApp(app)) {
			may = append(may, string(act))
		}
	}
	return may
}

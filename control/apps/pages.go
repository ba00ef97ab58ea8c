package apps

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/triggers"
)

// Pages makes the documents of pages that show several things of an app. All of the state that a
// document shows is read in one View.
type Pages struct {
	catalogue  *Catalogue
	automation *Automation
	observer   *Observer
}

// NewPages makes a Pages.
func NewPages(c *Catalogue, a *Automation, o *Observer) *Pages {
	return &Pages{catalogue: c, automation: a, observer: o}
}

// AppPage reads all that the page of an app shows to who acts. Parts that are not for this reader are
// left out.
func (p *Pages) AppPage(ctx context.Context, name string, parts control.AppParts) (page control.AppPage, err error) {
	actor, err := p.catalogue.desk.Door(ctx, access.FindApp)
	if err != nil {
		return page, err
	}
	stored, err := p.catalogue.Stored(ctx, name)
	if err != nil {
		return page, err
	}
	var app registry.App
	var of triggersOf
	err = p.catalogue.desk.View(ctx, func(tx state.Reader) (err error) {
		page = control.AppPage{}
		if app, err = findable(tx, actor, name); err != nil {
			return err
		}
		page.Acts = control.AppActs(actor, app)
		if page.App, err = p.catalogue.showOne(tx, actor, app); err != nil || !access.Allowed(actor, access.ReadReleases, control.OfApp(app)) {
			return err
		}
		if of, err = readTriggers(tx, app); err != nil {
			return err
		}
		return p.readApp(tx, actor, app, stored, parts, &page)
	})
	if err != nil || !access.Allowed(actor, access.ReadReleases, control.OfApp(app)) {
		return page, err
	}
	page.Triggers, page.Tags = of.with(p.automation.dispatcher.Views(name)), map[triggers.Ref]string{}
	for _, t := range page.Triggers {
		page.Tags[t.Ref] = control.Tag(of.face(t.Ref))
	}
	return page, p.besides(ctx, actor, app, parts, &page)
}

// readApp reads what of an app's page is in the state, for a reader of more than the public face.
func (p *Pages) readApp(tx state.Reader, actor access.Actor, app registry.App, stored Stored, parts control.AppParts, page *control.AppPage) error {
	v, err := p.catalogue.showing(tx, app, stored)
	if err != nil {
		return err
	}
	if page.Releases, err = v.part(parts.Releases, func(r registry.Release) (control.Release, error) { return v.brief(r), nil }); err != nil {
		return err
	}
	if n := cmp.Or(page.App.Serving, app.Releases); n > 0 {
		current, err := v.one(n)
		if err == nil {
			page.Current = &current
		} else if !errors.Is(err, registry.ErrNotFound) { // the newest may be deleted, or all
			return err
		}
	}
	if page.History, err = activations(tx, app.Name, parts.History); err != nil {
		return err
	}
	if access.Allowed(actor, access.ListSecrets, control.OfApp(app)) {
		secrets, err := secretsOf(tx, app.Name, parts.Secrets)
		if err != nil {
			return err
		}
		page.Secrets = &secrets
	}
	requests, _, err := tx.ReleaseRequests(app.Name, app.Releases, state.Part{Limit: -1})
	page.Refused = refused(requests, app.Releases)
	return err
}

// besides reads what of an app's page is in other files than the state.
func (p *Pages) besides(ctx context.Context, actor access.Actor, app registry.App, parts control.AppParts, page *control.AppPage) (err error) {
	on := control.OfApp(app)
	dead := slices.ContainsFunc(page.Triggers, func(t control.Trigger) bool { return t.Dead > 0 })
	if dead && access.Allowed(actor, access.ReadDeadLetters, on) {
		if page.Letters, err = p.automation.deadLetters(ctx, app.Name, parts.Letters); err != nil {
			return err
		}
	}
	if access.Allowed(actor, access.ReadUsage, on) {
		report, err := p.observer.meter.Report(ctx, metering.Query{App: app.Name, By: []string{"hour"}})
		if err != nil {
			return err
		}
		page.Usage = &report
	}
	if err := control.MayApp(actor, access.ReadLog, app); err != nil {
		page.LogsFor = err.Error()
		return nil
	}
	lines, err := p.observer.lines(app.Name, control.Page{Cursor: parts.LogsBefore, Limit: parts.Logs})
	if bad, ok := errors.AsType[*control.ParameterError](err); ok {
		return bad
	}
	if page.Logs, page.LogsNext = lines.Items, lines.Next; err != nil {
		page.LogsFor = fmt.Sprintf("the log of %q cannot be read: %v", app.Name, err) // the rest of the page can
	}
	return nil
}

// ReleasePage reads all that the page of a release shows to who acts.
func (p *Pages) ReleasePage(ctx context.Context, name string, number int) (page control.ReleasePage, err error) {
	actor, err := p.catalogue.desk.Door(ctx, access.ReadReleases)
	if err != nil {
		return page, err
	}
	stored, err := p.catalogue.Stored(ctx, name)
	if err != nil {
		return page, err
	}
	err = p.catalogue.desk.View(ctx, func(tx state.Reader) error {
		page = control.ReleasePage{}
		app, err := findFor(tx, actor, access.ReadReleases, name)
		if err != nil {
			return err
		}
		page.Acts = control.AppActs(actor, app)
		if page.App, err = p.catalogue.showOne(tx, actor, app); err != nil {
			return err
		}
		v, err := p.catalogue.showing(tx, app, stored)
		if err != nil {
			return err
		}
		if page.Release, err = v.one(number); err != nil {
			return err
		}
		page.Requests, _, err = tx.ReleaseRequests(name, number, state.Part{Limit: -1})
		page.Refused = refused(page.Requests, number)
		return err
	})
	return page, err
}

// refused returns the requests about a release that were rejected, of each kind the last. Requests
// are newest first.
func refused(requests []approvals.Request, release int) (all []approvals.Request) {
	type subject struct {
		kind       approvals.Kind
		capability string
		tier       abi.Tier
	}
	seen := map[subject]bool{}
	for _, q := range requests {
		s := subject{q.Kind, q.Capability, q.Tier}
		if q.Release != release || seen[s] {
			continue
		}
		seen[s] = true
		if q.Status == approvals.StatusRejected {
			all = append(all, q)
		}
	}
	return all
}

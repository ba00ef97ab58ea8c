package console

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/host/internal/web"
	"github.com/agora-host/agora/host/internal/web/problem"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/triggers"
)

type card struct {
	web.App
	Calls uint64
	Line  string // sparkline
}

type catalogueView struct {
	base
	Apps  []card
	Query string
	Total metering.Usage
}

func (c *Console) catalogue(r *http.Request) (string, any, error) {
	b, err := c.base(r, "Apps", "apps")
	if err != nil {
		return "", nil, err
	}
	apps, err := c.node.Apps(r.Context())
	if err != nil {
		return "", nil, err
	}
	report, err := c.node.Usage(r.Context(), metering.Query{By: []string{"app", "hour"}})
	if err != nil {
		return "", nil, err
	}
	slots := int(report.To.Sub(report.From) / time.Hour)
	calls := map[string][]uint64{}
	for _, row := range report.Rows {
		app := row.Group["app"]
		if calls[app] == nil {
			calls[app] = make([]uint64, slots)
		}
		if t, err := time.Parse(time.RFC3339, row.Group["hour"]); err == nil {
			calls[app][int(t.Sub(report.From)/time.Hour)] += row.Calls
		}
	}
	view := catalogueView{base: b, Query: r.URL.Query().Get("q"), Total: report.Total}
	for _, app := range apps {
		if !matches(app, view.Query) {
			continue
		}
		k := card{App: app, Line: sparkline(calls[app.Name])}
		for _, n := range calls[app.Name] {
			k.Calls += n
		}
		view.Apps = append(view.Apps, k)
	}
	return "catalogue", view, nil
}

// accessView is what a release may touch and what it did.
type accessView struct {
	base
	App     string
	States  []web.CapabilityState
	Narrows bool // the actor may take off grants of this app
}

func newAccessView(b base, app web.App, r web.Release) accessView {
	return accessView{b, app.Name, r.Access, b.Mine(app.Owner) || b.Reviewer()}
}

// Findings are those of all capabilities.
func (v accessView) Findings() (all []abi.Finding) {
	for _, s := range v.States {
		all = append(all, s.Findings...)
	}
	return all
}

type appView struct {
	base
	App      web.App
	Releases []web.Release
	Current  *web.Release // the release that serves, or the newest
	Access   accessView   // of that
	Secrets  []web.Secret
	Chart    chart
	Day      metering.Usage
	ByTier   map[abi.Tier]bool   // tiers with something to roll back
	Refused  []approvals.Request // what its newest release asked for last, and was refused
	History  []registry.Activation
	Triggers []web.Trigger
	Letters  []triggers.Delivery // dead ones, at most shownLetters
	Dead     int                 // how many there are
	Logs     []web.LogLine
	LogsFor  string // why the log is not shown

	ShowSecrets bool
}

// shownLetters bounds the list of dead letters on an app's page.
const shownLetters = 20

func (c *Console) app(r *http.Request) (string, any, error) {
	ctx, name := r.Context(), r.PathValue("app")
	app, err := c.node.App(ctx, name)
	if err != nil {
		return "", nil, err
	}
	title := app.Title
	if title == "" {
		title = app.Name
	}
	b, err := c.base(r, title, "apps")
	if err != nil {
		return "", nil, err
	}
	v := appView{base: b, App: app}
	if v.Releases, err = c.node.Releases(ctx, name); err != nil {
		return "", nil, err
	}
	for i := range v.Releases {
		if v.Current == nil || v.Releases[i].Number == app.Serving {
			v.Current = &v.Releases[i]
		}
	}
	if v.Current != nil {
		v.Access = newAccessView(b, app, *v.Current)
	}
	if v.Secrets, err = c.node.Secrets(ctx, name); err == nil {
		v.ShowSecrets = true
	}
	report, err := c.node.Usage(ctx, metering.Query{App: name, By: []string{"hour"}})
	if err != nil {
		return "", nil, err
	}
	v.Chart, v.Day = newChart(report.From, report.To, report.Rows, "hour", func(hour time.Time) string { return scope{Hour: hour, App: name}.link("") }), report.Total
	requests, err := c.node.Requests(ctx, web.RequestFilter{App: name})
	if err != nil {
		return "", nil, err
	}
	v.Refused = refused(requests, app.Releases)
	if v.History, err = c.node.Activations(ctx, name); err != nil {
		return "", nil, err
	}
	v.ByTier = map[abi.Tier]bool{}
	for _, tier := range abi.Tiers() {
		_, err := registry.Previous(v.History, tier)
		v.ByTier[tier] = err == nil
	}
	if v.Triggers, err = c.node.Triggers(ctx, name); err != nil {
		return "", nil, err
	}
	for _, t := range v.Triggers {
		v.Dead += t.Dead
	}
	if v.Dead > 0 {
		// Not for every reader; the count is.
		if letters, err := c.node.DeadLetters(ctx, name); err == nil {
			v.Letters = letters[:min(shownLetters, len(letters))]
		}
	}
	if v.Logs, err = c.node.Logs(ctx, name, 60); err != nil {
		v.LogsFor = err.Error() // not for this reader; the rest of the page is
	}
	return "app", v, nil
}

// refused are the requests about a release that were rejected, of each kind the
// last. Requests are newest first.
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

type releaseView struct {
	base
	App     web.App
	Release web.Release
	Access  accessView
	Next    []abi.Tier // tiers that it may be promoted to
	Can     []abi.Tier // tiers that may be routed to it at once
	Waiting []approvals.Request
	Refused []approvals.Request
	Ask     []string // capabilities that can be asked for again
}

func (c *Console) release(r *http.Request) (string, any, error) {
	ctx := r.Context()
	n, err := strconv.Atoi(r.PathValue("number"))
	if err != nil {
		return "", nil, problem.ErrNoSuchPage
	}
	app, err := c.node.App(ctx, r.PathValue("app"))
	if err != nil {
		return "", nil, err
	}
	release, err := c.node.Release(ctx, app.Name, n)
	if err != nil {
		return "", nil, err
	}
	b, err := c.base(r, fmt.Sprintf("%s release %d", app.Name, n), "apps")
	if err != nil {
		return "", nil, err
	}
	requests, err := c.node.Requests(ctx, web.RequestFilter{App: app.Name})
	if err != nil {
		return "", nil, err
	}
	v := releaseView{base: b, App: app, Release: release, Access: newAccessView(b, app, release), Can: release.MayServe, Refused: refused(requests, n)}
	for _, s := range release.Access {
		if s.Imported && !s.Granted && s.Request == "" {
			v.Ask = append(v.Ask, s.Name)
		}
	}
	asked := map[abi.Tier]approvals.Status{abi.TierSandbox: approvals.StatusApproved}
	for _, q := range requests {
		if q.Release == n && q.Status == approvals.StatusOpen {
			v.Waiting = append(v.Waiting, q)
		}
		if q.Kind == approvals.KindPromotion && q.Release == n && asked[q.Tier] != approvals.StatusApproved {
			asked[q.Tier] = q.Status
		}
	}
	for _, tier := range abi.Tiers() {
		if !slices.Contains(release.ActiveIn, tier) && asked[tier] != approvals.StatusApproved && asked[tier] != approvals.StatusOpen {
			v.Next = append(v.Next, tier)
		}
	}
	return "release", v, nil
}

type requestsView struct {
	base
	Status  approvals.Status
	Waiting []approvals.Request
}

func (c *Console) requests(r *http.Request) (string, any, error) {
	b, err := c.base(r, "Requests", "requests")
	if err != nil {
		return "", nil, err
	}
	status := approvals.Status(r.URL.Query().Get("status"))
	if status == "" {
		status = approvals.StatusOpen
	}
	list, err := c.node.Requests(r.Context(), web.RequestFilter{Status: status})
	return "requests", requestsView{b, status, list}, err
}

// Decides tells whether the actor may decide a request: a reviewer who is
// neither its owner nor who asked.
func (v requestsView) Decides(q approvals.Request) bool {
	return v.Reviewer() && q.Status == approvals.StatusOpen && v.Actor.User != q.Owner && v.Actor.User != q.By
}

// Withdraws tells whether the actor may take a request back.
func (v requestsView) Withdraws(q approvals.Request) bool {
	return q.Status == approvals.StatusOpen && (v.Actor.User == q.By || v.Actor.User == q.Owner)
}

type grantsView struct {
	base
	Grants  []approvals.Grant
	Left    []approvals.Grant // what still allows the capability of a grant that was revoked
	Default []abi.Tier        // tiers that give it to every app
}

func (c *Console) grants(r *http.Request) (string, any, error) {
	b, err := c.base(r, "Grants", "requests")
	if err != nil {
		return "", nil, err
	}
	v := grantsView{base: b}
	if v.Grants, err = c.node.Grants(r.Context(), ""); err != nil {
		return "", nil, err
	}
	q := r.URL.Query()
	if i := slices.IndexFunc(v.Grants, func(g approvals.Grant) bool { return g.ID == q.Get("still") }); i >= 0 {
		was := v.Grants[i]
		for _, g := range v.Grants {
			if g.App == was.App && g.Capability == was.Capability && g.Live(b.Now) {
				v.Left = append(v.Left, g)
			}
		}
		for _, word := range q["default"] {
			if tier, err := abi.ParseTier(word); err == nil {
				v.Default = append(v.Default, tier)
			}
		}
	}
	return "grants", v, nil
}

type policyView struct {
	base
	Files []ruleFile
}

type ruleFile struct{ Name, Source string }

func (c *Console) policy(r *http.Request) (string, any, error) {
	b, err := c.base(r, "Rules", "policy")
	if err != nil {
		return "", nil, err
	}
	rules, err := c.node.Rules(r.Context())
	v := policyView{base: b}
	for name, source := range rules {
		v.Files = append(v.Files, ruleFile{name, source})
	}
	slices.SortFunc(v.Files, func(x, y ruleFile) int { return len(x.Name) - len(y.Name) })
	return "policy", v, err
}

type activityView struct {
	base
	Events []abi.Event
	Older  abi.Rev // the page before ends below this revision; 0: there is none
	Newer  bool    // this is not the newest page
}

// shownEvents is about how many events a page of the activity has: a revision is
// never cut in two.
const shownEvents = 200

func (c *Console) activity(r *http.Request) (string, any, error) {
	b, err := c.base(r, "Activity", "activity")
	if err != nil {
		return "", nil, err
	}
	v := activityView{base: b}
	before, err := strconv.ParseUint(r.URL.Query().Get("before"), 10, 63)
	v.Newer = err == nil && before > 0
	if v.Events, err = c.node.EventsBefore(r.Context(), abi.Rev(before), shownEvents); err != nil {
		return "", nil, err
	}
	if n := len(v.Events); n >= shownEvents && v.Events[n-1].Rev > 1 {
		v.Older = v.Events[n-1].Rev
	}
	return "activity", v, nil
}

type settingsView struct {
	base
	Tokens    []access.Credential
	Keys      []registry.Key
	Users     []access.User
	Hosts     []registry.HostName
	Roles     []access.Role
	Quotas    []web.Quota
	Challenge string // what a new key has to sign
	Secret    string // a new token, shown once
	Link      string // a new sign-in link, shown once
	For       string
}

func (c *Console) settings(r *http.Request) (string, any, error) {
	b, err := c.base(r, "Settings", "settings")
	if err != nil {
		return "", nil, err
	}
	v := settingsView{base: b, Roles: access.Roles()}
	if v.Tokens, err = c.node.Tokens(r.Context()); err != nil {
		return "", nil, err
	}
	if v.Keys, err = c.node.Keys(r.Context()); err != nil {
		return "", nil, err
	}
	if v.Quotas, err = c.node.Quotas(r.Context(), "", ""); err != nil {
		return "", nil, err
	}
	if b.Developer() || b.Operator() {
		if v.Challenge, err = c.node.KeyChallenge(r.Context(), ""); err != nil {
			return "", nil, err
		}
	}
	if b.Operator() {
		if v.Users, err = c.node.Users(r.Context()); err != nil {
			return "", nil, err
		}
		if v.Hosts, err = c.node.HostNames(r.Context()); err != nil {
			return "", nil, err
		}
	}
	return "settings", v, nil
}

// Has tells whether a user has a role, for the boxes of the form.
func (v settingsView) Has(u access.User, r access.Role) bool { return slices.Contains(u.Roles, r) }

package console

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/triggers"
	"github.com/agora-host/agora/web/problem"
)

type card struct {
	control.App
	Calls uint64
	Line  string // sparkline
}

type catalogueView struct {
	base
	Apps   []card
	Pages  pager
	Search registry.Search
	Total  metering.Usage
}

// searchOf reads what an address looks for. A tier that does not exist is left out.
func searchOf(q url.Values) registry.Search {
	s := registry.Search{Text: q.Get("q"), Team: q.Get("team"), Owner: q.Get("owner"), Capability: q.Get("capability")}
	if tier, err := abi.ParseTier(q.Get("tier")); err == nil {
		s.Tier = tier
	}
	return s
}

// catalogueLink is the catalogue's address for a search, which can be sent to others.
func catalogueLink(s registry.Search) string {
	q := url.Values{}
	for name, value := range map[string]string{"q": s.Text, "tier": string(s.Tier), "team": s.Team, "owner": s.Owner, "capability": s.Capability} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if len(q) == 0 {
		return "/"
	}
	return "/?" + q.Encode()
}

// Narrowed reports whether not all apps are shown.
func (v catalogueView) Narrowed() bool { return v.Search != registry.Search{} }

// Tabs are what the catalogue is most often narrowed to, within what is looked for.
func (v catalogueView) Tabs() []tab {
	s := v.Search
	s.Tier, s.Owner = "", ""
	tabs := []tab{{"All", catalogueLink(s), v.Search.Tier == "" && v.Search.Owner == ""}}
	s.Owner = v.Actor.User
	tabs = append(tabs, tab{"Mine", catalogueLink(s), v.Search.Owner == v.Actor.User})
	s.Owner = ""
	for _, tier := range abi.Tiers() {
		s.Tier = tier
		tabs = append(tabs, tab{strings.ToUpper(string(tier[:1])) + string(tier[1:]), catalogueLink(s), v.Search.Tier == tier})
	}
	return tabs
}

// tab is a choice among views of a page.
type tab struct {
	Name, Link string
	Current    bool
}

// Filters are what else narrows the catalogue, each with the address without it.
func (v catalogueView) Filters() (all []crumb) {
	without := func(name, value string, clear func(*registry.Search)) {
		if value == "" {
			return
		}
		s := v.Search
		clear(&s)
		all = append(all, crumb{name + ": " + value, catalogueLink(s)})
	}
	without("team", v.Search.Team, func(s *registry.Search) { s.Team = "" })
	without("capability", v.Search.Capability, func(s *registry.Search) { s.Capability = "" })
	if v.Search.Owner != v.Actor.User {
		without("owner", v.Search.Owner, func(s *registry.Search) { s.Owner = "" })
	}
	return all
}

// OfTeam leads to the apps of a team.
func (v catalogueView) OfTeam(team string) string { return catalogueLink(registry.Search{Team: team}) }

func (c *Console) catalogue(r *http.Request) (string, any, error) {
	b, err := c.base(r, "Apps", "apps")
	if err != nil {
		return "", nil, err
	}
	search := searchOf(r.URL.Query())
	apps, pages, err := listed(r, "apps", shownApps, func(p control.Page) (control.Items[control.App], error) { return c.node.Apps(r.Context(), search, p) })
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
	view := catalogueView{base: b, Pages: pages, Search: search, Total: report.Total}
	for _, app := range apps {
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
	States  []control.CapabilityState
	Narrows bool // the actor may take off grants of this app
}

func newAccessView(b base, app control.App, r control.Release) accessView {
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
	App      control.App
	Releases []control.Release
	Earlier  pager
	Current  *control.Release // the release that serves, or the newest
	Access   accessView       // of that
	Secrets  []control.Secret
	Keeps    pager // of the secrets
	Chart    chart
	Day      metering.Usage
	Refused  []approvals.Request // what its newest release asked for last, and was refused
	History  []registry.Activation
	Before   pager // of the history
	Triggers []control.Trigger
	Letters  []triggers.Delivery // dead ones
	Older    pager               // of those
	Dead     int                 // how many there are
	Logs     []control.LogLine
	LogsFor  string // why the log is not shown

	ShowSecrets bool
}

// How much of each list a page shows at once.
const (
	shownApps     = 60
	shownReleases = 20
	shownHistory  = 20
	shownLetters  = 20
	shownItems    = 100 // of lists that have a page for themselves, and of settings
)

func (c *Console) app(r *http.Request) (string, any, error) {
	ctx, name := r.Context(), r.PathValue("app")
	app, err := c.node.App(ctx, name)
	if err != nil {
		return "", nil, err
	}
	b, err := c.base(r, app.Shown(), "apps")
	if err != nil {
		return "", nil, err
	}
	v := appView{base: b, App: app}
	if !b.Member() {
		return "app", v, nil // its public face
	}
	if err := c.appLists(r, &v); err != nil {
		return "", nil, err
	}
	if b.Actor.SeesUsage(app.Owner) {
		report, err := c.node.Usage(ctx, metering.Query{App: name, By: []string{"hour"}})
		if err != nil {
			return "", nil, err
		}
		v.Chart, v.Day = newChart(report.From, report.To, report.Rows, "hour", func(hour time.Time) string { return scope{Hour: hour, App: name}.link("") }), report.Total
	}
	requests, err := c.node.Requests(ctx, control.RequestFilter{App: name, Release: app.Releases}, control.Page{Limit: control.MaxPageLimit})
	if err != nil {
		return "", nil, err
	}
	v.Refused = refused(requests.Items, app.Releases)
	if v.Logs, err = c.node.Logs(ctx, name, 60); err != nil {
		v.LogsFor = err.Error() // not for this reader; the rest of the page is
	}
	return "app", v, nil
}

// appLists reads the lists of an app's page.
func (c *Console) appLists(r *http.Request, v *appView) (err error) {
	ctx, name := r.Context(), v.App.Name
	v.Releases, v.Earlier, err = listed(r, "releases", shownReleases, func(p control.Page) (control.Items[control.Release], error) { return c.node.Releases(ctx, name, p) })
	if err != nil {
		return err
	}
	if n := cmp.Or(v.App.Serving, v.App.Releases); n > 0 {
		current, err := c.node.Release(ctx, name, n)
		if err != nil && !errors.Is(err, registry.ErrNotFound) { // the newest may be deleted, or all
			return err
		}
		if err == nil {
			v.Current, v.Access = &current, newAccessView(v.base, v.App, current)
		}
	}
	v.Secrets, v.Keeps, err = listed(r, "secrets", shownItems, func(p control.Page) (control.Items[control.Secret], error) { return c.node.Secrets(ctx, name, p) })
	v.ShowSecrets = err == nil // they are not for every reader
	v.History, v.Before, err = listed(r, "history", shownHistory, func(p control.Page) (control.Items[registry.Activation], error) {
		return c.node.Activations(ctx, name, p)
	})
	if err != nil {
		return err
	}
	all, err := c.node.Triggers(ctx, name, control.Page{Limit: control.MaxPageLimit})
	if err != nil {
		return err
	}
	v.Triggers = all.Items
	for _, t := range v.Triggers {
		v.Dead += t.Dead
	}
	if v.Dead > 0 {
		// Not for every reader; the count is.
		v.Letters, v.Older, _ = listed(r, "letters", shownLetters, func(p control.Page) (control.Items[triggers.Delivery], error) {
			return c.node.DeadLetters(ctx, name, p)
		})
	}
	return ctx.Err()
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
	App     control.App
	Release control.Release
	Access  accessView
	Next    []abi.Tier // tiers that it may be promoted to
	Can     []abi.Tier // tiers that may be routed to it at once
	Waiting []approvals.Request
	Refused []approvals.Request
	Ask     []string // capabilities that can be asked for again
	Fresh   bool     // its upload leads here
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
	requests, err := c.node.Requests(ctx, control.RequestFilter{App: app.Name, Release: n}, control.Page{Limit: control.MaxPageLimit})
	if err != nil {
		return "", nil, err
	}
	done := doneOf(r)
	v := releaseView{Fresh: done == "published" || done == "waiting", base: b, App: app, Release: release, Access: newAccessView(b, app, release), Can: release.MayServe, Refused: refused(requests.Items, n)}
	for _, s := range release.Access {
		if s.Imported && !s.Granted && s.Request == "" {
			v.Ask = append(v.Ask, s.Name)
		}
	}
	asked := map[abi.Tier]approvals.Status{abi.TierSandbox: approvals.StatusApproved}
	for _, q := range requests.Items {
		if q.Status == approvals.StatusOpen {
			v.Waiting = append(v.Waiting, q)
		}
		if q.Kind == approvals.KindPromotion && asked[q.Tier] != approvals.StatusApproved {
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
	Pages   pager
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
	list, pages, err := listed(r, "requests", shownItems, func(p control.Page) (control.Items[approvals.Request], error) {
		return c.node.Requests(r.Context(), control.RequestFilter{Status: status}, p)
	})
	return "requests", requestsView{b, status, list, pages}, err
}

// Decides reports whether the actor may decide a request.
func (v requestsView) Decides(q approvals.Request) bool {
	return v.Reviewer() && q.DecidableBy(v.Actor.User)
}

// Withdraws tells whether the actor may take a request back.
func (v requestsView) Withdraws(q approvals.Request) bool {
	return q.Status == approvals.StatusOpen && (v.Actor.User == q.By || v.Actor.User == q.Owner)
}

type grantsView struct {
	base
	Grants  []approvals.Grant
	Pages   pager
	Left    []approvals.Grant // what still allows the capability of a grant that was revoked
	Default []abi.Tier        // tiers that give it to every app
}

func (c *Console) grants(r *http.Request) (string, any, error) {
	b, err := c.base(r, "Grants", "requests")
	if err != nil {
		return "", nil, err
	}
	v := grantsView{base: b}
	v.Grants, v.Pages, err = listed(r, "grants", shownItems, func(p control.Page) (control.Items[approvals.Grant], error) { return c.node.Grants(r.Context(), "", p) })
	if err != nil {
		return "", nil, err
	}
	err = c.stillGranted(r, &v)
	return "grants", v, err
}

// stillGranted finds what allows a capability of an app after a grant of it was revoked.
func (c *Console) stillGranted(r *http.Request, v *grantsView) error {
	q := r.URL.Query()
	if q.Get("still") == "" {
		return nil
	}
	all, err := c.node.Grants(r.Context(), q.Get("still"), control.Page{Limit: control.MaxPageLimit})
	for _, g := range all.Items {
		if g.Capability == q.Get("capability") && g.Live(v.Now) {
			v.Left = append(v.Left, g)
		}
	}
	for _, word := range q["default"] {
		if tier, err := abi.ParseTier(word); err == nil {
			v.Default = append(v.Default, tier)
		}
	}
	return err
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
	Pages  pager
}

func (c *Console) activity(r *http.Request) (string, any, error) {
	b, err := c.base(r, "Activity", "activity")
	if err != nil {
		return "", nil, err
	}
	events, pages, err := listed(r, "events", shownItems, func(p control.Page) (control.Items[abi.Event], error) {
		return c.node.Events(r.Context(), control.EventFilter{Newest: true}, p)
	})
	return "activity", activityView{b, events, pages}, err
}

type settingsView struct {
	base
	Tokens    []access.Credential
	Keys      []registry.Key
	Users     []access.User
	Hosts     []registry.HostName
	Pages     map[string]pager // by list
	Roles     []access.Role
	Scopes    []access.ScopeInfo
	Quotas    []control.Quota
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
	v := settingsView{base: b, Roles: access.Roles(), Scopes: access.Scopes(), Pages: map[string]pager{}}
	ctx := r.Context()
	v.Tokens, v.Pages["tokens"], err = listed(r, "tokens", shownItems, func(p control.Page) (control.Items[access.Credential], error) { return c.node.Tokens(ctx, p) })
	if err != nil {
		return "", nil, err
	}
	if v.Quotas, err = c.node.Quotas(ctx, "", ""); err != nil || !b.Member() {
		return "settings", v, err
	}
	v.Keys, v.Pages["keys"], err = listed(r, "keys", shownItems, func(p control.Page) (control.Items[registry.Key], error) { return c.node.Keys(ctx, p) })
	if err != nil {
		return "", nil, err
	}
	if b.Developer() || b.Operator() {
		if v.Challenge, err = c.node.KeyChallenge(ctx, ""); err != nil {
			return "", nil, err
		}
	}
	if !b.Operator() {
		return "settings", v, nil
	}
	v.Users, v.Pages["users"], err = listed(r, "users", shownItems, func(p control.Page) (control.Items[access.User], error) { return c.node.Users(ctx, p) })
	if err != nil {
		return "", nil, err
	}
	v.Hosts, v.Pages["hosts"], err = listed(r, "hosts", shownItems, func(p control.Page) (control.Items[registry.HostName], error) { return c.node.HostNames(ctx, p) })
	return "settings", v, err
}

// Usual reports whether a new token has a scope unless another is chosen.
func (v settingsView) Usual(s access.Scope) bool { return slices.Contains(access.DefaultScopes(), s) }

// Has tells whether a user has a role, for the boxes of the form.
func (v settingsView) Has(u access.User, r access.Role) bool { return slices.Contains(u.Roles, r) }

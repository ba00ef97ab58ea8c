package console

import (
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

func newAccessView(b base, acts []string, r control.Release) accessView {
	return accessView{b, r.App, r.Access, slices.Contains(acts, string(access.ReduceGrant))}
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
	control.AppPage
	Access accessView // of the release that serves, or the newest
	Chart  chart
	Day    metering.Usage
	Dead   int // letters
	// How to go on in the lists.
	Earlier, Keeps, Before, Older pager
}

// May reports whether the actor may do something to the app.
func (v appView) May(act string) bool { return slices.Contains(v.Acts, act) }

// How much of each list a page shows at once.
const (
	shownApps     = 60
	shownReleases = 20
	shownHistory  = 20
	shownLetters  = 20
	shownLines    = 60  // of a log
	shownItems    = 100 // of lists that have a page for themselves, and of settings
)

func (c *Console) app(r *http.Request) (string, any, error) {
	name := r.PathValue("app")
	page, err := c.node.AppPage(r.Context(), name, control.AppParts{
		Releases: pageOf(r, "releases", shownReleases), Secrets: pageOf(r, "secrets", shownItems),
		History: pageOf(r, "history", shownHistory), Letters: pageOf(r, "letters", shownLetters), Logs: shownLines,
	})
	if err != nil {
		return "", nil, err
	}
	b, err := c.base(r, page.App.Shown(), "apps")
	if err != nil {
		return "", nil, err
	}
	v := appView{base: b, AppPage: page, Earlier: pagerOf(r, "releases", page.Releases.Next), Before: pagerOf(r, "history", page.History.Next), Older: pagerOf(r, "letters", page.Letters.Next)}
	if page.Current != nil {
		v.Access = newAccessView(b, page.Acts, *page.Current)
	}
	if page.Secrets != nil {
		v.Keeps = pagerOf(r, "secrets", page.Secrets.Next)
	}
	for _, t := range page.Triggers {
		v.Dead += t.Dead
	}
	if u := page.Usage; u != nil {
		v.Chart, v.Day = newChart(u.From, u.To, u.Rows, "hour", func(hour time.Time) string { return scope{Hour: hour, App: name}.link("") }), u.Total
	}
	return "app", v, nil
}

type releaseView struct {
	base
	control.ReleasePage
	Access  accessView
	Next    []abi.Tier // tiers that it may be promoted to
	Can     []abi.Tier // tiers that may be routed to it at once
	Waiting []approvals.Request
	Ask     []string // capabilities that can be asked for again
	Fresh   bool     // its upload leads here
}

func (c *Console) release(r *http.Request) (string, any, error) {
	n, err := strconv.Atoi(r.PathValue("number"))
	if err != nil {
		return "", nil, problem.ErrNoSuchPage
	}
	page, err := c.node.ReleasePage(r.Context(), r.PathValue("app"), n)
	if err != nil {
		return "", nil, err
	}
	release := page.Release
	b, err := c.base(r, fmt.Sprintf("%s release %d", page.App.Name, n), "apps")
	if err != nil {
		return "", nil, err
	}
	done := doneOf(r)
	v := releaseView{Fresh: done == "published" || done == "waiting", base: b, ReleasePage: page, Access: newAccessView(b, page.Acts, release)}
	for _, q := range page.Requests {
		if q.Status == approvals.StatusOpen {
			v.Waiting = append(v.Waiting, q)
		}
	}
	if v.May("activate") {
		v.Can = release.MayServe
	}
	if v.May("ask-review") {
		v.Ask, v.Next = askable(page), promotable(page)
	}
	return "release", v, nil
}

// askable lists the capabilities of a release that nothing grants and no reviewer was asked for.
func askable(page control.ReleasePage) (words []string) {
	for _, s := range page.Release.Access {
		if s.Imported && !s.Granted && s.Request == "" {
			words = append(words, s.Name)
		}
	}
	return words
}

// promotable lists the tiers that a release does not serve, and that it was neither approved for nor
// waits for.
func promotable(page control.ReleasePage) (tiers []abi.Tier) {
	asked := map[abi.Tier]approvals.Status{abi.TierSandbox: approvals.StatusApproved}
	for _, q := range page.Requests {
		if q.Kind == approvals.KindPromotion && asked[q.Tier] != approvals.StatusApproved {
			asked[q.Tier] = q.Status
		}
	}
	for _, tier := range abi.Tiers() {
		if !slices.Contains(page.Release.ActiveIn, tier) && asked[tier] != approvals.StatusApproved && asked[tier] != approvals.StatusOpen {
			tiers = append(tiers, tier)
		}
	}
	return tiers
}

// May reports whether the actor may do something to the app.
func (v releaseView) May(act string) bool { return slices.Contains(v.Acts, act) }

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
	v.Grants, v.Pages, err = listed(r, "grants", shownItems, func(p control.Page) (control.Items[approvals.Grant], error) {
		return c.node.Grants(r.Context(), control.GrantFilter{}, p)
	})
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
	all, err := c.node.Grants(r.Context(), control.GrantFilter{App: q.Get("still")}, control.Page{Limit: control.MaxPageLimit})
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
	Domains   []registry.HostName
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
	v.Users, v.Pages["users"], err = listed(r, "users", shownItems, func(p control.Page) (control.Items[access.User], error) {
		return c.node.Users(ctx, control.UserFilter{}, p)
	})
	if err != nil {
		return "", nil, err
	}
	v.Domains, v.Pages["domains"], err = listed(r, "domains", shownItems, func(p control.Page) (control.Items[registry.HostName], error) { return c.node.HostNames(ctx, p) })
	return "settings", v, err
}

// Usual reports whether a new token has a scope unless another is chosen.
func (v settingsView) Usual(s access.Scope) bool { return slices.Contains(access.DefaultScopes(), s) }

// Has tells whether a user has a role, for the boxes of the form.
func (v settingsView) Has(u access.User, r access.Role) bool { return slices.Contains(u.Roles, r) }

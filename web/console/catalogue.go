package console

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/web"
)

// catalogue is the page on which apps are found.
type catalogue struct {
	*frame
	apps  web.Catalogue
	meter web.Meter
	ask   SignIns
}

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
	Ask    string // whom a person asks who has no role
}

// searchOf reads what an address looks for. A tier that does not exist is left out.
func searchOf(q url.Values) registry.Search {
	s := registry.Search{Text: q.Get("q"), Team: q.Get("team"), Owner: q.Get("owner"), Capability: q.Get("capability")}
	s.Orphaned, s.OldEngine = q.Get("orphaned") == "true", q.Get("old_engine") == "true"
	if tier, err := abi.ParseTier(q.Get("tier")); err == nil {
		s.Tier = tier
	}
	return s
}

// catalogueLink is the catalogue's address for a search, which can be sent to others.
func catalogueLink(s registry.Search) string {
	q := url.Values{}
	if s.Orphaned {
		q.Set("orphaned", "true")
	}
	if s.OldEngine {
		q.Set("old_engine", "true")
	}
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

// tab is a choice among views of a page.
type tab struct {
	Name, Link string
	Current    bool
}

// Tabs are what the catalogue is most often narrowed to, within what is looked for.
func (v catalogueView) Tabs() []tab {
	s := v.Search
	s.Tier, s.Owner, s.Orphaned = "", "", false
	tabs := []tab{{"All", catalogueLink(s), v.Search.Tier == "" && v.Search.Owner == "" && !v.Search.Orphaned}}
	s.Owner = v.Actor.User
	tabs = append(tabs, tab{"Mine", catalogueLink(s), v.Search.Owner == v.Actor.User})
	s.Owner = ""
	for _, tier := range abi.Tiers() {
		s.Tier = tier
		tabs = append(tabs, tab{strings.ToUpper(string(tier[:1])) + string(tier[1:]), catalogueLink(s), v.Search.Tier == tier})
	}
	if s.Tier, s.Orphaned = "", true; v.Operator() || v.Search.Orphaned {
		tabs = append(tabs, tab{"Orphaned", catalogueLink(s), v.Search.Orphaned})
	}
	return tabs
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
	if v.Search.OldEngine {
		without("engine", "too old", func(s *registry.Search) { s.OldEngine = false })
	}
	if v.Search.Owner != v.Actor.User {
		without("owner", v.Search.Owner, func(s *registry.Search) { s.Owner = "" })
	}
	return all
}

// OfTeam leads to the apps of a team.
func (v catalogueView) OfTeam(team string) string { return catalogueLink(registry.Search{Team: team}) }

// OldEngines leads to the apps whose engine is too old.
func (v catalogueView) OldEngines() string {
	return catalogueLink(registry.Search{OldEngine: true})
}

func (c *catalogue) show(r *http.Request) (string, any, error) {
	b, err := c.base(r, "Apps", "apps")
	if err != nil {
		return "", nil, err
	}
	search := searchOf(r.URL.Query())
	apps, pages, err := listed(r, "apps", shownApps, func(p control.Page) (control.Items[control.App], error) { return c.apps.Apps(r.Context(), search, p) })
	if err != nil {
		return "", nil, err
	}
	report, err := c.meter.Usage(r.Context(), metering.Query{By: []string{"app", "hour"}})
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
	ask, err := askOf(r.Context(), b, c.ask)
	if err != nil {
		return "", nil, err
	}
	view := catalogueView{base: b, Ask: ask, Pages: pages, Search: search, Total: report.Total}
	for _, app := range apps {
		k := card{App: app, Line: sparkline(calls[app.Name])}
		for _, n := range calls[app.Name] {
			k.Calls += n
		}
		view.Apps = append(view.Apps, k)
	}
	return "catalogue", view, nil
}

package console

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/triggers"
	"github.com/agora-host/agora/web"
	"github.com/agora-host/agora/web/problem"
)

// apps are the pages of an app and of its releases, and what is done there to releases.
type apps struct {
	*frame
	pages   AppPages
	routes  web.Routes
	remover web.Remover
	groups  web.Groups
	opens   *audiences
	rules   web.Policy
	jobs    web.WorkloadRules
}

// AppPages are all that a page shows to the actor, of one state.
type AppPages interface {
	AppPage(ctx context.Context, app string, parts control.AppParts) (control.AppPage, error)
	ReleasePage(ctx context.Context, app string, number int) (control.ReleasePage, error)
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
	Dead   int             // letters
	Jobs   *jobRules       // by which jobs of a CI may act on it; nil: there are none for this reader
	Opens  *audienceView   // who may open it; nil: that is not for this reader
	Groups []control.Group // that could own it; none if the reader says nothing about that
	// How to go on in the lists.
	Earlier, Keeps, Before, Older, Lines pager
}

// May reports whether the actor may do something to the app.
func (v appView) May(act string) bool { return slices.Contains(v.Acts, act) }

// TriggerRevision is the revision that forms about a trigger carry.
func (v appView) TriggerRevision(of triggers.Ref) string { return v.revision(v.Tags[of]) }

// Owns reports whether the app is the actor's own.
func (v appView) Owns() bool { return v.Actor.User == v.App.Owner }

func (a *apps) app(r *http.Request) (string, any, error) {
	name := r.PathValue("app")
	b, err := a.base(r, name, "apps") // before what it is about is read: see base.Revision
	if err != nil {
		return "", nil, err
	}
	page, err := a.pages.AppPage(r.Context(), name, control.AppParts{
		Releases: pageOf(r, "releases", shownReleases), Secrets: pageOf(r, "secrets", shownItems),
		History: pageOf(r, "history", shownHistory), Letters: pageOf(r, "letters", shownLetters), Logs: shownLines, LogsBefore: r.URL.Query().Get("log"),
	})
	if err != nil {
		return "", nil, err
	}
	b.Title = page.App.Shown()
	var groups control.Items[control.Group]
	if slices.Contains(page.Acts, string(access.ShareApp)) && b.Member() {
		if groups, err = a.groups.List(r.Context(), control.GroupFilter{}, control.Page{Limit: control.MaxPageLimit}); err != nil {
			return "", nil, err
		}
	}
	opens, err := a.opens.of(r, name, page.Acts)
	if err != nil {
		return "", nil, err
	}
	v := appView{base: b, AppPage: page, Opens: opens, Groups: groups.Items, Earlier: pagerOf(r, "releases", page.Releases.Next), Before: pagerOf(r, "history", page.History.Next), Older: pagerOf(r, "letters", page.Letters.Next), Lines: pagerOf(r, "log", page.LogsNext)}
	if slices.Contains(page.Acts, string(access.ReadAppWorkloads)) {
		jobs, err := jobsFor(r, b, a.jobs, name)
		if err != nil {
			return "", nil, err
		}
		if len(jobs.Rules) > 0 {
			v.Jobs = jobs
		}
	}
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
	Break   *breakable
}

// breakable is what an actor may allow a release in an emergency.
type breakable struct {
	Tier  abi.Tier
	Hours int // at most
	Lacks []string
}

// breakable is what may be allowed a release in an emergency; nil for nothing.
func (a *apps) breakable(r *http.Request, v releaseView) (*breakable, error) {
	var b breakable
	for _, s := range v.Release.Access {
		if s.Declared && !s.Granted {
			b.Tier, b.Lacks = s.Tier, append(b.Lacks, s.Name)
		}
	}
	if len(b.Lacks) == 0 || !v.May(string(access.GrantEmergency)) {
		return nil, nil
	}
	rules, err := a.rules.Tiers(r.Context())
	for _, t := range rules {
		if t.Tier == b.Tier {
			b.Hours = t.Grants.EmergencyHours
		}
	}
	if err != nil || b.Hours == 0 {
		return nil, err
	}
	return &b, nil
}

func (a *apps) release(r *http.Request) (string, any, error) {
	n, err := strconv.Atoi(r.PathValue("number"))
	if err != nil {
		return "", nil, problem.ErrNoSuchPage
	}
	b, err := a.base(r, fmt.Sprintf("%s release %d", r.PathValue("app"), n), "apps")
	if err != nil {
		return "", nil, err
	}
	page, err := a.pages.ReleasePage(r.Context(), r.PathValue("app"), n)
	if err != nil {
		return "", nil, err
	}
	release := page.Release
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
	if v.Break, err = a.breakable(r, v); err != nil {
		return "", nil, err
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

func tierOf(r *http.Request) (abi.Tier, error) {
	t, err := abi.ParseTier(r.FormValue("tier"))
	if err != nil {
		return "", fmt.Errorf("%w: %w", problem.ErrBadRequest, err)
	}
	return t, nil
}

func releaseOf(r *http.Request) (int, error) {
	n, err := strconv.Atoi(r.FormValue("release"))
	if err != nil {
		return 0, fmt.Errorf("%w: %q is no release number", problem.ErrBadRequest, r.FormValue("release"))
	}
	return n, nil
}

// releaseInTier reads a release and the tier that it is to be routed to.
func releaseInTier(r *http.Request) (int, abi.Tier, error) {
	n, err := releaseOf(r)
	if err != nil {
		return 0, "", err
	}
	tier, err := tierOf(r)
	return n, tier, err
}

func appPage(r *http.Request, done string) string {
	return "/apps/" + r.PathValue("app") + "?done=" + done
}

func (a *apps) activate(r *http.Request) (string, error) {
	n, tier, err := releaseInTier(r)
	if err != nil {
		return "", err
	}
	_, err = a.routes.Activate(r.Context(), r.PathValue("app"), n, tier, r.FormValue("reason"))
	return appPage(r, "activated"), err
}

func (a *apps) rollBack(r *http.Request) (string, error) {
	tier, err := tierOf(r)
	if err != nil {
		return "", err
	}
	_, err = a.routes.RollBack(r.Context(), r.PathValue("app"), tier, r.FormValue("reason"))
	return appPage(r, "rolled"), err
}

func (a *apps) deleteRelease(r *http.Request) (string, error) {
	n, err := strconv.Atoi(r.PathValue("number"))
	if err != nil {
		return "", problem.ErrNoSuchPage
	}
	if r.FormValue("sure") == "" {
		return "", fmt.Errorf("%w: check the box if you mean it; a deleted release does not come back", problem.ErrBadRequest)
	}
	return appPage(r, "deleted"), a.remover.DeleteRelease(r.Context(), r.PathValue("app"), n)
}

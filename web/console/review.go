package console

import (
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
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/web"
	"github.com/agora-host/agora/web/problem"
)

// reviews are the pages of requests, grants and rules, and what is asked and decided there.
type reviews struct {
	*frame
	asked    web.Requests
	threads  web.Threads
	together web.Together
	briefs   web.Briefings
	granted  web.Grants
	lives    web.Lives
	rules    web.Policy
	apps     web.Catalogue
}

type requestsView struct {
	base
	Status     approvals.Status
	Mine       bool   // only those of which it is the reader's turn
	Overdue    bool   // only those of which the time is over
	Exemptions bool   // only exemptions that hold
	App        string // the one release that the page is about, "" for all
	Release    int
	Brief      *control.Briefing // of that release, for those who may look into the app
	Waiting    []approvals.Request
	Pages      pager
	Concern    access.Concern // only those that wait for a reviewer of it
	Counts     control.OpenCounts
	Selects    bool                        // requests of the page can be selected, to be decided together
	Away       map[string][]control.Absent // who could still vote, by the ids of requests
}

// asking are the requests of a page that one release made, if more than one of them is open.
type asking struct {
	App     string
	Release int
	Digest  string
	Parts   []approvals.Request
	Approve []approvals.Request // the parts that the reader may approve now
	Reject  []approvals.Request // and those that they may reject
}

// Together reports whether the requests stand under one heading.
func (a asking) Together() bool { return len(a.Parts) > 1 }

// Last is the part that was asked last, which compares with the latest release that was approved before.
func (a asking) Last() approvals.Request { return a.Parts[0] }

// areas are what changes of a release are about, by the beginning of their paths.
var areas = []struct{ path, words string }{
	{"imports", "what the module imports"}, {"data_classification", "the data classification"}, {"limits", "limits"}, {"triggers", "what calls it besides requests"},
	{"static", "static files"}, {"access", "what is open without a sign-in, and what it is told of people"}, {"signer", "who signed it"}, {"module", "the module"},
}

// News says in words which parts of a release differ from the one that its changes compare with.
func (a asking) News() (words []string) {
	var rest bool
	for _, c := range a.Last().Changes {
		parts := strings.Split(c.Path, ".")
		word := ""
		if parts[0] == "capabilities" && len(parts) > 1 {
			word = "what it asks for of " + parts[1]
		}
		for _, area := range areas {
			if parts[0] == area.path {
				word = area.words
			}
		}
		if rest = rest || word == ""; word != "" && !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	if rest {
		words = append(words, "other values of the manifest")
	}
	return words
}

// Groups are the requests of the page by the release that made them, in the order of the first of each.
// Those that are decided stand by themselves.
func (v requestsView) Groups() (all []asking) {
	for _, q := range v.Waiting {
		i := slices.IndexFunc(all, func(a asking) bool {
			return q.Status == approvals.StatusOpen && a.App == q.App && a.Release == q.Release
		})
		if i < 0 {
			i = len(all)
			all = append(all, asking{App: q.App, Release: q.Release, Digest: q.Digest})
		}
		a := &all[i]
		if a.Parts = append(a.Parts, q); q.Kind == approvals.KindExemption {
			continue // which is decided by itself
		}
		if v.Approves(q) {
			a.Approve = append(a.Approve, q)
		}
		if v.Rejects(q) {
			a.Reject = append(a.Reject, q)
		}
	}
	return all
}

// Part is what the form about a release carries of one request: its id, and the tag of what the page shows.
func (requestsView) Part(q approvals.Request) string { return q.ID + " " + control.Tag(q) }

func (s *reviews) requests(r *http.Request) (string, any, error) {
	b, err := s.baseOf(r, "Requests", "requests", s.about.Bare)
	if err != nil {
		return "", nil, err
	}
	status := approvals.Status(r.URL.Query().Get("status"))
	if status == "" {
		status = approvals.StatusOpen
	}
	mine, overdue := r.URL.Query().Get("mine") == "true", r.URL.Query().Get("overdue") == "true"
	f := control.RequestFilter{Status: status, Mine: mine, Overdue: overdue}
	if r.URL.Query().Get("exemptions") == "true" {
		f.Kind, f.Holds = approvals.KindExemption, true
	}
	app, release := r.URL.Query().Get("app"), 0
	if number := r.URL.Query().Get("release"); number != "" && app != "" {
		if release, err = strconv.Atoi(number); err != nil || release < 1 {
			return "", nil, fmt.Errorf("%w: %.20q is no release", problem.ErrBadRequest, number)
		}
	}
	concern := access.Concern(r.URL.Query().Get("concern"))
	if concern != "" && !slices.Contains(access.Concerns(), concern) {
		return "", nil, fmt.Errorf("%w: %.20q is no concern", problem.ErrBadRequest, concern)
	}
	f.App, f.Release, f.Concern = app, release, concern
	queue, err := s.briefs.Queue(r.Context(), f, pageOf(r, "requests", shownItems))
	if err != nil {
		return "", nil, err
	}
	b.Info.Waiting = queue.Waiting
	brief, err := s.briefing(r, app, release)
	v := requestsView{
		base: b, Status: status, Mine: mine, Overdue: overdue, Exemptions: f.Holds, App: app, Release: release, Brief: brief,
		Waiting: queue.Requests.Items, Pages: pagerOf(r, "requests", queue.Requests.Next), Concern: concern, Counts: queue.Counts, Away: queue.Away,
	}
	v.Selects = v.selects()
	return "requests", v, err
}

// briefing is what a reviewer has to know of the one release that a page is about; nil for none, and for
// those who may not look into its app.
func (s *reviews) briefing(r *http.Request, app string, release int) (*control.Briefing, error) {
	if release == 0 {
		return nil, nil
	}
	brief, err := s.briefs.Briefing(r.Context(), app, release)
	if errors.Is(err, access.ErrForbidden) || errors.Is(err, access.ErrScope) {
		return nil, nil
	}
	return &brief, err
}

// Revokes reports whether the actor may revoke an exemption that holds.
func (v requestsView) Revokes(q approvals.Request) bool {
	on := access.App(q.App, q.Owner)
	on.CoOwner, on.Group = q.CoOwner, q.Group
	return approvals.Exempts(q, v.Now) && access.Allowed(v.Actor, access.ReduceGrant, on)
}

// Decides reports whether the actor may decide a request.
func (v requestsView) Decides(q approvals.Request) bool {
	return access.Allowed(v.Actor, access.DecideRequest, control.OfRequest(q))
}

// Voted reports whether the actor has approved a request that waits for others.
func (v requestsView) Voted(q approvals.Request) bool {
	_, voted := q.VoteOf(v.Actor.User)
	return voted && q.Status == approvals.StatusOpen
}

// Rejects reports whether the actor may reject a request: whoever decides it, or has approved it.
func (v requestsView) Rejects(q approvals.Request) bool { return v.Voted(q) || v.Decides(q) }

// Approves reports whether the actor may approve a request now: not while another waits for an answer.
func (v requestsView) Approves(q approvals.Request) bool {
	return v.Decides(q) && control.Approvable(v.Actor, q)
}

// Comments reports whether the actor may write about a request.
func (v requestsView) Comments(q approvals.Request) bool {
	return access.Allowed(v.Actor, access.CommentRequest, control.OfRequest(q))
}

// Answers reports whether a request waits for the actor as its requester or an owner of the app.
func (v requestsView) Answers(q approvals.Request) bool {
	return q.WaitsFor() == approvals.TurnRequester && access.Allowed(v.Actor, access.AnswerRequest, control.OfRequest(q))
}

// AwaitsAnswer reports whether a request waits for its requester.
func (requestsView) AwaitsAnswer(q approvals.Request) bool {
	return q.WaitsFor() == approvals.TurnRequester
}

// Withdraws reports whether the actor may take a request back.
func (v requestsView) Withdraws(q approvals.Request) bool {
	return access.Allowed(v.Actor, access.WithdrawRequest, control.OfRequest(q))
}

func (s *reviews) promote(r *http.Request) (string, error) {
	n, tier, err := releaseInTier(r)
	if err != nil {
		return "", err
	}
	_, err = s.asked.Promote(r.Context(), r.PathValue("app"), n, tier, r.FormValue("reason"))
	return fmt.Sprintf("/apps/%s/releases/%d?done=asked", r.PathValue("app"), n), err
}

func (s *reviews) askAgain(r *http.Request) (string, error) {
	n, err := releaseOf(r)
	if err != nil {
		return "", err
	}
	_, err = s.asked.AskAgain(r.Context(), r.PathValue("app"), n, r.FormValue("reason"))
	return fmt.Sprintf("/apps/%s/releases/%d?done=asked", r.PathValue("app"), n), err
}

// beginning is the moment in UTC at which a form has a promotion start; zero: it names none.
func beginning(r *http.Request) (at time.Time, err error) {
	text := r.FormValue("starts")
	if text == "" {
		return at, nil
	}
	for _, form := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if at, err = time.Parse(form, text); err == nil {
			return at, nil
		}
	}
	return at, fmt.Errorf("%w: %.20q is no moment; write it as 2027-01-31T06:00", problem.ErrBadRequest, text)
}

// lastDay is the moment after the last day that a form names, in UTC; zero: it names none.
func lastDay(r *http.Request) (time.Time, error) {
	text := r.FormValue("until")
	if text == "" {
		return time.Time{}, nil
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return day, fmt.Errorf("%w: %.20q is no day; write it as 2027-01-31", problem.ErrBadRequest, text)
	}
	return day.AddDate(0, 0, 1), nil
}

func (s *reviews) decide(r *http.Request) (string, error) {
	verdict := r.FormValue("verdict")
	if verdict != "approve" && verdict != "reject" {
		return "", fmt.Errorf("%w: approve or reject", problem.ErrBadRequest)
	}
	until, err := lastDay(r)
	if err != nil {
		return "", err
	}
	starts, err := beginning(r)
	if err != nil {
		return "", err
	}
	q, err := s.asked.Decide(r.Context(), r.PathValue("id"), control.Verdict{
		Approve: verdict == "approve", Reason: r.FormValue("reason"), Remedy: r.FormValue("remedy"), Digest: r.FormValue("digest"), Until: until, Starts: starts,
	})
	switch {
	case verdict == "reject":
		return "/requests?done=rejected", err
	case q.Status == approvals.StatusOpen:
		return "/requests?done=voted#" + q.ID, err
	case q.Status == approvals.StatusScheduled:
		return "/requests?status=scheduled&done=scheduled#" + q.ID, err
	}
	return "/requests?done=approved", err
}

// decideRelease decides at once about the requests of a release that the form names.
func (s *reviews) decideRelease(r *http.Request) (string, error) {
	n, err := strconv.Atoi(r.PathValue("number"))
	if err != nil {
		return "", fmt.Errorf("%w: %.20q is no release number", problem.ErrBadRequest, r.PathValue("number"))
	}
	verdict := r.FormValue("verdict")
	if verdict != "approve" && verdict != "reject" {
		return "", fmt.Errorf("%w: approve or reject", problem.ErrBadRequest)
	}
	until, err := lastDay(r)
	if err != nil {
		return "", err
	}
	starts, err := beginning(r)
	if err != nil {
		return "", err
	}
	v := control.ReleaseVerdict{Verdict: control.Verdict{
		Approve: verdict == "approve", Reason: r.FormValue("reason"), Remedy: r.FormValue("remedy"), Digest: r.FormValue("digest"), Until: until, Starts: starts,
	}}
	for _, part := range r.Form["part"] {
		id, tag, _ := strings.Cut(part, " ")
		v.Parts = append(v.Parts, control.PartVerdict{ID: id, Tag: tag})
	}
	if len(v.Parts) == 0 { // which would be about requests that the page did not show
		return "", fmt.Errorf("%w: the form names no request; reload the page", problem.ErrBadRequest)
	}
	all, err := s.together.DecideRelease(r.Context(), r.PathValue("app"), n, v)
	switch {
	case verdict == "reject":
		return "/requests?done=rejected", err
	case slices.ContainsFunc(all, func(q approvals.Request) bool { return q.Status == approvals.StatusOpen }):
		return "/requests?done=voted", err
	}
	return "/requests?done=approved", err
}

// atRequest is the page of open requests, at one of them.
func atRequest(r *http.Request, done string) string {
	return "/requests?done=" + done + "#" + url.PathEscape(r.PathValue("id"))
}

func (s *reviews) askChanges(r *http.Request) (string, error) {
	_, err := s.threads.AskChanges(r.Context(), r.PathValue("id"), control.Verdict{Reason: r.FormValue("reason"), Digest: r.FormValue("digest")})
	return atRequest(r, "changes"), err
}

func (s *reviews) comment(r *http.Request) (string, error) {
	if r.FormValue("changed") != "" {
		_, err := s.threads.Changed(r.Context(), r.PathValue("id"), r.FormValue("text"))
		return atRequest(r, "answered"), err
	}
	_, err := s.threads.Comment(r.Context(), r.PathValue("id"), r.FormValue("text"))
	return atRequest(r, "written"), err
}

func (s *reviews) withdraw(r *http.Request) (string, error) {
	_, err := s.asked.Withdraw(r.Context(), r.PathValue("id"), r.FormValue("reason"))
	return "/requests?done=withdrawn", err
}

type grantsView struct {
	base
	Grants  []approvals.Grant
	Pages   pager
	Left    []approvals.Grant // what still allows the capability of a grant that was revoked
	Default []abi.Tier        // tiers that give it to every app
	own     []control.App     // the actor's apps
}

// Reduces reports whether the actor may revoke a grant.
func (v grantsView) Reduces(g approvals.Grant) bool {
	on := access.App(g.App, "")
	for _, app := range v.own {
		if app.Name == g.App {
			on = control.OfApp(app.App)
		}
	}
	return access.Allowed(v.Actor, access.ReduceGrant, on)
}

// own is an app of the actor's; of others no more is known than the name.
func (v grantsView) ownApp(name string) (registry.App, bool) {
	for _, app := range v.own {
		if app.Name == name {
			return app.App, true
		}
	}
	return registry.App{Name: name}, false
}

// Renews reports whether the actor may ask for a grant anew that ends, or has ended.
func (v grantsView) Renews(g approvals.Grant) bool {
	app, own := v.ownApp(g.App)
	return own && !g.Emergency && !g.Expires.IsZero() && g.Revoked.IsZero() && access.Allowed(v.Actor, access.AskReview, control.OfApp(app))
}

// Certifies reports whether the actor may say that a grant is still needed, of one that lives longer then.
func (v grantsView) Certifies(g approvals.Grant) bool {
	app, own := v.ownApp(g.App)
	return !own && g.Live(v.Now) && g.Certifiable() && access.Allowed(v.Actor, access.CertifyGrant, control.OfGrant(g, approvals.Request{}, app))
}

// Soon reports whether a grant ends within two weeks.
func (v grantsView) Soon(g approvals.Grant) bool { return g.Expires.Sub(v.Now) < 14*24*time.Hour }

func (s *reviews) breakGlass(r *http.Request) (string, error) {
	n, tier, err := releaseInTier(r)
	if err != nil {
		return "", err
	}
	hours, err := strconv.Atoi(r.FormValue("hours"))
	if err != nil {
		return "", fmt.Errorf("%w: %.20q is no number of hours", problem.ErrBadRequest, r.FormValue("hours"))
	}
	_, err = s.lives.BreakGlass(r.Context(), r.PathValue("app"), control.Emergency{Release: n, Capability: r.FormValue("capability"), Tier: tier, Reason: r.FormValue("reason"), Hours: hours})
	return fmt.Sprintf("/apps/%s/releases/%d?done=broken", r.PathValue("app"), n), err
}

func (s *reviews) renewGrant(r *http.Request) (string, error) {
	q, err := s.lives.RenewGrant(r.Context(), r.PathValue("id"), r.FormValue("reason"))
	return "/requests?done=asked#" + q.ID, err
}

func (s *reviews) certifyGrant(r *http.Request) (string, error) {
	_, err := s.lives.CertifyGrant(r.Context(), r.PathValue("id"), r.FormValue("reason"))
	return "/grants?done=certified#" + url.PathEscape(r.PathValue("id")), err
}

func (s *reviews) grants(r *http.Request) (string, any, error) {
	b, err := s.base(r, "Grants", "requests")
	if err != nil {
		return "", nil, err
	}
	v := grantsView{base: b}
	v.Grants, v.Pages, err = listed(r, "grants", shownItems, func(p control.Page) (control.Items[approvals.Grant], error) {
		return s.granted.Grants(r.Context(), control.GrantFilter{}, p)
	})
	if err != nil {
		return "", nil, err
	}
	own, err := s.apps.Apps(r.Context(), registry.Search{Owner: b.Actor.User}, control.Page{Limit: control.MaxPageLimit})
	if err != nil {
		return "", nil, err
	}
	v.own = own.Items
	err = s.stillGranted(r, &v)
	return "grants", v, err
}

// stillGranted finds what allows a capability of an app after a grant of it was revoked.
func (s *reviews) stillGranted(r *http.Request, v *grantsView) error {
	q := r.URL.Query()
	if q.Get("still") == "" {
		return nil
	}
	all, err := s.granted.Grants(r.Context(), control.GrantFilter{App: q.Get("still")}, control.Page{Limit: control.MaxPageLimit})
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

func (s *reviews) revokeGrant(r *http.Request) (string, error) {
	done, err := s.granted.RevokeGrant(r.Context(), r.PathValue("id"), r.FormValue("reason"), r.FormValue("all") != "")
	if len(done.Still) > 0 || len(done.Default) > 0 {
		q := url.Values{"done": {"still"}, "still": {done.App}, "capability": {done.Capability}}
		for _, tier := range done.Default {
			q.Add("default", string(tier))
		}
		return "/grants?" + q.Encode(), err
	}
	return "/grants?done=revoked", err
}

func (s *reviews) shrinkGrant(r *http.Request) (string, error) {
	_, err := s.granted.ShrinkGrant(r.Context(), r.PathValue("id"))
	return "/apps/" + url.PathEscape(r.FormValue("app")) + "?done=shrunk#touch", err
}

type policyView struct {
	base
	Tiers []control.Tier
	Files []ruleFile
}

type ruleFile struct{ Name, Source string }

func (s *reviews) policy(r *http.Request) (string, any, error) {
	b, err := s.base(r, "Rules", "policy")
	if err != nil {
		return "", nil, err
	}
	tiers, err := s.rules.Tiers(r.Context())
	if err != nil {
		return "", nil, err
	}
	rules, err := s.rules.Rules(r.Context())
	v := policyView{base: b, Tiers: tiers}
	for name, source := range rules {
		v.Files = append(v.Files, ruleFile{name, source})
	}
	slices.SortFunc(v.Files, func(x, y ruleFile) int { return len(x.Name) - len(y.Name) })
	return "policy", v, err
}

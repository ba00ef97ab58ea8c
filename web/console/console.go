package console

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/web"
	"github.com/agora-host/agora/web/intake"
	"github.com/agora-host/agora/web/problem"
)

//go:embed templates/*.html static
var files embed.FS

// Options configure the console.
type Options struct {
	Logger     *slog.Logger
	MaxModule  int64  // bytes
	Secure     bool   // people reach it through TLS
	AppsDomain string // where apps live, for texts
}

// Console serves the pages.
type Console struct {
	node  web.Node
	o     Options
	log   *slog.Logger
	pages map[string]*template.Template
	now   func() time.Time
}

// base is what every page has.
type base struct {
	Title  string
	Nav    string // which entry of the navigation is lit
	Actor  access.Actor
	Info   control.Info
	Notice string
	Now    time.Time
}

// Member and the rest say what to offer; what is allowed the node decides, by the same table.
func (b base) Member() bool    { return access.Allowed(b.Actor, access.ReadCatalogue, access.TheNode) }
func (b base) Developer() bool { return access.Allowed(b.Actor, access.Develop, access.TheNode) }
func (b base) Reviewer() bool  { return access.Allowed(b.Actor, access.Review, access.TheNode) }
func (b base) Operator() bool  { return access.Allowed(b.Actor, access.Operate, access.TheNode) }

// SeesUsage reports whether the actor may see what an app of an owner used.
func (b base) SeesUsage(owner string) bool {
	return access.Allowed(b.Actor, access.ReadUsage, access.App("", owner))
}

// New makes the console's handler.
func New(node web.Node, o Options) (http.Handler, error) {
	c := &Console{node: node, o: o, log: o.Logger.With("component", "console"), now: time.Now}
	if err := c.parse(); err != nil {
		return nil, err
	}
	static, err := fs.Sub(files, "static")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	assets := http.FileServerFS(static)
	mux.Handle("GET /static/", http.StripPrefix("/static/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=300")
		assets.ServeHTTP(w, r)
	})))
	c.routes(mux)
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.failed(w, r, problem.ErrCrossOrigin)
	}))
	return c.harden(c.visited(origin.Handler(mux))), nil
}

// visited refuses what another site's page asks for, other than by a link that somebody
// follows: an image or a frame that leads here costs the node a page, with the visitor's
// cookie, as often as that site likes.
func (c *Console) visited(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reads := r.Method == http.MethodGet || r.Method == http.MethodHead
		if reads && web.FromElsewhere(r) && !web.Visits(r) {
			c.failed(w, r, problem.ErrCrossOrigin)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// own refuses all that comes from another site, links too: for what is costly and no page.
func (c *Console) own(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if web.FromElsewhere(r) {
			c.failed(w, r, problem.ErrCrossOrigin)
			return
		}
		next(w, r)
	}
}

// pages are what a person with a role can look at.
var pages = []struct {
	pattern string
	role    access.Role
	show    func(*Console, *http.Request) (string, any, error)
}{
	{"/{$}", access.SignedIn, (*Console).catalogue},
	{"/apps/{app}", access.SignedIn, (*Console).app},
	{"/apps/{app}/releases/{number}", access.RoleViewer, (*Console).release},
	{"/certificates", access.RoleViewer, (*Console).certificates},
	{"/certificates/{id}", access.RoleViewer, (*Console).certificate},
	{"/upload", access.RoleDeveloper, (*Console).uploadForm},
	{"/requests", access.RoleViewer, (*Console).requests},
	{"/grants", access.RoleViewer, (*Console).grants},
	{"/usage", access.SignedIn, (*Console).usage},
	{"/calls", access.SignedIn, (*Console).calls},
	{"/calls/{id}", access.SignedIn, (*Console).call},
	{"/policy", access.RoleViewer, (*Console).policy},
	{"/activity", access.RoleViewer, (*Console).activity},
	{"/settings", access.SignedIn, (*Console).settings},
}

// Pages returns the pattern of every page. What is promised of all of them is tested of all.
func Pages() []string {
	all := []string{"/sign-in"}
	for _, p := range pages {
		all = append(all, p.pattern)
	}
	return all
}

// routes lists every page and every act.
func (c *Console) routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /sign-in", c.showSignIn)
	mux.HandleFunc("POST /sign-in", c.signIn)
	mux.HandleFunc("POST /sign-out", c.signOut)

	mux.HandleFunc("GET /certificates/{id}/document", c.own(c.saveCertificate))
	mux.HandleFunc("GET /certificates/{id}/signature", c.own(c.saveCertificate))
	for _, p := range pages {
		mux.HandleFunc("GET "+p.pattern, c.page(p.role, func(r *http.Request) (string, any, error) { return p.show(c, r) }))
	}
	mux.HandleFunc("GET /usage.csv", c.own(c.exportUsage("csv")))
	mux.HandleFunc("GET /usage.json", c.own(c.exportUsage("json")))
	mux.HandleFunc("GET /calls/find", c.own(c.findCall))

	act := func(pattern string, do actFunc, what access.Act) {
		mux.HandleFunc("POST "+pattern, c.act(do, access.Door(what)...))
	}
	mux.HandleFunc("POST /upload", c.upload)
	act("/apps/{app}/activate", c.activate, access.Route)
	act("/apps/{app}/rollback", c.rollBack, access.Route)
	act("/apps/{app}/suspend", c.suspendApp, access.SuspendApp)
	act("/apps/{app}/resume", c.resumeApp, access.ResumeApp)
	act("/apps/{app}/delete", c.deleteApp, access.DeleteApp)
	act("/apps/{app}/undelete", c.undeleteApp, access.UndeleteApp)
	act("/apps/{app}/transfer", c.transferApp, access.TransferApp)
	act("/apps/{app}/offer", c.answerOffer, access.EndOffer)
	act("/apps/{app}/title", c.renameApp, access.RenameApp)
	act("/apps/{app}/promote", c.promote, access.AskReview)
	act("/apps/{app}/releases/{number}/delete", c.deleteRelease, access.DeleteRelease)
	act("/apps/{app}/ask", c.askAgain, access.AskReview)
	act("/apps/{app}/triggers/pause", c.pauseTrigger, access.RunTriggers)
	act("/apps/{app}/triggers/run", c.runTrigger, access.RunTriggers)
	act("/apps/{app}/dead-letters/{seq}/redeliver", c.redeliver, access.RunTriggers)
	act("/apps/{app}/dead-letters/{seq}/delete", c.deleteDeadLetter, access.RunTriggers)
	act("/requests/{id}/decision", c.decide, access.DecideRequest)
	act("/requests/{id}/withdraw", c.withdraw, access.WithdrawRequest)
	act("/grants/{id}/revoke", c.revokeGrant, access.ReduceGrant)
	act("/grants/{id}/shrink", c.shrinkGrant, access.ReduceGrant)
	act("/apps/{app}/secrets", c.setSecret, access.SetSecrets)
	act("/apps/{app}/secrets/{name}/delete", c.deleteSecret, access.SetSecrets)
	mux.HandleFunc("POST /settings/tokens", c.newToken)
	act("/settings/tokens/{id}/revoke", c.revokeToken, access.ManageTokens)
	act("/settings/keys", c.addKey, access.ManageKeys)
	act("/settings/keys/delete", c.deleteKey, access.ManageKeys)
	act("/settings/users", c.putUser, access.ManagePerson)
	act("/settings/users/rename", c.renameUser, access.ManagePerson)
	act("/settings/domains", c.createDomain, access.Operate)
	act("/settings/domains/delete", c.deleteDomain, access.Operate)
	mux.HandleFunc("POST /settings/users/invite", c.inviteUser)

	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { c.failed(w, r, problem.ErrNoSuchPage) })
}

// harden sets what every answer carries.
func (c *Console) harden(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		if c.o.Secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

func (c *Console) cookieName() string {
	if c.o.Secure {
		return "__Host-" + web.SessionCookie
	}
	return web.SessionCookie
}

// signedIn puts who acts into the request's context.
func (c *Console) signedIn(r *http.Request) (*http.Request, error) {
	cookie, err := r.Cookie(c.cookieName())
	if err != nil {
		return r, access.ErrUnauthenticated
	}
	actor, err := c.node.Authenticate(r.Context(), cookie.Value)
	if err != nil {
		return r, err
	}
	if actor.Via != access.KindSession {
		return r, fmt.Errorf("a token is for the API, and signs in to no console: %w", access.ErrUnauthenticated)
	}
	return r.WithContext(access.WithActor(r.Context(), actor)), nil
}

func (c *Console) base(r *http.Request, title, nav string) (base, error) {
	ctx := r.Context()
	b := base{
		Title: title, Nav: nav, Actor: access.ActorFrom(ctx), Info: c.node.Info(ctx), Now: c.now(),
		Notice: notices[doneOf(r)],
	}
	return b, ctx.Err()
}

// notices are what a page says after an act: the address carries the key only.
var notices = map[string]string{
	"published": "Your release is published, and the sandbox serves it.",
	"waiting":   "Your release is stored. It serves once a reviewer has decided about what it asks for.",
	"activated": "The tier serves that release now.",
	"rolled":    "Rolled back.",
	"deleted":   "The release is deleted.",
	"suspended": "Suspended. The app serves nothing until it is resumed.",
	"deleting":  "The app has stopped, and will be removed. Until then you can undo this.",
	"undeleted": "The deletion is undone.",
	"offered":   "Offered. The app stays yours until it is accepted.",
	"user":      "Renamed. What was theirs stays theirs, under the new name.",
	"handed":    "Handed over.",
	"ended":     "The offer is ended.",
	"renamed":   "The title is changed. Change it in agora.toml, too: the next release brings the one of its manifest.",
	"asked":     "Asked. A reviewer decides.",
	"approved":  "Approved.",
	"rejected":  "Rejected.",
	"withdrawn": "Taken back.",
	"still":     "Revoked. The app may still use it.",
	"revoked":   "Revoked. It holds no more, from this moment.",
	"shrunk":    "Shrunk. What was taken off has to be asked for again.",
	"kept":      "The secret is set. The app's next call reads it, if it was granted.",
	"forgotten": "The secret is deleted.",
	"saved":     "Saved.",
	"paused":    "Paused. What comes meanwhile waits.",
	"resumed":   "Resumed.",
	"begun":     "Begun. What becomes of it stands beside the trigger and in the log.",
	"resent":    "On its way again.",
	"dropped":   "Forgotten.",
}

// pageFunc answers the name of a template and the view it shows.
type pageFunc func(r *http.Request) (string, any, error)

func (c *Console) page(role access.Role, show pageFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r, err := c.signedIn(r)
		if err != nil && r.Header.Get("HX-Request") != "" {
			c.failed(w, r, err) // a program of the page asks, and keeps the page
			return
		}
		if err != nil {
			http.Redirect(w, r, "/sign-in?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
			return
		}
		if err := access.Require(access.ActorFrom(r.Context()), role); err != nil {
			c.failed(w, r, err)
			return
		}
		if r.URL.Query().Has("done") {
			c.sayOnce(w, r)
			return
		}
		name, view, err := show(r)
		if err != nil {
			c.failed(w, r, err)
			return
		}
		if doneOf(r) != "" {
			http.SetCookie(w, &http.Cookie{Name: doneCookie, Path: "/", MaxAge: -1, HttpOnly: true, Secure: c.o.Secure, SameSite: http.SameSiteLaxMode})
		}
		c.render(w, r, http.StatusOK, name, view)
	}
}

// actFunc does one act and answers where to go afterwards.
type actFunc func(r *http.Request) (next string, err error)

// Bounds of what a form may have, in bytes.
const (
	maxForm  = 64 << 10
	maxSmall = 8 << 10
)

// act makes the handler of a form that any of the roles may send.
func (c *Console) act(do actFunc, anyOf ...access.Role) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r, done, err := c.begin(w, r, maxForm, anyOf...)
		if err != nil {
			c.refuse(w, r, err)
			return
		}
		defer done()
		if err := r.ParseForm(); err != nil {
			c.failed(w, r, intake.Unreadable(err))
			return
		}
		next, err := do(r)
		if err != nil {
			c.failed(w, r, err)
			return
		}
		redirect(w, r, next)
	}
}

// begin judges a form by its head: who sends it, in which role, and how large it is said to be.
// It takes what the form needs until done is called.
func (c *Console) begin(w http.ResponseWriter, r *http.Request, limit int64, anyOf ...access.Role) (_ *http.Request, done func(), err error) {
	if r, err = c.signedIn(r); err != nil {
		return r, nil, err
	}
	if err := access.Require(access.ActorFrom(r.Context()), anyOf...); err != nil {
		return r, nil, err
	}
	if err := intake.Begin(w, r, limit); err != nil {
		return r, nil, err
	}
	intake.Held(r)
	size := r.ContentLength
	if size < 0 {
		size = limit
	}
	done, err = c.node.Hold(r.Context(), size)
	return r, done, err
}

// refuse is failed for a form of which nothing was read.
func (c *Console) refuse(w http.ResponseWriter, r *http.Request, err error) {
	intake.Refuse(w, r)
	c.failed(w, r, err)
}

// redirect leads a browser on after an act; htmx follows a header of its own.
func redirect(w http.ResponseWriter, r *http.Request, next string) {
	if r.Header.Get("HX-Request") != "" {
		w.Header().Set("HX-Redirect", next)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// failed shows an error within the console's frame, with its navigation for whoever is signed in.
func (c *Console) failed(w http.ResponseWriter, r *http.Request, err error) {
	if in, inErr := c.signedIn(r); inErr == nil {
		r = in
	}
	b, baseErr := c.base(r, "", "")
	if baseErr != nil { // the request is over, or the store is gone: the plain frame has to do
		b = base{Now: c.now()}
	}
	if problem.Internal(err) {
		c.log.ErrorContext(r.Context(), "page failed", "method", r.Method, "path", r.URL.Path, "err", err)
	}
	p := problem.For(err)
	b.Title, b.Notice = p.Title, ""
	c.render(w, r, p.Status, "problem", problemView{b, p, back(r)})
}

type problemView struct {
	base
	Problem abi.Problem
	Back    string
}

// back is the page that a form was on, if it was one of ours.
func back(r *http.Request) string {
	u, err := url.Parse(r.Referer())
	if err != nil || u.Host != r.Host || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") {
		return "/"
	}
	return u.RequestURI()
}

func (c *Console) render(w http.ResponseWriter, r *http.Request, status int, name string, view any) {
	var b bytes.Buffer
	if err := c.pages[name].ExecuteTemplate(&b, "layout", view); err != nil {
		c.log.ErrorContext(r.Context(), "render a page", "page", name, "err", err)
		http.Error(w, "BUG: this page cannot be shown; the node's log says why", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w)
}

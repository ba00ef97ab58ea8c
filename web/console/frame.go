package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html/template"
	"io"
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

// frame is what the areas of the console share: whose session a request is of, what surrounds a page,
// and how forms, acts and errors are treated.
type frame struct {
	about     web.About
	actors    web.Authenticator
	room      web.Room
	revisions Revisions
	signIns   SignIns
	o         Options
	log       *slog.Logger
	templates map[string]*template.Template
	now       func() time.Time
	clock     func() time.Time // of the node, by which sessions begin and end
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
func (b base) Member() bool { return access.Allowed(b.Actor, access.ReadCatalogue, access.TheNode) }

func (b base) Developer() bool { return access.Allowed(b.Actor, access.Develop, access.TheNode) }
func (b base) Reviewer() bool  { return access.Allowed(b.Actor, access.Review, access.TheNode) }
func (b base) Operator() bool  { return access.Allowed(b.Actor, access.Operate, access.TheNode) }

// SeesUsage reports whether the actor may see what an app of an owner used.
func (b base) SeesUsage(owner string) bool {
	return access.Allowed(b.Actor, access.ReadUsage, access.App("", owner))
}

// harden sets what every response carries.
func (f *frame) harden(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		if f.o.Secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// visited refuses what another site's page asks for, other than by a link that a person
// follows: an image or a frame that leads here costs the node a page, with the visitor's
// cookie, as often as that site likes.
func (f *frame) visited(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reads := r.Method == http.MethodGet || r.Method == http.MethodHead
		if reads && web.FromElsewhere(r) && !web.Visits(r) {
			f.failed(w, r, problem.ErrCrossOrigin)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// own refuses all that comes from another site, links too: for what is costly and no page.
func (f *frame) own(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if web.FromElsewhere(r) {
			f.failed(w, r, problem.ErrCrossOrigin)
			return
		}
		next(w, r)
	}
}

func (f *frame) cookieName() string { return f.named(web.SessionCookie) }

// named is the name of a cookie of the console's as browsers are to keep it.
func (f *frame) named(cookie string) string {
	if f.o.Secure {
		return "__Host-" + cookie
	}
	return cookie
}

// comesBack responds to a person who follows a link from elsewhere, with whom the browser sends no session:
// the page asks for itself once more, and then it does.
func (f *frame) comesBack(w http.ResponseWriter, r *http.Request) bool {
	if _, err := r.Cookie(f.cookieName()); err == nil || !web.FromElsewhere(r) {
		return false
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, "<!doctype html><html lang=\"en\"><title>Agora</title><meta http-equiv=\"refresh\" content=\"0\"><p>One moment…")
	return true
}

// signedIn puts who acts into the request's context.
func (f *frame) signedIn(r *http.Request) (*http.Request, error) {
	cookie, err := r.Cookie(f.cookieName())
	if err != nil {
		return r, access.ErrUnauthenticated
	}
	actor, err := f.actors.Authenticate(r.Context(), cookie.Value)
	if err != nil {
		return r, err
	}
	if actor.Via != access.KindSession {
		return r, fmt.Errorf("a token is for the API, and signs in to no console: %w", access.ErrUnauthenticated)
	}
	return r.WithContext(access.WithActor(r.Context(), actor)), nil
}

func (f *frame) base(r *http.Request, title, nav string) (base, error) {
	return f.baseOf(r, title, nav, f.about.Info)
}

// baseOf is base for a page that reads by itself what waits for the reader.
func (f *frame) baseOf(r *http.Request, title, nav string, info func(context.Context) control.Info) (base, error) {
	ctx := r.Context()
	b := base{
		Title: title, Nav: nav, Actor: access.ActorFrom(ctx), Info: info(ctx), Now: f.now(),
		Notice: doneWords[doneOf(r)],
	}
	return b, ctx.Err()
}

// pageFunc returns the name of a template and the view it shows.
type pageFunc func(r *http.Request) (string, any, error)

func (f *frame) page(act access.Act, show pageFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r, err := f.signedIn(r)
		if err != nil && r.Header.Get("HX-Request") != "" {
			f.failed(w, r, err) // a program of the page asks, and keeps the page
			return
		}
		if err != nil && f.comesBack(w, r) {
			return
		}
		if err != nil {
			http.Redirect(w, r, "/sign-in?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
			return
		}
		if err := access.Require(access.ActorFrom(r.Context()), access.Door(act)...); err != nil {
			f.failed(w, r, err)
			return
		}
		if f.recent(r, act) != nil {
			http.Redirect(w, r, "/again?next="+url.QueryEscape(ownPath(r.URL.RequestURI())), http.StatusSeeOther)
			return
		}
		if r.URL.Query().Has("done") {
			f.sayOnce(w, r)
			return
		}
		name, view, err := show(r)
		if err != nil {
			f.failed(w, r, err)
			return
		}
		if doneOf(r) != "" {
			http.SetCookie(w, &http.Cookie{Name: doneCookie, Path: "/", MaxAge: -1, HttpOnly: true, Secure: f.o.Secure, SameSite: http.SameSiteLaxMode})
		}
		f.render(w, r, http.StatusOK, name, view)
	}
}

// actFunc does one act and returns the address to go to afterwards.
type actFunc func(r *http.Request) (next string, err error)

// Bounds of what a form may have, in bytes.
const (
	maxForm  = 64 << 10
	maxSmall = 8 << 10
)

// act makes the handler of a form that those may send who have a role for what it does, and signed in a moment ago
// if it asks for that.
func (f *frame) act(do actFunc, what access.Act) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r, done, err := f.begin(w, r, maxForm, access.Door(what)...)
		if err != nil {
			f.refuse(w, r, err)
			return
		}
		defer done()
		if err := r.ParseForm(); err != nil {
			f.failed(w, r, intake.Unreadable(err))
			return
		}
		if f.asksAgain(w, r, what) {
			return
		}
		next, err := do(r)
		if stale, ok := errors.AsType[*staleForm](err); ok {
			f.changed(w, r, stale)
			return
		}
		if err != nil {
			f.failed(w, r, err)
			return
		}
		redirect(w, r, next)
	}
}

// begin judges a form by its head: who sends it, in which role, and how large it is said to be.
// It takes what the form needs until done is called.
func (f *frame) begin(w http.ResponseWriter, r *http.Request, limit int64, anyOf ...access.Role) (_ *http.Request, done func(), err error) {
	if r, err = f.signedIn(r); err != nil {
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
	done, err = f.room.Hold(r.Context(), size)
	return r, done, err
}

// refuse is failed for a form of which nothing was read.
func (f *frame) refuse(w http.ResponseWriter, r *http.Request, err error) {
	intake.Refuse(w, r)
	f.failed(w, r, err)
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

// failed shows an error within the console's frame, with its navigation for a person who is signed in.
func (f *frame) failed(w http.ResponseWriter, r *http.Request, err error) {
	if in, inErr := f.signedIn(r); inErr == nil {
		r = in
	}
	b, baseErr := f.base(r, "", "")
	if baseErr != nil { // the request is over, or the store is gone: the plain frame has to do
		b = base{Now: f.now()}
	}
	if problem.Internal(err) {
		f.log.ErrorContext(r.Context(), "page failed", "method", r.Method, "path", r.URL.Path, "err", err)
	}
	p := problem.For(err)
	b.Title, b.Notice = p.Title, ""
	f.render(w, r, p.Status, "problem", problemView{b, p, back(r)})
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

func (f *frame) render(w http.ResponseWriter, r *http.Request, status int, name string, view any) {
	var b bytes.Buffer
	if err := f.templates[name].ExecuteTemplate(&b, "layout", view); err != nil {
		f.log.ErrorContext(r.Context(), "render a page", "page", name, "err", err)
		http.Error(w, "BUG: this page cannot be shown; the node's log says why", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w)
}

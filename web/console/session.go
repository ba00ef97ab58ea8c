package console

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/web"
	"github.com/agora-host/agora/web/intake"
)

// sessions begin and end.
type sessions struct {
	*frame
	people  Sessions
	signIns SignIns
}

// Sessions begin with one-time links.
type Sessions interface {
	// SignIn uses a link up and returns the secret of a new session.
	SignIn(ctx context.Context, link string) (secret string, actor access.Actor, err error)
	SignOut(ctx context.Context, secret string) error
}

type signInView struct {
	base
	Link      string
	Next      string
	Providers []control.SignInProvider
	Links     bool // are taken
}

// hostname is what can be the host of an app, with a port.
var hostname = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?(:[0-9]{1,5})?$`)

// Opens is the host of the app that the person is on the way to; "": it is the console, or no host. Whether
// there is such an app is found out after the sign-in, and not told to strangers.
func (v signInView) Opens() string {
	next, err := url.Parse(v.Next)
	if err != nil || next.Path != "/authorize/continue" || !hostname.MatchString(next.Query().Get("host")) {
		return ""
	}
	return next.Query().Get("host")
}

// show shows a button, so that a link that is looked at ahead, by a mail
// scanner or a preview, is not used up.
func (s *sessions) show(w http.ResponseWriter, r *http.Request) {
	if r2, err := s.signedIn(r); err == nil && r.URL.Query().Get("link") == "" {
		http.Redirect(w, r2, "/", http.StatusSeeOther)
		return
	}
	q := r.URL.Query()
	taken, err := s.signIns.LinksTaken(r.Context())
	if err != nil {
		s.failed(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, "sign-in", signInView{base{Title: "Sign in", Now: s.now()}, q.Get("link"), ownPath(q.Get("next")), s.signIns.Providers(), taken})
}

func (s *sessions) signIn(w http.ResponseWriter, r *http.Request) {
	if err := intake.Begin(w, r, maxSmall); err != nil {
		s.refuse(w, r, err)
		return
	}
	link := strings.TrimSpace(r.FormValue("link"))
	if u, err := url.Parse(link); err == nil && u.Query().Get("link") != "" {
		link = u.Query().Get("link") // the whole address was pasted
	}
	secret, _, err := s.people.SignIn(web.WithDevice(r).Context(), link)
	if err != nil {
		s.failed(w, r, err)
		return
	}
	s.keep(w, secret)
	redirect(w, r, ownPath(r.FormValue("next")))
}

// keep gives a browser the secret of its session. It is always a new one: what a browser brings along
// becomes no session.
func (s *sessions) keep(w http.ResponseWriter, secret string) {
	c := s.cookie(s.cookieName(), secret, int(s.o.SessionLife.Seconds()))
	c.SameSite = http.SameSiteStrictMode
	http.SetCookie(w, c)
}

// end ends the session of a request whose person is signed in.
func (s *sessions) end(r *http.Request) {
	cookie, err := r.Cookie(s.cookieName())
	if err == nil {
		err = s.people.SignOut(r.Context(), cookie.Value)
	}
	if err != nil {
		s.log.ErrorContext(r.Context(), "a session that another one replaced has not ended", "err", err)
	}
}

func (s *sessions) signOut(w http.ResponseWriter, r *http.Request) {
	next := "/sign-in"
	if r, err := s.signedIn(r); err == nil {
		provider, err := s.signIns.ProviderOf(r.Context())
		if err == nil {
			var cookie *http.Cookie
			if cookie, err = r.Cookie(s.cookieName()); err == nil {
				err = s.people.SignOut(r.Context(), cookie.Value)
			}
		}
		if err != nil {
			s.failed(w, r, err)
			return
		}
		if provider != "" {
			next = "/signed-out?provider=" + url.QueryEscape(provider)
		}
	}
	for _, name := range []string{s.cookieName(), s.named(web.SignOnCookie)} {
		http.SetCookie(w, s.cookie(name, "", -1))
	}
	redirect(w, r, next)
}

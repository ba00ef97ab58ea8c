package console

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/web/intake"
)

// sessions begin and end.
type sessions struct {
	*frame
	people Sessions
}

// Sessions begin with one-time links.
type Sessions interface {
	// SignIn uses a link up and returns the secret of a new session.
	SignIn(ctx context.Context, link string) (secret string, actor access.Actor, err error)
	SignOut(ctx context.Context, secret string) error
}

type signInView struct {
	base
	Link string
	Next string
}

// show shows a button, so that a link that is looked at ahead, by a mail
// scanner or a preview, is not used up.
func (s *sessions) show(w http.ResponseWriter, r *http.Request) {
	if r2, err := s.signedIn(r); err == nil && r.URL.Query().Get("link") == "" {
		http.Redirect(w, r2, "/", http.StatusSeeOther)
		return
	}
	q := r.URL.Query()
	s.render(w, r, http.StatusOK, "sign-in", signInView{base{Title: "Sign in", Now: s.now()}, q.Get("link"), ownPath(q.Get("next"))})
}

// ownPath keeps a redirect on this origin.
func ownPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(next, "//") || strings.Contains(next, `\`) {
		return "/"
	}
	return next
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
	secret, _, err := s.people.SignIn(r.Context(), link)
	if err != nil {
		s.failed(w, r, err)
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: s.cookieName(), Value: secret, Path: "/", HttpOnly: true, Secure: s.o.Secure, SameSite: http.SameSiteLaxMode,
		MaxAge: int((12 * time.Hour).Seconds()),
	})
	redirect(w, r, ownPath(r.FormValue("next")))
}

func (s *sessions) signOut(w http.ResponseWriter, r *http.Request) {
	if r, err := s.signedIn(r); err == nil {
		if cookie, err := r.Cookie(s.cookieName()); err == nil {
			if err := s.people.SignOut(r.Context(), cookie.Value); err != nil {
				s.failed(w, r, err)
				return
			}
		}
	}
	http.SetCookie(w, &http.Cookie{Name: s.cookieName(), Path: "/", HttpOnly: true, Secure: s.o.Secure, MaxAge: -1})
	redirect(w, r, "/sign-in")
}

package console

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/web"
	"github.com/agora-host/agora/web/problem"
)

// signOn leads browsers that apps send here back to them, signed in.
type signOn struct {
	*frame
	codes Codes
}

// Codes are what leads a browser to an app's address.
type Codes interface {
	// Authorize makes a one-time code for the session that a secret is of: the secret of the session, or
	// of the cookie that signs on for it; access.ErrUnauthenticated.
	Authorize(ctx context.Context, secret, host, challenge string) (control.AppCode, error)
}

// signOnView is what the pages between a sign-in and an app show. They are pages, and no redirects: a
// redirect would carry the fragment of the app's address to the sign-in page, and a form's chain of
// redirects may not end at another origin.
type signOnView struct {
	base
	App   string // its title
	Host  string
	State string
	Next  string // where the page leads on at once
	// Keeps: the page keeps the fragment in the browser; otherwise it adds the one that was kept.
	Keeps bool
}

// asked are the parameters of an app's question, each of which is there once.
func asked(r *http.Request) (host, challenge, state string, err error) {
	q := r.URL.Query()
	for _, name := range []string{"host", "challenge", "state"} {
		if len(q[name]) != 1 || len(q[name][0]) > 300 {
			return "", "", "", fmt.Errorf("the parameter %s is missing, or there twice: %w", name, problem.ErrBadRequest)
		}
	}
	state = q.Get("state")
	if raw, err := hex.DecodeString(state); err != nil || len(raw) != 16 {
		return "", "", "", fmt.Errorf("the parameter state is malformed: %w", problem.ErrBadRequest)
	}
	return q.Get("host"), q.Get("challenge"), state, nil
}

// authorize answers a browser that an app sends: at once if the browser is signed in here.
func (s *signOn) authorize(w http.ResponseWriter, r *http.Request) {
	host, challenge, state, err := asked(r)
	if err != nil || r.Header.Get("Sec-Purpose") != "" {
		s.failed(w, r, errors.Join(err, ahead(r)))
		return
	}
	w.Header().Set("Referrer-Policy", "no-referrer")
	for _, name := range []string{web.SignOnCookie, web.SessionCookie} {
		cookie, err := r.Cookie(s.named(name))
		if err != nil {
			continue
		}
		code, err := s.codes.Authorize(r.Context(), cookie.Value, host, challenge)
		if errors.Is(err, access.ErrUnauthenticated) {
			continue
		}
		if err != nil {
			s.failed(w, r, err)
			return
		}
		s.vouch(w, code)
		w.Header().Set("Cache-Control", "no-store")
		http.Redirect(w, r, s.callback(code, state), http.StatusFound)
		return
	}
	s.render(w, r, http.StatusOK, "sign-on", signOnView{
		base: base{Title: "Sign in", Now: s.now()}, Host: host, State: state, Keeps: true, Next: "/authorize/continue?" + r.URL.RawQuery,
	})
}

// ahead refuses what a browser fetches before a person asked for it.
func ahead(r *http.Request) error {
	if r.Header.Get("Sec-Purpose") == "" {
		return nil
	}
	return problem.ErrCrossOrigin
}

// proceed leads a person who has signed in on to the app.
func (s *signOn) proceed(w http.ResponseWriter, r *http.Request) {
	host, challenge, state, err := asked(r)
	if err != nil {
		s.failed(w, r, err)
		return
	}
	if _, err := s.signedIn(r); err != nil {
		if s.comesBack(w, r) {
			return
		}
		http.Redirect(w, r, "/sign-in?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
		return
	}
	cookie, err := r.Cookie(s.cookieName())
	if err != nil { // signedIn has read it
		s.failed(w, r, access.ErrUnauthenticated)
		return
	}
	code, err := s.codes.Authorize(r.Context(), cookie.Value, host, challenge)
	if err != nil {
		s.failed(w, r, err)
		return
	}
	s.vouch(w, code)
	w.Header().Set("Referrer-Policy", "no-referrer")
	title := code.App.Title
	if title == "" {
		title = code.App.Name
	}
	s.render(w, r, http.StatusOK, "sign-on", signOnView{
		base: base{Title: "Open " + title, Now: s.now()}, App: title, Host: host, State: state, Next: s.callback(code, state),
	})
}

// vouch sets the cookie by which the browser is known the next time.
func (s *signOn) vouch(w http.ResponseWriter, code control.AppCode) {
	if code.SignOn == "" {
		return
	}
	http.SetCookie(w, s.cookie(s.named(web.SignOnCookie), code.SignOn, 0))
}

func (s *signOn) callback(code control.AppCode, state string) string {
	scheme := "http://"
	if s.o.Secure {
		scheme = "https://"
	}
	return scheme + code.Host + "/.agora/callback?" + url.Values{"code": {code.Secret}, "state": {state}}.Encode()
}

// leaveView is the page on which a person signs out everywhere.
func (s *sessions) leave(r *http.Request) (string, any, error) {
	b, err := s.base(r, "Sign out", "")
	return "sign-out", b, err
}

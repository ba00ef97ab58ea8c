package console

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/web"
	"github.com/agora-host/agora/web/intake"
	"github.com/agora-host/agora/web/problem"
)

// SignIns are the ways in through sign-in providers.
type SignIns interface {
	Providers() []control.SignInProvider
	// BeginSignIn returns where a browser goes, and what it keeps meanwhile. With connect, the account
	// becomes the actor's.
	BeginSignIn(ctx context.Context, provider, to string, connect bool) (address string, l access.Login, err error)
	// BeginAgain returns where the actor's browser goes to sign in once more.
	BeginAgain(ctx context.Context, provider, to string) (address string, l access.Login, err error)
	// FinishSignIn takes what a browser brings back, and returns the secret of a new session; "" if an
	// account was connected.
	FinishSignIn(ctx context.Context, provider string, l access.Login, answer url.Values) (secret string, err error)
	// EndedAt ends the sessions that a provider's notice is about.
	EndedAt(ctx context.Context, provider, notice string) error
	// ProviderOf returns the provider with which the actor's session began; "" for none.
	ProviderOf(ctx context.Context) (provider string, err error)
	// EndSession returns where a browser ends its session at a provider, too; "" if there is no such place.
	EndSession(provider, returnTo string) string
	// LinksTaken reports whether operators' one-time links are taken.
	LinksTaken(ctx context.Context) (bool, error)
	// Contact is whom a person asks who has no role.
	Contact(ctx context.Context) (string, error)
}

// providers lead browsers to sign-in providers, and take them back.
type providers struct {
	*frame
	sessions *sessions
	signIns  SignIns
}

const (
	// loginCookie and a part of its state name a sign-in on its way.
	loginCookie = "agora_login_"
	// maxLogins is how many a browser has on their way: one more ends the oldest.
	maxLogins = 4
	// maxNotice is more than a notice of a provider's has, in bytes.
	maxNotice = 64 << 10
)

func (p *providers) loginName(state string) string {
	prefix := loginCookie
	if p.o.Secure {
		prefix = "__Host-" + prefix
	}
	return prefix + state[:min(8, len(state))]
}

// begin leads a browser to a provider's sign-in page.
func (p *providers) begin(w http.ResponseWriter, r *http.Request) {
	p.leave(w, r, func() (string, access.Login, error) {
		return p.signIns.BeginSignIn(r.Context(), r.PathValue("provider"), ownPath(r.URL.Query().Get("next")), false)
	})
}

// connect leads the browser of a person who is signed in to a provider, to connect the account there.
func (p *providers) connect(w http.ResponseWriter, r *http.Request) {
	r, err := p.signedIn(r)
	if err != nil {
		p.failed(w, r, err)
		return
	}
	p.leave(w, r, func() (string, access.Login, error) {
		return p.signIns.BeginSignIn(r.Context(), r.PathValue("provider"), "/settings?done=connected", true)
	})
}

// again leads the browser of a person who is signed in to a provider, to give proof once more.
func (p *providers) again(w http.ResponseWriter, r *http.Request) {
	r, err := p.signedIn(r)
	if err != nil {
		p.failed(w, r, err)
		return
	}
	p.leave(w, r, func() (string, access.Login, error) {
		return p.signIns.BeginAgain(r.Context(), r.PathValue("provider"), ownPath(r.URL.Query().Get("next")))
	})
}

// leave leads a browser to a provider. What is only looked at ahead begins nothing.
func (p *providers) leave(w http.ResponseWriter, r *http.Request, begin func() (address string, l access.Login, err error)) {
	if r.Method != http.MethodGet || r.Header.Get("Sec-Purpose") != "" {
		p.failed(w, r, fmt.Errorf("a sign-in begins when a person asks for it: %w", access.ErrUnauthenticated))
		return
	}
	address, l, err := begin()
	if err != nil {
		p.failed(w, r, err)
		return
	}
	raw, err := json.Marshal(l)
	if err != nil {
		p.failed(w, r, err)
		return
	}
	p.makeRoom(w, r)
	http.SetCookie(w, p.cookie(p.loginName(l.State), base64.RawURLEncoding.EncodeToString(raw), int(access.LoginLasts.Seconds())))
	p.away(w, r, address)
}

// away leads a browser elsewhere without a word of where it was.
func (p *providers) away(w http.ResponseWriter, r *http.Request, to string) {
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// login reads a sign-in on its way. Of two cookies of one name neither is known to be ours.
func (p *providers) login(r *http.Request, name string) (l access.Login) {
	found := r.CookiesNamed(name)
	if len(found) != 1 {
		return l
	}
	raw, err := base64.RawURLEncoding.DecodeString(found[0].Value)
	if err != nil || json.Unmarshal(raw, &l) != nil {
		return access.Login{}
	}
	return l
}

// makeRoom ends the oldest of the sign-ins that a browser has on their way.
func (p *providers) makeRoom(w http.ResponseWriter, r *http.Request) {
	var all []*http.Cookie
	for _, c := range r.Cookies() {
		if strings.HasPrefix(c.Name, p.loginName("")) {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b *http.Cookie) int {
		return cmp.Or(p.login(r, b.Name).Began.Compare(p.login(r, a.Name).Began), strings.Compare(a.Name, b.Name))
	})
	for i := maxLogins - 1; i < len(all); i++ {
		http.SetCookie(w, p.cookie(all[i].Name, "", -1))
	}
}

// back takes a browser that a provider has led back. The sign-in on its way is used up, whatever
// becomes of it.
func (p *providers) back(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		p.failed(w, r, problem.ErrMethodNotAllowed)
		return
	}
	answer := r.URL.Query()
	name := p.loginName(answer.Get("state"))
	l := p.login(r, name)
	if (l.Connect != "" || l.Again != "") && p.comesBack(w, r) {
		return // nothing is used up: it is asked for again, and then with the session
	}
	http.SetCookie(w, p.cookie(name, "", -1))
	in, inErr := p.signedIn(r)
	ctx := web.WithDevice(r).Context()
	if (l.Connect != "" || l.Again != "") && inErr == nil {
		ctx = web.WithDevice(in).Context()
	}
	secret, err := p.signIns.FinishSignIn(ctx, r.PathValue("provider"), l, answer)
	if err != nil {
		p.failed(w, r, err)
		return
	}
	if secret != "" {
		if inErr == nil { // the session that the browser had is nobody's from here on
			p.sessions.end(in)
		}
		p.sessions.keep(w, secret)
	}
	p.away(w, r, ownPath(l.To))
}

// notice takes a provider's notice that a session there has ended (OpenID Connect Back-Channel Logout
// 1.0, 2.5 to 2.8). Anybody may send one: what counts is who signed it.
func (p *providers) notice(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	err := intake.Begin(w, r, maxNotice)
	if err == nil {
		if err = r.ParseForm(); err != nil {
			err = intake.Unreadable(err)
		}
	}
	if err == nil {
		err = p.signIns.EndedAt(r.Context(), r.PathValue("provider"), r.PostForm.Get("logout_token"))
	}
	if err == nil {
		w.WriteHeader(http.StatusOK)
		return
	}
	problemOf, status := problem.For(err), http.StatusBadRequest
	if problem.Internal(err) {
		p.log.ErrorContext(r.Context(), "a provider's notice was not taken", "provider", r.PathValue("provider"), "err", err)
	}
	if !errors.Is(err, access.ErrUntrustedSignIn) {
		status = problemOf.Status
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": "invalid_request", "error_description": problemOf.Title + ": " + problemOf.Detail})
}

type signedOutView struct {
	base
	Provider string // its name; "" for none
	End      string // where its session ends
}

// gone says that a person is signed out here, and where the session at the provider ends, which other
// applications may use as well.
func (p *providers) gone(w http.ResponseWriter, r *http.Request) {
	v := signedOutView{base: base{Title: "Signed out", Now: p.now()}}
	for _, one := range p.signIns.Providers() {
		if one.ID == r.URL.Query().Get("provider") {
			v.Provider, v.End = one.Name, p.signIns.EndSession(one.ID, "/sign-in")
		}
	}
	p.render(w, r, http.StatusOK, "signed-out", v)
}

// askOf is whom a person asks who has no role; "" for one who has.
func askOf(ctx context.Context, b base, signIns SignIns) (string, error) {
	if b.Member() {
		return "", nil
	}
	return signIns.Contact(ctx)
}

// cookie makes a cookie of the console's own.
func (f *frame) cookie(name, value string, seconds int) *http.Cookie {
	return &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: f.o.Secure, SameSite: http.SameSiteLaxMode, MaxAge: seconds}
}

// ownPath keeps a redirect on this origin, and on its pages: a text that a browser, or a proxy on the
// way, could read as another address leads to the first page.
func ownPath(next string) string {
	u, err := url.Parse(next)
	bad := func(text string) bool {
		return !strings.HasPrefix(text, "/") || strings.HasPrefix(text, "//") || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f })
	}
	if err != nil || u.Host != "" || u.Scheme != "" || u.User != nil || len(next) > maxNext || bad(next) || bad(u.Path) {
		return "/"
	}
	return next
}

// maxNext is how long a page's address is to which a sign-in leads, in bytes: it is kept in a cookie.
const maxNext = 1 << 10

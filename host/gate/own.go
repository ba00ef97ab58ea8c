package gate

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/agora-host/agora/access"
)

// own serves the paths of an app's address that are the node's.
func (g *Gate) own(w http.ResponseWriter, r *http.Request, d *Door) error {
	h := w.Header()
	h["Cache-Control"] = []string{"no-store"}
	h["Referrer-Policy"] = []string{"no-referrer"}
	if r.Host != d.Host {
		return fmt.Errorf("this address is %s: %w", d.Host, access.ErrMisdirected)
	}
	if err := g.o.Addresses.KeepsSignIn(d.Host); err != nil {
		return fmt.Errorf("%w: %w", err, access.ErrNoCookies)
	}
	post, get := r.Method == http.MethodPost, r.Method == http.MethodGet
	if post && foreign(r, d.origin) {
		return access.ErrCrossSite
	}
	path := strings.TrimPrefix(r.URL.Path, reserved)
	switch {
	case path == "sign-in" && get:
		return g.begin(w, r, d, r.URL.Query().Get("to"))
	case path == "callback" && get:
		return g.callback(w, r, d)
	case path == "session" && get:
		return g.sessionPage(w, r, d)
	case path == "sign-out" && post:
		return g.signOut(w, r, d)
	case path == "access" && post:
		return g.ask(w, r, d)
	case path == "access" && get:
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return nil
	case path == "sign-out", path == "sign-in", path == "callback", path == "session", path == "access":
		return access.ErrPathMethod
	}
	return access.ErrNoPath
}

// signIn has a person sign in, if one is there, and refuses the request otherwise.
func (g *Gate) signIn(w http.ResponseWriter, r *http.Request, d *Door) error {
	if err := g.o.Addresses.KeepsSignIn(d.Host); err != nil {
		return fmt.Errorf("%w: %w", err, access.ErrNoCookies)
	}
	if visits(r) {
		return g.begin(w, r, d, r.URL.RequestURI())
	}
	w.Header()["Agora-Sign-In"] = []string{d.origin + reserved + "sign-in"}
	w.Header()["Www-Authenticate"] = []string{`Bearer realm="` + d.App.Name + `"`}
	return fmt.Errorf("%s is for %s: %w", d.App.Name, d.Audience.Words(), access.ErrSignIn)
}

// isState reports whether a text has the form of the id of a sign-in under way: the second in which it
// began, and 64 random bits.
func isState(id string) bool {
	raw, err := hex.DecodeString(id)
	return err == nil && len(raw) == 16 && strings.ToLower(id) == id
}

func (g *Gate) newState() string {
	var b [8]byte
	rand.Read(b[:])
	return fmt.Sprintf("%016x%x", g.o.Now().Unix(), b)
}

// stateLife is how long a person has to sign in.
const stateLife = 10 * time.Minute

// begin leads a browser to the console. What a session is bound to, and where to go on, stays in a cookie
// of this address.
func (g *Gate) begin(w http.ResponseWriter, r *http.Request, d *Door, to string) error {
	var b [32]byte
	rand.Read(b[:])
	verifier, state := base64.RawURLEncoding.EncodeToString(b[:]), g.newState()
	g.jar.prune(w, r.Header)
	value := verifier + "." + base64.RawURLEncoding.EncodeToString([]byte(returnPath(to)))
	for _, name := range g.jar.forms(stateCookie + state) {
		g.jar.set(w, name, value, stateLife)
	}
	q := url.Values{"host": {d.Host}, "challenge": {access.Challenge(verifier)}, "state": {state}}
	h := w.Header()
	h["Cache-Control"] = []string{"no-store"}
	h["Referrer-Policy"] = []string{"no-referrer"}
	http.Redirect(w, r, g.o.Addresses.ConsoleURL()+"/authorize?"+q.Encode(), http.StatusFound)
	return nil
}

// callback is where the console leads a browser back to, with a code.
func (g *Gate) callback(w http.ResponseWriter, r *http.Request, d *Door) error {
	q := r.URL.Query()
	code, state := q.Get("code"), q.Get("state")
	if !isState(state) {
		return g.incomplete(w, d)
	}
	form, verifier, to := g.jar.state(r.Header, state)
	if form == "" {
		return g.incomplete(w, d)
	}
	secret, err := g.o.SignOn.Redeem(r.Context(), code, verifier, d.App.Name, d.Host)
	g.jar.drop(w, stateCookie+state)
	if errors.Is(err, access.ErrCode) {
		return g.incomplete(w, d)
	}
	if err != nil {
		return err
	}
	name := sessionCookie
	if strings.HasPrefix(form, hostPrefix) {
		name = hostPrefix + sessionCookie
	}
	g.jar.set(w, name, secret, access.AppSessionLife)
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// signOut ends the session of this address. What a page or a worker of the app has kept in the browser is
// cleared with it.
func (g *Gate) signOut(w http.ResponseWriter, r *http.Request, d *Door) error {
	if secret := g.jar.session(r.Header); secret != "" {
		if err := g.o.SignOn.Leave(r.Context(), secret); err != nil {
			return err
		}
	}
	g.jar.drop(w, sessionCookie)
	w.Header()["Clear-Site-Data"] = []string{`"cache", "storage"`}
	return g.page(w, http.StatusOK, "left", d, nil)
}

// ask asks for access in the name of the person whose session it is.
func (g *Gate) ask(w http.ResponseWriter, r *http.Request, d *Door) error {
	k, ok := keyOf(g.jar.session(r.Header))
	if !ok {
		return g.signIn(w, r, d)
	}
	who, err := g.look(r.Context(), k, d)
	if errors.Is(err, access.ErrUnauthenticated) {
		return g.signIn(w, r, d)
	}
	if err != nil {
		return err
	}
	err = g.o.SignOn.Ask(r.Context(), who.actor, d.App.Name, d.Tier)
	if err != nil && !errors.Is(err, access.ErrAccessAsked) && !errors.Is(err, access.ErrAccessThere) {
		return err
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}

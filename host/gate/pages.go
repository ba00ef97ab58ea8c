package gate

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/internal/look"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

//go:embed pages.html
var source string

var pages = template.Must(template.New("").Funcs(look.Functions).Parse(source))

// policy lets the pages here send their forms to this address.
var policy = look.Policy(true)

// view is what a page shows. It names nobody who is signed in: a page of the app may read it.
type view struct {
	Title   string // of the page
	Name    string // of the app, for people
	App     string
	Owner   string
	Team    string
	Console string
	Tier    string
	Asked   *access.AccessRequest // what the person asked for last; nil: nothing
	MayAsk  bool
}

func (g *Gate) viewOf(d *Door) view {
	v := view{Name: d.App.Title, App: d.App.Name, Owner: registry.KnownAs(d.App.Owner), Team: d.App.Team, Console: g.o.Addresses.ConsoleURL(), Tier: string(d.Tier)}
	if v.Name == "" {
		v.Name = v.App
	}
	return v
}

// titles of the pages.
var titles = map[string]string{
	"no-access":  "This app is not open to you",
	"left":       "You are signed out",
	"session":    "You are signed in",
	"incomplete": "The sign-in did not complete",
}

// page writes a page. fill, if not nil, adds to what it shows.
func (g *Gate) page(w http.ResponseWriter, status int, name string, d *Door, fill func(*view)) error {
	v := g.viewOf(d)
	v.Title = titles[name]
	if fill != nil {
		fill(&v)
	}
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, v); err != nil {
		return fmt.Errorf("BUG: render the page %s: %w", name, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w)
	return nil
}

// incomplete explains a sign-in that led to no session: its browser keeps no cookies, it took too long, or
// the address was opened a second time.
func (g *Gate) incomplete(w http.ResponseWriter, d *Door) error {
	return g.page(w, http.StatusForbidden, "incomplete", d, nil)
}

// sessionPage is where a person signs out.
func (g *Gate) sessionPage(w http.ResponseWriter, r *http.Request, d *Door) error {
	if k, ok := keyOf(g.jar.session(r.Header)); ok {
		_, err := g.look(r.Context(), k, d)
		if err == nil {
			return g.page(w, http.StatusOK, "session", d, nil)
		}
		if !errors.Is(err, access.ErrUnauthenticated) {
			return err
		}
	}
	return g.signIn(w, r, d)
}

// noAccess tells a person whose app it is, and lets them ask for access.
func (g *Gate) noAccess(w http.ResponseWriter, r *http.Request, d *Door, who access.Actor) error {
	var last *access.AccessRequest
	err := g.o.State.View(r.Context(), func(tx state.Reader) error {
		last = nil
		q, err := tx.AccessRequest(d.App.Name, d.Tier, who.User)
		if errors.Is(err, access.ErrNotFound) {
			return nil
		}
		last = &q
		return err
	})
	if err != nil {
		return err
	}
	return g.page(w, http.StatusForbidden, "no-access", d, func(v *view) {
		v.Asked, v.MayAsk = last, access.MayAsk(last, g.o.Now()) == nil
	})
}

package console

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/web/problem"
)

// asField names in a form that is kept who sent it.
const asField = "sent-as"

// againView is where a person signs in once more, with the form that waits for that, if one does.
type againView struct {
	base
	Problem   abi.Problem
	Providers []control.SignInProvider
	Links     bool // are taken
	Next      string
	Fresh     bool // the person did

	// Of a form that waits.
	Action string
	Hidden []fact
}

// recent returns an error if an act asks for a fresh sign-in and that of the request's session is none.
func (f *frame) recent(r *http.Request, act access.Act) error {
	return access.Recent(access.ActorFrom(r.Context()), act, f.o.FreshSignIn(), f.clock())
}

// asksAgain responds to a form, if its act asks for a fresh sign-in, with a page that keeps all that was sent: the
// person signs in in another window and sends it, or does not. Nothing is sent for a person who sees it not.
func (f *frame) asksAgain(w http.ResponseWriter, r *http.Request, act access.Act) bool {
	if err := r.ParseForm(); err != nil {
		f.failed(w, r, problem.ErrBadRequest)
		return true
	}
	actor := access.ActorFrom(r.Context())
	if as := r.PostForm.Get(asField); as != "" && as != actor.User {
		f.failed(w, r, fmt.Errorf("%w: %s filled this form in, and you are %s; fill it in yourself", access.ErrForbidden, as, actor.User))
		return true
	}
	stale := f.recent(r, act)
	if stale == nil {
		return false
	}
	v := againView{Problem: problem.For(stale), Action: r.URL.RequestURI(), Next: "/again?fresh=1"}
	err := f.ways(r, &v)
	if err != nil {
		f.failed(w, r, err)
		return true
	}
	for name, values := range r.PostForm {
		for _, value := range values {
			v.Hidden = append(v.Hidden, fact{Name: name, Value: value})
		}
	}
	if !r.PostForm.Has(asField) {
		v.Hidden = append(v.Hidden, fact{Name: asField, Value: actor.User})
	}
	f.render(w, r, v.Problem.Status, "again", v)
	return true
}

// ways finds how a person can sign in once more: where the session began, or with a link. If the provider where it
// began is gone, any other does, since who signs in has to be the same person.
func (f *frame) ways(r *http.Request, v *againView) (err error) {
	if v.base, err = f.base(r, "Sign in again", ""); err != nil {
		return err
	}
	began, err := f.signIns.ProviderOf(r.Context())
	if err != nil {
		return err
	}
	v.Providers = f.signIns.Providers()
	there := slices.IndexFunc(v.Providers, func(p control.SignInProvider) bool { return p.ID == began })
	if there >= 0 {
		v.Providers = v.Providers[there : there+1]
		return nil
	}
	v.Links, err = f.signIns.LinksTaken(r.Context())
	return err
}

// askAgain is the page to sign in once more, for a page that asks for that; it says so to one who did.
func (p *providers) askAgain(r *http.Request) (string, any, error) {
	q := r.URL.Query()
	v := againView{Next: ownPath(q.Get("next")), Fresh: q.Get("fresh") != "" && p.recent(r, access.DecideRequest) == nil}
	return "again", v, p.ways(r, &v)
}

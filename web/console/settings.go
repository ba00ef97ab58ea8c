package console

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/web"
	"github.com/agora-host/agora/web/problem"
)

// settings are what a person has here: tokens and keys; for operators, users and domains, too.
type settings struct {
	*frame
	tokens web.Tokens
	keys   web.Keys
	users  web.Users
	names  web.HostNames

	accounts web.Accounts
	signIns  SignIns
	links    web.Links
	front    web.Front
	signedIn web.Sessions
	inPlace  web.Delegations
}

type settingsView struct {
	base
	Tokens   []access.Credential
	Sessions []control.SignedIn
	Keys     []registry.Key
	// Who decides in the reader's place, and in whose place they do.
	Delegations []control.ShownDelegation
	Concerns    []access.Concern
	Users       []access.User
	Domains     []registry.HostName
	Pages       map[string]pager // by list
	Roles       []access.Role
	Scopes      []access.ScopeInfo
	Accounts    []access.Account            // one's own
	AccountsOf  map[string][]access.Account // of the users that are listed
	Providers   []control.SignInProvider
	Links       access.Links
	Ask         string // whom a person asks who has no role
	TLS         control.TLS
	Challenge   string // what a new key has to sign
	Secret      string // a new token, shown once
	Link        string // a new sign-in link, shown once
	For         string
}

func (s *settings) show(r *http.Request) (string, any, error) {
	b, err := s.base(r, "Settings", "settings")
	if err != nil {
		return "", nil, err
	}
	v := settingsView{base: b, Roles: access.Roles(), Scopes: access.Scopes(), Pages: map[string]pager{}, AccountsOf: map[string][]access.Account{}}
	ctx := r.Context()
	v.Tokens, v.Pages["tokens"], err = listed(r, "tokens", shownItems, func(p control.Page) (control.Items[access.Credential], error) { return s.tokens.Tokens(ctx, p) })
	if err != nil {
		return "", nil, err
	}
	v.Sessions, v.Pages["sessions"], err = listed(r, "sessions", shownItems, func(p control.Page) (control.Items[control.SignedIn], error) { return s.signedIn.List(ctx, "", p) })
	if err != nil {
		return "", nil, err
	}
	if err := s.showAccounts(ctx, &v); err != nil {
		return "", nil, err
	}
	if !b.Member() {
		return "settings", v, nil
	}
	v.Keys, v.Pages["keys"], err = listed(r, "keys", shownItems, func(p control.Page) (control.Items[registry.Key], error) { return s.keys.Keys(ctx, p) })
	if err != nil {
		return "", nil, err
	}
	v.Concerns = access.Concerns()
	v.Delegations, v.Pages["delegations"], err = listed(r, "delegations", shownItems, func(p control.Page) (control.Items[control.ShownDelegation], error) {
		return s.inPlace.List(ctx, "", p)
	})
	if err != nil {
		return "", nil, err
	}
	if v.Keeps(b.Actor.User) {
		if v.Challenge, err = s.keys.KeyChallenge(ctx, ""); err != nil {
			return "", nil, err
		}
	}
	if !b.Operator() {
		return "settings", v, nil
	}
	if v.TLS, err = s.front.TLS(ctx); err != nil {
		return "", nil, err
	}
	v.Users, v.Pages["users"], err = listed(r, "users", shownItems, func(p control.Page) (control.Items[access.User], error) {
		return s.users.Users(ctx, control.UserFilter{}, p)
	})
	if err != nil {
		return "", nil, err
	}
	if v.Links, err = s.links.Links(ctx); err != nil {
		return "", nil, err
	}
	for _, u := range v.Users {
		if v.AccountsOf[u.Name], err = s.accounts.Accounts(ctx, u.Name); err != nil {
			return "", nil, err
		}
	}
	v.Domains, v.Pages["domains"], err = listed(r, "domains", shownItems, func(p control.Page) (control.Items[registry.HostName], error) { return s.names.HostNames(ctx, p) })
	return "settings", v, err
}

// showAccounts reads how a person signs in, and could.
func (s *settings) showAccounts(ctx context.Context, v *settingsView) (err error) {
	if v.Accounts, err = s.accounts.Accounts(ctx, ""); err != nil {
		return err
	}
	v.Providers = s.signIns.Providers()
	v.Ask, err = askOf(ctx, v.base, s.signIns)
	return err
}

// Unconnected are the providers at which a person has no account that is known here.
func (v settingsView) Unconnected() (all []control.SignInProvider) {
	for _, p := range v.Providers {
		if !slices.ContainsFunc(v.Accounts, func(a access.Account) bool { return a.Provider == p.ID }) {
			all = append(all, p)
		}
	}
	return all
}

// ProviderName is what people call a provider; its id for one that the node does not have any more.
func (v settingsView) ProviderName(id string) string {
	for _, p := range v.Providers {
		if p.ID == id {
			return p.Name
		}
	}
	return id
}

// disconnect takes an account from a person, the actor if none is named.
func (s *settings) disconnect(r *http.Request) (string, error) {
	return "/settings?done=disconnected", s.accounts.Disconnect(r.Context(), r.FormValue("user"), r.FormValue("account"))
}

// Keeps reports whether the actor may add and delete keys of an identity.
func (v settingsView) Keeps(identity string) bool {
	return access.Allowed(v.Actor, access.ManageKeys, access.Person(identity))
}

func (s *settings) switchLinks(r *http.Request) (string, error) {
	_, err := s.links.SwitchLinks(r.Context(), r.FormValue("off") != "")
	return "/settings?done=saved", err
}

// Usual reports whether a new token has a scope unless another is chosen.
func (v settingsView) Usual(s access.Scope) bool { return slices.Contains(access.DefaultScopes(), s) }

// Offered are the roles that a form about a user has boxes for: all, and those of the user that are for
// one concern or for one group.
func (v settingsView) Offered(u access.User) []access.Role { return offered(u.Roles) }

func offered(has []access.Role) []access.Role {
	all := access.Roles()
	for _, r := range has {
		if !slices.Contains(all, r) {
			all = append(all, r)
		}
	}
	return all
}

// Has reports whether a user has a role, for the boxes of the form.
func (v settingsView) Has(u access.User, r access.Role) bool { return slices.Contains(u.Roles, r) }

// showOnce shows the settings page with a secret that no address may carry.
func (s *settings) showOnce(w http.ResponseWriter, r *http.Request, act access.Act, fill func(*http.Request, *settingsView) error) {
	r, done, err := s.begin(w, r, maxSmall, access.Door(act)...)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	defer done()
	if s.asksAgain(w, r, act) {
		return
	}
	var secrets settingsView
	if err := fill(r, &secrets); err != nil {
		s.failed(w, r, err)
		return
	}
	name, view, err := s.show(r)
	if err != nil {
		s.failed(w, r, err)
		return
	}
	v := view.(settingsView)
	v.Secret, v.Link, v.For = secrets.Secret, secrets.Link, secrets.For
	s.render(w, r, http.StatusOK, name, v)
}

func (s *settings) newToken(w http.ResponseWriter, r *http.Request) {
	s.showOnce(w, r, access.ManageTokens, func(r *http.Request, v *settingsView) error {
		t, err := tokenAsked(r)
		if err != nil {
			return err
		}
		v.Secret, _, err = s.tokens.NewToken(r.Context(), t)
		return err
	})
}

// tokenAsked reads the form of a new token.
func tokenAsked(r *http.Request) (control.NewToken, error) {
	days, err := strconv.Atoi(r.FormValue("days"))
	if err != nil || days < 0 || days > 366 {
		return control.NewToken{}, fmt.Errorf("%w: a token lives 1 to 366 days, or 0 for ever", problem.ErrBadRequest)
	}
	t := control.NewToken{Label: r.FormValue("label"), TTL: time.Duration(days) * 24 * time.Hour, Automation: strings.TrimSpace(r.FormValue("automation"))}
	for _, word := range r.Form["scope"] {
		t.Scopes = append(t.Scopes, access.Scope(word))
	}
	t.Apps = strings.FieldsFunc(r.FormValue("apps"), func(c rune) bool { return c == ',' || unicode.IsSpace(c) })
	return t, nil
}

func (s *settings) inviteUser(w http.ResponseWriter, r *http.Request) {
	s.showOnce(w, r, access.ManagePerson, func(r *http.Request, v *settingsView) error {
		v.For = r.FormValue("user")
		path, err := s.users.NewLink(r.Context(), v.For)
		v.Link = s.about.Info(r.Context()).ConsoleURL + path
		return err
	})
}

func (s *settings) revokeToken(r *http.Request) (string, error) {
	return "/settings?done=revoked", s.tokens.RevokeToken(r.Context(), r.PathValue("id"))
}

func (s *settings) endSession(r *http.Request) (string, error) {
	return "/settings?done=elsewhere", s.signedIn.End(r.Context(), "", r.PathValue("id"))
}

// endSessions signs a person out everywhere else: the actor if none is named.
func (s *settings) endSessions(r *http.Request) (string, error) {
	_, err := s.signedIn.EndAll(r.Context(), r.FormValue("user"))
	return "/settings?done=elsewhere", err
}

func (s *settings) addKey(r *http.Request) (string, error) {
	_, err := s.keys.AddKey(r.Context(), control.NewKey{
		PEM: r.FormValue("pem"), Proof: r.FormValue("proof"),
		Challenge: strings.ReplaceAll(r.FormValue("challenge"), "\r\n", "\n"), // as forms send lines
	})
	return "/settings?done=saved", err
}

func (s *settings) deleteKey(r *http.Request) (string, error) {
	return "/settings?done=revoked", s.keys.DeleteKey(r.Context(), r.FormValue("hint"))
}

func (s *settings) renameUser(r *http.Request) (string, error) {
	_, err := s.users.RenameUser(r.Context(), r.FormValue("name"), r.FormValue("to"))
	return "/settings?done=user", err
}

func (s *settings) putUser(r *http.Request) (string, error) {
	roles := []access.Role{}
	for _, word := range r.Form["role"] {
		if role := access.Role(strings.TrimSpace(word)); role != "" && !slices.Contains(roles, role) {
			roles = append(roles, role)
		}
	}
	_, err := s.users.PutUser(r.Context(), r.FormValue("name"), roles, r.FormValue("disabled") != "")
	if next := r.FormValue("next"); strings.HasPrefix(next, "/access?") { // the matrix, as it was filtered
		return next + "&done=saved", err
	}
	return "/settings?done=saved", err
}

func (s *settings) createDomain(r *http.Request) (string, error) {
	_, err := s.names.AddHostName(r.Context(), strings.TrimSpace(r.FormValue("host")), strings.TrimSpace(r.FormValue("app")))
	return "/settings?done=saved", err
}

func (s *settings) deleteDomain(r *http.Request) (string, error) {
	return "/settings?done=saved", s.names.DeleteHostName(r.Context(), r.FormValue("host"))
}

package console

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/web"
)

// machines are the pages about service accounts.
type machines struct {
	*frame
	kept web.ServiceAccounts
	jobs web.WorkloadRules
}

type machinesView struct {
	base
	Accounts []control.ServiceAccount
	Pages    pager
	Roles    []access.Role // that one can be made with: the reader's own
	Rules    *jobRules     // by which jobs of a CI get tokens of them; nil: they are not for the reader
}

// jobRules are rules by which jobs of a CI get tokens.
type jobRules struct {
	base
	App   string // that they are about; "": none
	Rules []control.WorkloadRule
	Pages pager
}

// jobsFor reads the rules for one app, or all.
func jobsFor(r *http.Request, b base, rules web.WorkloadRules, app string) (v *jobRules, err error) {
	v = &jobRules{base: b, App: app}
	v.Rules, v.Pages, err = listed(r, "jobs", shownItems, func(p control.Page) (control.Items[control.WorkloadRule], error) {
		if app == "" {
			return rules.Rules(r.Context(), p)
		}
		return rules.RulesFor(r.Context(), app, p)
	})
	return v, err
}

// Makes reports whether the reader may make one.
func (v machinesView) Makes() bool {
	return access.Allowed(v.Actor, access.ManageServiceAccount, access.Person(v.Actor.User))
}

func (m *machines) list(r *http.Request) (string, any, error) {
	b, err := m.base(r, "Service accounts", "machines")
	if err != nil {
		return "", nil, err
	}
	v := machinesView{base: b, Roles: b.Actor.Roles}
	v.Accounts, v.Pages, err = listed(r, "accounts", shownItems, func(p control.Page) (control.Items[control.ServiceAccount], error) {
		return m.kept.List(r.Context(), control.ServiceAccountFilter{}, p)
	})
	if err == nil && access.Allowed(b.Actor, access.ReadWorkloads, access.TheNode) {
		v.Rules, err = jobsFor(r, b, m.jobs, "")
	}
	return "machines", v, err
}

type machineView struct {
	base
	Account control.ServiceAccount
	Tokens  []access.Credential
	Pages   pager
	Scopes  []access.ScopeInfo
	Secret  string // a new token, shown once
}

// Keeps reports whether the reader may change it.
func (v machineView) Keeps() bool {
	return access.Allowed(v.Actor, access.ManageServiceAccount, access.Person(v.Account.Sponsor))
}

// Offered are the roles that the form has boxes for: those that it has, and those of the reader.
func (v machineView) Offered() []access.Role {
	all := append([]access.Role(nil), v.Account.Roles...)
	for _, r := range v.Actor.Roles {
		if !v.Has(r) {
			all = append(all, r)
		}
	}
	return all
}

// Has reports whether it was given a role.
func (v machineView) Has(r access.Role) bool {
	for _, has := range v.Account.Roles {
		if has == r {
			return true
		}
	}
	return false
}

// Usual reports whether a new token has a scope unless another is chosen.
func (v machineView) Usual(s access.Scope) bool { return settingsView{}.Usual(s) }

func (m *machines) show(r *http.Request) (string, any, error) {
	found, err := m.kept.Show(r.Context(), r.PathValue("name"))
	if err != nil {
		return "", nil, err
	}
	b, err := m.base(r, found.Name, "machines")
	if err != nil {
		return "", nil, err
	}
	v := machineView{base: b, Account: found, Scopes: access.Scopes()}
	v.Tokens, v.Pages, err = listed(r, "tokens", shownItems, func(p control.Page) (control.Items[access.Credential], error) {
		return m.kept.Tokens(r.Context(), found.Name, p)
	})
	return "machine", v, err
}

func machinePage(name string) string { return "/service-accounts/" + url.PathEscape(name) }

func rolesOf(r *http.Request) []access.Role {
	roles := []access.Role{}
	for _, word := range r.Form["role"] {
		roles = append(roles, access.Role(word))
	}
	return roles
}

func (m *machines) create(r *http.Request) (string, error) {
	made, err := m.kept.Create(r.Context(), control.NewServiceAccount{
		Name: r.FormValue("name"), Purpose: strings.TrimSpace(r.FormValue("purpose")), Sponsor: strings.TrimSpace(r.FormValue("sponsor")), Roles: rolesOf(r),
	})
	return machinePage(made.Name) + "?done=machine", err
}

func (m *machines) change(r *http.Request) (string, error) {
	purpose, sponsor := strings.TrimSpace(r.FormValue("purpose")), strings.TrimSpace(r.FormValue("sponsor"))
	roles, disabled := rolesOf(r), r.FormValue("disabled") != ""
	to := control.ServiceAccountChange{Purpose: &purpose, Roles: &roles, Disabled: &disabled}
	if sponsor != "" {
		to.Sponsor = &sponsor
	}
	name := r.PathValue("name")
	_, err := m.kept.Change(r.Context(), name, to)
	return machinePage(name) + "?done=saved", err
}

func (m *machines) remove(r *http.Request) (string, error) {
	return "/service-accounts?done=machineless", m.kept.Delete(r.Context(), r.PathValue("name"))
}

func (m *machines) revokeToken(r *http.Request) (string, error) {
	name := r.PathValue("name")
	return machinePage(name) + "?done=revoked", m.kept.RevokeToken(r.Context(), name, r.FormValue("id"))
}

// newToken shows the account's page with a secret that no address may carry.
func (m *machines) newToken(w http.ResponseWriter, r *http.Request) {
	r, done, err := m.begin(w, r, maxSmall, access.Door(access.ManageServiceAccount)...)
	if err != nil {
		m.refuse(w, r, err)
		return
	}
	defer done()
	t, err := tokenAsked(r)
	var secret string
	if err == nil {
		secret, _, err = m.kept.NewToken(r.Context(), r.PathValue("name"), t)
	}
	if err != nil {
		m.failed(w, r, err)
		return
	}
	page, view, err := m.show(r)
	if err != nil {
		m.failed(w, r, err)
		return
	}
	v := view.(machineView)
	v.Secret = secret
	m.render(w, r, http.StatusOK, page, v)
}

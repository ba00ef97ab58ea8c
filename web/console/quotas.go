package console

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/web"
	"github.com/agora-host/agora/web/problem"
)

// quotas is the page about how much there is and may be.
type quotas struct {
	*frame
	all web.Quotas
}

type quotasView struct {
	base
	Whose    control.QuotaOf
	Quotas   []control.Quota
	Settings []access.QuotaSetting // for those who see what operators do
	Pages    pager
	Names    []string // of all quotas
}

// Sets reports whether the reader may set quotas.
func (v quotasView) Sets() bool { return access.Allowed(v.Actor, access.SetQuotas, access.TheNode) }

// Sees reports whether the reader may look at the quotas of others.
func (v quotasView) Sees() bool {
	return access.Allowed(v.Actor, access.ReadQuotas, access.Person(""))
}

// Amount is how much of a quota a number is, in words.
func (v quotasView) Amount(quota string, n int64) string { return control.QuotaAmount(quota, n) }

// Logs reports whether the reader sees what operators set.
func (v quotasView) Logs() bool {
	return access.Allowed(v.Actor, access.ReadNodeEvents, access.TheNode)
}

func (q *quotas) show(r *http.Request) (string, any, error) {
	b, err := q.base(r, "Quotas", "quotas")
	if err != nil {
		return "", nil, err
	}
	of := func(name string) string { return strings.TrimSpace(r.URL.Query().Get(name)) }
	v := quotasView{base: b, Whose: control.QuotaOf{User: of("user"), Group: of("group"), App: of("app")}}
	if v.Quotas, err = q.all.List(r.Context(), v.Whose); err != nil || !v.Logs() {
		return "quotas", v, err
	}
	for _, text := range control.QuotaNames() {
		name, _, _ := strings.Cut(text, "=")
		v.Names = append(v.Names, name)
	}
	v.Settings, v.Pages, err = listed(r, "settings", shownItems, func(p control.Page) (control.Items[access.QuotaSetting], error) {
		return q.all.Settings(r.Context(), p)
	})
	return "quotas", v, err
}

// whose reads from a form whose quota is meant.
func whose(r *http.Request) control.QuotaOf {
	of := func(name string) string { return strings.TrimSpace(r.FormValue(name)) }
	return control.QuotaOf{User: of("user"), Group: of("group"), App: of("app")}
}

// quotasPage is the page that shows whose quota was changed.
func quotasPage(of control.QuotaOf, done string) string {
	q := url.Values{"done": {done}}
	for name, value := range map[string]string{"user": of.User, "group": of.Group, "app": of.App} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return "/quotas?" + q.Encode()
}

func (q *quotas) set(r *http.Request) (string, error) {
	name := r.FormValue("quota")
	to := control.SetQuota{QuotaOf: whose(r), Reason: strings.TrimSpace(r.FormValue("reason"))}
	var err error
	if to.Limit, err = control.ParseQuota(name, strings.TrimSpace(r.FormValue("limit"))); err != nil {
		return "", err
	}
	if day := r.FormValue("until"); day != "" {
		if to.Until, err = time.Parse(time.DateOnly, day); err != nil {
			return "", problem.ErrBadRequest
		}
	}
	_, err = q.all.Set(r.Context(), name, to)
	return quotasPage(to.QuotaOf, "allowed"), err
}

func (q *quotas) clear(r *http.Request) (string, error) {
	of := whose(r)
	_, err := q.all.Clear(r.Context(), r.FormValue("quota"), of)
	return quotasPage(of, "allowed"), err
}

package console

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/web"
	"github.com/agora-host/agora/web/intake"
	"github.com/agora-host/agora/web/problem"
)

// provisioning are the pages about who tells who there is.
type provisioning struct {
	*frame
	of web.Provisioning
}

type provisioningView struct {
	base
	All []control.ProvisioningStatus
	// Of a file that is looked at before it is applied.
	Plan   *control.ImportPlan
	Import control.PeopleImport
}

type providerView struct {
	base
	Status control.ProvisioningStatus
	Tokens []access.Credential
	Secret string // of a new token, shown once
}

// mostFile bounds the form of a file. Larger ones are for the command line.
const mostFile = 1<<20 + 64<<10

func (p *provisioning) list(r *http.Request) (string, any, error) {
	b, err := p.base(r, "Provisioning", "settings")
	if err != nil {
		return "", nil, err
	}
	all, err := p.of.Provisionings(r.Context())
	return "provisioning", provisioningView{base: b, All: all}, err
}

func (p *provisioning) show(r *http.Request) (string, any, error) {
	b, err := p.base(r, "Provisioning", "settings")
	if err != nil {
		return "", nil, err
	}
	v := providerView{base: b}
	if v.Status, err = p.of.Provisioning(r.Context(), r.PathValue("provider")); err != nil {
		return "", nil, err
	}
	v.Tokens, err = p.of.ProvisioningTokens(r.Context(), v.Status.Provider)
	return "provider", v, err
}

// newToken shows the provider's page with a secret that no address may carry.
func (p *provisioning) newToken(w http.ResponseWriter, r *http.Request) {
	r, done, err := p.begin(w, r, maxSmall, access.Door(access.ManagePerson)...)
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	defer done()
	if p.asksAgain(w, r, access.ManagePerson) {
		return
	}
	days, err := strconv.Atoi(r.FormValue("days"))
	if err != nil || days < 0 || days > 366 {
		p.failed(w, r, fmt.Errorf("%w: a token lives 1 to 366 days, or 0 for ever", problem.ErrBadRequest))
		return
	}
	name := strings.TrimSpace(r.FormValue("provider"))
	secret, _, err := p.of.NewProvisioningToken(r.Context(), control.NewProvisioningToken{Provider: name, Label: r.FormValue("label"), TTL: time.Duration(days) * 24 * time.Hour})
	if err != nil {
		p.failed(w, r, err)
		return
	}
	r.SetPathValue("provider", name)
	page, view, err := p.show(r)
	if err != nil {
		p.failed(w, r, err)
		return
	}
	v := view.(providerView)
	v.Secret = secret
	p.render(w, r, http.StatusOK, page, v)
}

func (p *provisioning) at(r *http.Request) string {
	return "/provisioning/" + url.PathEscape(r.PathValue("provider"))
}

func (p *provisioning) revoke(r *http.Request) (string, error) {
	return p.at(r) + "?done=revoked", p.of.RevokeProvisioningToken(r.Context(), r.PathValue("provider"), r.FormValue("id"))
}

func (p *provisioning) link(r *http.Request) (string, error) {
	_, err := p.of.LinkPerson(r.Context(), r.PathValue("provider"), control.ProvisioningLink{
		UserName: r.FormValue("user_name"), External: r.FormValue("external"), Person: strings.TrimSpace(r.FormValue("person")),
	})
	return p.at(r) + "?done=linked", err
}

func (p *provisioning) dismiss(r *http.Request) (string, error) {
	return p.at(r) + "?done=saved", p.of.DismissConflict(r.Context(), r.PathValue("provider"), r.FormValue("user_name"))
}

// importPeople shows what a file changes, or changes it. The preview carries the file with it, so that
// what is applied is what was looked at.
func (p *provisioning) importPeople(w http.ResponseWriter, r *http.Request) {
	r, done, err := p.begin(w, r, mostFile, access.Door(access.ManagePerson)...)
	if err == nil {
		err = p.recent(r, access.ManagePerson) // the page with the form asks for it, too: a file cannot be kept
	}
	if err != nil {
		if done != nil {
			done()
		}
		p.refuse(w, r, err)
		return
	}
	defer done()
	in, err := importOf(r)
	if err != nil {
		p.failed(w, r, err)
		return
	}
	plan, err := p.of.ImportPeople(r.Context(), in)
	if err != nil {
		p.failed(w, r, err)
		return
	}
	name, view, err := p.list(r)
	if err != nil {
		p.failed(w, r, err)
		return
	}
	v := view.(provisioningView)
	v.Plan, v.Import = &plan, in
	p.render(w, r, http.StatusOK, name, v)
}

// importOf reads the form of an import: a file, or the text of the one that was looked at.
func importOf(r *http.Request) (in control.PeopleImport, err error) {
	form, err := intake.ReadForm(r, nil, "provider", "complete", "apply", "revision", "file", "text")
	if err != nil {
		return in, err
	}
	part := func(name string) string { return strings.TrimSpace(string(form.Parts[name])) }
	in = control.PeopleImport{
		Provider: part("provider"), Complete: part("complete") != "", Apply: part("apply") != "", Revision: part("revision"),
		Format: "csv", File: string(form.Parts["file"]),
	}
	if in.File == "" {
		in.File = string(form.Parts["text"])
	}
	if in.File == "" {
		return in, fmt.Errorf("%w: choose a file", problem.ErrBadRequest)
	}
	if strings.HasPrefix(strings.TrimSpace(in.File), "[") {
		in.Format = "json"
	}
	return in, nil
}

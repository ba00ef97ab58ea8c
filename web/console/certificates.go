package console

import (
	"fmt"
	"net/http"

	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/web"
)

// certificates say what was removed.
type certificates struct {
	*frame
	removed web.Certificates
}

type certificatesView struct {
	base
	App          string // "" for all
	Certificates []registry.Issued
	Pages        pager
}

func (c *certificates) list(r *http.Request) (string, any, error) {
	b, err := c.base(r, "Certificates", "activity")
	if err != nil {
		return "", nil, err
	}
	v := certificatesView{base: b, App: r.URL.Query().Get("app")}
	v.Certificates, v.Pages, err = listed(r, "certificates", shownItems, func(p control.Page) (control.Items[registry.Issued], error) {
		return c.removed.Certificates(r.Context(), v.App, p)
	})
	return "certificates", v, err
}

type certificateView struct {
	base
	Certificate registry.Issued
}

func (c *certificates) show(r *http.Request) (string, any, error) {
	found, err := c.removed.Certificate(r.Context(), r.PathValue("id"))
	if err != nil {
		return "", nil, err
	}
	b, err := c.base(r, "Certificate "+found.ID, "activity")
	return "certificate", certificateView{b, found}, err
}

// save gives the document that was signed, or its signature, as a file.
func (c *certificates) save(w http.ResponseWriter, r *http.Request) {
	r, err := c.signedIn(r)
	if err != nil {
		c.failed(w, r, err)
		return
	}
	found, err := c.removed.Certificate(r.Context(), r.PathValue("id"))
	if err != nil {
		c.failed(w, r, err)
		return
	}
	name, body := found.ID+".json", found.Document
	if r.URL.Path == "/certificates/"+found.ID+"/signature" {
		name, body = found.ID+".json.sigstore.json", found.Signature
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", name))
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(body) // who went away needs no response
}

package console

import (
	"fmt"
	"net/http"

	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/web/problem"
)

// Owns reports whether the app is the actor's own.
func (v appView) Owns() bool { return v.Actor.User == v.App.Owner }

func (c *Console) suspendApp(r *http.Request) (string, error) {
	_, err := c.node.SuspendApp(r.Context(), r.PathValue("app"), r.FormValue("reason"))
	return appPage(r, "suspended"), err
}

func (c *Console) resumeApp(r *http.Request) (string, error) {
	_, err := c.node.ResumeApp(r.Context(), r.PathValue("app"), r.FormValue("reason"))
	return appPage(r, "resumed"), err
}

// deleteApp deletes an app whose name was typed.
func (c *Console) deleteApp(r *http.Request) (string, error) {
	app := r.PathValue("app")
	if r.FormValue("name") != app {
		return "", fmt.Errorf("%w: nothing was deleted; type the name of the app, %s, to delete it", problem.ErrBadRequest, app)
	}
	_, err := c.node.DeleteApp(r.Context(), app, r.FormValue("reason"))
	return appPage(r, "deleting"), err
}

func (c *Console) undeleteApp(r *http.Request) (string, error) {
	_, err := c.node.UndeleteApp(r.Context(), r.PathValue("app"))
	return appPage(r, "undeleted"), err
}

func (c *Console) transferApp(r *http.Request) (string, error) {
	app, err := c.node.TransferApp(r.Context(), r.PathValue("app"), r.FormValue("to"), r.FormValue("reason"))
	if app.Offer != nil {
		return appPage(r, "offered"), err
	}
	return appPage(r, "handed"), err
}

func (c *Console) answerOffer(r *http.Request) (string, error) {
	accept := r.FormValue("accept") != ""
	_, err := c.node.AnswerOffer(r.Context(), r.PathValue("app"), accept)
	if accept {
		return appPage(r, "handed"), err
	}
	return appPage(r, "ended"), err
}

func (c *Console) renameApp(r *http.Request) (string, error) {
	_, err := c.node.RenameApp(r.Context(), r.PathValue("app"), r.FormValue("title"))
	return appPage(r, "renamed"), err
}

type certificatesView struct {
	base
	App          string // "" for all
	Certificates []registry.Issued
	Pages        pager
}

func (c *Console) certificates(r *http.Request) (string, any, error) {
	b, err := c.base(r, "Certificates", "activity")
	if err != nil {
		return "", nil, err
	}
	v := certificatesView{base: b, App: r.URL.Query().Get("app")}
	v.Certificates, v.Pages, err = listed(r, "certificates", shownItems, func(p control.Page) (control.Items[registry.Issued], error) {
		return c.node.Certificates(r.Context(), v.App, p)
	})
	return "certificates", v, err
}

type certificateView struct {
	base
	Certificate registry.Issued
}

func (c *Console) certificate(r *http.Request) (string, any, error) {
	found, err := c.node.Certificate(r.Context(), r.PathValue("id"))
	if err != nil {
		return "", nil, err
	}
	b, err := c.base(r, "Certificate "+found.ID, "activity")
	return "certificate", certificateView{b, found}, err
}

// saveCertificate gives the document that was signed, or its signature, as a file.
func (c *Console) saveCertificate(w http.ResponseWriter, r *http.Request) {
	r, err := c.signedIn(r)
	if err != nil {
		c.failed(w, r, err)
		return
	}
	found, err := c.node.Certificate(r.Context(), r.PathValue("id"))
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
	_, _ = w.Write(body) // who went away needs no answer
}

package node

import (
	"errors"
	"net/http"

	"github.com/agora-host/agora/host/gateway"
	"github.com/agora-host/agora/internal/door"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/web/problem"
)

// writeFault sends a caller of an app the response to a request that was not served. Nobody has signed
// in, so that the app's owner is named as colleagues know them, and not by an address that takes mail.
func (h *Node) writeFault(w http.ResponseWriter, r *http.Request, id string, err error) {
	var about problem.About
	if app, found := h.Host.NoteRefused(r.Context(), r.Host, id, err); found {
		about = problem.About{App: app.Name, Title: app.Title, Owner: registry.KnownAs(app.Owner), Team: app.Team, Console: h.origins.consoleURL}
	}
	about.Page = gateway.TakesPage(r.Header)
	problem.WriteFault(w, about, err)
}

// refuse is writeFault for requests that reach no handler, so that no app is looked up for them.
func (h *Node) refuse(w http.ResponseWriter, r *http.Request, err error) {
	w.Header().Set(gateway.InvocationHeader, gateway.NewID())
	if errors.Is(err, door.ErrMethod) {
		w.Header().Set("Allow", door.Methods)
	}
	problem.WriteFault(w, problem.About{Page: gateway.TakesPage(r.Header)}, err)
}

package console

import (
	"net/http"
	"strings"

	"github.com/agora-host/agora/web"
)

// vault are the acts on the secrets of an app.
type vault struct{ secrets web.Vault }

func (v *vault) set(r *http.Request) (string, error) {
	name := strings.TrimSpace(r.FormValue("name"))
	_, err := v.secrets.SetSecret(r.Context(), r.PathValue("app"), name, []byte(r.FormValue("value")))
	return appPage(r, "kept"), err
}

func (v *vault) delete(r *http.Request) (string, error) {
	return appPage(r, "forgotten"), v.secrets.DeleteSecret(r.Context(), r.PathValue("app"), r.PathValue("name"))
}

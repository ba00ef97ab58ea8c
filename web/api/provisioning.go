package api

import (
	"time"

	"github.com/labstack/echo/v4"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
)

// The documents of provisioning that only the API has.
type (
	NewProvisioningToken struct {
		Label string `json:"label,omitempty"`
		Hours int    `json:"hours,omitempty" bounds:"min=0,max=8784"` // 0: does not expire
	}
	ProvisioningToken struct {
		Secret string `json:"secret"`
		URL    string `json:"url"` // what the provider is given as the address
		access.Credential
	}
)

// importRoom is how large a file of people may be, in JSON, and what it takes beside itself.
func importRoom(*server, echo.Context) (limit, needs int64, err error) {
	return 2 * control.MaxImport, 4 * control.MaxImport, nil
}

func listProvisioning(s *server, c echo.Context) (any, error) {
	return whole(s.Provisioning.Provisionings(c.Request().Context()))
}

func getProvisioning(s *server, c echo.Context) (any, error) {
	return one(s.Provisioning.Provisioning(c.Request().Context(), arg[string](c, "provider")))
}

func listProvisioningTokens(s *server, c echo.Context) (any, error) {
	return whole(s.Provisioning.ProvisioningTokens(c.Request().Context(), arg[string](c, "provider")))
}

func newProvisioningToken(s *server, c echo.Context) (any, error) {
	in, err := decode[NewProvisioningToken](c)
	if err != nil {
		return nil, err
	}
	ctx, provider := c.Request().Context(), arg[string](c, "provider")
	secret, made, err := s.Provisioning.NewProvisioningToken(ctx, control.NewProvisioningToken{Provider: provider, Label: in.Label, TTL: time.Duration(in.Hours) * time.Hour})
	if err != nil {
		return nil, err
	}
	status, err := s.Provisioning.Provisioning(ctx, provider)
	return one(ProvisioningToken{secret, status.URL, made}, err)
}

func revokeProvisioningToken(s *server, c echo.Context) (any, error) {
	return nil, s.Provisioning.RevokeProvisioningToken(c.Request().Context(), arg[string](c, "provider"), arg[string](c, "id"))
}

func linkPerson(s *server, c echo.Context) (any, error) {
	in, err := decode[control.ProvisioningLink](c)
	if err != nil {
		return nil, err
	}
	return one(s.Provisioning.LinkPerson(c.Request().Context(), arg[string](c, "provider"), in))
}

func dismissConflict(s *server, c echo.Context) (any, error) {
	return nil, s.Provisioning.DismissConflict(c.Request().Context(), arg[string](c, "provider"), arg[string](c, "user"))
}

func importPeople(s *server, c echo.Context) (any, error) {
	in, err := decode[control.PeopleImport](c)
	if err != nil {
		return nil, err
	}
	return one(s.Provisioning.ImportPeople(c.Request().Context(), in))
}

package api

import (
	"time"

	"github.com/labstack/echo/v4"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
)

func listServiceAccounts(s *server, c echo.Context, p control.Page) (Items[control.ServiceAccount], error) {
	f := control.ServiceAccountFilter{Sponsor: arg[string](c, "sponsor"), Orphaned: arg[string](c, "orphaned") == "true"}
	return s.ServiceAccounts.List(c.Request().Context(), f, p)
}

func getServiceAccount(s *server, c echo.Context) (any, error) {
	return one(s.ServiceAccounts.Show(c.Request().Context(), arg[string](c, "name")))
}

func createServiceAccount(s *server, c echo.Context) (any, error) {
	in, err := decode[control.NewServiceAccount](c)
	if err != nil {
		return nil, err
	}
	return one(s.ServiceAccounts.Create(c.Request().Context(), in))
}

func changeServiceAccount(s *server, c echo.Context) (any, error) {
	in, err := decode[control.ServiceAccountChange](c)
	if err != nil {
		return nil, err
	}
	return one(s.ServiceAccounts.Change(c.Request().Context(), arg[string](c, "name"), in))
}

func deleteServiceAccount(s *server, c echo.Context) (any, error) {
	return nil, s.ServiceAccounts.Delete(c.Request().Context(), arg[string](c, "name"))
}

func listServiceTokens(s *server, c echo.Context, p control.Page) (Items[access.Credential], error) {
	return s.ServiceAccounts.Tokens(c.Request().Context(), arg[string](c, "name"), p)
}

func newServiceToken(s *server, c echo.Context) (any, error) {
	in, err := decode[NewToken](c)
	if err != nil {
		return nil, err
	}
	secret, credential, err := s.ServiceAccounts.NewToken(c.Request().Context(), arg[string](c, "name"), in.asked())
	credential.Hash = ""
	return one(Token{secret, credential}, err)
}

func revokeServiceToken(s *server, c echo.Context) (any, error) {
	return nil, s.ServiceAccounts.RevokeToken(c.Request().Context(), arg[string](c, "name"), arg[string](c, "id"))
}

// asked is a token as the flows know it.
func (t NewToken) asked() control.NewToken {
	return control.NewToken{Label: t.Label, TTL: time.Duration(t.Hours) * time.Hour, Automation: t.Automation, Reach: t.Reach}
}

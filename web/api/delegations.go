package api

import (
	"github.com/labstack/echo/v4"

	"github.com/agora-host/agora/control"
)

func listDelegations(s *server, c echo.Context, p control.Page) (Items[control.ShownDelegation], error) {
	return s.Delegations.List(c.Request().Context(), arg[string](c, "person"), p)
}

func delegate(s *server, c echo.Context) (any, error) {
	in, err := decode[control.NewDelegation](c)
	if err != nil {
		return nil, err
	}
	return one(s.Delegations.Delegate(c.Request().Context(), in))
}

func endDelegation(s *server, c echo.Context) (any, error) {
	return nil, s.Delegations.EndDelegation(c.Request().Context(), arg[string](c, "person"), arg[string](c, "id"))
}

package api

import (
	"github.com/labstack/echo/v4"

	"github.com/agora-host/agora/control"
)

// EndedSessions says how many sessions were ended.
type EndedSessions struct {
	Ended int `json:"ended"`
}

// A path without a name is about the caller's own sessions.

func listSessions(s *server, c echo.Context, p control.Page) (Items[control.SignedIn], error) {
	return s.Sessions.List(c.Request().Context(), c.Param("name"), p)
}

func endSession(s *server, c echo.Context) (any, error) {
	return nil, s.Sessions.End(c.Request().Context(), c.Param("name"), arg[string](c, "id"))
}

func endSessions(s *server, c echo.Context) (any, error) {
	ended, err := s.Sessions.EndAll(c.Request().Context(), c.Param("name"))
	return one(EndedSessions{ended}, err)
}

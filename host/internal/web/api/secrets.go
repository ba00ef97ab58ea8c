package api

import (
	"fmt"
	"mime"

	"github.com/labstack/echo/v4"

	"github.com/agora-host/agora/host/internal/web/problem"
)

const octets = "application/octet-stream"

// setSecret takes the bytes as they are: no parser can quote them in an error.
func setSecret(s *server, c echo.Context) (any, error) {
	media, _, err := mime.ParseMediaType(c.Request().Header.Get("Content-Type"))
	if err != nil || media != octets {
		return nil, fmt.Errorf("%w: send %s, not %q", problem.ErrMediaType, octets, media)
	}
	value, err := readAll(c)
	if err != nil {
		return nil, err
	}
	return one(s.node.SetSecret(c.Request().Context(), c.Param("app"), c.Param("name"), value))
}

func deleteSecret(s *server, c echo.Context) (any, error) {
	return nil, s.node.DeleteSecret(c.Request().Context(), c.Param("app"), c.Param("name"))
}

func rotateSecrets(s *server, c echo.Context) (any, error) {
	n, err := s.node.RotateSecrets(c.Request().Context())
	return Rotated{n}, err
}

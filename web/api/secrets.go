package api

import (
	"github.com/labstack/echo/v4"
)

// Media types of bodies.
const (
	octets = "application/octet-stream"
	wasm   = "application/wasm"
)

// setSecret takes the bytes as they are: no parser can quote them in an error.
func setSecret(s *server, c echo.Context) (any, error) {
	if err := takes(c, octets); err != nil {
		return nil, err
	}
	value, err := readAll(c)
	if err != nil {
		return nil, err
	}
	return one(s.Vault.SetSecret(c.Request().Context(), arg[string](c, "app"), arg[string](c, "name"), value))
}

func deleteSecret(s *server, c echo.Context) (any, error) {
	return nil, s.Vault.DeleteSecret(c.Request().Context(), arg[string](c, "app"), arg[string](c, "name"))
}

func rotateSecrets(s *server, c echo.Context) (any, error) {
	n, err := s.Vault.RotateSecrets(c.Request().Context())
	return Rotated{n}, err
}

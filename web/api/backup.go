package api

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/agora-host/agora/internal/door"
)

// slowestBackup is the least rate at which a backup is read, in bytes a second.
const slowestBackup = 64 << 10

// backup streams. While it does, the stores keep what their writers free; the front door gives
// up a reader that is too slow.
func backup(s *server, c echo.Context) (any, error) {
	door.AtLeast(c.Request().Context(), slowestBackup)
	c.Response().Before(func() {
		if c.Response().Status == http.StatusOK {
			c.Response().Header().Set("Content-Type", "application/gzip")
			c.Response().Header().Set("Content-Disposition", "attachment; filename=agora-backup.tar.gz")
			c.Response().Header().Set("Cache-Control", "no-store")
		}
	})
	err := s.Backup.Backup(c.Request().Context(), c.Response())
	if err != nil && c.Response().Committed {
		s.log.ErrorContext(c.Request().Context(), "a backup broke off", "err", err)
		panic(http.ErrAbortHandler) // the one way to tell the reader that it has not all
	}
	return nil, err
}

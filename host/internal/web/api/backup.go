package api

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// backup streams. While it does, the stores keep what their writers free, so a
// reader that is too slow is given up.
func backup(s *server, c echo.Context) (any, error) {
	w := &patientWriter{w: c.Response(), control: http.NewResponseController(c.Response()), began: time.Now()}
	c.Response().Before(func() {
		if c.Response().Status == http.StatusOK {
			c.Response().Header().Set("Content-Type", "application/gzip")
			c.Response().Header().Set("Content-Disposition", "attachment; filename=agora-backup.tar.gz")
			c.Response().Header().Set("Cache-Control", "no-store")
		}
	})
	defer func() { _ = w.control.SetWriteDeadline(time.Time{}) }() // of the connection, which goes on
	err := s.node.Backup(c.Request().Context(), w)
	if err != nil && c.Response().Committed {
		s.log.ErrorContext(c.Request().Context(), "a backup broke off", "err", err)
		panic(http.ErrAbortHandler) // the one way to tell the reader that it has not all
	}
	return nil, err
}

const (
	writeWithin = 30 * time.Second // one write
	slowest     = 64 << 10         // bytes a second, on average after the first minute
)

type patientWriter struct {
	w       io.Writer
	control *http.ResponseController
	began   time.Time
	written int64
}

func (p *patientWriter) Write(b []byte) (int, error) {
	if age := time.Since(p.began); age > time.Minute && p.written < slowest*int64(age/time.Second) {
		return 0, fmt.Errorf("the reader took %d bytes in %s, which is too slow", p.written, age.Round(time.Second))
	}
	if err := p.control.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return 0, err
	}
	n, err := p.w.Write(b)
	p.written += int64(n)
	return n, err
}

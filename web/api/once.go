package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"regexp"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/agora-host/agora/control"
)

// The headers of writes that are served once, as the IETF's draft
// draft-ietf-httpapi-idempotency-key-header has them.
const (
	keyHeader      = "Idempotency-Key"
	replayedHeader = "Idempotency-Replayed" // true: the answer is one of before
)

// writes reports whether an operation changes something, so that its key counts.
func (r route) writes() bool { return r.method != http.MethodGet && !r.public }

// respond serves a request that was let in: once, if it is a write that has a key.
func (s *server) respond(r route, c echo.Context) error {
	key, err := keyOf(c.Request())
	if err != nil && r.writes() {
		return err
	}
	if !r.writes() || r.repeatable || key == "" {
		return s.change(r, c, nil)
	}
	raw, err := readAll(c)
	if err != nil {
		return err
	}
	c.Request().Body = io.NopCloser(bytes.NewReader(raw))
	ctx := c.Request().Context()
	within, was, end, err := s.Attempts.BeginAttempt(ctx, key, printOf(c.Request(), raw))
	switch {
	case errors.Is(err, control.ErrAnswerLost) && r.answer == nil:
		was = &control.Answer{Status: http.StatusNoContent}
	case errors.Is(err, control.ErrAnswerLost) && r.reread != nil:
		c.Response().Header().Set(replayedHeader, "true") // the change was made; this is what it is about, now
		r.handle = r.reread
		return s.send(r, c, nil)
	case err != nil:
		return err
	}
	if was != nil {
		c.Response().Header().Set(replayedHeader, "true")
		return give(c, was)
	}
	c.SetRequest(c.Request().WithContext(within))
	var kept *control.Answer
	defer func() { // a handler that panics leaves, too
		if err := end(kept); err != nil {
			s.log.ErrorContext(ctx, "the response to a write with a key is not kept", "operation", r.id, "err", err)
		}
	}()
	return s.change(r, c, func(a control.Answer) {
		if a.Secret = r.secret; a.Secret {
			a.Body = nil
		}
		kept = &a
	})
}

// keyPattern is a key, perhaps in the quotes that the draft has it in.
const keyPattern = `^"?[!#-~]{1,255}"?$`

var keyForm = regexp.MustCompile(keyPattern)

// keyOf returns the key of a request, "" if it has none; control.ErrBadKey.
func keyOf(r *http.Request) (string, error) {
	keys := r.Header.Values(keyHeader)
	switch {
	case len(keys) == 0:
		return "", nil
	case len(keys) > 1:
		return "", fmt.Errorf("%w: it is given %d times", control.ErrBadKey, len(keys))
	case !keyForm.MatchString(keys[0]):
		return "", control.ErrBadKey
	}
	return strings.Trim(keys[0], `"`), nil
}

// change serves a request that was not served before: a write only if its caller has read what is there.
func (s *server) change(r route, c echo.Context, keep func(control.Answer)) error {
	if r.match() && !r.inBody {
		if err := s.expect(c, r.of(c), r.creates); err != nil {
			return err
		}
	}
	return s.send(r, c, keep)
}

// send serves a request, and has keep called with the response before it is given.
func (s *server) send(r route, c echo.Context, keep func(control.Answer)) error {
	answer, err := r.handle(s, c)
	if err != nil || c.Response().Committed {
		return err
	}
	answer, known, err := r.tag(c, answer)
	if err != nil {
		return err
	}
	a := control.Answer{Status: http.StatusNoContent}
	if known {
		a.Status, answer = http.StatusNotModified, nil
	}
	if answer != nil {
		a.Status, a.Media = r.success(), echo.MIMEApplicationJSON
		if a.Body, err = json.Marshal(complete(reflect.ValueOf(answer)).Interface()); err != nil {
			return err
		}
	}
	if keep != nil {
		keep(a)
	}
	return give(c, &a)
}

// give writes a response.
func give(c echo.Context, a *control.Answer) error {
	h := c.Response().Header()
	h.Set("Cache-Control", "no-store")
	if a.Media == "" {
		return c.NoContent(a.Status)
	}
	return c.Blob(a.Status, a.Media, append(bytes.Clone(a.Body), '\n'))
}

// printOf tells requests apart: by method, address and body. Whose they are, the key says.
func printOf(r *http.Request, body []byte) string {
	h := sha256.New()
	for _, part := range []string{r.Method, r.URL.EscapedPath(), r.URL.Query().Encode(), r.Header.Get("Content-Type"), string(body)} {
		_, _ = fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

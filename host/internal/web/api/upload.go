package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/host/internal/door"
	"github.com/agora-host/agora/host/internal/web"
	"github.com/agora-host/agora/host/internal/web/problem"
	"github.com/agora-host/agora/registry"
)

// partLimits bound the parts of an upload but the module, in bytes.
var partLimits = map[string]int64{"manifest": 256 << 10, "bundle": 1 << 20}

// upload waits for a place among the uploads that are in memory, and answers
// what gives it back.
func (s *server) upload(c echo.Context) (done func(), err error) {
	select {
	case s.uploads <- struct{}{}:
		door.Unheld(c.Request().Context()) // the places bound what uploads hold
		return func() { <-s.uploads }, nil
	case <-c.Request().Context().Done():
		return nil, c.Request().Context().Err()
	}
}

// parts reads a multipart body: each named part once, none that is not known.
// A part that is missing is nil.
func (s *server) parts(c echo.Context, known ...string) (map[string][]byte, error) {
	reader, err := c.Request().MultipartReader()
	if err != nil {
		return nil, fmt.Errorf("%w: send multipart/form-data with the parts %s", problem.ErrMediaType, strings.Join(known, ", "))
	}
	found := map[string][]byte{}
	for {
		part, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, unreadable(err)
		}
		name := part.FormName()
		if _, twice := found[name]; twice || !strings.Contains(" "+strings.Join(known, " ")+" ", " "+name+" ") {
			return nil, fmt.Errorf("%w: part %q; each of %s is taken once", problem.ErrBadRequest, name, strings.Join(known, ", "))
		}
		limit, ok := partLimits[name]
		if !ok {
			limit = s.o.MaxModule
		}
		b, err := io.ReadAll(io.LimitReader(part, limit+1))
		if err != nil {
			return nil, unreadable(err)
		}
		if int64(len(b)) > limit {
			return nil, fmt.Errorf("the %s has more than %d bytes: %w", name, limit, registry.ErrTooLarge)
		}
		found[name] = b
	}
}

// publish takes an upload in. A caller that asks for newline-delimited JSON is
// told each step as it begins.
func publish(s *server, c echo.Context) (any, error) {
	done, err := s.upload(c)
	if err != nil {
		return nil, err
	}
	defer done()
	parts, err := s.parts(c, "manifest", "module", "bundle")
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"manifest", "module"} {
		if parts[name] == nil {
			return nil, fmt.Errorf("%w: the part %q is missing", problem.ErrBadRequest, name)
		}
	}
	u := web.Upload{Manifest: parts["manifest"], Module: parts["module"], Bundle: parts["bundle"]}
	if !strings.Contains(c.Request().Header.Get("Accept"), "application/x-ndjson") {
		return one(s.node.Publish(c.Request().Context(), u, nil))
	}
	stream := newStream(c)
	published, err := s.node.Publish(c.Request().Context(), u, func(stage string) { stream.send(Step{Stage: stage}) })
	if err != nil {
		p := problem.For(err)
		stream.send(Step{Problem: &p})
		return nil, err // to be logged, if it is the node's own trouble
	}
	stream.send(Step{Published: &published})
	return nil, nil
}

// Step is one line of an upload's stream: a stage that begins, or the end.
type Step struct {
	Stage     string         `json:"stage,omitempty"`
	Published *web.Published `json:"published,omitempty"`
	Problem   *abi.Problem   `json:"problem,omitempty"`
}

type stream struct{ w *echo.Response }

func newStream(c echo.Context) stream {
	w := c.Response()
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	return stream{w}
}

// send writes a line. If the caller is gone, the work goes on: an upload that
// was taken in is in, and is found again when it is repeated.
func (s stream) send(step Step) {
	if json.NewEncoder(s.w).Encode(step) == nil {
		s.w.Flush()
	}
}

func checkPolicy(s *server, c echo.Context) (any, error) {
	done, err := s.upload(c)
	if err != nil {
		return nil, err
	}
	defer done()
	parts, err := s.parts(c, "manifest", "module")
	if err != nil {
		return nil, err
	}
	if parts["manifest"] == nil {
		return nil, fmt.Errorf("%w: the part %q is missing", problem.ErrBadRequest, "manifest")
	}
	tier := abi.Tier(c.QueryParam("tier"))
	if tier != "" {
		if err := knownTier(tier); err != nil {
			return nil, err
		}
	}
	return whole(s.node.CheckPolicy(c.Request().Context(), parts["manifest"], parts["module"], tier))
}

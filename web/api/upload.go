package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/web/intake"
	"github.com/agora-host/agora/web/problem"
)

// publish takes an upload in. A caller that asks for newline-delimited JSON is
// told each step as it begins.
func publish(s *server, c echo.Context) (any, error) {
	form, err := intake.ReadForm(c.Request(), s.Intake, "manifest", "module", "bundle")
	if err != nil {
		return nil, err
	}
	defer form.Discard()
	u := control.Upload{Manifest: form.Parts["manifest"], Module: form.Module, Bundle: form.Parts["bundle"]}
	if u.Manifest == nil {
		return nil, fmt.Errorf("%w: the part %q is missing", problem.ErrBadRequest, "manifest")
	}
	if u.Module == nil {
		return nil, fmt.Errorf("%w: the part %q is missing", problem.ErrBadRequest, "module")
	}
	if !strings.Contains(c.Request().Header.Get("Accept"), "application/x-ndjson") {
		return one(s.Publisher.Publish(c.Request().Context(), u, nil))
	}
	stream := newStream(c)
	published, err := s.Publisher.Publish(c.Request().Context(), u, func(stage string) { stream.send(Step{Stage: stage}) })
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
	Stage     string             `json:"stage,omitempty"`
	Published *control.Published `json:"published,omitempty"`
	Problem   *abi.Problem       `json:"problem,omitempty"`
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
	form, err := intake.ReadForm(c.Request(), s.Intake, "manifest", "module")
	if err != nil {
		return nil, err
	}
	defer form.Discard()
	if form.Parts["manifest"] == nil {
		return nil, fmt.Errorf("%w: the part %q is missing", problem.ErrBadRequest, "manifest")
	}
	tier := abi.Tier(arg[string](c, "tier"))
	return whole(s.Policy.CheckPolicy(c.Request().Context(), form.Parts["manifest"], form.Module, tier))
}

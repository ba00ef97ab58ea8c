package scim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/web/problem"
)

// fault is an error as section 3.12 of RFC 7644 has it.
type fault struct {
	status int
	kind   string // scimType; "" for none
	detail string
}

func (f *fault) Error() string { return f.detail }

func invalid(kind, format string, args ...any) error {
	return &fault{http.StatusBadRequest, kind, fmt.Sprintf(format, args...)}
}

func invalidValue(format string, args ...any) error { return invalid("invalidValue", format, args...) }

// faultOf says in the protocol's words what went wrong.
func faultOf(err error) *fault {
	if f, ok := errors.AsType[*fault](err); ok {
		return f
	}
	p := problem.For(err)
	f := &fault{status: p.Status, detail: p.Title + ": " + p.Detail}
	if p.Remedy.Summary != "" {
		f.detail += " " + p.Remedy.Summary
	}
	switch {
	case errors.Is(err, access.ErrProvisionedTwice), errors.Is(err, access.ErrNameTaken), errors.Is(err, access.ErrGroupTaken):
		f.status, f.kind = http.StatusConflict, "uniqueness"
	case errors.Is(err, access.ErrProvisioning), errors.Is(err, access.ErrBadUser), errors.Is(err, access.ErrBadGroup):
		f.status, f.kind = http.StatusBadRequest, "invalidValue"
	case errors.Is(err, control.ErrTooMany):
		f.status, f.kind = http.StatusBadRequest, "tooMany"
	case errors.Is(err, problem.ErrBadRequest):
		f.kind = "invalidSyntax"
	}
	return f
}

func (c *call) fail(err error) {
	f := faultOf(err)
	if problem.Internal(err) && f.status >= 500 && f.status != http.StatusNotImplemented {
		c.log.ErrorContext(c.r.Context(), "a provider's request failed", "provider", c.provider, "method", c.r.Method, "path", c.r.URL.Path, "err", err)
	}
	doc := map[string]any{"schemas": []string{messageURN + "Error"}, "status": strconv.Itoa(f.status), "detail": f.detail}
	if f.kind != "" {
		doc["scimType"] = f.kind
	}
	if f.status == http.StatusUnauthorized {
		c.w.Header().Set("WWW-Authenticate", `Bearer realm="agora"`)
	}
	if f.status == http.StatusServiceUnavailable || f.status == http.StatusTooManyRequests {
		c.w.Header().Set("Retry-After", "1")
	}
	c.write(f.status, doc)
}

func (c *call) write(status int, doc any) {
	h := c.w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	if doc == nil {
		c.w.WriteHeader(status)
		return
	}
	h.Set("Content-Type", mediaType)
	c.w.WriteHeader(status)
	enc := json.NewEncoder(c.w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(doc)
}

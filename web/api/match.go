package api

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/triggers"
)

// The headers of documents that two people may edit, as RFC 9110 has them.
const (
	tagHeader       = "ETag"
	matchHeader     = "If-Match"
	noneMatchHeader = "If-None-Match"
)

// tagsPattern is "*" or a list of entity tags, as it is described. An empty list is refused: it is a
// client's mistake, and to take no notice of it would be to write over what others have changed.
const tagsPattern = `^(\*|(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*)$`

var (
	tagsForm = regexp.MustCompile(tagsPattern)
	oneTag   = regexp.MustCompile(`(W/)?("[!#-~]*")`)
)

// maxTags bounds how many tags one request names.
const maxTags = 100

// subject names the document that an operation reads or changes.
type subject func(echo.Context) control.Document

func documentOf(kind control.DocumentKind, param string) subject {
	return func(c echo.Context) control.Document { return control.Document{Kind: kind, ID: arg[string](c, param)} }
}

var (
	anApp    = documentOf(control.DocumentApp, "app")
	aUser    = documentOf(control.DocumentUser, "name")
	aGroup   = documentOf(control.DocumentGroup, "group")
	aRequest = documentOf(control.DocumentRequest, "id")
	aGrant   = documentOf(control.DocumentGrant, "id")
)

func aTrigger(c echo.Context) control.Document {
	return control.Document{Kind: control.DocumentTrigger, Trigger: triggerAt(c)}
}

func triggerAt(c echo.Context) triggers.Ref {
	return triggers.Ref{App: arg[string](c, "app"), Kind: abi.TriggerKind(arg[string](c, "kind")), Name: arg[string](c, "name")}
}

// tagged is a document whose tag is not made of all that is shown of it.
type tagged struct {
	doc any
	tag string
}

// noMatch reports whether an operation takes If-None-Match: reading does, and what can create.
func (r route) noMatch() bool { return r.of != nil && (r.method == http.MethodGet || r.creates) }

// match reports whether an operation takes If-Match.
func (r route) match() bool { return r.of != nil && r.method != http.MethodGet }

// tagsIn reads a header that names tags, and returns nil if it is not given. Tags that are weak are
// left out if strong is wanted: they never match.
func tagsIn(h http.Header, name string, strong bool) (*control.Tags, error) {
	values := h.Values(name)
	if len(values) == 0 {
		return nil, nil
	}
	text := strings.Trim(strings.Join(values, ", "), " \t")
	found := oneTag.FindAllStringSubmatch(text, maxTags+1)
	if !tagsForm.MatchString(text) || len(found) > maxTags {
		return nil, &control.ParameterError{Name: name, Why: fmt.Sprintf("is * or a list of at most %d ETags as they were given, in quotation marks and with commas between them", maxTags)}
	}
	t := &control.Tags{Any: text == "*"}
	for _, m := range found {
		if m[1] == "" || !strong {
			t.List = append(t.List, m[2])
		}
	}
	return t, nil
}

// expect holds a write to what its caller has read of a document, if the request names that.
func (s *server) expect(c echo.Context, of control.Document, creates bool) error {
	var on control.Condition
	var err, also error
	on.Match, err = tagsIn(c.Request().Header, matchHeader, true)
	if creates {
		on.NoneMatch, also = tagsIn(c.Request().Header, noneMatchHeader, false)
	}
	if err := errors.Join(err, also); err != nil || !on.Given() {
		return err
	}
	ctx, err := s.Conditions.Expect(c.Request().Context(), of, on)
	if err == nil {
		c.SetRequest(c.Request().WithContext(ctx))
	}
	return err
}

// tag sets the ETag of a document that is read, and reports whether the caller has it already.
func (r route) tag(c echo.Context, answer any) (doc any, known bool, err error) {
	if r.of == nil || r.method != http.MethodGet {
		return answer, false, nil
	}
	t, ok := answer.(tagged)
	if !ok {
		t = tagged{answer, control.Tag(answer)}
	}
	have, err := tagsIn(c.Request().Header, noneMatchHeader, false)
	if err != nil {
		return nil, false, err
	}
	c.Response().Header().Set(tagHeader, t.tag)
	return t.doc, have != nil && (have.Any || slices.Contains(have.List, t.tag)), nil
}

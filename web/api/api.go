package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/web"
	"github.com/agora-host/agora/web/intake"
	"github.com/agora-host/agora/web/problem"
)

const (
	prefix = "/api/v1"
	// maxBody bounds every body but an upload's and an invocation's.
	maxBody = 256 << 10
	// maxPublic bounds a body of a person who is not known.
	maxPublic = 8 << 10
)

// Options configure the API.
type Options struct {
	Logger    *slog.Logger
	MaxModule int64  // bytes
	Types     string // agora.d.ts: what apps in TypeScript and JavaScript are given
	// FreshSignIn returns how long ago a session's person may have signed in, for acts that ask for that; 0: at any time.
	FreshSignIn func() time.Duration
	Now         func() time.Time
}

type server struct {
	Services
	o       Options
	log     *slog.Logger
	openapi []byte
	schemas *schemas
}

// handler does one operation. It returns the document to send, or nil when
// there is none or it has responded by itself.
type handler func(*server, echo.Context) (any, error)

// New makes the API's handler.
func New(services Services, o Options) http.Handler {
	web.Need(services)
	s := &server{Services: services, o: o, log: o.Logger.With("component", "api"), schemas: newSchemas()}
	s.openapi = describe(routes(), s.schemas)
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = s.fail
	for _, r := range routes() {
		e.Add(r.method, prefix+r.path, s.serve(r))
	}
	return e
}

// serve wraps an operation with what all of them share. Who calls, in which role, and how large
// a body is said to be is judged before anything of the body is read.
func (s *server) serve(r route) echo.HandlerFunc {
	check := s.documents(r.body)
	return func(c echo.Context) error {
		c.Set(documentKey, check)
		done, err := s.begin(r, c)
		if err != nil {
			intake.Refuse(c.Response(), c.Request())
			return err
		}
		defer done()
		return s.respond(r, c)
	}
}

// documentKey is where a request has the function that checks its document.
const documentKey = "agora.document"

// documents checks bodies of an operation by what the description says of them.
func (s *server) documents(b body) func(raw []byte) error {
	if b.kind != bodyJSON {
		return nil
	}
	is := s.schemas.of(reflect.TypeOf(b.doc), true)
	return func(raw []byte) error { return s.schemas.checkDocument(raw, is) }
}

// begin judges a request by its head, and takes what its body needs until done is called.
func (s *server) begin(r route, c echo.Context) (done func(), err error) {
	if enc := c.Request().Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return nil, fmt.Errorf("%w: Content-Encoding %q", problem.ErrMediaType, enc)
	}
	if r.public {
		if err := r.parse(c); err != nil {
			return nil, err
		}
		return func() {}, intake.Begin(c.Response(), c.Request(), maxPublic)
	}
	if err := s.authenticate(c); err != nil {
		return nil, err
	}
	ctx := c.Request().Context()
	actor := access.ActorFrom(ctx)
	if err := r.allow(actor); err != nil {
		return nil, err
	}
	if r.method != http.MethodGet {
		if err := access.Recent(actor, r.act, s.o.FreshSignIn(), s.o.Now()); err != nil {
			return nil, err
		}
	}
	if err := unescapeParams(c); err != nil {
		return nil, err
	}
	if err := r.parse(c); err != nil {
		return nil, err
	}
	if err := r.reaches(actor, c); err != nil {
		return nil, err
	}
	limit, needs := int64(maxBody), int64(0)
	switch {
	case r.body.upload != "":
		limit = s.o.MaxModule + control.BesideModule
	case r.body.room != nil:
		if limit, needs, err = r.body.room(s, c); err != nil {
			return nil, err
		}
	}
	if err := intake.Begin(c.Response(), c.Request(), limit); err != nil {
		return nil, err
	}
	intake.Held(c.Request())
	if r.body.upload != "" {
		return s.Intake.BeginUpload(ctx, r.body.upload, c.Request().ContentLength)
	}
	size := c.Request().ContentLength
	if size < 0 {
		size = limit
	}
	if needs += size; needs == 0 {
		return func() {}, nil
	}
	return s.Room.Hold(ctx, needs)
}

// unescapeParams makes parameters of the path what they stand for. The framework matches the
// escaped path if there is one, and the plain path otherwise; unescaping that again would read
// "%2540" as "@".
func unescapeParams(c echo.Context) error {
	if c.Request().URL.RawPath == "" {
		return nil
	}
	values := slices.Clone(c.ParamValues())
	for i, v := range values {
		plain, err := url.PathUnescape(v)
		if err != nil {
			return fmt.Errorf("%w: %w", problem.ErrBadRequest, err)
		}
		values[i] = plain
	}
	c.SetParamValues(values...)
	return nil
}

func (s *server) authenticate(c echo.Context) error {
	secret, err := web.Bearer(c.Request())
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	actor, err := s.Authenticator.Authenticate(ctx, secret)
	if err != nil {
		return err
	}
	c.SetRequest(c.Request().WithContext(access.WithActor(ctx, actor)))
	return nil
}

// fail responds with an error as a problem. The node's own trouble is logged here,
// and nowhere else.
func (s *server) fail(err error, c echo.Context) {
	if e, ok := errors.AsType[*echo.HTTPError](err); ok {
		err = routing(e)
	}
	r := c.Request()
	if problem.Internal(err) {
		s.log.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "err", err)
	}
	if c.Response().Committed {
		return // a stream tells its end by itself
	}
	if c.Response().Header().Get("Allow") == "" && errors.Is(err, problem.ErrMethodNotAllowed) {
		c.Response().Header().Set("Allow", "GET, POST, PUT, DELETE")
	}
	problem.Write(c.Response(), err)
}

// routing reads the errors that the framework makes by itself.
func routing(e *echo.HTTPError) error {
	switch e.Code {
	case http.StatusNotFound:
		return problem.ErrNoSuchPage
	case http.StatusMethodNotAllowed:
		return problem.ErrMethodNotAllowed
	}
	return fmt.Errorf("%w: %v", problem.ErrBadRequest, e.Message)
}

// decode reads a JSON body strictly: as the description says, and nothing after it.
func decode[T any](c echo.Context) (v T, err error) {
	if err := takes(c, "application/json"); err != nil {
		return v, err
	}
	raw, err := readAll(c)
	if err != nil {
		return v, err
	}
	if err := c.Get(documentKey).(func([]byte) error)(raw); err != nil {
		return v, err
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return v, fmt.Errorf("%w: %w", problem.ErrBadRequest, err)
	}
	return v, nil
}

func readAll(c echo.Context) ([]byte, error) {
	b, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return nil, intake.Unreadable(err)
	}
	return b, nil
}

// Items wraps every list.
type Items[T any] = control.Items[T]

// whole is a list that has no pages, because it is short whatever is stored.
func whole[T any](list []T, err error) (any, error) {
	return pageOf(control.Items[T]{Items: list}, err)
}

// pageOf is a list as it is sent: never null.
func pageOf[T any](page control.Items[T], err error) (any, error) {
	if err != nil {
		return nil, err
	}
	if page.Items == nil {
		page.Items = []T{}
	}
	return page, nil
}

// page reads which part of a list is wanted.
func page(c echo.Context) control.Page {
	return control.Page{Cursor: arg[string](c, "cursor"), Limit: int(arg[int64](c, "limit"))}
}

// listing makes the handler of a list with pages.
func listing[T any](read func(*server, echo.Context, control.Page) (control.Items[T], error)) handler {
	return func(s *server, c echo.Context) (any, error) {
		return pageOf(read(s, c, page(c)))
	}
}

// one is for operations that return a document as the node gave it.
func one[T any](v T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/host/internal/web"
	"github.com/agora-host/agora/host/internal/web/intake"
	"github.com/agora-host/agora/host/internal/web/problem"
	"github.com/agora-host/agora/internal/sheet"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/registry"
)

func describeSelf(s *server, _ echo.Context) (any, error) { return json.RawMessage(s.openapi), nil }

func manifestSchema(*server, echo.Context) (any, error) {
	return json.RawMessage(registry.Schema()), nil
}

func signIn(s *server, c echo.Context) (any, error) {
	in, err := decode[SignIn](c)
	if err != nil {
		return nil, err
	}
	link := in.Link
	if u, err := url.Parse(link); err == nil && u.Query().Get("link") != "" {
		link = u.Query().Get("link")
	}
	secret, actor, err := s.node.SignIn(c.Request().Context(), link)
	if err != nil {
		return nil, err
	}
	return Session{secret, actor.User, actor.Roles}, nil
}

func info(s *server, c echo.Context) (any, error) { return s.node.Info(c.Request().Context()), nil }

func whoami(_ *server, c echo.Context) (any, error) {
	a := access.ActorFrom(c.Request().Context())
	return Whoami{a.User, a.Roles, a.Via, a.Reach}, nil
}

func getApp(s *server, c echo.Context) (any, error) {
	return one(s.node.App(c.Request().Context(), c.Param("app")))
}

func getRelease(s *server, c echo.Context) (any, error) {
	n, err := releaseNumber(c)
	if err != nil {
		return nil, err
	}
	return one(s.node.Release(c.Request().Context(), c.Param("app"), n))
}

func deleteRelease(s *server, c echo.Context) (any, error) {
	n, err := releaseNumber(c)
	if err != nil {
		return nil, err
	}
	return nil, s.node.DeleteRelease(c.Request().Context(), c.Param("app"), n)
}

func releaseNumber(c echo.Context) (int, error) {
	n, err := strconv.Atoi(c.Param("number"))
	if err != nil {
		return 0, fmt.Errorf("%w: %q is no release number", problem.ErrBadRequest, c.Param("number"))
	}
	return n, nil
}

func listQuotas(s *server, c echo.Context) (any, error) {
	return whole(s.node.Quotas(c.Request().Context(), c.QueryParam("user"), c.QueryParam("app")))
}

func activate(s *server, c echo.Context) (any, error) {
	in, err := decode[Activate](c)
	if err != nil {
		return nil, err
	}
	if in.Tier == "" {
		in.Tier = abi.TierSandbox
	}
	if err := knownTier(in.Tier); err != nil {
		return nil, err
	}
	return one(s.node.Activate(c.Request().Context(), c.Param("app"), in.Release, in.Tier, in.Reason))
}

func rollBack(s *server, c echo.Context) (any, error) {
	in, err := decode[RollBack](c)
	if err != nil {
		return nil, err
	}
	if in.Tier != "" {
		if err := knownTier(in.Tier); err != nil {
			return nil, err
		}
	}
	return one(s.node.RollBack(c.Request().Context(), c.Param("app"), in.Tier, in.Reason))
}

func promote(s *server, c echo.Context) (any, error) {
	in, err := decode[Promote](c)
	if err != nil {
		return nil, err
	}
	if err := knownTier(in.To); err != nil {
		return nil, err
	}
	return one(s.node.Promote(c.Request().Context(), c.Param("app"), in.Release, in.To, in.Reason))
}

func askAgain(s *server, c echo.Context) (any, error) {
	in, err := decode[AskAgain](c)
	if err != nil {
		return nil, err
	}
	return whole(s.node.AskAgain(c.Request().Context(), c.Param("app"), in.Release, in.Reason))
}

func knownTier(t abi.Tier) error {
	if _, err := abi.ParseTier(string(t)); err != nil {
		return fmt.Errorf("%w: %w", problem.ErrBadRequest, err)
	}
	return nil
}

func logs(s *server, c echo.Context) (any, error) {
	n, err := number(c, "limit", 100, 1, 1000)
	if err != nil {
		return nil, err
	}
	return whole(s.node.Logs(c.Request().Context(), c.Param("app"), int(n)))
}

func getCall(s *server, c echo.Context) (any, error) {
	at, err := moment(c, "at")
	if err != nil {
		return nil, err
	}
	return s.node.Call(c.Request().Context(), c.QueryParam("app"), c.Param("id"), at)
}

// number reads a query parameter within bounds.
func number(c echo.Context, name string, otherwise, least, most uint64) (uint64, error) {
	text := c.QueryParam(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%w: %s is a number from %d to %d, not %q", problem.ErrBadRequest, name, least, most, text)
	}
	return n, nil
}

// callRoom is how large the document of a call may be, and what it takes beside itself: the
// body in it, and the answer with what is made of that.
func callRoom(s *server, c echo.Context) (limit, needs int64, err error) {
	n, err := number(c, "release", 0, 0, math.MaxInt32)
	if err != nil {
		return 0, 0, err
	}
	request, response, err := s.node.CallLimits(c.Request().Context(), c.Param("app"), int(n))
	return request*4/3 + maxBody, request + 2*response, err
}

func invoke(s *server, c echo.Context) (any, error) {
	in, err := decode[Invoke](c)
	if err != nil {
		return nil, err
	}
	ctx := c.Request().Context()
	if asked, err := number(c, "release", 0, 0, math.MaxInt32); err != nil {
		return nil, err
	} else if in.Release == 0 {
		in.Release = int(asked)
	}
	app, err := s.node.App(ctx, c.Param("app"))
	if err != nil {
		return nil, err
	}
	if in.Path == "" {
		in.Path = "/"
	}
	if !strings.HasPrefix(in.Path, "/") {
		return nil, fmt.Errorf("%w: a path starts with /, not %q", problem.ErrBadRequest, in.Path)
	}
	r, err := http.NewRequestWithContext(ctx, in.Method, strings.TrimSuffix(app.URL, "/")+in.Path, bytes.NewReader(in.Body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", problem.ErrBadRequest, err)
	}
	for name, values := range in.Header {
		for _, v := range values {
			r.Header.Add(name, v)
		}
	}
	return one(s.node.Invoke(ctx, app.Name, in.Release, r))
}

func usageReport(s *server, c echo.Context) (any, error) {
	q := metering.Query{App: c.QueryParam("app"), Team: c.QueryParam("team"), CostCenter: c.QueryParam("cost_center"), Over: c.QueryParam("over")}
	for name, t := range map[string]*time.Time{"from": &q.From, "to": &q.To} {
		var err error
		if *t, err = moment(c, name); err != nil {
			return nil, err
		}
	}
	if by := c.QueryParam("by"); by != "" {
		q.By = strings.Split(by, ",")
	}
	limit, err := number(c, "limit", web.MaxPageLimit, 1, web.MaxPageLimit)
	if err != nil {
		return nil, err
	}
	asCSV, bom, err := csvAsked(c)
	if err != nil {
		return nil, err
	}
	report, err := s.node.Usage(c.Request().Context(), q)
	if err != nil {
		return nil, err
	}
	if asCSV {
		c.Response().Header().Set("Cache-Control", "no-store")
		c.Response().Header().Set("Content-Type", sheet.MediaType)
		c.Response().WriteHeader(http.StatusOK)
		return nil, report.WriteCSV(c.Response(), bom)
	}
	return one(rowsFrom(report, c.QueryParam("cursor"), int(limit)))
}

// csvAsked reads whether a report is asked for as CSV, and whether with a byte order mark.
func csvAsked(c echo.Context) (asCSV, bom bool, err error) {
	format, mark := c.QueryParam("format"), c.QueryParam("bom")
	switch {
	case format != "" && format != "csv":
		return false, false, fmt.Errorf("%w: format is csv, or left out, not %q", problem.ErrBadRequest, format)
	case mark != "" && mark != "true" && mark != "false":
		return false, false, fmt.Errorf("%w: bom is true or false, not %q", problem.ErrBadRequest, mark)
	case mark == "true" && format == "":
		return false, false, fmt.Errorf("%w: a byte order mark (bom=true) is for format=csv", problem.ErrBadRequest)
	}
	return format == "csv", mark == "true", nil
}

// rowsFrom is a report with a page of its rows. A cursor names the last row of the page before:
// rows do not vanish from a span.
func rowsFrom(r metering.Report, cursor string, limit int) (metering.Report, error) {
	if cursor != "" {
		i := slices.IndexFunc(r.Rows, func(row metering.Row) bool { return rowCursor(r, row) == cursor })
		if i < 0 {
			return r, fmt.Errorf("%w: a cursor is what the page before gave as \"next\", for the same span and groups", problem.ErrBadRequest)
		}
		r.Rows = r.Rows[i+1:]
	}
	if len(r.Rows) > limit {
		r.Rows = r.Rows[:limit]
		r.Next = rowCursor(r, r.Rows[limit-1])
	}
	return r, nil
}

func rowCursor(r metering.Report, row metering.Row) string {
	values := make([]string, len(r.By))
	for i, word := range r.By {
		values[i] = row.Group[word]
	}
	return base64.RawURLEncoding.EncodeToString([]byte(strings.Join(values, "\x00")))
}

// moment reads a query parameter that is a time; zero if it is left out.
func moment(c echo.Context, name string) (t time.Time, err error) {
	text := c.QueryParam(name)
	if text == "" {
		return t, nil
	}
	if t, err = time.Parse(time.RFC3339, text); err != nil {
		return t, fmt.Errorf("%w: %s=%q is no time such as 2026-01-31T08:00:00Z", metering.ErrBadQuery, name, text)
	}
	return t, nil
}

func getRequest(s *server, c echo.Context) (any, error) {
	return one(s.node.Request(c.Request().Context(), c.Param("id")))
}

func decide(s *server, c echo.Context) (any, error) {
	in, err := decode[web.Verdict](c)
	if err != nil {
		return nil, err
	}
	return one(s.node.Decide(c.Request().Context(), c.Param("id"), in))
}

func withdraw(s *server, c echo.Context) (any, error) {
	return one(s.node.Withdraw(c.Request().Context(), c.Param("id")))
}

func revokeGrant(s *server, c echo.Context) (any, error) {
	in, err := decode[Revoke](c)
	if err != nil {
		return nil, err
	}
	return one(s.node.RevokeGrant(c.Request().Context(), c.Param("id"), in.Reason, in.All))
}

func shrinkGrant(s *server, c echo.Context) (any, error) {
	return one(s.node.ShrinkGrant(c.Request().Context(), c.Param("id")))
}

func inspect(s *server, c echo.Context) (any, error) {
	module, err := s.node.Receive(c.Request().Context(), c.Request().Body)
	if err != nil {
		return nil, intake.Unreadable(err)
	}
	defer module.Discard()
	return one(s.node.Inspect(c.Request().Context(), module))
}

func rules(s *server, c echo.Context) (any, error) {
	return one(s.node.Rules(c.Request().Context()))
}

func trustRoot(s *server, c echo.Context) (any, error) {
	root, err := s.node.TrustRoot(c.Request().Context())
	return json.RawMessage(root), err
}

func certify(s *server, c echo.Context) (any, error) {
	return binary(c, "application/pkcs10", "application/pem-certificate-chain", func(in []byte) ([]byte, error) {
		return s.node.Certify(c.Request().Context(), in)
	})
}

func timestamp(s *server, c echo.Context) (any, error) {
	return binary(c, "application/timestamp-query", "application/timestamp-reply", func(in []byte) ([]byte, error) {
		return s.node.Timestamp(c.Request().Context(), in)
	})
}

// binary answers bytes of one media type with bytes of another.
func binary(c echo.Context, takes, gives string, do func([]byte) ([]byte, error)) (any, error) {
	if media := c.Request().Header.Get("Content-Type"); media != takes {
		return nil, fmt.Errorf("%w: send %s, not %q", problem.ErrMediaType, takes, media)
	}
	in, err := readAll(c)
	if err != nil {
		return nil, err
	}
	out, err := do(in)
	if err != nil {
		return nil, err
	}
	return nil, c.Blob(http.StatusOK, gives, out)
}

func keyChallenge(s *server, c echo.Context) (any, error) {
	text, err := s.node.KeyChallenge(c.Request().Context(), c.QueryParam("identity"))
	return one(Challenge{text}, err)
}

func addKey(s *server, c echo.Context) (any, error) {
	in, err := decode[web.NewKey](c)
	if err != nil {
		return nil, err
	}
	return one(s.node.AddKey(c.Request().Context(), in))
}

func deleteKey(s *server, c echo.Context) (any, error) {
	return nil, s.node.DeleteKey(c.Request().Context(), c.QueryParam("hint"))
}

func addHost(s *server, c echo.Context) (any, error) {
	in, err := decode[AddHost](c)
	if err != nil {
		return nil, err
	}
	return one(s.node.AddHostName(c.Request().Context(), in.Host, in.App))
}

func deleteHost(s *server, c echo.Context) (any, error) {
	return nil, s.node.DeleteHostName(c.Request().Context(), c.QueryParam("host"))
}

func newToken(s *server, c echo.Context) (any, error) {
	in, err := decode[NewToken](c)
	if err != nil {
		return nil, err
	}
	if in.Hours < 0 || in.Hours > 24*366 {
		return nil, fmt.Errorf("%w: hours is a number from 0 to %d", problem.ErrBadRequest, 24*366)
	}
	secret, credential, err := s.node.NewToken(c.Request().Context(), web.NewToken{Label: in.Label, TTL: time.Duration(in.Hours) * time.Hour, Reach: in.Reach})
	credential.Hash = ""
	return one(Token{secret, credential}, err)
}

func revokeToken(s *server, c echo.Context) (any, error) {
	return nil, s.node.RevokeToken(c.Request().Context(), c.Param("id"))
}

func putUser(s *server, c echo.Context) (any, error) {
	in, err := decode[PutUser](c)
	if err != nil {
		return nil, err
	}
	return one(s.node.PutUser(c.Request().Context(), c.Param("name"), in.Roles, in.Disabled))
}

func newLink(s *server, c echo.Context) (any, error) {
	ctx := c.Request().Context()
	path, err := s.node.NewLink(ctx, c.Param("name"))
	return one(Link{s.node.Info(ctx).ConsoleURL + path}, err)
}

func doctor(s *server, c echo.Context) (any, error) {
	return whole(s.node.Doctor(c.Request().Context()))
}

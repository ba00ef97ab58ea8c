package api

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/internal/sheet"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/web"
	"github.com/agora-host/agora/web/intake"
	"github.com/agora-host/agora/web/problem"
)

func describeSelf(s *server, _ echo.Context) (any, error) { return json.RawMessage(s.openapi), nil }

func manifestSchema(*server, echo.Context) (any, error) {
	return json.RawMessage(registry.Schema()), nil
}

func types(s *server, c echo.Context) (any, error) {
	return nil, c.String(http.StatusOK, s.o.Types)
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
	secret, actor, err := s.SignIn.SignIn(web.WithDevice(c.Request()).Context(), link)
	if err != nil {
		return nil, err
	}
	return Session{secret, actor.User, actor.Roles}, nil
}

func beginLogin(s *server, c echo.Context) (any, error) {
	in, err := decode[BeginLogin](c)
	if err != nil {
		return nil, err
	}
	return one(s.Logins.Begin(web.WithDevice(c.Request()).Context(), control.LoginAsk{
		Machine: in.Machine, Life: time.Duration(in.Hours) * time.Hour, Reach: access.Reach{Scopes: in.Scopes},
	}))
}

func redeemLogin(s *server, c echo.Context) (any, error) {
	in, err := decode[RedeemLogin](c)
	if err != nil {
		return nil, err
	}
	if (in.DeviceCode == "") == (in.Code == "") {
		return nil, fmt.Errorf("send device_code, or code and verifier: %w", access.ErrLogin)
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	secret, token, err := s.Logins.Redeem(c.Request().Context(), in.DeviceCode+in.Code, in.Verifier)
	token.Hash = ""
	return one(Token{secret, token}, err)
}

func info(s *server, c echo.Context) (any, error) { return s.About.Info(c.Request().Context()), nil }

func whoami(_ *server, c echo.Context) (any, error) {
	a := access.ActorFrom(c.Request().Context())
	return Whoami{a.User, a.Roles, a.Via, a.Behalf, a.Reach}, nil
}

func getUser(s *server, c echo.Context) (any, error) {
	return one(s.Users.User(c.Request().Context(), arg[string](c, "name")))
}

func getGrant(s *server, c echo.Context) (any, error) {
	return one(s.Grants.Grant(c.Request().Context(), arg[string](c, "id")))
}

func getApp(s *server, c echo.Context) (any, error) {
	return one(s.Catalogue.App(c.Request().Context(), arg[string](c, "app")))
}

func getRelease(s *server, c echo.Context) (any, error) {
	return one(s.Catalogue.Release(c.Request().Context(), arg[string](c, "app"), int(arg[int64](c, "number"))))
}

func deleteRelease(s *server, c echo.Context) (any, error) {
	return nil, s.Remover.DeleteRelease(c.Request().Context(), arg[string](c, "app"), int(arg[int64](c, "number")))
}

func listQuotas(s *server, c echo.Context) (any, error) {
	return whole(s.Quotas.List(c.Request().Context(), quotaOf(c)))
}

func quotaOf(c echo.Context) control.QuotaOf {
	return control.QuotaOf{User: arg[string](c, "user"), Group: arg[string](c, "group"), App: arg[string](c, "app")}
}

func setQuota(s *server, c echo.Context) (any, error) {
	in, err := decode[control.SetQuota](c)
	if err != nil {
		return nil, err
	}
	return one(s.Quotas.Set(c.Request().Context(), arg[string](c, "quota"), in))
}

func clearQuota(s *server, c echo.Context) (any, error) {
	return one(s.Quotas.Clear(c.Request().Context(), arg[string](c, "quota"), quotaOf(c)))
}

func activate(s *server, c echo.Context) (any, error) {
	in, err := decode[Activate](c)
	if err != nil {
		return nil, err
	}
	if in.Tier == "" {
		in.Tier = abi.TierSandbox
	}
	return one(s.Routes.Activate(c.Request().Context(), arg[string](c, "app"), in.Release, in.Tier, in.Reason))
}

func rollBack(s *server, c echo.Context) (any, error) {
	in, err := decode[RollBack](c)
	if err != nil {
		return nil, err
	}
	return one(s.Routes.RollBack(c.Request().Context(), arg[string](c, "app"), in.Tier, in.Reason))
}

func promote(s *server, c echo.Context) (any, error) {
	in, err := decode[Promote](c)
	if err != nil {
		return nil, err
	}
	return one(s.Requests.Promote(c.Request().Context(), arg[string](c, "app"), in.Release, in.To, in.Reason))
}

func askAgain(s *server, c echo.Context) (any, error) {
	in, err := decode[AskAgain](c)
	if err != nil {
		return nil, err
	}
	return whole(s.Requests.AskAgain(c.Request().Context(), arg[string](c, "app"), in.Release, in.Reason))
}

func getCall(s *server, c echo.Context) (any, error) {
	return one(s.Calls.Call(c.Request().Context(), arg[string](c, "app"), arg[string](c, "id"), arg[time.Time](c, "at")))
}

// callRoom is how large the document of a call may be, and what it takes beside itself: the
// text of the body while it is checked, the body in it, and the response with what is made of that.
func callRoom(s *server, c echo.Context) (limit, needs int64, err error) {
	request, response, err := s.Caller.CallLimits(c.Request().Context(), arg[string](c, "app"), int(arg[int64](c, "release")))
	return request*4/3 + maxBody, 3*request + 2*response, err
}

func invoke(s *server, c echo.Context) (any, error) {
	in, err := decode[Invoke](c)
	if err != nil {
		return nil, err
	}
	ctx := c.Request().Context()
	if in.Release == 0 {
		in.Release = int(arg[int64](c, "release"))
	}
	app, err := s.Catalogue.App(ctx, arg[string](c, "app"))
	if err != nil {
		return nil, err
	}
	if in.Path == "" {
		in.Path = "/"
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
	return one(s.Caller.Invoke(ctx, app.Name, in.Release, r))
}

func usageReport(s *server, c echo.Context) (any, error) {
	asCSV, bom := arg[string](c, "format") == "csv", arg[string](c, "bom") == "true"
	q := metering.Query{
		App: arg[string](c, "app"), Team: arg[string](c, "team"), CostCenter: arg[string](c, "cost_center"), Over: arg[string](c, "over"),
		From: arg[time.Time](c, "from"), To: arg[time.Time](c, "to"), By: arg[[]string](c, "by"),
	}
	report, err := s.Meter.Usage(c.Request().Context(), q)
	if err != nil {
		return nil, err
	}
	if asCSV {
		c.Response().Header().Set("Cache-Control", "no-store")
		c.Response().Header().Set("Content-Type", sheet.MediaType)
		c.Response().WriteHeader(http.StatusOK)
		return nil, report.WriteCSV(c.Response(), bom)
	}
	return one(rowsFrom(report, arg[string](c, "cursor"), int(arg[int64](c, "limit"))))
}

// rowsFrom is a report with a page of its rows. A cursor names the last row of the page before:
// rows do not vanish from a span.
func rowsFrom(r metering.Report, cursor string, limit int) (metering.Report, error) {
	if cursor != "" {
		i := slices.IndexFunc(r.Rows, func(row metering.Row) bool { return rowCursor(r, row) == cursor })
		if i < 0 {
			return r, &control.ParameterError{Name: "cursor", Why: `is what the page before gave as "next", for the same span and groups`}
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

func getRequest(s *server, c echo.Context) (any, error) {
	return one(s.Requests.Request(c.Request().Context(), arg[string](c, "id")))
}

func listAway(s *server, c echo.Context) (any, error) {
	all, err := s.Briefings.AwayOf(c.Request().Context(), arg[string](c, "id"))
	return Items[control.Absent]{Items: all}, err
}

func decide(s *server, c echo.Context) (any, error) {
	in, err := decode[control.Verdict](c)
	if err != nil {
		return nil, err
	}
	return one(s.Requests.Decide(c.Request().Context(), arg[string](c, "id"), in))
}

func decideRelease(s *server, c echo.Context) (any, error) {
	in, err := decode[control.ReleaseVerdict](c)
	if err != nil {
		return nil, err
	}
	return whole(s.Together.DecideRelease(c.Request().Context(), arg[string](c, "app"), int(arg[int64](c, "number")), in))
}

func decideRequests(s *server, c echo.Context) (any, error) {
	in, err := decode[control.ReleaseVerdict](c)
	if err != nil {
		return nil, err
	}
	return whole(s.Together.DecideAlike(c.Request().Context(), in))
}

func getBriefing(s *server, c echo.Context) (any, error) {
	return one(s.Briefings.Briefing(c.Request().Context(), arg[string](c, "app"), int(arg[int64](c, "number"))))
}

type (
	// Written is the body of commentOnRequest and changed.
	Written struct {
		Text string `json:"text,omitempty"`
	}
	// AskChanges is the body of askChanges.
	AskChanges struct {
		Reason string `json:"reason"`
		Digest string `json:"digest,omitempty"` // of the module that was looked at
	}
)

func commentOnRequest(s *server, c echo.Context) (any, error) {
	in, err := decode[Written](c)
	if err != nil {
		return nil, err
	}
	return one(s.Threads.Comment(c.Request().Context(), arg[string](c, "id"), in.Text))
}

func askChanges(s *server, c echo.Context) (any, error) {
	in, err := decode[AskChanges](c)
	if err != nil {
		return nil, err
	}
	return one(s.Threads.AskChanges(c.Request().Context(), arg[string](c, "id"), control.Verdict{Reason: in.Reason, Digest: in.Digest}))
}

func changed(s *server, c echo.Context) (any, error) {
	in, err := decode[Written](c)
	if err != nil {
		return nil, err
	}
	return one(s.Threads.Changed(c.Request().Context(), arg[string](c, "id"), in.Text))
}

func withdraw(s *server, c echo.Context) (any, error) {
	var in Reason
	if c.Request().ContentLength != 0 {
		var err error
		if in, err = decode[Reason](c); err != nil {
			return nil, err
		}
	}
	return one(s.Requests.Withdraw(c.Request().Context(), arg[string](c, "id"), in.Reason))
}

func revokeGrant(s *server, c echo.Context) (any, error) {
	in, err := decode[Revoke](c)
	if err != nil {
		return nil, err
	}
	return one(s.Grants.RevokeGrant(c.Request().Context(), arg[string](c, "id"), in.Reason, in.All))
}

func renewGrant(s *server, c echo.Context) (any, error) {
	in, err := decode[Reason](c)
	if err != nil {
		return nil, err
	}
	return one(s.Lives.RenewGrant(c.Request().Context(), arg[string](c, "id"), in.Reason))
}

func certifyGrant(s *server, c echo.Context) (any, error) {
	in, err := decode[Reason](c)
	if err != nil {
		return nil, err
	}
	return one(s.Lives.CertifyGrant(c.Request().Context(), arg[string](c, "id"), in.Reason))
}

func breakGlass(s *server, c echo.Context) (any, error) {
	in, err := decode[control.Emergency](c)
	if err != nil {
		return nil, err
	}
	return one(s.Lives.BreakGlass(c.Request().Context(), arg[string](c, "app"), in))
}

func shrinkGrant(s *server, c echo.Context) (any, error) {
	return one(s.Grants.ShrinkGrant(c.Request().Context(), arg[string](c, "id")))
}

func inspect(s *server, c echo.Context) (any, error) {
	if err := takes(c, wasm); err != nil {
		return nil, err
	}
	module, err := s.Intake.Receive(c.Request().Context(), c.Request().Body)
	if err != nil {
		return nil, intake.Unreadable(err)
	}
	defer module.Discard()
	return one(s.Policy.Inspect(c.Request().Context(), module))
}

// script is a media type of scripts, which all languages share here: the entry's name says which it is.
const script = "text/javascript"

func build(s *server, c echo.Context) (any, error) {
	if err := takes(c, script); err != nil {
		return nil, err
	}
	code, err := intake.Script(c.Request().Body)
	if err != nil {
		return nil, err
	}
	return one(s.Policy.Build(c.Request().Context(), control.Script{Entry: cmp.Or(arg[string](c, "entry"), "app.ts"), Code: code, Capabilities: arg[[]string](c, "capability")}))
}

func releaseSource(s *server, c echo.Context) (any, error) {
	return one(s.Policy.ReleaseSource(c.Request().Context(), arg[string](c, "app"), int(arg[int64](c, "number"))))
}

func listTiers(s *server, c echo.Context) (any, error) {
	return whole(s.Policy.Tiers(c.Request().Context()))
}

func getPolicy(s *server, c echo.Context) (any, error) {
	return one(s.Policy.Rules(c.Request().Context()))
}

func trustRoot(s *server, c echo.Context) (any, error) {
	root, err := s.Trust.TrustRoot(c.Request().Context())
	return json.RawMessage(root), err
}

func certify(s *server, c echo.Context) (any, error) {
	return binary(c, "application/pkcs10", "application/pem-certificate-chain", func(in []byte) ([]byte, error) {
		return s.Trust.Certify(c.Request().Context(), in)
	})
}

func timestamp(s *server, c echo.Context) (any, error) {
	return binary(c, "application/timestamp-query", "application/timestamp-reply", func(in []byte) ([]byte, error) {
		return s.Trust.Timestamp(c.Request().Context(), in)
	})
}

// takes refuses a body of another media type.
func takes(c echo.Context, media string) error {
	got, _, err := mime.ParseMediaType(c.Request().Header.Get("Content-Type"))
	if err != nil || got != media {
		return fmt.Errorf("%w: send %s, not %q", problem.ErrMediaType, media, c.Request().Header.Get("Content-Type"))
	}
	return nil
}

// binary serves bytes of one media type with bytes of another.
func binary(c echo.Context, media, gives string, do func([]byte) ([]byte, error)) (any, error) {
	if err := takes(c, media); err != nil {
		return nil, err
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
	text, err := s.Keys.KeyChallenge(c.Request().Context(), arg[string](c, "identity"))
	return one(Challenge{text}, err)
}

func addKey(s *server, c echo.Context) (any, error) {
	in, err := decode[control.NewKey](c)
	if err != nil {
		return nil, err
	}
	return one(s.Keys.AddKey(c.Request().Context(), in))
}

func deleteKey(s *server, c echo.Context) (any, error) {
	return nil, s.Keys.DeleteKey(c.Request().Context(), arg[string](c, "hint"))
}

func createDomain(s *server, c echo.Context) (any, error) {
	in, err := decode[CreateDomain](c)
	if err != nil {
		return nil, err
	}
	return one(s.HostNames.AddHostName(c.Request().Context(), in.Host, in.App))
}

func deleteDomain(s *server, c echo.Context) (any, error) {
	return nil, s.HostNames.DeleteHostName(c.Request().Context(), arg[string](c, "host"))
}

func newToken(s *server, c echo.Context) (any, error) {
	in, err := decode[NewToken](c)
	if err != nil {
		return nil, err
	}
	secret, credential, err := s.Tokens.NewToken(c.Request().Context(), in.asked())
	credential.Hash = ""
	return one(Token{secret, credential}, err)
}

func revokeToken(s *server, c echo.Context) (any, error) {
	return nil, s.Tokens.RevokeToken(c.Request().Context(), arg[string](c, "id"))
}

func putUser(s *server, c echo.Context) (any, error) {
	in, err := decode[PutUser](c)
	if err != nil {
		return nil, err
	}
	return one(s.Users.PutUser(c.Request().Context(), arg[string](c, "name"), in.Roles, in.Disabled))
}

func renameUser(s *server, c echo.Context) (any, error) {
	in, err := decode[RenameUser](c)
	if err != nil {
		return nil, err
	}
	return one(s.Users.RenameUser(c.Request().Context(), arg[string](c, "name"), in.Name))
}

func inviteUser(s *server, c echo.Context) (any, error) {
	ctx := c.Request().Context()
	path, err := s.Users.NewLink(ctx, arg[string](c, "name"))
	return one(Invitation{s.About.Info(ctx).ConsoleURL + path}, err)
}

func listAccounts(s *server, c echo.Context) (any, error) {
	return whole(s.Accounts.Accounts(c.Request().Context(), arg[string](c, "name")))
}

func disconnectAccount(s *server, c echo.Context) (any, error) {
	return nil, s.Accounts.Disconnect(c.Request().Context(), arg[string](c, "name"), arg[string](c, "id"))
}

func getLinks(s *server, c echo.Context) (any, error) {
	return one(s.Links.Links(c.Request().Context()))
}

func switchLinks(s *server, c echo.Context) (any, error) {
	in, err := decode[SwitchLinks](c)
	if err != nil {
		return nil, err
	}
	return one(s.Links.SwitchLinks(c.Request().Context(), in.Off))
}

func doctor(s *server, c echo.Context) (any, error) {
	return whole(s.Doctor.Doctor(c.Request().Context()))
}

package api

import (
	"time"

	"github.com/labstack/echo/v4"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/triggers"
)

func listApps(s *server, c echo.Context, p control.Page) (Items[control.App], error) {
	search := registry.Search{
		Text: arg[string](c, "q"), Tier: abi.Tier(arg[string](c, "tier")), Team: arg[string](c, "team"), Owner: arg[string](c, "owner"), Capability: arg[string](c, "capability"), State: registry.State(arg[string](c, "state")), Orphaned: arg[string](c, "orphaned") == "true", OldEngine: arg[string](c, "old_engine") == "true",
	}
	return s.Catalogue.Apps(c.Request().Context(), search, p)
}

func listReleases(s *server, c echo.Context, p control.Page) (Items[control.Release], error) {
	return s.Catalogue.Releases(c.Request().Context(), arg[string](c, "app"), p)
}

func listActivations(s *server, c echo.Context, p control.Page) (Items[registry.Activation], error) {
	return s.Catalogue.Activations(c.Request().Context(), arg[string](c, "app"), p)
}

func listTriggers(s *server, c echo.Context, p control.Page) (Items[control.Trigger], error) {
	return s.Automation.Triggers(c.Request().Context(), arg[string](c, "app"), p)
}

func listDeadLetters(s *server, c echo.Context, p control.Page) (Items[triggers.Delivery], error) {
	return s.Automation.DeadLetters(c.Request().Context(), arg[string](c, "app"), p)
}

func listSecrets(s *server, c echo.Context, p control.Page) (Items[control.Secret], error) {
	return s.Vault.Secrets(c.Request().Context(), arg[string](c, "app"), p)
}

func listGrants(s *server, c echo.Context, p control.Page) (Items[approvals.Grant], error) {
	f := control.GrantFilter{App: arg[string](c, "app"), Capability: arg[string](c, "capability"), Live: arg[string](c, "live") == "true"}
	return s.Grants.Grants(c.Request().Context(), f, p)
}

func listKeys(s *server, c echo.Context, p control.Page) (Items[registry.Key], error) {
	return s.Keys.Keys(c.Request().Context(), p)
}

func listDomains(s *server, c echo.Context, p control.Page) (Items[registry.HostName], error) {
	return s.HostNames.HostNames(c.Request().Context(), p)
}

func listTokens(s *server, c echo.Context, p control.Page) (Items[access.Credential], error) {
	return s.Tokens.Tokens(c.Request().Context(), p)
}

func listUsers(s *server, c echo.Context, p control.Page) (Items[access.User], error) {
	return s.Users.Users(c.Request().Context(), control.UserFilter{Role: access.Role(arg[string](c, "role")), Name: arg[string](c, "name")}, p)
}

func listRequests(s *server, c echo.Context, p control.Page) (Items[approvals.Request], error) {
	status := approvals.Status(arg[string](c, "status"))
	return s.Requests.Requests(c.Request().Context(), control.RequestFilter{
		Status: status, App: arg[string](c, "app"), By: arg[string](c, "by"), Turn: approvals.Turn(arg[string](c, "turn")), Mine: arg[string](c, "mine") == "true", Overdue: arg[string](c, "overdue") == "true",
		Concern: access.Concern(arg[string](c, "concern")), Kind: approvals.Kind(arg[string](c, "kind")), Holds: arg[string](c, "holds") == "true",
	}, p)
}

func logs(s *server, c echo.Context, p control.Page) (Items[control.LogLine], error) {
	return s.Logs.Logs(c.Request().Context(), arg[string](c, "app"), p)
}

func events(s *server, c echo.Context, p control.Page) (Items[abi.Event], error) {
	f := control.EventFilter{After: abi.Rev(arg[int64](c, "after")), Newest: arg[string](c, "order") == "newest", App: arg[string](c, "app"), Kinds: arg[[]string](c, "kind"), Actor: arg[string](c, "actor"), From: arg[time.Time](c, "from"), To: arg[time.Time](c, "to")}
	return s.Events.Events(c.Request().Context(), f, p)
}

func usageSamples(s *server, c echo.Context, p control.Page) (Items[control.Sample], error) {
	hour := arg[time.Time](c, "hour")
	if hour.IsZero() {
		hour = time.Now()
	}
	return s.Samples.Samples(c.Request().Context(), arg[string](c, "app"), hour, p)
}

func listQuotaSettings(s *server, c echo.Context, p control.Page) (Items[access.QuotaSetting], error) {
	return s.Quotas.Settings(c.Request().Context(), p)
}

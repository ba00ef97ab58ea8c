package api

import (
	"fmt"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/host/internal/web"
	"github.com/agora-host/agora/host/internal/web/problem"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/triggers"
)

func listApps(s *server, c echo.Context, p web.Page) (Items[web.App], error) {
	search := registry.Search{
		Text: c.QueryParam("q"), Tier: abi.Tier(c.QueryParam("tier")), Team: c.QueryParam("team"), Owner: c.QueryParam("owner"), Capability: c.QueryParam("capability"),
	}
	if search.Tier != "" {
		if err := knownTier(search.Tier); err != nil {
			return Items[web.App]{}, err
		}
	}
	return s.node.Apps(c.Request().Context(), search, p)
}

func listReleases(s *server, c echo.Context, p web.Page) (Items[web.Release], error) {
	return s.node.Releases(c.Request().Context(), c.Param("app"), p)
}

func listActivations(s *server, c echo.Context, p web.Page) (Items[registry.Activation], error) {
	return s.node.Activations(c.Request().Context(), c.Param("app"), p)
}

func listTriggers(s *server, c echo.Context, p web.Page) (Items[web.Trigger], error) {
	return s.node.Triggers(c.Request().Context(), c.Param("app"), p)
}

func listLetters(s *server, c echo.Context, p web.Page) (Items[triggers.Delivery], error) {
	return s.node.DeadLetters(c.Request().Context(), c.Param("app"), p)
}

func listSecrets(s *server, c echo.Context, p web.Page) (Items[web.Secret], error) {
	return s.node.Secrets(c.Request().Context(), c.Param("app"), p)
}

func listGrants(s *server, c echo.Context, p web.Page) (Items[approvals.Grant], error) {
	return s.node.Grants(c.Request().Context(), c.QueryParam("app"), p)
}

func listKeys(s *server, c echo.Context, p web.Page) (Items[registry.Key], error) {
	return s.node.Keys(c.Request().Context(), p)
}

func listHosts(s *server, c echo.Context, p web.Page) (Items[registry.HostName], error) {
	return s.node.HostNames(c.Request().Context(), p)
}

func listTokens(s *server, c echo.Context, p web.Page) (Items[access.Credential], error) {
	return s.node.Tokens(c.Request().Context(), p)
}

func listUsers(s *server, c echo.Context, p web.Page) (Items[access.User], error) {
	return s.node.Users(c.Request().Context(), p)
}

func listRequests(s *server, c echo.Context, p web.Page) (Items[approvals.Request], error) {
	status := approvals.Status(c.QueryParam("status"))
	switch status {
	case "", approvals.StatusOpen, approvals.StatusApproved, approvals.StatusRejected, approvals.StatusWithdrawn:
	default:
		return Items[approvals.Request]{}, fmt.Errorf("%w: status is open, approved, rejected or withdrawn, not %q", problem.ErrBadRequest, status)
	}
	return s.node.Requests(c.Request().Context(), web.RequestFilter{Status: status, App: c.QueryParam("app")}, p)
}

func events(s *server, c echo.Context, p web.Page) (Items[abi.Event], error) {
	after, err := number(c, "after", 0, 0, 1<<63)
	if err != nil {
		return Items[abi.Event]{}, err
	}
	f := web.EventFilter{After: abi.Rev(after)}
	switch order := c.QueryParam("order"); order {
	case "", "oldest":
	case "newest":
		f.Newest = true
	default:
		return Items[abi.Event]{}, fmt.Errorf("%w: order is oldest or newest, not %q", problem.ErrBadRequest, order)
	}
	return s.node.Events(c.Request().Context(), f, p)
}

func usageSamples(s *server, c echo.Context, p web.Page) (Items[web.Sample], error) {
	hour, err := moment(c, "hour")
	if err != nil {
		return Items[web.Sample]{}, err
	}
	if hour.IsZero() {
		hour = time.Now()
	}
	return s.node.Samples(c.Request().Context(), c.QueryParam("app"), hour, p)
}

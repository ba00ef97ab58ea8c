package api

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/web"
	"github.com/agora-host/agora/web/problem"
)

const formMedia = "application/x-www-form-urlencoded"

// The words of RFC 8693, which the description of the API enumerates.
type (
	grantType     string
	subjectType   string
	requestedType string
)

const (
	grantExchange grantType     = "urn:ietf:params:oauth:grant-type:token-exchange"
	subjectJWT    subjectType   = "urn:ietf:params:oauth:token-type:jwt"
	subjectID     subjectType   = "urn:ietf:params:oauth:token-type:id_token"
	accessToken   requestedType = "urn:ietf:params:oauth:token-type:access_token"
)

func exchangeToken(s *server, c echo.Context) (any, error) {
	in, err := decodeForm[Exchange](c)
	if err != nil {
		return nil, err
	}
	asked := control.Exchange{Token: in.SubjectToken}
	for _, word := range strings.Fields(in.Scope) {
		asked.Scopes = append(asked.Scopes, access.Scope(word))
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	secret, token, err := s.Workloads.Exchange(web.WithDevice(c.Request()).Context(), asked)
	if err != nil {
		return nil, err
	}
	scopes := make([]string, len(token.Scopes))
	for i, scope := range token.Scopes {
		scopes[i] = string(scope)
	}
	return Exchanged{
		AccessToken: secret, IssuedTokenType: string(accessToken), TokenType: "Bearer",
		ExpiresIn: int(access.WorkloadTokenLife / time.Second), Scope: strings.Join(scopes, " "), User: token.User, Rule: token.Rule,
	}, nil
}

func listWorkloads(s *server, c echo.Context, p control.Page) (Items[control.WorkloadRule], error) {
	return s.Workloads.Rules(c.Request().Context(), p)
}

func listAppWorkloads(s *server, c echo.Context, p control.Page) (Items[control.WorkloadRule], error) {
	return s.Workloads.RulesFor(c.Request().Context(), arg[string](c, "app"), p)
}

// decodeForm is decode for bodies that may be forms, of which each field is there once.
func decodeForm[T any](c echo.Context) (v T, err error) {
	if takes(c, formMedia) != nil {
		return decode[T](c)
	}
	raw, err := readAll(c)
	if err != nil {
		return v, err
	}
	form, err := url.ParseQuery(string(raw))
	if err != nil {
		return v, fmt.Errorf("%w: %w", problem.ErrBadRequest, err)
	}
	doc := map[string]string{}
	for name, values := range form {
		if len(values) != 1 {
			return v, fmt.Errorf("%w: the field %.40q stands %d times", problem.ErrBadRequest, name, len(values))
		}
		doc[name] = values[0]
	}
	if raw, err = json.Marshal(doc); err == nil {
		err = c.Get(documentKey).(func([]byte) error)(raw)
	}
	if err == nil {
		err = json.Unmarshal(raw, &v)
	}
	return v, err
}

package api

import (
	"cmp"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/agora-host/agora/access"
)

// aboutNoApp are the operations that a token may call that is bound to apps, though their addresses
// name none: what they return is no app's, or they ask for the app once they have read it. Whoever
// adds one has to say here why it is no way around the binding.
var aboutNoApp = map[string]string{
	"info": "of the node", "whoami": "of the token", "types": "the same for all", "getPolicy": "the same for all", "listTiers": "the same for all", "publish": "host.Publish asks for the manifest's app",
	"inspect": "keeps nothing", "build": "keeps nothing", "checkPolicy": "keeps nothing, and asks for the manifest's app", "certify": "in its user's name, see docs/security.md", "timestamp": "of a digest",
}

// called is a request to an operation, about an app or, for "", about none.
func called(r route, app string) echo.Context {
	c := echo.New().NewContext(httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder())
	if strings.Contains(r.path, ":app") {
		c.SetParamNames("app")
		c.SetParamValues(app)
	}
	c.Set(valuesKey, map[string]any{"app": app})
	return c
}

// TestAllow walks every operation with tokens of a user who has every role: the operation's own
// scope lets in, and no other but "all"; a bound token is let in for its app, and for what names
// none if that is in the list above.
func TestAllow(t *testing.T) {
	for _, r := range routes() {
		if r.public {
			continue
		}
		try := func(app string, want bool, reach access.Reach) {
			t.Helper()
			actor := access.Actor{User: "ada@example.com", Roles: access.Roles(), Via: access.KindToken, Credential: "x", Reach: reach}
			err := cmp.Or(r.allow(actor), r.reaches(actor, called(r, app)))
			if (err == nil) != want || (err != nil && !errors.Is(err, access.ErrScope)) {
				t.Errorf("%s %s (%s) about %q with %+v: %v", r.method, r.path, r.id, app, reach, err)
			}
		}
		judged := r.scope == access.ScopeBackupRead // by access.MayBackUp
		for _, s := range access.Scopes() {
			try("shop", judged || r.scope == anyScope || s.Scope == access.ScopeAll || s.Scope == r.scope, access.Reach{Scopes: []access.Scope{s.Scope}})
		}
		bound := access.Reach{Apps: []string{"shop"}}
		_, free := aboutNoApp[r.id]
		names := strings.Contains(r.path, ":app") || slices.ContainsFunc(r.query, func(p param) bool { return p.name == "app" })
		try("shop", free || names, bound)
		try("other", free, bound)
		try("", free, bound)
	}
}

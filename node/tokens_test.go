package node_test

import (
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// with is a client that shows a secret.
func (n *testNode) with(secret string) *client.Client {
	n.t.Helper()
	c, err := client.New("http://"+n.Addr().String(), secret)
	if err != nil {
		n.t.Fatal(err)
	}
	return c
}

// limited makes a token with fewer scopes out of another.
func (n *testNode) limited(of string, scopes ...access.Scope) string {
	n.t.Helper()
	t := client.NewToken{Label: "limited", Hours: 1}
	for _, s := range scopes {
		t.Scopes = append(t.Scopes, string(s))
	}
	made, err := n.with(of).NewToken(n.t.Context(), t)
	if err != nil {
		n.t.Fatal(err)
	}
	return made.Secret
}

// TestScopesOpenWhatTheyName walks every operation with a token of every scope, of a user who has
// every role: it is let through exactly if the description names that scope.
func TestScopesOpenWhatTheyName(t *testing.T) {
	n := start(t)
	all, err := n.TokenOf(t.Context(), "all@example.com", "test", time.Hour, access.Reach{Scopes: []access.Scope{access.ScopeAll, access.ScopeBackupRead}}, access.Roles()...)
	if err != nil {
		t.Fatal(err)
	}
	n.publish(n.as("all@example.com"), []byte(strings.Replace(string(manifest("shop")), ada, "all@example.com", 1)), says("one"))
	d, _ := describe(t, n)
	for _, s := range access.Scopes() {
		if s.Scope == access.ScopeAppsOpen {
			continue // is for apps' addresses, and no operation knows it: TestSecretsAtTheWrongPlace
		}
		token := n.limited(all, s.Scope)
		opened := 0
		for path, operations := range d.Paths {
			for method, op := range operations {
				if op.Security == nil || len(*op.Security) == 0 {
					continue
				}
				need := (*op.Security)[0]["token"]
				if len(need) == 1 && need[0] == "backup:read" && s.Scope == access.ScopeBackupRead {
					continue // TestBackupAsksForMore
				}
				body, media := bodyFor(op.OperationID)
				got := n.do(strings.ToUpper(method), n.ConsoleURL()+fill(path), body, "Content-Type", media, "Authorization", "Bearer "+token)
				refused := got.Problem.Type == "/problems/insufficient-scope" || got.Problem.Type == "/problems/backup-needs-more"
				allowed := len(need) == 0 || slices.Contains(need, string(s.Scope)) || (s.Scope == access.ScopeAll && need[0] != "backup:read")
				if refused == allowed {
					t.Errorf("%s needs %v; with %s: %d %s", op.OperationID, need, s.Scope, got.Status, got.Body)
				}
				if refused && (got.Status != 403 || !strings.Contains(got.Problem.Detail, need[0])) {
					t.Errorf("%s needs %v: %d %s", op.OperationID, need, got.Status, got.Problem.Detail)
				}
				if op.OperationID == "revokeToken" || op.OperationID == "putUser" {
					token = n.limited(all, s.Scope)
				}
				if allowed && len(need) > 0 {
					opened++
				}
			}
		}
		if opened == 0 && s.Scope != access.ScopeMetricsRead && s.Scope != access.ScopeBackupRead {
			t.Errorf("%s opens nothing", s.Scope)
		}
	}
}

// TestATokenIsNeverWidened: what is made with a token reaches no further, and no token signs in.
func TestATokenIsNeverWidened(t *testing.T) {
	n := start(t)
	n.publish(n.ada(), manifest("shop"), says("one"))
	n.publish(n.ada(), manifest("other"), says("two"))
	operator := n.token(ops, access.RoleOperator, access.RoleDeveloper)
	narrow := n.limited(operator, access.ScopeTokensWrite, access.ScopeUsersWrite, access.ScopeUsageRead)
	for name, scopes := range map[string][]string{"everything": {"all"}, "another": {"metrics:read"}, "one of two": {"usage:read", "logs:read"}, "the usual": nil, "a backup": {"backup:read"}} {
		if _, err := n.with(narrow).NewToken(t.Context(), client.NewToken{Label: "x", Hours: 1, Scopes: scopes}); problemOf(t, err).Status != 403 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := n.with(narrow).NewToken(t.Context(), client.NewToken{Label: "x", Scopes: []string{"usage:read"}}); err != nil {
		t.Error(err)
	}
	if _, err := n.with(narrow).Invite(t.Context(), ops); problemOf(t, err).Type != "/problems/insufficient-scope" {
		t.Errorf("a link: %v", err)
	}
	for _, bad := range [][]string{{"usage:write"}, {"usage:read", "usage:read"}, {"ALL"}, {""}} {
		if _, err := n.with(operator).NewToken(t.Context(), client.NewToken{Label: "x", Scopes: bad}); problemOf(t, err).Status/100 != 4 {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := n.with(operator).NewToken(t.Context(), client.NewToken{Label: "x", Apps: []string{"absent"}}); problemOf(t, err).Status != 404 {
		t.Errorf("an app that is not there: %v", err)
	}
	for _, secret := range []string{operator, narrow} {
		if got := n.do("GET", n.ConsoleURL()+"/", "", "Cookie", "agora_session="+secret); got.Status != 303 {
			t.Errorf("a token as a cookie: %d", got.Status)
		}
	}
}

// TestABoundTokenReachesItsApps, and nothing that is about others or about none.
func TestABoundTokenReachesItsApps(t *testing.T) {
	n := start(t)
	n.publish(n.ada(), manifest("shop"), says("one"))
	n.publish(n.ada(), manifest("other"), says("two"))
	made, err := n.ada().NewToken(t.Context(), client.NewToken{Label: "ci", Hours: 1, Scopes: []string{"all"}, Apps: []string{"shop"}})
	if err != nil {
		t.Fatal(err)
	}
	for path, status := range map[string]int{
		"/apps/shop": 200, "/apps/shop/releases": 200, "/apps/other": 403, "/apps/sho%70": 200, "/apps/o%74her/logs": 403, "/apps": 403, "/whoami": 200,
		"/usage?app=shop": 200, "/usage?app=other": 403, "/usage": 403, "/events": 403, "/requests?app=shop": 200, "/requests": 403, "/requests/req-1": 403, "/tokens": 403,
	} {
		if got := n.do("GET", n.ConsoleURL()+"/api/v1"+path, "", "Authorization", "Bearer "+made.Secret); got.Status != status {
			t.Errorf("%s: %d %s, want %d", path, got.Status, got.Body, status)
		}
	}
	ci := n.with(made.Secret)
	for app, want := range map[string]bool{"shop": true, "other": false, "new": false} {
		module := says("again " + app)
		_, err := ci.Publish(t.Context(), manifest(app), module, signAs(t, ci, module), nil)
		if (err == nil) != want || (!want && problemOf(t, err).Type != "/problems/insufficient-scope") {
			t.Errorf("publish %s: %v", app, err)
		}
	}
	if _, err := ci.NewToken(t.Context(), client.NewToken{Label: "x", Scopes: []string{"all"}}); problemOf(t, err).Status != 403 {
		t.Errorf("a token for all apps: %v", err)
	}
}

// TestBackupAsksForMore than the role: a token that names it, or a session that just began and
// that no token stands behind.
func TestBackupAsksForMore(t *testing.T) {
	var mu sync.Mutex
	now := time.Now()
	n := start(t, func(o *node.Options) { o.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now } })
	whole, err := n.TokenFor(t.Context(), ops, "test", 300*24*time.Hour, access.RoleOperator)
	if err != nil {
		t.Fatal(err)
	}
	session := func(link string) *client.Client {
		_, c, err := n.with("").SignIn(t.Context(), link)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	link, err := n.Welcome(t.Context(), ops)
	if err != nil {
		t.Fatal(err)
	}
	fresh := session(link)
	ofToken, err := n.with(whole).Invite(t.Context(), ops)
	if err != nil {
		t.Fatal(err)
	}
	named, err := fresh.NewToken(t.Context(), client.NewToken{Label: "nightly", Hours: 24, Scopes: []string{"backup:read"}})
	if err != nil {
		t.Fatal(err)
	}
	try := func(name string, c *client.Client, want bool) {
		t.Helper()
		stream, err := c.Backup(t.Context())
		if want != (err == nil) || (!want && problemOf(t, err).Type != "/problems/backup-needs-more") {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			_, err = io.Copy(io.Discard, stream)
			if stream.Close(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	try("a token of all scopes", n.with(whole), false)
	try("a token that lives an hour", n.ops(), false)
	try("a scraper's", n.with(n.limited(whole, access.ScopeMetricsRead)), false)
	try("a session that a token stands behind", session(ofToken), false)
	try("a session that just began", fresh, true)
	try("a token that names it", n.with(named.Secret), true)
	for name, k := range map[string]struct {
		by *client.Client
		t  client.NewToken
	}{
		"made with a token":         {n.with(whole), client.NewToken{Label: "x", Hours: 1, Scopes: []string{"backup:read"}}},
		"made with a token, of all": {n.with(whole), client.NewToken{Label: "x", Hours: 1, Scopes: []string{"all", "backup:read"}}},
		"for ever":                  {fresh, client.NewToken{Label: "x", Scopes: []string{"backup:read"}}},
		"for long":                  {fresh, client.NewToken{Label: "x", Hours: 32 * 24, Scopes: []string{"backup:read"}}},
	} {
		if _, err := k.by.NewToken(t.Context(), k.t); problemOf(t, err).Status/100 != 4 {
			t.Errorf("%s: %v", name, err)
		}
	}
	events, err := n.with(whole).Events(t.Context(), 0, 0)
	if err != nil || len(slices.DeleteFunc(slices.Clone(events), func(e abi.Event) bool { return e.Kind != "backup.read" || e.Actor != ops })) != 2 {
		t.Errorf("%v, %v", events, err)
	}
	mu.Lock()
	now = now.Add(access.FreshFor)
	mu.Unlock()
	try("a session that began a while ago", fresh, false)
	if _, err := fresh.NewToken(t.Context(), client.NewToken{Label: "x", Hours: 1, Scopes: []string{"backup:read"}}); problemOf(t, err).Type != "/problems/backup-needs-more" {
		t.Errorf("a token of a session that began a while ago: %v", err)
	}
}

// TestTokensAreShown with what they may do, and when they were used, also after a restart; those
// of before there were scopes may do everything.
func TestTokensAreShown(t *testing.T) {
	n := start(t)
	secret := n.limited(n.token(ada, access.RoleDeveloper), access.ScopeUsageRead)
	find := func(n *testNode) client.Credential {
		all, err := n.as(ada).Tokens(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return all[slices.IndexFunc(all, func(c client.Credential) bool { return c.Label == "limited" })]
	}
	if c := find(n); !slices.Equal(c.Scopes, []string{"usage:read"}) || !c.Used.IsZero() {
		t.Errorf("%+v", c)
	}
	n.do("GET", n.ConsoleURL()+"/api/v1/whoami", "", "Authorization", "Bearer "+secret)
	if c := find(n); time.Since(c.Used) > 2*time.Hour {
		t.Errorf("%+v was just used", c)
	}
	n.stop()
	n = startIn(t, n.dir)
	if c := find(n); time.Since(c.Used) > 2*time.Hour {
		t.Errorf("after a restart: %+v", c)
	}
	page := n.do("GET", n.ConsoleURL()+"/settings", "", "Cookie", n.session(ada))
	for _, want := range []string{"usage:read", "everything you may do", "Last used", "Revoke"} {
		if !strings.Contains(page.Body, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

package node_test

import (
	"html"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/access/oidc/oidctest"
	"github.com/agora-host/agora/node"
)

// heldField is a field of the form that a page keeps.
var heldField = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)

// held is the form that a page keeps: where it is sent, and with what.
func held(body string) (action, form string) {
	_, rest, _ := strings.Cut(body, `<form method="post" action="`)
	for !strings.Contains(strings.SplitN(rest, ">", 2)[0], `id="held"`) && rest != "" {
		_, rest, _ = strings.Cut(rest, `<form method="post" action="`)
	}
	action, _, _ = strings.Cut(rest, `"`)
	fields := url.Values{}
	for _, f := range heldField.FindAllStringSubmatch(rest, -1) {
		fields.Add(f[1], html.UnescapeString(f[2]))
	}
	return html.UnescapeString(action), fields.Encode()
}

// fresh starts a node that asks for a fresh sign-in, and whose clock a test moves.
func fresh(t *testing.T) (*testNode, *atomic.Int64) {
	var later atomic.Int64
	return start(t, func(o *node.Options) {
		o.FreshSignIn = access.FreshByDefault
		o.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	}), &later
}

// TestFreshByDefault: where people sign in with links alone, also beside rules for the jobs of a CI, no fresh
// sign-in is asked for unless the node is told to.
func TestFreshByDefault(t *testing.T) {
	jobs := filepath.Join(t.TempDir(), "sign-in.json")
	rules := `{"workloads": [{"id": "deploy", "issuer": "https://ci.example.com", "audience": "agora", "claims": {"repository_id": "1", "repository_owner_id": "2", "ref": "refs/heads/main"}, "service_account": "deploy", "scopes": ["apps:read"]}]}`
	if err := os.WriteFile(jobs, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		said   time.Duration
		signIn string
		asks   bool
	}{
		"links":              {node.FreshWithProviders, "", false},
		"links, and jobs":    {node.FreshWithProviders, jobs, false},
		"links, but told to": {access.FreshByDefault, "", true},
	} {
		var later atomic.Int64
		n := start(t, func(o *node.Options) {
			o.FreshSignIn, o.SignIn = c.said, c.signIn
			o.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
		})
		v := n.guest()
		v.enters(ops, access.RoleOperator)
		later.Store(int64(16 * time.Minute))
		got := v.do("POST", n.ConsoleURL()+"/groups", url.Values{"name": {"sales"}}.Encode())
		if asked := got.status == http.StatusForbidden && strings.Contains(got.body, "Sign in again"); asked != c.asks {
			t.Errorf("%s: %d %.300s", name, got.status, got.body)
		}
	}
}

// TestFreshSignIn: in a session of half an hour ago nobody decides or changes who may; the form is kept, and sent by
// the same person once that person has signed in again. Tokens are held to their scopes, and the rest of the console to nothing.
func TestFreshSignIn(t *testing.T) {
	n, later := fresh(t)
	q := n.publish(n.ada(), manifest("shop", kvAsk), keeps(17)).Requests[0]
	decide := n.ConsoleURL() + "/requests/" + q.ID + "/decision"
	form := url.Values{"verdict": {"approve"}, "reason": {"it keeps \"little\" & <nothing> else"}, "revision": {"none"}}
	v := n.guest()
	v.enters(rex, access.RoleReviewer)
	later.Store(int64(16 * time.Minute))
	if s := v.do("GET", n.ConsoleURL()+"/requests", ""); s.status != 200 {
		t.Fatalf("reading: %+v", s)
	}
	s := v.do("POST", decide, form.Encode())
	action, kept := held(s.body)
	if s.status != http.StatusForbidden || !strings.Contains(s.body, "Sign in again") || action != "/requests/"+q.ID+"/decision" {
		t.Fatalf("%+v", s)
	}
	if got, err := n.rex().Request(t.Context(), q.ID); err != nil || got.Status != "open" {
		t.Fatalf("%+v, %v", got, err)
	}
	again, err := url.ParseQuery(kept)
	if err != nil || again.Get("reason") != form.Get("reason") || again.Get("verdict") != "approve" || again.Get("sent-as") != rex {
		t.Errorf("kept: %v, %v", again, err)
	}
	if s := v.do("POST", n.ConsoleURL()+action, kept); s.status != http.StatusForbidden {
		t.Errorf("sent without signing in: %+v", s)
	} else if _, twice := held(s.body); twice != kept {
		t.Errorf("kept the second time: %s", twice)
	}
	v.enters("other@example.com", access.RoleReviewer)
	if s := v.do("POST", n.ConsoleURL()+action, kept); s.status != http.StatusForbidden || !strings.Contains(s.body, "filled this form in") {
		t.Errorf("sent by another person: %+v", s)
	}
	v.enters(rex, access.RoleReviewer)
	if s := v.do("GET", n.ConsoleURL()+"/again?fresh=1", ""); !strings.Contains(s.body, "Signed in again") {
		t.Errorf("%+v", s)
	}
	again.Del("revision")
	if s := v.do("POST", n.ConsoleURL()+action, again.Encode()); s.status >= 400 && s.status != http.StatusPreconditionFailed {
		t.Errorf("sent again: %+v", s)
	}
	if got, err := n.rex().Request(t.Context(), q.ID); err != nil || got.Status != "approved" {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestWhatAsksForAFreshSignIn: each form that decides or changes who may asks for it before anything else; pages for
// that lead to it and back; the API asks a session, and no token.
func TestWhatAsksForAFreshSignIn(t *testing.T) {
	n, later := fresh(t)
	v := n.guest()
	v.enters("all@example.com", access.Roles()...)
	cookies := v.Jar.Cookies(mustURL(t, n.ConsoleURL()))
	session := cookies[0].Value
	later.Store(int64(16 * time.Minute))
	for _, path := range []string{
		"/requests/none/decision", "/apps/none/releases/1/decision", "/settings/users", "/settings/users/rename", "/settings/users/invite", "/settings/links", "/groups", "/groups/none/rename", "/groups/none/delete",
		"/groups/none/add", "/groups/none/remove", "/provisioning/tokens", "/people/import", "/provisioning/entra/revoke", "/provisioning/entra/link", "/provisioning/entra/dismiss",
	} {
		if s := v.do("POST", n.ConsoleURL()+path, "name=x"); s.status != http.StatusForbidden || !strings.Contains(s.body, "Sign in again") {
			t.Errorf("%s: %d %s", path, s.status, s.body)
		}
	}
	for _, path := range []string{"/settings/tokens", "/settings/sessions/end", "/service-accounts", "/device"} {
		if s := v.do("POST", n.ConsoleURL()+path, "name=x"); strings.Contains(s.body, "Sign in again") {
			t.Errorf("%s asks for it", path)
		}
	}
	s := v.do("GET", n.ConsoleURL()+"/provisioning?x=1", "")
	if s.status != http.StatusSeeOther || s.header.Get("Location") != "/again?next=%2Fprovisioning%3Fx%3D1" {
		t.Errorf("%+v", s)
	}
	if s := v.do("GET", n.ConsoleURL()+s.header.Get("Location"), ""); s.status != 200 || !strings.Contains(s.body, `name="next" value="/provisioning?x=1"`) {
		t.Errorf("%+v", s)
	}
	if s := v.do("GET", n.ConsoleURL()+"/again?next=//evil.example.com", ""); strings.Contains(s.body, "evil") {
		t.Errorf("it leads elsewhere: %s", s.body)
	}
	body, media := `{"roles":["viewer"]}`, "application/json"
	put := n.ConsoleURL() + "/api/v1/users/new@example.com"
	if got := n.do("PUT", put, body, "Content-Type", media, "Authorization", "Bearer "+session); got.Problem.Type != "/problems/fresh-sign-in-needed" {
		t.Errorf("a session: %+v", got)
	}
	if got := n.do("GET", n.ConsoleURL()+"/api/v1/users", "", "Authorization", "Bearer "+session); got.Status != 200 {
		t.Errorf("a session that reads: %+v", got)
	}
	if got := n.do("PUT", put, body, "Content-Type", media, "Authorization", "Bearer "+n.token(ops, access.RoleOperator)); got.Status != 200 {
		t.Errorf("a token: %+v", got)
	}
}

func mustURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestSignInAgainAtProvider: a person whose session is not fresh is led to the provider, which is told to ask, and
// back to the page; the session is the same, and what it had made goes on. Another person's proof counts for nothing.
func TestSignInAgainAtProvider(t *testing.T) {
	var later atomic.Int64
	c := startCompany(t, func(o *node.Options) {
		o.FreshSignIn = access.FreshByDefault
		o.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	})
	eveThere := oidctest.Person{Subject: "s-eve", Email: "eve@example.com", Verified: true, Session: "sid-eve"}
	c.Add(eveThere)
	for _, there := range []string{adaThere.Subject, eveThere.Subject} { // both have accounts here
		if first := c.visitor(); first.signIn("/auth/company", there).Status != 200 || first.session() == "" {
			t.Fatalf("%s is not in", there)
		}
	}
	decides := func(v *visitor) bool {
		t.Helper()
		s := v.request(http.MethodPost, "/requests/none/decision", url.Values{"verdict": {"approve"}})
		asked := strings.Contains(s.Body, "Sign in again")
		if asked != (s.Status == http.StatusForbidden) {
			t.Fatalf("%+v", s)
		}
		return !asked
	}
	if _, err := c.ops().PutUser(t.Context(), ada, []string{"reviewer"}, false); err != nil {
		t.Fatal(err)
	}
	v := c.visitor()
	later.Store(-int64(time.Hour))
	link, err := c.Welcome(t.Context(), ada)
	if err != nil {
		t.Fatal(err)
	}
	_, secret, _ := strings.Cut(link, "link=")
	v.request(http.MethodPost, "/sign-in", url.Values{"link": {secret}})
	later.Store(0)
	was := v.session()
	if was == "" || decides(v) {
		t.Fatal("a session of an hour ago decides")
	}
	if s := v.get("/again?next=%2Fusage"); !strings.Contains(s.Body, `href="/auth/company/again?next=%2fusage"`) {
		t.Errorf("%+v", s)
	}
	to := v.stopAt("/auth/company/again?next=%2Fusage", func(u *url.URL) bool { return u.Query().Get("client_id") != "" })
	if to.Query().Get("max_age") != "450" {
		t.Errorf("the provider is asked %s", to)
	}
	if s := v.signIn("/auth/company/again?next=%2Fusage", eveThere.Subject); s.Status != http.StatusForbidden || v.session() != was || decides(v) {
		t.Errorf("another person's proof: %+v", s)
	}
	fresh := c.visitor() // without eve's session at the provider, and with ada's here
	u := mustURL(t, c.ConsoleURL())
	fresh.jar.SetCookies(u, []*http.Cookie{{Name: "agora_session", Value: was, Path: "/"}})
	if s := fresh.signIn("/auth/company/again?next=%2Fusage", adaThere.Subject); s.Status != 200 || s.URL.Path != "/usage" {
		t.Fatalf("%+v", s)
	}
	if fresh.session() != was || !decides(fresh) {
		t.Errorf("the session is another one (%v), or not fresh", fresh.session() != was)
	}
	if s := c.visitor().get("/auth/company/again?next=%2Fusage"); s.Status != http.StatusUnauthorized {
		t.Errorf("for no one: %+v", s)
	}
}

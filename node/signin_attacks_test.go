package node_test

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/access/oidc/oidctest"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// isCallback reports whether an address is where a provider leads back to.
func isCallback(u *url.URL) bool {
	return strings.HasSuffix(u.Path, "/callback") && strings.HasPrefix(u.Path, "/auth/")
}

// at has the browser be known at the provider, without a session here.
func (c *company) at(subject string) *visitor {
	c.t.Helper()
	v := c.visitor()
	v.signIn("/auth/company", subject)
	v.request(http.MethodPost, "/sign-out", nil)
	if v.session() != "" {
		c.t.Fatal("still signed in")
	}
	return v
}

// TestForeignCallbacks: no answer of a provider signs anybody in but the one that the same browser
// asked for, once; what is refused leaves the browser as it was.
func TestForeignCallbacks(t *testing.T) {
	c := startCompany(t)
	eve := c.at(adaThere.Subject)
	begun := func(v *visitor) *url.URL { return v.stopAt("/auth/company?next=/usage", isCallback) }
	refused := func(name string, v *visitor, address string, status int, words ...string) {
		t.Helper()
		before := v.session()
		got := v.get(address)
		if got.Status != status || v.session() != before || strings.Contains(got.Body, "<script>alert") {
			t.Errorf("%s: %d %s, session %q\n%.300s", name, got.Status, got.URL, v.session(), got.Body[strings.Index(got.Body, "<main>")+1:])
		}
		for _, w := range words {
			if !strings.Contains(got.Body, w) {
				t.Errorf("%s does not say %q:\n%s", name, w, got.Body)
			}
		}
	}
	back := begun(eve)
	victim := c.visitor()
	refused("another browser's", victim, back.String(), 403, "begun in another browser")
	link, err := c.Welcome(t.Context(), "victim@example.com")
	if err != nil {
		t.Fatal(err)
	}
	_, secret, _ := strings.Cut(link, "link=")
	victim.request(http.MethodPost, "/sign-in", url.Values{"link": {secret}})
	refused("another browser's, of a person who is signed in", victim, back.String(), 403)
	if in := eve.get(back.String()); in.URL.Path != "/usage" || eve.session() == "" {
		t.Errorf("the browser's own: %d %s", in.Status, in.URL)
	}
	refused("the same once more", eve, back.String(), 403)

	// Whatever else an address may hold.
	with := func(change func(url.Values)) string {
		u := *begun(eve)
		q := u.Query()
		change(q)
		u.RawQuery = q.Encode()
		return u.String()
	}
	refused("without a state", eve, with(func(q url.Values) { q.Del("state") }), 403)
	refused("two states", eve, with(func(q url.Values) { q.Add("state", q.Get("state")) }), 403)
	refused("a state of its first letters", eve, with(func(q url.Values) { q.Set("state", q.Get("state")[:8]) }), 403)
	refused("another code", eve, with(func(q url.Values) { q.Set("code", "x") }), 403, "does not take the code")
	refused("an error", eve, with(func(q url.Values) {
		q.Del("code")
		q.Set("error", "access_denied")
		q.Set("error_description", "<script>alert(1)</script>")
	}), 403, "access_denied", "&lt;script&gt;")
	refused("another provider's address", eve, strings.Replace(begun(eve).String(), "/auth/company/", "/auth/partners/", 1), 404)
	if got := eve.request(http.MethodHead, begun(eve).String(), nil); got.Status != 405 {
		t.Errorf("HEAD: %d", got.Status)
	}
	framed := eve.get(begun(eve).String(), "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe")
	if framed.Status != http.StatusForbidden || strings.Contains(framed.Header.Get("Set-Cookie"), "agora_session") {
		t.Errorf("from a frame: %d", framed.Status)
	}
	u, _ := url.Parse(c.ConsoleURL())
	twice := begun(eve)
	name := "agora_login_" + twice.Query().Get("state")[:8]
	for _, kept := range eve.jar.Cookies(u) {
		if kept.Name == name { // the browser sends its own first, and then what was tossed to it
			eve.jar.SetCookies(u, []*http.Cookie{{Name: name, Value: kept.Value, Path: "/auth"}, {Name: name, Value: "x", Path: "/"}})
		}
	}
	refused("two cookies of one name", eve, twice.String(), 403)
	for name, value := range map[string]string{"Sec-Purpose": "prefetch;prerender", "Purpose-Not": ""} {
		got := c.visitor()
		got.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		if answer := got.get("/auth/company", name, value); (value != "") != (answer.Status == 401) || (value != "") != (len(got.logins()) == 0) {
			t.Errorf("%s: %d, %v", value, answer.Status, got.logins())
		}
	}
	many := c.visitor()
	many.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for range 9 {
		many.get("/auth/company")
	}
	if n := len(many.logins()); n != 4 {
		t.Errorf("%d sign-ins are on their way", n)
	}
	if got := many.get("/auth/none"); got.Status != 404 {
		t.Errorf("a provider that there is not: %d", got.Status)
	}
}

// TestReturnPaths: a sign-in leads to a page of the console and nowhere else.
func TestReturnPaths(t *testing.T) {
	c := startCompany(t)
	v := c.visitor()
	v.signIn("/auth/company", adaThere.Subject)
	v.client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if len(r.Response.Request.URL.Query()["code"]) > 0 {
			return http.ErrUseLastResponse
		}
		return nil
	}
	for next, want := range map[string]string{
		"/usage": "/usage", "/apps/a?b=c#d": "/apps/a?b=c#d", "": "/", "//evil.example": "/", "///evil.example": "/", `/\evil.example`: "/", `\\evil.example`: "/",
		"/%09/evil.example": "/", "/\t/evil.example": "/", "https://evil.example": "/", "javascript:alert(1)": "/", "evil.example": "/", "/%2f/evil.example": "/", "/%5cevil.example": "/",
		"/a\r\nSet-Cookie: x=y": "/", "/" + strings.Repeat("a", 2000): "/", "http:/evil.example": "/", "/.%0a/x": "/", c.ConsoleURL() + "/usage": "/", "/ /evil": "/",
	} {
		got := v.get("/auth/company?next=" + url.QueryEscape(next))
		if to := got.Header.Get("Location"); to != want || got.Status != http.StatusSeeOther {
			t.Errorf("%.60q leads to %.80q with %d, want %q", next, to, got.Status, want)
		}
		if got.Header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("the code may leak to %q", want)
		}
		link := v.request(http.MethodPost, "/sign-in", url.Values{"link": {c.link()}, "next": {next}})
		if link.URL.Host != strings.TrimPrefix(c.ConsoleURL(), "http://") {
			t.Errorf("a link leads to %s", link.URL)
		}
	}
}

// link is a new one-time link's secret.
func (c *company) link() string {
	c.t.Helper()
	link, err := c.Welcome(c.t.Context(), ada)
	if err != nil {
		c.t.Fatal(err)
	}
	_, secret, _ := strings.Cut(link, "link=")
	return secret
}

// TestFixation: what a browser brings along becomes no session, and the session that it had ends.
func TestFixation(t *testing.T) {
	c := startCompany(t)
	u, _ := url.Parse(c.ConsoleURL())
	v := c.visitor()
	v.jar.SetCookies(u, []*http.Cookie{{Name: "agora_session", Value: "agora_ses_known", Path: "/"}})
	v.signIn("/auth/company", adaThere.Subject)
	first := v.session()
	if first == "agora_ses_known" || !strings.HasPrefix(first, "agora_ses_") {
		t.Fatalf("the session is %q", first)
	}
	c.Add(oidctest.Person{Subject: "s-eve", Email: "eve@example.com", Verified: true})
	shared := c.visitor()
	shared.jar.SetCookies(u, []*http.Cookie{{Name: "agora_session", Value: first, Path: "/"}})
	shared.signIn("/auth/company", "s-eve")
	if second := shared.session(); second == first || !strings.Contains(shared.get("/settings").Body, "eve@example.com") {
		t.Errorf("signed in over another session: %q", second)
	}
	if got := v.get("/usage"); got.URL.Path != "/sign-in" {
		t.Errorf("the session before goes on: %s", got.URL)
	}
}

// TestSignInCookies: over TLS the cookies are the console's alone, and no script reads them.
func TestSignInCookies(t *testing.T) {
	c := startCompany(t, func(o *node.Options) { o.ConsoleURL, o.AppsDomain = "https://agora.example.com", "apps.example.com" })
	c.Allow("https://agora.example.com/auth/company/callback")
	begin := c.do("GET", "http://agora.example.com/auth/company", "")
	login, _, _ := strings.Cut(begin.Header.Get("Set-Cookie"), ";")
	answer, _ := c.Browser().SignIn(begin.Header.Get("Location"), adaThere.Subject)
	back := c.do("GET", "http://agora.example.com/auth/company/callback?"+answer.Encode(), "", "Cookie", login)
	if back.Status != http.StatusSeeOther {
		t.Fatalf("%d %s", back.Status, back.Body)
	}
	all := append(begin.Header.Values("Set-Cookie"), back.Header.Values("Set-Cookie")...)
	if len(all) != 3 {
		t.Errorf("cookies: %q", all)
	}
	for _, cookie := range all {
		same := "; SameSite=Lax"
		if strings.HasPrefix(cookie, "__Host-agora_session=") { // which comes with no link from elsewhere
			same = "; SameSite=Strict"
		}
		for _, part := range []string{"; Path=/", "; HttpOnly", "; Secure", same} {
			if !strings.HasPrefix(cookie, "__Host-agora_") || !strings.Contains(cookie, part) || strings.Contains(cookie, "Domain") {
				t.Errorf("%s", cookie)
			}
		}
	}
	if strings.Contains(begin.Header.Get("Location"), "client_secret") || !strings.Contains(begin.Header.Get("Location"), "code_challenge_method=S256") {
		t.Errorf("the way there is %s", begin.Header.Get("Location"))
	}
}

// TestNameTaken: an address makes nobody the user of that name; operators see it, and the person
// connects the account.
func TestNameTaken(t *testing.T) {
	c := startCompany(t)
	c.ada() // is here, by an operator
	v := c.visitor()
	if got := v.signIn("/auth/company", adaThere.Subject); got.Status != http.StatusConflict || !strings.Contains(got.Body, "connect this account in your settings") || v.session() != "" {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	events, err := c.EventsKept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	last := events[len(events)-1]
	if last.Kind != "account.refused" || last.Subject != ada || last.Detail["reason"] != "name taken" || last.Detail["provider"] != "company" {
		t.Errorf("operators see %+v", last)
	}
	if seen, err := c.ada().Events(t.Context(), 0, 1000); err != nil || slices.ContainsFunc(seen, func(e abi.Event) bool { return e.Kind == "account.refused" }) {
		t.Errorf("others see it: %v", err)
	}
	v.request(http.MethodPost, "/sign-in", url.Values{"link": {c.link()}})
	if got := v.signIn("/auth/company/connect", adaThere.Subject); got.Status != http.StatusOK || !strings.Contains(got.Body, "Connected. You can sign in") {
		t.Fatalf("connect: %d %s\n%s", got.Status, got.URL, got.Body)
	}
	other := c.visitor()
	if got := other.signIn("/auth/company", adaThere.Subject); got.Status != http.StatusOK || !strings.Contains(got.Body, ada) {
		t.Errorf("after connecting: %d %s", got.Status, got.Body)
	}
}

// TestConnectAccounts: an account becomes the person's who asked for it, and no other's; nobody takes
// away their own last way in.
func TestConnectAccounts(t *testing.T) {
	company, partners := oidctest.Start(t), oidctest.Start(t)
	for _, p := range []*oidctest.Provider{company, partners} {
		p.Add(adaThere, oidctest.Person{Subject: "s-eve", Email: "eve@example.com", Verified: true})
	}
	path := signInFile(t, map[string]*oidctest.Provider{"company": company, "partners": partners})
	n := start(t, func(o *node.Options) { o.SignIn = path })
	for id, p := range map[string]*oidctest.Provider{"company": company, "partners": partners} {
		p.Allow(n.ConsoleURL() + "/auth/" + id + "/callback")
	}
	v, eve := n.visitor(), n.visitor()
	v.signIn("/auth/company", adaThere.Subject)
	eve.signIn("/auth/company", "s-eve")
	// The other provider says the same address: that is another person, until Ada says that it is she.
	if got := n.visitor().signIn("/auth/partners", adaThere.Subject); got.Status != http.StatusConflict {
		t.Fatalf("two providers, one address: %d", got.Status)
	}
	account := func(name, provider string) string {
		_, all := n.person(name)
		for _, a := range all {
			if a.Provider == provider {
				return a.ID
			}
		}
		return ""
	}
	disconnect := func(v *visitor, fields ...string) shown {
		form := url.Values{"account": {fields[0]}}
		if len(fields) > 1 {
			form.Set("user", fields[1])
		}
		return v.request(http.MethodPost, "/settings/accounts/disconnect", form)
	}
	if got := disconnect(v, account(ada, "company")); got.Status != http.StatusConflict || account(ada, "company") == "" {
		t.Errorf("the last way in: %d", got.Status)
	}
	if got := v.signIn("/auth/partners/connect", adaThere.Subject); got.Status != http.StatusOK || account(ada, "partners") == "" {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	// What of it a program sees.
	for who, sees := range map[*client.Client]int{n.as(ada): 2, n.ops(): 2, n.as("eve@example.com"): -1} {
		all, err := who.Accounts(t.Context(), ada)
		if (sees < 0) != (err != nil) || sees > 0 && (len(all) != sees || all[1].Provider != "partners" || all[1].Subject != adaThere.Subject || all[1].Email != ada) {
			t.Errorf("%+v, %v", all, err)
		}
		if err := who.DisconnectAccount(t.Context(), ada, "a_none"); err == nil {
			t.Error("an account that there is not is disconnected")
		}
	}
	if u, err := n.ops().User(t.Context(), ada); err != nil || len(u.Given) != 4 || u.Given[1].Role != "developer" || u.Given[1].Group != "makers" || u.Given[3].Provider != "partners" {
		t.Errorf("%+v, %v", u, err)
	}
	if got := eve.signIn("/auth/partners/connect", adaThere.Subject); got.Status != http.StatusConflict {
		t.Errorf("Ada's account becomes Eve's: %d", got.Status)
	}
	if got := n.visitor().get("/auth/partners/connect"); got.Status != http.StatusUnauthorized {
		t.Errorf("without a session: %d", got.Status)
	}
	if got := eve.get("/auth/partners/connect", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"); got.Status != http.StatusForbidden {
		t.Errorf("from another site: %d", got.Status)
	}
	// Eve's browser began, and Ada signs in there before it comes back.
	back := eve.stopAt("/auth/company/connect", isCallback)
	u, _ := url.Parse(n.ConsoleURL())
	eve.jar.SetCookies(u, []*http.Cookie{{Name: "agora_session", Value: v.session(), Path: "/"}})
	if got := eve.get(back.String()); got.Status != http.StatusForbidden || !strings.Contains(got.Body, "another person has signed in") {
		t.Errorf("connected to whoever came: %d %s", got.Status, got.Body)
	}
	if got := disconnect(v, account("eve@example.com", "company")); got.Status != http.StatusNotFound {
		t.Errorf("another's account: %d", got.Status)
	}
	if got := disconnect(v, account("eve@example.com", "company"), "eve@example.com"); got.Status != http.StatusForbidden {
		t.Errorf("another's account, by name: %d", got.Status)
	}
	session := n.visitor()
	session.signIn("/auth/partners", adaThere.Subject)
	if got := disconnect(v, account(ada, "partners")); got.Status != http.StatusOK || account(ada, "partners") != "" {
		t.Errorf("disconnect: %d %s", got.Status, got.Body)
	}
	if got := session.get("/usage"); got.URL.Path != "/sign-in" {
		t.Errorf("the session of that account goes on: %s", got.URL)
	}
	operator := n.session(ops, access.RoleOperator)
	got := n.do("POST", n.ConsoleURL()+"/settings/accounts/disconnect", url.Values{"user": {ada}, "account": {account(ada, "company")}}.Encode(), "Cookie", operator, "Content-Type", "application/x-www-form-urlencoded")
	if got.Status != http.StatusSeeOther || account(ada, "company") != "" {
		t.Errorf("an operator: %d %s", got.Status, got.Body)
	}
	if u, _ := n.person(ada); len(u.Given) > 0 {
		t.Errorf("without accounts: %+v", u.Given)
	}
	if v.get("/usage").URL.Path != "/sign-in" {
		t.Error("what an operator took goes on")
	}
}

// TestLogoutNotices: a provider ends its sessions here, once for each notice, and nobody else does.
func TestLogoutNotices(t *testing.T) {
	c := startCompany(t)
	v := c.visitor()
	sign := func(change ...func(map[string]any)) string {
		now := time.Now()
		claims := map[string]any{
			"iss": c.Provider.URL, "aud": "agora", "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(), "jti": rand.Text(), "sub": adaThere.Subject, "sid": adaThere.Session,
			"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
		}
		for _, f := range change {
			f(claims)
		}
		return c.Sign(claims)
	}
	send := func(token string) answer {
		return c.do("POST", c.ConsoleURL()+"/auth/company/logout", "logout_token="+token, "Content-Type", "application/x-www-form-urlencoded")
	}
	in := func() bool { return v.get("/usage").URL.Path == "/usage" }
	v.signIn("/auth/company", adaThere.Subject)
	linked := c.visitor() // by a link: no provider's session
	linked.request(http.MethodPost, "/sign-in", url.Values{"link": {c.link()}})
	for name, token := range map[string]string{
		"nothing":          "",
		"another audience": sign(func(m map[string]any) { m["aud"] = "other" }),
		"an ID token":      sign(func(m map[string]any) { m["nonce"] = "n"; delete(m, "events") }),
	} {
		if got := send(token); got.Status != 400 || !strings.Contains(got.Body, `"error":"invalid_request"`) || got.Header.Get("Cache-Control") != "no-store" || !in() {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	if got := c.do("GET", c.ConsoleURL()+"/auth/company/logout?logout_token="+sign(), ""); got.Status == 200 || !in() {
		t.Errorf("GET: %d", got.Status)
	}
	for name, change := range map[string]func(map[string]any){
		"another session": func(m map[string]any) { m["sid"] = "sid-other"; delete(m, "sub") },
		"another person":  func(m map[string]any) { m["sub"] = "s-eve"; delete(m, "sid") },
	} {
		if got := send(sign(change)); got.Status != 200 || !in() {
			t.Errorf("%s: %d, and still in: %v", name, got.Status, in())
		}
	}
	notice := sign()
	if got := send(notice); got.Status != 200 || in() {
		t.Errorf("the notice: %d, and still in: %v", got.Status, in())
	}
	v.signIn("/auth/company", adaThere.Subject)
	if got := send(notice); got.Status == 200 && !in() || !in() {
		t.Errorf("the notice again: %d, and still in: %v", got.Status, in())
	}
	if linked.get("/usage").URL.Path != "/usage" {
		t.Error("a session that did not begin there has ended")
	}
	if kinds := c.kinds("user.signed_out"); len(kinds) != 1 {
		t.Errorf("events: %v", kinds)
	}
}

// TestProvidersDown: a node starts and goes on without its providers, and says who is down.
func TestProvidersDown(t *testing.T) {
	p := oidctest.Start(t)
	p.Add(adaThere)
	p.SetDown(true)
	path := signInFile(t, map[string]*oidctest.Provider{"company": p})
	var ahead atomic.Int64
	c := &company{start(t, func(o *node.Options) {
		o.SignIn = path
		o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	}), p}
	p.Allow(c.ConsoleURL() + "/auth/company/callback")
	v := c.visitor()
	if checks, err := c.ops().Doctor(t.Context()); err != nil || !slices.ContainsFunc(checks, func(k client.Check) bool {
		return k.Name == "sign-in at The company" && !k.OK && k.Remedy.Summary != ""
	}) {
		t.Errorf("the doctor says %+v, %v", checks, err)
	}
	if got := v.get("/auth/company"); got.Status != http.StatusBadGateway || !strings.Contains(got.Body, "The company") || len(v.logins()) > 0 {
		t.Errorf("down: %d %s", got.Status, got.Body)
	}
	if got := v.request(http.MethodPost, "/sign-in", url.Values{"link": {c.link()}}); got.Status != http.StatusOK || v.session() == "" {
		t.Errorf("a link: %d %s", got.Status, got.Body)
	}
	p.SetDown(false)
	ahead.Store(int64(5 * time.Second)) // a provider that was down is let alone for a moment
	if got := v.signIn("/auth/company/connect", adaThere.Subject); got.Status != http.StatusOK {
		t.Fatalf("up: %d %s", got.Status, got.Body)
	}
	v.signIn("/auth/company", adaThere.Subject)
	p.SetDown(true)
	if got := v.get("/usage"); got.URL.Path != "/usage" {
		t.Errorf("who is signed in: %s", got.URL)
	}
	if got := v.request(http.MethodPost, "/sign-out", nil); got.Status != http.StatusOK || v.session() != "" {
		t.Errorf("sign-out: %d", got.Status)
	}
}

// TestRulesOfNow: a person without a role is told whom to ask; other rules count from the node's next
// start, without a sign-in.
func TestRulesOfNow(t *testing.T) {
	p := oidctest.Start(t)
	p.Add(adaThere)
	dir := t.TempDir()
	run := func(rules string, providers map[string]*oidctest.Provider) *company {
		path := ""
		if rules != "" {
			path = signInFile(t, providers, rules)
		}
		c := &company{startIn(t, dir, func(o *node.Options) { o.SignIn = path }), p}
		p.Allow(c.ConsoleURL() + "/auth/company/callback")
		return c
	}
	all := map[string]*oidctest.Provider{"company": p}
	c := run(`[{"roles":["viewer"],"groups":["none"]}]`, all)
	if _, err := c.Welcome(t.Context(), ops, access.RoleOperator); err != nil {
		t.Fatal(err)
	}
	v := c.visitor()
	got := v.signIn("/auth/company", adaThere.Subject)
	if got.Status != http.StatusOK || !strings.Contains(got.Body, "have no role here yet") || !strings.Contains(got.Body, ops) {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	roles := func() string { u, _ := c.person(ada); return fmt.Sprint(c.rolesOf(u)) }
	for _, next := range []struct {
		rules     string
		providers map[string]*oidctest.Provider
		want      string
	}{
		{`[{"roles":["developer","viewer"],"groups":["makers"]}]`, all, "[developer viewer]"},
		{`[{"roles":["viewer"],"everyone":true}]`, all, "[viewer]"},
		{`[{"roles":["viewer"],"everyone":true}]`, map[string]*oidctest.Provider{"other": p}, "[]"},
		{"", nil, "[]"},
		{`[{"roles":["viewer"],"everyone":true}]`, all, "[viewer]"},
	} {
		c.stop()
		c = run(next.rules, next.providers)
		if got := roles(); got != next.want {
			t.Errorf("by %s: %s, want %s", next.rules, got, next.want)
		}
	}
}

// TestBadSignInFile: a node does not start with what nobody could sign in by, and says which line.
func TestBadSignInFile(t *testing.T) {
	path := signInFile(t, nil)
	if err := os.WriteFile(path, []byte("{\n\"providers\": [{\"id\": \"X\"}]}"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := node.New(t.Context(), node.Options{DataDir: t.TempDir(), Listen: "127.0.0.1:0", SignIn: path})
	if err == nil || !strings.Contains(err.Error(), path+":2: ") {
		t.Errorf("%v", err)
	}
}

// TestLinksOff: operators' links are switched off by command, in the feed, and not before another way
// in was used; anyone who holds the data directory comes in still, for a quarter of an hour.
func TestLinksOff(t *testing.T) {
	var ahead atomic.Int64
	c := startCompany(t, func(o *node.Options) { o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) } })
	operator := c.ops()
	v := c.visitor()
	v.signIn("/auth/company", adaThere.Subject)
	if _, err := operator.SwitchLinks(t.Context(), true); problemOf(t, err).Type != "/problems/last-way-in" {
		t.Errorf("no operator has signed in at a provider: %v", err)
	}
	if _, err := operator.PutUser(t.Context(), ada, []string{"operator"}, false); err != nil {
		t.Fatal(err)
	}
	invited, err := operator.Invite(t.Context(), ada)
	if err != nil {
		t.Fatal(err)
	}
	if page := v.get("/settings"); !strings.Contains(page.Body, "Switch one-time links off") {
		t.Errorf("the settings do not offer it:\n%s", page.Body)
	}
	if got := v.request(http.MethodPost, "/settings/links", url.Values{"off": {"true"}}); got.Status != http.StatusOK {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	if l, err := operator.Links(t.Context()); err != nil || !l.Off || l.By != ada {
		t.Errorf("%+v, %v", l, err)
	}
	if _, err := operator.Invite(t.Context(), ada); problemOf(t, err).Type != "/problems/sign-in-links-off" {
		t.Errorf("another link is made: %v", err)
	}
	stranger := c.visitor()
	if page := stranger.get("/sign-in"); strings.Contains(page.Body, "one-time") || !strings.Contains(page.Body, "The company") {
		t.Errorf("the page still offers links:\n%s", page.Body)
	}
	_, before, _ := strings.Cut(invited, "link=")
	if got := stranger.request(http.MethodPost, "/sign-in", url.Values{"link": {before}}); got.Status != http.StatusForbidden || stranger.session() != "" {
		t.Errorf("a link of before: %d", got.Status)
	}
	c.SetDown(true)
	if got := stranger.request(http.MethodPost, "/sign-in", url.Values{"link": {c.link()}}); got.Status != http.StatusOK || stranger.session() == "" {
		t.Errorf("break-glass: %d %s", got.Status, got.Body)
	}
	events, err := c.EventsKept(t.Context())
	if last := events[len(events)-1]; err != nil || last.Kind != "user.signed_in" || last.Detail["link"] != "break-glass" || !slices.Contains(c.kinds("links."), "links.switched_off") {
		t.Errorf("the feed says %+v, %v", last, err)
	}
	ahead.Store(int64(16 * time.Minute))
	if got := stranger.get("/usage"); got.URL.Path != "/sign-in" {
		t.Errorf("after a quarter of an hour: %s", got.URL)
	}
	if l, err := operator.SwitchLinks(t.Context(), false); err != nil || l.Off {
		t.Errorf("%+v, %v", l, err)
	}
	if _, err := operator.Invite(t.Context(), ada); err != nil {
		t.Error(err)
	}
}

package node_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// program is an `agora login` that opened the browser.
type program struct {
	verifier string
	ask      url.Values
}

func newProgram() program {
	verifier := access.NewLoginVerifier()
	return program{verifier, url.Values{
		"machine": {"adas-laptop"}, "hours": {"48"}, "scope": {"apps:read", "tokens:read"}, "challenge": {access.Challenge(verifier)},
		"state": {strings.Repeat("0a", 16)}, "redirect_uri": {"http://127.0.0.1:54321/callback"},
	}}
}

// with asks for something else.
func (p program) with(name string, values ...string) program {
	ask := url.Values{}
	for key, v := range p.ask {
		ask[key] = v
	}
	if ask[name] = values; len(values) == 0 {
		delete(ask, name)
	}
	p.ask = ask
	return p
}

// answers presses a button of the page, and returns what the browser is led to.
func (v *guest) answers(p program, button string) (back url.Values, s seen) {
	v.n.t.Helper()
	s = v.do("POST", v.n.ConsoleURL()+"/login", p.with("answer", button).ask.Encode())
	next := strings.ReplaceAll(between(s.body, ` data-next="`, `"`), "&amp;", "&")
	to, err := url.Parse(next)
	if err != nil {
		v.n.t.Fatal(err)
	}
	if next != "" && !strings.HasPrefix(next, p.ask.Get("redirect_uri")+"?") {
		v.n.t.Errorf("the browser is led to %s", next)
	}
	return to.Query(), s
}

// confirms returns the code that a person's confirmation makes.
func (v *guest) confirms(p program) string {
	v.n.t.Helper()
	back, s := v.answers(p, "confirm")
	if s.status != 200 || back.Get("code") == "" || back.Get("state") != p.ask.Get("state") {
		v.n.t.Fatalf("%+v", s)
	}
	return back.Get("code")
}

// anybody speaks to a node as no one.
func (n *testNode) anybody() *client.Client {
	n.t.Helper()
	c, err := client.New(n.ConsoleURL(), "")
	if err != nil {
		n.t.Fatal(err)
	}
	return c
}

// works reports whether a token lets its holder in.
func (n *testNode) works(secret string) bool {
	n.t.Helper()
	c, err := client.New(n.ConsoleURL(), secret)
	if err != nil {
		n.t.Fatal(err)
	}
	_, err = c.Whoami(n.t.Context())
	return err == nil
}

// clocked starts a node whose clock a test moves.
func clocked(t *testing.T) (*testNode, *atomic.Int64) {
	var later atomic.Int64
	return start(t, func(o *node.Options) {
		o.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	}), &later
}

// TestLogin is a login through the browser: the person is led to sign in and back, sees what is asked, and
// confirms it; the program has a token that the settings list, with what was asked for and no more, until it is
// revoked. What is refused gives nothing.
func TestLogin(t *testing.T) {
	n := start(t)
	p, v := newProgram(), n.guest()
	page := n.ConsoleURL() + "/login?" + p.ask.Encode()
	s := v.open(page)
	at, _ := url.Parse(s.at)
	if at.Path != "/sign-in" || at.Query().Get("next") != "/login?"+p.ask.Encode() {
		t.Fatalf("%+v", s)
	}
	v.enters(ada, access.RoleDeveloper)
	s = v.do("GET", page, "")
	for _, want := range []string{"adas-laptop", ada, "read apps, releases", "list its user&#39;s tokens", "agora CLI on adas-laptop", "http://127.0.0.1:54321/callback", time.Now().Add(48 * time.Hour).UTC().Format("2006-01-02")} {
		if s.status != 200 || !strings.Contains(s.body, want) {
			t.Errorf("the page does not say %q: %+v", want, s)
		}
	}
	if back, s := v.answers(p, "refuse"); s.status != 200 || back.Get("error") != "access_denied" || back.Has("code") || back.Get("state") != p.ask.Get("state") {
		t.Errorf("refused: %v %+v", back, s)
	}
	token, err := n.anybody().RedeemLogin(t.Context(), v.confirms(p), p.verifier)
	if err != nil || token.User != ada || token.Label != "agora CLI on adas-laptop" {
		t.Fatalf("%+v, %v", token, err)
	}
	if left := time.Until(token.Expires); left > 48*time.Hour || left < 47*time.Hour {
		t.Errorf("it lives for %s", left)
	}
	as, err := client.New(n.ConsoleURL(), token.Secret)
	if err != nil {
		t.Fatal(err)
	}
	all, err := as.Tokens(t.Context())
	if err != nil || len(all) != 1 || all[0].ID != token.ID || !slices.Equal(all[0].Scopes, []string{"apps:read", "tokens:read"}) {
		t.Errorf("%+v, %v", all, err)
	}
	if err := as.RevokeToken(t.Context(), token.ID); err == nil {
		t.Error("it does what it was not confirmed for")
	}
	if s := v.do("GET", n.ConsoleURL()+"/settings", ""); !strings.Contains(s.body, "agora CLI on adas-laptop") {
		t.Error("the settings do not list it")
	}
	n.isTold(ada, "token.created")
	if s := v.do("POST", n.ConsoleURL()+"/settings/tokens/"+token.ID+"/revoke", "x=y"); s.status != http.StatusSeeOther || n.works(token.Secret) {
		t.Errorf("revoked: %+v", s)
	}
}

// TestLoginCodes: the code of a browser is good once, for a minute, for the program that asked, while the session
// lasts; a second use ends the token of the first.
func TestLoginCodes(t *testing.T) {
	n, later := clocked(t)
	v := n.guest()
	v.enters(ada, access.RoleDeveloper)
	p := newProgram()
	refused := func(name, code, verifier, slug string) {
		t.Helper()
		if got, err := n.anybody().RedeemLogin(t.Context(), code, verifier); err == nil || problemOf(t, err).Type != "/problems/"+slug || got.Secret != "" {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	code := v.confirms(p)
	token, err := n.anybody().RedeemLogin(t.Context(), code, p.verifier)
	if err != nil || !n.works(token.Secret) {
		t.Fatal(err)
	}
	refused("a second time", code, p.verifier, "login-incomplete")
	if n.works(token.Secret) {
		t.Error("the token of a code that came twice goes on")
	}

	for name, verifier := range map[string]string{"another's": access.NewLoginVerifier(), "none": "", "the challenge": p.ask.Get("challenge"), "short": "x"} {
		code = v.confirms(p)
		refused(name+" verifier", code, verifier, "login-incomplete")
		refused("after "+name+" verifier", code, p.verifier, "login-incomplete")
	}

	code = v.confirms(p)
	later.Store(int64(61 * time.Second))
	refused("after a minute", code, p.verifier, "login-expired")
	later.Store(int64(11 * time.Minute))
	refused("after ten", code, p.verifier, "login-incomplete")
	later.Store(0)

	refused("guessed", "agora_log_"+strings.Repeat("A", 43), p.verifier, "login-incomplete")
	refused("a token", token.Secret, p.verifier, "login-incomplete")
	refused("none", "", p.verifier, "login-incomplete")

	code = v.confirms(p)
	if s := v.do("POST", n.ConsoleURL()+"/sign-out", "x=y"); s.status != http.StatusSeeOther {
		t.Fatalf("%+v", s)
	}
	refused("signed out between", code, p.verifier, "login-incomplete")

	v.enters(ada, access.RoleDeveloper)
	code = v.confirms(p)
	if _, err := n.ops().PutUser(t.Context(), ada, []string{"developer"}, true); err != nil {
		t.Fatal(err)
	}
	refused("disabled between", code, p.verifier, "login-incomplete")
	if _, err := n.ops().PutUser(t.Context(), ada, []string{"developer"}, false); err != nil {
		t.Fatal(err)
	}
	refused("enabled again", code, p.verifier, "login-incomplete")
}

// TestLoginCodeRace: of many programs that bring one code at once, one has a token at most.
func TestLoginCodeRace(t *testing.T) {
	n := start(t)
	v, p := n.guest(), newProgram()
	v.enters(ada, access.RoleDeveloper)
	code, node := v.confirms(p), n.anybody()
	var got atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := node.RedeemLogin(t.Context(), code, p.verifier); err == nil {
				got.Add(1)
			}
		})
	}
	if all.Wait(); got.Load() != 1 {
		t.Errorf("%d programs have a token", got.Load())
	}
}

// TestLoginAsks: what is not asked as a program of this machine asks, for what the person may give, gets no page
// and no code; nor does what another site sends, or a token.
func TestLoginAsks(t *testing.T) {
	n := start(t)
	v, p := n.guest(), newProgram()
	v.enters(ada, access.RoleDeveloper)
	asks := map[string]program{
		"no state": p.with("state"), "a short state": p.with("state", "0a"), "two states": p.with("state", strings.Repeat("0a", 16), strings.Repeat("0b", 16)),
		"no challenge": p.with("challenge"), "a plain challenge": p.with("challenge", "x"), "no hours": p.with("hours"), "for ever": p.with("hours", "0"), "for long": p.with("hours", "9000"),
		"a scope that is none": p.with("scope", "everything"), "the scope of an app": p.with("scope", "apps:open"), "a backup for long": p.with("scope", "all", "backup:read").with("hours", "8000"),
	}
	for _, to := range []string{
		"https://evil.example.com/callback", "http://evil.example.com:80/callback", "http://127.0.0.1/callback", "http://127.0.0.1:0/callback", "http://127.0.0.1:65536/callback", "http://127.0.0.1:080/callback",
		"http://127.0.0.1:80", "http://127.0.0.1:80/", "http://127.0.0.1:80/callback/", "http://127.0.0.1:80/callback?x=y", "http://127.0.0.1:80/callback#x", "http://127.0.0.1:80@evil.example.com/callback", "http://127.0.0.1:80/../callback",
		"http://localhost:80/callback", "http://127.0.0.2:80/callback", "http://127.1:80/callback", "http://0.0.0.0:80/callback", "http://[::]:80/callback", "http://[::1%25lo]:80/callback", "http://[::ffff:127.0.0.1]:80/callback",
		"https://127.0.0.1:80/callback", "HTTP://127.0.0.1:80/callback", "//127.0.0.1:80/callback", "javascript:alert(1)//127.0.0.1:80/callback", "http://127.0.0.1.evil.example.com:80/callback", "http://127.0.0.1:+80/callback", " http://127.0.0.1:80/callback",
	} {
		asks["to "+to] = p.with("redirect_uri", to)
	}
	for name, p := range asks {
		if s := v.do("GET", n.ConsoleURL()+"/login?"+p.ask.Encode(), ""); s.status < 400 {
			t.Errorf("%s has a page: %d", name, s.status)
		}
		if back, s := v.answers(p, "confirm"); s.status < 400 || len(back) > 0 {
			t.Errorf("%s has a code: %d %v", name, s.status, back)
		}
	}
	v6 := p.with("redirect_uri", "http://[::1]:54321/callback")
	if v.confirms(v6) == "" {
		t.Error("nothing is sent to ::1")
	}
	form := p.with("answer", "confirm").ask.Encode()
	for name, header := range map[string][]string{
		"another site": {"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example.com"}, "an app": {"Sec-Fetch-Site", "same-site"}, "another origin": {"Origin", "http://127.0.0.1:54321"},
	} {
		if s := v.do("POST", n.ConsoleURL()+"/login", form, header...); s.status != http.StatusForbidden || strings.Contains(s.body, "code=") {
			t.Errorf("%s: %+v", name, s)
		}
	}
	token := n.token(ada, access.RoleDeveloper)
	if got := n.do("POST", n.ConsoleURL()+"/login", form, "Content-Type", "application/x-www-form-urlencoded", "Cookie", "agora_session="+token); got.Status != http.StatusUnauthorized {
		t.Errorf("a token confirms: %+v", got)
	}
	if got := n.do("POST", n.ConsoleURL()+"/login", form, "Content-Type", "application/x-www-form-urlencoded"); got.Status != http.StatusUnauthorized {
		t.Errorf("no one confirms: %+v", got)
	}
}

// device is a program that waits for a person at another machine.
func (n *testNode) device(machine string) client.DeviceLogin {
	n.t.Helper()
	d, err := n.anybody().BeginLogin(n.t.Context(), client.LoginAsk{Machine: machine, Scopes: []string{"apps:read"}, Hours: 24})
	if err != nil {
		n.t.Fatal(err)
	}
	return d
}

// polls asks once for the token of a login, and returns the word of why there is none.
func (n *testNode) polls(deviceCode string) (client.Token, string) {
	n.t.Helper()
	got := n.do("POST", n.ConsoleURL()+"/api/v1/login/token", fmt.Sprintf(`{"device_code":%q}`, deviceCode), "Content-Type", "application/json")
	if got.Status == 200 {
		if got.Header.Get("Cache-Control") != "no-store" {
			n.t.Errorf("%v", got.Header)
		}
		return decoded[client.Token](n.t, got), ""
	}
	return client.Token{}, strings.TrimPrefix(got.Problem.Type, "/problems/")
}

// TestDeviceLogin is a login at a machine without a browser: the program waits, and asks no more often than it was
// told to; the person types the code, sees what asks and from where, and confirms it. What is refused, or late,
// gives nothing.
func TestDeviceLogin(t *testing.T) {
	n, later := clocked(t)
	v := n.guest()
	v.enters(ada, access.RoleDeveloper)
	d := n.device("build\x1b[2Jserver<b>")
	if d.Address != n.ConsoleURL()+"/device" || d.Complete != d.Address+"?code="+d.UserCode || d.Expires != 600 || d.Interval != 5 {
		t.Errorf("%+v", d)
	}
	wait := func(d time.Duration) { later.Add(int64(d)) }
	says := func(name, code, want string) client.Token {
		t.Helper()
		token, got := n.polls(code)
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		return token
	}
	says("at first", d.DeviceCode, "authorization-pending")
	says("at once again", d.DeviceCode, "slow-down")
	wait(5 * time.Second)
	says("after the interval", d.DeviceCode, "authorization-pending")

	typed := strings.ToLower(strings.ReplaceAll(d.UserCode, "-", " "))
	s := v.do("GET", n.ConsoleURL()+"/device?"+url.Values{"code": {typed}}.Encode(), "")
	for _, want := range []string{"build2Jserverb", "127.0.0.1", "Go-http-client/1.1", "read apps, releases", "agora CLI on build2Jserverb"} {
		if s.status != 200 || !strings.Contains(s.body, want) {
			t.Errorf("the page does not say %q: %+v", want, s)
		}
	}
	answer := func(code, button string) seen {
		t.Helper()
		return v.do("POST", n.ConsoleURL()+"/device", url.Values{"code": {code}, "answer": {button}}.Encode())
	}
	if s := answer(typed, "perhaps"); s.status != http.StatusBadRequest {
		t.Errorf("no answer: %+v", s)
	}
	if s := answer(typed, "confirm"); s.status != http.StatusSeeOther {
		t.Fatalf("%+v", s)
	}
	wait(5 * time.Second)
	token := says("confirmed", d.DeviceCode, "")
	if token.User != ada || token.Label != "agora CLI on build2Jserverb" || !n.works(token.Secret) {
		t.Fatalf("%+v", token)
	}
	if s := answer(typed, "confirm"); s.status != http.StatusNotFound {
		t.Errorf("a code that was used: %+v", s)
	}
	says("a second time", d.DeviceCode, "login-incomplete")
	if n.works(token.Secret) {
		t.Error("the token of a login that came twice goes on")
	}

	d = n.device("x")
	if s := answer(d.UserCode, "refuse"); s.status != http.StatusSeeOther {
		t.Fatalf("%+v", s)
	}
	says("refused", d.DeviceCode, "access-denied")
	if s := answer(d.UserCode, "confirm"); s.status != http.StatusNotFound {
		t.Errorf("confirmed after it was refused: %+v", s)
	}

	d = n.device("x")
	says("what is shown", d.UserCode, "login-incomplete")
	says("guessed", "agora_log_"+strings.Repeat("A", 43), "login-incomplete")
	wait(10*time.Minute + time.Second)
	if s := answer(d.UserCode, "confirm"); s.status != http.StatusNotFound {
		t.Errorf("confirmed late: %+v", s)
	}
	says("late", d.DeviceCode, "login-expired")

	for name, between := range map[string]func(){
		"signed out": func() { v.do("POST", n.ConsoleURL()+"/sign-out", "x=y") },
		"disabled": func() {
			if _, err := n.ops().PutUser(t.Context(), ada, []string{"developer"}, true); err != nil {
				t.Fatal(err)
			}
		},
	} {
		if _, err := n.ops().PutUser(t.Context(), ada, []string{"developer"}, false); err != nil {
			t.Fatal(err)
		}
		v.enters(ada, access.RoleDeveloper)
		d = n.device("x")
		if s := answer(d.UserCode, "confirm"); s.status != http.StatusSeeOther {
			t.Fatalf("%+v", s)
		}
		between()
		says(name+" between", d.DeviceCode, "login-incomplete")
	}
	kinds := map[string]int{}
	events, err := n.ops().Events(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		kinds[e.Kind]++
	}
	if kinds["login.confirmed"] != 3 || kinds["login.denied"] != 1 || kinds["login.refused"] != 1 || kinds["token.created"] == 0 {
		t.Errorf("%v", kinds)
	}
}

// TestUserCodesAreNotGuessed: a person tries ten codes within ten minutes, by whichever way, and then no right one
// either; others go on, and so does that person later.
func TestUserCodesAreNotGuessed(t *testing.T) {
	n, later := clocked(t)
	eve, v := n.guest(), n.guest()
	eve.enters("eve@example.com")
	v.enters(ada, access.RoleDeveloper)
	d := n.device("x")
	try := func(v *guest, i int, code string) int {
		if i%2 == 0 {
			return v.do("GET", n.ConsoleURL()+"/device?code="+code, "").status
		}
		return v.do("POST", n.ConsoleURL()+"/device", "answer=confirm&code="+code).status
	}
	for i := range 10 {
		if s := try(eve, 0, d.UserCode); s != 200 { // which is not counted
			t.Fatalf("%d before guess %d", s, i)
		}
		if s := try(eve, i, []string{"BBBB-BBBB", "CCCCDDDD", "short", "AEIO-UYAE"}[i%4]); s != http.StatusNotFound {
			t.Errorf("guess %d: %d", i, s)
		}
	}
	if s := try(eve, 0, d.UserCode); s != http.StatusTooManyRequests {
		t.Errorf("the page, after ten wrong codes: %d", s)
	}
	if s := try(eve, 1, d.UserCode); s != http.StatusTooManyRequests {
		t.Errorf("the button, after ten wrong codes: %d", s)
	}
	if s := try(v, 0, d.UserCode); s != 200 {
		t.Errorf("another person: %d", s)
	}
	later.Store(int64(10*time.Minute + time.Second))
	if s := try(eve, 0, n.device("x").UserCode); s != 200 {
		t.Errorf("later: %d", s)
	}
}

// TestWaitingLoginsAreBounded: who asks for a login is unknown, so that one address has few that wait, and each
// is forgotten.
func TestWaitingLoginsAreBounded(t *testing.T) {
	n, later := clocked(t)
	for range access.MaxLoginsFrom {
		n.device("x")
	}
	_, err := n.anybody().BeginLogin(t.Context(), client.LoginAsk{Machine: "x", Hours: 1})
	if p := problemOf(t, err); p.Status != http.StatusTooManyRequests || p.Type != "/problems/too-many-logins" {
		t.Errorf("%+v", p)
	}
	v, p := n.guest(), newProgram()
	v.enters(ada, access.RoleDeveloper)
	if _, err := n.anybody().RedeemLogin(t.Context(), v.confirms(p), p.verifier); err != nil {
		t.Errorf("through the browser: %v", err)
	}
	later.Store(int64(12 * time.Minute))
	n.device("x")
	for name, a := range map[string]client.LoginAsk{
		"for ever": {Machine: "x"}, "for long": {Machine: "x", Hours: 9000}, "a scope that is none": {Machine: "x", Hours: 1, Scopes: []string{"everything"}}, "the scope of an app": {Machine: "x", Hours: 1, Scopes: []string{"apps:open"}},
	} {
		if _, err := n.anybody().BeginLogin(t.Context(), a); err == nil || problemOf(t, err).Status >= 500 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

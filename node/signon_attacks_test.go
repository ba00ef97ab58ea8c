package node_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// code walks to where the console leads a browser back to an app: the address of the callback.
func (v *guest) code(app string) string {
	v.n.t.Helper()
	to := v.do("GET", v.n.AppURL(app), "").header.Get("Location")
	back := v.do("GET", to, "").header.Get("Location")
	if !strings.Contains(back, "/.agora/callback?code=") {
		v.n.t.Fatalf("%s leads to %q", to, back)
	}
	return back
}

// TestCodes: a code is good once, soon, at one address, in one browser; and a second use ends the session of
// the first.
func TestCodes(t *testing.T) {
	var later atomic.Int64
	n := start(t, audiences, func(o *node.Options) {
		o.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	})
	for _, app := range []string{"shop", "desk"} {
		n.publish(n.ada(), manifest(app), says("this is "+app))
	}
	ada, eve := n.guest(), n.guest()
	ada.enters("ada@example.com", access.RoleDeveloper)
	eve.enters("eve@example.com")
	lets := func(v *guest, app string) bool { return v.do("GET", n.AppURL(app), "").status == 200 }

	back := ada.code("shop")
	if s := eve.do("GET", back, ""); s.status != http.StatusForbidden || lets(eve, "shop") { // without the state of this browser
		t.Errorf("in another browser: %+v", s)
	}
	if s := ada.do("GET", back, ""); s.status != http.StatusSeeOther || !lets(ada, "shop") {
		t.Errorf("what another browser could not use up: %+v", s)
	}

	back = ada.code("desk")
	elsewhere := strings.Replace(back, "//desk.", "//shop.", 1)
	if s := ada.do("GET", elsewhere, ""); s.status != http.StatusForbidden {
		t.Errorf("at another address: %+v", s)
	}
	later.Store(int64(31 * time.Second))
	if s := ada.do("GET", back, ""); s.status != http.StatusForbidden || lets(ada, "desk") {
		t.Errorf("after 31 s: %+v", s)
	}
	later.Store(0)

	back = ada.code("desk")
	state, _ := url.Parse(back)
	cookies := ada.Jar.Cookies(&url.URL{Scheme: "http", Host: state.Host, Path: "/"})
	if s := ada.do("GET", back, ""); s.status != http.StatusSeeOther || !lets(ada, "desk") {
		t.Fatalf("%+v", s)
	}
	ada.Jar.SetCookies(&url.URL{Scheme: "http", Host: state.Host, Path: "/"}, cookies) // the back button, or a thief with all of the browser
	if s := ada.do("GET", back, ""); s.status != http.StatusForbidden {
		t.Errorf("twice: %+v", s)
	}
	if lets(ada, "desk") {
		t.Error("the session of a code that came twice goes on")
	}
	if !lets(ada, "shop") {
		t.Error("a session at another address ended with it")
	}
}

// TestForeignVerifier: a code that was made for one browser's challenge is used up, and no session, in the
// hands of another that is at the same address.
func TestForeignVerifier(t *testing.T) {
	n := start(t, audiences)
	n.publish(n.ada(), manifest("shop"), says("this is shop"))
	ada, eve := n.guest(), n.guest()
	ada.enters("ada@example.com", access.RoleDeveloper)
	stolen, _ := url.Parse(ada.code("shop"))
	mine, _ := url.Parse(eve.do("GET", n.AppURL("shop"), "").header.Get("Location"))
	q := url.Values{"code": stolen.Query()["code"], "state": mine.Query()["state"]}
	if s := eve.do("GET", n.AppURL("shop")+".agora/callback?"+q.Encode(), ""); s.status != http.StatusForbidden {
		t.Errorf("%+v", s)
	}
	if s := ada.do("GET", stolen.String(), ""); s.status != http.StatusForbidden {
		t.Errorf("the code is good still: %+v", s)
	}
}

// TestAskedHosts: the console makes codes for the addresses of apps, in their one form, and for nothing that
// looks like one.
func TestAskedHosts(t *testing.T) {
	n := start(t, audiences)
	n.publish(n.ada(), manifest("shop"), says("this is shop"))
	v := n.guest()
	v.enters(ada, access.RoleDeveloper)
	u, _ := url.Parse(n.AppURL("shop"))
	console, _ := url.Parse(n.ConsoleURL())
	challenge, state := access.Challenge(strings.Repeat("v", 43)), strings.Repeat("0", 32)
	ask := func(host string, more ...string) seen {
		q := url.Values{"host": {host}, "challenge": {challenge}, "state": {state}}
		for i := 0; i+1 < len(more); i += 2 {
			q[more[i]] = []string{more[i+1]}
		}
		return v.do("GET", n.ConsoleURL()+"/authorize?"+q.Encode(), "")
	}
	if s := ask(u.Host); s.status != http.StatusFound || !strings.HasPrefix(s.header.Get("Location"), n.AppURL("shop")+".agora/callback?") || s.header.Get("Referrer-Policy") != "no-referrer" {
		t.Fatalf("%+v", s)
	}
	for _, host := range []string{
		"", "evil.test", u.Host + ".evil.test", "evil.test/" + u.Host, u.Host + "/x", u.Host + "@evil.test", "evil.test#" + u.Host, strings.ToUpper(u.Host),
		strings.Replace(u.Host, "localhost", "localhost.", 1), u.Hostname(), console.Host, "shop", "sh\u043ep.localhost:" + u.Port(), u.Host + "\t", " " + u.Host, "pilot--" + u.Host,
	} {
		if s := ask(host); s.status < 400 || s.header.Get("Location") != "" {
			t.Errorf("%q: %d to %s", host, s.status, s.header.Get("Location"))
		}
	}
	for _, bad := range [][]string{{"challenge", ""}, {"challenge", "plain"}, {"state", "x"}, {"state", strings.Repeat("0", 32) + "&x"}} {
		if s := ask(u.Host, bad...); s.status < 400 || s.header.Get("Location") != "" {
			t.Errorf("%q: %+v", bad, s)
		}
	}
	if s := v.do("GET", n.ConsoleURL()+"/authorize?host="+u.Host+"&host=evil.test&challenge="+challenge+"&state="+state, ""); s.status < 400 {
		t.Errorf("two hosts: %+v", s)
	}
}

// TestSecretsAtTheWrongPlace: no secret is good anywhere but at the place that it was made for, and none reaches an app.
func TestSecretsAtTheWrongPlace(t *testing.T) {
	n := start(t, audiences)
	n.publish(n.ada(), manifest("shop"), says("this is shop"))
	v := n.guest()
	v.enters(ada, access.RoleDeveloper)
	if s := v.open(n.AppURL("shop")); s.status != 200 {
		t.Fatalf("%+v", s)
	}
	cookie := func(address, name string) string {
		u, _ := url.Parse(address)
		for _, c := range v.Jar.Cookies(u) {
			if c.Name == name {
				return c.Value
			}
		}
		t.Fatalf("%s has no %s", address, name)
		return ""
	}
	session, sso, app := cookie(n.ConsoleURL(), "agora_session"), cookie(n.ConsoleURL(), "agora_sso"), cookie(n.AppURL("shop"), "__Host-agora_app")
	for name, secret := range map[string]string{"the console's session": session, "the cookie for signing on": sso} {
		if got := n.do("GET", n.AppURL("shop"), "", "Cookie", "agora_app="+secret); got.Status != http.StatusUnauthorized {
			t.Errorf("%s at an app: %d", name, got.Status)
		}
	}
	for name, secret := range map[string]string{"an app's session": app, "the cookie for signing on": sso} {
		if got := n.do("GET", n.ConsoleURL()+"/api/v1/whoami", "", "Authorization", "Bearer "+secret); got.Status != http.StatusUnauthorized {
			t.Errorf("%s at the API: %d", name, got.Status)
		}
		if got := n.do("GET", n.ConsoleURL()+"/settings", "", "Cookie", "agora_session="+secret); got.Status != http.StatusSeeOther {
			t.Errorf("%s at the console: %d", name, got.Status)
		}
	}
	opens, err := n.ada().NewToken(t.Context(), client.NewToken{Label: "cron", Scopes: []string{"apps:open"}, Apps: []string{"shop"}, Hours: 1})
	if err != nil {
		t.Fatal(err)
	}
	if got := n.do("GET", n.AppURL("shop"), "", "Authorization", "Bearer "+opens.Secret); got.Status != 200 || strings.Contains(got.Body, "agora_tok_") {
		t.Errorf("a token that opens it: %d %s", got.Status, got.Body)
	}
	if got := n.do("GET", n.ConsoleURL()+"/api/v1/whoami", "", "Authorization", "Bearer "+opens.Secret); got.Status != http.StatusUnauthorized {
		t.Errorf("at the API: %d", got.Status)
	}
	got := n.do("GET", n.AppURL("shop"), "", "Authorization", "Bearer "+n.token(ada, access.RoleDeveloper))
	if got.Status != http.StatusForbidden || strings.Contains(got.Body, "agora_tok_") {
		t.Errorf("a token of the platform: %d %s", got.Status, got.Body)
	}
}

// TestGuestsCookies: an app sets no cookie of the platform's, in any spelling, and clears no cookies.
func TestGuestsCookies(t *testing.T) {
	n := start(t)
	header := []abi.Field{{Name: "Clear-Site-Data", Value: `"cookies", "storage", "*"`}, {Name: "Agora-Sign-In", Value: "https://evil.test"}}
	for _, c := range []string{"__Host-agora_app=x", "__host-AGORA_app=x; Secure; Path=/", "agora_app=x", "Agora_state_1=x", "=__Host-agora_app=x", " agora_session = x", "__Host-agora_app", "theirs=1", "agora=2"} {
		header = append(header, abi.Field{Name: "Set-Cookie", Value: c})
	}
	n.publish(n.ada(), manifest("shop"), wasmtest.App{Frame: abi.AppendResponse(nil, &abi.Response{Status: 200, Header: header})}.Bytes())
	got := n.get(n.AppURL("shop")).Header
	if set := got["Set-Cookie"]; len(set) != 2 || set[0] != "theirs=1" || set[1] != "agora=2" {
		t.Errorf("%q", set)
	}
	if got.Get("Clear-Site-Data") != `"storage"` || got.Get("Agora-Sign-In") != "" {
		t.Errorf("%v", got)
	}
}

// TestPlainHTTP: where no browser keeps a sign-in, a restricted app says so, and a narrower audience is refused.
func TestPlainHTTP(t *testing.T) {
	n := start(t, audiences, func(o *node.Options) { o.ConsoleURL, o.AppsDomain = "http://agora.test", "apps.test" })
	n.publish(n.ada(), manifest("shop"), says("this is shop"))
	got := n.do("GET", "http://shop.apps.test/", "", "Accept", "text/html")
	if got.Status != http.StatusForbidden || !strings.Contains(got.Body, "https") || got.Header.Get("Location") != "" {
		t.Errorf("%+v", got)
	}
	_, err := n.ada().SetAudience(t.Context(), client.Audience{App: "shop", Tier: abi.TierSandbox, Kind: "organisation"}, "")
	if p := problemOf(t, err); p.Status != http.StatusUnprocessableEntity || !strings.Contains(p.Detail, "plain http") {
		t.Errorf("%+v", p)
	}
}

// TestStaticFilesAreBehindTheGate: no file of a restricted release is served without a session.
func TestStaticFilesAreBehindTheGate(t *testing.T) {
	n := start(t, audiences)
	files := fstest.MapFS{"index.html": {Data: []byte("secret page")}, "app.js": {Data: []byte("secret page")}, "app.js.map": {Data: []byte("secret page")}}
	n.publish(n.ada(), manifest("shop", "[static]\ndir = \"static\"\nfallback = \"index.html\""), withFiles(t, says("the app"), files))
	for _, path := range []string{"", "index.html", "app.js", "app.js.map", "missing"} {
		if got := n.get(n.AppURL("shop") + path); got.Status != http.StatusUnauthorized || strings.Contains(got.Body, "secret page") {
			t.Errorf("%q: %d %s", path, got.Status, got.Body)
		}
	}
	v := n.guest()
	v.enters(ada, access.RoleDeveloper)
	if s := v.open(n.AppURL("shop")); s.status != 200 || !strings.Contains(s.body, "secret page") || s.header.Get("X-Frame-Options") != "DENY" {
		t.Errorf("%+v", s)
	}
}

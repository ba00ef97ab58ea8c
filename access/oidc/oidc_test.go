package oidc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/access/oidc"
	"github.com/agora-host/agora/access/oidc/oidctest"
)

const redirect = "http://console.test/auth/company/callback"

var ada = oidctest.Person{Subject: "s-ada", Email: "ada@example.com", Verified: true, Name: "Ada Lovelace", Groups: []string{"developers", "all, of us"}, Session: "sid-1"}

// world is a provider, as the node knows it.
type world struct {
	*oidctest.Provider
	t    *testing.T
	node *oidc.Provider
	now  time.Time
}

func start(t *testing.T, change ...func(*oidc.Config)) *world {
	t.Helper()
	w := &world{Provider: oidctest.Start(t, redirect), t: t}
	w.Add(ada)
	w.node = w.open(change...)
	return w
}

func (w *world) open(change ...func(*oidc.Config)) *oidc.Provider {
	w.t.Helper()
	c := oidc.Config{ID: "company", Name: "The company", Issuer: w.URL, ClientID: w.ClientID, ClientSecret: w.ClientSecret}
	for _, f := range change {
		f(&c)
	}
	p, err := oidc.New(c, oidc.Options{Now: func() time.Time {
		if w.now.IsZero() {
			return time.Now()
		}
		return w.now
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// signIn is a whole sign-in of Ada's.
func (w *world) signIn(fresh time.Duration) (access.Assertion, error) {
	w.t.Helper()
	address, l, err := w.node.Begin(w.t.Context(), redirect, fresh)
	if err != nil {
		return access.Assertion{}, err
	}
	answer, _ := w.Browser().SignIn(address, ada.Subject)
	return w.node.Finish(w.t.Context(), l, redirect, answer)
}

func TestSignIn(t *testing.T) {
	w := start(t)
	who, err := w.signIn(0)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(who.Groups)
	if who.Provider != "company" || who.Issuer != w.URL || who.Subject != ada.Subject || who.Email != ada.Email || !who.Verified || who.Name != ada.Name ||
		!who.GroupsKnown || fmt.Sprint(who.Groups) != "[all, of us developers]" || who.SessionID != "sid-1" || time.Since(who.AuthTime) > time.Minute {
		t.Errorf("signed in as %+v", who)
	}
	end, err := url.Parse(w.node.EndSession("http://console.test/"))
	if err != nil || !strings.HasPrefix(end.String(), w.URL+"/end_session?") || end.Query().Get("post_logout_redirect_uri") == "" {
		t.Errorf("the provider's session ends at %s, %v", end, err)
	}
}

// TestTerseTokens: where the token says no more than who it is, the provider is asked for the rest.
func TestTerseTokens(t *testing.T) {
	w := start(t)
	w.SetTerse()
	who, err := w.signIn(0)
	if err != nil || who.Subject != ada.Subject || who.Email != ada.Email || len(who.Groups) != 2 {
		t.Errorf("%+v, %v", who, err)
	}
}

// TestForeignAnswers: what comes back is taken once, from the browser that began, and from its provider.
func TestForeignAnswers(t *testing.T) {
	w := start(t)
	other := start(t)
	address, l, err := w.node.Begin(t.Context(), redirect, 0)
	if err != nil {
		t.Fatal(err)
	}
	good, _ := w.Browser().SignIn(address, ada.Subject)
	_, second, _ := w.node.Begin(t.Context(), redirect, 0)
	elsewhere, _, err := other.node.Begin(t.Context(), redirect, 0)
	if err != nil {
		t.Fatal(err)
	}
	theirs, _ := other.Browser().SignIn(elsewhere, ada.Subject)
	with := func(change func(url.Values)) url.Values {
		v := url.Values{}
		for name, values := range good {
			v[name] = slices.Clone(values)
		}
		change(v)
		return v
	}
	for name, c := range map[string]struct {
		l      access.Login
		answer url.Values
		want   error
	}{
		"no login":             {access.Login{}, good, access.ErrUntrustedSignIn},
		"another login":        {second, good, access.ErrUntrustedSignIn},
		"no state":             {l, with(func(v url.Values) { v.Del("state") }), access.ErrUntrustedSignIn},
		"two states":           {l, with(func(v url.Values) { v.Add("state", l.State) }), access.ErrUntrustedSignIn},
		"another state":        {l, with(func(v url.Values) { v.Set("state", second.State) }), access.ErrUntrustedSignIn},
		"two codes":            {l, with(func(v url.Values) { v.Add("code", "x") }), access.ErrUntrustedSignIn},
		"another issuer":       {l, with(func(v url.Values) { v.Set("iss", other.URL) }), access.ErrUntrustedSignIn},
		"a code of another":    {l, with(func(v url.Values) { v.Set("code", theirs.Get("code")) }), access.ErrProviderRefused},
		"a login of another":   {func() access.Login { f := l; f.Provider = "other"; return f }(), good, access.ErrUntrustedSignIn},
		"an old login":         {func() access.Login { f := l; f.Began = f.Began.Add(-11 * time.Minute); return f }(), good, access.ErrUntrustedSignIn},
		"a login to come":      {func() access.Login { f := l; f.Began = f.Began.Add(time.Hour); return f }(), good, access.ErrUntrustedSignIn},
		"an error with script": {l, url.Values{"state": {l.State}, "error": {"access_denied"}, "error_description": {"<script>\x00\r\nalert(1)"}}, access.ErrProviderRefused},
		"another verifier":     {func() access.Login { f := l; f.Verifier = second.Verifier; return f }(), good, access.ErrProviderRefused},
	} {
		t.Run(name, func(t *testing.T) {
			who, err := w.node.Finish(t.Context(), c.l, redirect, c.answer)
			if !errors.Is(err, c.want) || who.Subject != "" || strings.ContainsAny(err.Error(), "\x00\r\n") {
				t.Errorf("%+v, %v; want %v", who, err, c.want)
			}
		})
	}
}

func TestCodeIsUsedOnce(t *testing.T) {
	w := start(t)
	address, l, err := w.node.Begin(t.Context(), redirect, 0)
	if err != nil {
		t.Fatal(err)
	}
	answer, _ := w.Browser().SignIn(address, ada.Subject)
	if _, err := w.node.Finish(t.Context(), l, redirect, answer); err != nil {
		t.Fatal(err)
	}
	if who, err := w.node.Finish(t.Context(), l, redirect, answer); !errors.Is(err, access.ErrProviderRefused) {
		t.Errorf("the second use: %+v, %v", who, err)
	}
}

// TestTokens: whatever a token has that go-oidc lets pass, or refuses, it signs nobody in.
func TestTokens(t *testing.T) {
	w := start(t)
	foreign, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(foreign.Public())
	if err != nil {
		t.Fatal(err)
	}
	set := func(name string, value any) func(map[string]any) { return func(c map[string]any) { c[name] = value } }
	at := func(name string, d time.Duration) func(map[string]any) { return set(name, time.Now().Add(d).Unix()) }
	for name, c := range map[string]struct {
		change func(map[string]any)
		with   *jose.SigningKey
	}{
		"issuer":               {change: set("iss", "https://elsewhere.test")},
		"issuer with a slash":  {change: set("iss", w.URL+"/")},
		"audience":             {change: set("aud", "other")},
		"two audiences":        {change: func(c map[string]any) { c["aud"] = []string{"agora", "other"}; delete(c, "azp") }},
		"azp":                  {change: set("azp", "other")},
		"no nonce":             {change: func(c map[string]any) { delete(c, "nonce") }},
		"another nonce":        {change: set("nonce", "other")},
		"no subject":           {change: func(c map[string]any) { delete(c, "sub") }},
		"a long subject":       {change: set("sub", strings.Repeat("s", 10<<10))},
		"a subject of numbers": {change: set("sub", 7)},
		"a subject with NUL":   {change: set("sub", "s\x00ada")},
		"expired":              {change: at("exp", -3*time.Minute)},
		"for years":            {change: set("exp", 99_999_999_999)},
		"of tomorrow":          {change: at("iat", 24*time.Hour)},
		"of last year":         {change: at("iat", -365*24*time.Hour)},
		"without a time":       {change: func(c map[string]any) { delete(c, "iat") }},
		"not yet":              {change: at("nbf", 9*time.Minute)},
		"a logout token":       {change: set("events", map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}})},
		"another key":          {change: func(map[string]any) {}, with: &jose.SigningKey{Algorithm: jose.ES256, Key: foreign}},
		"another key, same id": {change: func(map[string]any) {}, with: &jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: foreign, KeyID: w.KeyID()}}},
		"HS256":                {change: func(map[string]any) {}, with: &jose.SigningKey{Algorithm: jose.HS256, Key: public}},
	} {
		t.Run(name, func(t *testing.T) {
			w.Tamper(c.change, c.with)
			who, err := w.signIn(0)
			if !errors.Is(err, access.ErrUntrustedSignIn) || who.Subject != "" {
				t.Errorf("%+v, %v", who, err)
			}
		})
	}
	w.Tamper(func(map[string]any) {}, nil)
	if _, err := w.signIn(0); err != nil {
		t.Errorf("an untouched token: %v", err)
	}
}

func TestClocksApart(t *testing.T) {
	w := start(t)
	for d, good := range map[time.Duration]bool{-90 * time.Second: true, 90 * time.Second: true, -5 * time.Minute: false, 12 * time.Minute: false} {
		address, l, err := w.node.Begin(t.Context(), redirect, 0)
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := w.Browser().SignIn(address, ada.Subject)
		w.now = time.Now().Add(d)
		l.Began = w.now
		_, err = w.node.Finish(t.Context(), l, redirect, answer)
		w.now = time.Time{}
		if (err == nil) != good {
			t.Errorf("%s apart: %v", d, err)
		}
	}
	// The text names the offset, so that somebody sets the clocks.
	w.Tamper(func(c map[string]any) { c["iat"] = time.Now().Add(time.Hour).Unix() }, nil)
	if _, err := w.signIn(0); err == nil || strings.Contains(err.Error(), "clock") {
		t.Errorf("the clocks agree, and the error is %v", err)
	}
}

// TestFresh: proof of before does not do where it has to be of now.
func TestFresh(t *testing.T) {
	w := start(t)
	b := w.Browser()
	enter := func(fresh time.Duration) (bool, error) {
		address, l, err := w.node.Begin(t.Context(), redirect, fresh)
		if err != nil {
			t.Fatal(err)
		}
		answer, asked := b.SignIn(address, ada.Subject)
		_, err = w.node.Finish(t.Context(), l, redirect, answer)
		return asked, err
	}
	if asked, err := enter(0); !asked || err != nil {
		t.Errorf("first: asked %v, %v", asked, err)
	}
	if asked, err := enter(0); asked || err != nil {
		t.Errorf("single sign-on: asked %v, %v", asked, err)
	}
	if asked, err := enter(time.Nanosecond); !asked || err != nil { // max_age=0
		t.Errorf("proof of now: asked %v, %v", asked, err)
	}
	w.Tamper(func(c map[string]any) { c["auth_time"] = time.Now().Add(-time.Hour).Unix() }, nil)
	if _, err := enter(5 * time.Minute); !errors.Is(err, access.ErrNotFresh) {
		t.Errorf("proof of an hour ago: %v", err)
	}
	w.Tamper(func(c map[string]any) { delete(c, "auth_time") }, nil)
	if _, err := enter(5 * time.Minute); !errors.Is(err, access.ErrNotFresh) {
		t.Errorf("no word of proof: %v", err)
	}
}

func TestGroups(t *testing.T) {
	w := start(t)
	many := make([]string, 5001)
	for i := range many {
		many[i] = fmt.Sprint("group ", i)
	}
	for name, c := range map[string]struct {
		change func(map[string]any)
		want   string
		known  bool
		left   bool
	}{
		"a list":    {func(c map[string]any) { c["groups"] = []string{"b", "a", "b", ""} }, "[a b]", true, false},
		"one":       {func(c map[string]any) { c["groups"] = "a" }, "[a]", true, false},
		"paths":     {func(c map[string]any) { c["groups"] = []string{"/a/b"} }, "[/a/b]", true, false},
		"none":      {func(c map[string]any) { c["groups"] = []string{} }, "[]", true, false},
		"absent":    {func(c map[string]any) { delete(c, "groups") }, "[]", false, true},
		"numbers":   {func(c map[string]any) { c["groups"] = []int{1} }, "[]", false, false},
		"an object": {func(c map[string]any) { c["groups"] = map[string]int{"a": 1} }, "[]", false, false},
		"too many":  {func(c map[string]any) { c["groups"] = many }, "", false, false},
		"elsewhere": {func(c map[string]any) {
			delete(c, "groups")
			c["_claim_names"] = map[string]string{"groups": "src1"}
			c["_claim_sources"] = map[string]any{"src1": map[string]string{"endpoint": "http://169.254.169.254/"}}
		}, "[]", false, false},
		"here and away": {func(c map[string]any) {
			c["groups"] = []string{"a"}
			c["_claim_names"] = map[string]string{"groups": "src1"}
			c["_claim_sources"] = map[string]any{"src1": map[string]string{"endpoint": w.URL}}
		}, "[]", false, false},
		"many elsewhere": {func(c map[string]any) {
			delete(c, "groups")
			c["hasgroups"] = true
		}, "[]", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			w.Tamper(c.change, nil)
			who, err := w.signIn(0)
			if err != nil || who.GroupsKnown != c.known || who.GroupsLeftOut != c.left || c.want != "" && fmt.Sprint(who.Groups) != c.want {
				t.Errorf("groups %v, known %v, left out %v, %v", who.Groups, who.GroupsKnown, who.GroupsLeftOut, err)
			}
		})
	}
}

// TestSubjectClaim: a provider whose "sub" is another for each client is asked for a claim that is not.
func TestSubjectClaim(t *testing.T) {
	w := start(t, func(c *oidc.Config) { c.Subject = "oid" })
	if _, err := w.signIn(0); !errors.Is(err, access.ErrUntrustedSignIn) {
		t.Errorf("without oid: %v", err)
	}
	person := ada
	person.Claims = map[string]any{"oid": "o-1"}
	w.Add(person)
	if who, err := w.signIn(0); err != nil || who.Subject != "o-1" {
		t.Errorf("%+v, %v", who, err)
	}
}

// TestProviderIsDown: a node opens without its providers, says who is down, and recovers by itself.
func TestProviderIsDown(t *testing.T) {
	w := start(t)
	w.SetDown(true)
	p := w.open()
	if _, _, err := p.Begin(t.Context(), redirect, 0); !errors.Is(err, access.ErrProviderDown) || !strings.Contains(err.Error(), "The company") {
		t.Errorf("down: %v", err)
	}
	// Whoever else comes in the same moment does not have it asked again.
	before := w.Asked("/.well-known/openid-configuration")
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, _, err := p.Begin(t.Context(), redirect, 0); !errors.Is(err, access.ErrProviderDown) {
				t.Errorf("down: %v", err)
			}
		})
	}
	all.Wait()
	if n := w.Asked("/.well-known/openid-configuration") - before; n > 1 {
		t.Errorf("50 people had a provider that is down asked %d times", n)
	}
	w.SetDown(false)
	w.node, w.now = p, time.Now().Add(5*time.Second)
	if _, err := w.signIn(0); err != nil {
		t.Errorf("up again: %v", err)
	}
	// What was found before is used while the provider is down: only the code is not traded.
	address, l, err := p.Begin(t.Context(), redirect, 0)
	if err != nil {
		t.Fatal(err)
	}
	answer, _ := w.Browser().SignIn(address, ada.Subject)
	w.SetDown(true)
	if _, err := p.Finish(t.Context(), l, redirect, answer); !errors.Is(err, access.ErrProviderDown) {
		t.Errorf("down in the middle: %v", err)
	}
	w.SetDown(false)
	if _, err := p.Finish(t.Context(), l, redirect, answer); err != nil {
		t.Errorf("the same answer after that: %v", err)
	}
}

// TestKeys: a new key is found, one that is withdrawn is not trusted for long, and a secret that was
// changed is told.
func TestKeys(t *testing.T) {
	w := start(t)
	if _, err := w.signIn(0); err != nil {
		t.Fatal(err)
	}
	w.Rotate()
	if _, err := w.signIn(0); err != nil {
		t.Errorf("after a rotation: %v", err)
	}
	wrong := w.open(func(c *oidc.Config) { c.ClientSecret = "old" })
	w.node = wrong
	if _, err := w.signIn(0); !errors.Is(err, access.ErrProviderRefused) {
		t.Errorf("with an old secret: %v", err)
	}
}

// TestHostileDiscovery: what a provider answers is bounded, and leads nowhere else.
func TestHostileDiscovery(t *testing.T) {
	asked := 0
	victim := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer victim.Close()
	for name, serve := range map[string]http.HandlerFunc{
		"64 MiB":       func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 64<<20)) },
		"a redirect":   func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, victim.URL, http.StatusFound) },
		"not JSON":     func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"other issuer": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"issuer":"https://x"}`)) },
		"other hosts": func(w http.ResponseWriter, r *http.Request) {
			_ = json.NewEncoder(w).Encode(map[string]string{"issuer": "http://" + r.Host, "authorization_endpoint": "http://" + r.Host, "token_endpoint": victim.URL, "jwks_uri": victim.URL})
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(serve)
			defer server.Close()
			p, err := oidc.New(oidc.Config{ID: "x", Issuer: server.URL, ClientID: "agora"}, oidc.Options{})
			if err != nil {
				t.Fatal(err)
			}
			_, l, err := p.Begin(t.Context(), redirect, 0)
			if err == nil {
				_, err = p.Finish(t.Context(), l, redirect, url.Values{"state": {l.State}, "code": {"c"}})
			}
			if !errors.Is(err, access.ErrProviderDown) || asked > 0 {
				t.Errorf("%v; the other host was asked %d times", err, asked)
			}
		})
	}
}

func TestConfig(t *testing.T) {
	good := oidc.Config{ID: "company", Issuer: "https://login.example.com", ClientID: "agora"}
	for name, change := range map[string]func(*oidc.Config){
		"id":               func(c *oidc.Config) { c.ID = "Our Company" },
		"issuer":           func(c *oidc.Config) { c.Issuer = "login.example.com" },
		"plain http":       func(c *oidc.Config) { c.Issuer = "http://login.example.com" },
		"issuer with more": func(c *oidc.Config) { c.Issuer += "?a=b" },
		"client":           func(c *oidc.Config) { c.ClientID = "" },
	} {
		c := good
		change(&c)
		if _, err := oidc.New(c, oidc.Options{}); !errors.Is(err, oidc.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if p, err := oidc.New(good, oidc.Options{}); err != nil || p.Name() != "company" {
		t.Error(err)
	}
}

func TestLogoutTokens(t *testing.T) {
	w := start(t)
	notice := func(change ...func(map[string]any)) string {
		now := time.Now()
		c := map[string]any{
			"iss": w.URL, "aud": "agora", "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(), "jti": rand.Text(), "sub": ada.Subject, "sid": "sid-1",
			"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
		}
		for _, f := range change {
			f(c)
		}
		return w.Sign(c)
	}
	set := func(name string, value any) func(map[string]any) { return func(c map[string]any) { c[name] = value } }
	e, err := w.node.Ended(t.Context(), notice())
	if err != nil || e.Session != "sid-1" || e.Subject != ada.Subject || e.Issuer != w.URL || time.Since(e.At) > time.Minute {
		t.Errorf("%+v, %v", e, err)
	}
	for name, raw := range map[string]string{
		"no token":          "x",
		"no event":          notice(set("events", map[string]any{})),
		"an event of text":  notice(set("events", map[string]any{"http://schemas.openid.net/event/backchannel-logout": "x"})),
		"a nonce":           notice(set("nonce", "n")),
		"another audience":  notice(set("aud", "other")),
		"audiences":         notice(set("aud", []string{"agora", "other"})),
		"another issuer":    notice(set("iss", "https://x")),
		"of yesterday":      notice(set("iat", time.Now().Add(-24*time.Hour).Unix())),
		"of tomorrow":       notice(set("iat", time.Now().Add(24*time.Hour).Unix())),
		"for years":         notice(set("exp", 99_999_999_999)),
		"no id":             notice(set("jti", "")),
		"about nobody":      notice(set("sub", ""), set("sid", "")),
		"an ID token":       notice(set("nonce", "n"), func(c map[string]any) { delete(c, "events") }),
		"without signature": base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + strings.Split(notice(), ".")[1] + ".",
	} {
		if e, err := w.node.Ended(t.Context(), raw); !errors.Is(err, access.ErrUntrustedSignIn) {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
}

// TestForgedLogouts: strangers cannot have the node ask the provider for keys as often as they like.
func TestForgedLogouts(t *testing.T) {
	w := start(t)
	if _, err := w.signIn(0); err != nil {
		t.Fatal(err)
	}
	before := w.Asked("/keys")
	for range 50 {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: rand.Text()}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := signer.Sign([]byte(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := signed.CompactSerialize()
		if _, err := w.node.Ended(t.Context(), raw); err == nil {
			t.Fatal("a forged notice is believed")
		}
	}
	if n := w.Asked("/keys") - before; n > 1 {
		t.Errorf("50 forged notices had the provider asked for its keys %d times", n)
	}
	if _, err := w.signIn(0); err != nil {
		t.Errorf("people cannot sign in meanwhile: %v", err)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add("state=a&code=b")
	f.Add("error=x&error_description=%00")
	p, err := oidc.New(oidc.Config{ID: "x", Issuer: "http://127.0.0.1:1", ClientID: "agora"}, oidc.Options{Transport: refusing{}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, query string) {
		answer, _ := url.ParseQuery(query)
		if _, err := p.Finish(t.Context(), access.Login{Provider: "x", State: "a", Began: time.Now()}, redirect, answer); err == nil {
			t.Error("signed in")
		}
	})
}

type refusing struct{}

func (refusing) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("closed") }

// TestLoad: what is wrong with a file is told with the line on which it stands, all of it at once.
func TestLoad(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("secret", "s3cret\n")
	write("blank", "\n")
	const good = `{"providers": [
{"id": "entra",
 "issuer": "https://login.example.com",
 "client_id": "agora",
 "client_secret_file": "secret",
 "subject_claim": "oid"}],
"rules": [
{"roles": ["viewer"],
 "everyone": true}]}`
	f, err := oidc.Load(write("good.json", good))
	if err != nil || f.Providers[0].ClientSecret != "s3cret" || f.Providers[0].Subject != "oid" || len(f.Rules) != 1 {
		t.Errorf("%+v, %v", f, err)
	}
	f, err = oidc.Load(write("inline.json", strings.Replace(good, `"client_secret_file": "secret"`, `"client_secret": "s"`, 1)))
	if err != nil || f.Providers[0].ClientSecret != "s" {
		t.Errorf("%+v, %v", f, err)
	}
	for name, c := range map[string]struct {
		was, is string // in good
		says    []string
		kind    error
	}{
		"empty":              {good, "", []string{":1: ", "ends within"}, oidc.ErrConfig},
		"cut off":            {`"everyone": true}]}`, "", []string{":9: ", "ends within"}, oidc.ErrConfig},
		"not JSON":           {`"agora",`, `agora,`, []string{":4: ", "invalid character"}, oidc.ErrConfig},
		"no provider":        {good, "{}", []string{":1: ", "no provider"}, oidc.ErrConfig},
		"unknown keys":       {`"client_id"`, `"client"`, []string{`:4: `, `"client"`, "client_id, "}, oidc.ErrConfig},
		"another unknown":    {`"rules"`, `"rulez"`, []string{`:7: `, `"rulez"`, "contact, providers, rules"}, oidc.ErrConfig},
		"a key twice":        {`"client_id": "agora"`, `"client_id": "agora", "client_id": "b"`, []string{":4: ", "twice"}, oidc.ErrConfig},
		"a number":           {`"agora"`, `7`, []string{":4: ", "client_id", "should be a text"}, oidc.ErrConfig},
		"two texts":          {`true}]}`, `true}]}` + "\n{}", []string{":10: ", "after top-level"}, oidc.ErrConfig},
		"no such file":       {`"secret"`, `"none"`, []string{":5: ", "read its secret"}, oidc.ErrConfig},
		"an empty secret":    {`"secret"`, `"blank"`, []string{":5: ", "is empty"}, oidc.ErrConfig},
		"two secrets":        {`"client_secret_file"`, `"client_secret": "s", "client_secret_file"`, []string{":5: ", "leave one out"}, oidc.ErrConfig},
		"two of an id":       {`}],`, "},\n" + `{"id":"entra","issuer":"https://login.example.com","client_id":"agora"}],`, []string{":7: ", "two providers"}, oidc.ErrConfig},
		"no such role":       {`"viewer"`, `"king"`, []string{":8: ", `"king"`}, access.ErrRule},
		"no client":          {` "client_id": "agora",` + "\n", "", []string{":2: ", "client_id is missing"}, oidc.ErrConfig},
		"two things at once": {`"issuer": "https`, `"issuer": "http`, []string{":3: ", "not https"}, oidc.ErrConfig},
	} {
		t.Run(name, func(t *testing.T) {
			path := write("bad.json", strings.Replace(good, c.was, c.is, 1))
			_, err := oidc.Load(path)
			if !errors.Is(err, c.kind) {
				t.Fatalf("%v is not %v", err, c.kind)
			}
			for _, words := range c.says {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("%v\ndoes not say %q", err, words)
				}
			}
		})
	}
	both := strings.NewReplacer(`"issuer": "https`, `"issuer": "http`, `"viewer"`, `"king"`).Replace(good)
	_, err = oidc.Load(write("both.json", both))
	if bad, ok := errors.AsType[*oidc.FileError](err); !ok || len(bad.Problems) != 2 || bad.Problems[0].Line != 3 || bad.Problems[1].Line != 8 {
		t.Errorf("two problems are %v", err)
	}
}

// FuzzFile: whatever a file holds, it is read or explained.
func FuzzFile(f *testing.F) {
	f.Add(`{"providers":[{"id":"a","issuer":"https://x","client_id":"c"}],"rules":[{"roles":["viewer"],"everyone":true}]}`)
	f.Add(`{"providers":[[],{"scopes":[{}]}],"a":{"":1,"":2}}`)
	path := filepath.Join(f.TempDir(), "f.json")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := oidc.Load(path)
		if bad, ok := errors.AsType[*oidc.FileError](err); err != nil && (!ok || len(bad.Problems) == 0) || err == nil && len(file.Providers) == 0 {
			t.Fatalf("%+v, %v", file, err)
		}
	})
}

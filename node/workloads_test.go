package node_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access/oidc/oidctest"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

const ciAudience = "https://agora.example.com"

// pipeline is a node whose rules give jobs of an issuer tokens.
type pipeline struct {
	*testNode
	*oidctest.Provider
	later *atomic.Int64
	log   *lockedLog
}

// lockedLog is a node's log, which a test reads.
type lockedLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func startPipeline(t *testing.T) *pipeline {
	p := &pipeline{Provider: oidctest.Start(t), later: new(atomic.Int64), log: new(lockedLog)}
	rule := func(id, account string, claims map[string]string, scopes ...string) map[string]any {
		return map[string]any{"id": id, "issuer": p.URL, "audience": ciAudience, "claims": claims, "service_account": account, "scopes": scopes}
	}
	github := rule("deploy", "deploy", map[string]string{"repository_id": "100", "repository_owner_id": "7", "ref": "refs/heads/main"}, "apps:read", "apps:publish")
	github["apps"] = []string{"shop"}
	nobody := rule("nobody", "no-such", map[string]string{"repository_id": "200", "ref": "refs/heads/main"}, "apps:read")
	nobody["apps"] = []string{"desk", "till"}
	raw, err := json.Marshal(map[string]any{"workloads": []any{
		github,
		rule("gitlab", "deploy", map[string]string{"project_id": "55", "namespace_id": "9", "ref": "main", "ref_type": "branch", "ref_protected": "true"}, "all"),
		nobody,
	}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "sign-in.json")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	p.testNode = start(t, func(o *node.Options) {
		o.SignIn = path
		o.Now = func() time.Time { return time.Now().Add(time.Duration(p.later.Load())) }
		o.Logger = slog.New(slog.NewTextHandler(p.log, nil))
	})
	if _, err := p.ada().CreateServiceAccount(t.Context(), client.NewServiceAccount{Name: "deploy", Roles: []string{"developer"}}); err != nil {
		t.Fatal(err)
	}
	return p
}

// job are the claims of a token of GitHub's, with changes.
func (p *pipeline) job(change ...func(map[string]any)) map[string]any {
	now := time.Now().Add(time.Duration(p.later.Load()))
	c := map[string]any{
		"iss": p.URL, "aud": ciAudience, "sub": "repo:acme/shop:ref:refs/heads/main", "jti": rand.Text(), "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		"repository": "acme/shop", "repository_id": "100", "repository_owner_id": "7", "ref": "refs/heads/main", "event_name": "push", "run_id": "4711", "run_attempt": "1",
	}
	for _, f := range change {
		f(c)
	}
	return c
}

func set(claim string, to any) func(map[string]any) {
	return func(c map[string]any) {
		if c[claim] = to; to == nil {
			delete(c, claim)
		}
	}
}

// refuses has the node refuse a token, tell the caller no more than that, and say why in its log.
func (p *pipeline) refuses(t *testing.T, name, token, why string) {
	t.Helper()
	before := len(p.log.String())
	got, err := p.anybody().ExchangeToken(t.Context(), token, "")
	if err == nil || got.AccessToken != "" {
		t.Errorf("%s: it is exchanged for %+v", name, got)
		return
	}
	problem := problemOf(t, err)
	if problem.Type != "/problems/exchange-refused" || !strings.HasPrefix(problem.Detail, "A node exchanges the token of a CI's job once") {
		t.Errorf("%s: the caller is told %+v", name, problem)
	}
	if said := p.log.String()[before:]; !strings.Contains(said, why) || strings.Contains(said, token) {
		t.Errorf("%s: the log says %s, and not why: %s", name, said, why)
	}
}

// TestExchange: a job whose token meets a rule has a token of the rule's service account for fifteen minutes, with
// the scopes and apps of the rule, and the feed says which issuer, run and rule.
func TestExchange(t *testing.T) {
	p := startPipeline(t)
	got, err := p.anybody().ExchangeToken(t.Context(), p.Sign(p.job()), "")
	if err != nil || got.User != "deploy"+abi.ServiceDomain || got.Rule != "deploy" || got.Scope != "apps:read apps:publish" || got.ExpiresIn != 900 || got.TokenType != "Bearer" ||
		got.IssuedTokenType != "urn:ietf:params:oauth:token-type:access_token" {
		t.Fatalf("%+v, %v", got, err)
	}
	who, err := p.with(got.AccessToken).Whoami(t.Context())
	if err != nil || who.User != got.User || !slices.Equal(who.Apps, []string{"shop"}) || !slices.Equal(who.Roles, []string{"developer"}) {
		t.Errorf("%+v, %v", who, err)
	}
	if _, err := p.with(got.AccessToken).NewToken(t.Context(), client.NewToken{Label: "more", Scopes: []string{"apps:read"}}); err == nil {
		t.Error("it makes a token that its scopes do not name")
	}
	tokens, err := p.ada().ServiceTokens(t.Context(), "deploy")
	if err != nil || len(tokens) != 1 || tokens[0].Rule != "deploy" || tokens[0].Label != "rule deploy 4711/1" || tokens[0].Expires.Sub(tokens[0].Created) != 15*time.Minute {
		t.Errorf("%+v, %v", tokens, err)
	}
	events, err := p.ops().FindEvents(t.Context(), client.EventFilter{})
	if err != nil || !slices.ContainsFunc(events, func(e abi.Event) bool {
		return e.Kind == "workload.exchanged" && e.Actor == got.User && e.Detail["rule"] == "deploy" && e.Detail["issuer"] == p.URL && e.Detail["run"] == "4711/1"
	}) {
		t.Errorf("%+v, %v", events, err)
	}

	narrow, err := p.anybody().ExchangeToken(t.Context(), p.Sign(p.job()), "apps:read")
	if err != nil || narrow.Scope != "apps:read" {
		t.Errorf("%+v, %v", narrow, err)
	}
	gitlab := func(c map[string]any) {
		maps.DeleteFunc(c, func(claim string, _ any) bool {
			return strings.Contains(claim, "r") && !slices.Contains([]string{"iss"}, claim)
		})
		maps.Copy(c, map[string]any{"project_id": 55, "namespace_id": "9", "ref": "main", "ref_type": "branch", "ref_protected": true, "pipeline_id": "1", "job_id": "2"})
	}
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {p.Sign(p.job(gitlab))}, "subject_token_type": {"urn:ietf:params:oauth:token-type:id_token"}}
	as := p.do("POST", p.ConsoleURL()+"/api/v1/token", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	var answer client.Exchanged
	if err := json.Unmarshal([]byte(as.Body), &answer); err != nil || as.Status != http.StatusOK || answer.Rule != "gitlab" || as.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("as a form: %+v", as)
	}

	p.later.Add(int64(15*time.Minute - time.Second))
	if !p.works(answer.AccessToken) {
		t.Error("it ends before fifteen minutes")
	}
	p.later.Add(int64(2 * time.Second))
	if p.works(answer.AccessToken) || p.works(got.AccessToken) {
		t.Error("it lives for more than fifteen minutes")
	}
}

// TestDoctorAsksIssuers: the doctor says whose jobs get no tokens because their CI does not respond.
func TestDoctorAsksIssuers(t *testing.T) {
	p := startPipeline(t)
	line := func() client.Check {
		all, err := p.ops().Doctor(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range all {
			if c.Name == "tokens for jobs of "+p.URL {
				return c
			}
		}
		t.Fatalf("no line about %s: %+v", p.URL, all)
		return client.Check{}
	}
	if c := line(); !c.OK {
		t.Errorf("%+v", c)
	}
	p.SetDown(true)
	if c := line(); c.OK || c.Remedy.Summary == "" {
		t.Errorf("of one that is down: %+v", c)
	}
}

// TestForgedWorkloads: no token is exchanged that another key, another issuer or another time made, for another
// audience, or for a job that no rule names; the log says why, and the caller is told nothing.
func TestForgedWorkloads(t *testing.T) {
	p := startPipeline(t)
	if _, err := p.anybody().ExchangeToken(t.Context(), p.Sign(p.job()), ""); err != nil {
		t.Fatal(err)
	}
	ahead := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	for name, c := range map[string]struct {
		change func(map[string]any)
		why    string
	}{
		"another audience":    {set("aud", "https://github.com/acme"), "the audience is"},
		"two audiences":       {set("aud", []string{ciAudience, "https://other"}), "the audience is"},
		"a longer audience":   {set("aud", ciAudience+"/"), "the audience is"},
		"no audience":         {set("aud", nil), "the audience is"},
		"another issuer":      {set("iss", "https://token.actions.githubusercontent.com"), "no rule is for the issuer"},
		"an issuer and slash": {set("iss", p.URL+"/"), "no rule is for the issuer"},
		"an issuer to ask":    {set("iss", "http://169.254.169.254"), "no rule is for the issuer"},
		"no issuer":           {set("iss", nil), "no rule is for the issuer"},
		"expired":             {set("exp", ahead(-3*time.Minute)), "expired"},
		"not yet":             {set("nbf", ahead(10*time.Minute)), "nbf"},
		"from the future":     {set("iat", ahead(10*time.Minute)), "not of now"},
		"old":                 {set("iat", ahead(-61*time.Minute)), "not of now"},
		"no time":             {set("iat", nil), "not of now"},
		"for ever":            {set("exp", ahead(25*time.Hour)), "more than a day"},
		"no id":               {set("jti", nil), "no jti"},
		"a person's":          {set("nonce", "n"), "a person's sign-in"},
		"a logout token":      {set("events", map[string]any{"x": 1}), "a person's sign-in"},
		"another repository":  {set("repository_id", "101"), `the claim repository_id is \"101\"`},
		"a recycled name":     {func(c map[string]any) { c["repository_id"], c["repository"] = "999", "acme/shop" }, "repository_id"},
		"an id in a list":     {set("repository_id", []string{"100"}), "repository_id is missing"},
		"another owner":       {set("repository_owner_id", "8"), "repository_owner_id"},
		"another branch":      {set("ref", "refs/heads/main2"), "the claim ref is"},
		"a tag like it":       {set("ref", "refs/tags/main"), "the claim ref is"},
		"no branch":           {set("ref", nil), "the claim ref is missing"},
		"a pull request":      {set("event_name", "pull_request"), "pull request"},
		"a dangerous request": {set("event_name", "pull_request_target"), "pull request"},
		"no such account":     {set("repository_id", "200"), "no such service account"},
		"an unprotected ref": {func(c map[string]any) {
			delete(c, "repository_id")
			c["project_id"], c["namespace_id"], c["ref"], c["ref_type"], c["ref_protected"] = "55", "9", "main", "branch", "false"
		}, "ref_protected"},
		"a tag like a branch": {func(c map[string]any) {
			delete(c, "repository_id")
			c["project_id"], c["namespace_id"], c["ref"], c["ref_type"], c["ref_protected"] = "55", "9", "main", "tag", "true"
		}, "ref_type"},
	} {
		p.refuses(t, name, p.Sign(p.job(c.change)), c.why)
	}
	p.refuses(t, "no token", "no-token-at-all", "no JSON Web Token")
	p.refuses(t, "no claims", "a.b.c", "cannot be read")
	if _, err := p.anybody().ExchangeToken(t.Context(), strings.Repeat("x", 17<<10), ""); problemOf(t, err).Type != "/problems/too-large" {
		t.Errorf("a large one: %v", err)
	}
}

// TestWorkloadKeys: signatures of another key, of an algorithm that is not believed, or none, count for nothing,
// and do not have the node ask the issuer for keys as often as strangers like.
func TestWorkloadKeys(t *testing.T) {
	p := startPipeline(t)
	if _, err := p.anybody().ExchangeToken(t.Context(), p.Sign(p.job()), ""); err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	asked := p.Asked("/keys")
	for name, with := range map[string]*jose.SigningKey{
		"another key, same id": {Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: p.KeyID()}},
		"another key":          {Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "k"}},
		"a shared secret":      {Algorithm: jose.HS256, Key: []byte("0123456789012345678901234567890123456789")},
	} {
		p.Tamper(nil, with)
		for range 5 {
			_, err := p.anybody().ExchangeToken(t.Context(), p.Sign(p.job()), "")
			if slug := problemOf(t, err).Type; slug != "/problems/exchange-refused" && slug != "/problems/issuer-down" {
				t.Errorf("%s: %s", name, slug)
			}
		}
	}
	p.Tamper(nil, nil)
	good := p.Sign(p.job())
	parts := strings.Split(good, ".")
	p.refuses(t, "no algorithm", "eyJhbGciOiJub25lIn0."+parts[1]+".", "")
	if again := p.Asked("/keys") - asked; again > 1 {
		t.Errorf("fifteen forged tokens had the node ask for keys %d times", again)
	}
	if _, err := p.anybody().ExchangeToken(t.Context(), good, ""); err != nil {
		t.Errorf("what was refused in other forms is spent: %v", err)
	}
}

// TestIssuerDown: a token whose issuer does not respond is not spent, and the caller is told to come again.
func TestIssuerDown(t *testing.T) {
	p := startPipeline(t)
	token := p.Sign(p.job())
	p.SetDown(true)
	_, err := p.anybody().ExchangeToken(t.Context(), token, "")
	if problem := problemOf(t, err); problem.Type != "/problems/issuer-down" || strings.Contains(problem.Detail, p.URL) {
		t.Errorf("%+v", problem)
	}
	p.SetDown(false)
	p.later.Add(int64(5 * time.Second))
	if _, err := p.anybody().ExchangeToken(t.Context(), token, ""); err != nil {
		t.Error(err)
	}
}

// TestExchangedOnce: of many that bring one token at once, one has a token at most, and what comes later ends it;
// the id counts by issuer, for as long as the token could come again.
func TestExchangedOnce(t *testing.T) {
	p := startPipeline(t)
	claims := p.job()
	token := p.Sign(claims)
	var mu sync.Mutex
	var all []client.Exchanged
	var asking sync.WaitGroup
	node := p.anybody()
	for range 8 {
		asking.Go(func() {
			if got, err := node.ExchangeToken(t.Context(), token, ""); err == nil {
				mu.Lock()
				defer mu.Unlock()
				all = append(all, got)
			}
		})
	}
	asking.Wait()
	if len(all) != 1 {
		t.Fatalf("one token was exchanged %d times", len(all))
	}
	if p.works(all[0].AccessToken) {
		t.Error("the token of one that came twice goes on")
	}
	// The same id in a token that is signed anew, until it has ended.
	for _, later := range []time.Duration{0, 4 * time.Minute, time.Minute} {
		p.later.Add(int64(later))
		claims["exp"] = time.Now().Add(50 * time.Minute).Unix()
		p.refuses(t, fmt.Sprint("after ", later), p.Sign(claims), "was exchanged before")
	}
	events, err := p.ops().FindEvents(t.Context(), client.EventFilter{})
	if err != nil || !slices.ContainsFunc(events, func(e abi.Event) bool { return e.Kind == "workload.replayed" && e.Detail["run"] == "4711/1" }) {
		t.Errorf("%+v, %v", events, err)
	}
}

// TestExchangeNeedsItsPeople: a disabled account gets no token, nor one whose sponsor has left, and what it had
// ends; what the sponsor may not do, the token does not.
func TestExchangeNeedsItsPeople(t *testing.T) {
	p := startPipeline(t)
	exchange := func() string {
		t.Helper()
		got, err := p.anybody().ExchangeToken(t.Context(), p.Sign(p.job()), "")
		if err != nil {
			t.Fatal(err)
		}
		return got.AccessToken
	}
	yes, no := true, false
	had := exchange()
	if _, err := p.ada().ChangeServiceAccount(t.Context(), "deploy", client.ServiceAccountChange{Disabled: &yes}); err != nil {
		t.Fatal(err)
	}
	if p.works(had) {
		t.Error("a disabled account goes on")
	}
	p.refuses(t, "disabled", p.Sign(p.job()), "is disabled")
	if _, err := p.ada().ChangeServiceAccount(t.Context(), "deploy", client.ServiceAccountChange{Disabled: &no}); err != nil {
		t.Fatal(err)
	}
	had = exchange()
	if _, err := p.ops().PutUser(t.Context(), ada, []string{"viewer"}, false); err != nil {
		t.Fatal(err)
	}
	if who, err := p.with(had).Whoami(t.Context()); err != nil || len(who.Roles) != 0 {
		t.Errorf("it has roles that its sponsor has lost: %+v, %v", who, err)
	}
	if _, err := p.ops().PutUser(t.Context(), ada, []string{"developer"}, true); err != nil {
		t.Fatal(err)
	}
	if p.works(had) {
		t.Error("it goes on without its sponsor")
	}
	p.refuses(t, "no sponsor", p.Sign(p.job()), "the sponsor of the service account has left")
}

// TestExchangesAreBounded: what is no exchange is refused with what it has to be; and of one address only so many
// tokens are looked at of which none is good.
func TestExchangesAreBounded(t *testing.T) {
	p := startPipeline(t)
	good := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {"x"}, "subject_token_type": {"urn:ietf:params:oauth:token-type:jwt"}}
	for name, change := range map[string]func(url.Values){
		"another grant": func(v url.Values) { v.Set("grant_type", "password") }, "no grant": func(v url.Values) { v.Del("grant_type") },
		"another type": func(v url.Values) { v.Set("subject_token_type", "urn:ietf:params:oauth:token-type:saml2") }, "no token": func(v url.Values) { v.Del("subject_token") },
		"two tokens": func(v url.Values) { v.Add("subject_token", "y") }, "an actor": func(v url.Values) { v.Set("actor_token", "y") },
		"a refresh token": func(v url.Values) { v.Set("requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token") },
	} {
		form := maps.Clone(good)
		change(form)
		if got := p.do("POST", p.ConsoleURL()+"/api/v1/token", form.Encode(), "Content-Type", "application/x-www-form-urlencoded"); got.Status/100 != 4 || got.Status == http.StatusForbidden {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	if _, err := p.anybody().ExchangeToken(t.Context(), p.Sign(p.job()), "apps:read users:write"); problemOf(t, err).Type != "/problems/exchange-refused" {
		t.Errorf("more than the rule gives: %v", err)
	}
	var err error
	for range 60 {
		_, err = p.anybody().ExchangeToken(t.Context(), "x", "")
	}
	if problemOf(t, err).Type != "/problems/too-many-exchanges" {
		t.Errorf("after sixty: %v", err)
	}
	if _, err := p.anybody().ExchangeToken(t.Context(), p.Sign(p.job()), ""); problemOf(t, err).Type != "/problems/too-many-exchanges" {
		t.Errorf("%v", err)
	}
	p.later.Add(int64(time.Minute))
	if _, err := p.anybody().ExchangeToken(t.Context(), p.Sign(p.job()), ""); err != nil {
		t.Errorf("a minute later: %v", err)
	}
}

package oidctest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// Person is one of the provider's people.
type Person struct {
	Subject  string
	Email    string
	Verified bool
	Name     string
	Groups   []string // nil: the provider says nothing of groups
	Session  string   // the sid of their session there
	Claims   map[string]any
}

// Provider is a sign-in provider.
type Provider struct {
	URL          string // its issuer
	ClientID     string
	ClientSecret string

	t       testing.TB
	storage *storage
	engine  http.Handler

	mu     sync.Mutex // guards all below
	down   bool
	tamper func(claims map[string]any) // of ID tokens; nil: they stay
	signer *jose.SigningKey            // instead of the provider's own
	asked  map[string]int              // requests by path
}

// Start starts a provider whose client may be redirected to the given addresses.
func Start(t testing.TB, redirects ...string) *Provider {
	t.Helper()
	p := &Provider{ClientID: "agora", ClientSecret: rand.Text(), t: t, asked: map[string]int{}}
	p.storage = &storage{
		client: &client{id: p.ClientID, secret: p.ClientSecret, redirects: redirects}, now: time.Now,
		people: map[string]Person{}, requests: map[string]*request{}, codes: map[string]string{}, tokens: map[string]string{},
	}
	p.Rotate()
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	p.URL = server.URL
	config := &op.Config{CodeMethodS256: true, AuthMethodPost: true, BackChannelLogoutSupported: true}
	_, _ = rand.Read(config.CryptoKey[:])
	engine, err := op.NewProvider(config, p.storage, op.StaticIssuer(p.URL), op.WithAllowInsecure(), op.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	p.engine = engine
	return p
}

// Add makes a person known, or changes one.
func (p *Provider) Add(all ...Person) {
	p.storage.mu.Lock()
	defer p.storage.mu.Unlock()
	for _, one := range all {
		p.storage.people[one.Subject] = one
	}
}

// Allow lets the client be redirected to an address, too.
func (p *Provider) Allow(redirect string) {
	p.storage.client.mu.Lock()
	defer p.storage.client.mu.Unlock()
	p.storage.client.redirects = append(p.storage.client.redirects, redirect)
}

// Rotate gives the provider another key; the one before is not published any more.
func (p *Provider) Rotate() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	p.storage.mu.Lock()
	defer p.storage.mu.Unlock()
	p.storage.key = signingKey{id: rand.Text(), key: key}
}

// SetDown has the provider respond with nothing but errors, or ends that.
func (p *Provider) SetDown(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
}

// Tamper changes the claims of every ID token from now on, and signs it again: with the provider's
// key, or with another one.
func (p *Provider) Tamper(change func(claims map[string]any), with *jose.SigningKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tamper, p.signer = change, with
}

// SetTerse has ID tokens say who signed in and no more: the rest is at the userinfo endpoint.
func (p *Provider) SetTerse() { p.storage.client.terse = true }

// Asked returns how many requests to a path there were.
func (p *Provider) Asked(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[path]
}

// Sign signs claims with the provider's key.
func (p *Provider) Sign(claims map[string]any) string {
	p.mu.Lock()
	with := p.signer
	p.mu.Unlock()
	if with == nil {
		p.storage.mu.Lock()
		k := p.storage.key
		p.storage.mu.Unlock()
		with = &jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: k.key, KeyID: k.id}}
	}
	signer, err := jose.NewSigner(*with, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	body, err := json.Marshal(claims)
	if err != nil {
		p.t.Fatal(err)
	}
	signed, err := signer.Sign(body)
	if err != nil {
		p.t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		p.t.Fatal(err)
	}
	return text
}

// KeyID is the id of the provider's key.
func (p *Provider) KeyID() string {
	p.storage.mu.Lock()
	defer p.storage.mu.Unlock()
	return p.storage.key.id
}

// ServeHTTP serves the provider.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	down, tamper := p.down, p.tamper
	p.asked[r.URL.Path]++
	p.mu.Unlock()
	switch {
	case down:
		w.WriteHeader(http.StatusBadGateway)
	case r.URL.Path == "/login":
		p.login(w, r)
	case r.URL.Path == "/end_session":
		http.SetCookie(w, &http.Cookie{Name: p.proofCookie(), Path: "/", MaxAge: -1})
		p.engine.ServeHTTP(w, r)
	case r.URL.Path == "/oauth/token" && tamper != nil:
		p.tampered(w, r, tamper)
	default:
		p.engine.ServeHTTP(w, r)
	}
}

// proofCookie is named after the port: browsers send cookies to every port of a host.
func (p *Provider) proofCookie() string { return "proof" + p.URL[strings.LastIndexByte(p.URL, ':')+1:] }

// login is the page on which people say who they are. A browser that said it is not asked again,
// unless the proof is older than the client allows.
func (p *Provider) login(w http.ResponseWriter, r *http.Request) {
	id := r.FormValue("id")
	p.storage.mu.Lock()
	defer p.storage.mu.Unlock()
	q, ok := p.storage.requests[id]
	if !ok {
		http.Error(w, "this sign-in is over", http.StatusBadRequest)
		return
	}
	subject, at := r.FormValue("subject"), time.Now()
	if c, err := r.Cookie(p.proofCookie()); err == nil && subject == "" {
		before, when, _ := strings.Cut(c.Value, "|")
		if t, err := time.Parse(time.RFC3339Nano, when); err == nil && (q.maxAge == nil || time.Since(t) <= time.Duration(*q.maxAge)*time.Second) {
			subject, at = before, t
		}
	}
	if _, known := p.storage.people[subject]; !known {
		fmt.Fprintf(w, "<!doctype html><title>Provider</title><form method=post action=/login><input type=hidden name=id value=%q>", html.EscapeString(id))
		for s, one := range p.storage.people {
			fmt.Fprintf(w, "<p><button name=subject value=%q>%s</button>", html.EscapeString(s), html.EscapeString(one.Email))
		}
		fmt.Fprint(w, "</form>")
		return
	}
	q.subject, q.at, q.done = subject, at, true
	http.SetCookie(w, &http.Cookie{Name: p.proofCookie(), Value: subject + "|" + at.Format(time.RFC3339Nano), Path: "/", HttpOnly: true})
	http.Redirect(w, r, "/authorize/callback?id="+url.QueryEscape(id), http.StatusFound)
}

// tampered changes the ID token of a response.
func (p *Provider) tampered(w http.ResponseWriter, r *http.Request, tamper func(map[string]any)) {
	inner := httptest.NewRecorder()
	p.engine.ServeHTTP(inner, r)
	var answer map[string]any
	if inner.Code == http.StatusOK && json.Unmarshal(inner.Body.Bytes(), &answer) == nil {
		if raw, ok := answer["id_token"].(string); ok {
			parsed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.ES256})
			if err != nil {
				p.t.Error(err)
				return
			}
			var claims map[string]any
			_ = json.Unmarshal(parsed.UnsafePayloadWithoutVerification(), &claims)
			tamper(claims)
			answer["id_token"] = p.Sign(claims)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer)
		return
	}
	w.WriteHeader(inner.Code)
	_, _ = w.Write(inner.Body.Bytes())
}

// Browser follows a sign-in at the provider, as a person's browser does.
type Browser struct {
	p      *Provider
	client *http.Client
}

// Browser opens one.
func (p *Provider) Browser() *Browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return &Browser{p: p, client: &http.Client{Jar: jar, Timeout: 10 * time.Second, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if !strings.HasPrefix(r.URL.String(), p.URL+"/") {
			return http.ErrUseLastResponse
		}
		return nil
	}}}
}

// SignIn goes to an address of Begin's, says who it is if it is asked, and returns what the provider
// sends it back with. asked reports whether it was.
func (b *Browser) SignIn(address, subject string) (answer url.Values, asked bool) {
	b.p.t.Helper()
	res, err := b.client.Get(address)
	if err != nil {
		b.p.t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode == http.StatusOK && res.Request.URL.Path == "/login" {
		asked = true
		res, err = b.client.PostForm(b.p.URL+"/login", url.Values{"id": {res.Request.URL.Query().Get("id")}, "subject": {subject}})
		if err != nil {
			b.p.t.Fatal(err)
		}
		_ = res.Body.Close()
	}
	back, err := res.Location()
	if err != nil {
		b.p.t.Fatalf("the provider responds with %s and leads nowhere", res.Status)
	}
	return back.Query(), asked
}

package oidc

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	goidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/agora-host/agora/access"
)

// Options are what all providers of a node share.
type Options struct {
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Transport carries requests to providers. Default http.DefaultTransport.
	Transport http.RoundTripper
}

// Provider is one provider of a node.
type Provider struct {
	c     Config
	now   func() time.Time
	to    *transport
	open  *http.Client // of sign-ins: people wait for it
	slow  *http.Client // of what strangers send
	again sync.Mutex   // held while discovery runs

	mu       sync.Mutex // guards all below
	facts    *facts
	failed   error // of the last discovery; nil if it succeeded
	failedAt time.Time
}

// facts are what a provider says of itself.
type facts struct {
	discovered *goidc.Provider
	signIn     *goidc.IDTokenVerifier
	logout     *goidc.IDTokenVerifier
	workload   *goidc.IDTokenVerifier // for any audience
	at         time.Time              // of discovery
	more       metadata
}

// metadata is what go-oidc does not read of a discovery document.
type metadata struct {
	EndSession string `json:"end_session_endpoint"`
	SaysIssuer bool   `json:"authorization_response_iss_parameter_supported"`
	JWKS       string `json:"jwks_uri"`
}

// New prepares a provider. It is asked for nothing before somebody signs in.
func New(c Config, o Options) (*Provider, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	return open(c, o), nil
}

// ID names the provider in addresses.
func (p *Provider) ID() string { return p.c.ID }

// Name is what people call it.
func (p *Provider) Name() string { return p.c.Name }

// Check asks the provider for its facts anew. access.ErrProviderDown.
func (p *Provider) Check(ctx context.Context) error {
	p.again.Lock()
	defer p.again.Unlock()
	_, err := p.discover(ctx)
	return err
}

// algorithms are the signatures that are believed, whatever a provider announces.
var algorithms = []string{goidc.RS256, goidc.PS256, goidc.ES256, goidc.EdDSA}

// known returns what the provider says of itself. What is older than five minutes is read again; if that
// fails, the last is used.
func (p *Provider) known(ctx context.Context) (*facts, error) {
	p.mu.Lock()
	f := p.facts
	p.mu.Unlock()
	now := p.now()
	if f != nil && now.Sub(f.at) < freshFacts {
		return f, nil
	}
	fresh, err := p.find(ctx, now)
	if err != nil && f != nil {
		return f, nil
	}
	return fresh, err
}

// find discovers the provider for one of those who need it at once; the others wait for that. A
// provider that is down is not asked again for a moment: whoever opens the way to its page could
// have the node ask it as often as they like, and each of them would wait in a row.
func (p *Provider) find(ctx context.Context, since time.Time) (*facts, error) {
	p.again.Lock()
	defer p.again.Unlock()
	p.mu.Lock()
	f, failed, failedAt := p.facts, p.failed, p.failedAt
	p.mu.Unlock()
	switch {
	case f != nil && !f.at.Before(since):
		return f, nil
	case failed != nil && p.now().Sub(failedAt) < restAfter:
		return nil, failed
	}
	return p.discover(ctx)
}

// restAfter is how long a provider is let alone that did not respond.
const restAfter = 2 * time.Second

// discover reads the discovery document; the keys are read when the first token comes. Replacing
// them is how a key that the provider has withdrawn ceases to be trusted.
func (p *Provider) discover(ctx context.Context) (f *facts, err error) {
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.failed = err; err != nil {
			p.failedAt = p.now()
			return
		}
		p.facts = f
	}()
	// What go-oidc makes reads keys later with this context: it must not end with the request.
	keep := goidc.ClientContext(context.WithoutCancel(ctx), p.open)
	d, err := goidc.NewProvider(keep, p.c.Issuer)
	if err != nil {
		return nil, p.unreachable(err)
	}
	var more metadata
	if err := d.Claims(&more); err != nil {
		return nil, p.unreachable(err)
	}
	settings := &goidc.Config{
		ClientID: p.c.ClientID, SupportedSigningAlgs: algorithms,
		Now: func() time.Time { return p.now().Add(-skew) }, // go-oidc has no leeway for exp
	}
	throttled := goidc.NewRemoteKeySet(goidc.ClientContext(context.WithoutCancel(ctx), p.slow), more.JWKS)
	// What strangers sent before does not keep new facts from having keys.
	first := p.to.client(&throttle{next: p.to, every: keysEvery})
	anyone := *settings
	anyone.ClientID, anyone.SkipClientIDCheck = "", true
	now := p.now()
	return &facts{
		discovered: d, signIn: d.Verifier(settings), logout: goidc.NewVerifier(p.c.Issuer, throttled, settings),
		workload: goidc.NewVerifier(p.c.Issuer, goidc.NewRemoteKeySet(goidc.ClientContext(context.WithoutCancel(ctx), first), more.JWKS), &anyone),
		at:       now, more: more,
	}, nil
}

// unreachable says that the provider is the trouble, and what of it.
func (p *Provider) unreachable(err error) error {
	if cause := p.to.trouble(); cause != nil {
		err = cause
	}
	return fmt.Errorf("%w: %s (%s): %w", access.ErrProviderDown, p.c.Name, p.c.Issuer, err)
}

// client is the OAuth 2.0 client of a sign-in.
func (p *Provider) client(f *facts, redirect string) *oauth2.Config {
	endpoint := f.discovered.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader // detecting it would send a code twice
	if p.c.ClientSecret == "" {
		endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{
		ClientID: p.c.ClientID, ClientSecret: p.c.ClientSecret, Endpoint: endpoint, RedirectURL: redirect,
		Scopes: append([]string{goidc.ScopeOpenID}, p.c.Scopes...),
	}
}

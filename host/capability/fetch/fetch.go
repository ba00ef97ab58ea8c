package fetch

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/net/idna"

	"github.com/agora-host/agora/abi"
)

// Secrets opens what apps' owners sealed.
type Secrets interface {
	// Open returns an app's secret by its name. It is asked anew for each request,
	// so that a changed secret is used at once.
	Open(ctx context.Context, app, name string) ([]byte, error)
}

// Options configure the capability. The zero value of a field means its default.
type Options struct {
	// Allow are networks that apps may reach although they are not public.
	Allow []netip.Prefix
	// Resolver finds addresses. Default: Go's own, with the machine's settings.
	Resolver *net.Resolver
	// RootCAs are whom TLS trusts. Default: whom the machine trusts.
	RootCAs *x509.CertPool
	// MaxConnections bounds the connections of all apps together. Default 1024.
	MaxConnections int
	// Secrets holds credentials. Without it, requests that need one fail.
	Secrets Secrets
	// Tell lets an app's owner know why something was refused. It may be called
	// often; the default is to tell no one.
	Tell func(ctx context.Context, app App, f abi.Finding)
	// Logger receives the node's own log.
	Logger *slog.Logger
}

// App is who asks.
type App struct {
	Name    string
	Release int
}

// Fetch is the capability.
type Fetch struct {
	o         Options
	connected atomic.Int64 // connections of all apps
	mu        sync.Mutex
	clients   map[string]*client // by app, guarded by mu
}

// New makes the capability.
func New(o Options) *Fetch {
	if o.Resolver == nil {
		o.Resolver = &net.Resolver{PreferGo: true}
	}
	if o.MaxConnections == 0 {
		o.MaxConnections = 1024
	}
	if o.Tell == nil {
		o.Tell = func(context.Context, App, abi.Finding) {}
	}
	o.Logger = o.Logger.With("component", "fetch")
	return &Fetch{o: o, clients: map[string]*client{}}
}

// Close closes the connections that no request uses.
func (f *Fetch) Close(context.Context) error {
	f.closeIdle()
	return nil
}

// grant is the capability as it is bound to one app.
type grant struct {
	*Fetch
	app         App
	client      *client
	allow       []abi.OriginPattern
	credentials map[abi.Origin][]abi.FetchCredential
	maxRequest  int64
	maxResponse int64
	maxCalls    int64 // in one invocation
}

// Bind links the capability for an app. What of the parameters is missing or
// cannot be read allows nothing.
func (f *Fetch) Bind(app App, p abi.Params) abi.Link {
	g := &grant{
		Fetch: f, app: app, client: f.clientOf(app.Name), credentials: map[abi.Origin][]abi.FetchCredential{},
		maxRequest: p.Number("max_request", 0), maxResponse: p.Number("max_response", 0), maxCalls: p.Number("max_calls", 0),
	}
	for _, text := range p.List("allow") {
		if pattern, err := abi.ParseOriginPattern(text); err == nil {
			g.allow = append(g.allow, pattern)
		}
	}
	for _, text := range p.List("credentials") {
		if c, err := abi.ParseFetchCredential(text); err == nil {
			g.credentials[c.Origin] = append(g.credentials[c.Origin], c)
		}
	}
	return abi.Link{abi.FetchDo: g.do}
}

func (g *grant) allows(o abi.Origin) bool {
	return slices.ContainsFunc(g.allow, func(p abi.OriginPattern) bool { return p.Allows(o) })
}

func (g *grant) do(ctx context.Context, in []byte) ([]byte, abi.Errno) {
	r, errno := abi.DecodeFetch(in)
	if errno != abi.ErrnoOK {
		return nil, errno
	}
	origin, err := parseOrigin(r.Host)
	if err != nil {
		return nil, abi.ErrnoInvalid
	}
	note := func(meter string, n int) {
		abi.Note(ctx, abi.Use{Capability: "fetch", Meter: meter, Subject: origin.String(), N: uint64(n)})
	}
	if !g.allows(origin) {
		note(abi.MeterDenied, 1)
		g.tellNotAllowed(ctx, origin)
		return nil, abi.ErrnoDenied
	}
	if int64(len(r.Body)) > g.maxRequest {
		g.tellBound(ctx, origin, "max_request", fmt.Sprintf("A request to %s has a body of %d bytes; the grant allows %d.", origin, len(r.Body), g.maxRequest))
		return nil, abi.ErrnoTooLarge
	}
	if calls := abi.ScopeOf(ctx).Keep(g, func() any { return new(atomic.Int64) }).(*atomic.Int64); calls.Add(1) > g.maxCalls {
		note(abi.MeterQuotaExceeded, 1)
		g.tellBound(ctx, origin, "max_calls", fmt.Sprintf("One caller's request made more than %d requests, the last to %s.", g.maxCalls, origin))
		return nil, abi.ErrnoQuota
	}
	ctx, cancel := abi.LeaveTime(ctx)
	defer cancel()
	select {
	case g.client.slots <- struct{}{}:
		defer func() { <-g.client.slots }()
	case <-ctx.Done():
		note(abi.MeterFailed, 1)
		return nil, abi.ErrnoUnavailable
	}
	// A transport may still read a body after it returned; in is the guest's again by then.
	r.Body = bytes.Clone(r.Body)
	return g.follow(ctx, origin, &r)
}

// parseOrigin reads an origin that an app or a redirect names. A name in other
// letters is first put into its ASCII form, by which the dialer will ask for it:
// what looks like a dot or a digit has become one before anything is judged.
func parseOrigin(s string) (abi.Origin, error) {
	scheme, host, found := strings.Cut(s, "://")
	if found && strings.ContainsFunc(host, func(r rune) bool { return r >= 0x80 }) {
		ascii, err := idna.Lookup.ToASCII(strings.TrimSuffix(host, "."))
		if name, port, cut := strings.Cut(host, ":"); cut {
			ascii, err = idna.Lookup.ToASCII(strings.TrimSuffix(name, "."))
			ascii += ":" + port
		}
		if err != nil {
			return abi.Origin{}, err
		}
		s = scheme + "://" + ascii
	}
	return abi.ParseOrigin(s)
}

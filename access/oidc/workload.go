package oidc

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/agora-host/agora/access"
)

const (
	// oldestWorkload is how old a workload's token may be: GitLab makes it when the job begins.
	oldestWorkload = time.Hour
	maxWorkload    = 8 << 10 // bytes of a token
)

// Workloads read the tokens that a CI gives to its jobs, which anybody may send. It asks nobody but the issuers
// that rules name. It is safe for concurrent use.
type Workloads struct{ issuers map[string]*Provider }

// NewWorkloads prepares what reads tokens for rules that were checked. No issuer is asked for anything before a
// token of it comes.
func NewWorkloads(rules []access.WorkloadRule, o Options) *Workloads {
	w := &Workloads{map[string]*Provider{}}
	hosts := map[string][]string{}
	for _, r := range rules {
		u, err := url.Parse(r.Issuer)
		if err != nil {
			continue // Check refuses it
		}
		hosts[r.Issuer] = append(hosts[r.Issuer], append(slices.Clone(r.Hosts), u.Host)...)
	}
	for issuer, all := range hosts {
		w.issuers[issuer] = open(Config{ID: "workloads", Name: "the CI", Issuer: issuer, Hosts: all}, o)
	}
	return w
}

// Issuers are those that rules name, by their addresses.
func (w *Workloads) Issuers() map[string]*Provider { return maps.Clone(w.issuers) }

// Read verifies a token, and returns what it says: of its audience and its claims nothing is judged but that it
// is a token of now. access.ErrExchange, access.ErrProviderDown.
func (w *Workloads) Read(ctx context.Context, raw string) (access.Workload, error) {
	refuse := func(format string, args ...any) (access.Workload, error) {
		return access.Workload{}, fmt.Errorf("%w: %s", access.ErrExchange, fmt.Sprintf(format, args...))
	}
	if len(raw) > maxWorkload {
		return refuse("the token is larger than %d bytes", maxWorkload)
	}
	issuer, err := issuerOf(raw)
	if err != nil {
		return refuse("%s", err)
	}
	p := w.issuers[issuer]
	if p == nil { // and is not asked
		return refuse("no rule is for the issuer %.80q", issuer)
	}
	f, err := p.known(ctx)
	if err != nil {
		return access.Workload{}, err
	}
	t, err := f.workload.Verify(ctx, raw)
	if err != nil {
		if strings.Contains(err.Error(), errThrottled.Error()) {
			return access.Workload{}, fmt.Errorf("%w: %s: %w", access.ErrProviderDown, issuer, errThrottled)
		}
		if err = p.unverified(err); errors.Is(err, access.ErrProviderDown) {
			return access.Workload{}, err
		}
		return refuse("%s", strings.TrimPrefix(err.Error(), access.ErrUntrustedSignIn.Error()+": "))
	}
	c, err := readClaims(t.Claims)
	if err != nil {
		return refuse("its claims cannot be read: %s", clip(err.Error()))
	}
	now := p.now()
	switch {
	case c.has("events"), c.has("nonce"):
		return refuse("the token is about a person's sign-in, and no workload's")
	case t.IssuedAt.IsZero() || t.IssuedAt.After(now.Add(skew)) || now.Sub(t.IssuedAt) > oldestWorkload:
		return refuse("the token is not of now, or is older than %s%s", oldestWorkload, p.clocks())
	case t.Expiry.Sub(t.IssuedAt) > longest:
		return refuse("the token would hold for more than a day")
	case !isID(c.text("jti")):
		return refuse("the token has no jti, by which a second use of it would be known")
	}
	until := t.IssuedAt.Add(oldestWorkload)
	if t.Expiry.Before(until) {
		until = t.Expiry
	}
	return access.Workload{
		Issuer: t.Issuer, Audience: t.Audience, ID: c.text("jti"), Claims: c.folded(),
		Until: until.Add(2 * skew), // of its leeway, and of another node's clock
	}, nil
}

// issuerOf reads which issuer a token says it is of, which is not to be believed.
func issuerOf(raw string) (string, error) {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return "", errors.New("it is no JSON Web Token")
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	var c claims
	if err != nil || json.Unmarshal(body, &c) != nil {
		return "", errors.New("the claims of the token cannot be read")
	}
	return c.text("iss"), nil
}

// folded are the claims that are texts, numbers or flags, as texts. A list or an object is none of them, so that
// it is never what a rule requires.
func (c claims) folded() map[string]string {
	all := map[string]string{}
	for name, raw := range c {
		var number json.Number
		var flag bool
		var text string
		switch {
		case string(raw) == "null":
		case json.Unmarshal(raw, &text) == nil:
			all[name] = text
		case json.Unmarshal(raw, &flag) == nil:
			all[name] = fmt.Sprint(flag)
		case json.Unmarshal(raw, &number) == nil:
			all[name] = number.String()
		}
	}
	return all
}

// TryWorkload reads claims as if an issuer had just signed them, and asks nobody: for operators who want to know
// which rule a job meets.
func TryWorkload(raw []byte) (access.Workload, error) {
	var c claims
	if err := json.Unmarshal(raw, &c); err != nil {
		return access.Workload{}, fmt.Errorf("the claims are no JSON object: %w", err)
	}
	w := access.Workload{Issuer: c.text("iss"), ID: c.text("jti"), Claims: c.folded()}
	if one := c.text("aud"); one != "" {
		w.Audience = []string{one}
	} else {
		_ = json.Unmarshal(c["aud"], &w.Audience) // another type is none
	}
	return w, nil
}

// open prepares a provider whose description was checked.
func open(c Config, o Options) *Provider {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	p := &Provider{c: c, now: o.Now, to: newTransport(c.Hosts, o.Transport)}
	p.open = p.to.client(p.to)
	p.slow = p.to.client(&throttle{next: p.to, every: keysEvery})
	return p
}

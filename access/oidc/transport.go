package oidc

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	within     = 5 * time.Second // for one request to a provider
	maxAnswer  = 1 << 20         // bytes of one response
	keysEvery  = 10 * time.Second
	freshFacts = 5 * time.Minute // then discovery and keys are read again
)

var (
	errForeignHost = errors.New("the address is on a host that is not the provider's: name it under hosts if it is")
	errThrottled   = errors.New("keys were asked for a moment ago")
)

// transport carries all traffic to one provider. It notes what went wrong: go-oidc flattens errors
// to text, and people are to be told whether the provider is down or their token is wrong.
type transport struct {
	hosts []string
	next  http.RoundTripper

	mu     sync.Mutex
	failed error // the last request's; nil if it succeeded
	date   time.Duration
}

func newTransport(hosts []string, next http.RoundTripper) *transport {
	return &transport{hosts: hosts, next: next}
}

// client returns an HTTP client that follows no redirect: a provider's endpoints are where discovery
// says they are.
func (t *transport) client(through http.RoundTripper) *http.Client {
	return &http.Client{Transport: through, Timeout: within, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// RoundTrip sends a request to one of the provider's hosts.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if !slices.Contains(t.hosts, r.URL.Host) {
		return nil, t.note(fmt.Errorf("%s: %w", r.URL.Host, errForeignHost))
	}
	sent := time.Now()
	res, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, t.note(err)
	}
	if at, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		t.mu.Lock()
		t.date = at.Sub(sent)
		t.mu.Unlock()
	}
	res.Body = bounded{io.LimitReader(res.Body, maxAnswer), res.Body}
	if res.StatusCode >= 500 || res.StatusCode/100 == 3 {
		_ = t.note(fmt.Errorf("it responds with status %d", res.StatusCode))
	} else {
		_ = t.note(nil)
	}
	return res, nil
}

func (t *transport) note(err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed = err
	return err
}

// trouble returns why the last request to the provider failed, or nil.
func (t *transport) trouble() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed
}

// ahead returns how far the provider's clock is ahead of this one, as its last response says.
func (t *transport) ahead() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.date
}

type bounded struct {
	io.Reader
	io.Closer
}

// throttle lets one request through in a while: what strangers send must not make the node ask a
// provider as often as they like.
type throttle struct {
	next  http.RoundTripper
	every time.Duration

	mu   sync.Mutex
	last time.Time
}

// RoundTrip sends a request, unless one was sent a moment ago.
func (t *throttle) RoundTrip(r *http.Request) (*http.Response, error) {
	t.mu.Lock()
	now := time.Now()
	if !t.last.IsZero() && now.Sub(t.last) < t.every {
		t.mu.Unlock()
		return nil, errThrottled
	}
	t.last = now
	t.mu.Unlock()
	return t.next.RoundTrip(r)
}

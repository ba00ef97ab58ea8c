package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/access"
)

// bring has a browser come to a login that waits.
func bring(t *testing.T, method, address string, host string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		r.Host = host
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || strings.Contains(string(body), "code-") || resp.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("%s, %v, %v", body, resp.Header, err)
	}
	return resp.StatusCode
}

// TestCallback: what waits for the browser takes one code, of its own login, at its own address; what any other
// program or page of this machine brings changes nothing.
func TestCallback(t *testing.T) {
	b, err := waitForBrowser()
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	if !access.IsLoopback(b.address) {
		t.Errorf("it waits at %s", b.address)
	}
	with := func(values ...string) string {
		q := url.Values{}
		for i := 0; i+1 < len(values); i += 2 {
			q.Add(values[i], values[i+1])
		}
		return b.address + "?" + q.Encode()
	}
	for name, k := range map[string]struct {
		method, address, host string
		want                  int
	}{
		"no state":           {"GET", with("code", "code-evil"), "", 403},
		"another state":      {"GET", with("code", "code-evil", "state", strings.Repeat("0", 32)), "", 403},
		"two states":         {"GET", with("code", "code-evil", "state", b.state, "state", "x"), "", 403},
		"a form":             {"POST", with("code", "code-evil", "state", b.state), "", 404},
		"another path":       {"GET", strings.Replace(with("code", "code-evil", "state", b.state), "/callback", "/", 1), "", 404},
		"a rebound name":     {"GET", with("code", "code-evil", "state", b.state), "evil.example.com", 404},
		"localhost":          {"GET", with("code", "code-evil", "state", b.state), strings.Replace(b.host, "127.0.0.1", "localhost", 1), 404},
		"refused, by no one": {"GET", with("error", "access_denied"), "", 403},
	} {
		if got := bring(t, k.method, k.address, k.host); got != k.want {
			t.Errorf("%s: %d", name, got)
		}
	}
	if got := bring(t, "GET", with("code", "code-1", "state", b.state), ""); got != 200 {
		t.Errorf("the right one: %d", got)
	}
	if got := bring(t, "GET", with("code", "code-2", "state", b.state), ""); got != 409 {
		t.Errorf("a second one: %d", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if code, err := b.wait(ctx); code != "code-1" || err != nil {
		t.Errorf("%q, %v", code, err)
	}
	if got := bring(t, "GET", with("error", "access_denied", "state", b.state), ""); got != 200 {
		t.Errorf("refused: %d", got)
	}
	if _, err := b.wait(ctx); !errors.Is(err, errNotConfirmed) {
		t.Errorf("%v", err)
	}
	cancel()
	if _, err := b.wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

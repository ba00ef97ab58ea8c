//go:build !wasip1

package main

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/sdk/guest"
	"github.com/agora-host/agora/sdk/guest/kv"
	"github.com/agora-host/agora/sdk/guest/secret"
)

func location(r guest.Response) string {
	for _, f := range r.Header {
		if f.Name == "Location" {
			return f.Value
		}
	}
	return ""
}

func TestShortlinks(t *testing.T) {
	kv.Reset()
	secret.Reset()
	secret.Set("passphrase", "open")
	if got := guest.Test(serve, "POST", "/", "url=https://example.com/x&days=30&passphrase=shut"); got.Status != 403 {
		t.Errorf("a wrong passphrase: %d", got.Status)
	}
	got := guest.Test(serve, "POST", "/", "url=https://example.com/x&days=30&passphrase=open")
	code := regexp.MustCompile(`href="/([a-z0-9]{6})"`).FindStringSubmatch(string(got.Body))
	if got.Status != 201 || code == nil {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	for range 3 {
		if got := guest.Test(serve, "GET", "/"+code[1], ""); got.Status != 303 || location(got) != "https://example.com/x" {
			t.Errorf("the link: %d %q", got.Status, location(got))
		}
	}
	if n, _, _ := kv.Get("visits/" + code[1]); string(n) != "3" {
		t.Errorf("%q visits", n)
	}
	kv.Pass(30 * 24 * time.Hour)
	if got := guest.Test(serve, "GET", "/"+code[1], ""); got.Status != 404 {
		t.Errorf("after its time: %d", got.Status)
	}
	for _, bad := range []string{"url=javascript:alert(1)&days=1", "url=//example.com&days=1", "url=https://example.com&days=x", "url=https://example.com&days=-1"} {
		if got := guest.Test(serve, "POST", "/", bad+"&passphrase=open"); got.Status != 422 {
			t.Errorf("%s: %d", bad, got.Status)
		}
	}
	kv.SetQuota(50, 2)
	defer kv.SetQuota(1<<30, 1<<20)
	if got := guest.Test(serve, "POST", "/", "url=https://example.com/"+strings.Repeat("x", 60)+"&days=0&passphrase=open"); got.Status != 507 {
		t.Errorf("no room: %d", got.Status)
	}
}

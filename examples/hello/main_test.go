//go:build !wasip1

package main

import (
	"strings"
	"testing"

	"github.com/agora-host/agora/sdk/guest"
	"github.com/agora-host/agora/sdk/guest/config"
)

func TestHello(t *testing.T) {
	config.Set("greeting", "Welcome")
	for target, want := range map[string]string{"/": "Welcome, world!", "/?name=Ada": "Welcome, Ada!", "/?name=%3Cb%3E": "Welcome, &lt;b&gt;!"} {
		if got := guest.Test(hello, "GET", target, ""); got.Status != 200 || !strings.Contains(string(got.Body), want) {
			t.Errorf("%s: %d %s", target, got.Status, got.Body)
		}
	}
}

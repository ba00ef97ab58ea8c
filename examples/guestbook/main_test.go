//go:build !wasip1

package main

import (
	"strings"
	"testing"

	"github.com/agora-host/agora/sdk/guest"
	"github.com/agora-host/agora/sdk/guest/kv"
)

func TestGuestbook(t *testing.T) {
	kv.Reset()
	if got := guest.Test(serve, "GET", "/", ""); !strings.Contains(string(got.Body), "There are no entries yet") {
		t.Errorf("an empty book: %s", got.Body)
	}
	if got := guest.Test(serve, "POST", "/", "name=Ada&text=%3Cscript%3E"); got.Status != 303 {
		t.Errorf("an entry: %d %s", got.Status, got.Body)
	}
	got := string(guest.Test(serve, "GET", "/", "").Body)
	if !strings.Contains(got, "Ada") || strings.Contains(got, "<script>") {
		t.Errorf("the page: %s", got)
	}
	if got := guest.Test(serve, "POST", "/", "name=Ada"); got.Status != 422 {
		t.Errorf("no text: %d", got.Status)
	}
	if got := guest.Test(serve, "GET", "/x", ""); got.Status != 404 {
		t.Errorf("another page: %d", got.Status)
	}
}

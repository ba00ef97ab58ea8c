package gateway_test

import (
	"net/http/httptest"
	"testing"
	"testing/fstest"

	"github.com/agora-host/agora/abi/static"
	"github.com/agora-host/agora/host/gateway"
)

// TestFallback: what a browser navigates to is a page of its program, whatever the path looks
// like; what a page loads is missing if it is missing.
func TestFallback(t *testing.T) {
	packed, _, err := static.Pack(fstest.MapFS{"index.html": {Data: []byte("page")}, "app.js": {Data: []byte("js")}, ".well-known/x": {Data: []byte("x")}})
	if err != nil {
		t.Fatal(err)
	}
	archive, err := static.Open(packed)
	if err != nil {
		t.Fatal(err)
	}
	s := gateway.Site{Archive: archive, Fallback: "index.html", App: "/api/"}
	const navigation = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
	for _, k := range []struct{ method, path, accept, want string }{
		{"GET", "/users/ada.lovelace", navigation, "index.html"},
		{"GET", "/docs/v1.2", navigation, "index.html"},
		{"HEAD", "/users/ada", navigation, "index.html"},
		{"GET", "/users/ada.lovelace", "TEXT/HTML", "index.html"},
		{"GET", "/users/ada.lovelace", "text/*;q=1, text/html; level=1 ; q=0.3", "index.html"},
		{"GET", "/users/ada", "text/html;q=0, application/json", ""},
		{"GET", "/users/ada", "text/html; q=0.000", ""},
		{"GET", "/users/ada", "text/htmlx", ""},
		{"GET", "/users/ada", "*/*", ""},
		{"GET", "/missing.js", "*/*", ""},
		{"GET", "/missing.css", "text/css,*/*;q=0.1", ""},
		{"GET", "/missing.png", "image/avif,image/webp,*/*;q=0.8", ""},
		{"GET", "/users/ada", "application/json", ""},
		{"POST", "/users/ada", navigation, ""},
		{"GET", "/api/users", navigation, ""},
		{"GET", "/app.js", navigation, "app.js"},
		{"GET", "/.well-known/x", "", ".well-known/x"},
		{"GET", "/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200", navigation, ""},
	} {
		r := httptest.NewRequest(k.method, "http://app.test"+k.path, nil)
		r.Header.Set("Accept", k.accept)
		f, redirect := s.Find(r)
		got := ""
		if f != nil {
			got = f.Name
		}
		if got != k.want || redirect != "" {
			t.Errorf("%s %s, Accept %q: %q %q, want %q", k.method, k.path, k.accept, got, redirect, k.want)
		}
	}
	r := httptest.NewRequest("GET", "http://app.test/users/ada.lovelace", nil)
	r.Header["Accept"] = []string{"application/json", "text/html"}
	if f, _ := s.Find(r); f == nil {
		t.Error("a second Accept header is not read")
	}
}

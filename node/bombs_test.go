package node_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/access"
)

// cookieOf returns the cookie of a guest's session at an app.
func (v *guest) cookieOf(app string) string {
	v.n.t.Helper()
	at, _ := url.Parse(v.n.AppURL(app))
	for _, c := range v.Jar.Cookies(at) {
		if c.Name == "__Host-agora_app" {
			return c.Name + "=" + c.Value
		}
	}
	v.n.t.Fatal("no session")
	return ""
}

// TestTossedCookies: what a sibling sets for the whole domain neither lets anybody in, nor keeps out who is, as
// long as the node reads the request at all; beyond that the refusal says what to do. None of the platform's
// cookies reaches the app, however many there are.
func TestTossedCookies(t *testing.T) {
	n := start(t, audiences)
	n.publish(n.ada(), manifest("shop"), wasmtest.Mirror())
	v := n.guest()
	v.enters(ada, access.RoleDeveloper)
	if s := v.open(n.AppURL("shop")); s.status != 200 {
		t.Fatalf("%+v", s)
	}
	mine := v.cookieOf("shop")
	many := func(name string, times, size int) string {
		var b strings.Builder
		for i := range times {
			fmt.Fprintf(&b, "; %s%d=%s", name, i, strings.Repeat("x", size))
		}
		return b.String()
	}
	for name, c := range map[string]struct {
		cookies string
		want    int
	}{
		"400 of a sibling":           {mine + many("tossed", 400, 10), 200},
		"before it":                  {strings.TrimPrefix(many("tossed", 400, 10), "; ") + "; " + mine, 200},
		"states of sign-ins":         {mine + many("__Host-agora_state_", 300, 43), 200},
		"one of the name":            {mine + "; __Host-agora_app=agora_app_evil", 401},
		"one of the name, before it": {"__Host-agora_app=agora_app_evil; " + mine, 401},
		"fifty kilobytes":            {mine + many("tossed", 5, 10<<10), 431},
		"only theirs":                {strings.TrimPrefix(many("__Host-agora_app", 50, 43), "; "), 401},
	} {
		at, _ := url.Parse(n.AppURL("shop"))
		status, body := n.raw("GET / HTTP/1.1\r\nHost: " + at.Host + "\r\nConnection: close\r\nCookie: " + c.cookies + "\r\n\r\n")
		if status != c.want {
			t.Errorf("%s: %d, want %d: %.300q", name, status, c.want, body)
		}
		if strings.Contains(body, "agora_app") || strings.Contains(body, "agora_state") {
			t.Errorf("%s: the app sees the platform's cookies", name)
		}
	}
}

// TestSplitHeaders: no line break that a visitor can place reaches the head of a response of the node's.
func TestSplitHeaders(t *testing.T) {
	n := start(t, audiences)
	n.publish(n.ada(), manifest("shop", "title = \"Shop\""), wasmtest.App{Frame: abi.AppendResponse(nil, &abi.Response{Status: 200, Header: []abi.Field{
		{Name: "X-One", Value: "a\r\nSet-Cookie: __Host-agora_app=forged"}, {Name: "X-Two\r\nSet-Cookie", Value: "__Host-agora_app=forged"}, {Name: "Location", Value: "/\r\nAgora-Sign-In: https://evil.test"},
	}})}.Bytes())
	v := n.guest()
	v.enters(ada, access.RoleDeveloper)
	_ = v.open(n.AppURL("shop"))
	const split = "%0d%0aSet-Cookie:%20__Host-agora_app=forged%0d%0aX-Split:%201"
	for _, path := range []string{"", "x" + split, "?q=" + split, ".agora/sign-in?to=/" + split, ".agora/sign-in?to=%252f" + split, ".agora/callback?code=" + split + "&state=" + split, ".agora/" + split} {
		for _, one := range []*guest{v, n.guest()} {
			s := one.do("GET", n.AppURL("shop")+path, "")
			if s.header.Get("X-Split") != "" || strings.Contains(strings.Join(s.header["Set-Cookie"], " "), "forged") || s.header.Get("Agora-Sign-In") == "https://evil.test" {
				t.Errorf("%q: %v", path, s.header)
			}
		}
	}
}

// TestServiceWorkers: no script of a service worker is served behind a sign-in, be it a file or the app's own,
// unless the manifest asks for it; and signing out clears what a worker kept.
func TestServiceWorkers(t *testing.T) {
	n := start(t, audiences)
	files := fstest.MapFS{"sw.js": {Data: []byte("self.addEventListener('fetch', e => {})")}, "index.html": {Data: []byte("page")}}
	static := "[static]\ndir = \"static\"\n"
	n.publish(n.ada(), manifest("shop", static), withFiles(t, says("the app"), files))
	n.publish(n.ada(), manifest("work", static+"[access]\nservice_workers = true"), withFiles(t, says("the app"), files))
	v := n.guest()
	v.enters(ada, access.RoleDeveloper)
	for app, want := range map[string]int{"shop": http.StatusForbidden, "work": 200} {
		if s := v.open(n.AppURL(app)); s.status != 200 {
			t.Fatalf("%+v", s)
		}
		for _, path := range []string{"sw.js", "api/sw.js"} {
			for _, header := range [][]string{
				{"Service-Worker", "script", "Sec-Fetch-Dest", "serviceworker", "Sec-Fetch-Mode", "same-origin", "Sec-Fetch-Site", "same-origin"},
				{"Service-Worker", "script"}, {"Sec-Fetch-Dest", "serviceworker", "Sec-Fetch-Site", "same-origin"},
			} {
				if s := v.do("GET", n.AppURL(app)+path, "", header...); s.status != want {
					t.Errorf("%s of %s with %v: %d", path, app, header, s.status)
				}
			}
		}
		if s := v.do("GET", n.AppURL(app)+"sw.js", "", "Sec-Fetch-Dest", "script", "Sec-Fetch-Site", "same-origin"); s.status != 200 {
			t.Errorf("as a script of %s: %d", app, s.status)
		}
		if s := v.do("POST", n.AppURL(app)+".agora/sign-out", ""); !strings.Contains(s.header.Get("Clear-Site-Data"), `"storage"`) {
			t.Errorf("signing out of %s: %+v", app, s)
		}
	}
}

package node_test

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/publicsuffix"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/node"
)

// TestCookiesStayWithTheirApp: what an app tries to set, by every attribute that
// widens a cookie, reaches neither its neighbours, nor the console, nor another
// name of the node in a browser's jar; and under TLS, nothing goes out without.
func TestCookiesStayWithTheirApp(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			n := start(t, func(o *node.Options) {
				o.ConsoleURL, o.AppsDomain = scheme+"://agora.example.com", "apps.example.com"
			})
			set := []string{
				"own=1", "a=1; Domain=apps.example.com", "b=1; domain=.example.com", "c=1;DOMAIN = example.com ;Path=/", "d=1; Path=/; Domain=bad.apps.example.com; HttpOnly",
				"e=1; Domain=agora.example.com", "f=1; Domain=", "__Host-g=1; Path=/; Secure", "h=1; Domain=apps.example.com; Domain=", "i=1; Domain=; Domain=apps.example.com", "j=1; secure",
			}
			var header []abi.Field
			for _, c := range set {
				header = append(header, abi.Field{Name: "Set-Cookie", Value: c})
			}
			n.publish(n.ada(), manifest("bad"), wasmtest.App{Frame: abi.AppendResponse(nil, &abi.Response{Status: 200, Header: header})}.Bytes())
			jar, err := cookiejar.New(&cookiejar.Options{PublicSuffixList: publicsuffix.List})
			if err != nil {
				t.Fatal(err)
			}
			got := n.get("http://bad.apps.example.com/")
			at := func(host string) *url.URL { return &url.URL{Scheme: scheme, Host: host, Path: "/"} }
			jar.SetCookies(at("bad.apps.example.com"), (&http.Response{Header: got.Header}).Cookies())
			names := func(u *url.URL) string {
				var all []string
				for _, c := range jar.Cookies(u) {
					all = append(all, c.Name)
				}
				return fmt.Sprint(all)
			}
			for _, other := range []string{"good.apps.example.com", "apps.example.com", "agora.example.com", "example.com", "r1--bad.apps.example.com", "sub.bad.apps.example.com"} {
				if leaked := names(at(other)); leaked != "[]" {
					t.Errorf("%s gets %s", other, leaked)
				}
			}
			want := map[string]string{"http": "[own f]", "https": "[own f __Host-g j]"}[scheme]
			if kept := names(at("bad.apps.example.com")); kept != want {
				t.Errorf("the app keeps %s, want %s: %q", kept, want, got.Header.Values("Set-Cookie"))
			}
			if scheme == "https" {
				plain := at("bad.apps.example.com")
				if plain.Scheme = "http"; names(plain) != "[]" {
					t.Errorf("without TLS goes %s", names(plain))
				}
				for _, c := range got.Header.Values("Set-Cookie") {
					if strings.Count(strings.ToLower(c), "secure") != 1 {
						t.Errorf("%q", c)
					}
				}
			}
		})
	}
}

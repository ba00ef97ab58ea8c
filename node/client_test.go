package node_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// showsFrame streams the request's frame, after nine bytes.
var showsFrame = streams(wasm.OpLocalGet, 0, wasm.OpLocalGet, 1, wasm.OpI32Const, 0, wasm.OpI32Const, 0, wasm.OpCall, 1, wasm.OpDrop)

// TestAppKnowsItsCaller: an app sees the address and the scheme that the operator's proxies name,
// and nothing that a caller says about itself.
func TestAppKnowsItsCaller(t *testing.T) {
	for name, k := range map[string]struct {
		proxies []string
		console string
		header  []string
		want    string // client and scheme
	}{
		"alone":                     {want: "127.0.0.1 http", header: []string{"X-Forwarded-For", "192.0.2.1", "X-Forwarded-Proto", "https"}},
		"behind TLS, proxy unnamed": {want: "127.0.0.1 https", console: "https://agora.example.com", header: []string{"X-Forwarded-For", "192.0.2.1", "X-Forwarded-Proto", "http"}},
		"behind a proxy":            {want: "192.0.2.1 https", console: "https://agora.example.com", proxies: []string{"127.0.0.0/8"}, header: []string{"X-Forwarded-For", "203.0.113.1, 192.0.2.1"}},
		"by HTTP to a proxy":        {want: "192.0.2.1 http", console: "https://agora.example.com", proxies: []string{"127.0.0.0/8"}, header: []string{"X-Forwarded-For", "192.0.2.1", "X-Forwarded-Proto", "http"}},
		"by TLS to a proxy":         {want: "2001:db8::1 https", proxies: []string{"127.0.0.0/8"}, header: []string{"Forwarded", `for="[2001:db8::1]";proto=https`}},
	} {
		t.Run(name, func(t *testing.T) {
			n := start(t, func(o *node.Options) {
				o.TrustedProxies = k.proxies
				if k.console != "" { // reached by the apps' domain, whatever the console's name is
					o.ConsoleURL, o.AppsDomain = k.console, "apps.example.com"
				}
			})
			p := n.publish(n.ada(), manifest("who"), showsFrame)
			url := "http://" + p.URL[strings.Index(p.URL, "//")+2:]
			shown := func(body string) string {
				t.Helper()
				_, frame, _ := strings.Cut(body, "data: 1\n\n")
				q, err := abi.DecodeRequest([]byte(frame))
				if err != nil {
					t.Fatalf("%.200q: %v", body, err)
				}
				for _, f := range q.Header {
					if f.Value == "admin" {
						t.Errorf("the app sees %v", f)
					}
				}
				return strings.Join([]string{q.Client, q.Scheme, q.Proto}, " ")
			}
			header := append(k.header, "X_Auth_User", "admin")
			if got := shown(n.do("GET", url, "", header...).Body); got != k.want+" HTTP/1.1" {
				t.Errorf("the app sees %q, want %q", got, k.want)
			}
			// What is invoked through the API has headers of the caller's choice.
			r, err := n.ada().Invoke(t.Context(), "who", client.Call{Method: "GET", Path: "/", Header: http.Header{"X-Forwarded-For": {"192.0.2.9"}, "X_Auth_User": {"admin"}}})
			if err != nil {
				t.Fatal(err)
			}
			scheme, _, _ := strings.Cut(p.URL, ":")
			if got := shown(string(r.Body)); got != "127.0.0.1 "+scheme+" HTTP/1.1" {
				t.Errorf("invoked through the API: %q", got)
			}
		})
	}
}

package node_test

import (
	"strings"
	"testing"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/node"
)

func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		name          string
		port          int
		console, apps string
		wantConsole   string
		wantApps      string
		wantErr       string // a part of it
	}{
		{"what is usual", 8080, "", "", "http://localhost:8080", "http://x.localhost:8080/", ""},
		{"the port of http", 80, "", "", "http://localhost", "http://x.localhost/", ""},
		{"the port of https, in http", 443, "", "", "http://localhost:443", "http://x.localhost:443/", ""},
		{"ports that are said twice", 8080, "https://Agora.Example.com.:443/", "Apps.Example.com.:443", "https://agora.example.com", "https://x.apps.example.com/", ""},
		{"another port", 8080, "https://agora.example.com:8443", "apps.example.com:8443", "https://agora.example.com:8443", "https://x.apps.example.com:8443/", ""},
		{"below the console", 8080, "https://agora.example.com", "apps.agora.example.com", "https://agora.example.com", "https://x.apps.agora.example.com/", ""},
		{"an address for the console", 8080, "http://[::1]:8080", "", "http://[::1]:8080", "http://x.localhost:8080/", ""},

		{"a wildcard", 8080, "https://agora.example.com", "*.apps.example.com", "", "", "write apps.example.com"},
		{"a dot", 8080, "https://agora.example.com", ".apps.example.com", "", "", "write apps.example.com"},
		{"the console's", 8080, "https://agora.example.com", "AGORA.example.com.", "", "", "write another domain, such as apps.agora.example.com"},
		{"the console's with another port", 8080, "https://agora.example.com", "agora.example.com:8443", "", "", "is the console's host"},
		{"above the console", 8080, "https://agora.example.com", "example.com", "", "", "write a domain of its own, such as apps.example.com"},
		{"far above", 8080, "https://a.b.agora.example.com", "example.com:443", "", "", "is above the console"},
		{"the console below localhost", 8080, "http://agora.localhost:8080", "", "", "", "is above the console"},
		{"an URL", 8080, "https://agora.example.com", "https://apps.example.com", "", "", "is no host name"},
		{"a path", 8080, "https://agora.example.com", "apps.example.com/x", "", "", "is no host name"},
		{"an address", 8080, "https://agora.example.com", "10.0.0.1", "", "", "is an address"},
		{"an address in brackets", 8080, "https://agora.example.com", "[::1]:80", "", "", "is an address"},
		{"no port", 8080, "https://agora.example.com", "apps.example.com:x", "", "", "is no host name"},
		{"an international name", 8080, "https://agora.example.com", "äpps.example.com", "", "", "is no host name"},
		{"too long for names below it", 8080, "https://agora.example.com", strings.Repeat("a.", 100) + "com", "", "", "is no host name"},
		{"a wildcard within", 8080, "https://agora.example.com", "apps.*.com", "", "", "is no host name"},
		{"a console with a user", 8080, "https://ops@agora.example.com", "apps.example.com", "", "", "console URL"},
	} {
		console, apps, err := node.AddressesOf(node.Options{ConsoleURL: c.console, AppsDomain: c.apps}, c.port)
		if c.wantErr != "" {
			if err == nil || !strings.Contains(err.Error(), c.wantErr) {
				t.Errorf("%s: %v, want %q", c.name, err, c.wantErr)
			}
		} else if err != nil || console != c.wantConsole || apps != c.wantApps {
			t.Errorf("%s: %q %q %v, want %q %q", c.name, console, apps, err, c.wantConsole, c.wantApps)
		}
	}
}

// TestOneAuthority: console, apps, previews and host names of operators are found by every
// spelling of their authority, and by nothing else.
func TestOneAuthority(t *testing.T) {
	for scheme, port := range map[string]string{"http": "80", "https": "443"} {
		other := map[string]string{"80": "443", "443": "80"}[port]
		n := start(t, func(o *node.Options) {
			o.ConsoleURL, o.AppsDomain = scheme+"://agora.example.com:"+port, "apps.example.com"
		})
		n.publish(n.ada(), manifest("hello"), says("hi"))
		if _, err := n.ops().CreateDomain(t.Context(), "Own.Example.org:"+port, "hello"); err != nil {
			t.Fatal(err)
		}
		for name, body := range map[string]string{
			"agora.example.com": "ok\n", "hello.apps.example.com": "hi", "sandbox--hello.apps.example.com": "hi", "r1--hello.apps.example.com": "hi", "own.example.org": "hi",
		} {
			for _, spelling := range []string{name, name + ":" + port, name + ":", name + ".:" + port, name + ".", strings.ToUpper(name) + ":0" + port} {
				if got := n.hostHeader(spelling); got.Status != 200 || got.Body != body {
					t.Errorf("%s, Host: %s: %d %s", scheme, spelling, got.Status, got.Body)
				}
			}
			for _, spelling := range []string{name + ":" + other, name + ":8080", name + "..", "x" + name, name + ":" + port + "0"} {
				if got := n.hostHeader(spelling); got.Status == 200 {
					t.Errorf("%s, Host: %s: %d %s", scheme, spelling, got.Status, got.Body)
				}
			}
		}
		if hosts, err := n.ops().Domains(t.Context()); err != nil || len(hosts) != 1 || hosts[0].Host != "own.example.org" {
			t.Errorf("%+v, %v", hosts, err)
		}
		if err := n.as(ops, access.RoleOperator).DeleteDomain(t.Context(), "OWN.example.org.:"+port); err != nil {
			t.Error(err)
		}
	}
}

// hostHeader asks for the health of the console, or an app's page of that name.
func (n *testNode) hostHeader(host string) answer {
	n.t.Helper()
	return n.do("GET", "http://"+n.Addr().String()+"/healthz", "", "Host", host)
}

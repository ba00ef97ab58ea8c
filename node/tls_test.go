package node_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/internal/certificates/certtest"
	"github.com/agora-host/agora/internal/siege"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// secured is a node that speaks TLS, for agora.test and the apps below apps.test.
type secured struct {
	*testNode
	ca    *certtest.Authority
	files certtest.Files
}

func startTLS(t testing.TB, change ...func(*node.Options)) *secured {
	t.Helper()
	ca := certtest.New(t)
	s := &secured{ca: ca, files: ca.Write(-time.Hour, 90*24*time.Hour, "agora.test", "*.apps.test", "localhost", "127.0.0.1")}
	s.testNode = start(t, append([]func(*node.Options){func(o *node.Options) {
		o.TLSCert, o.TLSKey = []string{s.files.Cert}, []string{s.files.Key}
		o.ConsoleURL, o.AppsDomain = "https://agora.test", "apps.test"
	}}, change...)...)
	return s
}

// client returns a client that trusts the node's authority, finds all names at the node, and comes
// from an address.
func (s *secured) client(from string) *http.Client {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	transport := &http.Transport{
		TLSClientConfig: s.ca.Trust(), ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp", s.Addr().String())
		},
	}
	s.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Timeout: 20 * time.Second, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// asTLS is as, over TLS.
func (s *secured) asTLS(user string, roles ...access.Role) *client.Client {
	s.t.Helper()
	c, err := client.New(s.ConsoleURL(), s.token(user, roles...))
	if err != nil {
		s.t.Fatal(err)
	}
	return c.Over(s.client("127.0.0.1").Transport)
}

func (s *secured) fetch(c *http.Client, url string, header ...string) (*http.Response, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	resp, err := c.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Error(err)
	}
	return resp, string(b)
}

// TestNodeSpeaksTLS: console, API and apps are served over TLS by both versions of HTTP, with
// secure cookies and a policy that keeps browsers to TLS, and what a caller says of itself counts
// for nothing.
func TestNodeSpeaksTLS(t *testing.T) {
	s := startTLS(t)
	p := s.publish(s.asTLS(ada, access.RoleDeveloper), manifest("who"), showsFrame)
	if p.URL != "https://who.apps.test/" {
		t.Errorf("the app is at %s", p.URL)
	}
	cookie := wasmtest.App{Frame: abi.AppendResponse(nil, &abi.Response{Status: 200, Header: []abi.Field{{Name: "Set-Cookie", Value: "own=1"}, {Name: "Strict-Transport-Security", Value: "max-age=0"}}})}
	s.publish(s.asTLS(ada, access.RoleDeveloper), manifest("cookie"), cookie.Bytes())
	for _, version := range []string{"HTTP/1.1", "HTTP/2.0"} {
		c := s.client("127.0.0.3")
		c.Transport.(*http.Transport).ForceAttemptHTTP2 = version == "HTTP/2.0"
		resp, body := s.fetch(c, p.URL, "X-Forwarded-For", "192.0.2.1", "X-Forwarded-Proto", "http", "X-Forwarded-Host", "other.apps.test", "Forwarded", "for=192.0.2.2;proto=http")
		_, frame, _ := strings.Cut(body, "data: 1\n\n")
		q, err := abi.DecodeRequest([]byte(frame))
		if err != nil {
			t.Fatalf("%.100q: %v", body, err)
		}
		if got := fmt.Sprint(q.Client, q.Scheme, q.Host, q.Proto, resp.Proto); got != fmt.Sprint("127.0.0.3", "https", "who.apps.test", version, version) {
			t.Errorf("the app sees %s", got)
		}
		resp, _ = s.fetch(c, "https://cookie.apps.test/")
		if got := resp.Header.Get("Set-Cookie"); got != "own=1; Secure" {
			t.Errorf("a cookie: %q", got)
		}
		if got := resp.Header.Get("Strict-Transport-Security"); got != "max-age=2592000" {
			t.Errorf("HSTS: %q", resp.Header["Strict-Transport-Security"])
		}
		for _, at := range []string{"https://agora.test/problems/", "https://" + s.Addr().String() + "/healthz"} {
			resp, _ = s.fetch(c, at)
			local := strings.Contains(at, "127.0.0.1")
			if got := resp.Header.Get("Strict-Transport-Security"); resp.StatusCode != 200 || (got == "") != local {
				t.Errorf("%s: %d, HSTS %q", at, resp.StatusCode, got)
			}
		}
	}
}

// TestCertificateIsReplaced: a certificate whose files change is replaced under load, without a
// request that fails, while one that is broken is not, and is said where operators look.
func TestCertificateIsReplaced(t *testing.T) {
	s := startTLS(t)
	s.publish(s.asTLS(ada, access.RoleDeveloper), manifest("up"), says("up"))
	var failed, served atomic.Int64
	var load sync.WaitGroup
	stop := make(chan struct{})
	for i := range 4 {
		c := s.client("127.0.0.1")
		c.Transport.(*http.Transport).DisableKeepAlives = i > 0 // one keeps its connection
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				resp, err := c.Get("https://up.apps.test/")
				if err != nil || resp.StatusCode != 200 {
					failed.Add(1)
					t.Log(err)
				}
				if err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
				served.Add(1)
			}
		})
	}
	line := func(name string) (detail string, ok bool) {
		checks, err := s.asTLS(ops, access.RoleOperator).Doctor(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range checks {
			if strings.HasPrefix(c.Name, name) {
				return c.Detail, c.OK
			}
		}
		t.Fatalf("no line %s", name)
		return "", false
	}
	serial := func() string {
		conn, err := tls.Dial("tcp", s.Addr().String(), &tls.Config{InsecureSkipVerify: true, ServerName: "agora.test"})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	names := []string{"agora.test", "*.apps.test"}
	cert, key := s.ca.Issue(-time.Hour, 80*24*time.Hour, names...)
	_, otherKey := s.ca.Issue(-time.Hour, time.Hour, names...)
	old, oldKey := s.ca.Issue(-2*time.Hour, -time.Hour, names...)
	first := serial()
	for what, broken := range map[string][2][]byte{
		"another's key": {cert, otherKey}, "nothing": {{}, {}}, "half": {cert[:len(cert)/2], key}, "expired": {old, oldKey},
	} {
		s.files.Set(broken[0], broken[1])
		s.ReloadTLS()
		s.ReloadTLS()
		if serial() != first {
			t.Errorf("%s replaced the certificate", what)
		}
		if detail, ok := line("TLS certificate"); ok || !strings.Contains(detail, "not replaced") {
			t.Errorf("%s: the doctor says %q", what, detail)
		}
		if page := s.metricsOver(); !strings.Contains(page, `agora_certificate_trouble{name="agora.test"`) || !strings.Contains(page, "cert.pem\"} 1\n") {
			t.Errorf("%s: metrics do not say it", what)
		}
	}
	s.files.Set(cert, key)
	s.ReloadTLS()
	if serial() == first {
		t.Error("the certificate was not replaced")
	}
	if detail, ok := line("TLS certificate"); !ok || !strings.Contains(detail, "in 79 days") {
		t.Errorf("the doctor says %q", detail)
	}
	if detail, ok := line("TLS handshakes"); !ok || !strings.Contains(detail, "since the start") {
		t.Errorf("the doctor says %q", detail)
	}
	soon, soonKey := s.ca.Issue(-80*24*time.Hour, 10*24*time.Hour, "agora.test")
	s.files.Set(soon, soonKey)
	close(stop)
	load.Wait()
	if failed.Load() > 0 || served.Load() < 20 {
		t.Errorf("%d of %d requests failed", failed.Load(), served.Load())
	}
	s.ReloadTLS()
	if detail, ok := line("TLS certificate"); ok || !strings.Contains(detail, "in 9 days") {
		t.Errorf("one that expires soon: the doctor says %q", detail)
	}
	if detail, ok := line("TLS names"); ok || !strings.Contains(detail, "*.apps.test") {
		t.Errorf("a name without a certificate: the doctor says %q", detail)
	}
}

// metricsOver is what a scrape gets.
func (s *secured) metricsOver() string {
	s.t.Helper()
	token, err := s.TokenOf(s.t.Context(), ops, "metrics", time.Hour, access.Reach{Scopes: []access.Scope{access.ScopeMetricsRead}})
	if err != nil {
		s.t.Fatal(err)
	}
	_, page := s.fetch(s.client("127.0.0.1"), "https://agora.test/metrics", "Authorization", "Bearer "+token)
	return page
}

// TestTLSOptions: what does not fit together keeps a node from starting, and says what to do. A
// certificate that has expired does not: the node serves with it, and says so.
func TestTLSOptions(t *testing.T) {
	ca := certtest.New(t)
	good, other, none := ca.Write(-time.Hour, time.Hour, "a.test"), ca.Write(-time.Hour, time.Hour, "a.test"), ca.Write(-time.Hour, time.Hour)
	early, old := ca.Write(time.Hour, 2*time.Hour, "a.test"), ca.Write(-2*time.Hour, -time.Hour, "a.test")
	with := func(f certtest.Files) func(*node.Options) {
		return func(o *node.Options) { o.TLSCert, o.TLSKey = []string{f.Cert}, []string{f.Key} }
	}
	for name, k := range map[string]struct {
		change func(*node.Options)
		want   string // "": it starts
	}{
		"a pair":              {with(good), ""},
		"expired":             {with(old), ""},
		"no pair":             {with(certtest.Files{Cert: good.Cert, Key: other.Key}), "are no pair"},
		"swapped":             {with(certtest.Files{Cert: good.Key, Key: good.Cert}), "are no pair"},
		"no file":             {with(certtest.Files{Cert: good.Cert + "x", Key: good.Key}), "no such file"},
		"a directory":         {with(certtest.Files{Cert: "/", Key: good.Key}), "is no file"},
		"too early":           {with(early), "in the future"},
		"no name":             {with(none), "names no host"},
		"a key is missing":    {func(o *node.Options) { o.TLSCert = []string{good.Cert} }, "one --tls-key for each"},
		"http console":        {func(o *node.Options) { with(good)(o); o.ConsoleURL = "http://a.test" }, "begins with https"},
		"redirect alone":      {func(o *node.Options) { o.ListenHTTP = "127.0.0.1:0" }, "does not speak"},
		"HSTS alone":          {func(o *node.Options) { o.HSTS = "max-age=1" }, "speaks TLS itself"},
		"HSTS wrong":          {func(o *node.Options) { with(good)(o); o.HSTS = "max-age=1\r\nX: y" }, "max-age=SECONDS"},
		"email alone":         {func(o *node.Options) { o.ACMEEmail = "a@b.test" }, "--acme-directory"},
		"directory alone":     {func(o *node.Options) { o.ACMEDirectory = "https://ca.test/dir" }, "--console-url"},
		"directory by http":   {func(o *node.Options) { o.ACMEDirectory, o.ConsoleURL = "http://ca.test/dir", "https://a.test" }, "no https URL"},
		"protocol of nobody":  {func(o *node.Options) { o.ProxyProtocol = true }, "--trusted-proxy"},
		"redirect is no host": {func(o *node.Options) { with(good)(o); o.ListenHTTP = "256.0.0.1:0" }, "cannot listen on 256.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			o := node.Options{DataDir: t.TempDir(), Listen: "127.0.0.1:0", Worker: []string{"false"}}
			k.change(&o)
			n, err := node.New(t.Context(), o)
			if err == nil {
				_ = n.Stop(t.Context())
			}
			if (err == nil) != (k.want == "") || err != nil && !strings.Contains(err.Error(), k.want) {
				t.Errorf("%v, want %q", err, k.want)
			}
		})
	}
}

// TestRedirectToHTTPS: who comes by HTTP is sent to the same place by HTTPS, with method, path and
// query, and nowhere else.
func TestRedirectToHTTPS(t *testing.T) {
	nodes := map[string]*secured{} // by its console
	for _, k := range []struct{ console, apps, host, target, want string }{
		{"https://agora.test", "apps.test", "agora.test", "/apps?x=1&y=%2F", "https://agora.test/apps?x=1&y=%2F"},
		{"https://agora.test", "apps.test", "Agora.Test.:80", "/", "https://agora.test/"},
		{"https://agora.test:8443", "apps.test:9443", "agora.test:8080", "/a%2Fb", "https://agora.test:8443/a%2Fb"},
		{"https://agora.test:8443", "apps.test:9443", "shop.apps.test", "//evil.test/x", "https://shop.apps.test:9443//evil.test/x"},
		{"https://agora.test", "apps.test", "r3--shop.apps.test", "/", "https://r3--shop.apps.test/"},
		{"https://agora.test", "apps.test", "own.example", "/x", "https://own.example/x"},
		{"https://agora.test", "apps.test", "evil.test", "/", ""},
		{"https://agora.test", "apps.test", "agora.test.evil.test", "/", ""},
		{"https://agora.test", "apps.test", "evilapps.test", "/", ""},
		{"https://agora.test", "apps.test", "", "/", ""},
	} {
		if nodes[k.console] == nil {
			s := startTLS(t, func(o *node.Options) { o.ConsoleURL, o.AppsDomain, o.ListenHTTP = k.console, k.apps, "127.0.0.1:0" })
			s.publish(s.asTLS(ada, access.RoleDeveloper), manifest("own"), says("x"))
			if _, err := s.asTLS(ops, access.RoleOperator).CreateDomain(t.Context(), "own.example", "own"); err != nil {
				t.Fatal(err)
			}
			nodes[k.console] = s
		}
		s := nodes[k.console]
		t.Run(k.host, func(t *testing.T) {
			for _, method := range []string{"GET", "POST"} {
				conn, err := net.Dial("tcp", s.RedirectAddr().String())
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 0\r\n\r\n", method, k.target, k.host)
				_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
				b, _ := io.ReadAll(conn)
				conn.Close()
				got := string(b)
				location := ""
				for line := range strings.SplitSeq(got, "\r\n") {
					if v, ok := strings.CutPrefix(line, "Location: "); ok {
						location = v
					}
				}
				if location != k.want || (k.want != "") != strings.HasPrefix(got, "HTTP/1.1 308 ") || !strings.Contains(got, "Connection: close") || strings.Contains(got, "Strict-Transport") || strings.Contains(got, "Set-Cookie") {
					t.Errorf("%s: %.300q, want %q", method, got, k.want)
				}
			}
		})
	}
}

// TestForwardedHost: a proxy that puts its own name into Host says which one its client asked for.
// That counts from the named proxies, and only where Host leads nowhere else.
func TestForwardedHost(t *testing.T) {
	behind := map[string]*testNode{} // by its proxies
	nodeOf := func(proxies []string) *testNode {
		name := fmt.Sprint(proxies)
		if behind[name] == nil {
			n := start(t, func(o *node.Options) {
				o.TrustedProxies, o.ConsoleURL, o.AppsDomain = proxies, "https://agora.example.com", "apps.example.com"
			})
			n.publish(n.ada(), manifest("shop"), says("shop"))
			if _, err := n.ops().CreateDomain(t.Context(), "own.example", "shop"); err != nil {
				t.Fatal(err)
			}
			behind[name] = n
		}
		return behind[name]
	}
	for _, k := range []struct {
		proxies []string
		host    string // "": the node's address
		header  []string
		want    string // what is served; "console" or an app
	}{
		{[]string{"127.0.0.0/8"}, "upstream.internal:8080", []string{"X-Forwarded-Host", "shop.apps.example.com"}, "shop"},
		{[]string{"127.0.0.0/8"}, "", []string{"X-Forwarded-Host", "shop.apps.example.com"}, "shop"},
		{[]string{"127.0.0.0/8"}, "", []string{"Forwarded", "for=192.0.2.1;host=shop.apps.example.com"}, "shop"},
		{[]string{"127.0.0.0/8"}, "upstream", []string{"X-Forwarded-Host", "agora.example.com"}, "console"},
		{[]string{"127.0.0.0/8"}, "upstream", []string{"X-Forwarded-Host", "shop.apps.example.com, agora.example.com"}, "console"},
		{[]string{"127.0.0.0/8"}, "upstream", []string{"X-Forwarded-Host", "evil.test"}, ""},
		{[]string{"127.0.0.0/8"}, "upstream", []string{"X-Forwarded-Host", "shop.apps.example.com/../x"}, ""},
		{[]string{"127.0.0.0/8"}, "shop.apps.example.com", []string{"X-Forwarded-Host", "agora.example.com"}, "shop"},
		{[]string{"127.0.0.0/8"}, "agora.example.com", []string{"X-Forwarded-Host", "shop.apps.example.com"}, "console"},
		{[]string{"127.0.0.0/8"}, "own.example", []string{"X-Forwarded-Host", "agora.example.com"}, "shop"},
		{[]string{"192.0.2.0/24"}, "upstream", []string{"X-Forwarded-Host", "shop.apps.example.com"}, ""},
		{nil, "", []string{"X-Forwarded-Host", "shop.apps.example.com"}, "console"},
		{nil, "upstream", []string{"Forwarded", "host=shop.apps.example.com"}, ""},
	} {
		header := k.header
		if k.host != "" {
			header = append(header, "Host", k.host)
		}
		n := nodeOf(k.proxies)
		got := n.do("GET", "http://"+n.Addr().String()+"/healthz", "", header...)
		served := map[string]string{"shop": "shop", "ok\n": "console"}[got.Body]
		if served != k.want || (k.want == "") != (got.Status == 404) {
			t.Errorf("%q from %v: %d %.80q, want %q", header, k.proxies, got.Status, got.Body, k.want)
		}
	}
}

// TestSiegeOverHTTP2: attackers that do not finish what they send by HTTP/2, or do not read what
// they asked for, hold no more than their budget, and an app serves others meanwhile.
func TestSiegeOverHTTP2(t *testing.T) {
	s := startTLS(t, func(o *node.Options) {
		o.Connections, o.ConnectionsPerAddress, o.BodyMemory, o.ResponseMemory, o.LeastRate = 128, 64, 8<<20, 8<<20, 64<<10
		node.SetGrace(o, 600*time.Millisecond)
	})
	c := s.asTLS(ada, access.RoleDeveloper)
	s.publish(c, manifest("big", "[limits]\nconcurrency = 32\nresponse_body = \"2MiB\"\nrequest_body = \"4MiB\"\n"), large)
	s.publish(c, manifest("other"), says("out"))
	target := siege.Target{Addr: s.Addr().String(), Host: "big.apps.test", TLS: &tls.Config{InsecureSkipVerify: true, ServerName: "big.apps.test", NextProtos: []string{"h2"}}}
	others := func() {
		t.Helper()
		if resp, body := s.fetch(s.client("127.0.0.2"), "https://other.apps.test/"); resp.StatusCode != 200 || body != "out" {
			t.Errorf("another app: %d %q", resp.StatusCode, body)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	unread := target.UnreadStreams(ctx, 2, 24, 16<<10)
	until(t, "some are held", func() bool { return s.Budget("responses").Used > 2<<20 })
	others()
	until(t, "readers that do not read have left", func() bool { return s.Budget("responses").Used == 0 })
	if got := s.Budget("responses"); got.Most > got.Limit/2 {
		t.Errorf("%+v", got)
	}
	unfinished := target.UnfinishedStreams(ctx, 2, 24, 100<<10, 2000)
	until(t, "bodies are held", func() bool { return s.Budget("request-bodies").Used > 0 })
	others()
	until(t, "bodies that do not come have left", func() bool {
		return s.Budget("request-bodies").Used == 0 && unfinished.Statuses()[408]+unfinished.Statuses()[503] == 48
	})
	target.Path = "/"
	floods := []*siege.Attack{target.TakenBack(ctx, 2, 1<<20), target.Chatter(ctx, 2, "ping"), target.EndlessHeaders(ctx, 2, 1<<16)}
	others()
	for _, a := range floods {
		a.Wait()
	}
	stop()
	unread.Wait()
	unfinished.Wait()
	others()
	until(t, "all is given back", func() bool { return s.Budget("connections").Used <= 8 })
}

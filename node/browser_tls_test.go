package node_test

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/node"
)

// TestBrowserOverTLS: a browser that comes by HTTP ends up at HTTPS and is kept there; it keeps the
// console's session and an app's cookie under names that no other host can set, and gives neither
// to the other, nor to whoever listens without TLS.
func TestBrowserOverTLS(t *testing.T) {
	s := startTLS(t, func(o *node.Options) { o.ListenHTTP = "127.0.0.1:0" })
	link, err := s.Welcome(t.Context(), ada, access.Roles()...)
	if err != nil {
		t.Fatal(err)
	}
	page := []byte("<!doctype html><title>app</title><p id=app>app")
	s.publish(s.asTLS(ada, access.RoleDeveloper), manifest("shop"), wasmtest.App{Frame: abi.AppendResponse(nil, &abi.Response{Status: 200, Body: page, Header: []abi.Field{
		{Name: "Content-Type", Value: "text/html"}, {Name: "Set-Cookie", Value: "__Host-own=1; Path=/; Secure"}, {Name: "Set-Cookie", Value: "wide=1; Domain=apps.test"},
	}})}.Bytes())
	b, err := os.ReadFile(s.files.Cert)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(b)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	spki := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	var rules []string
	for _, host := range []string{"agora.test", "shop.apps.test"} {
		rules = append(rules, fmt.Sprintf("MAP %s:443 %s", host, s.Addr()), fmt.Sprintf("MAP %s:80 %s", host, s.RedirectAddr()))
	}
	ctx := browser(t,
		chromedp.Flag("host-resolver-rules", strings.Join(rules, ",")),
		chromedp.Flag("ignore-certificate-errors-spki-list", base64.StdEncoding.EncodeToString(spki[:])))
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	step := steps(t, ctx)
	read := func(what string) string {
		t.Helper()
		got, err := chromedp.Run(ctx, chromedp.Evaluate[string](what))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	plain := strings.Replace(link, "https://", "http://", 1)
	step("tls-sign-in", chromedp.Navigate(plain), chromedp.WaitVisible(chromedp.Search(`//button[text()="Sign in"]`)))
	if at := read("location.href"); at != link {
		t.Errorf("by HTTP the browser came to %s", at)
	}
	step("tls-console", chromedp.Click(chromedp.Search(`//button[text()="Sign in"]`)), chromedp.WaitVisible(chromedp.Search(`//h1[text()="Apps"]`)))
	step("tls-settings", chromedp.Navigate("http://agora.test/settings"), chromedp.WaitVisible(chromedp.Search(`//h2[text()="TLS"]`)))
	if at := read("location.href + ' ' + performance.getEntriesByType('navigation')[0].nextHopProtocol"); at != "https://agora.test/settings h2" {
		t.Errorf("the settings are at %s", at)
	}
	step("tls-app", chromedp.Navigate("http://shop.apps.test/"), chromedp.WaitVisible(chromedp.CSS("#app")))
	if got := read("location.href + ' ' + document.cookie"); got != "https://shop.apps.test/ __Host-own=1" {
		t.Errorf("the app has %s", got)
	}
	kept, err := chromedp.Call(ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{
		"https://agora.test/", "http://agora.test/", "https://shop.apps.test/", "http://shop.apps.test/", "https://other.apps.test/", "https://apps.test/",
	}})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, c := range kept.Cookies {
		found[c.Name] = c.Domain
		if !c.Secure || !strings.HasPrefix(c.Name, "__Host-") {
			t.Errorf("a cookie that goes without TLS, or that another host can set: %+v", c)
		}
	}
	if found["__Host-own"] != "shop.apps.test" || found["__Host-agora_session"] != "agora.test" || len(found) != 2 {
		t.Errorf("cookies: %v", found)
	}
}

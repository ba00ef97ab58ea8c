package node_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/agora-host/agora/access"
)

// TestNotFoundNamesItsList: whatever is not found, the remedy is the list of its kind, on the
// command line and in the console, and not the catalogue of apps.
func TestNotFoundNamesItsList(t *testing.T) {
	n := start(t)
	n.publish(n.ada(), manifest("shop"), says("ok"))
	all := access.Roles()
	token, session := "Bearer "+n.token("all@example.com", all...), n.session("all@example.com", all...)
	ada := "Bearer " + n.token(ada, access.RoleDeveloper)
	for _, k := range []struct {
		method, path, body string
		slug, list         string
	}{
		{"GET", "/apps/none", "", "no-such-app", "agora apps list"},
		{"GET", "/apps/none/logs", "", "no-such-app", "agora apps list"},
		{"GET", "/apps/shop/releases/9", "", "no-such-release", "agora releases list <app>"},
		{"GET", "/requests/req-99", "", "no-such-request", "agora requests list"},
		{"POST", "/grants/grant-99/revoke", `{"reason":"x"}`, "no-such-grant", "agora grants list"},
		{"POST", "/users/none@example.com/invite", "", "no-such-user", "agora users list"},
		{"DELETE", "/tokens/none", "", "no-such-token", "agora tokens list"},
		{"DELETE", "/trust/keys/none", "", "no-such-key", "agora keys list"},
		{"DELETE", "/domains/none.example.com", "", "no-such-domain", "agora domains list"},
		{"DELETE", "/apps/shop/secrets/none", "", "no-such-secret", "agora secrets list <app>"},
		{"POST", "/apps/shop/triggers/run", `{"name":"none"}`, "no-such-trigger", "agora triggers list <app>"},
		{"DELETE", "/apps/shop/dead-letters/99", "", "no-such-dead-letter", "agora dead-letters list <app>"},
		{"GET", "/calls/000000000000000000000000", "", "no-such-call", "agora logs <app>"},
		{"GET", "/quotas?group=none", "", "no-such-group", "agora groups list"},
		{"PUT", "/quotas/none", `{"limit": 1, "reason": "x"}`, "no-such-quota", "agora quotas list"},
		{"DELETE", "/quotas/apps", "", "no-such-quota", "agora quotas list"},
		{"GET", "/quotas?app=none", "", "no-such-app", "agora apps list"},
	} {
		who := token
		if k.slug == "no-such-secret" || k.slug == "no-such-trigger" || k.slug == "no-such-dead-letter" {
			who = ada
		}
		got := n.do(k.method, n.ConsoleURL()+"/api/v1"+k.path, k.body, "Authorization", who, "Content-Type", "application/json")
		if got.Status != http.StatusNotFound || got.Problem.Type != "/problems/"+k.slug || !slices.Contains(got.Problem.Remedy.Commands, k.list) {
			t.Errorf("%s %s: %d %+v", k.method, k.path, got.Status, got.Problem)
		}
	}
	for path, list := range map[string]string{"/apps/none": "agora apps list", "/apps/shop/releases/9": "agora releases list", "/calls/000000000000000000000000": "agora logs"} {
		if got := n.do("GET", n.ConsoleURL()+path, "", "Cookie", session); got.Status != http.StatusNotFound || !strings.Contains(got.Body, list) {
			t.Errorf("%s: %d\n%s", path, got.Status, got.Body)
		}
	}
}

// TestNoticeIsSaidOnce: what an act did is said by the page after it, and neither by reloading it
// nor to whoever is sent its address.
func TestNoticeIsSaidOnce(t *testing.T) {
	n := start(t)
	session := n.session(ada, access.RoleDeveloper)
	const notice = `role="status">Saved.`
	led := n.do("GET", n.ConsoleURL()+"/settings?done=saved", "", "Cookie", session, "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate")
	if led.Status != http.StatusSeeOther || led.Header.Get("Location") != "/settings" {
		t.Fatalf("%d %v", led.Status, led.Header)
	}
	cookie, _, _ := strings.Cut(led.Header.Get("Set-Cookie"), ";")
	first := n.do("GET", n.ConsoleURL()+"/settings", "", "Cookie", session+"; "+cookie)
	if !strings.Contains(first.Body, notice) || !strings.Contains(first.Header.Get("Set-Cookie"), "agora_done=;") {
		t.Errorf("the page does not say it, or keeps it: %v", first.Header)
	}
	if again := n.do("GET", n.ConsoleURL()+"/settings", "", "Cookie", session); strings.Contains(again.Body, notice) {
		t.Error("it is said again")
	}
	for _, site := range []string{"none", "cross-site"} { // typed, and followed
		sent := n.do("GET", n.ConsoleURL()+"/settings?done=saved", "", "Cookie", session, "Sec-Fetch-Site", site, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")
		if sent.Status != http.StatusSeeOther || sent.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %v", site, sent.Status, sent.Header)
		}
	}
}

// TestNumbersOnPages: charts have axes with units and times their zone, what was not used has no
// row, and capabilities read as English.
func TestNumbersOnPages(t *testing.T) {
	n := start(t)
	n.publish(n.ada(), manifest("shop", kvAsk), keeps(17))
	n.publish(n.ada(), manifest("plain"), says("ok"))
	n.get(n.AppURL("plain"))
	session := n.session(ada, access.RoleDeveloper)
	page := n.do("GET", n.ConsoleURL()+"/usage?by=team", "", "Cookie", session).Body
	for _, want := range []string{"<span>1 call</span>", "<span>0</span>", "<span>UTC</span>", "<time datetime=", `/static/times.js`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
	if strings.Contains(page, "1 calls") || strings.Contains(page, "(none)") {
		t.Errorf("%s", page)
	}
	if page := n.do("GET", n.ConsoleURL()+"/apps/shop/releases/1", "", "Cookie", session).Body; !strings.Contains(page, "It may not keep data of its own") {
		t.Errorf("%s", page)
	}
}

package node_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/node"
)

// TestLifeInConsole: the app's page offers what a person may do and no more, deletes only what was
// named, and says where the app stands; a certificate can be looked at and saved.
func TestLifeInConsole(t *testing.T) {
	ctx := t.Context()
	n := start(t, func(o *node.Options) { o.DeleteAfter = -1 })
	n.publish(n.ada(), manifest("shop"), says("one"))
	cookies := map[string]string{
		ada: n.session(ada, access.RoleDeveloper), rex: n.session(rex, access.RoleReviewer), ops: n.session(ops, access.RoleOperator),
		"eve": n.session("eve@example.com", access.RoleViewer), bob: n.session(bob, access.RoleDeveloper),
	}
	page := func(who, path string) string {
		t.Helper()
		got := n.do("GET", n.ConsoleURL()+path, "", "Cookie", cookies[who])
		if got.Status != 200 {
			t.Fatalf("%s for %s: %d %s", path, who, got.Status, got.Body)
		}
		return got.Body
	}
	send := func(who, path string, form url.Values) answer {
		t.Helper()
		return n.do("POST", n.ConsoleURL()+path, form.Encode(), "Cookie", cookies[who], "Content-Type", "application/x-www-form-urlencoded")
	}
	offered := func(body string) (acts []string) {
		for _, act := range []string{"suspend", "resume", "transfer", "delete", "undelete", "offer", "title"} {
			if strings.Contains(body, `action="/apps/shop/`+act+`"`) {
				acts = append(acts, act)
			}
		}
		return acts
	}
	for who, want := range map[string]string{ada: "suspend transfer delete title", ops: "suspend transfer delete title", rex: "suspend", "eve": "", bob: ""} {
		if got := strings.Join(offered(page(who, "/apps/shop")), " "); got != want {
			t.Errorf("%s is offered %q, want %q", who, got, want)
		}
	}
	if got := send(ada, "/apps/shop/delete", url.Values{"name": {"shop "}}); got.Status != http.StatusBadRequest {
		t.Errorf("another name: %d", got.Status)
	}
	if got := send(rex, "/apps/shop/suspend", url.Values{"reason": {"<b>it leaks</b>"}}); got.Status != http.StatusSeeOther {
		t.Fatalf("suspend: %+v", got)
	}
	body := page(ada, "/apps/shop")
	if !strings.Contains(body, "suspended by "+rex) || !strings.Contains(body, "&lt;b&gt;it leaks") || strings.Contains(body, ">Open app<") {
		t.Errorf("suspended: %s", body)
	}
	if got := strings.Join(offered(body), " "); got != "transfer delete title" {
		t.Errorf("the owner of an app that a reviewer suspended is offered %q", got)
	}
	if got := send(ada, "/apps/shop/resume", nil); got.Status != http.StatusForbidden {
		t.Errorf("resumed by its owner: %d", got.Status)
	}
	if !strings.Contains(page("eve", "/"), ">suspended<") {
		t.Error("the catalogue does not say it")
	}
	if got := send(ada, "/apps/shop/delete", url.Values{"name": {"shop"}}); got.Status != http.StatusSeeOther {
		t.Fatalf("delete: %+v", got)
	}
	eventually(t, "it is removed", func() bool { return must(n.ada().App(ctx, "shop"))(t).State == "removed" })
	body = page(ada, "/apps/shop")
	if !strings.Contains(body, "/certificates/cert-1") || len(offered(body)) > 0 {
		t.Errorf("removed: %s", body)
	}
	if !strings.Contains(page(ada, "/certificates?app=shop"), "cert-1") || strings.Contains(page("eve", "/certificates"), "cert-1") {
		t.Error("certificates are not listed to those, and only to those, who may see them")
	}
	if body := page(ops, "/certificates/cert-1"); !strings.Contains(body, "What was removed") || !strings.Contains(body, ">release<") {
		t.Errorf("certificate: %s", body)
	}
	for _, part := range []string{"document", "signature"} {
		got := n.do("GET", n.ConsoleURL()+"/certificates/cert-1/"+part, "", "Cookie", cookies[ada])
		if got.Status != 200 || !strings.HasPrefix(got.Header.Get("Content-Disposition"), "attachment") || !strings.HasPrefix(got.Body, "{") {
			t.Errorf("%s: %+v", part, got)
		}
		if got := n.do("GET", n.ConsoleURL()+"/certificates/cert-1/"+part, "", "Cookie", cookies["eve"]); got.Status != http.StatusForbidden {
			t.Errorf("%s for a stranger: %d", part, got.Status)
		}
	}
}

package node_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/abi/source"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/web/console"
)

// readers are who looks at a node, in the order of the columns of TestWhoReads.
var readers = []struct {
	name  string
	roles []access.Role
}{
	{"nobody@example.com", nil}, {"viewer@example.com", []access.Role{access.RoleViewer}}, {"maker@example.com", []access.Role{access.RoleDeveloper}},
	{ada, []access.Role{access.RoleDeveloper}}, {rex, []access.Role{access.RoleReviewer}}, {ops, []access.Role{access.RoleOperator}},
	{"money@example.com", []access.Role{access.RoleFinance}}, {"audit@example.com", []access.Role{access.RoleAuditor}},
}

// TestWhoReads: every read of the API and every page of the console is for whom this table names,
// and for no other. shop is ada's and serves; draft is ada's and does not.
func TestWhoReads(t *testing.T) {
	n := start(t)
	n.publish(n.ada(), manifest("shop"), says("shop"))
	n.publish(n.ada(), manifest("draft", kvAsk), keeps(17))
	n.publish(n.ada(), manifest("scripted"), carries(t, says("scripted"), source.Origin{Engine: "another", Version: "another", Entry: "app.ts"}))
	n.get(n.AppURL("shop"))
	n.removed()
	failed, grant := n.failed(), n.ticking()
	noticed := n.isTold(ada, "request.approved").ID
	n.provider("entra")
	n.machine(n.ada(), "ci", "developer")
	if _, err := n.ops().CreateGroup(t.Context(), "sales"); err != nil {
		t.Fatal(err)
	}
	const (
		all     = "+ + + + + + + +" // everyone who is signed in
		members = "- + + + + + + +" // everyone with a role
		inside  = "- - - + + + - +" // the owner, reviewers, auditors and operators
		usage   = "- + - + + + + +"
		makers  = "- - + + - + - -"
		watch   = "- - - - - + - +" // auditors and operators
		ops     = "- - - - - + - -"
		of      = "- - - + - + - +" // ada, and who watches
		public  = "public"
	)
	api := map[string]string{
		"/openapi.json": public, "/schemas/manifest.json": public, "/trust/root": public,
		"/info": all, "/types/agora.d.ts": all, "/whoami": all, "/apps": all, "/apps/shop": all, "/apps/draft": members, "/usage": all, "/usage?app=shop": usage, "/usage/samples": all, "/quotas": all, "/quotas?user=" + ada: "- - - + - + + +", "/quotas?group=sales": watch, "/quotas/settings": watch, "/tokens": all, "/sessions": all, "/users/" + ada + "/sessions": "- - - + - + - -",
		"/apps/shop/releases": members, "/apps/shop/releases/1": members, "/apps/shop/activations": members, "/apps/shop/triggers": members, "/events": members,
		"/requests": members, "/requests/req-1": members, "/requests/req-1/away": members, "/grants": members, "/policy": members, "/policy/tiers": members, "/domains": members, "/trust/keys": members,
		"/calls/" + failed: inside, "/apps/shop/logs": inside, "/apps/shop/dead-letters": inside, "/apps/shop/secrets": inside, "/apps/scripted/releases/1/source": inside, "/apps/shop/releases/1/briefing": inside,
		"/provisioning": ops, "/provisioning/entra": ops, "/provisioning/entra/tokens": ops,
		"/apps/shop/audiences": inside, "/apps/shop/audiences/pilot": inside, "/apps/shop/access-requests": inside,
		"/certificates": members, "/certificates/cert-1": inside, "/trust/keys/challenge": makers, "/users": watch, "/sign-in/links": ops, "/users/" + ada: watch, "/users/" + ada + "/accounts": of,
		"/delegations": members, "/delegations?person=" + ada: of, "/notices": all, "/notices/" + noticed: "- - - + - - - -", "/notice-settings": all, "/service-accounts": all, "/service-accounts/ci": of, "/service-accounts/ci/tokens": of, "/workloads": watch, "/apps/shop/workloads": of, "/groups": members, "/groups/sales": members, "/groups/sales/people": watch, "/access/why?act=operate": all, "/access/why?act=operate&person=" + ada: of,
		"/grants/" + grant: members, "/apps/ticking/triggers/cron/tick": members, "/doctor": ops, "/backup": ops,
	}
	pages := map[string]string{
		"/sign-in": public, "/signed-out": public, "/": all, "/apps/shop": all, "/apps/draft": members, "/usage": all, "/usage?app=shop": usage, "/usage.csv?app=shop": usage, "/agora.d.ts": all, "/settings": all, "/quotas": all, "/sign-out": all, "/inbox": all, "/service-accounts": all, "/service-accounts/ci": of, "/device": all, "/again": all, "/login?" + newProgram().ask.Encode(): all,
		"/apps/shop/releases/1": members, "/apps/scripted/releases/1/source": inside, "/upload": "- - + + - - - -", "/provisioning": ops, "/provisioning/entra": ops, "/requests": members, "/grants": members, "/policy": members, "/activity": members, "/access": all, "/groups": members, "/groups/sales": members, "/certificates": members, "/certificates/cert-1": inside, "/calls": all, "/calls/" + failed: inside,
	}
	n.tabled(t, api, "/api/v1", n.reads())
	n.tabled(t, pages, "", console.Pages())
	for i, who := range readers {
		secret, err := n.TokenOf(t.Context(), who.name, "test", time.Hour, access.Reach{Scopes: []access.Scope{access.ScopeAll, access.ScopeBackupRead}}, who.roles...)
		if err != nil {
			t.Fatal(err)
		}
		token, cookie := "Bearer "+secret, n.session(who.name, who.roles...)
		for path, may := range api {
			allowed(t, who.name, path, may, i, n.do("GET", n.ConsoleURL()+"/api/v1"+path, "", "Authorization", token).Status)
		}
		for path, may := range pages {
			allowed(t, who.name, path, may, i, n.do("GET", n.ConsoleURL()+path, "", "Cookie", cookie).Status)
		}
	}
}

// removed makes a certificate of a release of ada's, cert-1.
func (n *testNode) removed() {
	n.t.Helper()
	n.publish(n.ada(), manifest("old"), says("first"))
	n.publish(n.ada(), manifest("old"), says("second"))
	if err := n.ada().DeleteRelease(n.t.Context(), "old", 1); err != nil {
		n.t.Fatal(err)
	}
}

// failed makes a call of an app of ada's fail, and returns its id.
func (n *testNode) failed() string {
	n.t.Helper()
	return n.get(n.publish(n.ada(), manifest("trap"), wasmtest.App{Code: []byte{0x00}}.Bytes()).URL).Header.Get("Agora-Invocation")
}

// ticking makes an app of ada's that has a trigger and a grant, and returns the grant's id.
func (n *testNode) ticking() string {
	n.t.Helper()
	n.approveAll(n.publish(n.ada(), manifest("ticking", kvAsk, "[[triggers.cron]]\nname = \"tick\"\nschedule = \"0 0 1 1 *\"\npath = \"/tick\""), keeps(17)))
	grants, err := n.ada().Grants(n.t.Context(), "ticking")
	if err != nil || len(grants) != 1 {
		n.t.Fatalf("%d grants, %v", len(grants), err)
	}
	return grants[0].ID
}

// tabled fails for each route that no row of a table is about.
func (n *testNode) tabled(t *testing.T, table map[string]string, prefix string, routes []string) {
	t.Helper()
	mux := http.NewServeMux()
	for _, route := range routes {
		mux.Handle(prefix+route, http.NotFoundHandler())
	}
	seen := map[string]bool{}
	for path := range table {
		r, err := http.NewRequest("GET", prefix+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, pattern := mux.Handler(r)
		seen[pattern] = true
	}
	for _, route := range routes {
		if !seen[prefix+route] {
			t.Errorf("nothing says who reads %s%s", prefix, route)
		}
	}
}

// reads are the paths of all reads of the API.
func (n *testNode) reads() (all []string) {
	var doc struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal([]byte(n.get(n.ConsoleURL()+"/api/v1/openapi.json").Body), &doc); err != nil {
		n.t.Fatal(err)
	}
	for path, operations := range doc.Paths {
		if operations["get"] != nil {
			all = append(all, strings.TrimPrefix(path, "/api/v1"))
		}
	}
	return all
}

func allowed(t *testing.T, who, path, may string, column, status int) {
	t.Helper()
	want := may == "public" || may[2*column] == '+'
	if refused := status == 403 || status == 404; want == refused || (want && status >= 400) {
		t.Errorf("%s at %s: %d", who, path, status)
	}
}

// TestPublicFace: everyone without a role is shown of an app what they may call, and of usage what
// is in their own name; in sum no more than in parts.
func TestPublicFace(t *testing.T) {
	n := start(t)
	n.publish(n.ada(), manifest("shop", `title = "The shop"`), says("shop"))
	n.publish(n.ada(), manifest("draft", kvAsk), keeps(17))
	n.publish(n.as("maker@example.com", access.RoleDeveloper), []byte(strings.ReplaceAll(string(manifest("other")), ada, "maker@example.com")), says("other"))
	for _, app := range []string{"shop", "shop", "other"} {
		n.get(n.AppURL(app))
	}
	eve := n.as("nobody@example.com")
	apps, err := eve.Apps(t.Context())
	if err != nil || len(apps) != 2 {
		t.Fatalf("%+v, %v", apps, err)
	}
	if a := apps[1]; a.Title != "The shop" || a.URL == "" || a.CostCenter != "" || a.Classification != "" || a.Waiting != 0 || a.Releases != 0 || len(a.Active) != 0 {
		t.Errorf("%+v", a)
	}
	for name, calls := range map[string]uint64{"nobody@example.com": 0, ada: 2, "maker@example.com": 1, "viewer@example.com": 3, rex: 3, ops: 3} {
		for _, who := range readers {
			if who.name != name {
				continue
			}
			ctx := access.WithActor(t.Context(), access.Actor{User: who.name, Roles: who.roles})
			report, err := n.Usage(ctx, metering.Query{By: []string{"app"}, Over: "hour"})
			if err != nil || report.Total.Calls != calls {
				t.Errorf("%s: %d calls, %v", name, report.Total.Calls, err)
			}
		}
	}
	if page := n.do("GET", n.ConsoleURL()+"/apps/shop", "", "Cookie", n.session("nobody@example.com")).Body; strings.Contains(page, "CC-1") || strings.Contains(page, "Releases") || !strings.Contains(page, "Open app") {
		t.Errorf("the app's page: %s", page)
	}
}

// TestBadge counts what the reader may decide: not what is theirs, nor what others decide.
func TestBadge(t *testing.T) {
	n := start(t)
	both := n.as(ada, access.RoleDeveloper, access.RoleReviewer)
	n.publish(both, manifest("mine", kvAsk), keeps(17))
	n.publish(n.as("maker@example.com", access.RoleDeveloper), []byte(strings.ReplaceAll(string(manifest("other", kvAsk)), ada, "maker@example.com")), keeps(18))
	for who, want := range map[string]int{ada: 1, rex: 2, "maker@example.com": 0, ops: 0, "nobody@example.com": 0} {
		roles := map[string][]access.Role{ada: {access.RoleDeveloper, access.RoleReviewer}, rex: {access.RoleReviewer}, "maker@example.com": {access.RoleDeveloper}, ops: {access.RoleOperator}}[who]
		if got := n.Info(access.WithActor(t.Context(), access.Actor{User: who, Roles: roles})).Waiting; got != want {
			t.Errorf("%s is told of %d, want %d", who, got, want)
		}
		page := n.do("GET", n.ConsoleURL()+"/", "", "Cookie", n.session(who, roles...)).Body
		if shown := strings.Contains(page, fmt.Sprintf(`class="badge" title="your turn">%d<`, want)); shown != (want > 0) {
			t.Errorf("%s: the badge of %d", who, want)
		}
	}
}

// TestFindApps: the same search in API, command line's client and console, by title, page by page,
// and at once aware of what changed.
func TestFindApps(t *testing.T) {
	n := start(t)
	dev := n.ada()
	n.publish(dev, manifest("zz", `title = "Äpfel"`), says("zz"))
	n.publish(dev, manifest("aa", `title = "Zebras"`, `description = "Counts stripes"`), says("aa"))
	n.publish(dev, manifest("mm", kvAsk), keeps(17))
	cookie := n.session(ada, access.RoleDeveloper)
	found := func(query string) (names string) {
		t.Helper()
		for cursor, pages := "", 0; ; pages++ {
			page := decoded[control.Items[control.App]](t, n.do("GET", n.ConsoleURL()+"/api/v1/apps?limit=1&cursor="+cursor+query, "", "Authorization", "Bearer "+n.token(ada, access.RoleDeveloper)))
			for _, a := range page.Items {
				names += a.Name + " "
			}
			if cursor = page.Next; cursor == "" || pages > 9 {
				return strings.TrimSpace(names)
			}
		}
	}
	for query, want := range map[string]string{
		"": "zz mm aa", "&q=APFEL": "zz", "&q=stripes+sales": "aa", "&q=stripes+hr": "", "&tier=sandbox": "zz aa", "&capability=kv": "mm", "&team=Sales&q=kv": "mm", "&owner=" + rex: "",
	} {
		if got := found(query); got != want {
			t.Errorf("%q finds %q, want %q", query, got, want)
		}
		page := n.do("GET", n.ConsoleURL()+"/?"+strings.TrimPrefix(query, "&"), "", "Cookie", cookie).Body
		at := -1
		for _, name := range strings.Fields(want) {
			next := strings.Index(page, `<h2><a href="/apps/`+name+`"`)
			if next <= at {
				t.Errorf("the page of %q has not %s after the one before", query, name)
			}
			at = next
		}
		if c := strings.Count(page, `<li class="card">`); c != len(strings.Fields(want)) {
			t.Errorf("the page of %q has %d apps", query, c)
		}
	}
	n.publish(dev, manifest("aa", `title = "Birnen"`), says("changed"))
	if got := found(""); got != "zz aa mm" {
		t.Errorf("after a change: %q", got)
	}
}

// BenchmarkApps measures pages of the catalogue, in the API and in the console, and a search, with
// 10,000 apps.
func BenchmarkApps(b *testing.B) {
	n := start(b)
	if err := n.FillApps(b.Context(), 10_000); err != nil {
		b.Fatal(err)
	}
	ctx := access.WithActor(b.Context(), access.Actor{User: "vic@example.com", Roles: []access.Role{access.RoleViewer}})
	cookie := n.session("vic@example.com", access.RoleViewer)
	for name, search := range map[string]registry.Search{"all": {}, "words": {Text: "sales 77"}, "none": {Text: "sales nowhere"}} {
		b.Run(name, func(b *testing.B) {
			cursor := ""
			for b.Loop() {
				page, err := n.Apps(ctx, search, control.Page{Limit: 60, Cursor: cursor})
				if err != nil {
					b.Fatal(err)
				}
				cursor = page.Next
			}
		})
	}
	b.Run("page", func(b *testing.B) {
		for b.Loop() {
			if got := n.do("GET", n.ConsoleURL()+"/?q=sales", "", "Cookie", cookie); got.Status != 200 {
				b.Fatal(got.Status)
			}
		}
	})
}

package node_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/sdk/client"
)

// filled is a node with an app of n releases, requests, grants and activations.
func filled(t testing.TB, n int) *testNode {
	t.Helper()
	node := start(t)
	node.publish(node.ada(), manifest("shop"), says("one"))
	if err := node.Fill(t.Context(), "shop", n); err != nil {
		t.Fatal(err)
	}
	return node
}

// walk reads a list page by page through the API.
func walk[T any](n *testNode, token, path, query string, limit int) (all []T, pages int) {
	n.t.Helper()
	for cursor := ""; ; pages++ {
		got := n.do("GET", n.ConsoleURL()+"/api/v1"+path+"?"+query+"&limit="+fmt.Sprint(limit)+"&cursor="+url.QueryEscape(cursor), "", "Authorization", "Bearer "+token)
		part := decoded[listOf[T]](n.t, got)
		together := path == "/events" // what one change did stays on one page
		if (len(part.Items) > limit && !together) || (len(part.Items) < limit && part.Next != "") {
			n.t.Fatalf("%s: a page of %d items, with limit %d and next %q", path, len(part.Items), limit, part.Next)
		}
		if all = append(all, part.Items...); part.Next == "" {
			return all, pages + 1
		}
		cursor = part.Next
	}
}

// TestPages walks lists of 2,500 items: each item is there once, in order, whatever the size of
// the pages, and without the others.
func TestPages(t *testing.T) {
	const many = 2500
	n := filled(t, many)
	token := n.token("vic@example.com", access.RoleViewer)
	numbers := func(all []client.Release) (got []int) {
		for _, r := range all {
			got = append(got, r.Number)
		}
		return got
	}
	want := make([]int, many)
	for i := range want {
		want[i] = many - i
	}
	for _, limit := range []int{1000, 333} {
		if all, pages := walk[client.Release](n, token, "/apps/shop/releases", "", limit); !slices.Equal(numbers(all), want) || pages != (many+limit-1)/limit {
			t.Errorf("%d releases on %d pages of %d", len(all), pages, limit)
		}
	}
	open, _ := walk[client.Request](n, token, "/requests", "status=open", 1000)
	if len(open) != many/2-1 || slices.ContainsFunc(open, func(q client.Request) bool { return q.Status != "open" }) {
		t.Errorf("%d open requests", len(open))
	}
	for query, count := range map[string]int{"": many - 1, "app=shop": many - 1, "app=shop&status=rejected": many / 2, "app=sho": 0, "app=shop&status=approved": 0} {
		if all, _ := walk[client.Request](n, token, "/requests", query, 1000); len(all) != count || !slices.IsSortedFunc(all, func(a, b client.Request) int { return b.Release - a.Release }) {
			t.Errorf("requests with %q: %d, want %d", query, len(all), count)
		}
	}
	if all, _ := walk[client.Grant](n, token, "/grants", "app=shop", 1000); len(all) != many-1 {
		t.Errorf("%d grants", len(all))
	}
	if all, _ := walk[client.Activation](n, token, "/apps/shop/activations", "", 1000); len(all) != many || all[0].Release != many {
		t.Errorf("%d activations", len(all))
	}
	oldest, _ := walk[abi.Event](n, token, "/events", "", 7*100)
	newest, _ := walk[abi.Event](n, token, "/events", "order=newest", 1000)
	slices.Reverse(newest)
	if len(oldest) < many || !slices.EqualFunc(oldest, newest, func(a, b abi.Event) bool { return a.Rev == b.Rev && a.Seq == b.Seq }) {
		t.Errorf("%d events from the oldest, %d from the newest", len(oldest), len(newest))
	}
	some, err := n.ada().First(1500).Releases(t.Context(), "shop")
	if err != nil || len(some) != 1500 {
		t.Errorf("the first 1,500 are %d, %v", len(some), err)
	}
}

// TestCursors: a cursor leads nowhere but into its list, and a page is as long as it may be.
func TestCursors(t *testing.T) {
	n := filled(t, 5)
	n.publish(n.ada(), manifest("shop-2"), says("two"))
	token := n.token(ada)
	get := func(path string) answer {
		return n.do("GET", n.ConsoleURL()+"/api/v1"+path, "", "Authorization", "Bearer "+token)
	}
	for _, bad := range []string{"/apps?cursor=%21", "/apps?limit=0", "/apps?limit=1001", "/requests?cursor=a", "/events?order=random"} {
		if got := get(bad); got.Status != 400 {
			t.Errorf("%s: %d", bad, got.Status)
		}
	}
	// The end of every key, before the beginning of any, and places that are none.
	for _, cursor := range []string{"_____________w", "AA", "c2hvcC0yAAAAAAAAAAAB"} {
		for _, path := range []string{"/apps/shop/releases", "/apps/shop/activations", "/requests", "/grants", "/tokens", "/events", "/users", "/domains", "/trust/keys"} {
			// A place among events is a revision: what is none is refused.
			if got := get(path + "?cursor=" + cursor); got.Status != 200 && got.Status != 403 && !(path == "/events" && got.Status == 400) {
				t.Errorf("%s at %s: %d", path, cursor, got.Status)
			} else if strings.Contains(got.Body, `"shop-2"`) && !strings.HasPrefix(path, "/events") {
				t.Errorf("%s at %s shows another app's", path, cursor)
			}
		}
	}
}

// leaving is a context whose caller leaves when it was looked at so often.
type leaving struct {
	context.Context
	looks atomic.Int64
}

func (l *leaving) Err() error {
	if l.looks.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

// TestCallersWhoLeave: what reads many records looks at its caller while it reads, and stops.
func TestCallersWhoLeave(t *testing.T) {
	n := filled(t, 600)
	page := control.Page{Limit: 500}
	for name, read := range map[string]func(context.Context) error{
		"releases": func(ctx context.Context) error { _, err := n.Releases(ctx, "shop", page); return err },
		"requests": func(ctx context.Context) error {
			_, err := n.Requests(ctx, control.RequestFilter{Status: approvals.StatusRejected}, control.Page{Limit: 200})
			return err
		},
		"events": func(ctx context.Context) error { _, err := n.Events(ctx, control.EventFilter{}, page); return err },
		"a search": func(ctx context.Context) error {
			_, err := n.Grants(ctx, control.GrantFilter{App: "shop"}, page)
			return err
		},
		"doctor": func(ctx context.Context) error { _, err := n.Doctor(ctx); return err },
	} {
		ctx := &leaving{Context: access.WithActor(t.Context(), access.Actor{User: ops, Roles: access.Roles()})}
		ctx.looks.Store(1 << 40)
		if err := read(ctx); err != nil {
			t.Fatal(name, err)
		}
		looks := 1<<40 - ctx.looks.Load()
		if looks < 100 {
			t.Errorf("%s: the caller was looked at %d times", name, looks)
		}
		ctx.looks.Store(looks / 2)
		if err := read(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		if after := -ctx.looks.Load(); after > 40 {
			t.Errorf("%s: went on for %d records", name, after)
		}
	}
}

// TestRollBackReadsLittle: what a rollback leads to is found, however long the history is.
func TestRollBackReadsLittle(t *testing.T) {
	n := filled(t, 50)
	app, err := n.ada().App(t.Context(), "shop")
	if err != nil || app.Previous[abi.TierSandbox] != 49 || app.Waiting != 24 {
		t.Errorf("%+v, %v", app, err)
	}
	var none registry.Activation
	if a, err := n.ada().RollBack(t.Context(), "shop", "", "wrong"); err != nil || a.Release != 49 || a.App == none.App {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestConsolePages: each list of the console leads on, and back.
func TestConsolePages(t *testing.T) {
	n := filled(t, 250)
	cookie := n.session(ada, access.Roles()...)
	for _, k := range []struct{ path, list string }{{"/apps/shop", "releases"}, {"/apps/shop", "history"}, {"/requests", "requests"}, {"/grants", "grants"}, {"/activity", "events"}} {
		got := n.do("GET", n.ConsoleURL()+k.path, "", "Cookie", cookie)
		_, rest, found := strings.Cut(got.Body, `href="`+k.path+"?"+k.list+"=")
		next, _, _ := strings.Cut(rest, `#`)
		if got.Status != 200 || !found {
			t.Errorf("%s: %d, and no further page of %s", k.path, got.Status, k.list)
			continue
		}
		second := n.do("GET", n.ConsoleURL()+k.path+"?"+k.list+"="+next, "", "Cookie", cookie)
		if second.Status != 200 || !strings.Contains(second.Body, "First page") || second.Body == got.Body {
			t.Errorf("the second page of %s: %d", k.list, second.Status)
		}
	}
}

// BenchmarkLists measures pages of 1,000 at the beginning, in the middle and at the end of
// lists of 10,000, and how long a list goes on after its caller left.
func BenchmarkLists(b *testing.B) {
	const many = 10_000
	n := filled(b, many)
	ctx := access.WithActor(b.Context(), access.Actor{User: "vic@example.com", Roles: []access.Role{access.RoleViewer}})
	lists := map[string]func(context.Context, control.Page) (string, error){
		"releases": func(ctx context.Context, p control.Page) (string, error) {
			got, err := n.Releases(ctx, "shop", p)
			return got.Next, err
		},
		"requests": func(ctx context.Context, p control.Page) (string, error) {
			got, err := n.Requests(ctx, control.RequestFilter{}, p)
			return got.Next, err
		},
		"open-requests": func(ctx context.Context, p control.Page) (string, error) {
			got, err := n.Requests(ctx, control.RequestFilter{Status: approvals.StatusOpen}, p)
			return got.Next, err
		},
		"events": func(ctx context.Context, p control.Page) (string, error) {
			got, err := n.Events(ctx, control.EventFilter{Newest: true}, p)
			return got.Next, err
		},
		"app": func(ctx context.Context, _ control.Page) (string, error) {
			_, err := n.App(ctx, "shop")
			return "", err
		},
	}
	for name, read := range lists {
		for _, limit := range []int{100, 1000} {
			b.Run(fmt.Sprintf("%s/%d", name, limit), func(b *testing.B) {
				var worst time.Duration
				cursor := ""
				for b.Loop() {
					began := time.Now()
					next, err := read(ctx, control.Page{Cursor: cursor, Limit: limit})
					if err != nil {
						b.Fatal(err)
					}
					worst, cursor = max(worst, time.Since(began)), next
				}
				b.ReportMetric(float64(worst.Microseconds())/1000, "worst-ms")
			})
		}
		b.Run(name+"/cancelled", func(b *testing.B) {
			for b.Loop() {
				ctx, cancel := context.WithCancel(ctx)
				left := make(chan time.Time, 1)
				time.AfterFunc(200*time.Microsecond, func() { left <- time.Now(); cancel() })
				_, _ = read(ctx, control.Page{Limit: 1000})
				b.ReportMetric(float64(time.Since(<-left).Microseconds())/1000, "after-ms")
			}
		})
	}
}

// TestFilters: each list that may be long gives what its filters say, and nothing else.
func TestFilters(t *testing.T) {
	n := start(t)
	n.publish(n.ada(), manifest("shop"), says("one"))
	n.publish(n.ada(), manifest("desk", "description = \"What is on the desk.\"\n[capabilities.kv]"), wasmtest.App{KV: true}.Bytes())
	if _, err := n.ada().Suspend(t.Context(), "shop", "a pause"); err != nil {
		t.Fatal(err)
	}
	asked, err := n.ada().Promote(t.Context(), "desk", 1, abi.TierPilot, "why not")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.rex().Decide(t.Context(), asked.ID, true, "fine"); err != nil {
		t.Fatal(err)
	}
	c := n.ops()
	count := func(what string, got int, err error, want int) {
		t.Helper()
		if err != nil || got != want {
			t.Errorf("%s: %d, want %d, %v", what, got, want, err)
		}
	}
	apps, err := c.FindApps(t.Context(), client.AppSearch{State: "suspended"})
	count("suspended apps", len(apps), err, 1)
	apps, err = c.FindApps(t.Context(), client.AppSearch{State: "active"})
	count("active apps", len(apps), err, 1)
	all, err := c.Requests(t.Context(), "", "")
	requests, err2 := c.FindRequests(t.Context(), client.RequestFilter{By: ada})
	count("requests of hers", len(requests), errors.Join(err, err2), len(all))
	requests, err = c.FindRequests(t.Context(), client.RequestFilter{By: ops})
	count("requests of nobody's", len(requests), err, 0)
	users, err := c.FindUsers(t.Context(), client.UserFilter{Role: "reviewer"})
	count("reviewers", len(users), err, 1)
	users, err = c.FindUsers(t.Context(), client.UserFilter{Name: "ADA@"})
	count("users by name", len(users), err, 1)
	grants, err := c.FindGrants(t.Context(), client.GrantFilter{App: "desk", Live: true})
	if err != nil || len(grants) == 0 {
		t.Fatalf("%+v, %v", grants, err)
	}
	held := len(grants)
	if _, err := n.rex().RevokeGrant(t.Context(), grants[0].ID, "a trial"); err != nil {
		t.Fatal(err)
	}
	grants, err = c.FindGrants(t.Context(), client.GrantFilter{Live: true})
	count("live grants", len(grants), err, held-1)
	grants, err = c.FindGrants(t.Context(), client.GrantFilter{Capability: "fetch"})
	count("grants of fetch", len(grants), err, 0)
	events, err := c.FindEvents(t.Context(), client.EventFilter{App: "shop", Kinds: []string{"app.suspended"}})
	count("suspensions", len(events), err, 1)
	events, err = c.FindEvents(t.Context(), client.EventFilter{Actor: "rex@example.com"})
	if err != nil || len(events) == 0 || slices.ContainsFunc(events, func(e abi.Event) bool { return e.Actor != "rex@example.com" }) {
		t.Errorf("what rex did: %+v, %v", events, err)
	}
	events, err = c.FindEvents(t.Context(), client.EventFilter{To: time.Now().Add(-time.Hour)})
	count("earlier changes", len(events), err, 0)
}

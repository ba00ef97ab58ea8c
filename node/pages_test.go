package node_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/registry"
)

type counted struct{}

// TestAPageIsOneState: all of the state that a page shows is read in one View, so that no change comes
// between its parts.
func TestAPageIsOneState(t *testing.T) {
	var seen *atomic.Int64
	n := start(t, func(o *node.Options) { seen = o.CountViews(counted{}) })
	n.decide(n.publish(n.ada(), manifest("shop", "[capabilities.kv]\nquota = \"1MiB\"", "[[triggers.cron]]\nname = \"tick\"\nschedule = \"@hourly\"\npath = \"/tick\""), says("one")))
	if _, err := n.SetSecret(actorOf(t.Context(), ada, access.RoleDeveloper), "shop", "stripe", []byte("a long value")); err != nil {
		t.Fatal(err)
	}
	all := control.Page{Limit: 100}
	for name, read := range map[string]func(ctx context.Context) error{
		"app": func(ctx context.Context) error {
			p, err := n.AppPage(ctx, "shop", control.AppParts{Releases: all, Secrets: all, History: all, Letters: all, Logs: 10})
			if err == nil && (len(p.Releases.Items) != 1 || p.Current == nil || p.Secrets == nil || len(p.Secrets.Items) != 1 || len(p.Triggers) != 1 || len(p.History.Items) != 1 || p.Usage == nil || len(p.Acts) < 10 || p.LogsFor != "") {
				err = fmt.Errorf("parts are missing: %+v", p)
			}
			return err
		},
		"release": func(ctx context.Context) error {
			p, err := n.ReleasePage(ctx, "shop", 1)
			if err == nil && p.Release.Number != 1 {
				err = fmt.Errorf("%+v", p)
			}
			return err
		},
		"apps":     func(ctx context.Context) error { _, err := n.Apps(ctx, registry.Search{}, all); return err },
		"releases": func(ctx context.Context) error { _, err := n.Releases(ctx, "shop", all); return err },
		"triggers": func(ctx context.Context) error { _, err := n.Triggers(ctx, "shop", all); return err },
		"hosts":    func(ctx context.Context) error { _, err := n.HostNames(ctx, all); return err },
		"requests": func(ctx context.Context) error {
			_, err := n.Requests(ctx, control.RequestFilter{Status: approvals.StatusApproved}, all)
			return err
		},
		"grants": func(ctx context.Context) error { _, err := n.Grants(ctx, control.GrantFilter{}, all); return err },
	} {
		seen.Store(0)
		err := read(context.WithValue(actorOf(t.Context(), ada, access.RoleDeveloper), counted{}, true))
		if got := seen.Load(); err != nil || got != 1 {
			t.Errorf("%s: %d states were read, %v", name, got, err)
		}
	}
}

// TestPagesLeaveOut: a page has no part that its reader could not read alone.
func TestPagesLeaveOut(t *testing.T) {
	n := start(t)
	n.decide(n.publish(n.ada(), manifest("shop", "[capabilities.kv]\nquota = \"1MiB\""), says("one")))
	n.Log("shop", "confidential")
	for _, c := range []struct {
		name, user          string
		roles               []access.Role
		lists, inside, acts bool
	}{
		{"its owner", ada, []access.Role{access.RoleDeveloper}, true, true, true},
		{"a reviewer", rex, []access.Role{access.RoleReviewer}, true, true, false},
		{"a viewer", "vic@example.com", []access.Role{access.RoleViewer}, true, false, false},
		{"another developer", "bob@example.com", []access.Role{access.RoleDeveloper}, true, false, false},
		{"an end user", "eve@example.com", nil, false, false, false},
	} {
		page, err := n.AppPage(actorOf(t.Context(), c.user, c.roles...), "shop", control.AppParts{Logs: 10})
		if err != nil {
			t.Fatal(err)
		}
		if got := len(page.Releases.Items) > 0 && page.Current != nil && len(page.History.Items) > 0; got != c.lists {
			t.Errorf("%s: lists %t, %+v", c.name, got, page)
		}
		log := strings.Contains(fmt.Sprint(page.Logs), "confidential")
		if secrets := page.Secrets != nil; log != c.inside || secrets != c.inside || c.lists && (page.LogsFor == "") != c.inside {
			t.Errorf("%s: the log %t, secrets %t, %q", c.name, log, secrets, page.LogsFor)
		}
		if got := strings.Contains(fmt.Sprint(page.Acts), "set-secrets"); got != c.acts {
			t.Errorf("%s: may %v", c.name, page.Acts)
		}
		_, err = n.ReleasePage(actorOf(t.Context(), c.user, c.roles...), "shop", 1)
		if errors.Is(err, access.ErrForbidden) == c.lists {
			t.Errorf("%s: the release's page: %v", c.name, err)
		}
	}
	if _, err := n.AppPage(t.Context(), "shop", control.AppParts{}); !errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("signed out: %v", err)
	}
}

func actorOf(ctx context.Context, user string, roles ...access.Role) context.Context {
	return access.WithActor(ctx, access.Actor{User: user, Roles: roles})
}

// BenchmarkPages measures, on the server, what pages take: of an app with 200 releases and ten
// capabilities, and of lists on a node with 10,000 apps.
func BenchmarkPages(b *testing.B) {
	n := start(b)
	if err := n.FillMarket(b.Context(), 10_000); err != nil {
		b.Fatal(err)
	}
	if err := n.FillApp(b.Context(), "big", 200); err != nil {
		b.Fatal(err)
	}
	cookie := n.session(ops, access.RoleOperator, access.RoleReviewer)
	token := n.token(ops, access.RoleOperator, access.RoleReviewer)
	if got := n.do("GET", n.ConsoleURL()+"/apps/big", "", "Cookie", cookie); strings.Count(got.Body, "It may ") < 10 || strings.Count(got.Body, "/apps/big/releases/") < 20 {
		b.Fatalf("the page shows less than it is to: %d %s", got.Status, got.Body)
	}
	for _, page := range []struct{ name, path string }{
		{"app", "/apps/big"}, {"release", "/apps/big/releases/100"}, {"grants", "/grants"}, {"requests", "/requests"}, {"settings", "/settings"},
	} {
		b.Run(page.name, func(b *testing.B) { n.measure(b, n.ConsoleURL()+page.path, "Cookie", cookie) })
	}
	for _, list := range []string{"hosts", "grants", "apps/app-7/triggers", "apps/big/releases", "apps", "requests"} {
		b.Run("api-"+strings.ReplaceAll(list, "/", "-"), func(b *testing.B) {
			n.measure(b, n.ConsoleURL()+"/api/v1/"+list, "Authorization", "Bearer "+token)
		})
	}
}

func (n *testNode) measure(b *testing.B, url string, header ...string) {
	for b.Loop() {
		if got := n.do("GET", url, "", header...); got.Status != 200 {
			b.Fatal(got.Status, got.Body)
		}
	}
	if per := b.Elapsed() / time.Duration(b.N); per > 0 {
		b.ReportMetric(float64(per.Microseconds())/1000, "ms/page")
	}
}

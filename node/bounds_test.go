package node_test

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/sdk/client"
)

// TestQuotasAtOnce: calls of a person's, a group's and the node's apps beyond so many in a second, or so much
// memory at once, answer 429, name no one to strangers, and are noted in the owner's log with the quota and how
// it is raised; apps of others go on, and triggers wait. What is set while the node runs, and by whom an app
// is owned, takes effect within about a second.
func TestQuotasAtOnce(t *testing.T) {
	n := withQuotas(t, "requests-a-second=3")
	const bob = "bob@example.com"
	c, ctx, boss := n.ada(), t.Context(), n.as(ops, access.RoleOperator)
	bobs := n.as(bob, access.RoleDeveloper)
	n.publish(c, described("one"), says("one"))
	n.publish(c, manifest("two", `title = "App"`, `description = "Does what it does."`, "[[triggers.cron]]", `name = "tick"`, `schedule = "0 0 1 1 *"`, `path = "/"`), says("two"))
	n.publish(bobs, bytes.ReplaceAll(described("bobs"), []byte(ada), []byte(bob)), says("bobs"))
	group, err := boss.CreateGroup(ctx, "Sales")
	if err != nil {
		t.Fatal(err)
	}
	set := func(quota string, limit int64, of client.QuotaOf) {
		t.Helper()
		if _, err := boss.SetQuota(ctx, quota, client.SetQuota{QuotaOf: of, Limit: limit, Reason: "it is busy"}); err != nil {
			t.Fatal(err)
		}
	}
	adas, everybody := client.QuotaOf{User: ada}, client.QuotaOf{}
	status := func(app string) int { return n.get(n.AppURL(app)).Status }
	becomes := func(app string, want int) {
		t.Helper()
		n.eventually(app+" answers "+strconv.Itoa(want), func() bool { return status(app) == want })
	}
	used := func(quota string) client.Quota {
		t.Helper()
		all, err := boss.QuotasOf(ctx, client.QuotaOf{User: ada, Group: "Sales"})
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(all, func(q client.Quota) bool { return q.Name == quota })
		if i < 0 {
			return client.Quota{}
		}
		return all[i]
	}
	// refused checks what strangers and the owner read.
	refused := func(app, quota, problem, title string) {
		t.Helper()
		got := n.do("GET", n.AppURL(app), "", "Accept", "application/json")
		if later, err := strconv.Atoi(got.Header.Get("Retry-After")); got.Status != 429 || err != nil || later < 1 || later > 60 || !strings.Contains(got.Body, title) ||
			strings.Contains(got.Body, "quota") {
			t.Errorf("a program at %s: %+v", app, got)
		}
		if page := n.do("GET", n.AppURL(app), "", "Accept", "text/html"); page.Status != 429 || !strings.Contains(page.Body, "<h1>"+title) || page.Header.Get("Retry-After") == "" {
			t.Errorf("a person at %s: %+v", app, page)
		}
		var call client.CallRecord
		n.eventually("a call that was refused is noted", func() (found bool) { // of many, not all are
			got := n.get(n.AppURL(app))
			var err error
			call, err = boss.FindCall(ctx, app, got.Header.Get("Agora-Invocation"))
			return err == nil
		})
		if call.Problem.Type != "/problems/"+problem || !slices.ContainsFunc(call.Lines, func(l client.LogLine) bool {
			return strings.Contains(l.Message, "agora quotas set "+quota) && !strings.Contains(l.Message, ada)
		}) {
			t.Errorf("what is known of the call: %+v", call)
		}
	}

	t.Run("requests", func(t *testing.T) {
		becomes("one", 429)
		began, served := time.Now(), 0
		for range 50 {
			for _, app := range []string{"one", "two"} {
				if status(app) == 200 {
					served++
				}
			}
		}
		if passed := time.Since(began); float64(served) > 3+3*passed.Seconds() {
			t.Errorf("%d calls were served within %s, of three a second", served, passed)
		}
		if q := used("requests-a-second"); q.Limit != 3 || q.From != "start" {
			t.Errorf("%+v", q)
		}
		set("requests-a-second", 0, adas)
		n.eventually("no call is served", func() bool {
			return status("one") == 429 && n.do("GET", n.AppURL("one"), "").Header.Get("Retry-After") == "60"
		})
		refused("two", "requests-a-second", "called-too-often", "The app is asked for too much at once")
		if got := status("bobs"); got != 200 {
			t.Errorf("another person's app: %d", got)
		}
		if _, err := boss.Invoke(ctx, "two", client.Call{Method: "GET", Path: "/"}); problemOf(t, err).Type != "/problems/called-too-often" {
			t.Errorf("called by hand: %v", err)
		}
		if _, err := c.RunTrigger(ctx, "two", "tick"); err != nil {
			t.Fatal(err)
		}
		if _, err := boss.Transfer(ctx, "one", bob, "ada is away"); err != nil {
			t.Fatal(err)
		}
		becomes("one", 200)
		if all, err := c.Triggers(ctx, "two"); err != nil || len(all) != 1 || all[0].Done != 0 || all[0].Failed != 0 {
			t.Errorf("a trigger did not wait: %+v, %v", all, err)
		}
		set("requests-a-second", 1000, adas)
		becomes("two", 200)
		n.eventually("what waited is delivered, and no attempt failed", func() bool {
			all, err := c.Triggers(ctx, "two")
			return err == nil && len(all) == 1 && all[0].Done == 1 && all[0].Failed == 0
		})
		n.eventually("what is used is the calls of a second", func() bool {
			status("two")
			q := used("requests-a-second")
			return q.Limit == 1000 && q.Used > 0 && q.Used < 1000
		})
	})
	t.Run("memory", func(t *testing.T) {
		if q := used("memory"); q.Name != "" {
			t.Errorf("a quota that no one set: %+v", q)
		}
		set("memory", 1<<30, everybody)
		set("memory", 0, adas)
		becomes("two", 429)
		refused("two", "memory", "memory-quota", "The app is busy")
		if got := status("bobs"); got != 200 {
			t.Errorf("another person's app: %d", got)
		}
		if _, err := boss.SetQuota(ctx, "memory", client.SetQuota{QuotaOf: adas, Reason: "it ends by itself", Until: time.Now().Add(time.Second)}); err != nil {
			t.Fatal(err)
		}
		becomes("two", 200)
		if q := used("memory"); q.Used == 0 || q.Used > 1<<25 || !q.Bytes || q.Limit != 1<<30 {
			t.Errorf("what is held: %+v", q)
		}
	})
	t.Run("group and node", func(t *testing.T) {
		if _, err := boss.AddToGroup(ctx, group.ID, ada); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Share(ctx, "two", "", "Sales", "the team keeps it"); err != nil {
			t.Fatal(err)
		}
		set("group-memory", 0, everybody)
		becomes("two", 429)
		refused("two", "group-memory", "memory-quota", "The app is busy")
		set("group-memory", 1<<30, everybody)
		becomes("two", 200)
		if q := used("group-memory"); q.Used == 0 || q.GroupName != "Sales" {
			t.Errorf("what is held: %+v", q)
		}
		set("requests-a-second", 1000, everybody)
		set("node-requests-a-second", 0, everybody)
		n.eventually("no call is served", func() bool { return n.get(n.AppURL("bobs")).Header.Get("Retry-After") == "60" })
		refused("bobs", "node-requests-a-second", "called-too-often", "The app is asked for too much at once")
		if _, err := boss.ClearQuota(ctx, "node-requests-a-second", everybody); err != nil {
			t.Fatal(err)
		}
		becomes("bobs", 200)
	})
	n.eventually("what is used is not what was ever used", func() bool { return used("requests-a-second").Used == 0 })
	n.healthy()
}

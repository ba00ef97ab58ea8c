package node_test

import (
	"bytes"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/sdk/client"
)

// TestQuotaIsRaised: who is refused reads who can raise the quota and by what command; an operator does, the
// person is told with the reason, and what was refused is taken. What is set outlives a restart, ends by
// itself and by being cleared, and what was there then stays.
func TestQuotaIsRaised(t *testing.T) {
	n := withQuotas(t, "apps=1")
	ctx := t.Context()
	upload := func(app string) error {
		module := says(app)
		_, err := n.ada().Publish(ctx, described(app), module, signAs(t, n.ada(), module), nil)
		return err
	}
	own := func() client.Quota {
		t.Helper()
		all, err := n.ada().Quotas(ctx, "", "")
		if err != nil {
			t.Fatal(err)
		}
		return all[slices.IndexFunc(all, func(q client.Quota) bool { return q.Name == "apps" })]
	}
	if err := upload("one"); err != nil {
		t.Fatal(err)
	}
	err := upload("two")
	overQuota(t, err, "apps", 1, 1)
	if p := problemOf(t, err); !slices.Contains(p.Remedy.Commands, "agora quotas set apps <limit> --reason <why> --user "+ada) || !strings.Contains(p.Remedy.Summary, "An operator can raise the quota") {
		t.Errorf("it is a dead end: %+v", p.Remedy)
	}
	if q := own(); q.From != "start" || q.Set != nil {
		t.Errorf("%+v", q)
	}

	boss := n.as(ops, access.RoleOperator)
	if _, err := n.ada().SetQuota(ctx, "apps", client.SetQuota{QuotaOf: client.QuotaOf{User: ada}, Limit: 9, Reason: "I want it"}); problemOf(t, err).Status != 403 {
		t.Errorf("a developer raised their own: %v", err)
	}
	q, err := boss.SetQuota(ctx, "apps", client.SetQuota{QuotaOf: client.QuotaOf{User: ada}, Limit: 2, Reason: "teaches the course", Until: time.Now().Add(time.Hour)})
	if err != nil || q.Limit != 2 || q.Used != 1 || q.From != "own" || q.Set == nil || q.Set.By != ops || q.Set.Reason != "teaches the course" {
		t.Fatalf("%+v, %v", q, err)
	}
	if told := n.isTold(ada, "quota.set"); !strings.Contains(told.Text, "teaches the course") || !strings.Contains(told.Text, " to 2") {
		t.Errorf("ada is told %q", told.Text)
	}
	if err := upload("two"); err != nil {
		t.Error(err)
	}
	err = upload("three")
	overQuota(t, err, "apps", 2, 2)
	if p := problemOf(t, err); !strings.Contains(p.Detail, "teaches the course") {
		t.Errorf("whose limit it is is not said: %s", p.Detail)
	}

	n.stop()
	n = startIn(t, n.dir)
	boss = n.as(ops, access.RoleOperator)
	if q := own(); q.Limit != 2 || q.Set == nil {
		t.Errorf("after a restart: %+v", q)
	}
	n.healthy()

	t.Run("console", func(t *testing.T) {
		session := n.session(ops, access.RoleOperator)
		form := url.Values{"quota": {"apps"}, "limit": {"3"}, "user": {ada}, "reason": {"by the console"}}
		if got := n.do("POST", n.ConsoleURL()+"/quotas/set", form.Encode(), "Cookie", session, "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin"); got.Status != 303 {
			t.Fatalf("%+v", got)
		}
		if got := n.do("GET", n.ConsoleURL()+"/quotas", "", "Cookie", n.session(ada)); !strings.Contains(got.Body, "by the console") || !strings.Contains(got.Body, "66 % used") {
			t.Errorf("what ada sees:\n%s", got.Body)
		}
		if got := n.do("GET", n.ConsoleURL()+"/quotas", "", "Cookie", session); !strings.Contains(got.Body, "/quotas/clear") {
			t.Errorf("what an operator sees:\n%s", got.Body)
		}
		form = url.Values{"quota": {"apps"}, "user": {ada}}
		if got := n.do("POST", n.ConsoleURL()+"/quotas/clear", form.Encode(), "Cookie", n.session(ada), "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin"); got.Status != 403 {
			t.Errorf("a developer clears: %d", got.Status)
		}
	})
	if all, err := boss.QuotaSettings(ctx); err != nil || len(all) != 1 || all[0].Of != ada || all[0].Limit != 3 {
		t.Errorf("%+v, %v", all, err)
	}
	if q, err := boss.ClearQuota(ctx, "apps", client.QuotaOf{User: ada}); err != nil || q.Limit != 200 || q.From != "default" {
		t.Errorf("%+v, %v", q, err)
	}
	n.isTold(ada, "quota.cleared")
	if q, err := boss.SetQuota(ctx, "apps", client.SetQuota{Limit: 1, Reason: "the disk is small"}); err != nil || q.Of != "" {
		t.Errorf("%+v, %v", q, err)
	}
	if q := own(); q.Used != 2 || q.Limit != 1 || q.From != "everybody" {
		t.Errorf("of everybody: %+v", q)
	}
	if err := upload("one"); err != nil {
		t.Errorf("what is over a quota that was lowered is changed: %v", err)
	}
	overQuota(t, upload("three"), "apps", 2, 1)
	n.healthy()
}

// TestGroupHasQuotas: an app that a group owns counts for its owner and for the group, with its releases: as it
// is shared, published, handed over, taken off and deleted, the sums follow, and what has no room is refused
// with the group's name. Of two that would take the last place at the same time, one gets it.
func TestGroupHasQuotas(t *testing.T) {
	n := withQuotas(t, "group-apps=2", "group-releases=3")
	ctx, boss, c := t.Context(), n.as(ops, access.RoleOperator), n.ada()
	group, err := boss.CreateGroup(ctx, "Sales")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := boss.AddToGroup(ctx, group.ID, ada); err != nil {
		t.Fatal(err)
	}
	for _, app := range []string{"one", "two", "six"} {
		n.publish(c, described(app), says(app))
	}
	share := func(app, group string) error {
		_, err := c.Share(ctx, app, "", group, "the team keeps it")
		return err
	}
	has := func(apps, releases, bytes int64) {
		t.Helper()
		all, err := c.QuotasOf(ctx, client.QuotaOf{Group: "Sales"})
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range all {
			if want, ok := map[string]int64{"group-apps": apps, "group-releases": releases, "group-module-bytes": bytes}[q.Name]; ok && (q.Used != want || q.Of != group.ID || q.GroupName != "Sales") {
				t.Errorf("%+v, want %d", q, want)
			}
		}
	}
	size := int64(len(says("one")))
	has(0, 0, 0)
	if err := share("one", "Sales"); err != nil {
		t.Fatal(err)
	}
	has(1, 1, size)

	results := make(chan error, 2)
	for _, app := range []string{"two", "six"} {
		go func() { results <- share(app, "Sales") }()
	}
	one, other := <-results, <-results
	if one == nil {
		one, other = other, one
	}
	if other != nil || one == nil {
		t.Fatalf("of two at the limit: %v, %v", one, other)
	}
	overQuota(t, one, "group-apps", 2, 2)
	if p := problemOf(t, one); !strings.Contains(p.Detail, `group "Sales"`) || !slices.Contains(p.Remedy.Commands, "agora quotas set group-apps <limit> --reason <why> --group "+group.ID) {
		t.Errorf("%+v", p)
	}
	has(2, 2, 2*size)

	n.publish(c, described("one"), says("ten"))
	has(2, 3, 3*size)
	module := says("red")
	_, err = c.Publish(ctx, described("one"), module, signAs(t, c, module), nil)
	overQuota(t, err, "group-releases", 3, 3)
	n.publish(c, described("one"), says("ten")) // which is there
	if _, err := boss.SetQuota(ctx, "group-releases", client.SetQuota{QuotaOf: client.QuotaOf{Group: "Sales"}, Limit: 4, Reason: "a busy year"}); err != nil {
		t.Fatal(err)
	}
	n.publish(c, described("one"), module)
	has(2, 4, 4*size)

	n.as("bob@example.com", access.RoleDeveloper)
	if _, err := boss.Transfer(ctx, "one", "bob@example.com", "ada has left"); err != nil {
		t.Fatal(err)
	}
	app, err := boss.App(ctx, "one")
	if err != nil {
		t.Fatal(err)
	}
	if app.Group != "" { // it stays the group's
		has(2, 4, 4*size)
		if _, err := boss.Share(ctx, "one", "", "", "bob's own"); err != nil {
			t.Fatal(err)
		}
	}
	has(1, 1, size)
	if _, err := boss.SetQuota(ctx, "group-apps", client.SetQuota{QuotaOf: client.QuotaOf{Group: "Sales"}, Limit: 0, Reason: "it is dissolved"}); err != nil {
		t.Fatal(err)
	}
	has(1, 1, size)
	if _, err := boss.Share(ctx, "one", "", "Sales", "again"); problemOf(t, err).Type != "/problems/quota" {
		t.Errorf("a quota that was lowered grows: %v", err)
	}
	for _, app := range []string{"two", "six"} {
		if _, err := boss.Share(ctx, app, "", "", "nobody's"); err != nil {
			t.Fatal(err)
		}
	}
	has(0, 0, 0)
	if err := boss.DeleteGroup(ctx, "Sales"); err != nil {
		t.Fatal(err)
	}
	if all, err := boss.QuotaSettings(ctx); err != nil || len(all) != 0 {
		t.Errorf("what was set of a group that is gone: %+v, %v", all, err)
	}
	n.healthy()
}

// TestFuelOfDay: once what a person's apps ran today has reached their quota, all of them answer 429 until the
// next day, and their owner reads which quota it was and who can raise it; others go on; when the quota is raised they run again.
func TestFuelOfDay(t *testing.T) {
	n := withQuotas(t, "fuel-a-day=none")
	c := n.ada()
	n.publish(c, described("one"), says("one"))
	n.publish(c, manifest("two", `title = "App"`, `description = "Does what it does."`, "[[triggers.cron]]", `name = "tick"`, `schedule = "0 0 1 1 *"`, `path = "/"`), says("two"))
	bob := n.as("bob@example.com", access.RoleDeveloper)
	n.publish(bob, bytes.ReplaceAll(described("bobs"), []byte(ada), []byte("bob@example.com")), says("bobs"))
	ctx := t.Context()
	own := func() *client.Quota {
		t.Helper()
		return quotaNamed(t, c, "fuel-a-day")
	}
	if q := own(); q != nil {
		t.Errorf("a quota that no one set: %+v", q)
	}
	n.setQuota("fuel-a-day", ada, 1)
	n.eventually("the app that ran answers 429", func() bool { return n.get(n.AppURL("one")).Status == 429 })
	got := n.do("GET", n.AppURL("two"), "", "Accept", "application/json")
	if later, err := strconv.Atoi(got.Header.Get("Retry-After")); got.Status != 429 || err != nil || later > 86401 || !strings.Contains(got.Body, "00:00 UTC") || strings.Contains(got.Body, "fuel") {
		t.Errorf("another app of the same person: %+v", got)
	}
	log := n.do("GET", n.ConsoleURL()+"/api/v1/apps/two/logs", "", "Authorization", "Bearer "+n.token(ada))
	if !strings.Contains(log.Body, "fuel-a-day") || !strings.Contains(log.Body, "an operator has raised") {
		t.Errorf("its owner reads %s", log.Body)
	}
	if got := n.get(n.AppURL("bobs")); got.Status != 200 {
		t.Errorf("another person's app: %+v", got)
	}
	if _, err := c.RunTrigger(ctx, "two", "tick"); err != nil {
		t.Fatal(err)
	}
	if q := own(); q == nil || q.Used < 1 || q.Limit != 1 {
		t.Errorf("%+v", q)
	}
	n.setQuota("fuel-a-day", ada, 1<<60)
	n.eventually("the app runs again", func() bool { return n.get(n.AppURL("one")).Status == 200 })
	n.eventually("what waited is delivered, and no attempt failed", func() bool {
		all, err := c.Triggers(ctx, "two")
		return err == nil && len(all) == 1 && all[0].Done == 1 && all[0].Failed == 0
	})
	n.healthy()
}

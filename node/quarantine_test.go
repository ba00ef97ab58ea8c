package node_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// TestQuarantine: an app that is quarantined serves nothing to anybody and runs nothing, what could be
// evidence stays, its owners get it neither out nor away, and it ends by whom the table names.
func TestQuarantine(t *testing.T) {
	ctx := t.Context()
	n := start(t)
	text := "title = \"Bank\"\ndescription = \"Lends.\"\n[[triggers.cron]]\nname = \"tick\"\nschedule = \"0 0 1 1 *\"\npath = \"/tick\"\n" + hooks("queue")
	p := n.publish(n.ada(), manifest("bank", text), says("stolen"))
	for _, name := range []string{"pay", "git"} {
		must(n.ada().SetSecret(ctx, "bank", name, []byte("s3cret")))(t)
	}
	hook := func(body string) answer {
		return n.do("POST", p.URL+"hooks/git", body, "X-Hub-Signature-256", "sha256="+hexMac("s3cret", body))
	}
	asked := must(n.ada().Promote(ctx, "bank", 1, abi.TierPilot, "ready"))(t)
	n.bob()
	privacy := n.as("pia@example.com", "reviewer/privacy")
	security := n.as("sec@example.com", "reviewer/security")

	for who, c := range map[string]*client.Client{"a reviewer of privacy": privacy, "its owner": n.ada()} {
		_, err := c.Quarantine(ctx, "bank", "I can")
		refusedAs(t, who+" quarantines", map[bool]string{true: "forbidden", false: "not-guard"}[who == "its owner"], "", err)
	}
	_, err := security.Quarantine(ctx, "bank", " ")
	refusedAs(t, "without a reason", "reason-missing", "", err)
	app := must(security.Quarantine(ctx, "bank", "its key leaks"))(t)
	if app.State != "quarantined" || app.Quarantine.By != "sec@example.com" || app.Quarantine.Authority != "reviewer" || app.Quarantine.Reason != "its key leaks" {
		t.Errorf("quarantined: %+v", app)
	}
	n.isTold(ada, "app.quarantined")

	t.Run("nothing serves", func(t *testing.T) {
		for what, got := range map[string]answer{
			"its address":     n.do("GET", p.URL, "", "Accept", "application/json"),
			"a release":       n.do("GET", p.Preview, "", "Accept", "application/json"),
			"a tier":          n.do("GET", strings.Replace(p.URL, "//", "//sandbox--", 1), "", "Accept", "application/json"),
			"a webhook":       hook("x"),
			"a webhook's GET": n.do("GET", p.URL+"hooks/git?hub.challenge=1&hub.mode=subscribe", "", "Accept", "application/json"),
		} {
			if got.Status != http.StatusServiceUnavailable || !strings.Contains(got.Problem.Title, "for your protection") || !strings.Contains(got.Problem.Detail, "by sec, a reviewer") || strings.Contains(got.Body, "@example.com") || strings.Contains(got.Body, "leaks") {
				t.Errorf("%s: %d %s", what, got.Status, got.Body)
			}
		}
		page := n.do("GET", p.URL, "", "Accept", "text/html")
		if page.Status != http.StatusServiceUnavailable || !strings.Contains(page.Body, "stopped for your protection") || !strings.Contains(page.Body, "by sec, a reviewer") || strings.Contains(page.Body, "leaks") {
			t.Errorf("an end user's page: %d %s", page.Status, page.Body)
		}
		_, err := n.ada().Invoke(ctx, "bank", client.Call{Method: "GET", Path: "/"})
		refusedAs(t, "invoke", "app-quarantined", "", err)
		if tick := n.trigger("bank", "tick"); !tick.Next.IsZero() {
			t.Errorf("cron runs next at %s", tick.Next)
		}
	})

	t.Run("its owner gets it neither out nor away", func(t *testing.T) {
		c := n.ada()
		for what, act := range map[string]func() error{
			"resume":         func() error { _, err := c.Resume(ctx, "bank", ""); return err },
			"suspend":        func() error { _, err := c.Suspend(ctx, "bank", ""); return err },
			"rename":         func() error { _, err := c.Rename(ctx, "bank", "Other"); return err },
			"delete":         func() error { _, err := c.DeleteApp(ctx, "bank", ""); return err },
			"offer":          func() error { _, err := c.Transfer(ctx, "bank", bob, ""); return err },
			"share":          func() error { _, err := c.Share(ctx, "bank", "", "", ""); return err },
			"activate":       func() error { _, err := c.Activate(ctx, "bank", 1, abi.TierSandbox, ""); return err },
			"promote":        func() error { _, err := c.Promote(ctx, "bank", 1, abi.TierProduction, ""); return err },
			"run a trigger":  func() error { _, err := c.RunTrigger(ctx, "bank", "tick"); return err },
			"delete release": func() error { return c.DeleteRelease(ctx, "bank", 1) },
		} {
			refusedAs(t, what, "app-state", "", act())
		}
		_, err := c.EndQuarantine(ctx, "bank", "all is well")
		refusedAs(t, "end it", "forbidden", "", err)
		_, err = n.rex().Decide(ctx, asked.ID, true, "fine")
		refusedAs(t, "a promotion is approved", "app-state", "", err)
		if may := must(c.App(ctx, "bank"))(t).May; len(may) != 0 {
			t.Errorf("its owner is told that they may %v", may)
		}
	})

	// A mended release and a new secret are taken in, and serve nothing.
	n.publish(n.ada(), manifest("bank", text), says("mended"))
	must(n.ada().SetSecret(ctx, "bank", "git", []byte("n3w")))(t)
	if app := must(n.ada().App(ctx, "bank"))(t); app.Active[abi.TierSandbox] != 1 || app.Releases != 2 {
		t.Errorf("after an upload: %+v", app)
	}

	grant := n.publish(n.ada(), manifest("bank", text, kvAsk), keeps(17)).Requests[0]
	_, err = n.rex().Decide(ctx, grant.ID, true, "fine")
	refusedAs(t, "a grant is approved", "app-state", "", err)
	must(n.rex().Decide(ctx, grant.ID, false, "not now"))(t)

	_, err = privacy.EndQuarantine(ctx, "bank", "looks fine")
	refusedAs(t, "a reviewer of privacy ends it", "not-guard", "", err)
	must(n.ops().Quarantine(ctx, "bank", "the key is on sale"))(t)
	_, err = security.EndQuarantine(ctx, "bank", "looks fine")
	refusedAs(t, "a reviewer ends an operator's", "not-guard", "", err)
	_, err = n.ops().EndQuarantine(ctx, "bank", "")
	refusedAs(t, "without a reason", "reason-missing", "", err)
	must(n.ops().EndQuarantine(ctx, "bank", "signed anew"))(t)
	if got := n.get(p.URL); got.Status != 200 || got.Body != "stolen" {
		t.Errorf("as it was before: %+v", got)
	}
	must(n.ada().Activate(ctx, "bank", 2, abi.TierSandbox, ""))(t)
	if got := n.get(p.URL); got.Status != 200 || got.Body != "mended" {
		t.Errorf("the mended release: %+v", got)
	}
}

// TestQuarantineKeepsEvidence: an app that is being deleted can be quarantined; it is not removed then, and
// its wait goes on when that ends.
func TestQuarantineKeepsEvidence(t *testing.T) {
	ctx := t.Context()
	clock := newFrozen()
	n := start(t, func(o *node.Options) { o.Now, o.KeepReleases = clock.Now, 1 })
	n.publish(n.ada(), manifest("bank"), says("one"))
	must(n.ops().Quarantine(ctx, "bank", "its first release stole"))(t)
	for _, text := range []string{"two", "three", "four"} {
		n.publish(n.ada(), manifest("bank"), says(text))
	}
	if err := n.Tidy(ctx); err != nil {
		t.Fatal(err)
	}
	if all := must(n.ada().Releases(ctx, "bank"))(t); len(all) != 4 {
		t.Errorf("of a quarantined app %d releases are left", len(all))
	}
	n.publish(n.ada(), manifest("shop"), says("one"))
	deleted := must(n.ada().DeleteApp(ctx, "shop", ""))(t)
	must(n.ops().Quarantine(ctx, "shop", "it mined coins"))(t)
	clock.pass(31 * 24 * time.Hour)
	n.RemoveDue(ctx)
	_, err := n.ada().UndeleteApp(ctx, "shop")
	refusedAs(t, "undelete", "app-state", "", err)
	app := must(n.as("eve@example.com", access.RoleOperator).EndQuarantine(ctx, "shop", "looked at"))(t)
	if left := app.Deletion.Until.Sub(deleted.Deletion.Until); app.State != "deleting" || left < 31*24*time.Hour {
		t.Errorf("the wait grew by %s: %+v", left, app)
	}
	if may := must(n.ada().App(ctx, "shop"))(t).May; !slices.Contains(may, "undelete") {
		t.Errorf("its owner may %v", may)
	}
}

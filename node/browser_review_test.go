package node_test

import (
	"context"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
)

// TestReviewInConsole: a reviewer reads what a request is about; Enter in a field
// decides nothing; a rejection needs a reason, which its maker finds, and asks again;
// a late decision is not made; a revoke says what still allows the same.
func TestReviewInConsole(t *testing.T) {
	n := start(t)
	link, err := n.Welcome(t.Context(), rex, access.Roles()...)
	if err != nil {
		t.Fatal(err)
	}
	n.publish(n.ada(), manifest("shop", kvAsk), keeps(17))
	ctx := browser(t)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	step, base := steps(t, ctx), n.ConsoleURL()
	step("r01-sign-in", chromedp.Navigate(link), chromedp.Click(chromedp.Search(`//button[text()="Sign in"]`)), chromedp.WaitVisible(chromedp.Search(`//h1[text()="Apps"]`)))
	step("r02-request", chromedp.Navigate(base+"/requests"), chromedp.WaitVisible(chromedp.Search(`//p[contains(., "You decide about the module")][contains(., "later ones, unless they ask for more of it")]`)))
	step("r03-enter", chromedp.SendKeys(chromedp.CSS(`.decide textarea`), "why not"+kb.Enter+"because"+kb.Enter), chromedp.WaitVisible(chromedp.Search(`//button[text()="Approve"]`)))
	if q := n.open("shop"); len(q) != 1 {
		t.Fatalf("Enter decided: %+v", q)
	}
	// Rejecting without a reason is not sent.
	step("r04-no-reason", chromedp.Click(chromedp.Search(`//summary[text()="Reject"]`)), chromedp.Click(chromedp.Search(`//button[text()="Reject"]`)), chromedp.WaitVisible(chromedp.CSS(`textarea:invalid`)))
	step("r05-rejected", chromedp.SendKeys(chromedp.CSS(`textarea:invalid`), "say what you keep"), chromedp.Click(chromedp.Search(`//button[text()="Reject"]`)), chromedp.WaitVisible(chromedp.Search(`//p[@role="status"][contains(., "Rejected")]`)))
	step("r06-app", chromedp.Navigate(base+"/apps/shop"), chromedp.WaitVisible(chromedp.Search(`//p[contains(., "was refused")]/em[text()="say what you keep"]`)))
	step("r07-ask-again", chromedp.Navigate(base+"/apps/shop/releases/1"), chromedp.WaitVisible(chromedp.Search(`//p[contains(., "A reviewer rejected")]`)), chromedp.WaitNotPresent(chromedp.Search(`//button[contains(., "Let the")]`)),
		chromedp.SendKeys(chromedp.Search(`//form[contains(@action, "/ask")]//textarea`), "guests' names"), chromedp.Click(chromedp.Search(`//button[text()="Ask again"]`)), chromedp.WaitVisible(chromedp.Search(`//p[@role="status"][contains(., "Asked")]`)))
	if q := n.open("shop"); len(q) != 1 || q[0].Reason != "guests' names" {
		t.Fatalf("asked again: %+v", q)
	}
	// Who asked does not decide.
	if _, err := n.ada().Withdraw(t.Context(), n.open("shop")[0].ID); err != nil {
		t.Fatal(err)
	}
	if _, err := n.ada().AskAgain(t.Context(), "shop", 1, "please"); err != nil {
		t.Fatal(err)
	}
	step("r08-open", chromedp.Navigate(base+"/requests"), chromedp.WaitVisible(chromedp.Search(`//button[text()="Approve"]`)))
	n.publish(n.ada(), manifest("shop", kvAsk, "[limits]\nfuel = 1000000"), keeps(18))
	step("r09-changed", chromedp.Click(chromedp.Search(`//button[text()="Approve"]`)), chromedp.WaitVisible(chromedp.Search(`//h1[text()="The request changed while you looked"]`)))
	step("r10-what-changed", chromedp.Navigate(base+"/requests"), chromedp.WaitVisible(chromedp.Search(`//td/code[text()="limits.fuel"]`)))
	step("r11-approved", chromedp.Click(chromedp.Search(`//button[text()="Approve"]`)), chromedp.WaitVisible(chromedp.Search(`//p[@role="status"][contains(., "Approved")]`)))
	n.decide(n.publish(n.ada(), manifest("shop", "[capabilities.kv]\nquota = \"200KiB\""), keeps(19)))
	n.publish(n.ada(), manifest("shop", kvAsk), keeps(20))
	step("r12-grants", chromedp.Navigate(base+"/grants"), chromedp.WaitVisible(chromedp.Search(`//td[contains(., "by the rule for later ones")]`)))
	step("r13-revoke-enter", chromedp.Click(chromedp.Search(`(//summary[text()="Revoke"])[1]`)), chromedp.SendKeys(chromedp.Search(`(//form[contains(@action, "/revoke")])[1]//textarea`), "gone"+kb.Enter), chromedp.WaitVisible(chromedp.Search(`(//form[contains(@action, "/revoke")])[1]//button`)))
	if grants, err := n.rex().Grants(t.Context(), "shop"); err != nil || !grants[0].Revoked.IsZero() {
		t.Fatalf("Enter revoked: %+v, %v", grants, err)
	}
	step("r14-still", chromedp.Click(chromedp.Search(`(//form[contains(@action, "/revoke")])[1]//button`)), chromedp.WaitVisible(chromedp.Search(`//p[contains(., "may still use")]`)))
	step("r15-all", chromedp.SendKeys(chromedp.Search(`(//form[contains(@action, "/revoke")])[1]//textarea`), "gone"), chromedp.Click(chromedp.Search(`//button[text()="Revoke all of these"]`)), chromedp.WaitVisible(chromedp.Search(`//p[@role="status"][contains(., "It holds no more")]`)))
	if n.links("shop", 4) {
		t.Error("what was revoked still works")
	}
	step("r16-activity", chromedp.Navigate(base+"/activity"), chromedp.WaitVisible(chromedp.Search(`//td[text()="uploaded release"]`)))
}

// TestActivityPages: going back page by page shows every event once.
func TestActivityPages(t *testing.T) {
	n := start(t)
	n.publish(n.ada(), manifest("shop"), says("one"))
	for range 5 {
		n.token(ada)
	}
	all, err := n.ops().Events(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	ctx := access.WithActor(context.Background(), access.Actor{User: ops, Roles: []access.Role{access.RoleOperator}})
	for limit := 1; limit < 5; limit++ {
		i, cut := len(all)-1, abi.Rev(0)
		for p := (control.Page{Limit: limit}); ; {
			page, err := n.Observer.Events(ctx, control.EventFilter{Newest: true}, p)
			if err != nil || (page.Next != "" && len(page.Items) < limit) {
				t.Fatalf("at %q: %v, %v", p.Cursor, page, err)
			}
			for _, e := range page.Items {
				if p.Cursor != "" && e.Rev == cut {
					t.Errorf("revision %d is on two pages", e.Rev)
				}
				if i < 0 || e.Rev != all[i].Rev || e.Seq != all[i].Seq {
					t.Fatalf("at %q: %+v, want %+v", p.Cursor, e, all[max(i, 0)])
				}
				i--
			}
			if p.Cursor = page.Next; p.Cursor == "" {
				break
			}
			cut = page.Items[len(page.Items)-1].Rev
		}
		if i != -1 {
			t.Errorf("%d events are on no page", i+1)
		}
	}
}

package node_test

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// TestPromotionInABrowser: a maker asks for the pilot tier, two reviewers decide in sessions of their own, and the
// people of the pilot get in and nobody else does; not before the second vote either.
func TestPromotionInABrowser(t *testing.T) {
	rules, err := start(t).ada().Policy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	two := strings.Replace(rules["data.json"], `"stages": {}`, `"stages": {"pilot": [{"concern": "security", "need": 1}, {"concern": "privacy", "need": 1}]}`, 1)
	n := start(t, audiences, func(o *node.Options) { o.PolicyDir = writeRules(t, two) })
	ctx, ops := t.Context(), n.ops()
	n.publish(n.ada(), manifest("shop", "title = \"Shop\"\ndescription = \"Sells what the guild makes.\"\nexpected_users = 40"), says("the pilot is open"))
	if _, err := ops.CreateGroup(ctx, "guild"); err != nil {
		t.Fatal(err)
	}
	sessions := map[string]string{}
	for who, roles := range map[string][]access.Role{
		ada: {access.RoleDeveloper}, "sec@example.com": {"reviewer/security"}, "dpo@example.com": {"reviewer/privacy"}, "pat@example.com": {access.RoleViewer}, "eve@example.com": {access.RoleViewer},
	} {
		sessions[who] = n.session(who, roles...)
	}
	if _, err := ops.AddToGroup(ctx, "guild", "pat@example.com"); err != nil {
		t.Fatal(err)
	}
	groups, err := ops.Groups(ctx, client.GroupFilter{Name: "guild"})
	if err != nil || len(groups) != 1 {
		t.Fatalf("%+v, %v", groups, err)
	}
	if _, err := n.ada().SetAudience(ctx, client.Audience{App: "shop", Tier: abi.TierPilot, Kind: "people", Groups: []string{groups[0].ID}}, ""); err != nil {
		t.Fatal(err)
	}

	window := browser(t)
	if err := chromedp.Do(window); err != nil { // the browser lives as long as the context of the first call
		t.Fatal(err)
	}
	step := steps(t, window)
	base, pilot := n.ConsoleURL(), n.AppURL("pilot--shop")
	// as returns what does a step with the cookies of one person, and of nobody else.
	as := func(who string) func(string, ...chromedp.Action[chromedp.Void]) {
		short, _, _ := strings.Cut(who, "@")
		return func(name string, actions ...chromedp.Action[chromedp.Void]) {
			t.Helper()
			signedIn := chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
				if _, err := cdp.Call(ctx, target, network.ClearBrowserCookies, cdp.Empty{}); err != nil {
					return err
				}
				name, value, _ := strings.Cut(sessions[who], "=")
				_, err := cdp.Call(ctx, target, network.SetCookie, network.SetCookieParams{Name: name, Value: value, URL: base})
				return err
			})
			step("p-"+name+"-"+short, append([]chromedp.Action[chromedp.Void]{signedIn}, actions...)...)
		}
	}
	said := func(text string) chromedp.Action[chromedp.Void] {
		return chromedp.WaitVisible(chromedp.Search(`//body//*[not(self::script)][contains(text(), "` + text + `")]`))
	}
	maker, sec, dpo, pat, eve := as(ada), as("sec@example.com"), as("dpo@example.com"), as("pat@example.com"), as("eve@example.com")

	maker("asks", chromedp.Navigate(base+"/apps/shop/releases/1"), chromedp.Click(chromedp.Search(`//summary[text()="Ask for the pilot tier"]`)),
		chromedp.SendKeys(chromedp.Search(`//form[contains(@action, "/promote")]//textarea`), "forty people of the guild"), chromedp.Click(chromedp.Search(`//button[text()="Ask for promotion"]`)), said("A reviewer has to approve the promotion to"))
	maker("sees", chromedp.Navigate(base+"/apps/shop/releases/1"), chromedp.Click(chromedp.Search(`//a[text()="What a reviewer sees"]`)), said("it is for its owner and 1 group; 40 people are expected."), said("forty people of the guild"),
		chromedp.WaitNotPresent(chromedp.Search(`//button[text()="Approve"]`)))
	pat("waits", chromedp.Navigate(pilot), chromedp.WaitNotPresent(chromedp.Search(`//*[contains(text(), "the pilot is open")]`)), chromedp.WaitVisible(chromedp.CSS("h1")))

	approve := chromedp.Click(chromedp.Search(`//article//button[text()="Approve"]`))
	sec("votes", chromedp.Navigate(base+"/requests?mine=true"), chromedp.Click(chromedp.Search(`//a[text()="all about release 1"]`)), said("The rules advise to look closer."), said("No call of it was measured in 30 days"), approve, said("You have approved it."))
	if app, err := n.ada().App(ctx, "shop"); err != nil || app.Active[abi.TierPilot] != 0 {
		t.Fatalf("one vote of two: %+v, %v", app.Active, err)
	}
	sec("once", chromedp.Navigate(base+"/requests"), chromedp.WaitNotPresent(chromedp.Search(`//button[text()="Approve"]`)), said("You have approved it."))
	dpo("votes", chromedp.Navigate(base+"/requests?app=shop&release=1"), approve, chromedp.WaitVisible(chromedp.Search(`//p[@role="status"][contains(., "Approved")]`)))

	pat("enters", chromedp.Navigate(pilot), said("the pilot is open"))
	eve("stays-out", chromedp.Navigate(pilot), said("This app is not open to you"), chromedp.WaitNotPresent(chromedp.Search(`//*[contains(text(), "the pilot is open")]`)))
	maker("is-told", chromedp.Navigate(base+"/inbox"), said("approved req-"))
	if _, err := ops.RemoveFromGroup(ctx, "guild", "pat@example.com"); err != nil {
		t.Fatal(err)
	}
	pat("has-left", chromedp.Navigate(pilot), chromedp.WaitNotPresent(chromedp.Search(`//*[contains(text(), "the pilot is open")]`)), chromedp.WaitVisible(chromedp.CSS("h1")))
}

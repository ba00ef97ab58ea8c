package node_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/agora-host/agora/access"
)

// TestReviewKeys: keys lead through the open requests and to their forms, and decide nothing; in a field they
// are letters; what was selected is decided together.
func TestReviewKeys(t *testing.T) {
	n := start(t)
	link, err := n.Welcome(t.Context(), rex, access.Roles()...)
	if err != nil {
		t.Fatal(err)
	}
	n.publish(n.ada(), manifest("shop", kvAsk), keeps(17))
	n.publish(n.ada(), manifest("bank", kvAsk), keeps(17)) // the newest is the first
	ctx := browser(t)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	step, base := steps(t, ctx), n.ConsoleURL()
	press := func(keys string) chromedp.Action[chromedp.Void] { return chromedp.KeyEvent(keys) }
	seen := func(path string) chromedp.Action[chromedp.Void] { return chromedp.WaitVisible(chromedp.Search(path)) }
	at := func(app string) chromedp.Action[chromedp.Void] {
		return seen(`//article[@data-at]//h2/a[text()="` + app + `"]`)
	}
	step("k01-sign-in", chromedp.Navigate(link), chromedp.Click(chromedp.Search(`//button[text()="Sign in"]`)), seen(`//h1[text()="Apps"]`))
	step("k02-counts", chromedp.Navigate(base+"/requests"), seen(`//nav//a[text()="Open (2)"]`), seen(`//nav//a[text()="For privacy (2)"]`), seen(`//nav//a[text()="For security"]`))
	step("k03-help", press("?"), seen(`//dialog[@open]`), press("j"), press(kb.Escape), chromedp.WaitNotPresent(chromedp.Search(`//dialog[@open]`)), chromedp.WaitNotPresent(chromedp.Search(`//article[@data-at]`)))
	step("k04-moves", press("j"), at("bank"), press("j"), at("shop"), press("j"), at("shop"), press("k"), at("bank"))
	step("k05-approve", press("a"), chromedp.WaitVisible(chromedp.CSS(`article[data-at] textarea:focus`)), press("jkr?"), at("bank"))
	page, err := chromedp.Run(ctx, chromedp.Value(chromedp.CSS(`article[data-at] textarea:focus`)))
	if err != nil || !strings.HasSuffix(page, "jkr?") || // the protocol sends the letter of a key by itself, after the key
		len(n.open("bank")) != 1 {
		t.Fatalf("what was typed: %q, %v", page, err)
	}
	step("k06-reject", press(kb.Escape), press("r"), chromedp.WaitVisible(chromedp.CSS(`article[data-at] details[open] textarea:focus`)), press(kb.Escape))
	step("k07-select", press("x"), press("j"), at("shop"), press("x"), seen(`//details[@id="together"][@open]`))
	step("k08-decided", chromedp.Click(chromedp.Search(`//button[text()="Approve the selected"]`)), seen(`//p[@role="status"][contains(., "Approved")]`))
	if q := append(n.open("bank"), n.open("shop")...); len(q) != 0 {
		t.Fatalf("left: %+v", q)
	}
	n.publish(n.ada(), manifest("third", kvAsk), keeps(17))
	step("k09-open", chromedp.Navigate(base+"/requests?concern=privacy"), press("j"), at("third"), press("o"), seen(`//*[text()="What the rules said"]`))
	url, err := chromedp.Run(ctx, chromedp.Location())
	if err != nil || !strings.HasSuffix(url, "/apps/third/releases/1") {
		t.Errorf("o leads to %s, %v", url, err)
	}
}

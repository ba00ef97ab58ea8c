package node_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/chromedp/chromedp"

	"github.com/agora-host/agora/access"
)

// TestTwoAppsInABrowser: a person is signed in at two apps at once, by a link from one to the other and with
// the fragment that the first address had; a neighbour's page reaches neither with that person's
// session; and signing out of the console ends both.
func TestTwoAppsInABrowser(t *testing.T) {
	n := start(t, audiences)
	page := func(name, body string) (string, []byte) {
		files := fstest.MapFS{"index.html": {Data: []byte("<!doctype html><title>" + name + "</title><h1>" + name + "</h1>" + body + `<script src="/app.js"></script>`)}, "app.js": {Data: []byte(`document.title += location.hash;`)}}
		return string(manifest(name, "[static]\ndir = \"static\"")), withFiles(t, says("posted"), files)
	}
	shopManifest, shop := page("shop", "<p>goods</p>")
	n.publish(n.ada(), []byte(shopManifest), shop)
	attack := `<a id="link" href="` + n.AppURL("shop") + `#cart">to the shop</a><iframe src="` + n.AppURL("shop") + `"></iframe><img src="` + n.AppURL("shop") + `app.js">
<form id="form" method="post" action="` + n.AppURL("shop") + `"><button id="post">post</button></form>`
	deskManifest, desk := page("desk", attack)
	n.publish(n.ada(), []byte(deskManifest), desk)
	link, err := n.Welcome(t.Context(), ada, access.RoleDeveloper)
	if err != nil {
		t.Fatal(err)
	}

	ctx := browser(t)
	if err := chromedp.Do(ctx); err != nil { // the browser lives as long as the context of the first call
		t.Fatal(err)
	}
	step := steps(t, ctx)
	title := func() string {
		got, err := chromedp.Run(ctx, chromedp.Title())
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	heading := func(text string) chromedp.Action[chromedp.Void] {
		return chromedp.WaitVisible(chromedp.Search(`//h1[contains(text(), "` + text + `")]`))
	}
	host, _, _ := strings.Cut(strings.TrimPrefix(n.AppURL("shop"), "http://"), "/")
	step("sign-on-1", chromedp.Navigate(n.AppURL("shop")+"#shelf"), chromedp.WaitVisible(chromedp.Search(`//p[contains(., "Sign in to open")]/strong[text()="`+host+`"]`)), chromedp.WaitVisible(chromedp.CSS(`input[name=link]`)))
	if here, err := chromedp.Run(ctx, chromedp.Location()); err != nil || strings.Contains(here, "shelf") {
		t.Errorf("the sign-in page is shown the fragment: %s, %v", here, err)
	}
	step("sign-on-2", chromedp.SendKeys(chromedp.CSS(`input[name=link]`), link), chromedp.Click(chromedp.Search(`//button[text()="Sign in"]`)), heading("shop"))
	if got := title(); got != "shop#shelf" {
		t.Errorf("the fragment is lost: %q", got)
	}
	step("sign-on-3", chromedp.Navigate(n.AppURL("desk")), heading("desk"))
	step("sign-on-4", chromedp.Click(chromedp.CSS("#post")), heading("Sign in to open this app")) // the browser sends no cookie along
	step("sign-on-5", chromedp.Navigate(n.AppURL("desk")), heading("desk"), chromedp.Click(chromedp.CSS("#link")), heading("shop"))
	if got := title(); got != "shop#cart" {
		t.Errorf("by a link: %q", got)
	}
	step("sign-on-6", chromedp.Navigate(n.ConsoleURL()+"/sign-out"), chromedp.Click(chromedp.Search(`//button[text()="Sign out everywhere"]`)), chromedp.WaitVisible(chromedp.CSS(`input[name=link]`)))
	for _, app := range []string{"shop", "desk"} {
		step("sign-on-7-"+app, chromedp.Navigate(n.AppURL(app)), chromedp.WaitVisible(chromedp.CSS(`input[name=link]`)))
	}
}

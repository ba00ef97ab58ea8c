package node_test

import (
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/agora-host/agora/access/oidc/oidctest"
)

// TestSignInWithProvider is a person's first day in a real browser: the page, the provider, the
// console; the settings; and out again, there as well.
func TestSignInWithProvider(t *testing.T) {
	c := startCompany(t)
	c.Add(oidctest.Person{Subject: "s-eve", Email: "eve@example.com", Verified: true})
	ctx := browser(t)
	if err := chromedp.Do(ctx); err != nil { // the browser lives as long as the context of the first call
		t.Fatal(err)
	}
	step := steps(t, ctx)
	seen := func(xpath string) chromedp.Action[chromedp.Void] { return chromedp.WaitVisible(chromedp.Search(xpath)) }
	click := func(xpath string) chromedp.Action[chromedp.Void] { return chromedp.Click(chromedp.Search(xpath)) }
	step("signin-01-page", chromedp.Navigate(c.ConsoleURL()+"/usage"), seen(`//a[text()="Sign in with The company"]`))
	step("signin-02-provider", click(`//a[text()="Sign in with The company"]`), seen(`//button[text()="`+ada+`"]`))
	step("signin-03-back", click(`//button[text()="`+ada+`"]`), seen(`//h1[text()="Usage"]`))
	step("signin-04-settings", chromedp.Navigate(c.ConsoleURL()+"/settings"), seen(`//h2[text()="How you sign in"]`), seen(`//td[text()="`+ada+`"]`))
	step("signin-05-out", click(`//button[text()="Sign out"]`), seen(`//h1[text()="Signed out"]`), seen(`//a[text()="Sign out of The company, too"]`))
	step("signin-06-again", click(`//a[text()="Sign out of The company, too"]`), seen(`//a[text()="Sign in with The company"]`))
	step("signin-07-asked", click(`//a[text()="Sign in with The company"]`), click(`//button[text()="eve@example.com"]`), seen(`//h1[text()="Apps"]`))
}

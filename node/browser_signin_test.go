package node_test

import (
	"context"
	"net/url"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
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

// TestProvesInABrowser: somebody who is signed in here goes to the provider, types something there, and comes back
// to connect the account, and later to give proof once more. The page there is of another site, so that the
// browser does not send the session with the way back.
func TestProvesInABrowser(t *testing.T) {
	c := startCompany(t)
	c.Add(oidctest.Person{Subject: "s-eve", Email: "eve@example.com", Verified: true})
	link, err := c.Welcome(t.Context(), "bob@example.com")
	if err != nil {
		t.Fatal(err)
	}
	there, err := url.Parse(c.URL)
	if err != nil {
		t.Fatal(err)
	}
	ctx := browser(t)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	step := steps(t, ctx)
	seen := func(xpath string) chromedp.Action[chromedp.Void] { return chromedp.WaitVisible(chromedp.Search(xpath)) }
	click := func(xpath string) chromedp.Action[chromedp.Void] { return chromedp.Click(chromedp.Search(xpath)) }
	forgotten := chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, network.DeleteCookies, network.DeleteCookiesParams{Name: "proof" + there.Port(), URL: c.URL})
		return err
	})
	step("prove-01-in", chromedp.Navigate(link), click(`//button[text()="Sign in"]`), seen(`//h1[text()="Apps"]`))
	step("prove-02-provider", chromedp.Navigate(c.ConsoleURL()+"/settings"), click(`//a[text()="Connect your account at The company"]`), seen(`//button[text()="eve@example.com"]`))
	step("prove-03-connected", click(`//button[text()="eve@example.com"]`), seen(`//*[contains(text(), "Connected. You can sign in")]`), seen(`//td[text()="eve@example.com"]`))
	step("prove-04-asked", forgotten, chromedp.Navigate(c.ConsoleURL()+"/auth/company/again?next=/usage"), seen(`//button[text()="eve@example.com"]`))
	step("prove-05-proven", click(`//button[text()="eve@example.com"]`), seen(`//h1[text()="Usage"]`))
	step("prove-06-other", forgotten, chromedp.Navigate(c.ConsoleURL()+"/auth/company/again?next=/usage"), click(`//button[text()="`+ada+`"]`), seen(`//*[contains(text(), "another person")]`))
}

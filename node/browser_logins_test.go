package node_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestLoginInABrowser: in a real browser, with its rules about forms that lead elsewhere, a person who signs in
// first confirms a login with one button, and the code comes to the program with no word of where the browser was;
// at another machine it is a code and the button.
func TestLoginInABrowser(t *testing.T) {
	c := startCompany(t)
	came := make(chan *http.Request, 8)
	program := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<h1>Back in the program</h1>")
		if r.URL.Path == "/callback" {
			came <- r
		}
	}))
	defer program.Close()
	p := newProgram().with("redirect_uri", program.URL+"/callback")
	ctx := browser(t)
	if err := chromedp.Do(ctx); err != nil { // the browser lives as long as the context of the first call
		t.Fatal(err)
	}
	step := steps(t, ctx)
	seen := func(xpath string) chromedp.Action[chromedp.Void] { return chromedp.WaitVisible(chromedp.Search(xpath)) }
	click := func(xpath string) chromedp.Action[chromedp.Void] { return chromedp.Click(chromedp.Search(xpath)) }
	step("login-01-sign-in", chromedp.Navigate(c.ConsoleURL()+"/login?"+p.ask.Encode()), seen(`//a[text()="Sign in with The company"]`))
	step("login-02-provider", click(`//a[text()="Sign in with The company"]`), seen(`//button[text()="`+ada+`"]`))
	step("login-03-asked", click(`//button[text()="`+ada+`"]`), seen(`//h1[text()="Log in a program"]`), seen(`//strong[text()="adas-laptop"]`))
	step("login-04-back", click(`//button[text()="Confirm"]`), seen(`//h1[text()="Back in the program"]`))
	select {
	case r := <-came:
		token, err := c.anybody().RedeemLogin(t.Context(), r.URL.Query().Get("code"), p.verifier)
		if err != nil || token.User != ada || r.URL.Query().Get("state") != p.ask.Get("state") || r.Referer() != "" {
			t.Errorf("%+v, %v, %v", token, err, r.Header)
		}
	case <-time.After(20 * time.Second):
		t.Error("the browser did not come")
	}

	d := c.device("build-server")
	step("login-05-device", chromedp.Navigate(d.Address), seen(`//input[@name="code"]`))
	step("login-06-asked", chromedp.Navigate(d.Complete), seen(`//strong[text()="build-server"]`), seen(`//strong[text()="`+d.UserCode+`"]`))
	step("login-07-confirmed", click(`//button[text()="Confirm"]`), seen(`//p[contains(text(), "Confirmed.")]`))
	if token, why := c.polls(d.DeviceCode); why != "" || token.User != ada || !c.works(token.Secret) {
		t.Errorf("%+v, %s", token, why)
	}
}

package node_test

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/access/oidc/oidctest"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/web/console"
)

// axe is axe-core 4.14.1 as npm has it, under the MPL-2.0, see testdata/axe.
//
//go:embed testdata/axe/axe.min.js
var axe string

const axeDigest = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"

// judge opens what is closed, has axe-core judge the page, and measures what axe-core does not. In
// the dark only colours differ.
const judge = `(async () => {
	document.querySelectorAll("details").forEach(d => d.open = true);
	const dark = matchMedia("(prefers-color-scheme: dark)").matches;
	const found = await axe.run(document, {resultTypes: ["violations"], ...(dark && {runOnly: ["color-contrast", "link-in-text-block"]}), rules: dark ? {} : {"target-size": {enabled: true}, "focus-order-semantics": {enabled: true},
		"label-content-name-mismatch": {enabled: true}, "p-as-heading": {enabled: true}, "table-fake-caption": {enabled: true}, "td-has-header": {enabled: true}}});
	const faults = found.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.target + " " + n.html.slice(0, 160) + " " + n.failureSummary.replace(/\s+/g, " ").slice(0, 240)));
	const wide = document.documentElement.scrollWidth - innerWidth;
	if (wide > 0) faults.push("the page scrolls sideways by " + wide + " px");
	for (const s of document.querySelectorAll(".scroll, pre, .log"))
		if (s.scrollWidth > s.clientWidth && (s.tabIndex < 0 || !s.ariaLabel)) faults.push("scrolls and is no region with a name that keys reach: " + s.outerHTML.slice(0, 120));
	if (innerWidth < 500) for (const r of document.querySelectorAll("#events tbody tr"))
		if (r.offsetHeight > 110) faults.push("a row of activity is " + r.offsetHeight + " px high: " + r.innerText);
	return faults;
})()`

// view is a page as a person finds it.
type view struct {
	who  string // key of sessions; "" signed out
	path string
	form string // if not "", it is posted there: fields as of a query
}

// TestEveryPage: axe-core finds nothing on any page of the console, in any state, in light and
// dark, on a desk and on a phone, and no page scrolls sideways. A page without a state fails.
func TestEveryPage(t *testing.T) {
	if got := fmt.Sprintf("%x", sha256.Sum256([]byte(axe))); got != axeDigest {
		t.Fatalf("testdata/axe/axe.min.js is %s", got)
	}
	idp := oidctest.Start(t)
	path := signInFile(t, map[string]*oidctest.Provider{"company": idp})
	n := start(t, func(o *node.Options) { o.SignIn = path })
	sessions := map[string]string{
		"viewer": n.session("eve@example.com"), "developer": n.session(ada, access.RoleDeveloper), "reviewer": n.session(rex, access.RoleReviewer),
		"operator": n.session(ops, access.RoleOperator), "all": n.session("all@example.com", access.Roles()...),
	}
	b := &pages{t: t, n: n, ctx: browser(t), sessions: sessions}
	if err := chromedp.Do(b.ctx); err != nil { // the browser lives as long as the context of the first call
		t.Fatal(err)
	}
	for _, path := range []string{"/", "/requests", "/grants", "/usage", "/activity", "/provisioning", "/groups", "/inbox", "/service-accounts", "/settings", "/quotas"} {
		b.judge("empty", view{"operator", path, ""})
	}
	n.fill()
	b.judge("signed out", view{"", "/sign-in", ""}, view{"", "/sign-in?link=x", ""}, view{"", "/problems/", ""}, view{"", "/problems/not-found", ""}, view{"", "/problems/none", ""},
		view{"", "/sign-in", "link=used-up"}, view{"", "/settings", ""})
	b.judge("app's", view{"", n.AppURL("shop"), ""}, view{"", n.AppURL("none"), ""})
	states := map[string][]string{
		"/sign-in":                             nil,
		"/signed-out":                          {"/signed-out", "/signed-out?provider=company"},
		"/{$}":                                 {"/", "/?q=hello", "/?q=none"},
		"/apps/{app}":                          {"/apps/hello", "/apps/relay", "/apps/shop", "/apps/old", "/apps/none"},
		"/apps/{app}/releases/{number}":        {"/apps/hello/releases/1", "/apps/shop/releases/1", "/apps/guestbook/releases/1", "/apps/hello/releases/9"},
		"/apps/{app}/releases/{number}/source": {"/apps/hello/releases/1/source"},
		"/upload":                              {"/upload"},
		"/requests":                            {"/requests", "/requests?status=approved", "/requests?status=rejected", "/requests?status=withdrawn"},
		"/grants":                              {"/grants", "/grants?done=still&still=relay&capability=kv&default=sandbox"},
		"/usage":                               {"/usage", "/usage?by=team", "/usage?app=hello", "/usage?at=" + time.Now().UTC().Format("2006-01-02T15"), "/usage?at=2001-01"},
		"/calls":                               {"/calls", "/calls?id=none"},
		"/calls/{id}":                          {"/calls/" + n.failed(), "/calls/none"},
		"/certificates":                        {"/certificates", "/certificates?app=none"},
		"/certificates/{id}":                   {"/certificates/cert-1"},
		"/policy":                              {"/policy"},
		"/activity":                            {"/activity"},
		"/provisioning":                        {"/provisioning"},
		"/provisioning/{provider}":             {"/provisioning/entra", "/provisioning/none"},
		"/groups":                              {"/groups", "/groups?name=none"},
		"/groups/{group}":                      {"/groups/sales", "/groups/none", "/groups/" + n.toldGroup()},
		"/inbox":                               {"/inbox", "/inbox?unread=1"},
		"/service-accounts":                    {"/service-accounts", "/service-accounts?name=none"},
		"/service-accounts/{name}":             {"/service-accounts/ci", "/service-accounts/none"},
		"/settings":                            {"/settings", "/settings?done=saved"},
		"/quotas":                              {"/quotas", "/quotas?app=shop&group=sales", "/quotas?user=none", "/quotas?done=allowed"},
		"/sign-out":                            {"/sign-out"},
		"/again":                               {"/again", "/again?fresh=1"},
		"/login":                               {"/login?" + newProgram().ask.Encode(), "/login?state=x"},
		"/device":                              {"/device", "/device?code=" + n.device("build-server").UserCode, "/device?code=none", "/device?done=login"},
		"/access":                              {"/access", "/access?person=" + ada + "&act=publish&on=shop", "/access?act=decide&on=none", "/access?role=auditor"},
	}
	for _, pattern := range console.Pages() {
		paths, ok := states[pattern]
		if !ok {
			t.Errorf("no state of %s is judged", pattern)
		}
		for _, path := range paths {
			b.judge("filled", view{"all", path, ""})
		}
		for _, who := range []string{"viewer", "developer", "reviewer", "operator"} {
			if len(paths) > 0 { // what a role sees less of looks the same otherwise
				b.judgeIn([]look{{1440, "light"}, {390, "dark"}}, "filled", view{who, paths[0], ""})
			}
		}
	}
	b.judge("failed", view{"all", "/nowhere", ""}, view{"all", "/upload", "manifest=name"}, view{"viewer", "/settings/users", "name=x"}, view{"all", "/settings/users", "name=x"},
		view{"all", "/settings/tokens", "label=ci&days=1"}, view{"all", "/settings/users/invite", "user=" + ada}, view{"", "/settings/tokens", "label=x"},
		view{"all", "/settings/users", "name=" + ada + "&role=viewer&revision=1-00"}, view{"all", "/apps/hello/title", "title=Mine&revision=1-00"})
}

// fill gives a node what its pages can show.
func (n *testNode) fill() {
	n.t.Helper()
	dev := n.ada()
	n.provisioned()
	n.removed()
	if _, err := n.ops().Suspend(n.t.Context(), "old", "shows customers' names"); err != nil {
		n.t.Fatal(err)
	}
	n.machine(dev, "ci", "developer")
	text, module := example(n.t, "hello")
	n.publish(dev, text, module)
	for range 3 {
		n.get(n.AppURL("hello") + "?name=Ada")
	}
	text, module = example(n.t, "guestbook")
	n.publish(dev, text, module)
	text, module = example(n.t, "relay")
	n.decide(n.publish(dev, text, module))
	n.do("POST", n.AppURL("relay")+"notes", "text=poison", "Content-Type", "application/x-www-form-urlencoded")
	for _, q := range n.publish(dev, manifest("shop", kvAsk), keeps(17)).Requests {
		if _, err := n.rex().Decide(n.t.Context(), q.ID, false, "say what you keep"); err != nil {
			n.t.Fatal(err)
		}
	}
	if _, err := dev.SetSecret(n.t.Context(), "hello", "stripe", []byte("hunter2")); err != nil {
		n.t.Fatal(err)
	}
	if _, err := n.ops().CreateDomain(n.t.Context(), "hello.example.com", "hello"); err != nil {
		n.t.Fatal(err)
	}
}

// pages is a browser that judges pages.
type pages struct {
	t        *testing.T
	n        *testNode
	ctx      context.Context
	sessions map[string]string
}

// look is a width of the window, in pixels, and a color scheme.
type look struct {
	width  int64
	scheme string
}

func (b *pages) judge(name string, all ...view) {
	b.t.Helper()
	b.judgeIn([]look{{1440, "light"}, {390, "light"}, {390, "dark"}, {1440, "dark"}}, name, all...)
}

func (b *pages) judgeIn(looks []look, name string, all ...view) {
	b.t.Helper()
	for _, s := range all {
		within, cancel := context.WithTimeout(b.ctx, time.Minute)
		if err := b.visit(within, s); err != nil {
			b.t.Fatalf("%s %+v: %v", name, s, err)
		}
		for _, look := range looks {
			faults, err := b.look(within, look.width, look.scheme)
			if err != nil {
				b.t.Fatalf("%s %+v: %v", name, s, err)
			}
			for _, fault := range faults {
				b.t.Errorf("%s %+v, %d px, %s: %s", name, s, look.width, look.scheme, fault)
			}
			if err := shoot(within, fmt.Sprintf("%s-%s%s%s-%d-%s", name, s.who, strings.NewReplacer("/", "_", "?", "_", ":", "_").Replace(s.path), s.form, look.width, look.scheme)); err != nil {
				b.t.Fatal(err)
			}
		}
		cancel()
	}
}

func (b *pages) visit(ctx context.Context, s view) error {
	url := s.path
	if strings.HasPrefix(url, "/") {
		url = b.n.ConsoleURL() + s.path
	}
	_, err := chromedp.Run(ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		if _, err := cdp.Call(ctx, target, network.ClearBrowserCookies, cdp.Empty{}); err != nil || s.who == "" {
			return err
		}
		name, value, _ := strings.Cut(b.sessions[s.who], "=")
		_, err := cdp.Call(ctx, target, network.SetCookie, network.SetCookieParams{Name: name, Value: value, URL: b.n.ConsoleURL()})
		return err
	}))
	if err != nil {
		return err
	}
	if s.form == "" {
		err = chromedp.Do(ctx, chromedp.Navigate(url))
	} else if err = chromedp.Do(ctx, chromedp.Navigate(b.n.ConsoleURL()+"/static/icon.svg")); err == nil {
		_, err = chromedp.RunResponse(ctx, post(url, s.form))
	}
	if err != nil {
		return err
	}
	return chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](axe))
}

// post sends a form from the console's own origin.
func post(url, fields string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`(() => {
		const html = n => document.createElementNS("http://www.w3.org/1999/xhtml", n);
		const form = html("form");
		form.method = "post"; form.action = %q;
		if (form.action.endsWith("/upload")) form.enctype = "multipart/form-data";
		for (const [name, value] of new URLSearchParams(%q)) {
			const field = html("input");
			field.name = name; field.value = value;
			form.append(field);
		}
		document.documentElement.append(form);
		form.submit();
	})()`, url, fields))
}

func (b *pages) look(ctx context.Context, width int64, scheme string) ([]string, error) {
	_, err := chromedp.Run(ctx, chromedp.Steps(chromedp.EmulateViewport(width, 900), chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		return err
	})))
	if err != nil {
		return nil, err
	}
	return chromedp.Run(ctx, chromedp.Evaluate[[]string](judge, chromedp.EvalAwaitPromise))
}

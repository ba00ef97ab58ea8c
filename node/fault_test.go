package node_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/sdk/client"
)

// forMakers are words that end users of an app cannot do anything with.
var forMakers = []string{"manifest", "limits.", "agora ", "agora.toml", "fuel", "Raise", "release", "grant", "--", "@example.com"}

// accept is what browsers send when a person follows a link.
const accept = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"

// TestFaultsForEndUsers: whatever goes wrong at an app's address, a page and a document say in
// plain words what happened, whose app it is and whom to ask, with an id; by that id the owner
// finds the call, also after a restart, and other makers do not.
func TestFaultsForEndUsers(t *testing.T) {
	dir := t.TempDir()
	n := startIn(t, dir)
	owner, eve := n.ada(), n.as("eve@example.com", access.RoleDeveloper)
	const titled = "title = \"Costs <b>&</b>\"\n"
	tight := "[limits]\nfuel = 100_000\nrequest_body = 1000\nresponse_body = 100\nmemory = \"1MiB\"\n"
	type fault struct {
		app     string
		module  wasmtest.App
		post    string
		status  int
		title   string
		outcome string
		kind    string // of the problem that the owner is shown
	}
	faults := []fault{
		{"trap", wasmtest.App{Code: []byte{0x00}}, "", 502, "The app failed", "failed", "app-trapped"},
		{"loop", wasmtest.App{Code: wasmtest.Forever}, "", 502, "The app had too much to do", "failed", "fuel-exhausted"},
		{"outside", wasmtest.App{Alloc: []byte{0x41, 0x7f}}, "", 502, "The app&#39;s answer is malformed", "failed", "app-bad-response"},
		{"long", wasmtest.App{Frame: abi.AppendResponse(nil, &abi.Response{Status: 200, Body: make([]byte, 5000)})}, "", 502, "The app&#39;s answer is too large", "failed", "app-response-too-large"},
		{"small", wasmtest.App{Frame: abi.AppendResponse(nil, &abi.Response{Status: 200})}, strings.Repeat("x", 2000), 413, "The request is too large for this app", "failed", "request-too-large"},
	}
	urls, ids := map[string]string{}, map[string][]string{}
	for _, f := range faults {
		m := strings.Replace(string(manifest(f.app, tight)), "\n", "\n"+titled, 1)
		urls[f.app] = n.publish(owner, []byte(m), f.module.Bytes()).URL
	}
	// Neither of these reaches an app.
	urls["silent"] = strings.Replace(urls["trap"], "//trap.", "//pilot--trap.", 1)
	faults = append(faults, fault{"silent", wasmtest.App{}, "", 404, "The app is not available", "refused", "no-active-release"})

	for _, f := range faults {
		method := "GET"
		if f.post != "" {
			method = "POST"
		}
		page := n.do(method, urls[f.app], f.post, "Accept", accept)
		id := page.Header.Get("Agora-Invocation")
		policy := page.Header.Get("Content-Security-Policy")
		if page.Status != f.status || !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") || id == "" {
			t.Fatalf("%s: %d %v", f.app, page.Status, page.Header)
		}
		if strings.Contains(policy, "unsafe") || !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(page.Body, "<script") {
			t.Errorf("%s: a policy of %q", f.app, policy)
		}
		for _, want := range []string{f.title, id, "Costs &lt;b&gt;&amp;&lt;/b&gt;", "<dd>ada</dd>", "/calls/" + id} {
			if !strings.Contains(page.Body, want) {
				t.Errorf("%s: the page does not have %q:\n%s", f.app, want, page.Body)
			}
		}
		document := n.do(method, urls[f.app], f.post, "Accept", "application/json, text/html;q=0")
		p := document.Problem
		if document.Status != f.status || p.Invocation == "" || p.Invocation != document.Header.Get("Agora-Invocation") || p.Owner != "ada" || p.App == "" || p.Team == "" || !strings.Contains(p.Remedy.Summary, p.Invocation) {
			t.Errorf("%s: the document is %+v", f.app, p)
		}
		for _, word := range forMakers {
			if strings.Contains(page.Body[strings.Index(page.Body, "</style>"):], word) || strings.Contains(document.Body, word) {
				t.Errorf("%s: an end user is told of %q:\n%s\n%s", f.app, word, page.Body, document.Body)
			}
		}
		ids[f.app] = []string{id, p.Invocation}
	}

	find := func(c *client.Client) {
		t.Helper()
		for _, f := range faults {
			for _, id := range ids[f.app] {
				call, err := c.FindCall(t.Context(), "", id)
				if err != nil || call.Outcome != f.outcome || call.Problem == nil || call.Problem.Type != "/problems/"+f.kind || call.ID != id || len(call.Lines) == 0 {
					t.Errorf("%s: call %s is %+v, %v", f.app, id, call, err)
				}
			}
		}
	}
	find(owner)
	find(n.rex())
	call, err := owner.FindCall(t.Context(), "loop", strings.ToUpper(ids["loop"][0]))
	if err != nil || call.Instructions == 0 || !strings.Contains(call.Problem.Remedy.Summary, "limits.fuel") || call.Release != 1 || call.Tier != "sandbox" || call.Trigger != "http" {
		t.Errorf("the maker's view: %+v, %v", call, err)
	}
	for _, wrong := range [][2]string{{"", strings.Repeat("ab", 12)}, {"", "nonsense"}, {"trap", ids["loop"][0]}} {
		if _, err := owner.FindCall(t.Context(), wrong[0], wrong[1]); problemOf(t, err).Type != "/problems/no-such-call" {
			t.Errorf("call %v: %v", wrong, err)
		}
	}
	for _, app := range []string{"", "loop"} { // the same as an id that does not exist
		if _, err := eve.FindCall(t.Context(), app, ids["loop"][0]); problemOf(t, err).Type != "/problems/no-such-call" {
			t.Errorf("another maker's call: %v", err)
		}
	}

	n.stop()
	n = startIn(t, dir)
	find(n.ada())
}

// TestAddressOfNoApp: where there is no app there is no owner, and still an id.
func TestAddressOfNoApp(t *testing.T) {
	n := start(t)
	url := strings.Replace(n.ConsoleURL(), "//", "//nothing.", 1)
	for _, kind := range []string{accept, "*/*"} {
		got := n.do("GET", url, "", "Accept", kind)
		if got.Status != 404 || !strings.Contains(got.Body, "There is nothing at this address") || got.Header.Get("Agora-Invocation") == "" || strings.Contains(got.Body, "Owner") {
			t.Errorf("%s: %d %s", kind, got.Status, got.Body)
		}
	}
}

// TestRefusedAtTheDoor: what reaches no handler has an id and a page as well.
func TestRefusedAtTheDoor(t *testing.T) {
	n := start(t)
	p := n.publish(n.ada(), manifest("shop"), says("ok"))
	got := n.do("TRACE", p.URL, "", "Accept", accept)
	if id := got.Header.Get("Agora-Invocation"); got.Status != http.StatusMethodNotAllowed || id == "" || !strings.Contains(got.Body, id) || got.Header.Get("Allow") == "" || !strings.Contains(got.Body, "does not take that method") {
		t.Errorf("%d %v %s", got.Status, got.Header, got.Body)
	}
}

// TestLinesNameTheirCall: what an app writes in the course of a call is found by the call's id.
func TestLinesNameTheirCall(t *testing.T) {
	n := start(t)
	m, module := example(t, "hello")
	c := n.ada()
	p := n.publish(c, m, module)
	got := n.get(p.URL)
	id := got.Header.Get("Agora-Invocation")
	lines, err := c.Logs(t.Context(), p.Release.App, 50)
	if err != nil || !slices.ContainsFunc(lines, func(l client.LogLine) bool { return l.Call == id }) {
		t.Fatalf("no line names call %s: %+v, %v", id, lines, err)
	}
	call, err := c.FindCall(t.Context(), "", id)
	if err != nil || call.Outcome != "served" || call.Status != got.Status || len(call.Lines) == 0 || call.Instructions == 0 {
		t.Errorf("%+v, %v", call, err)
	}
}

// TestCallInConsole: the page of a fault leads its owner to the call, as the search box does.
func TestCallInConsole(t *testing.T) {
	t.Setenv("TZ", "Asia/Kolkata") // the browser's, and not the node's
	n := start(t)
	ctx := browser(t)
	step := steps(t, ctx)
	p := n.publish(n.ada(), manifest("loop", "[limits]\nfuel = 100_000\n"), wasmtest.App{Code: wasmtest.Forever}.Bytes())
	link, err := n.Welcome(t.Context(), ada, access.RoleDeveloper)
	if err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(ctx); err != nil { // the browser lives as long as the context of the first call
		t.Fatal(err)
	}
	step("fault-page", chromedp.Navigate(p.URL), chromedp.WaitVisible(chromedp.CSS("dl code")))
	id, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("dl code")))
	if err != nil || len(id) != 24 {
		t.Fatalf("the page names call %q, %v", id, err)
	}
	step("fault-sign-in", chromedp.Navigate(link), chromedp.Click(chromedp.CSS("main form button")), chromedp.WaitVisible(chromedp.CSS("header.top")))
	shows := func() {
		t.Helper()
		text, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("main")))
		for _, want := range []string{id, "It failed: The app used up its instruction limit", "limits.fuel", "loop", ada, "instructions", "The call failed"} {
			if err != nil || !strings.Contains(text, want) {
				t.Errorf("the call's page does not have %q, %v:\n%s", want, err, text)
			}
		}
	}
	step("fault-find", chromedp.Navigate(n.ConsoleURL()+"/calls"), chromedp.SendKeys(chromedp.CSS("form.find input"), id),
		chromedp.Click(chromedp.CSS("form.find button")), chromedp.WaitVisible(chromedp.CSS("dl.facts")))
	shows()
	step("fault-link", chromedp.Navigate(p.URL), chromedp.Click(chromedp.CSS("p.quiet a:last-of-type")), chromedp.WaitVisible(chromedp.CSS("dl.facts")),
		chromedp.WaitVisible(chromedp.Search(`//dl//time[contains(., "GMT+5:30")]`))) // in the reader's zone, once the page's script has run
}

package node_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/pelletier/go-toml/v2"

	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/registry"
)

// page is a browser that is signed in as ada.
type page struct {
	t    *testing.T
	ctx  context.Context
	n    *testNode
	step func(string, ...chromedp.Action[chromedp.Void])
}

func browse(t *testing.T, n *testNode) page {
	t.Helper()
	link, err := n.Welcome(t.Context(), ada, access.Roles()...)
	if err != nil {
		t.Fatal(err)
	}
	ctx := browser(t)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	p := page{t, ctx, n, steps(t, ctx)}
	p.step("sign-in", chromedp.Navigate(link), chromedp.Click(chromedp.Search(`//button[text()="Sign in"]`)), chromedp.WaitVisible(chromedp.Search(`//h1[text()="Apps"]`)))
	return p
}

// eval is what an expression is in the page; promises are awaited.
func eval[T any](p page, expression string) T {
	p.t.Helper()
	within, cancel := context.WithTimeout(p.ctx, 30*time.Second)
	defer cancel()
	got, err := chromedp.Run(within, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return got
}

// until waits for a condition in the page.
func (p page) until(what, expression string) {
	p.t.Helper()
	for end := time.Now().Add(30 * time.Second); !eval[bool](p, "!!("+expression+")"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			_ = shoot(p.ctx, "failed")
			p.t.Fatalf("%s: never %s\n%s", what, expression, eval[string](p, "document.body.innerText"))
		}
	}
}

func (p page) is(what, expression string) {
	p.t.Helper()
	if !eval[bool](p, "!!("+expression+")") {
		p.t.Errorf("%s: not %s", what, expression)
	}
}

// file writes a file to be chosen.
func (p page) file(name string, b []byte) string {
	p.t.Helper()
	path := filepath.Join(p.t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		p.t.Fatal(err)
	}
	return path
}

func (p page) upload() {
	p.t.Helper()
	p.step("upload", chromedp.Navigate(p.n.ConsoleURL()+"/upload"), chromedp.WaitVisible(chromedp.CSS("#field-name")))
}

func choose(field, path string) chromedp.Action[chromedp.Void] {
	return chromedp.SetUploadFiles(chromedp.CSS(`input[name=`+field+`]`), []string{path})
}

func write(field, text string) chromedp.Action[chromedp.Void] {
	return chromedp.SendKeys(chromedp.CSS(`#field-`+field), text)
}

var send = chromedp.Click(chromedp.CSS("#send"))

// TestUploadForm: the form as it comes publishes nothing; what is wrong is said beside its field,
// which has the focus, and all that was written and chosen stays; the text of the manifest and the
// fields follow each other; the end says where the app is.
func TestUploadForm(t *testing.T) {
	n := start(t)
	n.publish(n.ada(), manifest("shop"), says("one"))
	p := browse(t, n)
	p.upload()
	p.is("values of other apps are offered", `document.querySelector("#known-cost_center option[value='CC-1']") && document.querySelector("#known-team option[value=sales]")`)
	p.step("as-it-comes", choose("module", p.file("app.wasm", says("two"))), send)
	p.until("the form as it comes", `document.querySelector("#field-name").getAttribute("aria-invalid")`)
	p.is("the focus", `document.activeElement.id === "field-name"`)
	p.step("a-placeholder", write("name", "my-app"), write("title", "Lunch"), write("description", "Finds lunch."), write("team", "my-team"), write("cost_center", "CC-0000"),
		chromedp.SendKeys(chromedp.CSS("#field-data_classification"), "internal"), send)
	p.until("placeholders", `document.querySelector("#error-cost_center").textContent.includes("fill in the cost center")`)
	p.is("the first field that is wrong has the focus", `document.activeElement.id === "field-name" && document.activeElement.getAttribute("aria-describedby").includes("error-name")`)
	p.is("each is marked", `[...document.querySelectorAll("[aria-invalid=true]")].map(e => e.name).join() === "name,team,cost_center"`)
	p.is("what is fine is kept", `document.querySelector("#field-title").value === "Lunch" && document.querySelector("#field-module").files[0].name === "app.wasm"`)
	if _, err := n.ada().App(t.Context(), "my-app"); err == nil {
		t.Fatal("a placeholder is published")
	}
	p.step("correct", chromedp.Evaluate[chromedp.Void](`document.querySelector("#about details").open = true`))
	eval[bool](p, `{ const set = (id, v) => { const f = document.querySelector(id); f.value = v; f.dispatchEvent(new Event("input", {bubbles: true})) }
		set("#field-name", "lunch"); set("#field-team", 'the "A" team'); true }`)
	p.is("fields are in the text", `document.querySelector("#field-manifest").value.includes('team = "the \\"A\\" team"\n') && document.querySelector("#field-manifest").value.includes('name = "lunch"\n')`)
	eval[bool](p, `{ const f = document.querySelector("#field-manifest"); f.value = f.value.replace(/^cost_center.*$/m, "cost_center = 'CC-7' # ours") ; f.dispatchEvent(new Event("input", {bubbles: true})); true }`)
	p.is("text is in the fields", `document.querySelector("#field-cost_center").value === "CC-7"`)
	p.step("published", send, chromedp.WaitVisible(chromedp.Search(`//p[@role="status"][contains(., "the sandbox serves it")]`)), chromedp.WaitVisible(chromedp.Search(`//section[@id="next"]//a[contains(., "http://lunch.")]`)))
	app, err := n.ada().App(t.Context(), "lunch")
	if err != nil || app.CostCenter != "CC-7" || app.Team != `the "A" team` || app.Title != "Lunch" || app.Description != "Finds lunch." || app.Classification != "internal" {
		t.Errorf("%+v, %v", app, err)
	}
	if got := n.get(n.AppURL("lunch")); got.Body != "two" {
		t.Errorf("it serves %+v", got)
	}
}

// TestUploadRefused: what is wrong with the module, the bundle or a file of a manifest stands beside
// it, and a file that has changed since is said to have.
func TestUploadRefused(t *testing.T) {
	n := start(t)
	p := browse(t, n)
	p.upload()
	toml := p.file("agora.toml", append(manifest("shop"), "[surprise]\n"...))
	wasm := p.file("app.wasm", []byte("package main"))
	p.step("a-bad-manifest", choose("module", wasm), choose("manifest_file", toml))
	p.until("a file fills in the form", `document.querySelector("#field-name").value === "shop" && document.querySelector("#field-cost_center").value === "CC-1"`)
	p.step("refused", send)
	p.until("the manifest", `document.querySelector("#error-manifest").textContent.includes("surprise")`)
	p.is("the text is shown and has the focus", `document.activeElement.id === "field-manifest" && document.activeElement.offsetHeight > 0`)
	p.step("its-file-again", choose("manifest_file", p.file("agora.toml", manifest("shop"))))
	p.until("its file again", `!document.querySelector("#field-manifest").value.includes("surprise")`)
	p.step("a-bad-module", send)
	p.until("the module", `document.querySelector("#field-module").getAttribute("aria-invalid") && document.activeElement.id === "field-module"`)
	p.is("the summary says what to do", `document.querySelector("#problem [role=alert]").textContent.includes("What to do")`)
	if err := os.WriteFile(wasm, append(says("one"), 0), 0o600); err != nil {
		t.Fatal(err)
	}
	p.step("changed", send)
	p.until("a file that changed", `document.querySelector("#error-module").textContent.includes("changed since")`)
	p.step("a-bad-bundle", choose("module", p.file("app.wasm", says("one"))), choose("bundle", p.file("x.json", []byte("{}"))), send)
	p.until("the bundle", `document.querySelector("#field-bundle").getAttribute("aria-invalid") && document.activeElement.id === "field-bundle"`)
	eval[bool](p, `document.querySelector("#field-module").dataset.max = 10; true`)
	p.step("too-large", send)
	p.until("too large", `document.querySelector("#error-module").textContent.includes("the most that is taken")`)
}

// TestUploadWithoutScript: the same form as a browser sends it that runs no program.
func TestUploadWithoutScript(t *testing.T) {
	n := start(t)
	cookie := n.session(ada, access.RoleDeveloper)
	post := func(parts ...string) answer {
		var b bytes.Buffer
		for i := 0; i < len(parts); i += 2 {
			b.WriteString("--x\r\nContent-Disposition: form-data; name=\"" + parts[i] + "\"\r\n\r\n" + parts[i+1] + "\r\n")
		}
		b.WriteString("--x--\r\n")
		return n.do("POST", n.ConsoleURL()+"/upload", b.String(), "Content-Type", "multipart/form-data; boundary=x", "Cookie", cookie)
	}
	text := strings.Replace(string(manifest("", "[capabilities.log]")), "CC-1", "", 1)
	got := post("module", string(says("one")), "manifest", text, "name", "my-app", "cost_center", "CC-0000", "title", `<b>"`, "team", "")
	for _, want := range []string{`id="error-name">name is still the placeholder`, `value="my-app"`, `value="&lt;b&gt;&#34;"`, `aria-invalid="true"`, "Choose the files once more"} {
		if got.Status != 422 || !strings.Contains(got.Body, want) {
			t.Errorf("%d, no %q in\n%s", got.Status, want, got.Body)
		}
	}
	got = post("module", string(says("one")), "manifest", text, "name", "shop", "cost_center", "CC-9", "title", "", "team", "")
	if got.Status != 303 || got.Header.Get("Location") != "/apps/shop/releases/1?done=published" {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	if app, err := n.ada().App(t.Context(), "shop"); err != nil || app.CostCenter != "CC-9" || app.Team != "sales" {
		t.Errorf("%+v, %v", app, err)
	}
	if got = post("manifest", text); got.Status != 400 || !strings.Contains(got.Body, `id="error-module">Choose the script or the .wasm file`) {
		t.Errorf("without a module: %d\n%s", got.Status, got.Body)
	}
	if got = n.do("GET", n.ConsoleURL()+"/upload", "", "Cookie", n.session("eve@example.com", access.RoleViewer)); got.Status != 403 {
		t.Errorf("the form for a viewer: %d", got.Status)
	}
}

// network sets how the browser's network is.
func (p page) network(offline bool, bytesPerSecond float64) {
	p.t.Helper()
	state := network.OverrideNetworkStateParams{Offline: offline, DownloadThroughput: -1, UploadThroughput: bytesPerSecond}
	rule := &network.Conditions{Offline: offline, DownloadThroughput: -1, UploadThroughput: bytesPerSecond}
	p.step("network", chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		if _, err := cdp.Call(ctx, target, network.Enable, network.EnableParams{}); err != nil {
			return err
		}
		if _, err := cdp.Call(ctx, target, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{MatchedNetworkConditions: []*network.Conditions{rule}}); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, target, network.OverrideNetworkState, state)
		return err
	}))
}

// TestUploadProgress: a slow upload shows bytes and then each step, warns readers who leave, and can be
// cancelled; offline, and when the node is away, the page says so, keeps everything and tries again.
func TestUploadProgress(t *testing.T) {
	n := start(t)
	p := browse(t, n)
	p.upload()
	large, err := wasm.WithCustomSection(says("large"), "padding", bytes.Repeat([]byte("0123456789abcdef"), 4<<20/16))
	if err != nil {
		t.Fatal(err)
	}
	leaves := `!dispatchEvent(new Event("beforeunload", {cancelable: true}))`
	p.step("choose", choose("module", p.file("app.wasm", large)), choose("manifest_file", p.file("agora.toml", manifest("shop"))))
	p.is("leaving is free before", "!("+leaves+")")
	p.network(false, 400_000)
	p.step("slow", send)
	p.until("bytes are shown", `document.querySelector("#progress-bar").value > 100000 && document.querySelector("#progress-bytes").textContent.includes("of 4.0 MiB")`)
	p.is("it is part of the way", `document.querySelector("#progress-bar").value < document.querySelector("#progress-bar").max && document.querySelector("#progress-said").textContent.includes("Sending app.wasm")`)
	p.is("who leaves is warned", leaves)
	p.is("the focus is at cancel", `document.activeElement.id === "cancel"`)
	p.step("cancel", chromedp.Click(chromedp.CSS("#cancel")))
	p.until("cancelled", `document.querySelector("#problem").textContent.includes("Cancelled. Nothing was published.")`)
	p.is("the form is there again", `document.querySelector("#field-module").files.length === 1 && document.querySelector("#field-name").value === "shop" && document.activeElement.id === "send" && !(`+leaves+`)`)
	p.network(true, -1)
	p.step("offline", send)
	p.until("offline", `document.querySelector("#problem [role=alert]")?.textContent.includes("You are offline.")`)
	p.is("all is kept, and the focus is there", `document.querySelector("#field-module").files.length === 1 && document.activeElement.id === "problem"`)
	if apps, err := n.ada().Apps(t.Context()); err != nil || len(apps) != 0 {
		t.Fatalf("apps: %+v, %v", apps, err)
	}
	p.network(false, -1)
	addr := n.Addr().String()
	n.stop()
	p.step("away", chromedp.Click(chromedp.Search(`//button[text()="Try again"]`)))
	p.until("away", `document.querySelector("#problem [role=alert]")?.textContent.includes("This node cannot be reached.")`)
	startIn(t, n.dir, func(o *node.Options) { o.Listen = addr })
	eval[bool](p, `new MutationObserver(() => sessionStorage.steps = document.querySelector("#progress-steps").textContent).observe(document.querySelector("#progress"), {subtree: true, childList: true}), true`)
	p.step("again", chromedp.Click(chromedp.Search(`//button[text()="Try again"]`)), chromedp.WaitVisible(chromedp.Search(`//p[@role="status"][contains(., "the sandbox serves it")]`)))
	for _, stage := range []string{"Sending", "Reading the manifest", "Compiling", "Trying the app", "Storing the release"} {
		p.is("the step "+stage, `sessionStorage.steps.includes("`+stage+`")`)
	}
}

// TestUploadSignedOut: a session that ended is noticed before the module is sent; whoever signs in
// in another tab goes on.
func TestUploadSignedOut(t *testing.T) {
	n := start(t)
	p := browse(t, n)
	p.upload()
	p.step("choose", choose("module", p.file("app.wasm", says("one"))), choose("manifest_file", p.file("agora.toml", manifest("shop"))))
	eval[int](p, `fetch("/sign-out", {method: "POST"}).then(r => r.status)`)
	p.step("signed-out", send)
	p.until("signed out", `document.querySelector("#problem [role=alert] a[href='/sign-in?next=%2Fupload']")?.target === "_blank"`)
	link, err := n.Welcome(t.Context(), ada)
	if err != nil {
		t.Fatal(err)
	}
	_, secret, _ := strings.Cut(link, "link=")
	eval[int](p, `fetch("/sign-in", {method: "POST", body: new URLSearchParams({link: "`+secret+`"})}).then(r => r.status)`)
	p.step("again", chromedp.Click(chromedp.Search(`//button[text()="Try again"]`)), chromedp.WaitVisible(chromedp.Search(`//p[@role="status"][contains(., "the sandbox serves it")]`)))
}

// TestUploadOnAPhone: nothing of the form is wider than the page.
func TestUploadOnAPhone(t *testing.T) {
	p := browse(t, start(t))
	p.step("phone", chromedp.EmulateViewport(390, 844))
	p.upload()
	eval[bool](p, `document.querySelectorAll("details").forEach(d => d.open = true), document.querySelector("#progress").hidden = false, true`)
	p.is("nothing is wider", `document.documentElement.scrollWidth <= 390 && [...document.querySelectorAll("#upload, #upload *")].every(e => e.closest("pre") || e.getBoundingClientRect().right <= 390)`)
	p.step("phone-form")
}

// TestUploadManifestText: what the form writes into a manifest's text is what the node reads there,
// whatever it is and however the text was written; the rest of the text stays.
func TestUploadManifestText(t *testing.T) {
	p := browse(t, start(t))
	quoted := func(v string) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	const rest = "name = \"shop\" # ours\nversion = '1'\n"
	bases := []string{
		"", rest, rest + "title = \"Old\" # why\nteam = \"a\"\n", "title = 'Old'\n" + rest + "[config]\ntitle = \"x\"\n", rest + "\n[capabilities.log]\n\n[config]\ntitle = \"\"\"\na\nb\"\"\"\n",
		"title = \"\"\"\nOld\ntitle = 5\n\"\"\"\n" + rest, "  title\t=\t'''Old\n'''\r\n" + rest, "description = \"title = 'x'\"\n", "title = \"\"\n", "title = \"a \\\" # b\" # c\n",
		"description = \"\"\"\n[a]\ntitle = 5\n\"\"\"\ntitle = \"Old\"\n", "description = '''\n[a]\ntitle = 5'''\n[config]\ntitle = \"x\"\n", "# [a]\n# title = \"no\"\n  [config]\ntitle = \"x\"\n", "[config]\na = \"b\"",
	}
	texts := []string{"", "Shop", `"q" 'q' \ # = [x]`, "two\nlines", "$& $1 $$", "é 日本 😀", "\x7f\t", `"""`, "'''"}
	for _, base := range bases {
		for _, text := range texts {
			set := eval[string](p, `import("/static/manifest.js").then(m => m.set(`+quoted(base)+`, "title", `+quoted(text)+`))`)
			if got := eval[string](p, `import("/static/manifest.js").then(m => m.get(`+quoted(set)+`, "title"))`); got != text {
				t.Errorf("%q in %q is read as %q", text, base, got)
			}
			var was, is registry.Manifest
			if err := toml.Unmarshal([]byte(base), &was); err != nil {
				t.Fatalf("%q: %v", base, err)
			}
			if err := toml.Unmarshal([]byte(set), &is); err != nil || is.Title != text {
				t.Errorf("%q in %q is %q, %v", text, base, set, err)
			}
			was.Title = text
			if !reflect.DeepEqual(was, is) {
				t.Errorf("%q in %q changed more: %q", text, base, set)
			}
		}
	}
}

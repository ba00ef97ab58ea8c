package node_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/agora-host/agora/access"
)

// browser starts Chromium. It is a failure, not a skip, if there is none: the
// console is a promise as much as the API is.
func browser(t *testing.T, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("pages are looked at in the whole run, not under the race detector")
	}
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Fatal("the browser test needs Chromium: apt-get install chromium")
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.Headless, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.DisableGPU, chromedp.NoSandbox, chromedp.ExecPath(path),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.WindowSize(1280, 1000), chromedp.UserDataDir(t.TempDir()),
	}
	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Minute) // the walk through every page takes one and a half on two cores
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, append(options, more...)...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}

// shoot keeps a picture of the page, if AGORA_SCREENSHOTS names a directory.
func shoot(ctx context.Context, name string) error {
	dir := os.Getenv("AGORA_SCREENSHOTS")
	if dir == "" {
		return nil
	}
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)
}

// steps returns what does a step in the browser, and keeps a picture of its end.
func steps(t *testing.T, ctx context.Context) func(name string, actions ...chromedp.Action[chromedp.Void]) {
	return func(name string, actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		within, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		err := chromedp.Do(within, actions...)
		if err == nil {
			err = shoot(within, name)
		}
		if err != nil {
			page, _ := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("body")))
			t.Fatalf("%s: %v\n%s", name, err, page)
		}
	}
}

// TestConsole is a day in the console: sign in with the link, upload a module,
// see it refused and why, correct it, see it serve, see its usage, decide
// about another person's app, and look at every page.
func TestConsole(t *testing.T) {
	n := start(t)
	link, err := n.Welcome(t.Context(), ada, access.Roles()...)
	if err != nil {
		t.Fatal(err)
	}
	text, module := example(t, "hello")
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	wasm, toml := write("hello.wasm", module), write("agora.toml", text)
	bad := write("bad.toml", []byte(strings.Replace(string(text), "cost_center = ", "cost_centre = ", 1)))
	// Another person's app waits for a reviewer.
	other := n.as("bob@example.com", access.RoleDeveloper)
	book, bookModule := example(t, "guestbook")
	n.publish(other, []byte(strings.ReplaceAll(string(book), ada, "bob@example.com")), bookModule)

	ctx := browser(t)
	base := n.ConsoleURL()
	if err := chromedp.Do(ctx); err != nil { // the browser lives as long as the context of the first call
		t.Fatal(err)
	}
	step := steps(t, ctx)
	read := func(css string) string {
		t.Helper()
		within, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		got, err := chromedp.Run(within, chromedp.Text(chromedp.CSS(css)))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	step("01-sign-in", chromedp.Navigate(link), chromedp.WaitVisible(chromedp.Search(`//button[text()="Sign in"]`)))
	step("02-catalogue", chromedp.Click(chromedp.Search(`//button[text()="Sign in"]`)), chromedp.WaitVisible(chromedp.Search(`//h1[text()="Apps"]`)))
	step("03-upload", chromedp.Click(chromedp.Search(`//a[text()="Upload"]`)), chromedp.WaitVisible(chromedp.CSS(`form[enctype] textarea`)))
	step("04-refused",
		chromedp.SetUploadFiles(chromedp.CSS(`input[name=module]`), []string{wasm}), chromedp.SetUploadFiles(chromedp.CSS(`input[name=manifest_file]`), []string{bad}),
		chromedp.Click(chromedp.Search(`//button[text()="Upload"]`)), chromedp.WaitVisible(chromedp.Search(`//section[@role="alert"]//strong[contains(., "cost_centre")]`)))
	step("05-release",
		chromedp.SetUploadFiles(chromedp.CSS(`input[name=module]`), []string{wasm}), chromedp.SetUploadFiles(chromedp.CSS(`input[name=manifest_file]`), []string{toml}),
		chromedp.Click(chromedp.Search(`//button[text()="Upload"]`)), chromedp.WaitVisible(chromedp.Search(`//p[@role="status"][contains(., "the sandbox serves it")]`)))
	for range 12 {
		if got := n.get(n.AppURL("hello") + "?name=Ada"); got.Status != 200 {
			t.Fatalf("the uploaded app: %+v", got)
		}
	}
	step("06-app", chromedp.Navigate(base+"/apps/hello"), chromedp.WaitVisible(chromedp.CSS(`.tiles dd`)), chromedp.WaitVisible(chromedp.CSS(`.chart .bar`)), chromedp.WaitVisible(chromedp.Search(`//li[contains(., "greeting")]`)))
	if calls := read(".tiles dd"); calls != "12" {
		t.Errorf("the app page shows %q calls, want 12", calls)
	}
	step("07-requests", chromedp.Navigate(base+"/requests"), chromedp.WaitVisible(chromedp.Search(`//button[text()="Approve"]`)))
	step("08-approved", chromedp.Click(chromedp.Search(`//button[text()="Approve"]`)), chromedp.WaitVisible(chromedp.Search(`//p[@role="status"][contains(., "Approved")]`)))
	if got := n.get(n.AppURL("guestbook")); got.Status != 200 {
		t.Errorf("the approved app: %+v", got)
	}
	if got := n.do("POST", n.AppURL("guestbook"), "name=Ada&text=Hello", "Content-Type", "application/x-www-form-urlencoded"); got.Status != 303 {
		t.Errorf("an entry: %+v", got)
	}
	step("08a-touch", chromedp.Navigate(base+"/apps/guestbook"), chromedp.WaitVisible(chromedp.Search(`//ul[@class="caps"]//p[contains(., "changed once (entry/)")]`)))
	step("08b-shrunk", chromedp.Click(chromedp.Search(`//button[text()="Shrink the grant to that"]`)), chromedp.WaitVisible(chromedp.Search(`//p[@role="status"][contains(., "Shrunk")]`)))
	step("08c-secret", chromedp.Navigate(base+"/apps/guestbook"), chromedp.Click(chromedp.Search(`//summary[text()="Set a secret"]`)),
		chromedp.SendKeys(chromedp.CSS(`#secrets input[name=name]`), "stripe"), chromedp.SendKeys(chromedp.CSS(`#secrets input[name=value]`), "hunter2"),
		chromedp.Click(chromedp.Search(`//button[text()="Set"]`)), chromedp.WaitVisible(chromedp.Search(`//section[@id="secrets"]//code[text()="stripe"]`)))
	if page := read("body"); strings.Contains(page, "hunter2") {
		t.Error("the page shows the secret")
	}
	step("09-usage", chromedp.Navigate(base+"/usage"), chromedp.WaitVisible(chromedp.Search(`//td/a[text()="hello"]`)))
	step("10-grants", chromedp.Navigate(base+"/grants"), chromedp.WaitVisible(chromedp.Search(`//span[text()="holds"]`)))
	step("11-rules", chromedp.Navigate(base+"/policy"), chromedp.WaitVisible(chromedp.CSS(`pre.source`)))
	step("12-activity", chromedp.Navigate(base+"/activity"), chromedp.WaitVisible(chromedp.Search(`//td[text()="uploaded release"]`)))
	step("13-settings", chromedp.Navigate(base+"/settings"), chromedp.WaitVisible(chromedp.Search(`//h2[text()="People"]`)))
	step("14-token", chromedp.Click(chromedp.Search(`//summary[text()="Make a token"]`)), chromedp.SendKeys(chromedp.CSS(`input[name=label]`), "ci"), chromedp.Click(chromedp.Search(`//button[text()="Make a token"]`)), chromedp.WaitVisible(chromedp.CSS(`.secret`)))
	if token := read(".secret"); !strings.HasPrefix(token, "agora_tok_") {
		t.Errorf("the token is %q", token)
	}
	step("15-not-found", chromedp.Navigate(base+"/apps/none"), chromedp.WaitVisible(chromedp.Search(`//h1[text()="There is no such app"]`)))
	step("16-catalogue-again", chromedp.Navigate(base+"/"), chromedp.WaitVisible(chromedp.CSS(`.card`)))
	step("17-search", chromedp.SendKeys(chromedp.CSS(`input[name=q]`), "guest"), chromedp.WaitNotPresent(chromedp.Search(`//a[text()="Hello"]`)), chromedp.WaitVisible(chromedp.Search(`//a[text()="Guestbook"]`)))
	step("18-signed-out", chromedp.Navigate(base+"/settings"), chromedp.Click(chromedp.Search(`//button[text()="Sign out"]`)), chromedp.WaitVisible(chromedp.CSS(`input[name=link]`)))
	step("19-link-used", chromedp.Navigate(link), chromedp.Click(chromedp.Search(`//button[text()="Sign in"]`)), chromedp.WaitVisible(chromedp.Search(`//h1[text()="This sign-in link does not work any more"]`)))
}

package node_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/registry/sigstore"
	"github.com/agora-host/agora/sdk/client"
)

const bob = "bob@example.com" // develops, too

func (n *testNode) bob() *client.Client { return n.as(bob, access.RoleDeveloper) }

// must fails the test with an error.
func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// refusedAs checks that an act was refused with the problem of a type.
func refusedAs[T any](t testing.TB, what, slug string, v T, err error) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: allowed: %+v", what, v)
		return
	}
	if p := problemOf(t, err); !strings.HasSuffix(p.Type, "/"+slug) {
		t.Errorf("%s: %s (%s), want %s", what, p.Type, p.Detail, slug)
	}
}

// TestSuspendedApp: every way to an app that is suspended says so, at once, and nothing calls it;
// when it is resumed all is as it was, and what came for it is delivered.
func TestSuspendedApp(t *testing.T) {
	ctx := t.Context()
	n := start(t)
	text := "[[triggers.cron]]\nname = \"tick\"\nschedule = \"0 0 1 1 *\"\npath = \"/tick\"\n" + hooks("queue")
	p := n.publish(n.ada(), manifest("bank", text), says("thanks"))
	for _, name := range []string{"pay", "git"} {
		must(n.ada().SetSecret(ctx, "bank", name, []byte("s3cret")))(t)
	}
	hook := func(body string) answer {
		return n.do("POST", p.URL+"hooks/git", body, "X-Hub-Signature-256", "sha256="+hexMac("s3cret", body))
	}
	if got := n.get(p.URL); got.Status != 200 {
		t.Fatalf("before: %+v", got)
	}
	app := must(n.ops().Suspend(ctx, "bank", "it leaks"))(t)
	if app.State != "suspended" || app.Suspension.By != ops || app.Suspension.Authority != "operator" || app.Suspension.Reason != "it leaks" {
		t.Errorf("suspended: %+v", app)
	}
	for what, got := range map[string]answer{
		"its address":     n.do("GET", p.URL, "", "Accept", "application/json"),
		"a release":       n.do("GET", p.Preview, "", "Accept", "application/json"),
		"a tier":          n.do("GET", strings.Replace(p.URL, "//", "//sandbox--", 1), "", "Accept", "application/json"),
		"a webhook":       hook("x"),
		"a webhook's GET": n.do("GET", p.URL+"hooks/git?hub.challenge=1&hub.mode=subscribe", "", "Accept", "application/json"),
	} {
		if got.Status != http.StatusServiceUnavailable || got.Problem.Title != "The app is suspended" || !strings.Contains(got.Problem.Detail, "by ops, an operator") || strings.Contains(got.Body, "@example.com") || got.Header.Get("Retry-After") != "3600" || strings.Contains(got.Body, "leaks") {
			t.Errorf("%s: %d %s", what, got.Status, got.Body)
		}
	}
	page := n.do("GET", p.URL, "", "Accept", "text/html")
	if page.Status != http.StatusServiceUnavailable || !strings.Contains(page.Body, "The app is suspended") || !strings.Contains(page.Body, "by ops, an operator") || strings.Contains(page.Body, "@example.com") {
		t.Errorf("an end user's page: %d %s", page.Status, page.Body)
	}
	_, err := n.ada().Invoke(ctx, "bank", client.Call{Method: "GET", Path: "/"})
	refusedAs(t, "invoke", "app-suspended", "", err)
	_, err = n.ada().RunTrigger(ctx, "bank", "tick")
	refusedAs(t, "run a trigger", "app-suspended", "", err)
	if tick := n.trigger("bank", "tick"); !tick.Next.IsZero() {
		t.Errorf("cron runs next at %s", tick.Next)
	}
	// A mended release can be uploaded, and serves when the app is resumed.
	n.publish(n.ada(), manifest("bank", text), says("mended"))
	if got := n.get(p.URL); got.Status != http.StatusServiceUnavailable {
		t.Errorf("after an upload: %+v", got)
	}
	_, err = n.ada().Resume(ctx, "bank", "")
	refusedAs(t, "the owner resumes", "suspension-held", "", err)
	_, err = n.rex().Resume(ctx, "bank", "")
	refusedAs(t, "a reviewer resumes an operator's", "suspension-held", "", err)
	must(n.ops().Resume(ctx, "bank", ""))(t)
	if got := n.get(p.URL); got.Status != 200 || got.Body != "mended" {
		t.Errorf("resumed: %+v", got)
	}
	if got := hook("x"); got.Status != 200 {
		t.Errorf("a webhook after: %+v", got)
	}
	if tick := n.trigger("bank", "tick"); tick.Next.IsZero() {
		t.Error("cron does not run again")
	}
}

// TestSuspendEndsCalls: a call that runs when its app is suspended ends, and says why.
func TestSuspendEndsCalls(t *testing.T) {
	n := start(t)
	p := n.publish(n.ada(), manifest("spin", "[limits]\ntimeout = \"10s\"\nfuel = 2000000000"), wasmtest.App{Raw: append(slices.Clone(wasmtest.Forever), wasm.OpI64Const, 0)}.Bytes())
	done := make(chan answer, 1)
	go func() { done <- n.do("GET", p.URL, "", "Accept", "application/json") }()
	eventually(t, "the call runs", func() bool { return n.RunningCalls("spin") == 1 })
	must(n.ada().Suspend(t.Context(), "spin", ""))(t)
	select {
	case got := <-done:
		if got.Status != http.StatusServiceUnavailable || !strings.Contains(got.Problem.Detail, "was suspended by its owner") {
			t.Errorf("the call that ran: %d %s", got.Status, got.Body)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the call runs on")
	}
}

// TestWhoMayWhat: owners, strangers, reviewers and operators, by the API; each refusal has its reason.
func TestWhoMayWhat(t *testing.T) {
	ctx := t.Context()
	n := start(t)
	n.publish(n.ada(), manifest("shop"), says("one"))
	guest := n.as("eve@example.com", access.RoleViewer)
	for what, err := range map[string]error{
		"suspend":  second(guest.Suspend(ctx, "shop", "x")),
		"delete":   second(guest.DeleteApp(ctx, "shop", "x")),
		"transfer": second(guest.Transfer(ctx, "shop", bob, "x")),
		"rename":   second(guest.Rename(ctx, "shop", "Mine")),
	} {
		refusedAs(t, "a viewer: "+what, "forbidden", "", err)
	}
	for what, err := range map[string]error{
		"suspend":  second(n.bob().Suspend(ctx, "shop", "x")),
		"delete":   second(n.bob().DeleteApp(ctx, "shop", "x")),
		"undelete": second(n.bob().UndeleteApp(ctx, "shop")),
		"transfer": second(n.bob().Transfer(ctx, "shop", bob, "x")),
		"rename":   second(n.bob().Rename(ctx, "shop", "Mine")),
	} {
		refusedAs(t, "a stranger: "+what, "not-owner", "", err)
	}
	refusedAs(t, "a reviewer without a reason", "reason-missing", "", second(n.rex().Suspend(ctx, "shop", " ")))
	refusedAs(t, "an operator without a reason", "reason-missing", "", second(n.ops().DeleteApp(ctx, "shop", "")))
	refusedAs(t, "resume what runs", "app-state", "", second(n.ada().Resume(ctx, "shop", "")))
	refusedAs(t, "take what is not offered", "not-offered", "", second(n.bob().AnswerOffer(ctx, "shop", true)))
	refusedAs(t, "offer to nobody known", "no-such-user", "", second(n.ada().Transfer(ctx, "shop", "nobody@example.com", "")))
	refusedAs(t, "offer to a viewer", "bad-owner", "", second(n.ada().Transfer(ctx, "shop", "eve@example.com", "")))
	refusedAs(t, "a title of control characters", "bad-text", "", second(n.ada().Rename(ctx, "shop", "a\x00b")))
	other := n.do("POST", n.ConsoleURL()+"/api/v1/apps/shop/delete", `{"app":"shop2"}`, "Content-Type", "application/json", "Authorization", "Bearer "+n.token(ada, access.RoleDeveloper))
	if other.Problem.Type != "/problems/name-not-repeated" {
		t.Errorf("delete with another name: %+v", other)
	}

	n.bob()
	if app := must(n.ada().Transfer(ctx, "shop", bob, ""))(t); app.Offer == nil || app.Owner != ada {
		t.Errorf("offered: %+v", app)
	}
	if app := must(n.bob().AnswerOffer(ctx, "shop", true))(t); app.Owner != bob || app.Offer != nil {
		t.Errorf("taken: %+v", app)
	}
	refusedAs(t, "the old owner", "not-owner", "", second(n.ada().Suspend(ctx, "shop", "")))
	if got := n.get(n.AppURL("shop")); got.Status != 200 {
		t.Errorf("the app of the old owner's release: %+v", got)
	}
	for _, c := range []struct {
		who  *client.Client
		apps int64
	}{{n.ada(), 0}, {n.bob(), 1}} {
		for _, q := range must(c.who.Quotas(ctx, "", ""))(t) {
			if (q.Name == "apps" || q.Name == "releases") && q.Used != c.apps {
				t.Errorf("%s of %s: %d, want %d", q.Name, q.Of, q.Used, c.apps)
			}
		}
	}
	text := strings.ReplaceAll(string(manifest("shop")), ada, bob)
	if p := n.publish(n.bob(), []byte(text), says("two")); p.Release.Number != 2 {
		t.Errorf("the new owner's release: %+v", p)
	}
	if app := must(n.ops().Transfer(ctx, "shop", ada, "bob left"))(t); app.Owner != ada {
		t.Errorf("handed over: %+v", app)
	}
	if app := must(n.ada().Rename(ctx, "shop", "The shop"))(t); app.Title != "The shop" || app.Name != "shop" {
		t.Errorf("renamed: %+v", app)
	}
}

func second[T any](_ T, err error) error { return err }

// canary stands in all that the app of TestRemoval keeps.
const canary = "canary-7f3a9c51d2"

// TestRemoval: when an app's wait is over, no byte of what it was and kept is in the data directory,
// its name leads to nothing and no one gets it, its owner's quota is free, its neighbour has lost
// nothing, and a certificate that the node signed says what was removed and nothing of it.
func TestRemoval(t *testing.T) {
	ctx := t.Context()
	clock := newFrozen()
	n := start(t, func(o *node.Options) { o.Now = clock.Now })
	fillApp(t, n)
	n.publish(n.ada(), manifest("next"), says("neighbour"))
	if err := n.SetApp(ctx, "next", "k", "of the neighbour"); err != nil {
		t.Fatal(err)
	}
	if found := grepDir(t, n.dir, canary); len(found) < 4 {
		t.Fatalf("the test has canaries in %v alone", found)
	}

	app := must(n.ada().DeleteApp(ctx, "shop", ""))(t)
	if app.State != "deleting" || !app.Deletion.Until.Equal(clock.Now().UTC().Add(30*24*time.Hour)) {
		t.Errorf("deleting: %+v", app)
	}
	if got := n.do("GET", n.AppURL("shop"), "", "Accept", "application/json"); got.Status != 503 || got.Problem.Title != "The app is being deleted" || !strings.Contains(got.Problem.Detail, "Ask its owner ada.") {
		t.Errorf("while it waits: %+v", got)
	}
	refusedAs(t, "publish while it waits", "app-state", "", second(n.ada().Publish(ctx, manifest("shop"), says("x"), signAs(t, n.ada(), says("x")), nil)))
	must(n.ada().UndeleteApp(ctx, "shop"))(t)
	if got := n.get(n.AppURL("shop")); got.Status == 503 {
		t.Errorf("undone: %+v", got)
	}
	must(n.ada().DeleteApp(ctx, "shop", ""))(t)
	usage := must(n.ada().Usage(ctx, client.UsageQuery{App: "shop", From: clock.Now().Add(-time.Hour), To: clock.Now().Add(time.Hour)}))(t)
	clock.pass(31 * 24 * time.Hour)
	eventually(t, "it is removed", func() bool {
		n.RemoveDue(ctx)
		return must(n.ops().App(ctx, "shop"))(t).State == "removed"
	})
	if got := n.get(n.AppURL("shop")); got.Status != http.StatusGone || got.Problem.Title != "The app was removed" {
		t.Errorf("removed: %+v", got)
	}
	checkRemoved(t, n)

	was := must(n.ada().Usage(ctx, client.UsageQuery{App: "shop", From: usage.From, To: usage.To}))(t)
	if usage.Total.Calls == 0 || was.Total.Calls != usage.Total.Calls {
		t.Errorf("usage was %d calls, and is %d", usage.Total.Calls, was.Total.Calls)
	}
	refusedAs(t, "the name for another", "app-removed", "", second(n.bob().Publish(ctx, []byte(strings.ReplaceAll(string(manifest("shop")), ada, bob)), says("x"), signAs(t, n.bob(), says("x")), nil)))
	refusedAs(t, "undo", "app-removed", "", second(n.ops().UndeleteApp(ctx, "shop")))
	if value, err := n.GetApp(ctx, "next", "k"); err != nil || value != "of the neighbour" || n.get(n.AppURL("next")).Body != "neighbour" {
		t.Errorf("the neighbour: %q, %v", value, err)
	}
}

// fillApp has an app keep a canary in every place where an app can keep something.
func fillApp(t *testing.T, n *testNode) {
	t.Helper()
	ctx := t.Context()
	noted := func(module []byte) []byte {
		return must(wasm.WithCustomSection(module, "note", []byte(canary)))(t)
	}
	head := "title = \"" + canary + "\"\ndescription = \"" + canary + "\"\n"
	for _, word := range []string{"kv", "blob"} {
		r := wasmtest.Relay{Capability: word, Pages: 48}
		p := n.publish(n.ada(), manifest("shop", head+"[capabilities."+word+"]"), noted(r.Bytes()))
		n.decide(p)
		fn, in := "set", abi.AppendKVSet(nil, "key-"+canary, bytes.Repeat([]byte(canary+" "), 3000))
		if word == "blob" {
			fn, in = "put", abi.AppendBlobPut(nil, canary, bytes.Repeat([]byte(canary+" "), 50_000))
		}
		if _, errno, _ := (&relayed{n, r, p.URL}).call(wasmtest.RelayCall{Func: fn, In: in}); errno != 0 {
			t.Fatal(word, errno)
		}
	}
	module := noted(withFiles(t, answers(500, canary), fstest.MapFS{"index.html": {Data: []byte(canary)}}))
	p := n.publish(n.ada(), manifest("shop", head+hooks("queue")+"\n[static]\ndir = \"static\""), module)
	for _, name := range []string{"pay", "git"} {
		must(n.ada().SetSecret(ctx, "shop", name, []byte("s3cret")))(t)
	}
	must(n.ops().CreateDomain(ctx, "shop.example.org", "shop"))(t)
	at := fmt.Sprint(time.Now().Unix())
	if got := n.do("POST", p.URL+"hooks/pay", canary, "Stripe-Signature", "t="+at+",v1="+hexMac("s3cret", at+"."+canary)); got.Status != 202 {
		t.Fatalf("webhook: %+v", got)
	}
	eventually(t, "the delivery fails and waits", func() bool { return n.trigger("shop", "pay").Failed == 1 })
	n.Log("shop", canary)
}

// checkRemoved looks for anything that is left of shop.
func checkRemoved(t *testing.T, n *testNode) {
	t.Helper()
	ctx := t.Context()
	if found := grepDir(t, n.dir, canary); len(found) > 0 {
		t.Errorf("the canary is still in %v", found)
	}
	for _, check := range must(n.ops().Doctor(ctx))(t) {
		if !check.OK {
			t.Errorf("doctor: %+v", check)
		}
	}
	for _, q := range must(n.ada().Quotas(ctx, "", "shop"))(t) {
		want := int64(0)
		if q.Name == "apps" || q.Name == "releases" {
			want = 1 // of the neighbour
		}
		if q.Used != want && q.Name != "module-bytes" && q.Name != "tokens" {
			t.Errorf("quota %s of %s: %d, want %d", q.Name, q.Of, q.Used, want)
		}
	}
	for _, a := range must(n.ada().Apps(ctx))(t) {
		if a.Name == "shop" {
			t.Error("it is listed still")
		}
	}
	all := must(n.ada().Certificates(ctx, "shop"))(t)
	if len(all) != 1 {
		t.Fatalf("%d certificates", len(all))
	}
	c := must(n.ada().Certificate(ctx, all[0].ID))(t)
	root := must(n.TrustRoot(ctx))(t)
	if err := sigstore.VerifyDocument(root, c.Document, c.Signature); err != nil {
		t.Error(err)
	}
	var said client.Certificate
	if err := json.Unmarshal(c.Document, &said); err != nil || said.App != "shop" || said.What != "app" || said.By != ada {
		t.Errorf("certificate: %s, %v", c.Document, err)
	}
	kinds := map[string]int{}
	for _, r := range said.Removed {
		kinds[r.Kind]++
	}
	for kind, least := range map[string]int{"release": 3, "key-value pairs": 1, "blobs": 1, "secrets": 1, "host name": 1, "grants": 1, "log": 1, "deliveries and dead letters": 1} {
		if kinds[kind] != least {
			t.Errorf("certificate: %d entries of %s, want %d: %s", kinds[kind], kind, least, c.Document)
		}
	}
	refusedAs(t, "a stranger's look at the certificate", "forbidden", "", second(n.bob().Certificate(ctx, c.ID)))
}

// grepDir lists the files of a directory that have a text in them, or in their names.
func grepDir(t testing.TB, dir, text string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a node that runs deletes files
		}
		if err != nil || e.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && (bytes.Contains(raw, []byte(text)) || strings.Contains(e.Name(), text)) {
			found = append(found, strings.TrimPrefix(path, dir))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestCertificatesOfReleases: a release that is deleted, or that others crowd out, is certified.
func TestCertificatesOfReleases(t *testing.T) {
	ctx := t.Context()
	n := start(t, func(o *node.Options) { o.KeepReleases = 2 })
	for i := range 4 {
		n.publish(n.ada(), manifest("shop"), says(fmt.Sprint("release ", i)))
	}
	all := must(n.ada().Certificates(ctx, ""))(t)
	if len(all) != 2 || all[1].By != "node" || all[1].Removed[0].Name != "1" || !strings.Contains(all[0].Rule, "2 newer") {
		t.Fatalf("crowded out: %d, %+v", len(all), all[0].Removed)
	}
	if err := n.ada().DeleteRelease(ctx, "shop", 3); err != nil {
		t.Fatal(err)
	}
	all = must(n.ada().Certificates(ctx, "shop"))(t)
	if len(all) != 3 || all[0].By != ada || all[0].Removed[0].Name != "3" || all[0].Removed[0].Digest == "" || all[0].Previous != all[1].Digest {
		t.Errorf("deleted: %d, %+v", len(all), all[0].Removed)
	}
	if events := must(n.ada().Events(ctx, 0, 0))(t); !hasEvent(events, "certificate.issued", all[0].ID) {
		t.Error("no event names the certificate")
	}
}

func hasEvent(all []abi.Event, kind, subject string) bool {
	for _, e := range all {
		if e.Kind == kind && e.Subject == subject {
			return true
		}
	}
	return false
}

// TestRemovalAfterRestore: a backup of an app that waits to be removed brings it back waiting, and it
// is removed when its time has come.
func TestRemovalAfterRestore(t *testing.T) {
	ctx := t.Context()
	clock := newFrozen()
	n := start(t, func(o *node.Options) { o.Now = clock.Now })
	fillApp(t, n)
	must(n.ada().DeleteApp(ctx, "shop", ""))(t)
	file := filepath.Join(t.TempDir(), "agora.backup")
	n.backup(file)
	n.stop()
	dir := filepath.Join(t.TempDir(), "data")
	must(node.Restore(ctx, file, dir))(t)
	if len(grepDir(t, dir, canary)) < 4 {
		t.Error("the backup has not what the app kept")
	}
	clock.pass(31 * 24 * time.Hour)
	r := startIn(t, dir, func(o *node.Options) { o.Now = clock.Now })
	eventually(t, "it is removed", func() bool {
		r.RemoveDue(ctx)
		return must(r.ops().App(ctx, "shop"))(t).State == "removed"
	})
	if found := grepDir(t, dir, canary); len(found) > 0 {
		t.Errorf("the canary is still in %v", found)
	}
	for _, check := range must(r.ops().Doctor(ctx))(t) {
		if !check.OK {
			t.Errorf("doctor: %+v", check)
		}
	}
}

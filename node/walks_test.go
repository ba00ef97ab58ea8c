package node_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// TestFirstLight is the main job from end to end: upload, serve, bill, roll back.
func TestFirstLight(t *testing.T) {
	n := start(t)
	c := n.ada()
	one := n.publish(c, manifest("shop"), says("one"))
	if !one.Active || one.Release.Number != 1 || one.Release.Signer.Identity != ada {
		t.Fatalf("published %+v", one)
	}
	if got := n.get(one.URL); got.Status != 200 || got.Body != "one" || got.Header.Get("Agora-Invocation") == "" {
		t.Fatalf("got %+v", got)
	}
	two := n.publish(c, manifest("shop"), says("two"))
	if got := n.get(two.URL); got.Body != "two" {
		t.Errorf("the new release does not serve: %+v", got)
	}
	if got := n.get(one.Preview); got.Body != "one" {
		t.Errorf("the preview of release 1: %+v", got)
	}
	if again := n.publish(c, manifest("shop"), says("two")); again.Release.Number != 2 {
		t.Errorf("an upload that is repeated made release %d", again.Release.Number)
	}
	if _, err := c.RollBack(t.Context(), "shop", "", ""); problemOf(t, err).Type != "/problems/reason-missing" {
		t.Errorf("rolled back without a reason: %v", err)
	}
	if _, err := c.RollBack(t.Context(), "shop", "", "it was wrong"); err != nil {
		t.Fatal(err)
	}
	if got := n.get(two.URL); got.Body != "one" {
		t.Errorf("after the rollback: %+v", got)
	}
	if _, err := c.RollBack(t.Context(), "shop", "", "again"); problemOf(t, err).Type != "/problems/no-earlier-release" {
		t.Errorf("rolled back beyond the first release: %v", err)
	}

	// Exact: what one call costs is what four calls cost, divided.
	call, err := c.Invoke(t.Context(), "shop", client.Call{})
	if err != nil || string(call.Body) != "one" {
		t.Fatalf("%+v, %v", call, err)
	}
	report, err := c.Usage(t.Context(), client.UsageQuery{App: "shop", By: []string{"release"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Rows) != 2 || report.Rows[0].Calls != 4 || report.Rows[0].Instructions != 4*call.Instructions || report.Rows[1].Calls != 1 {
		t.Errorf("usage %+v; one call of release 1 costs %d", report.Rows, call.Instructions)
	}
	if report.Total.BytesOut != 5*3 || report.Total.Failed() != 0 {
		t.Errorf("total %+v", report.Total)
	}
	history, err := c.Activations(t.Context(), "shop")
	if err != nil || len(history) != 3 || !history[0].Rollback || history[0].Reason != "it was wrong" {
		t.Errorf("history %+v, %v", history, err)
	}
}

func TestHostNamesAreExact(t *testing.T) {
	n := start(t)
	p := n.publish(n.ada(), manifest("shop"), says("one"))
	domain := strings.TrimPrefix(strings.TrimSuffix(p.URL, "/"), "http://shop.")
	for _, name := range []string{
		"sho.", "shopp.", "x.shop.", "shop.x.", "-shop.", "r0--shop.", "r01--shop.", "r2--shop.", "pilot--shop.", "nope--shop.", "--shop.", "sandbox--.",
	} {
		if got := n.get("http://" + name + domain + "/"); got.Status != 404 {
			t.Errorf("%s%s: %d %s", name, domain, got.Status, got.Body)
		}
	}
	for _, name := range []string{"shop.", "SHOP.", "sandbox--shop.", "r1--shop."} {
		if got := n.get("http://" + name + domain + "/"); got.Status != 200 {
			t.Errorf("%s%s: %d %s", name, domain, got.Status, got.Body)
		}
	}
	for _, other := range []string{"http://evil.example/", "http://shop.evil.example/", "http://127.0.0.1/"} {
		if got := n.get(other); got.Status != 404 {
			t.Errorf("%s: %d", other, got.Status)
		}
	}
	if got := n.do("GET", "http://nope."+domain+"/", "", "Accept", "text/html"); got.Status != 404 || !strings.Contains(got.Body, "<h1>There is nothing at this address</h1>") {
		t.Errorf("a browser at an unknown app: %d\n%s", got.Status, got.Body)
	}
}

// TestGrant walks a capability from the manifest to the linked function, and back.
func TestGrant(t *testing.T) {
	n := start(t)
	c, reviewer := n.ada(), n.rex()
	text, module := example(t, "guestbook")
	p := n.publish(c, text, module)
	if p.Active || len(p.Requests) != 1 || p.Requests[0].Capability != "kv" {
		t.Fatalf("a release that needs a grant: %+v", p)
	}
	if got := n.get(p.URL); got.Status != 404 || got.Problem.Title != "The app is not available" {
		t.Errorf("before the decision: %+v", got)
	}
	// The preview runs it, and refuses at the link, by name.
	if got := n.get(p.Preview); got.Status != 502 || got.Problem.Title != "The app cannot run at the moment" {
		t.Errorf("the preview before the decision: %+v", got)
	}
	logs, err := c.Logs(t.Context(), "guestbook", 10)
	if err != nil || len(logs) == 0 || !strings.Contains(logs[len(logs)-1].Message, "kv") {
		t.Errorf("the log does not name what is missing: %+v, %v", logs, err)
	}
	id := p.Requests[0].ID
	if _, err := c.Decide(t.Context(), id, true, ""); problemOf(t, err).Type != "/problems/forbidden" {
		t.Errorf("a developer decided: %v", err)
	}
	if _, err := reviewer.Decide(t.Context(), id, false, ""); problemOf(t, err).Type != "/problems/reason-missing" {
		t.Errorf("rejected without a reason: %v", err)
	}
	if _, err := reviewer.Decide(t.Context(), id, true, "fine"); err != nil {
		t.Fatal(err)
	}
	if _, err := reviewer.Decide(t.Context(), id, false, "no"); problemOf(t, err).Type != "/problems/already-decided" {
		t.Errorf("decided twice: %v", err)
	}
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	if got := n.do("POST", p.URL, "name=Ada&text=hi", form...); got.Status != 303 {
		t.Fatalf("an entry: %+v", got)
	}
	if got := n.get(p.URL); !strings.Contains(got.Body, "Ada") {
		t.Errorf("the entry is not there: %+v", got)
	}
	grants, err := c.Grants(t.Context(), "guestbook")
	if err != nil || len(grants) != 1 || grants[0].By != rex || grants[0].Params["quota"] != "262144" {
		t.Fatalf("grants %+v, %v", grants, err)
	}
	if _, err := reviewer.RevokeGrant(t.Context(), grants[0].ID, "no longer"); err != nil {
		t.Fatal(err)
	}
	if got := n.get(p.URL); got.Status != 502 {
		t.Errorf("a revoked grant still works: %+v", got)
	}
}

// TestNobodyDecidesAboutTheirOwn: not even who has every role.
func TestNobodyDecidesAboutTheirOwn(t *testing.T) {
	n := start(t)
	c := n.as(ada, access.Roles()...)
	text, module := example(t, "guestbook")
	p := n.publish(c, text, module)
	if _, err := c.Decide(t.Context(), p.Requests[0].ID, true, ""); problemOf(t, err).Type != "/problems/self-review" {
		t.Errorf("err = %v", err)
	}
	if _, err := c.Withdraw(t.Context(), p.Requests[0].ID); err != nil {
		t.Error(err)
	}
}

func TestPromotion(t *testing.T) {
	n := start(t)
	c, reviewer := n.ada(), n.rex()
	about := "title = \"Shop\"\ndescription = \"Sells.\""
	one := n.publish(c, manifest("shop", about), says("one"))
	q, err := c.Promote(t.Context(), "shop", 1, abi.TierProduction, "ready")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Promote(t.Context(), "shop", 1, abi.TierProduction, "ready"); problemOf(t, err).Type != "/problems/already-requested" {
		t.Errorf("asked twice: %v", err)
	}
	if _, err := c.Activate(t.Context(), "shop", 1, abi.TierProduction, ""); problemOf(t, err).Type != "/problems/not-approved" {
		t.Errorf("entered production unasked: %v", err)
	}
	n.publish(c, manifest("shop", about), says("two"))
	if _, err := reviewer.Decide(t.Context(), q.ID, true, ""); err != nil {
		t.Fatal(err)
	}
	domain := strings.TrimPrefix(one.URL, "http://shop.")
	for address, want := range map[string]string{one.URL: "one", "http://production--shop." + domain: "one", "http://sandbox--shop." + domain: "two"} {
		if got := n.get(address); got.Body != want {
			t.Errorf("%s: %q, want %q", address, got.Body, want)
		}
	}
	if got := n.get("http://pilot--shop." + domain); got.Status != 404 {
		t.Errorf("the pilot tier serves: %+v", got)
	}
}

// TestFaults: whatever a guest does, the caller hears what kind of thing
// happened, the owner what exactly, the meter counts it, and neighbours live.
func TestFaults(t *testing.T) {
	n := start(t)
	c := n.ada()
	well := n.publish(c, manifest("well"), says("fine"))
	tight := "[limits]\nfuel = 1000000\ntimeout = \"400ms\"\nrequest_body = \"1KiB\"\n"
	for _, k := range []struct {
		name   string
		app    wasmtest.App
		status int
		title  string
		kind   string
	}{
		{"trap", wasmtest.App{Code: []byte{0x00}}, 502, "The app failed", "trap"},
		{"loop", wasmtest.App{Code: wasmtest.Forever}, 502, "The app had too much to do", "fuel"},
		{"init", wasmtest.App{Init: wasmtest.Forever}, 502, "The app had too much to do", "fuel"},
		{"outside", wasmtest.App{Alloc: []byte{0x41, 0x7f}}, 502, "The app's response is malformed", "bad_response"},
		{"header", wasmtest.App{Frame: abi.AppendResponse(nil, &abi.Response{Status: 200, Header: []abi.Field{{Name: "X", Value: "a\r\nb: c"}}})}, 502, "The app's response is malformed", "bad_response"},
	} {
		p := n.publish(c, manifest(k.name, tight), k.app.Bytes())
		got := n.get(p.URL)
		if got.Status != k.status || got.Problem.Title != k.title || got.Problem.Remedy.Summary == "" {
			t.Errorf("%s: %+v", k.name, got)
		}
		logs, err := c.Logs(t.Context(), k.name, 5)
		if err != nil || len(logs) == 0 || logs[len(logs)-1].Call != got.Header.Get("Agora-Invocation") {
			t.Errorf("%s: the owner's log does not name the call: %+v, %v", k.name, logs, err)
		}
		u, err := c.Usage(t.Context(), client.UsageQuery{App: k.name})
		if err != nil || u.Total.Calls != 1 || u.Total.Errors[k.kind] != 1 {
			t.Errorf("%s: usage %+v, %v", k.name, u.Total, err)
		}
		if got := n.get(well.URL); got.Body != "fine" {
			t.Errorf("%s: its neighbour answers %+v", k.name, got)
		}
	}
	p := n.publish(c, manifest("small", tight), says("ok"))
	if got := n.do("POST", p.URL, strings.Repeat("x", 2000)); got.Status != 413 {
		t.Errorf("a body over the limit: %+v", got)
	}
}

// TestStartUpAsAsked: what the manifest says about start-up and state is what
// requests meet. The app counts requests in its memory.
func TestStartUpAsAsked(t *testing.T) {
	n := start(t)
	c := n.ada()
	for _, k := range []struct{ name, line, want string }{
		{"fresh", "", "\x01\x01\x01"},
		{"warm", "warm_up = \"/\"", "\x02\x02\x02"},
		{"keeping", "keep_state = true", "\x01\x02\x03"},
	} {
		p := n.publish(c, manifest(k.name, k.line), wasmtest.App{Code: wasmtest.Count(8192)}.Bytes())
		var got string
		for range 3 {
			got += n.get(p.URL).Body[:1]
		}
		if got != k.want {
			t.Errorf("%s: requests find %q, want %q", k.name, got, k.want)
		}
		noted := slices.ContainsFunc(p.Findings, func(f abi.Finding) bool { return f.Code == "state.kept" })
		if noted != (k.name == "keeping") {
			t.Errorf("%s: findings %+v", k.name, p.Findings)
		}
	}
}

// TestRestart: a node that stops and starts again has lost nothing.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	n := startIn(t, dir)
	p := n.publish(n.ada(), manifest("shop"), says("one"))
	n.get(p.URL)
	n.stop()
	n = startIn(t, dir)
	label := strings.Split(strings.TrimPrefix(p.URL, "http://"), ".")[0]
	if got := n.get(n.AppURL(label)); got.Body != "one" {
		t.Errorf("after a restart: %+v", got)
	}
	u, err := n.ada().Usage(t.Context(), client.UsageQuery{})
	if err != nil || u.Total.Calls != 2 {
		t.Errorf("usage after a restart: %+v, %v", u.Total, err)
	}
	checks, err := n.ops().Doctor(t.Context())
	if err != nil || len(checks) < 5 {
		t.Fatalf("%+v, %v", checks, err)
	}
	for _, k := range checks {
		if !k.OK {
			t.Errorf("doctor: %+v", k)
		}
	}
}

// TestOneNodePerDirectory: a second node on the same data says so and leaves.
func TestOneNodePerDirectory(t *testing.T) {
	n := start(t)
	_, err := node.New(t.Context(), node.Options{DataDir: n.dir, Listen: "127.0.0.1:0"})
	if err == nil || !strings.Contains(err.Error(), "another") {
		t.Errorf("err = %v", err)
	}
}

// TestKeys: a registered key signs for its identity until it is distrusted.
func TestKeys(t *testing.T) {
	n := start(t)
	c := n.ada()
	private, public := keyPair(t)
	module := says("by key")
	bundle := signWithKey(t, module, private)
	if _, err := c.Publish(t.Context(), manifest("keyed"), module, bundle, nil); problemOf(t, err).Type != "/problems/untrusted-signer" {
		t.Errorf("a key that nobody registered: %v", err)
	}
	key := n.addKey(c, private, public)
	if key.Identity != ada {
		t.Fatalf("%+v", key)
	}
	challenge, proof := n.prove(n.eve(), private, "")
	if _, err := n.eve().AddKey(t.Context(), public, "", challenge, proof); problemOf(t, err).Type != "/problems/exists" {
		t.Errorf("the same key for somebody else: %v", err)
	}
	p, err := c.Publish(t.Context(), manifest("keyed"), module, bundle, nil)
	if err != nil || p.Release.Signer.Method != "key" {
		t.Fatalf("%+v, %v", p, err)
	}
	if got := n.get(p.URL); got.Body != "by key" {
		t.Errorf("got %+v", got)
	}
	if err := c.DeleteKey(t.Context(), key.Hint); err != nil {
		t.Fatal(err)
	}
	if got := n.get(p.URL); got.Status == 200 {
		t.Errorf("a release of a distrusted key still serves: %+v", got)
	}
}

// TestDisabledUser: a user who is disabled is refused everywhere, at once.
func TestDisabledUser(t *testing.T) {
	n := start(t)
	c, operator := n.ada(), n.ops()
	if _, err := c.Apps(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := operator.PutUser(t.Context(), ada, []string{"developer"}, true); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Apps(t.Context()); problemOf(t, err).Status != 401 {
		t.Errorf("err = %v", err)
	}
	if _, err := operator.PutUser(t.Context(), ops, []string{"viewer"}, false); problemOf(t, err).Status != 403 {
		t.Errorf("an operator locked everybody out: %v", err)
	}
}

// TestConcurrentUploads: many at once make releases without gaps, and one of
// them serves.
func TestConcurrentUploads(t *testing.T) {
	n := start(t)
	c := n.ada()
	type result struct {
		number int
		err    error
	}
	results := make(chan result)
	const uploads = 6
	for i := range uploads {
		module := says(strings.Repeat("x", i+1))
		bundle := signAs(t, c, module)
		go func() {
			p, err := c.Publish(t.Context(), manifest("shop"), module, bundle, nil)
			results <- result{p.Release.Number, err}
		}()
	}
	seen := map[int]bool{}
	for range uploads {
		select {
		case r := <-results:
			if r.err != nil || seen[r.number] {
				t.Errorf("release %d: %v", r.number, r.err)
			}
			seen[r.number] = true
		case <-time.After(time.Minute):
			t.Fatal("an upload does not end")
		}
	}
	app, err := c.App(t.Context(), "shop")
	if err != nil || app.Releases != uploads || app.Serving < 1 {
		t.Errorf("%+v, %v", app, err)
	}
}

// TestProgramsComeAndGo: with room for one program at a time, several apps that
// are called at once all answer, each for itself, and memory stays bounded.
func TestProgramsComeAndGo(t *testing.T) {
	n := start(t, func(o *node.Options) { o.SetProgramBudget(1) })
	c := n.ada()
	addresses := map[string]string{}
	for _, name := range []string{"one", "two", "three"} {
		addresses[name] = n.publish(c, manifest(name), says(name)).URL
	}
	var all sync.WaitGroup
	for name, address := range addresses {
		all.Go(func() {
			for range 30 {
				if got := n.get(address); got.Body != name {
					t.Errorf("%s answers %+v", name, got)
					return
				}
			}
		})
	}
	all.Wait()
	if loaded := n.LoadedPrograms(); loaded > 1 {
		t.Errorf("%d programs are in memory, and there is room for one", loaded)
	}
}

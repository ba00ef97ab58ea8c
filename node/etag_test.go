package node_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/sdk/client"
)

// call sends a request to the API.
func (n *testNode) call(token, method, path, body string, header ...string) answer {
	n.t.Helper()
	header = append(header, "Authorization", "Bearer "+token)
	if body != "" {
		header = append(header, "Content-Type", "application/json")
	}
	return n.do(method, n.ConsoleURL()+"/api/v1"+path, body, header...)
}

// TestETags: every document that two people may edit has a strong tag, which stays while the document
// does and is taken by its writes; other tags are refused with what has changed.
func TestETags(t *testing.T) {
	n := start(t)
	all := n.as(ada, access.Roles()...)
	const about = "title = \"Shop\"\ndescription = \"Sells.\"\n[[triggers.cron]]\nname = \"tick\"\nschedule = \"0 0 1 1 *\"\npath = \"/tick\"\n" + kvAsk
	n.decide(n.publish(all, manifest("shop", about), keeps(18)))
	p := n.publish(all, manifest("shop", strings.ReplaceAll(about, "100KiB", "200KiB")), keeps(19))
	grants, err := all.Grants(t.Context(), "shop")
	if err != nil || len(grants) == 0 || len(p.Requests) == 0 {
		t.Fatal(grants, p.Requests, err)
	}
	triggers, err := all.Triggers(t.Context(), "shop")
	if err != nil || len(triggers) == 0 {
		t.Fatal(triggers, err)
	}
	trigger := triggers[0]
	if _, err := n.ops().PutUser(t.Context(), "eve@example.com", []string{"viewer"}, false); err != nil {
		t.Fatal(err)
	}
	token, reviewer := n.token(ada), n.token(rex, access.RoleReviewer)
	pause := func(paused bool) string {
		return fmt.Sprintf(`{"kind":%q,"name":%q,"paused":%v}`, trigger.Kind, trigger.Name, paused)
	}
	for _, c := range []struct {
		name, read            string
		method, write, change string // by which the document changes
		again                 string // a change that works after it
		by, token             string
	}{
		{"app", "/apps/shop", "PUT", "/apps/shop/title", `{"title":"Books"}`, `{"title":"Guests"}`, ada, token},
		{"user", "/users/eve@example.com", "PUT", "/users/eve@example.com", `{"roles":["developer"]}`, `{"roles":[]}`, ada, token},
		{"request", "/requests/" + p.Requests[0].ID, "POST", "/requests/" + p.Requests[0].ID + "/decision", `{"approve":false,"reason":"no"}`, "", rex, reviewer},
		{"grant", "/grants/" + grants[0].ID, "POST", "/grants/" + grants[0].ID + "/revoke", `{"reason":"no"}`, `{"reason":"no"}`, rex, reviewer},
		{"trigger", "/apps/shop/triggers/" + string(trigger.Kind) + "/" + trigger.Name, "POST", "/apps/shop/triggers/pause", pause(true), pause(false), ada, token},
	} {
		was := n.call(token, "GET", c.read, "")
		tag := was.Header.Get("ETag")
		if was.Status != 200 || !strings.HasPrefix(tag, `"`) || tag != n.call(token, "GET", c.read, "").Header.Get("ETag") {
			t.Errorf("%s: %d, tag %s", c.name, was.Status, tag)
			continue
		}
		for have, want := range map[string]int{tag: 304, "W/" + tag: 304, `"x", ` + tag: 304, "*": 304, `"x"`: 200, `x`: 400} {
			if got := n.call(token, "GET", c.read, "", "If-None-Match", have); got.Status != want || (want == 304) != (got.Body == "") || (want != 400 && got.Header.Get("ETag") != tag) {
				t.Errorf("%s: read by who has %s: %+v", c.name, have, got)
			}
		}
		tag = n.call(c.token, "GET", c.read, "").Header.Get("ETag") // as who writes sees it
		for _, bad := range []string{`"x"`, "W/" + tag, `"x", "y"`} {
			got := n.call(c.token, c.method, c.write, c.change, "If-Match", bad)
			if got.Status != 412 || got.Problem.Type != "/problems/precondition-failed" {
				t.Errorf("%s: If-Match: %s: %+v", c.name, bad, got)
			}
		}
		for _, bad := range []string{"x", `*, "x"`, `"`} {
			if got := n.call(c.token, c.method, c.write, c.change, "If-Match", bad); got.Status != 400 || got.Problem.Parameter != "If-Match" {
				t.Errorf("%s: If-Match: %s: %+v", c.name, bad, got)
			}
		}
		if got := n.call(c.token, "GET", c.read, "").Header.Get("ETag"); got != tag {
			t.Errorf("%s: it was changed by what was refused", c.name)
		}
		if got := n.call(c.token, c.method, c.write, c.change, "If-Match", `"x", `+tag); got.Status != 200 {
			t.Fatalf("%s: the right tag: %+v", c.name, got)
		}
		got := n.call(c.token, c.method, c.write, c.change, "If-Match", tag)
		if got.Status != 412 || !strings.Contains(got.Problem.Detail, "by "+c.by+" at 20") {
			t.Errorf("%s: the tag of before: %+v", c.name, got)
		}
		if c.again != "" {
			if got := n.call(c.token, c.method, c.write, c.again, "If-Match", "*"); got.Status != 200 {
				t.Errorf("%s: any tag: %+v", c.name, got)
			}
		}
	}
}

// TestETagOfTheReader: who sees less of a document has a tag that works, and how a trigger goes is
// not in its tag.
func TestETagOfTheReader(t *testing.T) {
	n := start(t)
	n.publish(n.ada(), manifest("shop"), says("one"))
	owner, outsider := n.token(ada), n.token("out@example.com")
	mine, theirs := n.call(owner, "GET", "/apps/shop", ""), n.call(outsider, "GET", "/apps/shop", "")
	if theirs.Status != 200 || theirs.Header.Get("ETag") == "" || theirs.Header.Get("ETag") == mine.Header.Get("ETag") {
		t.Fatalf("%+v and %+v", mine, theirs)
	}
	if got := n.call(outsider, "GET", "/apps/shop", "", "If-None-Match", theirs.Header.Get("ETag")); got.Status != 304 {
		t.Errorf("one's own tag: %+v", got)
	}
	if _, err := n.ada().Transfer(t.Context(), "shop", rex, ""); err == nil {
		t.Error("rex is no developer")
	}
	n.as("dev@example.com", access.RoleDeveloper)
	if _, err := n.ada().Transfer(t.Context(), "shop", "dev@example.com", ""); err != nil {
		t.Fatal(err)
	}
	dev := n.token("dev@example.com")
	tag := n.call(dev, "GET", "/apps/shop", "").Header.Get("ETag")
	if got := n.call(dev, "POST", "/apps/shop/offer", `{"accept":true}`, "If-Match", mine.Header.Get("ETag")); got.Status != 412 {
		t.Errorf("a tag of before the offer: %+v", got)
	}
	if got := n.call(dev, "POST", "/apps/shop/offer", `{"accept":true}`, "If-Match", tag); got.Status != 200 {
		t.Errorf("the tag of who it is offered to: %+v", got)
	}
	if got := n.call(outsider, "GET", "/apps/none", "", "If-None-Match", "*"); got.Status != 404 {
		t.Errorf("of no app: %+v", got)
	}
}

// TestCreateOnce: If-None-Match: * makes a user and changes none; If-Match changes one and makes none;
// and a repeat with an Idempotency-Key is given the response of the first.
func TestCreateOnce(t *testing.T) {
	n := start(t)
	token := n.token(ops, access.RoleOperator)
	const path, body = "/users/new@example.com", `{"roles":["viewer"]}`
	if got := n.call(token, "PUT", path, body, "If-Match", "*"); got.Status != 412 {
		t.Errorf("no user is there: %+v", got)
	}
	for range 2 {
		if got := n.call(token, "PUT", path, body, "If-None-Match", "*", "Idempotency-Key", "once"); got.Status != 200 {
			t.Errorf("made, and repeated: %+v", got)
		}
	}
	if got := n.call(token, "PUT", path, `{"roles":[]}`, "If-None-Match", "*"); got.Status != 412 || !strings.Contains(got.Problem.Detail, "exists") {
		t.Errorf("made twice: %+v", got)
	}
}

// TestTwoOperators: of writes with one tag, at once, one is made, over HTTP as well.
func TestTwoOperators(t *testing.T) {
	n := start(t)
	if _, err := n.ops().PutUser(t.Context(), "eve@example.com", []string{"viewer"}, false); err != nil {
		t.Fatal(err)
	}
	was, err := n.ops().User(t.Context(), "eve@example.com")
	if err != nil {
		t.Fatal(err)
	}
	sets := [][]string{{"developer"}, {"reviewer"}, {"operator"}, {}}
	errs := make([]error, len(sets))
	var all sync.WaitGroup
	for i, roles := range sets {
		c := n.ops().IfMatch(was.ETag)
		all.Go(func() { _, errs[i] = c.PutUser(t.Context(), "eve@example.com", roles, false) })
	}
	all.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !client.Changed(err) {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d were made", won)
	}
}

// TestRenamedBetween: an app that changes between the look at its tag and the transaction of a change
// that the rules judge is seen to have changed.
func TestRenamedBetween(t *testing.T) {
	n := start(t)
	n.publish(n.ada(), manifest("shop", "title = \"Shop\"\ndescription = \"Sells.\""), says("one"))
	shop, err := n.ada().App(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	n.meanwhile(func() error {
		_, err := n.ada().Rename(t.Context(), "shop", "Shops")
		return err
	})
	if _, err := n.ada().IfMatch(shop.ETag).Promote(t.Context(), "shop", 1, abi.TierPilot, "now"); !client.Changed(err) {
		t.Errorf("an app that was renamed between the look and the change: %v", err)
	}
	if open := n.open("shop"); len(open) != 0 {
		t.Errorf("it was asked for: %+v", open)
	}
	if shop, err = n.ada().App(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	q, err := n.ada().IfMatch(shop.ETag).Promote(t.Context(), "shop", 1, abi.TierPilot, "now")
	if err != nil {
		t.Fatal(err)
	}
	if q, err = n.rex().Request(t.Context(), q.ID); err != nil || q.ETag == "" {
		t.Fatal(q, err)
	}
	n.publish(n.ada(), manifest("shop", "title = \"Shop\"\ndescription = \"Sells.\""), says("two"))
	if _, err := n.rex().IfMatch(q.ETag).Decide(t.Context(), q.ID, true, "fine"); !client.Changed(err) || !strings.Contains(err.Error(), "release.published") {
		t.Errorf("a newer release came after the request was shown: %v", err)
	}
}

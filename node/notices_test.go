package node_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/notices/outlet/outlettest"
	"github.com/agora-host/agora/sdk/client"
)

// notices are what a person is told, newest first.
func (n *testNode) notices(person string) []control.Notice {
	n.t.Helper()
	as := access.WithActor(n.t.Context(), access.Actor{User: person}) // a token of theirs would be told, too
	all, err := n.Inbox.Notices(as, control.NoticeFilter{}, control.Page{Limit: 100})
	if err != nil {
		n.t.Fatal(err)
	}
	return all.Items
}

// isTold waits until a person is told of a kind of events, and returns the newest such notice.
func (n *testNode) isTold(person, kind string) (found control.Notice) {
	n.t.Helper()
	eventually(n.t, person+" is told of "+kind, func() bool {
		for _, v := range n.notices(person) {
			if v.Kind == kind {
				found = v
				return true
			}
		}
		return false
	})
	return found
}

// count is how many notices of a kind a person has.
func count(all []control.Notice, kind string) (n int) {
	for _, v := range all {
		if v.Kind == kind {
			n++
		}
	}
	return n
}

// TestNotices: reviewers are told of a request that they may decide and no one else is; its requester of
// the decision; owners of what is done to their app by others, and not of what they do themselves. Each
// is told once, and leads to where something can be done.
func TestNotices(t *testing.T) {
	n := start(t)
	n.as("money@example.com", "reviewer/finance")
	n.as("priv@example.com", "reviewer/privacy")
	reviewer := n.rex()
	p := n.publish(n.ada(), manifest("shop", kvAsk), keeps(17))
	opened := n.isTold(rex, "request.opened")
	if opened.Text != ada+" asks for the capability kv for shop" || opened.Path != "/requests#"+p.Requests[0].ID || opened.URL != n.ConsoleURL()+opened.Path || opened.Todo == "" || !opened.Read.IsZero() {
		t.Errorf("%+v", opened)
	}
	n.isTold("priv@example.com", "request.opened")
	if got := n.notices("money@example.com"); count(got, "request.opened") != 0 {
		t.Errorf("a reviewer of another concern is told %+v", got)
	}
	if _, err := reviewer.Decide(t.Context(), p.Requests[0].ID, true, "small\r\nBcc: <b>all@example.com"); err != nil {
		t.Fatal(err)
	}
	if got := n.isTold(ada, "request.approved"); got.Text != rex+" approved "+p.Requests[0].ID+" of shop: small Bcc: <b>all@example.com" {
		t.Errorf("%q", got.Text)
	}
	if _, err := n.ops().Suspend(t.Context(), "shop", "shows names"); err != nil {
		t.Fatal(err)
	}
	n.isTold(ada, "app.suspended")
	if _, err := n.ops().Resume(t.Context(), "shop", "mended"); err != nil {
		t.Fatal(err)
	}
	n.isTold(ada, "app.resumed")
	if _, err := n.ada().Suspend(t.Context(), "shop", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := n.ops().Invite(t.Context(), ada); err != nil { // is told to no one
		t.Fatal(err)
	}
	if _, err := n.ops().CreateGroup(t.Context(), "sales"); err != nil {
		t.Fatal(err)
	}
	if _, err := n.ops().AddToGroup(t.Context(), "sales", ada); err != nil {
		t.Fatal(err)
	}
	n.isTold(ada, "group.member_added")
	for kind, want := range map[string]int{"request.approved": 1, "app.suspended": 1, "app.resumed": 1, "user.invited": 0, "request.opened": 0, "group.member_added": 1} {
		if got := count(n.notices(ada), kind); got != want {
			t.Errorf("ada is told %d times of %s, want %d", got, kind, want)
		}
	}
}

// TestInbox: a person reads, marks and chooses what is theirs, through the API and the console, which
// counts what is not read; no one reaches what is another person's.
func TestInbox(t *testing.T) {
	n := start(t)
	n.session(rex, access.RoleReviewer)
	p := n.publish(n.ada(), manifest("shop", kvAsk), keeps(17))
	reviewer := n.rex()
	n.isTold(rex, "token.created") // the last that rex is told by this test
	opened := n.isTold(rex, "request.opened")
	cookie, other := n.session(rex, access.RoleReviewer), n.session(ada, access.RoleDeveloper)
	page := func(session, path string) answer { return n.do("GET", n.ConsoleURL()+path, "", "Cookie", session) }
	post := func(session, path string, form url.Values) answer {
		return n.do("POST", n.ConsoleURL()+path, form.Encode(), "Cookie", session, "Content-Type", "application/x-www-form-urlencoded", "Origin", n.ConsoleURL())
	}
	unread := func() int {
		info, err := reviewer.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return info.Unread
	}
	before := unread()
	if body := page(cookie, "/inbox").Body; before == 0 || !strings.Contains(body, "asks for the capability kv for shop") || !strings.Contains(body, `title="you have not read"`) {
		t.Errorf("%d are not read, and the inbox is %s", before, body)
	}
	if got := post(other, "/inbox/open", url.Values{"id": {opened.ID}}); got.Status != http.StatusNotFound {
		t.Errorf("ada opens what rex is told: %d", got.Status)
	}
	if _, err := n.ada().MarkNotices(t.Context(), true, opened.ID); problemOf(t, err).Type != "/problems/no-such-notice" || unread() != before {
		t.Errorf("ada marks what rex is told: %v, %d", err, unread())
	}
	if got := post(cookie, "/inbox/open", url.Values{"id": {opened.ID}}); got.Status != http.StatusSeeOther || got.Header.Get("Location") != "/requests#"+p.Requests[0].ID || unread() != before-1 {
		t.Errorf("%d %s, %d are not read", got.Status, got.Header.Get("Location"), unread())
	}
	if left, err := reviewer.MarkNotices(t.Context(), false, opened.ID); err != nil || left != before {
		t.Errorf("%d, %v", left, err)
	}
	if post(cookie, "/inbox/mark", url.Values{"all": {"yes"}, "as": {"read"}}); unread() != 0 {
		t.Errorf("%d are not read", unread())
	}
	if body := page(cookie, "/inbox?unread=1").Body; !strings.Contains(body, "You have read everything") || strings.Contains(body, `title="you have not read"`) {
		t.Error(body)
	}
	n.choose(t, reviewer, post, cookie)
}

// choose is the part of TestInbox about settings.
func (n *testNode) choose(t *testing.T, reviewer *client.Client, post func(session, path string, form url.Values) answer, cookie string) {
	t.Helper()
	set, err := reviewer.NoticeSettings(t.Context())
	if err != nil || set.Mail != "at-once" || set.Zone != "UTC" || set.Daily != "08:00" || set.Address != rex || set.Sends {
		t.Errorf("%+v, %v", set, err)
	}
	choice := url.Values{"mail": {"daily"}, "daily": {"09:30"}, "zone": {"Europe/Berlin"}, "quiet_from": {"22:00"}, "quiet_to": {"07:00"}}
	if got := post(cookie, "/inbox/settings", choice); got.Status != http.StatusSeeOther {
		t.Errorf("%+v", got)
	}
	set, err = reviewer.NoticeSettings(t.Context())
	if err != nil || set.Mail != "daily" || set.Zone != "Europe/Berlin" || set.Daily != "09:30" || set.QuietTo != "07:00" {
		t.Errorf("%+v, %v", set, err)
	}
	for _, bad := range []client.NoticeChoice{{Mail: "hourly"}, {Mail: "daily", Zone: "Local"}, {Mail: "daily", Zone: "../../etc/passwd"}, {Mail: "daily", Daily: "8:00"}, {Mail: "daily", QuietFrom: "22:00"}, {Mail: "off", QuietFrom: "1:00pm", QuietTo: "07:00"}} {
		if _, err := reviewer.ChooseNotices(t.Context(), bad); err == nil || problemOf(t, err).Status/100 != 4 {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if still, err := reviewer.NoticeSettings(t.Context()); err != nil || still != set {
		t.Errorf("%+v, %v", still, err)
	}
}

// sendsBy has a node send notices as a file says, and at once.
func sendsBy(path string) func(*node.Options) {
	return func(o *node.Options) {
		o.Notices = path
		o.Gather(50 * time.Millisecond)
	}
}

// lane is how what leaves the node in one direction gets on.
func (n *testNode) lane(name string) control.Lane {
	n.t.Helper()
	all, err := n.Inbox.Deliveries(n.t.Context())
	i := slices.IndexFunc(all, func(l control.Lane) bool { return l.Name == name })
	if err != nil || i < 0 {
		n.t.Fatalf("%+v, %v", all, err)
	}
	return all[i]
}

// TestMailOfNotices: people are sent what they did not read, in one mail; a mail server that is down, and a
// node that stops meanwhile, lose nothing; who chose no mail gets none; what people write stays text.
func TestMailOfNotices(t *testing.T) {
	server, dir := outlettest.Start(t), t.TempDir()
	file := sendsBy(server.File(nil))
	server.Down()
	n := startIn(t, dir, file)
	n.ada()
	if _, err := n.as("off@example.com", access.RoleReviewer).ChooseNotices(t.Context(), client.NoticeChoice{Mail: "off"}); err != nil {
		t.Fatal(err)
	}
	p := n.publish(n.ada(), manifest("shop", kvAsk), keeps(17))
	if _, err := n.rex().Decide(t.Context(), p.Requests[0].ID, true, "fine\r\nBcc: all@example.com\r\n\r\n<b>"); err != nil {
		t.Fatal(err)
	}
	n.isTold(ada, "request.approved")
	n.stop()
	server.Up()
	n = startIn(t, dir, file, func(o *node.Options) { o.Now = inFiveMinutes })
	var mine []outlettest.Mail
	eventually(t, "ada has mail of the decision", func() bool {
		mine = nil
		for _, m := range server.Took() {
			if m.To == ada && strings.Contains(string(m.Raw), "approved "+p.Requests[0].ID) {
				mine = append(mine, m)
			}
		}
		return len(mine) > 0
	})
	if len(mine) != 1 || mine[0].Header("Bcc") != "" || !strings.Contains(string(mine[0].Raw), n.ConsoleURL()+"/inbox") {
		t.Errorf("%d mails: %s", len(mine), mine[0].Raw)
	}
	eventually(t, "nothing waits", func() bool { return n.lane("mail").Waiting == 0 })
	if text := n.metrics(); !strings.Contains(text, `agora_notices_sent_total{lane="mail"} `) || !strings.Contains(text, `agora_notices_undelivered{lane="mail"} 0`) {
		t.Error(text)
	}
	for _, m := range server.Took() {
		if m.To == "off@example.com" && strings.Contains(string(m.Raw), "asks for") {
			t.Errorf("who chose no mail got %s", m.Raw)
		}
	}
	checks, err := n.ops().Doctor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, detail := range map[string]string{"mail server": "lets the node in", "notices by mail": "to be sent"} {
		if i := slices.IndexFunc(checks, func(c client.Check) bool { return c.Name == name }); i < 0 || !checks[i].OK || !strings.Contains(checks[i].Detail, detail) {
			t.Errorf("%s: %+v", name, checks)
		}
	}
}

// TestWebhookOfNotices: a receiver that an operator names is told of each event of the kinds that it takes,
// once; a network that is not allowed is not reached.
func TestWebhookOfNotices(t *testing.T) {
	var mu sync.Mutex
	got := map[string]int{}
	tries := 0
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		tries++
		got[r.Header.Get("Webhook-Id")]++
	}))
	t.Cleanup(receiver.Close)
	dir := t.TempDir()
	path := filepath.Join(dir, "notices.json")
	text := `{"webhooks":[{"name":"siem","url":"` + receiver.URL + `","secret_file":"key","kinds":["group.*"]}]}`
	if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.WriteFile(filepath.Join(dir, "key"), []byte("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), 0o600)); err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	n := startIn(t, data, sendsBy(path)) // which may not reach the loopback
	for _, name := range []string{"sales", "ops"} {
		if _, err := n.ops().CreateGroup(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "it was tried", func() bool { return n.lane("webhook/siem").Failed > 0 })
	mu.Lock()
	reached := tries
	mu.Unlock()
	if reached != 0 {
		t.Errorf("an address that is not allowed was called %d times", reached)
	}
	n.stop()
	n = startIn(t, data, sendsBy(path), func(o *node.Options) { o.EgressAllow = []string{"127.0.0.1/32"}; o.Now = inFiveMinutes })
	eventually(t, "both are told", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(got) == 2
	})
	eventually(t, "nothing waits", func() bool { return n.lane("webhook/siem").Waiting == 0 })
	for id, times := range got {
		if times != 1 {
			t.Errorf("%s came %d times", id, times)
		}
	}
}

// inFiveMinutes is a clock at which what failed is due again.
func inFiveMinutes() time.Time { return time.Now().Add(5 * time.Minute) }

package node_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// clock is a node's clock that a test moves.
type clock struct {
	shift atomic.Int64
	node  *testNode // is told, rather than left to find out
}

func (c *clock) now() time.Time      { return time.Now().Add(time.Duration(c.shift.Load())) }
func (c *clock) set(o *node.Options) { o.Now = c.now }
func (c *clock) advance(d time.Duration) {
	c.shift.Add(int64(d))
	if c.node != nil {
		c.node.Wake()
	}
}

// eventually asks again until it is so, or half a minute has passed.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

func (n *testNode) trigger(app, name string) client.Trigger {
	n.t.Helper()
	all, err := n.ops().Triggers(n.t.Context(), app)
	if err != nil {
		n.t.Fatal(err)
	}
	for _, tr := range all {
		if tr.Name == name {
			return tr
		}
	}
	n.t.Fatalf("%s has no trigger %s: %+v", app, name, all)
	return client.Trigger{}
}

func (n *testNode) approveAll(p client.Published) {
	n.t.Helper()
	for _, q := range p.Requests {
		if _, err := n.rex().Decide(n.t.Context(), q.ID, true, "fine"); err != nil {
			n.t.Fatal(err)
		}
	}
}

// TestRelay: one app publishes, another receives, a cron trigger runs, each as a
// metered invocation that knows what called it.
func TestRelay(t *testing.T) {
	n := start(t)
	text, module := example(t, "relay")
	p := n.publish(n.ada(), text, module)
	n.approveAll(p)
	shop := n.publish(n.ada(), []byte(strings.Replace(strings.Replace(string(text), `name = "relay"`, `name = "desk"`, 1), `topic = "note.written"`, "from = \"relay\"\ntopic = \"note.written\"", 1)), module)
	if len(shop.Requests) == 0 {
		t.Fatal("to receive another app's events took no grant")
	}
	if got := n.do("POST", p.URL+"notes", "text=before", "Content-Type", "application/x-www-form-urlencoded"); got.Status != 303 {
		t.Fatalf("%+v", got)
	}
	n.approveAll(shop)
	if got := n.do("POST", p.URL+"notes", "text=hello", "Content-Type", "application/x-www-form-urlencoded"); got.Status != 303 {
		t.Fatalf("%+v", got)
	}
	eventually(t, "the note arrives at both", func() bool {
		return strings.Contains(n.get(p.URL).Body, "hello") && strings.Contains(n.get(shop.URL).Body, "hello")
	})
	if body := n.get(shop.URL).Body; strings.Contains(body, "before") {
		t.Errorf("an event from before the grant arrived: %s", body)
	}
	for _, forged := range []string{"Agora-Trigger", "agora_trigger"} {
		got := n.do("POST", p.URL+"events/notes", "forged", forged, "event", "Agora-Event-Id", "x")
		if got.Status != 403 {
			t.Errorf("a stranger with %s: %+v", forged, got)
		}
	}
	if _, err := n.ada().RunTrigger(t.Context(), "relay", "digest"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the digest runs", func() bool { return n.trigger("relay", "digest").Done == 1 })
	if got := n.get(p.URL).Body; !strings.Contains(got, "Last digest: 2 notes") {
		t.Errorf("%s", got)
	}
	report, err := n.ops().Usage(t.Context(), client.UsageQuery{App: "relay", By: []string{"trigger"}})
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]uint64{}
	for _, row := range report.Rows {
		calls[row.Group["trigger"]] = row.Calls
	}
	if calls["cron"] != 1 || calls["event"] != 2 || calls["http"] < 3 {
		t.Errorf("billed by trigger: %v", calls)
	}
}

// TestCronOfTheNode: on time, paused, resumed, and for the release that serves.
func TestCronOfTheNode(t *testing.T) {
	var c clock
	n := start(t, c.set)
	c.node = n
	lines := func(path string) string {
		return fmt.Sprintf("[[triggers.cron]]\nname = \"tick\"\nschedule = \"*/5 * * * *\"\npath = %q\nmissed = \"once\"", path)
	}
	n.publish(n.ada(), manifest("clock", lines("/a")), says("one"))
	if tr := n.trigger("clock", "tick"); tr.Next.IsZero() || tr.Path != "/a" || tr.Schedule != "*/5 * * * *" || !tr.Live {
		t.Fatalf("%+v", tr)
	}
	c.advance(6 * time.Minute)
	eventually(t, "a run after the clock went on", func() bool { return n.trigger("clock", "tick").Done == 1 })
	n.publish(n.ada(), manifest("clock", lines("/b")), says("two"))
	if tr := n.trigger("clock", "tick"); tr.Path != "/b" || tr.Done != 1 {
		t.Errorf("after an upload: %+v", tr)
	}
	if _, err := n.ada().RollBack(t.Context(), "clock", abi.TierSandbox, "try"); err != nil {
		t.Fatal(err)
	}
	if tr := n.trigger("clock", "tick"); tr.Path != "/a" {
		t.Errorf("after a rollback: %+v", tr)
	}
	if _, err := n.as("eve@example.com", access.RoleDeveloper).PauseTrigger(t.Context(), "clock", abi.TriggerCron, "tick", true, ""); problemOf(t, err).Status != 403 {
		t.Errorf("somebody else paused it: %v", err)
	}
	if tr, err := n.ops().PauseTrigger(t.Context(), "clock", abi.TriggerCron, "tick", true, "too loud"); err != nil || !tr.Paused || tr.PausedBy != ops || !tr.Next.IsZero() {
		t.Errorf("%+v, %v", tr, err)
	}
	if _, err := n.ada().RunTrigger(t.Context(), "clock", "tick"); problemOf(t, err).Status != 409 {
		t.Errorf("a paused trigger ran: %v", err)
	}
	c.advance(time.Hour)
	if tr, err := n.ada().PauseTrigger(t.Context(), "clock", abi.TriggerCron, "tick", false, ""); err != nil || tr.Paused || tr.Next.Before(c.now()) {
		t.Errorf("%+v, %v", tr, err)
	}
	if tr := n.trigger("clock", "tick"); tr.Done != 1 || tr.Missed != 0 {
		t.Errorf("pausing was made up for: %+v", tr)
	}
	n.stop()
	c.node = nil
	c.advance(time.Hour)
	again := startIn(t, n.dir, c.set)
	eventually(t, "what was missed while the node was down", func() bool { return again.trigger("clock", "tick").Done == 2 })
	events, err := again.ops().Events(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, e := range events {
		if strings.HasPrefix(e.Kind, "trigger.") {
			told = append(told, e.Kind+" by "+e.Actor)
		}
	}
	if strings.Join(told, ", ") != "trigger.paused by "+ops+", trigger.resumed by "+ada {
		t.Errorf("audited: %v", told)
	}
}

// TestDeadLettersOfTheNode: what an app does not take is tried again, then put
// aside, shown to those who may see it, and delivered again or dropped.
func TestDeadLettersOfTheNode(t *testing.T) {
	var c clock
	n := start(t, c.set)
	c.node = n
	text, module := example(t, "relay")
	p := n.publish(n.ada(), text, module)
	n.approveAll(p)
	for _, note := range []string{"poison", "fine"} {
		n.do("POST", p.URL+"notes", "text="+note, "Content-Type", "application/x-www-form-urlencoded")
	}
	eventually(t, "the fine one passes", func() bool { return strings.Contains(n.get(p.URL).Body, "fine") })
	eventually(t, "the poison is dead", func() bool {
		c.advance(8 * time.Hour)
		return n.trigger("relay", "relay/note.written").Dead == 1
	})
	letters, err := n.ada().DeadLetters(t.Context(), "relay")
	if err != nil || len(letters) != 1 || string(letters[0].Body) != "poison" || letters[0].Attempts != 8 || letters[0].Error != "it returned 422" {
		t.Fatalf("%+v, %v", letters, err)
	}
	if _, err := n.as("eve@example.com", access.RoleDeveloper).DeadLetters(t.Context(), "relay"); problemOf(t, err).Status != 403 {
		t.Errorf("somebody else read it: %v", err)
	}
	if _, err := n.ada().Redeliver(t.Context(), "relay", letters[0].Seq); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it dies again", func() bool {
		c.advance(8 * time.Hour)
		return n.trigger("relay", "relay/note.written").Dead == 1
	})
	if err := n.ada().DeleteDeadLetter(t.Context(), "relay", letters[0].Seq); err != nil {
		t.Fatal(err)
	}
	if tr := n.trigger("relay", "relay/note.written"); tr.Dead != 0 || tr.Queued != 0 {
		t.Errorf("%+v", tr)
	}
	logs, err := n.ada().Logs(t.Context(), "relay", 100)
	if err != nil || !strings.Contains(fmt.Sprint(logs), "attempt 1: it returned 422") {
		t.Errorf("the log says %v, %v", logs, err)
	}
}

package node_test

import (
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
)

// TestFollowerThatFails: whoever makes a change is told that it is made, whatever becomes of its
// effects; the follower that fails is named and counted meanwhile, keeps no other from following,
// and has the effect once it can.
func TestFollowerThatFails(t *testing.T) {
	var b breaks
	n := start(t, b.set)
	c := n.ada()
	p := n.publish(c, manifest("nightly", "[[triggers.cron]]\nname = \"report\"\nschedule = \"0 3 1 1 *\"\npath = \"/report\""), says("served"))
	paused := func() bool {
		all, err := c.Triggers(t.Context(), "nightly")
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		return all[0].Paused
	}
	line := func() (found bool, detail string) {
		checks, err := n.Doctor(access.WithActor(t.Context(), access.Actor{User: ops, Roles: []access.Role{access.RoleOperator}}))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range checks {
			if !c.OK && c.Name == "follower triggers" && c.Remedy.Summary != "" {
				return true, c.Detail
			}
		}
		return false, ""
	}
	if found, _ := line(); found || paused() {
		t.Fatal("it fails before anything is wrong")
	}
	b.in("follow-triggers")
	if _, err := c.PauseTrigger(t.Context(), "nightly", abi.TriggerCron, "report", true, "why"); err != nil {
		t.Fatalf("the change was made: %v", err)
	}
	if paused() {
		t.Error("the follower failed, and had its effect")
	}
	if found, detail := line(); !found || !strings.Contains(detail, "injected") {
		t.Errorf("the doctor says %q", detail)
	}
	if got := n.metrics(); strings.Contains(got, `agora_follower_failures_total{follower="triggers"} 0`) || strings.Contains(got, `agora_follower_behind{follower="triggers"} 0`) ||
		!strings.Contains(got, `agora_follower_behind{follower="routes"} 0`) {
		t.Error(got)
	}
	if _, err := c.Suspend(t.Context(), "nightly", "for the test"); err != nil {
		t.Fatal(err)
	}
	if got := n.get(p.URL); got.Status == 200 {
		t.Errorf("another follower fails, and a suspended app serves: %+v", got)
	}
	b.in("")
	until(t, "the trigger is paused", paused)
	until(t, "the doctor finds nothing", func() bool { found, _ := line(); return !found })
}

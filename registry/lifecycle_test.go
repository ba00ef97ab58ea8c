package registry_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/registry"
)

// model is what people expect of an app's life, in the fewest words.
type model struct {
	owner, heldBy, offered string
	quarantinedBy          string
	deleting, gone, kept   bool      // kept: in maintenance
	stood, until           time.Time // when the quarantine began, and when a deletion is due
}

// people who act, with what they are beside owners.
var people = map[string]registry.Party{"ada": {}, "bob": {}, "rex": {Reviewer: true}, "sec": {Reviewer: true, Security: true}, "ops": {Operator: true}}

// may says whether the model allows an act, and makes it.
func (m *model) may(act, who, to string, now time.Time) bool {
	p := people[who]
	due := m.deleting && !now.Before(m.until)
	kept := !m.deleting && !m.gone
	own, alive := m.owner == who, kept && m.quarantinedBy == ""
	guard := ""
	switch who {
	case "ops":
		guard = "operator"
	case "sec":
		guard = "reviewer"
	}
	high := map[string]int{"": 0, "owner": 1, "reviewer": 2, "operator": 3}
	as := ""
	switch {
	case own:
		as = "owner"
	case p.Operator:
		as = "operator"
	case p.Reviewer:
		as = "reviewer"
	}
	ok := false
	switch act {
	case "maintain":
		if ok = alive && (own || p.Operator) && to != "shop"; ok {
			m.kept = true
		}
	case "unmaintain":
		if ok = alive && (own || p.Operator) && m.kept; ok {
			m.kept = false
		}
	case "suspend":
		if ok = alive && as != "" && high[as] > high[m.heldBy]; ok {
			m.heldBy = as
		}
	case "resume":
		if ok = alive && m.heldBy != "" && (p.Operator || m.heldBy == "owner" && own || m.heldBy == "reviewer" && p.Reviewer && !own); ok {
			m.heldBy = ""
		}
	case "quarantine":
		if ok = !m.gone && guard != "" && high[guard] > high[m.quarantinedBy]; ok {
			if m.quarantinedBy == "" {
				m.stood = now
			}
			m.quarantinedBy = guard
		}
	case "unquarantine":
		if ok = !m.gone && m.quarantinedBy != "" && !own && (guard == "operator" || guard == m.quarantinedBy); ok {
			m.quarantinedBy, m.until = "", m.until.Add(now.Sub(m.stood))
		}
	case "delete":
		if ok = alive && (own || p.Operator); ok {
			m.deleting, m.offered, m.until = true, "", now.Add(time.Hour)
		}
	case "undelete":
		if ok = m.deleting && m.quarantinedBy == "" && !m.gone && (own || p.Operator); ok {
			m.deleting = false
		}
	case "offer":
		if ok = alive && own && to != who; ok {
			m.offered = to
		}
	case "end":
		if ok = alive && m.offered != "" && (own || p.Operator || m.offered == who); ok {
			m.offered = ""
		}
	case "accept":
		if ok = alive && m.offered == who; ok {
			m.owner, m.offered = who, ""
		}
	case "give":
		if ok = kept && p.Operator && to != m.owner && (m.quarantinedBy == "" || !own); ok {
			m.owner, m.offered = to, ""
		}
	case "remove":
		if ok = m.deleting && !m.gone && m.quarantinedBy == "" && due; ok {
			m.gone = true
		}
	}
	return ok
}

func (m *model) state() registry.State {
	switch {
	case m.gone:
		return registry.StateRemoved
	case m.quarantinedBy != "":
		return registry.StateQuarantined
	case m.deleting:
		return registry.StateDeleting
	case m.heldBy != "":
		return registry.StateSuspended
	case m.kept:
		return registry.StateMaintenance
	}
	return registry.StateActive
}

func try(a registry.App, act, who, to string, now time.Time) (registry.App, error) {
	p := people[who]
	p.Owner = a.Owner == who
	switch act {
	case "maintain":
		return a.Maintain(p, registry.Maintenance{By: who, At: now, Successor: to})
	case "unmaintain":
		return a.EndMaintenance(p)
	case "suspend":
		return a.Suspend(p, who, "why", now)
	case "resume":
		return a.Resume(p)
	case "quarantine":
		return a.SetQuarantine(p, who, "why", now)
	case "unquarantine":
		return a.EndQuarantine(p, now)
	case "delete":
		return a.Delete(p, registry.Deletion{By: who, At: now, Until: now.Add(time.Hour)})
	case "undelete":
		return a.Undelete(p)
	case "offer":
		return a.OfferTo(p, registry.Offer{To: to, By: who, At: now})
	case "end":
		return a.EndOffer(p, who)
	case "accept":
		return a.Accept(who)
	case "give":
		return a.HandOver(p, to)
	}
	a, err := a.BeginRemoval([]registry.Removed{{Kind: "release", Name: "1"}}, now)
	if err != nil {
		return a, err
	}
	if again, err := a.Undelete(registry.Party{Owner: true, Operator: true}); err == nil {
		return again, errors.New("a removal that has begun was undone")
	}
	return a.FinishRemoval("cert-1", now)
}

// TestLifeOfApps lets owners, strangers, reviewers and operators do anything in any order: what is
// allowed, and what becomes of the app, is what the model says; what is refused changes nothing.
func TestLifeOfApps(t *testing.T) {
	acts := []string{"maintain", "unmaintain", "suspend", "resume", "quarantine", "quarantine", "unquarantine", "delete", "undelete", "offer", "end", "accept", "give", "remove"}
	names := []string{"ada", "bob", "ops", "rex", "sec"}
	rapid.Check(t, func(rt *rapid.T) {
		now := time.Unix(1e9, 0)
		owner := rapid.SampledFrom(names).Draw(rt, "owner")
		app := registry.App{Name: "shop", Title: "Shop", Owner: owner, Team: "sales", CostCenter: "CC-1", Releases: 3, Active: map[abi.Tier]int{abi.TierSandbox: 3}}
		m := model{owner: owner}
		for range rapid.IntRange(1, 120).Draw(rt, "acts") {
			act, who, to := rapid.SampledFrom(acts).Draw(rt, "act"), rapid.SampledFrom(names).Draw(rt, "who"), rapid.SampledFrom(names).Draw(rt, "to")
			now = now.Add(time.Duration(rapid.IntRange(0, 70).Draw(rt, "minutes")) * time.Minute)
			want := m.may(act, who, to, now)
			before := fmt.Sprintf("%+v", app)
			after, err := try(app, act, who, to, now)
			if (err == nil) != want {
				rt.Fatalf("%s by %s (to %s) of %s: %v, allowed: %v", act, who, to, before, err, want)
			}
			if err == nil {
				app = after
			} else if !oneOf(err, registry.ErrState, registry.ErrRemoved, registry.ErrNotOwner, registry.ErrHeld, registry.ErrNotGuard, registry.ErrNotOffered) {
				rt.Fatalf("%s by %s: %v is none of the refusals", act, who, err)
			}
			checkLife(rt, app, m)
		}
	})
}

func oneOf(err error, all ...error) bool {
	return slices.ContainsFunc(all, func(e error) bool { return errors.Is(err, e) })
}

func checkLife(rt *rapid.T, app registry.App, m model) {
	if app.State() != m.state() || app.Owner != m.owner {
		rt.Fatalf("the app is %s of %s, and should be %s of %s", app.State(), app.Owner, m.state(), m.owner)
	}
	if (app.Stopped() == nil) != (app.State() == registry.StateActive || app.State() == registry.StateMaintenance) {
		rt.Fatalf("%s and stopped: %v", app.State(), app.Stopped())
	}
	if m.deleting && !m.gone && !app.Deletion.Until.Equal(m.until) {
		rt.Fatalf("the app is removed on %s, and should be on %s", app.Deletion.Until, m.until)
	}
	if m.gone && (app.Title != "" || app.Active != nil || app.Removal.Inventory != nil || app.Name != "shop" || app.CostCenter != "CC-1" || app.Releases != 3) {
		rt.Fatalf("of the removed app is left %+v", app)
	}
}

var update = flag.Bool("update", false, "write what is generated into docs/lifecycle.md")

// TestMovesTable: the table of docs/lifecycle.md is the state machine's.
func TestMovesTable(t *testing.T) {
	const file, begin, end = "../docs/lifecycle.md", "<!-- moves -->\n", "<!-- end of moves -->"
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(raw), begin)
	_, tail, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no place for the table", file)
	}
	want := head + begin + registry.MovesTable() + end + tail
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(raw) != want {
		t.Errorf("the table of %s is not the state machine's: go test ./registry -run TestMovesTable -update", file)
	}
}

// TestOwnersOfAQuarantine: an operator who owns the app is told that another ends its quarantine, and how there comes to be one.
func TestOwnersOfAQuarantine(t *testing.T) {
	app, err := registry.App{Name: "shop", Owner: "ada"}.SetQuarantine(registry.Party{Owner: true, Operator: true}, "ada", "a stolen key", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := app.EndQuarantine(registry.Party{Owner: true, Operator: true}, time.Now()); !errors.Is(err, registry.ErrNotGuard) || !strings.Contains(err.Error(), "ask another operator") {
		t.Errorf("%v", err)
	}
	if _, err := app.EndQuarantine(registry.Party{Operator: true}, time.Now()); err != nil {
		t.Errorf("another operator: %v", err)
	}
}

package node_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control/people"
	"github.com/agora-host/agora/sdk/client"
	kept "github.com/agora-host/agora/state"
)

// toldGroup makes the group sales with ada in it, and one that a provider keeps, whose id it returns.
func (n *testNode) toldGroup() (id string) {
	n.t.Helper()
	n.ada() // is known from here on
	if _, err := n.ops().CreateGroup(n.t.Context(), "sales"); err != nil {
		n.t.Fatal(err)
	}
	if _, err := n.ops().AddToGroup(n.t.Context(), "sales", ada); err != nil {
		n.t.Fatal(err)
	}
	_, err := n.Change(n.t.Context(), func(tx kept.Tx) error {
		if err := people.Tell(tx, ada, "entra", []string{"6f1c7a52-8d0b-4c7e-9a55-3f0f0e6b1c2d"}, "g_seed", time.Now()); err != nil {
			return err
		}
		g, err := tx.GroupKnownAs("entra", "6f1c7a52-8d0b-4c7e-9a55-3f0f0e6b1c2d")
		id = g.ID
		return err
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return id
}

// TestGroupsOnTheWire: what the API refuses of groups, and that a name with a slash is a name.
func TestGroupsOnTheWire(t *testing.T) {
	n := start(t)
	told := n.toldGroup()
	boss, dev, rev := n.ops(), n.ada(), n.rex()
	g, err := boss.CreateGroup(t.Context(), "R&D / Cloud %2F")
	if err != nil {
		t.Fatal(err)
	}
	if found, err := dev.Group(t.Context(), g.Name); err != nil || found.ID != g.ID || found.ETag == "" {
		t.Errorf("%+v, %v", found, err)
	}
	_, stale := boss.IfMatch(`"other"`).RenameGroup(t.Context(), g.ID, "x")
	_, taken := boss.CreateGroup(t.Context(), "SALES")
	_, bad := boss.CreateGroup(t.Context(), "g_x")
	_, kept := boss.AddToGroup(t.Context(), told, rex)
	_, nobody := boss.AddToGroup(t.Context(), "sales", "zoe@example.com")
	_, noMember := boss.RemoveFromGroup(t.Context(), "sales", rex)
	_, absent := boss.Group(t.Context(), "g_absent")
	_, byName := dev.Group(t.Context(), "6f1c7a52-8d0b-4c7e-9a55-3f0f0e6b1c2d")
	_, dare := dev.CreateGroup(t.Context(), "mine")
	_, look := rev.GroupPeople(t.Context(), "sales")
	for what, c := range map[string]struct {
		err  error
		slug string
	}{
		"a name that is taken": {taken, "group-exists"}, "a bad name": {bad, "bad-group"}, "a provider's": {kept, "group-of-provider"},
		"whom nobody knows": {nobody, "no-such-user"}, "who is not in it": {noMember, "no-member"}, "none": {absent, "no-such-group"},
		"a provider's by its name": {byName, "no-such-group"}, "made by a developer": {dare, "forbidden"}, "people, from outside": {look, "forbidden"},
		"changed meanwhile": {stale, "precondition-failed"},
	} {
		if p := problemOf(t, c.err); p.Type != "/problems/"+c.slug {
			t.Errorf("%s: %+v", what, p)
		}
	}
	if in, err := dev.GroupPeople(t.Context(), "sales"); err != nil || len(in) != 1 || in[0].Name != ada {
		t.Errorf("who is in it sees %v, %v", in, err)
	}
	if mine, err := dev.Groups(t.Context(), client.GroupFilter{Person: ada}); err != nil || len(mine) != 2 {
		t.Errorf("%v, %v", mine, err)
	}
	if here, err := dev.Groups(t.Context(), client.GroupFilter{Source: "here", Name: "cloud"}); err != nil || len(here) != 1 || here[0].ID != g.ID {
		t.Errorf("%v, %v", here, err)
	}
	if err := boss.DeleteGroup(t.Context(), g.Name); err != nil {
		t.Error(err)
	}
}

// TestGroupsInTheConsole: an operator keeps a group by forms; others see what is theirs to see.
func TestGroupsInTheConsole(t *testing.T) {
	n := start(t)
	told := n.toldGroup()
	boss, dev, rev := n.session(ops, access.RoleOperator), n.session(ada, access.RoleDeveloper), n.session(rex, access.RoleReviewer)
	post := func(who, path string, form url.Values) answer {
		return n.do(http.MethodPost, n.ConsoleURL()+path, form.Encode(), "Cookie", who, "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin")
	}
	page := func(who, path string) string { return n.do("GET", n.ConsoleURL()+path, "", "Cookie", who).Body }
	made := post(boss, "/groups", url.Values{"name": {"<b>Ops"}})
	path, _, _ := strings.Cut(made.Header.Get("Location"), "?")
	if made.Status != http.StatusSeeOther || !strings.HasPrefix(path, "/groups/g_") {
		t.Fatalf("%+v", made)
	}
	post(boss, path+"/add", url.Values{"person": {ada}})
	for who, want := range map[string][2]bool{boss: {true, true}, dev: {true, false}, rev: {false, false}} {
		body := page(who, path)
		if strings.Contains(body, "<td>"+ada) != want[0] || strings.Contains(body, "Put in</button>") != want[1] || strings.Contains(body, "<b>Ops") {
			t.Errorf("%v: %s", want, body)
		}
	}
	if body := page(dev, "/groups"); !strings.Contains(body, "You are in ") || !strings.Contains(body, "&lt;b&gt;Ops") {
		t.Error(body)
	}
	if body := page(boss, "/groups/"+told); !strings.Contains(body, "kept by the provider entra") || strings.Contains(body, "Put in</button>") {
		t.Error(body)
	}
	for _, refused := range []struct {
		who, path string
		status    int
	}{{dev, path + "/add", 403}, {dev, "/groups", 403}, {boss, "/groups/" + told + "/add", 409}, {boss, "/groups/" + told + "/delete", 409}} {
		if got := post(refused.who, refused.path, url.Values{"person": {ada}, "name": {"x"}}); got.Status != refused.status {
			t.Errorf("%s: %d", refused.path, got.Status)
		}
	}
	post(boss, path+"/rename", url.Values{"name": {"Operations"}})
	post(boss, path+"/remove", url.Values{"person": {ada}})
	if body := page(boss, path); !strings.Contains(body, "<h1>Operations</h1>") || !strings.Contains(body, "Nobody is in it yet") {
		t.Error(body)
	}
	if got := post(boss, path+"/delete", nil); got.Status != http.StatusSeeOther || strings.Contains(page(boss, "/groups"), "Operations") {
		t.Errorf("%+v", got)
	}
}

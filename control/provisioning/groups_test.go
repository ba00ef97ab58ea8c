package provisioning_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/state"
)

// TestRolesFollowGroups: a person whom a provider takes out of a group, whose group it deletes, or whom
// it deletes, has no role any more that a rule gave for it.
func TestRolesFollowGroups(t *testing.T) {
	w := newWorld(t)
	actor, err := w.provider("entra")
	if err != nil {
		t.Fatal(err)
	}
	ada, err := w.AddPerson(actor, access.Provisioned{UserName: "ada@example.com", External: "k", Active: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Update(context.Background(), "node", func(tx state.Tx) error {
		tx.Emit("account.connected", "", "ada@example.com", nil)
		return tx.PutAccount(access.Account{ID: "a_1", Provider: "entra", User: "ada@example.com", SignedIn: time.Now(), GroupsAt: time.Now()})
	}); err != nil {
		t.Fatal(err)
	}
	maker := func() bool { u, _ := w.known("ada@example.com"); return u.Holds(access.RoleDeveloper) }
	none := func(control.ProvisionedGroup) error { return nil }
	for name, end := range map[string]func(group string) error{
		"taken out": func(group string) error {
			_, err := w.ChangeGroup(actor, group, false, func(g control.ProvisionedGroup) (control.GroupChange, error) {
				return control.GroupChange{Name: g.Name, External: g.External, Members: []control.MemberStep{{IDs: []string{ada.ID}}}}, nil
			})
			return err
		},
		"a group that is deleted": func(group string) error { return w.RemoveGroup(actor, group, false, none) },
	} {
		g, err := w.AddGroup(actor, control.GroupChange{Name: "Makers", External: "makers", Members: []control.MemberStep{{Set: true, IDs: []string{ada.ID}}}})
		if err != nil || !maker() {
			t.Fatalf("%s: in the group she is no developer: %v", name, err)
		}
		if err := end(g.ID); err != nil || maker() {
			t.Errorf("%s: she is a developer still: %v", name, err)
		}
		_ = w.RemoveGroup(actor, g.ID, false, none) // unless it is gone
	}
	if _, err := w.AddGroup(actor, control.GroupChange{Name: "Makers", External: "makers", Members: []control.MemberStep{{Add: true, IDs: []string{ada.ID}}}}); err != nil {
		t.Fatal(err)
	}
	if err := w.RemovePerson(actor, ada.ID, func(control.ProvisionedPerson) error { return nil }); err != nil || maker() {
		t.Errorf("deleted, she is a developer still: %v", err)
	}
	events, err := w.store.Events(context.Background(), state.EventQuery{Limit: -1, Kinds: []string{"user.changed"}})
	if err != nil || !slices.ContainsFunc(events, func(e abi.Event) bool { return e.Actor == "provisioning:entra" && e.Detail["roles"] == "developer" }) {
		t.Errorf("%+v, %v", events, err)
	}
}

// provider is the context of a provider that was let in.
func (w *world) provider(name string) (context.Context, error) {
	secret, _, err := w.NewProvisioningToken(as(root, access.RoleOperator), control.NewProvisioningToken{Provider: name})
	if err != nil {
		return nil, err
	}
	actor, err := w.Authenticate(context.Background(), secret)
	return access.WithActor(context.Background(), actor), err
}

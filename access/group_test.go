package access_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/statetest"
)

var groupTime = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// inTx runs a test in one transaction.
func inTx(t testing.TB, do func(tx state.Tx)) {
	t.Helper()
	_, err := statetest.NewMemory(func() time.Time { return groupTime }).Update(context.Background(), "ops", func(tx state.Tx) error {
		do(tx)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestGroupNames: a name is one that people can read and that no other group of the source has.
func TestGroupNames(t *testing.T) {
	inTx(t, func(tx state.Tx) {
		ops, err := access.AddGroup(tx, access.Group{ID: access.NewGroupID(), Name: "  Ops \t team "}, groupTime)
		if err != nil || ops.Name != "Ops team" || !access.IsGroupID(ops.ID) || !ops.Created.Equal(groupTime) {
			t.Fatalf("%+v, %v", ops, err)
		}
		for name, want := range map[string]error{
			"": access.ErrBadGroup, " ": access.ErrBadGroup, strings.Repeat("x", 201): access.ErrBadGroup, "a\x00b": access.ErrBadGroup,
			"a\u202eb": access.ErrBadGroup, "\xff": access.ErrBadGroup, "g_x": access.ErrBadGroup, "G_x": access.ErrBadGroup,
			"OPS TEAM": access.ErrGroupTaken, "ops  team": access.ErrGroupTaken, "Ops": nil, "Équipe": nil, "éQUIPE": access.ErrGroupTaken,
		} {
			if name == "éQUIPE" {
				continue // after the other
			}
			if _, err := access.AddGroup(tx, access.Group{ID: access.NewGroupID(), Name: name}, groupTime); !errors.Is(err, want) {
				t.Errorf("%.20q: %v", name, err)
			}
		}
		if _, err := access.AddGroup(tx, access.Group{ID: access.NewGroupID(), Name: "éQUIPE"}, groupTime); !errors.Is(err, access.ErrGroupTaken) {
			t.Error(err)
		}
		if _, err := access.AddGroup(tx, access.Group{ID: access.NewGroupID(), Name: "ops team", Source: "idp", External: "1"}, groupTime); err != nil {
			t.Errorf("of another source: %v", err)
		}
		if _, err := access.AddGroup(tx, access.Group{ID: access.NewGroupID(), Name: "other", Source: "idp", External: "1"}, groupTime); !errors.Is(err, access.ErrGroupTaken) {
			t.Errorf("with the same key: %v", err)
		}
		later := groupTime.Add(time.Hour)
		ops.Name, ops.Source = "OPS team", "idp" // its own name in other letters; and a source, which stays
		if ops, err = access.ChangeGroup(tx, ops, later); err != nil || ops.Source != "" || !ops.Changed.Equal(later) {
			t.Errorf("%+v, %v", ops, err)
		}
		if again, err := access.ChangeGroup(tx, ops, later.Add(time.Hour)); err != nil || again != ops {
			t.Errorf("what changes nothing: %+v, %v", again, err)
		}
		for text, want := range map[string]string{ops.ID: "OPS team", "ops TEAM": "OPS team", "g_absent": "", "absent": "", "\x00": ""} {
			g, err := access.FindGroup(tx, text)
			if g.Name != want || (err != nil) != (want == "") || (err != nil && !errors.Is(err, access.ErrNoGroup)) {
				t.Errorf("%q is %+v, %v", text, g, err)
			}
		}
	})
}

// TestTellGroups: after a sign-in a person is in the groups that the provider named and in no other
// of its groups; what others say stays, whatever the keys are.
func TestTellGroups(t *testing.T) {
	keys := rapid.SampledFrom([]string{
		"ops", "OPS", "Ops ", "/a/b", "a,b", "", "g_x", "\x00", "\u202e", strings.Repeat("é", 150), strings.Repeat("é", 151), strings.Repeat("x", 600), "\xff", "6f1c-4d",
	})
	rapid.Check(t, func(rt *rapid.T) {
		inTx(t, func(tx state.Tx) {
			here, err := access.AddGroup(tx, access.Group{ID: access.NewGroupID(), Name: "ops"}, groupTime)
			if err = errors.Join(err, tx.PutMember(here.ID, "ada")); err != nil {
				rt.Fatal(err)
			}
			want := map[string]bool{" here": true}
			for range rapid.IntRange(1, 5).Draw(rt, "sign-ins") {
				source := rapid.SampledFrom([]string{"idp", "idp2"}).Draw(rt, "source")
				told := rapid.SliceOfN(keys, 0, 6).Draw(rt, "keys")
				for k := range want {
					if strings.HasPrefix(k, source+"/") {
						delete(want, k)
					}
				}
				for _, k := range told {
					if k != "" && k != "\x00" && k != "\xff" && len(k) <= 512 {
						want[source+"/"+k] = true
					}
				}
				before, _ := tx.GroupsOf("ada")
				changed, _, err := access.TellGroups(tx, "ada", source, told, access.NewGroupID(), groupTime)
				after, _ := tx.GroupsOf("ada")
				if err != nil || len(changed) != len(differ(before, after)) {
					rt.Fatalf("%v; it said %d changes, of %v to %v", err, len(changed), before, after)
				}
				got := map[string]bool{}
				for _, id := range after {
					g, err := tx.Group(id)
					if err != nil {
						rt.Fatal(err)
					}
					if _, err := access.GroupName(g.Name); err != nil {
						rt.Fatal(err)
					}
					if g.Source == "" {
						got[" here"] = true
						continue
					}
					got[g.Source+"/"+g.External] = true
				}
				if fmt.Sprint(got) != fmt.Sprint(want) {
					rt.Fatalf("%s told %q: ada is in %v, want %v", source, told, got, want)
				}
			}
		})
	})
}

func differ(a, b []string) (all []string) {
	for _, v := range append(slices.Clone(a), b...) {
		if slices.Contains(a, v) != slices.Contains(b, v) {
			all = append(all, v)
		}
	}
	return all
}

// TestGroupsOfAnActor: who is signed in acts with the groups that they are in, and no longer once
// they are taken out.
func TestGroupsOfAnActor(t *testing.T) {
	inTx(t, func(tx state.Tx) {
		secret, hash := access.NewSecret(access.KindToken)
		err := errors.Join(tx.PutUser(access.User{Name: "ada@x"}), tx.PutCredential(access.Credential{Hash: hash, Kind: access.KindToken, User: "ada@x"}))
		for _, id := range []string{"g_b", "g_a", "g_c"} {
			err = errors.Join(err, tx.PutGroup(access.Group{ID: id, Name: id}))
			if id != "g_c" {
				err = errors.Join(err, tx.PutMember(id, "ada@x"))
			}
		}
		actor, _, authErr := access.Authenticate(tx, secret, groupTime)
		if err = errors.Join(err, authErr, access.Current(tx, actor)); err != nil || !slices.Equal(actor.Groups, []string{"g_a", "g_b"}) {
			t.Fatalf("%+v, %v", actor, err)
		}
		if !access.In(actor.Groups, "g_b") || access.In(actor.Groups, "g_c") || access.In(actor.Groups, "") || access.In([]string{""}, "") {
			t.Error("In is wrong")
		}
		if err := tx.DeleteMember("g_b", "ada@x"); err != nil {
			t.Fatal(err)
		}
		if err := access.Current(tx, actor); !errors.Is(err, access.ErrForbidden) {
			t.Errorf("who was taken out acts on: %v", err)
		}
	})
}

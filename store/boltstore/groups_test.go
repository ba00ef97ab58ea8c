package boltstore_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/state"
)

// TestTellsAtMost: a token that names more groups than a person may be in ends no sign-in, and puts
// them into as many.
func TestTellsAtMost(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "db"))
	keys := make([]string, access.MaxGroupsOf+10)
	for i := range keys {
		keys[i] = fmt.Sprintf("%08x-0000-4000-8000-00000000000%x", i, i%16)
	}
	for _, told := range [][]string{keys, keys[:1]} {
		_, err := s.Update(t.Context(), "ada", func(tx state.Tx) error {
			_, _, err := access.TellGroups(tx, "ada", "idp", told, "g_seed", time.Now())
			if err != nil {
				return err
			}
			in, err := tx.GroupsOf("ada")
			if want := min(len(told), access.MaxGroupsOf); len(in) != want {
				t.Errorf("told %d groups, ada is in %d", len(told), len(in))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if problems := s.Check(context.Background()); len(problems) > 0 {
		t.Error(problems)
	}
}

// BenchmarkGroups reads the groups of a person, a list of people and a list of groups, among 5,000
// people in 500 groups.
func BenchmarkGroups(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "db"))
	group := func(i int) string { return fmt.Sprintf("g_%03d", i%500) }
	person := func(i int) string { return fmt.Sprintf("u_%04d", i) }
	_, err := s.Update(b.Context(), "ops", func(tx state.Tx) error {
		for i := range 500 {
			if err := tx.PutGroup(access.Group{ID: group(i), Name: "Group " + group(i), Source: "idp", External: group(i)}); err != nil {
				return err
			}
		}
		for i := range 5000 {
			for j := range 10 {
				if err := tx.PutMember(group(i*7+j*31), person(i)); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	for name, read := range map[string]func(state.Reader) (int, error){
		"of a person": func(tx state.Reader) (int, error) { all, err := tx.GroupsOf(person(4321)); return len(all), err },
		"all groups": func(tx state.Reader) (int, error) {
			all, _, err := tx.GroupsPart(state.Part{Limit: -1})
			return len(all) / 50, err
		},
		"people of one": func(tx state.Reader) (int, error) {
			all, _, err := tx.MembersPart(group(7), state.Part{Limit: -1})
			return len(all) / 10, err
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				err := s.View(b.Context(), func(tx state.Reader) error {
					n, err := read(tx)
					if n != 10 {
						b.Fatal(name, n)
					}
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

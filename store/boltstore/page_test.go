package boltstore_test

import (
	"path/filepath"
	"testing"

	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// TestListsPassEmptiedPages: a transaction lists backwards what stands before the pages that it has
// emptied itself.
func TestListsPassEmptiedPages(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state.db"))
	update := func(change func(state.Tx) error) {
		t.Helper()
		if _, err := s.Update(t.Context(), "ada", change); err != nil {
			t.Fatal(err)
		}
	}
	update(func(tx state.Tx) error {
		for app, releases := range map[string]int{"a": 3, "b": 200, "c": 1} {
			for n := range releases {
				if err := tx.AddRelease(registry.Release{App: app, Number: n + 1, Digest: "d", Bundle: "b"}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	update(func(tx state.Tx) error {
		if err := tx.EraseApp("b"); err != nil {
			return err
		}
		for app, want := range map[string]int{"a": 3, "b": 0, "c": 1} {
			if got, _, err := tx.ReleasesPart(app, state.Part{Limit: -1}); err != nil || len(got) != want {
				t.Errorf("%s has %d releases, want %d: %v", app, len(got), want, err)
			}
		}
		return nil
	})
}

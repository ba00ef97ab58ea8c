package boltstore_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/store/boltstore"
)

// TestFormat6: a file without accounts is opened as it was, and takes some.
func TestFormat6(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s := open(t, path)
	session := access.Credential{ID: "c", Hash: "h", Kind: access.KindSession, User: "u_ada", Created: time.Unix(1, 0), Expires: time.Now().Add(time.Hour)}
	update := func(s *boltstore.Store, change func(state.Tx) error) {
		t.Helper()
		if _, err := s.Update(t.Context(), "node", change); err != nil {
			t.Fatal(err)
		}
	}
	update(s, func(tx state.Tx) error {
		if err := tx.PutUser(access.User{ID: "u_ada", Name: "ada@example.com", Roles: []access.Role{access.RoleOperator}}); err != nil {
			return err
		}
		return tx.PutCredential(session)
	})
	if err := s.ToFormat6(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	account := access.Account{ID: "a_1", Provider: "p", Subject: "s", User: "u_ada"}
	update(s, func(tx state.Tx) error {
		u, err := tx.User("ada@example.com")
		if err != nil || u.ID != "u_ada" || len(u.Given) != 0 {
			t.Errorf("%+v, %v", u, err)
		}
		held, err := tx.Credentials("u_ada")
		if err != nil || len(held) != 1 || held[0].Hash != "h" {
			t.Errorf("%+v, %v", held, err)
		}
		none, err := tx.Accounts("u_ada")
		if err != nil || len(none) > 0 {
			t.Errorf("%+v, %v", none, err)
		}
		return tx.PutAccount(account)
	})
	update(s, func(tx state.Tx) error {
		if all, err := tx.Accounts("u_ada"); err != nil || len(all) != 1 || all[0].ID != account.ID || all[0].Subject != "s" {
			t.Errorf("%+v, %v", all, err)
		}
		return nil
	})
	if wrong := s.Check(t.Context()); len(wrong) > 0 {
		t.Errorf("damaged: %v", wrong)
	}
}

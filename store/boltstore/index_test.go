package boltstore_test

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/store/boltstore"
)

// governed is what the index leads to, as a model.
type governed struct {
	requests    []approvals.Request // by number
	grants      map[string]approvals.Grant
	credentials map[string]access.Credential
}

// all reads a list in parts of n.
func all[T any](t rapid.TB, n int, read func(state.Part) ([]T, []byte, error)) (list []T) {
	for p := (state.Part{Limit: n}); ; {
		part, next, err := read(p)
		if err != nil || len(part) > n {
			t.Fatalf("a part of %d has %d, %v", n, len(part), err)
		}
		if list = append(list, part...); next == nil {
			return list
		}
		p.After = next
	}
}

func (g *governed) act(t *rapid.T, tx state.Tx) error {
	app := rapid.SampledFrom([]string{"a", "ab", "b"}).Draw(t, "app")
	at := time.Unix(int64(rapid.IntRange(1, 9).Draw(t, "at")), 0).UTC()
	switch rapid.SampledFrom([]string{"ask", "decide", "grant", "revoke", "sign in", "sign out"}).Draw(t, "act") {
	case "ask":
		id, err := tx.NextRequest()
		if err != nil {
			return err
		}
		q := approvals.Request{ID: id, App: app, Kind: approvals.KindGrant, Release: rapid.IntRange(1, 3).Draw(t, "release"), Status: approvals.StatusOpen}
		g.requests = append(g.requests, q)
		return tx.PutRequest(q)
	case "decide":
		if len(g.requests) == 0 {
			return nil
		}
		q := &g.requests[rapid.IntRange(0, len(g.requests)-1).Draw(t, "which")]
		q.Status = rapid.SampledFrom([]approvals.Status{approvals.StatusApproved, approvals.StatusRejected}).Draw(t, "status")
		return tx.PutRequest(*q)
	case "grant", "revoke":
		id := fmt.Sprint("g", rapid.IntRange(1, 4).Draw(t, "id"))
		v, known := g.grants[id]
		if !known {
			v = approvals.Grant{ID: id, App: app, Created: at}
		} else {
			v.Revoked = at
		}
		g.grants[id] = v
		return tx.PutGrant(v)
	case "sign in":
		hash := fmt.Sprint("hash", rapid.IntRange(1, 4).Draw(t, "id"))
		if _, known := g.credentials[hash]; known {
			return nil
		}
		c := access.Credential{ID: hash[:5], Hash: hash, User: app, Kind: access.KindToken, Created: at}
		if at.Unix()%2 == 0 {
			c.Expires = time.Unix(2, 0).UTC() // long ago: the next one makes it go
		}
		for old, v := range g.credentials {
			if !v.Expires.IsZero() {
				delete(g.credentials, old)
			}
		}
		g.credentials[hash] = c
		return tx.PutCredential(c)
	}
	for hash := range g.credentials {
		delete(g.credentials, hash)
		return tx.DeleteCredential(hash)
	}
	return nil
}

// check compares every list with the model, in parts of every size.
func (g *governed) check(t *rapid.T, tx state.Reader) {
	n := rapid.IntRange(1, 4).Draw(t, "part")
	for _, app := range []string{"", "a", "ab", "b", "absent"} {
		open := 0
		for _, status := range []approvals.Status{"", approvals.StatusOpen, approvals.StatusApproved, approvals.StatusRejected} {
			var want, got []string
			for _, q := range slices.Backward(g.requests) {
				if (app == "" || q.App == app) && (status == "" || q.Status == status) {
					want = append(want, q.ID)
				}
			}
			for _, q := range all(t, n, func(p state.Part) ([]approvals.Request, []byte, error) { return tx.RequestsPart(app, status, p) }) {
				got = append(got, q.ID)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("requests of %q that are %q: %v, want %v", app, status, got, want)
			}
			if status == approvals.StatusOpen {
				open = len(want)
			}
		}
		if got, err := tx.CountOpen(app); got != open || err != nil {
			t.Fatalf("%d open requests of %q, %v, want %d", got, app, err, open)
		}
		if waiting, err := tx.OpenRequests(app, approvals.KindGrant); app != "" && (err != nil || len(waiting) != open) {
			t.Fatalf("%d wait for %q, %v", len(waiting), app, err)
		}
		g.checkGrants(t, tx, app, n)
		tokens := all(t, n, func(p state.Part) ([]access.Credential, []byte, error) {
			return tx.CredentialsPart(app, access.KindToken, p)
		})
		for _, c := range g.credentials {
			if (c.User == app) != slices.ContainsFunc(tokens, func(x access.Credential) bool { return x.Hash == c.Hash }) {
				t.Fatalf("tokens of %q: %v, want %v", app, tokens, g.credentials)
			}
		}
	}
}

func (g *governed) checkGrants(t *rapid.T, tx state.Reader, app string, n int) {
	live := 0
	var want []approvals.Grant
	for _, v := range g.grants {
		if app == "" || v.App == app {
			want = append(want, v)
			if v.Revoked.IsZero() {
				live++
			}
		}
	}
	slices.SortFunc(want, func(a, b approvals.Grant) int {
		return cmp.Or(b.Created.Compare(a.Created), strings.Compare(b.ID, a.ID))
	})
	got := all(t, n, func(p state.Part) ([]approvals.Grant, []byte, error) { return tx.GrantsPart(app, p) })
	if !slices.EqualFunc(got, want, func(a, b approvals.Grant) bool { return a.ID == b.ID }) {
		t.Fatalf("grants of %q: %v, want %v", app, got, want)
	}
	if hold, err := tx.Grants(app); app != "" && (err != nil || len(hold) != live) {
		t.Fatalf("%d grants of %q hold, %v, want %d", len(hold), app, err, live)
	}
}

// TestIndex: whatever is written, every list has what the model has, in its order; the checker
// finds nothing wrong; and a file of format 3 gets the same index when it is opened.
func TestIndex(t *testing.T) {
	dir, n := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		path := filepath.Join(dir, fmt.Sprint(n))
		s, err := boltstore.Open(path, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		model := &governed{grants: map[string]approvals.Grant{}, credentials: map[string]access.Credential{}}
		for range rapid.IntRange(1, 20).Draw(t, "acts") {
			if _, err := s.Update(context.Background(), "", func(tx state.Tx) error { return model.act(t, tx) }); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if err := s.View(context.Background(), func(tx state.Reader) error { model.check(t, tx); return nil }); err != nil {
				t.Fatal(err)
			}
			if problems := s.Check(context.Background()); len(problems) > 0 {
				t.Fatal(problems)
			}
			if err := s.ToFormat3(); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if problems := boltstore.Verify(path, nil); len(problems) > 0 {
				t.Fatalf("format 3: %v", problems)
			}
			if s, err = boltstore.Open(path, time.Now); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestUsesAreSummed: what all releases of an app used is known without reading each, also of a
// file that was written before there were sums.
func TestUsesAreSummed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agora.db")
	s := open(t, path)
	used := []approvals.Used{{Use: abi.Use{Capability: "fetch", Meter: "requests", Subject: "https://a.example", N: 2}}}
	for release := 1; release <= 3; release++ {
		if err := s.AddUsed(t.Context(), []approvals.ReleaseUsed{{App: "shop", Release: release, Used: used}, {App: "shop-2", Release: 1, Used: used}}); err != nil {
			t.Fatal(err)
		}
	}
	sum := func() (n uint64) {
		err := s.View(t.Context(), func(tx state.Reader) error {
			all, err := tx.UsedByAny("shop")
			for _, u := range all {
				n += u.N
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if got := sum(); got != 6 {
		t.Errorf("%d", got)
	}
	if err := s.ToFormat3(); err != nil || sum() != 0 {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s = open(t, path); sum() != 6 {
		t.Errorf("after the change of format: %d", sum())
	}
}

// TestLostEntry: an index that does not lead to a record is damage, though every record and
// every count is right.
func TestLostEntry(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agora.db")
	s := open(t, path)
	_, err := s.Update(t.Context(), "", func(tx state.Tx) error {
		return tx.PutRequest(approvals.Request{ID: "req-1", App: "a", Status: approvals.StatusOpen})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.LoseEntry(); err != nil {
		t.Fatal(err)
	}
	if problems := s.Check(t.Context()); len(problems) == 0 || !strings.Contains(fmt.Sprint(problems), "index") {
		t.Errorf("the checker found %v", problems)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := boltstore.Open(path, time.Now); err == nil {
		t.Error("it was opened")
	}
}

package boltstore_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/internal/storage"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/secrets"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/store/boltstore"
)

var errBack = errors.New("back")

// TestCountsAreSums: whatever is written, changed, removed and taken back, each count is what
// counting the records makes, also after the file is opened again by a store that knew no
// counts before.
func TestCountsAreSums(t *testing.T) {
	dir, n := t.TempDir(), 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		path := filepath.Join(dir, fmt.Sprintf("%d.db", n))
		s := open(t, path)
		defer func() { _ = s.Close() }()
		if _, err := s.Update(t.Context(), "ada", func(tx state.Tx) error {
			for range 4 { // requests of these numbers will be stored
				if _, err := tx.NextRequest(); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			rt.Fatal(err)
		}
		for range rapid.IntRange(1, 10).Draw(rt, "changes") {
			_, err := s.Update(t.Context(), "ada", func(tx state.Tx) error {
				for range rapid.IntRange(1, 4).Draw(rt, "acts") {
					if err := actAtRandom(rt, tx); err != nil && !errors.Is(err, registry.ErrExists) && !errors.Is(err, registry.ErrNotFound) && !errors.Is(err, access.ErrNotFound) && !errors.Is(err, secrets.ErrNotFound) {
						return err
					}
				}
				if rapid.IntRange(0, 4).Draw(rt, "back") == 0 {
					return errBack
				}
				return nil
			})
			if err != nil && !errors.Is(err, errBack) {
				rt.Fatal(err)
			}
		}
		compareCounts(rt, s)
		if problems := s.Check(t.Context()); len(problems) > 0 {
			rt.Fatal(problems)
		}
		if err := errors.Join(s.ToFormat7(), s.Close()); err != nil { // which counted nothing of groups
			rt.Fatal(err)
		}
		s = open(t, path)
		compareCounts(rt, s)
		before := countsOf(rt, s)
		all, err := s.AllUnnamed(t.Context())
		if err != nil {
			rt.Fatal(err)
		}
		if err := errors.Join(s.ForgetUnnamed(t.Context(), all), s.Uncount(), s.Close()); err != nil {
			rt.Fatal(err)
		}
		s = open(t, path)
		compareCounts(rt, s)
		if after := countsOf(rt, s); len(all) == 0 && after != before {
			rt.Fatalf("counted anew:\n%s\nbefore:\n%s", after, before)
		}
	})
}

func actAtRandom(rt *rapid.T, tx state.Tx) error {
	pick := func(name string, of ...string) string { return rapid.SampledFrom(of).Draw(rt, name) }
	who, app := pick("who", "ada", "ada2", "bob"), pick("app", "a", "ab")
	number := rapid.IntRange(1, 4).Draw(rt, "number")
	switch pick("act", "app", "release", "unrelease", "request", "credential", "uncredential", "key", "unkey", "secret", "unsecret", "host", "unhost", "user") {
	case "app":
		return tx.PutApp(registry.App{Name: app, Owner: who, Group: pick("group", "", "g1", "g2")})
	case "release":
		return tx.AddRelease(registry.Release{App: app, Number: number, Digest: registry.Digest(pick("digest", "d1", "d2", "d3")), Bundle: "b", Size: int64(number), Manifest: registry.Manifest{Owner: who}})
	case "unrelease":
		return tx.DeleteRelease(app, number)
	case "request":
		return tx.PutRequest(approvals.Request{ID: fmt.Sprintf("req-%d", number), App: app, By: who, Release: 1, Status: approvals.Status(pick("status", "open", "approved"))})
	case "credential":
		return tx.PutCredential(access.Credential{Hash: pick("hash", "x", "y", "z"), User: who, Kind: access.CredentialKind(pick("kind", "token", "session", "link"))})
	case "uncredential":
		return tx.DeleteCredential(pick("hash", "x", "y", "z"))
	case "key":
		return tx.PutKey(registry.Key{Hint: app, Identity: who})
	case "unkey":
		return tx.DeleteKey(app)
	case "secret":
		return tx.PutSecret(secrets.Secret{App: app, Name: who})
	case "unsecret":
		return tx.DeleteSecret(app, who)
	case "host":
		return tx.PutHostName(registry.HostName{Host: who, App: app})
	case "unhost":
		return tx.DeleteHostName(who)
	}
	return tx.PutUser(access.User{Name: who})
}

// compareCounts counts by listing, as nothing else does.
func compareCounts(rt *rapid.T, s *boltstore.Store) {
	all, err := s.AllUnnamed(context.Background())
	if err != nil {
		rt.Fatal(err)
	}
	want := map[counted]state.Count{}
	add := func(n, bytes int64, kind state.CountKind, of string) {
		c := want[counted{kind, of}]
		want[counted{kind, of}] = state.Count{N: c.N + n, Bytes: c.Bytes + bytes}
	}
	for _, u := range all {
		if u.Size > 0 {
			add(1, u.Size, state.CountOwned, u.Owner)
			add(1, u.Size, state.CountModules, "")
			add(1, u.Size, state.CountGroupOwned, u.Group)
		}
	}
	err = s.View(context.Background(), func(tx state.Reader) error {
		groups := map[string]string{}
		apps, err := tx.Apps()
		for _, a := range apps {
			add(1, 0, state.CountApps, a.Owner)
			add(1, 0, state.CountAllApps, "")
			add(1, 0, state.CountGroupApps, a.Group)
			groups[a.Name] = a.Group
		}
		named := map[registry.Digest]bool{}
		for _, app := range []string{"a", "ab"} {
			releases, _, listErr := tx.ReleasesPart(app, state.Part{Limit: -1})
			err = errors.Join(err, listErr)
			for i, r := range releases {
				add(1, 0, state.CountReleases, app)
				add(1, r.Size, state.CountOwned, r.Manifest.Owner)
				add(1, r.Size, state.CountModules, "")
				add(1, r.Size, state.CountGroupOwned, groups[app])
				named[r.Digest], named[r.Bundle] = true, true
				if numbers, listErr := tx.ReleaseNumbers(app); listErr != nil || len(numbers) != len(releases) || numbers[i] != r.Number {
					rt.Fatalf("numbers %v of %+v", numbers, releases)
				}
			}
		}
		for _, u := range all {
			if named[u.Digest] {
				rt.Fatalf("%s is named, and noted as unnamed", u.Digest)
			}
		}
		requests, _, listErr := tx.RequestsPart("", "", state.Part{Limit: -1})
		err = errors.Join(err, listErr)
		for _, q := range requests {
			waitingFor, listErr := tx.Waiting(q.App)
			err = errors.Join(err, listErr)
			if waiting := waitingFor[q.Release] != ""; q.Status == approvals.StatusOpen {
				add(1, 0, state.CountRequests, q.By)
				if !waiting {
					rt.Fatalf("%+v is not waited for", q)
				}
			}
		}
		credentials, listErr := boltstore.AllCredentials(tx)
		err = errors.Join(err, listErr)
		for _, who := range []string{"ada", "ada2", "bob"} {
			own, listErr := tx.Credentials(who)
			err = errors.Join(err, listErr)
			for _, c := range credentials {
				if c.User == who {
					add(1, 0, state.CountKind(c.Kind+"s"), who)
					own = own[1:]
				}
			}
			if len(own) > 0 {
				rt.Fatalf("%s is said to have %v, too", who, own)
			}
		}
		for _, app := range []string{"a", "ab"} {
			kept, listErr := tx.Secrets(app)
			err = errors.Join(err, listErr)
			add(int64(len(kept)), 0, state.CountSecrets, app)
		}
		hosts, _, listErr := tx.HostNamesPart(state.Part{Limit: -1})
		err = errors.Join(err, listErr)
		for _, h := range hosts {
			add(1, 0, state.CountHosts, h.App)
			add(1, 0, state.CountAllHosts, "")
		}
		keys, _, listErr := tx.KeysPart(state.Part{Limit: -1})
		err = errors.Join(err, listErr)
		for _, k := range keys {
			add(1, 0, state.CountKeys, k.Identity)
		}
		users, listErr := tx.Users()
		add(int64(len(users)), 0, state.CountUsers, "")
		return errors.Join(err, listErr)
	})
	if err != nil {
		rt.Fatal(err)
	}
	for _, k := range kindsOf() {
		got := count(rt, s, k.kind, k.of)
		if got != want[k] {
			rt.Fatalf("%s of %q: the count is %+v, the records make %+v", k.kind, k.of, got, want[k])
		}
	}
}

type counted struct {
	kind state.CountKind
	of   string
}

func kindsOf() (all []counted) {
	for _, who := range []string{"ada", "ada2", "bob"} {
		for _, kind := range []state.CountKind{state.CountApps, state.CountOwned, state.CountRequests, state.CountTokens, state.CountSessions, state.CountLinks, state.CountKeys} {
			all = append(all, counted{kind, who})
		}
	}
	for _, app := range []string{"a", "ab"} {
		all = append(all, counted{state.CountReleases, app}, counted{state.CountSecrets, app}, counted{state.CountHosts, app})
	}
	for _, group := range []string{"g1", "g2"} {
		all = append(all, counted{state.CountGroupApps, group}, counted{state.CountGroupOwned, group})
	}
	return append(all, counted{state.CountAllApps, ""}, counted{state.CountModules, ""}, counted{state.CountAllHosts, ""}, counted{state.CountUsers, ""})
}

func count(t interface{ Fatal(...any) }, s *boltstore.Store, kind state.CountKind, of string) (c state.Count) {
	err := s.View(context.Background(), func(tx state.Reader) (err error) {
		c, err = tx.Count(kind, of)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func countsOf(rt *rapid.T, s *boltstore.Store) (text string) {
	for _, k := range kindsOf() {
		text += fmt.Sprintln(k, count(rt, s, k.kind, k.of))
	}
	return text
}

// TestCountsAreVerified: a count that is whole, and not what its records make, is damage; the
// file is not opened.
func TestCountsAreVerified(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	s := open(t, path)
	if _, err := s.Update(t.Context(), "ada", func(tx state.Tx) error {
		return tx.PutApp(registry.App{Name: "shop", Owner: "ada"})
	}); err != nil {
		t.Fatal(err)
	}
	for _, k := range []struct {
		kind  state.CountKind
		of    string
		wrong state.Count
	}{{state.CountApps, "ada", state.Count{N: 2}}, {state.CountApps, "bob", state.Count{N: 1}}} {
		right := count(t, s, k.kind, k.of)
		if err := s.SetCount(t.Context(), k.kind, k.of, k.wrong); err != nil {
			t.Fatal(err)
		}
		if problems := s.Check(t.Context()); len(problems) == 0 || !strings.Contains(problems[0].Error(), "apps "+k.of) {
			t.Errorf("%v: %v", k, problems)
		}
		if k.of == "ada" {
			if err := s.SetCount(t.Context(), k.kind, k.of, right); err != nil {
				t.Fatal(err)
			}
			if problems := s.Check(t.Context()); len(problems) > 0 {
				t.Error(problems)
			}
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := boltstore.Open(path, time.Now); !errors.Is(err, storage.ErrCorrupt) {
		t.Errorf("it was opened: %v", err)
	}
}

// TestExpiredDoNotCount: what has ended is forgotten when something else is stored, or when
// a caller counts.
func TestExpiredDoNotCount(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 500, time.UTC)
	s, err := boltstore.Open(filepath.Join(t.TempDir(), "s.db"), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	store := func(hash string, ends time.Time) {
		t.Helper()
		if _, err := s.Update(t.Context(), "ada", func(tx state.Tx) error {
			return access.AddCredential(tx, access.Credential{Hash: hash, User: "ada", Kind: access.KindToken, Expires: ends}, now)
		}); err != nil {
			t.Fatal(err)
		}
	}
	store("a", now.Add(time.Minute))
	store("b", now.Add(2*time.Minute))
	store("c", time.Time{})
	now = now.Add(time.Minute - 1)
	if store("d", now.Add(time.Hour)); count(t, s, state.CountTokens, "ada").N != 4 {
		t.Error("one was forgotten before its end")
	}
	now = now.Add(1)
	if store("e", now.Add(time.Hour)); count(t, s, state.CountTokens, "ada").N != 4 {
		t.Error("one was not forgotten at its end")
	}
	now = now.Add(24 * time.Hour)
	if err := s.ForgetExpired(t.Context()); err != nil || count(t, s, state.CountTokens, "ada").N != 1 {
		t.Errorf("%+v, %v", count(t, s, state.CountTokens, "ada"), err)
	}
	if problems := s.Check(t.Context()); len(problems) > 0 {
		t.Error(problems)
	}
}

// TestFormat8: what groups have is counted in a file of format 7, whose apps stay open to whom they were, and
// to no one else.
func TestFormat8(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	s := open(t, path)
	if _, err := s.Update(t.Context(), "ada", func(tx state.Tx) error {
		return errors.Join(
			tx.PutApp(registry.App{Name: "shop", Owner: "ada", Group: "g"}), tx.PutApp(registry.App{Name: "own", Owner: "ada"}),
			tx.AddRelease(registry.Release{App: "shop", Number: 1, Size: 7, Digest: "d", Manifest: registry.Manifest{Owner: "ada"}}),
		)
	}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.ToFormat7(), s.Close()); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	defer s.Close()
	for _, k := range []struct {
		counted
		want state.Count
	}{{counted{state.CountAllApps, ""}, state.Count{N: 2}}, {counted{state.CountGroupApps, "g"}, state.Count{N: 1}}, {counted{state.CountGroupOwned, "g"}, state.Count{N: 1, Bytes: 7}}} {
		if got := count(t, s, k.kind, k.of); got != k.want {
			t.Errorf("%v: %+v", k.counted, got)
		}
	}
	err := s.View(t.Context(), func(tx state.Reader) error {
		_, err := tx.Audience("own", abi.TierSandbox)
		return err
	})
	if !errors.Is(err, access.ErrNoAudience) {
		t.Errorf("who may open an app was changed: %v", err)
	}
	if problems := s.Check(t.Context()); len(problems) > 0 {
		t.Error(problems)
	}
}

package host_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/secrets"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/persons"
	"github.com/agora-host/agora/state/rights"
	"github.com/agora-host/agora/state/statetest"
	"github.com/agora-host/agora/triggers"
)

// effect is a change of the state, and what is to be seen of it at every node.
type effect struct {
	name string
	do   func(tx state.Tx) error
	seen func(p *plane) bool
}

// TestTwoPlanes: two nodes' planes have one state. What is changed at one has its effects there before
// whoever makes the change is told, and at the other soon.
func TestTwoPlanes(t *testing.T) {
	w := newWorld(t, statetest.NewMemory(time.Now))
	one, other := w.open(), w.open()
	one.change(w.upload)
	for _, p := range []*plane{one, other} {
		for address, want := range map[string]string{"shop.apps.test": "one", "side.apps.test": "side", "elsewhere.example.org": "one"} {
			eventually(t, address+" is served", func() bool { return p.get(address) == want })
		}
	}
	for i, e := range w.effects() {
		at, away := one, other
		if i%2 == 1 { // each node makes changes
			at, away = other, one
		}
		if e.seen(at) || e.seen(away) {
			t.Fatalf("%s: its effect is there before it", e.name)
		}
		side := [2]any{leadsTo(at, "side.apps.test"), leadsTo(away, "side.apps.test")}
		at.change(e.do)
		if !e.seen(at) {
			t.Fatalf("%s: who made the change is told, and its effect is not there (%v)", e.name, at)
		}
		eventually(t, e.name+" at the other node", func() bool { return e.seen(away) })
		if now := [2]any{leadsTo(at, "side.apps.test"), leadsTo(away, "side.apps.test")}; now != side {
			t.Errorf("%s: the route of another app was dropped", e.name)
		}
	}
}

// upload makes an app that serves, and another one that no change of the test is about.
func (w *world) upload(tx state.Tx) error {
	for app, text := range map[string]string{"shop": "one", "side": "side"} {
		r := w.release(app, 1, text)
		if app == "side" {
			r.Signer = registry.Signer{Identity: ada, Method: registry.MethodIdentity}
		}
		if err := tx.PutApp(registry.App{Name: app, Owner: ada, Releases: 1, Active: map[abi.Tier]int{abi.TierSandbox: 1}}); err != nil {
			return err
		}
		if err := tx.AddRelease(r); err != nil {
			return err
		}
		tx.Emit("release.published", app, "1", nil)
	}
	if err := tx.PutHostName(registry.HostName{Host: "elsewhere.example.org", App: "shop"}); err != nil {
		return err
	}
	tx.Emit("host.added", "shop", "elsewhere.example.org", nil)
	tx.Emit("key.added", "", hint, nil)
	return tx.PutKey(registry.Key{Hint: hint, Identity: ada})
}

func (w *world) effects() []effect {
	pause := triggers.Ref{App: "shop", Kind: abi.TriggerCron, Name: "nightly"}
	paused := func(p *plane) bool { v := p.Triggers.Views("shop"); return len(v) == 1 && v[0].Paused }
	grant := approvals.Grant{ID: "g", App: "shop", Capability: "kv", Tier: abi.TierSandbox, Params: abi.Params{"quota": "10", "keys": "1"}, Reviewed: rights.Terms(w.release("shop", 2, "two"))}
	app := func(tx state.Tx, kind string, change func(a *registry.App)) error {
		a, err := tx.App("shop")
		if err != nil {
			return err
		}
		change(&a)
		tx.Emit(kind, "shop", "shop", nil)
		return tx.PutApp(a)
	}
	suspension := &registry.Suspension{By: ada, Authority: "owner"}
	return []effect{
		{"activation", func(tx state.Tx) error {
			if err := tx.AddRelease(w.release("shop", 2, "two")); err != nil {
				return err
			}
			return app(tx, "release.activated", func(a *registry.App) { a.Releases, a.Active[abi.TierSandbox] = 2, 2 })
		}, func(p *plane) bool { return p.get("shop.apps.test") == "two" }},
		{"grant", func(tx state.Tx) error { tx.Emit("grant.added", "shop", "g", nil); return tx.PutGrant(grant) },
			func(p *plane) bool { return strings.Contains(leads(p), "kv") }},
		{"revocation", func(tx state.Tx) error {
			tx.Emit("grant.revoked", "shop", "g", nil)
			g := grant
			g.Revoked = time.Unix(1, 0)
			return tx.PutGrant(g)
		}, func(p *plane) bool { return !strings.Contains(leads(p), "kv") }},
		{"secret", func(tx state.Tx) error {
			s := secrets.Secret{App: "shop", Name: "api"}
			s.Key, s.Sealed = w.ring.Seal("shop", "api", []byte("a secret value"))
			tx.Emit("secret.set", "shop", "api", nil)
			return tx.PutSecret(s)
		}, func(p *plane) bool {
			return !strings.Contains(p.Redacted("shop", "it is a secret value."), "secret value")
		}},
		{"pause", func(tx state.Tx) error {
			tx.Emit("trigger.paused", "shop", "nightly", map[string]string{"kind": "cron"})
			return tx.PutPause(triggers.Pause{Ref: pause})
		}, paused},
		{"end of the pause", func(tx state.Tx) error {
			tx.Emit("trigger.resumed", "shop", "nightly", map[string]string{"kind": "cron"})
			return tx.DeletePause(pause)
		}, func(p *plane) bool { return !paused(p) }},
		{"suspension", func(tx state.Tx) error {
			return app(tx, "app.suspended", func(a *registry.App) { a.Suspension = suspension })
		}, func(p *plane) bool {
			return strings.Contains(p.get("shop.apps.test"), "suspended") && paused(p) && p.InMemory().Programs == 1
		}},
		{"resumption", func(tx state.Tx) error {
			return app(tx, "app.resumed", func(a *registry.App) { a.Suspension = nil })
		}, func(p *plane) bool {
			return p.get("shop.apps.test") == "two" && !paused(p) && p.InMemory().Programs == 2
		}},
		{"taken address", func(tx state.Tx) error {
			tx.Emit("host.removed", "shop", "elsewhere.example.org", nil)
			return tx.DeleteHostName("elsewhere.example.org")
		}, func(p *plane) bool { return p.get("elsewhere.example.org") != "two" }},
		{"deleted key", func(tx state.Tx) error {
			tx.Emit("key.deleted", "", hint, nil)
			return tx.DeleteKey(hint)
		}, func(p *plane) bool {
			return strings.Contains(p.get("shop.apps.test"), registry.ErrNoKey.Error()) && p.InMemory().Programs == 1
		}},
		{"removal", func(tx state.Tx) error {
			return app(tx, "app.removed", func(*registry.App) {})
		}, func(p *plane) bool {
			return strings.Contains(p.Redacted("shop", "it is a secret value."), "secret value")
		}},
	}
}

// TestStoppedElsewhere: a call that runs at one node ends when its app is suspended at another, and
// what was routed before is not called any more.
func TestStoppedElsewhere(t *testing.T) {
	w := newWorld(t, statetest.NewMemory(time.Now))
	one, other := w.open(), w.open()
	forever := w.release("shop", 1, "")
	module := wasmtest.App{Code: wasmtest.Forever}.Bytes()
	forever.Digest = registry.DigestOf(module)
	forever.Manifest.Limits.Timeout = registry.Duration(time.Minute)
	forever.Manifest.Limits.Fuel = 1 << 50
	w.modules[forever.Digest] = module
	one.change(func(tx state.Tx) error {
		tx.Emit("release.published", "shop", "1", nil)
		return errors.Join(tx.PutKey(registry.Key{Hint: hint, Identity: ada}), tx.AddRelease(forever),
			tx.PutApp(registry.App{Name: "shop", Owner: ada, Releases: 1, Active: map[abi.Tier]int{abi.TierSandbox: 1}}))
	})
	target, err := other.Route(t.Context(), "shop.apps.test")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := target.Invoke(t.Context(), "call", request("shop.apps.test"), nil)
		ended <- err
	}()
	eventually(t, "it runs", func() bool { return other.Running("shop") == 1 })
	one.change(func(tx state.Tx) error {
		a, err := tx.App("shop")
		a.Suspension = &registry.Suspension{By: ada, Authority: "owner"}
		tx.Emit("app.suspended", "shop", "shop", nil)
		return errors.Join(err, tx.PutApp(a))
	})
	select {
	case err := <-ended:
		if !errors.Is(err, registry.ErrSuspended) {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it runs on")
	}
	if _, err := target.Invoke(t.Context(), "call", request("shop.apps.test"), nil); !errors.Is(err, registry.ErrSuspended) {
		t.Errorf("what was routed before: %v", err)
	}
}

// TestSignInsDisturbNoApp: a change that names no app drops nothing.
func TestSignInsDisturbNoApp(t *testing.T) {
	w := newWorld(t, statetest.NewMemory(time.Now))
	p := w.open()
	p.change(w.upload)
	if got := p.get("shop.apps.test"); got != "one" {
		t.Fatal(got)
	}
	route, kept := leadsTo(p, "shop.apps.test"), p.InMemory()
	p.change(signIn(1))
	if leadsTo(p, "shop.apps.test") != route || p.InMemory() != kept {
		t.Errorf("%+v after a sign-in, %+v before", p.InMemory(), kept)
	}
}

// TestRenamedSigner: a route that is remembered names the person who signed its release with a key, whose
// signature verifies as the person's present name: it is read again when the person is renamed, at
// every node.
func TestRenamedSigner(t *testing.T) {
	w := newWorld(t, persons.Over(statetest.NewMemory(time.Now)))
	one, other := w.open(), w.open()
	one.change(func(tx state.Tx) error {
		tx.Emit("user.changed", "", ada, nil)
		return errors.Join(second(access.ChangeUser(tx, access.User{ID: access.NewPersonID(), Name: ada})), w.upload(tx))
	})
	signer := func(p *plane) string { return p.get("shop.apps.test") }
	for _, p := range []*plane{one, other} {
		eventually(t, "the app is served", func() bool { return signer(p) == "one" })
		p.Distrust()
	}
	_ = []any{leadsTo(one, "shop.apps.test"), leadsTo(other, "shop.apps.test")} // remembered, and not loaded
	one.change(func(tx state.Tx) error {
		_, err := access.Rename(tx, ada, "lovelace@example.com", time.Now())
		tx.Emit("user.renamed", "", "lovelace@example.com", nil)
		return err
	})
	if got := signer(one); got != "one" {
		t.Errorf("where the person was renamed: %s", got)
	}
	eventually(t, "the other node serves, too", func() bool { return signer(other) == "one" })
}

func second[T any](_ T, err error) error { return err }

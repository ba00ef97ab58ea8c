package host_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/host/gate"
	"github.com/agora-host/agora/host/gateway"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/statetest"
	"github.com/agora-host/agora/web/problem"
)

const bob = "bob@example.com"

// signedOn is a console at which no one signs on here, and that does not note when sessions are used.
type signedOn struct{ gate.SignOn }

func (signedOn) Used(context.Context, access.Credential) {}

// open opens the shop's address at a plane with a session, and returns what came of it.
func (p *plane) enter(secret string) (in gateway.Admission, done bool, err error) {
	route, err := p.Route(p.w.Context(), "shop.apps.test")
	if err != nil {
		p.w.Fatal(err)
	}
	r := request("shop.apps.test")
	r.Header.Set("Cookie", "__Host-agora_app="+secret)
	return route.(gateway.Gated).Admit(httptest.NewRecorder(), r)
}

func (p *plane) lets(secret string) bool {
	_, done, err := p.enter(secret)
	return err == nil && !done
}

// guests stores the shop, of ada's, which is open to bob, and a session of his at its address.
func (w *world) guests(module []byte, secret *string) func(tx state.Tx) error {
	var hash string
	*secret, hash = access.NewSecret(access.KindApp)
	r := w.release("shop", 1, "one")
	if module != nil {
		r.Digest = registry.DigestOf(module)
		r.Manifest.Limits.Timeout, r.Manifest.Limits.Fuel = registry.Duration(time.Minute), 1<<50
		w.modules[r.Digest] = module
	}
	return func(tx state.Tx) error {
		tx.Emit("release.published", "shop", "1", nil)
		return errors.Join(tx.PutUser(access.User{Name: ada}), tx.PutUser(access.User{Name: bob}), tx.PutKey(registry.Key{Hint: hint, Identity: ada}), tx.AddRelease(r),
			tx.PutApp(registry.App{Name: "shop", Owner: ada, Releases: 1, Active: map[abi.Tier]int{abi.TierSandbox: 1}}),
			tx.PutAudience(access.Audience{App: "shop", Tier: abi.TierSandbox, Kind: access.AudiencePeople, People: []string{bob}}),
			tx.PutCredential(access.Credential{ID: "session", Hash: access.Hash(""), Kind: access.KindSession, User: bob, Expires: time.Now().Add(time.Hour)}),
			tx.PutCredential(access.Credential{ID: "here", Hash: hash, Kind: access.KindApp, User: bob, Session: access.Hash(""), Host: "shop.apps.test", Reach: access.Reach{Apps: []string{"shop"}}}))
	}
}

// TestRevokedElsewhere: what takes a person's way in at one node takes it at the other soon, and at the
// node where it was done before the one who did it is told.
func TestRevokedElsewhere(t *testing.T) {
	revoke := map[string]func(tx state.Tx) error{
		"disabled": func(tx state.Tx) error {
			tx.Emit("user.changed", "", bob, nil)
			return tx.PutUser(access.User{Name: bob, Disabled: true})
		},
		"signed out everywhere": func(tx state.Tx) error {
			c, err := tx.CredentialByHash(access.Hash(""))
			tx.Emit("user.signed_out", "", bob, nil)
			return errors.Join(err, access.Revoke(tx, c))
		},
		"taken out of the audience": func(tx state.Tx) error {
			tx.Emit("audience.changed", "shop", "sandbox", nil)
			return tx.PutAudience(access.Audience{App: "shop", Tier: abi.TierSandbox, Kind: access.AudienceOwner})
		},
	}
	for name, change := range revoke {
		w := newWorld(t, statetest.NewMemory(time.Now))
		one, other := w.open(), w.open()
		var secret string
		one.change(w.guests(nil, &secret))
		for _, p := range []*plane{one, other} {
			eventually(t, "he is let in", func() bool { return p.lets(secret) })
		}
		one.change(change)
		if one.lets(secret) {
			t.Errorf("%s: he is let in where it was done", name)
		}
		eventually(t, name+": he is refused at the other node", func() bool { return !other.lets(secret) })
	}
}

// TestVisitsEnd: a call that runs for a person at one node ends when the session does, at another.
func TestVisitsEnd(t *testing.T) {
	w := newWorld(t, statetest.NewMemory(time.Now))
	one, other := w.open(), w.open()
	var secret string
	one.change(w.guests(wasmtest.App{Code: wasmtest.Forever}.Bytes(), &secret))
	eventually(t, "he is let in", func() bool { return other.lets(secret) })
	in, _, err := other.enter(secret)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := in.Route.Invoke(context.Background(), "call", request("shop.apps.test"), nil)
		ended <- err
	}()
	eventually(t, "it runs", func() bool { return other.Running("shop") == 1 })
	one.change(func(tx state.Tx) error {
		c, err := tx.CredentialByHash(access.Hash(""))
		tx.Emit("user.signed_out", "", bob, nil)
		return errors.Join(err, access.Revoke(tx, c))
	})
	select {
	case err := <-ended:
		if !errors.Is(err, access.ErrSessionEnded) {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it runs on")
	}
}

// TestOpenPaths: the paths that a manifest opens need no sign-in where a reviewer has let the release in, and
// in the sandbox they are as closed as the rest.
func TestOpenPaths(t *testing.T) {
	w := newWorld(t, statetest.NewMemory(time.Now))
	p := w.open()
	r := w.release("shop", 1, "one")
	r.Manifest.Access = &registry.Opening{Open: []string{"/healthz"}}
	p.change(func(tx state.Tx) error {
		tx.Emit("release.published", "shop", "1", nil)
		return errors.Join(tx.PutKey(registry.Key{Hint: hint, Identity: ada}), tx.AddRelease(r),
			tx.PutApp(registry.App{Name: "shop", Owner: ada, Releases: 1, Active: map[abi.Tier]int{abi.TierSandbox: 1, abi.TierPilot: 1}}))
	})
	for address, open := range map[string]bool{
		"pilot--shop.apps.test/healthz": true, "pilot--shop.apps.test/healthz/": false, "pilot--shop.apps.test/%68ealthz": false, "pilot--shop.apps.test/": false, "pilot--shop.apps.test/healthz/../": false,
		"sandbox--shop.apps.test/healthz": false, "r1--shop.apps.test/healthz": false,
	} {
		r := httptest.NewRequest("GET", "http://"+address, nil)
		route, err := p.Route(t.Context(), r.Host)
		if err != nil {
			t.Fatal(err)
		}
		if _, done, err := route.(gateway.Gated).Admit(httptest.NewRecorder(), r); (err == nil && !done) != open {
			t.Errorf("%s: %v, %v", address, done, err)
		}
	}
}

// unreadable is a store that a node loses sight of.
type unreadable struct {
	*statetest.Memory
	is atomic.Bool
}

func (s *unreadable) View(ctx context.Context, read func(state.Reader) error) error {
	if s.is.Load() {
		return errors.New("no connection")
	}
	return s.Memory.View(ctx, read)
}

// TestUnreadableState: a node that does not see its state lets no one in by what it remembers, and says why;
// who was let in is let in again once it does.
func TestUnreadableState(t *testing.T) {
	store := &unreadable{Memory: statetest.NewMemory(time.Now)}
	w := newWorld(t, store)
	p := w.open()
	var secret string
	p.change(w.guests(nil, &secret))
	eventually(t, "he is let in", func() bool { return p.lets(secret) })
	route, err := p.Route(t.Context(), "shop.apps.test")
	if err != nil {
		t.Fatal(err)
	}
	store.is.Store(true)
	p.Distrust() // as the followers do: see state.TestBlindness
	if _, err := p.Route(t.Context(), "shop.apps.test"); !errors.Is(err, access.ErrUnseen) {
		t.Errorf("its address: %v", err)
	}
	r := request("shop.apps.test") // one that was on its way
	r.Header.Set("Cookie", "__Host-agora_app="+secret)
	if _, done, err := route.(gateway.Gated).Admit(httptest.NewRecorder(), r); !errors.Is(err, access.ErrUnseen) || done {
		t.Errorf("his session: %v, %v", done, err)
	}
	if p := problem.For(access.ErrUnseen); p.Status != http.StatusServiceUnavailable {
		t.Errorf("%+v", p)
	}
	store.is.Store(false)
	if !p.lets(secret) {
		t.Error("he is not let in again")
	}
}

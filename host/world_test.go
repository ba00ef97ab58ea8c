package host_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/host"
	"github.com/agora-host/agora/host/engine"
	"github.com/agora-host/agora/internal/calm"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/secrets"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/triggers/triggerstest"
	"github.com/agora-host/agora/web/problem"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "compile-worker" { // a child of these tests
		os.Exit(engine.CompileWorker(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

const (
	ada  = "ada@example.com"
	hint = "key-of-ada"
)

// world is one state, and what all planes share: the modules, and the keys of the secrets.
type world struct {
	testing.TB
	store   state.Store
	ring    *secrets.Ring
	engine  *engine.Engine
	modules map[registry.Digest][]byte
	// audience is who may open apps for which no audience was set.
	audience access.AudienceDefaults
	// paced counts calls; nil: no app is bounded.
	paced func(app string) error
}

func newWorld(t testing.TB, store state.Store) *world {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(engine.Options{CacheDir: t.TempDir(), Worker: []string{exe, "compile-worker"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close(context.Background()) })
	ring, err := secrets.OpenRing(filepath.Join(t.TempDir(), "keys"))
	if err != nil {
		t.Fatal(err)
	}
	return &world{TB: t, store: store, ring: ring, engine: e, modules: map[registry.Digest][]byte{}}
}

// plane is the data plane of one node, and the desk at which changes are made there.
type plane struct {
	*host.Host
	*control.Desk
	followers *state.Followers
	w         *world
}

// open makes a plane that follows the feed until the test ends.
func (w *world) open() *plane {
	w.Helper()
	log := slog.New(slog.NewTextHandler(w.Output(), nil))
	p := &plane{w: w}
	watch := calm.New(log)
	var err error
	if p.followers, err = state.NewFollowers(w.Context(), w.store, log, watch, func() { p.Distrust() }); err != nil {
		w.Fatal(err)
	}
	p.Host, err = host.Open(w.Context(), host.Options{
		State: w.store, Rules: strict{}, Engine: w.engine, Meter: books{}, Queue: triggerstest.NewMemory(), Ring: w.ring, Logs: noLog{},
		Addresses: addresses{}, SignOn: signedOn{}, Identities: scribe{}, Audience: w.audience, Module: w.module, Problem: func(err error) host.Problem {
			return host.Problem{Detail: err.Error(), Internal: problem.Internal(err)}
		},
		Room: func() error { return nil }, Paced: w.paced, Programs: host.DefaultPrograms, Logger: log, Watch: watch, Now: time.Now,
	})
	if err != nil {
		w.Fatal(err)
	}
	p.Host.Follow(p.followers)
	p.Desk = &control.Desk{Store: w.store, Now: time.Now, Logger: log, Low: func() error { return nil }, Follow: p.followers.CatchUp}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { p.followers.Run(ctx) })
	w.Cleanup(func() {
		cancel()
		running.Wait()
		if err := errors.Join(p.Triggers.Stop(context.Background()), p.Close(context.Background())); err != nil {
			w.Error(err)
		}
	})
	return p
}

// module verifies as a node does: the key has to be registered still, for the person who signed.
func (w *world) module(ctx context.Context, r registry.Release) (module []byte, err error) {
	return w.modules[r.Digest], w.store.View(ctx, func(tx state.Reader) error {
		if r.Signer.Method != registry.MethodKey {
			return nil
		}
		key, err := tx.Key(r.Signer.KeyHint)
		if err == nil && key.Identity != r.Signer.Certified() {
			return registry.ErrUntrusted
		}
		return err
	})
}

// says is a module that responds with a text.
func (w *world) says(text string) registry.Digest {
	module := wasmtest.App{Frame: abi.AppendResponse(nil, &abi.Response{Status: 200, Body: []byte(text)})}.Bytes()
	d := registry.DigestOf(module)
	w.modules[d] = module
	return d
}

// release is a release of an app of ada's, signed with her key, that asks for kv and has a trigger.
func (w *world) release(app string, number int, text string) registry.Release {
	m := registry.Manifest{Name: app, Owner: ada, Capabilities: map[string]registry.CapabilityAsk{"kv": {}}}
	m.Triggers.Cron = []registry.CronTrigger{{Name: "nightly", Path: "/", Schedule: "0 3 1 1 *"}}
	return registry.Release{
		App: app, Number: number, Digest: w.says(text), Manifest: m.WithDefaults(), Interface: abi.InterfaceV1, Capabilities: []string{"kv"},
		Signer: registry.Signer{Identity: ada, Method: registry.MethodKey, KeyHint: hint},
	}
}

// get calls what an address leads to at this plane.
func (p *plane) get(address string) string {
	route, err := p.Route(p.w.Context(), address)
	if err != nil {
		return err.Error()
	}
	r, err := route.Invoke(p.w.Context(), "call", request(address), nil)
	if err != nil {
		return err.Error()
	}
	return string(r.Body)
}

// change makes a change at this plane, as a flow does.
func (p *plane) change(do func(tx state.Tx) error) {
	p.w.Helper()
	if _, err := p.Update(p.w.Context(), ada, do); err != nil {
		p.w.Fatal(err)
	}
}

func appAddress(app string) string { return app + ".apps.test" }

type addresses struct{}

func (addresses) Label(host string) (string, bool) { return strings.CutSuffix(host, ".apps.test") }
func (addresses) AppHost(app string) string        { return appAddress(app) }
func (addresses) Scheme() string                   { return "http" }
func (addresses) ConsoleURL() string               { return "http://console.test" }
func (addresses) KeepsSignIn(string) error         { return nil }

// strict are rules that give nothing, and whose grants reach the release that was reviewed.
type strict struct{}

func (strict) Allowance(abi.Tier) approvals.Allowance { return nil }
func (strict) Reach(abi.Tier) approvals.Reach         { return approvals.Reach{} }

// books are a meter that keeps nothing.
type books struct{}

func (books) Ready() error                        { return nil }
func (books) Begin() *metering.Running            { panic("nothing streams here") }
func (books) Record(*metering.Invocation) error   { return nil }
func (books) Standing(*metering.Invocation) error { return nil }

func (books) Unstored(string) map[int][]metering.Done { return nil }

type noLog struct{}

func (noLog) Append(host.Line) error { return nil }

func (p *plane) String() string { return fmt.Sprintf("%+v", p.InMemory()) }

func leadsTo(p *plane, address string) any {
	route, err := p.Route(p.w.Context(), address)
	if err != nil {
		p.w.Fatal(err)
	}
	return route
}

// leads are the capabilities that the app has.
func leads(p *plane) string {
	_, _, words := leadsTo(p, "shop.apps.test").(interface {
		LeadsTo() (int, abi.Tier, []string)
	}).LeadsTo()
	return strings.Join(words, " ")
}

func request(address string) *http.Request {
	return httptest.NewRequest("GET", "http://"+address+"/", nil)
}

func signIn(n int) func(tx state.Tx) error {
	return func(tx state.Tx) error {
		tx.Emit("user.signed_in", "", ada, nil)
		return tx.PutCredential(access.Credential{Hash: fmt.Sprint("session-", n), User: ada, Kind: access.KindSession, Expires: time.Now().Add(time.Hour)})
	}
}

func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it is not so that %s", what)
		}
	}
}

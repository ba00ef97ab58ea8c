package host_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/host/gate"
	"github.com/agora-host/agora/host/gateway"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/statetest"
)

// scribe makes what apps are told of people cheaply.
type scribe struct{}

func (scribe) Pseudonym(app, person string) string { return "p_" + app + person }

func (scribe) Token(_, _ string, c access.Caller, _, _ time.Time) (string, error) {
	return "a token about " + c.ID, nil
}

var silent = &nowhere{header: http.Header{}}

// nowhere takes a response.
type nowhere struct{ header http.Header }

func (w *nowhere) Header() http.Header         { return w.header }
func (w *nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (w *nowhere) WriteHeader(int)             {}

// signedWorld is a plane with the same app three times: open, for everyone who is signed in, and told who calls;
// and the cookie with which each is called.
func signedWorld(t testing.TB) (serve map[string]func()) {
	w := newWorld(t, statetest.NewMemory(time.Now))
	p := w.open()
	front := gateway.New(gateway.Options{Router: p.Host, Hidden: gate.Ours, WriteFault: func(_ http.ResponseWriter, _ *http.Request, _ string, err error) { t.Error(err) }})
	serve = map[string]func(){}
	for _, name := range []string{"open", "signed", "told"} {
		secret, hash := access.NewSecret(access.KindApp)
		kind := access.AudienceOrganisation
		if name == "open" {
			kind = access.AudiencePublic
		}
		r := w.release(name, 1, "served")
		r.Manifest.Triggers, r.Capabilities, r.Manifest.Capabilities = registry.Triggers{}, nil, nil
		if name == "told" {
			r.Manifest.Access = &registry.Opening{Identity: "pseudonym"}
		}
		p.change(func(tx state.Tx) error {
			tx.Emit("release.published", name, "1", nil)
			return errors.Join(tx.PutUser(access.User{ID: "u_ada", Name: ada}), tx.PutKey(registry.Key{Hint: hint, Identity: ada}), tx.AddRelease(r),
				tx.PutApp(registry.App{Name: name, Owner: ada, Releases: 1, Active: map[abi.Tier]int{abi.TierSandbox: 1}}),
				tx.PutAudience(access.Audience{App: name, Tier: abi.TierSandbox, Kind: kind}),
				tx.PutCredential(access.Credential{ID: "session", Hash: access.Hash(""), Kind: access.KindSession, User: ada}),
				tx.PutCredential(access.Credential{ID: name, Hash: hash, Kind: access.KindApp, User: ada, Session: access.Hash(""), Host: appAddress(name), Reach: access.Reach{Apps: []string{name}}}))
		})
		request := httptest.NewRequest("GET", "http://"+appAddress(name)+"/", nil)
		request.Header.Set("Cookie", "theme=dark; __Host-agora_app="+secret)
		request.Header.Set("Accept", "text/html")
		serve[name] = func() { clear(silent.header); front.ServeHTTP(silent, request) }
		serve[name]()
	}
	return serve
}

// BenchmarkSignedIn is a request through the gateway and a small app, without a connection: of nobody at an
// open app, of a person who is signed in, and of one whom the app is told of.
//
//	go test ./host -run '^$' -bench SignedIn -count 5
func BenchmarkSignedIn(b *testing.B) {
	serve := signedWorld(b)
	for _, name := range []string{"open", "signed", "told"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				serve[name]()
			}
		})
	}
}

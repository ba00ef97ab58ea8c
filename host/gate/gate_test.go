package gate_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/host/gate"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/statetest"
)

const (
	ada  = "ada@example.com" // owns the app
	bob  = "bob@example.com" // is named
	eve  = "eve@example.com" // is in the organisation
	rex  = "rex@example.com" // reviews
	mia  = "mia@example.com" // is in the group that is named
	host = "shop.apps.test"
	team = "g_team"
)

// world is a state with people who have sessions at the app's address.
type world struct {
	testing.TB
	store   *statetest.Memory
	gate    *gate.Gate
	now     time.Time
	secrets map[string]string // of sessions and tokens, by what they are
	scheme  string
	signOn  signOn
	notary  notary
}

type signOn struct {
	asked []string
	used  []string // hashes
}

func (s *signOn) Used(_ context.Context, c access.Credential) { s.used = append(s.used, c.Hash) }

func (s *signOn) Redeem(context.Context, string, string, string, string) (string, error) {
	return "", access.ErrCode
}
func (s *signOn) Leave(context.Context, string) error { return nil }
func (s *signOn) Ask(_ context.Context, who access.Actor, _ string, _ abi.Tier) error {
	s.asked = append(s.asked, who.User)
	return nil
}

func (w *world) Scheme() string           { return w.scheme }
func (w *world) ConsoleURL() string       { return w.scheme + "://console.test" }
func (w *world) KeepsSignIn(string) error { return nil }

func newWorld(t testing.TB) *world {
	w := &world{TB: t, now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), secrets: map[string]string{}, scheme: "https"}
	w.store = statetest.NewMemory(func() time.Time { return w.now })
	w.gate = gate.New(gate.Options{State: w.store, SignOn: &w.signOn, Addresses: w, Identities: &w.notary, Now: func() time.Time { return w.now }})
	w.change(func(tx state.Tx) error {
		errs := []error{tx.PutApp(registry.App{Name: "shop", Title: "The shop", Owner: ada}), tx.PutGroup(access.Group{ID: team, Name: "Sales"})}
		for _, u := range []access.User{{Name: ada}, {Name: bob}, {Name: eve}, {Name: mia}, {Name: rex, Roles: []access.Role{access.RoleReviewer}}} {
			name, _, _ := strings.Cut(u.Name, "@")
			u.ID = "u_" + name
			errs = append(errs, tx.PutUser(u))
			behind := access.Hash("session of " + u.Name)
			errs = append(errs, tx.PutCredential(access.Credential{ID: "s-" + u.Name, Hash: behind, Kind: access.KindSession, User: u.Name, Created: w.now, Idle: 8 * time.Hour, Expires: w.now.Add(7 * 24 * time.Hour)}))
			for what, c := range map[string]access.Credential{
				"app":      {Kind: access.KindApp, Host: host, Reach: access.Reach{Apps: []string{"shop"}}},
				"orphan":   {Kind: access.KindApp, Host: host, Reach: access.Reach{Apps: []string{"shop"}}},
				"other":    {Kind: access.KindApp, Host: "other.apps.test", Reach: access.Reach{Apps: []string{"other"}}},
				"sibling":  {Kind: access.KindApp, Host: "sandbox--shop.apps.test", Reach: access.Reach{Apps: []string{"shop"}}},
				"console":  {Kind: access.KindSession},
				"sso":      {Kind: access.KindSignOn},
				"link":     {Kind: access.KindLink},
				"code":     {Kind: access.KindCode, Host: host, Reach: access.Reach{Apps: []string{"shop"}}},
				"api":      {Kind: access.KindToken},
				"scoped":   {Kind: access.KindToken, Reach: access.Reach{Apps: []string{"shop"}, Scopes: []access.Scope{access.ScopeAppsInvoke}}},
				"opens":    {Kind: access.KindToken, Reach: access.Reach{Apps: []string{"shop"}, Scopes: []access.Scope{access.ScopeAppsOpen}}},
				"elsewhre": {Kind: access.KindToken, Reach: access.Reach{Apps: []string{"other"}, Scopes: []access.Scope{access.ScopeAppsOpen}}},
				"ended":    {Kind: access.KindApp, Host: host, Reach: access.Reach{Apps: []string{"shop"}}, Expires: w.now},
			} {
				secret, hash := access.NewSecret(c.Kind)
				c.ID, c.Hash, c.User, c.Created = hash[:12], hash, u.Name, w.now.Add(-time.Hour)
				if c.Kind == access.KindApp && what != "orphan" {
					c.Parent, c.Session = "s-"+u.Name, behind
				}
				w.secrets[what+" "+u.Name] = secret
				errs = append(errs, tx.PutCredential(c))
			}
		}
		errs = append(errs, tx.PutMember(team, mia))
		tx.Emit("user.changed", "", ada, nil)
		return errors.Join(errs...)
	})
	return w
}

func (w *world) change(do func(state.Tx) error) {
	w.Helper()
	if _, err := w.store.Update(context.Background(), ada, do); err != nil {
		w.Fatal(err)
	}
}

func (w *world) door(kind access.AudienceKind) *gate.Door {
	d := gate.Door{
		App: registry.App{Name: "shop", Title: "The shop", Owner: ada}, Tier: abi.TierPilot, Host: host,
		Audience: access.Audience{App: "shop", Tier: abi.TierPilot, Kind: kind}, Opens: func(p string) bool { return p == "/hook" },
	}
	if kind == access.AudiencePeople {
		d.Audience.People, d.Audience.Groups = []string{bob}, []string{team}
	}
	return w.gate.Door(d)
}

// in is how a request fares: "in", the status of what the gate responded, or the error.
func (w *world) enter(d *gate.Door, r *http.Request) (string, *httptest.ResponseRecorder) {
	out := httptest.NewRecorder()
	_, done, err := w.gate.Enter(out, r, d)
	for _, e := range []error{access.ErrSignIn, access.ErrCrossSite, access.ErrNotAdmitted, access.ErrPlatformToken, access.ErrMisdirected, access.ErrWorker, access.ErrNoPath, access.ErrPathMethod} {
		if errors.Is(err, e) {
			return e.Error(), out
		}
	}
	switch {
	case err != nil:
		w.Fatal(err)
	case done:
		return http.StatusText(out.Code), out
	}
	return "in", out
}

func get(path string, header ...string) *http.Request {
	return request("GET", path, header...)
}

func request(method, path string, header ...string) *http.Request {
	r := httptest.NewRequest(method, "https://"+host+path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

// page is what a browser sends when a person opens an address.
var page = []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "none", "Accept", "text/html"}

func session(secret string) string { return "__Host-agora_app=" + secret }

// TestCredentials: each kind of credential, of each person, at each kind of audience and path. A path that
// is opened takes everybody, and a public app, too; but no secret that is not for this app.
func TestCredentials(t *testing.T) {
	w := newWorld(t)
	admitted := map[access.AudienceKind][]string{
		access.AudienceOwner: {ada, rex}, access.AudiencePeople: {ada, bob, rex, mia},
		access.AudienceOrganisation: {ada, bob, eve, rex, mia}, access.AudiencePublic: {ada, bob, eve, rex, mia},
	}
	n := 0
	for kind, people := range admitted {
		d := w.door(kind)
		for key, secret := range w.secrets {
			what, who, _ := strings.Cut(key, " ")
			for _, path := range []string{"/", "/hook", "/hook/", "/%68ook", "/asset.js"} {
				for _, as := range []string{"cookie", "bearer"} {
					header := []string{"Cookie", session(secret)}
					if as == "bearer" {
						header = []string{"Authorization", "Bearer " + secret}
					}
					open := kind == access.AudiencePublic || path == "/hook"
					want := access.ErrSignIn.Error()
					switch {
					case as == "bearer" && what != "opens":
						want = access.ErrPlatformToken.Error()
					case as == "cookie" && open:
						want = "in"
					case as == "bearer" && kind == access.AudiencePublic:
						want = "in"
					case as == "bearer", what == "app":
						if want = access.ErrNotAdmitted.Error(); slices.Contains(people, who) {
							want = "in"
						}
					}
					r := get(path, header...)
					got, _ := w.enter(d, r)
					if got != want {
						t.Errorf("%s: %s of %s as %s at %s: %s, want %s", kind, what, who, as, path, got, want)
					}
					if r.Header.Get("Authorization") != "" {
						t.Errorf("%s: a secret reaches the app", what)
					}
					n++
				}
			}
		}
	}
	if n < 2000 {
		t.Errorf("only %d cases", n)
	}
}

// TestForeign: what another origin's page asks for with a session, as browsers send it.
func TestForeign(t *testing.T) {
	w := newWorld(t)
	d := w.door(access.AudienceOrganisation)
	own := "https://" + host
	for _, c := range []struct {
		name, method string
		header       []string
		want         string
	}{
		{"a typed address", "GET", page, "in"},
		{"a link from another app", "GET", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, "in"},
		{"a link through a worker", "GET", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "empty"}, "in"},
		{"its own form", "POST", []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Origin", own}, "in"},
		{"its own fetch", "DELETE", []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}, "in"},
		{"its own frame", "GET", []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, "in"},
		{"a program", "POST", nil, "in"},
		{"a form of a sibling", "POST", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Origin", "https://a.apps.test"}, access.ErrCrossSite.Error()},
		{"a form of another site", "POST", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Origin", "null"}, access.ErrCrossSite.Error()},
		{"no-cors of a sibling", "GET", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "script"}, access.ErrCrossSite.Error()},
		{"an image elsewhere", "GET", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, access.ErrCrossSite.Error()},
		{"a frame of a sibling", "GET", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, access.ErrCrossSite.Error()},
		{"an object of a sibling", "GET", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "object"}, access.ErrCrossSite.Error()},
		{"HEAD of a sibling", "HEAD", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}, access.ErrCrossSite.Error()},
		{"an old browser's form elsewhere", "POST", []string{"Origin", "https://evil.test"}, access.ErrCrossSite.Error()},
		{"an old browser's opaque form", "POST", []string{"Origin", "null"}, access.ErrCrossSite.Error()},
		{"an old browser's own form", "POST", []string{"Origin", own}, "in"},
		{"an old browser's socket elsewhere", "GET", []string{"Origin", "https://evil.test", "Upgrade", "websocket"}, access.ErrCrossSite.Error()},
		{"a value that no browser sends", "POST", []string{"Sec-Fetch-Site", "Same-Origin"}, access.ErrCrossSite.Error()},
		{"a preflight", "OPTIONS", []string{"Origin", "https://a.apps.test", "Access-Control-Request-Method", "PUT", "Sec-Fetch-Site", "same-site"}, access.ErrCrossSite.Error()},
	} {
		r := request(c.method, "/", append([]string{"Cookie", session(w.secrets["app "+eve])}, c.header...)...)
		got, out := w.enter(d, r)
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		for name := range out.Header() {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s: %s is allowed", c.name, name)
			}
		}
	}
}

// TestNobodyThere: a request without a session leads to the console only where a person looks at it.
func TestNobodyThere(t *testing.T) {
	w := newWorld(t)
	d := w.door(access.AudienceOrganisation)
	for _, c := range []struct {
		name, method string
		header       []string
		leads        bool
	}{
		{"a page", "GET", page, true},
		{"HEAD of a page", "HEAD", page, true},
		{"a page through a worker", "GET", []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "empty"}, true},
		{"a browser that does not say", "GET", []string{"Accept", "text/html,*/*"}, true},
		{"curl", "GET", []string{"Accept", "*/*"}, false},
		{"HEAD of curl", "HEAD", nil, false},
		{"a form", "POST", page, false},
		{"fetch", "GET", []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Accept", "text/html"}, false},
		{"a frame", "GET", []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, false},
		{"prefetch", "GET", append([]string{"Sec-Purpose", "prefetch"}, page...), false},
		{"prerender", "GET", append([]string{"Sec-Purpose", "prefetch;prerender"}, page...), false},
		{"an old prefetch", "GET", append([]string{"Purpose", "prefetch"}, page...), false},
		{"an image", "GET", []string{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, false},
		{"events", "GET", []string{"Accept", "text/event-stream", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}, false},
		{"a manifest of the page", "GET", []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "manifest"}, false},
	} {
		got, out := w.enter(d, request(c.method, "/deep?x=1", c.header...))
		if leads := got == http.StatusText(http.StatusFound); leads != c.leads {
			t.Errorf("%s: %s", c.name, got)
		}
		if c.leads {
			to := out.Header().Get("Location")
			if !strings.HasPrefix(to, "https://console.test/authorize?challenge=") || !strings.Contains(to, "host=shop.apps.test") || strings.Contains(to, "deep") {
				t.Errorf("%s leads to %s", c.name, to)
			}
			if set := out.Header().Get("Set-Cookie"); !strings.HasPrefix(set, "__Host-agora_state_") || !strings.Contains(set, "HttpOnly") || !strings.Contains(set, "Secure") || strings.Contains(set, "Domain") {
				t.Errorf("%s: %s", c.name, set)
			}
		} else if out.Header().Get("Agora-Sign-In") != "https://shop.apps.test/.agora/sign-in" || len(out.Result().Cookies()) > 0 {
			t.Errorf("%s: %v", c.name, out.Header())
		}
	}
}

// TestCookies: two cookies of one name, other spellings, and names without the prefix are no session.
func TestCookies(t *testing.T) {
	w := newWorld(t)
	d := w.door(access.AudienceOrganisation)
	s := w.secrets["app "+bob]
	for _, c := range []struct {
		cookies []string
		in      bool
	}{
		{[]string{session(s)}, true},
		{[]string{"theirs=1; " + session(s) + "; x=2"}, true},
		{[]string{"theirs=1", session(s)}, true},
		{[]string{session(s) + "; " + session("agora_app_evil")}, false},
		{[]string{session("agora_app_evil"), session(s)}, false},
		{[]string{session(s) + "; " + session(s)}, false},
		{[]string{"agora_app=" + s}, false},
		{[]string{"__host-agora_app=" + s}, false},
		{[]string{"=__Host-agora_app=" + s}, false},
		{[]string{" __Host-agora_app =" + s}, false},
		{[]string{`__Host-agora_app="` + s + `"`}, false},
		{[]string{"__Host-agora_app=" + s + strings.Repeat("x", 200)}, false},
		{[]string{"__Host-agora_app="}, false},
	} {
		r := get("/")
		r.Header["Cookie"] = c.cookies
		if got, _ := w.enter(d, r); (got == "in") != c.in {
			t.Errorf("%q: %s", c.cookies, got)
		}
	}
	w.scheme = "http" // on loopback, for browsers that keep no Secure cookie there
	if got, _ := w.enter(d, get("/", "Cookie", "agora_app="+s)); got != "in" {
		t.Errorf("without TLS: %s", got)
	}
}

// TestSpellings: Host headers that lead to the app but are not its address are refused.
func TestSpellings(t *testing.T) {
	w := newWorld(t)
	d := w.door(access.AudienceOrganisation)
	for _, spelling := range []string{"SHOP.apps.test", "shop.apps.test.", "shop.apps.test:443", "shop.apps.test:0443"} {
		r := get("/", append([]string{"Cookie", session(w.secrets["app "+bob])}, page...)...)
		r.Host = spelling
		if got, _ := w.enter(d, r); got != access.ErrMisdirected.Error() {
			t.Errorf("%s: %s", spelling, got)
		}
	}
}

// TestReserved: the node's own paths never reach an app, in any spelling that Go decodes to them, and take
// the methods that they are for.
func TestReserved(t *testing.T) {
	w := newWorld(t)
	for _, kind := range access.AudienceKinds() {
		d := w.door(kind)
		for path, want := range map[string]string{
			"/.agora": access.ErrNoPath.Error(), "/.agora/": access.ErrNoPath.Error(), "/%2eagora/x": access.ErrNoPath.Error(), "/.agora%2fx": access.ErrNoPath.Error(),
			"/.agora/sign-out": access.ErrPathMethod.Error(), "/.agora/callback": "Forbidden", "/.agora/callback?state=x&code=y": "Forbidden", "/.agora/sign-in": "Found",
		} {
			if got, _ := w.enter(d, get(path, page...)); got != want {
				t.Errorf("%s: %s: %s, want %s", kind, path, got, want)
			}
		}
	}
	d := w.door(access.AudienceOwner)
	for _, path := range []string{"/.agora/sign-out", "/.agora/access"} {
		r := request("POST", path, "Cookie", session(w.secrets["app "+eve]), "Sec-Fetch-Site", "same-site", "Origin", "https://a.apps.test")
		if got, _ := w.enter(d, r); got != access.ErrCrossSite.Error() {
			t.Errorf("POST %s of a sibling: %s", path, got)
		}
	}
	if got, _ := w.enter(d, get("/sw.js", "Cookie", session(w.secrets["app "+ada]), "Service-Worker", "script")); got != access.ErrWorker.Error() {
		t.Errorf("a service worker: %s", got)
	}
}

// TestReturn: where a person goes on after signing in is a path of this address, whatever was asked for.
func TestReturn(t *testing.T) {
	for path, want := range map[string]string{
		"/": "/", "/a/b?x=1&y=/z": "/a/b?x=1&y=/z", "/%C3%BC": "/%C3%BC", "": "/", "//evil.test": "/", `/\evil.test`: "/", "///evil.test": "/", "/\tevil": "/",
		"http://evil.test/": "/", "evil": "/", "/.agora/sign-out": "/", "/%2eagora/callback": "/", "/" + strings.Repeat("a", 3000): "/", "/a\r\nSet-Cookie: x": "/", "/ü": "/",
	} {
		if got := gate.ReturnPath(path); got != want {
			t.Errorf("%q leads to %q, want %q", path, got, want)
		}
	}
}

// TestSecretsInAuthorization: a secret of the platform in any scheme is found and taken off; what an app
// uses itself is not touched.
func TestSecretsInAuthorization(t *testing.T) {
	w := newWorld(t)
	d := w.door(access.AudiencePublic)
	for value, refused := range map[string]bool{
		"Bearer " + w.secrets["api "+bob]: true, "bearer  " + w.secrets["api "+bob]: true, "Token " + w.secrets["opens "+bob]: true,
		"Basic eDphZ29yYV90b2tfc2VjcmV0": true, "Basic " + "YWdvcmFfdG9rX3g6": true, "Bearer theirs": false, "Basic dXNlcjpwYXNz": false, "Digest x": false,
	} {
		r := get("/", "Authorization", value)
		got, _ := w.enter(d, r)
		if (got != "in") != refused || (r.Header.Get("Authorization") == "") != refused {
			t.Errorf("%s: %s, and %q goes on", value, got, r.Header.Get("Authorization"))
		}
	}
}

// TestNoAccessPage: it says whose app it is and takes one click, and it names nobody who is signed in.
func TestNoAccessPage(t *testing.T) {
	w := newWorld(t)
	d := w.door(access.AudienceOwner)
	open := func() string {
		got, out := w.enter(d, get("/", append([]string{"Cookie", session(w.secrets["app "+eve])}, page...)...))
		if got != "Forbidden" {
			t.Fatal(got)
		}
		return out.Body.String()
	}
	text := open()
	if !strings.Contains(text, "The shop") || !strings.Contains(text, "<dd>ada</dd>") || !strings.Contains(text, "Ask for access") || strings.Contains(text, "eve") {
		t.Errorf("%s", text)
	}
	r := request("POST", "/.agora/access", "Cookie", session(w.secrets["app "+eve]), "Sec-Fetch-Site", "same-origin")
	if got, _ := w.enter(d, r); got != "See Other" || !slices.Equal(w.signOn.asked, []string{eve}) {
		t.Errorf("%s, %v", got, w.signOn.asked)
	}
	for status, want := range map[access.AccessStatus]string{access.AccessOpen: "has not decided yet", access.AccessRefused: "not your team"} {
		w.change(func(tx state.Tx) error {
			tx.Emit("audience.access_requested", "shop", eve, nil)
			return tx.PutAccessRequest(access.AccessRequest{App: "shop", Tier: abi.TierPilot, Person: eve, Status: status, At: w.now, Decided: w.now, Reason: "not your team"})
		})
		if text := open(); !strings.Contains(text, want) || strings.Contains(text, "<button") {
			t.Errorf("%s: %s", status, text)
		}
	}
}

type ends func(error)

func (f ends) End(why error) { f(why) }

// TestFollow: a session that is remembered is refused once an event names its person, and others stay; a
// visit that runs ends with it.
func TestFollow(t *testing.T) {
	w := newWorld(t)
	d := w.door(access.AudiencePeople)
	visit := func(who string) (gate.Visit, bool) {
		v, done, err := w.gate.Enter(httptest.NewRecorder(), get("/", "Cookie", session(w.secrets["app "+who])), d)
		return v, err == nil && !done
	}
	w.change(func(tx state.Tx) error {
		tx.Emit("audience.changed", "shop", "pilot", nil)
		return tx.PutAudience(d.Audience)
	})
	ended := map[string]error{}
	for _, who := range []string{bob, mia} {
		v, in := visit(who)
		if !in {
			t.Fatal(who)
		}
		w.gate.Begin(&v, ends(func(err error) { ended[who] = err }))
		defer w.gate.Left(&v)
	}
	if w.gate.Remembered() != 2 {
		t.Fatalf("%d sessions are remembered", w.gate.Remembered())
	}
	tell := func(events ...abi.Event) {
		if err := w.gate.Follow(t.Context(), events); err != nil {
			t.Fatal(err)
		}
	}
	tell(abi.Event{Kind: "user.signed_in", Actor: bob, Subject: bob}, abi.Event{Kind: "release.published", Actor: bob, App: "other"})
	if _, in := visit(bob); !in || len(ended) > 0 {
		t.Errorf("an event that ends nothing: %v", ended)
	}
	w.change(func(tx state.Tx) error {
		tx.Emit("user.changed", "", bob, nil)
		return tx.PutUser(access.User{Name: bob, Disabled: true})
	})
	tell(abi.Event{Kind: "user.changed", Actor: rex, Subject: bob})
	if _, in := visit(bob); in || !errors.Is(ended[bob], access.ErrSessionEnded) || ended[mia] != nil {
		t.Errorf("disabled: %v", ended)
	}
	w.change(func(tx state.Tx) error {
		tx.Emit("audience.changed", "shop", "pilot", nil)
		return tx.PutAudience(access.Audience{App: "shop", Tier: abi.TierPilot, Kind: access.AudienceOwner})
	})
	tell(abi.Event{Kind: "audience.changed", App: "shop", Subject: "pilot"})
	if !errors.Is(ended[mia], access.ErrNotAdmitted) {
		t.Errorf("no longer in the audience: %v", ended)
	}
}

// TestSessionsEnd: a session that is remembered is refused at its end.
func TestSessionsEnd(t *testing.T) {
	w := newWorld(t)
	behind := access.Hash("session of " + eve)
	d := w.door(access.AudienceOrganisation)
	secret, hash := access.NewSecret(access.KindApp)
	w.change(func(tx state.Tx) error {
		tx.Emit("session.started", "", eve, nil)
		return tx.PutCredential(access.Credential{ID: "x", Hash: hash, Kind: access.KindApp, User: eve, Session: behind, Host: host, Reach: access.Reach{Apps: []string{"shop"}}, Expires: w.now.Add(time.Minute)})
	})
	for _, after := range []time.Duration{0, 59 * time.Second, 60 * time.Second} {
		was := w.now
		w.now = w.now.Add(after)
		if got, _ := w.enter(d, get("/", "Cookie", session(secret))); (got == "in") != (after < time.Minute) {
			t.Errorf("after %s: %s", after, got)
		}
		w.now = was
	}
}

// TestUnusedSessionsEnd: a session at an app's address ends when the session of the console has been unused for
// too long; a visit is a use of it, and what runs on for a visitor who is gone is none, and ends.
func TestUnusedSessionsEnd(t *testing.T) {
	w := newWorld(t)
	d := w.door(access.AudienceOrganisation)
	w.change(func(tx state.Tx) error {
		tx.Emit("audience.changed", "shop", "pilot", nil)
		return tx.PutAudience(d.Audience)
	})
	behind := access.Hash("session of " + eve)
	visits := func() (gate.Visit, string) {
		v, done, err := w.gate.Enter(httptest.NewRecorder(), get("/", "Cookie", session(w.secrets["app "+eve])), d)
		if done || err != nil {
			return v, "refused"
		}
		return v, "in"
	}
	v, got := visits()
	var ended error
	w.gate.Begin(&v, ends(func(err error) { ended = err }))
	defer w.gate.Left(&v)
	if got != "in" || !slices.Equal(w.signOn.used, []string{behind}) {
		t.Fatalf("%s; used %q", got, w.signOn.used)
	}
	was := w.now
	for _, after := range []time.Duration{30 * time.Second, 90 * time.Second, 8*time.Hour - time.Second} {
		w.now = was.Add(after)
		if err := w.gate.EndVisits(t.Context()); err != nil || ended != nil {
			t.Fatalf("after %s: %v, %v", after, ended, err)
		}
	}
	if len(w.signOn.used) != 1 {
		t.Errorf("what runs on is a use: %q", w.signOn.used)
	}
	w.now = was.Add(8 * time.Hour)
	if err := w.gate.EndVisits(t.Context()); err != nil || !errors.Is(ended, access.ErrSessionEnded) {
		t.Errorf("unused for 8 hours: %v, %v", ended, err)
	}
	if _, got := visits(); got != "refused" {
		t.Error("its session is taken still")
	}
	// Had the use been stored, it would go on.
	if err := w.store.TokensUsed(t.Context(), map[string]time.Time{behind: was.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if _, got := visits(); got != "in" {
		t.Error("a session that was used an hour later has ended")
	}
	w.change(func(tx state.Tx) error {
		tx.Emit("session.revoked", "", eve, nil)
		return tx.DeleteCredential(behind)
	})
	if err := w.gate.Follow(t.Context(), []abi.Event{{Kind: "session.revoked", Actor: rex, Subject: eve}}); err != nil {
		t.Fatal(err)
	}
	if _, got := visits(); got != "refused" {
		t.Error("the session behind is gone, and it is taken still")
	}
}

// TestWarmCheckAllocatesNothing: what every request of a person who is let in pays.
func TestWarmCheckAllocatesNothing(t *testing.T) {
	w, r, d := warm(t)
	out := httptest.NewRecorder()
	if n := testing.AllocsPerRun(1000, func() { _, _, _ = w.gate.Enter(out, r, d) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func warm(t testing.TB) (*world, *http.Request, *gate.Door) {
	w := newWorld(t)
	d := w.door(access.AudiencePeople)
	r := get("/some/path", append([]string{"Cookie", "theme=dark; _ga=1.2.3; " + session(w.secrets["app "+mia])}, page...)...)
	if _, done, err := w.gate.Enter(httptest.NewRecorder(), r, d); done || err != nil {
		t.Fatal(done, err)
	}
	return w, r, d
}

// BenchmarkWarmCheck is the check of a request whose session is remembered.
func BenchmarkWarmCheck(b *testing.B) {
	w, r, d := warm(b)
	out := httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		_, _, _ = w.gate.Enter(out, r, d)
	}
}

// TestOurs: the platform's cookies are known by name in every spelling in which a browser could send them.
func TestOurs(t *testing.T) {
	for name, ours := range map[string]bool{
		"agora_app": true, "__Host-agora_app": true, "__host-AGORA_session": true, " agora_sso": true, "=__Host-agora_app": true, "agora_anything": true,
		"agora": false, "theirs": false, "__Host-theirs": false, "my_agora_app": false, "": false,
	} {
		if gate.Ours(name) != ours {
			t.Errorf("%q: %v", name, !ours)
		}
	}
}

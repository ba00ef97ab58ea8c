package gate_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/host/gate"
	"github.com/agora-host/agora/state"
)

// notary makes what apps are told readable, and counts.
type notary struct{ signed int }

func (n *notary) Pseudonym(app, person string) string { return "p_" + app + "/" + person }

func (n *notary) Token(issuer, origin string, c access.Caller, now, expires time.Time) (string, error) {
	n.signed++
	return fmt.Sprintf("%s for %s: %+v until %s, no. %d", issuer, origin, c, expires.Format(time.TimeOnly), n.signed), nil
}

func (w *world) asking(kind access.AudienceKind, asks access.Disclosure, reviewed bool) *gate.Door {
	d := *w.door(kind)
	d.Identity, d.Reviewed = asks, reviewed
	return w.gate.Door(d)
}

// told is what the app behind a door is told of a visit.
func (w *world) told(d *gate.Door, header ...string) (map[string]string, error) {
	v, done, err := w.gate.Enter(httptest.NewRecorder(), get("/", header...), d)
	if done || err != nil {
		w.Fatalf("%v, %v", done, err)
	}
	fields, err := w.gate.Identity(w.Context(), v)
	all := map[string]string{}
	for _, f := range fields {
		all[f.Name] = f.Value
	}
	return all, err
}

// TestIdentity: an app is told what its release asks for, and before a review no other names than those of its
// owners.
func TestIdentity(t *testing.T) {
	w := newWorld(t)
	for _, who := range []string{ada, mia, rex} {
		for _, asks := range []access.Disclosure{access.DiscloseNothing, access.DisclosePseudonym, access.DisclosePerson} {
			for _, reviewed := range []bool{false, true} {
				for _, by := range []string{"session", "token"} {
					header := []string{"Cookie", session(w.secrets["app "+who])}
					if by == "token" {
						header = []string{"Authorization", "Bearer " + w.secrets["opens "+who]}
					}
					got, err := w.told(w.asking(access.AudiencePeople, asks, reviewed), header...)
					name := ""
					if asks == access.DisclosePerson && (reviewed || who == ada) {
						name = who
					}
					what := fmt.Sprintf("%s by %s, asked for %q, reviewed %v: %v, %v", who, by, asks, reviewed, got, err)
					switch {
					case err != nil, (len(got) > 0) != (asks != ""):
						t.Error(what)
					case asks == "":
					case got[abi.UserNameHeader] != name, got[abi.UserViaHeader] != by, !strings.HasPrefix(got[abi.UserIDHeader], "p_shop "), !strings.HasSuffix(got[abi.UserIDHeader], "/u_"+strings.TrimSuffix(who, "@example.com")),
						!strings.HasPrefix(got[abi.UserTokenHeader], "https://console.test for https://shop.apps.test: {ID:"+got[abi.UserIDHeader]+" Name:"+name+" Via:"+by+"}"):
						t.Error(what)
					}
				}
			}
		}
	}
	public, err := w.told(w.asking(access.AudiencePublic, access.DisclosePerson, true), "Cookie", session(w.secrets["app "+ada]))
	if err != nil || len(public) != 0 {
		t.Errorf("at a public app: %v, %v", public, err)
	}
	if open, err := w.gate.Identity(t.Context(), gate.Visit{}); open != nil || err != nil {
		t.Errorf("without a visit: %v, %v", open, err)
	}
}

// TestIdentityFollows: a token is signed once a minute for a session and an app, and again once an event names
// the person; who is taken out between the gate and the app is refused.
func TestIdentityFollows(t *testing.T) {
	w := newWorld(t)
	d := w.asking(access.AudiencePeople, access.DisclosePerson, true)
	other := w.asking(access.AudiencePeople, access.DisclosePseudonym, true)
	cookie := []string{"Cookie", session(w.secrets["app "+mia])}
	signed := func(d *gate.Door) int {
		if _, err := w.told(d, cookie...); err != nil {
			t.Fatal(err)
		}
		return w.notary.signed
	}
	if n := []int{signed(d), signed(d)}; n[0] != 1 || n[1] != 1 {
		t.Errorf("two requests: %v", n)
	}
	w.now = w.now.Add(59 * time.Second)
	if n := signed(d); n != 1 {
		t.Errorf("after 59 s: %d", n)
	}
	w.now = w.now.Add(time.Second)
	if n := signed(d); n != 2 {
		t.Errorf("after a minute: %d", n)
	}
	if got, _ := w.told(other, cookie...); got[abi.UserNameHeader] != "" || w.notary.signed != 3 {
		t.Errorf("another door is told what the first was: %v", got)
	}
	signed(d)
	v, _, err := w.gate.Enter(httptest.NewRecorder(), get("/", cookie...), d)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.gate.Follow(t.Context(), []abi.Event{{Kind: "user.changed", Subject: "eve@example.com"}}); err != nil || signed(d) != 4 {
		t.Errorf("another person's event: %d, %v", w.notary.signed, err)
	}
	w.change(func(tx state.Tx) error {
		tx.Emit("group.member_removed", "", team, map[string]string{"person": mia})
		return tx.DeleteMember(team, mia)
	})
	if err := w.gate.Follow(t.Context(), []abi.Event{{Kind: "group.member_removed", Subject: team, Detail: map[string]string{"person": mia}}}); err != nil {
		t.Fatal(err)
	}
	if fields, err := w.gate.Identity(t.Context(), v); !errors.Is(err, access.ErrNotAdmitted) || fields != nil {
		t.Errorf("taken out: %v, %v", fields, err)
	}
}

// TestIdentityEndsWithTheSession: no token outlives the session that it is about.
func TestIdentityEndsWithTheSession(t *testing.T) {
	w := newWorld(t)
	secret, hash := access.NewSecret(access.KindApp)
	w.change(func(tx state.Tx) error {
		tx.Emit("session.started", "", eve, nil)
		return tx.PutCredential(access.Credential{ID: "x", Hash: hash, Kind: access.KindApp, User: eve, Session: access.Hash("session of " + eve), Host: host, Reach: access.Reach{Apps: []string{"shop"}}, Expires: w.now.Add(20 * time.Second)})
	})
	got, err := w.told(w.asking(access.AudienceOrganisation, access.DisclosePseudonym, true), "Cookie", session(secret))
	if err != nil || !strings.Contains(got[abi.UserTokenHeader], "until 12:00:20") {
		t.Errorf("%v, %v", got, err)
	}
}

// TestIdentityAllocatesNothing: where it is not asked for, and where it is known.
func TestIdentityAllocatesNothing(t *testing.T) {
	w := newWorld(t)
	for _, asks := range []access.Disclosure{access.DiscloseNothing, access.DisclosePerson} {
		v, _, err := w.gate.Enter(httptest.NewRecorder(), get("/", "Cookie", session(w.secrets["app "+mia])), w.asking(access.AudiencePeople, asks, true))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.gate.Identity(t.Context(), v)
		if n := testing.AllocsPerRun(1000, func() { _, _ = w.gate.Identity(t.Context(), v) }); n != 0 {
			t.Errorf("%q: %v allocations", asks, n)
		}
	}
}

// BenchmarkIdentity is what a request of an app that asks who calls it pays beside the check.
func BenchmarkIdentity(b *testing.B) {
	w := newWorld(b)
	v, _, err := w.gate.Enter(httptest.NewRecorder(), get("/", "Cookie", session(w.secrets["app "+mia])), w.asking(access.AudiencePeople, access.DisclosePerson, true))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = w.gate.Identity(b.Context(), v)
	}
}

package node_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// state is what is told about one capability of a release.
func (n *testNode) state(app string, release int, word string) client.CapabilityState {
	n.t.Helper()
	r, err := n.ada().Release(n.t.Context(), app, release)
	if err != nil {
		n.t.Fatal(err)
	}
	i := slices.IndexFunc(r.Access, func(s client.CapabilityState) bool { return s.Name == word })
	if i < 0 {
		n.t.Fatalf("nothing is told about %s: %+v", word, r.Access)
	}
	return r.Access[i]
}

// TestFourWayTruth: of a release it is told what it declares, imports, was
// granted and did, in numbers and in words, also after a restart.
func TestFourWayTruth(t *testing.T) {
	clock := newFrozen()
	with := func(o *node.Options) { o.Now = clock.Now }
	n := start(t, with)
	relay := wasmtest.Relay{Capability: "secret"}
	r := n.relay("shop", relay, "[capabilities.kv]\n[capabilities.secret]\nnames = [\"mail\", \"stripe\"]")
	if s := n.state("shop", 1, "kv"); !s.Declared || s.Imported || s.Granted || len(s.Used) > 0 {
		t.Errorf("declared alone: %+v", s)
	}
	first := clock.Now()
	for _, name := range []string{"stripe", "stripe", "other"} {
		r.call(wasmtest.RelayCall{Func: "get", In: []byte(name)})
		clock.pass(time.Minute)
	}
	if _, err := n.ada().SetSecret(t.Context(), "shop", "stripe", []byte("hunter2")); err != nil {
		t.Fatal(err)
	}
	r.call(wasmtest.RelayCall{Func: "get", In: []byte("stripe")})
	check := func() {
		t.Helper()
		s := n.state("shop", 1, "secret")
		if !s.Declared || !s.Imported || !s.Granted || s.Grant == "" || s.Tier != abi.TierSandbox || s.Params["names"] != "mail stripe" {
			t.Errorf("the four sides: %+v", s)
		}
		var got []string
		for _, u := range s.Used {
			got = append(got, u.Meter+" "+u.Subject)
		}
		if want := []string{"denied other", "failed stripe", "reads stripe"}; !slices.Equal(got, want) {
			t.Errorf("used %q, want %q", got, want)
		}
		if u := s.Used[1]; u.N != 2 || !u.First.Equal(first) || !u.Last.Equal(first.Add(time.Minute)) {
			t.Errorf("failures %+v, the first was at %s", u, first)
		}
		if s.May != "read the secrets mail and stripe" || strings.Join(s.Did, "; ") != "read once (stripe); failed 2 times (stripe); was refused once (other)" {
			t.Errorf("in words: it may %s; it %q", s.May, s.Did)
		}
		if len(s.Findings) != 2 || s.Findings[0].Code != "secret.missing" || s.Findings[1].Code != "capability.denied" {
			t.Errorf("findings %+v", s.Findings)
		}
		if s.Enough["names"] != "stripe" {
			t.Errorf("it needs %v", s.Enough)
		}
	}
	check()
	n.stop()
	n = startIn(t, n.dir, with)
	check()
}

// TestShrink: a grant is shrunk to what was used by its owner or a reviewer, at
// once; what was taken off comes back through a request only.
func TestShrink(t *testing.T) {
	n := start(t)
	relay := wasmtest.Relay{Capability: "secret"}
	const asks = "[capabilities.secret]\nnames = [\"mail\", \"stripe\"]"
	r := n.relay("shop", relay, asks)
	for _, name := range []string{"mail", "stripe"} {
		if _, err := n.ada().SetSecret(t.Context(), "shop", name, []byte("hunter2")); err != nil {
			t.Fatal(err)
		}
	}
	get := func(name string) abi.Errno {
		t.Helper()
		_, errno, _ := r.call(wasmtest.RelayCall{Func: "get", In: []byte(name)})
		return errno
	}
	id := n.state("shop", 1, "secret").Grant
	if _, err := n.ada().ShrinkGrant(t.Context(), id); problemOf(t, err).Type != "/problems/nothing-to-shrink" {
		t.Errorf("nothing was used yet: %v", err)
	}
	if errno := get("stripe"); errno != 0 {
		t.Fatal(errno)
	}
	if _, err := n.as("eve@example.com", access.RoleDeveloper).ShrinkGrant(t.Context(), id); problemOf(t, err).Type != "/problems/not-owner" {
		t.Errorf("somebody else shrinks: %v", err)
	}
	g, err := n.ada().ShrinkGrant(t.Context(), id)
	if err != nil || g.Params["names"] != "stripe" || g.ShrunkBy != ada {
		t.Fatalf("%+v, %v", g, err)
	}
	if mail, stripe := get("mail"), get("stripe"); mail != abi.ErrnoDenied || stripe != 0 {
		t.Errorf("afterwards: mail %v, stripe %v", mail, stripe)
	}
	if _, err := n.rex().ShrinkGrant(t.Context(), id); problemOf(t, err).Type != "/problems/nothing-to-shrink" {
		t.Errorf("again: %v", err)
	}
	events, err := n.ada().Events(t.Context(), 0, 1000)
	i := slices.IndexFunc(events, func(e abi.Event) bool { return e.Kind == "grant.shrunk" })
	if err != nil || i < 0 || events[i].Detail["names"] != "stripe" || events[i].Detail["names_before"] != "mail stripe" || events[i].Actor != ada {
		t.Errorf("events %+v, %v", events, err)
	}
	// The same manifest again asks for more than the grant now allows.
	other := wasmtest.Relay{Capability: "secret", Pages: 33}
	p := n.publish(n.ada(), manifest("shop", asks), other.Bytes())
	if p.Active || len(p.Requests) != 1 {
		t.Fatalf("published %+v", p)
	}
	if _, err := n.rex().Decide(t.Context(), p.Requests[0].ID, true, "fine"); err != nil {
		t.Fatal(err)
	}
	r.relay = other
	if errno := get("mail"); errno != 0 {
		t.Errorf("asked for again and granted: %v", errno)
	}
}

// TestShrinkQuota: a quota is shrunk to what is kept, with room to double.
func TestShrinkQuota(t *testing.T) {
	n := start(t)
	r := n.relay("keeper", wasmtest.Relay{Capability: "kv"}, "[capabilities.kv]\nquota = \"1MiB\"\nkeys = 5000")
	for _, key := range []string{"note/1", "note/2", "plain"} {
		if _, errno, _ := r.call(wasmtest.RelayCall{Func: "set", In: abi.AppendKVSet(nil, key, make([]byte, 50_000))}); errno != 0 {
			t.Fatal(errno)
		}
	}
	s := n.state("keeper", 1, "kv")
	if len(s.Did) != 1 || s.Did[0] != "changed 3 times (note/ 2)" {
		t.Errorf("it %q", s.Did)
	}
	g, err := n.rex().ShrinkGrant(t.Context(), s.Grant)
	if err != nil || g.Params["quota"] != "524288" || g.Params["keys"] != "100" {
		t.Fatalf("%+v, %v", g, err)
	}
	if _, errno, _ := r.call(wasmtest.RelayCall{Func: "set", In: abi.AppendKVSet(nil, "big", make([]byte, 200_000))}); errno != 0 {
		t.Errorf("within what is left: %v", errno)
	}
	if _, errno, _ := r.call(wasmtest.RelayCall{Func: "set", In: abi.AppendKVSet(nil, "bigger", make([]byte, 200_000))}); errno != abi.ErrnoQuota {
		t.Errorf("beyond it: %v", errno)
	}
	if s := n.state("keeper", 1, "kv"); len(s.Findings) != 1 || s.Findings[0].Code != "capability.over" {
		t.Errorf("findings %+v", s.Findings)
	}
}

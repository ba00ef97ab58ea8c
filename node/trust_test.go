package node_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/sdk/client"
)

const eve = "eve@example.com"

func (n *testNode) eve() *client.Client { return n.as(eve, access.RoleDeveloper) }

func eves(manifest []byte) []byte { return []byte(strings.Replace(string(manifest), ada, eve, 1)) }

// keyed publishes an app that a key of c's signed.
func (n *testNode) keyed(c *client.Client, manifest []byte, module []byte) (client.Published, client.Key) {
	n.t.Helper()
	private, public := keyPair(n.t)
	key := n.addKey(c, private, public)
	p, err := c.Publish(n.t.Context(), manifest, module, signWithKey(n.t, module, private), nil)
	if err != nil {
		n.t.Fatal(err)
	}
	return p, key
}

// TestADeletedKeyDropsWhatItSigned, and neither the programs nor the addresses of others.
func TestADeletedKeyDropsWhatItSigned(t *testing.T) {
	n := start(t)
	// The same bytes, signed by two: what one may not serve any more, the other does.
	text, module := siteOf(t, "shared")
	others := n.publish(n.ada(), text, module)
	text, _ = siteOf(t, "keyed")
	mine, key := n.keyed(n.eve(), eves(text), module)
	for _, p := range []client.Published{others, mine} {
		for _, path := range []string{"app/", "page.html"} {
			if got := n.get(p.URL + path); got.Status != 200 {
				t.Fatalf("%s%s: %d %s", p.URL, path, got.Status, got.Body)
			}
		}
	}
	programs, routes := n.LoadedPrograms(), n.KeptRoutes()
	if err := n.eve().DeleteKey(t.Context(), key.Hint); err != nil {
		t.Fatal(err)
	}
	if got := n.LoadedPrograms(); got != programs-1 {
		t.Errorf("of %d programs %d are left", programs, got)
	}
	if got := n.KeptRoutes(); got != routes {
		t.Errorf("of %d addresses %d are left", routes, got)
	}
	for _, path := range []string{"app/", "page.html"} {
		if got := n.get(mine.URL + path); got.Status == 200 {
			t.Errorf("what the key signed still serves %q: %s", path, got.Body)
		}
		if got := n.get(others.URL + path); got.Status != 200 {
			t.Errorf("what it did not sign serves %q no more: %d %s", path, got.Status, got.Body)
		}
	}
}

// TestChangesDisturbTheirAppAlone: signing in, tokens and users touch no address; a change of an
// app its own, at once.
func TestChangesDisturbTheirAppAlone(t *testing.T) {
	n := start(t)
	one, two := n.publish(n.ada(), manifest("one"), says("1")), n.publish(n.ada(), manifest("two"), says("2"))
	n.get(one.URL)
	n.get(two.URL)
	n.token("new@example.com", access.RoleViewer)
	if _, err := n.Welcome(t.Context(), ada); err != nil {
		t.Fatal(err)
	}
	if got := n.KeptRoutes(); got != 2 {
		t.Errorf("%d of 2 addresses are left", got)
	}
	n.publish(n.ada(), manifest("one"), says("3"))
	if got := n.KeptRoutes(); got != 1 {
		t.Errorf("%d addresses are left, not that of the other app", got)
	}
	if got := n.get(one.URL); got.Body != "3" {
		t.Errorf("got %q", got.Body)
	}
}

// TestWhatIsNotTrustedIsNotActivated: it is refused when a person asks for it, and says what to do.
func TestWhatIsNotTrustedIsNotActivated(t *testing.T) {
	n := start(t)
	eve := n.eve()
	text := eves(manifest("keyed", `title = "Keyed"`, `description = "of a key"`))
	_, key := n.keyed(eve, text, says("one"))
	if _, err := eve.Promote(t.Context(), "keyed", 1, "pilot", "ready"); err != nil {
		t.Fatal(err)
	}
	second := n.publish(eve, text, says("two"))
	if err := eve.DeleteKey(t.Context(), key.Hint); err != nil {
		t.Fatal(err)
	}
	requests, err := eve.Requests(t.Context(), "open", "keyed")
	if err != nil || len(requests) != 1 {
		t.Fatalf("%+v, %v", requests, err)
	}
	_, activated := eve.Activate(t.Context(), "keyed", 1, "sandbox", "back")
	_, rolled := eve.RollBack(t.Context(), "keyed", "sandbox", "back")
	_, approved := n.rex().Decide(t.Context(), requests[0].ID, true, "fine")
	for name, err := range map[string]error{"activate": activated, "roll back": rolled, "approve": approved} {
		if err == nil {
			t.Errorf("%s: it is done", name)
			continue
		}
		if p := problemOf(t, err); p.Type != "/problems/untrusted-signer" || !strings.Contains(p.Detail, "sign the module again") {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if got := n.get(second.URL); got.Body != "two" {
		t.Errorf("got %+v", got)
	}
}

// siteOf is an app with a file, in ada's name.
func siteOf(t testing.TB, name string) (text, module []byte) {
	t.Helper()
	return manifest(name, "[static]\ndir = \"static\"\napp = \"/app/\""), withFiles(t, says("the app"), fstest.MapFS{"page.html": {Data: []byte("a page")}})
}

// addKey registers a public key for whom a client stands for.
func (n *testNode) addKey(c *client.Client, private []byte, public string) client.Key {
	n.t.Helper()
	challenge, proof := n.prove(c, private, "")
	key, err := c.AddKey(n.t.Context(), public, "", challenge, proof)
	if err != nil {
		n.t.Fatal(err)
	}
	return key
}

// prove signs a text of the node for an identity.
func (n *testNode) prove(c *client.Client, private []byte, identity string) (challenge, proof string) {
	n.t.Helper()
	challenge, err := c.KeyChallenge(n.t.Context(), identity)
	if err != nil {
		n.t.Fatal(err)
	}
	return challenge, string(signWithKey(n.t, []byte(challenge), private))
}

// TestAKeyIsProven: no one registers the key of another person, also not an operator.
func TestAKeyIsProven(t *testing.T) {
	n := start(t)
	private, public := keyPair(t) // ada's
	other, _ := keyPair(t)
	eve, ops := n.eve(), n.ops()
	text, proof := n.prove(n.ada(), private, "")
	evesText, err := eve.KeyChallenge(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := strings.Replace(text, "node: ", "node: 0", 1)
	for name, try := range map[string]func() error{
		"the public half alone": func() error { _, err := eve.AddKey(t.Context(), public, "", "", ""); return err },
		"alone, by an operator": func() error { _, err := ops.AddKey(t.Context(), public, ada, "", ""); return err },
		"signed by another key": func() error {
			_, err := eve.AddKey(t.Context(), public, "", evesText, string(signWithKey(t, []byte(evesText), other)))
			return err
		},
		"the proof of somebody else": func() error { _, err := eve.AddKey(t.Context(), public, "", text, proof); return err },
		"their proof with another text": func() error {
			_, err := eve.AddKey(t.Context(), public, "", evesText, proof)
			return err
		},
		"a text of another node": func() error {
			_, err := n.ada().AddKey(t.Context(), public, "", elsewhere, string(signWithKey(t, []byte(elsewhere), private)))
			return err
		},
		"a signature over a module": func() error {
			_, err := n.ada().AddKey(t.Context(), public, "", string(says("x")), string(signWithKey(t, says("x"), private)))
			return err
		},
		"a proof for the operator": func() error {
			text, proof := n.prove(ops, private, "")
			_, err := ops.AddKey(t.Context(), public, ada, text, proof)
			return err
		},
	} {
		if err := try(); err == nil || problemOf(t, err).Type != "/problems/key-not-proven" {
			t.Errorf("%s: %v", name, err)
		}
	}
	key, err := ops.AddKey(t.Context(), public, "ADA@example.com", text, proof)
	if err != nil || key.Identity != ada || key.AddedBy != "ops@example.com" {
		t.Errorf("an operator with the owner's proof: %+v, %v", key, err)
	}
}

package node_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/sdk/client"
)

// meanwhile has something happen once, between what the next change relies on and its transaction.
func (n *testNode) meanwhile(happen func() error) {
	happened := false // what happens may be such a change itself
	n.BeforeChange(func() {
		if !happened {
			happened = true
			if err := happen(); err != nil {
				n.t.Errorf("meanwhile: %v", err)
			}
		}
	})
}

// TestMeanwhile: whatever a change relied on is taken away before its transaction, and none of it is
// relied on.
func TestMeanwhile(t *testing.T) {
	const shop = "shop"
	about := "title = \"Shop\"\ndescription = \"Sells.\"\n" + kvAsk
	ctx := t.Context()
	for _, c := range []struct {
		name    string
		prepare func(n *testNode) // release 1 is there, has kv, and serves the sandbox
		taken   func(n *testNode) error
		change  func(n *testNode, ada *client.Client) error
		problem string
	}{
		{"the key of an upload", nil, func(n *testNode) error {
			keys, err := n.ada().Keys(ctx)
			if err != nil {
				return err
			}
			return n.ada().DeleteKey(ctx, keys[0].Hint)
		}, func(n *testNode, ada *client.Client) error {
			private, public := keyPair(n.t)
			n.addKey(ada, private, public)
			module := keeps(19)
			signed := signWithKey(n.t, module, private)
			more := strings.ReplaceAll(about, "100KiB", "200KiB") // a reviewer is asked: nothing is activated
			_, err := ada.Publish(ctx, manifest(shop, more), module, signed, nil)
			return err
		}, "untrusted-signer"},
		{"the app of an upload", nil, func(n *testNode) error {
			_, err := n.ops().Transfer(ctx, shop, "bob@example.com", "she left")
			return err
		}, func(n *testNode, ada *client.Client) error {
			module := keeps(19)
			_, err := ada.Publish(ctx, manifest(shop, about), module, signAs(n.t, ada, module), nil)
			return err
		}, "not-owner"},
		{"the role of who uploads", nil, func(n *testNode) error {
			_, err := n.ops().PutUser(ctx, ada, []string{"viewer"}, false)
			return err
		}, func(n *testNode, ada *client.Client) error {
			module := keeps(19)
			_, err := ada.Publish(ctx, manifest(shop, about), module, signAs(n.t, ada, module), nil)
			return err
		}, "forbidden"},
		{"the grant of a release that is activated", func(n *testNode) {
			n.publish(n.ada(), manifest(shop, about), keeps(18))
		}, func(n *testNode) error {
			_, err := n.rex().RevokeGrant(ctx, n.state(shop, 1, "kv").Grant, "no")
			return err
		}, func(n *testNode, ada *client.Client) error {
			_, err := ada.Activate(ctx, shop, 1, abi.TierSandbox, "")
			return err
		}, "not-approved"},
		{"the app that is promoted", nil, func(n *testNode) error {
			_, err := n.ada().DeleteApp(ctx, shop, "")
			return err
		}, func(n *testNode, ada *client.Client) error {
			_, err := ada.Promote(ctx, shop, 1, abi.TierPilot, "ready")
			return err
		}, "app-state"},
		{"the request that is decided", nil, func(n *testNode) error {
			_, err := n.ada().Withdraw(ctx, n.open(shop)[0].ID)
			return err
		}, func(n *testNode, ada *client.Client) error {
			q, err := ada.Promote(ctx, shop, 1, abi.TierPilot, "ready")
			if err != nil {
				n.t.Fatal(err)
			}
			_, err = n.rex().Decide(ctx, q.ID, true, "fine")
			return err
		}, "already-decided"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := start(t)
			n.as("bob@example.com", access.RoleDeveloper)
			n.decide(n.publish(n.ada(), manifest(shop, about), keeps(17)))
			if c.prepare != nil {
				c.prepare(n)
			}
			before, err := n.ops().App(ctx, shop)
			if err != nil {
				t.Fatal(err)
			}
			a, taken := n.ada(), false
			n.BeforeChange(func() {
				// A promotion is a change, too: what is taken away is taken from the last one.
				if !taken && (c.problem != "already-decided" || len(n.open(shop)) > 0) {
					taken = true
					if err := c.taken(n); err != nil {
						t.Error(err)
					}
				}
			})
			if err := c.change(n, a); err == nil || problemOf(t, err).Type != "/problems/"+c.problem || !taken {
				t.Errorf("err = %v, and it was taken away: %v", err, taken)
			}
			after, err := n.ops().App(ctx, shop)
			if err != nil || after.Releases != before.Releases || after.Active[abi.TierSandbox] != before.Active[abi.TierSandbox] || after.Active[abi.TierPilot] != 0 {
				t.Errorf("it was changed: %+v, %v", after, err)
			}
		})
	}
}

// TestRolledBackMeanwhile: a rollback leads to what was checked for it. An activation that comes
// between would make it lead elsewhere, where no module can be read.
func TestRolledBackMeanwhile(t *testing.T) {
	n := start(t)
	c := n.ada()
	for _, text := range []string{"one", "two", "three"} {
		n.publish(c, manifest("shop"), says(text))
	}
	three, err := c.Release(t.Context(), "shop", 3)
	if err != nil {
		t.Fatal(err)
	}
	n.meanwhile(func() error { // 3 serves, and 2 did before; then 1 serves, and 3 did before
		if _, err := c.Activate(t.Context(), "shop", 1, abi.TierSandbox, ""); err != nil {
			return err
		}
		name := strings.TrimPrefix(three.Digest, "sha256:")
		found, err := filepath.Glob(filepath.Join(n.dir, "blobs", "sha256", name[:2], "*"))
		if err != nil || len(found) != 1 {
			t.Fatalf("%q, %v", found, err)
		}
		return os.Remove(found[0])
	})
	if done, err := c.RollBack(t.Context(), "shop", abi.TierSandbox, "it is slow"); err == nil {
		t.Errorf("routed to a release that was not checked: %+v", done)
	}
	if got := n.get(n.AppURL("shop")); got.Body != "one" {
		t.Errorf("the sandbox serves %+v", got)
	}
}

// TestUploadedTwiceAtOnce: of two uploads of the same bytes one makes a release, and the other one
// finds it, whichever came first.
func TestUploadedTwiceAtOnce(t *testing.T) {
	n := start(t)
	c, module := n.ada(), says("one")
	var first client.Published
	n.meanwhile(func() (err error) {
		first, err = c.Publish(t.Context(), manifest("shop"), module, signAs(t, c, module), nil)
		return err
	})
	second := n.publish(c, manifest("shop"), module)
	if first.Unchanged || first.Release.Number != 1 || !second.Unchanged || second.Release.Number != 1 {
		t.Errorf("first %+v, second %+v", first, second)
	}
	if app, err := c.App(t.Context(), "shop"); err != nil || app.Releases != 1 {
		t.Errorf("%+v, %v", app, err)
	}
	if other := n.publish(c, manifest("shop"), says("two")); other.Unchanged || other.Release.Number != 2 {
		t.Errorf("other bytes: %+v", other)
	}
}

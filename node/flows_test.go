package node_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/registry/sigstore"
	"github.com/agora-host/agora/sdk/client"
	"github.com/agora-host/agora/state/statetest"
)

// flow is one change of a node's state.
type flow struct {
	name string
	do   func() error

	prepare func() // may be nil
}

// TestFlowsActThroughTheirTransaction: where the store cannot commit, no flow has an effect on
// anything; where it can, each closure runs twice and has the effect of one run.
func TestFlowsActThroughTheirTransaction(t *testing.T) {
	failing := &statetest.Failing{}
	var c clock
	n := start(t, c.set, func(o *node.Options) {
		o.FailChanges(t, failing)
		o.FlushEvery = time.Hour // what is counted comes to the store by itself, which is no flow's effect
	})
	c.node = n
	for _, f := range n.flows(&c) {
		if f.prepare != nil {
			f.prepare()
		}
		eventually(t, "nothing is on its way", func() bool { return n.OnItsWay("relay") == 0 && n.CaughtUp(t.Context()) })
		failing.Fail.Store(true)
		before := n.Effects(t.Context(), "relay", "second")
		if err := f.do(); err == nil {
			t.Errorf("%s succeeded, and the store failed", f.name)
		}
		if after := n.Effects(t.Context(), "relay", "second"); after != before {
			t.Errorf("%s had an effect, and the store failed: %s", f.name, statetest.Difference(after, before))
		}
		failing.Fail.Store(false)
		if err := f.do(); err != nil {
			t.Fatalf("%s: %v", f.name, err)
		}
		if after := n.Effects(t.Context(), "relay", "second"); after == before {
			t.Errorf("%s changed nothing", f.name)
		}
	}
}

// flows are changes of the state, in an order in which each of them can be made. What has to be
// there before is made here.
func (n *testNode) flows(c *clock) []flow {
	n.t.Helper()
	ctx := n.t.Context()
	as := func(user string, role access.Role) *client.Client { // for longer than the clock is moved
		token, err := n.TokenFor(ctx, user, "flows", 300*24*time.Hour, role)
		if err != nil {
			n.t.Fatal(err)
		}
		found, err := client.New("http://"+n.Addr().String(), token)
		if err != nil {
			n.t.Fatal(err)
		}
		return found
	}
	developer, reviewer, operator := as(ada, access.RoleDeveloper), as(rex, access.RoleReviewer), as(ops, access.RoleOperator)
	text, module := example(n.t, "relay")
	// By its own schedule it would come due when the clock is moved, which is no flow's effect.
	text = bytes.Replace(text, []byte("0 7 * * mon-fri"), []byte("0 7 29 2 *"), 1)
	publish := func(text, module []byte) func() error {
		bundle := signAs(n.t, developer, module)
		return func() error { _, err := developer.Publish(ctx, text, module, bundle, nil); return err }
	}
	key, public := keyPair(n.t)
	challenge, proof := n.prove(developer, key, "")
	hint, err := sigstore.ParsePublicKey([]byte(public))
	if err != nil {
		n.t.Fatal(err)
	}
	open := func(s string) string { // the newest open request
		all, err := reviewer.Requests(ctx, "open", "")
		if err != nil || len(all) == 0 {
			n.t.Fatalf("%s: %v, %v", s, all, err)
		}
		return all[0].ID
	}
	decide := func(approve bool) func() error {
		return func() error { _, err := reviewer.Decide(ctx, open("decide"), approve, "for the test"); return err }
	}
	grant := func() string {
		all, err := developer.Grants(ctx, "relay")
		if err != nil || len(all) == 0 {
			n.t.Fatal(all, err)
		}
		return all[0].ID
	}
	letter := func() uint64 {
		eventually(n.t, "a note is dead", func() bool {
			c.advance(8 * time.Hour)
			all, err := developer.DeadLetters(ctx, "relay")
			return err == nil && len(all) == 1
		})
		all, err := developer.DeadLetters(ctx, "relay")
		if err != nil {
			n.t.Fatal(err)
		}
		return all[0].Seq
	}
	poison := func() error {
		got := n.do("POST", n.AppURL("relay")+"notes", "text=poison", "Content-Type", "application/x-www-form-urlencoded")
		if got.Status != 303 {
			return fmt.Errorf("%+v", got)
		}
		return nil
	}
	var seq uint64
	return []flow{
		{"upload", publish(text, module), nil},
		{"add a key", func() error { _, err := developer.AddKey(ctx, public, "", challenge, proof); return err }, nil},
		{"delete a key", func() error { return developer.DeleteKey(ctx, hint) }, nil},
		{"reject", decide(false), nil},
		{"ask again", func() error { _, err := developer.AskAgain(ctx, "relay", 1, "please"); return err }, nil},
		{"approve", decide(true), nil},
		{"approve the other", func() error {
			for all, err := reviewer.Requests(ctx, "open", ""); err != nil || len(all) > 0; all, err = reviewer.Requests(ctx, "open", "") {
				if _, err := reviewer.Decide(ctx, all[0].ID, true, "for the test"); err != nil {
					return err
				}
			}
			return nil
		}, nil},
		{"pause", func() error {
			_, err := developer.PauseTrigger(ctx, "relay", abi.TriggerCron, "digest", true, "why")
			return err
		}, nil},
		{"resume", func() error {
			_, err := developer.PauseTrigger(ctx, "relay", abi.TriggerCron, "digest", false, "")
			return err
		}, nil},
		{"run", func() error { _, err := developer.RunTrigger(ctx, "relay", "digest"); return err }, nil},
		{"redeliver", func() error {
			_, err := developer.Redeliver(ctx, "relay", seq)
			return err
		}, func() {
			if err := poison(); err != nil {
				n.t.Fatal(err)
			}
			seq = letter()
		}},
		{"drop", func() error { return developer.DeleteDeadLetter(ctx, "relay", seq) }, func() { seq = letter() }},
		{"set a secret", func() error {
			_, err := developer.SetSecret(ctx, "relay", "api-key", []byte("a secret value"))
			return err
		}, nil},
		{"delete a secret", func() error { return developer.DeleteSecret(ctx, "relay", "api-key") }, nil},
		{"add a host", func() error { _, err := operator.CreateDomain(ctx, "relay.example.org", "relay"); return err }, nil},
		{"remove a host", func() error { return operator.DeleteDomain(ctx, "relay.example.org") }, nil},
		{"make a token", func() error { _, err := developer.NewToken(ctx, client.NewToken{Label: "t", Hours: 1}); return err }, nil},
		{"change a user", func() error {
			_, err := operator.PutUser(ctx, "new@example.com", []string{"viewer"}, false)
			return err
		}, nil},
		{"invite", func() error { _, err := operator.Invite(ctx, "new@example.com"); return err }, nil},
		{"upload more", publish(bytes.Replace(text, []byte(`"1.0.0"`), []byte(`"1.0.1"`), 1), module), nil},
		{"activate", func() error { _, err := developer.Activate(ctx, "relay", 1, abi.TierSandbox, "back"); return err }, nil},
		{"roll back", func() error { _, err := developer.RollBack(ctx, "relay", abi.TierSandbox, "back"); return err }, nil},
		{"ask for a promotion", func() error { _, err := developer.Promote(ctx, "relay", 1, abi.TierPilot, "ready"); return err }, nil},
		{"withdraw", func() error { _, err := developer.Withdraw(ctx, open("withdraw")); return err }, nil},
		{"revoke", func() error { _, err := reviewer.RevokeGrant(ctx, grant(), "why not"); return err }, nil},
	}
}

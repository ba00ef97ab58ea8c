package node_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// putUser is a raw request, since what is tried is the spelling.
func (n *testNode) putUser(token, path, body string) answer {
	n.t.Helper()
	return n.do("PUT", "http://"+n.Addr().String()+"/api/v1/users/"+path, body, "Authorization", "Bearer "+token, "Content-Type", "application/json")
}

// TestOneSpellingOfAUser: whatever the spelling, it is the same user, or none.
func TestOneSpellingOfAUser(t *testing.T) {
	n := start(t)
	token := n.token(ops, access.RoleOperator)
	for _, path := range []string{
		"ops@example.com", "OPS@EXAMPLE.COM", "Ops@Example.Com", "ops%40example.com", "%6Fps%40example.com", "%4FPS%40EXAMPLE.COM", "%20ops@example.com%20",
		"ops@example.com.", "ops%2540example.com", "%E2%84%AAps@example.com", "%EF%BD%8Fps@example.com", "%D0%BEps@example.com",
	} {
		for _, body := range []string{`{"roles":[]}`, `{"roles":["operator"],"disabled":true}`} {
			if a := n.putUser(token, path, body); a.Status < 400 || a.Status > 499 {
				t.Errorf("%s %s: %d %s", path, body, a.Status, a.Body)
			}
		}
	}
	users, err := n.ops().Users(t.Context())
	if err != nil || len(users) != 1 || users[0].Name != ops || users[0].Disabled || len(users[0].Roles) != 1 {
		t.Errorf("%+v, %v", users, err)
	}
	// A link, a token and a manifest take any spelling, and mean the one user.
	if _, err := n.ops().Invite(t.Context(), "OPS@example.com"); err != nil {
		t.Error(err)
	}
	if who, err := n.as("Ops@Example.com").Whoami(t.Context()); err != nil || who.User != ops {
		t.Errorf("%+v, %v", who, err)
	}
	p := n.publish(n.ada(), []byte(strings.Replace(string(manifest("hello")), ada, "Ada@Example.COM", 1)), says("hi"))
	if p.Release.Manifest.Owner != ada || p.Release.Signer.Identity != ada {
		t.Errorf("owner %q, signer %q", p.Release.Manifest.Owner, p.Release.Signer.Identity)
	}
}

// TestTheLastOperatorStays, also when two of them remove each other at once.
func TestTheLastOperatorStays(t *testing.T) {
	n := start(t)
	const other = "zoe@example.com"
	a, b := n.token(ops, access.RoleOperator), n.token(other, access.RoleOperator)
	for range 20 {
		var both sync.WaitGroup
		both.Go(func() { n.putUser(a, other, `{"roles":["viewer"]}`) })
		both.Go(func() { n.putUser(b, ops, `{"roles":["viewer"]}`) })
		both.Wait()
		left := a
		if n.putUser(a, other, `{"roles":["operator"]}`).Status != http.StatusOK {
			left = b
		}
		for _, name := range []string{ops, other} { // whoever is left brings the other back
			if r := n.putUser(left, name, `{"roles":["operator"]}`); r.Status != http.StatusOK {
				t.Fatalf("nobody manages the node any more: %d %s", r.Status, r.Body)
			}
		}
	}
}

// TestATokenMakesNothingThatOutlivesIt, be it a token, a link, the session of the link, or what
// that session makes; neither its end nor its revocation.
func TestATokenMakesNothingThatOutlivesIt(t *testing.T) {
	var mu sync.Mutex
	now := time.Now()
	n := start(t, func(o *node.Options) {
		o.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	})
	n.as("zoe@example.com", access.RoleOperator)
	parent := n.as(ops, access.RoleOperator) // for an hour
	use := func(secret string) *client.Client {
		c, err := client.New("http://"+n.Addr().String(), secret)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	session := func(of *client.Client, user string) *client.Client {
		link, err := of.Invite(t.Context(), user)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(link)
		if err != nil {
			t.Fatal(err)
		}
		_, c, err := use("").SignIn(t.Context(), u.Query().Get("link"))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	token := func(of *client.Client, hours int) *client.Client {
		made, err := of.NewToken(t.Context(), client.NewToken{Label: "made", Hours: hours, Scopes: []string{"all"}})
		if err != nil {
			t.Fatal(err)
		}
		if made.Expires.IsZero() || made.Expires.After(now.Add(time.Hour)) {
			t.Errorf("a token of %d hours ends %v", hours, made.Expires)
		}
		return use(made.Secret)
	}
	made := map[string]*client.Client{"token for ever": token(parent, 0), "token for long": token(parent, 24*300)}
	made["token of a token"] = token(made["token for ever"], 0)
	made["session"] = session(parent, ops)
	made["token of the session"] = token(made["session"], 0)
	made["session of the session"] = session(made["session"], ops)
	made["session of somebody else"] = session(parent, "zoe@example.com")
	for name, c := range made {
		if _, err := c.Whoami(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	mu.Lock()
	now = now.Add(61 * time.Minute)
	mu.Unlock()
	for name, c := range made {
		if who, err := c.Whoami(t.Context()); err == nil {
			t.Errorf("%s outlives what made it: %+v", name, who)
		}
	}
	again := n.as(ops)
	made = map[string]*client.Client{"token": token(again, 0), "session": session(again, ops)}
	made["token of the session"] = token(made["session"], 0)
	tokens, err := again.Tokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range tokens {
		if c.Label == "test" {
			if err := again.RevokeToken(t.Context(), c.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range made {
		if who, err := c.Whoami(t.Context()); err == nil {
			t.Errorf("%s outlives the revoking of what made it: %+v", name, who)
		}
	}
}

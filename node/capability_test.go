package node_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/abitest"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/sdk/client"
)

// frozen is a clock that moves only when it is told to.
type frozen struct {
	mu  sync.Mutex
	now time.Time
}

func newFrozen() *frozen { return &frozen{now: time.Now()} }

func (c *frozen) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *frozen) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// relayed is a relay that serves.
type relayed struct {
	n     *testNode
	relay wasmtest.Relay
	url   string
}

// relay publishes a relay of ada's and has rex grant what it asks for.
func (n *testNode) relay(name string, r wasmtest.Relay, more ...string) *relayed {
	n.t.Helper()
	p := n.publish(n.ada(), manifest(name, more...), r.Bytes())
	for _, q := range p.Requests {
		if _, err := n.rex().Decide(n.t.Context(), q.ID, true, "fine"); err != nil {
			n.t.Fatal(err)
		}
	}
	return &relayed{n, r, p.URL}
}

func (r *relayed) call(c wasmtest.RelayCall) ([]byte, abi.Errno, int64) {
	r.n.t.Helper()
	got := r.n.do("POST", r.url, string(r.relay.Request(c)))
	if got.Status != 200 {
		r.n.t.Fatalf("%s: %d %s", c.Func, got.Status, got.Body)
	}
	return r.relay.Answer([]byte(got.Body))
}

// link is the capability as the guest finds it.
func (r *relayed) link() abi.Link {
	l := abi.Link{}
	known, _ := abi.CapabilityNamed(r.relay.Capability)
	for _, name := range known.Functions {
		l[name] = func(_ context.Context, in []byte) ([]byte, abi.Errno) {
			out, errno, _ := r.call(wasmtest.RelayCall{Func: name, In: in})
			return out, errno
		}
	}
	return l
}

// TestKVFromAGuest runs the whole table of kv through a guest, engine, grant and
// all.
func TestKVFromAGuest(t *testing.T) {
	abitest.KV(t, func(t *testing.T, quota abi.KVQuota) (abi.Link, func(time.Duration)) {
		clock := newFrozen()
		n := start(t, func(o *node.Options) { o.Now = clock.Now })
		r := n.relay("keeper", wasmtest.Relay{Capability: "kv"}, fmt.Sprintf("[capabilities.kv]\nquota = %d\nkeys = %d", quota.Bytes, quota.Keys))
		return r.link(), clock.pass
	})
}

// TestBadPointers: whatever a guest passes as a pointer or a length, it gets an
// answer, and its neighbour's memory is not touched.
func TestBadPointers(t *testing.T) {
	n := start(t)
	r := n.relay("keeper", wasmtest.Relay{Capability: "kv"}, "[capabilities.kv]")
	if _, errno, _ := r.call(wasmtest.RelayCall{Func: "set", In: abi.AppendKVSet(nil, "\xff\xfe", []byte("value"))}); errno != 0 {
		t.Fatal(errno)
	}
	const end = 32 * 65536
	for _, c := range []struct {
		name string
		call wasmtest.RelayCall
		want abi.Errno
	}{
		{"a request beyond the end", wasmtest.RelayCall{Ptr: end, Len: 1}, abi.ErrnoFault},
		{"a request that reaches beyond it", wasmtest.RelayCall{Ptr: end - 1, Len: 2}, abi.ErrnoFault},
		{"a request at the highest address", wasmtest.RelayCall{Ptr: 1<<32 - 2, Len: 2}, abi.ErrnoFault},
		{"a request that wraps", wasmtest.RelayCall{Ptr: 1<<32 - 2, Len: 1<<32 - 2}, abi.ErrnoFault},
		{"a request of everything", wasmtest.RelayCall{Ptr: 0, Len: end}, abi.ErrnoTooLarge},
		{"an empty request at the end", wasmtest.RelayCall{Ptr: end}, abi.ErrnoInvalid},
		{"no request", wasmtest.RelayCall{}, abi.ErrnoInvalid},
	} {
		c.call.Bad = true
		for _, fn := range []string{"get", "set", "put", "swap", "delete", "scan"} {
			c.call.Func = fn
			want := c.want
			if fn != "get" && fn != "delete" && want == abi.ErrnoTooLarge {
				want = abi.ErrnoInvalid // their requests begin with a length, which is none
			}
			if _, errno, _ := r.call(c.call); errno != want && !(fn == "scan" && c.want == abi.ErrnoTooLarge) {
				t.Errorf("%s, %s: %v, want %v", c.name, fn, errno, want)
			}
		}
	}
	const at = 70_000
	key := wasmtest.RelayCall{Func: "list", Bad: true, Out: at, Cap: 100}
	if _, errno, length := r.call(key); errno != 0 || length != 6 {
		t.Errorf("a whole answer: %v, %d", errno, length)
	}
	for name, c := range map[string]wasmtest.RelayCall{
		"no room":                    {Out: 0, Cap: 0},
		"too little room":            {Out: at, Cap: 5},
		"little room beyond the end": {Out: end + 5, Cap: 5},
	} {
		c.Func, c.Bad = "list", true
		if _, errno, length := r.call(c); errno != 0 || length != 6 {
			t.Errorf("%s: %v, %d", name, errno, length)
		}
	}
	for name, c := range map[string]wasmtest.RelayCall{
		"a buffer beyond the end":             {Out: end, Cap: 100},
		"a buffer that reaches beyond it":     {Out: end - 3, Cap: 100},
		"a buffer that wraps":                 {Out: 1<<32 - 4, Cap: 1<<32 - 1},
		"a buffer that lies about its length": {Out: end - 1, Cap: 1<<32 - 1},
	} {
		c.Func, c.Bad = "list", true
		if _, errno, _ := r.call(c); errno != abi.ErrnoFault {
			t.Errorf("%s: %v", name, errno)
		}
	}
	if out, errno, _ := r.call(wasmtest.RelayCall{Func: "get", In: []byte("\xff\xfe")}); string(out) != "value" {
		t.Errorf("afterwards: %q, %v", out, errno)
	}
}

// TestNoMoreThanDeclared: of what a grant allows, a release has what its own
// manifest declares.
func TestNoMoreThanDeclared(t *testing.T) {
	n := start(t)
	relay := wasmtest.Relay{Capability: "secret"}
	n.relay("shop", relay, "[capabilities.secret]\nnames = [\"one\", \"two\"]")
	for _, name := range []string{"one", "two", "three"} {
		if _, err := n.ada().SetSecret(t.Context(), "shop", name, []byte("value of "+name)); err != nil {
			t.Fatal(err)
		}
	}
	less := n.relay("shop", relay, "[capabilities.secret]\nnames = [\"two\"]")
	for name, want := range map[string]abi.Errno{"one": abi.ErrnoDenied, "two": 0, "three": abi.ErrnoDenied} {
		if _, errno, _ := less.call(wasmtest.RelayCall{Func: "get", In: []byte(name)}); errno != want {
			t.Errorf("%s: %v, want %v", name, errno, want)
		}
	}
	// More than was granted has to be asked for. Until then the grant of the release that
	// was reviewed does not reach this one, its preview neither.
	p := n.publish(n.ada(), manifest("shop", "[capabilities.secret]\nnames = [\"three\", \"two\"]"), relay.Bytes())
	if p.Active || len(p.Requests) != 1 {
		t.Fatalf("published %+v", p)
	}
	preview := &relayed{n, relay, p.Preview}
	if got := n.do("POST", p.Preview, string(relay.Request(wasmtest.RelayCall{Func: "get", In: []byte("two")}))); got.Status != 502 || got.Problem.Title != "The app cannot run at the moment" {
		t.Errorf("the preview before the decision: %+v", got)
	}
	if _, err := n.rex().Decide(t.Context(), p.Requests[0].ID, true, "fine"); err != nil {
		t.Fatal(err)
	}
	if out, errno, _ := preview.call(wasmtest.RelayCall{Func: "get", In: []byte("three")}); string(out) != "value of three" {
		t.Errorf("granted: %q, %v", out, errno)
	}
}

// TestSecrets: the owner sets a secret, no one is shown it, the app reads it,
// and nothing that the node keeps has it, wherever one looks.
func TestSecrets(t *testing.T) {
	const value = "sk_live_0123456789abcdef"
	n := start(t)
	r := n.relay("shop", wasmtest.Relay{Capability: "secret"}, "[capabilities.secret]\nnames = [\"stripe\"]")
	c := n.ada()
	if _, errno, _ := r.call(wasmtest.RelayCall{Func: "get", In: []byte("stripe")}); errno != abi.ErrnoNotFound {
		t.Errorf("before it is set: %v", errno)
	}
	s, err := c.SetSecret(t.Context(), "shop", "stripe", []byte(value))
	if err != nil || s.Name != "stripe" || s.By != ada {
		t.Fatalf("%+v, %v", s, err)
	}
	read := func() {
		t.Helper()
		if out, errno, _ := r.call(wasmtest.RelayCall{Func: "get", In: []byte("stripe")}); string(out) != value || errno != 0 {
			t.Errorf("the app reads %q, %v", out, errno)
		}
	}
	read()
	if all, err := n.rex().Secrets(t.Context(), "shop"); err != nil || len(all) != 1 || all[0] != s {
		t.Errorf("a reviewer sees %+v, %v", all, err)
	}
	if _, err := n.as("eve@example.com", access.RoleDeveloper).Secrets(t.Context(), "shop"); problemOf(t, err).Type != "/problems/forbidden" {
		t.Errorf("somebody else sees them: %v", err)
	}
	if _, err := n.as("eve@example.com", access.RoleDeveloper).SetSecret(t.Context(), "shop", "stripe", []byte("x")); problemOf(t, err).Type != "/problems/not-owner" {
		t.Errorf("somebody else sets one: %v", err)
	}
	for name, v := range map[string]string{"": "x", "Stripe": "x", "a--b": "x", "empty": "", "large": strings.Repeat("x", 20_000)} {
		if _, err := c.SetSecret(t.Context(), "shop", name, []byte(v)); err == nil {
			t.Errorf("the secret %q with %d bytes is taken", name, len(v))
		}
	}
	// A new key, sealed anew, and after a restart.
	if _, err := c.RotateSecrets(t.Context()); problemOf(t, err).Type != "/problems/forbidden" {
		t.Errorf("a developer rotates: %v", err)
	}
	if rotated, err := n.ops().RotateSecrets(t.Context()); rotated != 1 || err != nil {
		t.Errorf("rotated %d, %v", rotated, err)
	}
	read()
	checks, err := n.ops().Doctor(t.Context())
	if i := slices.IndexFunc(checks, func(c client.Check) bool { return c.Name == "secrets" }); err != nil || i < 0 || !checks[i].OK {
		t.Errorf("the doctor says %+v, %v", checks, err)
	}
	n.stop()
	nowhere(t, n.dir, value)
	n2 := startIn(t, n.dir)
	r.n, r.url = n2, n2.AppURL("shop")
	read()
	if err := n2.ada().DeleteSecret(t.Context(), "shop", "stripe"); err != nil {
		t.Fatal(err)
	}
	if _, errno, _ := r.call(wasmtest.RelayCall{Func: "get", In: []byte("stripe")}); errno != abi.ErrnoNotFound {
		t.Errorf("deleted: %v", errno)
	}
}

// nowhere looks for a value in every file of a directory.
func nowhere(t *testing.T, dir, value string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		for _, form := range []string{value, base64.StdEncoding.EncodeToString([]byte(value))} {
			if strings.Contains(string(raw), form) {
				t.Errorf("%s has the secret", path)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestSecretsStayOutOfLogs: an app that prints a secret, in one of the usual
// forms, prints its name instead, and its owner is told.
func TestSecretsStayOutOfLogs(t *testing.T) {
	const value = "p&ssw/rd \"of\" the\tshop"
	n := start(t)
	r := n.relay("chatty", wasmtest.Relay{Capability: "log"}, "[capabilities.log]")
	c := n.ada()
	say := func(text string) string {
		t.Helper()
		if _, errno, _ := r.call(wasmtest.RelayCall{Func: "write", In: append([]byte{1}, text...)}); errno != 0 {
			t.Fatal(errno)
		}
		lines, err := c.Logs(t.Context(), "chatty", 100)
		if err != nil {
			t.Fatal(err)
		}
		lines = slices.DeleteFunc(lines, func(l client.LogLine) bool { return l.Source != "log" })
		return lines[len(lines)-1].Message
	}
	if got := say("it is " + value); got != "it is "+value {
		t.Errorf("nothing is secret yet: %q", got)
	}
	if _, err := c.SetSecret(t.Context(), "chatty", "db", []byte(value)); err != nil {
		t.Fatal(err)
	}
	basic := base64.StdEncoding.EncodeToString([]byte("user:" + value + "@host"))
	for name, text := range map[string]string{
		"as it is": value, "base64": base64.StdEncoding.EncodeToString([]byte(value)), "for URLs": base64.RawURLEncoding.EncodeToString([]byte(value)),
		"within base64": basic, "in a query": url.QueryEscape(value), "in a path": url.PathEscape(value), "quoted": fmt.Sprintf("%q", value), "hexadecimal": fmt.Sprintf("%x", value),
	} {
		if got := say("<" + text + ">"); strings.Contains(got, text) || !strings.Contains(got, "[secret db]") || !strings.HasPrefix(got, "<") || !strings.HasSuffix(got, ">") {
			t.Errorf("%s: %q is logged as %q", name, text, got)
		}
	}
	lines, err := c.Logs(t.Context(), "chatty", 100)
	if err != nil || !slices.ContainsFunc(lines, func(l client.LogLine) bool { return l.Source == "node" && strings.Contains(l.Message, "secret db") }) {
		t.Errorf("the owner is not told: %+v, %v", lines, err)
	}
}

package node_test

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/registry/sigstore"
	"github.com/agora-host/agora/sdk/client"
)

func keyPair(t testing.TB) (private []byte, public string) {
	t.Helper()
	private, pub, err := sigstore.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return private, string(pub)
}

func signWithKey(t testing.TB, module, key []byte) []byte {
	t.Helper()
	bundle, err := sigstore.SignWithKey(module, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	return bundle
}

// TestRefusedUploads: what is not in order is refused with the problem that
// says so, and leaves nothing behind.
func TestRefusedUploads(t *testing.T) {
	n := start(t, func(o *node.Options) { o.MaxModule = 1 << 20 })
	c := n.ada()
	n.publish(c, manifest("taken"), says("mine"))
	eve := n.as("eve@example.com", access.RoleDeveloper)
	good := says("ok")
	noise := make([]byte, 4096)
	rand.Read(noise)
	var zipped bytes.Buffer
	zw := zip.NewWriter(&zipped)
	if f, err := zw.Create("app.wasm"); err != nil {
		t.Fatal(err)
	} else if _, err := f.Write(bytes.Repeat([]byte{0}, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := c.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tokens := before.Rev
	for _, k := range []struct {
		name     string
		manifest []byte
		module   []byte
		bundle   []byte // nil: signed by who uploads
		by       *client.Client
		want     string
	}{
		{name: "truncated", module: good[:len(good)/2], want: "bad-module"},
		{name: "nothing", module: []byte{}, want: "bad-module"},
		{name: "random", module: noise, want: "bad-module"},
		{name: "a zip bomb", module: zipped.Bytes(), want: "bad-module"},
		{name: "a component", module: []byte("\x00asm\x0d\x00\x01\x00"), want: "unsupported-module"},
		{name: "another version of WebAssembly", module: []byte("\x00asm\x02\x00\x00\x00"), want: "bad-module"},
		{name: "no interface that we know", module: []byte("\x00asm\x01\x00\x00\x00"), want: "unsupported-module"},
		{name: "an unknown section", module: append(bytes.Clone(good), 0x3f, 0), want: "bad-module"},
		{name: "too large", module: append(bytes.Clone(good), make([]byte, 1<<20)...), want: "too-large"},
		{name: "imports kv and does not say so", module: wasmtest.App{KV: true}.Bytes(), want: "policy-denied"},
		{name: "wrong types", module: wasmtest.App{Raw: []byte{0x41, 1}}.Bytes(), want: "bad-module"},
		{name: "not signed", module: good, bundle: []byte{}, want: "unsigned"},
		{name: "a bundle that is none", module: good, bundle: []byte("{}"), want: "bad-signature"},
		{name: "signed for other bytes", module: good, bundle: signAs(t, c, says("other")), want: "bad-signature"},
		{name: "signed by somebody else", module: good, bundle: signAs(t, eve, good), want: "policy-denied"},
		{name: "uploaded by somebody else", module: good, bundle: signAs(t, c, good), by: eve, want: "not-owner"},
		{name: "a viewer", module: good, bundle: signAs(t, c, good), by: n.as("vic@example.com"), want: "forbidden"},
		{name: "another's app", manifest: []byte(strings.ReplaceAll(string(manifest("taken")), ada, "eve@example.com")), module: good, by: eve, want: "not-owner"},
		{name: "an unknown key", manifest: manifest("x", "colour = \"red\""), module: good, want: "bad-manifest"},
		{name: "no TOML", manifest: []byte("{"), module: good, want: "bad-manifest"},
		{name: "no metadata", manifest: []byte("name = \"x\"\nowner = \"" + ada + "\""), module: good, want: "policy-denied"},
		{name: "a path for a name", manifest: manifest("../../etc"), module: good, want: "bad-manifest"},
		{name: "HTML for a name", manifest: manifest("<script>"), module: good, want: "bad-manifest"},
		{name: "a name that looks like a preview", manifest: manifest("r1--shop"), module: good, want: "bad-manifest"},
		{name: "limits beyond the tier", manifest: manifest("x", "[limits]\nmemory = \"1GiB\""), module: good, want: "policy-denied"},
		{name: "no time at all", manifest: manifest("x", "[limits]\ntimeout = \"-1s\""), module: good, want: "bad-manifest"},
		{name: "an unknown capability", manifest: manifest("x", "[capabilities.root]"), module: good, want: "bad-manifest"},
	} {
		t.Run(k.name, func(t *testing.T) {
			if k.by == nil {
				k.by = c
			}
			if k.manifest == nil {
				k.manifest = manifest("x")
			}
			if k.bundle == nil {
				k.bundle = signAs(t, k.by, k.module)
			}
			_, err := k.by.Publish(t.Context(), k.manifest, k.module, k.bundle, nil)
			p := problemOf(t, err)
			if p.Type != "/problems/"+k.want || p.Remedy.Summary == "" || p.Detail == "" {
				t.Errorf("got %s (%s)\nwant %s", p.Type, p.Detail, k.want)
			}
			if strings.Contains(p.Detail, n.dir) {
				t.Errorf("the detail names a path of the node: %s", p.Detail)
			}
			for _, f := range p.Findings {
				if f.Message == "" || f.Remedy.Summary == "" {
					t.Errorf("a finding without its fix: %+v", f)
				}
			}
		})
	}
	apps, err := c.Apps(t.Context())
	if err != nil || len(apps) != 1 {
		t.Errorf("apps %+v, %v", apps, err)
	}
	events, err := c.Events(t.Context(), tokens, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.App != "" {
			t.Errorf("a refused upload changed something: %+v", e)
		}
	}
	if got := n.get(n.AppURL("taken")); got.Body != "mine" {
		t.Errorf("the node no longer serves: %+v", got)
	}
}

// TestReservedNamesAreRefused to new apps, unless the operator allows one; an app that has the
// name already keeps it.
func TestReservedNamesAreRefused(t *testing.T) {
	dir, policy := t.TempDir(), t.TempDir()
	names := func(allow string) func(*node.Options) {
		return func(o *node.Options) {
			o.PolicyDir = policy
			text, err := os.ReadFile("../approvals/rego/rules/data.json")
			if err == nil {
				err = os.WriteFile(filepath.Join(policy, "data.json"), []byte(strings.Replace(string(text), `"allow": []`, `"allow": [`+allow+`]`, 1)), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	n := startIn(t, dir, names(`"sso"`))
	n.publish(n.ada(), manifest("sso"), says("one"))
	n.stop()
	n = startIn(t, dir, names(""))
	if got := n.get(n.AppURL("sso")); got.Body != "one" {
		t.Errorf("the app that has the name: %d %s", got.Status, got.Body)
	}
	n.publish(n.ada(), manifest("sso"), says("two"))
	for _, name := range []string{"wpad", "oauth", "adm1n"} {
		module := says("x")
		_, err := n.ada().Publish(t.Context(), manifest(name), module, signAs(t, n.ada(), module), nil)
		if got := problemOf(t, err); got.Status != 422 || !strings.Contains(got.Detail, "is reserved") {
			t.Errorf("%s: %+v", name, got)
		}
		findings, err := n.ada().CheckPolicy(t.Context(), manifest(name), nil, "")
		if err != nil || len(findings) == 0 || findings[0].Code != "name.reserved" {
			t.Errorf("%s: %+v, %v", name, findings, err)
		}
	}
}

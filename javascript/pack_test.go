package javascript

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/source"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/script"
)

// TestEngineDigest compares what is embedded with the digest beside it. That both are what the sources make is
// .ci/engine's to say.
func TestEngineDigest(t *testing.T) {
	want, err := os.ReadFile("engine/engine.wasm.sha256")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := engine.Digest(); err != nil || got != strings.TrimSpace(string(want)) {
		t.Errorf("the engine is %s, not %s (%v)", got, want, err)
	}
}

// TestCapabilityBits compares the order of capabilities with the engine's, and what it imports with the ABI.
func TestCapabilityBits(t *testing.T) {
	source, err := os.ReadFile("engine/host.c")
	if err != nil {
		t.Fatal(err)
	}
	if want := "enum { " + strings.ToUpper(strings.Join(script.Capabilities(), ", ")) + " };"; !bytes.Contains(source, []byte(want)) {
		t.Errorf("engine/host.c does not have %s", want)
	}
	var callable []string
	for _, c := range abi.Capabilities() {
		if c.Module != "" {
			callable = append(callable, c.Name)
		}
	}
	ours := slices.Sorted(slices.Values(script.Capabilities()))
	if !slices.Equal(ours, callable) {
		t.Errorf("the engine reaches %v, and the capabilities are %v", ours, callable)
	}
	e, err := engine.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	m, err := wasm.Parse(e, wasm.DefaultBounds())
	if err != nil {
		t.Fatal(err)
	}
	for _, im := range m.Imports {
		c, is := abi.CapabilityOf(im.Module)
		if is && !slices.Contains(c.Functions, im.Name) {
			t.Errorf("the engine imports %s.%s, which is not there", im.Module, im.Name)
		}
	}
}

// imported are the capabilities that a module imports.
func imported(m *wasm.Module) []string {
	var names []string
	for _, im := range m.Imports {
		if c, is := abi.CapabilityOf(im.Module); is && !slices.Contains(names, c.Name) {
			names = append(names, c.Name)
		}
	}
	slices.Sort(names)
	return names
}

// TestModules packs scripts with several sets of capabilities. A module imports what is listed and no more, and
// two of one set differ in data only.
func TestModules(t *testing.T) {
	build := func(code string, allowed ...string) *wasm.Module {
		b, err := Build(t.Context(), Source{Entry: "app.js", Code: []byte(code), Capabilities: allowed})
		if err != nil {
			t.Fatal(err)
		}
		m, err := wasm.Parse(b.Module, wasm.DefaultBounds())
		if err != nil {
			t.Fatal(err)
		}
		i, ok := source.ReadOrigin(b.Module)
		if !ok || i != b.Info || i.Engine != EngineName || i.Entry != "app.js" || len(i.Source) != 64 {
			t.Errorf("the module says %+v of itself", i)
		}
		if files := source.ReadFiles(b.Module); !slices.Equal(files, []source.File{{Name: "app.js", Contents: code}}) || i.Packages {
			t.Errorf("the module says that it was made of %+v", files)
		}
		return m
	}
	for _, allowed := range [][]string{nil, {"log"}, {"kv", "log"}, slices.Sorted(slices.Values(script.Capabilities()))} {
		m := build("export default { fetch() { return new Response('one') } }", allowed...)
		if got := imported(m); !slices.Equal(got, allowed) {
			t.Errorf("with %v it imports %v", allowed, got)
		}
		o := build("const a = 'another, and longer';\nexport default { async fetch() { return new Response(a) } }", allowed...)
		m.Data, o.Data, m.Custom, o.Custom = nil, nil, nil, nil
		if !bytes.Equal(m.Encode(), o.Encode()) {
			t.Errorf("with %v two modules differ in more than data", allowed)
		}
		for _, name := range []string{"agora_app", "__heap_base"} {
			if _, there := m.Export(name); there {
				t.Errorf("the module exports %s", name)
			}
		}
	}
}

// TestVersion is of all that a module has beside its script.
func TestVersion(t *testing.T) {
	v, err := Version()
	if err != nil || !strings.HasPrefix(v, EngineName+"+") || len(v) != len(EngineName)+13 {
		t.Errorf("%q (%v)", v, err)
	}
}

// TestBundler: the version of the bundler that modules name is the one that go.mod has.
func TestBundler(t *testing.T) {
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if want := "github.com/evanw/" + strings.Replace(bundler, " ", " v", 1); !strings.Contains(string(mod), want) {
		t.Errorf("go.mod has not %q", want)
	}
}

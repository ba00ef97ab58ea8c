package javascript_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/javascript"
	"github.com/agora-host/agora/script/scripttest"
)

// notAsApps are tests of the engine's that are none of a script that serves requests, and why.
var notAsApps = map[string]string{
	"empty.js": "a fixture", "fixture_cyclic_import.js": "a fixture", "fixture_reexport_direct.js": "a fixture", "fixture_reexport_missing.js": "a fixture", "fixture_reexport_source.js": "a fixture",
	"fixture_string_exports.js": "a fixture", "fixture_throwing_module.js": "a fixture", "test_worker_module.js": "a fixture", "assert.js": "what others import", "microbench.js": "it measures",
	"bug1354.js": "it has to fail", "bug648.js": "it has to fail", "bug775.js": "it has to fail", "bug776.js": "it has to fail", "reexport-error-module.js": "it has to fail to build, and does",
	"bug1301.js": "there is no Atomics", "bug1302.js": "there is no Atomics", "atomics-store-leak.js": "there is no Atomics",
	"function_source.js": "the bundler writes functions anew", "test_for_of_line_numbers.js": "the bundler writes loops anew", "import-attributes-identity.js": "it imports a file as two types",
	"bug1318.js": "qjs's modules", "bug1562.js": "qjs's modules", "dynamic_import_rejection_handled.js": "qjs's modules", "suspended-coroutine-closure-gc.js": "qjs's modules", "suspended-coroutine-mapped-arguments-gc.js": "qjs's modules",
	"suspended-generator-closure-gc.js": "qjs's modules", "test_array_to_gc.js": "qjs's modules", "test_bjson.js": "qjs's modules", "test_std.js": "qjs's modules", "test_worker.js": "qjs's modules",
}

// TestUpstream runs the engine's own tests in it as it is in apps: those of QuickJS-ng, of the crate from which the engine is built.
func TestUpstream(t *testing.T) {
	dir := upstream(t)
	files, err := filepath.Glob(filepath.Join(dir, "*.js"))
	if err != nil || len(files) < 60 {
		t.Fatal(len(files), err)
	}
	run := 0
	l := limits
	l.Fuel, l.Memory = 5_000_000_000, 256<<20
	for _, file := range files {
		name := filepath.Base(file)
		if notAsApps[name] != "" {
			continue
		}
		run++
		code, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if name == "test_builtin.js" { // it looks at names, lines and stacks, which an app has of its own, and asks qjs's modules for little
			assert, err := os.ReadFile(filepath.Join(dir, "assert.js"))
			if err != nil {
				t.Fatal(err)
			}
			code = regexp.MustCompile(`(?m)^test_(exception_\w+|\w+_source_pos)\(\);$|^import .*$`).ReplaceAll(code, nil)
			code = slices.Concat([]byte("'use strict'; const os = {}, qjs = { getStringKind: (s) => s.length > 100 ? 1 : 0 };\n"), regexp.MustCompile(`(?m)^export `).ReplaceAll(assert, nil), code)
		}
		do := fmt.Sprintf("await import(%q)", "./"+name)
		if !regexp.MustCompile(`(?m)^(import|export|const \w+ = await) `).Match(code) { // a script, and not in strict mode
			text, err := json.Marshal(string(code))
			if err != nil {
				t.Fatal(err)
			}
			do = "(0, eval)(" + string(text) + ")"
		}
		entry := "app_" + name
		app := `globalThis.print = globalThis.gc = () => {}; export default { async fetch() { ` + do + `; return new Response("done") } };`
		if err := os.WriteFile(filepath.Join(dir, entry), []byte(app), 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := javascript.Build(t.Context(), javascript.Source{Entry: entry, Dir: dir, Capabilities: []string{"log"}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		a, err := scripttest.TryStart(t, b.Module, l, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if r, err := a.Try(abi.Request{Path: "/"}); err != nil || string(r.Response.Body) != "done" {
			t.Errorf("%s: %v, %s\n%.600s", name, err, r.Response.Body, a.Logged())
		}
	}
	for _, name := range slices.Sorted(maps.Keys(notAsApps)) {
		if !slices.Contains(files, filepath.Join(dir, name)) {
			t.Errorf("%s is said to be no test of apps, and is not there", name)
		}
	}
	t.Logf("%d tests of the engine's, of %d files", run, len(files))
}

// upstream unpacks the tests of the crate that engine/build.sh names, of whose digest it makes sure. The build fetches it.
func upstream(t *testing.T) (dir string) {
	t.Helper()
	build, err := os.ReadFile("engine/build.sh")
	if err != nil {
		t.Fatal(err)
	}
	pin := regexp.MustCompile(`CRATE=(\S+) VERSION=(\S+)\nSHA256=(\S+)`).FindSubmatch(build)
	if pin == nil {
		t.Fatal("engine/build.sh pins no crate")
	}
	crate := os.Getenv("AGORA_CRATE")
	if crate == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			t.Fatal(err)
		}
		if cargo := os.Getenv("CARGO_HOME"); cargo != "" {
			home = cargo
		} else {
			home = filepath.Join(home, ".cargo")
		}
		found, _ := filepath.Glob(filepath.Join(home, "registry", "cache", "*", fmt.Sprintf("%s-%s.crate", pin[1], pin[2])))
		if len(found) == 0 && os.Getenv("CI") == "" {
			t.Skip("the crate is not here: .ci/engine fetches it")
		}
		if len(found) == 0 {
			t.Fatal("the crate is not here, and .ci/engine runs before")
		}
		crate = found[0]
	}
	packed, err := os.ReadFile(crate)
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(packed); hex.EncodeToString(sum[:]) != string(pin[3]) {
		t.Fatalf("%s is not the crate that is pinned", crate)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	for files := tar.NewReader(z); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		if err != nil {
			t.Fatal(err)
		}
		if in, name := path.Split(h.Name); strings.HasSuffix(in, "/quickjs/tests/") && h.Typeflag == tar.TypeReg {
			code, err := io.ReadAll(files)
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, name), code, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

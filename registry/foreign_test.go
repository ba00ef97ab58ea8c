package registry_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/registry"
)

// TestForeignCommands: what was built for another host is named, also where it has all that a
// command for this one has.
func TestForeignCommands(t *testing.T) {
	for _, c := range []struct{ name, module, function, says string }{
		{"Spin's first SDK", "wasi-outbound-http", "request", "Spin"},
		{"Spin's configuration", "spin-config", "get-config", "Spin"},
		{"Spin, with underscores", "spin_http", "x", "Spin"},
		{"Spin's redis", "outbound-redis", "publish", "Spin"},
		{"Extism", "extism:host/env", "alloc", "Extism"},
		{"Extism's own functions", "extism:host/user", "f", "Extism"},
		{"http-wasm", "http_handler", "get_uri", "http-wasm"},
		{"proxy-wasm", "env", "proxy_log", "proxy"},
		{"Fastly", "fastly_http_req", "body_downstream_get", "Fastly"},
		{"waPC", "wapc", "__guest_request", "waPC"},
		{"wasm-bindgen before its tool ran", "__wbindgen_placeholder__", "__wbindgen_describe", "wasm32-wasip1"},
		{"wasm-bindgen for a bundler", "./app_bg.js", "__wbg_log_1", "wasm-bindgen"},
		{"wasm-bindgen for the web", "wbg", "__wbg_log_1", "wasm-bindgen"},
		{"GOOS=js", "gojs", "runtime.wasmWrite", "GOOS=wasip1"},
		{"GOOS=js of the time before Go 1.21", "go", "debug", "GOOS=wasip1"},
		{"Emscripten", "env", "emscripten_resize_heap", "STANDALONE_WASM"},
		{"Emscripten's exceptions", "env", "invoke_vii", "STANDALONE_WASM"},
		{"Emscripten's system calls", "env", "__syscall_openat", "STANDALONE_WASM"},
		{"Emscripten, minified", "a", "b", "minified"},
		{"Emscripten, linked dynamically", "GOT.mem", "x", "SIDE_MODULE"},
		{"WASIX", "wasix_32v1", "thread_spawn", "WASIX"},
		{"threads", "wasi", "thread-spawn", "threads"},
		{"the core of a component", "wasi:http/types@0.2.0", "[method]fields.get", "component"},
		{"a function that was not linked", "env", "sqlite3_open", "did not find"},
		{"an old draft", "wasi_unstable", "fd_write", "draft"},
		{"anything else", "myhost", "f", `from "myhost"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := registry.Inspect(app(exports("_start"), imports(c.module, c.function, 2)))
			if !errors.Is(err, registry.ErrUnsupportedModule) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("err = %v, want it to say %q", err, c.says)
			}
		})
	}
	if _, err := registry.Inspect(app(exports("_start", "handle-http-request"))); err == nil || !strings.Contains(err.Error(), "Spin") {
		t.Errorf("Spin by its export: %v", err)
	}
	// The host is named although an ordinary import comes first.
	_, err := registry.Inspect(app(exports("_start"), imports("env", "sqlite3_open", 2), imports("extism:host/env", "alloc", 2)))
	if err == nil || !strings.Contains(err.Error(), "Extism") {
		t.Errorf("a mixture: %v", err)
	}
}

// TestWASIImports: an import that WASI does not have, or has with another type, would fail in each
// call.
func TestWASIImports(t *testing.T) {
	one := []wasm.ValType{wasm.I32}
	typed := func(name string, f wasm.FuncType) []byte {
		return app(exports("_start"), func(m *wasm.Module) { m.Types = append(m.Types, f) }, imports(abi.WASIModule, name, 4))
	}
	if _, err := registry.Inspect(typed("fd_close", wasm.FuncType{Params: one, Results: one})); err != nil {
		t.Errorf("fd_close: %v", err)
	}
	if _, err := registry.Inspect(typed("proc_exit", wasm.FuncType{Params: one})); err != nil {
		t.Errorf("proc_exit: %v", err)
	}
	for name, want := range map[string]string{
		"sock_open":       `imports wasi_snapshot_preview1.sock_open of type (i32) -> i32, and WASI preview 1 has no such function`,
		"fd_write":        `imports wasi_snapshot_preview1.fd_write of type (i32) -> i32, and WASI preview 1 has it with the type (i32, i32, i32, i32) -> i32`,
		"clock_time_get":  `(i32, i64, i32) -> i32`,
		"proc_exit":       `with the type (i32) -> ()`,
		"fd_filestat_gat": `no such function`,
	} {
		_, err := registry.Inspect(typed(name, wasm.FuncType{Params: one, Results: one}))
		if !errors.Is(err, registry.ErrUnsupportedModule) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

func TestComponents(t *testing.T) {
	component := func(text string) []byte { return append([]byte("\x00asm\x0d\x00\x01\x00"), text...) }
	for _, c := range []struct{ text, what, build string }{
		{"wasi:http/incoming-handler@0.2.10 StarlingMonkey clang rustc", "wasi:http 0.2", "JavaScript"},
		{"wasi:http/incoming-handler@0.2.0 componentize-py", "wasi:http 0.2", "Python"},
		{"wasi:http/handler@0.3.0 rustc", "wasi:http 0.3", "cargo build --target wasm32-wasip1"},
		{"wasi:cli/run@0.2.3 TinyGo clang", "a command of WASI 0.2", "tinygo build -target=wasip1"},
		{"wasi:cli/run@0.3.0 clang", "a command of WASI 0.3", "wasi-sdk"},
		{"my:own/api", "a library", "Rust"},
	} {
		_, err := registry.Inspect(component(c.text))
		if !errors.Is(err, registry.ErrUnsupportedModule) || !strings.Contains(err.Error(), c.what) || !strings.Contains(err.Error(), c.build) {
			t.Errorf("%s: %v", c.text, err)
		}
	}
}

// TestFeaturesAndBoundsAreTold: each is a problem of its own, with what to do in the author's
// language.
func TestFeaturesAndBoundsAreTold(t *testing.T) {
	_, err := registry.Inspect([]byte("\x00asm\x01\x00\x00\x00\x0d\x03\x01\x00\x00"))
	if !errors.Is(err, registry.ErrFeature) || errors.Is(err, registry.ErrBadModule) {
		t.Fatal(err)
	}
	for _, word := range []string{"exception handling", "clang: ", "Rust: ", "TinyGo: ", "Emscripten: "} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%v does not say %q", err, word)
		}
	}
	for _, f := range wasm.Features() {
		if registry.TurnOff(f) == "" {
			t.Errorf("%s: nothing is said of how it is turned off", f)
		}
	}
	_, err = registry.Inspect(app(func(m *wasm.Module) {
		m.Bodies[0].Code = append(bytes.Repeat([]byte{wasm.OpBlock, wasm.BlockEmpty}, 6000), bytes.Repeat([]byte{wasm.OpEnd}, 6001)...)
	}))
	if !errors.Is(err, registry.ErrTooHeavy) || errors.Is(err, registry.ErrBadModule) || !strings.Contains(err.Error(), "5001 blocks within blocks are more than the 5000") {
		t.Error(err)
	}
}

// TestSDKAsCommand: a Go app of the SDK that was built without -buildmode=c-shared has no way to
// start its runtime, and would fail in each call.
func TestSDKAsCommand(t *testing.T) {
	built := func(sections ...string) []byte {
		return app(func(m *wasm.Module) {
			m.Exports = append(m.Exports, wasm.Export{Name: "_start", Index: 2})
			for _, s := range sections {
				m.Custom = append(m.Custom, wasm.Custom{Name: s})
			}
		})
	}
	if _, err := registry.Inspect(built("go:buildid")); !errors.Is(err, registry.ErrUnsupportedModule) || !strings.Contains(err.Error(), "-buildmode=c-shared") {
		t.Error(err)
	}
	if _, err := registry.Inspect(built()); err != nil {
		t.Errorf("what is not Go may have both: %v", err)
	}
}

// TestDefaultsFitTheSandbox: what a manifest leaves out is judged by the lowest tier.
func TestDefaultsFitTheSandbox(t *testing.T) {
	raw, err := os.ReadFile("../approvals/rego/rules/data.json")
	if err != nil {
		t.Fatal(err)
	}
	var rules struct {
		Tiers map[string]struct {
			Limits struct{ Fuel, Memory, Request, Response, Concurrency, Timeout_ms int64 }
		}
	}
	if err := json.Unmarshal(raw, &rules); err != nil {
		t.Fatal(err)
	}
	most, l := rules.Tiers["sandbox"].Limits, registry.Manifest{}.WithDefaults().Limits
	if most.Fuel == 0 || int64(l.Fuel) > most.Fuel || int64(l.Memory) > most.Memory || l.Timeout.Milliseconds() > most.Timeout_ms || int64(l.Concurrency) > most.Concurrency {
		t.Errorf("defaults %+v, the sandbox allows %+v", l, most)
	}
	if l.Fuel < 1_100_000_000 {
		t.Errorf("the default of %d is less than Go programs with net/http take", l.Fuel)
	}
}

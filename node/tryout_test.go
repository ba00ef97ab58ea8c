package node_test

import (
	"strings"
	"testing"

	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
)

// TestTryOut: a release that cannot start is refused before anything is routed to it; of a request
// that fails its owner is told.
func TestTryOut(t *testing.T) {
	n := start(t)
	ada := n.ada()
	trap := []byte{wasm.OpUnreachable}
	for name, app := range map[string]wasmtest.App{"starter": {Start: trap}, "initialiser": {Init: trap}, "allocator": {Alloc: trap}} {
		module := app.Bytes()
		_, err := ada.Publish(t.Context(), manifest(name), module, signAs(t, ada, module), nil)
		if err == nil || !strings.Contains(err.Error(), "cannot start") || !strings.Contains(err.Error(), "trapped") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := ada.App(t.Context(), name); err == nil {
			t.Errorf("%s exists", name)
		}
	}
	p := n.publish(ada, manifest("handler"), wasmtest.App{Code: trap}.Bytes())
	found := false
	for _, f := range p.Findings {
		found = found || f.Code == "trial.failed" && strings.Contains(f.Message, "GET /")
	}
	if !found || !p.Active {
		t.Errorf("%+v", p)
	}
	p = n.publish(ada, manifest("runaway", "[limits]\nfuel = 100_000\n"), wasmtest.App{Init: wasmtest.Forever}.Bytes())
	if len(p.Findings) != 1 || p.Findings[0].Code != "trial.runaway" || !strings.Contains(p.Findings[0].Message, "1000000: its start-up takes more") {
		t.Errorf("%+v", p.Findings)
	}
	if p := n.publish(ada, manifest("fine"), wasmtest.App{}.Bytes()); len(p.Findings) != 0 {
		t.Errorf("%+v", p.Findings)
	}
}

// TestCheckFits: what the module needs from its start is judged alike by a check and by an upload.
func TestCheckFits(t *testing.T) {
	n := start(t)
	ada := n.ada()
	module := wasmtest.App{Pages: 300 << 4}.Bytes()
	_, checked := ada.CheckPolicy(t.Context(), manifest("large"), module, "sandbox")
	_, published := ada.Publish(t.Context(), manifest("large"), module, signAs(t, ada, module), nil)
	if checked == nil || published == nil || checked.Error() != published.Error() || !strings.Contains(checked.Error(), `memory = "300MiB"`) {
		t.Errorf("check: %v\nupload: %v", checked, published)
	}
}

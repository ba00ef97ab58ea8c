package javascript_test

import (
	"errors"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/script/scripttest"
)

// TestStartUpCost: what the engine does before the script's first line costs little, so that an app can start
// whose requests may do little: ten times a request's instructions are for start-up. That the prelude is compiled
// when the engine is built makes it so.
func TestStartUpCost(t *testing.T) {
	module := build(t, `export default { fetch() { return new Response("hello") } };`, "log").Module
	l := limits
	l.Fuel = 2_500_000
	r, err := scripttest.Start(t, module, l, nil).Try(abi.Request{Path: "/"})
	if err != nil || string(r.Response.Body) != "hello" {
		t.Errorf("with %d units for start-up: %v", 10*l.Fuel, err)
	}
	l.Fuel = 1_000_000
	if _, err := scripttest.Start(t, module, l, nil).Try(abi.Request{Path: "/"}); !errors.Is(err, abi.ErrFuelExhausted) {
		t.Errorf("with %d units for start-up: %v", 10*l.Fuel, err)
	}
}

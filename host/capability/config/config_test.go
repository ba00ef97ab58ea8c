package config_test

import (
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/host/capability/config"
)

func TestGet(t *testing.T) {
	settings := map[string]string{"greeting": "Hello"}
	get := config.Bind(settings)["get"]
	settings["greeting"] = "changed later" // a release is immutable
	if v, errno := get(t.Context(), []byte("greeting")); string(v) != "Hello" || errno != 0 {
		t.Errorf("got %q, %v", v, errno)
	}
	if _, errno := get(t.Context(), []byte("none")); errno != abi.ErrnoNotFound {
		t.Errorf("an absent setting: %v", errno)
	}
}

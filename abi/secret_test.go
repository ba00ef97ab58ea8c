package abi_test

import (
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
)

func TestValidSecretName(t *testing.T) {
	for _, name := range []string{"a", "crm", "api-key-2", "a1-b", strings.Repeat("a", 40)} {
		if !abi.ValidSecretName(name) {
			t.Errorf("%q cannot be a name", name)
		}
	}
	for _, name := range []string{"", "1a", "-a", "a-", "a--b", "A", "a_b", "a.b", "a b", "a\n", "a\x00b", "é", strings.Repeat("a", 41)} {
		if abi.ValidSecretName(name) {
			t.Errorf("%q can be a name", name)
		}
	}
}

package control_test

import (
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/metering"
)

// TestFaultWords: no kind of fault is shown as the word that usage has for it.
func TestFaultWords(t *testing.T) {
	for _, kind := range append(abi.FaultKinds(), metering.FaultCutOff) {
		if words := control.FaultWords(kind); words == kind || strings.Contains(words, "_") || !strings.Contains(words, " ") {
			t.Errorf("%s is shown as %q", kind, words)
		}
	}
}

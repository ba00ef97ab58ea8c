package abi_test

import (
	"encoding/json"
	"testing"

	"github.com/agora-host/agora/abi"
)

// TestSeverityOfBefore: a finding that was stored as a note is one for information.
func TestSeverityOfBefore(t *testing.T) {
	for stored, want := range map[string]abi.Severity{"note": abi.SeverityInfo, "info": abi.SeverityInfo, "review": abi.SeverityReview, "deny": abi.SeverityDeny} {
		var f abi.Finding
		if err := json.Unmarshal([]byte(`{"severity":"`+stored+`"}`), &f); err != nil || f.Severity != want {
			t.Errorf("%s is read as %q, %v", stored, f.Severity, err)
		}
	}
}

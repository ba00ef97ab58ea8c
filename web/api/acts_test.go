package api

import (
	"slices"
	"testing"

	"github.com/agora-host/agora/access"
)

// TestRoutesAskTheTable: each operation but the public ones names an act of the table of who may do
// what, and the description says the roles that the table asks for.
func TestRoutesAskTheTable(t *testing.T) {
	for _, r := range routes() {
		known := slices.ContainsFunc(access.Rules(), func(rule access.Rule) bool { return rule.Act == r.act })
		if known == r.public {
			t.Errorf("%s, public: %v, does the act %q", r.id, r.public, r.act)
		}
	}
}

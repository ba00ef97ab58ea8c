package api

import (
	"slices"
	"testing"

	"github.com/agora-host/agora/access"
)

// TestEveryRouteNamesItsScope: one without would let every token in, however limited.
func TestEveryRouteNamesItsScope(t *testing.T) {
	for _, r := range routes() {
		known := r.scope == anyScope || slices.ContainsFunc(access.Scopes(), func(s access.ScopeInfo) bool { return s.Scope == r.scope })
		switch {
		case r.public && r.scope != "":
			t.Errorf("%s %s is public and names the scope %q: remove one of the two", r.method, r.path, r.scope)
		case !r.public && !known:
			t.Errorf("%s %s (%s) needs `scope:`, one of access.Scopes(), or anyScope if every token may call it; it has %q", r.method, r.path, r.id, r.scope)
		}
	}
}

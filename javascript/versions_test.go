package javascript_test

import (
	"testing"

	"github.com/agora-host/agora/javascript"
	"github.com/agora-host/agora/script/scripttest"
)

// TestVersions: whatever changes the modules that are made is a version, and each is in the list, so that a
// node can say how old a release's is.
func TestVersions(t *testing.T) {
	scripttest.Versions(t, *update, javascript.Version, javascript.Versions)
}

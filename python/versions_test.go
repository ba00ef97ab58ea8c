package python_test

import (
	"flag"
	"strings"
	"testing"

	"github.com/agora-host/agora/python"
	"github.com/agora-host/agora/script/scripttest"
)

var update = flag.Bool("update", false, "write files that tests compare with")

// TestVersions: whatever changes the modules that are made is a version, and each is in the list, so that a node can
// say how old a release's is. Each says that it is a preview.
func TestVersions(t *testing.T) {
	for _, v := range scripttest.Versions(t, *update, python.Version, python.Versions) {
		if !strings.Contains(v.Version, "preview") {
			t.Errorf("%s does not say that it is a preview", v.Version)
		}
	}
}

package python_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/python"
)

var update = flag.Bool("update", false, "write files that tests compare with")

// TestVersions: whatever changes the modules that are made is a version, and each is in the list, so that a node can
// say how old a release's is. Each says that it is a preview.
func TestVersions(t *testing.T) {
	now, err := python.Version()
	if err != nil {
		t.Fatal(err)
	}
	all, err := python.Versions()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(all); *update && (n == 0 || all[n-1].Version != now) {
		f, err := os.OpenFile("versions.txt", os.O_APPEND|os.O_WRONLY, 0)
		if err == nil {
			_, err = fmt.Fprintf(f, "%s\t%s\n", time.Now().UTC().Format(time.DateOnly), now)
		}
		if err != nil || f.Close() != nil {
			t.Fatal(err)
		}
	} else if n == 0 || all[n-1].Version != now || !all[n-1].Until.IsZero() {
		t.Errorf("the engine was changed: modules are made with %s now, and versions.txt has %+v\nafter: go test ./python -run TestVersions -update", now, all)
	}
	for _, v := range all {
		if !strings.Contains(v.Version, "preview") {
			t.Errorf("%s does not say that it is a preview", v.Version)
		}
	}
}

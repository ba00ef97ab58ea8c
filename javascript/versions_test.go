package javascript_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/agora-host/agora/javascript"
)

// TestVersions: whatever changes the modules that are made is a version, and each is in the list, so that a
// node can say how old a release's is.
func TestVersions(t *testing.T) {
	now, err := javascript.Version()
	if err != nil {
		t.Fatal(err)
	}
	all, err := javascript.Versions()
	if err != nil || len(all) == 0 {
		t.Fatal(all, err)
	}
	if last := all[len(all)-1]; last.Version != now && *update {
		f, err := os.OpenFile("versions.txt", os.O_APPEND|os.O_WRONLY, 0)
		if err == nil {
			_, err = fmt.Fprintf(f, "%s\t%s\n", time.Now().UTC().Format(time.DateOnly), now)
		}
		if err != nil || f.Close() != nil {
			t.Fatal(err)
		}
	} else if last.Version != now || !last.Until.IsZero() {
		t.Errorf("engine, prelude or bundler were changed: modules are made with %s now, and the last in versions.txt is %+v\nafter: go test ./javascript -run TestVersions -update", now, last)
	}
	seen := map[string]bool{}
	for i, v := range all {
		if seen[v.Version] || (i > 0 && all[i-1].Until.IsZero()) || (i > 1 && all[i-1].Until.Before(all[i-2].Until)) {
			t.Errorf("%+v is there twice, or out of order", v)
		}
		seen[v.Version] = true
	}
}

package console

import (
	"io/fs"
	"regexp"
	"testing"
)

// TestFormsStandByThemselves: no form is within another. A browser takes no notice of where such a one begins, and its end
// for the end of the outer: what is sent then is neither's.
func TestFormsStandByThemselves(t *testing.T) {
	tag := regexp.MustCompile(`</?form\b`)
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil || len(names) < 20 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		open := 0
		for _, at := range tag.FindAllIndex(text, -1) {
			if string(text[at[0]:at[1]]) == "<form" {
				open++
			} else {
				open--
			}
			if open < 0 || open > 1 {
				t.Errorf("%s: %d forms are open before %.120q", name, open, text[at[0]:])
			}
		}
	}
}

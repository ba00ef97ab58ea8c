package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestErrorsSayThingsOnce: modules and manifests that are spoilt at every place are refused in words
// that repeat no phrase.
func TestErrorsSayThingsOnce(t *testing.T) {
	module := says("ok")
	dir := t.TempDir()
	path := filepath.Join(dir, "app.wasm")
	kinds := map[string]bool{}
	try := func(what string, content []byte) {
		t.Helper()
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		code, _, errs := runCLI(t, "inspect", path)
		if code == exitOK {
			return
		}
		kinds[errs] = true
		if phrase := doubled(errs); phrase != "" {
			t.Errorf("%s: %q twice: %s", what, phrase, errs)
		}
	}
	for i := range module {
		try("cut off", module[:i])
		for _, b := range []byte{0, 1, 0x7f, 0x80, 0xff} {
			spoilt := bytes.Clone(module)
			spoilt[i] = b
			try("spoilt", spoilt)
		}
	}
	if len(kinds) < 20 {
		t.Errorf("only %d different refusals were seen", len(kinds))
	}
}

// doubled is a phrase of three words or more that a text has twice; "" if there is none.
func doubled(text string) string {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return strings.ContainsRune(" .:;,\n", r) })
	seen := map[string]bool{}
	for i := 0; i+3 <= len(words); i++ {
		phrase := strings.Join(words[i:i+3], " ")
		if seen[phrase] {
			return phrase
		}
		seen[phrase] = true
	}
	return ""
}

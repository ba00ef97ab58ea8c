package languages

import (
	"testing"

	"github.com/agora-host/agora/script"
)

// TestBuild: the extension of the first file says the language, and each engine has one version without an end.
func TestBuild(t *testing.T) {
	current := map[string]bool{}
	all, err := Versions()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		if v.Until.IsZero() {
			current[v.Version] = true
		}
	}
	if len(current) != 2 {
		t.Errorf("modules are made with %v", current)
	}
	for entry, code := range map[string]string{"app.py": "def fetch(request, env): return 'x'\n", "app.ts": "export default { fetch() { return new Response('x') } }"} {
		b, err := Build(t.Context(), script.Source{Entry: entry, Code: []byte(code)})
		if err != nil || !current[b.Info.Version] || b.Info.Entry != entry || !IsSource(entry) {
			t.Errorf("%s: %+v, %v", entry, b.Info, err)
		}
		delete(current, b.Info.Version)
	}
	if _, err := Build(t.Context(), script.Source{Entry: "app.rb"}); err == nil || IsSource("app.rb") {
		t.Error("another language was built")
	}
}

package problem_test

import (
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/web/problem"
)

var update = flag.Bool("update", false, "write the golden files")

// TestEverySentinelHasAnEntry parses the domains: an exported sentinel that the
// table does not name would reach people as "the node has a problem".
func TestEverySentinelHasAnEntry(t *testing.T) {
	table, err := os.ReadFile("table.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, domain := range []string{"abi", "registry", "approvals", "metering", "access", "secrets", "triggers", "triggers/webhook", "internal/budget", "internal/storage"} {
		for _, name := range sentinels(t, filepath.Join("../..", domain)) {
			found++
			if !strings.Contains(string(table), filepath.Base(domain)+"."+name) {
				t.Errorf("%s.%s has no entry", domain, name)
			}
		}
	}
	if found < 40 {
		t.Errorf("only %d sentinels were found: this test looks in the wrong place", found)
	}
}

func sentinels(t *testing.T, dir string) (names []string) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, s := range g.Specs {
				for _, n := range s.(*ast.ValueSpec).Names {
					if strings.HasPrefix(n.Name, "Err") {
						names = append(names, n.Name)
					}
				}
			}
		}
	}
	return names
}

// TestCatalogue is a golden file: titles, statuses and remedies are read by
// people and by scripts, and change on purpose only.
func TestCatalogue(t *testing.T) {
	var b strings.Builder
	seen := map[string]bool{}
	for _, e := range problem.Catalogue() {
		if seen[e.Slug] || e.Title == "" || e.Meaning == "" || e.Remedy.Summary == "" || http.StatusText(e.Status) == "" {
			t.Errorf("%s: doubled or incomplete", e.Slug)
		}
		seen[e.Slug] = true
		fmt.Fprintf(&b, "%d %s\n    %s\n    %s\n    → %s\n", e.Status, e.Slug, e.Title, e.Meaning, e.Remedy.Summary)
		for _, c := range e.Remedy.Commands {
			fmt.Fprintf(&b, "      $ %s\n", c)
		}
	}
	const golden = "testdata/catalogue.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || string(want) != b.String() {
		t.Errorf("the catalogue is not what %s says (%v): look, and run the test with -update\n%s", golden, err, b.String())
	}
}

func TestFor(t *testing.T) {
	findings := []abi.Finding{{Code: "x", Severity: abi.SeverityDeny, Message: "no"}}
	p := problem.For(fmt.Errorf("publish: %w", &control.Refusal{Findings: findings}))
	if p.Type != "/problems/policy-denied" || len(p.Findings) != 1 || p.Status != 422 {
		t.Errorf("a refusal: %+v", p)
	}
	for _, c := range []struct {
		script string
		tier   abi.Tier
		want   string
	}{
		{"", "", "agora policy check agora.toml app.wasm"},
		{"", abi.TierProduction, "agora policy check agora.toml app.wasm --tier production"},
		{"app.ts", abi.TierSandbox, "agora policy check app.ts"},
		{"src/index.tsx", abi.TierPilot, "agora policy check src/index.tsx --tier pilot"},
		// What a module says of itself stands in a command that people copy.
		{"app.ts; rm -rf ~", "", "agora policy check agora.toml app.wasm"},
		{"$(id).ts", "", "agora policy check agora.toml app.wasm"},
		{"-h.ts", "", "agora policy check agora.toml app.wasm"},
		{"a b.ts", "", "agora policy check agora.toml app.wasm"},
		{"app.ts\n", "", "agora policy check agora.toml app.wasm"},
	} {
		p := problem.For(fmt.Errorf("publish: %w", &control.Refusal{Findings: findings, Script: c.script, Tier: c.tier}))
		if !slices.Equal(p.Remedy.Commands, []string{c.want}) {
			t.Errorf("of %q in %s: %q, want %q", c.script, c.tier, p.Remedy.Commands, c.want)
		}
	}
	p = problem.For(errors.New("open /var/lib/agora/secret: no"))
	if p.Status != 500 || strings.Contains(p.Detail, "secret") {
		t.Errorf("the node's own trouble was told: %+v", p)
	}
	if p := problem.For(&http.MaxBytesError{Limit: 3}); p.Status != 413 {
		t.Errorf("a body over its limit: %+v", p)
	}
	if problem.Internal(abi.ErrTrap) || problem.Internal(registry.ErrNotFound) || !problem.Internal(errors.New("x")) {
		t.Error("what belongs into the node's log is decided wrongly")
	}
}

func TestFaultTellsNothingInside(t *testing.T) {
	for accept, want := range map[string]string{"text/html": "text/html; charset=utf-8", "*/*": "application/problem+json"} {
		w := httptest.NewRecorder()
		w.Header().Set("Agora-Invocation", "abc")
		problem.WriteFault(w, problem.About{Page: accept == "text/html"}, fmt.Errorf("at main.secret <script>: %w", abi.ErrTrap))
		body := w.Body.String()
		if w.Code != 502 || w.Header().Get("Content-Type") != want || strings.Contains(body, "secret") || !strings.Contains(body, "abc") {
			t.Errorf("%s: %d %s\n%s", accept, w.Code, w.Header(), body)
		}
	}
}

// TestEndUsersAreNotMakers: no kind of problem speaks to an end user of what only a maker can do,
// and each says when to come back where that helps, as a page and as a document.
func TestEndUsersAreNotMakers(t *testing.T) {
	about := problem.About{App: "shop", Title: "Shop <i>", Owner: "ada", Team: "Finance", Console: "https://agora.example.com"}
	for _, e := range problem.Catalogue() {
		for _, page := range []bool{true, false} {
			about.Page = page
			w := httptest.NewRecorder()
			w.Header().Set("Agora-Invocation", "0123456789abcdef01234567")
			problem.WriteFault(w, about, problem.Sample(e))
			body := w.Body.String()
			for _, word := range []string{"manifest", "limits.", "agora ", "fuel", "grant", "module", "policy", "--", "operator", "reviewer", "<i>"} {
				if strings.Contains(body[strings.Index(body, "</style>")+1:], word) {
					t.Errorf("%s: an end user is told of %q:\n%s", e.Slug, word, body)
				}
			}
			if later := w.Code == 429 || w.Code == 503; later != (w.Header().Get("Retry-After") != "") {
				t.Errorf("%s: status %d with Retry-After %q", e.Slug, w.Code, w.Header().Get("Retry-After"))
			}
			if !strings.Contains(body, "ada") || !strings.Contains(body, "Finance") || !strings.Contains(body, "0123456789abcdef01234567") {
				t.Errorf("%s: whom to ask, about which call?\n%s", e.Slug, body)
			}
		}
	}
}

func TestPages(t *testing.T) {
	for path, status := range map[string]int{"/problems/": 200, "/problems/unsigned": 200, "/problems/none": 404} {
		w := httptest.NewRecorder()
		problem.Handler().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != status || !strings.Contains(w.Body.String(), "</html>") {
			t.Errorf("%s: %d\n%s", path, w.Code, w.Body)
		}
	}
	w := httptest.NewRecorder()
	problem.Write(w, access.ErrUnauthenticated)
	if w.Code != 401 || w.Header().Get("WWW-Authenticate") == "" {
		t.Errorf("401 without a challenge: %v", w.Header())
	}
}

// TestNoStutter: however often a cause was wrapped on its way, no problem says a thing twice: its
// title and its detail are read together.
func TestNoStutter(t *testing.T) {
	for _, e := range problem.Catalogue() {
		for _, err := range e.Errors() {
			for _, chain := range []error{
				err, fmt.Errorf("%w: %w", err, err), fmt.Errorf("store the release: %w", fmt.Errorf("%w: section 3 ends early", err)),
				fmt.Errorf("%w: %s: section 3 ends early", err, err), fmt.Errorf("%w: %s", err, strings.ToUpper(e.Title)), errors.Join(err, fmt.Errorf("%w: x", err)),
			} {
				p := problem.For(chain)
				if p.Title != e.Title {
					continue // a more specific entry stands before
				}
				phrase := doubled(strings.Split(p.Detail, "\n")[0])
				if strings.Contains(strings.ToLower(p.Detail), strings.ToLower(p.Title)) {
					phrase = p.Title
				}
				if phrase != "" || p.Detail == "" {
					t.Errorf("%s says %q twice: %s\n  %s", e.Slug, phrase, p.Title, p.Detail)
				}
			}
		}
	}
}

// doubled is a phrase of four words or more that a text has twice; "" if there is none.
func doubled(text string) string {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return strings.ContainsRune(" .:;,", r) })
	seen := map[string]bool{}
	for i := 0; i+4 <= len(words); i++ {
		phrase := strings.Join(words[i:i+4], " ")
		if seen[phrase] {
			return phrase
		}
		seen[phrase] = true
	}
	return ""
}

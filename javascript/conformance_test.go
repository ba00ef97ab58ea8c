package javascript_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/javascript"
	"github.com/agora-host/agora/script/scripttest"
)

var update = flag.Bool("update", false, "write the measured figures into docs/javascript.md")

const manual = "../docs/javascript.md"

// part is a file of conformance/, with what came of it.
type part struct {
	name   string
	Total  int
	Failed []struct{ Name, Error string }
}

func (p part) passed() int { return p.Total - len(p.Failed) }

// row is the part's line in the manual.
func (p part) row() string { return fmt.Sprintf("| %s | %d | %d |", p.name, p.passed(), p.Total) }

// TestConformance: every part of the conformance suite runs inside the engine, and passes as much as the manual
// says. Failures are listed there by name, so that no new failure hides behind an old one.
func TestConformance(t *testing.T) {
	a := conformance(t)
	var parts []part
	for _, name := range partNames(t, a) {
		t.Run(name, func(t *testing.T) {
			p := part{name: name}
			if err := json.Unmarshal([]byte(a.Text("/"+name)), &p); err != nil {
				t.Fatal(err)
			}
			if p.Total == 0 {
				t.Fatal("no test ran")
			}
			parts = append(parts, p)
		})
	}
	if t.Failed() || len(parts) < 8 {
		t.Fatalf("only %d parts ran", len(parts))
	}
	if *update {
		writeFigures(t, parts)
	}
	text, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for _, p := range parts {
		if !slices.Contains(lines, p.row()) {
			t.Errorf("%s passes %d of %d, and the manual says otherwise: run with -update", p.name, p.passed(), p.Total)
		}
		for _, f := range p.Failed {
			if !slices.Contains(lines, listed(p.name, f.Name)) {
				t.Errorf("%s: %s: %s", p.name, f.Name, f.Error)
			}
		}
	}
}

// partNames are the files of conformance/, which have to be the parts that the app has.
func partNames(t *testing.T, a *scripttest.App) []string {
	t.Helper()
	files, err := filepath.Glob("conformance/*.js")
	if err != nil {
		t.Fatal(err)
	}
	var names, there []string
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".js"); name != "harness" && name != "all" {
			names = append(names, name)
		}
	}
	if err := json.Unmarshal([]byte(a.Text("/")), &there); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(names, there) {
		t.Fatalf("the files of conformance/ are %v, and the parts %v", names, there)
	}
	return names
}

// conformance is the app of all parts. Each request has a fresh instance, so parts do not meet.
func conformance(t *testing.T) *scripttest.App {
	t.Helper()
	dir, err := filepath.Abs("conformance")
	if err != nil {
		t.Fatal(err)
	}
	b, err := javascript.Build(t.Context(), javascript.Source{Entry: "all.js", Dir: dir, Capabilities: []string{"log"}})
	if err != nil {
		t.Fatal(err)
	}
	l := limits
	l.Fuel, l.Memory, l.Timeout = 5_000_000_000, 128<<20, time.Minute
	return scripttest.Start(t, b.Module, l, nil)
}

const (
	figuresBegin = "<!-- conformance: written by `go test ./javascript -run TestConformance -update` -->"
	figuresEnd   = "<!-- end -->"
)

func listed(part, test string) string {
	return fmt.Sprintf("- %s: `%s`", part, strings.ReplaceAll(test, "`", "'"))
}

func writeFigures(t *testing.T, parts []part) {
	t.Helper()
	text, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), figuresBegin)
	_, after, ok2 := strings.Cut(rest, figuresEnd)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the figures", manual)
	}
	var b strings.Builder
	b.WriteString(before + figuresBegin + "\n\n| part | passed | of |\n|---|---|---|\n")
	for _, p := range parts {
		b.WriteString(p.row() + "\n")
	}
	b.WriteString("\nNot passed:\n\n")
	for _, p := range parts {
		for _, f := range p.Failed {
			b.WriteString(listed(p.name, f.Name) + "\n")
		}
	}
	b.WriteString("\n" + figuresEnd + after)
	if err := os.WriteFile(manual, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

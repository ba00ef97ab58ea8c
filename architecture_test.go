package agora_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestArchitectureIsThere: each step of the walks in docs/architecture.md names a file and functions that exist, and each room of
// its picture is a directory.
func TestArchitectureIsThere(t *testing.T) {
	text, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	steps := 0
	for line := range strings.Lines(string(text)) {
		if !regexp.MustCompile(`^[0-9]+\. `).MatchString(line) {
			continue
		}
		steps++
		places := regexp.MustCompile("`([a-z_/]+\\.go)`: ((?:`\\w+`(?:, )?)+)").FindAllStringSubmatch(line, -1)
		if len(places) == 0 {
			t.Errorf("the step names no place: %s", line)
		}
		for _, p := range places {
			for _, name := range regexp.MustCompile(`\w+`).FindAllString(p[2], -1) {
				if err := declares(p[1], name); err != "" {
					t.Error(err)
				}
			}
		}
	}
	if steps < 25 {
		t.Errorf("only %d steps were found", steps)
	}
	for _, room := range []string{"cmd/agora", "node", "web", "control", "host", "store", "state", "registry", "approvals", "access", "metering", "secrets", "triggers", "abi"} {
		if !strings.Contains(string(text), room) {
			t.Errorf("docs/architecture.md does not show %s", room)
		}
		if info, err := os.Stat(room); err != nil || !info.IsDir() {
			t.Errorf("%s is no room: %v", room, err)
		}
	}
}

// TestArchitectureCanFail keeps the check honest.
func TestArchitectureCanFail(t *testing.T) {
	if declares("access/may.go", "May") != "" || declares("access/may.go", "Might") == "" || declares("access/none.go", "May") == "" {
		t.Error("what exists and what does not look alike")
	}
}

// declares returns why a file has no function or method of a name, or "".
func declares(file, name string) string {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		return "docs/architecture.md: " + err.Error()
	}
	for _, d := range parsed.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == name {
			return ""
		}
	}
	return "docs/architecture.md: " + file + " has no function " + name
}

package agora_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestGuaranteesAreTested: a promise whose test is gone, or is not run by the
// command beside it, is no promise.
func TestGuaranteesAreTested(t *testing.T) {
	text, err := os.ReadFile("docs/guarantees.md")
	if err != nil {
		t.Fatal(err)
	}
	where := testFiles(t)
	name, command := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)`"), regexp.MustCompile("`([^`]+)`")
	named := 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, " | ")
		row := strings.HasPrefix(line, "| ") && strings.Contains(line, "`")
		if row && len(cells) != 3 {
			t.Errorf("a row of docs/guarantees.md has %d cells: %.80s", len(cells), line)
			continue
		}
		for _, m := range name.FindAllStringSubmatch(line, -1) {
			named++
			dirs := where[m[1]]
			if len(dirs) == 0 {
				t.Errorf("docs/guarantees.md names %s, which does not exist", m[1])
				continue
			}
			if !row {
				continue
			}
			ran := false
			for _, c := range command.FindAllStringSubmatch(cells[2], -1) {
				ran = ran || runs(t, c[1], m[1], dirs)
			}
			if !ran {
				t.Errorf("%s, of %v, is not run by %s", m[1], dirs, cells[2])
			}
		}
	}
	if named < 30 {
		t.Fatalf("only %d tests are named", named)
	}
}

// testFiles are the directories that have a test of a name.
func testFiles(t *testing.T) map[string][]string {
	t.Helper()
	listed, err := exec.Command("git", "grep", "--untracked", "-oE", `^func (Test|Fuzz)[A-Za-z0-9]+`, "--", "*_test.go").Output()
	if err != nil {
		t.Fatal(err)
	}
	where := map[string][]string{}
	for line := range strings.Lines(string(listed)) {
		file, name, _ := strings.Cut(strings.TrimSpace(line), ":func ")
		where[name] = append(where[name], filepath.ToSlash(filepath.Dir(file)))
	}
	return where
}

// runs reports whether a command runs a test that is in these directories.
func runs(t *testing.T, command, name string, dirs []string) bool {
	t.Helper()
	if command == "make fuzz" {
		return strings.HasPrefix(name, "Fuzz")
	}
	_, args, ok := strings.Cut(command, "go test ")
	if !ok {
		return false
	}
	words := strings.Fields(args)
	if len(words) > 1 && words[0] == "-run" {
		top, _, _ := strings.Cut(words[1], "/")
		if !regexp.MustCompile(top).MatchString(name) {
			return false
		}
		words = words[2:]
	}
	for _, pattern := range words {
		pattern = strings.TrimPrefix(pattern, "./")
		if _, err := os.Stat(strings.TrimSuffix(pattern, "/...")); err != nil {
			t.Errorf("%q: %v", command, err)
		}
		under, all := strings.CutSuffix(pattern, "/...")
		for _, dir := range dirs {
			if dir == pattern || all && (dir == under || strings.HasPrefix(dir, under+"/")) {
				return true
			}
		}
	}
	return false
}

// TestLinksLead: a link of our own documents to a file leads to one.
func TestLinksLead(t *testing.T) {
	documents, _ := filepath.Glob("*.md")
	for _, dir := range []string{"docs", "examples"} {
		more, _ := filepath.Glob(dir + "/*.md")
		documents = append(documents, more...)
	}
	link := regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	for _, path := range documents {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", path, m[1], err)
			}
		}
	}
}

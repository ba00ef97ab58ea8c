package boltstore_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestRecordsChangeWithWhatIsDerived: a record that is changed past the writer is missing in the
// counts and in the index, and the file would be taken for damaged at the next start.
func TestRecordsChangeWithWhatIsDerived(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			s, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if slices.Contains([]string{"Set", "Remove", "Next"}, s.Sel.Name) {
				seen++
				if path != "writer.go" {
					t.Errorf("%s calls %s: write with writer.set, writer.remove and writer.next", path, s.Sel.Name)
				}
			}
			return true
		})
	}
	if seen < 3 {
		t.Errorf("only %d writes were found: this test looks in the wrong place", seen)
	}
}

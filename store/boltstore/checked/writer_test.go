package checked_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestOnlyTheWriterWrites: a record that is changed past the writer is not
// counted, and the file would be taken for damaged at the next start.
func TestOnlyTheWriterWrites(t *testing.T) {
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
			x, _ := s.X.(*ast.Ident)
			if (x == nil || x.Name != "crc32") && slices.Contains([]string{"Put", "Delete", "Update", "Batch", "NextSequence", "CreateBucket", "DeleteBucket"}, s.Sel.Name) {
				seen++
				if path != "writer.go" && !(path == "file.go" && s.Sel.Name == "Update") {
					t.Errorf("%s calls %s: write with Commit, Writer.Set and Writer.Remove", path, s.Sel.Name)
				}
			}
			return true
		})
	}
	if seen < 3 {
		t.Errorf("only %d writes were found: this test looks in the wrong place", seen)
	}
}

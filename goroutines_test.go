package agora_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// startsAlone are the directories whose code may start goroutines that no calm.Watch guards.
var startsAlone = map[string]string{
	"notices/outlet/outlettest":      "a mail server of tests",
	"internal/calm":                  "it is the guard",
	"internal/strace":                "it records a process for tests, and is in no node",
	"internal/siege":                 "it attacks nodes in tests and benchmarks, and is in none",
	"state/statetest":                "it checks stores in tests, and is in no node",
	"internal/certificates/certtest": "it serves a directory in tests, and is in no node",
	"bench":                          "tools, another module, and in no node",
}

// unguarded names what in a file starts a goroutine past internal/calm: a panic there would end
// the process. What only cancels may run by itself.
func unguarded(file *ast.File) (found []token.Pos) {
	names := map[string]string{} // of packages in this file
	for _, spec := range file.Imports {
		path := strings.Trim(spec.Path.Value, `"`)
		name := path[strings.LastIndex(path, "/")+1:]
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = path
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			found = append(found, n.Pos())
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			if ok && names[x.Name] == "runtime" && (n.Sel.Name == "SetFinalizer" || n.Sel.Name == "AddCleanup") {
				found = append(found, n.Pos())
			}
		case *ast.CallExpr:
			if s, ok := n.Fun.(*ast.SelectorExpr); ok && startsGoroutine(s, n.Args) {
				found = append(found, n.Pos())
			}
		}
		return true
	})
	return found
}

var cancels = regexp.MustCompile(`(?i)cancel$`)

func startsGoroutine(s *ast.SelectorExpr, args []ast.Expr) bool {
	switch s.Sel.Name {
	case "Go", "TryGo": // of a sync.WaitGroup or an errgroup.Group; a Watch's takes three
		return len(args) == 1
	case "DoChan", "RegisterOnShutdown": // of singleflight, and of http.Server
		return true
	case "AfterFunc":
		if len(args) != 2 {
			return false
		}
		switch f := args[1].(type) {
		case *ast.Ident:
			return !cancels.MatchString(f.Name)
		case *ast.SelectorExpr:
			return !cancels.MatchString(f.Sel.Name)
		}
		return true
	}
	return false
}

// TestGoroutinesAreGuarded: every goroutine of the node starts through internal/calm.
func TestGoroutinesAreGuarded(t *testing.T) {
	seen := map[string]bool{}
	files := token.NewFileSet()
	err := filepath.WalkDir(".", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && path != "." && (strings.HasPrefix(e.Name(), ".") || e.Name() == "testdata" || e.Name() == "data") {
			return fs.SkipDir
		}
		if e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, at := range unguarded(file) {
			dir := filepath.ToSlash(filepath.Dir(path))
			seen[dir] = true
			if startsAlone[dir] == "" {
				t.Errorf("%s starts a goroutine in which a panic ends the node: use calm.Watch's Go, Job or Loop", files.Position(at))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for dir, why := range startsAlone {
		if !seen[dir] {
			t.Errorf("%s starts no goroutine, and needs no exception (%s)", dir, why)
		}
	}
}

// TestGoroutinesAreGuardedCanFail keeps the rule honest.
func TestGoroutinesAreGuardedCanFail(t *testing.T) {
	for body, want := range map[string]bool{
		"go f()":                            true,
		"group.Go(f)":                       true,
		"group.TryGo(f)":                    true,
		"g.DoChan(key, f)":                  true,
		"time.AfterFunc(1, func() { f() })": true,
		"time.AfterFunc(1, f)":              true,
		"time.AfterFunc(1, r.cancel)":       false,
		"context.AfterFunc(ctx, cancel)":    false,
		"context.AfterFunc(ctx, f)":         true,
		"c.AfterFunc(ctx, f)":               true,
		"server.RegisterOnShutdown(f)":      true,
		"runtime.SetFinalizer(x, f)":        true,
		"_ = runtime.AddCleanup[int, int]":  true,
		"watch.Go(&group, \"name\", f)":     false,
		"f()":                               false,
	} {
		source := "package p\nimport (\"context\"; c \"context\"; \"runtime\"; \"time\")\nfunc _() {\n" + body + "\n}\n"
		file, err := parser.ParseFile(token.NewFileSet(), "x.go", source, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(unguarded(file)) > 0; got != want {
			t.Errorf("%s: refused %v, want %v", body, got, want)
		}
	}
}

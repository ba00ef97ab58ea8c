package agora_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mostMethods is how many methods a type may have before it is about more than one thing.
const mostMethods = 30

// mostOfProduct is how much of the product's lines, in percent, one room may have.
const mostOfProduct = 20

// notProduct are directories that are no part of the product: what apps are built with, and the model
// that stores are tested against. The benchmarks are another module.
var notProduct = []string{"sdk", "state/statetest"}

// forTests are directories that only tests import. Their types are not counted; their lines are, as
// part of the room that they belong to.
var forTests = []string{"abi/wasm/wasmtest", "abi/abitest", "metering/meteringtest", "metering/fuel/fueltest", "triggers/triggerstest", "script/scripttest"}

// product parses each file of the product but tests and generated code, by directory, and counts its lines.
func product(t *testing.T) (methods map[string]int, lines map[string]int) {
	t.Helper()
	methods, lines = map[string]int{}, map[string]int{}
	for dir := range packages(t) {
		if dir == "" || within(dir, notProduct) {
			continue
		}
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, path, source, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			if ast.IsGenerated(file) {
				continue
			}
			room, _, _ := strings.Cut(dir, "/")
			lines[room] += set.File(file.Pos()).LineCount()
			if !within(dir, forTests) {
				countMethods(file, dir, methods)
			}
		}
	}
	return methods, lines
}

// countMethods counts the methods that a file declares, by "directory.Type".
func countMethods(file *ast.File, dir string, methods map[string]int) {
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil {
			methods[dir+"."+receiver(f.Recv.List[0].Type)]++
		}
	}
}

// receiver returns the name of a receiver's type, which may be a pointer and have parameters.
func receiver(of ast.Expr) string {
	switch of := of.(type) {
	case *ast.StarExpr:
		return receiver(of.X)
	case *ast.ParenExpr:
		return receiver(of.X)
	case *ast.IndexExpr:
		return receiver(of.X)
	case *ast.IndexListExpr:
		return receiver(of.X)
	case *ast.Ident:
		return of.Name
	}
	return "?"
}

// TestTypesAreAboutOneThing: no type of the product has more than thirty methods.
func TestTypesAreAboutOneThing(t *testing.T) {
	methods, _ := product(t)
	if len(methods) < 300 {
		t.Fatalf("%d types were found", len(methods))
	}
	for _, name := range slices.Sorted(maps.Keys(methods)) {
		if n := methods[name]; n > mostMethods {
			t.Errorf("%s has %d methods, and a type has at most %d: split it by what its methods are about, with what each part needs as its own fields", name, n, mostMethods)
		}
	}
}

// TestRoomsAreNoHouses: no room has more than a fifth of the product's lines.
func TestRoomsAreNoHouses(t *testing.T) {
	_, lines := product(t)
	total := 0
	for _, n := range lines {
		total += n
	}
	if total < 50_000 || len(lines) < 12 {
		t.Fatalf("only %d lines in %d rooms were found", total, len(lines))
	}
	for room, n := range lines {
		if n*100 > total*mostOfProduct {
			t.Errorf("%s has %d of the product's %d lines, more than %d %%: take out of it what can stand alone", room, n, total, mostOfProduct)
		}
	}
}

// TestSizesCanFail keeps the count honest: each spelling of a receiver is found.
func TestSizesCanFail(t *testing.T) {
	const source = `package p
type T struct{}
type G[A any] struct{}
type H[A, B any] struct{}
func (T) A() {}
func (t T) B() {}
func (t *T) C() {}
func (t *(T)) D() {}
func (G[A]) A() {}
func (g *G[A]) B() {}
func (h *H[A, B]) A() {}
func A() {}
`
	file, err := parser.ParseFile(token.NewFileSet(), "p.go", source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	methods := map[string]int{}
	countMethods(file, "p", methods)
	if want := map[string]int{"p.T": 4, "p.G": 2, "p.H": 1}; !maps.Equal(methods, want) {
		t.Errorf("counted %v, want %v", methods, want)
	}
}

// mostOfInterface is how many methods and embedded interfaces an interface of the front doors may name.
const mostOfInterface = 10

// TestInterfacesOfTheFrontDoorsAreSmall: what API and console ask of a node stays in interfaces of one
// area each.
func TestInterfacesOfTheFrontDoorsAreSmall(t *testing.T) {
	seen := 0
	for dir := range packages(t) {
		if !within(dir, []string{"web"}) {
			continue
		}
		for name, n := range interfacesIn(t, dir) {
			if seen++; n > mostOfInterface {
				t.Errorf("%s.%s names %d methods: split it by what its users need", dir, name, n)
			}
		}
	}
	if seen < 10 {
		t.Errorf("%d interfaces were found in web: the test does not see them", seen)
	}
}

// interfacesIn counts what each interface of a directory names, tests left out.
func interfacesIn(t *testing.T, dir string) map[string]int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				if i, ok := spec.Type.(*ast.InterfaceType); ok {
					count[spec.Name.Name] = i.Methods.NumFields()
				}
			}
			return true
		})
	}
	return count
}

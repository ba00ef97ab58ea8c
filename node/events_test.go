package node_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/sdk/client"
)

// TestEveryEventHasAnAudience: each kind that the node emits is in the table, with its details.
func TestEveryEventHasAnAudience(t *testing.T) {
	var files []string
	for _, dir := range []string{".", "../host", "../control", "../control/*"} {
		found, err := filepath.Glob(dir + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	var emits int
	set := token.NewFileSet()
	var all []*ast.File
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	for _, f := range all {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(fn, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok || calls(call) != "Emit" {
					return true
				}
				emits++
				kinds := kindsOf(all, fn, call.Args[0])
				if len(kinds) == 0 {
					t.Errorf("%s: which kinds are emitted cannot be told", set.Position(call.Pos()))
				}
				for _, kind := range kinds {
					known := abi.EventKindNamed(kind)
					if !slices.ContainsFunc(abi.EventKinds(), func(k abi.EventKind) bool { return k.Kind == kind }) {
						t.Errorf("%s: %q is not in abi's table of events: say who may see it", set.Position(call.Pos()), kind)
					}
					for _, key := range keysOf(call.Args[3]) {
						if !slices.Contains(known.Detail, key) {
							t.Errorf("%s: %s has the detail %q, which the table does not name", set.Position(call.Pos()), kind, key)
						}
					}
				}
				return true
			})
		}
	}
	if emits < 40 {
		t.Errorf("only %d places that emit were found", emits)
	}
}

func calls(call *ast.CallExpr) string {
	if s, ok := call.Fun.(*ast.SelectorExpr); ok {
		return s.Sel.Name
	}
	return ""
}

func text(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}

// kindsOf are the values that an expression can have in a function: a text, what is assigned to a
// variable, or what callers pass for a parameter.
func kindsOf(all []*ast.File, fn *ast.FuncDecl, e ast.Expr) (kinds []string) {
	if s, ok := text(e); ok {
		return []string{s}
	}
	if sum, ok := e.(*ast.BinaryExpr); ok { // "request." + a status
		if prefix, ok := text(sum.X); ok && prefix == "request." {
			for _, s := range []approvals.Status{approvals.StatusApproved, approvals.StatusRejected} {
				kinds = append(kinds, prefix+string(s))
			}
		}
		return kinds
	}
	id, ok := e.(*ast.Ident)
	if !ok {
		return nil
	}
	ast.Inspect(fn, func(n ast.Node) bool {
		if a, ok := n.(*ast.AssignStmt); ok && len(a.Lhs) == 1 {
			if to, ok := a.Lhs[0].(*ast.Ident); ok && to.Name == id.Name {
				if s, ok := text(a.Rhs[0]); ok {
					kinds = append(kinds, s)
				}
			}
		}
		return true
	})
	at := 0
	for _, field := range fn.Type.Params.List {
		for _, name := range field.Names {
			if name.Name == id.Name {
				kinds = append(kinds, passed(all, fn.Name.Name, at)...)
			}
			at++
		}
	}
	return kinds
}

// passed are the values that callers of a function pass at a place.
func passed(all []*ast.File, name string, at int) (kinds []string) {
	for _, f := range all {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(fn, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok && calls(call) == name {
					kinds = append(kinds, kindsOf(all, fn, call.Args[at])...)
				}
				return true
			})
		}
	}
	return kinds
}

func keysOf(e ast.Expr) (keys []string) {
	m, ok := e.(*ast.CompositeLit)
	if !ok {
		return nil
	}
	for _, item := range m.Elts {
		if s, ok := text(item.(*ast.KeyValueExpr).Key); ok {
			keys = append(keys, s)
		}
	}
	return keys
}

// TestEventsAreForTheirAudience, page by page, and no one misses what is for them.
func TestEventsAreForTheirAudience(t *testing.T) {
	n := start(t)
	n.publish(n.ada(), manifest("hello"), says("hi"))
	if _, err := n.ada().SetSecret(t.Context(), "hello", "stripe", []byte("sk_live_1234")); err != nil {
		t.Fatal(err)
	}
	if _, err := n.ada().NewToken(t.Context(), client.NewToken{Label: "for the build", Hours: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := n.ops().PutUser(t.Context(), eve, []string{"developer"}, false); err != nil {
		t.Fatal(err)
	}
	if err := n.ada().DeleteSecret(t.Context(), "hello", "stripe"); err != nil {
		t.Fatal(err)
	}
	read := func(user string, limit int, roles ...access.Role) (kinds []string, raw string) {
		t.Helper()
		c := n.as(user, roles...)
		after := abi.Rev(0)
		for {
			events, err := c.Events(t.Context(), after, limit)
			if err != nil {
				t.Fatal(err)
			}
			if len(events) == 0 {
				return kinds, raw
			}
			for _, e := range events {
				if e.Rev < after {
					t.Errorf("%s: revision %d after %d", user, e.Rev, after)
				}
				if e.Kind != "token.created" || e.Detail["label"] != "test" { // of the tokens that reading takes
					kinds = append(kinds, fmt.Sprintf("%d.%d %s", e.Rev, e.Seq, e.Kind))
				}
				raw += fmt.Sprintf("%+v\n", e)
			}
			after = events[len(events)-1].Rev
		}
	}
	for _, who := range []struct {
		user        string
		role        access.Role
		sees, hides []string
	}{
		{"vic@example.com", access.RoleViewer, []string{"release.published", "release.activated"}, []string{"stripe", "for the build", "roles:developer", "secret.", "user.changed Subject:eve", "Subject:ada@", "Subject:eve@"}},
		{eve, access.RoleDeveloper, []string{"release.published", "user.changed"}, []string{"stripe", "for the build", "secret.", "Subject:ada@"}},
		{ada, access.RoleDeveloper, []string{"secret.set", "secret.deleted", "token.created"}, []string{"Subject:eve@"}},
		{rex, access.RoleReviewer, []string{"secret.set"}, []string{"for the build", "roles:developer Subject:eve"}},
		{ops, access.RoleOperator, []string{"secret.set", "user.changed", "token.created"}, nil},
	} {
		all, raw := read(who.user, 1000, who.role)
		for _, kind := range who.sees {
			if !strings.Contains(raw, "Kind:"+kind+" ") {
				t.Errorf("%s does not see %s", who.user, kind)
			}
		}
		for _, hidden := range who.hides {
			if strings.Contains(raw, hidden) {
				t.Errorf("%s sees %q:\n%s", who.user, hidden, raw)
			}
		}
		if paged, _ := read(who.user, 1, who.role); !slices.Equal(paged, all) {
			t.Errorf("%s: one by one %q, at once %q", who.user, paged, all)
		}
	}
	if samples, err := n.as("vic@example.com").Samples(t.Context(), "", time.Now()); err != nil || len(samples) != 0 {
		t.Errorf("%+v, %v", samples, err)
	}
}

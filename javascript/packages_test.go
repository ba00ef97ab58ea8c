package javascript_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/javascript"
	"github.com/agora-host/agora/script/scripttest"
)

// packages returns the directory of the apps that use npm packages. Installing those is a preparation (.ci/run):
// a test that was skipped without them would prove nothing.
func packages(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("testdata/packages")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "hono")); err != nil {
		t.Fatalf("the npm packages are not installed: npm ci --prefix javascript/testdata/packages (%v)", err)
	}
	return dir
}

func servePackage(t *testing.T, entry string) *scripttest.App {
	t.Helper()
	b, err := javascript.Build(t.Context(), javascript.Source{Entry: entry, Dir: packages(t), Capabilities: []string{"log"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range b.Warnings {
		if !strings.HasPrefix(w.File, "node_modules/") { // packages ask for what may not be there, and do without
			t.Errorf("warning: %v", w)
		}
	}
	return scripttest.Start(t, b.Module, limits, nil)
}

// check compares a response's status, and looks for a part of its body.
func check(t *testing.T, r abi.Response, status int, body string) {
	t.Helper()
	if r.Status != status || !strings.Contains(string(r.Body), body) {
		t.Errorf("%d %s, want %d with %s", r.Status, r.Body, status, body)
	}
}

// TestRouterFromNpm: a router with its middleware, a validator, cookies, tokens, forms and streams, from npm.
func TestRouterFromNpm(t *testing.T) {
	a := servePackage(t, "router.ts")
	check(t, a.Get("/"), 200, "hello")
	check(t, a.Get("/users/42?q=x%20y"), 200, `{"id":42,"q":"x y"}`)
	check(t, a.Get("/users/ada"), 404, "no such page")
	check(t, a.Get("/broken"), 418, "short and stout")
	post := func(path, kind, body string, more ...abi.Field) abi.Response {
		return a.Do(abi.Request{Method: "POST", Path: path, Body: []byte(body), Header: append(more, abi.Field{Name: "content-type", Value: kind})})
	}
	check(t, post("/api/orders", "application/json", `{"id":"shop-1","items":[{"sku":"pen","count":"2"}],"mail":"ada@example.com"}`), 201, `"count":2`)
	check(t, post("/api/orders", "application/json", `{"id":"1","items":[{"sku":"","count":0}],"mail":"ada"}`), 422, `["id","items.0.sku","items.0.count","mail"]`)
	if r := post("/api/orders", "application/json", `{}`, abi.Field{Name: "origin", Value: "https://shop.example"}); scripttest.Header(r, "access-control-allow-origin") != "https://shop.example" {
		t.Errorf("no CORS header: %v", r.Header)
	}
	check(t, post("/form", "application/x-www-form-urlencoded", "title=a+b"), 200, `{"title":"a b","file":null}`)
	form := "--B\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nT\r\n--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"n.txt\"\r\nContent-Type: text/csv\r\n\r\n1,2\r\n--B--\r\n"
	check(t, post("/form", "multipart/form-data; boundary=B", form), 200, `{"title":"T","file":["n.txt","text/csv",3,"1,2"]}`)
	r := a.Do(abi.Request{Path: "/cookie", Header: []abi.Field{{Name: "cookie", Value: "theme=dark"}}})
	check(t, r, 200, "dark")
	if c := scripttest.Header(r, "set-cookie"); !strings.HasPrefix(c, "session=s%201.") || !strings.Contains(c, "HttpOnly") {
		t.Errorf("the cookie is %q", c)
	}
	check(t, a.Get("/jwt"), 200, `"sub":"ada","forged":false`)
	check(t, a.Get("/secret"), 401, "")
	if got, err := stream(a, "/events"); err != nil || !slices.Equal(got.list, []string{"event: count\ndata: 0\n\n", "event: count\ndata: 1\n\n", "event: count\ndata: 2\n\n"}) {
		t.Errorf("server-sent events: %v, %q", err, got.list)
	}
	check(t, a.Do(abi.Request{Path: "/secret", Header: []abi.Field{{Name: "authorization", Value: "Bearer t0ken"}}}), 200, "inside")
}

// TestRendering: JSX, templates that are compiled at start-up, and Markdown, with what has to be escaped.
func TestRendering(t *testing.T) {
	check(t, servePackage(t, "page.tsx").Get("/?title=A%26B"), 200, `<h1>A&amp;B</h1><ul><li class="row">pen: 0.50 €</li><li class="row">&lt;b>: 1.50 €</li></ul>`)
	check(t, servePackage(t, "template.ts").Get("/"), 200, "<h1>A &amp; B</h1><ul><li>&lt;x&gt;</li><li>é</li></ul>")
	text := "# T\n\n- a\n- **b** `c`\n\n| x | y |\n|---|---|\n| 1 | 2 |\n"
	r := servePackage(t, "markdown.ts").Do(abi.Request{Method: "POST", Body: []byte(text)})
	check(t, r, 200, "<h1>T</h1>\n<ul>\n<li>a</li>\n<li><strong>b</strong> <code>c</code></li>\n</ul>\n<table>")
}

// TestReact: React renders on the server, whole and as a stream.
func TestReact(t *testing.T) {
	a := servePackage(t, "react.tsx")
	check(t, a.Get("/"), 200, "<main><h1>&lt;React&gt;</h1></main>")
	got, err := stream(a, "/stream")
	if all := strings.Join(got.list, ""); err != nil || len(got.list) < 2 || !strings.Contains(all, "<i>wait</i>") || !strings.Contains(all, "<b>late</b>") {
		t.Errorf("%v, pieces %q\n%s", err, got.list, a.Logged())
	}
}

// TestTypes: agora.d.ts says what the manual's examples and those in the directory examples need, refuses what is wrong, and is right both for
// an editor without a configuration and with the libraries that the manual names.
func TestTypes(t *testing.T) {
	compiler := filepath.Join(packages(t), "node_modules", "typescript", "bin", "tsc")
	for name, libraries := range map[string][]string{
		"no configuration": nil,
		"configured":       {"--lib", strings.Join(manualLibraries(t), ",")},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{compiler, "--noEmit", "--strict", "--target", "esnext", "--module", "esnext", "--moduleResolution", "bundler"}, libraries...)
			examples, err := filepath.Glob("../examples/typescript/*/*.ts")
			if err != nil || len(examples) == 0 {
				t.Fatalf("%q, %v", examples, err)
			}
			for _, file := range append(examples, "testdata/types/app.ts") {
				path, err := filepath.Abs(file)
				if err != nil {
					t.Fatal(err)
				}
				args = append(args, path)
			}
			cmd := exec.CommandContext(t.Context(), "node", args...)
			cmd.Dir = "testdata/types"
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	if b, err := os.ReadFile("agora.d.ts"); err != nil || string(b) != javascript.Types {
		t.Errorf("javascript.Types is not agora.d.ts (%v)", err)
	}
}

// manualLibraries are those of the tsconfig.json in the manual.
func manualLibraries(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	var libraries []string
	if m := regexp.MustCompile(`"lib": (\[[^\]]+\])`).FindSubmatch(text); m == nil {
		t.Fatal("the manual has no tsconfig.json")
	} else if err := json.Unmarshal(m[1], &libraries); err != nil {
		t.Fatal(err)
	}
	return libraries
}

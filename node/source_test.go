package node_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi/source"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/sdk/client"
)

const helloScript = "const who: string = 'script';\nexport default { fetch() { return new Response('hello ' + who) } }\n"

// TestBuiltByTheNode: the node makes a module of a script, which is signed, published and run as it is,
// and shows what it was made of to those who may see it.
func TestBuiltByTheNode(t *testing.T) {
	n := start(t)
	c, ctx := n.ada(), t.Context()
	built, err := c.Build(ctx, "app.ts", []byte(helloScript), []string{"log"})
	if err != nil || len(built.Module) == 0 || built.Made.Entry != "app.ts" {
		t.Fatalf("%d bytes, %+v, %v", len(built.Module), built.Made, err)
	}
	published := n.publish(c, manifest("hello", "start_once = true\n[capabilities.log]"), built.Module)
	if published.Release.Digest != built.Digest || !published.Release.Rebuilt || published.Release.Outdated {
		t.Errorf("built %s, published %+v", built.Digest, published.Release)
	}
	if got := n.get(published.URL); got.Status != 200 || got.Body != "hello script" {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	for who, may := range map[string]bool{ada: true, rex: true, ops: true, eve: false} {
		role := map[string]access.Role{ada: access.RoleDeveloper, rex: access.RoleReviewer, ops: access.RoleOperator, eve: access.RoleDeveloper}[who]
		made, err := n.as(who, role).ReleaseSource(ctx, "hello", 1)
		if may && (err != nil || !made.Rebuilt || len(made.Files) != 1 || made.Files[0].Contents != helloScript) {
			t.Errorf("%s reads %+v, %v", who, made, err)
		}
		if p, refused := errors.AsType[*client.Problem](err); !may && (!refused || p.Status != 403) {
			t.Errorf("%s reads %+v, %v", who, made, err)
		}
		page := n.do("GET", n.ConsoleURL()+"/apps/hello/releases/1/source", "", "Cookie", n.session(who, role))
		if may != (page.Status == 200) || may && !strings.Contains(page.Body, "const who: string") {
			t.Errorf("%s is shown %d\n%.300s", who, page.Status, page.Body)
		}
	}
	n.publish(c, manifest("hello", "start_once = true"), carries(t, says("two"), source.Origin{Engine: "another", Version: "another", Entry: "app.ts"}))
	if page := n.do("GET", n.ConsoleURL()+"/apps/hello/releases/2/source", "", "Cookie", n.session(rex, access.RoleReviewer)); !strings.Contains(page.Body, "What changed") || !strings.Contains(page.Body, "its maker&#39;s word") && !strings.Contains(page.Body, "its maker's word") {
		t.Errorf("release 2 beside release 1: %d\n%.600s", page.Status, page.Body)
	}
	n.publish(c, manifest("plain"), says("one"))
	_, err = c.ReleaseSource(ctx, "plain", 1)
	if p, ok := errors.AsType[*client.Problem](err); !ok || p.Type != "/problems/no-source" {
		t.Errorf("a module of another language: %v", err)
	}
}

// carries returns a module that says that it was made of a harmless script.
func carries(t *testing.T, module []byte, made source.Origin) []byte {
	t.Helper()
	said, err := source.Sections(made, []source.File{{Name: "app.ts", Contents: strings.Replace(helloScript, "hello", "harmless", 1)}})
	for _, s := range said {
		if err == nil {
			module, err = wasm.WithCustomSection(module, s.Name, s.Data)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return module
}

// TestScriptsThatCannotBe: what is wrong with a script is told by its lines, and what a module says of
// itself must be true.
func TestScriptsThatCannotBe(t *testing.T) {
	if testing.Short() {
		t.Skip("compiling the JavaScript engine takes long under the race detector; TestBuiltByTheNode does it once")
	}
	n := start(t)
	c, ctx := n.ada(), t.Context()
	for code, want := range map[string]string{
		"const a = 1;\nconst = 2":        "app.ts:2:7",
		"import '/etc/passwd'":           "app.ts:1:8",
		"import fs from 'node:fs'; fs.x": "app.ts:1:16",
	} {
		_, err := c.Build(ctx, "app.ts", []byte(code), nil)
		if p, ok := errors.AsType[*client.Problem](err); !ok || p.Type != "/problems/bad-script" || len(p.Findings) == 0 || p.Findings[0].Path != want {
			t.Errorf("%q: %+v, %v", code, p, err)
		}
	}
	if _, err := c.Build(ctx, "app.ts", bytes.Repeat([]byte(" "), 6<<20), nil); err == nil || !strings.Contains(err.Error(), "5 MiB") {
		t.Errorf("6 MiB: %v", err)
	}
	built, err := c.Build(ctx, "app.ts", []byte(helloScript), nil)
	if err != nil {
		t.Fatal(err)
	}
	lying := carries(t, built.Module, built.Made)
	_, err = c.Publish(ctx, manifest("lies", "start_once = true"), lying, signAs(t, c, lying), nil)
	if p, ok := errors.AsType[*client.Problem](err); !ok || len(p.Findings) != 1 || p.Findings[0].Code != "source.differs" {
		t.Errorf("a module with another source: %v", err)
	}
}

// TestUploadOfAScript: the console's form takes a script in a module's place.
func TestUploadOfAScript(t *testing.T) {
	if testing.Short() {
		t.Skip("as TestScriptsThatCannotBe")
	}
	n := start(t)
	cookie := n.session(ada, access.RoleDeveloper)
	post := func(file, code string, more ...string) answer {
		body := "--x\r\nContent-Disposition: form-data; name=\"module\"; filename=\"" + file + "\"\r\n\r\n" + code + "\r\n"
		for i := 0; i < len(more); i += 2 {
			body += "--x\r\nContent-Disposition: form-data; name=\"" + more[i] + "\"\r\n\r\n" + more[i+1] + "\r\n"
		}
		return n.do("POST", n.ConsoleURL()+"/upload", body+"--x--\r\n", "Content-Type", "multipart/form-data; boundary=x", "Cookie", cookie)
	}
	text := string(manifest("shop", "start_once = true"))
	if got := post("app.ts", helloScript, "manifest", text); got.Status != 303 || got.Header.Get("Location") != "/apps/shop/releases/1?done=published" {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	if got := n.get(n.AppURL("shop")); got.Body != "hello script" {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	python := string(manifest("py", "start_once = true"))
	if got := post("app.py", "def fetch(request, env):\n    return 'from ' + request.path\n", "manifest", python); got.Status != 303 || got.Header.Get("Location") != "/apps/py/releases/1?done=published" {
		t.Errorf("in Python: %d %s\n%s", got.Status, got.Header.Get("Location"), got.Body)
	}
	if got := n.get(n.AppURL("py") + "x"); got.Body != "from /x" {
		t.Errorf("the app in Python answers %d %q", got.Status, got.Body)
	}
	if got := post("app.py", "import numpy\n", "manifest", python); got.Status != 422 || !strings.Contains(got.Body, "app.py:1:1") {
		t.Errorf("wrong Python: %d %s", got.Status, got.Body)
	}
	if got := post("app.ts", "const = 2", "manifest", text); got.Status != 422 || !strings.Contains(got.Body, `id="error-module">Expected identifier`) || !strings.Contains(got.Body, "app.ts:1:7") {
		t.Errorf("a script with an error: %d\n%s", got.Status, got.Body)
	}
	if got := post("app.ts", helloScript, "manifest", text, "bundle", "{}"); got.Status != 400 || !strings.Contains(got.Body, "A bundle signs a module") {
		t.Errorf("a script with a bundle: %d\n%s", got.Status, got.Body)
	}
}

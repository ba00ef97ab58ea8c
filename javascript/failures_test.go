package javascript_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/javascript"
)

// handler is an app whose handler is at line 3 of its file.
func handler(body string) string {
	return "interface Unused { a: string }\nconst types: Unused | null = null;\nexport default { async fetch(request: Request, env: any, ctx: any) { " + body + "\n} };"
}

// TestFailures lets apps fail in every place. Each returns 500, and its log names the line that was written.
func TestFailures(t *testing.T) {
	for _, c := range []struct{ name, source, log string }{
		{"handler", handler("\n\tconst a: any = undefined;\n\treturn a.b.c"), "error uncaught TypeError: cannot read property 'b' of undefined (app.ts:5:"},
		{"after await", handler("\n\tawait null;\n\tthrow new RangeError('no')"), "error uncaught RangeError: no (app.ts:5:"},
		{"nested", handler("return first()") + "\nfunction first(): Response {\n\treturn second()\n}\nfunction second(): Response { throw new Error('deep') }", "error uncaught Error: deep (app.ts:8:"},
		{"value", handler("throw { code: 42 }"), "error uncaught { code: 42 }"},
		{"cause", handler("throw new Error('outer', { cause: new TypeError('inner') })"), "caused by TypeError: inner (app.ts:3:"},
		{"rejection", handler("return Promise.reject(new Error('later'))"), "error uncaught Error: later (app.ts:3:"},
		{"never settles", handler("\n\tawait new Promise(() => { });\n\treturn new Response()"), "waits at app.ts:4:"},
		{"no response", handler("return 'text'"), `fetch() (app.ts:3:`},
		{"nothing", handler(""), "returned undefined, which is no Response"},
		{"read response", handler("const r = new Response('x'); await r.text(); return r"), "whose body was read already"},
		{"recursion", handler("const f = (): any => f() + 1;\n\treturn f()"), "error uncaught RangeError: Maximum call stack size exceeded (app.ts:3:"},
		{"memory", handler("const a: any[] = []; for (;;) a.push(new Uint8Array(1 << 20))"), "error uncaught"},
		{"JSON", handler("JSON.parse('['.repeat(100000))"), "error uncaught RangeError: JSON is nested deeper than 1000 levels"},
		{"denied", handler("return env.KV.get('a')"), "kv get a: not granted. agora.toml has to list it under [capabilities.kv]"},
		{"fetch denied", handler("return fetch('https://example.com/')"), "fetch https://example.com/: not granted"},
		{"getter", handler("return { get status() { throw new Error('x') } } as any"), "which is no Response"},
		{"error that throws", handler("throw new Proxy(new Error('p'), { get() { throw new Error('trap') } })"), "error uncaught"},
		{"DOMException", handler("\n\tstructuredClone(Symbol());\n\treturn new Response()"), "error uncaught DataCloneError: a symbol cannot be cloned (app.ts:4:"},
		{"abort", handler("AbortSignal.abort().throwIfAborted()"), "error uncaught AbortError: the operation was aborted (app.ts:3:"},
		{"heir of Error", handler("throw Object.create(RangeError.prototype, { message: { value: 'heir' } })"), "error uncaught RangeError: heir"},
		{"poisoned", handler("Object.prototype.toString = Array.prototype.map = String.prototype.replace = Promise.prototype.then = (() => { throw new Error('poison') }) as any;\n\tthrow new TypeError('still told')"), "uncaught TypeError: still told (app.ts:4:"},
		{"stream", handler("return new Response(new ReadableStream({ pull() { throw new Error('in the stream') } }))"), "error uncaught Error: in the stream (app.ts:3:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := serve(t, c.source)
			r := a.Get("/")
			if log := a.Logged(); r.Status != 500 || !strings.Contains(log, c.log) || strings.Contains(log, "app:web") || strings.Contains(log, "<null>") || strings.Contains(log, "app:script") {
				t.Errorf("status %d, log:\n%s\nwant: %s", r.Status, log, c.log)
			}
			if r := a.Get("/"); r.Status != 500 { // the same again: nothing was left behind
				t.Errorf("the second time: status %d", r.Status)
			}
		})
	}
}

// TestToldBesides lets what no one waits for fail: the response goes out, and the log names the line.
func TestToldBesides(t *testing.T) {
	for _, c := range []struct{ name, source, log string }{
		{"promise", handler("\n\tPromise.reject(new Error('alone'));\n\treturn new Response('ok')"), "error uncaught (in a promise) Error: alone (app.ts:4:"},
		{"timer", handler("setTimeout(() => { throw new Error('late') }, 1);\n\tawait new Promise(r => setTimeout(r, 2));\n\treturn new Response('ok')"), "error uncaught (in a timer) Error: late (app.ts:3:"},
		{"waitUntil", handler("ctx.waitUntil((async () => { await null; throw new Error('after') })());\n\treturn new Response('ok')"), "error uncaught (in waitUntil) Error: after (app.ts:3:"},
		{"microtask", handler("queueMicrotask(() => { throw new Error('job') });\n\treturn new Response('ok')"), "error uncaught Error: job (app.ts:3:"},
		{"console", handler("console.warn('%s is %d', 'x', 1, { a: [1] }, new Map([[1, 2]]), new Error('shown'));\n\treturn new Response('ok')"), "warn x is 1 { a: [ 1 ] } Map(1) { 1 => 2 } Error: shown (app.ts:3:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := serve(t, c.source)
			if r, log := a.Get("/"), a.Logged(); r.Status != 200 || string(r.Body) != "ok" || !strings.Contains(log, c.log) {
				t.Errorf("status %d %q, log:\n%s\nwant: %s", r.Status, r.Body, log, c.log)
			}
		})
	}
}

// TestStopped lets handlers run for ever: fuel ends them, and the next request is served.
func TestStopped(t *testing.T) {
	a := serve(t, `export default { fetch(request: Request) {
		switch (new URL(request.url).pathname) {
			case "/loop": for (;;);
			case "/regex": return new Response(String(/^(a+)+$/.test("a".repeat(40) + "!")));
			case "/jobs": return new Promise(() => { const again = () => { Promise.resolve().then(again) }; again() });
			case "/timers": return new Promise(() => { setInterval(() => { }, 0) });
			case "/deep": { let a: any = {}; for (let i = 0; i < 3000; i++) a = { a }; return Response.json(a) }
			case "/string": { let s = "x"; for (;;) s += s + s.length }
		}
		return new Response("fine");
	} };`)
	for _, path := range []string{"/loop", "/regex", "/jobs", "/deep"} {
		if r, err := a.Try(abi.Request{Path: path}); !errors.Is(err, abi.ErrFuelExhausted) {
			t.Errorf("%s: %v, %d %s", path, err, r.Response.Status, r.Response.Body)
		}
		if got := a.Text("/"); got != "fine" {
			t.Errorf("after %s: %q", path, got)
		}
	}
	if r, err := a.Try(abi.Request{Path: "/string"}); err == nil && r.Response.Status != 500 {
		t.Errorf("a string without end: %v, status %d", err, r.Response.Status)
	}
}

// TestStartFailures lets start-up fail. The reason names the line, also of what the engine alone refuses.
func TestStartFailures(t *testing.T) {
	for _, c := range []struct{ name, source, log string }{
		{"top level", "const a: any = null;\nexport default { fetch() { return new Response(a) } };\na.b", "uncaught TypeError: cannot read property 'b' of null (app.ts:3:"},
		{"await", "await Promise.reject(new Error('start'));\nexport default {}", "uncaught Error: start (app.ts:1:"},
		{"never", "await new Promise(() => { });\nexport default {}", "the app's top level never settles"},
		{"no handler", "export default { other() { } }", "the app has no handler"},
		{"no export", "console.log(1)", "the app has no handler"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := serve(t, c.source)
			r, err := a.Try(abi.Request{Path: "/"})
			if log := a.Logged(); err == nil || !strings.Contains(log, c.log) {
				t.Errorf("%v, status %d, log:\n%s\nwant: %s", err, r.Response.Status, log, c.log)
			}
		})
	}
}

// TestNothingCrosses lets requests change all that they reach. The next one finds none of it.
func TestNothingCrosses(t *testing.T) {
	a := serve(t, `
let count = 0;
const seen = new Set<string>(), start = Math.random();
export default { async fetch(request: Request) {
	const found = [count++, seen.size, (globalThis as any).left, [].map === Array.prototype.map && ([] as any).left, (Response as any).left, start];
	seen.add(request.url);
	(globalThis as any).left = (Array.prototype as any).left = (Response as any).left = request.url;
	setTimeout(() => { (globalThis as any).left = 1 }, 0);
	Promise.reject(1).catch(() => { });
	return Response.json([found, Math.random(), crypto.randomUUID(), Date.now(), performance.now()]);
} };`)
	different := map[string]bool{}
	first := ""
	for i := range 20 {
		text := a.Text(fmt.Sprintf("/%d", i))
		found, rest, _ := strings.Cut(text, "],")
		if first == "" {
			first = found
		}
		if found != first || !strings.HasPrefix(found, "[[0,0,null,null,null,0.") {
			t.Errorf("a request found %s", found)
		}
		random := strings.Join(strings.Split(rest, ",")[:2], ",")
		if different[random] {
			t.Errorf("%s came twice", random)
		}
		different[random] = true
	}
}

func write(t *testing.T, dir, name, contents string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(contents), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestCannotBuild gives what cannot be built, and wants to be told where and what to do.
func TestCannotBuild(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "node.ts", "import fs from 'fs';\nexport default fs")
	write(t, dir, "prefixed.ts", "import { connect } from 'node:net';\nexport default connect")
	write(t, dir, "package.ts", "import pg from 'pg';\nexport default pg")
	write(t, dir, "node_modules/pg/index.js", "module.exports = require('net')")
	write(t, dir, "absent.ts", "import a from 'not-there';\nexport default a")
	write(t, dir, "huge.ts", "import big from './big.json';\nexport default big")
	write(t, dir, "big.json", `"`+strings.Repeat("x", 50<<20)+`"`)
	write(t, dir, "secret.json", `{"secret": "of the node"}`)
	for _, c := range []struct {
		name   string
		source javascript.Source
		want   string
	}{
		{"syntax", javascript.Source{Entry: "app.ts", Code: []byte("const a = 1;\nconst = 2")}, "app.ts:2:7: Expected identifier but found \"=\"\n  const = 2\n        ^"},
		{"a bracket that is another", javascript.Source{Entry: "app.ts", Code: []byte("const a = [1, 2)")}, "app.ts:1:16: Expected \"]\" but found \")\"\n  const a = [1, 2)\n                 ^\n  did you mean \"]\"?"},
		{"type annotation in JavaScript", javascript.Source{Entry: "app.js", Code: []byte("const a: number = 1")}, "app.js:1:8: "},
		{"import of a pasted script", javascript.Source{Entry: "app.ts", Code: []byte("import a from '" + filepath.ToSlash(dir) + "/secret.json';\nexport default a")}, "cannot be imported: this app is the one file that was given"},
		{"relative import of a pasted script", javascript.Source{Entry: "app.ts", Code: []byte("export * from './a.ts'")}, "cannot be imported"},
		{"data URL", javascript.Source{Entry: "app.ts", Code: []byte("import a from 'data:text/plain,hi';\nexport default a")}, "cannot be imported"},
		{"Node in a pasted script", javascript.Source{Entry: "app.ts", Code: []byte("import 'node:fs'")}, `app.ts:1:8: "node:fs" is a part of Node`},
		{"Node", javascript.Source{Entry: "node.ts", Dir: dir}, "node.ts:1:16: \"fs\" is a part of Node, and apps do not run in Node\n"},
		{"Node with its prefix", javascript.Source{Entry: "prefixed.ts", Dir: dir}, "prefixed.ts:1:25: \"node:net\" is a part of Node"},
		{"Node in a package", javascript.Source{Entry: "package.ts", Dir: dir}, `node_modules/pg/index.js:1:26: the package pg needs "net", which is a part of Node`},
		{"a package that is not installed", javascript.Source{Entry: "absent.ts", Dir: dir}, `absent.ts:1:15: Could not resolve "not-there"`},
		{"50 MB", javascript.Source{Entry: "huge.ts", Dir: dir}, "big.json has 50.0 MiB, and a script has at most 5 MiB"},
		{"large paste", javascript.Source{Entry: "app.js", Code: []byte(strings.Repeat("//xxxxxx\n", 1<<20))}, "app.js has 9.0 MiB"},
		{"no script", javascript.Source{Entry: "app.py", Code: []byte("print()")}, `"app.py" is no script`},
		{"no such file", javascript.Source{Entry: "gone.ts", Dir: dir}, "gone.ts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var all []string
			for _, d := range diagnosticsOf(t, c.source) {
				all = append(all, d.String())
			}
			text := strings.Join(all, "\n")
			if !strings.Contains(text, c.want) || strings.Contains(text, "of the node") || c.source.Dir != "" && strings.Contains(text, dir) {
				t.Errorf("got:\n%s\nwant:\n%s", text, c.want)
			}
		})
	}
}

// TestMissing tells what is not there where it is used as a global, and not where it is only a word.
func TestMissing(t *testing.T) {
	b := build(t, `
const money = (n: number) => new Intl.NumberFormat("de").format(n);
const o = { Intl: 1, process: 2 }, window = 3;
export default { fetch() { return new Response(money(1) + o.Intl + o.process + window + (typeof Buffer === "undefined" ? "" : "b") + process.env.HOME) } };`)
	var all []string
	for _, w := range b.Warnings {
		all = append(all, w.String())
	}
	text := strings.Join(all, "\n")
	if len(all) != 2 || !strings.Contains(text, "app.ts:2:34: Intl is not there") || !strings.Contains(text, "process is not there") {
		t.Errorf("%d warnings:\n%s", len(all), text)
	}
}

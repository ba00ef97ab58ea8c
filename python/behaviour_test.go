package python_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/python"
	"github.com/agora-host/agora/script"
	"github.com/agora-host/agora/script/scripttest"
)

// TestResponses returns each kind of what a handler may return, and what it may not.
func TestResponses(t *testing.T) {
	a := serve(t, `
def fetch(request, env):
    p = request.path
    if p == "/str": return "ü"
    if p == "/bytes": return bytes([0, 255])
    if p == "/dict": return {"a": [1, None, True, "x"]}
    if p == "/json": return Response.json([1], status=201)
    if p == "/html": return Response.html("<p>")
    if p == "/empty": return Response(None, 204)
    if p == "/away": return Response.redirect("/str")
    if p == "/none": return None
    if p == "/int": return 3
    if p == "/status": return Response("", 99)
    if p == "/header": return Response("", headers={"a": "b\r\nc: d"})
`)
	for path, want := range map[string]string{
		"/str":   "200 text/plain;charset=UTF-8 ü",
		"/bytes": "200  \x00\xff",
		"/dict":  `200 application/json {"a": [1, null, true, "x"]}`,
		"/json":  "201 application/json [1]",
		"/html":  "200 text/html;charset=UTF-8 <p>",
		"/empty": "204  ",
		"/away":  "302  ",
	} {
		r := a.Get(path)
		if got := fmt.Sprintf("%d %s %s", r.Status, scripttest.Header(r, "content-type"), r.Body); got != want {
			t.Errorf("%s: %q, want %q\n%s", path, got, want, a.Logged())
		}
	}
	for path, want := range map[string]string{
		"/none":   "uncaught TypeError: fetch() returned None, which is no Response",
		"/int":    "uncaught TypeError: fetch() returned a int, which is no Response",
		"/status": "uncaught ValueError: a status is a number from 200 to 599",
		"/header": "uncaught ValueError: the value of header a has more than a line",
	} {
		if r, log := a.Get(path), a.Logged(); r.Status != 500 || !strings.Contains(log, "error "+want) || strings.Contains(log, "<agora>") {
			t.Errorf("%s: %d, logged %q", path, r.Status, log)
		}
	}
}

// TestRequests reads each part of a request.
func TestRequests(t *testing.T) {
	a := serve(t, `
import json
def fetch(request, env):
    if request.path == "/form": return request.form()
    if request.path == "/json": return request.json()
    if request.path == "/text": return request.text()
    return [request.method, request.url, request.query, request.headers.get("x-A"), request.headers.items()]
`)
	if got, want := a.Text("/p?a=%C3%BC+b&c&a=2&d=%FF"), `["GET", "http://app.example.com/p?a=%C3%BC+b&c&a=2&d=%FF", {"a": "2", "c": "", "d": "`+"\ufffd"+`"}, null, []]`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	r := a.Do(abi.Request{Path: "/form", Method: "POST", Body: []byte("name=Ada+L&x=%3C%ff"), Header: []abi.Field{{Name: "Content-Type", Value: "application/x-www-form-urlencoded"}}})
	if string(r.Body) != `{"name": "Ada L", "x": "<`+"\ufffd"+`"}` {
		t.Errorf("form: %q", r.Body)
	}
	for _, body := range []string{`{"a": [1.5, "ü\n", null]}`, `[]`} {
		if r := a.Do(abi.Request{Path: "/json", Body: []byte(body)}); r.Status != 200 {
			t.Errorf("%s: %d %q\n%s", body, r.Status, r.Body, a.Logged())
		}
	}
	for _, body := range []string{`{`, ``, "\x00", `nul`, strings.Repeat("[", 100_000), strings.Repeat(`{"a":`, 5000)} {
		if r, err := a.Try(abi.Request{Path: "/json", Body: []byte(body)}); err == nil && r.Response.Status != 500 {
			t.Errorf("%.20q: %d %q", body, r.Response.Status, r.Response.Body)
		}
	}
	if r := a.Do(abi.Request{Path: "/text", Body: []byte("a\xffb\xed\xa0\x80")}); string(r.Body) != "a\ufffdb\ufffd\ufffd\ufffd" {
		t.Errorf("text: %q", r.Body)
	}
}

// TestExceptions: each is told with the file and the line that was written.
func TestExceptions(t *testing.T) {
	a := serve(t, `
class Wrong(Exception):
    pass

def deep(n):
    if n == 0:
        raise Wrong("at the bottom")
    deep(n - 1)

def fetch(request, env):
    if request.path == "/handler":
        return 1 // 0
    if request.path == "/nested":
        deep(2)
    if request.path == "/inner":
        try:
            deep(0)
        except Wrong as e:
            raise ValueError("again")
    if request.path == "/recurse":
        try:
            deep(1000000)
        except StackOverflowError:
            return "caught"
    if request.path == "/forever":
        deep(10000000)
    if request.path == "/lambda":
        return sorted([1, 2], key=lambda x: x.none)
    return env.KV.get("a")
`)
	for path, want := range map[string][]string{
		"/handler": {"uncaught ZeroDivisionError: ", `File "app.py", line 12, in fetch`},
		"/nested":  {"uncaught Wrong: at the bottom", `File "app.py", line 14, in fetch`, `File "app.py", line 8, in deep`, `File "app.py", line 7, in deep`},
		"/inner":   {"uncaught ValueError: again", `File "app.py", line 19, in fetch`},
		"/forever": {"uncaught StackOverflowError", `File "app.py", line 8, in deep`},
		"/lambda":  {"uncaught AttributeError: ", "none", `line 28`},
		"/kv":      {"uncaught AgoraError: kv get a: not granted. agora.toml has to list it under [capabilities.kv]", `File "app.py", line 29, in fetch`},
	} {
		r := a.Get(path)
		log := a.Logged()
		for _, part := range want {
			if r.Status != 500 || !strings.Contains(log, part) {
				t.Errorf("%s: status %d, logged %q, want %q", path, r.Status, log, part)
			}
		}
	}
	if got := a.Text("/recurse"); got != "caught" {
		t.Errorf("recursion: %q", got)
	}
}

// TestHarm: what loops, nests or allocates for ever ends, and the next request does not notice.
func TestHarm(t *testing.T) {
	small := limits
	small.Memory = 8 << 20
	a := scripttest.Start(t, build(t, `
class Endless:
    def __eq__(self, other):
        return self == other
    def __len__(self):
        return len(self)

def fetch(request, env):
    p = request.path
    if p == "/loop":
        while True: pass
    if p == "/list":
        all = []
        while True: all.append("x" * 1000)
    if p == "/str":
        s = "x"
        while True: s += s
    if p == "/big": return len([0] * (1 << 30))
    if p == "/negative": return len("x" * (1 << 31))
    if p == "/eq": return Endless() == Endless()
    if p == "/len": return len(Endless())
    if p == "/names":
        for i in range(100000): setattr(request, "n" + str(i), i)
    if p == "/exit": exit(0)
    if p == "/eval": return str(eval("(" * 100000))
    return "fine"
`, "log").Module, small, nil)
	for _, path := range []string{"/loop", "/list", "/str", "/big", "/negative", "/eq", "/len", "/names", "/exit", "/eval"} {
		r, err := a.Try(abi.Request{Path: path})
		if err == nil && r.Response.Status != 500 {
			t.Errorf("%s: status %d %q", path, r.Response.Status, r.Response.Body)
		}
		if path == "/str" && !strings.Contains(a.Logged(), "uncaught MemoryError: the app's limit of memory is reached\n  File \"app.py\", line 17") {
			t.Errorf("the line that takes too much memory is not told: %v %s", err, r.FaultDetail)
		}
		if got := a.Text("/"); got != "fine" {
			t.Errorf("after %s: %q", path, got)
		}
	}
}

// TestFresh: no request sees what another left, and each has its own randomness and time.
func TestFresh(t *testing.T) {
	a := serve(t, `
import random, math, agora
seen = []
first = random.random()
def fetch(request, env):
    seen.append(request.path)
    math.left = getattr(math, "left", 0) + 1
    Response.left = getattr(Response, "left", 0) + 1
    env.left = getattr(env, "left", 0) + 1
    if request.path == "/random": return str(random.random()) + str(random.randint(0, 1000000)) + agora.token()
    if request.path == "/first": return str(first)
    return [len(seen), math.left, Response.left, env.left]
`)
	all := map[string]bool{}
	for range 20 {
		all[a.Text("/random")] = true
		if got := a.Text("/"); got != "[1, 1, 1, 1]" {
			t.Fatalf("a request sees %s", got)
		}
	}
	if len(all) != 20 {
		t.Errorf("20 requests had %d kinds of randomness", len(all))
	}
}

// TestKV keeps and reads through the capability.
func TestKV(t *testing.T) {
	kept := map[string]string{}
	links := map[string]abi.Link{"kv": {
		"get": func(_ context.Context, in []byte) ([]byte, abi.Errno) {
			v, ok := kept[string(in)]
			if !ok {
				return nil, abi.ErrnoNotFound
			}
			return []byte(v), abi.ErrnoOK
		},
		"put": func(_ context.Context, in []byte) ([]byte, abi.Errno) {
			n := int(in[8]) | int(in[9])<<8
			kept[string(in[12:12+n])] = string(in[12+n:])
			return nil, abi.ErrnoOK
		},
	}}
	a := scripttest.Start(t, build(t, `
def fetch(request, env):
    if request.method == "PUT":
        env.KV.put(request.path, request.text() if request.path != "/raw" else request.bytes(), expiration_ttl=60)
    got = env.KV.get(request.path)
    if got is None: return Response("nothing", 404)
    return [got, len(env.KV.get(request.path, "bytes"))]
`, "kv", "log").Module, limits, links)
	if r := a.Get("/a"); r.Status != 404 {
		t.Errorf("%d %q", r.Status, r.Body)
	}
	big := strings.Repeat("ü", 5000)
	for path, body := range map[string]string{"/a": "x", "/big": big} {
		if r, want := a.Do(abi.Request{Path: path, Method: "PUT", Body: []byte(body)}), fmt.Sprintf("[%q, %d]", body, len(body)); string(r.Body) != want {
			t.Errorf("%s: %.60q\n%s", path, r.Body, a.Logged())
		}
	}
	a.Do(abi.Request{Path: "/raw", Method: "PUT", Body: []byte("\xff\x00")})
	if kept["/raw"] != "\xff\x00" {
		t.Errorf("kept %q", kept["/raw"])
	}
}

// TestTriggers calls the handlers of schedules and events.
func TestTriggers(t *testing.T) {
	a := serve(t, `
def scheduled(event, env):
    print("scheduled", event.cron, event.attempt)
def event(event, env):
    print("event", event.sender, event.topic, event.json())
`)
	fields := func(all ...string) (fields []abi.Field) {
		for i := 0; i < len(all); i += 2 {
			fields = append(fields, abi.Field{Name: all[i], Value: all[i+1]})
		}
		return fields
	}
	if r := a.Do(abi.Request{Path: "/", Header: fields("agora-trigger", "cron", "agora-trigger-name", "0 5 * * *", "agora-attempt", "2")}); r.Status != 204 {
		t.Errorf("scheduled: %d", r.Status)
	}
	if r := a.Do(abi.Request{Path: "/", Header: fields("agora-trigger", "event", "agora-trigger-name", "shop/sold", "agora-attempt", "1"), Body: []byte(`{"n": 1}`)}); r.Status != 204 {
		t.Errorf("event: %d", r.Status)
	}
	if got, want := a.Logged(), "info scheduled 0 5 * * * 2\ninfo event shop sold {'n': 1}"; got != want {
		t.Errorf("logged %q, want %q", got, want)
	}
	if r := a.Get("/"); r.Status != 500 || !strings.Contains(a.Logged(), "the app has no fetch() for requests") {
		t.Errorf("a request without a handler: %d", r.Status)
	}
}

// TestRefused: what cannot become an app is told by its line, before anything is sent.
func TestRefused(t *testing.T) {
	handler := "\ndef fetch(request, env):\n    return 'x'\n"
	for name, c := range map[string]struct{ source, want, hint string }{
		"syntax":       {"def fetch(request, env):\n    return (1\n", "app.py:", ""},
		"indentation":  {"def fetch(request, env):\nreturn 1\n", "app.py:2:", ""},
		"async":        {"async def fetch(request, env):\n    return 1\n", "app.py:1:", "Handlers are plain functions here"},
		"standard":     {"import math, sqlite3" + handler, `app.py:1:1: "sqlite3" of Python's standard library is not there in this preview`, "Use env.KV"},
		"from":         {"\nfrom urllib.request import urlopen" + handler, `app.py:2:1: "urllib.request" of Python's standard library`, "env.fetch"},
		"pip":          {"import requests" + handler, `app.py:1:1: "requests" cannot be imported`, "env.fetch"},
		"in a handler": {"def fetch(request, env):\n    if True: import numpy as np\n    return 1\n", `app.py:2:5: "numpy" cannot be imported`, ""},
		"relative":     {"from . import helper" + handler, "app.py:1:1: relative imports are not there", ""},
		"NUL":          {"a = 1\nb = '\x00'" + handler, "app.py:2:1: there is a NUL byte in this file", ""},
		"Latin-1":      {"a = 1\n\nb = '\xfc'" + handler, "app.py:3:1: this file is not in UTF-8", "Save it in UTF-8"},
		"deep":         {"a = " + strings.Repeat("(", 200_000) + handler, "app.py:1:1: ", ""},
		"too large":    {strings.Repeat("# x\n", 2<<20) + handler, "MiB, and a script has at most 5 MiB", ""},
	} {
		all := diagnosticsOf(t, script.Source{Entry: "app.py", Code: []byte(c.source)})
		if got := all[0].String(); !strings.Contains(got, c.want) || !strings.Contains(got, c.hint) {
			t.Errorf("%s: got\n%s\nwant %q and %q", name, got, c.want, c.hint)
		}
	}
	if _, err := python.Build(t.Context(), script.Source{Entry: "app.rb"}); err == nil {
		t.Error("another language was built")
	}
}

// TestNotRefused builds what looks wrong, and is not.
func TestNotRefused(t *testing.T) {
	for name, source := range map[string]string{
		"words": "'''\nimport os\n'''\n# import os\ns = \"import os\"; t = 'a\\'; import os'\ndef fetch(request, env):\n    return s\n",
		"BOM":   "\ufeffdef fetch(request, env):\n    return 'import os'\n",
		"CRLF":  "def fetch(request, env):\r\n    x = 'import os'\r\n    return x\r\n",
		"1 MiB": "def fetch(request, env):\n    return 'import os'\nall = [\n" + strings.Repeat("    'ü 12345678901234567890123456789012345678901234567890123456789012345',\n", 14_000) + "]\n",
		"标识符":   "变量 = 'import os'\ndef fetch(request, env):\n    return 变量\n",
	} {
		t.Run(name, func(t *testing.T) {
			if got := serve(t, source).Text("/"); got != "import os" {
				t.Errorf("%q", got)
			}
		})
	}
}

// TestModules builds an app of several files: they are read from its directory, and nowhere else.
func TestModules(t *testing.T) {
	dir := t.TempDir()
	app := filepath.Join(dir, "app")
	for name, text := range map[string]string{
		"outside.py":           "secret = 1",
		"app/app.py":           "import helper\nfrom pack.part import value\nimport pack\ndef fetch(request, env):\n    return helper.say(value + pack.more)\n",
		"app/helper.py":        "def say(n):\n    return 'n is ' + str(n) if n < 10 else broken(n)\n\ndef broken(n):\n    return n.no\n",
		"app/pack/__init__.py": "more = 2\n",
		"app/pack/part.py":     "value = 3\n",
		"app/unused.py":        "import os\n",
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	b, err := python.Build(t.Context(), script.Source{Entry: "app.py", Dir: app, Capabilities: []string{"log"}})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range b.Files {
		names = append(names, f.Name)
	}
	if got := strings.Join(names, " "); got != "app.py helper.py pack/__init__.py pack/part.py" {
		t.Errorf("it is made of %s", got)
	}
	if got := scripttest.Start(t, b.Module, limits, nil).Text("/"); got != "n is 5" {
		t.Errorf("%q", got)
	}
	if err := os.WriteFile(filepath.Join(app, "app.py"), []byte("import outside\nimport nothing\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	all := diagnosticsOf(t, script.Source{Entry: "app.py", Dir: app})
	if len(all) != 2 || !strings.Contains(all[0].String(), "app.py:1:1: there is no outside.py beside the app") {
		t.Errorf("%v", all)
	}
}

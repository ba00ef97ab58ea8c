package python_test

import (
	"context"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/script/scripttest"
)

// TestLanguage evaluates what docs/python.md says of the language: what is there, what differs, and what is not there.
func TestLanguage(t *testing.T) {
	a := serve(t, `
def fetch(request, env):
    return str(eval(request.text()))
`)
	for code, want := range map[string]string{
		// As CPython.
		`'a,,b,'.split(','), 'a,b,c'.split(',', 1), ' a  b '.split()`:                                                  "(['a', '', 'b', ''], ['a', 'b,c'], ['a', 'b'])",
		`'a=b=c'.partition('='), 'x'.partition('=')`:                                                                   "(('a', '=', 'b=c'), ('x', '', ''))",
		`max([1, 3, 2]), min(3, 1), max(['a', 'bb'], key=len), min([], default=0)`:                                     "(3, 1, 'bb', 0)",
		`sum([1, 2], 10), list(zip([1], [2, 4], [3]))`:                                                                 "(13, [(1, 2, 3)])",
		`'hello world'.title(), '12'.isdigit(), 'abc'.removeprefix('a')`:                                               "('Hello World', True, 'bc')",
		`f'{1.5:.2f}', f'{3:05d}', len('ü😀'), 'ab'[::-1], b'abc'[1:]`:                                                  "('1.50', '00003', 2, 'ba', b'bc')",
		`len(b'abc'), list(b'ab'), sorted([2, 1], reverse=True), {1, 2} | {3}`:                                         "(3, [97, 98], [2, 1], {1, 2, 3})",
		`'äöü'.find('ü'), 'ää,b'.split(','), 'üx'.index('x'), 'aba'.find('a', 1), 'a'.find('b'), 'ü=1'.partition('=')`: "(2, ['ää', 'b'], 1, 2, -1, ('ü', '=', '1'))",
		// What differs, silently.
		`-7 // 2, -7 % 2`:                    "(-3, -1)",
		`2 ** 100, 9223372036854775807 + 1`:  "(0, -9223372036854775808)",
		`1 / 0, round(2.5)`:                  "(inf, 3)",
		`isinstance(True, int), 'ü'.upper()`: "(False, 'ü')",
	} {
		if got := string(a.Do(abi.Request{Path: "/", Body: []byte(code)}).Body); got != want {
			t.Errorf("%s is %s, not %s\n%s", code, got, want, a.Logged())
		}
	}
	for code, want := range map[string]string{
		`open('x')`: "NameError", `input()`: "NameError", `frozenset([1])`: "NameError", `bytearray(1)`: "NameError",
		`'%d' % 3`: "TypeError", `True + 1`: "TypeError", `dict(a=1)`: "TypeError", `'abc'.rsplit('b')`: "AttributeError",
		`any(x for x in [1])`: "SyntaxError", `(x := 3)`: "SyntaxError", `1_000`: "SyntaxError",
	} {
		if r := a.Do(abi.Request{Path: "/", Body: []byte(code)}); r.Status != 500 || !strings.Contains(a.Logged(), "uncaught "+want) {
			t.Errorf("%s: %d %s", code, r.Status, r.Body)
		}
	}
}

// TestOwnObjects uses what classes may define, inside of other expressions and loops: pocketpy lost its place there.
func TestOwnObjects(t *testing.T) {
	a := serve(t, `
class S:
    def __init__(self): self.kept = {}
    def __getitem__(self, k): return self.kept.get(k, 0)
    def __setitem__(self, k, v): self.kept[k] = v
    def __delitem__(self, k): del self.kept[k]
    def __contains__(self, k): return k in self.kept
    def __len__(self): return len(self.kept)
    def __iter__(self): return iter(list(self.kept.keys()))
    def __eq__(self, o): return True
def fetch(request, env):
    s = S()
    for i in range(4):
        s[i] = i * 10
        if i == 1: del s[0]
    default = 0
    for i in range(100000): default = "garbage" if i % 2 else [i]
    return {"a": [1, s[1], "x" in s, 2 in s, len(s)], "b": s[2], "c": [s[k] for k in s], "d": s == 1}
`)
	if got, want := a.Text("/"), `{"a": [1, 10, false, true, 3], "b": 20, "c": [10, 20, 30], "d": true}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	// Defaults of arguments survive a collection of garbage.
	b := serve(t, `
def two(a, sep=" - "): return a + sep + "b"
def fetch(request, env):
    all = []
    for i in range(40000): all = [str(i)]
    print("a", "b")
    return two("a")
`)
	if got, log := b.Text("/"), b.Logged(); got != "a - b" || log != "info a b" {
		t.Errorf("%q, logged %q", got, log)
	}
}

// TestNotInTheLanguage: statements that are not there are refused when the app is built.
func TestNotInTheLanguage(t *testing.T) {
	for _, code := range []string{
		"try:\n    pass\nfinally:\n    pass", "try:\n    pass\nexcept Exception:\n    pass\nelse:\n    pass", "a, *b, c = [1, 2, 3]", "def f(a, /): pass", "def f(*, b): pass",
		"class A: pass\nclass B: pass\nclass C(A, B): pass", "def f():\n    n = 0\n    def g():\n        nonlocal n", "match 1:\n    case 1: pass", "async def f(): pass",
		"raise ValueError('x') from None", "a = 'b' 'c'", "def f(a=[]): pass",
	} {
		wrong := diagnosticsOf(t, sourceOf(code+"\ndef fetch(request, env):\n    return 'x'\n"))
		if !strings.Contains(wrong[0].Text, "SyntaxError: ") || wrong[0].File != "app.py" {
			t.Errorf("%q: %v", code, wrong)
		}
	}
}

// TestJSON reads and writes JSON as JSON is.
func TestJSON(t *testing.T) {
	a := serve(t, `
import json
def fetch(request, env):
    value = request.json()
    if request.path == "/pretty": return json.dumps(value, indent=2)
    return json.dumps(value)
`)
	for in, want := range map[string]string{
		`{"a": [1e3, -0.5, 0.1, 12345678901234567890, -9, {}], "b": []}`: `{"a": [1000.0, -0.5, 0.1, 1.2345678901234567e+19, -9, {}], "b": []}`,
		`"\u00fc\ud83d\ude00\n\/\ud83d \u0001\u0000"`:                    `"ü😀\n/` + "\ufffd" + ` \u0001\u0000"`,
		` [true , false,null] `:                                          `[true, false, null]`,
		strings.Repeat("[", 400) + strings.Repeat("]", 400):              strings.Repeat("[", 400) + strings.Repeat("]", 400),
	} {
		if r := a.Do(abi.Request{Path: "/", Body: []byte(in)}); string(r.Body) != want {
			t.Errorf("%s: %q, want %q\n%s", in, r.Body, want, a.Logged())
		}
	}
	if r := a.Do(abi.Request{Path: "/pretty", Body: []byte(`{"a":[1,{}]}`)}); string(r.Body) != "{\n  \"a\": [\n    1,\n    {}\n  ]\n}" {
		t.Errorf("pretty: %q", r.Body)
	}
	for _, in := range []string{`[1,]`, `[01]`, `{"a" 1}`, `{a: 1}`, `'a'`, `"\x"`, `"\u12"`, "\"\n\"", `1 2`, `-`, `1.`, `1e`, `nul`, `[`, `{"a":`, `"`, ``, `NaN`, strings.Repeat("[", 600), `__import__("gc")`} {
		if r := a.Do(abi.Request{Path: "/", Body: []byte(in)}); r.Status != 500 || !strings.Contains(a.Logged(), "uncaught ValueError: ") {
			t.Errorf("%.40q was read: %q", in, r.Body)
		}
	}
}

// TestEnv calls each of env's functions, and compares what the capabilities are asked.
func TestEnv(t *testing.T) {
	var asked []string
	link := func(answers map[string]string) abi.Link {
		l := abi.Link{}
		for name, answer := range answers {
			l[name] = func(_ context.Context, in []byte) ([]byte, abi.Errno) {
				asked = append(asked, name+" "+string(in))
				return []byte(answer), abi.ErrnoOK
			}
		}
		return l
	}
	names := []string{"config", "secret", "kv", "blob", "events", "llm", "log", "fetch"}
	var fetched []string
	a := scripttest.Start(t, build(t, `
def fetch(request, env):
    swapped = env.KV.swap("k", None, "new")
    env.KV.delete("gone")
    keys = env.KV.list(prefix="p")
    env.BLOB.put("b", bytes([0, 255]))
    blob = env.BLOB.get("b", offset=1, length=2)
    blobs = env.BLOB.list()
    answer = env.fetch("https://api.example.com/ä b?q=ü#f", method="POST", headers={"X-Ask": "1"}, body={"n": 1})
    return {
        "swapped": swapped, "keys": keys, "blob": list(blob), "blobs": blobs["keys"],
        "config": [env.config.get("currency"), env.config["currency"]], "secret": env.SECRETS.get("stripe"),
        "event": env.EVENTS.publish("sold", {"n": 1}, key="k"), "llm": env.LLM.chat({"model": "m"})["said"],
        "fetch": [answer.status, answer.ok, answer.headers["x-answer"], answer.json()],
    }
`, names...).Module, limits, map[string]abi.Link{
		"config": link(map[string]string{"get": "EUR"}), "secret": link(map[string]string{"get": "s3cret"}),
		"kv":     link(map[string]string{"swap": "", "delete": "", "scan": "\x02\x00\x00\x00p1\x02\x00\x00\x00p2"}),
		"blob":   link(map[string]string{"put": "", "get": "\x01\x02", "list": "\x01\x00\x00\x00b\x05\x00\x00\x00\x00\x00\x00\x00"}),
		"events": link(map[string]string{"publish": "id-1"}), "llm": link(map[string]string{"chat": `{"said": "hi"}`}),
		"fetch": {"do": func(_ context.Context, in []byte) ([]byte, abi.Errno) {
			r, err := abi.DecodeRequest(in)
			if err != nil {
				return nil, abi.ErrnoInvalid
			}
			fetched = append(fetched, r.Method+" "+r.Host+r.Path+"?"+r.Query+" "+string(r.Body))
			return abi.AppendResponse(nil, &abi.Response{Status: 201, Header: []abi.Field{{Name: "X-Answer", Value: "yes"}}, Body: []byte(`[1]`)}), abi.ErrnoOK
		}},
	})
	want := `{"swapped": true, "keys": {"keys": ["p1", "p2"], "list_complete": true, "cursor": null}, "blob": [1, 2], "blobs": [{"name": "b", "size": 5}], ` +
		`"config": ["EUR", "EUR"], "secret": "s3cret", "event": "id-1", "llm": "hi", "fetch": [201, true, "yes", [1]]}`
	if got := a.Text("/"); got != want {
		t.Errorf("got  %s\nwant %s\n%s", got, want, a.Logged())
	}
	if want := "POST https://api.example.com/%C3%A4%20b?q=%C3%BC {\"n\": 1}"; len(fetched) != 1 || fetched[0] != want {
		t.Errorf("fetched %q, not %q", fetched, want)
	}
	zero := strings.Repeat("\x00", 8)
	for _, want := range []string{
		"swap " + zero + "\x01\x00\x00\x00k\xff\xff\xff\xff\x03\x00\x00\x00new", "delete gone", "scan \x01\x00\x00\x00p", "put \x01\x00\x00\x00b\x00\xff",
		"get \x01" + zero[1:] + "\x02" + zero[1:] + "b", "list \x00\x00\x00\x00", "get currency", "get stripe",
		"publish \x04\x00\x00\x00sold\x01\x00\x00\x00k{\"n\": 1}", `chat {"model": "m"}`,
	} {
		if !strings.Contains(strings.Join(asked, "|")+"|", want+"|") {
			t.Errorf("%q was not asked: %q", want, asked)
		}
	}
}

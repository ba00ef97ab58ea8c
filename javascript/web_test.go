package javascript_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/script/scripttest"
)

// field is a field of a form. A file has a name.
type field struct {
	Name, Value    string // the value in hexadecimal
	Filename, Type string
}

// formsApp reads a form, and lists its fields or writes it again as another multipart body.
var formsApp = sync.OnceValue(func() string {
	return `
const hex = (bytes) => bytes.toHex();
export default {
	async fetch(request) {
		const form = await request.formData();
		if (new URL(request.url).pathname === "/again") return new Response(form);
		const list = [];
		for (const [Name, value] of form)
			list.push(typeof value === "string" ? { Name, Value: new TextEncoder().encode(value).toHex() }
				: { Name, Value: (await value.bytes()).toHex(), Filename: value.name, Type: value.type });
		return Response.json(list);
	},
};`
})

// randomForm makes fields that a parser may stumble over: line ends, dashes and pieces of boundaries.
func randomForm(r *rand.Rand) []field {
	pieces := []string{"\r\n", "\r", "--", "\r\n--", "--agora", "a", "é", "\x00", "\xff", "; name=\"x\"", "\r\n\r\n", " ", "😀"}
	text := func(binary bool) string {
		var b strings.Builder
		for range r.IntN(12) {
			p := pieces[r.IntN(len(pieces))]
			if !binary && (p == "\xff" || p == "\r") {
				continue // a text is UTF-8, and its line ends are made whole when it is written
			}
			b.WriteString(p)
		}
		return b.String()
	}
	var fields []field
	for range r.IntN(6) {
		f := field{Name: "n" + strings.NewReplacer("\r", "", "\n", "", "\x00", "", "\xff", "", "\"", "").Replace(text(false))}
		if r.IntN(2) == 0 {
			f.Filename, f.Type, f.Value = "f.bin", "application/x-thing", hex.EncodeToString([]byte(text(true)))
		} else {
			f.Value = hex.EncodeToString([]byte(strings.TrimPrefix(text(false), "\ufeff")))
		}
		fields = append(fields, f)
	}
	return fields
}

func writeForm(t *testing.T, fields []field) (contentType string, body []byte) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, f := range fields {
		h := textproto.MIMEHeader{}
		disposition := fmt.Sprintf(`form-data; name="%s"`, f.Name)
		if f.Filename != "" {
			disposition += fmt.Sprintf(`; filename="%s"`, f.Filename)
			h.Set("Content-Type", f.Type)
		}
		h.Set("Content-Disposition", disposition)
		part, err := w.CreatePart(h)
		if err != nil {
			t.Fatal(err)
		}
		value, _ := hex.DecodeString(f.Value)
		_, _ = part.Write(value)
	}
	_ = w.Close()
	return w.FormDataContentType(), b.Bytes()
}

func readForm(t *testing.T, r abi.Response) []field {
	t.Helper()
	_, parameters, err := mime.ParseMediaType(scripttest.Header(r, "content-type"))
	if err != nil {
		t.Fatal(err)
	}
	fields := []field{}
	for m := multipart.NewReader(bytes.NewReader(r.Body), parameters["boundary"]); ; {
		part, err := m.NextRawPart()
		if err == io.EOF {
			return fields
		}
		if err != nil {
			t.Fatalf("%v in %q", err, r.Body)
		}
		value, err := io.ReadAll(part)
		if err != nil {
			t.Fatal(err)
		}
		f := field{Name: part.FormName(), Value: hex.EncodeToString(value), Filename: part.FileName()}
		if f.Filename != "" {
			f.Type = part.Header.Get("Content-Type")
		}
		fields = append(fields, f)
	}
}

// TestFormsThereAndBack: forms that another implementation writes are read as it means them, and it reads what
// apps write, whatever bytes are inside.
func TestFormsThereAndBack(t *testing.T) {
	a := serve(t, formsApp())
	random := rand.New(rand.NewPCG(16, 7))
	for i := range 150 {
		want := randomForm(random)
		contentType, body := writeForm(t, want)
		ask := func(path string) abi.Response {
			r := a.Do(abi.Request{Method: "POST", Path: path, Body: body, Header: []abi.Field{{Name: "content-type", Value: contentType}}})
			if r.Status != 200 {
				t.Fatalf("form %d, %q: status %d, %s", i, body, r.Status, a.Logged())
			}
			return r
		}
		var got []field
		if err := json.Unmarshal(ask("/").Body, &got); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("form %d was read as %v, want %v", i, got, want)
		}
		if got := readForm(t, ask("/again")); !slices.Equal(got, want) {
			t.Fatalf("form %d was written as %v, want %v", i, got, want)
		}
	}
}

// TestBadForms: every body sent as a form is read, or refused with an error that can be caught, in bounded work.
func TestBadForms(t *testing.T) {
	a := serve(t, `export default {
	async fetch(request) {
		try { return new Response([...await request.formData()].length) } catch (error) { return new Response(error.name + ": " + error.message, { status: 422 }) }
	},
};`)
	long := strings.Repeat("x", 1<<19)
	begin, value := "--B\r\nContent-Disposition: form-data; name=\"a\"", "\r\n\r\nv\r\n--B--\r\n"
	for name, c := range map[string]struct {
		status int
		body   string
	}{
		"whole":                    {200, begin + value},
		"nothing":                  {422, ""},
		"line ends":                {422, strings.Repeat("\r\n", 1<<19)},
		"boundaries":               {422, strings.Repeat("--B\r\n", 1<<17)},
		"almost boundaries":        {200, begin + "\r\n\r\n" + strings.Repeat("\r\n--", 1<<17) + "\r\n--B--"},
		"a header that is too big": {422, begin + "\r\nX: " + long + value},
		"parameters":               {422, "--B\r\nContent-Disposition: form-data" + strings.Repeat("; a=b", 1<<16) + value},
		"quotes that do not end":   {422, "--B\r\nContent-Disposition: form-data; name=\"" + strings.Repeat(`\"`, 4000) + value},
		"parts":                    {422, strings.Repeat(begin+"\r\n\r\n\r\n", 1_001) + "--B--"},
		"cut":                      {422, (begin + value)[:55]},
		"a value of half a MiB":    {200, begin + "\r\n\r\n" + long + "\r\n--B--"},
	} {
		t.Run(name, func(t *testing.T) {
			body := c.body
			if len(body) > 1<<20 {
				body = body[:1<<20]
			}
			r, err := a.Try(abi.Request{Method: "POST", Body: []byte(body), Header: []abi.Field{{Name: "content-type", Value: "multipart/form-data; boundary=B"}}})
			if err != nil || r.Response.Status != c.status {
				t.Errorf("status %d, want %d: %.200s %v %s", r.Response.Status, c.status, r.Response.Body, err, a.Logged())
			}
			if most := limits.Fuel / 2; r.Instructions > most {
				t.Errorf("it took %d instructions, more than %d", r.Instructions, most)
			}
		})
	}
}

// TestHashes: digests and HMAC are those of another implementation, for each length around the blocks' ends.
func TestHashes(t *testing.T) {
	l := limits
	l.Fuel *= 20
	a := scripttest.Start(t, build(t, `export default {
	async fetch(request) {
		const out = {};
		for (const hash of ["SHA-1", "SHA-256", "SHA-384", "SHA-512"]) {
			out[hash] = [];
			for (let n = 0; n < 260; n++) {
				const data = Uint8Array.from({ length: n }, (_, i) => i * 7 + 3);
				const key = await crypto.subtle.importKey("raw", Uint8Array.from({ length: n + 1 }, (_, i) => i * 5 + 1), { name: "HMAC", hash }, false, ["sign"]);
				out[hash].push(new Uint8Array(await crypto.subtle.digest(hash, data)).toHex() + new Uint8Array(await crypto.subtle.sign("HMAC", key, data)).toHex());
			}
		}
		return Response.json(out);
	},
};`).Module, l, nil)
	var got map[string][]string
	if err := json.Unmarshal([]byte(a.Text("/")), &got); err != nil {
		t.Fatal(err)
	}
	for name, h := range map[string]func() hash.Hash{"SHA-1": sha1.New, "SHA-256": sha256.New, "SHA-384": sha512.New384, "SHA-512": sha512.New} {
		for n, g := range got[name] {
			data, key := make([]byte, n), make([]byte, n+1)
			for i := range data {
				data[i] = byte(i*7 + 3)
			}
			for i := range key {
				key[i] = byte(i*5 + 1)
			}
			digest, mac := h(), hmac.New(h, key)
			digest.Write(data)
			mac.Write(data)
			if want := hex.EncodeToString(mac.Sum(digest.Sum(nil))); g != want {
				t.Fatalf("%s of %d bytes is %s, want %s", name, n, g, want)
			}
		}
		if len(got[name]) != 260 {
			t.Fatalf("%s: %d results", name, len(got[name]))
		}
	}
}

// pieces is a client that notes what arrives.
type pieces struct {
	start abi.Response
	list  []string
}

func (p *pieces) Start(r abi.Response, _ time.Time) error {
	p.start = r
	if len(r.Body) > 0 {
		p.list = append(p.list, string(r.Body))
	}
	return nil
}

func (p *pieces) Write(b []byte, _ time.Time) error {
	p.list = append(p.list, string(b))
	return nil
}

func stream(a *scripttest.App, path string) (*pieces, error) {
	var got pieces
	_, err := a.Stream(abi.Request{Path: path}, &got)
	return &got, err
}

// TestStreamsGoOut: the body that is a stream is sent piece by piece, as it comes, and breaks off where it fails.
func TestStreamsGoOut(t *testing.T) {
	a := serve(t, `
const text = () => new TextEncoderStream();
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
async function* count() { for (let i = 0; i < 3; i++) { await wait(1); yield "n" + i } }
const endless = () => new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(1000)) } });
export default {
	fetch(request) {
		switch (new URL(request.url).pathname) {
		case "/count": return new Response(ReadableStream.from(count()).pipeThrough(text()), { status: 201, headers: { "content-type": "text/event-stream" } });
		case "/late": return new Response(new ReadableStream({ async pull(c) { await wait(1); c.enqueue(new TextEncoder().encode("a")); c.error(new RangeError("broke off")) } }));
		case "/early": return new Response(new ReadableStream({ pull(c) { c.error(new RangeError("never began")) } }));
		case "/strings": return new Response(ReadableStream.from(["a"]));
		case "/stuck": return new Response(new ReadableStream());
		case "/endless": return new Response(endless());
		case "/tee": { const [a, b] = ReadableStream.from(count()).pipeThrough(text()).tee(); return new Response(a) }
		case "/body": return new Response(new Response("whole").body);
		case "/empty": return new Response(ReadableStream.from([]));
		}
	},
};`)
	for _, c := range []struct {
		path   string
		status int
		pieces string // joined by |
		fails  bool   // the call ends with an error
		logged string
	}{
		{"/count", 201, "n0|n1|n2", false, ""},
		{"/tee", 200, "n0|n1|n2", false, ""},
		{"/body", 200, "whole", false, ""},
		{"/empty", 200, "", false, ""},
		{"/early", 500, "This app failed. Its log says why.\n", false, "RangeError: never began"},
		{"/strings", 500, "This app failed. Its log says why.\n", false, "pipe it through a TextEncoderStream"},
		{"/stuck", 500, "This app failed. Its log says why.\n", false, "never settles"},
		{"/late", 200, "a", true, "RangeError: broke off"},
	} {
		t.Run(c.path[1:], func(t *testing.T) {
			got, err := stream(a, c.path)
			logged := a.Logged()
			status := got.start.Status
			if !c.fails && status == 0 { // it came whole
				r := a.Get(c.path)
				status, got.list = r.Status, []string{string(r.Body)}
			}
			list := slices.DeleteFunc(got.list, func(s string) bool { return s == "" })
			if status != c.status || strings.Join(list, "|") != c.pieces || (err != nil) != c.fails || !strings.Contains(logged, c.logged) {
				t.Errorf("status %d, %q, %v, logged %q", status, list, err, logged)
			}
		})
	}
	if got, err := stream(a, "/endless"); err == nil || len(got.list) < 100 {
		t.Errorf("an endless stream ended after %d pieces: %v", len(got.list), err)
	}
}

// TestPoisonedPrototypes: an app that replaces what the web's classes are made of harms itself at most, and the
// next request has none of it.
func TestPoisonedPrototypes(t *testing.T) {
	a := serve(t, `
const poison = () => {
	const bad = () => { throw new Error("poisoned") };
	for (const o of [Object, Object.prototype, Array.prototype, Function.prototype, String.prototype, Promise, Promise.prototype, Uint8Array, Object.getPrototypeOf(Uint8Array.prototype), Map.prototype, Set.prototype, WeakMap.prototype, RegExp.prototype, Symbol, Reflect, JSON, Response.prototype, Request.prototype, Headers.prototype, URLSearchParams.prototype, ReadableStream.prototype, AbortSignal.prototype, FormData.prototype, Blob.prototype])
		for (const key of Reflect.ownKeys(o)) try { o[key] = bad } catch { }
	for (const key of Object.getOwnPropertyNames(globalThis)) if (key !== "Response") try { globalThis[key] = undefined } catch { }
};
const steal = [];
export default {
	async fetch(request) {
		const { pathname } = new URL(request.url);
		if (pathname === "/then") {
			const { then } = Promise.prototype;
			Promise.prototype.then = function (...a) { steal.push(this); return then.apply(this, a) };
			Object.prototype.get = () => "taken";
			Object.defineProperty(Object.prototype, "then", { get() { steal.push("then") }, configurable: true });
			return new Response(await new Response(ReadableStream.from([new Uint8Array([97])]).pipeThrough(new TransformStream)).text());
		}
		if (pathname === "/poison") { const make = Response; poison(); return new make("survived") }
		const form = new FormData;
		form.append("a", new File(["x"], "n"));
		const back = await new Response(form).formData();
		return Response.json([steal.length, back.get("a").name, await new Response(new Blob(["ok"]).stream()).text()]);
	},
};`)
	fine := `[0,"n","ok"]`
	for _, path := range []string{"/", "/poison", "/", "/then", "/"} {
		r, err := a.Try(abi.Request{Path: path})
		if path == "/" && (err != nil || string(r.Response.Body) != fine) {
			t.Errorf("after poison: %v, %d %s\n%s", err, r.Response.Status, r.Response.Body, a.Logged())
		}
		if path != "/" && err == nil && r.Response.Status != 200 && r.Response.Status != 500 {
			t.Errorf("%s: status %d", path, r.Response.Status)
		}
		if path == "/then" && string(r.Response.Body) != "a" {
			t.Errorf("/then: %v, %d %s\n%s", err, r.Response.Status, r.Response.Body, a.Logged())
		}
	}
}

// TestMeanUses: uses that cannot end well end with an error of the app's, and never with a crash of the engine.
func TestMeanUses(t *testing.T) {
	a := serve(t, `
const deep = (n, o = {}) => { for (let i = 0; i < n; i++) o = { o }; return o };
const cases = {
	"deep clone": () => structuredClone(deep(10_000)),
	"cyclic pipe": async () => { const t = new TransformStream; await t.readable.pipeTo(t.writable) },
	"tee of tees": async () => { let s = new ReadableStream({ start(c) { c.enqueue(new Uint8Array(1)); c.close() } }); for (let i = 0; i < 200; i++) s = s.tee()[0]; return new Response(s).text() },
	"a stream that pulls itself": () => new Promise((_, reject) => { const s = new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(1)); return r.read() } }), r = s.getReader(); r.closed.catch(reject); setTimeout(() => reject(new Error("idle")), 1) }),
	"size that closes": () => { let c; new ReadableStream({ start(k) { c = k } }, { size() { c.close(); return 1 } }); c.enqueue(1) },
	"abort in abort": () => { const c = new AbortController; c.signal.onabort = () => c.abort(); c.abort(); throw c.signal.reason },
	"listener that adds itself": () => { const t = new EventTarget, add = () => t.addEventListener("x", () => add()); add(); for (let i = 0; i < 8; i++) t.dispatchEvent(new Event("x")); throw new Error("ended") },
	"blob of itself": () => { let b = new Blob(["0123456789"]); for (;;) b = new Blob([b, b]) },
	"huge array": () => new Blob({ length: 1, [Symbol.iterator]: function* () { for (;;) yield "x".repeat(1000) } }),
	"getter in options": () => new Event("x", { get bubbles() { throw new Error("of a getter") } }),
	"view of a detached buffer": () => { const b = new ArrayBuffer(8), v = new Uint8Array(b); b.transfer(); return crypto.subtle.digest("SHA-256", v).then(() => { throw new Error("empty") }) },
	"shrinking buffer": async () => { const b = new ArrayBuffer(8, { maxByteLength: 16 }), v = new Uint8Array(b); const r = new Response(v); b.resize(2); await r.text(); new TextDecoder().decode(v); new Blob([v]); structuredClone(v); throw new Error("fine") },
	"timeout for ever": async () => { const s = AbortSignal.timeout(Number.MAX_SAFE_INTEGER); s.throwIfAborted(); throw new Error("fine") },
	"handler that is a proxy": () => new EventTarget().dispatchEvent(new Proxy(new Event("x"), {})),
	"private through a proxy": () => new Proxy(new Blob(["x"]), {}).size,
	"subclass that lies": () => { class B extends Blob { get size() { return 1e9 } get type() { return "a\r\nb: c" } } const f = new FormData; f.append("x", new B(["y"])); return new Response(f).text().then((t) => { throw new Error(t.includes("\r\nb: c") ? "split" : "fine") }) },
	"header through a file name": () => { const f = new FormData; f.append("a", new File(["x"], 'n"\r\nX-Evil: 1')); return new Response(f).text().then((t) => { throw new Error(t.includes("\r\nX-Evil") ? "split" : "fine") }) },
};
export default {
	async fetch(request) {
		const name = decodeURIComponent(new URL(request.url).pathname.slice(1));
		if (!name) return Response.json(Object.keys(cases));
		try { return Response.json(["returned", String(await cases[name]())]) } catch (error) { return Response.json([error.name, error.message]) }
	},
};`)
	var names []string
	if err := json.Unmarshal([]byte(a.Text("/")), &names); err != nil {
		t.Fatal(err)
	}
	stopped := map[string]bool{"blob of itself": true, "huge array": true, "cyclic pipe": true, "a stream that pulls itself": true} // by fuel or memory, or as never settling
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			r, err := a.Try(abi.Request{Path: "/" + strings.ReplaceAll(name, " ", "%20")})
			logged := a.Logged()
			var got []string
			switch {
			case err != nil && !stopped[name]:
				t.Errorf("%v (%s)\n%s", err, r.FaultDetail, logged)
			case err != nil:
			case r.Response.Status == 500 && stopped[name]:
			case json.Unmarshal(r.Response.Body, &got) != nil || len(got) != 2:
				t.Errorf("status %d, %s\n%s", r.Response.Status, r.Response.Body, logged)
			case strings.Contains(got[1], "split"):
				t.Errorf("a header was split: %v", got)
			}
			if string(a.Get("/").Body[:1]) != "[" {
				t.Error("the next request fails")
			}
		})
	}
}

// TestCaughtIsNotTold: an error that the app catches is not in its log, also where the standard rejects more
// promises than the one that was waited for. One that the app does not catch is.
func TestCaughtIsNotTold(t *testing.T) {
	a := serve(t, `
const failing = (type) => new ReadableStream({ type, start(c) { c.error(new RangeError("broken")) } });
const quiet = async (promise) => { try { await promise } catch { } };
const cases = {
	read: () => quiet(failing().getReader().read()),
	iterate: () => quiet((async () => { for await (const x of failing()) x })()),
	bytes: () => quiet(failing("bytes").getReader({ mode: "byob" }).read(new Uint8Array(1))),
	text: () => quiet(new Response(failing()).text()),
	pipe: () => quiet(failing().pipeTo(new WritableStream)),
	through: () => quiet(new Response(failing().pipeThrough(new TransformStream)).text()),
	tee: async () => { const [a, b] = failing().tee(); await quiet(a.getReader().read()); await quiet(b.getReader().read()) },
	write: async () => { const w = new WritableStream({ write() { throw new RangeError("broken") } }).getWriter(); await quiet(w.write(1)) },
	abort: async () => { const w = new WritableStream().getWriter(); await w.abort(new RangeError("broken")) },
	release: () => { const r = new ReadableStream().getReader(); r.releaseLock(); const w = new WritableStream().getWriter(); w.releaseLock() },
	cancel: async () => { const t = new TransformStream; await t.readable.cancel("broken") },
	form: () => quiet(new Response("x", { headers: { "content-type": "multipart/form-data; boundary=B" } }).formData()),
	digest: () => quiet(crypto.subtle.digest("MD5", new Uint8Array())),
	timeout: () => { AbortSignal.timeout(0); return new Promise((done) => setTimeout(done, 2)) },
	late: async () => { const p = Promise.reject(new RangeError("broken")); await null; await quiet(p) },
	uncaught: () => { new Response(failing()).text() },
	listener: () => { const t = new EventTarget; t.addEventListener("x", () => { throw new RangeError("of a listener") }); t.dispatchEvent(new Event("x")) },
};
export default {
	async fetch(request) {
		const name = new URL(request.url).pathname.slice(1);
		if (!name) return Response.json(Object.keys(cases));
		await cases[name]();
		return new Response("done");
	},
};`)
	var names []string
	if err := json.Unmarshal([]byte(a.Text("/")), &names); err != nil {
		t.Fatal(err)
	}
	told := map[string]string{"uncaught": "RangeError: broken", "listener": "RangeError: of a listener"}
	for _, name := range names {
		a.Logged()
		if got := a.Text("/" + name); got != "done" {
			t.Errorf("%s: %s", name, got)
		}
		if got := a.Logged(); told[name] == "" && got != "" || !strings.Contains(got, told[name]) {
			t.Errorf("%s: logged %q, want %q", name, got, told[name])
		}
	}
}

// TestTimeOfFetch: an AbortSignal's time counts during the node's work, when no timer can run.
func TestTimeOfFetch(t *testing.T) {
	a := serve(t, `export default {
	async fetch() {
		const signal = AbortSignal.timeout(2), begun = performance.now();
		while (performance.now() - begun < 4) { }
		try { await fetch("https://example.org/", { signal }) } catch (error) { return new Response([error.name, signal.aborted, signal.reason === error].join()) }
	},
};`)
	if got := a.Text("/"); got != "TimeoutError,true,true" {
		t.Errorf("got %q", got)
	}
}

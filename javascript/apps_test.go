package javascript_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/javascript"
	"github.com/agora-host/agora/script/scripttest"
)

// memory is a kv capability that keeps its entries in memory, by the bytes of the ABI.
func memory() abi.Link {
	entries := map[string][]byte{}
	return abi.Link{
		"get": func(_ context.Context, in []byte) ([]byte, abi.Errno) {
			v, ok := entries[string(in)]
			if !ok {
				return nil, abi.ErrnoNotFound
			}
			return v, abi.ErrnoOK
		},
		"put": func(_ context.Context, in []byte) ([]byte, abi.Errno) {
			w, ok := abi.DecodeKVPut(in)
			if !ok {
				return nil, abi.ErrnoInvalid
			}
			entries[w.Key] = bytes.Clone(w.Value)
			return nil, abi.ErrnoOK
		},
		"delete": func(_ context.Context, in []byte) ([]byte, abi.Errno) {
			delete(entries, string(in))
			return nil, abi.ErrnoOK
		},
		"scan": func(_ context.Context, in []byte) ([]byte, abi.Errno) {
			prefix, _, _ := abi.DecodeKVScan(in)
			var out []byte
			for key := range entries {
				if strings.HasPrefix(key, prefix) {
					out = abi.AppendKVKey(out, key)
				}
			}
			return out, abi.ErrnoOK
		},
		"swap": func(_ context.Context, in []byte) ([]byte, abi.Errno) {
			w, ok := abi.DecodeKVSwap(in)
			if !ok {
				return nil, abi.ErrnoInvalid
			}
			if now, there := entries[w.Key]; there != (w.Old != nil) || !bytes.Equal(now, w.Old) {
				return nil, abi.ErrnoConflict
			}
			entries[w.Key] = bytes.Clone(w.Value)
			return nil, abi.ErrnoOK
		},
	}
}

// TestCapabilities uses what env has, over the bytes of the ABI.
func TestCapabilities(t *testing.T) {
	var events, asked []string
	links := map[string]abi.Link{
		"kv": memory(),
		"config": {"get": func(_ context.Context, in []byte) ([]byte, abi.Errno) {
			if string(in) != "currency" {
				return nil, abi.ErrnoNotFound
			}
			return []byte("EUR"), abi.ErrnoOK
		}},
		"secret": {"get": func(_ context.Context, in []byte) ([]byte, abi.Errno) {
			return []byte("s3cret of " + string(in)), abi.ErrnoOK
		}},
		"events": {"publish": func(_ context.Context, in []byte) ([]byte, abi.Errno) {
			topic, key, payload, _ := abi.DecodePublish(in)
			events = append(events, fmt.Sprintf("%s %s %s", topic, key, payload))
			return []byte("id-1"), abi.ErrnoOK
		}},
		"fetch": {"do": func(_ context.Context, in []byte) ([]byte, abi.Errno) {
			r, errno := abi.DecodeFetch(in)
			if errno != abi.ErrnoOK {
				return nil, errno
			}
			asked = append(asked, fmt.Sprintf("%s %s%s?%s %v %s", r.Method, r.Host, r.Path, r.Query, r.Header, r.Body))
			return abi.AppendResponse(nil, &abi.Response{Status: 201, Header: []abi.Field{{Name: "X-Answer", Value: "yes"}}, Body: bytes.Repeat([]byte("é"), 5000)}), abi.ErrnoOK
		}},
		"llm": {"chat": func(_ context.Context, in []byte) ([]byte, abi.Errno) {
			q, errno := abi.DecodeChat(in)
			text := "echo " + *q.Messages[0].Content
			b, _ := json.Marshal(abi.ChatResponse{Choices: []abi.ChatChoice{{Message: &abi.ChatAnswer{Content: &text}}}})
			return b, errno
		}},
	}
	names := []string{"log"}
	for name := range links {
		names = append(names, name)
	}
	a := scripttest.Start(t, build(t, `
export default { async fetch(request: Request, env: any) {
	const { KV, EVENTS, SECRETS, LLM, config } = env;
	await KV.put("a", "1");
	await KV.put("b", new Uint8Array([200, 201]), { expirationTtl: 60 });
	const swaps = [await KV.swap("a", "1", "2"), await KV.swap("a", "1", "3"), await KV.swap("c", null, "new")];
	const keys = (await KV.list({ prefix: "" })).keys.map((k: any) => k.name).sort();
	await KV.delete("c");
	const answer = await fetch("https://api.example.com/x/../y?q=ä#f", { method: "POST", body: "ü", headers: { "X-Ask": "1" } });
	const text = await answer.text();
	const chat = await LLM.chat({ model: "m", messages: [{ role: "user", content: "hi" }] });
	return Response.json({
		kv: [await KV.get("a"), [...await KV.get("b", "bytes")], await KV.get("absent")], swaps, keys,
		config: [config.currency, config.none], secret: await SECRETS.get("stripe"),
		event: await EVENTS.publish("orders.created", { n: 1 }, { key: "k" }),
		fetch: [answer.status, answer.ok, answer.headers.get("x-answer"), answer.url, text.length], chat: chat.choices[0].message.content,
	});
} };`, names...).Module, limits, links)
	want := `{"kv":["2",[200,201],null],"swaps":[true,false,true],"keys":["a","b","c"],"config":["EUR",null],"secret":"s3cret of stripe","event":"id-1",` +
		`"fetch":[201,true,"yes","https://api.example.com/y?q=%C3%A4",5000],"chat":"echo hi"}`
	want = strings.Replace(want, `"EUR",null`, `"EUR",null`, 1)
	if got := a.Text("/"); got != want {
		t.Errorf("got  %s\nwant %s\n%s", got, want, a.Logged())
	}
	if want := `POST https://api.example.com/y?q=%C3%A4 [{x-ask 1} {content-type text/plain;charset=UTF-8}] ü`; len(asked) != 1 || asked[0] != want {
		t.Errorf("asked %q, not %q", asked, want)
	}
	if want := `orders.created k {"n":1}`; len(events) != 1 || events[0] != want {
		t.Errorf("published %q, not %q", events, want)
	}
}

// TestTriggers lets the clock and an event call an app. A header that is no trigger's leads to fetch().
func TestTriggers(t *testing.T) {
	a := serve(t, `
export default {
	fetch() { return new Response("request") },
	async scheduled(event: any) { console.log("scheduled", event.cron, event.scheduledTime, event.attempt) },
	async event(event: any) { console.log("event", event.from, event.topic, event.id, await event.json()); if (event.id === "bad") throw new Error("again") },
};`)
	fire := func(kind, name, id, body string) abi.Response {
		return a.Do(abi.Request{Method: "POST", Path: "/", Body: []byte(body), Header: []abi.Field{
			{Name: "Agora-Trigger", Value: kind}, {Name: "Agora-Trigger-Name", Value: name}, {Name: "Agora-Event-Id", Value: id},
			{Name: "Agora-Attempt", Value: "1"}, {Name: "Agora-Event-Time", Value: "2026-01-02T03:04:05Z"},
		}})
	}
	for _, c := range []struct {
		kind, name, id, body string
		status               int
		log                  string
	}{
		{"cron", "nightly", "1", "", 204, "info scheduled nightly 1767323045000 1"},
		{"event", "shop/orders.created", "2", `{"n":1}`, 204, "info event shop orders.created 2 { n: 1 }"},
		{"event", "shop/orders.created", "bad", `{}`, 500, "uncaught Error: again (app.ts:5:"},
		{"webhook", "github", "3", "", 200, ""},
	} {
		if r, log := fire(c.kind, c.name, c.id, c.body), a.Logged(); r.Status != c.status || !strings.Contains(log, c.log) {
			t.Errorf("%s: status %d, log %q", c.kind, r.Status, log)
		}
	}
}

// TestValidation serves a router with validation, as makers write it.
func TestValidation(t *testing.T) {
	a := serve(t, router)
	for _, c := range []struct {
		method, path, query, body string
		status                    int
		want                      string
	}{
		{"GET", "/", "", "", 200, "home"},
		{"GET", "/users/42", "q=a%20b", "", 200, `{"id":42,"q":"a b"}`},
		{"GET", "/users/x", "", "", 400, `{"error":"id is a positive integer"}`},
		{"POST", "/users", "", `{"name":"Ädä"}`, 201, `{"name":"Ädä"}`},
		{"POST", "/users", "", `{"name"`, 500, "This app failed. Its log says why.\n"},
		{"GET", "/none", "", "", 404, "not found"},
	} {
		r := a.Do(abi.Request{Method: c.method, Path: c.path, Query: c.query, Body: []byte(c.body)})
		if r.Status != c.status || string(r.Body) != c.want {
			t.Errorf("%s %s: %d %q\n%s", c.method, c.path, r.Status, r.Body, a.Logged())
		}
	}
}

const router = `
type Handler = (p: Record<string, string>, u: URL, r: Request) => Response | Promise<Response>;
class Router {
	routes: { method: string; re: RegExp; names: string[]; h: Handler }[] = [];
	on(method: string, path: string, h: Handler) {
		const names: string[] = [];
		const re = new RegExp("^" + path.replace(/:(\w+)/g, (_, n) => { names.push(n); return "([^/]+)" }) + "$");
		this.routes.push({ method, re, names, h });
	}
	async fetch(r: Request) {
		const u = new URL(r.url);
		for (const { method, re, names, h } of this.routes) {
			if (method !== r.method) continue;
			const m = re.exec(u.pathname);
			if (!m) continue;
			const p: Record<string, string> = {};
			names.forEach((n, i) => p[n] = decodeURIComponent(m[i + 1]));
			return await h(p, u, r);
		}
		return new Response("not found", { status: 404 });
	}
}
const app = new Router();
app.on("GET", "/", () => new Response("home"));
app.on("POST", "/users", async (_, __, r) => Response.json(await r.json(), { status: 201 }));
app.on("GET", "/users/:id", (p, u) => {
	const id = Number(p.id);
	if (!Number.isInteger(id) || id < 1) return Response.json({ error: "id is a positive integer" }, { status: 400 });
	const q = u.searchParams.get("q") ?? "";
	if (q.length > 20) return Response.json({ error: "q is too long" }, { status: 400 });
	return Response.json({ id, q });
});
export default app;
`

// TestStreams lets a body go out piece by piece, and a failure in its middle break it off.
func TestStreams(t *testing.T) {
	a := serve(t, `
export default { fetch(request: Request) {
	let n = 0;
	return new Response(new ReadableStream({ async pull(c) {
		await new Promise(r => setTimeout(r, 1));
		if (n === 2 && request.url.endsWith("/fail")) throw new Error("in the middle");
		if (n++ === 3) return c.close();
		c.enqueue(new TextEncoder().encode("data: " + n + "\n\n"));
	} }), { headers: { "content-type": "text/event-stream" } });
} };`)
	if r := a.Get("/"); string(r.Body) != "data: 1\n\ndata: 2\n\ndata: 3\n\n" || scripttest.Header(r, "content-type") != "text/event-stream" {
		t.Errorf("%v %q\n%s", r.Header, r.Body, a.Logged())
	}
	_ = a.Logged()
	if r, err := a.Try(abi.Request{Path: "/fail"}); err == nil || !strings.Contains(a.Logged(), "uncaught Error: in the middle (app.ts:6:") {
		t.Errorf("%v, %q", err, r.Response.Body)
	}
}

// TestFolder bundles what lies beside the entry: TSX, JSON, text and a package.
func TestFolder(t *testing.T) {
	dir := t.TempDir() + "/of/the/maker"
	write(t, dir, "app/main.tsx", `/** @jsx h */
import { h } from "../lib/h";
import settings from "./settings.json";
import text from "./note.txt";
import { twice } from "twice";
import common from "common";
import own from "../../makers-own/lib.cjs";
export default { fetch(r: Request) {
	if (r.url.endsWith("/fail")) throw new Error("told: " + twice(1));
	if (r.url.endsWith("/package")) common();
	return new Response(<b id={settings.id}>{text}{String(twice(own))}</b> as any);
} };`)
	write(t, dir, "lib/h.ts", "export const h = (name: string, props: any, ...children: string[]) => `<${name} id=\"${props.id}\">${children.join(\"\")}</${name}>`;")
	write(t, dir, "app/settings.json", `{"id": "x"}`)
	write(t, dir, "app/note.txt", "note ")
	write(t, dir, "node_modules/twice/package.json", `{"name": "twice", "main": "./index.cjs", "exports": {"worker": "./worker.js", "default": "./index.cjs"}}`)
	write(t, dir, "node_modules/twice/worker.js", "export const twice = (n) => 2 * n; export const unused = () => 'not in the bundle';")
	write(t, dir, "node_modules/common/index.js", "\nmodule.exports = () => { throw new Error('of the package') };")
	write(t, dir, "../makers-own/lib.cjs", "module.exports = 21;")
	s := javascript.Source{Entry: "main.tsx", Dir: dir + "/app", Capabilities: []string{"log"}}
	b, err := javascript.Build(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	a := scripttest.Start(t, b.Module, limits, nil)
	if got := a.Text("/"); got != `<b id="x">note 42</b>` {
		t.Errorf("%q", got)
	}
	for path, want := range map[string]string{"/fail": "told: 2 (main.tsx:9:", "/package": "of the package (node_modules/common/index.js:2:"} {
		a.Get(path)
		if log := a.Logged(); !strings.Contains(log, want) {
			t.Errorf("%s: %s", path, log)
		}
	}
	bare, err := wasm.WithCustomSection(b.Module, "agora-source", nil) // what the maker wrote
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(bare, []byte("maker")) {
		t.Error("the module has a folder above the app in it")
	}
	for _, secret := range []string{dir, "not in the bundle"} {
		if bytes.Contains(b.Module, []byte(secret)) {
			t.Errorf("the module has %q in it", secret)
		}
	}
	var files []string
	for _, f := range b.Files {
		files = append(files, f.Name)
	}
	if got := strings.Join(files, " "); got != "h.ts lib.cjs main.tsx note.txt settings.json" {
		t.Errorf("files: %s", got)
	}
	again, err := javascript.Build(t.Context(), s)
	if err != nil || !bytes.Equal(again.Module, b.Module) {
		t.Errorf("the same source makes another module (%v)", err)
	}
}

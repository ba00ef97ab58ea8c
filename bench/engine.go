package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/host/engine"
	"github.com/agora-host/agora/script"
	"github.com/agora-host/agora/script/languages"
)

// benchEngine times whole invocations without HTTP: frame in, metered run, frame
// out, instance put back; and how long Go's collector waits for a guest that
// spins.
func benchEngine(ctx context.Context) error {
	e, dir, remove, err := newEngine()
	if err != nil {
		return err
	}
	defer remove()
	fmt.Println("\nIn process: one invocation after the other, nothing left between them")
	fmt.Println("Putting it back is what a request costs more than one to an instance that keeps its state.")
	fmt.Println("\n| app | p50 | p99 | put back, p50 | instructions | loaded and served the first time |")
	fmt.Println("|---|---:|---:|---:|---:|---:|")
	for _, app := range []struct {
		title, name, mode, warmUp string
		iface                     abi.Interface
		n                         int
	}{
		{"minimal", "", "", "", abi.InterfaceV1, 50_000},
		{"Go with the SDK (hello)", "hello", "c-shared", "/", abi.InterfaceV1, 20_000},
		{"Go as WASI command (quote)", "quote", "default", "", abi.InterfaceWASI, 2_000},
	} {
		module := minimal(answer)
		if app.name != "" {
			if module, err = goApp(app.name, app.mode, dir); err != nil {
				return err
			}
		}
		if err := timeInvocations(ctx, e, app.title, module, app.warmUp, app.iface, app.n); err != nil {
			return fmt.Errorf("%s: %w", app.title, err)
		}
	}
	for _, language := range []struct {
		entry string
		apps  []scripted
	}{{"app.ts", scripts}, {"app.py", pythons}} {
		for _, app := range language.apps {
			built, err := languages.Build(ctx, script.Source{Entry: language.entry, Code: []byte(app.source), Capabilities: []string{"log"}})
			if err != nil {
				return fmt.Errorf("%s: %w", app.title, err)
			}
			if err := timeInvocations(ctx, e, app.title, built.Module, "/", abi.InterfaceV1, 5_000); err != nil {
				return fmt.Errorf("%s: %w", app.title, err)
			}
		}
	}
	return stall(ctx, e)
}

// scripted is an app in one file that is measured.
type scripted struct{ title, source string }

// scripts are the apps in TypeScript that are measured. Each does its work for GET /.
var scripts = []scripted{
	{"TypeScript, trivial", `export default { fetch() { return new Response("hello") } };`},
	{"TypeScript, router with validation", `
type Handler = (p: Record<string, string>, u: URL) => Response;
const routes: { re: RegExp; names: string[]; handler: Handler }[] = [];
const on = (path: string, handler: Handler) => {
	const names: string[] = [];
	const re = new RegExp("^" + path.replace(/:(\w+)/g, (_, n) => { names.push(n); return "([^/]+)" }) + "$");
	routes.push({ re, names, handler });
};
on("/", () => new Response("home"));
on("/users/:id", (p, u) => {
	const id = Number(p.id), q = u.searchParams.get("q") ?? "";
	if (!Number.isInteger(id) || id < 1 || q.length > 20) return Response.json({ error: "refused" }, { status: 400 });
	return Response.json({ id, q });
});
export default { async fetch(request: Request) {
	const u = new URL("/users/42?q=x", request.url);
	for (const { re, names, handler } of routes) {
		const m = re.exec(u.pathname);
		if (!m) continue;
		const p: Record<string, string> = {};
		names.forEach((n, i) => p[n] = decodeURIComponent(m[i + 1]));
		return handler(p, u);
	}
	return new Response(null, { status: 404 });
} };`},
	{"TypeScript, JSON of 1 KB", `
const item = (id: number) => ({ id, name: "Item number " + id, price: id * 3 + 0.25, qty: id % 4, tags: ["red", "green", "blue"], x: "pad" });
const text = JSON.stringify({ items: Array.from({ length: 10 }, (_, i) => item(i)) });
export default { async fetch(request: Request) {
	const body: any = await new Request(request.url, { method: "POST", body: text }).json();
	return Response.json({ total: body.items.filter((i: any) => i.qty > 0).map((i: any) => i.price * i.qty), names: body.items.map((i: any) => i.name) });
} };`},
}

// pythons do the same in Python.
var pythons = []scripted{
	{"Python, trivial", `def fetch(request, env): return Response("hello")`},
	{"Python, router with validation", `
routes = []
def on(path):
    def register(handler):
        routes.append((path.split("/")[1:], handler))
        return handler
    return register

@on("/")
def home(p, query): return Response("home")

@on("/users/:id")
def user(p, query):
    q = query.get("q", "")
    if not p["id"].isdigit() or int(p["id"]) < 1 or len(q) > 20:
        return Response.json({"error": "refused"}, status=400)
    return Response.json({"id": int(p["id"]), "q": q})

def fetch(request, env):
    path, query = "/users/42", {"q": "x"}
    parts = path.split("/")[1:]
    for pattern, handler in routes:
        if len(pattern) != len(parts): continue
        p = {}
        for i in range(len(pattern)):
            if pattern[i][:1] == ":": p[pattern[i][1:]] = parts[i]
            elif pattern[i] != parts[i]: break
        else:
            return handler(p, query)
    return Response(None, 404)
`},
	{"Python, JSON of 1 KB", `
import json
def item(id): return {"id": id, "name": "Item number " + str(id), "price": id * 3 + 0.25, "qty": id % 4, "tags": ["red", "green", "blue"], "x": "pad"}
text = json.dumps({"items": [item(i) for i in range(10)]})
def fetch(request, env):
    body = json.loads(text)
    return Response.json({"total": [i["price"] * i["qty"] for i in body["items"] if i["qty"] > 0], "names": [i["name"] for i in body["items"]]})
`},
}

// newEngine makes an engine in a directory that remove removes.
func newEngine() (e *engine.Engine, dir string, remove func(), err error) {
	if dir, err = os.MkdirTemp("", "agora-bench"); err != nil {
		return nil, "", nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	exe, err := os.Executable()
	if err == nil {
		e, err = engine.New(engine.Options{CacheDir: filepath.Join(dir, "cache"), Worker: []string{exe, "compile-worker"}})
	}
	if err != nil {
		remove()
	}
	return e, dir, remove, err
}

var roomy = engine.Limits{Fuel: 1 << 50, Memory: 32 << 20, Timeout: time.Minute, RequestBody: 1 << 20, ResponseBody: 1 << 20, Concurrency: 4, StartOnce: true}

// links are what the examples import, doing next to nothing.
var links = map[string]abi.Link{
	"log":    {"write": func(context.Context, []byte) ([]byte, abi.Errno) { return nil, abi.ErrnoOK }},
	"config": {"get": func(context.Context, []byte) ([]byte, abi.Errno) { return nil, abi.ErrnoNotFound }},
}

func timeInvocations(ctx context.Context, e *engine.Engine, title string, module []byte, warmUp string, iface abi.Interface, n int) error {
	warm := roomy
	warm.WarmUp = warmUp
	fresh, instructions, err := invocations(ctx, e, module, iface, warm, n)
	if err != nil {
		return err
	}
	back := "–" // a command starts anew: there is no state to keep
	if iface == abi.InterfaceV1 {
		keeping := roomy
		keeping.KeepState = true
		kept, _, err := invocations(ctx, e, module, iface, keeping, n)
		if err != nil {
			return err
		}
		back = fmt.Sprintf("%.1f µs", us(fresh[n/2]-kept[n/2]))
	}
	var firsts []time.Duration
	for range 9 {
		started := time.Now()
		p, err := e.Load(ctx, module, iface, roomy)
		if err != nil {
			return err
		}
		if _, err := p.Invoke(ctx, engine.Call{Request: &abi.Request{Method: "GET", Path: "/", Host: "app.localhost"}, Links: links}); err != nil {
			return err
		}
		firsts = append(firsts, time.Since(started))
		if err := p.Close(ctx); err != nil {
			return err
		}
	}
	fmt.Printf("| %s | %.1f µs | %.1f µs | %s | %d | %.2f ms |\n", title, us(fresh[n/2]), us(fresh[n*99/100]), back, instructions, us(median(firsts))/1000)
	return nil
}

// invocations times n invocations, sorted, after some that warm up.
func invocations(ctx context.Context, e *engine.Engine, module []byte, iface abi.Interface, l engine.Limits, n int) (times []time.Duration, instructions uint64, err error) {
	p, err := e.Load(ctx, module, iface, l)
	if err != nil {
		return nil, 0, err
	}
	defer p.Close(ctx)
	request := &abi.Request{Method: "GET", Path: "/", Host: "app.localhost"}
	for i := range n + n/10 {
		started := time.Now()
		r, err := p.Invoke(ctx, engine.Call{Request: request, Links: links})
		took := time.Since(started)
		if err != nil {
			return nil, 0, fmt.Errorf("%w\n%s", err, r.FaultDetail)
		}
		if r.Response.Status != 200 {
			return nil, 0, fmt.Errorf("status %d: %s", r.Response.Status, r.Response.Body)
		}
		if i >= n/10 { // the first tenth warms up
			times = append(times, took)
		}
		instructions = r.Instructions
	}
	slices.Sort(times)
	return times, instructions, nil
}

func us(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// stall collects garbage while a guest loops without end.
func stall(ctx context.Context, e *engine.Engine) error {
	p, err := e.Load(ctx, wasmtest.App{Code: wasmtest.Forever}.Bytes(), abi.InterfaceV1, roomy)
	if err != nil {
		return err
	}
	quiet := collections()
	spinning, stop := context.WithCancel(ctx)
	var ended sync.WaitGroup
	ended.Go(func() {
		_, err = p.Invoke(spinning, engine.Call{Request: &abi.Request{Method: "GET", Path: "/", Host: "h"}})
	})
	time.Sleep(50 * time.Millisecond)
	busy := collections()
	stop()
	ended.Wait()
	if !errors.Is(err, abi.ErrCanceled) {
		return fmt.Errorf("the guest that spins ended with %w", err)
	}
	fmt.Printf("\nA whole collection of Go's: p50 %.2f ms, p90 %.2f ms; while a guest spins: p50 %.2f ms, p90 %.2f ms\n",
		us(quiet[100])/1000, us(quiet[180])/1000, us(busy[100])/1000, us(busy[180])/1000)
	return p.Close(ctx)
}

// collections times two hundred collections, sorted.
func collections() (times []time.Duration) {
	for range 200 {
		started := time.Now()
		runtime.GC()
		times = append(times, time.Since(started))
	}
	slices.Sort(times)
	return times
}

package python_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/host/engine"
	"github.com/agora-host/agora/python"
	"github.com/agora-host/agora/script"
)

// TestMain makes the test binary its own compile worker.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "compile-worker" {
		os.Exit(engine.CompileWorker(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

// shared is one engine for all tests: its cache has the code that all apps of the same capabilities share.
var shared = sync.OnceValues(func() (*engine.Engine, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "python")
	if err != nil {
		return nil, err
	}
	return engine.New(engine.Options{CacheDir: dir, Worker: []string{exe, "compile-worker"}})
})

var limits = engine.Limits{
	Fuel: 200_000_000, Memory: 32 << 20, Timeout: 20 * time.Second, RequestBody: 2 << 20, ResponseBody: 4 << 20, Concurrency: 4, StartOnce: true,
}

// app is an app that runs, with capabilities that tests give it.
type app struct {
	t       testing.TB
	program *engine.Program
	links   map[string]abi.Link

	mu  sync.Mutex
	log []string // what it logged
}

func build(t testing.TB, source string, capabilities ...string) script.Built {
	t.Helper()
	b, err := python.Build(t.Context(), script.Source{Entry: "app.py", Code: []byte(source), Capabilities: capabilities})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// serve runs an app of one file that logs.
func serve(t testing.TB, source string) *app {
	t.Helper()
	return start(t, build(t, source, "log").Module, limits, nil)
}

func start(t testing.TB, module []byte, l engine.Limits, links map[string]abi.Link) *app {
	t.Helper()
	e, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.WithoutCancel(t.Context())
	if err := e.Compile(ctx, module, l); err != nil {
		t.Fatal(err)
	}
	p, err := e.Load(ctx, module, abi.InterfaceV1, l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close(ctx) })
	a := &app{t: t, program: p, links: map[string]abi.Link{}}
	a.links["log"] = abi.Link{"write": func(_ context.Context, in []byte) ([]byte, abi.Errno) {
		a.note([]string{"debug ", "info ", "warn ", "error "}[in[0]] + string(in[1:]))
		return nil, abi.ErrnoOK
	}}
	for name, link := range links {
		a.links[name] = link
	}
	return a
}

func (a *app) note(line string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.log = append(a.log, line)
}

// logged returns what was logged since it was asked last.
func (a *app) logged() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := strings.Join(a.log, "\n")
	a.log = nil
	return all
}

func (a *app) try(r abi.Request) (engine.Result, error) {
	if r.Method == "" {
		r.Method = "GET"
	}
	if r.Host == "" {
		r.Host = "app.example.com"
	}
	return a.program.Invoke(a.t.Context(), engine.Call{Request: &r, Links: a.links, Stderr: func(line string) { a.note("stderr " + line) }})
}

func (a *app) do(r abi.Request) abi.Response {
	a.t.Helper()
	result, err := a.try(r)
	if err != nil {
		a.t.Fatalf("%v (%s)\n%s", err, result.FaultDetail, a.logged())
	}
	return result.Response
}

// get asks for a path with its query.
func (a *app) get(path string) abi.Response {
	a.t.Helper()
	p, query, _ := strings.Cut(path, "?")
	return a.do(abi.Request{Path: p, Query: query})
}

// text is the body of a response with status 200.
func (a *app) text(path string) string {
	a.t.Helper()
	r := a.get(path)
	if r.Status != 200 {
		a.t.Fatalf("GET %s: status %d, %q\n%s", path, r.Status, r.Body, a.logged())
	}
	return string(r.Body)
}

func header(r abi.Response, name string) string {
	for _, f := range r.Header {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

func sourceOf(code string) script.Source { return script.Source{Entry: "app.py", Code: []byte(code)} }

// diagnosticsOf builds what cannot be built.
func diagnosticsOf(t *testing.T, s script.Source) []script.Diagnostic {
	t.Helper()
	_, err := python.Build(t.Context(), s)
	e, ok := errors.AsType[*script.Error](err)
	if !ok {
		t.Fatalf("%v is no *script.Error", err)
	}
	return e.Diagnostics
}

// TestHello is the whole way of a trivial app.
func TestHello(t *testing.T) {
	a := serve(t, `
def fetch(request, env):
    print("asked for", request.path)
    return Response("Hello, " + request.query.get("name", "world"), headers={"X-Url": request.url})
`)
	r := a.get("/a/b?name=Ada%20L")
	if r.Status != 200 || string(r.Body) != "Hello, Ada L" || header(r, "x-url") != "http://app.example.com/a/b?name=Ada%20L" || header(r, "content-type") != "text/plain;charset=UTF-8" {
		t.Errorf("%d %v %q", r.Status, r.Header, r.Body)
	}
	if got := a.logged(); got != "info asked for /a/b" {
		t.Errorf("logged %q", got)
	}
}

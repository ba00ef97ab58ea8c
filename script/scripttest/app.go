package scripttest

import (
	"context"
	"maps"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/host/engine"
)

// Main runs tests, in a binary that is its own compile worker.
func Main(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "compile-worker" {
		os.Exit(engine.CompileWorker(os.Stdin, os.Stdout))
	}
	status := m.Run()
	if cache != "" {
		_ = os.RemoveAll(cache)
	}
	os.Exit(status)
}

var cache string // where compiled code is kept

// shared is one engine for all tests of a binary: its cache has the code that apps of the same capabilities share.
var shared = sync.OnceValues(func() (*engine.Engine, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if cache, err = os.MkdirTemp("", "scripttest"); err != nil {
		return nil, err
	}
	return engine.New(engine.Options{CacheDir: cache, Worker: []string{exe, "compile-worker"}})
})

// Limits are those of an app that is to do something else than reach its limits.
var Limits = engine.Limits{
	Fuel: 200_000_000, Memory: 32 << 20, Timeout: 20 * time.Second, RequestBody: 2 << 20, ResponseBody: 4 << 20, Concurrency: 4, StartOnce: true,
}

// App is an app that runs. It is safe for concurrent use.
type App struct {
	t       testing.TB
	program *engine.Program
	links   map[string]abi.Link

	mu  sync.Mutex
	log []string // what it logged
}

// Start has an app run with capabilities, besides log, until the test ends.
func Start(t testing.TB, module []byte, l engine.Limits, links map[string]abi.Link) *App {
	t.Helper()
	a, err := TryStart(t, module, l, links)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TryStart is Start of what may not start.
func TryStart(t testing.TB, module []byte, l engine.Limits, links map[string]abi.Link) (*App, error) {
	t.Helper()
	e, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.WithoutCancel(t.Context())
	if err := e.Compile(ctx, module, l); err != nil {
		return nil, err
	}
	p, err := e.Load(ctx, module, abi.InterfaceV1, l)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = p.Close(ctx) })
	a := &App{t: t, program: p, links: map[string]abi.Link{}}
	a.links["log"] = abi.Link{"write": func(_ context.Context, in []byte) ([]byte, abi.Errno) {
		a.note([]string{"debug ", "info ", "warn ", "error "}[in[0]] + string(in[1:]))
		return nil, abi.ErrnoOK
	}}
	maps.Copy(a.links, links)
	return a, nil
}

func (a *App) note(line string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.log = append(a.log, line)
}

// Logged is what it logged since that was asked last.
func (a *App) Logged() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := strings.Join(a.log, "\n")
	a.log = nil
	return all
}

// Try makes a request. A method or a host that it does not say is GET, or app.example.com.
func (a *App) Try(r abi.Request) (engine.Result, error) { return a.Stream(r, nil) }

// Stream is Try of a response that may go to a stream in pieces.
func (a *App) Stream(r abi.Request, to abi.Stream) (engine.Result, error) {
	if r.Method == "" {
		r.Method = "GET"
	}
	if r.Host == "" {
		r.Host = "app.example.com"
	}
	return a.program.Invoke(a.t.Context(), engine.Call{Request: &r, Links: a.links, Stream: to, Stderr: func(line string) { a.note("stderr " + line) }})
}

// Do makes a request that has to be served.
func (a *App) Do(r abi.Request) abi.Response {
	a.t.Helper()
	result, err := a.Try(r)
	if err != nil {
		a.t.Fatalf("%v (%s)\n%s", err, result.FaultDetail, a.Logged())
	}
	return result.Response
}

// Get asks for a path with its query.
func (a *App) Get(path string) abi.Response {
	a.t.Helper()
	p, query, _ := strings.Cut(path, "?")
	return a.Do(abi.Request{Path: p, Query: query})
}

// Text is the body of a response with status 200.
func (a *App) Text(path string) string {
	a.t.Helper()
	r := a.Get(path)
	if r.Status != 200 {
		a.t.Fatalf("GET %s: status %d, %q\n%s", path, r.Status, r.Body, a.Logged())
	}
	return string(r.Body)
}

// Header is a field of a response, "" if there is none of that name.
func Header(r abi.Response, name string) string {
	for _, f := range r.Header {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

package node_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/internal/calm"
	"github.com/agora-host/agora/node"
)

// breaks panics in one place while it is told to.
type breaks struct{ where atomic.Value }

func (b *breaks) in(where string) { b.where.Store(where) }

func (b *breaks) set(o *node.Options) {
	b.in("")
	o.Inject(func(where string) {
		if where == b.where.Load() {
			panic(errors.New("injected"))
		}
	})
}

// TestHandlerThatPanics: a request whose handler panics gets a problem that tells nothing of the
// inside, and is counted; the connection serves the next one.
func TestHandlerThatPanics(t *testing.T) {
	var b breaks
	n := start(t, b.set)
	p := n.publish(n.ada(), manifest("plain"), says("plain"))
	conn, err := net.Dial("tcp", n.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	get := func(host, path string) (*http.Response, string) {
		t.Helper()
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, host)
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(raw)
	}
	app := strings.TrimSuffix(strings.TrimPrefix(p.URL, "http://"), "/")
	for _, where := range []string{"handler", "call"} {
		for _, ask := range []struct{ host, path string }{{app, "/"}, {n.Addr().String(), "/healthz"}} {
			if where == "call" && ask.host != app {
				continue
			}
			b.in(where)
			resp, body := get(ask.host, ask.path)
			if resp.StatusCode != 500 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/problem+json") || strings.Contains(body, "injected") {
				t.Errorf("%s%s with a panic in %s: %d %v %s", ask.host, ask.path, where, resp.StatusCode, resp.Header, body)
			}
			b.in("")
			if resp, _ := get(ask.host, ask.path); resp.StatusCode != 200 {
				t.Errorf("%s%s after a panic: %d", ask.host, ask.path, resp.StatusCode)
			}
		}
	}
	if got := n.metrics(); !strings.Contains(got, `agora_panics_total{where="handler"} 2`) || !strings.Contains(got, `agora_panics_total{where="call"} 1`) {
		t.Errorf("metrics: %s", got)
	}
}

// TestHalfAnAnswer: a response that has begun breaks off when its handler panics, and one that has
// not is a problem whatever its handler meant to say; a handler that aborts is no panic.
func TestHalfAnAnswer(t *testing.T) {
	n := start(t)
	for what, handler := range map[string]http.HandlerFunc{
		"half":   func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "half"); panic("x") },
		"header": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200); panic("x") },
		"flushed": func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).Flush()
			panic("x")
		},
		"copied": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.Copy(w, io.LimitReader(strings.NewReader("half"), 4))
			panic("x")
		},
		"aborted": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"meant": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			w.Header().Set("Content-Encoding", "gzip")
			w.WriteHeader(http.StatusEarlyHints)
			panic("x")
		},
	} {
		before := n.Panics()["handler"]
		server := httptest.NewServer(n.Calmly(handler))
		resp, err := http.Get(server.URL)
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
		}
		server.Close()
		if whole := what == "meant"; whole != (err == nil) || whole && (resp.StatusCode != 500 || resp.Header.Get("Content-Encoding") != "") {
			t.Errorf("%s: %v, %v", what, resp, err)
		}
		if counted := n.Panics()["handler"] - before; (counted == 1) == (what == "aborted") {
			t.Errorf("%s: counted %d times", what, counted)
		}
	}
}

// brokenLog panics when a message of the front door's comes, once.
type brokenLog struct {
	slog.Handler
	broke *atomic.Bool
}

func (b brokenLog) Enabled(context.Context, slog.Level) bool { return true }

func (b brokenLog) WithAttrs([]slog.Attr) slog.Handler { return b }

func (b brokenLog) Handle(_ context.Context, r slog.Record) error {
	if strings.HasPrefix(r.Message, "an address has") && b.broke.CompareAndSwap(false, true) {
		panic("no log")
	}
	return nil
}

// TestServeThatPanics: a front door that panics as it accepts is served from again.
func TestServeThatPanics(t *testing.T) {
	log := brokenLog{slog.DiscardHandler, new(atomic.Bool)}
	n := start(t, func(o *node.Options) { o.ConnectionsPerAddress, o.Logger = 1, slog.New(log) })
	ctx, stop := context.WithCancel(t.Context())
	target := n.target("http://" + n.Addr().String())
	one := target.Silent(ctx, 1)
	until(t, "one has the share of its address", func() bool { return n.Budget("connections").Used == 1 })
	other := target.Silent(ctx, 1)
	until(t, "the door has panicked", func() bool { return n.Panics()["server"] == 1 })
	stop()
	one.Wait()
	other.Wait()
	until(t, "the place is free", func() bool { return n.Budget("connections").Used == 0 })
	if got := n.get("http://" + n.Addr().String() + "/healthz"); got.Status != 200 {
		t.Errorf("%+v after %v", got, n.Panics())
	}
}

// TestLoadThatPanics: all who wait for a program, or for a release's files, that panics while it
// loads get an error, and the next one loads it.
func TestLoadThatPanics(t *testing.T) {
	var b breaks
	n := start(t, b.set)
	plain := n.publish(n.ada(), manifest("plain"), says("plain"))
	files := n.publish(n.ada(), manifest("files", "[static]\ndir = \"static\"\nfallback = \"index.html\""),
		withFiles(t, says("files"), fstest.MapFS{"index.html": {Data: []byte("page")}}))
	for where, url := range map[string]string{"program-load": plain.URL, "site-load": files.URL} {
		n.DropPrograms()
		b.in(where)
		var asking sync.WaitGroup
		for range 8 {
			asking.Go(func() {
				if got := n.get(url); got.Status != 500 {
					t.Errorf("%s: %d %s", where, got.Status, got.Body)
				}
			})
		}
		asking.Wait()
		b.in("")
		if got := n.get(url); got.Status != 200 {
			t.Errorf("after a panic in %s: %d %s", where, got.Status, got.Body)
		}
		if n.ProgramUsers() != 0 {
			t.Errorf("after a panic in %s %d calls hold a program", where, n.ProgramUsers())
		}
	}
}

// TestStopThatPanics: a closing step that panics is an error of Stop, and keeps no other from
// running.
func TestStopThatPanics(t *testing.T) {
	var at, steps int
	stop := func(n *testNode) error { steps = 0; return n.Stop(context.Background()) }
	for at = 1; ; at++ {
		dir := t.TempDir()
		n := startIn(t, dir, func(o *node.Options) {
			o.Inject(func(where string) {
				if where != "stop" {
					return
				}
				if steps++; steps == at {
					panic("injected")
				}
			})
		})
		n.t = silent{t} // it says the same of its stop again
		err := stop(n)
		if steps < at {
			break // there are no more
		}
		if _, ok := errors.AsType[*calm.PanicError](err); !ok {
			t.Errorf("step %d panicked, and Stop returns %v", at, err)
		}
		if steps < 8 {
			t.Errorf("after step %d panicked there were %d", at, steps)
		}
	}
	if at < 8 {
		t.Errorf("only %d steps were tried", at)
	}
}

// silent is a test that a node may tell of its stop.
type silent struct{ testing.TB }

func (silent) Errorf(string, ...any) {}

// TestStartThatPanics: a panic while the node opens is the error of New, and the next start
// finds all as it was.
func TestStartThatPanics(t *testing.T) {
	var b breaks
	dir := t.TempDir()
	n := startIn(t, dir)
	n.publish(n.ada(), manifest("plain"), says("plain"))
	n.stop()
	o := node.Options{DataDir: dir, Listen: "127.0.0.1:0"}
	b.set(&o)
	b.in("open")
	_, err := node.New(t.Context(), o)
	if _, ok := errors.AsType[*calm.PanicError](err); !ok {
		t.Fatalf("New returns %v", err)
	}
	if got := startIn(t, dir).AppURL("plain"); got == "" {
		t.Error("no address")
	}
}

// TestPausedTriggers: a node that is started with its triggers paused takes webhooks and delivers
// nothing, says so wherever it is asked, and delivers all once it is started without.
func TestPausedTriggers(t *testing.T) {
	dir := t.TempDir()
	paused := func(o *node.Options) { o.PauseTriggers = true }
	n := startIn(t, dir, paused)
	text := manifest("bank", `[[triggers.webhook]]
name = "later"
path = "/later"
verify = "github"
secret = "git"
deliver = "queue"
[[triggers.webhook]]
name = "now"
path = "/now"
verify = "github"
secret = "git"
[[triggers.cron]]
name = "tick"
schedule = "0 * * * *"
path = "/"`)
	p := n.publish(n.ada(), text, says("thanks"))
	if _, err := n.ada().SetSecret(t.Context(), "bank", "git", []byte("s3cret")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"later": 202, "now": 503} {
		if got := n.do("POST", p.URL+path, "x", "X-Hub-Signature-256", "sha256="+hexMac("s3cret", "x")); got.Status != want {
			t.Errorf("a webhook for %s: %d %s", path, got.Status, got.Body)
		}
	}
	if got := n.get(p.URL); got.Status != 200 {
		t.Errorf("a request: %+v", got)
	}
	if _, err := n.ada().RunTrigger(t.Context(), "bank", "tick"); problemOf(t, err).Type != "/problems/triggers-held" {
		t.Errorf("a run by hand: %v", err)
	}
	if about, err := n.ops().Info(t.Context()); err != nil || !about.TriggersPaused {
		t.Errorf("%+v, %v", about, err)
	}
	if c := checkOf(t, n, "triggers"); !c.OK || !strings.Contains(c.Detail, "1 delivery waits") {
		t.Errorf("the doctor: %+v", c)
	}
	if tr := n.trigger("bank", "later"); tr.Queued != 1 || tr.Done != 0 {
		t.Errorf("%+v", tr)
	}
	if tr, err := n.ops().PauseTrigger(t.Context(), "bank", abi.TriggerCron, "tick", true, "loud"); err != nil || !tr.Paused {
		t.Errorf("pausing one: %+v, %v", tr, err)
	}
	n.stop()
	n = startIn(t, dir)
	eventually(t, "what waited is delivered", func() bool { return n.trigger("bank", "later").Done == 1 })
	if tr := n.trigger("bank", "tick"); !tr.Paused {
		t.Errorf("%+v", tr)
	}
}

func checkOf(t testing.TB, n *testNode, name string) (found node.Check) {
	t.Helper()
	checks, err := n.ops().Doctor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range checks {
		if c.Name == name {
			return node.Check{Name: c.Name, OK: c.OK, Detail: c.Detail, Remedy: c.Remedy}
		}
	}
	t.Fatalf("the doctor has no line %q: %+v", name, checks)
	return found
}

// TestCrashLoop: three starts without an end are said, by the log, the doctor and the doctor of a
// node that is stopped, with what to do; fewer are not, nor those that were stopped, or are old.
func TestCrashLoop(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "starts")
	n := startIn(t, dir)
	noted, err := os.ReadFile(file) // as a process leaves it that is killed now
	if err != nil {
		t.Fatal(err)
	}
	n.stop()
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a node that was stopped leaves a note: %v", err)
	}
	offline := func() node.Check {
		t.Helper()
		checks, err := node.Examine(t.Context(), node.Options{DataDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		return checks[len(checks)-1]
	}
	for killed := 1; killed <= 4; killed++ {
		if err := os.WriteFile(file, noted, 0o600); err != nil {
			t.Fatal(err)
		}
		bad := killed >= 3
		if c := offline(); c.Name != "starts" || c.OK == bad || bad != strings.Contains(strings.Join(c.Remedy.Commands, "\n"), "--pause-triggers") {
			t.Errorf("after %d: %+v", killed, c)
		}
		var log strings.Builder
		n := startIn(t, dir, logTo(&log))
		if c := checkOf(t, n, "starts"); c.OK == bad {
			t.Errorf("after %d: %+v", killed, c)
		}
		if noted, err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
		n.stop()
		if bad != strings.Contains(log.String(), "--pause-triggers") {
			t.Errorf("after %d the log of the next start says %s", killed, log.String())
		}
	}
	for what, text := range map[string]string{
		"damaged": "[\"2026",
		"old":     `["2001-01-01T00:00:00Z","2001-01-01T00:00:01Z","2001-01-01T00:00:02Z"]`,
		"ahead":   fmt.Sprintf(`[%[1]q,%[1]q,%[1]q]`, time.Now().Add(2*time.Hour).Format(time.RFC3339)),
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if c := offline(); !c.OK {
			t.Errorf("%s: %+v", what, c)
		}
		startIn(t, dir).stop()
	}
}

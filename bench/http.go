package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/node"
	"github.com/agora-host/agora/registry/sigstore"
	"github.com/agora-host/agora/sdk/client"
)

const (
	answer  = "Hello, world!"
	clients = 16
	owner   = "bench@example.com"
)

// goApp builds an example with the Go toolchain.
func goApp(name, mode, dir string) ([]byte, error) {
	return goGuest("..", "./examples/"+name, mode, dir)
}

// goGuest builds a package of the Go module in root.
func goGuest(root, pkg, mode, dir string) ([]byte, error) {
	out := filepath.Join(dir, filepath.Base(pkg)+".wasm")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-buildmode="+mode, "-o", out, pkg)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if msg, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build %s: %w\n%s", pkg, err, msg)
	}
	return os.ReadFile(out)
}

// benchNode is a node of its own, with a client for the owner of its apps.
type benchNode struct {
	*node.Node
	api *client.Client
	dir string
}

func startNode(ctx context.Context) (*benchNode, error) {
	dir, err := os.MkdirTemp("", "agora-bench")
	if err != nil {
		return nil, err
	}
	return startNodeIn(ctx, dir, node.Options{DataDir: dir, Listen: "127.0.0.1:0", Audience: "public", Quotas: manyApps})
}

// manyApps lets one person own as many apps as a part publishes.
var manyApps = control.Quotas{"apps": 100_000}

// startNodeIn starts a node whose directory, with all that is below, goes with it.
func startNodeIn(ctx context.Context, dir string, o node.Options) (*benchNode, error) {
	h, err := node.New(ctx, o)
	if err != nil {
		return nil, err
	}
	h.Start()
	token, err := h.People.TokenFor(ctx, owner, "bench", time.Hour, access.RoleDeveloper)
	if err != nil {
		return nil, err
	}
	api, err := client.New(h.ConsoleURL(), token)
	return &benchNode{h, api, dir}, err
}

func (n *benchNode) close(ctx context.Context) error {
	return errors.Join(n.Stop(ctx), os.RemoveAll(n.dir))
}

// publish signs and uploads, and returns the host name under which it serves.
//
// Calls outlive the process alone, so that what is measured is not the disk; those of
// apps whose name begins with "power" outlive the loss of power.
func (n *benchNode) publish(ctx context.Context, name string, module []byte) (string, error) {
	more := "durability = \"process\"\n"
	if strings.HasPrefix(name, "power") {
		more = "durability = \"power\"\n"
	}
	if strings.HasPrefix(name, "hello") || strings.HasSuffix(name, "-hello") {
		more += "warm_up = \"/\"\n" // as its own manifest says
	}
	if strings.HasPrefix(name, "calls-") {
		more += "[capabilities.kv]\n"
	}
	manifest := fmt.Sprintf("name = %q\nversion = \"1\"\nowner = %q\nteam = \"a\"\ncost_center = \"c\"\ndata_classification = \"internal\"\nstart_once = true\n%s[limits]\nconcurrency = 32\n[capabilities.log]\n[capabilities.config]\n", name, owner, more)
	return n.upload(ctx, manifest, module)
}

func (n *benchNode) upload(ctx context.Context, manifest string, module []byte) (string, error) {
	bundle, err := sigstore.SignWithIdentity(module,
		func(csr []byte) ([]byte, error) { return n.api.Certify(ctx, csr) },
		func(q []byte) ([]byte, error) { return n.api.Timestamp(ctx, q) })
	if err != nil {
		return "", err
	}
	p, err := n.api.Publish(ctx, []byte(manifest), module, bundle, nil)
	return strings.Trim(strings.TrimPrefix(p.URL, "http://"), "/"), err
}

// turns is in how many turns servers are measured: what else the machine does falls
// on all of them, and ratios are taken within one turn.
const turns = 9

// benchHTTP asks servers in turns, with the same clients; all, or net/http and those
// whose name contains a text.
func benchHTTP(ctx context.Context, span time.Duration, only string) error {
	servers, stop, err := startServers(ctx)
	if err != nil {
		return err
	}
	defer stop()
	servers = slices.DeleteFunc(servers, func(s *server) bool { return s.name != bare && !strings.Contains(s.name, only) })
	for _, s := range servers {
		if s.want == nil {
			continue
		}
		if err := s.check(); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	for range turns {
		for _, s := range servers {
			if err := s.turn(span / turns); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
	}
	fmt.Printf("\nHTTP: %d connections, kept alive, %s each in %d turns; client and server share the CPUs\n\n", clients, span, turns)
	fmt.Println("| server | requests/s | ratio to net/http | lowest | highest | p50 | p99 |")
	fmt.Println("|---|---:|---:|---:|---:|---:|---:|")
	for _, s := range servers {
		var ratios []float64
		for i, rate := range s.rates {
			ratios = append(ratios, rate/servers[0].rates[i])
		}
		slices.Sort(s.times)
		fmt.Printf("| %s | %.0f | %.2f | %.2f | %.2f | %s | %s |\n", s.name, median(s.rates), median(ratios), slices.Min(ratios), slices.Max(ratios),
			s.times[len(s.times)/2].Round(time.Microsecond), s.times[len(s.times)*99/100].Round(time.Microsecond))
	}
	return nil
}

// turn measures a server once, after a warm-up.
func (s *server) turn(span time.Duration) error {
	if _, err := drive(s.addr, []string{s.host}, s.path, s.body, span/4); err != nil {
		return err
	}
	m, err := drive(s.addr, []string{s.host}, s.path, s.body, span)
	s.rates, s.times = append(s.rates, m.perSecond), append(s.times, m.times...)
	return err
}

// server is asked with a GET, or with a POST if there is a body.
type server struct {
	name, addr, host, path string
	body                   []byte
	want                   []byte // the body of its response; nil if it is not checked

	rates []float64 // of each turn, a second
	times []time.Duration
}

// bare is the name of the server that all are compared with.
const bare = "net/http"

func startServers(ctx context.Context) (all []*server, stop func(), err error) {
	plain := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte(answer))
	})
	e := echo.New()
	e.GET("/", func(c echo.Context) error { return c.String(http.StatusOK, answer) })
	var listeners []net.Listener
	listen := func(name string, handler http.Handler, body, want []byte) error {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		listeners = append(listeners, l)
		go func() { _ = http.Serve(l, handler) }()
		all = append(all, &server{name: name, addr: l.Addr().String(), host: l.Addr().String(), path: "/", body: body, want: want})
		return nil
	}
	if err := errors.Join(listen(bare, plain, nil, []byte(answer)), listen("echo", e, nil, []byte(answer))); err != nil {
		return nil, nil, err
	}
	for _, p := range peers {
		for _, work := range workloads {
			handler, err := p.serve(work)
			if err == nil {
				err = listen(p.name+", "+work.title, handler, work.body, work.want)
			}
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w", p.name, err)
			}
		}
	}
	n, err := startNode(ctx)
	if err != nil {
		return nil, nil, err
	}
	stop = func() {
		for _, l := range listeners {
			_ = l.Close()
		}
		_ = n.close(ctx)
	}
	serve := func(title, path, name string, work workload) error {
		host, err := n.publish(ctx, name, work.module)
		all = append(all, &server{name: "agora, " + title, addr: n.Addr().String(), host: host, path: path, body: work.body, want: work.want})
		return err
	}
	for _, work := range workloads {
		if err := serve(work.title, "/", work.name, work); err != nil {
			return nil, stop, err
		}
	}
	if err := serve("minimal app, outliving the loss of power", "/", "powerful", workloads[0]); err != nil {
		return nil, stop, err
	}
	for _, app := range []struct{ title, name, mode, path string }{
		{"Go app with the SDK (hello)", "hello", "c-shared", "/"},
		{"Go app as WASI command (quote)", "quote", "default", "/?pieces=250"},
	} {
		module, err := goApp(app.name, app.mode, n.dir)
		if err == nil {
			err = serve(app.title, app.path, app.name, workload{module: module})
		}
		if err != nil {
			return nil, stop, err
		}
	}
	return all, stop, nil
}

// measured is what a server did in a turn.
type measured struct {
	perSecond float64
	times     []time.Duration // of requests
}

// drive asks hosts at random as fast as it can, over connections that stay open.
func drive(addr string, hosts []string, path string, body []byte, span time.Duration) (measured, error) {
	return driveOver(clients, addr, hosts, path, body, span)
}

// driveOver is drive over so many connections.
func driveOver(connections int, addr string, hosts []string, path string, body []byte, span time.Duration) (measured, error) {
	return driveAs("", connections, addr, hosts, path, body, span)
}

// driveAs is driveOver with one more line in each request's head, if it is not "".
func driveAs(header string, connections int, addr string, hosts []string, path string, body []byte, span time.Duration) (measured, error) {
	var mu sync.Mutex
	var times []time.Duration
	var failed error
	var wg sync.WaitGroup
	end := time.Now().Add(span)
	for range connections {
		wg.Go(func() {
			mine, err := ask(header, addr, hosts, path, body, end)
			mu.Lock()
			defer mu.Unlock()
			times = append(times, mine...)
			failed = errors.Join(failed, err)
		})
	}
	wg.Wait()
	if failed != nil {
		return measured{}, failed
	}
	return measured{float64(len(times)) / span.Seconds(), times}, nil
}

// ask is one connection. It speaks HTTP through the standard reader, without
// the costs of a whole client, so that more of the CPU is the servers'.
func ask(header, addr string, hosts []string, path string, body []byte, end time.Time) (times []time.Duration, err error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	in := bufio.NewReader(c)
	var request []byte
	method, rest := "GET", "\r\n\r\n"
	if body != nil {
		method, rest = "POST", fmt.Sprintf("\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(body))
	}
	if header != "" {
		rest = "\r\n" + header + rest
	}
	for {
		started := time.Now()
		if started.After(end) {
			return times, nil
		}
		request = append(append(request[:0], method...), " "+path+" HTTP/1.1\r\nHost: "...)
		request = append(append(append(request, hosts[rand.IntN(len(hosts))]...), rest...), body...)
		if _, err := c.Write(request); err != nil {
			return times, err
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return times, err
		}
		if _, err := in.Discard(int(resp.ContentLength)); err != nil {
			return times, err
		}
		if resp.StatusCode != http.StatusOK {
			return times, fmt.Errorf("answered %s", resp.Status)
		}
		times = append(times, time.Since(started))
	}
}

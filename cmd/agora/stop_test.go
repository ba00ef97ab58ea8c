package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/agora-host/agora/internal/siege"
	"github.com/agora-host/agora/sdk/client"
)

// load is clients that do not try again. What they cannot connect to they have not asked for.
type load struct {
	addr, host string
	ok         atomic.Int64
	mu         sync.Mutex
	failed     []string // guarded by mu
}

// run asks until ctx ends: on connections that are kept, or each time on a new one.
func (l *load) run(ctx context.Context, keep bool) {
	for ctx.Err() == nil {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", l.addr)
		if err != nil {
			time.Sleep(2 * time.Millisecond)
			continue
		}
		l.use(ctx, c, keep)
		c.Close()
	}
}

func (l *load) use(ctx context.Context, c net.Conn, keep bool) {
	in := bufio.NewReader(c)
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	for n := 0; ctx.Err() == nil; n++ {
		_, err := fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", l.host)
		var resp *http.Response
		if err == nil {
			resp, err = http.ReadResponse(in, nil)
		}
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
		}
		if err != nil || resp.StatusCode != http.StatusOK {
			l.mu.Lock()
			l.failed = append(l.failed, fmt.Sprintf("request %d on a connection, kept: %v: %v", n+1, keep, err))
			l.mu.Unlock()
			return
		}
		l.ok.Add(1)
		if resp.Close || !keep {
			return
		}
	}
}

// terminate is SIGTERM, and returns how the process ended.
func (p *process) terminate(t *testing.T) error {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	return p.cmd.Wait()
}

// freeAddr is an address that nothing listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestStopUnderLoad ends a node and starts it again, while clients ask it that do not try
// again. No request fails, and no stop does.
func TestStopUnderLoad(t *testing.T) {
	rounds := 2
	if n, err := strconv.Atoi(os.Getenv("AGORA_STOP_ROUNDS")); err == nil {
		rounds = n
	}
	dir, addr := t.TempDir(), freeAddr(t)
	p := launch(t, dir, "--listen", addr)
	app, err := url.Parse(upload(t, t.Context(), signIn(t, p), "here").URL)
	if err != nil {
		t.Fatal(err)
	}
	l := &load{addr: addr, host: app.Host}
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for i := range 16 {
		clients.Go(func() { l.run(ctx, i%2 == 0) })
	}
	for range rounds {
		before := l.ok.Load()
		for end := time.Now().Add(20 * time.Second); l.ok.Load() < before+200 && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond)
		}
		if err := p.terminate(t); err != nil {
			t.Errorf("the node ended with %v", err)
		}
		if l.ok.Load() < before+200 {
			t.Fatal("there was no load")
		}
		p = launch(t, dir, "--listen", addr)
	}
	stop()
	clients.Wait()
	t.Logf("%d requests, %d failed", l.ok.Load(), len(l.failed))
	if len(l.failed) > 0 {
		t.Errorf("%d requests failed, such as: %s", len(l.failed), strings.Join(l.failed[:min(5, len(l.failed))], "; "))
	}
	if err := p.terminate(t); err != nil {
		t.Errorf("the node ended with %v", err)
	}
}

// TestFewDescriptors: with 256 file descriptors, however many connections come, other clients
// are served, usage is stored, and the node stops well.
func TestFewDescriptors(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", `ulimit -n 256 && exec "$0" "$@"`, os.Args[0],
		"serve", "--listen", "127.0.0.1:0", "--data", dir, "--admin", "ada@example.com", "--flush-every", "100ms", "--audience", "public")
	cmd.Env = append(os.Environ(), "AGORA_TEST_AS_COMMAND=1")
	p, said := begin(t, cmd)
	if p == nil {
		t.Fatalf("the node did not start:\n%s", said)
	}
	api := signIn(t, p)
	app := upload(t, t.Context(), api, "here").URL
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var attacks []*siege.Attack
	for i := range 6 {
		target := siege.Target{Addr: p.addr, Host: "x", From: fmt.Sprintf("127.0.0.%d", 10+i)}
		attacks = append(attacks, target.Silent(ctx, 60), target.Unfinished(ctx, 60, 1000, 10, 0))
	}
	served := 0
	for range 20 {
		status, body, err := p.get(t.Context(), app)
		if err != nil || status != http.StatusOK {
			t.Errorf("%d %s %v", status, body, err)
			break
		}
		served++
	}
	var calls uint64
	for end := time.Now().Add(10 * time.Second); calls < uint64(served) && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		report, err := api.Usage(t.Context(), client.UsageQuery{App: "shop"})
		if err != nil {
			t.Fatal(err)
		}
		calls = report.Total.Calls
	}
	if calls != uint64(served) {
		t.Errorf("%d calls, and %d billed", served, calls)
	}
	stop()
	for _, a := range attacks {
		a.Wait()
	}
	if err := p.terminate(t); err != nil {
		t.Errorf("the node ended with %v", err)
	}
}

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agora-host/agora/sdk/client"
)

// process is a node in a process of its own, to be killed.
type process struct {
	cmd     *exec.Cmd
	console string
	addr    string
	link    string
}

func launch(t *testing.T, dir string, more ...string) *process {
	t.Helper()
	p, said := begin(t, serving(t, dir, more...))
	if p == nil {
		t.Fatalf("the node did not start:\n%s", said)
	}
	return p
}

// serving is the command that starts a node.
func serving(t *testing.T, dir string, more ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0], append([]string{"serve", "--listen", "127.0.0.1:0", "--data", dir, "--admin", "ada@example.com", "--admin-link", "--audience", "public"}, more...)...)
	cmd.Env = append(os.Environ(), "AGORA_TEST_AS_COMMAND=1")
	return cmd
}

// begin starts a node, and returns nil and what it said if it ended before it
// served.
func begin(t *testing.T, cmd *exec.Cmd) (*process, string) {
	t.Helper()
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd}
	lines := bufio.NewScanner(out)
	var said []string
	for p.link == "" && lines.Scan() {
		text := strings.TrimSpace(lines.Text())
		said = append(said, text)
		p.link = linkIn(text)
	}
	if p.link == "" {
		_ = cmd.Wait()
		return nil, strings.Join(said, "\n")
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	p.console, _, _ = strings.Cut(p.link, "/sign-in")
	p.addr = "127.0.0.1" + p.console[strings.LastIndex(p.console, ":"):]
	return p, ""
}

// kill is kill -9, and the end of it.
func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	_ = p.cmd.Wait()
}

// get asks an app's address, whatever name leads to it.
func (p *process) get(ctx context.Context, url string) (int, string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	c := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", p.addr)
	}}}
	resp, err := c.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

// calls counts what was asked of an app, and what came back.
type calls struct{ begun, answered atomic.Int64 }

func (c *calls) get(ctx context.Context, p *process, url string) (int, string, error) {
	c.begun.Add(1)
	status, body, err := p.get(ctx, url)
	if err == nil && status == http.StatusOK {
		c.answered.Add(1)
	}
	return status, body, err
}

// TestKill kills a node again and again while releases are uploaded, activated
// and called. Afterwards every release that is visible is whole and serves its
// own bytes, every upload and every route that was acknowledged is there, and
// every call that was answered is billed.
func TestKill(t *testing.T) {
	cycles := 8
	if testing.Short() {
		cycles = 3
	}
	dir := t.TempDir()
	ctx := t.Context()
	var called calls
	acknowledged := map[int]string{} // release number to the text it answers
	// A machine that is busy does little in a cycle, and gets more of them.
	for cycle := 0; cycle < cycles || len(acknowledged) < cycles && cycle < 4*cycles; cycle++ {
		p := launch(t, dir, "--keep-releases", "-1")
		api := signIn(t, p)
		if cycle > 0 {
			inspect(t, p, api, acknowledged, &called)
		}
		if cycle == 0 {
			acknowledged[upload(t, ctx, api, "release 0-0").Release.Number] = "release 0-0"
		}
		var mu sync.Mutex
		var work sync.WaitGroup
		work.Go(func() { // uploads, each of which activates itself
			for i := 1; ; i++ {
				text := fmt.Sprintf("release %d-%d", cycle, i)
				published, err := tryUpload(ctx, api, text)
				if err != nil {
					return
				}
				mu.Lock()
				acknowledged[published.Release.Number] = text
				mu.Unlock()
			}
		})
		work.Go(func() { // routes
			for n := 1; ; n++ {
				if _, err := api.Activate(ctx, "shop", n%3+1, "sandbox", ""); errors.Is(err, client.ErrUnreachable) {
					return
				}
			}
		})
		for range 3 { // calls
			work.Go(func() {
				for {
					if _, _, err := called.get(ctx, p, strings.Replace(p.console, "localhost", "shop.localhost", 1)+"/"); err != nil {
						return
					}
				}
			})
		}
		time.Sleep(time.Duration(50+rand.IntN(400)) * time.Millisecond)
		p.kill(t)
		work.Wait()
	}
	p := launch(t, dir, "--keep-releases", "-1")
	inspect(t, p, signIn(t, p), acknowledged, &called)
	if len(acknowledged) < cycles {
		t.Errorf("only %d uploads in %d cycles: the test did not do much", len(acknowledged), cycles)
	}
	t.Logf("%d cycles, %d releases, %d calls answered", cycles, len(acknowledged), called.answered.Load())
	p.kill(t)
}

func signIn(t *testing.T, p *process) *client.Client {
	t.Helper()
	anybody, err := client.New(p.console, "")
	if err != nil {
		t.Fatal(err)
	}
	_, api, err := anybody.SignIn(t.Context(), p.link)
	if err != nil {
		t.Fatal(err)
	}
	return api
}

const killManifest = "name = \"shop\"\nversion = \"1\"\nowner = \"ada@example.com\"\nteam = \"a\"\ncost_center = \"c\"\ndata_classification = \"internal\"\n"

func tryUpload(ctx context.Context, api *client.Client, text string) (client.Published, error) {
	module := says(text)
	bundle, err := sign(ctx, api, module, "")
	if err != nil {
		return client.Published{}, err
	}
	return api.Publish(ctx, []byte(killManifest), module, bundle, nil)
}

func upload(t *testing.T, ctx context.Context, api *client.Client, text string) client.Published {
	t.Helper()
	p, err := tryUpload(ctx, api, text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// inspect looks at everything after a kill.
func inspect(t *testing.T, p *process, api *client.Client, acknowledged map[int]string, calls *calls) {
	t.Helper()
	ctx := t.Context()
	report, err := api.Usage(ctx, client.UsageQuery{App: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	// A call may have been journaled whose answer the kill took away.
	if billed := int64(report.Total.Calls); billed < calls.answered.Load() || billed > calls.begun.Load() {
		t.Errorf("%d calls are billed, %d were answered and %d begun", billed, calls.answered.Load(), calls.begun.Load())
	}
	checks, err := api.Doctor(ctx)
	if err != nil {
		t.Fatal(err)
	}
	healthy(t, checks)
	releases, err := api.Releases(ctx, "shop")
	if err != nil {
		t.Fatal(err)
	}
	visible := map[int]bool{}
	for i, r := range releases {
		if r.Number != len(releases)-i {
			t.Errorf("release %d stands where %d should: the numbers have a gap", r.Number, len(releases)-i)
		}
		visible[r.Number] = true
		status, body, err := calls.get(ctx, p, r.PreviewURL)
		if err != nil || status != http.StatusOK || !strings.HasPrefix(body, "release ") {
			t.Errorf("release %d is visible and answers %d %q, %v", r.Number, status, body, err)
		}
		if want := acknowledged[r.Number]; want != "" && body != want {
			t.Errorf("release %d answers %q, want %q", r.Number, body, want)
		}
	}
	for n := range acknowledged {
		if !visible[n] {
			t.Errorf("release %d was acknowledged and is gone", n)
		}
	}
}

// healthy fails if the doctor found damage. That a node was killed again and again is what these tests do.
func healthy(t testing.TB, checks []client.Check) {
	t.Helper()
	for _, c := range checks {
		if !c.OK && c.Name != "starts" {
			t.Errorf("doctor: %s: %s %v", c.Name, c.Detail, c.Damage)
		}
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/sdk/client"
)

// post sends a form to an app's address, whatever name leads to it.
func (p *process) post(ctx context.Context, address string, form url.Values) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	c := http.Client{
		Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", p.addr)
		}},
	}
	resp, err := c.Do(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// TestKillTriggers kills a node again and again while an app publishes events,
// which it receives itself, and while its cron trigger runs. Afterwards every note
// that was acknowledged has arrived, each once, since the app keeps it under the
// event's id; every run that was acknowledged is done; and nothing is left over.
func TestKillTriggers(t *testing.T) {
	cycles := 6
	if testing.Short() {
		cycles = 2
	}
	dir, ctx := t.TempDir(), t.Context()
	module := filepath.Join(t.TempDir(), "relay.wasm")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-buildmode=c-shared", "-o", module, "../../examples/relay")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// Rules that grant by themselves what this app asks for.
	rules, err := os.ReadFile("../../approvals/rego/rules/data.json")
	if err != nil {
		t.Fatal(err)
	}
	policy := t.TempDir()
	if err := os.WriteFile(filepath.Join(policy, "data.json"), []byte(strings.Replace(string(rules), `"capabilities": [`, `"capabilities": ["kv", "events", `, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	const shown = 1000 // notes that the app shows on its page
	var sent []string  // acknowledged
	runs := 0
	app := func(p *process) string { return strings.Replace(p.console, "localhost", "relay.localhost", 1) }
	// A machine that is busy does little in a cycle, and gets more of them.
	for cycle := 0; cycle < cycles || (len(sent) < cycles || runs == 0) && cycle < 4*cycles; cycle++ {
		p := launch(t, dir, "--policy", policy)
		api := signIn(t, p)
		if cycle == 0 {
			publishRelay(t, ctx, api, module)
		}
		timer := time.AfterFunc(time.Duration(300+rand.IntN(700))*time.Millisecond, func() { _ = p.cmd.Process.Kill() })
		for n := 0; ; n++ {
			if n < shown/(cycles+1) {
				note := fmt.Sprintf("note %d-%d.", cycle, n)
				status, err := p.post(ctx, app(p)+"/notes", url.Values{"text": {note}})
				if err != nil {
					break
				}
				if status != http.StatusSeeOther {
					t.Fatalf("a note was answered %d", status)
				}
				sent = append(sent, note)
			}
			if _, err := api.RunTrigger(ctx, "relay", "digest"); err == nil {
				runs++
			} else if errors.Is(err, client.ErrUnreachable) {
				break
			}
		}
		timer.Stop()
		p.kill(t)
	}
	p := launch(t, dir, "--policy", policy)
	defer p.kill(t)
	api := signIn(t, p)
	var status []client.Trigger
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if status, err = api.Triggers(ctx, "relay"); err != nil {
			t.Fatal(err)
		}
		left := 0
		for _, s := range status {
			left += s.Queued + s.Running + s.Dead
		}
		if left == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("left over: %+v", status)
		}
	}
	code, notes, err := p.get(ctx, app(p)+"/all")
	if err != nil || code != http.StatusOK {
		t.Fatalf("%d, %v", code, err)
	}
	for _, note := range sent {
		if n := strings.Count(notes, note); n != 1 {
			t.Errorf("%q was acknowledged and is kept %d times", note, n)
		}
	}
	for _, s := range status {
		if s.Name == "digest" && int(s.Done) < runs {
			t.Errorf("%d runs were acknowledged, and %d are done", runs, s.Done)
		}
	}
	if len(sent) < cycles || runs == 0 {
		t.Errorf("only %d notes and %d runs: the test did not do much", len(sent), runs)
	}
	t.Logf("%d cycles, %d notes, %d runs", cycles, len(sent), runs)
}

func publishRelay(t *testing.T, ctx context.Context, api *client.Client, path string) {
	t.Helper()
	module, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../examples/relay/agora.toml")
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := sign(ctx, api, module, "")
	if err != nil {
		t.Fatal(err)
	}
	published, err := api.Publish(ctx, []byte(strings.Replace(string(text), "examples@agora.local", "ada@example.com", 1)), module, bundle, nil)
	if err != nil || !published.Active {
		t.Fatalf("%+v, %v", published, err)
	}
}

package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// hookRequest is a webhook as its sender signed it, to be sent again as it is.
type hookRequest struct{ path, body, signature string }

const hookSecret = "a secret of two services"

func signedHook(path string, n int) hookRequest {
	at, body := strconv.FormatInt(time.Now().Unix(), 10), fmt.Sprintf(`{"n": %d}`, n)
	m := hmac.New(sha256.New, []byte(hookSecret))
	fmt.Fprintf(m, "%s.%s", at, body)
	return hookRequest{path, body, "t=" + at + ",v1=" + hex.EncodeToString(m.Sum(nil))}
}

// hooks sends webhooks to the app over connections that it keeps.
func (p *process) hooks() (send func(context.Context, hookRequest) (int, string, error), close func()) {
	c := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", p.addr)
	}}}
	return func(ctx context.Context, q hookRequest) (int, string, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.Replace(p.console, "localhost", "shop.localhost", 1)+q.path, strings.NewReader(q.body))
		if err != nil {
			return 0, "", err
		}
		r.Header.Set("Stripe-Signature", q.signature)
		resp, err := c.Do(r)
		if err != nil {
			return 0, "", err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body), err
	}, c.CloseIdleConnections
}

// TestKillReplays kills a node again and again while it takes signed webhooks, and
// then sends all of them once more, as they were. What was acknowledged is not
// delivered again; what was not is delivered now; and those that are queued are
// delivered once in all.
func TestKillReplays(t *testing.T) {
	cycles := 4
	if testing.Short() {
		cycles = 2
	}
	dir, ctx := t.TempDir(), t.Context()
	var sent []hookRequest
	var mu sync.Mutex
	acknowledged := map[hookRequest]bool{}
	replay := func(p *process) {
		t.Helper()
		send, end := p.hooks()
		defer end()
		for _, q := range sent {
			status, body, err := send(ctx, q)
			fresh := status == http.StatusAccepted || body == "ok"
			if err != nil || status > 299 || acknowledged[q] && fresh {
				t.Fatalf("%s %s, acknowledged %v, was sent again and answered %d %q, %v", q.path, q.body, acknowledged[q], status, body, err)
			}
			acknowledged[q] = true
		}
	}
	for cycle := range cycles {
		p := launch(t, dir)
		if cycle == 0 {
			publishHooks(t, ctx, p)
		}
		replay(p)
		timer := time.AfterFunc(time.Duration(200+rand.IntN(600))*time.Millisecond, func() { _ = p.cmd.Process.Kill() })
		var senders sync.WaitGroup
		for sender := range 4 {
			senders.Go(func() {
				send, end := p.hooks()
				defer end()
				for n := 0; ; n++ {
					q := signedHook([]string{"/call", "/queue"}[sender%2], cycle*1_000_000+sender*100_000+n)
					mu.Lock()
					sent = append(sent, q)
					mu.Unlock()
					status, _, err := send(ctx, q)
					if err != nil {
						return
					}
					if status > 299 {
						t.Errorf("%s was answered %d", q.path, status)
						return
					}
					mu.Lock()
					acknowledged[q] = true
					mu.Unlock()
				}
			})
		}
		senders.Wait()
		timer.Stop()
		p.kill(t)
	}
	p := launch(t, dir)
	defer p.kill(t)
	replay(p)
	replay(p)
	queued := 0
	for _, q := range sent {
		if q.path == "/queue" {
			queued++
		}
	}
	api := signIn(t, p)
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		all, err := api.Triggers(ctx, "shop")
		if err != nil {
			t.Fatal(err)
		}
		done, left := 0, 0
		for _, tr := range all {
			left += tr.Queued + tr.Running
			if tr.Name == "queue" {
				done = int(tr.Done)
			}
		}
		if left == 0 && done == queued {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d were queued, %d are done, %d are left", queued, done, left)
		}
	}
	if queued < 2*cycles || len(sent)-queued < 2*cycles {
		t.Errorf("only %d webhooks: the test did not do much", len(sent))
	}
	t.Logf("%d cycles, %d webhooks, %d of them queued", cycles, len(sent), queued)
}

func publishHooks(t *testing.T, ctx context.Context, p *process) {
	t.Helper()
	api := signIn(t, p)
	module := says("ok")
	bundle, err := sign(ctx, api, module, "")
	if err != nil {
		t.Fatal(err)
	}
	manifest := killManifest
	for _, deliver := range []string{"call", "queue"} {
		manifest += fmt.Sprintf("[[triggers.webhook]]\nname = %q\npath = \"/%s\"\nverify = \"stripe\"\nsecret = \"hook\"\ndeliver = %q\n", deliver, deliver, deliver)
	}
	if _, err := api.Publish(ctx, []byte(manifest), module, bundle, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := api.SetSecret(ctx, "shop", "hook", []byte(hookSecret)); err != nil {
		t.Fatal(err)
	}
}

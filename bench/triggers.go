package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/node"
)

const (
	cronApps   = 16
	cronsEach  = 64
	queued     = 10_000
	hookSecret = "a secret of the benchmark"
)

// benchTriggers tells what 1,024 cron entries and 10,000 queued webhooks cost while
// nothing runs, and how fast the queue drains beside plain requests of the same app.
func benchTriggers(ctx context.Context, span time.Duration) error {
	n, err := startTriggerNode(ctx)
	if err != nil {
		return err
	}
	defer n.close(ctx)
	for i := range cronApps {
		if _, err := n.publishWith(ctx, fmt.Sprintf("cron%d", i), "", minimal(answer)); err != nil {
			return err
		}
	}
	goroutines, heap := standing()
	for i := range cronApps {
		var crons strings.Builder
		for j := range cronsEach {
			fmt.Fprintf(&crons, "[[triggers.cron]]\nname = \"c%d\"\nschedule = \"%d 3 1 1 *\"\npath = \"/\"\n", j, j%60)
		}
		if _, err := n.publishWith(ctx, fmt.Sprintf("cron%d", i), crons.String(), minimal(answer)); err != nil {
			return err
		}
	}
	g, h := standing()
	fmt.Printf("\nTriggers\n\n| what stands idle | goroutines more | heap more | each |\n|---|---:|---:|---:|\n")
	fmt.Printf("| %d cron entries | %d | %d KiB | %d B |\n", cronApps*cronsEach, g-goroutines, (h-heap)>>10, (h-heap)/(cronApps*cronsEach))
	return n.benchQueue(ctx, span)
}

// benchQueue fills a queue while its trigger is paused, and then drains it.
func (n *benchNode) benchQueue(ctx context.Context, span time.Duration) error {
	address, err := n.publishWith(ctx, "sink", "[[triggers.webhook]]\nname = \"in\"\npath = \"/in\"\nverify = \"hmac-sha256\"\nsecret = \"in\"\ndeliver = \"queue\"\n", minimal(answer))
	if err != nil {
		return err
	}
	if _, err := n.api.SetSecret(ctx, "sink", "in", []byte(hookSecret)); err != nil {
		return err
	}
	plain, err := drive(n.Addr().String(), []string{address}, "/", nil, span)
	if err != nil {
		return err
	}
	if _, err := n.api.PauseTrigger(ctx, "sink", abi.TriggerWebhook, "in", true, "filling"); err != nil {
		return err
	}
	goroutines, heap := standing()
	began := time.Now()
	if err := fill(ctx, n, address+"/in", signPlain, http.StatusAccepted); err != nil {
		return err
	}
	accepted := time.Since(began)
	g, h := standing()
	fmt.Printf("| %d queued webhooks | %d | %d KiB | %d B |\n", queued, g-goroutines, (h-heap)>>10, (h-heap)/queued)
	began = time.Now()
	if _, err := n.api.PauseTrigger(ctx, "sink", abi.TriggerWebhook, "in", false, ""); err != nil {
		return err
	}
	most := 0
	for left := queued; left > 0; time.Sleep(20 * time.Millisecond) {
		all, err := n.api.Triggers(ctx, "sink")
		if err != nil {
			return err
		}
		left = all[0].Queued + all[0].Running
		most = max(most, all[0].Running)
	}
	drained := time.Since(began)
	rate := func(d time.Duration) float64 { return queued / d.Seconds() }
	fmt.Printf("\n| of one app | per second | ratio |\n|---|---:|---:|\n| plain requests, %d connections | %.0f | 1 |\n", clients, plain.perSecond)
	fmt.Printf("| webhooks verified and queued, durable, %d connections | %.0f | %.2f |\n", clients, rate(accepted), rate(accepted)/plain.perSecond)
	fmt.Printf("| deliveries drained, each durable before and after, at most %d at once | %.0f | %.2f |\n", most, rate(drained), rate(drained)/plain.perSecond)
	return n.benchCopies(ctx, plain.perSecond)
}

// benchCopies tells what it costs to remember which webhooks were let through,
// beside a scheme that cannot tell.
func (n *benchNode) benchCopies(ctx context.Context, baseline float64) error {
	var tables strings.Builder
	for _, scheme := range []string{"hmac-sha256", "stripe"} {
		for _, deliver := range []string{"call", "queue"} {
			fmt.Fprintf(&tables, "[[triggers.webhook]]\nname = \"%s-%s\"\npath = \"/%s/%s\"\nverify = %q\nsecret = \"in\"\ndeliver = %q\n", scheme, deliver, scheme, deliver, scheme, deliver)
		}
	}
	address, err := n.publishWith(ctx, "copies", tables.String(), minimal(answer))
	if err != nil {
		return err
	}
	if _, err := n.api.SetSecret(ctx, "copies", "in", []byte(hookSecret)); err != nil {
		return err
	}
	for _, c := range []struct {
		what, path string
		sign       signer
		status     int
	}{
		{"webhooks that call the app, copies not told", "/hmac-sha256/call", signPlain, http.StatusOK},
		{"webhooks that call the app, remembered, durable", "/stripe/call", signTimed, http.StatusOK},
		{"webhooks queued while others are delivered, copies not told", "/hmac-sha256/queue", signPlain, http.StatusAccepted},
		{"webhooks queued while others are delivered, remembered in the same commit", "/stripe/queue", signTimed, http.StatusAccepted},
	} {
		began := time.Now()
		if err := fill(ctx, n, address+c.path, c.sign, c.status); err != nil {
			return err
		}
		perSecond := queued / time.Since(began).Seconds()
		fmt.Printf("| %s, %d connections | %.0f | %.2f |\n", c.what, clients, perSecond, perSecond/baseline)
		for left := 1; left > 0; time.Sleep(20 * time.Millisecond) {
			all, err := n.api.Triggers(ctx, "copies")
			if err != nil {
				return err
			}
			left = 0
			for _, t := range all {
				left += t.Queued + t.Running
			}
		}
	}
	return nil
}

// signer signs a body as a service does.
type signer func(h http.Header, body string)

func signPlain(h http.Header, body string) { h.Set("X-Signature", hookMAC(body)) }

func signTimed(h http.Header, body string) {
	at := strconv.FormatInt(time.Now().Unix(), 10)
	h.Set("Stripe-Signature", "t="+at+",v1="+hookMAC(at+"."+body))
}

func hookMAC(text string) string {
	m := hmac.New(sha256.New, []byte(hookSecret))
	m.Write([]byte(text))
	return hex.EncodeToString(m.Sum(nil))
}

// publishWith is publish, with more tables in the manifest.
func (n *benchNode) publishWith(ctx context.Context, name, tables string, module []byte) (string, error) {
	return n.upload(ctx, fmt.Sprintf("name = %q\nversion = \"1\"\nowner = %q\nteam = \"a\"\ncost_center = \"c\"\ndata_classification = \"internal\"\n[limits]\nconcurrency = 32\n%s", name, owner, tables), module)
}

// fill sends webhooks over a few connections.
func fill(ctx context.Context, n *benchNode, address string, sign signer, status int) error {
	c := http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", n.Addr().String())
	}}}
	defer c.CloseIdleConnections()
	var next atomic.Int64
	var mu sync.Mutex
	var errs error
	var work sync.WaitGroup
	for range clients {
		work.Go(func() {
			for i := next.Add(1); i <= queued; i = next.Add(1) {
				if err := hook(ctx, &c, address, fmt.Sprintf(`{"order": %d, "filler": "%s"}`, i, strings.Repeat("x", 400)), sign, status); err != nil {
					mu.Lock()
					errs = errors.Join(errs, err)
					mu.Unlock()
					return
				}
			}
		})
	}
	work.Wait()
	return errs
}

func hook(ctx context.Context, c *http.Client, address, body string, sign signer, status int) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address, strings.NewReader(body))
	if err != nil {
		return err
	}
	sign(r.Header, body)
	resp, err := c.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != status {
		return fmt.Errorf("a webhook was answered %d, %w", resp.StatusCode, err)
	}
	return nil
}

// standing is what there is while nothing happens.
func standing() (goroutines, heap int) {
	time.Sleep(300 * time.Millisecond)
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return runtime.NumGoroutine(), int(m.HeapAlloc)
}

// startTriggerNode is a node whose sandbox has as many triggers as production.
func startTriggerNode(ctx context.Context) (*benchNode, error) {
	dir, err := os.MkdirTemp("", "agora-bench")
	if err != nil {
		return nil, err
	}
	rules, err := os.ReadFile("../approvals/rego/rules/data.json")
	if err != nil {
		return nil, err
	}
	policy := filepath.Join(dir, "policy")
	if err := errors.Join(os.MkdirAll(policy, 0o700), os.WriteFile(filepath.Join(policy, "data.json"), []byte(strings.Replace(string(rules), `"crons": 5`, `"crons": 64`, 1)), 0o600)); err != nil {
		return nil, err
	}
	return startNodeIn(ctx, dir, node.Options{DataDir: filepath.Join(dir, "data"), Listen: "127.0.0.1:0", Audience: "public", PolicyDir: policy})
}

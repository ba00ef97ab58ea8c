package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/sdk/client"
)

// relays are the apps through which data is written.
var relays = map[string]wasmtest.Relay{"keys": {Capability: "kv"}, "files": {Capability: "blob", Pages: 48}, "vault": {Capability: "secret"}}

func publishRelays(t *testing.T, p *process, ada *client.Client) {
	t.Helper()
	ctx := t.Context()
	if _, err := ada.PutUser(ctx, "rex@example.com", []string{"reviewer"}, false); err != nil {
		t.Fatal(err)
	}
	link, err := ada.Invite(ctx, "rex@example.com")
	if err != nil {
		t.Fatal(err)
	}
	anybody, err := client.New(p.console, "")
	if err != nil {
		t.Fatal(err)
	}
	_, rex, err := anybody.SignIn(ctx, link)
	if err != nil {
		t.Fatal(err)
	}
	for name, relay := range relays {
		text := strings.Replace(killManifest, "shop", name, 1) + "[capabilities." + relay.Capability + "]\n"
		if relay.Capability == "secret" {
			text += "names = [\"token\"]\n"
		}
		module := relay.Bytes()
		bundle, err := sign(ctx, ada, module, "")
		if err != nil {
			t.Fatal(err)
		}
		published, err := ada.Publish(ctx, []byte(text), module, bundle, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range published.Requests {
			if _, err := rex.Decide(ctx, q.ID, true, ""); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// relayed makes one call of a capability through a relay.
func (p *process) relayed(ctx context.Context, app, fn string, in []byte) ([]byte, abi.Errno, error) {
	relay := relays[app]
	url := strings.Replace(p.console, "localhost", app+".localhost", 1) + "/"
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(relay.Request(wasmtest.RelayCall{Func: fn, In: in})))
	if err != nil {
		return nil, 0, err
	}
	c := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", p.addr)
	}}}
	resp, err := c.Do(r)
	if err != nil {
		return nil, 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, 0, fmt.Errorf("%d %s %w", resp.StatusCode, body, err)
	}
	out, errno, _ := relay.Answer(body)
	return out, errno, nil
}

// written is what one writer was told: values only grow, and one that was begun
// may be there though no one was told.
type written struct{ acknowledged, begun int }

// TestKillData kills a node again and again while apps write entries, files and
// secrets. What was acknowledged is there afterwards, whole, and the counts of the
// quotas are right.
func TestKillData(t *testing.T) {
	cycles := 5
	if testing.Short() {
		cycles = 2
	}
	dir := t.TempDir()
	ctx := t.Context()
	var mu sync.Mutex
	told := map[string]*written{} // by app and writer
	total := 0
	for cycle := range cycles {
		p := launch(t, dir)
		api := signIn(t, p)
		if cycle == 0 {
			publishRelays(t, p, api)
		}
		checkData(t, p, api, told)
		var work sync.WaitGroup
		writer := func(app, name string, write func(value int) error) {
			mu.Lock()
			w := told[app+" "+name]
			if w == nil {
				w = &written{}
				told[app+" "+name] = w
			}
			mu.Unlock()
			work.Go(func() {
				for {
					w.begun++
					if write(w.begun) != nil {
						return
					}
					w.acknowledged = w.begun
				}
			})
		}
		refused := func(errno abi.Errno, err error) error {
			if err == nil && errno != 0 {
				t.Errorf("refused: %v", errno)
				return errno
			}
			return err
		}
		for _, name := range []string{"a", "b"} {
			writer("keys", name, func(n int) error {
				_, errno, err := p.relayed(ctx, "keys", "set", abi.AppendKVSet(nil, name, content(n)))
				return refused(errno, err)
			})
			writer("files", name, func(n int) error {
				_, errno, err := p.relayed(ctx, "files", "put", abi.AppendBlobPut(nil, name, content(n)))
				return refused(errno, err)
			})
		}
		writer("vault", "token", func(n int) error {
			_, err := api.SetSecret(ctx, "vault", "token", content(n)[:100])
			return err
		})
		time.Sleep(time.Duration(100+rand.IntN(400)) * time.Millisecond)
		p.kill(t)
		work.Wait()
	}
	p := launch(t, dir)
	checkData(t, p, signIn(t, p), told)
	for name, w := range told {
		if w.acknowledged == 0 {
			t.Errorf("%s wrote nothing", name)
		}
		total += w.acknowledged
	}
	t.Logf("%d cycles, %d writes acknowledged", cycles, total)
	p.kill(t)
}

// content is a value that says which one it is, and is of a size of its own.
func content(n int) []byte {
	return append(fmt.Appendf(nil, "%08d", n), bytes.Repeat([]byte{byte(n)}, 100+n*7919%100_000)...)
}

func checkData(t *testing.T, p *process, api *client.Client, told map[string]*written) {
	t.Helper()
	for key, w := range told {
		app, name, _ := strings.Cut(key, " ")
		fn, in := "get", []byte(name)
		if app == "files" {
			in = abi.AppendBlobGet(nil, name, 0, abi.MaxBlob)
		}
		out, errno, err := p.relayed(t.Context(), app, fn, in)
		if err != nil {
			t.Fatal(err)
		}
		if errno == abi.ErrnoNotFound && w.acknowledged == 0 {
			continue
		}
		n := 0
		if _, err := fmt.Sscanf(string(out[:min(8, len(out))]), "%d", &n); err != nil || n < w.acknowledged || n > w.begun {
			t.Errorf("%s is %.8q (%v), acknowledged were %d of %d", key, out, errno, w.acknowledged, w.begun)
			continue
		}
		want := content(n)
		if app == "vault" {
			want = want[:100]
		}
		if !bytes.Equal(out, want) {
			t.Errorf("%s is not whole: %d bytes, want %d", key, len(out), len(want))
		}
		w.begun = max(n, w.acknowledged) // what was begun beyond that is gone for good
		w.acknowledged = n
	}
	checks, err := api.Doctor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	healthy(t, checks)
}

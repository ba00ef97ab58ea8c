package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/host/engine"
	"github.com/agora-host/agora/sdk/client"
)

// callers are the apps that write: a sandbox serves 32 requests of one at once.
var callers = []string{"calls-one", "calls-two"}

// benchCalls measures the way from a guest to its capabilities: the frame in and
// out, a call that does nothing, reads and durable writes of kv, each beside the
// same without a guest.
func benchCalls(ctx context.Context, span time.Duration) error {
	fmt.Println("\nCalls: from a guest to the node and back. What it is compared with runs in turns with it.")
	if err := benchHostCall(ctx); err != nil {
		return err
	}
	n, err := startNode(ctx)
	if err != nil {
		return err
	}
	defer n.close(ctx)
	relay := wasmtest.Relay{Capability: "kv"}
	for _, name := range callers {
		if err := n.publishGranted(ctx, name, relay.Bytes()); err != nil {
			return err
		}
	}
	set := relay.Request(wasmtest.RelayCall{Func: "set", In: abi.AppendKVSet(nil, "ok", make([]byte, 100))})
	if err := benchSets(n, set, span); err != nil {
		return err
	}
	return benchGets(ctx, n)
}

// loopOf is an app that runs code n times.
func loopOf(n int64, code []byte) wasmtest.App {
	const counter = 1
	constant := func(n int64) []byte { return wasm.AppendS64([]byte{wasm.OpI32Const}, n) }
	return wasmtest.App{KV: true, Code: bytes.Join([][]byte{
		constant(n), {wasm.OpLocalSet, counter, wasm.OpLoop, wasm.BlockEmpty},
		code, {wasm.OpLocalGet, counter, wasm.OpI32Const, 1, wasm.OpI32Sub, wasm.OpLocalTee, counter, wasm.OpBrIf, 0, wasm.OpEnd},
	}, nil)}
}

// get is code that reads the key "ok", which is the end of the app's response, into
// a buffer.
func get() []byte {
	frame := abi.AppendResponse(nil, &abi.Response{Status: 200, Header: []abi.Field{{Name: "Content-Type", Value: "text/plain"}}, Body: []byte("ok")})
	constant := func(n int64) []byte { return wasm.AppendS64([]byte{wasm.OpI32Const}, n) }
	return bytes.Join([][]byte{constant(wasmtest.ResponseAt + int64(len(frame)) - 2), constant(2), constant(20000), constant(1000), {wasm.OpCall, 0, wasm.OpDrop}}, nil)
}

func benchHostCall(ctx context.Context) error {
	const calls, rounds = 10_000, 40
	e, _, remove, err := newEngine()
	if err != nil {
		return err
	}
	defer remove()
	links := map[string]abi.Link{"kv": {"get": func(context.Context, []byte) ([]byte, abi.Errno) { return nil, abi.ErrnoOK }}}
	idle := bytes.Repeat([]byte{wasm.OpI32Const, 0, wasm.OpDrop}, 4)
	l := roomy
	l.Fuel, l.Timeout = 1<<40, time.Minute
	ways := []struct {
		module []byte
		calls  int
		times  []time.Duration
	}{{module: loopOf(calls, get()).Bytes()}, {module: loopOf(calls, idle).Bytes()}, {module: loopOf(1, idle).Bytes()}}
	programs := make([]*engine.Program, len(ways))
	for i, w := range ways {
		if programs[i], err = e.Load(ctx, w.module, abi.InterfaceV1, l); err != nil {
			return err
		}
		defer programs[i].Close(ctx)
	}
	request := &abi.Request{Method: "GET", Path: "/", Host: "calls.localhost", Header: []abi.Field{{Name: "Accept", Value: "*/*"}}}
	for range rounds {
		for i := range ways {
			times := 1
			if i == 2 { // too short for one
				times = 1000
			}
			began := time.Now()
			for range times {
				if _, err := programs[i].Invoke(ctx, engine.Call{ID: "x", Request: request, Links: links}); err != nil {
					return err
				}
			}
			ways[i].times = append(ways[i].times, time.Since(began)/time.Duration(times))
		}
	}
	call, loop, whole := median(ways[0].times), median(ways[1].times), median(ways[2].times)
	fmt.Println("\n| | |\n|---|---:|")
	fmt.Printf("| a host call that does nothing (goal 150 ns) | %.0f ns |\n", float64(call-loop)/calls)
	fmt.Printf("| a turn of the same loop without it | %.1f ns |\n", float64(loop)/calls)
	fmt.Printf("| a whole invocation that does nothing: frame in, two calls, frame out, memory put back (goal 500 ns) | %.0f ns |\n", float64(whole))
	return nil
}

// publishGranted publishes an app that asks for kv, and has a reviewer grant it.
func (n *benchNode) publishGranted(ctx context.Context, name string, module []byte) error {
	if _, err := n.publish(ctx, name, module); err != nil {
		return err
	}
	token, err := n.People.TokenFor(ctx, "reviewer@example.com", "bench", time.Hour, access.RoleReviewer)
	if err != nil {
		return err
	}
	reviewer, err := client.New(n.ConsoleURL(), token)
	if err != nil {
		return err
	}
	waiting, err := reviewer.Requests(ctx, "open", name)
	for _, q := range waiting {
		_, decideErr := reviewer.Decide(ctx, q.ID, true, "")
		err = errors.Join(err, decideErr)
	}
	return err
}

// benchSets writes one entry in each request, through the whole node.
func benchSets(n *benchNode, body []byte, span time.Duration) error {
	fmt.Println("\n| durable sets of 100 bytes, each its own request over HTTP | at once | sets/s | bbolt Update alone | ratio |\n|---|---:|---:|---:|---:|")
	for _, at := range []int{1, 8, 64} {
		alone, err := boltUpdates(at, span)
		if err != nil {
			return err
		}
		through, err := n.posts(body, at, span)
		if err != nil {
			return err
		}
		fmt.Printf("| | %d | %.0f | %.0f | %.1f |\n", at, through, alone, through/alone)
	}
	return nil
}

// posts sends the same request again and again from so many connections, and
// returns how many a second.
func (n *benchNode) posts(body []byte, at int, span time.Duration) (float64, error) {
	transport := &http.Transport{MaxIdleConnsPerHost: at, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", n.Addr().String())
	}}
	defer transport.CloseIdleConnections()
	c := http.Client{Transport: transport}
	return atOnce(at, span, func(w int) error {
		resp, err := c.Post(n.AppURL(callers[w%len(callers)]), "application/octet-stream", bytes.NewReader(body))
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		answer, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != 200 || len(answer) < 8 || answer[7] != 0 {
			return fmt.Errorf("%d %q %w", resp.StatusCode, answer, err)
		}
		return nil
	})
}

// atOnce runs do from so many goroutines until the span is over, and returns how
// often a second it did.
func atOnce(at int, span time.Duration, do func(worker int) error) (float64, error) {
	var work sync.WaitGroup
	counts, errs := make([]int, at), make([]error, at)
	began := time.Now()
	for w := range at {
		work.Go(func() {
			for time.Since(began) < span && errs[w] == nil {
				if errs[w] = do(w); errs[w] == nil {
					counts[w]++
				}
			}
		})
	}
	work.Wait()
	total := 0
	for _, n := range counts {
		total += n
	}
	return float64(total) / time.Since(began).Seconds(), errors.Join(errs...)
}

func openBolt() (db *bolt.DB, remove func(), err error) {
	dir, err := os.MkdirTemp("", "agora-bench")
	if err != nil {
		return nil, nil, err
	}
	db, err = bolt.Open(filepath.Join(dir, "db"), 0o600, &bolt.Options{FreelistType: bolt.FreelistMapType})
	if err != nil {
		return nil, nil, err
	}
	return db, func() { _ = db.Close(); _ = os.RemoveAll(dir) }, db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucket([]byte("b"))
		if err != nil {
			return err
		}
		return b.Put([]byte("ok"), make([]byte, 100))
	})
}

func boltUpdates(at int, span time.Duration) (float64, error) {
	db, remove, err := openBolt()
	if err != nil {
		return 0, err
	}
	defer remove()
	return atOnce(at, span, func(w int) error {
		return db.Update(func(tx *bolt.Tx) error {
			return tx.Bucket([]byte("b")).Put(fmt.Appendf(nil, "k%d", w), make([]byte, 100))
		})
	})
}

// benchGets reads an entry many times in one request.
func benchGets(ctx context.Context, n *benchNode) error {
	const calls, rounds = 10_000, 15
	if err := n.publishGranted(ctx, callers[0], loopOf(calls, get()).Bytes()); err != nil {
		return err
	}
	db, remove, err := openBolt()
	if err != nil {
		return err
	}
	defer remove()
	var guest, alone []time.Duration
	for range rounds {
		r, err := n.api.Invoke(ctx, callers[0], client.Call{})
		if err != nil || strings.TrimSpace(string(r.Body)) != "ok" {
			return fmt.Errorf("%q: %w", r.Body, err)
		}
		guest = append(guest, time.Duration(r.GuestMicros+r.HostMicros)*time.Microsecond)
		began := time.Now()
		for range calls {
			var value []byte
			err := db.View(func(tx *bolt.Tx) error {
				value = bytes.Clone(tx.Bucket([]byte("b")).Get([]byte("ok")))
				return nil
			})
			if err != nil || len(value) != 100 {
				return fmt.Errorf("%d bytes: %w", len(value), err)
			}
		}
		alone = append(alone, time.Since(began))
	}
	a, b := float64(median(guest))/calls, float64(median(alone))/calls
	fmt.Println("\n| reads of 100 bytes | from a guest | bbolt View and a copy | ratio (goal 2) |\n|---|---:|---:|---:|")
	fmt.Printf("| | %.0f ns | %.0f ns | %.2f |\n", a, b, a/b)
	return nil
}

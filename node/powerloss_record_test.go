//go:build linux && !race

package node_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/host/gateway"
	"github.com/agora-host/agora/internal/crashdisk"
	"github.com/agora-host/agora/internal/strace"
	"github.com/agora-host/agora/registry/sigstore"
	"github.com/agora-host/agora/sdk/client"
)

// told is what one response said.
type told struct {
	line line // that it was the n-th answer of
	step int  // of the record, at which it began to be sent in whole; -1: never

	call    string // an invocation's id, if it has to outlive the loss of power
	writer  string // "keys a": that its value is n
	value   int
	event   string // an event's id
	release int    // of shop, which serves it
}

// line is a client's connection, and which of its responses.
type line struct{ life, port, answer int }

// record is what a node did in its lives, and what its clients were told.
type record struct {
	t     *testing.T
	dir   string
	lives [][]strace.Event

	mu    sync.Mutex
	lines map[net.Conn]*line
	told  []*told
	begun map[string]int // by writer: the last value that was sent
}

// note has a request note which answer will be its. Every request is to: answers
// are counted by connection.
func (r *record) note(ctx context.Context, to *told) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
		r.mu.Lock()
		defer r.mu.Unlock()
		l := r.lines[got.Conn]
		if l == nil {
			l = &line{len(r.lives), got.Conn.LocalAddr().(*net.TCPAddr).Port, -1}
			r.lines[got.Conn] = l
		}
		l.answer++
		to.line = *l
	}})
}

func (r *record) add(to *told) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = append(r.told, to)
}

// next is the next value of a writer.
func (r *record) next(writer string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begun[writer]++
	return r.begun[writer]
}

// recordNode runs a node twice under load: it is killed, recovers and ends in
// good order.
func recordNode(t *testing.T) *record {
	t.Helper()
	parent, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := &record{t: t, dir: filepath.Join(parent, "data"), lines: map[net.Conn]*line{}, begun: map[string]int{}}
	r.live(1200*time.Millisecond, r.publishApps, kill9)
	r.live(500*time.Millisecond, func(*process) {}, func(p *process) error { return p.cmd.Process.Signal(syscall.SIGTERM) })
	return r
}

func (r *record) live(long time.Duration, first func(*process), end func(*process) error) {
	r.t.Helper()
	cmd := command(r.t, r.dir)
	recording, err := strace.Record(cmd)
	if err != nil {
		r.t.Fatal(err)
	}
	p := startProcess(r.t, cmd)
	recording.Started()
	first(p)
	r.load(p, long)
	if err := end(p); err != nil {
		r.t.Fatal(err)
	}
	_ = cmd.Wait()
	events, err := recording.Events()
	if err != nil {
		r.t.Fatal(err)
	}
	if len(events) == 0 || r.t.Failed() {
		r.t.Fatalf("%d events were recorded; the node said:\n%s", len(events), p.said)
	}
	r.lives = append(r.lives, events)
}

// kill9 kills a node at a moment at which none of its calls runs, so that what
// they did is in the record. That no process ends like this does no harm: what
// it would lose otherwise, images lose, and more.
func kill9(p *process) error {
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for still := 0; still < 5; time.Sleep(5 * time.Millisecond) {
		stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.cmd.Process.Pid))
		if err != nil {
			return err
		}
		still++
		for _, file := range stats {
			raw, _ := os.ReadFile(file)
			_, state, _ := strings.Cut(string(raw), ") ")
			if !strings.HasPrefix(state, "T") && !strings.HasPrefix(state, "t") {
				still = 0
			}
		}
	}
	return p.cmd.Process.Kill()
}

var recordedRelays = map[string]wasmtest.Relay{"keys": {Capability: "kv"}, "files": {Capability: "blob"}, "bell": {Capability: "events"}}

func (r *record) publishApps(p *process) {
	piece := []byte{wasm.OpI32Const, 0, wasm.OpI32Const, 4, wasm.OpI32Const, 0, wasm.OpI32Const, 0, wasm.OpCall, 1, wasm.OpDrop}
	r.publish(p, "shop", "", says("release 1"))
	r.publish(p, "quick", "durability = \"process\"", says("quick"))
	r.publish(p, "news", "", streams(bytes.Repeat(piece, 3)...))
	r.publish(p, "vault", "[capabilities.secret]\nnames = [\"token\"]", wasmtest.Relay{Capability: "secret"}.Bytes())
	r.publish(p, "keys", "[capabilities.kv]", recordedRelays["keys"].Bytes())
	r.publish(p, "files", "[capabilities.blob]", recordedRelays["files"].Bytes())
	r.publish(p, "bell", "[capabilities.events]\ntopics = [\"rung\"]", recordedRelays["bell"].Bytes())
	// It never takes what it is sent, so that what was acknowledged waits.
	r.publish(p, "deaf", "[[triggers.event]]\nfrom = \"bell\"\ntopic = \"rung\"\npath = \"/\"",
		wasmtest.App{Frame: abi.AppendResponse(nil, &abi.Response{Status: 500})}.Bytes())
}

func (r *record) publish(p *process, name, more string, module []byte) {
	r.t.Helper()
	published, err := r.tryPublish(r.t.Context(), p, name, more, module)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, q := range published.Requests {
		if _, err := p.as(r.t, p.Rex).Decide(r.note(r.t.Context(), &told{}), q.ID, true, "fine"); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *record) tryPublish(ctx context.Context, p *process, name, more string, module []byte) (client.Published, error) {
	api, to := p.as(r.t, p.Ada), &told{}
	bundle, err := sigstore.SignWithIdentity(module,
		func(csr []byte) ([]byte, error) { return api.Certify(r.note(ctx, &told{}), csr) },
		func(q []byte) ([]byte, error) { return api.Timestamp(r.note(ctx, &told{}), q) })
	if err != nil {
		return client.Published{}, err
	}
	published, err := api.Publish(r.note(ctx, to), manifest(name, more), module, bundle, nil)
	if err == nil && name == "shop" {
		to.release = published.Release.Number
		r.add(to)
	}
	return published, err
}

// load has clients ask for everything at once, for a while.
func (r *record) load(p *process, long time.Duration) {
	ctx, cancel := context.WithTimeout(r.t.Context(), long)
	defer cancel()
	var work sync.WaitGroup
	repeat := func(do func() error) {
		work.Go(func() {
			for ctx.Err() == nil {
				if err := do(); err != nil {
					r.t.Errorf("the node is well, and does not do what it is asked: %v", err)
					return
				}
			}
		})
	}
	all := context.WithoutCancel(ctx) // what was begun is seen to its end
	for _, app := range []string{"shop", "quick", "news"} {
		repeat(func() error {
			_, err := r.call(all, p, app, nil, &told{})
			return err
		})
	}
	for _, app := range []string{"keys", "files"} {
		for _, name := range []string{"a", "b"} {
			repeat(func() error { return r.write(all, p, app, name) })
		}
	}
	repeat(func() error {
		_, err := r.relay(all, p, "bell", "publish", abi.AppendPublish(nil, "rung", "", []byte("dong")), &told{})
		return err
	})
	api := p.as(r.t, p.Ada)
	repeat(func() error {
		to := &told{writer: "vault token", value: r.next("vault token")}
		_, err := api.SetSecret(r.note(all, to), "vault", "token", content(to.value))
		r.add(to)
		return err
	})
	repeat(func() error {
		time.Sleep(50 * time.Millisecond) // leave room to the others
		_, err := r.tryPublish(all, p, "shop", "", says(fmt.Sprintf("release %d", r.next("shop releases")+1)))
		return err
	})
	work.Go(func() {
		time.Sleep(long / 4)
		if err := p.snapshot(); err != nil {
			r.t.Errorf("a snapshot: %v", err)
		}
	})
	work.Wait()
}

// call asks an app, and notes the call's id if it has to outlive the loss of power.
func (r *record) call(ctx context.Context, p *process, app string, body []byte, to *told) ([]byte, error) {
	resp, out, err := p.post(r.note(ctx, to), app, body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %d %.200s", app, resp.StatusCode, out)
	}
	if app != "quick" {
		to.call = resp.Header.Get(gateway.InvocationHeader)
		if to.call == "" {
			return nil, errors.New("an answer has no invocation's id")
		}
	}
	r.add(to)
	return out, nil
}

func (r *record) relay(ctx context.Context, p *process, app, fn string, in []byte, to *told) ([]byte, error) {
	relay := recordedRelays[app]
	body, err := r.call(ctx, p, app, relay.Request(wasmtest.RelayCall{Func: fn, In: in}), to)
	if err != nil {
		return nil, err
	}
	out, errno, _ := relay.Answer(body)
	if errno != 0 {
		return nil, errno
	}
	if app == "bell" {
		to.event = string(out)
	}
	return out, nil
}

func (r *record) write(ctx context.Context, p *process, app, name string) error {
	writer := app + " " + name
	to := &told{writer: writer, value: r.next(writer)}
	fn, in := "set", abi.AppendKVSet(nil, name, content(to.value))
	if app == "files" {
		fn, in = "put", abi.AppendBlobPut(nil, name, content(to.value))
	}
	_, err := r.relay(ctx, p, app, fn, in, to)
	return err
}

// content is a value that says which one it is, and is of a size of its own.
func content(n int) []byte {
	return append(fmt.Appendf(nil, "%08d", n), bytes.Repeat([]byte{byte(n)}, 100+n*7919%6000)...)
}

// play plays the record, and calls after, if not nil, after each step.
func (r *record) play(unsynced func(path string) bool, after func(p *strace.Player, e strace.Event) error) (*strace.Player, map[line]int, error) {
	p := &strace.Player{Dir: r.dir, Disk: crashdisk.New(), Unsynced: unsynced}
	steps := map[line]int{}
	for life, events := range r.lives {
		from := len(p.Conns)
		err := p.Play(events, func(e strace.Event) error {
			if after == nil {
				return nil
			}
			return after(p, e)
		})
		if err != nil {
			return nil, nil, fmt.Errorf("life %d: %w", life, err)
		}
		for _, c := range p.Conns[from:] {
			whole, err := wholeAnswers(c)
			if err != nil {
				return nil, nil, err
			}
			for i, step := range whole {
				l := line{life, c.Port, i}
				if _, twice := steps[l]; twice {
					return nil, nil, fmt.Errorf("port %d is used twice", c.Port)
				}
				steps[l] = step
			}
		}
	}
	return p, steps, nil
}

// wholeAnswers are the steps at which the last byte of each response began to be sent.
func wholeAnswers(c *strace.Conn) (steps []int, err error) {
	var got []byte
	for _, sent := range c.Sent {
		got = append(got, sent.Data...)
		for {
			n, err := response(got)
			if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
				break // more will come
			}
			if err != nil {
				return nil, fmt.Errorf("what port %d was sent is no answer: %w", c.Port, err)
			}
			got, steps = got[n:], append(steps, sent.Step)
		}
	}
	if len(got) > 0 { // its client had enough of it, and hung up
		steps = append(steps, c.Sent[len(c.Sent)-1].Step)
	}
	return steps, nil
}

// response is how long the response is with which b begins.
func response(b []byte) (n int, err error) {
	left := bytes.NewReader(b)
	buffered := bufio.NewReader(left)
	resp, err := http.ReadResponse(buffered, nil)
	if err != nil {
		return 0, err
	}
	if resp.ContentLength < 0 && len(resp.TransferEncoding) == 0 {
		return 0, errors.New("it does not say where it ends")
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return 0, err
	}
	return len(b) - left.Len() - buffered.Buffered(), nil
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/abi/wasm/wasmtest"
	"github.com/agora-host/agora/host/gateway"
	"github.com/agora-host/agora/internal/failpoint"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/metering/journal"
	"github.com/agora-host/agora/sdk/client"
)

const failpointVar = "AGORA_TEST_FAILPOINT"

// watchFailpoint ends this process, as kill -9 does, at the n-th passing of the
// place that "name:n" names.
func watchFailpoint() {
	name, count, ok := strings.Cut(os.Getenv(failpointVar), ":")
	if !ok {
		return
	}
	var left atomic.Int64
	n, _ := strconv.ParseInt(count, 10, 64)
	left.Store(n)
	failpoint.Watch(func(at string) {
		if at == name && left.Add(-1) == 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
}

// places are where a node is ended, besides at random.
var places = []string{
	"epoch-begun", "journal-appended", "journal-written", "journal-synced", "journal-counted", "checkpointed",
	"meter-before-merge", "meter-merged", "meter-before-retire", "meter-retired", "meter-before-remove",
}

// streaming is a module that sends its response in pieces.
func streaming() []byte {
	frame := abi.AppendResponse(nil, &abi.Response{Status: 200, Body: []byte("one ")})
	send := func(fn byte, at, n int64) []byte {
		code := wasm.AppendS64([]byte{wasm.OpI32Const}, at)
		code = wasm.AppendS64(append(code, wasm.OpI32Const), n)
		return append(code, wasm.OpI32Const, 0, wasm.OpI32Const, 0, wasm.OpCall, fn, wasm.OpDrop)
	}
	code := send(0, wasmtest.ResponseAt, int64(len(frame)))
	for range 3 {
		code = append(code, send(1, wasmtest.ResponseAt, 4)...)
	}
	return wasmtest.App{Stream: true, Frame: frame, Raw: append(code, wasm.OpI64Const, 0)}.Bytes()
}

// TestKillBills kills a node under load again and again, at random and at each
// named place, and compares by the calls' ids: what was answered whole is in a
// journal, nothing is there twice, and what is billed is what the journals say,
// exactly.
func TestKillBills(t *testing.T) {
	cycles, err := strconv.Atoi(os.Getenv("AGORA_KILLS"))
	if err != nil {
		cycles = 2 * len(places)
	}
	if testing.Short() {
		cycles = len(places)
	}
	at := map[string]int{}
	answered, billed := 0, 0
	for first := 0; first < cycles; first += nodeLives {
		k := &killer{t: t, dir: t.TempDir(), answered: map[string]bool{}, at: at}
		k.publish()
		for cycle := first; cycle < min(first+nodeLives, cycles); cycle++ {
			k.cycle(cycle)
			if t.Failed() {
				t.Fatalf("in cycle %d", cycle)
			}
		}
		k.place = ""
		p := k.start()
		k.bills(p)
		p.kill(t)
		answered, billed = answered+len(k.answered), billed+len(k.known)
	}
	t.Logf("%d kills, at named places: %v; %d calls answered, %d journaled and billed", cycles, at, answered, billed)
}

// nodeLives is how often one node is killed before the next takes its place: each
// kill is followed by a look at everything.
const nodeLives = 50

type killer struct {
	t     *testing.T
	dir   string
	place string // where the next process ends by itself: "name:n", or ""
	token string
	at    map[string]int // kills at named places
	known map[string]int // what the journals had when the last process ended

	mu       sync.Mutex
	answered map[string]bool // ids of calls whose answers were read to their end
}

// start returns a process, or nil if it ended before it served.
func (k *killer) start() *process {
	k.t.Setenv(failpointVar, k.place)
	p := tryLaunch(k.t, k.dir, "--flush-every", "15ms")
	return p
}

func (k *killer) publish() {
	p := k.start()
	anybody, err := client.New(p.console, "")
	if err != nil {
		k.t.Fatal(err)
	}
	session, api, err := anybody.SignIn(k.t.Context(), p.link)
	if err != nil {
		k.t.Fatal(err)
	}
	k.token = session.Secret
	for name, app := range map[string]struct {
		extra  string
		module []byte
	}{"shop": {"", says("sold")}, "quick": {"durability = \"process\"\n", says("quick")}, "news": {"", streaming()}} {
		manifest := strings.Replace(killManifest, "shop", name, 1) + app.extra
		bundle, err := sign(k.t.Context(), api, app.module, "")
		if err != nil {
			k.t.Fatal(err)
		}
		if _, err := api.Publish(k.t.Context(), []byte(manifest), app.module, bundle, nil); err != nil {
			k.t.Fatal(err)
		}
	}
	p.kill(k.t)
}

func (k *killer) cycle(n int) {
	k.place = ""
	if n%2 == 0 { // every other time at a place, all in turn
		place := places[n/2%len(places)]
		passes := 1 // most are passed once by a process that starts
		if strings.HasPrefix(place, "journal") || place == "checkpointed" {
			passes += rand.IntN(60)
		}
		k.place = fmt.Sprintf("%s:%d", place, passes)
	}
	p := k.start()
	if p == nil {
		k.died()
		return // in its start-up, from which the next has to recover
	}
	k.bills(p)
	stop := make(chan struct{})
	var work sync.WaitGroup
	transport := &http.Transport{MaxIdleConnsPerHost: 16, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", p.addr)
	}}
	defer transport.CloseIdleConnections()
	for i := range 8 {
		url := strings.Replace(p.console, "localhost", []string{"shop", "quick", "shop", "news"}[i%4]+".localhost", 1) + "/"
		work.Go(func() { k.load(transport, url, stop) })
	}
	ended := make(chan struct{})
	go func() { _ = p.cmd.Wait(); close(ended) }()
	patience := time.Duration(10+rand.IntN(50)) * time.Millisecond
	if k.place != "" {
		patience = 300 * time.Millisecond
	}
	select {
	case <-ended:
		k.died()
	case <-time.After(patience):
	}
	_ = p.cmd.Process.Kill()
	<-ended
	close(stop)
	work.Wait()
	k.compare()
}

func (k *killer) died() {
	name, _, _ := strings.Cut(k.place, ":")
	k.at[name]++
}

func (k *killer) load(transport http.RoundTripper, url string, stop chan struct{}) {
	c := http.Client{Timeout: 10 * time.Second, Transport: transport}
	for {
		select {
		case <-stop:
			return
		default:
		}
		resp, err := c.Get(url)
		if err != nil {
			return
		}
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err == nil && resp.StatusCode == http.StatusOK {
			k.mu.Lock()
			k.answered[resp.Header.Get(gateway.InvocationHeader)] = true
			k.mu.Unlock()
		}
	}
}

// journaled reads every journal there is, while no process runs, and returns how often each call is in them.
func (k *killer) journaled() map[string]int {
	files, err := os.ReadDir(filepath.Join(k.dir, "journal"))
	if err != nil {
		k.t.Fatal(err)
	}
	// A kill between the copy and the removal leaves a journal in both forms.
	copies := map[string]map[string]int{}
	for _, f := range files {
		raw, err := os.ReadFile(filepath.Join(k.dir, "journal", f.Name()))
		if err != nil {
			k.t.Fatal(err)
		}
		found := map[string]int{}
		h, err := metering.ReadJournal(f.Name(), bytes.NewReader(raw), func(e metering.Entry) error {
			if e.Kind == metering.EntryCall && e.Proven {
				found[e.ID]++
			}
			return nil
		})
		if errors.Is(err, journal.ErrNotJournal) || errors.Is(err, journal.ErrNoHeader) {
			continue
		}
		if err != nil {
			k.t.Fatalf("%s: %v", f.Name(), err)
		}
		epoch := fmt.Sprint(h.Epoch)
		if was := copies[epoch]; was != nil && !maps.Equal(was, found) {
			k.t.Errorf("epoch %s is there twice, and differs", epoch)
		}
		copies[epoch] = found
	}
	all := map[string]int{}
	for _, found := range copies {
		for id, n := range found {
			all[id] += n
		}
	}
	return all
}

func (k *killer) compare() {
	k.t.Helper()
	journaled := k.journaled()
	for id, n := range journaled {
		if n != 1 {
			k.t.Errorf("call %s is journaled %d times", id, n)
		}
	}
	for id := range k.answered {
		if journaled[id] == 0 {
			k.t.Errorf("call %s was answered, and is in no journal (%s)", id, k.place)
		}
	}
	k.known = journaled
}

// bills asks a node that has just started what it bills.
func (k *killer) bills(p *process) {
	k.t.Helper()
	api, err := client.New(p.console, k.token)
	if err != nil {
		k.t.Fatal(err)
	}
	report, err := api.Usage(k.t.Context(), client.UsageQuery{})
	if errors.Is(err, client.ErrUnreachable) {
		return // it has ended at its place meanwhile
	}
	if err != nil {
		k.t.Fatal(err)
	}
	if report.Total.Calls != uint64(len(k.known)) {
		k.t.Errorf("%d calls are billed, %d are in the journals", report.Total.Calls, len(k.known))
	}
	checks, err := api.Doctor(k.t.Context())
	if errors.Is(err, client.ErrUnreachable) {
		return
	}
	if err != nil {
		k.t.Fatal(err)
	}
	healthy(k.t, checks)
}

// tryLaunch is launch for a node that may end while it starts.
func tryLaunch(t *testing.T, dir string, flags ...string) *process {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], append([]string{"serve", "--listen", "127.0.0.1:0", "--data", dir, "--admin", "ada@example.com", "--admin-link", "--audience", "public"}, flags...)...)
	cmd.Env = append(os.Environ(), "AGORA_TEST_AS_COMMAND=1")
	p, said := begin(t, cmd)
	if p == nil && cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the node did not start:\n%s", said)
	}
	return p
}

package node_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/internal/calm"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/node"
)

// chaos panics wherever code of the node begins: the first time in each place, and then at
// random.
type chaos struct {
	mu     sync.Mutex // guards all below
	rand   *rand.Rand
	raging bool
	always string // a place that panics each time
	began  map[string]int
	caught map[string]int // how many of them panicked
}

// spared are steps that are not taken again: see TestStopThatPanics, TestStartThatPanics, and the
// tests of package engine.
var spared = map[string]bool{"open": true, "stop": true, "end of a broken instance": true}

func (c *chaos) inject(where string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.began[where]++
	if spared[where] {
		return
	}
	if c.raging && (c.began[where] == 1 || c.rand.IntN(20) == 0) || where == c.always {
		c.caught[where]++
		panic(errors.New("injected"))
	}
}

func (c *chaos) set(raging bool, always string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raging, c.always = raging, always
}

// everywhere reports whether each place has panicked that is reached before the node stops.
func (c *chaos) everywhere() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, where := range everyPlace {
		if c.caught[where] == 0 && where != "dispatcher-stop" {
			return false
		}
	}
	return true
}

// goesOn reports whether a place has begun since it panicked last.
func (c *chaos) goesOn(where string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.began[where] > c.caught[where]
}

// everyPlace is where a node's goroutines, and the steps that it guards, begin.
var everyPlace = []string{
	"follow-routes", "follow-grants", "follow-signatures", "follow-secrets", "follow-lives", "follow-triggers", "follow-removals", "follow-sessions", "follow-notices", "inbox",
	"meter", "snapshot", "samples", "dispatcher", "used", "sums", "bounds", "visits", "kept", "starts", "server", "sweep", "tidy", "remove", "followers", "scheduled",
	"memory", "handler", "call", "program-load", "program-close", "site-load",
	"load of a program", "instantiation", "invocation",
	"sign-in", "certificates", "orders", "journal", "journal-replay", "kv-commit", "kv-sweep", "queue-commit", "dispatch", "delivery", "dispatcher-stop",
}

// TestChaos: with panics in every goroutine of a node, it lives. When they end it serves apps,
// has delivered what it acknowledged, holds nothing that a panic left, and has billed each call
// that was answered, once. A delivery that always panics ends in the dead letters.
// AGORA_SEEDS says how many nodes.
func TestChaos(t *testing.T) {
	seeds, err := strconv.Atoi(os.Getenv("AGORA_SEEDS"))
	if err != nil || seeds < 1 {
		seeds = 1
	}
	base := rand.Uint64()
	if seeds == 1 {
		base = 1
	}
	for i := range uint64(seeds) {
		live(t, base+i)
		if t.Failed() {
			t.Fatalf("with seed %d", base+i)
		}
	}
}

// storm is one node, and what its clients know.
type storm struct {
	*testNode
	*chaos
	clock    clock
	urls     []string
	hook     string
	answered atomic.Uint64 // calls over HTTP
	queued   atomic.Uint64 // webhooks that were acknowledged
	kept     sync.Map      // keys that were
}

func live(t *testing.T, seed uint64) {
	goroutines := runtime.NumGoroutine()
	s := &storm{chaos: &chaos{rand: rand.New(rand.NewPCG(seed, 0)), began: map[string]int{}, caught: map[string]int{}}}
	dir := t.TempDir()
	s.publish(t, dir)
	s.set(true, "")
	s.start(t, dir)
	s.rage(t)
	if got := s.get("http://" + s.Addr().String() + "/healthz"); got.Status == 200 && !strings.HasPrefix(got.Body, "not well") {
		t.Errorf("in a storm of panics it says %q", got.Body)
	}
	s.set(false, "")
	s.recovers(t)
	s.poisoned(t)
	s.balances(t)
	s.set(false, "dispatcher-stop")
	if err := s.Stop(t.Context()); err != nil {
		t.Errorf("stop: %v", err)
	}
	if n := s.Panics()["stop"]; n != 0 {
		t.Errorf("%d steps of stopping panicked", n)
	}
	for _, where := range everyPlace {
		if s.caught[where] == 0 {
			t.Errorf("nothing panicked in %s", where)
		}
	}
	for where := range s.began {
		if !spared[where] && !slices.Contains(everyPlace, where) {
			t.Errorf("%s is guarded, and is not named here", where)
		}
	}
	eventually(t, "the goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines })
	checks, err := node.Examine(context.Background(), node.Options{DataDir: dir, Now: s.clock.now})
	for _, c := range checks {
		if !c.OK || err != nil {
			t.Errorf("after it stopped: %+v, %v", c, err)
		}
	}
}

// publish makes the apps, before anything panics.
func (s *storm) publish(t *testing.T, dir string) {
	n := startIn(t, dir)
	plain := n.publish(n.ada(), manifest("plain"), says("plain"))
	files := n.publish(n.ada(), manifest("files", "[static]\ndir = \"static\"\nfallback = \"index.html\""), withFiles(t, says("files"), fstest.MapFS{"index.html": {Data: []byte("page")}}))
	bank := n.publish(n.ada(), manifest("bank", "[[triggers.webhook]]\nname = \"git\"\npath = \"/hooks/git\"\nverify = \"github\"\nsecret = \"git\"\ndeliver = \"queue\""), says("thanks"))
	if _, err := n.ada().SetSecret(t.Context(), "bank", "git", []byte("s3cret")); err != nil {
		t.Fatal(err)
	}
	s.urls = append(s.urls, plain.URL, files.URL)
	s.hook = bank.URL + "hooks/git"
	n.stop()
}

// start starts the node that panics. A panic while it opens is an error, and the next start
// finds all as it was.
func (s *storm) start(t *testing.T, dir string) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := node.Options{
		DataDir: dir, Listen: "127.0.0.1:0", Audience: access.AudiencePublic, Worker: []string{exe}, Now: s.clock.now,
		FlushEvery: 20 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
	}
	o.Inject(s.inject)
	h, err := node.New(t.Context(), o)
	for _, ok := errors.AsType[*calm.PanicError](err); ok; _, ok = errors.AsType[*calm.PanicError](err) {
		h, err = node.New(t.Context(), o)
	}
	if err != nil {
		t.Fatal(err)
	}
	h.Start()
	s.testNode = testNodeOf(h, t, dir)
	s.clock.node = s.testNode
	t.Cleanup(s.testNode.stop)
}

// address is that of an app on the node as it is now.
func (s *storm) address(url string) string {
	host, path, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
	name, _, _ := strings.Cut(host, ".")
	return s.AppURL(name) + path
}

func (s *storm) post(body string) answer {
	return s.do("POST", s.address(s.hook), body, "X-Hub-Signature-256", "sha256="+hexMac("s3cret", body))
}

// rage has clients ask for everything while everything panics, until it all has.
func (s *storm) rage(t *testing.T) {
	var clients sync.WaitGroup
	least, most := time.Now().Add(time.Second), time.Now().Add(30*time.Second)
	for c := range 4 {
		clients.Go(func() {
			for i := 0; time.Now().Before(least) || time.Now().Before(most) && !s.everywhere(); i++ {
				s.call(t, s.urls[i%2])
				body := fmt.Sprintf("%d-%d", c, i)
				if got := s.post(body); got.Status == http.StatusAccepted {
					s.queued.Add(1)
				}
				if s.SetApp(t.Context(), "plain", body, "v") == nil {
					s.kept.Store(body, true)
				}
				if i%5 == 0 {
					s.DropPrograms()
					_ = s.Heal(t.Context()) // rather than within a second
					// A change of the state, whose effects follow.
					_, _ = s.TokenFor(t.Context(), "eve@example.com", fmt.Sprint(c, i), time.Hour, access.RoleViewer)
				}
			}
		})
	}
	clients.Wait()
}

// call asks for a page, and knows of each response.
func (s *storm) call(t *testing.T, url string) bool {
	switch got := s.get(s.address(url)); {
	case got.Status == 200:
		s.answered.Add(1)
		return true
	case got.Status < 500 || got.Problem.Title == "" && !strings.Contains(got.Body, "problem"):
		t.Errorf("a call that panicked got %d %q", got.Status, got.Body)
	}
	return false
}

// recovers waits for everything to go on.
func (s *storm) recovers(t *testing.T) {
	for _, url := range s.urls {
		eventually(t, "apps are served", func() bool { return s.call(t, url) })
	}
	for _, where := range []string{"meter", "snapshot", "samples", "dispatcher", "used", "visits", "kept", "starts", "memory", "server", "sweep", "tidy", "remove", "kv-sweep", "followers", "scheduled"} {
		eventually(t, where+" goes on", func() bool { return s.goesOn(where) })
	}
	eventually(t, "a webhook is queued", func() bool { return s.post("last").Status == http.StatusAccepted })
	s.queued.Add(1)
	eventually(t, "what was queued is delivered", func() bool {
		s.clock.advance(time.Minute) // what failed is due again
		tr := s.trigger("bank", "git")
		return tr.Queued+tr.Running == 0
	})
	if tr := s.trigger("bank", "git"); tr.Done < s.queued.Load() {
		t.Errorf("%d webhooks were acknowledged, and %d delivered: %+v", s.queued.Load(), tr.Done, tr)
	}
	s.kept.Range(func(key, _ any) bool {
		if got, err := s.GetApp(t.Context(), "plain", key.(string)); err != nil || got != "v" {
			t.Errorf("%s was kept, and is %q, %v", key, got, err)
		}
		return true
	})
}

// poisoned has a delivery always panic.
func (s *storm) poisoned(t *testing.T) {
	before := s.trigger("bank", "git")
	s.set(false, "delivery")
	if got := s.post("poison"); got.Status != http.StatusAccepted {
		t.Fatalf("%+v", got)
	}
	for attempt := range uint64(8) {
		eventually(t, "a poison delivery fails", func() bool { return s.trigger("bank", "git").Failed == before.Failed+attempt+1 })
		s.clock.advance(8 * time.Hour)
	}
	eventually(t, "a poison delivery is a dead letter", func() bool {
		tr := s.trigger("bank", "git")
		return tr.Dead == before.Dead+1 && tr.Queued+tr.Running == 0
	})
	s.set(false, "")
}

// balances compares what was billed with what was answered, and looks for what is held still.
func (s *storm) balances(t *testing.T) {
	for _, url := range s.urls {
		eventually(t, "apps are served", func() bool { return s.call(t, url) })
	}
	billed, err := s.Billed(t.Context(), metering.TriggerHTTP)
	if err != nil {
		t.Fatal(err)
	}
	var failed uint64
	for _, n := range billed.Errors {
		failed += n
	}
	if billed.Calls-failed != s.answered.Load() {
		t.Errorf("%d calls are billed, of which %d failed, and %d were answered", billed.Calls, failed, s.answered.Load())
	}
	if n := s.ProgramUsers(); n != 0 {
		t.Errorf("%d calls hold a program, and none runs", n)
	}
	checks, err := s.ops().Doctor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range checks {
		if !c.OK && c.Name != "panics" {
			t.Errorf("the doctor: %+v", c)
		}
	}
}

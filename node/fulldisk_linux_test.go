package node_test

import (
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/sdk/client"
)

// TestFullDisk takes a node's disk away, as far as writing is concerned, and
// gives it back: reading goes on, what cannot be stored says so and did not
// happen, and no one has to start anything again.
func TestFullDisk(t *testing.T) {
	if os.Getenv("AGORA_TEST_FULL_DISK") == "" {
		// The limit is on a process: it gets one of its own.
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestFullDisk$", "-test.v")
		cmd.Env = append(os.Environ(), "AGORA_TEST_FULL_DISK=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	signal.Ignore(syscall.SIGXFSZ)
	n := start(t)
	p := n.publish(n.ada(), manifest("shop"), says("one"))
	c, cookie := n.ada(), n.session(ada)
	if err := n.SetApp(t.Context(), "shop", "k", "before"); err != nil {
		t.Fatal(err)
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	module := says("two")
	bundle := signAs(t, c, module)

	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	if got := n.do("GET", n.ConsoleURL()+"/", "", "Cookie", cookie); got.Status != 200 {
		t.Errorf("the console: %d", got.Status)
	}
	if apps, err := c.Apps(t.Context()); err != nil || len(apps) != 1 {
		t.Errorf("reading: %v, %v", apps, err)
	}
	if got, err := n.GetApp(t.Context(), "shop", "k"); err != nil || got != "before" {
		t.Errorf("an app's data: %q, %v", got, err)
	}
	if err := n.SetApp(t.Context(), "shop", "k", "lost"); err == nil {
		t.Error("an app's write succeeded")
	}
	if _, err := c.Publish(t.Context(), manifest("shop"), module, bundle, nil); problemOf(t, err).Status != 507 {
		t.Errorf("publishing: %v", err)
	}
	if _, err := c.NewToken(t.Context(), client.NewToken{Label: "ci", Hours: 1}); problemOf(t, err).Type != "/problems/not-writable" {
		t.Errorf("a token: %v", err)
	}
	if got := n.get(p.URL); got.Status != 503 {
		t.Errorf("a call that cannot be billed: %d %s", got.Status, got.Body)
	}

	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	if got, err := n.GetApp(t.Context(), "shop", "k"); err != nil || got != "before" {
		t.Errorf("what failed happened: %q, %v", got, err)
	}
	if err := n.SetApp(t.Context(), "shop", "k", "after"); err != nil {
		t.Error(err)
	}
	if p, err := c.Publish(t.Context(), manifest("shop"), module, bundle, nil); err != nil || p.Release.Number != 2 {
		t.Errorf("publishing again: %+v, %v", p, err)
	}
	served := false
	for deadline := time.Now().Add(20 * time.Second); !served && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		served = n.get(p.URL).Status == 200
	}
	if !served {
		t.Error("apps are not served again")
	}
	n.as(ops, access.RoleOperator)
	n.healthy()
}

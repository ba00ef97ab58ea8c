package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/node"
)

// clockKey finds a script's clock among its values.
type clockKey struct{}

// clocked DIR starts a node in this process, whose clock the script moves.
func clocked(ts *testscript.TestScript, _ bool, args []string) {
	exe, err := os.Executable()
	ts.Check(err)
	shift := ts.Value(clockKey{}).(*atomic.Int64)
	ctx := context.Background()
	h, err := node.New(ctx, node.Options{
		DataDir: ts.MkAbs(args[0]), Listen: "127.0.0.1:0", Worker: []string{exe}, Audience: access.AudiencePublic, Logger: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.Now().Add(time.Duration(shift.Load())) },
	})
	ts.Check(err)
	h.Start()
	ts.Defer(func() {
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		_ = h.Stop(ctx)
	})
	link, err := h.People.Welcome(ctx, "ada@example.com", access.RoleOperator, access.RoleDeveloper)
	ts.Check(err)
	ts.Setenv("LINK", link)
	ts.Setenv("NODE", h.ConsoleURL())
}

// advance APP SPAN moves the clock. News of the app have its triggers look at it.
func advance(ts *testscript.TestScript, _ bool, args []string) {
	span, err := time.ParseDuration(args[1])
	ts.Check(err)
	ts.Value(clockKey{}).(*atomic.Int64).Add(int64(span))
	ts.Check(ts.Exec("agora", "triggers", "resume", args[0], "webhook", "pay"))
}

// until REGEXP COMMAND … runs a command again until its output matches.
func until(ts *testscript.TestScript, _ bool, args []string) {
	want := regexp.MustCompile("(?m)" + args[0])
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		ts.Check(ts.Exec(args[1], args[2:]...))
		out := ts.ReadFile("stdout")
		if want.MatchString(out) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("never %s:\n%s", args[0], out)
		}
	}
}

// hook STATUS HOST/PATH SECRET BODY sends a webhook with the HMAC of its body.
func hook(ts *testscript.TestScript, _ bool, args []string) {
	m := hmac.New(sha256.New, []byte(args[2]))
	m.Write([]byte(args[3]))
	ask(ts, "POST", args[0], args[1], args[3], http.Header{"X-Signature": {hex.EncodeToString(m.Sum(nil))}})
}

// page STATUS HOST/PATH REGEXP asks for a page, which must match.
func page(ts *testscript.TestScript, _ bool, args []string) {
	body := ask(ts, "GET", args[0], args[1], "", nil)
	if !regexp.MustCompile(args[2]).MatchString(body) {
		ts.Fatalf("%s answered %q", args[1], body)
	}
}

// ask sends a request to the node, whatever name leads to it.
func ask(ts *testscript.TestScript, method, status, address, body string, header http.Header) string {
	_, port, _ := strings.Cut(strings.TrimPrefix(ts.Getenv("NODE"), "http://"), ":")
	hostname, path, _ := strings.Cut(address, "/")
	r, err := http.NewRequest(method, "http://"+hostname+":"+port+"/"+path, strings.NewReader(body))
	ts.Check(err)
	if !strings.HasSuffix(hostname, ".localhost") {
		r.Host = hostname
	}
	for name, values := range header {
		r.Header[name] = values
	}
	c := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", "127.0.0.1:"+port)
	}}}
	resp, err := c.Do(r)
	ts.Check(err)
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if fmt.Sprint(resp.StatusCode) != status {
		ts.Fatalf("%s %s answered %d %s, want %s", method, address, resp.StatusCode, got, status)
	}
	return string(got)
}

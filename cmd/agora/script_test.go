package main

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
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

// browserKey finds a script's browser among its values.
type browserKey struct{}

// browser is one that signs in to a node with the link of the script.
type browser struct {
	http.Client
	at string // the node
}

// field is a hidden field of a form of the console.
var field = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)

// ask sends a form, or with none asks for a page, and returns it.
func (b *browser) ask(ts *testscript.TestScript, address string, form url.Values) string {
	var resp *http.Response
	var err error
	if form == nil {
		resp, err = b.Get(address)
	} else {
		resp, err = b.PostForm(address, form)
	}
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if resp.StatusCode != http.StatusOK {
		ts.Fatalf("%s answered %d %s", address, resp.StatusCode, body)
	}
	return string(body)
}

// presses STATUS BUTTON FLAG … runs `agora login`, and is the person who meanwhile opens the address that it
// prints and presses a button there.
func presses(ts *testscript.TestScript, _ bool, args []string) {
	b := ts.Value(browserKey{}).(*browser)
	if node := ts.Getenv("NODE"); b.at != node {
		jar, err := cookiejar.New(nil)
		ts.Check(err)
		b.at, b.Jar, b.Timeout = node, jar, 20*time.Second
		_, secret, _ := strings.Cut(ts.Getenv("LINK"), "link=")
		b.ask(ts, node+"/sign-in", url.Values{"link": {secret}})
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], append([]string{"login"}, args[2:]...)...)
	cmd.Env = append(os.Environ(), "AGORA_TEST_AS_COMMAND=1", "AGORA_CONFIG="+ts.Getenv("AGORA_CONFIG"), "AGORA_URL=", "AGORA_TOKEN=")
	cmd.Stdout = ts.Stdout()
	said, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	lines, pressed := bufio.NewScanner(said), false
	for lines.Scan() {
		line := lines.Text()
		fmt.Fprintln(ts.Stderr(), line)
		i := strings.Index(line, "http://")
		if i < 0 || pressed || !strings.Contains(line, "/login?") && !strings.Contains(line, "/device?code=") {
			continue
		}
		form := url.Values{"answer": {args[1]}}
		for _, f := range field.FindAllStringSubmatch(b.ask(ts, line[i:], nil), -1) {
			form.Add(f[1], html.UnescapeString(f[2]))
		}
		to, _, _ := strings.Cut(line[i:], "?")
		page := b.ask(ts, to, form)
		if _, next, led := strings.Cut(page, ` data-next="`); led {
			next, _, _ = strings.Cut(next, `"`)
			b.ask(ts, html.UnescapeString(next), nil)
		}
		pressed = true
	}
	got := "0"
	if err := cmd.Wait(); err != nil {
		got = fmt.Sprint(cmd.ProcessState.ExitCode())
	}
	if got != args[0] || !pressed {
		ts.Fatalf("agora login exits with %s, want %s; a button was pressed: %v", got, args[0], pressed)
	}
}

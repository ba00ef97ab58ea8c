package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/internal/calm"
	"github.com/agora-host/agora/internal/contexts"
	"github.com/agora-host/agora/sdk/client"
)

// browserWaits is how long a login waits for a person at the browser.
const browserWaits = 10 * time.Minute

// kept returns the context with the token that a login got.
func kept(l contexts.Context, t client.Token) contexts.Context {
	l.User, l.Token, l.Expires = t.User, t.Secret, t.Expires
	return l
}

// byDevice waits until the person has typed a code in the console, wherever that is.
func (c loginCommand) byDevice(cmd *cobra.Command, l contexts.Context) (contexts.Context, error) {
	node, err := client.New(l.URL, "")
	if err != nil {
		return l, err
	}
	waits, err := node.BeginLogin(cmd.Context(), client.LoginAsk{Machine: machine(), Scopes: *c.scopes, Hours: c.hours()})
	if err != nil {
		return l, err
	}
	fmt.Fprintf(c.err, "Open %s in a browser, on any machine, and type this code within %d minutes:\n\n    %s\n\nOr open %s\n", printable(waits.Address), waits.Expires/60, printable(waits.UserCode), printable(waits.Complete))
	t, err := node.AwaitLogin(cmd.Context(), waits)
	return kept(l, t), err
}

// byBrowser opens the console in the browser of this machine, and waits for what the person confirms there.
func (c loginCommand) byBrowser(cmd *cobra.Command, l contexts.Context) (contexts.Context, error) {
	node, err := client.New(l.URL, "")
	if err != nil {
		return l, err
	}
	verifier := access.NewLoginVerifier()
	back, err := waitForBrowser()
	if err != nil {
		return l, err
	}
	defer back.close()
	q := url.Values{
		"machine": {machine()}, "hours": {strconv.Itoa(c.hours())}, "scope": *c.scopes,
		"challenge": {access.Challenge(verifier)}, "state": {back.state}, "redirect_uri": {back.address},
	}
	address := l.URL + "/login?" + q.Encode()
	fmt.Fprintf(c.err, "Sign in and confirm it in the browser of this machine. If none opens, open this address there:\n\n    %s\n\nOn another machine: agora login %s --device\n", address, l.URL)
	if f, ok := c.err.(*os.File); ok && isTerminal(f) {
		_ = c.openInWindow(address) // the address is printed as well
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), browserWaits)
	defer cancel()
	code, err := back.wait(ctx)
	if err != nil {
		return l, err
	}
	t, err := node.RedeemLogin(cmd.Context(), code, verifier)
	return kept(l, t), err
}

// openBrowser has the desktop open an address.
func openBrowser(address string) error {
	name, args := "xdg-open", []string{address}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", address}
	}
	cmd := exec.Command(name, args...)
	if err := cmd.Start(); err != nil {
		return err
	}
	return cmd.Process.Release()
}

// errNotConfirmed: the person pressed Refuse.
var errNotConfirmed = errors.New("you refused it in the console, and nothing was changed")

// callback waits on the loopback for the browser, which brings a code.
type callback struct {
	address string // redirect_uri
	host    string
	state   string
	server  *http.Server
	serving sync.WaitGroup
	codes   chan answer
}

// answer is what a browser brought.
type answer struct {
	code string
	err  error
}

// waitForBrowser listens on a free port of the loopback.
func waitForBrowser() (*callback, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		listener, err = net.Listen("tcp", "[::1]:0")
	}
	if err != nil {
		return nil, fmt.Errorf("listen for the browser on the loopback (agora login --device does without): %w", err)
	}
	var state [16]byte
	rand.Read(state[:])
	b := &callback{host: listener.Addr().String(), state: hex.EncodeToString(state[:]), codes: make(chan answer, 1)}
	b.address = "http://" + b.host + "/callback"
	b.server = &http.Server{Handler: http.HandlerFunc(b.take), ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10}
	calm.New(slog.New(slog.DiscardHandler)).Go(&b.serving, "login", func() { _ = b.server.Serve(listener) }) // until close
	return b, nil
}

func (b *callback) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if b.server.Shutdown(ctx) != nil { // in time for the browser to read its page
		_ = b.server.Close()
	}
	b.serving.Wait()
}

// take takes what a browser brings. Anything on this machine can come here: only what has the state of this
// login counts, and what has not changes nothing.
func (b *callback) take(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	q := r.URL.Query()
	said := func(status int, words string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, "<!doctype html><html lang=\"en\"><title>agora login</title><p>%s", words)
	}
	switch {
	case r.Method != http.MethodGet || r.URL.Path != "/callback" || r.Host != b.host:
		said(http.StatusNotFound, "There is nothing here.")
		return
	case len(q["state"]) != 1 || subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(b.state)) != 1:
		said(http.StatusForbidden, "This is not of the login that waits here. Start agora login again if it does not go on.")
		return
	}
	got := answer{code: q.Get("code")}
	if q.Get("error") != "" || got.code == "" {
		got = answer{err: errNotConfirmed}
	}
	select {
	case b.codes <- got:
		said(http.StatusOK, "Go on in the window of agora login. You can close this one.")
	default:
		said(http.StatusConflict, "The login went on already.")
	}
}

// wait returns the code that a browser brings.
func (b *callback) wait(ctx context.Context) (string, error) {
	select {
	case got := <-b.codes:
		return got.code, got.err
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return "", fmt.Errorf("no one confirmed it in the browser within %d minutes; start agora login again", browserWaits/time.Minute)
		}
		return "", ctx.Err()
	}
}

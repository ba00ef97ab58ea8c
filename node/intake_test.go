package node_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/access"
)

// half sends the head of a request that announces size bytes, and as much of the body as is
// named. The connection stays open.
func (n *testNode) half(path string, size int, body string, header ...string) net.Conn {
	n.t.Helper()
	c, err := net.Dial("tcp", n.Addr().String())
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = c.Close() })
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", path, strings.TrimPrefix(n.ConsoleURL(), "http://"), size)
	for i := 0; i+1 < len(header); i += 2 {
		head += header[i] + ": " + header[i+1] + "\r\n"
	}
	if _, err := c.Write([]byte(head + "\r\n" + body)); err != nil {
		n.t.Fatal(err)
	}
	return c
}

// answered is what a connection is answered with, within a moment.
func answered(t testing.TB, c net.Conn) *http.Response {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

const formHead = "--x\r\nContent-Disposition: form-data; name=\"module\"; filename=\"m\"\r\n\r\n\x00asm"

// TestRefusedUnread: who may not, or announces too much, is refused by the head of the request:
// no byte of the body has come.
func TestRefusedUnread(t *testing.T) {
	n := start(t)
	n.publish(n.ada(), manifest("shop"), says("one"))
	viewer, cookie := n.token("vic@example.com", access.RoleViewer), n.session("vic@example.com")
	const form, json, wasm = "multipart/form-data; boundary=x", "application/json", "application/wasm"
	for _, k := range []struct {
		name, path, media, token string
		size, status             int
	}{
		{"a call with 80 MiB", "/api/v1/apps/shop/invoke", json, viewer, 80 << 20, 413},
		{"a call of an app that is none", "/api/v1/apps/none/invoke", json, viewer, 80, 404},
		{"a release of a viewer", "/api/v1/releases", form, viewer, 1 << 20, 403},
		{"a release of a stranger", "/api/v1/releases", form, "x", 1 << 20, 401},
		{"a module that is too large", "/api/v1/inspect", wasm, viewer, 80 << 20, 413},
		{"a decision of a viewer", "/api/v1/requests/req-1/decision", json, viewer, 100, 403},
		{"a document that is too large", "/api/v1/tokens", json, viewer, 300 << 10, 413},
		{"a stranger's sign-in", "/api/v1/sign-in", json, "", 200 << 10, 413},
		{"a viewer's form", "/upload", form, "", 1 << 20, 403},
		{"a viewer's act", "/settings/users", "application/x-www-form-urlencoded", "", 100, 403},
		{"a form that is too large", "/settings/tokens", "application/x-www-form-urlencoded", "", 100 << 10, 413},
	} {
		header := []string{"Content-Type", k.media, "Cookie", cookie}
		if k.token != "" {
			header = append(header, "Authorization", "Bearer "+k.token)
		}
		resp := answered(t, n.half(k.path, k.size, "", header...))
		if resp.StatusCode != k.status || !resp.Close {
			t.Errorf("%s: %d, and the connection closes: %v", k.name, resp.StatusCode, resp.Close)
		}
	}
}

// TestHalfSentUploads: uploads that are begun and not sent take the share of who begins them,
// through the API and the console together, and keep no other's from finishing.
func TestHalfSentUploads(t *testing.T) {
	n := start(t)
	const form = "multipart/form-data; boundary=x"
	token, cookie := n.token(ada, access.RoleDeveloper), n.session(ada)
	for i := range 4 {
		path, header := "/api/v1/releases", []string{"Content-Type", form, "Authorization", "Bearer " + token}
		if i%2 == 1 {
			path, header = "/upload", []string{"Content-Type", form, "Cookie", cookie}
		}
		n.half(path, 1<<20, formHead, header...)
	}
	for i := range 12 { // and of viewers, who may look at modules
		n.half("/api/v1/inspect", 1<<20, "\x00asm", "Content-Type", "application/wasm", "Authorization", "Bearer "+n.token(fmt.Sprintf("v%d@example.com", i), access.RoleViewer))
	}
	n.eventually("the uploads have begun", func() bool { return n.Staging() >= 4+8 })
	resp := answered(t, n.half("/api/v1/releases", 1<<20, formHead, "Content-Type", form, "Authorization", "Bearer "+token))
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("a fifth upload: %d", resp.StatusCode)
	}
	resp = answered(t, n.half("/api/v1/inspect", 1<<20, "", "Content-Type", "application/wasm", "Authorization", "Bearer "+n.token("late@example.com", access.RoleViewer)))
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("a look too many: %d", resp.StatusCode)
	}
	bob := n.as("bob@example.com", access.RoleDeveloper)
	began := time.Now()
	n.publish(bob, []byte(strings.ReplaceAll(string(manifest("bobs")), ada, "bob@example.com")), says("bob"))
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("another's upload took %s", took)
	}
}

// TestUploadsLeaveNothing: of an upload that breaks off, is refused or succeeds, nothing but the
// release stays on the disk.
func TestUploadsLeaveNothing(t *testing.T) {
	n := start(t)
	c := n.ada()
	token := n.token(ada)
	broken := n.half("/api/v1/releases", 1<<20, formHead, "Content-Type", "multipart/form-data; boundary=x", "Authorization", "Bearer "+token)
	n.eventually("the upload has begun", func() bool { return n.Staging() == 1 })
	if err := broken.Close(); err != nil {
		t.Fatal(err)
	}
	n.publish(c, manifest("shop"), says("one"))
	n.publish(c, manifest("shop"), says("one")) // again
	if _, err := c.Publish(t.Context(), manifest("shop"), []byte("no module"), []byte("{}"), nil); problemOf(t, err).Status != 422 {
		t.Errorf("no module: %v", err)
	}
	if _, err := c.Inspect(t.Context(), says("two")); err != nil {
		t.Error(err)
	}
	n.eventually("nothing is unfinished", func() bool { return n.Staging() == 0 })
	if left, _ := filepath.Glob(filepath.Join(n.dir, "blobs", "sha256", "*", "*")); len(left) != 2 {
		t.Errorf("blobs: %q", left)
	}
	n.healthy()
}

// eventually waits for what other goroutines bring about.
func (n *testNode) eventually(what string, is func() bool) {
	n.t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			n.t.Fatalf("never: %s", what)
		}
	}
}

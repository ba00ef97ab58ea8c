package node_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/agora-host/agora/abi/static"
	"github.com/agora-host/agora/abi/wasm"
	"github.com/agora-host/agora/sdk/client"
)

func withFiles(t testing.TB, module []byte, files fstest.MapFS) []byte {
	t.Helper()
	packed, _, err := static.Pack(files)
	if err != nil {
		t.Fatal(err)
	}
	if module, err = wasm.WithCustomSection(module, static.Section, packed); err != nil {
		t.Fatal(err)
	}
	return module
}

// ranges are n ranges of one byte, in order.
func ranges(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ",%d-%d", 2*i+2, 2*i+2)
	}
	return b.String()
}

// TestStaticFiles: files of the release are served as browsers expect, without
// the app, metered; everything else is the app's.
func TestStaticFiles(t *testing.T) {
	n := start(t)
	page := strings.Repeat("<p>hello</p>\n", 100)
	files := fstest.MapFS{
		"index.html": {Data: []byte(page)}, "docs/index.html": {Data: []byte("docs")}, "app.js": {Data: []byte(strings.Repeat("let x = 1;\n", 50))}, "x.bin": {Data: []byte{1, 2, 3, 4, 5}},
	}
	p := n.publish(n.ada(), manifest("site", "[static]\ndir = \"static\"\nfallback = \"index.html\"\ncache = \"1h\"\napp = \"/api/\""), withFiles(t, says("the app"), files))
	get := func(path string, header ...string) answer {
		t.Helper()
		return n.do("GET", p.URL+path, "", append(header, "Accept-Encoding", "identity")...)
	}
	index := get("")
	if index.Status != 200 || index.Body != page || index.Header.Get("Content-Type") != "text/html; charset=utf-8" || index.Header.Get("Cache-Control") != "no-cache" ||
		index.Header.Get("X-Content-Type-Options") != "nosniff" || index.Header.Get("Content-Length") != "1300" || index.Header.Get("Agora-Invocation") == "" {
		t.Errorf("%+v", index)
	}
	etag := index.Header.Get("Etag")
	if got := get("", "If-None-Match", etag); got.Status != 304 || got.Body != "" {
		t.Errorf("not modified: %+v", got)
	}
	packed := n.do("GET", p.URL, "", "Accept-Encoding", "br, gzip")
	if packed.Header.Get("Content-Encoding") != "gzip" || packed.Header.Get("Etag") == etag || len(packed.Body) > 200 || packed.Header.Get("Vary") != "Accept-Encoding" {
		t.Errorf("gzip: %+v", packed.Header)
	}
	if r, err := gzip.NewReader(strings.NewReader(packed.Body)); err != nil {
		t.Error(err)
	} else if plain, err := io.ReadAll(r); err != nil || string(plain) != page {
		t.Errorf("unpacked: %d bytes, %v", len(plain), err)
	}
	if got := n.do("GET", p.URL, "", "Accept-Encoding", "gzip;q=0"); got.Header.Get("Content-Encoding") != "" {
		t.Errorf("gzip was not wanted: %+v", got.Header)
	}
	if got := get("app.js", "Range", "bytes=4-8"); got.Status != 206 || got.Body != "x = 1" || got.Header.Get("Content-Range") != "bytes 4-8/550" || got.Header.Get("Cache-Control") != "private, max-age=3600" {
		t.Errorf("a range: %+v", got)
	}
	if got := get("app.js", "Range", "bytes=4-8, 15-19"); got.Status != 206 || strings.Count(got.Body, "x = 1") != 2 || !strings.HasPrefix(got.Header.Get("Content-Type"), "multipart/byteranges") {
		t.Errorf("two ranges: %+v", got)
	}
	for _, ranges := range []string{"bytes=15-19, 4-8", "bytes=4-8,4-8", "bytes=0-,540-", "bytes=0-0" + ranges(20)} {
		if got := get("app.js", "Range", ranges); got.Status != 200 || len(got.Body) != 550 {
			t.Errorf("ranges %s: %d with %d bytes", ranges, got.Status, len(got.Body))
		}
	}
	js := get("app.js")
	if got := get("app.js", "Range", "bytes=4-8", "If-Range", js.Header.Get("Etag")); got.Status != 206 {
		t.Errorf("a range of what is known: %+v", got)
	}
	if got := get("app.js", "Range", "bytes=4-8", "If-Range", `"other"`); got.Status != 200 || got.Body != js.Body {
		t.Errorf("a range of something else: %+v", got)
	}
	if got := get("app.js", "Range", "bytes=9999-"); got.Status != 416 {
		t.Errorf("a range beyond: %+v", got)
	}
	if got := get("x.bin", "If-Match", `"other"`); got.Status != 412 {
		t.Errorf("another version: %+v", got)
	}
	if got := n.do("HEAD", p.URL+"app.js", "", "Accept-Encoding", "identity"); got.Status != 200 || got.Body != "" || got.Header.Get("Content-Length") != "550" {
		t.Errorf("HEAD: %+v", got)
	}
	if got := get("docs"); got.Status != 301 || got.Header.Get("Location") != "/docs/" {
		t.Errorf("a directory: %+v", got)
	}
	if got := get("docs/"); got.Body != "docs" {
		t.Errorf("its page: %+v", got)
	}
	if got := get("orders/17", "Accept", "text/html"); got.Body != page {
		t.Errorf("a page that the browser's program knows: %+v", got)
	}
	for _, path := range []string{"api/x", "missing.js", "../index.html", "%2e%2e/index.html", "docs/../index.html", "docs//index.html", "%2fetc/passwd", "index.html%00", "docs%2findex.html/", `docs\index.html`} {
		if got := get(path, "Accept", "text/x"); got.Body != "the app" && got.Status != 301 && got.Status != 400 {
			t.Errorf("%s: %d %q", path, got.Status, got.Body)
		}
	}
	if got := n.do("POST", p.URL, ""); got.Body != "the app" {
		t.Errorf("a POST: %+v", got)
	}
	report, err := n.ops().Usage(t.Context(), client.UsageQuery{App: "site"})
	if err != nil {
		t.Fatal(err)
	}
	before := report.Total
	index = get("")
	if report, err = n.ops().Usage(t.Context(), client.UsageQuery{App: "site"}); err != nil {
		t.Fatal(err)
	}
	if d := report.Total; d.Calls != before.Calls+1 || d.BytesOut != before.BytesOut+1300 || d.Instructions != before.Instructions {
		t.Errorf("billed %+v after %+v", d, before)
	}
}

// TestStaticRefused: what the manifest speaks of has to be in the module.
func TestStaticRefused(t *testing.T) {
	n := start(t)
	section, err := wasm.WithCustomSection(says("x"), static.Section, bytes.Repeat([]byte("no zip"), 9))
	if err != nil {
		t.Fatal(err)
	}
	text := manifest("site", "[static]\ndir = \"static\"\nfallback = \"404.html\"")
	for what, module := range map[string][]byte{"no files": says("x"), "noise": section, "no fallback": withFiles(t, says("x"), fstest.MapFS{"a": {}})} {
		ada := n.ada()
		_, err := ada.Publish(t.Context(), text, module, signAs(t, ada, module), nil)
		if p := problemOf(t, err); p.Type != "/problems/bad-static-files" {
			t.Errorf("%s: %+v", what, p)
		}
	}
}

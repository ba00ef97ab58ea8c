package gateway

import (
	"mime"
	"strings"
	"testing"
)

// TestContentTypes: a browser refuses to run, show or play what has another type, with nosniff.
func TestContentTypes(t *testing.T) {
	for name, want := range map[string]string{
		"index.html": "text/html; charset=utf-8", "a/app.js": "text/javascript; charset=utf-8", "app.mjs": "text/javascript; charset=utf-8", "APP.CSS": "text/css; charset=utf-8",
		"app.js.map": "application/json", "site.webmanifest": "application/manifest+json", "a.wasm": "application/wasm", "subs.vtt": "text/vtt; charset=utf-8", "plan.ics": "text/calendar; charset=utf-8",
		"a.avif": "image/avif", "a.svg": "image/svg+xml", "a.webp": "image/webp", "a.woff2": "font/woff2", "a.woff": "font/woff", "a.ttf": "font/ttf", "a.otf": "font/otf", "a.eot": "application/vnd.ms-fontobject",
		"a.mp4": "video/mp4", "a.webm": "video/webm", "a.m4a": "audio/mp4", "a.opus": "audio/ogg", "live.m3u8": "application/vnd.apple.mpegurl", "a.jxl": "image/jxl", "feed.atom": "application/atom+xml",
		"a.xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ".well-known/security.txt": "text/plain; charset=utf-8", ".well-known/apple-app-site-association": "application/json",
		".well-known/matrix/server": "application/json", "server": "application/octet-stream", "a.unknown": "application/octet-stream", "noext": "application/octet-stream", "a.": "application/octet-stream",
		"v1.2/file": "application/octet-stream",
	} {
		if got := contentType(name); got != want {
			t.Errorf("%s is %s, not %s", name, got, want)
		}
		kind, parameters, err := mime.ParseMediaType(contentType(name))
		if err != nil || strings.HasPrefix(kind, "text/") != (parameters["charset"] == "utf-8") {
			t.Errorf("%s: %s: %v", name, contentType(name), err)
		}
	}
}

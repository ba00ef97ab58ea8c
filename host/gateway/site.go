package gateway

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/agora-host/agora/abi/static"
)

// Files is a Route that has files beside its app.
type Files interface {
	// ServeFile answers a request for a file, and tells whether it was one. After an
	// error nothing was written.
	ServeFile(w http.ResponseWriter, r *http.Request, id string) (bool, error)
}

// Site is what a release has of files, and how they are served.
type Site struct {
	Archive  *static.Archive
	Fallback string        // the file for pages that do not exist; "" for none
	Cache    time.Duration // for which a browser need not ask again
	App      string        // paths that start with it are the app's; "" for none
}

// Find is the file that a request is for; nil if it is for the app. A name is
// looked up as it is, so there is no path that leads anywhere else.
func (s *Site) Find(r *http.Request) (f *static.File, redirect string) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead || s.App != "" && strings.HasPrefix(r.URL.Path, s.App) {
		return nil, ""
	}
	name := strings.TrimPrefix(r.URL.Path, "/")
	if name == "" || strings.HasSuffix(name, "/") {
		name += "index.html"
	}
	if f, ok := s.Archive.File(name); ok {
		return f, ""
	}
	if _, ok := s.Archive.File(name + "/index.html"); ok {
		to := url.URL{Path: "/" + name + "/", RawQuery: r.URL.RawQuery}
		return nil, to.String()
	}
	// A page that a program in the browser knows; a file that is missing is missing.
	if s.Fallback != "" && path.Ext(name) == "" && strings.Contains(r.Header.Get("Accept"), "text/html") {
		f, _ = s.Archive.File(s.Fallback)
	}
	return f, ""
}

// Serve sends a file. Ranges and conditions are http.ServeContent's. Nothing is unpacked but
// what is sent of a range, or to a client that does not take gzip.
func (s *Site) Serve(w http.ResponseWriter, r *http.Request, f *static.File) {
	h := w.Header()
	h.Set("Content-Type", contentType(f.Name))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", s.cacheControl(f))
	h.Add("Vary", "Accept-Encoding")
	ranges := r.Header.Get("Range")
	// A range is of the file itself; nobody resumes a compressed one.
	if ranges == "" && takesGzip(r.Header) {
		if packed, ok := f.OpenGzip(); ok {
			h.Set("Content-Encoding", "gzip")
			h.Set("Etag", `"`+f.Sum[:32]+`-gz"`)
			// ServeContent says it only for what is not encoded.
			h.Set("Content-Length", strconv.FormatInt(f.GzipSize(), 10))
			http.ServeContent(w, r, "", time.Time{}, packed)
			return
		}
	}
	if ranges != "" && !inOrder(ranges) {
		r = r.Clone(r.Context())
		r.Header.Del("Range")
	}
	h.Set("Etag", `"`+f.Sum[:32]+`"`)
	content := f.Open()
	defer content.Close()
	http.ServeContent(w, r, "", time.Time{}, content)
}

// maxRanges is how many ranges one request gets.
const maxRanges = 16

// inOrder reports whether several ranges are few, and each begins after the one before: then
// the file is unpacked once for all of them. Others get the whole file (RFC 9110 section 14.2).
func inOrder(ranges string) bool {
	list := strings.Split(strings.TrimPrefix(ranges, "bytes="), ",")
	if len(list) == 1 {
		return true
	}
	last := int64(-1)
	for _, part := range list {
		from, to, _ := strings.Cut(strings.TrimSpace(part), "-")
		first, err := strconv.ParseInt(strings.TrimSpace(from), 10, 64)
		if err != nil || first <= last {
			return false
		}
		if last, err = strconv.ParseInt(strings.TrimSpace(to), 10, 64); err != nil {
			last = math.MaxInt64 // to the end: nothing comes after that
		}
	}
	return len(list) <= maxRanges
}

func (s *Site) cacheControl(f *static.File) string {
	if s.Cache < time.Second || path.Ext(f.Name) == ".html" { // a page is what names the rest
		return "no-cache"
	}
	return fmt.Sprintf("private, max-age=%d", int(s.Cache.Seconds()))
}

// takesGzip reads Accept-Encoding (RFC 9110 section 12.5.3).
func takesGzip(h http.Header) bool {
	best := map[string]bool{}
	for _, line := range h["Accept-Encoding"] {
		for part := range strings.SplitSeq(line, ",") {
			coding, q, _ := strings.Cut(part, ";")
			q = strings.ReplaceAll(strings.TrimSpace(q), " ", "")
			zero := strings.HasPrefix(q, "q=0") && strings.Trim(q[3:], ".0") == ""
			best[strings.ToLower(strings.TrimSpace(coding))] = !zero
		}
	}
	if takes, said := best["gzip"]; said {
		return takes
	}
	return best["*"]
}

// contentTypes are the same on every machine; what is not here is not guessed.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".htm": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
	".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8", ".json": "application/json", ".map": "application/json",
	".webmanifest": "application/manifest+json", ".xml": "application/xml", ".txt": "text/plain; charset=utf-8", ".md": "text/plain; charset=utf-8",
	".csv": "text/csv; charset=utf-8", ".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif",
	".webp": "image/webp", ".avif": "image/avif", ".ico": "image/x-icon", ".woff": "font/woff", ".woff2": "font/woff2", ".ttf": "font/ttf", ".otf": "font/otf",
	".pdf": "application/pdf", ".wasm": "application/wasm", ".mp3": "audio/mpeg", ".mp4": "video/mp4", ".webm": "video/webm", ".zip": "application/zip",
}

func contentType(name string) string {
	if t, ok := contentTypes[strings.ToLower(path.Ext(name))]; ok {
		return t
	}
	return "application/octet-stream"
}

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
	// ServeFile serves a request for a file, and reports whether it was one. After an
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
	// A page that a program in the browser knows. What is missing below .well-known/ is missing:
	// programs ask there, and take a page for what they look for (RFC 8615).
	if s.Fallback != "" && !strings.HasPrefix(name, ".well-known/") && TakesPage(r.Header) {
		f, _ = s.Archive.File(s.Fallback)
	}
	return f, ""
}

// TakesPage reports whether a request is for a page, by its Accept header, and not for a part of
// one: browsers name text/html only for what they navigate to. A path says less, since names of
// people and versions have dots as names of files do.
func TakesPage(h http.Header) bool {
	for _, line := range h["Accept"] {
		for part := range strings.SplitSeq(line, ",") {
			kind, weight, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(kind), "text/html") && !refuses(weight) {
				return true
			}
		}
	}
	return false
}

// refuses reports whether the parameters of an element of an Accept header have a weight of zero
// (RFC 9110 section 12.4.2).
func refuses(parameters string) bool {
	for p := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(p, "=")
		value = strings.TrimSpace(value)
		if strings.EqualFold(strings.TrimSpace(name), "q") && strings.HasPrefix(value, "0") && strings.Trim(value, ".0") == "" {
			return true
		}
	}
	return false
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
	// A range is of the file itself; no one resumes a compressed one.
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
			best[strings.ToLower(strings.TrimSpace(coding))] = !refuses(q)
		}
	}
	if takes, said := best["gzip"]; said {
		return takes
	}
	return best["*"]
}

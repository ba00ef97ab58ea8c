package gate

import (
	"net/http"
	"net/url"
	"strings"
)

// reserved begins the paths of an app's address that are the node's. Go has decoded them.
const reserved = "/.agora/"

func isReserved(path string) bool {
	rest, ok := strings.CutPrefix(path, reserved[:len(reserved)-1])
	return ok && (rest == "" || rest[0] == '/')
}

// first is the first value of a header, by its canonical name.
func first(h http.Header, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// read reports whether a method is one that changes nothing.
func read(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// visits reports whether a browser goes to a page in a window: only then is a person there to sign in.
// What a service worker passes on has an empty destination. What is fetched ahead is no visit.
func visits(r *http.Request) bool {
	h := r.Header
	if r.Method != http.MethodGet && r.Method != http.MethodHead || first(h, "Sec-Purpose") != "" || first(h, "Purpose") != "" || first(h, "X-Moz") != "" {
		return false
	}
	mode, dest := first(h, "Sec-Fetch-Mode"), first(h, "Sec-Fetch-Dest")
	if mode == "" && dest == "" { // a browser that does not say, or a program
		return first(h, "Origin") == "" && takesPage(h)
	}
	return toWindow(mode, dest)
}

func toWindow(mode, dest string) bool {
	return mode == "navigate" && (dest == "document" || dest == "empty" || dest == "")
}

// takesPage reports whether a request names text/html in its Accept header.
func takesPage(h http.Header) bool {
	for _, line := range h["Accept"] {
		if strings.Contains(strings.ToLower(line), "text/html") {
			return true
		}
	}
	return false
}

// preflight reports whether a browser asks whether another origin's page may send a request.
func preflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && (first(r.Header, "Access-Control-Request-Method") != "" || first(r.Header, "Origin") != "")
}

// worker reports whether a browser fetches the script of a service worker.
func worker(h http.Header) bool {
	return first(h, "Service-Worker") != "" || first(h, "Sec-Fetch-Dest") == "serviceworker"
}

// foreign reports whether what a cookie would vouch for was asked for by another origin's page, other
// than by a link that a person follows. A neighbour app is of the same site, and no friend. Programs,
// and browsers that say nothing, are believed.
func foreign(r *http.Request, origin string) bool {
	h := r.Header
	switch first(h, "Sec-Fetch-Site") {
	case "same-origin", "none":
		return false
	case "":
		o := first(h, "Origin")
		return o != "" && o != origin
	}
	return !read(r.Method) || r.Method == http.MethodOptions || !toWindow(first(h, "Sec-Fetch-Mode"), first(h, "Sec-Fetch-Dest"))
}

// maxReturn is how long a path may be to which a person returns after signing in, in bytes.
const maxReturn = 2048

// returnPath returns where on the same address a person goes on after signing in: "/" for what another
// place could be read in.
func returnPath(path string) string {
	bad := len(path) > maxReturn || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.Contains(path, `\`)
	for i := range len(path) {
		bad = bad || path[i] <= ' ' || path[i] >= 0x7f
	}
	u, err := url.ParseRequestURI(path)
	if bad || err != nil || isReserved(u.Path) {
		return "/"
	}
	return path
}

package web

import "net/http"

// FromElsewhere reports whether the browser that sends a request says that another origin asked
// for it: another site, or an app of this node, which is of the same site and no friend.
// Programs, and browsers that do not say, are believed.
func FromElsewhere(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return false
	}
	return true
}

// Visits reports whether a browser says that it goes to a page, in a window and not in a frame:
// a person followed a link.
func Visits(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
}

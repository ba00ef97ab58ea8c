package console

import (
	"net/http"

	"github.com/agora-host/agora/web"
)

// doneCookie carries what an act did to the next page, which says it once.
const doneCookie = "agora_done"

// doneOf is the key of what the act before this page did; "" for none.
func doneOf(r *http.Request) string {
	if c, err := r.Cookie(doneCookie); err == nil && notices[c.Value] != "" {
		return c.Value
	}
	return ""
}

// sayOnce takes what was done out of a page's address, where it would be said again by reloading
// and to whoever is sent the address. The page says it if the console itself led there.
func (c *Console) sayOnce(w http.ResponseWriter, r *http.Request) {
	to := *r.URL
	q := to.Query()
	if key := q.Get("done"); notices[key] != "" && ledHere(r) {
		http.SetCookie(w, &http.Cookie{Name: doneCookie, Value: key, Path: "/", MaxAge: 60, HttpOnly: true, Secure: c.o.Secure, SameSite: http.SameSiteLaxMode})
	}
	q.Del("done")
	to.RawQuery = q.Encode()
	http.Redirect(w, r, to.RequestURI(), http.StatusSeeOther)
}

// ledHere reports whether a page of the console led to this one. Browsers that do not say so are
// believed.
func ledHere(r *http.Request) bool {
	return !web.FromElsewhere(r) && r.Header.Get("Sec-Fetch-Site") != "none"
}

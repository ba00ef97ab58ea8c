package gate

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/agora-host/agora/access"
)

// The cookies of an app's address. Where people come through TLS, and on loopback in browsers that let
// it have Secure cookies, their names begin with "__Host-": no sibling can set one. The names without
// are for other browsers on loopback alone, and are never read where there is TLS.
const (
	hostPrefix    = "__Host-"
	sessionCookie = "agora_app"
	stateCookie   = "agora_state_" // and an id
)

// Ours reports whether a cookie is the platform's, by its name: no app is given it, and none sets it.
func Ours(name string) bool {
	name = strings.ToLower(strings.TrimLeft(strings.TrimSpace(name), "= \t"))
	return strings.HasPrefix(name, "__host-agora") || strings.HasPrefix(name, "agora_")
}

// cookie returns the value of a cookie that a request has once; "" if it has none, or several, of which
// no one could tell whose they are.
func cookie(h http.Header, name string) string {
	value, found := "", 0
	for _, line := range h["Cookie"] {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			k, v, ok := strings.Cut(strings.TrimSpace(pair), "=")
			if ok && k == name {
				value = v
				found++
			}
		}
	}
	if found != 1 {
		return ""
	}
	return value
}

// jar are the cookies of apps' addresses.
type jar struct{ addresses Addresses }

func (j jar) secure() bool { return j.addresses.Scheme() == "https" }

// session returns the secret of the session that a request's cookies carry; "" for none.
func (j jar) session(h http.Header) string {
	v := cookie(h, hostPrefix+sessionCookie)
	if v == "" && !j.secure() {
		v = cookie(h, sessionCookie)
	}
	if !access.KindApp.Made(v) {
		return ""
	}
	return v
}

// set sets a cookie of an app's address.
func (j jar) set(w http.ResponseWriter, name, value string, life time.Duration) {
	c := &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: int(life.Seconds())}
	c.Secure = strings.HasPrefix(name, hostPrefix)
	http.SetCookie(w, c)
}

// forms are the names of a cookie, the preferred one first.
func (j jar) forms(name string) []string {
	if j.secure() {
		return []string{hostPrefix + name}
	}
	return []string{hostPrefix + name, name}
}

// drop takes a cookie away, in every form.
func (j jar) drop(w http.ResponseWriter, name string) {
	for _, form := range j.forms(name) {
		j.set(w, form, "", -time.Second)
	}
}

// maxStates is how many sign-ins one browser has under way at an address.
const maxStates = 6

// prune drops the states of the sign-ins that were begun first, so that one more has room. Their ids
// begin with the time.
func (j jar) prune(w http.ResponseWriter, h http.Header) {
	var ids []string
	for _, line := range h["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			name, _, _ := strings.Cut(strings.TrimSpace(pair), "=")
			if id, ok := strings.CutPrefix(strings.TrimPrefix(name, hostPrefix), stateCookie); ok && isState(id) && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	for len(ids) >= maxStates {
		j.drop(w, stateCookie+ids[0])
		ids = ids[1:]
	}
}

// state reads the cookie of a sign-in under way, and the name that it came back under.
func (j jar) state(h http.Header, state string) (form, verifier, to string) {
	for _, name := range j.forms(stateCookie + state) {
		verifier, path, ok := strings.Cut(cookie(h, name), ".")
		if raw, err := base64.RawURLEncoding.DecodeString(path); ok && err == nil {
			return name, verifier, returnPath(string(raw))
		}
	}
	return "", "", ""
}

// bearer returns the token of the platform's that a request carries in Authorization, and takes the header
// away, so that no app sees it. found is true as well for a secret in another place of that header,
// which is none that is good here.
func bearer(h http.Header) (token string, found bool) {
	values := h["Authorization"]
	if len(values) == 0 {
		return "", false
	}
	for _, v := range values {
		if holdsSecret(v) {
			found = true
		}
	}
	if !found {
		return "", false
	}
	scheme, secret, _ := strings.Cut(values[0], " ")
	if secret = strings.TrimSpace(secret); len(values) == 1 && strings.EqualFold(scheme, "Bearer") && access.KindToken.Made(secret) {
		token = secret
	}
	h.Del("Authorization")
	return token, true
}

// holdsSecret reports whether a value of Authorization holds a secret of the platform's, in any scheme.
func holdsSecret(value string) bool {
	if strings.Contains(value, access.SecretPrefix) {
		return true
	}
	_, credentials, _ := strings.Cut(strings.TrimSpace(value), " ")
	credentials = strings.TrimRight(strings.TrimSpace(credentials), "=")
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		if raw, err := e.DecodeString(credentials); err == nil && strings.Contains(string(raw), access.SecretPrefix) {
			return true
		}
	}
	return false
}

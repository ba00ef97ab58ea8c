package gateway

import (
	"net/http"
	"strings"
)

// Headers of a response by which a server orders the proxy in front of it: to send a file from
// the proxy's disk, to ask another server, to run a template language over the body, to take
// the server out of service. An app is not the server that its proxy trusts, so none of them
// leaves the node, whichever proxy is there. Headers that tell caches how long a response is
// good, as Cache-Control does, stay: they are about the app's own address.
var (
	orders = map[string]bool{
		"X-Sendfile":           true, // Apache, lighttpd, and others after them
		"X-Sendfile2":          true, // lighttpd
		"X-Sendfile-Temporary": true, // Apache
		"Surrogate-Control":    true, // content="ESI/1.0" has Varnish, Squid and CDNs run the body
		"Edge-Control":         true, // dca=esi, Akamai
		"X-Esi":                true, // Varnish, by custom
		"X-Appengine-Blobkey":  true, // App Engine
	}
	orderPrefixes = []string{
		"X-Accel-",    // nginx; Caddy's and Traefik's imitations of it
		"X-Lighttpd-", // send-file, send-tempfile
		"X-Litespeed-",
		"X-Reproxy-", // Perlbal, MogileFS
		"X-Envoy-",   // immediate-health-check-fail takes the node out of service
		"Proxy-",     // authentication between proxies, and the like
	}
)

// forProxies reports whether a header, by its canonical name, is one of those. An underscore
// counts as a hyphen.
func forProxies(name string) bool {
	if name == "" || !strings.Contains("XxSsEePp", name[:1]) {
		return false
	}
	if strings.Contains(name, "_") {
		name = http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))
	}
	if orders[name] {
		return true
	}
	for _, p := range orderPrefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

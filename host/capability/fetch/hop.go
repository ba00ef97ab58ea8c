package fetch

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/agora-host/agora/abi"
)

// hop is one request of a chain.
type hop struct {
	origin abi.Origin
	method string
	url    *url.URL
	header http.Header
	body   []byte
	left   bool // the chain has left its first origin: no credentials any more
}

func firstHop(origin abi.Origin, r *abi.Request) (*hop, abi.Errno) {
	path, err := url.PathUnescape(r.Path)
	if err != nil {
		return nil, abi.ErrnoInvalid
	}
	h := &hop{origin: origin, method: r.Method, body: r.Body, header: http.Header{}}
	h.url = &url.URL{Scheme: origin.Scheme, Host: hostOf(origin), Path: path, RawPath: r.Path, RawQuery: r.Query}
	for _, f := range r.Header {
		h.header.Add(f.Name, f.Value)
	}
	if h.header.Get("User-Agent") == "" {
		h.header.Set("User-Agent", "agora")
	}
	return h, abi.ErrnoOK
}

// hostOf is host and port as they stand in a URL.
func hostOf(o abi.Origin) string { return strings.TrimPrefix(o.String(), o.Scheme+"://") }

// redirect makes a hop the next one. Where it leads is judged like the first
// request; what was meant for the origin that is left stays behind.
func (g *grant) redirect(h *hop, status int, location string) error {
	to, err := h.url.Parse(location)
	if err != nil || to.User != nil || to.Opaque != "" || strings.Contains(to.RawQuery, " ") {
		return errLocation
	}
	origin, err := parseOrigin(to.Scheme + "://" + to.Host)
	switch {
	case err != nil:
		return errLocation
	case h.origin.Scheme == "https" && origin.Scheme == "http":
		return errDowngrade
	case !g.allows(origin):
		return notAllowed{origin}
	}
	if origin != h.origin {
		h.left = true
		h.header = harmless(h.header)
	}
	if status != http.StatusTemporaryRedirect && status != http.StatusPermanentRedirect && h.method != http.MethodHead {
		h.method, h.body = http.MethodGet, nil
		h.header.Del("Content-Type")
	}
	to.Host, to.Fragment, to.RawFragment = hostOf(origin), "", ""
	h.origin, h.url = origin, to
	return nil
}

// harmless are the headers that may go to another origin: those that say
// nothing about who asks. Any other may be a key.
func harmless(header http.Header) http.Header {
	kept := http.Header{}
	for _, name := range []string{"Accept", "Accept-Language", "Content-Type", "User-Agent"} {
		if values := header.Values(name); len(values) > 0 {
			kept[name] = values
		}
	}
	return kept
}

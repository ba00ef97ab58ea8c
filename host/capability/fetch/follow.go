package fetch

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/agora-host/agora/abi"
)

// maxRedirects are followed; one more is a loop or a maze.
const maxRedirects = 3

// errRedirects and errDowngrade are for chains that are not followed further.
var (
	errRedirects = errors.New("more redirects than are followed")
	errDowngrade = errors.New("a redirect leads from https to http")
	errTooLarge  = errors.New("the answer is larger than the grant allows")
	errStatus    = errors.New("the answer is no HTTP answer that an app can be given")
	errLocation  = errors.New("a redirect leads nowhere")
)

// notAllowed is for a redirect to an origin that the grant does not list.
type notAllowed struct{ origin abi.Origin }

func (e notAllowed) Error() string { return "a redirect leads to " + e.origin.String() }

// hop is one request of a chain.
type hop struct {
	origin abi.Origin
	method string
	url    *url.URL
	header http.Header
	body   []byte
	left   bool // the chain has left its first origin: no credentials any more
}

// follow sends a request and, where the answer is a redirect that may be
// followed, the next.
func (g *grant) follow(ctx context.Context, origin abi.Origin, r *abi.Request) ([]byte, abi.Errno) {
	h, errno := firstHop(origin, r)
	if errno != abi.ErrnoOK {
		return nil, errno
	}
	for n := 0; ; n++ {
		answer, location, err := g.send(ctx, h)
		if err == nil && location == "" {
			return abi.AppendResponse(nil, answer), abi.ErrnoOK
		}
		if err == nil && n == maxRedirects {
			err = errRedirects
		}
		if err == nil {
			err = g.redirect(h, answer.Status, location)
		}
		if err != nil {
			return nil, g.failed(ctx, h, err)
		}
	}
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

// send makes one request. location is where the answer redirects to.
func (g *grant) send(ctx context.Context, h *hop) (answer *abi.Response, location string, err error) {
	header := h.header
	if !h.left {
		if header, err = g.withCredentials(ctx, h); err != nil {
			return nil, "", err
		}
	}
	r := &http.Request{Method: h.method, URL: h.url, Header: header, Host: h.url.Host, ContentLength: int64(len(h.body)), Body: http.NoBody}
	if len(h.body) > 0 {
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(h.body)), nil }
		r.Body, _ = r.GetBody()
	}
	note := func(meter string, n int) {
		abi.Note(ctx, abi.Use{Capability: "fetch", Meter: meter, Subject: h.origin.String(), N: uint64(n)})
	}
	var left atomic.Bool
	r = r.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { left.Store(true) }}))
	resp, err := g.client.transport.RoundTrip(r)
	if left.Load() { // it is billed whatever comes back, credentials included
		note(abi.MeterCalls, 1)
		note(abi.MeterSent, len(h.method)+len(h.url.RequestURI())+sizeOf(header)+len(h.body))
	}
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	note(abi.MeterGot, sizeOf(resp.Header))
	if resp.StatusCode < 200 || resp.StatusCode > 599 || len(resp.Header) > abi.MaxHeaders {
		return nil, "", errStatus
	}
	body, err := g.read(resp)
	note(abi.MeterGot, len(body))
	if err != nil {
		return nil, "", err
	}
	if redirects(resp.StatusCode) {
		location = resp.Header.Get("Location")
	}
	return &abi.Response{Status: resp.StatusCode, Header: fieldsOf(resp.Header), Body: body}, location, nil
}

func redirects(status int) bool {
	return slices.Contains([]int{301, 302, 303, 307, 308}, status)
}

// read reads a body up to the grant's limit. What was read is answered even
// when it fails: it was paid for.
func (g *grant) read(resp *http.Response) ([]byte, error) {
	if resp.ContentLength > g.maxResponse && resp.Request.Method != http.MethodHead {
		return nil, errTooLarge
	}
	var b bytes.Buffer
	if n := resp.ContentLength; n > 0 && resp.Request.Method != http.MethodHead {
		b.Grow(int(n) + bytes.MinRead)
	}
	n, err := b.ReadFrom(io.LimitReader(resp.Body, g.maxResponse+1))
	if err == nil && n > g.maxResponse {
		err = errTooLarge
	}
	return b.Bytes(), err
}

// connectionHeaders are about the connection, which the app does not have.
var connectionHeaders = []string{"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Trailer", "Upgrade", "Alt-Svc", "Te"}

// fieldsOf are the headers for the app, sorted by name.
func fieldsOf(header http.Header) []abi.Field {
	for _, name := range connectionHeaders {
		header.Del(name)
	}
	fields := make([]abi.Field, 0, len(header))
	for name, values := range header {
		for _, value := range values {
			fields = append(fields, abi.Field{Name: name, Value: value})
		}
	}
	slices.SortStableFunc(fields, func(a, b abi.Field) int { return strings.Compare(a.Name, b.Name) })
	return fields[:min(len(fields), abi.MaxHeaders)]
}

func sizeOf(header http.Header) (n int) {
	for name, values := range header {
		for _, value := range values {
			n += len(name) + len(value)
		}
	}
	return n
}

// failed says what an error means to the app, notes it, and tells the owner.
func (g *grant) failed(ctx context.Context, h *hop, err error) abi.Errno {
	meter, errno := abi.MeterFailed, abi.ErrnoUnavailable
	redirected, elsewhere := errors.AsType[notAllowed](err)
	netErr, isNet := errors.AsType[net.Error](err)
	origin := h.origin
	switch {
	case elsewhere:
		meter, errno, origin = abi.MeterDenied, abi.ErrnoDenied, redirected.origin
	case errors.Is(err, errPrivate), errors.Is(err, errDowngrade):
		meter, errno = abi.MeterDenied, abi.ErrnoDenied
	case errors.Is(err, errTooLarge):
		errno = abi.ErrnoTooLarge
	case ctx.Err() != nil, isNet && netErr.Timeout():
		errno = abi.ErrnoDeadline
	}
	abi.Note(ctx, abi.Use{Capability: "fetch", Meter: meter, Subject: origin.String(), N: 1})
	g.o.Logger.DebugContext(ctx, "an app's request failed", "app", g.app.Name, "origin", h.origin.String(), "err", err)
	g.tellFailed(ctx, h, err)
	return errno
}

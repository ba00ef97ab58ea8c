package gateway

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agora-host/agora/abi"
)

// Router finds what a host name leads to.
type Router interface {
	// Route returns an error that says why there is nothing to call. host is
	// the Host header as sent, port included.
	Route(ctx context.Context, host string) (Route, error)
}

// Route is one release, ready to be called and metered.
type Route interface {
	// Invoke calls the release, with what Frame makes of the request. It
	// returns after the call was metered. If stream was started, the response has
	// gone there.
	Invoke(ctx context.Context, id string, r *http.Request, stream abi.Stream) (abi.Response, error)
}

// Gated is a Route that decides who is let in, before a file of it is served or it is invoked.
type Gated interface {
	// Admit returns the route as whoever sends the request may use it. It has responded itself if done
	// is true; after an error nothing was written.
	Admit(w http.ResponseWriter, r *http.Request) (a Admission, done bool, err error)
}

// Admission is how a request was let in.
type Admission struct {
	Route Route
	// Private responses are in no other site's frame, and in no cache but the browser's own.
	Private bool
}

// Options configure a Gateway.
type Options struct {
	Router Router
	// Hidden reports whether a cookie is the platform's own, by its name: no app sets it.
	Hidden func(name string) bool
	// Secure tells that people come through TLS.
	Secure bool
	// WriteFault responds to a request that failed, with the problem behind err.
	WriteFault func(w http.ResponseWriter, r *http.Request, id string, err error)
}

// Gateway serves apps.
type Gateway struct{ o Options }

// New makes a gateway.
func New(o Options) *Gateway { return &Gateway{o: o} }

// InvocationHeader carries the id under which an invocation is logged.
const InvocationHeader = "Agora-Invocation"

func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := NewID()
	a := &answer{w: w, r: r, header: w.Header(), secure: g.o.Secure, hidden: g.o.Hidden}
	a.set(InvocationHeader, id)
	route, err := g.o.Router.Route(r.Context(), r.Host)
	if err != nil {
		g.o.WriteFault(w, r, id, err)
		return
	}
	if gated, ok := route.(Gated); ok {
		in, done, err := gated.Admit(w, r)
		if err != nil {
			g.o.WriteFault(w, r, id, err)
			return
		}
		if done {
			return
		}
		route, a.private = in.Route, in.Private
		if in.Private {
			a.header["X-Frame-Options"], a.header["Cache-Control"] = unframed, uncached
		}
	}
	if files, ok := route.(Files); ok {
		if done, err := files.ServeFile(w, r, id); err != nil {
			g.o.WriteFault(w, r, id, err)
			return
		} else if done {
			return
		}
	}
	resp, err := route.Invoke(r.Context(), id, r, a)
	switch {
	case a.started && err != nil:
		// It is too late for a page that says so. The connection breaks off, so that
		// no one takes half a response for a whole one.
		panic(http.ErrAbortHandler)
	case a.started:
		a.end()
	case err != nil:
		g.o.WriteFault(w, r, id, err)
	default:
		a.whole(&resp)
	}
}

// NewID makes an invocation id: 96 random bits in hex. It is a name and no secret.
func NewID() string {
	var b [12]byte
	binary.LittleEndian.PutUint64(b[:], rand.Uint64())
	binary.LittleEndian.PutUint32(b[8:], rand.Uint32())
	var text [24]byte
	hex.Encode(text[:], b[:])
	return string(text[:])
}

// IsID reports whether a text has the form of an invocation id.
func IsID(s string) bool {
	raw, err := hex.DecodeString(s)
	return err == nil && len(raw) == 12
}

// Frame reads an HTTP request into f. Its body is at most limit bytes;
// more is abi.ErrRequestTooLarge. Headers that forGuests refuses, those of one connection and
// the cookies that are hidden are left out. What was in f is gone, also after an error; its header
// list is used again. Client and Scheme are for the caller to fill in.
func Frame(f *abi.Request, r *http.Request, limit int64, hidden func(name string) bool) (err error) {
	*f = abi.Request{Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Host: r.Host, Header: f.Header[:0], Proto: r.Proto}
	if f.Body, err = ReadBody(r, limit); err != nil {
		return err
	}
	if f.Path == "" {
		f.Path = "/"
	}
	named := connectionNamed(r.Header)
	for name, values := range r.Header {
		if hopByHop(name) || named[name] || !forGuests(name) {
			continue
		}
		for _, v := range values {
			if name == "Cookie" {
				if v = withoutCookies(v, hidden); v == "" {
					continue
				}
			}
			f.Header = append(f.Header, abi.Field{Name: name, Value: v})
		}
	}
	// Ordered by name, so that the same request makes the same frame and costs
	// the same number of instructions.
	slices.SortStableFunc(f.Header, func(a, b abi.Field) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// smallBody is how much memory is given to a body that was announced and may not come.
const smallBody = 64 << 10

// ReadBody reads a request's body of at most limit bytes; more is abi.ErrRequestTooLarge. Why it
// cannot be read otherwise is for the body to say.
func ReadBody(r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, &TooLargeError{Limit: limit}
	}
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	var body []byte
	var err error
	if n := r.ContentLength; n > 0 && n <= smallBody {
		body = make([]byte, n)
		_, err = io.ReadFull(r.Body, body)
	} else {
		body, err = io.ReadAll(io.LimitReader(r.Body, limit+1))
	}
	if err != nil {
		return nil, fmt.Errorf("read the request's body: %w", err)
	}
	if int64(len(body)) > limit {
		return nil, &TooLargeError{Limit: limit}
	}
	return body, nil
}

// TooLargeError is a request body over a release's limit.
type TooLargeError struct{ Limit int64 }

func (e *TooLargeError) Error() string {
	return abi.ErrRequestTooLarge.Error() + " of " + strconv.FormatInt(e.Limit, 10) + " bytes"
}

func (e *TooLargeError) Unwrap() error { return abi.ErrRequestTooLarge }

// answer is what goes back for one request: whole, or as the app makes it.
type answer struct {
	w       http.ResponseWriter
	r       *http.Request
	header  http.Header
	started bool
	silent  bool // it has no body, whatever the app sends
	secure  bool // people come through TLS
	private bool // see Admission
	framing bool // the app says itself who may frame it
	caching bool // and who may keep it
	hidden  func(name string) bool

	values [4]string // of headers, see set
	used   int
}

// set sets a header, by its canonical name. http.Header.Set does the same, and makes a list
// of each value.
func (a *answer) set(name, value string) {
	if a.used == len(a.values) {
		a.header[name] = []string{value}
		return
	}
	a.values[a.used] = value
	a.used++
	a.header[name] = a.values[a.used-1 : a.used : a.used]
}

// whole sends a response that is complete.
func (a *answer) whole(resp *abi.Response) {
	a.head(resp, len(resp.Body) > 0)
	if bodyAllowed(resp.Status) {
		a.set("Content-Length", strconv.Itoa(len(resp.Body)))
	}
	a.w.WriteHeader(resp.Status)
	if a.r.Method != http.MethodHead && bodyAllowed(resp.Status) {
		// A write fails only when the client left; the call is metered already.
		_, _ = a.w.Write(resp.Body)
	}
}

// Start begins to send a response while its app runs.
func (a *answer) Start(resp abi.Response, deadline time.Time) error {
	a.started = true
	a.silent = a.r.Method == http.MethodHead || !bodyAllowed(resp.Status)
	a.head(&resp, !a.silent)
	a.header["X-Accel-Buffering"] = unbuffered // a proxy passes the pieces on as they come
	a.w.WriteHeader(resp.Status)
	return a.Write(resp.Body, deadline)
}

func (a *answer) Write(p []byte, deadline time.Time) error {
	control := http.NewResponseController(a.w)
	if err := control.SetWriteDeadline(deadline); err != nil {
		return err
	}
	if !a.silent && len(p) > 0 {
		if _, err := a.w.Write(p); err != nil {
			return err
		}
	}
	return control.Flush()
}

// end gives the connection back without the deadline of this response.
func (a *answer) end() { _ = http.NewResponseController(a.w).SetWriteDeadline(time.Time{}) }

// nosniff and unbuffered are shared by all answers.
var (
	nosniff    = []string{"nosniff"}
	unbuffered = []string{"no"}
	unframed   = []string{"DENY"}
	uncached   = []string{"private, no-cache"}
)

// head copies an app's headers, except for those that are the node's affair.
func (a *answer) head(resp *abi.Response, hasBody bool) {
	for _, f := range resp.Header {
		name := http.CanonicalHeaderKey(f.Name)
		switch {
		case hopByHop(name), name == "Content-Length", strings.HasPrefix(name, abi.NodeHeaderPrefix), forProxies(name):
		case name == "Set-Cookie":
			if cookie, ok := ownCookie(f.Value, a.secure); ok && !a.hides(f.Value) {
				a.header[name] = append(a.header[name], cookie)
			}
		case name == "Clear-Site-Data":
			if v := ownData(f.Value); v != "" {
				a.set(name, v)
			}
		case a.private && name == "X-Frame-Options" && !a.framing:
			a.framing = true
			a.set(name, f.Value)
		case a.private && name == "Cache-Control" && !a.caching:
			a.caching = true
			a.set(name, privately(f.Value))
		case a.header[name] == nil:
			a.set(name, f.Value)
		default:
			a.header[name] = append(a.header[name], f.Value)
		}
	}
	// A body whose type the app did not say is not guessed into a page.
	if hasBody && a.header.Get("Content-Type") == "" {
		a.set("Content-Type", "application/octet-stream")
	}
	if a.header.Get("X-Content-Type-Options") == "" {
		a.header["X-Content-Type-Options"] = nosniff
	}
}

// hides reports whether a Set-Cookie header would set a cookie of the platform's.
func (a *answer) hides(setCookie string) bool {
	name, _, named := strings.Cut(setCookie, "=")
	if !named || strings.TrimSpace(name) == "" { // a nameless one, whose value a request shows as a name
		_, name, _ = strings.Cut(setCookie, "=")
		if !named {
			name = setCookie
		}
	}
	return a.hidden != nil && a.hidden(name)
}

// ownData keeps of a Clear-Site-Data header what concerns an app's own origin: cookies are cleared for all
// of its site, which may be the console's.
func ownData(value string) string {
	var kept []string
	for part := range strings.SplitSeq(value, ",") {
		switch part = strings.TrimSpace(part); part {
		case `"cache"`, `"storage"`, `"executionContexts"`:
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, ", ")
}

// privately keeps what an app lets be cached out of every cache that serves more than one person.
func privately(value string) string {
	for part := range strings.SplitSeq(strings.ToLower(value), ",") {
		if part = strings.TrimSpace(part); part == "private" || part == "no-store" {
			return value
		}
	}
	return "private, " + value
}

func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// hopByHop reports whether a header is about one connection (RFC 9110 section 7.6.1).
func hopByHop(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}

// forGuests reports whether a header, by its canonical name, may reach an app. Names of other
// characters than letters, digits and hyphens may not: programs see a header as a variable, where
// such a name is the same as another's, so a caller could send what only the proxy in front may
// set ("X_Auth_User" beside "X-Auth-User"; PHP reads "X.Auth.User" alike). nginx and Apache leave
// them out, too. Nor may Proxy, which becomes HTTP_PROXY and is obeyed by libraries, and the names
// by which the node itself speaks to an app.
func forGuests(name string) bool {
	for i := range len(name) {
		if c := name[i]; c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	for strings.HasPrefix(name, "X-") { // programs leave it out, too
		name = name[2:]
	}
	return name != "Proxy" && !strings.HasPrefix(name, abi.NodeHeaderPrefix)
}

// connectionNamed are the headers that a Connection header takes with it.
func connectionNamed(h http.Header) map[string]bool {
	var named map[string]bool
	for _, v := range h["Connection"] {
		for name := range strings.SplitSeq(v, ",") {
			if named == nil {
				named = map[string]bool{}
			}
			named[http.CanonicalHeaderKey(strings.TrimSpace(name))] = true
		}
	}
	return named
}

// withoutCookies removes the cookies that are hidden, by name, from a Cookie header.
func withoutCookies(header string, hidden func(name string) bool) string {
	if hidden == nil {
		return header
	}
	var kept []string
	for part := range strings.SplitSeq(header, ";") {
		part = strings.TrimSpace(part)
		name, value, named := strings.Cut(part, "=")
		if !named { // a browser sends a cookie without a name so
			name = value
		}
		if part != "" && !hidden(name) {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "; ")
}

// ownCookie keeps a cookie to its app: one with a Domain attribute, which would
// go to the neighbours, is dropped; where people come through TLS it is Secure, so
// that it does not go out without.
func ownCookie(setCookie string, secure bool) (string, bool) {
	_, attributes, _ := strings.Cut(setCookie, ";")
	isSecure := false
	for a := range strings.SplitSeq(attributes, ";") {
		name, value, _ := strings.Cut(a, "=")
		switch name = strings.TrimSpace(name); {
		case strings.EqualFold(name, "domain") && strings.TrimSpace(value) != "":
			return "", false
		case strings.EqualFold(name, "secure"):
			isSecure = true
		}
	}
	if secure && !isSecure {
		setCookie += "; Secure"
	}
	return setCookie, true
}

package door

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// The two kinds of bytes that exchanges hold.
const (
	bodies = iota
	responses
	kinds
)

// Exchange is one request with its response: what it holds, and how its client keeps up. A
// connection of HTTP/1.1 has one after the other, which are this one value.
type Exchange struct {
	c       *Conn
	sending atomic.Bool // the request's body has not been read to its end
	body    *body       // of the request; its handler's

	mu       sync.Mutex // guards all below
	in, out  pace
	late     bool    // the request's body came too slowly, or its bytes were needed by others
	lateFrom error   // why late
	ended    bool    // the door has ended it
	client   *caller // the request's address; nil between requests
	counted  bool    // the request is one of client's, beside its connections
	named    Client  // of the request
	rate     int64   // the least rate of this request
	held     [kinds]int64

	stream *stream // of HTTP/2; nil else
}

// Of returns the exchange that a request belongs to, or nil if ctx is not a request's.
func Of(ctx context.Context) *Exchange {
	switch v := ctx.Value(connKey{}).(type) {
	case *Exchange:
		return v
	case *Conn:
		return &v.one
	}
	return nil
}

// measured reads or writes, and notes how long the network took and what it brought.
func (e *Exchange) measured(way *pace, do func([]byte) (int, error), p []byte) (int, error) {
	e.mu.Lock()
	way.begin(e.c.door.lately())
	e.mu.Unlock()
	n, err := do(p)
	e.mu.Lock()
	way.end(e.c.door.lately(), n, e.rate)
	e.mu.Unlock()
	return n, err
}

// pieces writes p piece by piece, and measures each wait.
func (e *Exchange) pieces(write func([]byte) (int, error), p []byte) (n int, err error) {
	for {
		part := p[:min(len(p), piece)]
		m, err := e.measured(&e.out, write, part)
		n += m
		if p = p[len(part):]; err != nil || len(p) == 0 {
			return n, err
		}
	}
}

// takeFor takes what a write of p holds and nothing was taken for yet.
func (e *Exchange) takeFor(p []byte) (int64, error) {
	extra := int64(len(p)) - unheld
	if extra <= 0 {
		return 0, nil
	}
	e.mu.Lock()
	extra -= e.held[responses]
	e.mu.Unlock()
	if extra <= 0 {
		return 0, nil
	}
	return extra, e.take(responses, extra)
}

// serve serves one request, by either protocol.
func (e *Exchange) serve(w http.ResponseWriter, r *http.Request, hasBody bool) {
	d := e.c.door
	if r.Method == http.MethodOptions && r.RequestURI == "*" { // OPTIONS, of the node as a whole
		w.WriteHeader(http.StatusNoContent)
		return
	}
	err := acceptable(r)
	if err == nil {
		err = e.begin(r)
	}
	if err != nil {
		if e.stream == nil {
			w.Header()["Connection"] = closing
		}
		d.o.Refuse(w, r, err)
		return
	}
	defer e.finish()
	if !hasBody {
		d.handler.ServeHTTP(w, r)
		return
	}
	with := new(http.Request) // net/http looks at the body that it has made itself
	*with = *r
	e.body = &body{ReadCloser: r.Body, e: e, w: w, left: r.ContentLength}
	with.Body = e.body
	defer func() { r.MultipartForm = with.MultipartForm }() // which net/http removes
	d.handler.ServeHTTP(w, with)
}

// begin counts a request for the address that it comes from.
func (e *Exchange) begin(r *http.Request) error {
	c, d := e.c, e.c.door
	client, counted, named := c.from, false, Client{}
	if c.trusted {
		named = proxies(d.o.Trusted).client(r.Header)
	}
	if named.Addr.IsValid() {
		var ok bool
		if client, ok = d.enter(named.Addr.Addr(), false); !ok {
			return ErrTooMany
		}
		counted = true
	} else {
		named.Addr = addrOf(c.RemoteAddr())
	}
	if c.secure && named.Scheme == "" {
		named.Scheme = "https"
	}
	d.running.Add(1)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.client, e.counted, e.named, e.late, e.rate = client, counted, named, false, d.o.Rate
	return nil
}

// finish gives back what a request has taken.
func (e *Exchange) finish() {
	d := e.c.door
	e.mu.Lock()
	for kind := range kinds {
		e.giveLocked(kind, e.held[kind])
	}
	client, counted := e.client, e.counted
	e.client, e.counted, e.named = nil, false, Client{}
	e.mu.Unlock()
	if counted {
		d.leave(client)
	}
	e.body = nil
	d.running.Add(-1)
}

// AtLeast raises the least rate for a request that holds more than memory.
func AtLeast(ctx context.Context, rate int64) {
	if e := Of(ctx); e != nil {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.rate = max(e.rate, rate)
	}
}

// EndBody ends the arrival of the request's body, whose place others need.
func (e *Exchange) EndBody() { e.end(bodies, ErrTooSlow) }

// Hold counts n bytes more of a response that are about to be held in memory, until the
// request ends. It returns ErrNoRoom if they may not be. On a nil Exchange it counts nothing: no
// client reads the response.
func (e *Exchange) Hold(n int64) error {
	if e == nil {
		return nil
	}
	return e.take(responses, n)
}

// take takes n bytes of a kind for the request that is served.
func (e *Exchange) take(kind int, n int64) error {
	e.mu.Lock()
	client := e.payer()
	e.mu.Unlock()
	if !e.c.door.takeOf(client, kind, n) {
		return fmt.Errorf("%w: this address holds %d bytes of its %d", ErrNoRoom, client.bytes[kind].Used(), client.bytes[kind].Limit())
	}
	if !e.c.door.takeAll(kind, n) {
		client.bytes[kind].Give(n)
		return ErrNoRoom
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.held[kind] += n
	return nil
}

// payer is the address whose budget the exchange takes from. It is called with e.mu held.
func (e *Exchange) payer() *caller {
	if e.client == nil {
		return e.c.from
	}
	return e.client
}

// give gives back n bytes of a kind, unless the door has taken them away.
func (e *Exchange) give(kind int, n int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.giveLocked(kind, n)
}

func (e *Exchange) giveLocked(kind int, n int64) {
	if n = min(n, e.held[kind]); n <= 0 {
		return
	}
	e.held[kind] -= n
	e.payer().bytes[kind].Give(n)
	e.c.door.bytes(kind).Give(n)
}

// end ends a request whose client does not keep up, for the reason given. Its body can no
// longer be read; what it holds is given back at once, since others wait for it.
func (e *Exchange) end(kind int, reason error) {
	e.mu.Lock()
	e.giveLocked(kind, e.held[kind])
	e.ended = true
	if kind == bodies {
		e.late, e.lateFrom = true, reason
		if e.stream == nil {
			_ = e.c.Conn.SetReadDeadline(past)
		}
	}
	e.mu.Unlock()
	switch {
	case e.stream != nil:
		e.stream.end(kind)
	case kind == responses:
		e.c.abort()
	}
}

// waits returns how long the client has kept the node waiting in the direction of a kind. It is
// called with e.mu held.
func (e *Exchange) waits(kind int, now time.Duration) time.Duration {
	if kind == bodies {
		if !e.sending.Load() {
			return 0
		}
		return e.in.owes(now)
	}
	return e.out.owes(now)
}

// rest ends what is measured between two requests.
func (e *Exchange) rest() {
	e.sending.Store(false)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.in, e.out = pace{}, pace{}
}

// writer is how a handler writes where a connection cannot see how much is written at once: TLS
// cuts it into records.
type writer struct {
	http.ResponseWriter
	e *Exchange
}

// Write counts what it holds, and measures the waits of a stream; those of a connection are
// measured there.
func (w *writer) Write(p []byte) (int, error) {
	extra, err := w.e.takeFor(p)
	if err != nil {
		w.e.end(responses, err)
		return 0, err
	}
	if extra > 0 {
		defer w.e.give(responses, extra)
	}
	if w.e.stream != nil {
		return w.e.pieces(w.ResponseWriter.Write, p)
	}
	return w.ResponseWriter.Write(p)
}

// FlushError waits as Write does.
func (w *writer) FlushError() error {
	flush := func([]byte) (int, error) { return 0, http.NewResponseController(w.ResponseWriter).Flush() }
	if w.e.stream == nil {
		_, err := flush(nil)
		return err
	}
	_, err := w.e.measured(&w.e.out, flush, nil)
	return err
}

// Flush is for those who do not know FlushError.
func (w *writer) Flush() { _ = w.FlushError() }

// Unwrap is for http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

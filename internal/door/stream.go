package door

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// stream is what an exchange of HTTP/2 has beside that of HTTP/1.1: it ends without its
// connection.
type stream struct {
	writer writer
	extra  bool // it takes a place of its own, beside its connection's

	mu      sync.Mutex          // guards control: it is held while net/http is told
	control http.ResponseWriter // nil once the handler has returned
}

// end ends one direction of the stream.
func (s *stream) end(kind int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.control == nil {
		return // what is left of the response has a deadline
	}
	if kind == bodies {
		_ = http.NewResponseController(s.control).SetReadDeadline(past)
		return
	}
	_ = http.NewResponseController(s.control).SetWriteDeadline(past)
}

const (
	// maxStreams is how many requests one connection may have open: what browsers expect.
	maxStreams = 100
	// politely is how many streams without a place are told so, on one connection. More are reset:
	// what they are told takes memory, too, until they have read it.
	politely = 4
	// streamBuffer is how much of a body may be sent before it is read, on one connection. It is
	// also the least that HTTP/2 has.
	streamBuffer = 64 << 10
	// A client that takes back its requests makes work and waits for nothing. It may take back
	// manyResets, and beyond that half of what it asked for.
	manyResets = 200
)

// serveStream lets a request of HTTP/2 in.
func (c *Conn) serveStream(w http.ResponseWriter, r *http.Request) {
	d := c.door
	c.chat.allow(chatOfRequest)
	if d.draining.Load() {
		w.Header()["Connection"] = closing // net/http makes a GOAWAY of it
	}
	s := &stream{control: w}
	e := &Exchange{c: c, stream: s, rate: d.o.Rate}
	s.writer = writer{w, e}
	if !c.place(e) {
		c.crowded(w, r)
		return
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // it had that of refused ones
	defer e.leave(r.Context(), w)
	r = r.WithContext(context.WithValue(r.Context(), connKey{}, e))
	hasBody := r.Body != nil && r.Body != http.NoBody
	if hasBody {
		c.chat.allow(2 * streamBuffer) // which may come although it is not read
	}
	e.sending.Store(hasBody)
	e.serve(&s.writer, r, hasBody)
}

// place takes a place for a stream beside its connection's first, as if it were a connection:
// it holds about as much. It reports whether there was one.
func (c *Conn) place(e *Exchange) bool {
	c.mu.Lock()
	e.stream.extra = len(c.streams) > 0
	first := !e.stream.extra
	if first {
		c.add(e)
	}
	c.mu.Unlock()
	if first {
		return true
	}
	if !c.enterAgain() {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(e)
	return true
}

// enterAgain counts a stream beside its connection: for its address, and for the node.
func (c *Conn) enterAgain() bool {
	d := c.door
	d.mu.Lock()
	ok := c.exempt || c.from.open < d.o.PerAddress
	if ok {
		c.from.open++
	}
	d.mu.Unlock()
	if !ok {
		d.warn("an address has as many connections and streams open as one may: more are refused; if it is a proxy, name it with --trusted-proxy", c.from)
		return false
	}
	if d.takePlace(c.from) {
		return true
	}
	d.leave(c.from)
	return false
}

// add notes a stream. It is called with c.mu held.
func (c *Conn) add(e *Exchange) {
	if c.streams == nil {
		c.streams = map[*Exchange]struct{}{}
	}
	c.streams[e] = struct{}{}
	c.begun++
}

// crowded refuses a stream for which there is no place.
func (c *Conn) crowded(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.refused++
	many := c.refused > politely
	c.mu.Unlock()
	over := func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.refused--
	}
	if many {
		over()
		panic(http.ErrAbortHandler)
	}
	c.door.o.Watch.After(r.Context(), "stream", over)
	c.door.o.Refuse(w, r, ErrTooMany)
}

// leave is called when the handler returns. What is left of the response is on its way then, so
// the stream keeps its place until it has ended.
func (e *Exchange) leave(ctx context.Context, w http.ResponseWriter) {
	c, d := e.c, e.c.door
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d.grace()))
	s := e.stream
	s.mu.Lock()
	s.control = nil
	s.mu.Unlock()
	e.rest()
	if ctx.Err() != nil {
		e.mu.Lock()
		ended := e.ended
		e.mu.Unlock()
		if !ended {
			c.tookBack()
		}
	}
	d.o.Watch.After(ctx, "stream", func() {
		c.mu.Lock()
		delete(c.streams, e)
		c.mu.Unlock()
		if s.extra {
			d.o.Connections.Give(1)
			d.leave(c.from)
		}
	})
}

// tookBack counts a request that its client took back, and closes the connection of one that
// does little else.
func (c *Conn) tookBack() {
	c.mu.Lock()
	c.resets++
	abuse := c.resets > manyResets && 2*c.resets > c.begun
	c.mu.Unlock()
	if abuse && !c.closed.Load() {
		c.door.warn("a client takes back most of what it asks for: its connection is closed", c.from)
		c.abort()
	}
}

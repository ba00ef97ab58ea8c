package door

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// piece is how much of a response is written at a time: progress is seen once for each, so
	// no grace is shorter than what one takes at the least rate.
	piece = 16 << 10
	// unheld is how many bytes of one write are not counted: about what net/http and the
	// kernel hold for every connection.
	unheld = 16 << 10
)

// Conn is one connection. By HTTP/1.1 it has one exchange at a time; by HTTP/2, many.
type Conn struct {
	net.Conn // *net.TCPConn, whose ReadFrom stays hidden: it would write past Write
	door     *Door
	from     *caller      // the connection's address; fixed once it is served
	addr     net.Addr     // of the client, if a proxy said it in the proxy protocol; else nil
	trusted  bool         // it is a proxy's that names its clients
	exempt   bool         // it is a proxy's: it has as many connections as it likes
	roomy    bool         // it has a large send buffer
	secure   bool         // it speaks TLS
	two      bool         // it speaks HTTP/2; fixed once it is served
	chat     overhead     // of HTTP/2
	turn     *turn        // that its handshake has, if any; its goroutine's
	state    atomic.Int32 // an http.ConnState
	since    atomic.Int64 // a time.Duration since the door's epoch: of its state, or of the last bytes before a request
	closed   atomic.Bool

	// one is the exchange of HTTP/1.1. Of HTTP/2 it is the connection as such: a client that does
	// not read from it stalls all streams.
	one Exchange

	mu      sync.Mutex             // guards all below
	streams map[*Exchange]struct{} // of HTTP/2
	refused int                    // streams without a place whose responses are under way
	begun   int                    // streams, ever
	resets  int                    // of them, those that the client took back
}

type connKey struct{}

// inner returns the connection that net/http serves.
func inner(nc net.Conn) *Conn {
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	return nc.(*Conn)
}

// RemoteAddr returns the client's address, which a proxy may have said.
func (c *Conn) RemoteAddr() net.Addr {
	if c.addr != nil {
		return c.addr
	}
	return c.Conn.RemoteAddr()
}

// Read reads, and measures the wait if the bytes are those of a request's body. Bodies that
// net/http reads to their end by itself, after the handler, are among them.
func (c *Conn) Read(p []byte) (int, error) {
	if c.one.sending.Load() {
		return c.one.measured(&c.one.in, c.Conn.Read, p)
	}
	c.turn.leave() // the client's part of a handshake is awaited
	n, err := c.Conn.Read(p)
	if n > 0 && http.ConnState(c.state.Load()) != http.StateActive {
		c.since.Store(int64(c.door.lately()))
	}
	if c.two && !c.chat.add(int64(n), c.door.lately()) {
		c.door.warn("a connection of HTTP/2 sends much and asks for little: it is closed", c.from)
		c.abort()
	}
	return n, err
}

// Write writes piece by piece, and measures each wait. What the kernel does not take at once
// is held in memory: unless that was counted before, it is counted here.
func (c *Conn) Write(p []byte) (n int, err error) {
	if extra, err := c.one.takeFor(p); err != nil {
		c.abort()
		return 0, err
	} else if extra > 0 {
		defer c.one.give(responses, extra)
	}
	if c.two {
		c.chat.allow(int64(len(p)) / chatOfResponse)
	}
	return c.one.pieces(c.Conn.Write, p)
}

// CloseWrite lets net/http wait for a client to read its last response before it closes.
func (c *Conn) CloseWrite() error { return c.Conn.(*net.TCPConn).CloseWrite() }

// Close closes the connection and gives its place back.
func (c *Conn) Close() error {
	if !c.closed.CompareAndSwap(false, true) {
		return net.ErrClosed
	}
	err := c.Conn.Close()
	c.door.gone(c)
	return err
}

// abort closes the connection and drops what the kernel still holds for it.
func (c *Conn) abort() {
	_ = c.Conn.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

// each runs do for every exchange of the connection. It is called with Door.mu held.
func (c *Conn) each(do func(*Exchange)) {
	do(&c.one)
	if !c.two {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for e := range c.streams {
		do(e)
	}
}

// enters is told when net/http's view of a connection changes.
func (c *Conn) enters(s http.ConnState) {
	c.state.Store(int32(s))
	if s != http.StateIdle {
		return
	}
	c.since.Store(int64(c.door.lately()))
	c.one.rest()
}

// connContext is how a handler finds its connection, and its exchange.
func connContext(ctx context.Context, nc net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, inner(nc))
}

// past is a deadline that has passed.
var past = time.Unix(1, 0)

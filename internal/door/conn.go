package door

import (
	"context"
	"fmt"
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

// The two kinds of bytes that requests hold.
const (
	bodies = iota
	responses
	kinds
)

// Conn is one connection. net/http serves one request at a time on it, so it holds what that
// request has taken, too.
type Conn struct {
	net.Conn // *net.TCPConn, whose ReadFrom stays hidden: it would write past Write
	door     *Door
	from     *caller // the connection's address
	trusted  bool    // it is a proxy's that names its clients
	roomy    bool    // it has a large send buffer

	state    atomic.Int32 // an http.ConnState
	since    atomic.Int64 // a time.Duration since the door's epoch: of its state, or of the last bytes before a request
	sending  atomic.Bool  // the request's body has not been read to its end
	closed   atomic.Bool
	body     *body      // of the request; its handler's
	mu       sync.Mutex // guards all below
	in, out  pace
	late     bool    // the request's body came too slowly, or its bytes were needed by others
	client   *caller // the request's address; nil between requests
	counted  bool    // the request is one of client's, beside its connections
	named    Client  // of the request
	rate     int64   // the least rate of this request
	held     [kinds]int64
	lateFrom error // why late
}

type connKey struct{}

// ConnOf returns the connection that a request came on, or nil if ctx is not a request's.
func ConnOf(ctx context.Context) *Conn {
	c, _ := ctx.Value(connKey{}).(*Conn)
	return c
}

// Read reads, and measures the wait if the bytes are those of a request's body. Bodies that
// net/http reads to their end by itself, after the handler, are among them.
func (c *Conn) Read(p []byte) (int, error) {
	if !c.sending.Load() {
		n, err := c.Conn.Read(p)
		if n > 0 && http.ConnState(c.state.Load()) != http.StateActive {
			c.since.Store(int64(c.door.lately()))
		}
		return n, err
	}
	return c.measured(&c.in, c.Conn.Read, p)
}

// measured reads or writes, and notes how long the network took and what it brought.
func (c *Conn) measured(way *pace, do func([]byte) (int, error), p []byte) (int, error) {
	c.mu.Lock()
	way.begin(c.door.lately())
	c.mu.Unlock()
	n, err := do(p)
	c.mu.Lock()
	way.end(c.door.lately(), n, c.rate)
	c.mu.Unlock()
	return n, err
}

// Write writes piece by piece, and measures each wait. What the kernel does not take at once
// is held in memory: unless that was counted before, it is counted here.
func (c *Conn) Write(p []byte) (n int, err error) {
	if extra := int64(len(p)) - unheld; extra > 0 {
		c.mu.Lock()
		extra -= c.held[responses]
		c.mu.Unlock()
		if extra > 0 {
			if err := c.take(responses, extra); err != nil {
				c.abort()
				return 0, err
			}
			defer c.give(responses, extra)
		}
	}
	for {
		part := p[:min(len(p), piece)]
		m, err := c.measured(&c.out, c.Conn.Write, part)
		n += m
		if p = p[len(part):]; err != nil || len(p) == 0 {
			return n, err
		}
	}
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

// AtLeast raises the least rate for a request that holds more than memory.
func AtLeast(ctx context.Context, rate int64) {
	if c := ConnOf(ctx); c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.rate = max(c.rate, rate)
	}
}

// EndBody ends the arrival of the request's body, whose place others need.
func (c *Conn) EndBody() { c.end(bodies, ErrTooSlow) }

// Hold counts n bytes more of a response that are about to be held in memory, until the
// request ends. It returns ErrNoRoom if they may not be. On a nil Conn it counts nothing: no
// client reads the response.
func (c *Conn) Hold(n int64) error {
	if c == nil {
		return nil
	}
	return c.take(responses, n)
}

// take takes n bytes of a kind for the request that is served.
func (c *Conn) take(kind int, n int64) error {
	c.mu.Lock()
	client := c.client
	c.mu.Unlock()
	if client == nil {
		client = c.from
	}
	if !c.door.takeOf(client, kind, n) {
		return fmt.Errorf("%w: this address holds %d bytes of its %d", ErrNoRoom, client.bytes[kind].Used(), client.bytes[kind].Limit())
	}
	if !c.door.takeAll(kind, n) {
		client.bytes[kind].Give(n)
		return ErrNoRoom
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held[kind] += n
	return nil
}

// give gives back n bytes of a kind, unless the door has taken them away.
func (c *Conn) give(kind int, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.giveLocked(kind, n)
}

func (c *Conn) giveLocked(kind int, n int64) {
	if n = min(n, c.held[kind]); n <= 0 {
		return
	}
	c.held[kind] -= n
	client := c.client
	if client == nil {
		client = c.from
	}
	client.bytes[kind].Give(n)
	c.door.bytes(kind).Give(n)
}

// end ends a request whose client does not keep up, for the reason given. Its body can no
// longer be read; what it holds is given back at once, since others wait for it.
func (c *Conn) end(kind int, reason error) {
	c.mu.Lock()
	c.giveLocked(kind, c.held[kind])
	if kind == bodies {
		c.late, c.lateFrom = true, reason
		_ = c.Conn.SetReadDeadline(time.Unix(1, 0))
	}
	c.mu.Unlock()
	if kind == responses {
		c.abort()
	}
}

// waits returns how long the client has kept the node waiting in the direction of a kind.
func (c *Conn) waits(kind int, now time.Duration) time.Duration {
	if kind == bodies {
		if !c.sending.Load() {
			return 0
		}
		return c.in.owes(now)
	}
	return c.out.owes(now)
}

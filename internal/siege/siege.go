package siege

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Target is what is attacked.
type Target struct {
	Addr string // TCP, loopback
	Host string // the Host header
	Path string // "" for "/"
	From string // the loopback address to come from; "" for any
	// Header is more lines of each request's header, each ended by CRLF.
	Header string
	// TLS makes the attacks go over TLS, by what its NextProtos says; nil: without.
	TLS *tls.Config
}

// Attack is one attack that runs.
type Attack struct {
	Opened  atomic.Int64 // connections that were made
	Refused atomic.Int64 // connections that could not be made
	Ended   atomic.Int64 // connections that the node closed, before or after a response
	Ready   atomic.Int64 // connections that hold what the attack is to hold
	Resets  atomic.Int64 // streams of HTTP/2 that the node reset

	mu       sync.Mutex
	statuses map[int]int // guarded by mu
	group    sync.WaitGroup
}

// Statuses returns how many responses had each status. One of an attack that does not read is
// not among them.
func (a *Attack) Statuses() map[int]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := map[int]int{}
	for s, n := range a.statuses {
		all[s] = n
	}
	return all
}

// Wait waits until every connection has ended.
func (a *Attack) Wait() { a.group.Wait() }

// begin opens n connections and runs one on each.
func (t Target) begin(ctx context.Context, n int, one func(a *Attack, c net.Conn)) *Attack {
	a := &Attack{statuses: map[int]int{}}
	at, err := netip.ParseAddrPort(t.Addr)
	if err != nil || !at.Addr().IsLoopback() {
		panic("BUG: an attack on " + t.Addr + ", which is no loopback address")
	}
	dialer := net.Dialer{Timeout: 10 * time.Second}
	if t.From != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(t.From)}
	}
	for range n {
		a.group.Go(func() {
			c, err := dialer.DialContext(ctx, "tcp", t.Addr)
			if err != nil {
				a.Refused.Add(1)
				return
			}
			a.Opened.Add(1)
			stop := context.AfterFunc(ctx, func() { _ = c.Close() })
			defer stop()
			defer c.Close()
			if t.TLS != nil {
				c = tls.Client(c, t.TLS)
			}
			one(a, c)
		})
	}
	return a
}

func (t Target) head(method string, more string) string {
	path := t.Path
	if path == "" {
		path = "/"
	}
	return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\n%s%s\r\n", method, path, t.Host, t.Header, more)
}

// Silent connects n times and says nothing.
func (t Target) Silent(ctx context.Context, n int) *Attack {
	return t.begin(ctx, n, func(a *Attack, c net.Conn) {
		a.Ready.Add(1)
		a.untilClosed(ctx, bufio.NewReader(c))
	})
}

// Idle sends n requests, each on a connection of its own, and keeps the connections.
func (t Target) Idle(ctx context.Context, n int) *Attack {
	return t.begin(ctx, n, func(a *Attack, c net.Conn) {
		if _, err := c.Write([]byte(t.head(http.MethodGet, ""))); err != nil {
			a.ended(ctx)
			return
		}
		in := bufio.NewReader(c)
		if a.response(in) {
			a.Ready.Add(1)
		}
		a.untilClosed(ctx, in)
	})
}

// filler is what bodies are made of: the attacker has no memory to lose either.
var filler = bytes.Repeat([]byte("x"), 64<<10)

// Unfinished announces n bodies of size bytes and sends only part of each: sent bytes at once,
// and then one byte each time drip has passed, if it is not zero.
func (t Target) Unfinished(ctx context.Context, n int, size, sent int64, drip time.Duration) *Attack {
	return t.begin(ctx, n, func(a *Attack, c net.Conn) {
		head := t.head(http.MethodPost, fmt.Sprintf("Content-Length: %d\r\n", size))
		_, err := c.Write([]byte(head))
		for left := sent; left > 0 && err == nil; left -= int64(len(filler)) {
			_, err = c.Write(filler[:min(left, int64(len(filler)))])
		}
		if err == nil {
			a.Ready.Add(1)
		}
		over := make(chan struct{})
		defer close(over)
		if drip > 0 {
			a.group.Go(func() {
				for tick := time.NewTicker(drip); ; {
					select {
					case <-tick.C:
						_, _ = c.Write([]byte("x"))
					case <-over:
						tick.Stop()
						return
					}
				}
			})
		}
		in := bufio.NewReader(c)
		a.response(in)
		a.untilClosed(ctx, in)
	})
}

// Unread sends n requests and reads no response. What the kernel takes for it is as little as
// it does.
func (t Target) Unread(ctx context.Context, n int) *Attack {
	return t.begin(ctx, n, func(a *Attack, c net.Conn) {
		raw := c
		if t, ok := c.(*tls.Conn); ok {
			raw = t.NetConn()
		}
		_ = raw.(*net.TCPConn).SetReadBuffer(4 << 10)
		if _, err := c.Write([]byte(t.head(http.MethodGet, ""))); err == nil {
			a.Ready.Add(1)
		}
		for tick := time.NewTicker(20 * time.Millisecond); ; {
			select {
			case <-ctx.Done():
				tick.Stop()
				return
			case <-tick.C:
			}
			// A connection that was reset does not take this, which the node reads when it has
			// sent its response, if ever.
			if _, err := c.Write([]byte("\r\n")); err != nil {
				a.ended(ctx)
				tick.Stop()
				return
			}
		}
	})
}

// response reads one response and reports whether it was whole.
func (a *Attack) response(in *bufio.Reader) bool {
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		return false
	}
	a.mu.Lock()
	a.statuses[resp.StatusCode]++
	a.mu.Unlock()
	_, err = io.Copy(io.Discard, resp.Body)
	return err == nil
}

func (a *Attack) untilClosed(ctx context.Context, in *bufio.Reader) {
	_, _ = in.WriteTo(io.Discard)
	a.ended(ctx)
}

// ended counts a connection that the node closed.
func (a *Attack) ended(ctx context.Context) {
	if ctx.Err() == nil {
		a.Ended.Add(1)
	}
}

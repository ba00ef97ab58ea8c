package door

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"
)

// The reasons for which a client did not get through a handshake.
const (
	HandshakeTimeout     = "timeout"     // it did not finish in time
	HandshakeClosed      = "closed"      // it went away
	HandshakePlain       = "plain-http"  // it spoke HTTP without TLS
	HandshakeGarbage     = "garbage"     // it spoke something else
	HandshakeName        = "name"        // there is no certificate for the name it asked for
	HandshakeUnsupported = "unsupported" // it supports no version or algorithm that the node does
	HandshakeRejected    = "rejected"    // it did not accept the certificate
	HandshakeProxy       = "proxy"       // it is a proxy's, without a valid header of the proxy protocol
	HandshakeCrowded     = "crowded"     // there was no place for one more
)

// Handshakes are the reasons, for those who list them.
var Handshakes = []string{
	HandshakeTimeout, HandshakeClosed, HandshakePlain, HandshakeGarbage, HandshakeName,
	HandshakeUnsupported, HandshakeRejected, HandshakeProxy, HandshakeCrowded,
}

// ErrNoCertificate is for a GetCertificate to wrap: no certificate is there for a name.
var ErrNoCertificate = errors.New("the node has no certificate for that name")

// errPlain: the client does not speak TLS, but HTTP.
var errPlain = errors.New("the client speaks HTTP without TLS")

// handshakes are what clients did before they were served.
type handshakes struct {
	mu     sync.Mutex // guards all below
	failed map[string]uint64
	done   uint64
}

// Handshakes returns how many clients got through a handshake, and how many did not, by reason.
func (d *Door) Handshakes() (done uint64, failed map[string]uint64) {
	d.shakes.mu.Lock()
	defer d.shakes.mu.Unlock()
	return d.shakes.done, maps.Clone(d.shakes.failed)
}

func (h *handshakes) count(reason string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if reason == "" {
		h.done++
		return
	}
	if h.failed == nil {
		h.failed = map[string]uint64{}
	}
	h.failed[reason]++
}

// meet gets a connection ready to be served: its client's address, from the proxy in front, and
// its handshake. Both have to be over within headerWithin. It returns nil if they fail.
func (d *Door) meet(c *Conn) net.Conn {
	_ = c.SetDeadline(time.Now().Add(headerWithin))
	nc, err := d.greet(c)
	c.turn.leave()
	c.turn = nil
	if err != nil {
		reason := reasonOf(err)
		d.shakes.count(reason)
		d.o.Log.Debug("a connection was not let in", "reason", reason, "address", c.from.addr, "err", err)
		_ = c.Close()
		return nil
	}
	if d.o.TLS != nil {
		d.shakes.count("")
	}
	_ = c.SetDeadline(time.Time{})
	c.since.Store(int64(d.now()))
	return nc
}

func (d *Door) greet(c *Conn) (net.Conn, error) {
	if d.o.ProxyProtocol && c.exempt {
		if err := d.introduce(c); err != nil {
			return nil, err
		}
	}
	if d.o.TLS == nil {
		return c, nil
	}
	c.secure = true
	t := tls.Server(c, d.tls)
	ctx, cancel := context.WithTimeout(context.Background(), headerWithin)
	defer cancel()
	err := t.HandshakeContext(ctx)
	if plain, ok := errors.AsType[tls.RecordHeaderError](err); ok && plain.Conn != nil && looksLikeHTTP(plain.RecordHeader) {
		_, _ = io.WriteString(c, "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nThis port speaks HTTPS: begin the address with https://\n")
		return nil, fmt.Errorf("%w: %w", errPlain, err)
	}
	if err != nil {
		return nil, err
	}
	switch proto := t.ConnectionState().NegotiatedProtocol; proto {
	case "", "http/1.1":
	case "h2":
		d.mu.Lock()
		c.two = true
		d.mu.Unlock()
	default: // the handshake was all that the client came for
		_ = c.Close()
		return nil, nil
	}
	return t, nil
}

// looksLikeHTTP reports whether a record's header is the beginning of a request.
func looksLikeHTTP(header [5]byte) bool {
	switch string(header[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "PATCH", "DELET", "OPTIO", "PRI *":
		return true
	}
	return false
}

// reasonOf sorts what went wrong in a handshake.
func reasonOf(err error) string {
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	op, isOp := errors.AsType[*net.OpError](err)
	switch {
	case errors.Is(err, errProxy):
		return HandshakeProxy
	case errors.Is(err, ErrTooMany):
		return HandshakeCrowded
	case errors.Is(err, ErrNoCertificate):
		return HandshakeName
	case errors.Is(err, errPlain):
		return HandshakePlain
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return HandshakeTimeout
	case record:
		return HandshakeGarbage
	case alert, isOp && op.Op == "remote error": // the client's
		return HandshakeRejected
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return HandshakeClosed
	case isOp && op.Op == "local error": // what the client sent is no handshake
		return HandshakeGarbage
	}
	return HandshakeUnsupported
}

// feed is a listener of connections that are ready, for net/http.
type feed struct {
	d     *Door
	conns chan net.Conn
	over  chan struct{} // closed when no more come
}

func newFeed(d *Door) *feed {
	return &feed{d: d, conns: make(chan net.Conn), over: make(chan struct{})}
}

func (f *feed) Accept() (net.Conn, error) {
	select {
	case c := <-f.conns:
		return c, nil
	default:
	}
	select {
	case c := <-f.conns:
		return c, nil
	case <-f.over:
		return nil, net.ErrClosed
	}
}

func (f *feed) Addr() net.Addr { return f.d.Addr() }

// Close does nothing: the door closes what it listens on, and when.
func (f *feed) Close() error { return nil }

// deliver has a connection served.
func (f *feed) deliver(c net.Conn) {
	select {
	case f.conns <- c:
	case <-f.over:
		_ = c.Close()
	}
}

// serveMet serves connections that have to be met first.
func (d *Door) serveMet() error {
	var servers sync.WaitGroup
	errs := make(chan error, 2)
	for server, f := range map[*http.Server]*feed{d.server: d.one, d.server2: d.two} {
		d.o.Watch.Job(&servers, "server", func() error { return server.Serve(f) }, func(err error) { errs <- err })
	}
	var meeting sync.WaitGroup
	err := d.acceptAll(&meeting)
	meeting.Wait() // those who had come
	if d.draining.Load() {
		d.overOnce.Do(func() { close(d.one.over); close(d.two.over) })
	}
	servers.Wait()
	close(errs)
	for served := range errs {
		if !errors.Is(served, net.ErrClosed) && !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
	}
	return err
}

// acceptAll accepts until the door closes, and meets each connection in a goroutine of its own.
func (d *Door) acceptAll(meeting *sync.WaitGroup) error {
	l := &listener{d}
	for pause := time.Duration(0); ; {
		c, err := l.Accept()
		if err != nil {
			if d.draining.Load() {
				return nil
			}
			if pause = min(max(2*pause, 5*time.Millisecond), time.Second); errors.Is(err, net.ErrClosed) {
				return err
			}
			d.o.Log.Warn("a connection could not be accepted", "err", err)
			time.Sleep(pause)
			continue
		}
		pause = 0
		d.o.Watch.Job(meeting, "handshake", func() error {
			nc := d.meet(c.(*Conn))
			switch {
			case nc == nil:
			case c.(*Conn).two:
				d.two.deliver(nc)
			default:
				d.one.deliver(nc)
			}
			return nil
		}, func(err error) {
			if err != nil { // a panic
				_ = c.Close()
			}
		})
	}
}

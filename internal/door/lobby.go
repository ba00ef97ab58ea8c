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
	"runtime"
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

// lobby is where connections are met before they are served: a proxy in front says whose they are,
// and they go through their handshakes.
type lobby struct {
	d        *Door
	tls      *tls.Config // nil: without handshakes
	one, two *feed       // connections of HTTP/1.1 and of HTTP/2 that are ready
	close    func()      // no more come; may be called again

	mu     sync.Mutex // guards all below
	failed map[string]uint64
	done   uint64
}

func newLobby(d *Door) *lobby {
	l := &lobby{d: d, one: newFeed(d), two: newFeed(d)}
	l.close = sync.OnceFunc(func() { close(l.one.over); close(l.two.over) })
	if d.o.TLS != nil {
		l.tls = handshaking(d.o.TLS)
	}
	return l
}

// handshaking returns the configuration of a door's handshakes. Each waits at the gate before it
// takes processor time.
func handshaking(c *tls.Config) *tls.Config {
	c = c.Clone()
	c.NextProtos = append([]string{"h2", "http/1.1"}, c.NextProtos...)
	atGate := newGate(max(1, runtime.GOMAXPROCS(0)/2))
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		conn := hello.Conn.(*Conn)
		t, err := atGate.enter(hello.Context(), conn.from)
		conn.turn = t
		return nil, err
	}
	if find := c.GetCertificate; find != nil {
		c.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			conn := hello.Conn.(*Conn)
			conn.turn.leave() // to find one may take time, and no processor's
			cert, err := find(hello)
			if err == nil {
				conn.turn, err = atGate.enter(hello.Context(), conn.from)
			}
			return cert, err
		}
	}
	return c
}

// Handshakes returns how many clients got through a handshake, and how many did not, by reason.
func (d *Door) Handshakes() (done uint64, failed map[string]uint64) {
	d.lobby.mu.Lock()
	defer d.lobby.mu.Unlock()
	return d.lobby.done, maps.Clone(d.lobby.failed)
}

func (l *lobby) count(reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if reason == "" {
		l.done++
		return
	}
	if l.failed == nil {
		l.failed = map[string]uint64{}
	}
	l.failed[reason]++
}

// meet gets a connection ready to be served: its client's address, from the proxy in front, and
// its handshake. Both have to be over within headerWithin. It returns nil if they fail.
func (l *lobby) meet(c *Conn) net.Conn {
	_ = c.SetDeadline(time.Now().Add(headerWithin))
	nc, err := l.greet(c)
	c.turn.leave()
	c.turn = nil
	if err != nil {
		reason := reasonOf(err)
		l.count(reason)
		l.d.o.Log.Debug("a connection was not let in", "reason", reason, "address", c.from.addr, "err", err)
		_ = c.Close()
		return nil
	}
	if l.tls != nil {
		l.count("")
	}
	_ = c.SetDeadline(time.Time{})
	c.since.Store(int64(l.d.now()))
	return nc
}

func (l *lobby) greet(c *Conn) (net.Conn, error) {
	if l.d.o.ProxyProtocol && c.exempt {
		if err := c.introduce(); err != nil {
			return nil, err
		}
	}
	if l.tls == nil {
		return c, nil
	}
	c.secure = true
	t := tls.Server(c, l.tls)
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
		l.d.mu.Lock()
		c.two = true
		l.d.mu.Unlock()
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

// serve serves connections that have to be met first.
func (l *lobby) serve() error {
	d := l.d
	var servers, meeting sync.WaitGroup
	errs := make(chan error, 2)
	for server, f := range map[*http.Server]*feed{d.server: l.one, d.server2: l.two} {
		d.o.Watch.Job(&servers, "server", func() error { return server.Serve(f) }, func(err error) { errs <- err })
	}
	err := l.accept(&meeting)
	meeting.Wait() // those who had come
	if d.draining.Load() {
		l.close()
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

// accept accepts until the door closes, and meets each connection in a goroutine of its own.
func (l *lobby) accept(meeting *sync.WaitGroup) error {
	from := &listener{l.d}
	for pause := time.Duration(0); ; {
		nc, err := from.Accept()
		switch {
		case err == nil:
		case l.d.draining.Load():
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		default: // as net/http does
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			l.d.o.Log.Warn("a connection could not be accepted", "err", err)
			time.Sleep(pause)
			continue
		}
		pause = 0
		c := nc.(*Conn)
		l.d.o.Watch.Job(meeting, "handshake", func() error {
			l.deliver(c, l.meet(c))
			return nil
		}, func(err error) {
			if err != nil { // a panic
				_ = c.Close()
			}
		})
	}
}

// deliver has a connection served, if it is ready.
func (l *lobby) deliver(c *Conn, nc net.Conn) {
	switch {
	case nc == nil:
	case c.two:
		l.two.deliver(nc)
	default:
		l.one.deliver(nc)
	}
}

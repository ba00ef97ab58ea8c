package door

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/agora-host/agora/internal/budget"
	"github.com/agora-host/agora/internal/calm"
)

// Options configure a Door. All fields without a default are required.
type Options struct {
	// Refuse sends the response to a request that is not let in, with the problem behind err.
	Refuse func(w http.ResponseWriter, r *http.Request, err error)
	Log    *slog.Logger
	// Watch runs the handshakes; nil recovers panics, too.
	Watch *calm.Watch
	// TLS makes the door speak TLS, with HTTP/2 beside HTTP/1.1; nil: neither. What its NextProtos
	// names is negotiated, too, and then closed.
	TLS *tls.Config
	// ProxyProtocol has a connection from Trusted begin with a header of the proxy protocol, which
	// says whose it is. From elsewhere none is taken.
	ProxyProtocol bool

	Connections *budget.Budget
	Bodies      *budget.Budget // bytes of requests
	Responses   *budget.Budget // bytes
	// PerAddress is how many connections, streams of HTTP/2 beside the first of a connection, or
	// requests that trusted proxies forwarded, one address may have open. Of bytes it may hold
	// half of what the node has.
	PerAddress int
	// Trusted are the proxies that name their clients, in X-Forwarded-For and X-Forwarded-Proto or
	// in Forwarded.
	Trusted []netip.Prefix

	// Rate is the least rate of bodies and responses, in bytes a second; Grace is how far a
	// client may fall behind it.
	Rate  int64
	Grace time.Duration
}

// BytesPerAddress returns how many bytes of each kind one address may hold.
func (o *Options) BytesPerAddress() [kinds]int64 {
	return [kinds]int64{o.Bodies.Limit() / 2, o.Responses.Limit() / 2}
}

// What every connection has of time before it has sent a request, and between two of them.
const (
	headerWithin = 5 * time.Second
	idleFor      = 60 * time.Second
)

// maxHeaders bounds how many headers a request has; maxHeaderBytes, their size.
const (
	maxHeaders     = 128
	maxHeaderBytes = 32 << 10
)

// The kernel's buffers hold as much of an unread response, and of a body that the node has not
// read, as they are large, of each connection; so they are small. A client far away gets a larger
// send buffer while there are few. A receive buffer cannot grow later: how far a sender may be ahead is
// agreed on when the connection is made.
const (
	sendBuffer      = 16 << 10 // the kernel doubles these
	receiveBuffer   = 32 << 10 // a loopback's segment fits
	roomySendBuffer = 128 << 10
	roomyConns      = 128
	roomyPerAddress = 2
)

// Door is a listener and the server behind it.
type Door struct {
	o        Options
	listener *net.TCPListener
	server   *http.Server // of HTTP/1.1
	server2  *http.Server // of HTTP/2
	lobby    *lobby       // where connections are met that have something to say first
	handler  http.Handler
	epoch    time.Time
	serving  atomic.Bool // Serve runs

	clock    atomic.Int64 // see lately
	draining atomic.Bool
	running  atomic.Int64 // handlers
	accepted atomic.Int64 // a time.Duration since epoch: of the last connection
	warned   atomic.Int64 // a time.Duration since epoch: of the last warning

	mu       sync.Mutex // guards all below
	conns    map[*Conn]struct{}
	callers  map[netip.Addr]*caller
	roomy    int
	barren   search        // among all connections
	barrenOf [kinds]search // among all requests
}

// Listen listens on a TCP address; nothing is accepted before Serve.
func Listen(ctx context.Context, address string, o Options) (*Door, error) {
	o.Grace = max(o.Grace, time.Duration(piece)*time.Second/time.Duration(o.Rate))
	l, err := (&net.ListenConfig{Control: smallBuffers}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	d := &Door{
		o: o, listener: l.(*net.TCPListener), epoch: time.Now(),
		conns: map[*Conn]struct{}{}, callers: map[netip.Addr]*caller{},
	}
	d.server, d.server2 = newServer(d), newServer(d)
	d.server.Protocols.SetHTTP1(true)
	d.server2.Protocols.SetHTTP2(true)
	d.server2.TLSConfig = &tls.Config{NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12}
	d.server2.HTTP2 = &http.HTTP2Config{
		MaxConcurrentStreams:      maxStreams,
		MaxReceiveBufferPerStream: streamBuffer, MaxReceiveBufferPerConnection: streamBuffer, MaxReadFrameSize: 16 << 10,
	}
	// A response of net/http's own, such as that to too many headers, never comes to serve.
	d.server2.WriteTimeout = o.Grace
	d.lobby = newLobby(d)
	return d, nil
}

func newServer(d *Door) *http.Server {
	return &http.Server{
		Handler:           http.HandlerFunc(d.serve),
		Protocols:         new(http.Protocols),
		ReadHeaderTimeout: headerWithin,
		IdleTimeout:       idleFor,
		// OPTIONS * comes to serve: net/http would wait for its body without a limit.
		DisableGeneralOptionsHandler: true,
		MaxHeaderBytes:               maxHeaderBytes,
		ErrorLog:                     slog.NewLogLogger(d.o.Log.Handler(), slog.LevelDebug),
		ConnState:                    func(c net.Conn, s http.ConnState) { inner(c).enters(s) },
		ConnContext:                  connContext,
	}
}

// Addr returns the address that is listened on.
func (d *Door) Addr() net.Addr { return d.listener.Addr() }

// now is the time since the door was opened.
func (d *Door) now() time.Duration { return time.Since(d.epoch) }

// lately is now as of the last sweep. What connections note of themselves for each request is
// by this clock, which costs nothing: a short wait counts as none, or as one tick, as often as
// is right.
func (d *Door) lately() time.Duration { return time.Duration(d.clock.Load()) }

// grace is how far a client may fall behind. A node that stops does not wait as long.
func (d *Door) grace() time.Duration {
	if d.draining.Load() {
		return min(d.o.Grace, drainGrace)
	}
	return d.o.Grace
}

// Serve accepts, and serves what handler serves, until Shutdown. If it panics it may be called
// again.
func (d *Door) Serve(handler http.Handler) error {
	d.handler = handler
	d.serving.Store(true)
	defer d.serving.Store(false)
	var err error
	if d.o.TLS != nil || d.o.ProxyProtocol {
		err = d.lobby.serve()
	} else {
		err = d.server.Serve(&listener{d})
	}
	if d.draining.Load() && (errors.Is(err, net.ErrClosed) || errors.Is(err, http.ErrServerClosed)) {
		return nil
	}
	return err
}

// Sweep ends what is below the least rate, until ctx ends. It has to run while Serve does, and
// while Shutdown does.
func (d *Door) Sweep(ctx context.Context) {
	tick := time.NewTicker(min(250*time.Millisecond, max(d.o.Grace/8, time.Millisecond)))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		d.clock.Store(int64(d.now()))
		d.sweep()
	}
}

// open returns how many connections there are.
func (d *Door) open() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.conns)
}

// listener is a Door as net/http's server sees it.
type listener struct{ *Door }

// Close leaves the listener open unless the door closes: it can be served from again.
func (l *listener) Close() error {
	if !l.draining.Load() {
		return nil
	}
	return l.closeListener() // the server may close it once more than the door has
}

// Accept returns the next connection that there is a place for.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.listener.AcceptTCP()
		if err != nil {
			if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
				l.shed(new(caller), false) // something else has taken the reserve
			}
			return nil, err
		}
		l.accepted.Store(int64(l.now()))
		if admitted := l.admitOrClose(c); admitted != nil {
			return admitted, nil
		}
	}
}

func (d *Door) admitOrClose(nc *net.TCPConn) (c *Conn) {
	defer func() { // also after a panic
		if c == nil {
			_ = nc.SetLinger(0)
			_ = nc.Close()
		}
	}()
	return d.admit(nc)
}

// admit takes a place for a connection, or returns nil.
func (d *Door) admit(nc *net.TCPConn) *Conn {
	addr := addrOf(nc.RemoteAddr()).Addr()
	trusted := proxies(d.o.Trusted).trust(addr)
	from, ok := d.enter(addr, trusted)
	if !ok {
		if d.shed(from, true) {
			from, ok = d.enter(addr, trusted)
		}
		if !ok {
			d.warn("an address has as many connections open as one may: more are refused; if it is a proxy, name it with --trusted-proxy", from)
			return nil
		}
	}
	if !d.takePlace(from) {
		d.leave(from)
		return nil
	}
	c := &Conn{Conn: nc, door: d, from: from, trusted: trusted, exempt: trusted}
	c.one = Exchange{c: c, rate: d.o.Rate}
	c.since.Store(int64(d.now()))
	d.mu.Lock()
	d.conns[c] = struct{}{}
	c.roomy = d.roomy < roomyConns && (trusted || from.open <= roomyPerAddress)
	if c.roomy {
		d.roomy++
	}
	d.mu.Unlock()
	if c.roomy {
		_ = nc.SetWriteBuffer(roomySendBuffer)
	}
	return c
}

// takePlace takes one of the node's places, if need be that of a connection that does nothing.
func (d *Door) takePlace(from *caller) bool {
	if d.o.Connections.Take(1) || d.shed(from, false) && d.o.Connections.Take(1) {
		return true
	}
	d.warn("there are as many connections as the node takes: more are refused", from)
	return false
}

// warn logs at most once a minute.
func (d *Door) warn(message string, from *caller) {
	now := int64(d.now())
	if last := d.warned.Load(); (last == 0 || now-last > int64(time.Minute)) && d.warned.CompareAndSwap(last, now) {
		d.o.Log.Warn(message, "address", from.addr, "connections", d.o.Connections.Used(), "limit", d.o.Connections.Limit(), "per_address", d.o.PerAddress)
	}
}

// gone gives a closed connection's place back.
func (d *Door) gone(c *Conn) {
	d.mu.Lock()
	delete(d.conns, c)
	if c.roomy {
		d.roomy--
	}
	d.mu.Unlock()
	d.leave(c.from)
	d.o.Connections.Give(1)
}

var closing = []string{"close"}

// serve lets a request in.
func (d *Door) serve(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 2 && r.TLS != nil {
		Of(r.Context()).c.serveStream(w, r)
		return
	}
	e := Of(r.Context())
	// Where framing could be read in two ways (RFC 9112 sections 6.1 and 6.3), nothing after
	// the request is read. net/http has removed the Content-Length beside Transfer-Encoding.
	if r.TransferEncoding != nil || !r.ProtoAtLeast(1, 1) || d.draining.Load() {
		w.Header()["Connection"] = closing
	}
	hasBody := r.Body != nil && r.Body != http.NoBody
	e.sending.Store(hasBody) // also if it is refused: net/http then reads what comes of it
	if e.c.secure {
		w = &writer{w, e}
	}
	e.serve(w, r, hasBody)
}

// acceptable refuses what no handler is to see.
func acceptable(r *http.Request) error {
	switch {
	case r.ProtoMajor != 1 && r.TLS == nil: // the preface of HTTP/2 comes as a request
		return fmt.Errorf("%w: %s", ErrProtocol, r.Proto)
	case r.Method == http.MethodConnect, r.Method == http.MethodTrace, r.Method == "TRACK":
		return fmt.Errorf("%w: %s", ErrMethod, r.Method)
	}
	n := 0
	for _, values := range r.Header {
		n += len(values)
	}
	if n > maxHeaders {
		return fmt.Errorf("%w: %d, and %d are taken", ErrHeaders, n, maxHeaders)
	}
	return nil
}

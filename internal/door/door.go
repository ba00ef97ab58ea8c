package door

import (
	"context"
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
)

// Options configure a Door. All fields without a default are required.
type Options struct {
	// Refuse sends the response to a request that is not let in, with the problem behind err.
	Refuse func(w http.ResponseWriter, r *http.Request, err error)
	Log    *slog.Logger

	Connections *budget.Budget
	Bodies      *budget.Budget // bytes of requests
	Responses   *budget.Budget // bytes
	// PerAddress is how many connections, or requests that trusted proxies forwarded, one
	// address may have open. Of bytes it may hold half of what the node has.
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
	server   *http.Server
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
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	d.server = &http.Server{
		Handler:           http.HandlerFunc(d.serve),
		Protocols:         &protocols, // HTTP/2 would need budgets for its streams
		ReadHeaderTimeout: headerWithin,
		IdleTimeout:       idleFor,
		// OPTIONS * comes to serve: net/http would wait for its body without a limit.
		DisableGeneralOptionsHandler: true,
		MaxHeaderBytes:               maxHeaderBytes,
		ErrorLog:                     slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
		ConnState:                    func(c net.Conn, s http.ConnState) { c.(*Conn).enters(s) },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		},
	}
	return d, nil
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
	err := d.server.Serve(&listener{d})
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
	if !d.o.Connections.Take(1) && !(d.shed(from, false) && d.o.Connections.Take(1)) {
		d.leave(from)
		d.warn("there are as many connections as the node takes: more are refused", from)
		return nil
	}
	c := &Conn{Conn: nc, door: d, from: from, trusted: trusted, rate: d.o.Rate}
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

// enters is told when net/http's view of a connection changes.
func (c *Conn) enters(s http.ConnState) {
	c.state.Store(int32(s))
	if s != http.StateIdle {
		return
	}
	c.since.Store(int64(c.door.lately()))
	c.sending.Store(false)
	c.mu.Lock()
	c.in, c.out = pace{}, pace{}
	c.mu.Unlock()
}

var closing = []string{"close"}

// serve lets a request in.
func (d *Door) serve(w http.ResponseWriter, r *http.Request) {
	c := ConnOf(r.Context())
	// Where framing could be read in two ways (RFC 9112 sections 6.1 and 6.3), nothing after
	// the request is read. net/http has removed the Content-Length beside Transfer-Encoding.
	if r.TransferEncoding != nil || !r.ProtoAtLeast(1, 1) || d.draining.Load() {
		w.Header()["Connection"] = closing
	}
	hasBody := r.Body != nil && r.Body != http.NoBody
	c.sending.Store(hasBody)                                   // also if it is refused: net/http then reads what comes of it
	if r.Method == http.MethodOptions && r.RequestURI == "*" { // OPTIONS, of the node as a whole
		w.WriteHeader(http.StatusNoContent)
		return
	}
	err := acceptable(r)
	if err == nil {
		err = d.begin(c, r)
	}
	if err != nil {
		w.Header()["Connection"] = closing
		d.o.Refuse(w, r, err)
		return
	}
	defer d.finish(c)
	if !hasBody {
		d.handler.ServeHTTP(w, r)
		return
	}
	with := new(http.Request) // net/http looks at the body that it has made itself
	*with = *r
	c.body = &body{ReadCloser: r.Body, c: c, w: w, left: r.ContentLength}
	with.Body = c.body
	defer func() { r.MultipartForm = with.MultipartForm }() // which net/http removes
	d.handler.ServeHTTP(w, with)
}

// acceptable refuses what no handler is to see.
func acceptable(r *http.Request) error {
	switch {
	case r.ProtoMajor != 1: // the preface of HTTP/2 comes as a request
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

// begin counts a request for the address that it comes from.
func (d *Door) begin(c *Conn, r *http.Request) error {
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
	d.running.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.client, c.counted, c.named, c.late, c.rate = client, counted, named, false, d.o.Rate
	return nil
}

// finish gives back what a request has taken.
func (d *Door) finish(c *Conn) {
	c.mu.Lock()
	for kind := range kinds {
		c.giveLocked(kind, c.held[kind])
	}
	client, counted := c.client, c.counted
	c.client, c.counted, c.named = nil, false, Client{}
	c.mu.Unlock()
	if counted {
		d.leave(client)
	}
	c.body = nil
	d.running.Add(-1)
}

package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"
)

const (
	dialTimeout = 3 * time.Second
	tlsTimeout  = 5 * time.Second
	idleTimeout = 30 * time.Second

	maxHeader = 64 << 10 // bytes of a response's headers
	maxAtOnce = 16       // requests of one app
	maxIdle   = 8        // connections that wait for the next request of one app
)

var errFull = errors.New("the node has as many outgoing connections as it may have")

// client is what one app reaches the world with. Its connections are its own.
type client struct {
	transport *http.Transport
	slots     chan struct{}
}

// clientOf makes an app's client, or finds it: it outlives a change of grants.
func (f *Fetch) clientOf(app string) *client {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.clients[app]
	if c == nil {
		c = &client{f.newTransport(), make(chan struct{}, maxAtOnce)}
		f.clients[app] = c
	}
	return c
}

// newTransport leaves nothing to the environment: no proxy, no other protocol
// than HTTP/1.1, no decompression that could make a response larger than it came.
func (f *Fetch) newTransport() *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  nil,
		DialContext:            f.dial,
		Protocols:              protocols,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: f.o.RootCAs},
		TLSHandshakeTimeout:    tlsTimeout,
		DisableCompression:     true,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdle,
		MaxConnsPerHost:        maxAtOnce,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeader,
	}
}

// dial makes a connection. A name is absolute: no search domain of the machine
// turns it into another one.
func (f *Fetch) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if _, err := netip.ParseAddr(host); err != nil {
		address = net.JoinHostPort(host+".", port)
	}
	if !f.mayConnect() {
		return nil, errFull
	}
	d := net.Dialer{Timeout: dialTimeout, Resolver: f.o.Resolver, ControlContext: f.judge}
	c, err := d.DialContext(ctx, network, address)
	if err != nil {
		f.connected.Add(-1)
		return nil, err
	}
	return &counted{Conn: c, open: &f.connected}, nil
}

// mayConnect takes a place for a connection. If there is none, those that wait for
// nothing but a next request make room: they must not keep others out.
func (f *Fetch) mayConnect() bool {
	for try := range 2 {
		if f.connected.Add(1) <= int64(f.o.MaxConnections) {
			return true
		}
		f.connected.Add(-1)
		if try == 0 {
			f.closeIdle()
		}
	}
	return false
}

func (f *Fetch) closeIdle() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.clients {
		c.transport.CloseIdleConnections()
	}
}

// counted gives its place back when it is closed.
type counted struct {
	net.Conn
	open   *atomic.Int64
	closed atomic.Bool
}

func (c *counted) Close() error {
	if !c.closed.Swap(true) {
		c.open.Add(-1)
	}
	return c.Conn.Close()
}

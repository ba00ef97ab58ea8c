package door

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"time"
)

const (
	// drainGrace is how far a client may fall behind the least rate while the node stops.
	drainGrace = 2 * time.Second
	// quiet is how long no connection must have come before the listener is closed: clients
	// whose connection is being made have to get through.
	quiet = 50 * time.Millisecond
	// quietWithin bounds that, where new connections cannot be kept away.
	quietWithin = time.Second
	// idleLeaves and newLeaves are how long a connection has to have been silent, between two
	// requests and before its first one, to be closed.
	idleLeaves = 500 * time.Millisecond
	newLeaves  = time.Second
	// handlersWithin is how long handlers have to return after their connections were closed.
	handlersWithin = 2 * time.Second
	// drainTick is how often is looked.
	drainTick = 5 * time.Millisecond
)

// Shutdown lets out who is in: it keeps new connections from being made, serves those that
// were, ends each with its next response, and closes those that stay silent. At ctx's end it
// closes the rest and returns how many that were. It returns an error if a handler did not end.
func (d *Door) Shutdown(ctx context.Context) (cut int, err error) {
	d.draining.Store(true)
	if d.serving.Load() {
		d.settle(ctx)
	}
	if err := d.closeListener(); err != nil {
		return 0, err
	}
	tick := time.NewTicker(drainTick)
	defer tick.Stop()
	for told := false; (d.serving.Load() || d.closeSilent() > 0) && ctx.Err() == nil; {
		if !told && !d.serving.Load() {
			goAway(d.server2)
			told = true
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	cut = d.open()
	return cut, d.Close()
}

// Close closes everything at once, and waits for the handlers.
func (d *Door) Close() error {
	d.draining.Store(true)
	err := errors.Join(d.closeListener(), d.server.Close(), d.server2.Close())
	d.lobby.close()
	d.mu.Lock()
	rest := slices.Collect(maps.Keys(d.conns)) // in their handshakes
	d.mu.Unlock()
	for _, c := range rest {
		_ = c.Close()
	}
	return errors.Join(err, d.handlersEnd())
}

// goAway tells clients of HTTP/2 to ask nothing more. Those who have asked are served.
func goAway(server2 *http.Server) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // it does not wait, and it closes no connection of HTTP/2
	_ = server2.Shutdown(ctx)
}

func (d *Door) closeListener() error {
	if err := d.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close the listener: %w", err)
	}
	return nil
}

// settle returns when no connection is being made or waits to be accepted.
func (d *Door) settle(ctx context.Context) {
	kept := keepAway(d.listener)
	began := d.now()
	tick := time.NewTicker(drainTick)
	defer tick.Stop()
	for ctx.Err() == nil {
		now := d.now()
		last := max(began, time.Duration(d.accepted.Load()))
		if now-last >= quiet && !pending(d.listener) || !kept && now-began >= quietWithin {
			return
		}
		<-tick.C
	}
}

// closeSilent closes the connections on which nothing comes, and returns how many are left.
func (d *Door) closeSilent() int {
	now := d.now()
	var silent []*Conn
	d.mu.Lock()
	left := len(d.conns)
	for c := range d.conns {
		patience := idleLeaves
		switch http.ConnState(c.state.Load()) {
		case http.StateActive:
			continue
		case http.StateNew:
			patience = newLeaves
		}
		if now-time.Duration(c.since.Load()) >= patience {
			silent = append(silent, c)
		}
	}
	d.mu.Unlock()
	for _, c := range silent {
		if !readable(c.Conn) { // else a request has just come
			_ = c.Close()
		}
	}
	return left
}

// handlersEnd waits for handlers: what they use is closed next.
func (d *Door) handlersEnd() error {
	for end := d.now() + handlersWithin; d.running.Load() > 0; time.Sleep(drainTick) {
		if d.now() > end {
			return fmt.Errorf("%d requests still run after their connections were closed", d.running.Load())
		}
	}
	return nil
}

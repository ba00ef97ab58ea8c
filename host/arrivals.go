package host

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/host/engine"
	"github.com/agora-host/agora/internal/door"
)

// arrivals are the calls of one program that have a place and whose requests are still being
// read. A client decides how long that takes, so when there is no place left for others, the
// call that has been arriving for longest loses its own.
type arrivals struct {
	mu    sync.Mutex
	since map[*door.Exchange]time.Time // guarded by mu
}

const (
	// arriveWithin is how long a request may take to arrive when its place is needed.
	arriveWithin = time.Second
	// yieldWithin is how long a call that lost its place has to leave it.
	yieldWithin = 200 * time.Millisecond
)

// during runs read, which reads a request.
func (a *arrivals) during(r *http.Request, read func() error) error {
	c := door.Of(r.Context())
	if c == nil || r.Body == nil || r.Body == http.NoBody {
		return read()
	}
	a.mu.Lock()
	if a.since == nil {
		a.since = map[*door.Exchange]time.Time{}
	}
	a.since[c] = time.Now()
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.since, c)
	}()
	return read()
}

// yield ends the call that has been arriving for longest, and reports whether there was one.
func (a *arrivals) yield() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	var slowest *door.Exchange
	first := time.Now().Add(-arriveWithin)
	for c, since := range a.since {
		if since.Before(first) {
			slowest, first = c, since
		}
	}
	if slowest == nil {
		return false
	}
	delete(a.since, slowest)
	slowest.EndBody()
	return true
}

// enter takes a place for a call, if need be that of a request that has not arrived.
func (s *slot) enter(ctx context.Context, links map[string]abi.Link) (engine.Place, error) {
	place, err := s.program.Enter(links)
	if !errors.Is(err, abi.ErrBusy) || !s.arrivals.yield() {
		return place, err
	}
	for end := time.Now().Add(yieldWithin); errors.Is(err, abi.ErrBusy) && time.Now().Before(end) && ctx.Err() == nil; {
		time.Sleep(time.Millisecond)
		place, err = s.program.Enter(links)
	}
	return place, err
}

package certificates

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
)

const (
	// ordersPerHour bounds how many certificates the node orders in an hour. Directories count, too,
	// over longer times: what they refuse is not asked again before they allow it.
	ordersPerHour = 20
	// firstRetry and lastRetry are how long a name waits after its order failed: directories allow
	// few failures of a name in an hour.
	firstRetry = 5 * time.Minute
	lastRetry  = 24 * time.Hour
	// pauseAll is how long nothing is ordered after the directory said that it was asked too often,
	// unless it says for how long.
	pauseAll = time.Hour
	// orderWithin bounds one order.
	orderWithin = 3 * time.Minute
	// mostNames bounds the names that are looked after.
	mostNames = 10000
	// lookEvery is how often is looked what is to be ordered again.
	lookEvery = time.Minute
)

// issuer has certificates issued, one after the other, and renewed after two thirds of their lives.
type issuer struct {
	o     Options
	dir   dir
	wake  chan struct{} // something is wanted
	proof proofs

	mu     sync.Mutex // guards all below
	names  map[string]*name
	recent []time.Time // of orders within the last hour
	paused time.Time   // until when nothing is ordered
	why    string      // paused
	client *acme.Client
}

// name is a host that a certificate is wanted for.
type name struct {
	cert     *tls.Certificate // nil: there is none yet
	wanted   bool
	settled  chan struct{} // closed when the order that is wanted has ended
	failures int
	next     time.Time // no order before
	err      error     // of the last order
}

func newIssuer(o Options) (*issuer, error) {
	u, err := url.Parse(o.Directory)
	if err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) {
		return nil, fmt.Errorf("the ACME directory %q is no https URL: write one such as https://acme-v02.api.letsencrypt.org/directory", o.Directory)
	}
	i := &issuer{o: o, dir: dir(o.Dir), wake: make(chan struct{}, 1), names: map[string]*name{}, proof: proofs{}}
	kept, err := i.dir.certificates()
	if err != nil {
		return nil, fmt.Errorf("read the certificates that were issued: %w", err)
	}
	for host, cert := range kept {
		i.names[host] = &name{cert: cert}
	}
	return i, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// certificate returns the certificate of a host. If there is none yet it is ordered, and waited for
// as long as ctx allows.
func (i *issuer) certificate(ctx context.Context, host string) (*tls.Certificate, error) {
	host, err := canonical(host)
	if err != nil {
		return nil, err
	}
	if err := i.o.Known(ctx, host); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNone, err)
	}
	cert, settled, err := i.want(host)
	if cert != nil || err != nil {
		return cert, err
	}
	select {
	case <-settled:
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: that of %s is being issued", ErrNone, host)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	n := i.names[host]
	switch {
	case n == nil:
		return nil, fmt.Errorf("%w: %s is no longer known", ErrNone, host)
	case n.cert == nil:
		return nil, fmt.Errorf("%w: that of %s could not be issued: %w", ErrNone, host, n.err)
	}
	return n.cert, nil
}

// want returns the certificate of a host that is known. If there is none it makes sure that one
// is ordered, and returns what is closed then; or it says why none is.
func (i *issuer) want(host string) (*tls.Certificate, chan struct{}, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	n := i.names[host]
	switch now := i.o.Now(); {
	case n == nil && len(i.names) >= mostNames:
		return nil, nil, fmt.Errorf("%w: the node looks after as many as it does", ErrNone)
	case n == nil:
		n = &name{}
		i.names[host] = n
	case n.cert != nil:
		return n.cert, nil, nil
	case n.wanted:
		return nil, n.settled, nil
	case now.Before(n.next):
		return nil, nil, fmt.Errorf("%w: that of %s could not be issued, and is ordered again after %s: %w", ErrNone, host, n.next.UTC().Format(time.RFC3339), n.err)
	}
	i.order(n)
	return nil, n.settled, nil
}

// order marks a name. It is called with i.mu held.
func (i *issuer) order(n *name) {
	if !n.wanted {
		n.wanted, n.settled = true, make(chan struct{})
	}
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

// run orders what is wanted until ctx ends.
func (i *issuer) run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		i.look(ctx)
		for host := i.next(); host != "" && ctx.Err() == nil; host = i.next() {
			i.settle(ctx, host)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-i.wake:
		}
	}
}

// look marks what is due: the names that are wanted at once, those whose orders failed, and those
// whose certificates have lived two thirds of their lives. A name that is not known any more is
// forgotten.
func (i *issuer) look(ctx context.Context) {
	for _, host := range i.o.Eager {
		if host, err := canonical(host); err == nil && i.o.Known(ctx, host) == nil {
			_, _, _ = i.want(host)
		}
	}
	i.mu.Lock()
	all := slices.Collect(maps.Keys(i.names))
	i.mu.Unlock()
	for _, host := range all {
		err := i.o.Known(ctx, host)
		i.mu.Lock()
		n := i.names[host]
		switch now := i.o.Now(); {
		case errors.Is(err, ErrUnknown) && !n.wanted:
			delete(i.names, host)
			if err := i.dir.forget(host); err != nil {
				i.o.Log.Error("a certificate that is not needed any more was not deleted", "name", host, "err", err)
			}
		case err == nil && !now.Before(n.next) && (n.cert == nil || due(n.cert.Leaf, now)):
			i.order(n)
		}
		i.mu.Unlock()
	}
}

func due(leaf *x509.Certificate, now time.Time) bool {
	return now.After(leaf.NotAfter.Add(-leaf.NotAfter.Sub(leaf.NotBefore) / 3))
}

// next returns a name that is wanted, or "": of those without a certificate first.
func (i *issuer) next() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	best := ""
	for host, n := range i.names {
		if n.wanted && (best == "" || n.cert == nil && i.names[best].cert != nil) {
			best = host
		}
	}
	return best
}

// settle orders a certificate for one name.
func (i *issuer) settle(ctx context.Context, host string) {
	err := i.o.Known(ctx, host)
	if err == nil {
		err = i.mayOrder()
	}
	var cert *tls.Certificate
	if err == nil {
		limited, cancel := context.WithTimeout(ctx, orderWithin)
		cert, err = i.obtain(limited, host)
		cancel()
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	n, now := i.names[host], i.o.Now()
	n.wanted = false
	close(n.settled)
	n.err = err
	switch {
	case err == nil:
		// One that comes with little of its life left does not lead to the next order at once.
		n.cert, n.failures, n.next = cert, 0, now.Add(cert.Leaf.NotAfter.Sub(now)/2)
		i.o.Log.Info("a certificate was issued", "name", host, "expires", cert.Leaf.NotAfter.UTC())
		return
	case ctx.Err() != nil:
		return
	case errors.Is(err, errPaused):
		n.next = i.paused
		return
	}
	n.next = now.Add(min(firstRetry<<min(n.failures, 10), lastRetry))
	n.failures++
	if problem, ok := errors.AsType[*acme.Error](err); ok {
		if wait, limited := acme.RateLimit(problem); limited {
			if wait <= 0 {
				wait = pauseAll
			}
			i.paused, i.why = now.Add(min(max(wait, time.Minute), 7*24*time.Hour)), "the directory was asked too often"
		}
	}
	i.o.Log.Error("a certificate could not be issued", "name", host, "try_again", n.next.UTC(), "err", err)
}

// Again forgets the pauses after failures, and has what failed ordered now.
func (s *Store) Again() {
	i := s.acme
	if i == nil {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.paused, i.client = time.Time{}, nil
	for _, n := range i.names {
		if n.next = (time.Time{}); n.err != nil {
			i.order(n)
		}
	}
}

// errPaused: nothing is ordered for now.
var errPaused = errors.New("nothing is ordered for now")

// mayOrder counts an order, or returns why there can be none now.
func (i *issuer) mayOrder() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := i.o.Now()
	i.recent = slices.DeleteFunc(i.recent, func(at time.Time) bool { return now.Sub(at) >= time.Hour })
	if !now.Before(i.paused) && len(i.recent) >= ordersPerHour {
		i.paused, i.why = i.recent[0].Add(time.Hour), fmt.Sprintf("%d were within an hour", ordersPerHour)
	}
	if now.Before(i.paused) {
		return fmt.Errorf("%w, until %s: %s", errPaused, i.paused.UTC().Format(time.RFC3339), i.why)
	}
	i.recent = append(i.recent, now)
	return nil
}

// report returns the state of each name, by name.
func (i *issuer) report() (all []State) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for host, n := range i.names {
		state := State{Names: []string{host}}
		if n.cert != nil {
			state = stateOf(n.cert.Leaf)
		}
		if n.err != nil {
			state.Trouble = n.err.Error()
		}
		state.Source, state.Issued = i.o.Directory, true
		all = append(all, state)
	}
	slices.SortFunc(all, func(a, b State) int { return strings.Compare(a.Names[0], b.Names[0]) })
	return all
}

// ProofPath begins the paths that a directory looks at on port 80.
const ProofPath = "/.well-known/acme-challenge/"

// HTTP returns a handler that shows the directory what it looks for on port 80, and leaves all else
// to next.
func (s *Store) HTTP(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.acme != nil && strings.HasPrefix(r.URL.Path, ProofPath) {
			if text, ok := s.acme.proof.text(r.URL.Path); ok {
				w.Header().Set("Content-Type", "application/octet-stream")
				_, _ = w.Write([]byte(text))
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"syscall"
	"time"

	"github.com/agora-host/agora/internal/budget"
	"github.com/agora-host/agora/internal/door"
)

const (
	// fewFiles is how many descriptors the node keeps for itself at least: its stores and
	// journal, the log of each app, images of programs, and requests that apps make.
	fewFiles = 64
	// mostConnections bounds the default: more is for an operator to ask for.
	mostConnections = 16384
	// memoryOfConnection is about what a connection takes of memory, the kernel's included.
	memoryOfConnection = 64 << 10
	leastRate          = 4 << 10 // bytes a second
	graceOfRate        = 10 * time.Second
)

// doorOptions sizes the front door.
func doorOptions(o Options, budgets *budgets, log *slog.Logger) (door.Options, error) {
	descriptors, memory := descriptorLimit(), o.Memory
	most := max(1, descriptors-max(fewFiles, descriptors/4))
	connections := int64(o.Connections)
	switch {
	case connections < 0 || o.ConnectionsPerAddress < 0 || o.BodyMemory < 0 || o.ResponseMemory < 0 || o.LeastRate < 0:
		return door.Options{}, errors.New("the limits of connections, memory and rate are not negative: leave one out for its default")
	case connections > most:
		return door.Options{}, fmt.Errorf("%d connections do not fit into %d file descriptors, of which the node needs some itself: allow at most %d, or raise the limit (ulimit -n, LimitNOFILE=)", connections, descriptors, most)
	case connections == 0:
		connections = max(1, min(most, memory/4/memoryOfConnection, mostConnections))
	}
	trusted, err := networks("--trusted-proxy", o.TrustedProxies)
	if err != nil {
		return door.Options{}, err
	}
	ofMemory := min(max(memory/32, 32<<20), 128<<20)
	return door.Options{
		Refuse: refuse, Log: log, Trusted: trusted, ProxyProtocol: o.ProxyProtocol,
		Connections: budgets.add("connections", "connections of clients", connections),
		Bodies:      budgets.add("request-bodies", "bytes of request bodies that are held until their requests end", cmp.Or(o.BodyMemory, ofMemory)),
		Responses:   budgets.add("responses", "bytes of responses that their clients have not read yet", cmp.Or(o.ResponseMemory, ofMemory)),
		PerAddress:  int(cmp.Or(int64(o.ConnectionsPerAddress), max(1, connections/4))),
		Rate:        cmp.Or(o.LeastRate, leastRate), Grace: cmp.Or(o.grace, graceOfRate),
	}, nil
}

// forwarded has a request go to the host that its proxy says it was for. That counts only where the
// Host header is no address of the node's, since the proxy has put its own there: a proxy that
// passes Host on may pass on what its client wrote beside it, which would have one app's responses
// kept by caches as another's.
func (s *security) forwarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := door.ClientOf(r.Context()).Host
		if host == "" || !s.origins.isBare(r.Host) && s.isOurs(r.Context(), r.Host) {
			next.ServeHTTP(w, r)
			return
		}
		to := *r
		to.Host = host
		next.ServeHTTP(w, &to)
	})
}

// redirecting sizes the door that sends people on to HTTPS: an eighth as many connections, in
// addition to the others, and room for no body.
func redirecting(o door.Options, budgets *budgets) door.Options {
	o.TLS = nil
	o.Connections = budgets.add("redirect-connections", "connections of clients that come by HTTP, to be sent on to HTTPS", max(1, o.Connections.Limit()/8))
	o.PerAddress = int(max(1, o.Connections.Limit()/4))
	o.Bodies, o.Responses = budget.New("", "", 256<<10), budget.New("", "", 1<<20)
	return o
}

// descriptorLimit is how many file descriptors the process may have open. The Go runtime has
// raised the soft limit to the hard one when the process started.
func descriptorLimit() int64 {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 256
	}
	return int64(min(uint64(l.Cur), 1<<30))
}

// letOut serves the requests that are in, until ctx ends.
func letOut(ctx context.Context, d *door.Door, log *slog.Logger) error {
	cut, err := d.Shutdown(ctx)
	if cut > 0 { // their clients see that; to wait for ever would be worse
		log.Warn("connections were closed before their requests had ended: the time to stop was over", "connections", cut)
	}
	return err
}

package fetch

import (
	"context"
	"errors"
	"net"

	"github.com/agora-host/agora/abi"
)

// maxRedirects are followed; one more is a loop or a maze.
const maxRedirects = 3

// What ends a chain without a response, besides the network.
var (
	errRedirects = errors.New("more redirects than are followed")
	errDowngrade = errors.New("a redirect leads from https to http")
	errTooLarge  = errors.New("the answer is larger than the grant allows")
	errStatus    = errors.New("the answer is no HTTP answer that an app can be given")
	errLocation  = errors.New("a redirect leads nowhere")
)

// notAllowed is for a redirect to an origin that the grant does not list.
type notAllowed struct{ origin abi.Origin }

func (e notAllowed) Error() string { return "a redirect leads to " + e.origin.String() }

// follow sends a request and, where the response is a redirect that may be
// followed, the next.
func (g *grant) follow(ctx context.Context, origin abi.Origin, r *abi.Request) ([]byte, abi.Errno) {
	h, errno := firstHop(origin, r)
	if errno != abi.ErrnoOK {
		return nil, errno
	}
	for n := 0; ; n++ {
		answer, location, err := g.send(ctx, h)
		if err == nil && location == "" {
			return abi.AppendResponse(nil, answer), abi.ErrnoOK
		}
		if err == nil && n == maxRedirects {
			err = errRedirects
		}
		if err == nil {
			err = g.redirect(h, answer.Status, location)
		}
		if err != nil {
			return nil, g.failed(ctx, h, err)
		}
	}
}

// failed says what an error means to the app, notes it, and tells the owner.
func (g *grant) failed(ctx context.Context, h *hop, err error) abi.Errno {
	meter, errno := abi.MeterFailed, abi.ErrnoUnavailable
	redirected, elsewhere := errors.AsType[notAllowed](err)
	netErr, isNet := errors.AsType[net.Error](err)
	origin := h.origin
	switch {
	case elsewhere:
		meter, errno, origin = abi.MeterDenied, abi.ErrnoDenied, redirected.origin
	case errors.Is(err, errPrivate), errors.Is(err, errDowngrade):
		meter, errno = abi.MeterDenied, abi.ErrnoDenied
	case errors.Is(err, errTooLarge):
		errno = abi.ErrnoTooLarge
	case ctx.Err() != nil, isNet && netErr.Timeout():
		errno = abi.ErrnoDeadline
	}
	abi.Note(ctx, abi.Use{Capability: "fetch", Meter: meter, Subject: origin.String(), N: 1})
	g.o.Logger.DebugContext(ctx, "an app's request failed", "app", g.app.Name, "origin", h.origin.String(), "err", err)
	g.tellFailed(ctx, h, err)
	return errno
}

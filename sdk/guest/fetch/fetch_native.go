//go:build !wasip1

package fetch

import (
	"context"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/sdk/guest/internal/call"
)

// Handler stands in for a server in an app's tests.
type Handler func(r abi.Request) abi.Response

var world = fake{}

// Serve has a handler stand in for an origin. What no function serves is denied.
func Serve(origin string, h Handler) {
	o, err := abi.ParseOrigin(origin)
	if err != nil {
		panic(origin + " " + err.Error())
	}
	world[o] = h
}

// Reset forgets all handlers, between tests.
func Reset() { clear(world) }

// fake checks as the node does, and then asks a handler.
type fake map[abi.Origin]Handler

func (f fake) link() abi.Link { return abi.Link{abi.FetchDo: f.do} }

func (f fake) do(_ context.Context, in []byte) ([]byte, abi.Errno) {
	r, errno := abi.DecodeFetch(in)
	if errno != abi.ErrnoOK {
		return nil, errno
	}
	o, err := abi.ParseOrigin(r.Host)
	if err != nil {
		return nil, abi.ErrnoInvalid
	}
	h := f[o]
	if h == nil {
		return nil, abi.ErrnoDenied
	}
	answer := h(r)
	return abi.AppendResponse(nil, &answer), abi.ErrnoOK
}

func do(in []byte) ([]byte, error) { return call.Do(world.link(), abi.FetchDo, in) }

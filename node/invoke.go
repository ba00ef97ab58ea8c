package node

import (
	"context"
	"net/http"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
)

// Invoke calls a release for a signed-in person, as the gateway would.
func (h *Node) Invoke(ctx context.Context, app string, number int, r *http.Request) (control.Response, error) {
	if _, err := h.desk.Door(ctx, access.CallApp); err != nil {
		return control.Response{}, err
	}
	called, err := h.Host.Call(ctx, app, number, r)
	if err != nil {
		return control.Response{}, err
	}
	header := http.Header{}
	for _, f := range called.Response.Header {
		header.Add(f.Name, f.Value)
	}
	return control.Response{
		Status: called.Response.Status, Header: header, Body: called.Response.Body,
		Instructions: called.Counts.Instructions, GuestMicros: called.Counts.GuestMicros, HostMicros: called.Counts.HostMicros,
		MemoryKiB: called.MemoryKiB, Release: called.Release,
	}, nil
}

// CallLimits are the bounds of a release's requests and responses.
func (h *Node) CallLimits(ctx context.Context, app string, number int) (request, response int64, err error) {
	if _, err := h.desk.Door(ctx, access.CallApp); err != nil {
		return 0, 0, err
	}
	return h.Host.CallLimits(ctx, app, number)
}

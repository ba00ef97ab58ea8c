package node

import (
	"context"
	"net/http"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/host"
)

// Calls are calls of apps by people who are signed in.
type Calls struct {
	desk *control.Desk
	host *host.Host
}

// Invoke calls a release for a signed-in person, as the gateway would.
func (c *Calls) Invoke(ctx context.Context, app string, number int, r *http.Request) (control.Response, error) {
	if _, err := c.desk.Door(ctx, access.CallApp); err != nil {
		return control.Response{}, err
	}
	called, err := c.host.Call(ctx, app, number, r)
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
func (c *Calls) CallLimits(ctx context.Context, app string, number int) (request, response int64, err error) {
	if _, err := c.desk.Door(ctx, access.CallApp); err != nil {
		return 0, 0, err
	}
	return c.host.CallLimits(ctx, app, number)
}

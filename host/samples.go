package host

import (
	"context"
	"fmt"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/host/internal/samplestore"
	"github.com/agora-host/agora/host/internal/web"
	"github.com/agora-host/agora/metering"
)

func sampleOf(v *metering.Invocation, status int, at time.Time) samplestore.Sample {
	return samplestore.Sample{
		App: v.App, ID: v.ID, At: at, Release: v.Release, Tier: v.Tier, Trigger: v.Trigger, Status: status, Fault: v.Fault,
		Instructions: v.Instructions, GuestMicros: v.GuestMicros, HostMicros: v.HostMicros,
	}
}

// Samples shows some calls of an hour, of one app or, for "", of all.
func (h *Host) Samples(ctx context.Context, app string, hour time.Time) ([]web.Sample, error) {
	if _, err := h.allow(ctx, access.RoleViewer); err != nil {
		return nil, err
	}
	found, err := h.samples.Read(app, hour)
	if err != nil {
		return nil, fmt.Errorf("read samples: %w", err)
	}
	shown := make([]web.Sample, len(found))
	for i, s := range found {
		shown[i] = web.Sample(s)
	}
	return shown, nil
}

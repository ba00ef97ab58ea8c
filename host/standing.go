package host

import (
	"context"
	"fmt"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/host/gateway"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// keptEvery is how often it is noted what apps keep. A kill loses what came since, of which no report
// has told.
const keptEvery = 5 * time.Minute

// kept bills what apps keep for as long as this process has served it.
type kept struct {
	since time.Time
	rest  map[keptID]uint64 // byte-seconds that are no whole byte-hour yet
}

type keptID struct{ app, capability string }

func newKept() kept { return kept{since: time.Now(), rest: map[keptID]uint64{}} }

// BillKept bills what apps keep until ctx ends. It runs once at a time.
func (h *Host) BillKept(ctx context.Context) {
	k := &h.kept
	tick := time.NewTicker(keptEvery)
	defer tick.Stop()
	for {
		last := false
		select {
		case <-ctx.Done():
			last = true
		case <-tick.C:
		}
		now := time.Now()
		span := now.Sub(k.since)
		k.since = now
		if err := h.noteKept(context.WithoutCancel(ctx), span); err != nil {
			h.log.Warn("what apps keep was not noted", "err", err)
		}
		if last {
			return
		}
	}
}

// noteKept journals what every app has kept for a time.
func (h *Host) noteKept(ctx context.Context, span time.Duration) error {
	var targets []*target
	err := h.o.State.View(ctx, func(tx state.Reader) error {
		apps, err := tx.Apps()
		if err != nil {
			return err
		}
		for _, app := range apps {
			tier, release, err := billedRelease(tx, app)
			if err != nil {
				return fmt.Errorf("release %d of %q: %w", release.Number, app.Name, err)
			}
			targets = append(targets, &target{host: h, app: app, release: release, tier: tier})
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, t := range targets {
		if err := h.noteKeptBy(ctx, t, span); err != nil {
			return fmt.Errorf("app %q: %w", t.app.Name, err)
		}
	}
	return nil
}

// billedRelease is the release that what an app keeps is billed to: the one that serves, or
// the newest. What is kept stays whether or not the app serves, or has any release left.
func billedRelease(tx state.Reader, app registry.App) (abi.Tier, registry.Release, error) {
	if tier, number, ok := app.Serving(); ok {
		release, err := tx.Release(app.Name, number)
		return tier, release, err
	}
	all, err := tx.ReleaseNumbers(app.Name)
	if err != nil {
		return "", registry.Release{}, err
	}
	if len(all) > 0 {
		release, err := tx.Release(app.Name, all[0])
		return abi.TierSandbox, release, err
	}
	m := registry.Manifest{Name: app.Name, Owner: app.Owner, Team: app.Team, CostCenter: app.CostCenter, Classification: app.Classification}
	return abi.TierSandbox, registry.Release{App: app.Name, Number: app.Releases, Manifest: m}, nil
}

func (h *Host) noteKeptBy(ctx context.Context, t *target, span time.Duration) error {
	var uses []abi.Use
	for _, of := range []struct { // sorted, as a recorder's uses are
		capability string
		used       func(context.Context, string) (abi.KVQuota, error)
	}{{"blob", h.o.Kept.BlobsUsed}, {"kv", h.o.Kept.Used}} {
		u, err := of.used(ctx, t.app.Name)
		if err != nil {
			return err
		}
		if n := h.kept.hours(keptID{t.app.Name, of.capability}, u.Bytes, span); n > 0 {
			uses = append(uses, abi.Use{Capability: of.capability, Meter: abi.MeterByteHours, N: n})
		}
	}
	return t.standing(uses)
}

// hours returns whole byte-hours, and keeps the rest for the next time.
func (k *kept) hours(id keptID, bytes int64, span time.Duration) uint64 {
	const unit = uint64(time.Hour / time.Second)
	total := k.rest[id] + uint64(max(0, bytes))*uint64(span/time.Second)
	k.rest[id] = total % unit
	return total / unit
}

// standing journals usage of a release that no call caused.
func (t *target) standing(uses []abi.Use) error {
	if len(uses) == 0 {
		return nil
	}
	return t.host.o.Meter.Standing(&metering.Invocation{ID: gateway.NewID(), Tags: t.usageTags(), Uses: uses})
}

// BillCompiling bills the processor time of compiling to the release it was for.
// Where none came of it the work was the same, and the release has number 0.
func (h *Host) BillCompiling(r registry.Release, did *abi.Recorder) {
	t := &target{host: h, app: registry.App{Name: r.App, Owner: r.Manifest.Owner}, release: r, tier: abi.TierSandbox}
	if err := t.standing(did.Uses()); err != nil {
		h.log.Warn("the work of compiling was not journaled", "app", r.App, "err", err)
	}
}

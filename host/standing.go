package host

import (
	"context"
	"fmt"
	"log/slog"
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

// Standing bills what no call causes: the work of compiling, and what apps keep, for as long as this
// process has served it.
type Standing struct {
	state       State
	meter       Meter
	kept        Kept
	environment string // see Options
	log         *slog.Logger

	since time.Time
	rest  map[keptID]uint64 // byte-seconds that are no whole byte-hour yet
}

type keptID struct{ app, capability string }

func newStanding(o Options) *Standing {
	return &Standing{state: o.State, meter: o.Meter, kept: o.Kept, environment: o.Environment, log: o.Logger, since: time.Now(), rest: map[keptID]uint64{}}
}

// charge is a release in a tier, whom standing usage is charged to.
type charge struct {
	app     registry.App
	tier    abi.Tier
	release registry.Release
}

// BillKept bills what apps keep until ctx ends. It runs once at a time.
func (k *Standing) BillKept(ctx context.Context) {
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
		if err := k.noteKept(context.WithoutCancel(ctx), span); err != nil {
			k.log.Warn("what apps keep was not noted", "err", err)
		}
		if last {
			return
		}
	}
}

// noteKept journals what every app has kept for a time.
func (k *Standing) noteKept(ctx context.Context, span time.Duration) error {
	var all []charge
	err := k.state.View(ctx, func(tx state.Reader) error {
		apps, err := tx.Apps()
		if err != nil {
			return err
		}
		for _, app := range apps {
			tier, release, err := billedRelease(tx, app)
			if err != nil {
				return fmt.Errorf("release %d of %q: %w", release.Number, app.Name, err)
			}
			all = append(all, charge{app, tier, release})
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, c := range all {
		if err := k.noteKeptBy(ctx, c, span); err != nil {
			return fmt.Errorf("app %q: %w", c.app.Name, err)
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

func (k *Standing) noteKeptBy(ctx context.Context, c charge, span time.Duration) error {
	var uses []abi.Use
	for _, of := range []struct { // sorted, as a recorder's uses are
		capability string
		used       func(context.Context, string) (abi.KVQuota, error)
	}{{"blob", k.kept.BlobsUsed}, {"kv", k.kept.Used}} {
		u, err := of.used(ctx, c.app.Name)
		if err != nil {
			return err
		}
		if n := k.hours(keptID{c.app.Name, of.capability}, u.Bytes, span); n > 0 {
			uses = append(uses, abi.Use{Capability: of.capability, Meter: abi.MeterByteHours, N: n})
		}
	}
	return k.bill(c, uses)
}

// hours returns whole byte-hours, and keeps the rest for the next time.
func (k *Standing) hours(id keptID, bytes int64, span time.Duration) uint64 {
	const unit = uint64(time.Hour / time.Second)
	total := k.rest[id] + uint64(max(0, bytes))*uint64(span/time.Second)
	k.rest[id] = total % unit
	return total / unit
}

// bill journals usage of a release that no call caused.
func (k *Standing) bill(c charge, uses []abi.Use) error {
	if len(uses) == 0 {
		return nil
	}
	return k.meter.Standing(&metering.Invocation{ID: gateway.NewID(), Tags: usageTags(k.environment, c.app, c.tier, c.release), Uses: uses})
}

// BillCompiling bills the processor time of compiling to the release it was for.
// Where none came of it the work was the same, and the release has number 0.
func (k *Standing) BillCompiling(r registry.Release, did *abi.Recorder) {
	c := charge{registry.App{Name: r.App, Owner: r.Manifest.Owner}, abi.TierSandbox, r}
	if err := k.bill(c, did.Uses()); err != nil {
		k.log.Warn("the work of compiling was not journaled", "app", r.App, "err", err)
	}
}

package host

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/host/engine"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/registry"
)

// Settled is a call that is journaled. It is valid until its observer returns.
type Settled struct {
	*metering.Invocation
	Status int // HTTP; 0 if there was no response
	At     time.Time
}

// Observer learns of calls.
type Observer func(Settled)

// bill is what one call is charged to, and how it is journaled.
type bill struct {
	target  *target
	id      string
	trigger string
	frame   *abi.Request
	uses    func() []abi.Use  // of capabilities, so far
	running *metering.Running // nil unless there was a checkpoint
	unread  bool              // the request could not be read: nothing was called
}

// usageTags say whom a release's usage in a tier is charged to. The environment is by default the tier.
func usageTags(environment string, app registry.App, tier abi.Tier, release registry.Release) metering.Tags {
	m := release.Manifest
	return metering.Tags{
		App: app.Name, Release: release.Number, Tier: string(tier), CostCenter: m.CostCenter, Team: m.Team,
		Owner: app.Owner, Environment: cmp.Or(environment, string(tier)),
	}
}

func (b *bill) invocation(result engine.Result, uses []abi.Use, fault error) metering.Invocation {
	v := metering.Invocation{
		ID: b.id, Tags: b.target.tags, Fault: abi.FaultKind(fault), Counts: counts(b.frame, result), Uses: uses,
		Durability: metering.Durability(b.target.release.Manifest.Durability),
	}
	v.Trigger = b.trigger
	return v
}

// checkpoint journals a call that runs, since part of its response goes out.
func (b *bill) checkpoint(so engine.Result) error {
	if b.running == nil {
		b.running = b.target.host.o.Meter.Begin()
	}
	v := b.invocation(so, b.uses(), nil)
	return b.running.Checkpoint(&v)
}

// leave gives up a call that panicked before it was settled.
func (b *bill) leave() {
	if b.running != nil {
		b.running.Leave()
	}
}

// stderr writes a line of the call into the app's log.
func (b *bill) stderr(line string) {
	t := b.target
	t.host.lines.write(Line{App: t.app.Name, Release: t.release.Number, Level: "info", Source: SourceStderr, Message: line, Call: b.id})
}

// settle journals what a call did, whether it succeeded or not. The uses of
// capabilities are sorted.
func (b *bill) settle(result engine.Result, uses []abi.Use, fault error) error {
	v := b.invocation(result, uses, fault)
	var err error
	if b.running != nil {
		err = b.running.End(&v)
	} else {
		err = b.target.host.o.Meter.Record(&v)
	}
	if err != nil {
		b.target.host.log.Warn("a call could not be journaled: its answer is withheld", "app", v.App, "invocation", b.id, "err", err)
		if !errors.Is(err, metering.ErrUnmetered) {
			err = fmt.Errorf("%w: %w", metering.ErrUnmetered, err)
		}
		return err
	}
	s := Settled{Invocation: &v, Status: result.Response.Status, At: b.target.host.o.Now()}
	for _, observe := range b.target.host.o.Observers {
		observe(s)
	}
	return nil
}

func memoryKiB(result engine.Result) uint64 { return uint64(result.MemoryPeak+1023) / 1024 }

func counts(frame *abi.Request, result engine.Result) metering.Counts {
	micros := func(d time.Duration) uint64 { return uint64((d + time.Microsecond - 1) / time.Microsecond) }
	kib := memoryKiB(result)
	c := metering.Counts{
		Instructions: result.Instructions, GuestMicros: micros(result.Guest), HostMicros: micros(result.Host),
		MemoryKiBMS: (kib*micros(result.Guest+result.Host) + 999) / 1000, BytesOut: uint64(result.BodyBytes),
	}
	if frame != nil {
		c.BytesIn = uint64(len(frame.Body))
	}
	return c
}

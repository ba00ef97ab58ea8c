package node

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/state"
)

// fuelDay compares what apps ran since midnight (UTC), on all nodes, with the quotas of fuel. Calls read
// what it found last, and wait for nothing.
type fuelDay struct {
	desk  *control.Desk
	meter *metering.Meter
	now   func() time.Time
	found atomic.Pointer[fuelFound]

	// The loop's alone.
	rev   abi.Rev // at which nothing bounded anything
	looks time.Time
}

type fuelFound struct {
	ran  control.Ran
	over map[string]*metering.SpentError // by app
}

// fuelEvery is how often it is compared, and fuelShare how much of the time that may take.
const (
	fuelEvery = time.Second
	fuelShare = 20
)

// spent returns why an app runs no more today.
func (f *fuelDay) spent(app string) error {
	found := f.found.Load()
	if found == nil || len(found.over) == 0 {
		return nil
	}
	if why := found.over[app]; why != nil && f.now().Before(why.Until) {
		return why
	}
	return nil
}

// ran is how much was used today.
func (f *fuelDay) ran() control.Ran {
	if found := f.found.Load(); found != nil {
		return found.ran
	}
	return nil
}

// compare compares once. Where it takes long it does so less often.
func (f *fuelDay) compare(ctx context.Context) error {
	began := time.Now()
	if began.Before(f.looks) {
		return nil
	}
	defer func() { f.looks = began.Add(fuelShare * time.Since(began)) }()
	rev, err := f.desk.Store.Rev(ctx)
	if err != nil || (rev == f.rev && rev != 0) {
		return err
	}
	var bounded bool
	err = f.desk.View(ctx, func(tx state.Reader) (err error) {
		bounded, err = f.desk.FuelBounded(tx)
		return err
	})
	if err != nil {
		return err
	}
	if !bounded {
		f.rev = rev
		f.found.Store(nil)
		return nil
	}
	f.rev = 0
	day := f.now().UTC().Truncate(24 * time.Hour)
	report, err := f.meter.Report(ctx, metering.Query{From: day, To: day.Add(24 * time.Hour), By: []string{"app"}})
	if err != nil {
		return err
	}
	apps := make(map[string]uint64, len(report.Rows))
	for _, r := range report.Rows {
		apps[r.Group["app"]] = r.Instructions
	}
	return f.desk.View(ctx, func(tx state.Reader) error {
		ran, over, err := f.desk.CompareFuel(tx, apps, day.Add(24*time.Hour))
		if err == nil {
			f.found.Store(&fuelFound{ran, over})
		}
		return err
	})
}

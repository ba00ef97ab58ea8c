package node

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/host"
	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/state"
)

// sums compare what was measured of apps, on all nodes, with the quotas of persons, groups and the node.
// Calls read what was found last, and wait for nothing.
type sums struct {
	desk  *control.Desk
	meter *metering.Meter
	kept  host.Kept
	now   func() time.Time

	found [3]atomic.Pointer[control.Sums] // by place in control.Measures
	fuel  atomic.Pointer[map[string]*metering.SpentError]
	rooms rooms

	// The loop's alone.
	rev   abi.Rev // at which nothing was bounded
	looks time.Time
}

const (
	sumsEvery = time.Second
	sumsShare = 20 // comparing takes a twentieth of the time at most
)

// of returns what was measured last.
func (s *sums) of(m control.Measure) control.Sums {
	for i, known := range control.Measures {
		if found := s.found[i].Load(); known == m && found != nil {
			return *found
		}
	}
	return nil
}

func (s *sums) store(m control.Measure, found control.Sums) {
	for i, known := range control.Measures {
		if known == m {
			s.found[i].Store(&found)
		}
	}
}

// spent returns why an app runs no more today.
func (s *sums) spent(app string) error {
	over := s.fuel.Load()
	if over == nil {
		return nil
	}
	if why := (*over)[app]; why != nil && s.now().Before(why.Until) {
		return why
	}
	return nil
}

// compare compares once. Where it takes long it does so less often.
func (s *sums) compare(ctx context.Context) error {
	began := time.Now()
	if began.Before(s.looks) {
		return nil
	}
	defer func() { s.looks = began.Add(sumsShare * time.Since(began)) }()
	rev, err := s.desk.Store.Rev(ctx)
	if err != nil || (rev == s.rev && rev != 0) {
		return err
	}
	var bounded map[control.Measure]bool
	err = s.desk.View(ctx, func(tx state.Reader) (err error) {
		bounded, err = s.desk.Bounded(tx)
		return err
	})
	if err != nil {
		return err
	}
	s.rev = 0
	if len(bounded) == 0 {
		s.rev = rev
	}
	if err := s.compareDay(ctx, bounded); err != nil {
		return err
	}
	if !bounded[control.Data] {
		s.store(control.Data, nil)
		s.rooms.set(nil)
		return nil
	}
	return s.compareData(ctx)
}

// compareDay compares what the ledger has since midnight.
func (s *sums) compareDay(ctx context.Context, bounded map[control.Measure]bool) error {
	day := s.now().UTC().Truncate(24 * time.Hour)
	var rows []metering.Row
	if bounded[control.Fuel] || bounded[control.Compiling] {
		report, err := s.meter.Report(ctx, metering.Query{From: day, To: day.Add(24 * time.Hour), By: []string{"app", "owner"}})
		if err != nil {
			return err
		}
		rows = report.Rows
	}
	measures := map[control.Measure]func(metering.Row) uint64{
		control.Fuel:      func(r metering.Row) uint64 { return r.Instructions },
		control.Compiling: compiled,
	}
	for m, of := range measures {
		if !bounded[m] {
			s.store(m, nil)
			if m == control.Fuel {
				s.fuel.Store(nil)
			}
			continue
		}
		var readings []control.Reading
		for _, r := range rows {
			readings = append(readings, control.Reading{App: r.Group["app"], Owner: r.Group["owner"], N: of(r)})
		}
		err := s.desk.View(ctx, func(tx state.Reader) error {
			found, bounds, err := s.desk.Compare(tx, m, readings)
			if err != nil {
				return err
			}
			s.store(m, found)
			if m == control.Fuel {
				s.fuel.Store(usedUp(bounds, day.Add(24*time.Hour)))
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// compiled is the processor time of compiling in a row.
func compiled(r metering.Row) (millis uint64) {
	for _, u := range r.Uses {
		if u.Capability == "compile" && u.Meter == abi.MeterCPU {
			millis += u.N
		}
	}
	return millis
}

// usedUp is why apps run no more, by their names; nil for none.
func usedUp(bounds map[string][]*control.Bound, until time.Time) *map[string]*metering.SpentError {
	over := map[string]*metering.SpentError{}
	for app, all := range bounds {
		for _, b := range all {
			if b.Left <= 0 && over[app] == nil {
				over[app] = &metering.SpentError{Quota: b.Quota, Of: b.Per, Until: until}
			}
		}
	}
	if len(over) == 0 {
		return nil
	}
	return &over
}

// compareData compares what apps keep.
func (s *sums) compareData(ctx context.Context) error {
	s.rooms.begin()
	var apps []string
	err := s.desk.View(ctx, func(tx state.Reader) error {
		all, err := tx.Apps()
		for _, a := range all {
			apps = append(apps, a.Name)
		}
		return err
	})
	if err != nil {
		return err
	}
	readings := make([]control.Reading, 0, len(apps))
	for _, app := range apps {
		keys, err := s.kept.Used(ctx, app)
		if err != nil {
			return err
		}
		blobs, err := s.kept.BlobsUsed(ctx, app)
		if err != nil {
			return err
		}
		readings = append(readings, control.Reading{App: app, N: uint64(max(0, keys.Bytes)) + uint64(max(0, blobs.Bytes))})
	}
	return s.desk.View(ctx, func(tx state.Reader) error {
		found, bounds, err := s.desk.Compare(tx, control.Data, readings)
		if err != nil {
			return err
		}
		s.store(control.Data, found)
		s.rooms.set(bounds)
		return nil
	})
}

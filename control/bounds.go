package control

import (
	"time"

	"github.com/agora-host/agora/metering/rate"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// What is bounded at each moment, and measured by each node for itself: see Bounds.
const (
	Calls  Measure = "calls"  // that apps get in a second
	Memory Measure = "memory" // bytes that the calls of apps hold at once
)

// atOnce reports whether it is of a moment, and no sum.
func (m Measure) atOnce() bool { return m == Calls || m == Memory }

// Bounds are the quotas of what apps do at once, by whom the apps belong to now.
type Bounds struct {
	Calls  map[string]*rate.Limits // by app; nil: nothing is bounded or counted
	Memory map[Holder]Bound        // where it is bounded; Left is all of it
	Until  time.Time               // when a setting ends, and they are others; zero: none does
}

// Bounds returns what bounds calls, and what they hold, from now on. Where an operator set that there is no
// limit, calls are counted: it is shown.
func (d *Desk) Bounds(tx state.Reader) (Bounds, error) {
	b, now, said := Bounds{}, d.Now(), map[Measure]bool{}
	for name, n := range d.Quotas {
		if q, err := quotaNamed(name); err == nil && n != NoLimit {
			said[q.measure] = true
		}
	}
	all, _, err := tx.QuotaSettingsPart(state.Part{Limit: -1})
	if err != nil {
		return b, err
	}
	for _, s := range all {
		q, err := quotaNamed(s.Quota)
		if err != nil || !s.Holds(now) {
			continue
		}
		said[q.measure] = true
		if !s.Until.IsZero() && (b.Until.IsZero() || s.Until.Before(b.Until)) {
			b.Until = s.Until
		}
	}
	if !said[Calls] && !said[Memory] {
		return b, nil
	}
	apps, err := tx.Apps()
	if err != nil {
		return b, err
	}
	b.Calls, b.Memory = map[string]*rate.Limits{}, map[Holder]Bound{}
	known := map[[2]string]*rate.Limits{} // by owner and group
	for _, a := range apps {
		if a.State() == registry.StateRemoved {
			continue
		}
		limits, ok := known[[2]string{a.Owner, a.Group}]
		if !ok {
			if limits, err = d.boundsOf(tx, holders(a), b.Memory); err != nil {
				return b, err
			}
			known[[2]string{a.Owner, a.Group}] = limits
		}
		if len(*limits) > 0 {
			b.Calls[a.Name] = limits
		}
	}
	return b, nil
}

// boundsOf returns the limits of calls that these holders have, and notes those of memory.
func (d *Desk) boundsOf(tx state.Reader, of []Holder, memory map[Holder]Bound) (*rate.Limits, error) {
	limits := &rate.Limits{}
	for _, h := range of {
		if q, ok := quotaOfSum(Calls, h.Per); ok {
			a, err := d.allows(tx, q, h.Of)
			if err != nil {
				return nil, err
			}
			if a.limit != NoLimit || a.set != nil {
				*limits = append(*limits, rate.Limit{Quota: q.name, Per: h.Per, Of: h.Of, Most: a.limit})
			}
		}
		if q, ok := quotaOfSum(Memory, h.Per); ok {
			a, err := d.allows(tx, q, h.Of)
			if err != nil {
				return nil, err
			}
			if a.limit != NoLimit {
				memory[h] = Bound{h, q.name, a.limit}
			}
		}
	}
	return limits, nil
}

// uses returns how much a holder uses at this moment.
func (d *Desk) uses(m Measure, h Holder) int64 {
	if d.Uses == nil {
		return 0
	}
	return d.Uses(m, h)
}

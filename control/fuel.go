package control

import (
	"math"
	"time"

	"github.com/agora-host/agora/metering"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// NoLimit is the limit of a quota that bounds nothing.
const NoLimit = math.MaxInt64

// Ran is how much fuel people, groups and the node used in a day, by what and which they are.
type Ran map[[2]string]int64

func (d *Desk) ran() Ran {
	if d.Ran == nil {
		return nil
	}
	return d.Ran()
}

// FuelBounded reports whether any quota of fuel bounds anything.
func (d *Desk) FuelBounded(tx state.Reader) (bool, error) {
	for _, q := range quotas {
		if n, ok := d.Quotas[q.name]; q.fuel && ok && n != NoLimit {
			return true, nil
		}
	}
	all, _, err := tx.QuotaSettingsPart(state.Part{Limit: -1})
	for _, s := range all {
		q, named := quotaNamed(s.Quota)
		if named == nil && q.fuel && s.Limit != NoLimit {
			return true, err
		}
	}
	return false, err
}

// CompareFuel compares what the apps of a node ran in a day, by their names, with the quotas of fuel: it
// returns the sums, and why each app runs no more whose owner, whose group or whose node is at its limit. An
// app counts for those who own it now.
func (d *Desk) CompareFuel(tx state.Reader, apps map[string]uint64, ends time.Time) (Ran, map[string]*metering.SpentError, error) {
	ran, of := Ran{}, map[string][][2]string{}
	all, err := tx.Apps()
	if err != nil {
		return nil, nil, err
	}
	for _, a := range all {
		holders := [][2]string{{"person", a.Owner}, {"node", ""}}
		if a.Group != "" {
			holders = append(holders, [2]string{"group", a.Group})
		}
		if a.State() != registry.StateRemoved {
			of[a.Name] = holders
		}
		for _, h := range holders {
			ran[h] = sumUpTo(ran[h], apps[a.Name])
		}
	}
	spent := map[[2]string]*metering.SpentError{}
	for h, n := range ran {
		for _, q := range quotas {
			if !q.fuel || q.per != h[0] {
				continue
			}
			a, err := d.allows(tx, q, h[1])
			if err != nil {
				return nil, nil, err
			}
			if n >= a.limit {
				spent[h] = &metering.SpentError{Quota: q.name, Of: q.per, Until: ends}
			}
		}
	}
	over := map[string]*metering.SpentError{}
	for app, holders := range of {
		for _, h := range holders {
			if why := spent[h]; why != nil && over[app] == nil {
				over[app] = why
			}
		}
	}
	return ran, over, nil
}

func sumUpTo(n int64, more uint64) int64 {
	if more >= uint64(NoLimit-1-n) {
		return NoLimit - 1
	}
	return n + int64(more)
}

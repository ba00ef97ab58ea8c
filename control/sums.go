package control

import (
	"errors"
	"maps"
	"math"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// NoLimit is the limit of a quota that bounds nothing.
const NoLimit = math.MaxInt64

// Measure is what is measured of apps and bounded as a sum: over those of a person, of a group and of the
// node. It is no count of the state: a node measures it about once a second, where a quota bounds it.
type Measure string

// What is measured.
const (
	Fuel      Measure = "fuel"      // instructions that were run since midnight (UTC)
	Compiling Measure = "compiling" // milliseconds of processor time that compiling took since midnight (UTC)
	Data      Measure = "data"      // bytes that are kept: keys with their values, and blobs
)

// Measures are all of them. Calls and Memory are measured elsewhere.
var Measures = []Measure{Fuel, Compiling, Data}

// Holder is whom a sum is of: Per is "person", "group" or "node", Of which one.
type Holder struct{ Per, Of string }

// Sums are what was measured of each holder, at most NoLimit-1.
type Sums map[Holder]int64

// Reading is how much was measured of an app. Owner is in whose name, which counts for an app that is none:
// a first release that was refused was compiled, too.
type Reading struct {
	App, Owner string
	N          uint64
}

// Bound is a sum that a quota bounds.
type Bound struct {
	Holder
	Quota string // its name
	Left  int64  // 0 or less: it is used up
}

// Bounded returns the measures of which a quota bounds sums for anyone.
func (d *Desk) Bounded(tx state.Reader) (map[Measure]bool, error) {
	bounded := map[Measure]bool{}
	for _, q := range quotas {
		if n, ok := d.Quotas[q.name]; q.measure != "" && ok && n != NoLimit {
			bounded[q.measure] = true
		}
	}
	all, _, err := tx.QuotaSettingsPart(state.Part{Limit: -1})
	for _, s := range all {
		if q, err := quotaNamed(s.Quota); err == nil && q.measure != "" && s.Limit != NoLimit {
			bounded[q.measure] = true
		}
	}
	maps.DeleteFunc(bounded, func(m Measure, _ bool) bool { return m.atOnce() })
	return bounded, err
}

// Compare adds up what was measured, by whom the apps belong to now, and compares it with the quotas of that
// measure. It returns the sums, and for each app those of its sums that are bounded, the person's first.
func (d *Desk) Compare(tx state.Reader, m Measure, readings []Reading) (Sums, map[string][]*Bound, error) {
	apps, err := tx.Apps()
	if err != nil {
		return nil, nil, err
	}
	sums, of := Sums{}, map[string][]Holder{}
	for _, a := range apps {
		of[a.Name] = holders(a)
		for _, h := range of[a.Name] {
			sums[h] += 0
		}
	}
	for _, n := range readings {
		those, ok := of[n.App]
		if !ok {
			name := n.Owner
			owner, err := tx.Person(name)
			if err == nil {
				name = owner.Name
			} else if !errors.Is(err, access.ErrNotFound) {
				return nil, nil, err
			}
			those = holders(registry.App{Owner: name})
		}
		for _, h := range those {
			sums[h] = sumUpTo(sums[h], n.N)
		}
	}
	bounds := map[Holder]*Bound{}
	for h, n := range sums {
		q, ok := quotaOfSum(m, h.Per)
		if !ok {
			continue
		}
		a, err := d.allows(tx, q, h.Of)
		if err != nil {
			return nil, nil, err
		}
		if a.limit != NoLimit {
			bounds[h] = &Bound{h, q.name, a.limit - q.used(n)}
		}
	}
	bounded := map[string][]*Bound{}
	for _, a := range apps {
		if a.State() == registry.StateRemoved {
			continue
		}
		for _, h := range of[a.Name] {
			if b := bounds[h]; b != nil {
				bounded[a.Name] = append(bounded[a.Name], b)
			}
		}
	}
	return sums, bounded, nil
}

// holders are those whose sums an app counts for.
func holders(a registry.App) []Holder {
	all := []Holder{{"person", a.Owner}}
	if a.Group != "" {
		all = append(all, Holder{"group", a.Group})
	}
	return append(all, Holder{Per: "node"})
}

func sumUpTo(n int64, more uint64) int64 {
	if more >= uint64(NoLimit-1-n) {
		return NoLimit - 1
	}
	return n + int64(more)
}

// quotaOfSum returns the quota of a measure that bounds the sums of persons, groups or the node.
func quotaOfSum(m Measure, per string) (quota, bool) {
	for _, q := range quotas {
		if q.measure == m && q.per == per {
			return q, true
		}
	}
	return quota{}, false
}

// sumsOf returns what was measured last; none where no quota bounds it.
func (d *Desk) sumsOf(m Measure) Sums {
	if d.Sums == nil {
		return nil
	}
	return d.Sums(m)
}

// SumsLeave refuses to begin what adds to a measure of an app, for those whose quota of it is used up.
func (d *Desk) SumsLeave(tx state.Reader, m Measure, a registry.App) error {
	sums := d.sumsOf(m)
	for _, h := range holders(a) {
		q, ok := quotaOfSum(m, h.Per)
		if !ok {
			continue
		}
		a, err := d.allows(tx, q, h.Of)
		if err != nil {
			return err
		}
		if used := q.used(sums[h]); used >= a.limit {
			return q.over(tx, h.Of, used, 1, a)
		}
	}
	return nil
}

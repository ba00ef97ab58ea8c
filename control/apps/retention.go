package apps

import (
	"errors"
	"fmt"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// keepServed is for how long a release is kept that pilot or production served last.
const keepServed = 90 * 24 * time.Hour

// Retention is how many of an app's newest releases are kept beside those that something needs: all,
// if it is 0 or less.
type Retention int

// kept says of each of an app's releases why it is kept.
func (n Retention) kept(tx state.Reader, app registry.App, grants []approvals.Grant, now time.Time) (map[int]control.Kept, error) {
	own, err := holdingsOf(tx, app, grants, now)
	return own.kept(int(n), now), err
}

// holdings are what an app's releases are kept for.
type holdings struct {
	numbers     []int // of the releases that are there, newest first
	active      map[abi.Tier]int
	waiting     map[int]string        // the open request about a release
	granted     map[int]string        // the live grant that a request about a release led to
	activations []registry.Activation // of each tier newest first, as far back as they matter
	quarantined bool                  // so that all of them are kept
}

// historyOf reads a tier's activations, newest first: as far back as a rollback looks and, where
// what served is kept for a time, until what served before that began.
func historyOf(tx state.Reader, app string, tier abi.Tier, since time.Time) (history []registry.Activation, err error) {
	looked := 0
	_, err = registry.Previous(func(yield func(registry.Activation, error) bool) {
		for a, err := range tx.TierActivations(app, tier) {
			if looked++; !yield(a, err) {
				return
			}
		}
	})
	if err != nil && !errors.Is(err, registry.ErrNoPrevious) {
		return nil, err
	}
	for a, err := range tx.TierActivations(app, tier) {
		if err != nil {
			return nil, err
		}
		n := len(history)
		if n >= looked && n > 0 && (tier.Rank() < abi.TierPilot.Rank() || !history[n-1].At.After(since)) {
			break
		}
		history = append(history, a)
	}
	return history, nil
}

// holdingsOf reads them. grants are the app's.
func holdingsOf(tx state.Reader, app registry.App, grants []approvals.Grant, now time.Time) (holdings, error) {
	own := holdings{active: app.Active, granted: map[int]string{}, quarantined: app.Quarantine != nil}
	var err error
	if own.numbers, err = tx.ReleaseNumbers(app.Name); err != nil {
		return own, err
	}
	if own.waiting, err = tx.Waiting(app.Name); err != nil {
		return own, err
	}
	for _, tier := range abi.Tiers() {
		history, err := historyOf(tx, app.Name, tier, now.Add(-keepServed))
		if err != nil {
			return own, err
		}
		own.activations = append(own.activations, history...)
	}
	for i := range grants {
		if g := &grants[i]; g.Live(now) && g.Request != "" {
			own.granted[g.Reviewed.Release] = g.ID
		}
	}
	return own, nil
}

// kept says of each release why it is kept, if newest many are kept in any case: 0 or less
// for all. Releases that are not in the result go.
func (own holdings) kept(newest int, now time.Time) map[int]control.Kept {
	served, before := own.lastServed(now), own.rollbacks()
	kept := map[int]control.Kept{}
	for i, n := range own.numbers {
		k := control.Kept{}
		for _, tier := range abi.Tiers() {
			if own.active[tier] == n {
				k.Because = append(k.Because, "serves "+string(tier))
			}
		}
		if id := own.waiting[n]; id != "" {
			k.Because = append(k.Because, id+" is open")
		}
		if id := own.granted[n]; id != "" {
			k.Because = append(k.Because, id+" holds")
		}
		if own.quarantined {
			k.Because = append(k.Because, "the app is quarantined")
		}
		k.Needed = len(k.Because) > 0
		if tier := before[n]; tier != "" {
			k.Because = append(k.Because, string(tier)+" rolls back to it")
		}
		if until := served[n].Add(keepServed); until.After(now) {
			k.Until = until
			k.Because = append(k.Because, "served pilot or production lately")
		}
		if newest <= 0 {
			k.Because = append(k.Because, "all releases are kept")
		} else if i < newest {
			k.More = newest - i
			k.Because = append(k.Because, fmt.Sprintf("one of the newest %d", newest))
		}
		if len(k.Because) > 0 {
			kept[n] = k
		}
	}
	return kept
}

// rollbacks are the releases that a rollback would lead to, by the tier that would.
func (own holdings) rollbacks() map[int]abi.Tier {
	to := map[int]abi.Tier{}
	for _, tier := range abi.Tiers() {
		if n, err := registry.Previous(registry.OfTier(own.activations, tier)); err == nil {
			to[n] = tier
		}
	}
	return to
}

// lastServed is when each release served pilot or production last: now, if it does.
func (own holdings) lastServed(now time.Time) map[int]time.Time {
	last := map[int]time.Time{}
	end := map[abi.Tier]time.Time{} // when the next activation of the tier came
	for _, a := range own.activations {
		if a.Tier.Rank() < abi.TierPilot.Rank() {
			continue
		}
		ended, replaced := end[a.Tier]
		if !replaced {
			ended = now
		}
		if ended.After(last[a.Release]) {
			last[a.Release] = ended
		}
		end[a.Tier] = a.At
	}
	return last
}

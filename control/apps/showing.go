package apps

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/rights"
)

// showing is what is read once for all releases of an app that are shown together.
type showing struct {
	*Catalogue
	tx     state.Reader
	app    registry.App
	grants []approvals.Grant
	kept   map[int]control.Kept
	stored Stored
	used   []approvals.Used      // by any release; read when the first grant asks for it
	enough map[string]abi.Params // by grant: what it could be shrunk to; nil if that is not less
}

func (c *Catalogue) showing(tx state.Reader, app registry.App, stored Stored) (*showing, error) {
	v := &showing{Catalogue: c, tx: tx, app: app, stored: stored, enough: map[string]abi.Params{}}
	var err error
	if v.grants, err = c.LiveGrants(tx, app.Name); err != nil {
		return nil, err
	}
	v.kept, err = c.keep.kept(tx, app, v.grants, c.desk.Now())
	return v, err
}

// ShowRelease returns a release as it is shown where one is.
func (c *Catalogue) ShowRelease(tx state.Reader, r registry.Release, stored Stored) (control.Release, error) {
	app, err := tx.App(r.App)
	if err != nil {
		return control.Release{}, err
	}
	v, err := c.showing(tx, app, stored)
	if err != nil {
		return control.Release{}, err
	}
	return v.show(r)
}

// show returns a release as it is shown.
func (v *showing) show(r registry.Release) (control.Release, error) {
	shown := v.brief(r)
	highest := abi.TierSandbox
	if n := len(shown.ActiveIn); n > 0 {
		highest = shown.ActiveIn[n-1]
	}
	var err error
	shown.Access, err = v.states(r, highest)
	return shown, err
}

// brief returns a release without what it may touch and what it did.
func (v *showing) brief(r registry.Release) control.Release {
	r.FuelTable = r.CostTable()
	shown := control.Release{Release: r, PreviewURL: v.at.AppURL("r" + strconv.Itoa(r.Number) + "--" + r.App), Kept: v.kept[r.Number]}
	if r.Made != nil {
		shown.Engine = v.judge(r.Made.Version)
		shown.Outdated = shown.Engine.Standing != control.StandsCurrent
	}
	for _, tier := range abi.Tiers() { // the highest last
		if v.app.Active[tier] == r.Number {
			shown.ActiveIn = append(shown.ActiveIn, tier)
		}
	}
	return shown
}

// rights returns what a release of the app has in a tier.
func (v *showing) rights(r registry.Release, tier abi.Tier) map[string]approvals.Right {
	return approvals.Rights(rights.RulesFor(v.rules, v.app, r), rights.Terms(r), tier, v.grants, v.desk.Now())
}

// states puts what is declared, what the binary imports, what is granted and what was used beside each
// other.
func (v *showing) states(r registry.Release, tier abi.Tier) ([]control.CapabilityState, error) {
	have := v.rights(r, tier)
	requests, _, err := v.tx.ReleaseRequests(r.App, r.Number, state.Part{Limit: -1})
	if err != nil {
		return nil, err
	}
	used, err := v.uses.UsedBy(v.tx, r.App, r.Number)
	if err != nil {
		return nil, err
	}
	words := slices.AppendSeq(slices.Clone(r.Capabilities), maps.Keys(r.Manifest.Capabilities))
	slices.Sort(words)
	var states []control.CapabilityState
	for _, word := range slices.Compact(words) {
		s := capabilityState(r, tier, word, have)
		s.AddRequest(r.App, r.Number, requests)
		s.Used = slices.DeleteFunc(slices.Clone(used), func(u approvals.Used) bool { return u.Capability != word })
		s.Say()
		if s.Grant != "" {
			if s.Enough, err = v.enoughOf(s.Grant); err != nil {
				return nil, err
			}
		}
		states = append(states, s)
	}
	return states, nil
}

// enoughOf returns what a grant of the app could be shrunk to, nil if that is not less.
func (v *showing) enoughOf(id string) (abi.Params, error) {
	if less, ok := v.enough[id]; ok {
		return less, nil
	}
	if v.used == nil {
		var err error
		if v.used, err = v.uses.UsedByAny(v.tx, v.app.Name); err != nil {
			return nil, err
		}
	}
	i := slices.IndexFunc(v.grants, func(g approvals.Grant) bool { return g.ID == id })
	less := enough(v.grants[i], v.used, v.stored)
	if maps.Equal(less, v.grants[i].Params) {
		less = nil
	}
	v.enough[id] = less
	return less, nil
}

// capabilityState returns what can be said without looking at what was used.
func capabilityState(r registry.Release, tier abi.Tier, word string, have map[string]approvals.Right) control.CapabilityState {
	known, _ := abi.CapabilityNamed(word)
	ask, declared := r.Manifest.Capabilities[word]
	s := control.CapabilityState{
		Name: word, Summary: known.Summary, Tier: tier, Declared: declared, Imported: slices.Contains(r.Capabilities, word),
		Asked: ask.Params(),
	}
	s.Params = s.Asked
	if right, ok := have[word]; ok {
		s.Granted, s.Default, s.Params = true, right.Grant == nil, right.Params
		if g := right.Grant; g != nil {
			s.Grant, s.Reviewed, s.How = g.ID, g.Reviewed.Release, right.How
			if g.Emergency {
				s.EmergencyBy, s.EmergencyUntil = g.By, g.Expires
			}
		}
	}
	return s
}

// LiveGrants returns an app's grants that are not revoked, as a transaction sees them. They are the
// package's own: a caller changes none of them.
func (c *Catalogue) LiveGrants(tx state.Reader, app string) ([]approvals.Grant, error) {
	return c.lately.grants(tx, app)
}

// Enough returns what of a grant its app has used, in any release: of lists, what occurred; of
// quotas, twice what is kept now, and not less than a little.
func (c *Catalogue) Enough(tx state.Reader, g approvals.Grant, stored Stored) (abi.Params, error) {
	used, err := c.uses.UsedByAny(tx, g.App)
	if err != nil {
		return nil, err
	}
	return enough(g, used, stored), nil
}

func enough(g approvals.Grant, used []approvals.Used, stored Stored) abi.Params {
	used = slices.DeleteFunc(slices.Clone(used), func(u approvals.Used) bool { return u.Capability != g.Capability || u.Meter == abi.MeterDenied })
	if len(used) == 0 {
		return g.Params // what was never used is revoked, not shrunk
	}
	params := approvals.UsedParams(g.Params, g.Capability, used, subjectOf[g.Capability])
	if kept, ok := stored[g.Capability]; ok {
		return abi.NarrowParams(params, roomy(params, kept))
	}
	return params
}

// Stored is how much an app keeps, by the capability that it keeps it with.
type Stored map[string]abi.KVQuota

// Stored reads how much an app keeps. That is in another file: it is read before a transaction.
func (c *Catalogue) Stored(ctx context.Context, app string) (Stored, error) {
	kv, err := c.stock.Used(ctx, app)
	blobs, blobsErr := c.stock.BlobsUsed(ctx, app)
	return Stored{"kv": kv, "blob": blobs}, errors.Join(err, blobsErr)
}

// The least that a quota is shrunk to.
const (
	leastQuota = 64 << 10
	leastKeys  = 100
)

// roomy returns quotas of twice what is kept, rounded up to a power of two.
func roomy(p abi.Params, kept abi.KVQuota) abi.Params {
	upTo := func(least, n int64) string {
		for least < 2*n {
			least *= 2
		}
		return fmt.Sprint(least)
	}
	wide := maps.Clone(p)
	for name, value := range map[string]string{"quota": upTo(leastQuota, kept.Bytes), "keys": upTo(leastKeys, kept.Keys)} {
		if _, ok := wide[name]; ok {
			wide[name] = value
		}
	}
	return wide
}

// subjectOf reports, for capabilities whose lists hold more than subjects, whether an element of a list
// stands for a subject.
var subjectOf = map[string]func(name, element, subject string) bool{
	"fetch": func(name, element, subject string) bool {
		asked, err := abi.ParseOrigin(subject)
		if err != nil {
			return false
		}
		if name == "credentials" {
			c, err := abi.ParseFetchCredential(element)
			return err == nil && c.Origin == asked
		}
		p, err := abi.ParseOriginPattern(element)
		return err == nil && p.Allows(asked)
	},
}

package node

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/rights"
)

// showing is what is read once for all releases of an app that are shown together.
type showing struct {
	host   *Node
	tx     state.Reader
	app    registry.App
	grants []approvals.Grant
	enough func(grant string) (abi.Params, error) // what it could be shrunk to; nil if that is not less
}

func (h *Node) showing(ctx context.Context, tx state.Reader, app registry.App) (*showing, error) {
	v := &showing{host: h, tx: tx, app: app}
	var err error
	if v.grants, err = rights.Grants(tx, app.Name); err != nil {
		return nil, err
	}
	keeps, err := h.keptNow(ctx, app.Name)
	if err != nil {
		return nil, err
	}
	known := map[string]abi.Params{}
	v.enough = func(id string) (abi.Params, error) {
		if less, ok := known[id]; ok {
			return less, nil
		}
		i := slices.IndexFunc(v.grants, func(g approvals.Grant) bool { return g.ID == id })
		less, err := h.enough(tx, v.grants[i], keeps)
		if maps.Equal(less, v.grants[i].Params) {
			less = nil
		}
		known[id] = less
		return less, err
	}
	return v, nil
}

// show is a release as it is shown.
func (v *showing) show(r registry.Release) (control.Release, error) {
	r.FuelTable = r.CostTable()
	shown := control.Release{Release: r, PreviewURL: v.host.origins.appURL("r" + strconv.Itoa(r.Number) + "--" + r.App)}
	highest := abi.TierSandbox
	for _, tier := range abi.Tiers() {
		if v.app.Active[tier] == r.Number {
			shown.ActiveIn = append(shown.ActiveIn, tier)
			highest = tier
		}
	}
	var err error
	shown.Access, err = v.states(r, highest)
	return shown, err
}

// states puts beside each other what is declared, what the binary imports, what
// is granted and what was used.
func (v *showing) states(r registry.Release, tier abi.Tier) ([]control.CapabilityState, error) {
	have := approvals.Rights(v.host.policy, rights.Terms(r), tier, v.grants, v.host.o.Now())
	requests, _, err := v.tx.ReleaseRequests(r.App, r.Number, state.Part{Limit: -1})
	if err != nil {
		return nil, err
	}
	used, err := v.host.Host.UsedBy(v.tx, r.App, r.Number)
	if err != nil {
		return nil, err
	}
	words := slices.AppendSeq(slices.Clone(r.Capabilities), maps.Keys(r.Manifest.Capabilities))
	slices.Sort(words)
	var states []control.CapabilityState
	for _, word := range slices.Compact(words) {
		s := v.host.capabilityState(r, tier, word, have)
		s.AddRequest(r.App, r.Number, requests)
		s.Used = slices.DeleteFunc(slices.Clone(used), func(u approvals.Used) bool { return u.Capability != word })
		s.Say()
		if s.Grant != "" {
			if s.Enough, err = v.enough(s.Grant); err != nil {
				return nil, err
			}
		}
		states = append(states, s)
	}
	return states, nil
}

// capabilityState is what can be said without looking at what was used.
func (h *Node) capabilityState(r registry.Release, tier abi.Tier, word string, have map[string]approvals.Right) control.CapabilityState {
	known, _ := abi.CapabilityNamed(word)
	ask, declared := r.Manifest.Capabilities[word]
	s := control.CapabilityState{
		Name: word, Summary: known.Summary, Tier: tier, Declared: declared, Imported: slices.Contains(r.Capabilities, word),
		Default: slices.Contains(h.policy.DefaultCapabilities(tier), word), Asked: ask.Params(),
	}
	s.Params = s.Asked
	if right, ok := have[word]; ok {
		s.Granted, s.Params = true, right.Params
		if g := right.Grant; g != nil {
			s.Grant, s.Reviewed, s.How = g.ID, g.Reviewed.Release, right.How
		}
	}
	return s
}

// enough is what of a grant its app has used, in any release: of lists, what
// occurred; of quotas, twice what is kept now, and not less than a little.
func (h *Node) enough(tx state.Reader, g approvals.Grant, keeps keptBytes) (abi.Params, error) {
	used, err := h.Host.UsedByAny(tx, g.App)
	if err != nil {
		return nil, err
	}
	used = slices.DeleteFunc(used, func(u approvals.Used) bool { return u.Capability != g.Capability || u.Meter == abi.MeterDenied })
	if len(used) == 0 {
		return g.Params, nil // what was never used is revoked, not shrunk
	}
	params := approvals.UsedParams(g.Params, g.Capability, used, subjectOf[g.Capability])
	if kept, ok := keeps[g.Capability]; ok {
		return abi.NarrowParams(params, roomy(params, kept)), nil
	}
	return params, nil
}

// keptBytes is how much an app keeps, by the capability that it keeps it with.
type keptBytes map[string]abi.KVQuota

// keptNow reads how much an app keeps. That is in another file: it is read before a transaction.
func (h *Node) keptNow(ctx context.Context, app string) (keptBytes, error) {
	kv, err := h.kv.Used(ctx, app)
	blobs, blobsErr := h.kv.BlobsUsed(ctx, app)
	return keptBytes{"kv": kv, "blob": blobs}, errors.Join(err, blobsErr)
}

// The least that a quota is shrunk to.
const (
	leastQuota = 64 << 10
	leastKeys  = 100
)

// roomy are quotas of twice what is kept, rounded up to a power of two.
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

// subjectOf tells, for capabilities whose lists hold more than subjects, whether
// an element of a list stands for a subject.
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

// ShrinkGrant takes off a grant what its app has not used. The owner may give
// away a right, and a reviewer may take it: it needs no review, since nothing is
// added. It comes back through a new request.
func (h *Node) ShrinkGrant(ctx context.Context, id string) (approvals.Grant, error) {
	actor, err := h.desk.Allow(ctx, access.RoleViewer)
	if err != nil {
		return approvals.Grant{}, err
	}
	var grant approvals.Grant
	err = h.store.View(ctx, func(tx state.Reader) error {
		grant, err = h.ownGrant(tx, actor, id)
		return err
	})
	if err != nil {
		return grant, err
	}
	keeps, err := h.keptNow(ctx, grant.App)
	if err != nil {
		return grant, err
	}
	_, err = h.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		before, err := h.ownGrant(tx, actor, id)
		if err != nil {
			return err
		}
		to, err := h.enough(tx, before, keeps)
		if err != nil {
			return err
		}
		if grant, err = approvals.Shrink(tx, id, actor.User, to, h.o.Now().UTC()); err != nil {
			return err
		}
		detail := map[string]string{"capability": grant.Capability}
		for name, was := range before.Params {
			if was != grant.Params[name] {
				detail[name] = grant.Params[name]
				detail[name+"_before"] = was
			}
		}
		tx.Emit("grant.shrunk", grant.App, id, detail)
		return nil
	})
	return grant, err
}

// ownGrant reads a grant that the actor may take away from: a reviewer any, an
// owner those of their apps.
func (h *Node) ownGrant(tx state.Reader, actor access.Actor, id string) (approvals.Grant, error) {
	grant, err := tx.Grant(id)
	if err != nil {
		return grant, fmt.Errorf("grant %q: %w", id, err)
	}
	app, err := tx.App(grant.App)
	if err != nil || actor.Has(access.RoleReviewer) {
		return grant, err
	}
	return grant, control.MayChange(actor, app)
}

package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/store/boltstore"
)

const keepInModel = 3

// keepServed is for how long what pilot or production served is kept.
const keepServed = 90 * 24 * time.Hour

// keeping is a node without its doors, and what must be there.
type keeping struct {
	*Node
	rt  *rapid.T
	dir string
	now time.Time
	// killed are blobs of uploads that were killed since the last start.
	killed map[registry.Digest]bool
}

var errGivenUp = errors.New("given up")

func (k *keeping) open() {
	h, err := OpenData(context.Background(), Options{DataDir: k.dir, KeepReleases: keepInModel, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return k.now }})
	if err == nil {
		err = h.openHost(context.Background())
	}
	if err != nil {
		k.rt.Fatal(err)
	}
	k.Node, k.killed = h, map[registry.Digest]bool{}
}

func (k *keeping) try(act string, change func(tx state.Tx) error) {
	_, err := k.desk.Update(context.Background(), "ada", change)
	for _, fine := range []error{nil, errGivenUp, registry.ErrNotFound, registry.ErrInUse, registry.ErrNoPrevious, approvals.ErrAlreadyRequested, approvals.ErrAlreadyDecided, approvals.ErrChanged, approvals.ErrNotFound} {
		if errors.Is(err, fine) {
			return
		}
	}
	k.rt.Fatalf("%s: %v", act, err)
}

// publish stores a release as Publish does, but for the engine. It may be given up in the
// transaction, or killed before it.
func (k *keeping) publish(app, text, ends string) {
	ctx := context.Background()
	module, bundle := []byte(text), []byte("signature of "+text)
	done := k.Keeper.Pin(registry.DigestOf(module), registry.DigestOf(bundle))
	d, err := k.blobs.Put(ctx, module)
	b, bundleErr := k.blobs.Put(ctx, bundle)
	if err := errors.Join(err, bundleErr); err != nil {
		k.rt.Fatal(err)
	}
	if ends == "kill" {
		k.killed[d], k.killed[b] = true, true
		return // pinned for ever, as far as this process goes
	}
	defer done()
	k.try("publish", func(tx state.Tx) error {
		number := 1
		if known, err := tx.App(app); err == nil {
			number = known.Releases + 1
		}
		err := k.Publishing.AddRelease(tx, access.Actor{User: "ada"}, registry.Release{
			App: app, Number: number, Digest: d, Bundle: b, Size: int64(len(module)), Manifest: registry.Manifest{Name: app, Owner: "ada"}, Signer: registry.Signer{Identity: "ada"}, Created: k.now,
		}, approvals.Verdict{})
		if ends == "given up" {
			return errGivenUp
		}
		return err
	})
}

// needed is which releases may not go: by themselves, or by an owner's wish. It is written
// another way than what it is compared with. A publish withdraws the app's open requests for
// grants, so what they are about need not stay.
func (k *keeping) needed(newest int, byOwner, publishes bool) map[string]bool {
	need := map[string]bool{}
	err := k.store.View(context.Background(), func(tx state.Reader) error {
		apps, err := tx.Apps()
		requests, _, requestsErr := tx.RequestsPart("", "", state.Part{Limit: -1})
		grants, _, grantsErr := tx.GrantsPart("", state.Part{Limit: -1})
		for _, app := range apps {
			id := func(n int) string { return fmt.Sprintf("%s %d", app.Name, n) }
			for _, n := range app.Active {
				need[id(n)] = true
			}
			for _, q := range requests {
				granted := slices.ContainsFunc(grants, func(g approvals.Grant) bool { return g.Request == q.ID && g.Live(k.now) })
				if q.App == app.Name && (q.Status == approvals.StatusOpen && !(publishes && q.Kind == approvals.KindGrant) || granted) {
					need[id(q.Release)] = true
				}
			}
			if byOwner {
				continue
			}
			releases, _, listErr := tx.ReleasesPart(app.Name, state.Part{Limit: -1})
			for _, r := range releases[:min(len(releases), newest)] {
				need[id(r.Number)] = true
			}
			activations, _, actErr := tx.ActivationsPart(app.Name, state.Part{Limit: -1})
			for i, a := range activations {
				ended := k.now // unless another one followed in its tier
				for _, later := range activations[:i] {
					if later.Tier == a.Tier {
						ended = later.At
					}
				}
				if a.Tier != abi.TierSandbox && ended.Add(keepServed).After(k.now) {
					need[id(a.Release)] = true
				}
			}
			err = errors.Join(err, listErr, actErr)
		}
		return errors.Join(err, requestsErr, grantsErr)
	})
	if err != nil {
		k.rt.Fatal(err)
	}
	return need
}

// named is which releases a state has, with the blobs that each names.
func named(rt *rapid.T, s state.Store) map[string][]registry.Digest {
	all := map[string][]registry.Digest{}
	err := s.View(context.Background(), func(tx state.Reader) error {
		for _, app := range []string{"a", "ab"} {
			releases, _, err := tx.ReleasesPart(app, state.Part{Limit: -1})
			if err != nil {
				return err
			}
			for _, r := range releases {
				all[fmt.Sprintf("%s %d", app, r.Number)] = []registry.Digest{r.Digest, r.Bundle}
			}
		}
		return nil
	})
	if err != nil {
		rt.Fatal(err)
	}
	return all
}

// unnamed lists the blobs that are noted as named by no release.
func (k *keeping) unnamed() (all []registry.Unnamed, err error) {
	err = k.store.View(context.Background(), func(tx state.Reader) error {
		all, err = tx.Unnamed()
		return err
	})
	return all, err
}

func (k *keeping) isNamed(d registry.Digest) (is bool, err error) {
	err = k.store.View(context.Background(), func(tx state.Reader) error {
		is, err = tx.Named(d)
		return err
	})
	return is, err
}

// whole checks that every blob is there that the state or a snapshot of it names.
func (k *keeping) whole(after string) {
	check := func(where string, all map[string][]registry.Digest) {
		for release, digests := range all {
			for _, d := range digests {
				if _, err := k.blobs.Size(d); err != nil {
					k.rt.Fatalf("after %s, %s: release %s: %v", after, where, release, err)
				}
			}
		}
	}
	check("now", named(k.rt, k.store))
	all, err := snapshots(k.dir)
	for _, name := range all {
		err = errors.Join(err, boltstore.Inspect(filepath.Join(k.dir, snapshotsDir, name, stateFile), time.Now, func(s *boltstore.Store) error {
			check("snapshot "+name, named(k.rt, s))
			return nil
		}))
	}
	if err != nil {
		k.rt.Fatal(err)
	}
}

// spared checks that no blob is there but those that are named or noted, or that a killed
// upload left.
func (k *keeping) spared(after string) {
	noted, err := k.unnamed()
	err = errors.Join(err, k.blobs.Each(func(d registry.Digest) error {
		isNamed, err := k.isNamed(d)
		isNoted := slices.ContainsFunc(noted, func(u registry.Unnamed) bool { return u.Digest == d })
		if err == nil && !isNamed && !isNoted && !k.killed[d] {
			err = fmt.Errorf("after %s, nothing names %s", after, d)
		}
		return err
	}))
	if err != nil {
		k.rt.Fatal(err)
	}
}

// superfluous checks that each release that is left has a reason.
func (k *keeping) superfluous() {
	need := k.needed(keepInModel, false, false)
	err := k.store.View(context.Background(), func(tx state.Reader) error {
		for _, app := range []string{"a", "ab"} {
			activations, _, err := tx.ActivationsPart(app, state.Part{Limit: -1})
			if err != nil {
				return err
			}
			for _, tier := range abi.Tiers() {
				if n, err := registry.Previous(registry.OfTier(activations, tier)); err == nil {
					need[fmt.Sprintf("%s %d", app, n)] = true
				}
			}
		}
		return nil
	})
	if err != nil {
		k.rt.Fatal(err)
	}
	for id := range named(k.rt, k.store) {
		if !need[id] {
			k.rt.Fatalf("release %s stayed for no reason", id)
		}
	}
}

// TestRetention: whatever is published, promoted, decided, rolled back, deleted and killed,
// no release goes that serves, that something waits for or that is kept for other reasons;
// every blob is there that the state or a snapshot names; and in the end no other is.
func TestRetention(t *testing.T) {
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		if runs > 25 && !testing.Verbose() || runs > 5 && testing.Short() {
			return // each is a node with its files
		}
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		k := &keeping{rt: rt, dir: dir, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
		k.open()
		defer func() { _ = k.Stop(context.Background()) }()
		for range rapid.IntRange(5, 40).Draw(rt, "acts") {
			act := rapid.SampledFrom([]string{"publish", "publish", "publish", "publish", "ask", "decide", "decide", "activate", "roll back", "delete", "time", "tidy", "snapshot", "forget snapshot", "restart", "half collected"}).Draw(rt, "act")
			before := named(rt, k.store)
			k.now = k.now.Add(time.Second)
			if act == "time" { // before anything is compared
				k.now = k.now.Add(time.Duration(rapid.IntRange(1, 60).Draw(rt, "days")) * 24 * time.Hour)
			}
			newest := keepInModel
			if act == "publish" { // one more is to come
				newest--
			}
			wasNeeded := k.needed(newest, act == "delete", act == "publish")
			k.act(act)
			after := named(rt, k.store)
			for id := range before {
				if gone := after[id] == nil; gone && wasNeeded[id] {
					rt.Fatalf("%s took release %s away, which was needed", act, id)
				}
			}
			for id := range k.needed(0, true, false) {
				if after[id] == nil {
					rt.Fatalf("after %s, release %s is needed and not there", act, id)
				}
			}
			k.whole(act)
			k.spared(act)
			if act == "tidy" {
				k.superfluous()
			}
		}
		k.atTheEnd()
	})
}

func (k *keeping) act(act string) {
	ctx, rt := context.Background(), k.rt
	app := rapid.SampledFrom([]string{"a", "ab"}).Draw(rt, "app")
	n := rapid.IntRange(1, 8).Draw(rt, "number")
	tier := rapid.SampledFrom(abi.Tiers()).Draw(rt, "tier")
	must := func(err error) {
		if err != nil {
			rt.Fatalf("%s: %v", act, err)
		}
	}
	switch act {
	case "publish":
		k.publish(app, rapid.SampledFrom([]string{"m1", "m2", "m3", "m4"}).Draw(rt, "module"), rapid.SampledFrom([]string{"", "", "", "given up", "kill"}).Draw(rt, "ends"))
	case "ask":
		k.try(act, func(tx state.Tx) error {
			if _, err := tx.Release(app, n); err != nil {
				return err
			}
			kind, word := approvals.KindPromotion, ""
			if tier == abi.TierSandbox {
				kind, word = approvals.KindGrant, "kv"
			}
			_, err := approvals.Open(tx, approvals.Request{Kind: kind, App: app, Owner: "ada", Release: n, Tier: tier, Capability: word, By: "ada", Created: k.now})
			return err
		})
	case "decide":
		k.try(act, func(tx state.Tx) error {
			q, grant, err := approvals.Decide(tx, fmt.Sprintf("req-%d", n), approvals.Ballot{Approve: n%3 > 0, By: "rex", Reason: "so", At: k.now}, func(name string) (approvals.Voter, error) {
				return approvals.Voter{Person: approvals.Person{Name: name}}, nil
			})
			if err == nil && grant != nil && n%2 == 0 {
				grant.Expires = k.now.Add(time.Hour)
				err = tx.PutGrant(*grant)
			}
			if err == nil && q.Status == approvals.StatusApproved && q.Kind == approvals.KindPromotion {
				err = k.Governance.EnterTier(tx, access.Actor{User: "rex"}, q)
			}
			return err
		})
	case "activate":
		k.try(act, func(tx state.Tx) error {
			r, err := tx.Release(app, n)
			if err == nil {
				_, err = k.Governance.Route(tx, access.Actor{User: "ada"}, r, abi.TierSandbox, "", false)
			}
			return err
		})
	case "roll back":
		k.try(act, func(tx state.Tx) error {
			activations, _, err := tx.ActivationsPart(app, state.Part{Limit: -1})
			if err != nil {
				return err
			}
			previous, err := registry.Previous(registry.OfTier(activations, tier))
			if err != nil {
				return err
			}
			r, err := tx.Release(app, previous)
			if err == nil {
				_, err = k.Governance.Route(tx, access.Actor{User: "ada"}, r, tier, "why not", true)
			}
			return err
		})
	case "delete":
		err := k.Keeper.DeleteRelease(access.WithActor(ctx, access.Actor{User: "ada", Roles: access.Roles()}), app, n)
		if err != nil && !errors.Is(err, registry.ErrInUse) && !errors.Is(err, registry.ErrNotFound) {
			rt.Fatal(err)
		}
	case "tidy":
		must(k.Keeper.Tidy(ctx))
	case "snapshot":
		must(k.Upkeep.snapshot(ctx))
	case "forget snapshot":
		all, err := snapshots(k.dir)
		must(err)
		if len(all) > 0 {
			must(os.RemoveAll(filepath.Join(k.dir, snapshotsDir, all[0])))
		}
	case "restart":
		must(k.Stop(ctx))
		k.open()
	case "half collected": // a kill after the first file that collecting removes
		all, err := k.unnamed()
		must(err)
		if oldest, err := oldestCopy(k.dir); len(all) > 0 && err == nil && (oldest.IsZero() || all[0].Since.Before(oldest)) {
			_, err := k.blobs.Remove(all[0].Digest, k.isNamed)
			must(err)
		}
		must(k.Stop(ctx))
		k.open()
	}
}

// atTheEnd: once no snapshot is left, what is named is there and nothing else.
func (k *keeping) atTheEnd() {
	ctx := context.Background()
	if err := errors.Join(os.RemoveAll(filepath.Join(k.dir, snapshotsDir)), k.Stop(ctx)); err != nil {
		k.rt.Fatal(err)
	}
	k.open()
	k.now = k.now.Add(time.Second)
	if err := k.Keeper.Tidy(ctx); err != nil {
		k.rt.Fatal(err)
	}
	want, got := map[registry.Digest]bool{}, map[registry.Digest]bool{}
	for _, digests := range named(k.rt, k.store) {
		for _, d := range digests {
			want[d] = true
		}
	}
	err := k.blobs.Each(func(d registry.Digest) error { got[d] = true; return nil })
	left, leftErr := k.unnamed()
	if problems := k.file.Check(ctx); err != nil || leftErr != nil || len(left) > 0 || !maps.Equal(want, got) || len(problems) > 0 {
		k.rt.Fatalf("%d blobs are named and %d there; noted %v; %v, %v, %v", len(want), len(got), left, err, leftErr, problems)
	}
}

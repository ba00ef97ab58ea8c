package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"github.com/agora-host/agora/host"
	"slices"
	"strconv"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/control/apps"
	"github.com/agora-host/agora/metering/fuel"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
	"github.com/agora-host/agora/state/rights"
)

// Publish is the walk of an upload: read, verify, judge, compile, store, and
// route the sandbox to it unless somebody must decide first. Nothing is visible
// before the one transaction at the end; what a crash leaves before it are
// blobs that no release names.
func (h *Node) Publish(ctx context.Context, u control.Upload, stage func(string)) (control.Published, error) {
	actor, err := h.desk.Allow(ctx, access.RoleDeveloper)
	if err != nil {
		return control.Published{}, err
	}
	if stage == nil {
		stage = func(string) {}
	}
	var published control.Published
	err = h.reading(ctx, u.Module, func(module []byte) (err error) {
		published, err = h.publish(ctx, actor, u, module, stage)
		return err
	})
	return published, err
}

func (h *Node) publish(ctx context.Context, actor access.Actor, u control.Upload, module []byte, stage func(string)) (control.Published, error) {
	candidate, bundle, err := h.admit(ctx, actor, u, module, stage)
	if err != nil {
		return control.Published{}, err
	}
	if again, ok, err := h.sameAsNewest(ctx, actor, candidate); ok || err != nil {
		return again, err
	}
	if err := h.Catalogue.MayUpload(ctx, candidate); err != nil {
		return control.Published{}, err
	}
	give, err := h.reserve.take(perModuleByte * candidate.Size)
	if err != nil {
		return control.Published{}, err
	}
	defer give()
	stage("compiling")
	code, err := host.Program(module)
	if err != nil {
		return control.Published{}, fmt.Errorf("%w: %w", registry.ErrBadModule, err)
	}
	var compiling abi.Recorder
	defer func() { h.Host.BillCompiling(candidate, &compiling) }()
	if err := h.engine.Compile(abi.WithRecorder(ctx, &compiling), code, host.EngineLimits(candidate)); err != nil {
		return control.Published{}, fmt.Errorf("compile the module: %w", err)
	}
	stage("trying the app")
	if candidate.Findings, err = h.tryOut(abi.WithRecorder(ctx, &compiling), code, candidate); err != nil {
		return control.Published{}, err
	}
	stage("storing the release")
	defer h.Keeper.Pin(candidate.Digest, registry.DigestOf(bundle))() // until the release names them, or will not
	if err := u.Module.Keep(); err != nil {
		return control.Published{}, fmt.Errorf("store the module: %w", err)
	}
	if candidate.Bundle, err = h.blobs.Put(ctx, bundle); err != nil {
		return control.Published{}, fmt.Errorf("store the signature: %w", err)
	}
	published, err := h.enter(ctx, actor, candidate)
	if err == nil {
		candidate.Number = published.Release.Number
		if h.o.KeepReleases > 0 && candidate.Number > h.o.KeepReleases { // an older one may have gone
			h.Keeper.CollectSoon(ctx)
		}
	}
	return published, err
}

// enter stores an admitted release. What admit relied on is asked again within the
// transaction: the owner, the key, the grants and with them the rules.
func (h *Node) enter(ctx context.Context, actor access.Actor, candidate registry.Release) (published control.Published, err error) {
	about := func(tx state.Reader) (question, error) {
		r := candidate
		r.Number = 1
		if app, err := tx.App(r.App); err == nil {
			r.Number = app.Releases + 1
		} else if !errors.Is(err, registry.ErrNotFound) {
			return question{}, err
		}
		if err := errors.Join(checkOwner(tx, actor, r), registry.StillTrusted(tx, r)); err != nil {
			return question{}, err
		}
		return question{"publish", actor.User, abi.TierSandbox, r}, nil
	}
	var added int
	err = h.judged(ctx, actor.User, about, func(tx state.Tx, q question, v approvals.Verdict) error {
		r := q.release
		r.Findings, r.Requires = slices.Concat(v.Findings, candidate.Findings), v.Requires
		added = r.Number
		return h.addRelease(tx, actor, r, v)
	})
	if err != nil {
		return published, err
	}
	return h.publishedNow(ctx, candidate.App, added)
}

// admit decides whether an upload may become a release: it reads the manifest
// and the module, verifies the signature over the same bytes, and asks the rules.
// It returns the signature, too: the node's own if it was asked to sign.
func (h *Node) admit(ctx context.Context, actor access.Actor, u control.Upload, module []byte, stage func(string)) (r registry.Release, bundle []byte, err error) {
	stage("reading the manifest")
	manifest, err := readManifest(u.Manifest)
	if err != nil {
		return r, nil, err
	}
	if err := actor.AllowsApp(manifest.Name); err != nil {
		return r, nil, err
	}
	stage("reading the module")
	inspection, err := registry.Inspect(module)
	if err != nil {
		return r, nil, err
	}
	if err := manifest.Fits(inspection); err != nil {
		return r, nil, err
	}
	if err := host.CheckStatic(manifest, module); err != nil {
		return r, nil, err
	}
	stage("checking the signature")
	if bundle = u.Bundle; u.Sign {
		if bundle, err = h.authority.SignAs(ctx, module, actor.User); err != nil {
			return r, nil, err
		}
	}
	signer, err := h.verify(ctx, module, bundle)
	if err != nil {
		return r, nil, err
	}
	stage("asking the rules")
	r = registry.Release{
		App: manifest.Name, Version: manifest.Version, Digest: inspection.Digest, Size: inspection.Size,
		Manifest: manifest, Interface: inspection.Interface, Capabilities: manifest.Needs(inspection.Capabilities), FuelTable: int(fuel.Newest),
		Signer: signer, Created: h.o.Now().UTC(), CreatedBy: actor.User,
	}
	verdict, err := h.judge(ctx, question{"publish", actor.User, abi.TierSandbox, r})
	if err != nil {
		return r, nil, err
	}
	if verdict.Refuses() {
		return r, nil, &control.Refusal{Findings: verdict.Findings}
	}
	return r, bundle, h.store.View(ctx, func(tx state.Reader) error { return checkOwner(tx, actor, r) })
}

// readManifest reads a manifest, with its defaults and its owner in the one form of users' names.
func readManifest(text []byte) (registry.Manifest, error) {
	m, err := registry.ParseManifest(text)
	if err != nil {
		return m, err
	}
	if owner, err := access.CanonicalName(m.Owner); err == nil {
		m.Owner = owner // what is no user's name is nobody's, which the rules refuse
	}
	return m.WithDefaults(), nil
}

// verify checks a signature against the trust root and the registered keys.
func (h *Node) verify(ctx context.Context, module, bundle []byte) (registry.Signer, error) {
	return h.verifier.Verify(module, bundle, func(hint string) (registry.Key, error) {
		var key registry.Key
		err := h.store.View(ctx, func(tx state.Reader) (err error) {
			key, err = tx.Key(hint)
			return err
		})
		return key, err
	})
}

func reservedName(name, why string) abi.Finding {
	return abi.Finding{
		Code: "name.reserved", Severity: abi.SeverityDeny, Path: "name",
		Message: fmt.Sprintf("The name %q is reserved: %s.", name, why),
		Remedy: abi.Remedy{
			Summary:  "Choose another name. An operator can allow this one deliberately, in data.json of the policy.",
			Commands: []string{fmt.Sprintf(`"names": { "allow": [%q] }`, name)},
		},
	}
}

func (h *Node) subject(action, actor string, tier abi.Tier, r registry.Release, have map[string]approvals.Right) approvals.Subject {
	m, terms := r.Manifest, rights.Terms(r)
	s := approvals.Subject{
		Action: action, Actor: actor, Tier: tier,
		App: approvals.SubjectApp{
			Name: m.Name, Title: m.Title, Description: m.Description, Owner: m.Owner,
			Team: m.Team, CostCenter: m.CostCenter, Classification: m.Classification, KeepState: m.KeepState,
		},
		Module:   approvals.SubjectModule{Digest: string(r.Digest), Size: r.Size, Interface: r.Interface, Capabilities: r.Capabilities},
		Limits:   terms.Limits,
		Triggers: terms.Triggers, Models: h.models.Classifications(),
		Signer: approvals.SubjectSigner{Identity: r.Signer.Identity, Method: r.Signer.Method, Trust: r.Signer.Trust},
	}
	for _, capability := range abi.Capabilities() {
		if g := have[capability.Name].Grant; g != nil {
			s.Grants = append(s.Grants, approvals.SubjectGrant{Capability: g.Capability, Tier: g.Tier, Params: g.Params})
		}
	}
	for word, ask := range m.Capabilities {
		s.Asked = append(s.Asked, approvals.SubjectAsked{Capability: word, Params: ask.Params()})
	}
	slices.SortFunc(s.Asked, func(a, b approvals.SubjectAsked) int {
		return bytes.Compare([]byte(a.Capability), []byte(b.Capability))
	})
	return s
}

// checkOwner keeps an app in its owner's hands: the first release makes its
// signer the owner, every later one must be signed by the same identity and be
// uploaded by that owner or by an operator.
func checkOwner(tx registry.Reader, actor access.Actor, r registry.Release) error {
	owner := r.Manifest.Owner
	app, err := tx.App(r.App)
	switch {
	case err == nil && app.State() == registry.StateRemoved: // whoever had the name: it is gone
		return app.Alive()
	case err == nil:
		owner = app.Owner
	case !errors.Is(err, registry.ErrNotFound):
		return err
	}
	if r.Manifest.Owner != owner {
		return fmt.Errorf("app %q belongs to %s, and the manifest names %s as its owner: %w", r.App, owner, r.Manifest.Owner, registry.ErrNotOwner)
	}
	if r.Signer.Identity != owner {
		return fmt.Errorf("app %q belongs to %s, and the module is signed by %s: %w", r.App, owner, r.Signer.Identity, registry.ErrNotOwner)
	}
	if app.Name == "" {
		app = registry.App{Name: r.App, Owner: owner}
	}
	return control.MayChange(actor, app)
}

// sameAsNewest returns the newest release if the upload repeats it, so that an
// upload whose answer was lost can be sent again. What the release lacks and nothing
// waits for, because it was rejected or revoked, is asked for again. A release whose key
// was removed is not repeated: it is signed anew, as another one; nor is one that is counted by an
// older cost table, which is how an owner moves to the newest.
func (h *Node) sameAsNewest(ctx context.Context, actor access.Actor, candidate registry.Release) (published control.Published, same bool, err error) {
	var number int
	err = h.store.View(ctx, func(tx state.Reader) error {
		app, err := tx.App(candidate.App)
		if errors.Is(err, registry.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		newest, err := tx.Release(app.Name, app.Releases)
		if errors.Is(err, registry.ErrNotFound) {
			return nil // it was deleted
		}
		if err != nil {
			return err
		}
		same = newest.Digest == candidate.Digest && newest.CostTable() == candidate.CostTable() && sameManifest(newest.Manifest, candidate.Manifest) && registry.StillTrusted(tx, newest) == nil
		number = newest.Number
		return nil
	})
	if err != nil || !same {
		return published, same, err
	}
	if _, err := h.askFor(ctx, actor, candidate.App, number, ""); err != nil && !errors.Is(err, approvals.ErrNothingToAsk) && !errors.Is(err, approvals.ErrAlreadyRequested) {
		return published, true, err
	}
	published, err = h.publishedNow(ctx, candidate.App, number)
	return published, true, err
}

// publishedNow describes a release that is stored.
func (h *Node) publishedNow(ctx context.Context, app string, number int) (published control.Published, err error) {
	stored, err := h.Catalogue.Stored(ctx, app)
	if err != nil {
		return published, err
	}
	err = h.store.View(ctx, func(tx state.Reader) error {
		r, err := tx.Release(app, number)
		if err == nil {
			published, err = h.published(tx, r, stored)
			published.Unchanged = true
		}
		return err
	})
	return published, err
}

func sameManifest(a, b registry.Manifest) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// addRelease is the transaction of an upload: the app, the release, its requests or
// its activation, and the events that tell of them.
func (h *Node) addRelease(tx state.Tx, actor access.Actor, r registry.Release, v approvals.Verdict) error {
	app, err := tx.App(r.App)
	if errors.Is(err, registry.ErrNotFound) {
		app = registry.App{Name: r.App, Owner: r.Manifest.Owner, Created: r.Created, Active: map[abi.Tier]int{}}
	} else if err != nil {
		return err
	}
	app.Releases = r.Number
	m := r.Manifest
	app.Title, app.Description, app.Team, app.CostCenter, app.Classification = m.Title, m.Description, m.Team, m.CostCenter, m.Classification
	if err := tx.PutApp(app); err != nil {
		return err
	}
	if err := tx.AddRelease(r); err != nil {
		return err
	}
	tx.Emit("release.published", app.Name, strconv.Itoa(r.Number), map[string]string{"digest": string(r.Digest), "signer": r.Signer.Identity})
	gone, err := approvals.Supersede(tx, r.App, r.Number, actor.User, r.Created)
	if err != nil {
		return err
	}
	asked, err := h.openRequests(tx, actor, r, v, "")
	if err != nil {
		return err
	}
	if err := linkRequests(tx, gone, asked); err != nil {
		return err
	}
	if len(asked) == 0 {
		if _, err := h.activate(tx, actor.User, r, abi.TierSandbox, "", false); err != nil {
			return err
		}
	}
	return h.Keeper.Retain(tx, r.App)
}

// linkRequests lets the requests that an upload withdrew and those that it opened name
// each other.
func linkRequests(tx state.Tx, gone, asked []approvals.Request) error {
	for _, old := range gone {
		for _, q := range asked {
			if q.Capability != old.Capability {
				continue
			}
			old.ReplacedBy, q.Replaces = q.ID, old.ID
			if err := errors.Join(tx.PutRequest(old), tx.PutRequest(q)); err != nil {
				return err
			}
		}
		tx.Emit("request.withdrawn", old.App, old.ID, map[string]string{"reason": old.Decision.Reason, "replaced_by": old.ReplacedBy})
	}
	return nil
}

// published describes a release as its uploader sees it.
func (h *Node) published(tx state.Reader, r registry.Release, stored apps.Stored) (control.Published, error) {
	shown, err := h.Catalogue.ShowRelease(tx, r, stored)
	if err != nil {
		return control.Published{}, err
	}
	p := control.Published{
		Release: shown, Active: slices.Contains(shown.ActiveIn, abi.TierSandbox), Findings: r.Findings,
		URL: h.origins.appURL(r.App), Preview: shown.PreviewURL,
	}
	requests, err := tx.OpenRequests(r.App, approvals.KindGrant)
	if err != nil {
		return control.Published{}, err
	}
	for _, q := range requests {
		if q.Release == r.Number {
			p.Requests = append(p.Requests, h.explain(q, r.Number))
		}
	}
	return p, nil
}

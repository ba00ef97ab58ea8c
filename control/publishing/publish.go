package publishing

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/control/governance"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// perModuleByte is how much an upload takes of the disk for each byte of its module: the module as
// it comes in, as it is kept, and what it is compiled to.
const perModuleByte = 8

// Publish is the walk of an upload: read, verify, judge, compile, store, and route the sandbox to it
// unless a reviewer must decide first, or the app is quarantined. Nothing is visible before the one transaction at the end;
// what a crash leaves before it are blobs that no release names.
func (s *Service) Publish(ctx context.Context, u control.Upload, stage func(string)) (published control.Published, err error) {
	actor, err := s.desk.Door(ctx, access.Publish)
	if err != nil {
		return published, err
	}
	if stage == nil {
		stage = func(string) {}
	}
	if u.Module == nil && u.Script != nil {
		if u.Module, err = s.build(ctx, u, stage); err != nil {
			return published, err
		}
		defer u.Module.Discard()
	}
	err = s.read(ctx, u.Module, func(module []byte) (err error) {
		published, err = s.publish(ctx, actor, u, module, stage)
		return err
	})
	return published, err
}

func (s *Service) publish(ctx context.Context, actor access.Actor, u control.Upload, module []byte, stage func(string)) (none control.Published, err error) {
	candidate, bundle, err := s.admit(ctx, actor, u, module, stage)
	if err != nil {
		return none, err
	}
	// What would end in vain is not begun: all of this is asked again when the release is stored.
	if err := s.desk.View(ctx, func(tx state.Reader) error { return isNew(tx, candidate) }); err != nil {
		return s.orRepeated(ctx, actor, candidate.App, err)
	}
	if err := s.apps.MayUpload(ctx, candidate); err != nil {
		return none, err
	}
	give, err := s.reserve(perModuleByte * candidate.Size)
	if err != nil {
		return none, err
	}
	defer give()
	var did abi.Recorder
	defer func() { s.compiler.Bill(candidate, &did) }()
	trial, err := s.compiler.Compile(abi.WithRecorder(ctx, &did), candidate, module, stage)
	if err != nil {
		return none, err
	}
	if candidate.Findings, err = trial.findings(candidate.App); err != nil {
		return none, err
	}
	stage("comparing the source")
	if candidate.Rebuilt, err = s.compare(ctx, candidate, module); err != nil {
		return none, err
	}
	stage("storing the release")
	defer s.keeper.Pin(candidate.Digest, registry.DigestOf(bundle))() // until the release names them, or will not
	if err := u.Module.Keep(); err != nil {
		return none, fmt.Errorf("store the module: %w", err)
	}
	if candidate.Bundle, err = s.blobs.Put(ctx, bundle); err != nil {
		return none, fmt.Errorf("store the signature: %w", err)
	}
	published, err := s.Enter(ctx, actor, candidate)
	if err == nil && !published.Unchanged {
		candidate.Number = published.Release.Number // which is billed
		s.keeper.CollectSoon(ctx)                   // an older release may have gone
	}
	return published, err
}

// Enter stores a release that was admitted, and whose bytes are stored; it trusts its caller that
// they were. All else that Publish relied on is asked again within the transaction: the owner, the
// key, the newest release, the grants and with them the policy.
func (s *Service) Enter(ctx context.Context, actor access.Actor, candidate registry.Release) (control.Published, error) {
	about := func(tx state.Reader) (governance.Question, error) {
		r := candidate
		r.Number = 1
		if app, err := tx.App(r.App); err == nil {
			r.Number = app.Releases + 1
		} else if !errors.Is(err, registry.ErrNotFound) {
			return governance.Question{}, err
		}
		err := errors.Join(checkOwner(tx, actor, r), registry.StillTrusted(tx, r), maySign(tx, r))
		if err == nil {
			err = isNew(tx, r)
		}
		if err != nil {
			return governance.Question{}, err
		}
		return governance.NewQuestion(tx, governance.ToPublish, actor.User, abi.TierSandbox, r)
	}
	var added int
	err := s.governance.Judged(ctx, actor.User, about, func(tx state.Tx, q governance.Question, v approvals.Verdict) error {
		r := q.Release
		r.Findings, r.Requires = slices.Concat(v.Findings, candidate.Findings), approvals.Capabilities(v.Requires)
		added = r.Number
		return s.AddRelease(tx, actor, r, v)
	})
	if err != nil {
		return s.orRepeated(ctx, actor, candidate.App, err)
	}
	return s.published(ctx, candidate.App, added)
}

// admit decides whether an upload may become a release: it reads the manifest
// and the module, verifies the signature over the same bytes, and asks the rules.
// It returns the signature, too: the node's own if it was asked to sign.
func (s *Service) admit(ctx context.Context, actor access.Actor, u control.Upload, module []byte, stage func(string)) (r registry.Release, bundle []byte, err error) {
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
	if err := manifest.CheckFiles(module); err != nil {
		return r, nil, err
	}
	stage("checking the signature")
	if bundle = u.Bundle; u.Sign {
		if bundle, err = s.authority.SignAs(ctx, module, actor.User); err != nil {
			return r, nil, err
		}
	}
	signer, err := s.verifier.Verify(ctx, module, bundle)
	if err != nil {
		return r, nil, err
	}
	stage("asking the rules")
	r = registry.Release{
		App: manifest.Name, Version: manifest.Version, Digest: inspection.Digest, Size: inspection.Size,
		Manifest: manifest, Interface: inspection.Interface, Capabilities: manifest.Needs(inspection.Capabilities), FuelTable: s.compiler.CostTable(), Made: inspection.Made,
		Signer: signer, Created: s.desk.Now().UTC(), CreatedBy: actor.User, Behalf: actor.Behalf,
	}
	var q governance.Question
	err = s.desk.View(ctx, func(tx state.Reader) error {
		if err := control.KnowPeople(tx, &r); err != nil {
			return err
		}
		q, err = governance.NewQuestion(tx, governance.ToPublish, actor.User, abi.TierSandbox, r)
		return err
	})
	if err != nil {
		return r, nil, err
	}
	verdict, err := s.governance.Verdict(ctx, q)
	if err != nil {
		return r, nil, err
	}
	if verdict.Refuses() {
		return r, nil, q.Refusal(verdict.Findings)
	}
	return r, bundle, s.desk.View(ctx, func(tx state.Reader) error { return checkOwner(tx, actor, r) })
}

// readManifest reads a manifest, with its defaults and its owner in the one form of users' names.
func readManifest(text []byte) (registry.Manifest, error) {
	m, err := registry.ParseManifest(text)
	if err != nil {
		return m, err
	}
	if owner, err := access.CanonicalName(m.Owner); err == nil {
		m.Owner = owner // what is no user's name is no one's, which the rules refuse
	}
	return m.WithDefaults(), nil
}

// checkOwner keeps an app in its owners' hands: the first release makes its
// signer the owner, every later one names that owner, is signed by one of the
// owners, and is uploaded by one of them or by an operator.
func checkOwner(tx state.Reader, actor access.Actor, r registry.Release) error {
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
	if app.Name == "" {
		app = registry.App{Name: r.App, Owner: owner, Group: access.GroupOf(actor)}
	}
	if owns, err := control.Owns(tx, app, r.Signer.Identity); err != nil {
		return err
	} else if !owns {
		return fmt.Errorf("app %q belongs to %s, and the module is signed by %s: %w", r.App, owner, r.Signer.Identity, registry.ErrNotOwner)
	}
	return control.MayApp(actor, access.Publish, app)
}

// repeated is why an upload makes no release: it is the newest one again.
type repeated struct{ number int }

func (r *repeated) Error() string { return fmt.Sprintf("release %d is the same", r.number) }

// isNew returns a *repeated if an upload repeats the newest release of its app. A release whose key
// was removed is not repeated: it is signed anew, as another one; nor is one that is counted by an
// older cost table, which is how an owner moves to the newest.
func isNew(tx registry.Reader, candidate registry.Release) error {
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
	if newest.Digest == candidate.Digest && newest.CostTable() == candidate.CostTable() && sameManifest(newest.Manifest, candidate.Manifest) && registry.StillTrusted(tx, newest) == nil {
		return &repeated{newest.Number}
	}
	return nil
}

// orRepeated returns an error, or, if it is a *repeated, the release that is there: an upload whose
// response was lost can be sent again. What the release lacks and nothing waits for, because it was
// rejected or revoked, is asked for again.
func (s *Service) orRepeated(ctx context.Context, actor access.Actor, app string, err error) (published control.Published, _ error) {
	again, ok := errors.AsType[*repeated](err)
	if !ok {
		return published, err
	}
	if _, err := s.governance.AskFor(ctx, actor, app, again.number, ""); err != nil && !errors.Is(err, approvals.ErrNothingToAsk) && !errors.Is(err, approvals.ErrAlreadyRequested) {
		return published, err
	}
	published, err = s.published(ctx, app, again.number)
	published.Unchanged = true
	return published, err
}

func sameManifest(a, b registry.Manifest) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// AddRelease is the transaction of an upload: the app, the release, its requests or
// its activation, and the events that tell of them.
func (s *Service) AddRelease(tx state.Tx, actor access.Actor, r registry.Release, v approvals.Verdict) error {
	app, err := tx.App(r.App)
	if errors.Is(err, registry.ErrNotFound) {
		app = registry.App{Name: r.App, Owner: r.Manifest.Owner, Group: access.GroupOf(actor), Created: r.Created, Active: map[abi.Tier]int{}}
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
	asked, err := s.governance.OpenRequests(tx, actor, r, v, "")
	if err != nil {
		return err
	}
	if err := linkRequests(tx, gone, asked); err != nil {
		return err
	}
	if len(asked) == 0 && app.Quarantine == nil {
		if _, err := s.governance.Route(tx, actor, r, abi.TierSandbox, "", false); err != nil {
			return err
		}
	}
	return s.keeper.Retain(tx, r.App)
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

// published describes a stored release as its uploader sees it.
func (s *Service) published(ctx context.Context, app string, number int) (p control.Published, err error) {
	stored, err := s.apps.Stored(ctx, app)
	if err != nil {
		return p, err
	}
	err = s.desk.View(ctx, func(tx state.Reader) error {
		r, err := tx.Release(app, number)
		if err != nil {
			return err
		}
		shown, err := s.apps.ShowRelease(tx, r, stored)
		if err != nil {
			return err
		}
		p = control.Published{
			Release: shown, Active: slices.Contains(shown.ActiveIn, abi.TierSandbox), Findings: r.Findings,
			URL: s.appURL(r.App), Preview: shown.PreviewURL,
		}
		requests, err := tx.OpenRequests(app, approvals.KindGrant)
		for _, q := range requests {
			if q.Release == number {
				p.Requests = append(p.Requests, s.governance.Explain(q, number))
			}
		}
		return err
	})
	return p, err
}

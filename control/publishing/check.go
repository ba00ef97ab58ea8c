package publishing

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/control/governance"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// Inspect reads a module for a person who wonders what it is.
func (s *Service) Inspect(ctx context.Context, module control.Module) (found registry.Inspection, err error) {
	if _, err := s.desk.May(ctx, access.CheckModule, access.TheNode); err != nil {
		return found, err
	}
	err = s.read(ctx, module, func(b []byte) (err error) {
		found, err = registry.Inspect(b)
		return err
	})
	return found, err
}

// CheckPolicy asks the rules ahead of an upload, as if the actor had signed.
func (s *Service) CheckPolicy(ctx context.Context, manifest []byte, module control.Module, tier abi.Tier) ([]abi.Finding, error) {
	actor, err := s.desk.May(ctx, access.CheckModule, access.TheNode)
	if err != nil {
		return nil, err
	}
	m, err := readManifest(manifest)
	if err != nil {
		return nil, err
	}
	r := registry.Release{App: m.Name, Manifest: m, Signer: registry.Signer{Identity: actor.User, Method: registry.MethodIdentity, Trust: "local"}}
	if module != nil {
		inspection, err := s.Inspect(ctx, module)
		if err != nil {
			return nil, err
		}
		if err := m.Fits(inspection); err != nil {
			return nil, err
		}
		r.Digest, r.Size, r.Interface, r.Capabilities = inspection.Digest, inspection.Size, inspection.Interface, r.Manifest.Needs(inspection.Capabilities)
	} else {
		// Without a module, take the manifest at its word.
		r.Interface = abi.InterfaceV1
		r.Capabilities = slices.Sorted(maps.Keys(r.Manifest.Capabilities))
	}
	if tier == "" {
		tier = abi.TierSandbox
	}
	action := governance.ToPublish
	if tier != abi.TierSandbox {
		action = governance.ToPromote
	}
	var q governance.Question
	err = s.desk.View(ctx, func(tx state.Reader) error {
		if err := control.KnowPeople(tx, &r); err != nil {
			return err
		}
		app, err := tx.App(m.Name)
		if err != nil && !errors.Is(err, registry.ErrNotFound) {
			return err
		}
		r.Number = app.Releases + 1 // it would come after all that there are
		q, err = governance.NewQuestion(tx, action, actor.User, tier, r)
		return err
	})
	if err != nil {
		return nil, err
	}
	verdict, err := s.governance.Verdict(ctx, q)
	return verdict.Findings, err
}

// Tiers shows what the policy says about each tier, from the lowest.
func (s *Service) Tiers(ctx context.Context) (all []control.Tier, err error) {
	if _, err := s.desk.May(ctx, access.ReadCatalogue, access.TheNode); err != nil {
		return nil, err
	}
	for _, rules := range s.policy.Tiers() {
		all = append(all, control.TierOf(rules))
	}
	return all, nil
}

// Rules shows the policy in force.
func (s *Service) Rules(ctx context.Context) (map[string]string, error) {
	if _, err := s.desk.May(ctx, access.ReadCatalogue, access.TheNode); err != nil {
		return nil, err
	}
	return s.policy.Rules(), nil
}

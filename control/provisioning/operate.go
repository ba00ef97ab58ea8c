package provisioning

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/state"
)

const (
	maxTTL    = 366 * 24 * time.Hour
	maxTokens = 20 // of one provider
	lastShown = 20 // changes
)

// Provisionings lists the providers that tell who there is, by name, for operators.
func (s *Service) Provisionings(ctx context.Context) (all []control.ProvisioningStatus, err error) {
	if _, err := s.desk.Door(ctx, access.ManagePerson); err != nil {
		return nil, err
	}
	err = s.desk.View(ctx, func(tx state.Reader) error {
		records, err := tx.Provisionings()
		all = make([]control.ProvisioningStatus, len(records))
		for i := range records {
			if err == nil {
				all[i], err = s.status(tx, records[i], 1)
				all[i].Changes = nil
			}
		}
		return err
	})
	return all, err
}

// Provisioning reads one of them, with its last changes.
func (s *Service) Provisioning(ctx context.Context, provider string) (status control.ProvisioningStatus, err error) {
	if _, err := s.desk.Door(ctx, access.ManagePerson); err != nil {
		return status, err
	}
	err = s.desk.View(ctx, func(tx state.Reader) error {
		record, err := tx.Provisioning(provider)
		if err != nil {
			return fmt.Errorf("%.60q: %w", provider, err)
		}
		status, err = s.status(tx, record, lastShown)
		return err
	})
	return status, err
}

// changeKinds are the events of what providers do.
var changeKinds = []string{"user.provisioned", "user.deprovisioned", "user.described", "user.renamed", "user.linked", "people.imported", "group.created", "group.changed", "group.deleted", "group.member_added", "group.member_removed"}

func (s *Service) status(tx state.Reader, record access.Provisioning, changes int) (control.ProvisioningStatus, error) {
	status := control.ProvisioningStatus{Provisioning: record, URL: s.url(record.Provider)}
	people, err := tx.Count(state.CountProvisioned, record.Provider)
	inactive, inactiveErr := tx.Count(state.CountDeprovisioned, record.Provider)
	tokens, tokensErr := tokensOf(tx, record.Provider)
	by := access.ProvisioningActor(record.Provider)
	events, _, eventsErr := tx.Events(state.EventQuery{Newest: true, Kinds: changeKinds, Limit: changes}, func(e abi.Event) (bool, error) {
		return e.Actor == by || e.Detail["provider"] == record.Provider || (e.Kind == "people.imported" && e.Subject == record.Provider), nil
	})
	status.People, status.Inactive, status.Tokens, status.Changes = people.N, inactive.N, len(tokens), events[:min(len(events), changes)]
	for _, t := range tokens {
		if t.Used.After(status.Used) {
			status.Used = t.Used
		}
	}
	if len(events) > 0 {
		status.Changed = events[0].At
	}
	return status, errors.Join(err, inactiveErr, tokensErr, eventsErr)
}

func tokensOf(tx state.Reader, provider string) ([]access.Credential, error) {
	all, _, err := tx.CredentialsPart(access.ProvisioningActor(provider), access.KindProvisioning, state.Part{Limit: -1})
	return all, err
}

// ProvisioningTokens lists the tokens of a provider, oldest first.
func (s *Service) ProvisioningTokens(ctx context.Context, provider string) (tokens []access.Credential, err error) {
	if _, err := s.desk.Door(ctx, access.ManagePerson); err != nil {
		return nil, err
	}
	err = s.desk.View(ctx, func(tx state.Reader) (err error) {
		if _, err := tx.Provisioning(provider); err != nil {
			return fmt.Errorf("%.60q: %w", provider, err)
		}
		tokens, err = tokensOf(tx, provider)
		return err
	})
	for i := range tokens {
		tokens[i].Hash = "" // of no use outside
	}
	return tokens, err
}

// NewProvisioningToken lets a provider in. The first token of a provider makes it known.
func (s *Service) NewProvisioningToken(ctx context.Context, t control.NewProvisioningToken) (string, access.Credential, error) {
	actor, err := s.desk.Door(ctx, access.ManagePerson)
	if err != nil {
		return "", access.Credential{}, err
	}
	if err := access.CheckProvider(t.Provider); err != nil {
		return "", access.Credential{}, err
	}
	if t.TTL < 0 || t.TTL > maxTTL || len(t.Label) > 100 {
		return "", access.Credential{}, fmt.Errorf("a token lives at most 366 days and its label has at most 100 bytes: %w", access.ErrProvisioning)
	}
	secret, hash := access.NewSecret(access.KindProvisioning)
	now := s.desk.Now().UTC()
	c := access.Credential{ID: hash[:12], Hash: hash, Kind: access.KindProvisioning, User: access.ProvisioningActor(t.Provider), Label: t.Label, Created: now}
	if t.TTL > 0 {
		c.Expires = now.Add(t.TTL)
	}
	c = c.Within(actor.Parent, actor.Until)
	_, err = s.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		if err := s.known(tx, t.Provider, actor.User); err != nil {
			return err
		}
		tokens, err := tokensOf(tx, t.Provider)
		if err == nil && len(tokens) >= maxTokens {
			err = fmt.Errorf("%s has %d tokens, and no provider has more: revoke those that are not used: %w", t.Provider, len(tokens), access.ErrProvisioning)
		}
		if err != nil {
			return err
		}
		tx.Emit("provisioning.token_created", "", t.Provider, map[string]string{"id": c.ID, "label": t.Label})
		return tx.PutCredential(c)
	})
	c.Hash = ""
	return secret, c, err
}

// known makes sure that a provider has a record.
func (s *Service) known(tx state.Tx, provider, by string) error {
	_, err := tx.Provisioning(provider)
	if !errors.Is(err, access.ErrNotFound) {
		return err
	}
	all, err := tx.Provisionings()
	if err == nil && len(all) >= access.MaxProviders {
		err = fmt.Errorf("there are %d providers, and there cannot be more: %w", len(all), access.ErrProvisioning)
	}
	if err != nil {
		return err
	}
	return tx.PutProvisioning(access.Provisioning{Provider: provider, Created: s.desk.Now().UTC(), By: by})
}

// RevokeProvisioningToken ends a token of a provider. The people of whom it told stay.
func (s *Service) RevokeProvisioningToken(ctx context.Context, provider, id string) error {
	actor, err := s.desk.Door(ctx, access.ManagePerson)
	if err != nil {
		return err
	}
	_, err = s.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		tokens, err := tokensOf(tx, provider)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(tokens, func(c access.Credential) bool { return c.ID == id })
		if i < 0 {
			return fmt.Errorf("token %.60q of %.60q: %w", id, provider, access.ErrNoToken)
		}
		tx.Emit("provisioning.token_revoked", "", provider, map[string]string{"id": id})
		return access.Revoke(tx, tokens[i])
	})
	return err
}

// LinkPerson says that a provider's person is one who is here: what no name may say by itself.
func (s *Service) LinkPerson(ctx context.Context, provider string, l control.ProvisioningLink) (p access.Provisioned, err error) {
	actor, err := s.desk.Door(ctx, access.ManagePerson)
	if err != nil {
		return p, err
	}
	_, err = s.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		if _, err := tx.Provisioning(provider); err != nil {
			return fmt.Errorf("%.60q: %w", provider, err)
		}
		p = access.Provisioned{Provider: provider, Person: l.Person, External: l.External, UserName: l.UserName}
		var err error
		if p, err = access.LinkProvisioned(tx, p, s.desk.Now()); err != nil {
			return err
		}
		tx.Emit("user.linked", "", p.Person, map[string]string{"provider": provider, "user_name": p.UserName, "external": p.External})
		return forgetConflict(tx, p)
	})
	return p, err
}

// DismissConflict forgets a conflict. One that is met again comes back.
func (s *Service) DismissConflict(ctx context.Context, provider, userName string) error {
	actor, err := s.desk.Door(ctx, access.ManagePerson)
	if err != nil {
		return err
	}
	_, err = s.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		record, err := tx.Provisioning(provider)
		if err == nil && !record.Over(userName, "") {
			err = access.ErrNotProvisioned
		}
		if err != nil {
			return fmt.Errorf("%.60q of %.60q: %w", userName, provider, err)
		}
		tx.Emit("provisioning.dismissed", "", provider, map[string]string{"user_name": fmt.Sprintf("%.200s", userName)})
		return tx.PutProvisioning(record)
	})
	return err
}

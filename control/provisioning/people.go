package provisioning

import (
	"context"
	"errors"
	"fmt"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/control/people"
	"github.com/agora-host/agora/state"
)

// AddPerson makes a person of whom the provider that acts tells, or has one whom it deleted come back.
func (s *Service) AddPerson(ctx context.Context, p access.Provisioned) (made control.ProvisionedPerson, err error) {
	p.Person = ""
	return s.store(ctx, func(state.Tx, string) (access.Provisioned, error) { return p, nil })
}

// ChangePerson changes a person of the provider that acts into what change returns, which may be called
// more than once. It is called with the person as it is, in the transaction.
func (s *Service) ChangePerson(ctx context.Context, id string, change func(control.ProvisionedPerson) (access.Provisioned, error)) (control.ProvisionedPerson, error) {
	return s.store(ctx, func(tx state.Tx, provider string) (p access.Provisioned, err error) {
		was, err := person(tx, provider, id)
		if err != nil {
			return p, err
		}
		if p, err = change(was); err != nil {
			return p, err
		}
		p.Person, p.Deleted = was.Person, was.Deleted
		return p, nil
	})
}

// store stores the person that wanted returns. Whom they meet is noted for an operator.
func (s *Service) store(ctx context.Context, wanted func(state.Tx, string) (access.Provisioned, error)) (stored control.ProvisionedPerson, err error) {
	var p access.Provisioned
	fresh := access.NewPersonID()
	err = s.update(ctx, func(tx state.Tx, provider string) (err error) {
		if p, err = wanted(tx, provider); err != nil {
			return err
		}
		p.Provider = provider
		var ch access.ProvisionedChange
		if stored.Provisioned, ch, err = access.StoreProvisioned(tx, p, fresh, s.desk.Now()); err != nil {
			return err
		}
		if stored, err = identified(tx, stored.Provisioned); err != nil {
			return err
		}
		if ch.Same() {
			return errSame
		}
		emitChange(tx, stored.Provisioned, ch)
		return forgetConflict(tx, p)
	})
	if meets, ok := errors.AsType[*access.MeetsError](err); ok {
		return stored, errors.Join(err, s.noteConflict(ctx, p, meets))
	}
	return stored, err
}

// RemovePerson ends a person whom the provider that acts deletes. check, which may be called more than
// once, returns an error if it is not to be done.
func (s *Service) RemovePerson(ctx context.Context, id string, check func(control.ProvisionedPerson) error) error {
	return s.update(ctx, func(tx state.Tx, provider string) error {
		was, err := person(tx, provider, id)
		if err != nil {
			return err
		}
		if err := check(was); err != nil {
			return err
		}
		// What the provider told goes; what is left says who comes back if they are made again.
		gone := access.Provisioned{Provider: provider, Person: was.Person, External: was.External, UserName: was.UserName, Deleted: s.desk.Now().UTC()}
		gone, ch, err := access.StoreProvisioned(tx, gone, "", s.desk.Now())
		if err != nil {
			return err
		}
		emitChange(tx, gone, ch)
		return leaveAll(tx, gone)
	})
}

// leaveAll ends the memberships that a person has in groups of the provider who deleted them.
func leaveAll(tx state.Tx, p access.Provisioned) error {
	ids, err := tx.GroupsOf(p.Person)
	for _, id := range ids {
		var g access.Group
		if err == nil {
			g, err = tx.Group(id)
		}
		if err == nil && g.Source == p.Provider {
			err = people.Leave(tx, g, p.Person)
		}
	}
	return err
}

// emitChange says what came of a change of a person.
func emitChange(tx state.Tx, p access.Provisioned, ch access.ProvisionedChange) {
	detail := map[string]string{"provider": p.Provider}
	if ch.Was != "" && ch.Was != ch.Is {
		tx.Emit("user.renamed", "", ch.Is, map[string]string{"was": ch.Was, "name": ch.Is})
	}
	switch {
	case !p.Deleted.IsZero():
		detail["how"] = "deleted"
		tx.Emit("user.deprovisioned", "", ch.Is, detail)
	case ch.Ended:
		detail["how"] = "inactive"
		tx.Emit("user.deprovisioned", "", ch.Is, detail)
	case ch.New, ch.Back, ch.Enabled:
		tx.Emit("user.provisioned", "", ch.Is, detail)
	default:
		tx.Emit("user.described", "", ch.Is, detail)
	}
}

// forgetConflict forgets what stood in the way of a person who is stored now.
func forgetConflict(tx state.Tx, p access.Provisioned) error {
	record, err := tx.Provisioning(p.Provider)
	if errors.Is(err, access.ErrNotFound) || (err == nil && !record.Over(p.UserName, p.External)) {
		return nil
	}
	if err != nil {
		return err
	}
	return tx.PutProvisioning(record)
}

// noteConflict keeps, for an operator, that a provider's person meets another. What a provider tries
// again and again is not written each time.
func (s *Service) noteConflict(ctx context.Context, p access.Provisioned, meets *access.MeetsError) error {
	c := access.Conflict{UserName: fmt.Sprintf("%.200s", p.UserName), External: fmt.Sprintf("%.200s", p.External), Person: meets.Person, Why: meets.Why, Last: s.desk.Now().UTC()}
	return s.update(ctx, func(tx state.Tx, provider string) error {
		record, err := tx.Provisioning(provider)
		if err != nil {
			return err
		}
		if !record.Met(c) {
			return errSame
		}
		tx.Emit("provisioning.conflict", "", provider, map[string]string{"user_name": c.UserName, "why": c.Why})
		return tx.PutProvisioning(record)
	})
}

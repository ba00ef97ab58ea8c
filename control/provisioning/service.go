package provisioning

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/state"
)

// Options are what a Service needs.
type Options struct {
	Desk *control.Desk
	// URL returns what a provider is given as the address of its front door.
	URL func(provider string) string
	// Rules returns what gives roles by groups, which change with who is in them. Default: nothing does.
	Rules func() access.RoleRules
}

// Service keeps the people of providers. Its methods for providers ask whether the actor is one.
type Service struct {
	desk  *control.Desk
	url   func(provider string) string
	rules func() access.RoleRules
}

// New makes a Service.
func New(o Options) *Service {
	if o.Rules == nil {
		o.Rules = func() access.RoleRules { return access.RoleRules{} }
	}
	return &Service{o.Desk, o.URL, o.Rules}
}

// usedEvery is how exactly it is kept when a provider came last: a note is a write.
const usedEvery = time.Hour

// Authenticate returns the provider that holds a secret.
func (s *Service) Authenticate(ctx context.Context, secret string) (access.Actor, error) {
	var actor access.Actor
	var stale bool
	now := s.desk.Now().UTC()
	err := s.desk.View(ctx, func(tx state.Reader) (err error) {
		if actor, err = access.AuthenticateProvider(tx, secret, now); err != nil {
			return err
		}
		c, err := tx.CredentialByHash(actor.Credential)
		stale = now.Sub(c.Used) >= usedEvery
		return err
	})
	if err == nil && stale {
		at := map[string]time.Time{actor.Credential: now.Truncate(usedEvery)}
		if err := s.desk.Store.TokensUsed(ctx, at); err != nil {
			s.desk.Logger.ErrorContext(ctx, "when a provider came last cannot be kept", "provider", actor.Provider(), "err", err)
		}
	}
	return actor, err
}

// provider returns which provider acts.
func provider(ctx context.Context) (string, error) {
	name := access.ActorFrom(ctx).Provider()
	if name == "" {
		return "", access.ErrUnauthenticated
	}
	return name, nil
}

// errSame ends a transaction in which nothing changed: it makes no revision.
var errSame = errors.New("nothing changed")

// update changes something in the name of the provider that acts.
func (s *Service) update(ctx context.Context, change func(tx state.Tx, provider string) error) error {
	name, err := provider(ctx)
	if err != nil {
		return err
	}
	_, err = s.desk.Update(ctx, access.ProvisioningActor(name), func(tx state.Tx) error { return change(tx, name) })
	if errors.Is(err, errSame) {
		return nil
	}
	return err
}

// lacksAny tells apart an id that leads to no person from what went wrong.
func lacksAny(err error) error {
	if errors.Is(err, access.ErrNotFound) {
		return access.ErrNotProvisioned
	}
	return err
}

// Person reads a person of the provider that acts, by the id here.
func (s *Service) Person(ctx context.Context, id string) (p control.ProvisionedPerson, err error) {
	name, err := provider(ctx)
	if err != nil {
		return p, err
	}
	err = s.desk.View(ctx, func(tx state.Reader) (err error) {
		p, err = person(tx, name, id)
		return err
	})
	return p, err
}

// person reads one who is not deleted.
func person(tx state.Reader, provider, id string) (p control.ProvisionedPerson, err error) {
	if !access.IsPersonID(id) { // names lead to people, too, and are no ids
		return p, access.ErrNotProvisioned
	}
	if p.Provisioned, err = tx.Provisioned(provider, id); err != nil {
		return p, lacksAny(err)
	}
	if !p.Deleted.IsZero() {
		return p, access.ErrNotProvisioned
	}
	return identified(tx, p.Provisioned)
}

// identified adds the id that a provider knows a person by.
func identified(tx state.Reader, p access.Provisioned) (control.ProvisionedPerson, error) {
	who, err := tx.Person(p.Person)
	return control.ProvisionedPerson{ID: who.ID, Provisioned: p}, err
}

// mostLooks is how many people one search looks at, at most.
const mostLooks = 50_000

// looksAtOnce is how many of them are in memory at a time.
const looksAtOnce = 500

// People lists people of the provider that acts, those for which keep returns true (nil: all), and
// returns how many there are in all.
func (s *Service) People(ctx context.Context, q control.ProvisionedQuery, keep func(control.ProvisionedPerson) bool) (found []control.ProvisionedPerson, total int, err error) {
	name, err := provider(ctx)
	if err != nil {
		return nil, 0, err
	}
	err = s.desk.View(ctx, func(tx state.Reader) (err error) {
		found, total, err = selected(tx, name, q, keep)
		return err
	})
	return found, total, err
}

func selected(tx state.Reader, provider string, q control.ProvisionedQuery, keep func(control.ProvisionedPerson) bool) ([]control.ProvisionedPerson, int, error) {
	if q.Key != "" {
		one, err := lookUp(tx, provider, q)
		if errors.Is(err, access.ErrNotFound) || (err == nil && keep != nil && !keep(one)) {
			return nil, 0, nil
		}
		return cut([]control.ProvisionedPerson{one}, q), 1, err
	}
	if keep == nil {
		count, err := tx.Count(state.CountProvisioned, provider)
		if err != nil {
			return nil, 0, err
		}
		part, err := tx.ProvisionedFrom(provider, q.Skip, q.Limit)
		if err != nil {
			return nil, 0, err
		}
		found, err := identifiedAll(tx, part)
		return found, int(count.N), err
	}
	return search(tx, provider, q, keep)
}

// search looks at all people of a provider.
func search(tx state.Reader, provider string, q control.ProvisionedQuery, keep func(control.ProvisionedPerson) bool) (found []control.ProvisionedPerson, total int, err error) {
	for looked := 0; ; looked += looksAtOnce {
		if looked >= mostLooks {
			return nil, 0, fmt.Errorf("it would look at more than %d people: search by id, userName or externalId: %w", mostLooks, control.ErrTooMany)
		}
		part, err := tx.ProvisionedFrom(provider, looked, looksAtOnce)
		if err != nil {
			return nil, 0, err
		}
		all, err := identifiedAll(tx, part)
		if err != nil {
			return nil, 0, err
		}
		for _, p := range all {
			if !keep(p) {
				continue
			}
			if total++; total > q.Skip && len(found) < q.Limit {
				found = append(found, p)
			}
		}
		if len(part) < looksAtOnce {
			return found, total, nil
		}
	}
}

func identifiedAll(tx state.Reader, part []access.Provisioned) ([]control.ProvisionedPerson, error) {
	all := make([]control.ProvisionedPerson, len(part))
	for i, p := range part {
		var err error
		if all[i], err = identified(tx, p); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// cut is the part of a short list that a query asks for.
func cut[T any](all []T, q control.ProvisionedQuery) []T {
	all = all[min(q.Skip, len(all)):]
	return all[:min(q.Limit, len(all))]
}

// lookUp finds the one person whom a query names.
func lookUp(tx state.Reader, provider string, q control.ProvisionedQuery) (p control.ProvisionedPerson, err error) {
	switch q.Key {
	case control.ByID:
		return person(tx, provider, q.Value)
	case control.ByExternal:
		p.Provisioned, err = tx.ProvisionedAs(provider, q.Value)
	default:
		p.Provisioned, err = tx.ProvisionedNamed(provider, q.Value)
	}
	if err == nil && !p.Deleted.IsZero() {
		err = access.ErrNotProvisioned
	}
	if err != nil {
		return p, lacksAny(err)
	}
	return identified(tx, p.Provisioned)
}

package governance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// Audiences says who may open apps.
type Audiences struct {
	*Judge
	service   *Service // whose requests open apps to everybody
	given     access.AudienceDefaults
	addresses Addresses
}

// NewAudiences makes an Audiences of a service with its options.
func NewAudiences(s *Service, o Options) *Audiences {
	return &Audiences{Judge: s.Judge, service: s, given: o.Audience, addresses: o.Addresses}
}

// Audiences returns who may open each tier of an app, from the lowest.
func (s *Audiences) Audiences(ctx context.Context, app string) (all []control.Audience, err error) {
	err = s.desk.View(ctx, func(tx state.Reader) error {
		all = nil
		for _, tier := range abi.Tiers() {
			one, err := s.AudienceIn(tx, access.ActorFrom(ctx), app, tier)
			if err != nil {
				return err
			}
			all = append(all, one)
		}
		return nil
	})
	return all, err
}

// Audience returns who may open one tier of an app.
func (s *Audiences) Audience(ctx context.Context, app string, tier abi.Tier) (one control.Audience, err error) {
	err = s.desk.View(ctx, func(tx state.Reader) (err error) {
		one, err = s.AudienceIn(tx, access.ActorFrom(ctx), app, tier)
		return err
	})
	return one, err
}

// AudienceIn is Audience in one state.
func (s *Audiences) AudienceIn(tx state.Reader, actor access.Actor, name string, tier abi.Tier) (one control.Audience, err error) {
	if err := access.Require(actor, access.Door(access.ReadAudience)...); err != nil {
		return one, err
	}
	app, err := tx.App(name)
	if err != nil {
		return one, fmt.Errorf("app %q: %w", name, err)
	}
	if err := control.MayApp(actor, access.ReadAudience, app); err != nil {
		return one, err
	}
	if tier.Rank() < 0 {
		return one, fmt.Errorf("tier %.40q: %w", tier, registry.ErrNotFound)
	}
	if one.Audience, err = access.AudienceOf(tx, name, tier, s.given); err != nil {
		return one, err
	}
	one.Set = !one.At.IsZero() || one.By != ""
	for _, id := range one.Groups {
		g, err := tx.Group(id)
		if errors.Is(err, access.ErrNotFound) { // it was deleted, and nobody is in it
			g, err = access.Group{Name: id}, nil
		}
		if err != nil {
			return one, err
		}
		one.GroupNames = append(one.GroupNames, g.Name)
	}
	one.Waiting, err = waitingAudience(tx, name, tier)
	return one, err
}

// waitingAudience returns the open request to open a tier to everybody; "" if there is none.
func waitingAudience(tx state.Reader, app string, tier abi.Tier) (string, error) {
	open, err := tx.OpenRequests(app, approvals.KindAudience)
	i := slices.IndexFunc(open, func(q approvals.Request) bool { return q.Tier == tier })
	if err != nil || i < 0 {
		return "", err
	}
	return open[i].ID, nil
}

// SetAudience says who may open a tier of an app. AudiencePublic takes a request that a reviewer approves:
// what is returned names it, and the audience is what it was until then.
func (s *Audiences) SetAudience(ctx context.Context, a access.Audience, reason string) (control.Audience, error) {
	actor, err := s.desk.Door(ctx, access.SetAudience)
	if err != nil {
		return control.Audience{}, err
	}
	if a, err = access.CheckAudience(a); err != nil {
		return control.Audience{}, err
	}
	if err := s.addresses.KeepsSignIn(s.addresses.AppHost(a.App)); err != nil && a.Restricted() {
		return control.Audience{}, fmt.Errorf("%w: %w", access.ErrBadAudience, err)
	}
	a.By, a.At = actor.User, s.desk.Now().UTC()
	if a.Kind == access.AudiencePublic {
		err = s.askPublic(ctx, actor, a, reason)
	} else {
		err = s.narrow(ctx, actor, a)
	}
	if err != nil {
		return control.Audience{}, err
	}
	return s.Audience(ctx, a.App, a.Tier)
}

// narrow sets an audience that is the owner's own decision. A request for more is taken back.
func (s *Audiences) narrow(ctx context.Context, actor access.Actor, a access.Audience) error {
	named := a.Groups
	_, err := s.desk.Update(ctx, actor.User, func(tx state.Tx) (err error) {
		if err := mayAudience(tx, actor, a.App); err != nil {
			return err
		}
		for _, name := range a.People {
			if _, err := tx.User(name); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		if a.Groups, err = groupIDs(tx, named); err != nil {
			return err
		}
		waiting, err := waitingAudience(tx, a.App, a.Tier)
		if err != nil {
			return err
		}
		if waiting != "" {
			q, err := tx.Request(waiting)
			if err != nil {
				return err
			}
			q.Status, q.Turn, q.Decision = approvals.StatusWithdrawn, approvals.TurnOver, &approvals.Decision{By: actor.User, At: s.desk.Now().UTC(), Reason: "the audience was set otherwise"}
			tx.Emit("request.withdrawn", a.App, waiting, map[string]string{"reason": q.Decision.Reason})
			if err := tx.PutRequest(q); err != nil {
				return err
			}
		}
		return putAudience(tx, a, s.given)
	})
	return err
}

// groupIDs returns the ids of groups that are named by their ids or names.
func groupIDs(tx state.Reader, named []string) (ids []string, err error) {
	for _, text := range named {
		g, err := access.FindGroup(tx, text)
		if err != nil {
			return nil, fmt.Errorf("group %.80q: %w", text, err)
		}
		ids = append(ids, g.ID)
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

func mayAudience(tx state.Reader, actor access.Actor, name string) error {
	app, err := tx.App(name)
	if err != nil {
		return fmt.Errorf("app %q: %w", name, err)
	}
	return control.MayApp(actor, access.SetAudience, app)
}

// putAudience stores an audience, with an event for each person and group that it names anew or no more.
func putAudience(tx state.Tx, a access.Audience, given access.AudienceDefaults) error {
	was, err := access.AudienceOf(tx, a.App, a.Tier, given)
	if err != nil {
		return err
	}
	tx.Emit("audience.changed", a.App, string(a.Tier), map[string]string{"kind": string(a.Kind), "was": string(was.Kind)})
	detail := map[string]string{"tier": string(a.Tier)}
	for _, person := range without(a.People, was.People) {
		tx.Emit("audience.person_added", a.App, person, detail)
	}
	for _, person := range without(was.People, a.People) {
		tx.Emit("audience.person_removed", a.App, person, detail)
	}
	for _, group := range without(a.Groups, was.Groups) {
		tx.Emit("audience.group_added", a.App, group, detail)
	}
	for _, group := range without(was.Groups, a.Groups) {
		tx.Emit("audience.group_removed", a.App, group, detail)
	}
	return tx.PutAudience(a)
}

// without returns those that are not among others.
func without(these, others []string) []string {
	return slices.DeleteFunc(slices.Clone(these), func(one string) bool { return slices.Contains(others, one) })
}

// askPublic asks a reviewer to open a tier to everybody. The request is about the release that serves
// the tier now or, if none does, the newest.
func (s *Audiences) askPublic(ctx context.Context, actor access.Actor, a access.Audience, reason string) error {
	about := func(tx state.Reader) (q Question, err error) {
		if err := mayAudience(tx, actor, a.App); err != nil {
			return q, err
		}
		was, err := access.AudienceOf(tx, a.App, a.Tier, s.given)
		if err == nil && was.Kind == access.AudiencePublic {
			err = errPublicAlready
		}
		if err != nil {
			return q, err
		}
		r, err := servingOrNewest(tx, a.App, a.Tier)
		if err != nil {
			return q, err
		}
		q, err = NewQuestion(tx, actionOf(approvals.KindAudience, a.Tier), actor.User, a.Tier, r)
		q.Public = true
		return q, err
	}
	err := s.Judged(ctx, actor.User, about, func(tx state.Tx, q Question, v approvals.Verdict) error {
		request, err := s.service.newRequest(tx, actor, q.Release, approvals.KindAudience, a.Tier)
		if err != nil {
			return err
		}
		request.Reason, request.Findings, request.Requires, request.Stages, request.Policy = reason, v.Findings, v.Requires, v.Stages, v.Policy
		if request, err = approvals.Open(tx, request); err != nil {
			return err
		}
		tx.Emit("request.opened", a.App, request.ID, map[string]string{"kind": string(request.Kind), "tier": string(a.Tier), "release": strconv.Itoa(q.Release.Number)})
		return nil
	})
	if errors.Is(err, errPublicAlready) {
		return nil
	}
	return err
}

// openToAll opens a tier to everybody, as a reviewer approved. What serves there may be another release by
// now than the one that was asked about.
func (s *Service) openToAll(tx state.Tx, actor access.Actor, app registry.App, q approvals.Request) error {
	if number := app.Active[q.Tier]; number > 0 {
		r, err := tx.Release(app.Name, number)
		if err != nil {
			return err
		}
		if !s.policy.OpenToAll(r.Manifest.Classification) {
			return closed(r, q.Tier)
		}
	}
	return putAudience(tx, access.Audience{App: q.App, Tier: q.Tier, Kind: access.AudiencePublic, Request: q.ID, By: actor.User, At: s.desk.Now().UTC()}, s.given)
}

// errPublicAlready ends a flow that would ask for what is so.
var errPublicAlready = errors.New("it is public")

func servingOrNewest(tx state.Reader, name string, tier abi.Tier) (registry.Release, error) {
	app, err := tx.App(name)
	if err != nil {
		return registry.Release{}, err
	}
	number := app.Active[tier]
	if number == 0 {
		numbers, err := tx.ReleaseNumbers(name)
		if err != nil || len(numbers) == 0 {
			return registry.Release{}, errors.Join(err, fmt.Errorf("app %q: %w", name, registry.ErrNotActive))
		}
		number = numbers[0]
	}
	return tx.Release(name, number)
}

// OpenByNode has a tier of an app be public without a request: for anyone who holds the data directory, such
// as the command that starts a node of one's own.
func (s *Audiences) OpenByNode(ctx context.Context, app string, tier abi.Tier) error {
	_, err := s.desk.Update(ctx, "node", func(tx state.Tx) error {
		if _, err := tx.App(app); err != nil {
			return fmt.Errorf("app %q: %w", app, err)
		}
		return putAudience(tx, access.Audience{App: app, Tier: tier, Kind: access.AudiencePublic, By: "node", At: s.desk.Now().UTC()}, s.given)
	})
	return err
}

// Ask asks for access to a tier of an app, in the name of a person who is not admitted to it.
func (s *Audiences) Ask(ctx context.Context, actor access.Actor, name string, tier abi.Tier) error {
	if tier.Rank() < 0 {
		return fmt.Errorf("tier %.40q: %w", tier, registry.ErrNotFound)
	}
	_, err := s.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		app, err := tx.App(name)
		if err != nil {
			return fmt.Errorf("app %q: %w", name, err)
		}
		if err := access.May(actor, access.AskAccess, control.OfApp(app)); err != nil {
			return err
		}
		a, err := access.AudienceOf(tx, name, tier, s.given)
		if err != nil {
			return err
		}
		if a.Admits(actor, control.OfApp(app)) {
			return fmt.Errorf("%s is for %s: %w", name, a.Words(), access.ErrAccessThere)
		}
		last, err := lastAsked(tx, name, tier, actor.User)
		if err != nil {
			return err
		}
		if err := access.MayAsk(last, s.desk.Now()); err != nil {
			return err
		}
		tx.Emit("audience.access_requested", name, actor.User, map[string]string{"tier": string(tier)})
		return tx.PutAccessRequest(access.AccessRequest{App: name, Tier: tier, Person: actor.User, At: s.desk.Now().UTC(), Status: access.AccessOpen})
	})
	return err
}

// AskAccess is Ask of who acts, about the highest tier that serves if none is named.
func (s *Audiences) AskAccess(ctx context.Context, name string, tier abi.Tier) (q access.AccessRequest, err error) {
	actor, err := s.desk.Door(ctx, access.AskAccess)
	if err != nil {
		return q, err
	}
	if tier == "" {
		if tier, err = s.highest(ctx, name); err != nil {
			return q, err
		}
	}
	if err := s.Ask(ctx, actor, name, tier); err != nil {
		return q, err
	}
	err = s.desk.View(ctx, func(tx state.Reader) (err error) {
		q, err = tx.AccessRequest(name, tier, actor.User)
		return err
	})
	return q, err
}

// highest returns the highest tier that an app serves; the sandbox if it serves none.
func (s *Audiences) highest(ctx context.Context, name string) (tier abi.Tier, err error) {
	err = s.desk.View(ctx, func(tx state.Reader) error {
		app, err := tx.App(name)
		if err != nil {
			return fmt.Errorf("app %q: %w", name, err)
		}
		if tier = abi.TierSandbox; err == nil {
			if serving, _, ok := app.Serving(); ok {
				tier = serving
			}
		}
		return nil
	})
	return tier, err
}

func lastAsked(tx state.Reader, app string, tier abi.Tier, person string) (*access.AccessRequest, error) {
	q, err := tx.AccessRequest(app, tier, person)
	if errors.Is(err, access.ErrNotFound) {
		return nil, nil
	}
	return &q, err
}

// AccessRequests lists the requests for access to an app, those that wait first, then the latest.
func (s *Audiences) AccessRequests(ctx context.Context, name string) (all []access.AccessRequest, err error) {
	actor, err := s.desk.Door(ctx, access.ReadAudience)
	if err != nil {
		return nil, err
	}
	err = s.desk.View(ctx, func(tx state.Reader) error {
		app, err := tx.App(name)
		if err != nil {
			return fmt.Errorf("app %q: %w", name, err)
		}
		if err := control.MayApp(actor, access.ReadAudience, app); err != nil {
			return err
		}
		all, err = tx.AccessRequests(name)
		return err
	})
	slices.SortStableFunc(all, func(a, b access.AccessRequest) int {
		if open := a.Status == access.AccessOpen; open != (b.Status == access.AccessOpen) {
			if open {
				return -1
			}
			return 1
		}
		return b.At.Compare(a.At)
	})
	return all, err
}

// AnswerAccess decides about a person's request for access. Granting it adds the person to the audience
// at once.
func (s *Audiences) AnswerAccess(ctx context.Context, app string, tier abi.Tier, person string, grant bool, reason string) (q access.AccessRequest, err error) {
	actor, err := s.desk.Door(ctx, access.SetAudience)
	if err != nil {
		return q, err
	}
	if person, err = access.CanonicalName(person); err != nil {
		return q, err
	}
	_, err = s.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		if err := mayAudience(tx, actor, app); err != nil {
			return err
		}
		if q, err = tx.AccessRequest(app, tier, person); err != nil {
			return fmt.Errorf("%s and the %s tier of %s: %w", person, tier, app, err)
		}
		if q, err = q.Decide(grant, actor.User, reason, s.desk.Now().UTC()); err != nil {
			return err
		}
		if !grant {
			tx.Emit("audience.access_refused", app, person, map[string]string{"tier": string(tier), "reason": q.Reason})
			return tx.PutAccessRequest(q)
		}
		tx.Emit("audience.access_granted", app, person, map[string]string{"tier": string(tier)})
		a, err := access.AudienceOf(tx, app, tier, s.given)
		if err != nil {
			return err
		}
		a = a.With(person)
		if a, err = access.CheckAudience(a); err != nil {
			return err
		}
		a.By, a.At = actor.User, s.desk.Now().UTC()
		return errors.Join(putAudience(tx, a, s.given), tx.PutAccessRequest(q))
	})
	return q, err
}

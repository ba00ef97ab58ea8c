package people

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/state"
)

// Delegations say who decides in the place of reviewers who are away. They are safe for concurrent use.
type Delegations struct{ desk *control.Desk }

// NewDelegations makes Delegations.
func NewDelegations(desk *control.Desk) *Delegations { return &Delegations{desk} }

// List lists the delegations of a person, "" for the actor, and those to that person, the earliest first.
func (s *Delegations) List(ctx context.Context, person string, p control.Page) (page control.Items[control.ShownDelegation], err error) {
	actor := access.ActorFrom(ctx)
	if person, err = access.CanonicalName(cmp.Or(person, actor.User)); err != nil {
		return page, err
	}
	if err := access.May(actor, access.ReadDelegations, access.Person(person)); err != nil {
		return page, err
	}
	err = s.desk.View(ctx, func(tx state.Reader) error {
		u, err := tx.User(person)
		if err != nil {
			return fmt.Errorf("user %.80q: %w", person, err)
		}
		var all []control.ShownDelegation
		for _, name := range append([]string{u.Name}, u.DecidesFor...) {
			from, err := tx.User(name)
			if err != nil {
				return err
			}
			for _, d := range from.Delegations {
				if now := s.desk.Now(); now.Before(d.Until) && (from.Name == u.Name || d.To == u.Name) {
					why, err := d.Stands(tx, from, now)
					if err != nil {
						return err
					}
					all = append(all, control.ShownDelegation{Delegation: d, By: from.Name, Holds: why == "", Why: why})
				}
			}
		}
		slices.SortStableFunc(all, func(a, b control.ShownDelegation) int { return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.ID, b.ID)) })
		page, err = control.Cut(p, all, func(d control.ShownDelegation) string { return d.From.Format(time.RFC3339Nano) + d.ID })
		return err
	})
	return page, err
}

// Delegate has another person decide in the actor's place or, if it names nobody, notes that the actor is away.
func (s *Delegations) Delegate(ctx context.Context, n control.NewDelegation) (made control.ShownDelegation, err error) {
	actor, err := s.desk.Door(ctx, access.Delegate)
	if err != nil {
		return made, err
	}
	if err := access.May(actor, access.Delegate, access.Person(actor.User)); err != nil {
		return made, err
	}
	to := ""
	if n.To != "" {
		if to, err = access.CanonicalName(n.To); err != nil {
			return made, err
		}
	}
	id := access.NewDelegationID()
	_, err = s.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		d, err := access.AddDelegation(tx, actor.User, access.Delegation{ID: id, To: to, Concerns: n.Concerns, From: n.From, Until: n.Until, Reason: n.Reason}, s.desk.Now())
		if err != nil {
			return err
		}
		detail := map[string]string{"delegation": d.ID, "starts": d.From.Format(time.RFC3339), "until": d.Until.Format(time.RFC3339), "reason": d.Reason}
		if len(d.Concerns) > 0 {
			detail["concerns"] = words(d.Concerns)
		}
		if d.IsAbsence() {
			tx.Emit("delegation.away", "", actor.User, detail)
		} else {
			detail["person"] = d.To
			tx.Emit("delegation.made", "", actor.User, detail)
		}
		from, err := tx.User(actor.User)
		if err != nil {
			return err
		}
		why, err := d.Stands(tx, from, s.desk.Now())
		made = control.ShownDelegation{Delegation: d, By: from.Name, Holds: why == "", Why: why}
		return err
	})
	return made, err
}

// EndDelegation ends one of a person, "" for the actor, before its time.
func (s *Delegations) EndDelegation(ctx context.Context, person, id string) error {
	actor, err := s.desk.Door(ctx, access.EndDelegations)
	if err != nil {
		return err
	}
	if person, err = access.CanonicalName(cmp.Or(person, actor.User)); err != nil {
		return err
	}
	if err := access.May(actor, access.EndDelegations, access.Person(person)); err != nil {
		return err
	}
	_, err = s.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		d, err := access.EndDelegation(tx, person, id, s.desk.Now())
		if err != nil {
			return err
		}
		if d.IsAbsence() {
			tx.Emit("delegation.back", "", person, map[string]string{"delegation": d.ID})
			return nil
		}
		tx.Emit("delegation.ended", "", person, map[string]string{"person": d.To, "delegation": d.ID})
		return nil
	})
	return err
}

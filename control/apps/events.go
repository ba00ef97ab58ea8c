package apps

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// Events reads the changes that the actor may see. Of those none is left out, and a revision is
// there as a whole, so that who asks again after the last revision misses nothing.
func (o *Observer) Events(ctx context.Context, f control.EventFilter, p control.Page) (all control.Items[abi.Event], err error) {
	actor, err := o.desk.May(ctx, access.ReadCatalogue, access.TheNode)
	if err != nil {
		return all, err
	}
	err = o.desk.View(ctx, func(tx state.Reader) (err error) {
		sees := Eyes(tx, actor)
		wanted := func(e abi.Event) (bool, error) {
			if !f.Keeps(e) {
				return false, nil
			}
			return sees(e)
		}
		all, err = control.Part(p, func(p state.Part) ([]abi.Event, []byte, error) {
			q, err := eventQuery(f, p)
			if err != nil {
				return nil, nil, err
			}
			found, next, err := tx.Events(q, wanted)
			if next == 0 {
				return found, nil, err
			}
			return found, strconv.AppendUint(nil, uint64(next), 10), err
		})
		return err
	})
	return all, err
}

// eventQuery asks for a part of the events. A place in their list is a revision, since what one
// revision did stays together.
func eventQuery(f control.EventFilter, p state.Part) (state.EventQuery, error) {
	q := state.EventQuery{App: f.App, Kinds: f.Kinds, Newest: f.Newest, Limit: p.Limit}
	if p.After == nil && !f.Newest {
		q.After = f.After
	}
	if p.After != nil {
		n, err := strconv.ParseUint(string(p.After), 10, 64)
		if err != nil {
			return q, &control.ParameterError{Name: "cursor", Why: fmt.Sprintf(`is what the page before gave as "next", not %.40q`, p.After)}
		}
		if q.After = abi.Rev(n); f.Newest {
			q.After, q.Before = 0, abi.Rev(n)
		}
	}
	return q, nil
}

// Eyes reports of events whether an actor may see them, by the audience of their kind.
func Eyes(tx state.Reader, actor access.Actor) func(abi.Event) (bool, error) {
	all := access.Allowed(actor, access.ReadNodeEvents, access.TheNode)
	apps := map[string]bool{}
	return func(e abi.Event) (bool, error) {
		audience := abi.EventKindNamed(e.Kind).Audience
		switch {
		case audience == abi.AudienceEverybody || all:
			return true, nil
		case audience == abi.AudienceConcerned:
			return slices.ContainsFunc([]string{e.Actor, e.Sponsor, e.Subject, e.Detail["sponsor"], e.Detail["identity"], e.Detail["person"]}, func(person string) bool {
				return access.Allowed(actor, access.ReadPersonsEvents, access.Person(person))
			}), nil
		case audience != abi.AudienceApp:
			return false, nil
		}
		may, known := apps[e.App]
		if !known {
			app, err := tx.App(e.App)
			if err != nil && !errors.Is(err, registry.ErrNotFound) {
				return false, err
			}
			app.Name = e.App
			may = access.Allowed(actor, access.ReadEvents, control.OfApp(app))
			apps[e.App] = may
		}
		return may, nil
	}
}

package governance

import (
	"context"
	"fmt"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/state"
)

// DecideAlike is DecideRelease about requests that ask for the same, of whichever releases and apps: one
// capability in one tier, or to enter one. All of those that are named are decided, or none.
func (s *Together) DecideAlike(ctx context.Context, d control.ReleaseVerdict) (decided []approvals.Request, err error) {
	actor, err := s.desk.Door(ctx, access.DecideRequest)
	if err != nil {
		return nil, err
	}
	if len(d.Parts) == 0 {
		return nil, fmt.Errorf("%w: name the requests that are decided", approvals.ErrBadRequest)
	}
	if err := checkParts(d); err != nil {
		return nil, err
	}
	choose := func(tx state.Reader) (all []part, err error) {
		for _, p := range d.Parts {
			q, err := approvals.Undecided(tx, p.ID)
			if err != nil {
				return nil, err
			}
			if len(all) > 0 && !alike(all[0].asked, q) {
				return nil, fmt.Errorf("%w: %s asks for something else than %s, and what is decided together asks for the same: one capability in one tier, or to enter one tier", approvals.ErrBadRequest, q.ID, all[0].asked.ID)
			}
			all = append(all, part{q, p.Tag, d.About(p)})
		}
		return all, nil
	}
	if decided, err = s.decideParts(ctx, actor, choose); err != nil {
		return nil, fmt.Errorf("none of the %d requests was decided: %w", len(d.Parts), err)
	}
	return decided, nil
}

func alike(a, b approvals.Request) bool {
	return a.Kind == b.Kind && a.Tier == b.Tier && a.Capability == b.Capability
}

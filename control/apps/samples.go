package apps

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// Samples shows some calls of an hour, of one app or, for "", of all, the last first, as far as
// the actor may look into them: when others called an app, and what failed there, is for whoever
// sees to it.
func (o *Observer) Samples(ctx context.Context, app string, hour time.Time, p control.Page) (none control.Items[control.Sample], err error) {
	actor, err := o.desk.Door(ctx, access.ReadCalls)
	if err != nil {
		return none, err
	}
	found, err := o.samples.Read(ctx, app, hour)
	if err != nil {
		return none, fmt.Errorf("read samples: %w", err)
	}
	var seen []control.Sample
	err = o.desk.View(ctx, func(tx state.Reader) error {
		sees := map[string]bool{}
		for _, s := range found {
			may, known := sees[s.App]
			if !known {
				a, err := tx.App(s.App)
				if err != nil && !errors.Is(err, registry.ErrNotFound) {
					return err
				}
				a.Name = s.App
				may = access.Allowed(actor, access.ReadCalls, control.OfApp(a))
				sees[s.App] = may
			}
			if may {
				seen = append(seen, s)
			}
		}
		return ctx.Err()
	})
	if err != nil {
		return none, err
	}
	return control.Cut(p, seen, func(s control.Sample) string {
		return fmt.Sprintf("%020d %s", math.MaxInt64-s.At.UnixNano(), s.ID)
	})
}

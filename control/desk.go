package control

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/state"
)

// Desk is what every service of control works at: the state, and what holds for every change of it.
type Desk struct {
	Store  state.Store
	Now    func() time.Time
	Logger *slog.Logger
	Quotas Quotas // that the node was started with
	// Sums returns what was measured a second ago or so; none if nothing bounds it; nil: nothing ever does.
	Sums func(Measure) Sums
	// Uses returns how much a holder uses at this moment of what Bounds bounds; nil: nothing is measured.
	Uses func(Measure, Holder) int64
	// Low returns why nothing heavy is taken in now, nil as a rule: see storage.ErrReserve.
	Low func() error
	// Follow returns once what has to follow a change before its caller is told has followed the
	// feed up to a revision.
	Follow func(ctx context.Context, rev abi.Rev) error
}

// May returns who acts if that actor may do something now: see access.May.
func (d *Desk) May(ctx context.Context, act access.Act, on access.Resource) (access.Actor, error) {
	actor := access.ActorFrom(ctx)
	return actor, access.May(actor, act, on)
}

// Door returns who acts unless that actor has not the role for an act, whatever it is about: it is
// asked before what the act is about is read.
func (d *Desk) Door(ctx context.Context, act access.Act) (access.Actor, error) {
	actor := access.ActorFrom(ctx)
	return actor, access.AtDoor(actor, act)
}

// View reads one state.
func (d *Desk) View(ctx context.Context, read func(state.Reader) error) error {
	return d.Store.View(ctx, read)
}

// NameNow returns a function that returns the name that a person has now, for one that they have or
// had; for what is no person's name it returns that. It remembers what it found.
func (d *Desk) NameNow(ctx context.Context) func(name string) string {
	known := map[string]string{}
	return func(name string) string {
		now, ok := known[name]
		if ok {
			return now
		}
		now = name
		err := d.Store.View(ctx, func(tx state.Reader) error {
			p, err := tx.Person(name)
			if err == nil {
				now = p.Name
			}
			return err
		})
		if err != nil && !errors.Is(err, access.ErrNotFound) {
			d.Logger.ErrorContext(ctx, "whose name it is cannot be read", "err", err)
		}
		known[name] = now
		return now
	}
}

// Update is the only way in which people change the state: by names who acts, and change may run
// more than once. Whoever acts was let in before it: within the transaction it is asked again
// whether they still are who they were, whether what they have read is what is there (see Guarded),
// and whether what grew is within its quota.
func (d *Desk) Update(ctx context.Context, by string, change func(state.Tx) error) (abi.Rev, error) {
	low := d.Low() // asked before: a transaction does no I/O of its own
	rev, err := d.Store.Update(ctx, by, func(tx state.Tx) error {
		actor := access.ActorFrom(ctx)
		if err := access.Current(tx, actor); err != nil {
			return err
		}
		if by == actor.User { // and not the node, which goes on with what an actor began
			tx.Behalf(actor.Behalf)
		}
		if err := markAttempt(ctx, tx, d.Now()); err != nil {
			return err
		}
		if err := checkGuard(ctx, tx); err != nil {
			return err
		}
		if err := change(tx); err != nil {
			return err
		}
		return d.within(tx, low)
	})
	if err != nil {
		return rev, err
	}
	passGuard(ctx)
	if err := d.Follow(ctx, rev); err != nil { // the change is made; what follows catches up with the next one
		d.Logger.ErrorContext(ctx, "what follows a change has not followed yet", "rev", rev, "err", err)
	}
	return rev, nil
}

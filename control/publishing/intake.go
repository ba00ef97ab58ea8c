package publishing

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/internal/budget"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// How much API and console take in at once, for all and for each person.
const (
	uploadsAtOnce   = 32 // that come in, on the disk
	uploadsEach     = 4
	inspectsAtOnce  = 8 // of those that become no release, and that anybody may send
	inspectsEach    = 2
	bodyBytes       = 128 << 20 // of other bodies, and of what is made of them
	bodyBytesEach   = 64 << 20
	intakePatience  = 700 * time.Millisecond // for one of the above
	uploadPatience  = 5 * time.Second        // for a place, while others of the same person are uploaded: nothing of it is read yet
	readingPatience = 2 * time.Minute        // for a module's turn to be read
)

// IntakeOptions are what an Intake needs.
type IntakeOptions struct {
	Desk      *control.Desk
	Blobs     Blobs
	MaxModule int64 // bytes
	// Budget makes a budget that the node reports.
	Budget func(name, help string, limit int64) *budget.Budget
	// Reserve sets bytes of the disk aside until give is called, or says why there are too few.
	Reserve func(n int64) (give func(), err error)
}

// Intake bounds the bodies of API and console.
type Intake struct {
	desk      *control.Desk
	blobs     Blobs
	maxModule int64
	reserve   func(n int64) (give func(), err error)

	uploads  *budget.Shared // places of modules that come in to become releases
	inspects *budget.Shared // places of modules that come in to be looked at
	bodies   *budget.Shared // bytes of all other bodies
	reading  *budget.Shared // bytes of modules that are read, compiled and stored
}

// NewIntake makes an Intake, of whose budgets each person has a share.
func NewIntake(o IntakeOptions) *Intake {
	shared := func(name, help string, limit, each int64) *budget.Shared {
		return budget.NewShared(o.Budget(name, help, limit), each)
	}
	return &Intake{
		desk: o.Desk, blobs: o.Blobs, maxModule: o.MaxModule, reserve: o.Reserve,
		uploads:  shared("uploads", "modules that are uploaded at once", uploadsAtOnce, uploadsEach),
		inspects: shared("inspections", "modules that are uploaded at once to be looked at", inspectsAtOnce, inspectsEach),
		bodies:   shared("documents", "bytes of documents and forms of the API and the console in memory", bodyBytes, bodyBytesEach),
		reading:  shared("modules-read", "bytes of uploaded modules in memory", o.MaxModule*3/2, o.MaxModule),
	}
}

// BeginUpload takes a place for a module that is about to be uploaded.
func (i *Intake) BeginUpload(ctx context.Context, why control.Purpose, n int64) (func(), error) {
	act, places, patience := access.CheckModule, i.inspects, intakePatience
	if why == control.ToPublish {
		act, places, patience = access.Develop, i.uploads, uploadPatience
	}
	actor, err := i.desk.May(ctx, act, access.TheNode)
	if err != nil {
		return nil, err
	}
	if why == control.ToPublish {
		if err := i.mayBegin(ctx, actor, max(0, n-control.BesideModule)); err != nil {
			return nil, err
		}
	}
	if n < 0 || n > i.maxModule {
		n = i.maxModule // what is beside a module is not kept
	}
	leave, err := places.Take(ctx, actor.User, 1, patience)
	if err != nil {
		return nil, err
	}
	give, err := i.reserve(n)
	if err != nil {
		leave()
		return nil, err
	}
	return func() { give(); leave() }, nil
}

// mayBegin refuses, before anything of it is read, an upload of n bytes or more that the quotas
// of who sends it would refuse at its end. An operator may upload what is counted as another's.
func (i *Intake) mayBegin(ctx context.Context, actor access.Actor, n int64) error {
	return i.desk.View(ctx, func(tx state.Reader) error {
		for name, of := range map[string]string{"module-bytes": actor.User, "node-module-bytes": ""} {
			if of != "" && access.Allowed(actor, access.Operate, access.TheNode) {
				continue
			}
			if err := i.desk.WouldFit(tx, name, of, n); err != nil {
				return err
			}
		}
		return nil
	})
}

// Hold takes memory for a body.
func (i *Intake) Hold(ctx context.Context, n int64) (func(), error) {
	return i.bodies.Take(ctx, access.ActorFrom(ctx).User, n, intakePatience)
}

// Receive writes a module to the disk.
func (i *Intake) Receive(ctx context.Context, r io.Reader) (control.Module, error) {
	staged, err := i.blobs.Stage(ctx, io.LimitReader(r, i.maxModule+1))
	if err != nil {
		return nil, err
	}
	if staged.Size() > i.maxModule {
		_ = staged.Discard() // if it cannot be removed, the next start does
		return nil, fmt.Errorf("the module has more than %d bytes: %w", i.maxModule, registry.ErrTooLarge)
	}
	return staged, nil
}

// read gives do the bytes of an uploaded module, once there is memory for them: a module
// takes several times its size while it is compiled.
func (i *Intake) read(ctx context.Context, m control.Module, do func(module []byte) error) error {
	done, err := i.reading.Take(ctx, access.ActorFrom(ctx).User, m.Size(), readingPatience)
	if err != nil {
		return err
	}
	defer done()
	module, err := m.Bytes()
	if err != nil {
		return fmt.Errorf("read the uploaded module: %w", err)
	}
	return do(module)
}

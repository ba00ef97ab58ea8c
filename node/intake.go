package node

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

// intake is what bounds the bodies of API and console.
type intake struct {
	uploads  *budget.Shared // places of modules that come in to become releases
	inspects *budget.Shared // places of modules that come in to be looked at
	bodies   *budget.Shared // bytes of all other bodies
	reading  *budget.Shared // bytes of modules that are read, compiled and stored
}

func (h *Node) openIntake() {
	h.intake = intake{
		uploads:  h.shared("uploads", "modules that are uploaded at once", uploadsAtOnce, uploadsEach),
		inspects: h.shared("inspections", "modules that are uploaded at once to be looked at", inspectsAtOnce, inspectsEach),
		bodies:   h.shared("documents", "bytes of documents and forms of the API and the console in memory", bodyBytes, bodyBytesEach),
		reading:  h.shared("modules-read", "bytes of uploaded modules in memory", h.o.MaxModule*3/2, h.o.MaxModule),
	}
	h.backups = h.shared("backups", "backups that are read at once", backupsAtOnce, backupsAtOnce)
}

// shared makes a budget of which each person has a share.
func (h *Node) shared(name, help string, limit, each int64) *budget.Shared {
	return budget.NewShared(h.budget(name, help, limit), each)
}

// BeginUpload takes a place for a module that is about to be uploaded.
func (h *Node) BeginUpload(ctx context.Context, why control.Purpose, n int64) (func(), error) {
	role, places, patience := access.RoleViewer, h.intake.inspects, intakePatience
	if why == control.ToPublish {
		role, places, patience = access.RoleDeveloper, h.intake.uploads, uploadPatience
	}
	actor, err := h.desk.Allow(ctx, role)
	if err != nil {
		return nil, err
	}
	if why == control.ToPublish {
		if err := h.mayBegin(ctx, actor, max(0, n-control.BesideModule)); err != nil {
			return nil, err
		}
	}
	if n < 0 || n > h.o.MaxModule {
		n = h.o.MaxModule // what is beside a module is not kept
	}
	leave, err := places.Take(ctx, actor.User, 1, patience)
	if err != nil {
		return nil, err
	}
	give, err := h.reserve.take(n)
	if err != nil {
		leave()
		return nil, err
	}
	return func() { give(); leave() }, nil
}

// mayBegin refuses, before anything of it is read, an upload of n bytes or more that the quotas
// of who sends it would refuse at its end. An operator may upload what is counted as another's.
func (h *Node) mayBegin(ctx context.Context, actor access.Actor, n int64) error {
	return h.store.View(ctx, func(tx state.Reader) error {
		for name, of := range map[string]string{"module-bytes": actor.User, "node-module-bytes": ""} {
			if of != "" && actor.Has(access.RoleOperator) {
				continue
			}
			if err := h.desk.Quotas.WouldFit(tx, name, of, n); err != nil {
				return err
			}
		}
		return nil
	})
}

// Hold takes memory for a body.
func (h *Node) Hold(ctx context.Context, n int64) (func(), error) {
	return h.intake.bodies.Take(ctx, access.ActorFrom(ctx).User, n, intakePatience)
}

// Receive writes a module to the disk.
func (h *Node) Receive(ctx context.Context, r io.Reader) (control.Module, error) {
	staged, err := h.blobs.Stage(ctx, io.LimitReader(r, h.o.MaxModule+1))
	if err != nil {
		return nil, err
	}
	if staged.Size() > h.o.MaxModule {
		_ = staged.Discard() // if it cannot be removed, the next start does
		return nil, fmt.Errorf("the module has more than %d bytes: %w", h.o.MaxModule, registry.ErrTooLarge)
	}
	return staged, nil
}

// reading gives do the bytes of an uploaded module, once there is memory for them: a module
// takes several times its size while it is compiled.
func (h *Node) reading(ctx context.Context, m control.Module, do func(module []byte) error) error {
	done, err := h.intake.reading.Take(ctx, access.ActorFrom(ctx).User, m.Size(), readingPatience)
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

package host

import (
	"context"
	"errors"
	"strings"

	"github.com/agora-host/agora/host/engine"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// recorded is an error of a call that the app's log has.
type recorded struct{ error }

func (r recorded) Unwrap() error { return r.error }

// explainFault writes into the app's own log what its maker needs to know about a call that failed,
// and its caller is not told.
func (b *bill) explainFault(result engine.Result, err error) error {
	message := "The call failed: " + err.Error()
	if result.FaultDetail != "" {
		message += "\n" + result.FaultDetail
	}
	c := counts(b.frame, result)
	b.target.host.lines.write(Line{
		App: b.target.app.Name, Release: b.target.release.Number, Level: "error", Source: SourceNode, Message: message, Call: b.id,
		Outcome: &Outcome{
			Problem: b.target.host.o.Problem(err).Slug, Tier: string(b.target.tier), Trigger: b.trigger, Instructions: c.Instructions,
			GuestMicros: c.GuestMicros, HostMicros: c.HostMicros, MemoryKiB: memoryKiB(result),
		},
	})
	return recorded{err}
}

// NoteRefused notes a request that was not served where the app's owner finds it by its id: in the
// app's log, and in the node's if it is the node's own trouble. It returns the app that the Host
// header leads to, whether that serves anything or not.
func (h *Host) NoteRefused(ctx context.Context, host, id string, err error) (app registry.App, found bool) {
	app, found = h.appAt(ctx, host)
	problem := h.o.Problem(err)
	if _, known := errors.AsType[recorded](err); found && !known {
		h.lines.write(Line{
			App: app.Name, Level: "warn", Source: SourceNode, Call: id,
			Message: "The request was not served: " + problem.Detail, Outcome: &Outcome{Problem: problem.Slug},
		})
	}
	if problem.Internal {
		h.log.WarnContext(ctx, "request not served", "host", host, "invocation", id, "err", err)
	}
	return app, found
}

func (h *Host) appAt(ctx context.Context, host string) (app registry.App, ok bool) {
	label, below := h.o.Addresses.Label(host)
	err := h.o.State.View(context.WithoutCancel(ctx), func(tx state.Reader) error {
		name := label
		if _, after, split := strings.Cut(label, "--"); split && below {
			name = after
		}
		if !below {
			given, err := tx.HostName(label)
			if err != nil {
				return err
			}
			name = given.App
		}
		var err error
		app, err = tx.App(name)
		return err
	})
	return app, err == nil
}

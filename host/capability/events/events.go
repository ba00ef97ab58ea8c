package events

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/agora-host/agora/abi"
)

// Queue takes events in. Publish returns the event's id once it is durable; an
// error that is an abi.Errno is for the guest, any other is the node's.
type Queue interface {
	Publish(ctx context.Context, app, topic, dedupe string, payload []byte) (id string, err error)
}

// Events is the capability.
type Events struct {
	queue Queue
	log   *slog.Logger
}

// New makes the capability over a queue.
func New(queue Queue, log *slog.Logger) *Events {
	return &Events{queue, log.With("component", "events")}
}

// Bind links the capability for an app that may publish these topics.
func (e *Events) Bind(app string, topics []string) abi.Link {
	return abi.Link{"publish": func(ctx context.Context, in []byte) ([]byte, abi.Errno) {
		topic, dedupe, payload, ok := abi.DecodePublish(in)
		switch {
		case !ok || !abi.ValidTopic(topic):
			return nil, abi.ErrnoInvalid
		case len(payload) > abi.MaxEvent || len(dedupe) > abi.MaxDedupeKey:
			return nil, abi.ErrnoTooLarge
		case !slices.Contains(topics, topic):
			note(ctx, abi.MeterDenied, topic)
			return nil, abi.ErrnoDenied
		}
		// The payload lies in guest memory, and the queue keeps it.
		id, err := e.queue.Publish(ctx, app, topic, dedupe, slices.Clone(payload))
		errno := e.errno(ctx, app, err)
		switch errno {
		case abi.ErrnoOK:
			note(ctx, abi.MeterEvents, topic)
		case abi.ErrnoQuota:
			note(ctx, abi.MeterQuotaExceeded, topic)
		default:
			note(ctx, abi.MeterFailed, topic)
		}
		return []byte(id), errno
	}}
}

func note(ctx context.Context, meter, topic string) {
	abi.Note(ctx, abi.Use{Capability: abi.CapabilityEvents, Meter: meter, Subject: topic, N: 1})
}

func (e *Events) errno(ctx context.Context, app string, err error) abi.Errno {
	if err == nil {
		return abi.ErrnoOK
	}
	errno, told := errors.AsType[abi.Errno](err)
	if !told {
		errno = abi.ErrnoUnavailable
	}
	if errno == abi.ErrnoUnavailable {
		e.log.ErrorContext(ctx, "an event could not be queued", "app", app, "err", err)
	}
	return errno
}

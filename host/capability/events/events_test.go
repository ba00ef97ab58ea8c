package events_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/host/capability/events"
)

type queue struct {
	err  error
	last string
}

func (q *queue) Publish(_ context.Context, app, topic, dedupe string, payload []byte) (string, error) {
	q.last = app + " " + topic + " " + dedupe + " " + string(payload)
	return "id", q.err
}

func TestPublish(t *testing.T) {
	q := &queue{}
	publish := events.New(q, slog.New(slog.DiscardHandler)).Bind("shop", []string{"orders.created", "orders.paid"})["publish"]
	for _, c := range []struct {
		name string
		in   []byte
		err  error
		want abi.Errno
		took string
	}{
		{"granted", abi.AppendPublish(nil, "orders.created", "k", []byte("x")), nil, abi.ErrnoOK, "shop orders.created k x"},
		{"empty payload", abi.AppendPublish(nil, "orders.paid", "", nil), nil, abi.ErrnoOK, "shop orders.paid  "},
		{"not granted", abi.AppendPublish(nil, "orders", "", nil), nil, abi.ErrnoDenied, ""},
		{"no topic", abi.AppendPublish(nil, "", "", nil), nil, abi.ErrnoInvalid, ""},
		{"another app's", abi.AppendPublish(nil, "hr/salaries", "", nil), nil, abi.ErrnoInvalid, ""},
		{"cut off", abi.AppendPublish(nil, "orders.created", "k", nil)[:20], nil, abi.ErrnoInvalid, ""},
		{"a length beyond the end", []byte{255, 255, 255, 255}, nil, abi.ErrnoInvalid, ""},
		{"a large payload", abi.AppendPublish(nil, "orders.paid", "", make([]byte, abi.MaxEvent+1)), nil, abi.ErrnoTooLarge, ""},
		{"a large key", abi.AppendPublish(nil, "orders.paid", string(make([]byte, abi.MaxDedupeKey+1)), nil), nil, abi.ErrnoTooLarge, ""},
		{"the queue is full", abi.AppendPublish(nil, "orders.paid", "", nil), abi.ErrnoQuota, abi.ErrnoQuota, "shop orders.paid  "},
		{"the disk is", abi.AppendPublish(nil, "orders.paid", "", nil), errors.New("no space"), abi.ErrnoUnavailable, "shop orders.paid  "},
	} {
		t.Run(c.name, func(t *testing.T) {
			q.err, q.last = c.err, ""
			out, errno := publish(t.Context(), c.in)
			if errno != c.want || q.last != c.took || (errno == abi.ErrnoOK && string(out) != "id") {
				t.Errorf("%q, %v; the queue took %q", out, errno, q.last)
			}
		})
	}
}

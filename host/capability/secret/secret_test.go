package secret_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/abitest"
	"github.com/agora-host/agora/host/capability/secret"
)

// values are secrets by app and name.
type values map[[2]string]string

func (v values) Open(_ context.Context, app, name string) ([]byte, error) {
	value, ok := v[[2]string{app, name}]
	switch {
	case value == "broken":
		return nil, errors.New("the key is gone")
	case !ok:
		return nil, abi.ErrnoNotFound
	}
	return []byte(value), nil
}

func TestConforms(t *testing.T) {
	abitest.Secret(t, func(_ *testing.T, granted []string, set map[string]string) abi.Link {
		all := values{}
		for name, value := range set {
			all[[2]string{"a", name}] = value
		}
		return secret.New(all, slog.New(slog.DiscardHandler)).Bind("a", granted)
	})
}

// TestTrouble: what is the node's trouble is logged, without the value, and noted.
func TestTrouble(t *testing.T) {
	var logged bytes.Buffer
	var r abi.Recorder
	ctx := abi.WithRecorder(t.Context(), &r)
	all := values{{"a", "one"}: "hunter2", {"a", "two"}: "broken", {"b", "one"}: "other"}
	link := secret.New(all, slog.New(slog.NewTextHandler(&logged, nil))).Bind("a", []string{"one", "three", "two"})
	for name, want := range map[string]abi.Errno{"one": 0, "two": abi.ErrnoUnavailable, "three": abi.ErrnoNotFound, "four": abi.ErrnoDenied} {
		if v, errno := link["get"](ctx, []byte(name)); errno != want || string(v) == "other" {
			t.Errorf("%s: %q, %v", name, v, errno)
		}
	}
	if text := logged.String(); strings.Contains(text, "hunter2") || !strings.Contains(text, "secret=two") {
		t.Errorf("logged %s", text)
	}
	want := []abi.Use{
		{Capability: "secret", Meter: "denied", Subject: "four", N: 1}, {Capability: "secret", Meter: "failed", Subject: "three", N: 1},
		{Capability: "secret", Meter: "failed", Subject: "two", N: 1}, {Capability: "secret", Meter: "reads", Subject: "one", N: 1},
	}
	if got := r.Uses(); !slices.Equal(got, want) {
		t.Errorf("noted %+v", got)
	}
}

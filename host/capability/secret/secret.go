package secret

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/agora-host/agora/abi"
)

// Secrets opens what owners of apps set. It returns abi.ErrnoNotFound for what
// is not set; any other error is the node's.
type Secrets interface {
	Open(ctx context.Context, app, name string) ([]byte, error)
}

// Secret is the capability.
type Secret struct {
	secrets Secrets
	log     *slog.Logger
}

// New makes the capability over what opens secrets.
func New(secrets Secrets, log *slog.Logger) *Secret {
	return &Secret{secrets, log.With("component", "secret")}
}

// Bind links the capability for an app, with the names it was granted.
func (c *Secret) Bind(app string, names []string) abi.Link {
	return abi.Link{"get": func(ctx context.Context, in []byte) ([]byte, abi.Errno) {
		name := string(in)
		note := func(meter, subject string) {
			abi.Note(ctx, abi.Use{Capability: "secret", Meter: meter, Subject: subject, N: 1})
		}
		if !slices.Contains(names, name) {
			note(abi.MeterDenied, name)
			return nil, abi.ErrnoDenied
		}
		value, err := c.secrets.Open(ctx, app, name)
		if err == nil {
			note(abi.MeterReads, name)
			return value, abi.ErrnoOK
		}
		note(abi.MeterFailed, name)
		if errno, ok := errors.AsType[abi.Errno](err); ok {
			return nil, errno
		}
		c.log.ErrorContext(ctx, "a secret could not be opened", "app", app, "secret", name, "err", err)
		return nil, abi.ErrnoUnavailable
	}}
}

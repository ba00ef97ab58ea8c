package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/agora-host/agora/abi"
)

// errCredential is for a credential that cannot be attached. The request is then
// not made: without it, it would be another request.
var errCredential = errors.New("a credential cannot be attached")

// withCredentials are a hop's headers with what the grant binds to its origin.
// The app's own header of the same name gives way.
func (g *grant) withCredentials(ctx context.Context, h *hop) (http.Header, error) {
	bound := g.credentials[h.origin]
	if len(bound) == 0 {
		return h.header, nil
	}
	header := h.header.Clone()
	for _, c := range bound {
		value, err := g.open(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("%w: %q: %w", errCredential, c.Secret, err)
		}
		header.Set(c.Header, value)
	}
	return header, nil
}

func (g *grant) open(ctx context.Context, c abi.FetchCredential) (string, error) {
	if g.o.Secrets == nil {
		return "", errors.New("this node keeps no secrets")
	}
	secret, err := g.o.Secrets.Open(ctx, g.app.Name, c.Secret)
	if err != nil {
		return "", err
	}
	value, ok := c.Value(string(secret))
	if !ok {
		return "", errors.New("it contains what cannot stand in a header")
	}
	return value, nil
}

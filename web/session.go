package web

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/internal/door"
)

// SessionCookie is the cookie in which a browser carries its session; with
// TLS its name starts with "__Host-".
const SessionCookie = "agora_session"

// SignOnCookie is the cookie by which the console knows a browser that an app sends to it. It is good for
// signing on to apps alone; with TLS its name starts with "__Host-".
const SignOnCookie = "agora_sso"

// WithDevice puts into a request's context where it comes from.
func WithDevice(r *http.Request) *http.Request {
	ctx := r.Context()
	d := access.Device{Name: access.DeviceName(r.UserAgent())}
	if from := door.ClientOf(ctx).Addr.Addr(); from.IsValid() {
		d.Address = from.Unmap().String()
	}
	return r.WithContext(access.WithDevice(ctx, d))
}

// Bearer reads the secret of a request's Authorization header.
func Bearer(r *http.Request) (string, error) {
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	secret = strings.TrimSpace(secret)
	if !strings.EqualFold(scheme, "Bearer") || secret == "" {
		return "", fmt.Errorf("send a token in the header Authorization: Bearer: %w", access.ErrUnauthenticated)
	}
	return secret, nil
}

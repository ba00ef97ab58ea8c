package web

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/agora-host/agora/access"
)

// SessionCookie is the cookie in which a browser carries its session; with
// TLS its name starts with "__Host-".
const SessionCookie = "agora_session"

// SignOnCookie is the cookie by which the console knows a browser that an app sends to it. It is good for
// signing on to apps alone; with TLS its name starts with "__Host-".
const SignOnCookie = "agora_sso"

// Bearer reads the secret of a request's Authorization header.
func Bearer(r *http.Request) (string, error) {
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	secret = strings.TrimSpace(secret)
	if !strings.EqualFold(scheme, "Bearer") || secret == "" {
		return "", fmt.Errorf("send a token in the header Authorization: Bearer: %w", access.ErrUnauthenticated)
	}
	return secret, nil
}

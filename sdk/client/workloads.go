package client

import "context"

// Exchanged is what a CI's token was exchanged for (RFC 8693, 2.2.1).
type Exchanged struct {
	AccessToken     string `json:"access_token"`
	IssuedTokenType string `json:"issued_token_type"`
	TokenType       string `json:"token_type"`
	ExpiresIn       int    `json:"expires_in"` // seconds
	Scope           string `json:"scope"`
	User            string `json:"user"` // the service account
	Rule            string `json:"rule"` // that gave it
}

// ExchangeToken trades the token of a CI's job for one of a service account, with the scopes of a rule or, of
// these, with those that are named with spaces between them. It needs no token of the node's.
func (c *Client) ExchangeToken(ctx context.Context, token, scope string) (Exchanged, error) {
	ask := map[string]string{
		"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": token, "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
	}
	if scope != "" {
		ask["scope"] = scope
	}
	return post[Exchanged](ctx, c, "/token", ask)
}

package client

import (
	"context"
	"errors"
	"time"
)

// LoginAsk is what a program asks for that waits for a person at another machine.
type LoginAsk struct {
	Machine string   `json:"machine"`          // its name, which the person is shown
	Scopes  []string `json:"scopes,omitempty"` // of the token
	Hours   int      `json:"hours"`            // that the token lives
}

// DeviceLogin is a login that waits for a person.
type DeviceLogin struct {
	DeviceCode string `json:"device_code"`
	UserCode   string `json:"user_code"` // what the person types
	Address    string `json:"verification_uri"`
	Complete   string `json:"verification_uri_complete"` // with the code
	Expires    int    `json:"expires_in"`                // seconds
	Interval   int    `json:"interval"`                  // seconds between two questions
}

// BeginLogin asks for a token that a person confirms in the console, at another machine.
func (c *Client) BeginLogin(ctx context.Context, a LoginAsk) (DeviceLogin, error) {
	return post[DeviceLogin](ctx, c, "/login/device", a)
}

// AwaitLogin asks, as often as the node says, until a person has confirmed a login, or refused it, or its time is
// over. An error of the network is no end.
func (c *Client) AwaitLogin(ctx context.Context, l DeviceLogin) (Token, error) {
	every := time.Duration(max(1, l.Interval)) * time.Second
	for ends := time.Now().Add(time.Duration(l.Expires) * time.Second); ; {
		select {
		case <-ctx.Done():
			return Token{}, ctx.Err()
		case <-time.After(every):
		}
		t, err := post[Token](ctx, c, "/login/token", map[string]string{"device_code": l.DeviceCode})
		switch {
		case isProblem(err, "slow-down"):
			every += 5 * time.Second
		case isProblem(err, "authorization-pending"), errors.Is(err, errConnection):
		default:
			return t, err
		}
		if time.Now().After(ends) {
			return t, err
		}
	}
}

// RedeemLogin trades the code that a browser brought for a token.
func (c *Client) RedeemLogin(ctx context.Context, code, verifier string) (Token, error) {
	return post[Token](ctx, c, "/login/token", map[string]string{"code": code, "verifier": verifier})
}

package client

import (
	"context"
	"net/url"
	"time"
)

type (
	// Exemption is what a request of the kind exemption asks for and, once it is approved, what it exempts from.
	Exemption struct {
		Code       string    `json:"code"`            // of the rule
		Bound      bool      `json:"bound,omitempty"` // to the module of its release
		Control    string    `json:"control"`         // what is done instead
		Until      time.Time `json:"until"`
		Revoked    time.Time `json:"revoked,omitzero"`
		RevokedBy  string    `json:"revoked_by,omitempty"`
		RevokedFor string    `json:"revoked_for,omitempty"`
		Warned     bool      `json:"warned,omitempty"` // its owners were told that its end is near
		Over       bool      `json:"over,omitempty"`   // and that it has come
	}
	// ExemptionAsk asks for an exemption of an app from a rule.
	ExemptionAsk struct {
		Tier    string `json:"tier"`
		Code    string `json:"code"`
		Reason  string `json:"reason"`
		Control string `json:"control"`
		Until   string `json:"until"`             // a date such as 2030-01-31
		Release int    `json:"release,omitempty"` // 0: the newest
		Bound   bool   `json:"bound,omitempty"`   // to that release alone
	}
)

// AskExemption asks that a rule refuses an app nothing for a time.
func (c *Client) AskExemption(ctx context.Context, app string, in ExemptionAsk) (Request, error) {
	return post[Request](ctx, c, appPath(app, "exemptions"), in)
}

// Exemptions lists the exemptions that hold, of one app or, for "", of all.
func (c *Client) Exemptions(ctx context.Context, app string) ([]Request, error) {
	return c.FindRequests(ctx, RequestFilter{Status: "approved", App: app, Kind: "exemption", Holds: true})
}

// RevokeExemption ends an exemption at once. It needs a reason.
func (c *Client) RevokeExemption(ctx context.Context, id, reason string) (Request, error) {
	return post[Request](ctx, c, "/requests/"+url.PathEscape(id)+"/revoke-exemption", map[string]any{"reason": reason})
}

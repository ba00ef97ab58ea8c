package client

import (
	"context"
	"net/http"
	"net/url"
)

// ServiceAccounts lists service accounts, by name.
func (c *Client) ServiceAccounts(ctx context.Context, f ServiceAccountFilter) ([]ServiceAccount, error) {
	q := url.Values{}
	if f.Sponsor != "" {
		q.Set("sponsor", f.Sponsor)
	}
	if f.Orphaned {
		q.Set("orphaned", "true")
	}
	return list[ServiceAccount](ctx, c, "/service-accounts", q)
}

// Workloads lists the rules by which jobs of a CI get tokens: all of them or, if app is not "", those by which jobs may
// act on that app.
func (c *Client) Workloads(ctx context.Context, app string) ([]WorkloadRule, error) {
	if app == "" {
		return list[WorkloadRule](ctx, c, "/workloads", nil)
	}
	return list[WorkloadRule](ctx, c, "/apps/"+url.PathEscape(app)+"/workloads", nil)
}

func serviceAccountPath(name string) string { return "/service-accounts/" + url.PathEscape(name) }

// ServiceAccount reads one service account.
func (c *Client) ServiceAccount(ctx context.Context, name string) (ServiceAccount, error) {
	return do[ServiceAccount](ctx, c, request{method: http.MethodGet, path: serviceAccountPath(name)})
}

// CreateServiceAccount makes a service account.
func (c *Client) CreateServiceAccount(ctx context.Context, n NewServiceAccount) (ServiceAccount, error) {
	return post[ServiceAccount](ctx, c, "/service-accounts", n)
}

// ChangeServiceAccount changes a service account.
func (c *Client) ChangeServiceAccount(ctx context.Context, name string, to ServiceAccountChange) (ServiceAccount, error) {
	return post[ServiceAccount](ctx, c, serviceAccountPath(name), to)
}

// DeleteServiceAccount ends a service account for good.
func (c *Client) DeleteServiceAccount(ctx context.Context, name string) error {
	_, err := c.bytes(ctx, request{method: http.MethodDelete, path: serviceAccountPath(name)})
	return err
}

// ServiceTokens lists the tokens of a service account.
func (c *Client) ServiceTokens(ctx context.Context, name string) ([]Credential, error) {
	return list[Credential](ctx, c, serviceAccountPath(name)+"/tokens", nil)
}

// NewServiceToken makes a token of a service account.
func (c *Client) NewServiceToken(ctx context.Context, name string, t NewToken) (Token, error) {
	return post[Token](ctx, c, serviceAccountPath(name)+"/tokens", t)
}

// RevokeServiceToken ends a token of a service account.
func (c *Client) RevokeServiceToken(ctx context.Context, name, id string) error {
	_, err := c.bytes(ctx, request{method: http.MethodDelete, path: serviceAccountPath(name) + "/tokens/" + url.PathEscape(id)})
	return err
}

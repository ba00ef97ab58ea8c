package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/agora-host/agora/abi"
)

type (
	// Provisioning is how a provider that tells who there is stands.
	Provisioning struct {
		Provider  string      `json:"provider"`
		Created   time.Time   `json:"created"`
		By        string      `json:"by"`
		Conflicts []Conflict  `json:"conflicts,omitempty"`
		People    int64       `json:"people"`           // of whom it tells
		Inactive  int64       `json:"inactive"`         // those of them who are not active
		Tokens    int         `json:"tokens"`           // that let it in
		Used      time.Time   `json:"used,omitzero"`    // when it came last, to the hour
		Changed   time.Time   `json:"changed,omitzero"` // when it last changed something
		URL       string      `json:"url"`              // its front door
		Changes   []abi.Event `json:"changes,omitempty"`
	}
	// Conflict is a person of a provider who cannot be one here until an operator says who it is.
	Conflict struct {
		UserName string    `json:"user_name"`
		External string    `json:"external,omitempty"`
		Person   string    `json:"person,omitempty"` // who is in the way
		Why      string    `json:"why"`
		First    time.Time `json:"first"`
		Last     time.Time `json:"last"`
		Times    int       `json:"times"`
	}
	// ProvisioningToken is a token that lets a provider in, with its secret.
	ProvisioningToken struct {
		Secret string `json:"secret"`
		URL    string `json:"url"`
		Credential
	}
	// PeopleImport is a file that says who there is.
	PeopleImport struct {
		Provider string `json:"provider,omitempty"`
		Format   string `json:"format"` // "csv" or "json"
		File     string `json:"file"`
		Complete bool   `json:"complete,omitempty"` // whoever an earlier file named and this one does not is disabled
		Apply    bool   `json:"apply,omitempty"`
		Revision string `json:"revision,omitempty"` // of the preview that is applied
	}
	// ImportPlan is what an import does, or did.
	ImportPlan struct {
		Provider  string      `json:"provider"`
		Revision  string      `json:"revision"`
		Applied   bool        `json:"applied"`
		Added     int         `json:"added"`
		Changed   int         `json:"changed"`
		Disabled  int         `json:"disabled"`
		Unchanged int         `json:"unchanged"`
		Conflicts int         `json:"conflicts"`
		Rows      []ImportRow `json:"rows"`
		Ignored   []string    `json:"ignored,omitempty"`
	}
	// ImportRow is what an import does to one person.
	ImportRow struct {
		Line     int      `json:"line,omitempty"`
		Name     string   `json:"name"`
		External string   `json:"external,omitempty"`
		What     string   `json:"what"` // "add", "change", "disable" or "conflict"
		Changes  []string `json:"changes,omitempty"`
		Why      string   `json:"why,omitempty"`
	}
)

// Provisionings lists the providers that tell who there is.
func (c *Client) Provisionings(ctx context.Context) ([]Provisioning, error) {
	return short[Provisioning](ctx, c, "/provisioning", nil)
}

// Provisioning reads one of them, with its conflicts and last changes.
func (c *Client) Provisioning(ctx context.Context, provider string) (Provisioning, error) {
	return get[Provisioning](ctx, c, "/provisioning/"+url.PathEscape(provider), nil)
}

// ProvisioningTokens lists the tokens of a provider.
func (c *Client) ProvisioningTokens(ctx context.Context, provider string) ([]Credential, error) {
	return short[Credential](ctx, c, "/provisioning/"+url.PathEscape(provider)+"/tokens", nil)
}

// NewProvisioningToken lets a provider in. hours 0: the token does not expire.
func (c *Client) NewProvisioningToken(ctx context.Context, provider, label string, hours int) (ProvisioningToken, error) {
	return post[ProvisioningToken](ctx, c, "/provisioning/"+url.PathEscape(provider)+"/tokens", map[string]any{"label": label, "hours": hours})
}

// RevokeProvisioningToken ends a token of a provider.
func (c *Client) RevokeProvisioningToken(ctx context.Context, provider, id string) error {
	_, err := c.bytes(ctx, request{method: http.MethodDelete, path: "/provisioning/" + url.PathEscape(provider) + "/tokens/" + url.PathEscape(id)})
	return err
}

// LinkPerson says that a provider's person is one who is here.
func (c *Client) LinkPerson(ctx context.Context, provider, userName, external, person string) error {
	_, err := post[struct{}](ctx, c, "/provisioning/"+url.PathEscape(provider)+"/link", map[string]string{"user_name": userName, "external": external, "person": person})
	return err
}

// DismissConflict forgets a conflict of a provider.
func (c *Client) DismissConflict(ctx context.Context, provider, userName string) error {
	_, err := c.bytes(ctx, request{method: http.MethodDelete, path: "/provisioning/" + url.PathEscape(provider) + "/conflicts/" + url.PathEscape(userName)})
	return err
}

// ImportPeople says what a file changes, or changes it.
func (c *Client) ImportPeople(ctx context.Context, in PeopleImport) (ImportPlan, error) {
	return post[ImportPlan](ctx, c, "/people/import", in)
}

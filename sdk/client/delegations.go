package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

type (
	// Delegation says who decides in a reviewer's place.
	Delegation struct {
		ID       string    `json:"id"`
		To       string    `json:"to"`
		Concerns []string  `json:"concerns,omitempty"` // none: whatever the reviewer reviews
		From     time.Time `json:"from"`
		Until    time.Time `json:"until"`
		Reason   string    `json:"reason"`
		Made     time.Time `json:"made"`
	}
	// ShownDelegation is a delegation as it is listed.
	ShownDelegation struct {
		Delegation
		By    string `json:"by"`            // in whose place To decides
		Holds bool   `json:"holds"`         // it holds now
		Why   string `json:"why,omitempty"` // why it does not
	}
	// NewDelegation is a delegation that is asked for.
	NewDelegation struct {
		To       string    `json:"to"`
		Concerns []string  `json:"concerns,omitempty"` // none: all that you review
		From     time.Time `json:"from,omitzero"`      // default now
		Until    time.Time `json:"until"`
		Reason   string    `json:"reason"`
	}
)

// Delegations lists those of a person, "" for you, and those to that person.
func (c *Client) Delegations(ctx context.Context, person string) ([]ShownDelegation, error) {
	return list[ShownDelegation](ctx, c, "/delegations", ofPerson(person))
}

// Delegate has another reviewer decide in your place.
func (c *Client) Delegate(ctx context.Context, n NewDelegation) (ShownDelegation, error) {
	return post[ShownDelegation](ctx, c, "/delegations", n)
}

// EndDelegation ends a delegation of a person, "" for you, before its time.
func (c *Client) EndDelegation(ctx context.Context, person, id string) error {
	_, err := c.bytes(ctx, request{method: http.MethodDelete, path: "/delegations/" + url.PathEscape(id), query: ofPerson(person)})
	return err
}

func ofPerson(name string) url.Values {
	q := url.Values{}
	if name != "" {
		q.Set("person", name)
	}
	return q
}

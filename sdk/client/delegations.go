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
		To       string    `json:"to,omitempty"`       // "": the reviewer is away, and nobody decides in their place
		Concerns []string  `json:"concerns,omitempty"` // none: whatever the reviewer reviews
		From     time.Time `json:"from"`
		Until    time.Time `json:"until"`
		Reason   string    `json:"reason,omitempty"`
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
		To       string    `json:"to,omitempty"`       // "": you are away, and nobody decides in your place
		Concerns []string  `json:"concerns,omitempty"` // none: all that you review
		From     time.Time `json:"from,omitzero"`      // default now
		Until    time.Time `json:"until"`
		Reason   string    `json:"reason,omitempty"` // needed if it names a person
	}
	// Absent is a reviewer who has said that they are away, and named nobody who decides in their place.
	Absent struct {
		Person string    `json:"person"`
		Until  time.Time `json:"until"`
	}
)

// Delegations lists those of a person, "" for you, and those to that person.
func (c *Client) Delegations(ctx context.Context, person string) ([]ShownDelegation, error) {
	return list[ShownDelegation](ctx, c, "/delegations", ofPerson(person))
}

// Away lists who could still vote about a request and has said that they are away.
func (c *Client) Away(ctx context.Context, id string) ([]Absent, error) {
	all, err := get[struct{ Items []Absent }](ctx, c, "/requests/"+url.PathEscape(id)+"/away", nil)
	return all.Items, err
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

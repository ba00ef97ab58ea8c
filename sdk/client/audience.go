package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/agora-host/agora/abi"
)

// Audience says who may open one tier of an app.
type Audience struct {
	App    string   `json:"app"`
	Tier   abi.Tier `json:"tier"`
	Kind   string   `json:"kind"`             // "owner", "people", "organisation" or "public"
	People []string `json:"people,omitempty"` // of the kind people
	Groups []string `json:"groups,omitempty"` // of the kind people: their ids; SetAudience takes names, too
	// GroupNames are the names of the groups, in their order.
	GroupNames []string `json:"group_names,omitempty"`
	// Request is the approved request of the kind public; "" if none was needed.
	Request string    `json:"request,omitempty"`
	By      string    `json:"by,omitempty"`
	At      time.Time `json:"at,omitzero"`
	Set     bool      `json:"set"`               // it was set, and is not the default
	Waiting string    `json:"waiting,omitempty"` // the open request to open the tier to everybody
	ETag    string    `json:"-"`                 // of one audience that is read, for IfMatch
}

// AccessRequest is a person's request to be let into a tier of an app.
type AccessRequest struct {
	App     string    `json:"app"`
	Tier    abi.Tier  `json:"tier"`
	Person  string    `json:"person"`
	At      time.Time `json:"at"`
	Status  string    `json:"status"` // "open", "granted" or "refused"
	By      string    `json:"by,omitempty"`
	Decided time.Time `json:"decided,omitzero"`
	Reason  string    `json:"reason,omitempty"`
}

func audiencePath(app string, tier abi.Tier) string {
	return "/apps/" + url.PathEscape(app) + "/audiences/" + url.PathEscape(string(tier))
}

// Audiences lists who may open an app, by tier, from the lowest.
func (c *Client) Audiences(ctx context.Context, app string) ([]Audience, error) {
	all, err := get[struct{ Items []Audience }](ctx, c, "/apps/"+url.PathEscape(app)+"/audiences", nil)
	return all.Items, err
}

// Audience reads who may open one tier of an app.
func (c *Client) Audience(ctx context.Context, app string, tier abi.Tier) (Audience, error) {
	return read(ctx, c, audiencePath(app, tier), func(a *Audience) *string { return &a.ETag })
}

// SetAudience says who may open a tier of an app. The kind public takes a reviewer's approval: Waiting
// of what is returned names the request.
func (c *Client) SetAudience(ctx context.Context, a Audience, reason string) (Audience, error) {
	in := struct {
		Kind   string   `json:"kind"`
		People []string `json:"people,omitempty"`
		Groups []string `json:"groups,omitempty"`
		Reason string   `json:"reason,omitempty"`
	}{a.Kind, a.People, a.Groups, reason}
	return write[Audience](ctx, c, http.MethodPut, audiencePath(a.App, a.Tier), in)
}

// AccessRequests lists who asked for access to an app: those who wait first, then the latest.
func (c *Client) AccessRequests(ctx context.Context, app string) ([]AccessRequest, error) {
	all, err := get[struct{ Items []AccessRequest }](ctx, c, "/apps/"+url.PathEscape(app)+"/access-requests", nil)
	return all.Items, err
}

// AskAccess asks for access to a tier of an app, "" for the highest that serves.
func (c *Client) AskAccess(ctx context.Context, app string, tier abi.Tier) (AccessRequest, error) {
	in := struct {
		Tier abi.Tier `json:"tier,omitempty"`
	}{tier}
	return post[AccessRequest](ctx, c, "/apps/"+url.PathEscape(app)+"/access-requests", in)
}

// AnswerAccess decides about a request for access. Granting it adds the person to the audience.
func (c *Client) AnswerAccess(ctx context.Context, app string, tier abi.Tier, person string, grant bool, reason string) (AccessRequest, error) {
	path := "/apps/" + url.PathEscape(app) + "/access-requests/" + url.PathEscape(string(tier)) + "/" + url.PathEscape(person) + "/decision"
	return post[AccessRequest](ctx, c, path, map[string]any{"grant": grant, "reason": reason})
}

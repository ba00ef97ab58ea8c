package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// SignedIn is where a person is signed in to the console.
type SignedIn struct {
	ID       string    `json:"id"`
	Device   string    `json:"device,omitempty"`   // what the browser or the program calls itself
	Address  string    `json:"address,omitempty"`  // from which the session began
	Provider string    `json:"provider,omitempty"` // with which it began; "": with a one-time link
	Began    time.Time `json:"began"`
	Used     time.Time `json:"used"`    // last, to a few minutes
	Ends     time.Time `json:"ends"`    // if it is not used
	Longest  time.Time `json:"longest"` // however much it is used
	Current  bool      `json:"current,omitempty"`
	Apps     []string  `json:"apps,omitempty"` // at whose addresses it is signed in, too
}

// sessionsPath is where a user's sessions are; "" for the caller's.
func sessionsPath(user string) string {
	if user == "" {
		return "/sessions"
	}
	return "/users/" + url.PathEscape(user) + "/sessions"
}

// Sessions lists where a user is signed in; "" for the caller.
func (c *Client) Sessions(ctx context.Context, user string) ([]SignedIn, error) {
	return list[SignedIn](ctx, c, sessionsPath(user), nil)
}

// EndSession ends one of a user's sessions; "" for the caller's.
func (c *Client) EndSession(ctx context.Context, user, id string) error {
	_, err := c.bytes(ctx, request{method: http.MethodDelete, path: sessionsPath(user) + "/" + url.PathEscape(id)})
	return err
}

// EndSessions ends all of a user's sessions, "" for the caller's, but the one that the caller acts with. It
// returns how many they were.
func (c *Client) EndSessions(ctx context.Context, user string) (int, error) {
	ended, err := do[struct {
		Ended int `json:"ended"`
	}](ctx, c, request{method: http.MethodDelete, path: sessionsPath(user)})
	return ended.Ended, err
}

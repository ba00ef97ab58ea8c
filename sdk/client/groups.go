package client

import (
	"context"
	"net/http"
	"net/url"
)

// Groups lists the groups that a filter lets through, by name.
func (c *Client) Groups(ctx context.Context, f GroupFilter) ([]Group, error) {
	q := url.Values{}
	for name, value := range map[string]string{"name": f.Name, "source": f.Source, "person": f.Person} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return list[Group](ctx, c, "/groups", q)
}

// Group reads one group, by its id or its name.
func (c *Client) Group(ctx context.Context, group string) (Group, error) {
	return read(ctx, c, groupPath(group), func(g *Group) *string { return &g.ETag })
}

// CreateGroup makes a group.
func (c *Client) CreateGroup(ctx context.Context, name string) (Group, error) {
	return post[Group](ctx, c, "/groups", map[string]string{"name": name})
}

// RenameGroup gives a group another name.
func (c *Client) RenameGroup(ctx context.Context, group, name string) (Group, error) {
	return post[Group](ctx, c, groupPath(group)+"/rename", map[string]string{"name": name})
}

// DeleteGroup deletes a group.
func (c *Client) DeleteGroup(ctx context.Context, group string) error {
	_, err := c.bytes(ctx, request{method: http.MethodDelete, path: groupPath(group)})
	return err
}

// GroupPeople lists who is in a group.
func (c *Client) GroupPeople(ctx context.Context, group string) ([]GroupPerson, error) {
	return list[GroupPerson](ctx, c, groupPath(group)+"/people", nil)
}

// AddToGroup puts a person into a group.
func (c *Client) AddToGroup(ctx context.Context, group, person string) (Group, error) {
	return do[Group](ctx, c, request{method: http.MethodPut, path: groupPath(group) + "/people/" + url.PathEscape(person)})
}

// RemoveFromGroup takes a person out of a group.
func (c *Client) RemoveFromGroup(ctx context.Context, group, person string) (Group, error) {
	return do[Group](ctx, c, request{method: http.MethodDelete, path: groupPath(group) + "/people/" + url.PathEscape(person)})
}

// Why explains whether a person ("" for the caller) may do something with an app, a request, a person or
// a group ("" for acts about the node).
func (c *Client) Why(ctx context.Context, person, act, on string) (Explanation, error) {
	q := url.Values{"act": {act}}
	for name, value := range map[string]string{"person": person, "on": on} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return get[Explanation](ctx, c, "/access/why", q)
}

func groupPath(group string) string { return "/groups/" + url.PathEscape(group) }

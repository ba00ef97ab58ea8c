package client

import (
	"context"
	"net/http"
	"net/url"
)

// Notices lists what you are told, newest first; with unread what you have not read alone.
func (c *Client) Notices(ctx context.Context, unread bool) ([]Notice, error) {
	q := url.Values{}
	if unread {
		q.Set("unread", "true")
	}
	return list[Notice](ctx, c, "/notices", q)
}

// Notice reads one of your notices.
func (c *Client) Notice(ctx context.Context, id string) (Notice, error) {
	return get[Notice](ctx, c, "/notices/"+url.PathEscape(id), nil)
}

// MarkNotices marks some of your notices, or without ids all of them, as read or as not read. It returns
// how many are not read then.
func (c *Client) MarkNotices(ctx context.Context, read bool, ids ...string) (unread int, err error) {
	left, err := post[struct {
		Unread int `json:"unread"`
	}](ctx, c, "/notices/mark", map[string]any{"ids": ids, "all": len(ids) == 0, "read": read})
	return left.Unread, err
}

// NoticeSettings reads how you are told.
func (c *Client) NoticeSettings(ctx context.Context) (NoticeSettings, error) {
	return get[NoticeSettings](ctx, c, "/notice-settings", nil)
}

// ChooseNotices says how you are told.
func (c *Client) ChooseNotices(ctx context.Context, choice NoticeChoice) (NoticeSettings, error) {
	return write[NoticeSettings](ctx, c, http.MethodPut, "/notice-settings", choice)
}

package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

func appPath(app, act string) string { return "/apps/" + url.PathEscape(app) + "/" + act }

// Suspend stops an app until it is resumed. Who stops another person's app gives a reason.
func (c *Client) Suspend(ctx context.Context, app, reason string) (App, error) {
	return post[App](ctx, c, appPath(app, "suspend"), map[string]any{"reason": reason})
}

// Resume ends a suspension.
func (c *Client) Resume(ctx context.Context, app, reason string) (App, error) {
	return post[App](ctx, c, appPath(app, "resume"), map[string]any{"reason": reason})
}

// Maintain puts an app in maintenance, or says anew until which day (zero: no end) and which app follows it ("": none).
func (c *Client) Maintain(ctx context.Context, app string, until time.Time, successor, reason string) (App, error) {
	in := map[string]any{"successor": successor, "reason": reason}
	if !until.IsZero() {
		in["until"] = until.UTC().Format(time.DateOnly)
	}
	return post[App](ctx, c, appPath(app, "maintain"), in)
}

// EndMaintenance lets an app get new things again.
func (c *Client) EndMaintenance(ctx context.Context, app, reason string) (App, error) {
	return post[App](ctx, c, appPath(app, "unmaintain"), map[string]any{"reason": reason})
}

// Quarantine keeps an app from everybody because something is wrong with it. It needs a reason.
func (c *Client) Quarantine(ctx context.Context, app, reason string) (App, error) {
	return post[App](ctx, c, appPath(app, "quarantine"), map[string]any{"reason": reason})
}

// EndQuarantine lets an app be what it was before. It needs a reason.
func (c *Client) EndQuarantine(ctx context.Context, app, reason string) (App, error) {
	return post[App](ctx, c, appPath(app, "unquarantine"), map[string]any{"reason": reason})
}

// DeleteApp stops an app and has it removed, with all that it keeps, when a wait is over.
func (c *Client) DeleteApp(ctx context.Context, app, reason string) (App, error) {
	return post[App](ctx, c, appPath(app, "delete"), map[string]any{"app": app, "reason": reason})
}

// UndeleteApp undoes the deletion of an app while its wait lasts.
func (c *Client) UndeleteApp(ctx context.Context, app string) (App, error) {
	return do[App](ctx, c, request{method: http.MethodPost, path: appPath(app, "undelete")})
}

// Transfer offers the caller's app to another person; an operator hands over another one's at once.
func (c *Client) Transfer(ctx context.Context, app, to, reason string) (App, error) {
	return post[App](ctx, c, appPath(app, "transfer"), map[string]any{"to": to, "reason": reason})
}

// Share says who owns an app with its owner: a person and a group, "" for none.
func (c *Client) Share(ctx context.Context, app, coOwner, group, reason string) (App, error) {
	return write[App](ctx, c, http.MethodPut, appPath(app, "owners"), map[string]any{"co_owner": coOwner, "group": group, "reason": reason})
}

// AnswerOffer takes an app that is offered to the caller, or ends the offer.
func (c *Client) AnswerOffer(ctx context.Context, app string, accept bool) (App, error) {
	return post[App](ctx, c, appPath(app, "offer"), map[string]any{"accept": accept})
}

// Rename gives an app another title.
func (c *Client) Rename(ctx context.Context, app, title string) (App, error) {
	return write[App](ctx, c, http.MethodPut, appPath(app, "title"), map[string]any{"title": title})
}

// Certificates say what was removed of an app or, for "", of all that the caller may see.
func (c *Client) Certificates(ctx context.Context, app string) ([]Certificate, error) {
	return list[Certificate](ctx, c, "/certificates", url.Values{"app": {app}})
}

// Certificate reads one.
func (c *Client) Certificate(ctx context.Context, id string) (Certificate, error) {
	return get[Certificate](ctx, c, "/certificates/"+url.PathEscape(id), nil)
}

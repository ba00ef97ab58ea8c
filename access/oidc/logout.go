package oidc

import (
	"context"
	"fmt"
	"time"

	"github.com/agora-host/agora/access"
)

// Ended reads a logout token, which anybody may send. access.ErrUntrustedSignIn, access.ErrProviderDown.
func (p *Provider) Ended(ctx context.Context, raw string) (access.Ended, error) {
	f, err := p.known(ctx)
	if err != nil {
		return access.Ended{}, err
	}
	t, err := f.logout.VerifyLogout(ctx, raw)
	if err != nil {
		return access.Ended{}, p.unverified(err)
	}
	refuse := func(why string) (access.Ended, error) {
		return access.Ended{}, fmt.Errorf("%w: %s", access.ErrUntrustedSignIn, why)
	}
	c, err := readClaims(t.Claims)
	if err != nil {
		return refuse(clip(err.Error()))
	}
	now := p.now()
	var event map[string]any
	switch {
	case t.IssuedAt.IsZero() || t.IssuedAt.After(now.Add(skew)) || now.Sub(t.IssuedAt) > oldest:
		return refuse("the notice is not of now" + p.clocks())
	case t.Expiry.Sub(t.IssuedAt) > longest:
		return refuse("the notice would hold for more than a day")
	case len(t.Audience) > 1:
		return refuse("the notice is for others, too")
	case len(t.TokenID) > maxSubject || len(t.SessionID) > maxSubject || len(t.Subject) > maxSubject:
		return refuse("the notice has ids that are too long")
	case !c.object("events", "http://schemas.openid.net/event/backchannel-logout", &event):
		return refuse("the notice is about no sign-out")
	}
	e := access.Ended{Provider: p.c.ID, Issuer: t.Issuer, Session: t.SessionID, ID: t.TokenID, At: t.IssuedAt.Add(time.Second)}
	if p.c.Subject == "sub" {
		e.Subject = t.Subject
	} else {
		e.Subject = c.text(p.c.Subject)
	}
	if e.Session == "" && e.Subject == "" {
		return refuse("the notice names neither a session nor a person")
	}
	return e, nil
}

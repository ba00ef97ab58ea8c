package oidc

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	goidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/agora-host/agora/access"
)

const (
	skew       = 2 * time.Minute // how far clocks may be apart
	oldest     = 10 * time.Minute
	longest    = 24 * time.Hour
	maxSubject = 255
)

// Begin returns where the browser goes to sign in, and what it keeps meanwhile. With fresh, the
// person is asked for proof unless they gave it within that time.
func (p *Provider) Begin(ctx context.Context, redirect string, fresh time.Duration) (address string, l access.Login, err error) {
	f, err := p.known(ctx)
	if err != nil {
		return "", l, err
	}
	l = access.Login{
		Provider: p.c.ID, State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(),
		Began: p.now().UTC().Truncate(time.Second), Fresh: fresh,
	}
	options := []oauth2.AuthCodeOption{goidc.Nonce(l.Nonce), oauth2.S256ChallengeOption(l.Verifier)}
	if fresh > 0 {
		options = append(options, oauth2.SetAuthURLParam("max_age", strconv.Itoa(int(fresh.Seconds()))))
	}
	return p.client(f, redirect).AuthCodeURL(l.State, options...), l, nil
}

// Finish takes the answer that the browser brings back, and returns who signed in. redirect is what
// Begin was given.
func (p *Provider) Finish(ctx context.Context, l access.Login, redirect string, answer url.Values) (access.Assertion, error) {
	f, err := p.known(ctx)
	if err != nil {
		return access.Assertion{}, err
	}
	if err := p.belongs(f, l, answer); err != nil {
		return access.Assertion{}, err
	}
	ctx, cancel := context.WithTimeout(goidc.ClientContext(ctx, p.open), 2*within)
	defer cancel()
	token, err := p.client(f, redirect).Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(l.Verifier))
	if err != nil {
		if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok && refused.Response.StatusCode < 500 {
			return access.Assertion{}, fmt.Errorf("%w: it does not take the code: %s", access.ErrProviderRefused, clip(refused.ErrorCode+" "+refused.ErrorDescription))
		}
		return access.Assertion{}, p.unreachable(err)
	}
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return access.Assertion{}, fmt.Errorf("%w: the provider sent no ID token", access.ErrUntrustedSignIn)
	}
	id, err := f.signIn.Verify(ctx, raw)
	if err != nil {
		return access.Assertion{}, p.unverified(err)
	}
	who, err := p.accept(id, l)
	if err != nil || who.Email != "" || f.discovered.UserInfoEndpoint() == "" {
		return who, err
	}
	return p.describe(ctx, f, token, id.Subject, who)
}

// describe asks for what people are called where the ID token does not say it (OpenID Connect Core
// 1.0, 5.3): it is about the same person, or it is not believed.
func (p *Provider) describe(ctx context.Context, f *facts, token *oauth2.Token, subject string, who access.Assertion) (access.Assertion, error) {
	info, err := f.discovered.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return access.Assertion{}, p.unreachable(err)
	}
	c, err := readClaims(info.Claims)
	if err != nil || info.Subject != subject {
		return access.Assertion{}, fmt.Errorf("%w: the provider describes another person than signed in", access.ErrUntrustedSignIn)
	}
	p.c.label(&who, c)
	if who.GroupsLeftOut {
		c.groups(&who, p.c.Groups)
	}
	return who, nil
}

// belongs reports whether an answer is to the sign-in that a browser began.
func (p *Provider) belongs(f *facts, l access.Login, answer url.Values) error {
	age := p.now().Sub(l.Began)
	issuer := answer.Get("iss")
	switch {
	case l.Provider != p.c.ID || l.State == "" || len(answer["state"]) != 1 || !same(answer.Get("state"), l.State):
		return fmt.Errorf("%w: it was begun in another browser or window, or was used before: sign in again", access.ErrUntrustedSignIn)
	case age > access.LoginLasts || age < -skew:
		return fmt.Errorf("%w: it was begun more than %d minutes ago: sign in again", access.ErrUntrustedSignIn, int(access.LoginLasts.Minutes()))
	case issuer != p.c.Issuer && (issuer != "" || f.more.SaysIssuer): // RFC 9207
		return fmt.Errorf("%w: the answer is from another provider", access.ErrUntrustedSignIn)
	case answer.Has("error"):
		return fmt.Errorf("%w: %s", access.ErrProviderRefused, clip(answer.Get("error")+" "+answer.Get("error_description")))
	case len(answer["code"]) != 1 || answer.Get("code") == "":
		return fmt.Errorf("%w: the answer has no code", access.ErrUntrustedSignIn)
	}
	return nil
}

// unverified says what is wrong with a token: the provider's keys, the clocks or the token.
func (p *Provider) unverified(err error) error {
	if p.to.trouble() != nil {
		return p.unreachable(err)
	}
	if _, ok := errors.AsType[*goidc.TokenExpiredError](err); ok {
		return fmt.Errorf("%w: the token has expired%s", access.ErrUntrustedSignIn, p.clocks())
	}
	return fmt.Errorf("%w: %s", access.ErrUntrustedSignIn, clip(err.Error()))
}

// clocks says how far the provider's clock is from this one, if that may be the trouble.
func (p *Provider) clocks() string {
	apart := p.to.ahead().Round(time.Second)
	if apart.Abs() < 30*time.Second {
		return ""
	}
	return fmt.Sprintf("; the provider's clock is %s from this node's: set the clocks", apart)
}

// accept makes the checks of an ID token that go-oidc leaves to its caller.
func (p *Provider) accept(t *goidc.IDToken, l access.Login) (access.Assertion, error) {
	refuse := func(why string) (access.Assertion, error) {
		return access.Assertion{}, fmt.Errorf("%w: %s", access.ErrUntrustedSignIn, why)
	}
	c, err := readClaims(t.Claims)
	if err != nil {
		return refuse("its claims cannot be read: " + clip(err.Error()))
	}
	now := p.now()
	switch {
	case !same(t.Nonce, l.Nonce):
		return refuse("the token was made for another sign-in")
	case c.has("events"):
		return refuse("the token is about signing out")
	case !isID(t.Subject):
		return refuse("the token does not say whose it is")
	case len(t.Audience) > 1 && c.text("azp") != p.c.ClientID, c.has("azp") && c.text("azp") != p.c.ClientID:
		return refuse("the token was made for another application")
	case t.IssuedAt.IsZero() || t.IssuedAt.After(now.Add(skew)) || now.Sub(t.IssuedAt) > oldest:
		return refuse("the token is not of now" + p.clocks())
	case t.Expiry.Sub(t.IssuedAt) > longest:
		return refuse("the token would hold for more than a day")
	}
	who, err := p.c.person(c)
	if err == nil && l.Fresh > 0 && (who.AuthTime.IsZero() || now.Sub(who.AuthTime) > l.Fresh+skew) {
		return access.Assertion{}, fmt.Errorf("%w: %s", access.ErrNotFresh, p.c.Name)
	}
	return who, err
}

// person reads what claims say of a person.
func (c Config) person(claims claims) (access.Assertion, error) {
	who := access.Assertion{
		Provider: c.ID, Issuer: c.Issuer, Subject: claims.text(c.Subject), AuthTime: claims.time("auth_time"), SessionID: claims.text("sid"),
	}
	if !isID(who.Subject) {
		return access.Assertion{}, fmt.Errorf("%w: the claim %s, by which this provider's people are known, is missing or cannot be one", access.ErrUntrustedSignIn, c.Subject)
	}
	if len(who.SessionID) > maxSubject {
		who.SessionID = ""
	}
	claims.groups(&who, c.Groups)
	c.label(&who, claims)
	return who, nil
}

// label reads what a person is called.
func (c Config) label(who *access.Assertion, claims claims) {
	who.Email, who.Name = clip(claims.text("email")), clip(claims.text("name"))
	who.Verified = claims.bool("email_verified") || c.TrustEmail && !claims.has("email_verified")
}

// isID reports whether a text can name a person: what cannot be seen makes two alike.
func isID(text string) bool {
	return text != "" && len(text) <= maxSubject && utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError })
}

// Try reads claims as if the provider had just sent them, and asks nobody: for operators who want to
// know who would sign in. access.ErrUntrustedSignIn for a person who could not.
func (c Config) Try(raw []byte) (access.Assertion, error) {
	c, err := c.withDefaults()
	if err != nil {
		return access.Assertion{}, err
	}
	var all claims
	if err := json.Unmarshal(raw, &all); err != nil {
		return access.Assertion{}, fmt.Errorf("%w: the claims are no JSON object: %w", access.ErrUntrustedSignIn, err)
	}
	return c.person(all)
}

// EndSession returns where a browser goes to end the provider's session as well, or "" if the
// provider has no such place.
func (p *Provider) EndSession(returnTo string) string {
	p.mu.Lock()
	f := p.facts
	p.mu.Unlock()
	if f == nil || f.more.EndSession == "" {
		return ""
	}
	u, err := url.Parse(f.more.EndSession)
	if err != nil {
		return ""
	}
	q := u.Query()
	q.Set("client_id", p.c.ClientID)
	q.Set("post_logout_redirect_uri", returnTo)
	u.RawQuery = q.Encode()
	return u.String()
}

func same(a, b string) bool { return b != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

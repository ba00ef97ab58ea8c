package people

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/state"
)

const (
	// pollEvery is how often a program may ask whether its login is confirmed.
	pollEvery = 5 * time.Second
	// mostGuesses are how many codes a person may type within DeviceLoginLife under which none waits.
	mostGuesses = 10
	// mostRemembered bounds what is remembered of polls and of guesses.
	mostRemembered = 10_000
)

// Logins give the programs of people tokens, once a person has confirmed it in the console.
type Logins struct {
	people *Service
	desk   *control.Desk

	mu      sync.Mutex
	polls   map[string]time.Time   // when a login was asked about last, by hash
	guesses map[string][]time.Time // wrong codes, by person
}

// NewLogins makes Logins.
func NewLogins(people *Service) *Logins {
	return &Logins{people: people, desk: people.desk, polls: map[string]time.Time{}, guesses: map[string][]time.Time{}}
}

// check returns an error unless a program can ask for that, and completes it.
func (a *ask) check() error {
	a.Machine = access.PlainText(a.Machine, access.MaxMachine)
	if a.Machine == "" {
		a.Machine = "an unnamed machine"
	}
	if a.Life <= 0 || a.Life > access.MaxLoginLife {
		return fmt.Errorf("%w: the token of a login lives at least an hour and at most 366 days", access.ErrBadUser)
	}
	if len(a.Scopes) == 0 {
		a.Scopes = access.DefaultScopes()
	}
	if len(a.Apps) > 0 || slices.Contains(a.Scopes, access.ScopeAppsOpen) {
		return fmt.Errorf("%w: a login is for the whole API; agora tokens create makes tokens for single apps", access.ErrBadUser)
	}
	return a.Reach.Check()
}

type ask control.LoginAsk

// Begin takes what a program asks for that waits for a person at another machine. Whose it is, is unknown.
func (l *Logins) Begin(ctx context.Context, asked control.LoginAsk) (control.DeviceLogin, error) {
	a := ask(asked)
	if err := a.check(); err != nil {
		return control.DeviceLogin{}, err
	}
	secret, hash := access.NewSecret(access.KindLogin)
	shown, userCode := access.NewUserCode()
	now := l.desk.Now()
	login := access.DeviceLogin(hash, userCode, a.Machine, a.Reach, a.Life, access.DeviceFrom(ctx), now)
	_, err := l.desk.Update(ctx, "", func(tx state.Tx) error {
		tx.Emit("login.asked", "", "", describeLogin(login))
		return access.AskLogin(tx, login, now)
	})
	address := l.people.consoleURL() + "/device"
	return control.DeviceLogin{
		DeviceCode: secret, UserCode: shown, Address: address, Complete: address + "?code=" + url.QueryEscape(shown),
		Expires: int(access.DeviceLoginLife / time.Second), Interval: int(pollEvery / time.Second),
	}, err
}

// session returns who confirms logins: a person, in a session of the console.
func (l *Logins) session(ctx context.Context) (access.Actor, error) {
	actor, err := l.desk.Door(ctx, access.ManageTokens)
	if err == nil && actor.Via != access.KindSession {
		err = fmt.Errorf("logins are confirmed in the console, where the person sees what is asked: %w", access.ErrForbidden)
	}
	return actor, err
}

// mayConfirm returns an error unless a person may give what is asked for.
func (l *Logins) mayConfirm(actor access.Actor, a ask) error {
	return mayGive(actor, &control.NewToken{Label: a.Machine, TTL: a.Life, Reach: a.Reach}, l.desk.Now())
}

// Preview returns what a person is shown of what a program asks that opened the browser; an error if the person
// may not give it.
func (l *Logins) Preview(ctx context.Context, asked control.LoginAsk) (control.LoginAsk, error) {
	actor, err := l.session(ctx)
	a := ask(asked)
	if err == nil {
		err = a.check()
	}
	if err == nil && !access.IsChallenge(a.Challenge) {
		err = fmt.Errorf("the challenge is no S256: %w", access.ErrLogin)
	}
	if err == nil {
		err = l.mayConfirm(actor, a)
	}
	return control.LoginAsk(a), err
}

// Confirm returns a code that the browser brings to the program that opened it, which trades it for a token.
func (l *Logins) Confirm(ctx context.Context, asked control.LoginAsk) (string, error) {
	asked, err := l.Preview(ctx, asked)
	if err != nil {
		return "", err
	}
	actor := access.ActorFrom(ctx)
	secret, hash := access.NewSecret(access.KindLogin)
	_, err = l.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		session, err := tx.CredentialByHash(actor.Credential)
		if err != nil {
			return err
		}
		now := l.desk.Now()
		login := session.BrowserLogin(hash, asked.Challenge, asked.Machine, asked.Reach, asked.Life, access.DeviceFrom(ctx), now)
		tx.Emit("login.confirmed", "", actor.User, describeLogin(login))
		return access.AddCredential(tx, login, now)
	})
	return secret, err
}

// describeLogin is what the feed says of a login.
func describeLogin(login access.Credential) map[string]string {
	detail := map[string]string{"machine": login.Label, "scopes": words(login.Scopes)}
	if login.Device.Address != "" {
		detail["address"] = login.Device.Address
	}
	return detail
}

// Asked returns what waits under a code that a person typed; access.ErrUserCode, and access.ErrGuesses of one who
// typed too many.
func (l *Logins) Asked(ctx context.Context, typed string) (asked control.LoginAsked, err error) {
	actor, err := l.session(ctx)
	if err != nil {
		return asked, err
	}
	var login access.Credential
	err = l.guessing(actor.User, func() error {
		return l.desk.View(ctx, func(tx state.Reader) (err error) {
			login, err = access.WaitingLogin(tx, typed, l.desk.Now())
			return err
		})
	})
	a := ask{Machine: login.Label, Life: login.Login.Life, Reach: login.Reach}
	if err == nil {
		err = l.mayConfirm(actor, a)
	}
	return control.LoginAsked{LoginAsk: control.LoginAsk(a), From: login.Device, At: login.Created, Ends: login.Login.Until}, err
}

// Answer confirms the login that waits under a code, or refuses it.
func (l *Logins) Answer(ctx context.Context, typed string, confirm bool) error {
	actor, err := l.session(ctx)
	if err != nil {
		return err
	}
	return l.guessing(actor.User, func() error {
		_, err := l.desk.Update(ctx, actor.User, func(tx state.Tx) error {
			now := l.desk.Now()
			login, err := access.WaitingLogin(tx, typed, now)
			if err != nil {
				return err
			}
			if !confirm {
				tx.Emit("login.denied", "", actor.User, describeLogin(login))
				return access.AnswerLogin(tx, login, access.Credential{}, false, now)
			}
			if err := l.mayConfirm(actor, ask{Machine: login.Label, Life: login.Login.Life, Reach: login.Reach}); err != nil {
				return err
			}
			session, err := tx.CredentialByHash(actor.Credential)
			if err != nil {
				return err
			}
			tx.Emit("login.confirmed", "", actor.User, describeLogin(login))
			return access.AnswerLogin(tx, login, session, true, now)
		})
		return err
	})
}

// guessing has a person try a code, and counts those under which none waits.
func (l *Logins) guessing(user string, try func() error) error {
	now := l.desk.Now()
	if !l.charge(user, now) {
		return fmt.Errorf("%w: you typed %d within %d minutes under which none waits", access.ErrGuesses, mostGuesses, access.DeviceLoginLife/time.Minute)
	}
	err := try()
	if !errors.Is(err, access.ErrUserCode) {
		l.refund(user, now)
	}
	return err
}

// charge counts a code as wrong before it is tried, so that many at once are no more than one after the other,
// and reports whether it may be tried.
func (l *Logins) charge(user string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := func(at time.Time) bool { return now.Sub(at) >= access.DeviceLoginLife }
	forgetOld(l.guesses, func(all []time.Time) bool { return len(all) == 0 || old(all[len(all)-1]) })
	recent := slices.DeleteFunc(l.guesses[user], old)
	if len(recent) >= mostGuesses {
		return false
	}
	l.guesses[user] = append(recent, now)
	return true
}

// refund takes back what was charged for a code that was not wrong.
func (l *Logins) refund(user string, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.guesses[user], at); i >= 0 {
		l.guesses[user] = slices.Delete(l.guesses[user], i, i+1)
	}
}

// forgetOld makes room in what is remembered: what is old goes, and all if that is not enough.
func forgetOld[T any](known map[string]T, old func(T) bool) {
	if len(known) < mostRemembered {
		return
	}
	for key, v := range known {
		if old(v) {
			delete(known, key)
		}
	}
	if len(known) >= mostRemembered {
		clear(known)
	}
}

// slow returns an error if a program asks again too soon about a login that waits.
func (l *Logins) slow(hash string) error {
	now := l.desk.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	last, asked := l.polls[hash]
	forgetOld(l.polls, func(at time.Time) bool { return now.Sub(at) >= access.DeviceLoginLife })
	l.polls[hash] = now
	if asked && now.Sub(last) < pollEvery-time.Second { // a network may shorten what a program has waited
		return access.ErrLoginSlow
	}
	return nil
}

// Redeem trades what a program has for its token: a code that the browser brought, with the verifier, or the code
// of a device, once a person has confirmed it. It fails with access.ErrLoginPending before that. What comes a
// second time ends the token of the first.
func (l *Logins) Redeem(ctx context.Context, code, verifier string) (string, access.Credential, error) {
	err := l.desk.View(ctx, func(tx state.Reader) error { return access.LoginState(tx, code, l.desk.Now()) })
	if errors.Is(err, access.ErrLoginPending) {
		if slow := l.slow(access.Hash(code)); slow != nil {
			err = slow
		}
	}
	if err != nil {
		return "", access.Credential{}, err
	}
	secret, hash := access.NewSecret(access.KindToken)
	var token access.Credential
	good := false
	_, err = l.desk.Update(ctx, "", func(tx state.Tx) (err error) {
		token, good, err = access.UseLogin(tx, code, verifier, hash, l.desk.Now())
		if err != nil {
			return err
		}
		tx.As(token.User)
		if !good {
			tx.Emit("login.refused", "", token.User, map[string]string{"machine": token.Label})
			return nil
		}
		tx.Emit("token.created", "", token.ID, map[string]string{"label": token.Label, "scopes": words(token.Scopes)})
		return nil
	})
	if err == nil && !good {
		err = fmt.Errorf("it was used before, and the token of then has ended, or it was made for another program: %w", access.ErrLogin)
	}
	if err != nil {
		return "", access.Credential{}, err
	}
	return secret, token, nil
}

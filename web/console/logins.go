package console

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/web"
	"github.com/agora-host/agora/web/problem"
)

// Logins give the programs of people tokens that a person confirms here.
type Logins interface {
	// Preview returns what a person is shown of what a program asks for that opened the browser.
	Preview(ctx context.Context, asked control.LoginAsk) (control.LoginAsk, error)
	// Confirm returns the code that the browser brings to the program.
	Confirm(ctx context.Context, asked control.LoginAsk) (code string, err error)
	// Asked returns what waits under a code that a person typed; access.ErrUserCode, access.ErrGuesses.
	Asked(ctx context.Context, typed string) (control.LoginAsked, error)
	// Answer confirms what waits under a code, or refuses it.
	Answer(ctx context.Context, typed string, confirm bool) error
}

// logins are the pages on which a person confirms that a program acts for them.
type logins struct {
	*frame
	logins Logins
}

// loginView is a program that asks, or an empty form for the code of one.
type loginView struct {
	base
	control.LoginAsk
	From access.Device // what asked, of one that waits under a code
	At   time.Time
	Code string

	// Of a program that opened the browser.
	Redirect, State string
	Hours           int
	Next            string // where the page leads on at once; "" while it asks
}

// Expires is when the token will end.
func (v loginView) Expires() time.Time { return v.Now.Add(v.Life) }

// Meanings are what the scopes allow that are asked for.
func (v loginView) Meanings() (all []access.ScopeInfo) {
	for _, s := range access.Scopes() {
		if slices.Contains(v.Scopes, s.Scope) {
			all = append(all, s)
		}
	}
	return all
}

// askedBy reads what a program asks for that opened the browser, as its address or the form of the page says it.
// Nothing is sent to an address that is not this machine's own.
func askedBy(values url.Values) (v loginView, err error) {
	for _, name := range []string{"machine", "hours", "challenge", "state", "redirect_uri"} {
		if len(values[name]) != 1 || len(values.Get(name)) > 300 {
			return v, fmt.Errorf("the parameter %s is missing, or there twice: %w", name, problem.ErrBadRequest)
		}
	}
	v.State, v.Redirect = values.Get("state"), values.Get("redirect_uri")
	if raw, err := hex.DecodeString(v.State); err != nil || len(raw) != 16 {
		return v, fmt.Errorf("the parameter state is malformed: %w", problem.ErrBadRequest)
	}
	if !access.IsLoopback(v.Redirect) {
		return v, fmt.Errorf("the parameter redirect_uri is no address of a program on this machine, as http://127.0.0.1:54321/callback: %w", problem.ErrBadRequest)
	}
	if v.Hours, err = strconv.Atoi(values.Get("hours")); err != nil || v.Hours < 1 || v.Hours > int(access.MaxLoginLife/time.Hour) {
		return v, fmt.Errorf("the parameter hours is no number of hours up to 366 days: %w", problem.ErrBadRequest)
	}
	v.LoginAsk = control.LoginAsk{Machine: values.Get("machine"), Life: time.Duration(v.Hours) * time.Hour, Challenge: values.Get("challenge")}
	for _, word := range values["scope"] {
		v.Scopes = append(v.Scopes, access.Scope(word))
	}
	return v, nil
}

// show shows what a program asks for that opened the browser, with a button.
func (l *logins) show(r *http.Request) (string, any, error) {
	v, err := askedBy(r.URL.Query())
	if err != nil {
		return "", nil, err
	}
	if v.LoginAsk, err = l.logins.Preview(r.Context(), v.LoginAsk); err != nil {
		return "", nil, err
	}
	v.base, err = l.base(r, "Log in a program", "")
	return "login", v, err
}

// answer leads the browser of a person who has pressed a button to the program, with a code or without. It is a
// page that leads on, and no redirect: a form's chain of redirects may not end at another origin.
func (l *logins) answer(w http.ResponseWriter, r *http.Request) {
	r, done, err := l.begin(w, r, maxSmall, access.Door(access.ManageTokens)...)
	if err != nil {
		l.refuse(w, r, err)
		return
	}
	defer done()
	v, err := l.answered(r)
	if err != nil {
		l.failed(w, r, err)
		return
	}
	w.Header().Set("Referrer-Policy", "no-referrer")
	l.render(w, r, http.StatusOK, "login", v)
}

func (l *logins) answered(r *http.Request) (v loginView, err error) {
	if err := r.ParseForm(); err != nil {
		return v, problem.ErrBadRequest
	}
	if v, err = askedBy(r.PostForm); err != nil {
		return v, err
	}
	back := url.Values{"state": {v.State}}
	switch r.PostForm.Get("answer") {
	case "confirm":
		code, err := l.logins.Confirm(web.WithDevice(r).Context(), v.LoginAsk)
		if err != nil {
			return v, err
		}
		back.Set("code", code)
	case "refuse":
		back.Set("error", "access_denied")
	default:
		return v, fmt.Errorf("the form has no answer: %w", problem.ErrBadRequest)
	}
	v.Next = v.Redirect + "?" + back.Encode()
	v.base, err = l.base(r, "Back to the program", "")
	return v, err
}

// device shows a form for a code, or what waits under one.
func (l *logins) device(r *http.Request) (string, any, error) {
	b, err := l.base(r, "Log in a program", "")
	v := loginView{base: b, Code: r.URL.Query().Get("code")}
	if err != nil || v.Code == "" {
		return "device", v, err
	}
	asked, err := l.logins.Asked(r.Context(), v.Code)
	v.LoginAsk, v.From, v.At = asked.LoginAsk, asked.From, asked.At
	v.From.Name, v.From.Address = cmp.Or(v.From.Name, "an unknown program"), cmp.Or(v.From.Address, "an unknown address")
	return "device", v, err
}

func (l *logins) answerDevice(r *http.Request) (string, error) {
	done := map[string]string{"confirm": "login", "refuse": "denied"}[r.PostForm.Get("answer")]
	if done == "" {
		return "", fmt.Errorf("the form has no answer: %w", problem.ErrBadRequest)
	}
	return "/device?done=" + done, l.logins.Answer(web.WithDevice(r).Context(), r.PostForm.Get("code"), done == "login")
}

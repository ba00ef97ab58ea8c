package gate

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/registry"
	"github.com/agora-host/agora/state"
)

// State is what the gate reads.
type State interface {
	View(ctx context.Context, read func(state.Reader) error) error
}

// SignOn makes and ends sessions at apps' addresses.
type SignOn interface {
	// Redeem trades a one-time code for a session at an address; access.ErrCode.
	Redeem(ctx context.Context, code, verifier, app, host string) (secret string, err error)
	// Leave ends a session at an address.
	Leave(ctx context.Context, secret string) error
	// Used notes that a session, or a token, was used, so that it does not end unused.
	Used(ctx context.Context, c access.Credential)
	// Ask asks for access in a person's name.
	Ask(ctx context.Context, actor access.Actor, app string, tier abi.Tier) error
}

// Addresses are the sides of the front door.
type Addresses interface {
	// Scheme returns the scheme of the apps' addresses.
	Scheme() string
	// ConsoleURL returns the console's origin.
	ConsoleURL() string
	// KeepsSignIn returns nil if browsers keep a sign-in at a host, and otherwise why they do not.
	KeepsSignIn(host string) error
}

// Options are what a Gate needs.
type Options struct {
	State     State
	SignOn    SignOn
	Addresses Addresses
	// Default is the audience of apps for which none was set; "" for the default of each tier.
	Default access.AudienceDefaults
	// Identities make what apps are told of people.
	Identities Identities
	Now        func() time.Time
}

// Gate lets people in.
type Gate struct {
	o        Options
	jar      jar
	sessions *sessions
	known    acquaintances
	doors    atomic.Uint64 // that were made

	mu     sync.Mutex          // guards visits
	visits map[*Visit]struct{} // that run
}

// New makes a gate.
func New(o Options) *Gate {
	return &Gate{o: o, jar: jar{o.Addresses}, sessions: newSessions(), visits: map[*Visit]struct{}{}}
}

// Door is one address of an app, as the state was when it was read: another state is another door.
type Door struct {
	App      registry.App
	Tier     abi.Tier
	Host     string // in its one form
	Audience access.Audience
	Opens    func(path string) bool // whether a path needs no sign-in
	Workers  bool                   // the release may have service workers
	Identity access.Disclosure      // what the release asks to be told of people
	Reviewed bool                   // a reviewer has let the release into the tier

	id     uint64
	origin string
}

// Door makes a door of what is known of it.
func (g *Gate) Door(d Door) *Door {
	d.id, d.origin = g.doors.Add(1), g.o.Addresses.Scheme()+"://"+d.Host
	return &d
}

// Visit is a request that was let in by a session or a token. A zero one was let in without.
type Visit struct {
	Key  Key
	Door *Door
	runs Ender
}

// Ender is what runs for a visit.
type Ender interface {
	// End ends it, and says why. It does not wait for the end.
	End(why error)
}

// Signed reports whether a session or a token stands behind a request.
func (v Visit) Signed() bool { return v.Key != Key{} }

// Enter decides about a request. It has responded itself if done is true, and it has not after an error.
// What an app must not see is taken off the request.
func (g *Gate) Enter(w http.ResponseWriter, r *http.Request, d *Door) (v Visit, done bool, err error) {
	if isReserved(r.URL.Path) {
		return v, true, g.own(w, r, d)
	}
	token, found := bearer(r.Header)
	switch {
	case found && token == "":
		return v, false, fmt.Errorf("the header Authorization holds a secret of the platform: %w", access.ErrPlatformToken)
	case found:
		return g.byToken(r.Context(), token, d)
	case !d.Audience.Restricted() || d.Opens(r.URL.EscapedPath()):
		return v, false, nil
	}
	if err := g.ready(r, d); err != nil {
		return v, false, err
	}
	if k, ok := keyOf(g.jar.session(r.Header)); ok {
		if v, done, err = g.bySession(w, r, k, d); !errors.Is(err, access.ErrUnauthenticated) {
			return v, done, err
		}
	}
	return Visit{}, true, g.signIn(w, r, d)
}

// ready refuses what no sign-in could make right.
func (g *Gate) ready(r *http.Request, d *Door) error {
	switch {
	case preflight(r) && foreign(r, d.origin):
		return fmt.Errorf("a page of another origin asks whether it may call this app: %w", access.ErrCrossSite)
	case r.Host != d.Host:
		return fmt.Errorf("this address is %s: %w", d.Host, access.ErrMisdirected)
	case worker(r.Header) && !d.Workers:
		return fmt.Errorf("the manifest does not ask for them: %w", access.ErrWorker)
	}
	return nil
}

// byToken lets a program in with a token that opens this app.
func (g *Gate) byToken(ctx context.Context, token string, d *Door) (Visit, bool, error) {
	k, ok := keyOf(token)
	if !ok {
		return Visit{}, false, access.ErrPlatformToken
	}
	if g.sessions.mayOpen(k, d.id, g.o.Now()) {
		return Visit{Key: k, Door: d}, false, nil
	}
	who, err := g.comes(ctx, k, d)
	switch {
	case errors.Is(err, access.ErrUnauthenticated):
		err = fmt.Errorf("make one that opens %s alone, with the scope %s: %w", d.App.Name, access.ScopeAppsOpen, access.ErrPlatformToken)
	case err == nil && !who.admitted:
		err = d.refusal()
	}
	if err != nil {
		return Visit{}, false, err
	}
	return Visit{Key: k, Door: d}, false, nil
}

// bySession lets a person in with the session of this address; access.ErrUnauthenticated if it is none.
func (g *Gate) bySession(w http.ResponseWriter, r *http.Request, k Key, d *Door) (Visit, bool, error) {
	var who visitor
	admitted := g.sessions.mayOpen(k, d.id, g.o.Now())
	if !admitted {
		var err error
		if who, err = g.comes(r.Context(), k, d); err != nil {
			return Visit{}, false, err
		}
	}
	switch {
	case foreign(r, d.origin):
		return Visit{}, false, access.ErrCrossSite
	case admitted || who.admitted:
		return Visit{Key: k, Door: d}, false, nil
	case takesPage(r.Header) && read(r.Method):
		return Visit{}, true, g.noAccess(w, r, d, who.actor)
	}
	return Visit{}, false, d.refusal()
}

// resource is the app as the table of who may do what sees it.
func (d *Door) resource() access.Resource {
	on := access.App(d.App.Name, d.App.Owner)
	on.CoOwner, on.Group = d.App.CoOwner, d.App.Group
	return on
}

// refusal is the error of a person who is not in the audience.
func (d *Door) refusal() error {
	return fmt.Errorf("%s is for %s: %w", d.App.Name, d.Audience.Words(), access.ErrNotAdmitted)
}

// visitor is a person at a door.
type visitor struct {
	actor    access.Actor
	admitted bool
	used     access.Credential
}

// comes is look for a request, which uses the session. What runs on does not: a window that is left open
// keeps no session alive.
func (g *Gate) comes(ctx context.Context, k Key, d *Door) (who visitor, err error) {
	if who, err = g.look(ctx, k, d); err == nil {
		g.o.SignOn.Used(ctx, who.used)
	}
	return who, err
}

// look reads from the state whose session it is, and whether that person may come in.
func (g *Gate) look(ctx context.Context, k Key, d *Door) (who visitor, err error) {
	since, now := g.sessions.now(), g.o.Now()
	var v access.Visitor
	err = g.o.State.View(ctx, func(tx state.Reader) (err error) {
		if v, err = access.Visit(tx, hex.EncodeToString(k[:]), d.App.Name, d.Host, now); err != nil {
			return err
		}
		who.admitted = d.Audience.Admits(v.Actor, d.resource())
		return nil
	})
	who.actor, who.used = v.Actor, v.Used
	if err == nil && who.admitted {
		until := now.Add(lookEvery)
		if !v.Until.IsZero() && v.Until.Before(until) {
			until = v.Until
		}
		g.sessions.keep(k, d.id, since, who.actor.User, until)
	}
	return who, unseen(ctx, err)
}

// unseen says of an error of the state, while a session is looked up, that it is not known who may come in.
func unseen(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil || errors.Is(err, access.ErrUnauthenticated) {
		return err
	}
	return fmt.Errorf("%w: %w", access.ErrUnseen, err)
}

// lookEvery is how long a session is believed without being read. It bounds, too, how long after its session
// ended a visit goes on of which no event tells, and how exactly it is known when a session was used.
const lookEvery = time.Minute

// Begin has what runs for a visit end once its session does or its person is not admitted any more. Left is
// called when it has ended.
func (g *Gate) Begin(v *Visit, runs Ender) {
	v.runs = runs
	g.mu.Lock()
	defer g.mu.Unlock()
	g.visits[v] = struct{}{}
}

// Left forgets a visit, whose pointer is the one that it began with.
func (g *Gate) Left(v *Visit) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.visits, v)
}

// Follow has what is remembered follow the feed. Of a change that names a person, that person's sessions
// are read again; other people's are not.
func (g *Gate) Follow(ctx context.Context, events []abi.Event) error {
	concerned := false
	for _, e := range events {
		people, all := concerns(e)
		if all {
			g.sessions.forgetAll()
		}
		for _, p := range people {
			g.sessions.forget(p)
		}
		concerned = concerned || all || len(people) > 0 || e.App != ""
	}
	if !concerned {
		return nil
	}
	return g.lookAgain(ctx, events)
}

// concerns returns the people whose sessions an event may end, or let in elsewhere; all for one that does
// not name them.
func concerns(e abi.Event) (people []string, all bool) {
	kind, _, _ := strings.Cut(e.Kind, ".")
	switch kind {
	case "user", "session", "token", "account":
		return []string{e.Actor, e.Subject, e.Detail["was"], e.Detail["name"], e.Detail["person"]}, false
	case "group":
		if person := e.Detail["person"]; person != "" {
			return []string{person}, false
		}
		return nil, e.Kind == "group.deleted"
	}
	return nil, false
}

// EndVisits ends the visits whose sessions have ended by themselves, of which no event tells.
func (g *Gate) EndVisits(ctx context.Context) error { return g.lookAgain(ctx, nil) }

// Distrust has every session read again: for when the feed cannot be read.
func (g *Gate) Distrust() { g.sessions.forgetAll() }

// Remembered is how many sessions are in memory.
func (g *Gate) Remembered() int { return g.sessions.number() }

// lookAgain ends the visits that would not be let in any more. Those of other people and other apps go on
// without being looked at, unless the state cannot be read.
func (g *Gate) lookAgain(ctx context.Context, events []abi.Event) error {
	g.mu.Lock()
	running := make([]*Visit, 0, len(g.visits))
	for v := range g.visits {
		named := slices.ContainsFunc(events, func(e abi.Event) bool { return e.App == v.Door.App.Name })
		if named || !g.sessions.mayOpen(v.Key, v.Door.id, g.o.Now()) {
			running = append(running, v)
		}
	}
	g.mu.Unlock()
	var errs []error
	for _, v := range running {
		d, err := g.present(ctx, v.Door)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		who, err := g.look(ctx, v.Key, d)
		switch {
		case errors.Is(err, access.ErrUnauthenticated):
			v.runs.End(access.ErrSessionEnded)
		case err == nil && !who.admitted:
			v.runs.End(d.refusal())
		case err != nil:
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// present is a door as the state says now, with its id: what is remembered of it holds for visits that
// began at it.
func (g *Gate) present(ctx context.Context, d *Door) (*Door, error) {
	now := *d
	err := g.o.State.View(ctx, func(tx state.Reader) (err error) {
		if now.App, err = tx.App(d.App.Name); err == nil {
			now.Audience, err = access.AudienceOf(tx, d.App.Name, d.Tier, g.o.Default)
		}
		return err
	})
	return &now, err
}

package gate

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/state"
)

// Identities make what apps are told of people.
type Identities interface {
	// Pseudonym returns the id of a person at an app.
	Pseudonym(app, person string) string
	// Token signs what the app at an origin is told of a caller.
	Token(issuer, origin string, c access.Caller, now, expires time.Time) (string, error)
}

const (
	tokenLife = 2 * time.Minute
	// tokenKept is how long a token is sent again: an app can pass on each for a minute at least.
	tokenKept = time.Minute
)

// Identity returns the headers by which the app of a visit learns who calls it; none for one that does not
// ask. They are shared, and not to be changed.
func (g *Gate) Identity(ctx context.Context, v Visit) ([]abi.Field, error) {
	if v.Door == nil || v.Door.Identity == access.DiscloseNothing {
		return nil, nil
	}
	now := g.o.Now()
	if fields := g.known.find(v.Key, v.Door.id, now, g.sessions); fields != nil {
		return fields, nil
	}
	return g.introduce(ctx, v, now)
}

// introduce reads from the state who makes a visit, and remembers what the app is told of them.
func (g *Gate) introduce(ctx context.Context, v Visit, now time.Time) ([]abi.Field, error) {
	d, since := v.Door, g.sessions.now()
	var who access.Visitor
	var person access.Identity
	err := g.o.State.View(ctx, func(tx state.Reader) (err error) {
		if who, err = access.Visit(tx, hex.EncodeToString(v.Key[:]), d.App.Name, d.Host, now); err == nil {
			person, err = tx.Person(who.Actor.User)
		}
		return err
	})
	switch {
	case errors.Is(err, access.ErrUnauthenticated):
		return nil, access.ErrSessionEnded
	case err != nil:
		return nil, unseen(ctx, err)
	case person.ID == "":
		return nil, fmt.Errorf("BUG: %s has no id", who.Actor.User)
	case !d.Audience.Admits(who.Actor, d.resource()):
		return nil, d.refusal()
	}
	app := fmt.Sprint(d.App.Name, " ", d.App.Created.Unix()) // another one of that name is another app
	c := access.Caller{ID: g.o.Identities.Pseudonym(app, person.ID), Via: who.Actor.CallerVia()}
	if d.Identity.At(d.Reviewed, who.Actor, d.resource()) == access.DisclosePerson {
		c.Name = who.Actor.User
	}
	expires := now.Add(tokenLife)
	if !who.Until.IsZero() && who.Until.Before(expires) {
		expires = who.Until
	}
	token, err := g.o.Identities.Token(g.o.Addresses.ConsoleURL(), d.origin, c, now, expires)
	if err != nil {
		return nil, fmt.Errorf("sign who calls %s: %w", d.App.Name, err)
	}
	fields := callerFields(c, token)
	g.known.keep(v.Key, introduced{door: d.id, read: since, group: g.sessions.groupOf(who.Actor.User), until: min(now.Add(tokenKept).Unix(), expires.Unix()), fields: fields}, now)
	return fields, nil
}

// callerFields are the headers of a caller, by name.
func callerFields(c access.Caller, token string) []abi.Field {
	fields := []abi.Field{{Name: abi.UserIDHeader, Value: c.ID}}
	if c.Name != "" {
		fields = append(fields, abi.Field{Name: abi.UserNameHeader, Value: visible(c.Name)})
	}
	return append(fields, abi.Field{Name: abi.UserTokenHeader, Value: token}, abi.Field{Name: abi.UserViaHeader, Value: c.Via})
}

// visible writes a name so that no program reads it as anything but one value: bytes other than visible
// ASCII are percent-encoded, and so is the percent sign.
func visible(name string) string {
	var b strings.Builder
	for i := range len(name) {
		if c := name[i]; c > ' ' && c < 0x7f && c != '%' {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", name[i])
	}
	return b.String()
}

// perShardKnown bounds how many callers are remembered, at about a kilobyte each.
const perShardKnown = 1024

// acquaintances remember what apps were told of sessions. They are apart from the sessions, which hold
// no pointers: most apps are told nothing.
type acquaintances [shards]struct {
	mu    sync.RWMutex
	known map[Key]introduced
}

// introduced is what an app was told of a session.
type introduced struct {
	door   uint64
	read   uint64 // when, by the clock of the sessions, the state was read for it
	until  int64  // Unix seconds
	group  uint32 // of its person
	fields []abi.Field
}

// find returns what the app behind a door was told of a session, as long as it holds.
func (a *acquaintances) find(k Key, door uint64, now time.Time, s *sessions) []abi.Field {
	sh := &a[k[0]%shards]
	sh.mu.RLock()
	one := sh.known[k]
	sh.mu.RUnlock()
	if one.door != door || now.Unix() >= one.until || s.groups[one.group].Load() > one.read {
		return nil
	}
	return one.fields
}

// keep remembers what an app was told. Where there is no room, what is over goes first.
func (a *acquaintances) keep(k Key, one introduced, now time.Time) {
	sh := &a[k[0]%shards]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if len(sh.known) >= perShardKnown {
		for other, was := range sh.known {
			if now.Unix() >= was.until {
				delete(sh.known, other)
			}
		}
	}
	if sh.known == nil || len(sh.known) >= perShardKnown {
		sh.known = map[Key]introduced{}
	}
	sh.known[k] = one
}

package triggers

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"time"
)

// ReplayWindow is how long it is remembered which webhooks were let through.
const ReplayWindow = 10 * time.Minute

// keyKind is what a key tells from a copy.
type keyKind struct {
	prefix string
	keep   time.Duration
	most   int // of one app
}

var (
	eventKeys   = &keyKind{"event:", 24 * time.Hour, 10_000}
	webhookKeys = &keyKind{"webhook:", ReplayWindow, 50_000}
)

// maxForget bounds how many keys one commit forgets, so that it holds up no other
// for long.
const maxForget = 1000

// key is of one size, and text, whatever it is made of.
func (k *keyKind) key(of string) string {
	sum := sha256.Sum256([]byte(of))
	return k.prefix + base64.RawURLEncoding.EncodeToString(sum[:18])
}

func kindOf(key string) *keyKind {
	if strings.HasPrefix(key, webhookKeys.prefix) {
		return webhookKeys
	}
	return eventKeys
}

type seenKey struct{ app, key string }

// mark is a key that was used, or is being.
type mark struct {
	Seen
	kind *keyKind
	// done is closed while the key is used and durable; otherwise a caller is at
	// it, and closes done when it is known what became of it.
	done chan struct{}
	// before is what it replaces until it is durable: old, and stored still.
	before *mark
}

var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// old reports whether it is forgotten by now; also if the clock was wrong then.
func (m *mark) old(now time.Time) bool { return now.Sub(m.At).Abs() > m.kind.keep }

// keys remember under which keys apps had something taken. A key is in one hand at a time; what is
// durable stands in aging until it is forgotten.
type keys struct {
	mu    sync.Mutex // guards all below
	seen  map[seenKey]*mark
	aging map[*keyKind][]*mark // those that are durable, oldest first
	count map[keyCount]int
}

// keyCount is what is counted: the keys of one kind that an app has.
type keyCount struct {
	app  string
	kind *keyKind
}

// remember counts in what is durable.
func (k *keys) remember(s Seen) {
	m := &mark{Seen: s, kind: kindOf(s.Key), done: closed}
	k.seen[seenKey{s.App, s.Key}] = m
	k.count[keyCount{s.App, m.kind}]++
	k.aging[m.kind] = append(k.aging[m.kind], m)
}

// claimed is what came of asking for a key, one of three.
type claimed struct {
	mine *mark           // to be settled
	busy <-chan struct{} // a caller is at it; closes when it may be asked again
	used *Seen           // as it is remembered
}

// claim asks for a key.
func (k *keys) claim(s Seen) (claimed, error) {
	of, kind := seenKey{s.App, s.Key}, kindOf(s.Key)
	k.mu.Lock()
	defer k.mu.Unlock()
	known := k.seen[of]
	switch {
	case known != nil && !isClosed(known.done):
		return claimed{busy: known.done}, nil
	case known != nil && !known.old(s.At):
		return claimed{used: &known.Seen}, nil
	case known == nil && k.count[keyCount{s.App, kind}] >= kind.most:
		return claimed{}, fmt.Errorf("%w: %d keys of %s were used within %s", ErrBacklog, kind.most, s.App, kind.keep)
	case known == nil:
		k.count[keyCount{s.App, kind}]++
	}
	m := &mark{Seen: s, kind: kind, done: make(chan struct{}), before: known}
	k.seen[of] = m
	return claimed{mine: m}, nil
}

// once claims a key, and waits for whoever is at it.
func (k *keys) once(ctx context.Context, s Seen) (claimed, error) {
	for {
		got, err := k.claim(s)
		if err != nil || got.busy == nil {
			return got, err
		}
		select {
		case <-got.busy:
		case <-ctx.Done():
			return got, ctx.Err()
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// settle says whether a mark is durable. If not, the key is whose who comes next.
func (k *keys) settle(m *mark, durable bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	of := seenKey{m.App, m.Key}
	switch {
	case durable:
		k.aging[m.kind] = append(k.aging[m.kind], m)
	case m.before != nil: // to be forgotten
		k.seen[of] = m.before
		k.aging[m.kind] = append(k.aging[m.kind], m.before)
	default:
		k.drop(of, m)
	}
	m.before = nil
	close(m.done)
}

// aged takes out marks that are old, at most maxForget. Until they are settled,
// no one has them: a key that is used anew must not be forgotten by this.
func (k *keys) aged(now time.Time) (old []*mark, c Changes) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for kind, queue := range k.aging {
		for len(queue) > 0 && len(old) < maxForget && queue[0].old(now) {
			m := queue[0]
			queue[0] = nil
			queue = queue[1:]
			if k.seen[seenKey{m.App, m.Key}] == m && isClosed(m.done) { // no one has used it anew
				m.done = make(chan struct{})
				old, c.Forget = append(old, m), append(c.Forget, m.Seen)
			}
		}
		if k.aging[kind] = queue; len(queue) == 0 {
			delete(k.aging, kind)
		}
	}
	return old, c
}

// drop forgets a mark.
func (k *keys) drop(of seenKey, m *mark) {
	delete(k.seen, of)
	n := keyCount{m.App, m.kind}
	if k.count[n]--; k.count[n] == 0 {
		delete(k.count, n)
	}
}

// clear takes out all keys of an app, unless one of them is in use.
func (k *keys) clear(app string) (gone []Seen, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for of, m := range k.seen {
		if of.app == app && !isClosed(m.done) {
			return nil, false
		}
	}
	for of, m := range k.seen {
		if of.app == app {
			gone = append(gone, m.Seen)
			k.drop(of, m)
		}
	}
	return gone, true
}

// Claim is a webhook that is one caller's to let through. A nil Claim is of one
// that cannot be told from a copy.
type Claim struct {
	d       *Dispatcher
	m       *mark
	settled bool
}

// Claim takes a webhook by what tells it from any other; "": nothing does. seen
// tells that it was let through within ReplayWindow, also by a node that died
// since. ErrLater if another caller has it; ErrBacklog if no more can be
// remembered of the app.
func (d *Dispatcher) Claim(r Ref, once string) (c *Claim, seen bool, err error) {
	if once == "" {
		return nil, false, nil
	}
	got, err := d.keys.claim(Seen{App: r.App, Key: webhookKeys.key(r.Name + "\x00" + once), At: d.o.Now()})
	switch {
	case err != nil:
		return nil, false, err
	case got.busy != nil:
		return nil, false, fmt.Errorf("webhook %s: the same request is being delivered: %w", r.Name, ErrLater)
	case got.used != nil:
		return nil, true, nil
	}
	return &Claim{d: d, m: got.mine}, false, nil
}

// Keep makes durable that it was let through. It may come again after an error.
func (c *Claim) Keep(ctx context.Context) error {
	if c == nil {
		return nil
	}
	err := errUnknown
	defer func() { c.settle(err == nil) }()
	err = c.d.intake.accept(context.WithoutCancel(ctx), Changes{See: []Seen{c.m.Seen}})
	return err
}

// Release says that it was not let through: it may come again. After Keep or Enqueue it does
// nothing, so that it can be deferred.
func (c *Claim) Release() { c.settle(false) }

func (c *Claim) settle(durable bool) {
	if c != nil && !c.settled {
		c.settled = true
		c.d.keys.settle(c.m, durable)
	}
}

// Enqueue queues one delivery, and returns once it is durable together with its
// claim. After an error it may come again.
func (d *Dispatcher) Enqueue(ctx context.Context, v Delivery, claim *Claim) error {
	c := Changes{Put: []Delivery{v}}
	if claim != nil {
		c.See = []Seen{claim.m.Seen}
	}
	err := errUnknown
	defer func() { claim.settle(err == nil) }()
	err = d.intake.accept(ctx, c)
	return err
}

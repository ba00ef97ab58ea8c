package state

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/internal/calm"
)

// Cursors keep how far durable followers have come.
type Cursors interface {
	// Cursor returns the revision up to which a follower has seen every event. known is false if the
	// follower has no cursor yet.
	Cursor(ctx context.Context, follower string) (rev abi.Rev, known bool, err error)
	// SetCursor moves a follower's cursor. It never moves one back.
	SetCursor(ctx context.Context, follower string, rev abi.Rev) error
}

// Apply has the effects of events, which are in the order of the feed, whole revisions at a time. It
// may be given events that it was given before: what it does twice has the effect of doing it once.
type Apply func(ctx context.Context, events []abi.Event) error

// eventsAtOnce is how many events a follower is given at once, about.
const eventsAtOnce = 1000

// The pauses of a follower that failed, in the background: doubled with each try.
const (
	firstAgain = 50 * time.Millisecond
	lastAgain  = 30 * time.Second
)

// Followers lead what changes have an effect on through the feed. Each is given every event, in
// order and at least once, whichever node made the change, and is given the same again after an error
// or a panic.
type Followers struct {
	feed  Feed
	kept  Cursors
	since abi.Rev // what is read from the store after New is at least as new
	log   *slog.Logger
	watch *calm.Watch
	blind func()
	page  int
	every time.Duration // between two looks of guard

	all []*follower // append only before CatchUp and Run
}

// cursorEvery is how many revisions a durable follower whose kinds of events do not come may be ahead
// of its cursor: to write it for each would double the writes of the store.
const cursorEvery = 1000

// follower is one of them.
type follower struct {
	name    string
	before  bool
	closely bool
	durable bool
	kinds   []string // of events that it is shown; none: all
	apply   Apply
	rev     atomic.Uint64 // up to which it has seen every event
	turn    chan struct{} // held while it reads and applies: it sees the events in order
	kept    abi.Rev       // its cursor, if it is durable; guarded by turn

	mu       sync.Mutex // guards all below
	failures uint64
	err      error     // of the last try; nil: it succeeded
	failing  time.Time // since when; zero: it is not
}

// What is remembered of the state is never older than five looks: a look takes no longer than the time
// until the next, and blind is called when the last that found all well is three ago.
const (
	lookEvery  = time.Second
	blindAfter = 3 // looks
)

// NewFollowers returns followers of a store's feed. The effects of what they are in memory begin at the
// present revision, so what they keep there is read from the store after this. blind is called
// when the feed cannot be read, and again and again for as long as what is followed closely is not known to
// be up to date: what is remembered of the state may be older than what holds then.
func NewFollowers(ctx context.Context, s Store, log *slog.Logger, watch *calm.Watch, blind func()) (*Followers, error) {
	rev, err := s.Rev(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the revision: %w", err)
	}
	return &Followers{feed: s, kept: s, since: rev, log: log, watch: watch, blind: blind, page: eventsAtOnce, every: lookEvery}, nil
}

// Follow adds a follower whose effects are in memory alone. One that is marked before has seen the
// events of a change that this node makes before whoever made it is told; the others see them in
// the background.
func (fs *Followers) Follow(name string, before bool, apply Apply) {
	fs.add(&follower{name: name, before: before, apply: apply}, fs.since)
}

// FollowClosely is Follow, marked before, for what must not be remembered past its time: who is let in. That
// it stays behind for some seconds counts as blindness.
func (fs *Followers) FollowClosely(name string, apply Apply) {
	fs.add(&follower{name: name, before: true, closely: true, apply: apply}, fs.since)
}

// FollowDurably adds a follower whose effects outlive the process, in the background. It goes on where
// its cursor in the store is, which is set once its effects have happened. When it is new, it begins
// at the present revision, and misses nothing from then on. It is shown events of some kinds alone, if
// any are named.
func (fs *Followers) FollowDurably(ctx context.Context, name string, apply Apply, kinds ...string) error {
	rev, known, err := fs.kept.Cursor(ctx, name)
	if err == nil && !known {
		rev, err = fs.since, fs.kept.SetCursor(ctx, name, fs.since)
	}
	if err != nil {
		return fmt.Errorf("begin the follower %s: %w", name, err)
	}
	fs.add(&follower{name: name, durable: true, kinds: kinds, apply: apply, kept: rev}, rev)
	return nil
}

func (fs *Followers) add(f *follower, rev abi.Rev) {
	f.turn = make(chan struct{}, 1)
	f.rev.Store(uint64(rev))
	fs.all = append(fs.all, f)
}

// CatchUp returns once the followers marked before have seen every event up to a revision that is
// committed. They are asked in the order in which they were added, and one that fails keeps no other
// from following; it is tried again in the background.
func (fs *Followers) CatchUp(ctx context.Context, rev abi.Rev) error {
	var errs []error
	for _, f := range fs.all {
		if f.before {
			errs = append(errs, fs.advance(ctx, f, rev))
		}
	}
	return errors.Join(errs...)
}

// Run leads all followers on until ctx ends.
func (fs *Followers) Run(ctx context.Context) {
	var group sync.WaitGroup
	for _, f := range fs.all {
		fs.watch.Loop(ctx, &group, "followers", func(ctx context.Context) { fs.lead(ctx, f) })
	}
	fs.watch.Loop(ctx, &group, "followers", fs.guard)
	group.Wait()
}

// guard bounds how old what is remembered may be until ctx ends. Waiting for the feed proves nothing: a
// store that is out of reach may let those who wait for it wait.
func (fs *Followers) guard(ctx context.Context) {
	tick := time.NewTicker(fs.every)
	defer tick.Stop()
	fresh := time.Now()   // what is remembered was up to date then
	var rev abi.Rev       // to be reached,
	var present time.Time // since it was the present one then; zero: there is none
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		asked := time.Now()
		limited, cancel := context.WithTimeout(ctx, fs.every)
		now, err := fs.feed.Rev(limited)
		cancel()
		if !present.IsZero() && fs.reached(rev) {
			fresh, present = present, time.Time{}
		}
		if err == nil && present.IsZero() {
			if rev, present = now, asked; fs.reached(rev) {
				fresh, present = asked, time.Time{}
			}
		}
		if time.Since(fresh) >= blindAfter*fs.every && ctx.Err() == nil {
			fs.blind()
		}
	}
}

// reached reports whether what is followed closely has followed up to a revision.
func (fs *Followers) reached(rev abi.Rev) bool {
	for _, f := range fs.all {
		if f.closely && abi.Rev(f.rev.Load()) < rev {
			return false
		}
	}
	return true
}

// lead leads one follower on until ctx ends.
func (fs *Followers) lead(ctx context.Context, f *follower) {
	for pause := firstAgain; ctx.Err() == nil; {
		err := fs.toPresent(ctx, f)
		if err == nil {
			pause, err = firstAgain, fs.feed.Wait(ctx, abi.Rev(f.rev.Load()))
		}
		if err == nil {
			continue
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		t.Stop()
		pause = min(2*pause, lastAgain)
	}
}

func (fs *Followers) toPresent(ctx context.Context, f *follower) error {
	rev, err := fs.feed.Rev(ctx)
	if err != nil {
		fs.unread(ctx, f, err)
		return err
	}
	return fs.advance(ctx, f, rev)
}

// advance shows a follower every event up to a committed revision that it has not seen.
func (fs *Followers) advance(ctx context.Context, f *follower, to abi.Rev) error {
	if abi.Rev(f.rev.Load()) >= to {
		return nil
	}
	select {
	case f.turn <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("wait for the follower %s: %w", f.name, ctx.Err())
	}
	defer func() { <-f.turn }()
	for abi.Rev(f.rev.Load()) < to {
		if err := fs.step(ctx, f, to); err != nil {
			return fmt.Errorf("follower %s: %w", f.name, err)
		}
	}
	return nil
}

// step shows a follower the next events; its turn is held. Only what it has taken in moves its cursor.
func (fs *Followers) step(ctx context.Context, f *follower, to abi.Rev) error {
	events, err := fs.feed.Events(ctx, EventQuery{After: abi.Rev(f.rev.Load()), Kinds: f.kinds, Limit: fs.page})
	if err != nil {
		fs.unread(ctx, f, err)
		return err
	}
	reached := to
	if len(events) > 0 {
		reached = events[len(events)-1].Rev
		err = fs.watch.Do("follow-"+f.name, func() error { return f.apply(ctx, events) })
	}
	if err == nil && f.durable && (len(events) > 0 || reached-f.kept >= cursorEvery) {
		if err = fs.kept.SetCursor(ctx, f.name, reached); err == nil {
			f.kept = reached
		}
	}
	if err != nil {
		fs.failed(ctx, f, err)
		return err
	}
	f.rev.Store(uint64(reached))
	f.well()
	return nil
}

// unread notes that the feed cannot be read.
func (fs *Followers) unread(ctx context.Context, f *follower, err error) {
	if ctx.Err() == nil { // else it is the caller who left
		fs.blind()
	}
	fs.failed(ctx, f, fmt.Errorf("read the feed: %w", err))
}

func (fs *Followers) failed(ctx context.Context, f *follower, err error) {
	if ctx.Err() != nil {
		return // it was broken off, and goes on in the background or at the next start
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failures++
	if f.err = err; f.failing.IsZero() {
		f.failing = time.Now()
	}
	fs.log.ErrorContext(ctx, "the effects of a change did not happen yet; this is tried again", "follower", f.name, "after", f.rev.Load(), "err", err)
}

func (f *follower) well() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err, f.failing = nil, time.Time{}
}

// Following is how far a follower is.
type Following struct {
	Name     string
	Rev      abi.Rev   // up to which it has seen every event
	Failures uint64    // of tries, since the node started
	Err      error     // of the last try; nil: it succeeded
	Failing  time.Time // since when its tries fail; zero: they do not
}

// State returns how far each follower is, in the order in which they were added.
func (fs *Followers) State() []Following {
	all := make([]Following, len(fs.all))
	for i, f := range fs.all {
		f.mu.Lock()
		all[i] = Following{Name: f.name, Rev: abi.Rev(f.rev.Load()), Failures: f.failures, Err: f.err, Failing: f.failing}
		f.mu.Unlock()
	}
	return all
}

package triggers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/internal/calm"
)

const (
	// longestSleep bounds how long a jump of the clock stays unnoticed.
	longestSleep = 10 * time.Second
	sweepEvery   = time.Hour
)

// Options configure a Dispatcher.
type Options struct {
	Store Store
	// Deliver calls an app. An error is a failed attempt; one that wraps ErrLater
	// is none. It is called by many goroutines at once. A panic is a failed attempt.
	Deliver func(ctx context.Context, t Trigger, d Delivery) error
	// Hold keeps everything from being delivered: what is due waits, what is published and
	// enqueued is taken, and waits too.
	Hold   bool
	Now    func() time.Time
	Logger *slog.Logger
	Watch  *calm.Watch // may be nil
}

// Dispatcher decides what is delivered when. It joins the parts that the package names.
type Dispatcher struct {
	o        Options
	queue    *queue
	backlog  *backlog
	statuses *statuses
	graves   *graves
	keys     *keys
	intake   *intake
	attempts *attempts
	clock    *clock
	eraser   *eraser
	nextTidy time.Time // Run's own
}

// Open reads what is stored. Nothing is delivered before Run.
func Open(ctx context.Context, o Options) (*Dispatcher, error) {
	o.Logger = o.Logger.With("component", "triggers")
	d := assemble(ctx, o)
	stored, err := o.Store.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the queue: %w", err)
	}
	d.statuses.load(stored.Statuses)
	slices.SortFunc(stored.Seen, func(a, b Seen) int { return a.At.Compare(b.At) })
	for _, s := range stored.Seen {
		d.keys.remember(s)
	}
	for i, v := range stored.Deliveries {
		d.backlog.used(v.Seq)
		if v.Kind == abi.TriggerCron {
			d.statuses.ran(v.Ref, v.At) // a commit that failed was made all the same
		}
		if !v.Dead.IsZero() {
			d.graves.lay(corpse{v.Seq, v.Ref, v.Dead})
			continue
		}
		d.queue.locked(func() { d.intake.add(v, stored.Sizes[i]) })
	}
	return d, nil
}

// assemble makes a dispatcher that holds nothing.
func assemble(ctx context.Context, o Options) *Dispatcher {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	d := &Dispatcher{
		o:        o,
		queue:    &queue{hold: o.Hold, wake: make(chan struct{}, 1), lines: map[Ref]*line{}, topics: map[string][]*line{}, apps: map[string]*share{}},
		backlog:  &backlog{apps: map[string]*caused{}},
		statuses: &statuses{all: map[Ref]*Status{}, dirty: map[Ref]bool{}},
		graves:   &graves{apps: map[string]*grave{}, count: map[Ref]int{}},
		keys:     &keys{seen: map[seenKey]*mark{}, aging: map[*keyKind][]*mark{}, count: map[keyCount]int{}},
	}
	d.intake = &intake{o.Store, o.Now, d.backlog, d.queue}
	d.attempts = &attempts{o: o, work: work, cancel: cancel, queue: d.queue, backlog: d.backlog, statuses: d.statuses, graves: d.graves}
	d.clock = &clock{o, work, d.queue, d.intake, d.statuses}
	d.eraser = &eraser{queue: d.queue, backlog: d.backlog, graves: d.graves, keys: d.keys, statuses: d.statuses, taken: map[string]Changes{}}
	d.queue.start = d.attempts.start
	return d
}

// Set says which triggers an app has now. What is queued for a trigger that it
// no longer has waits for it to come back, and then expires.
func (d *Dispatcher) Set(app string, triggers []Trigger) {
	d.queue.set(app, triggers, d.clock.schedule)
}

// Wake makes Run look at the clock now.
func (d *Dispatcher) Wake() { d.queue.nudge() }

// Run delivers until ctx ends. Call it once, and again only if it panicked.
func (d *Dispatcher) Run(ctx context.Context) {
	d.nextTidy = d.o.Now().Add(sweepEvery)
	d.queue.locked(func() {
		d.queue.started = true
		d.queue.pump()
	})
	alarm := time.NewTimer(0)
	defer alarm.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.queue.wake:
		case <-alarm.C:
		}
		alarm.Reset(d.tick())
	}
}

// Stop lets running deliveries end within the context's deadline. What did not
// end is delivered again after the next start.
func (d *Dispatcher) Stop(ctx context.Context) error {
	d.queue.locked(func() { d.queue.stopping = true })
	d.attempts.stop(ctx)
	return d.flush(context.WithoutCancel(ctx), Changes{})
}

// tick does what is due and returns how long nothing will be.
func (d *Dispatcher) tick() time.Duration {
	now := d.o.Now()
	due, stopping := d.queue.takeDue(now)
	if stopping {
		return longestSleep
	}
	if len(due) > 0 {
		d.clock.fire(due, now)
	}
	if !d.o.Hold && !now.Before(d.nextTidy) {
		d.nextTidy = now.Add(sweepEvery)
		d.attempts.tidy(now)
	}
	if d.forgetOld(now) {
		return 0
	}
	return d.queue.sleep(d.o.Now())
}

// forgetOld stores what is remembered of triggers, and forgets keys that are old. It reports
// whether there may be more of them.
func (d *Dispatcher) forgetOld(now time.Time) (more bool) {
	old, c := d.keys.aged(now)
	defer func() {
		for _, m := range old {
			d.keys.settle(m, false)
		}
	}()
	if err := d.flush(d.attempts.work, c); err != nil {
		d.o.Logger.Error("what is remembered of triggers could not be stored", "err", err)
	}
	return len(old) == maxForget
}

// errUnknown is what became of a commit that panicked: as after any error, it may have been made.
var errUnknown = errors.New("it is not known whether the commit was made")

// flush commits changes, and with them the statuses that no commit has yet.
func (d *Dispatcher) flush(ctx context.Context, c Changes) error {
	c.Status = append(c.Status, d.statuses.takeDirty()...)
	if len(c.Status)+len(c.Put)+len(c.Delete)+len(c.See)+len(c.Forget) == 0 {
		return nil
	}
	err := errUnknown
	defer func() {
		if err != nil {
			d.statuses.stale(c.Status)
		}
	}()
	err = d.o.Store.Commit(ctx, c)
	return err
}

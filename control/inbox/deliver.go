package inbox

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/internal/failpoint"
	"github.com/agora-host/agora/notices"
	"github.com/agora-host/agora/state"
)

// Mailer hands mail to a server. An error that is notices.Refused is about the one letter; any other is
// taken to be about the server.
type Mailer interface {
	Send(ctx context.Context, l notices.Letter) error
}

// Hook is a webhook that an operator set.
type Hook interface {
	Name() string
	// Kinds are the kinds of events that it is told of.
	Kinds() []string
	Send(ctx context.Context, c notices.Call) error
}

const (
	// lookEvery is how often a lane looks for what is due, at least.
	lookEvery = time.Minute
	// firstPause is how long a lane that is held up waits at first.
	firstPause = 5 * time.Second
	// deliverWithin is how long one try may take.
	deliverWithin = time.Minute
	// dueAtOnce is how many deliveries of a lane are read at once.
	dueAtOnce = 50
	// mostPause is how long a lane that is held up waits, at most, before it is tried again.
	mostPause = 5 * time.Minute
)

// lane is what is delivered one after the other.
type lane struct {
	name  string
	woken chan struct{}

	mu      sync.Mutex // guards all below
	sent    uint64
	failed  uint64 // tries
	full    uint64 // deliveries that were not begun, since too many waited
	err     error  // of the last try; nil: it succeeded
	failing time.Time
}

func newLane(name string) *lane { return &lane{name: name, woken: make(chan struct{}, 1)} }

func (l *lane) refused() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.full++
}

// done notes what came of a try. What alone was refused says that the way there is well.
func (l *lane) done(err error, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.sent++
	} else {
		l.failed++
	}
	if err == nil || notices.Refused(err) {
		l.err, l.failing = nil, time.Time{}
		return
	}
	if l.err = err; l.failing.IsZero() {
		l.failing = now
	}
}

// wake has every lane look for what is due.
func (s *Service) wake() {
	for _, l := range s.lanes {
		select {
		case l.woken <- struct{}{}:
		default:
		}
	}
}

func (s *Service) sendsMail() bool { return s.o.Mail != nil }

// Run delivers until ctx ends. Each lane goes by itself, so that one that is held up holds up no other.
func (s *Service) Run(ctx context.Context) {
	var group sync.WaitGroup
	for _, l := range s.lanes {
		s.o.Watch.Loop(ctx, &group, "inbox", func(ctx context.Context) { s.drive(ctx, l) })
	}
	group.Wait()
}

// drive delivers what is due in a lane until ctx ends. After a try that failed it waits for longer each
// time: what is due meanwhile waits, and is not tried in vain.
func (s *Service) drive(ctx context.Context, l *lane) {
	pause := firstPause
	for ctx.Err() == nil {
		wait, woken := time.Duration(0), l.woken
		err := s.deliverDue(ctx, l)
		if err == nil {
			pause = firstPause
			wait, err = s.untilDue(ctx, l)
		}
		if err != nil && ctx.Err() == nil {
			s.desk.Logger.ErrorContext(ctx, "notices could not be sent yet; this is tried again", "lane", l.name, "in", pause, "err", err)
		}
		if err != nil {
			wait, woken, pause = pause, nil, min(2*pause, mostPause)
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-t.C:
		case <-woken:
		}
		t.Stop()
	}
}

// untilDue returns how long it is until something in a lane is due. It is bounded, since clocks jump.
func (s *Service) untilDue(ctx context.Context, l *lane) (wait time.Duration, err error) {
	err = s.desk.View(ctx, func(tx state.Reader) error {
		wait = lookEvery
		next, err := tx.DueDeliveries(l.name, s.desk.Now().Add(lookEvery), 1)
		if len(next) > 0 {
			wait = max(0, next[0].Due.Sub(s.desk.Now()))
		}
		return err
	})
	return wait, err
}

// deliverDue delivers all that is due in a lane. It returns the error of a try that says that more are in
// vain now.
func (s *Service) deliverDue(ctx context.Context, l *lane) error {
	for {
		var due []notices.Delivery
		err := s.desk.View(ctx, func(tx state.Reader) (err error) {
			due, err = tx.DueDeliveries(l.name, s.desk.Now(), dueAtOnce)
			return err
		})
		if err != nil || len(due) == 0 {
			return err
		}
		for _, d := range due {
			if err := s.deliver(ctx, l, d); err != nil {
				return err
			}
		}
	}
}

// deliver makes one try.
func (s *Service) deliver(ctx context.Context, l *lane, d notices.Delivery) error {
	send, err := s.begin(ctx, &d)
	if err != nil || send == nil {
		return err
	}
	failpoint.Hit("delivery-begun")
	trying, cancel := context.WithTimeout(ctx, deliverWithin)
	sent := send(trying)
	cancel()
	failpoint.Hit("delivery-sent")
	if ctx.Err() != nil && sent != nil {
		return ctx.Err() // it was broken off, and is tried again after the start
	}
	now := s.desk.Now()
	l.done(sent, now)
	err = s.desk.Store.Note(ctx, func(n state.Notes) error {
		if sent == nil {
			return n.DeleteDelivery(d.Place, d.ID)
		}
		return n.PutDelivery(d.Failed(sent, now))
	})
	failpoint.Hit("delivery-noted")
	if err == nil && sent != nil && !notices.Refused(sent) {
		err = sent
	}
	return err
}

// begin notes that a try begins, and returns what makes it; nil if there is none to make now.
func (s *Service) begin(ctx context.Context, d *notices.Delivery) (send func(context.Context) error, err error) {
	err = s.desk.Store.Note(ctx, func(n state.Notes) (err error) {
		now := s.desk.Now()
		if d.Channel == notices.Mail {
			if *d, err = current(n, *d); err != nil || d.Due.After(now) {
				send = nil
				return err
			}
			var l *notices.Letter
			if l, err = s.letter(n, d, now); err != nil || l == nil {
				send = nil
				return err
			}
			send = func(ctx context.Context) error { return s.o.Mail.Send(ctx, *l) }
		} else {
			send = s.call(*d)
		}
		*d = d.Begun(now)
		return n.PutDelivery(*d)
	})
	return send, err
}

// current is a mail as it is now: a notice may have come to it since it was read.
func current(n state.Notes, d notices.Delivery) (notices.Delivery, error) {
	all, err := n.Deliveries(d.Place)
	for _, is := range all {
		if is.ID == d.ID {
			return is, err
		}
	}
	return d, err
}

// call makes the try of a webhook.
func (s *Service) call(d notices.Delivery) func(context.Context) error {
	for _, h := range s.o.Hooks {
		if h.Name() == d.To && d.Event != nil {
			row := notices.RowOf(d.Event.Kind, "")
			c := notices.Call{ID: d.ID, Event: *d.Event, Text: row.Say(*d.Event), Todo: row.Todo(*d.Event), Node: s.o.ConsoleURL()}
			c.URL = c.Node + row.Link(*d.Event)
			return func(ctx context.Context) error { return h.Send(ctx, c) }
		}
	}
	return func(context.Context) error {
		return &notices.RefusedError{Err: errors.New("the webhook is not set any more")}
	}
}

// letter writes a mail of the notices that its person has not read meanwhile. It returns nil if there is
// nothing to send, or nothing now: what waits goes by what its person chose last.
func (s *Service) letter(n state.Notes, d *notices.Delivery, now time.Time) (*notices.Letter, error) {
	forget := func(err error) (*notices.Letter, error) {
		return nil, errors.Join(err, n.DeleteDelivery(d.Place, d.ID))
	}
	u, err := n.User(d.To)
	if err != nil && !errors.Is(err, access.ErrNotFound) {
		return nil, err
	}
	chosen, err := n.NoticeSettings(d.To)
	if err != nil {
		return nil, err
	}
	if u.Name == "" || u.Disabled || chosen.Mail == notices.Off {
		return forget(nil)
	}
	if at := chosen.Awake(now); at.After(now) {
		d.Due = at
		return nil, n.PutDelivery(*d)
	}
	var unread []notices.Notice
	for _, id := range d.Notices {
		v, err := n.Notice(d.To, id)
		if errors.Is(err, notices.ErrNoNotice) {
			continue // forgotten, since so many came
		}
		if err != nil {
			return nil, err
		}
		if v.Read.IsZero() {
			unread = append(unread, v)
		}
	}
	if len(unread) == 0 {
		return forget(nil)
	}
	return s.write(*d, unread), nil
}

// write makes the mail of notices.
func (s *Service) write(d notices.Delivery, all []notices.Notice) *notices.Letter {
	var b strings.Builder
	for _, v := range all {
		shown := s.shown(v)
		fmt.Fprintf(&b, "%s.\n%s:\n%s\n\n", shown.Text, shown.Todo, shown.URL)
	}
	choose := s.o.ConsoleURL() + "/inbox#choose"
	fmt.Fprintf(&b, "-- \nAll notices: %s/inbox\nHow you are told: %s\n", s.o.ConsoleURL(), choose)
	l := &notices.Letter{ID: d.Message, To: d.To, Subject: "Agora: " + all[0].Say(), Text: b.String(), URL: choose}
	if len(all) > 1 {
		l.Subject = fmt.Sprintf("Agora: %d notices for you", len(all))
	}
	return l
}

// Deliveries returns how each lane is, for those who see to the node.
func (s *Service) Deliveries(ctx context.Context) (all []control.Lane, err error) {
	err = s.desk.View(ctx, func(tx state.Reader) error {
		all = nil
		for _, name := range slices.Sorted(maps.Keys(s.lanes)) {
			l := s.lanes[name]
			waiting, err := tx.Count(state.CountWaiting, l.name)
			if err != nil {
				return err
			}
			dead, err := tx.Count(state.CountUndelivered, l.name)
			if err != nil {
				return err
			}
			l.mu.Lock()
			all = append(all, control.Lane{Name: l.name, Waiting: int(waiting.N), Undelivered: int(dead.N), Sent: l.sent, Failed: l.failed, Full: l.full, Err: l.err, Failing: l.failing})
			l.mu.Unlock()
		}
		return nil
	})
	return all, err
}

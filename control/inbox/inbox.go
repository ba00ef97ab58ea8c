package inbox

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/internal/calm"
	"github.com/agora-host/agora/notices"
	"github.com/agora-host/agora/state"
)

// Options are what a Service needs.
type Options struct {
	Desk *control.Desk
	// ConsoleURL is where people find the console.
	ConsoleURL func() string
	// Mail sends mail; nil: the node sends none.
	Mail Mailer
	// Hooks are told of events of the kinds that they take.
	Hooks []Hook
	// Gather is for how long a mail waits for what happens together. Default notices.Gather.
	Gather time.Duration
	Watch  *calm.Watch
}

// Service tells people of what changed.
type Service struct {
	desk  *control.Desk
	o     Options
	kinds []string // of events that are followed
	lanes lanes
}

// lanes are those of what leaves the node, by name.
type lanes map[string]*lane

// New makes a Service.
func New(o Options) *Service {
	if o.Gather == 0 {
		o.Gather = notices.Gather
	}
	s := &Service{desk: o.Desk, o: o, kinds: notices.Kinds(), lanes: lanes{}}
	if o.Mail != nil {
		s.lanes[string(notices.Mail)] = newLane(string(notices.Mail))
	}
	for _, h := range o.Hooks {
		name := notices.Place{Channel: notices.Webhook, To: h.Name()}.Lane()
		s.lanes[name] = newLane(name)
		for _, kind := range h.Kinds() {
			if !slices.Contains(s.kinds, kind) {
				s.kinds = append(s.kinds, kind)
			}
		}
	}
	return s
}

// me returns who acts on their own notices.
func (s *Service) me(ctx context.Context) (access.Actor, error) {
	actor := access.ActorFrom(ctx)
	return actor, access.May(actor, access.ReadNotices, access.Person(actor.User))
}

// Notices lists the actor's notices, newest first.
func (s *Service) Notices(ctx context.Context, f control.NoticeFilter, p control.Page) (all control.Items[control.Notice], err error) {
	actor, err := s.me(ctx)
	if err != nil {
		return all, err
	}
	err = s.desk.View(ctx, func(tx state.Reader) error {
		keep := func(n notices.Notice) bool { return !f.Unread || n.Read.IsZero() }
		found, err := control.Sift(p, keep, func(p state.Part) ([]notices.Notice, []byte, error) { return tx.NoticesPart(actor.User, p) })
		if err != nil {
			return err
		}
		all, err = control.Shown(found, func(n notices.Notice) (control.Notice, error) { return s.shown(n), nil })
		return err
	})
	return all, err
}

// Notice reads one of the actor's notices.
func (s *Service) Notice(ctx context.Context, id string) (shown control.Notice, err error) {
	actor, err := s.me(ctx)
	if err != nil {
		return shown, err
	}
	err = s.desk.View(ctx, func(tx state.Reader) error {
		n, err := tx.Notice(actor.User, id)
		if err != nil {
			return fmt.Errorf("notice %.40q: %w", id, err)
		}
		shown = s.shown(n)
		return nil
	})
	return shown, err
}

// shown is a notice as it is shown.
func (s *Service) shown(n notices.Notice) control.Notice {
	e, path := n.Event, n.Link()
	return control.Notice{
		ID: n.ID, At: e.At, Kind: e.Kind, Rev: uint64(e.Rev), App: e.App, By: e.By(), Text: n.Say(), Todo: n.Todo(), Path: path, URL: s.o.ConsoleURL() + path, Read: n.Read,
	}
}

// Unread is how many notices of the actor are not read; 0 for whoever may have none.
func (s *Service) Unread(tx state.Reader, actor access.Actor) (int, error) {
	if actor.User == "" {
		return 0, nil
	}
	c, err := tx.Count(state.CountUnread, actor.User)
	return int(c.N), err
}

// MarkNotices marks notices of the actor as read or as not read. It makes no change that others see,
// and is in no log.
func (s *Service) MarkNotices(ctx context.Context, m control.MarkNotices) (left control.Unread, err error) {
	actor, err := s.me(ctx)
	if err != nil {
		return left, err
	}
	if len(m.IDs) > notices.MaxKept {
		return left, &control.ParameterError{Name: "ids", Why: fmt.Sprintf("has at most %d", notices.MaxKept)}
	}
	now := s.desk.Now().UTC()
	err = s.desk.Store.Note(ctx, func(n state.Notes) error {
		if err := access.Current(n, actor); err != nil {
			return err
		}
		marked, err := chosen(n, actor.User, m)
		if err != nil {
			return err
		}
		for _, v := range marked {
			if v.Read.IsZero() != m.Read {
				continue
			}
			if v.Read = (time.Time{}); m.Read {
				v.Read = now
			}
			if err := n.PutNotice(v); err != nil {
				return err
			}
		}
		left.Unread, err = s.Unread(n, actor)
		return err
	})
	return left, err
}

// chosen are the notices of a person that are to be marked.
func chosen(n state.Notes, person string, m control.MarkNotices) (all []notices.Notice, err error) {
	if m.All {
		all, _, err = n.NoticesPart(person, state.Part{Limit: -1})
		return all, err
	}
	for _, id := range m.IDs {
		v, err := n.Notice(person, id)
		if err != nil {
			return nil, fmt.Errorf("notice %.40q: %w", id, err)
		}
		all = append(all, v)
	}
	return all, nil
}

// NoticeSettings returns how the actor is told.
func (s *Service) NoticeSettings(ctx context.Context) (shown control.NoticeSettings, err error) {
	actor, err := s.me(ctx)
	if err != nil {
		return shown, err
	}
	err = s.desk.View(ctx, func(tx state.Reader) error {
		found, err := tx.NoticeSettings(actor.User)
		shown = s.shownSettings(actor.User, found)
		return err
	})
	return shown, err
}

func (s *Service) shownSettings(person string, v notices.Settings) control.NoticeSettings {
	v = v.Effective()
	choice := control.NoticeChoice{Mail: v.Mail, Zone: v.Zone, Daily: v.Daily, QuietFrom: v.QuietFrom, QuietTo: v.QuietTo}
	return control.NoticeSettings{NoticeChoice: choice, Address: person, Sends: s.sendsMail()}
}

// SetNoticeSettings changes how the actor is told from now on. What waits already goes by it, too.
func (s *Service) SetNoticeSettings(ctx context.Context, in control.NoticeChoice) (shown control.NoticeSettings, err error) {
	actor, err := s.me(ctx)
	if err != nil {
		return shown, err
	}
	v := notices.Settings{Person: actor.User, Mail: in.Mail, Zone: in.Zone, Daily: in.Daily, QuietFrom: in.QuietFrom, QuietTo: in.QuietTo}
	if err := v.Check(); err != nil {
		return shown, err
	}
	v = v.Effective()
	_, err = s.desk.Update(ctx, actor.User, func(tx state.Tx) error {
		tx.Emit("user.notices_set", "", actor.User, map[string]string{"mail": string(v.Mail)})
		return tx.PutNoticeSettings(v)
	})
	return s.shownSettings(actor.User, v), err
}

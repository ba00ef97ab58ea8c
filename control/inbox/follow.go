package inbox

import (
	"context"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/internal/failpoint"
	"github.com/agora-host/agora/notices"
	"github.com/agora-host/agora/state"
)

// Follower is the name under which the feed is followed.
const Follower = "notices"

// noticesAtOnce is about how many notices one transaction makes. What one revision did stays together.
const noticesAtOnce = 1000

// Kinds are the kinds of events that are followed.
func (s *Service) Kinds() []string { return s.kinds }

// told is what one event makes.
type told struct {
	event   abi.Event
	notices []notices.Notice
}

// Follow makes the notices of events. It may be given events again, and makes nothing of those that its
// cursor is past.
func (s *Service) Follow(ctx context.Context, events []abi.Event) error {
	for len(events) > 0 {
		var batch []told
		made := 0
		err := s.desk.View(ctx, func(tx state.Reader) (err error) {
			batch, made = nil, 0
			look := newLook(tx, s.desk.Now())
			for i, e := range events {
				if i > 0 && e.Rev != events[i-1].Rev && made >= noticesAtOnce {
					return nil
				}
				t := told{event: e}
				if t.notices, err = look.notices(e); err != nil {
					return err
				}
				batch, made = append(batch, t), made+len(t.notices)
			}
			return nil
		})
		if err != nil {
			return err
		}
		failpoint.Hit("notices-found")
		if err := s.make(ctx, batch); err != nil {
			return err
		}
		failpoint.Hit("notices-made")
		events = events[len(batch):]
	}
	return nil
}

// make stores what events make, and that they were seen.
func (s *Service) make(ctx context.Context, batch []told) error {
	sends := false
	var full []string
	err := s.desk.Store.Note(ctx, func(n state.Notes) error {
		seen, _, err := n.Seen(Follower)
		if err != nil {
			return err
		}
		sends, full = false, nil
		for _, t := range batch {
			if t.event.Rev <= seen {
				continue
			}
			for _, v := range t.notices {
				if err := s.tell(n, v); err != nil {
					return err
				}
			}
			begun, over, err := s.post(n, t.event)
			if err != nil {
				return err
			}
			sends, full = sends || begun || len(t.notices) > 0, append(full, over...)
		}
		return n.SetSeen(Follower, batch[len(batch)-1].event.Rev)
	})
	if err != nil {
		return err
	}
	for _, name := range full {
		s.lanes[name].refused()
	}
	if sends {
		s.wake()
	}
	return nil
}

// tell stores a notice, and has it sent if its person wants that. The oldest go beyond MaxKept.
func (s *Service) tell(n state.Notes, v notices.Notice) error {
	if err := n.PutNotice(v); err != nil {
		return err
	}
	kept, err := n.Count(state.CountNotices, v.Person)
	if err != nil {
		return err
	}
	if over := int(kept.N) - notices.MaxKept; over > 0 {
		oldest, err := n.OldestNotices(v.Person, over)
		if err != nil {
			return err
		}
		for _, old := range oldest {
			if err := n.DeleteNotice(old.Person, old.ID); err != nil {
				return err
			}
		}
	}
	return s.mail(n, v)
}

// Tidy forgets what is older than it is kept for.
func (s *Service) Tidy(ctx context.Context) error {
	now := s.desk.Now()
	for more := true; more; {
		err := s.desk.Store.Note(ctx, func(n state.Notes) error {
			old, err := n.OldNotices(now.Add(-notices.KeptFor), noticesAtOnce)
			if err != nil {
				return err
			}
			more = len(old) == noticesAtOnce
			for _, v := range old {
				if err := n.DeleteNotice(v.Person, v.ID); err != nil {
					return err
				}
			}
			return forgetUndelivered(n, now)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// forgetUndelivered forgets what was given up long ago.
func forgetUndelivered(n state.Notes, now time.Time) error {
	dead, err := n.Undelivered(noticesAtOnce)
	if err != nil {
		return err
	}
	for _, d := range dead {
		if now.Sub(d.Dead) < notices.UndeliveredFor {
			return nil
		}
		if err := n.DeleteDelivery(d.Place, d.ID); err != nil {
			return err
		}
	}
	return nil
}

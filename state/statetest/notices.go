package statetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/notices"
	"github.com/agora-host/agora/state"
)

// notes is a transaction that makes no revision.
type notes struct{ *reader }

// Note changes what makes no revision.
func (m *Memory) Note(ctx context.Context, change func(state.Notes) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return m.change(func(next *tables) error { return change(&notes{&reader{tables: next, at: m.now().UTC()}}) })
}

func (r *reader) Notice(person, id string) (notices.Notice, error) {
	return get[notices.Notice](r.tables, "notices", key(person, id), notices.ErrNoNotice)
}

func (r *reader) NoticesPart(person string, p state.Part) ([]notices.Notice, []byte, error) {
	all, err := rows(r.tables, "notices", func(_ string, n notices.Notice) (string, bool) { return n.ID, n.Person == person })
	return part(all, err, p, true)
}

func (r *reader) OldestNotices(person string, most int) ([]notices.Notice, error) {
	all, err := rows(r.tables, "notices", func(_ string, n notices.Notice) (string, bool) { return n.ID, n.Person == person })
	found, _, err := part(all, err, state.Part{Limit: most}, false)
	return found, err
}

func (r *reader) OldNotices(before time.Time, most int) ([]notices.Notice, error) {
	all, err := rows(r.tables, "notices", func(_ string, n notices.Notice) (string, bool) {
		return key(moment(n.Event.At), n.Person, n.ID), n.Event.At.Before(before)
	})
	found, _, err := part(all, err, state.Part{Limit: most}, false)
	return found, err
}

func (r *reader) NoticeSettings(person string) (notices.Settings, error) {
	s, err := get[notices.Settings](r.tables, "notice settings", person, notices.ErrNoNotice)
	if errors.Is(err, notices.ErrNoNotice) {
		return notices.Settings{}, nil
	}
	return s, err
}

func (r *reader) Deliveries(p notices.Place) ([]notices.Delivery, error) {
	all, err := byKey(r.tables, "outbox", func(d notices.Delivery) bool { return d.Place == p })
	return whole(all, err, false)
}

func (r *reader) DueDeliveries(lane string, now time.Time, most int) ([]notices.Delivery, error) {
	all, err := rows(r.tables, "outbox", func(k string, d notices.Delivery) (string, bool) {
		return key(moment(d.Due), k), d.Lane() == lane && d.Dead.IsZero() && !d.Due.After(now)
	})
	found, _, err := part(all, err, state.Part{Limit: most}, false)
	return found, err
}

func (r *reader) Undelivered(most int) ([]notices.Delivery, error) {
	all, err := rows(r.tables, "outbox", func(k string, d notices.Delivery) (string, bool) {
		return key(moment(d.Dead), k), !d.Dead.IsZero()
	})
	found, _, err := part(all, err, state.Part{Limit: most}, false)
	return found, err
}

func (t *transaction) PutNoticeSettings(s notices.Settings) error {
	return t.put("notice settings", s.Person, s)
}

func (n *notes) PutNotice(v notices.Notice) error { return n.put("notices", key(v.Person, v.ID), v) }

func (n *notes) DeleteNotice(person, id string) error {
	return n.drop("notices", key(person, id), nil)
}

func (n *notes) PutDelivery(d notices.Delivery) error {
	return n.put("outbox", key(string(d.Channel), d.To, d.ID), d)
}

func (n *notes) DeleteDelivery(p notices.Place, id string) error {
	return n.drop("outbox", key(string(p.Channel), p.To, id), nil)
}

func (n *notes) Seen(follower string) (rev abi.Rev, known bool, err error) {
	rev, err = get[abi.Rev](n.tables, "cursors", follower, errNoCursor)
	if errors.Is(err, errNoCursor) {
		return 0, false, nil
	}
	return rev, err == nil, err
}

func (n *notes) SetSeen(follower string, rev abi.Rev) error { return n.follower(follower, rev) }

// follower moves a durable follower's cursor on, unless it is further.
func (t *tables) follower(name string, rev abi.Rev) error {
	was, err := get[abi.Rev](t, "cursors", name, errNoCursor)
	if err == nil && was >= rev {
		return nil
	}
	return t.put("cursors", name, rev)
}

func (r *recorder) PutNoticeSettings(s notices.Settings) error {
	r.note("notice settings ", s.Person, s.Mail)
	return r.Tx.PutNoticeSettings(s)
}

// lanes are those of what drawn acts deliver.
var lanes = []string{"mail", "webhook/a", "webhook/ab", "webhook/absent"}

func (a act) noticeSettings() notices.Settings {
	return notices.Settings{Person: a.Person, Mail: notices.Paces()[a.Choice%3], Zone: a.Text}
}

func (a act) place() notices.Place {
	if a.Choice%2 == 0 {
		return notices.Place{Channel: notices.Mail, To: a.Person}
	}
	return notices.Place{Channel: notices.Webhook, To: a.App}
}

// tell notes something about notices, and may take it back.
func (a act) tell(n state.Notes) (text string, err error) {
	event := abi.Event{Rev: abi.Rev(a.Number), Seq: a.Choice, At: a.at(), Actor: a.Person, Kind: "user.changed", App: a.App, Subject: a.Person, Detail: map[string]string{"person": a.Person}}
	notice := notices.Notice{ID: notices.IDOf(event), Person: a.Person, To: notices.Subject, Event: event}
	d := notices.Delivery{Place: a.place(), ID: notice.ID, Event: &event, Created: a.at(), Due: a.at()}
	switch a.At % 5 {
	case 0:
		notice.Read = a.at()
		err = errors.Join(n.PutNotice(notice), n.DeleteDelivery(d.Place, d.ID))
	case 1:
		err = errors.Join(n.DeleteNotice(a.Person, notice.ID), n.PutDelivery(d.Failed(errors.New(a.Text), a.at().Add(notices.Lasts))))
	default:
		err = errors.Join(n.PutNotice(notice), n.PutDelivery(d))
	}
	rev, known, seenErr := n.Seen(a.App)
	return fmt.Sprint(rev, known, seenErr), errors.Join(err, n.SetSeen(a.App, abi.Rev(a.Number)))
}

// dumpOutbox writes what is to leave the node.
func dumpOutbox(r state.Reader) (text string) {
	for _, at := range []int{0, 3, 9} {
		now := time.Date(2026, 1, 1, 0, 0, at, 0, time.UTC)
		for _, lane := range lanes {
			text += list(r.DueDeliveries(lane, now, 3)) + list(r.DueDeliveries(lane, now, 100))
		}
		text += list(r.OldNotices(now, 2)) + list(r.OldNotices(now, 100))
	}
	for _, lane := range lanes {
		for _, kind := range []state.CountKind{state.CountWaiting, state.CountUndelivered} {
			c, err := r.Count(kind, lane)
			text += said(c, err)
		}
	}
	for _, name := range []string{"a", "ab"} {
		text += list(r.Deliveries(notices.Place{Channel: notices.Webhook, To: name}))
	}
	return text + list(r.Undelivered(2)) + list(r.Undelivered(100))
}

// dumpNotices writes what is found of a person's notices.
func dumpNotices(r state.Reader, name string) string {
	s, err := r.NoticeSettings(name)
	text := said(s, err) + list(r.OldestNotices(name, 2)) + list(r.Deliveries(notices.Place{Channel: notices.Mail, To: name}))
	for _, id := range []string{notices.IDOf(abi.Event{Rev: 1}), notices.IDOf(abi.Event{Rev: 10, Seq: 1}), "absent"} {
		n, err := r.Notice(name, id)
		text += said(n, err)
	}
	return text
}

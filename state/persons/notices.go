package persons

import (
	"context"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/notices"
	"github.com/agora-host/agora/state"
)

// InNoticeSettings returns where what a person chose refers to people.
func InNoticeSettings(s *notices.Settings) []*string { return []*string{&s.Person} }

// InPlace returns where a place that something is delivered to refers to people.
func InPlace(p *notices.Place) []*string {
	if p.Channel == notices.Mail {
		return []*string{&p.To}
	}
	return nil
}

// inNotice changes where a notice refers to people.
func inNotice(n *notices.Notice, change func(string) (string, error)) error {
	if err := each([]*string{&n.Person}, change); err != nil {
		return err
	}
	return inEvent(&n.Event, change)
}

// inDelivery changes where a delivery refers to people.
func inDelivery(d *notices.Delivery, change func(string) (string, error)) error {
	if err := each(InPlace(&d.Place), change); err != nil || !own(&d.Event) {
		return err
	}
	return inEvent(d.Event, change)
}

// noticeReader reads notices, by names.
type noticeReader struct {
	below state.Reader
	in    *reader
}

func (r noticeReader) Notice(person, id string) (n notices.Notice, err error) {
	who, err := r.in.id(person)
	if err != nil {
		return n, err
	}
	if n, err = r.below.Notice(who, id); err != nil {
		return n, err
	}
	return n, inNotice(&n, r.in.name)
}

func (r noticeReader) NoticesPart(person string, p state.Part) ([]notices.Notice, []byte, error) {
	who, err := r.in.id(person)
	if err != nil {
		return nil, nil, err
	}
	all, next, err := r.below.NoticesPart(who, p)
	all, err = within(r.in, all, err, inNotice)
	return all, next, err
}

func (r noticeReader) OldestNotices(person string, most int) ([]notices.Notice, error) {
	who, err := r.in.id(person)
	if err != nil {
		return nil, err
	}
	all, err := r.below.OldestNotices(who, most)
	return within(r.in, all, err, inNotice)
}

func (r noticeReader) OldNotices(before time.Time, most int) ([]notices.Notice, error) {
	all, err := r.below.OldNotices(before, most)
	return within(r.in, all, err, inNotice)
}

func (r noticeReader) NoticeSettings(person string) (s notices.Settings, err error) {
	who, err := r.in.id(person)
	if err != nil {
		return s, err
	}
	s, err = r.below.NoticeSettings(who)
	return one(r.in, s, err, InNoticeSettings)
}

func (r noticeReader) Deliveries(p notices.Place) ([]notices.Delivery, error) {
	if err := each(InPlace(&p), r.in.id); err != nil {
		return nil, err
	}
	all, err := r.below.Deliveries(p)
	return within(r.in, all, err, inDelivery)
}

func (r noticeReader) DueDeliveries(lane string, now time.Time, most int) ([]notices.Delivery, error) {
	all, err := r.below.DueDeliveries(lane, now, most)
	return within(r.in, all, err, inDelivery)
}

func (r noticeReader) Undelivered(most int) ([]notices.Delivery, error) {
	all, err := r.below.Undelivered(most)
	return within(r.in, all, err, inDelivery)
}

// within reads the names of a list whose records hold events.
func within[T any](r *reader, all []T, err error, in func(*T, func(string) (string, error)) error) ([]T, error) {
	for i := range all {
		if err == nil {
			err = in(&all[i], r.name)
		}
	}
	return all, err
}

// noticeWriter changes what people choose, who are given by names.
type noticeWriter struct {
	in *reader
	tx state.Tx
}

func (w noticeWriter) PutNoticeSettings(s notices.Settings) error {
	if err := each(InNoticeSettings(&s), w.in.id); err != nil {
		return err
	}
	return w.tx.PutNoticeSettings(s)
}

// notes changes what makes no revision, of people who are given by names.
type notes struct {
	*reader
	below state.Notes
}

func (s store) Note(ctx context.Context, change func(state.Notes) error) error {
	return s.Store.Note(ctx, func(n state.Notes) error {
		return change(&notes{newReader(n), n})
	})
}

func (n *notes) PutNotice(v notices.Notice) error {
	if err := inNotice(&v, n.id); err != nil {
		return err
	}
	return n.below.PutNotice(v)
}

func (n *notes) DeleteNotice(person, id string) error {
	who, err := n.id(person)
	if err != nil {
		return err
	}
	return n.below.DeleteNotice(who, id)
}

func (n *notes) PutDelivery(d notices.Delivery) error {
	if err := inDelivery(&d, n.id); err != nil {
		return err
	}
	return n.below.PutDelivery(d)
}

func (n *notes) DeleteDelivery(p notices.Place, id string) error {
	if err := each(InPlace(&p), n.id); err != nil {
		return err
	}
	return n.below.DeleteDelivery(p, id)
}

func (n *notes) Seen(follower string) (abi.Rev, bool, error) { return n.below.Seen(follower) }

func (n *notes) SetSeen(follower string, rev abi.Rev) error { return n.below.SetSeen(follower, rev) }

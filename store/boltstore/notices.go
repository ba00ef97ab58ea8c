package boltstore

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/notices"
	"github.com/agora-host/agora/state"
)

const (
	bNotices        = "notices"         // by person and id
	bNoticeSettings = "notice_settings" // by person
	bOutbox         = "outbox"          // what is to leave the node, by channel, place and id
)

// noticeReader reads notices for a reader.
type noticeReader struct{ in *reader }

// noticeWriter changes what people choose, for a transaction.
type noticeWriter struct{ w *writer }

// notes is a transaction that makes no revision.
type notes struct {
	*reader
	w *writer
}

// Note changes what makes no revision.
func (s *Store) Note(ctx context.Context, change func(state.Notes) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return commit(s.file, func(w *writer) error {
		return change(&notes{newReader(ctx, w.tx, s.now()), w})
	})
}

// Notice reads a notice.
func (n noticeReader) Notice(person, id string) (notices.Notice, error) {
	return get[notices.Notice](n.in.tx, bNotices, key(person, id), notices.ErrNoNotice)
}

// NoticesPart lists a person's notices, newest first.
func (n noticeReader) NoticesPart(person string, p state.Part) ([]notices.Notice, []byte, error) {
	return page[notices.Notice](n.in, bNotices, within(person), p, true, nil)
}

// OldestNotices lists a person's notices, oldest first.
func (n noticeReader) OldestNotices(person string, most int) ([]notices.Notice, error) {
	found, _, err := page[notices.Notice](n.in, bNotices, within(person), state.Part{Limit: most}, false, nil)
	return found, err
}

// OldNotices lists notices of events before a time.
func (n noticeReader) OldNotices(before time.Time, most int) (old []notices.Notice, err error) {
	for e, record := range n.in.tx.Under(bIndex, within(byNoticed)) {
		if len(old) == most || n.in.ctx.Err() != nil {
			return old, n.in.ctx.Err()
		}
		k, err := unseal(bIndex, e, record)
		if err != nil {
			return nil, err
		}
		v, err := get[notices.Notice](n.in.tx, bNotices, k, os.ErrNotExist)
		if err != nil {
			return nil, err
		}
		if !v.Event.At.Before(before) {
			return old, nil
		}
		old = append(old, v)
	}
	return old, nil
}

// NoticeSettings reads what a person chose.
func (n noticeReader) NoticeSettings(person string) (notices.Settings, error) {
	s, err := get[notices.Settings](n.in.tx, bNoticeSettings, key(person), os.ErrNotExist)
	if errors.Is(err, os.ErrNotExist) {
		return notices.Settings{}, nil
	}
	return s, err
}

// PutNoticeSettings stores what a person chose.
func (n noticeWriter) PutNoticeSettings(s notices.Settings) error {
	return put(n.w, bNoticeSettings, key(s.Person), s)
}

// Deliveries lists what waits for one place.
func (n noticeReader) Deliveries(p notices.Place) ([]notices.Delivery, error) {
	return all[notices.Delivery](n.in, bOutbox, within(string(p.Channel), p.To))
}

// DueDeliveries lists what is to be tried in a lane.
func (n noticeReader) DueDeliveries(lane string, now time.Time, most int) (due []notices.Delivery, err error) {
	first, _, err := pageBy[notices.Delivery](n.in, bOutbox, within(byDue, lane), state.Part{Limit: most}, false)
	for _, d := range first {
		if !d.Due.After(now) {
			due = append(due, d)
		}
	}
	return due, err
}

// Undelivered lists what was given up.
func (n noticeReader) Undelivered(most int) ([]notices.Delivery, error) {
	found, _, err := pageBy[notices.Delivery](n.in, bOutbox, within(byGivenUp), state.Part{Limit: most}, false)
	return found, err
}

// PutNotice stores a notice.
func (n *notes) PutNotice(v notices.Notice) error { return put(n.w, bNotices, key(v.Person, v.ID), v) }

// DeleteNotice forgets a notice.
func (n *notes) DeleteNotice(person, id string) error {
	return n.w.remove(bNotices, key(person, id))
}

// PutDelivery stores a delivery.
func (n *notes) PutDelivery(d notices.Delivery) error {
	return put(n.w, bOutbox, key(string(d.Channel), d.To, d.ID), d)
}

// DeleteDelivery forgets a delivery.
func (n *notes) DeleteDelivery(p notices.Place, id string) error {
	return n.w.remove(bOutbox, key(string(p.Channel), p.To, id))
}

// Seen returns how far a durable follower is.
func (n *notes) Seen(follower string) (rev abi.Rev, known bool, err error) {
	rev, err = get[abi.Rev](n.tx, bCursors, key(follower), errNoCursor)
	if errors.Is(err, errNoCursor) {
		return 0, false, nil
	}
	return rev, err == nil, err
}

// SetSeen moves a durable follower's cursor on.
func (n *notes) SetSeen(follower string, rev abi.Rev) error { return n.w.follower(follower, rev) }

// entriesOfNotices are the entries of the index that lead to notices and to what is to leave the node.
func entriesOfNotices(bucket string, k, raw []byte) ([][]byte, error) {
	if bucket == bNotices {
		v, err := parse[notices.Notice](bucket, k, raw)
		return [][]byte{key(byNoticed, moment(v.Event.At), v.Person, v.ID)}, err
	}
	d, err := parse[notices.Delivery](bucket, k, raw)
	if d.Dead.IsZero() {
		return [][]byte{key(byDue, d.Lane(), moment(d.Due), string(k))}, err
	}
	return [][]byte{key(byGivenUp, moment(d.Dead), string(k))}, err
}

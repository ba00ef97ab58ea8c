package governance

import (
	"context"
	"errors"
	"slices"

	"github.com/agora-host/agora/access"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/state"
)

// Queue lists requests as Requests does, and counts the open ones, of which each is read once: for a page that
// shows both.
func (s *Briefings) Queue(ctx context.Context, f control.RequestFilter, p control.Page) (queue control.Queue, err error) {
	actor, err := s.desk.May(ctx, access.ReadCatalogue, access.TheNode)
	if err != nil {
		return queue, err
	}
	f = f.OfOpen()
	err = s.desk.View(ctx, func(tx state.Reader) error {
		open, err := s.readOpen(tx, actor)
		if err != nil {
			return err
		}
		queue = control.Queue{Counts: open.counts, Waiting: open.waiting}
		if p.Cursor == "" && f.Status == approvals.StatusOpen && f.App == "" && f.Release == 0 {
			queue.Requests, err = control.Part(p, func(part state.Part) ([]approvals.Request, []byte, error) {
				return open.pick(tx, part.Limit, wanted(actor, f, s.desk.Now()))
			})
			err = errors.Join(err, explainAll(s.service, tx, queue.Requests.Items))
		} else {
			queue.Requests, err = requestsIn(s.service, tx, actor, f, p)
		}
		if err == nil {
			queue.Away, err = s.away(tx, queue.Requests.Items)
		}
		return err
	})
	return queue, err
}

// away lists, by the ids of requests whose votes are counted, who could still vote about them and is away.
func (s *Briefings) away(tx state.Reader, requests []approvals.Request) (map[string][]control.Absent, error) {
	now := s.desk.Now()
	absent, err := tx.Absent()
	absent = slices.DeleteFunc(absent, func(u access.User) bool { return u.AwayUntil(now).IsZero() })
	away := map[string][]control.Absent{}
	for i := 0; err == nil && len(absent) > 0 && i < len(requests); i++ {
		var all []control.Absent
		if all, err = control.AwayFrom(tx, absent, requests[i], now); len(all) > 0 {
			away[requests[i].ID] = all
		}
	}
	return away, err
}

// openAtOnce is how many open requests one read returns: a list that goes on within a part has that read once more.
const openAtOnce = 100

// openRequests are the newest open requests of a node, as many as are counted, with the votes that count, in the parts
// in which they were read: the store says at the end of a part alone where a list goes on.
type openRequests struct {
	parts   []openPart
	counts  control.OpenCounts
	waiting int // of which it is an actor's turn, as Waiting counts them
}

// openPart is what one read returned.
type openPart struct {
	after, next []byte
	items       []approvals.Request
}

func (s *Briefings) readOpen(tx state.Reader, actor access.Actor) (o openRequests, err error) {
	for _, concern := range access.Concerns() {
		o.counts.Concerns = append(o.counts.Concerns, control.ConcernCount{Concern: concern})
	}
	var part openPart
	for {
		part.items, part.next, err = tx.RequestsPart("", approvals.StatusOpen, state.Part{After: part.after, Limit: min(openAtOnce, control.MaxPageLimit-o.counts.Open)})
		for i := 0; err == nil && i < len(part.items); i++ {
			err = s.count(tx, actor, &part.items[i], &o)
		}
		if err != nil {
			return o, err
		}
		o.parts = append(o.parts, part)
		o.counts.More = part.next != nil
		if part.after = part.next; part.next == nil || o.counts.Open >= control.MaxPageLimit {
			return o, nil
		}
	}
}

// count counts an open request, and notes which of its votes count.
func (s *Briefings) count(tx state.Reader, actor access.Actor, q *approvals.Request, o *openRequests) (err error) {
	// The head of a page that knows no policy counts by that of the request.
	mine := *q
	if len(q.Votes) > 0 {
		if mine, err = control.CountVotes(tx, *q, q.Policy, s.desk.Now()); err != nil {
			return err
		}
		if *q, err = control.CountVotes(tx, *q, s.policy.Digest(), s.desk.Now()); err != nil {
			return err
		}
	}
	if control.WaitsFor(actor, mine) {
		o.waiting++
	}
	o.counts.Open++
	if q.Overdue() {
		o.counts.Overdue++
	}
	for i := range o.counts.Concerns {
		if control.Awaits(*q, o.counts.Concerns[i].Concern) {
			o.counts.Concerns[i].N++
		}
	}
	return nil
}

// pick returns the first of them that are wanted, and where the list goes on; nil: it ends.
func (o openRequests) pick(tx state.Reader, limit int, wanted func(approvals.Request) bool) (kept []approvals.Request, place []byte, err error) {
	for _, part := range o.parts {
		place = part.next
		for i, q := range part.items {
			if !wanted(q) {
				continue
			}
			if kept = append(kept, q); len(kept) < limit {
				continue
			}
			if i+1 < len(part.items) { // the place within a part is in no read yet
				_, place, err = tx.RequestsPart("", approvals.StatusOpen, state.Part{After: part.after, Limit: i + 1})
			}
			return kept, place, err
		}
	}
	return kept, place, nil
}

package governance

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/approvals"
	"github.com/agora-host/agora/state"
)

// worked is the name of the cursor that holds how many seconds nodes have run, of all together: a number that
// is durable, and only becomes larger.
const worked = "review-clocks"

// beginAtOnce is how many clocks begin in one change.
const beginAtOnce = 500

// Clocks tells those whose turn it is in a request that their time is over, and withdraws what nobody answers.
type Clocks struct {
	*Judge
	elapsed func() time.Duration // since the process began, whatever the clock says

	mu   sync.Mutex
	seen int64         // the seconds worked that this node saw last
	at   time.Duration // when it saw them for the first time

	uses     Uses
	seenUses map[string]approvals.Idle // by grant, as this node saw it last
}

// NewClocks makes a Clocks of a service. elapsed returns how long the process has run; nil: as the system
// says, whose clock can jump without changing it.
func NewClocks(s *Service, elapsed func() time.Duration) *Clocks {
	if elapsed == nil {
		began := time.Now()
		elapsed = func() time.Duration { return time.Since(began) }
	}
	return &Clocks{Judge: s.Judge, elapsed: elapsed, uses: s.uses}
}

// work counts on, and returns how many seconds were worked up to now. Of several nodes the one counts that finds
// the number as it left it, and only that one has counted up to now; what others have counted is not counted
// again, and if that one ends, the next goes on. So it is never faster than time.
func (s *Clocks) work(ctx context.Context) (total int64, counted bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rev, known, err := s.desk.Store.Cursor(ctx, worked)
	if err != nil {
		return 0, false, err
	}
	now := s.elapsed()
	if total = int64(rev); known && s.seen != total {
		s.seen, s.at = total, now
		return total, false, nil
	}
	more := int64((now - s.at) / time.Second)
	if !known {
		more = 1 // the first that there are
	}
	s.seen, s.at = total+more, now
	return s.seen, true, s.desk.Store.SetCursor(ctx, worked, abi.Rev(s.seen))
}

// Sweep looks at the clocks of all open requests, at the one node that counts. What a clock has to tell is noted
// in the request in the change that tells it: so once, whichever node looks, and whenever it ends.
func (s *Clocks) Sweep(ctx context.Context) error {
	ended := s.endings(ctx)
	total, counted, err := s.work(ctx)
	if err != nil || !counted {
		return errors.Join(ended, err)
	}
	return errors.Join(ended, s.unused(ctx, total), s.sweepRequests(ctx, total))
}

func (s *Clocks) sweepRequests(ctx context.Context, total int64) error {
	var begin, ring []string
	err := s.desk.View(ctx, func(tx state.Reader) error {
		begin, ring = nil, nil
		open, _, err := tx.RequestsPart("", approvals.StatusOpen, state.Part{Limit: -1})
		for _, q := range open {
			rings, changed := q.Run(s.policy.Clocks(q.Tier), total, s.desk.Now().UTC())
			switch {
			case rings != approvals.RingNothing:
				ring = append(ring, q.ID)
			case changed:
				begin = append(begin, q.ID)
			}
		}
		return err
	})
	for len(begin) > 0 {
		n := min(len(begin), beginAtOnce)
		_, failed := s.desk.Update(ctx, "node", func(tx state.Tx) (err error) {
			for _, id := range begin[:n] {
				err = errors.Join(err, s.ring(tx, id, total))
			}
			return err
		})
		begin, err = begin[n:], errors.Join(err, failed)
	}
	for _, id := range ring {
		_, failed := s.desk.Update(ctx, "node", func(tx state.Tx) error { return s.ring(tx, id, total) })
		err = errors.Join(err, failed)
	}
	return err
}

// ring does what the clock of a request has to do.
func (s *Clocks) ring(tx state.Tx, id string, total int64) error {
	q, err := tx.Request(id)
	if err != nil {
		return err
	}
	turn, clocks := q.WaitsFor(), s.policy.Clocks(q.Tier)
	rings, changed := q.Run(clocks, total, s.desk.Now().UTC())
	if !changed {
		return nil
	}
	if err := tx.PutRequest(q); err != nil {
		return err
	}
	detail := map[string]string{"turn": string(turn), "hours": strconv.Itoa(int(clocks.Of(turn).Hours())), "release": strconv.Itoa(q.Release)}
	switch rings {
	case approvals.RingNothing:
		tx.Emit("request.clock_started", q.App, id, detail)
	case approvals.RingOverdue:
		tx.Emit("request.overdue", q.App, id, detail)
	case approvals.RingEscalated:
		tx.Emit("request.escalated", q.App, id, detail)
	case approvals.RingWithdrawn:
		tx.Emit("request.withdrawn", q.App, id, map[string]string{"reason": q.Decision.Reason})
		return endEmergency(tx, q)
	}
	return nil
}

package metering

import (
	"context"
	"fmt"
)

// Report makes the report of a query from the store and from what is not flushed yet: a
// call is in the very next report. Hours that are sealed are shown as they were
// sealed; what became known of them later is in the hour in which it was posted.
func (m *Meter) Report(ctx context.Context, q Query) (Report, error) {
	q, err := q.normal(m.o.Now())
	if err != nil {
		return Report{}, err
	}
	// The live counts first: what is flushed between here and the store's
	// response is taken from here.
	live := m.writer.live()
	s := newSummary(q)
	var ledger Ledger
	if q.hourly() {
		ledger, err = m.o.Store.Ledger(ctx, q.App, q.From, q.To)
		for i := range ledger.Hours {
			if i%4096 == 0 && ctx.Err() != nil {
				return Report{}, ctx.Err()
			}
			s.add(&ledger.Hours[i].Key, &ledger.Hours[i].Usage)
		}
	} else {
		ledger, err = m.o.Store.Days(ctx, q.App, q.From, q.To, func(h *Hour) { s.add(&h.Key, &h.Usage) })
	}
	if err != nil {
		return Report{}, fmt.Errorf("read usage: %w", err)
	}
	for _, a := range ledger.Adjustments {
		k := a.Key
		k.Hour = a.Posted
		s.add(&k, &a.Usage)
	}
	held := make(map[cellID]bool, len(live))
	for _, c := range live {
		if !c.Hour.Before(ledger.Sealed) && !c.Hour.Before(q.From) && c.Hour.Before(q.To) {
			held[idOf(c)] = true
			s.add(&c.Key, &c.Usage)
		}
	}
	for i, c := range ledger.Cells {
		if i%4096 == 0 && ctx.Err() != nil {
			return Report{}, ctx.Err()
		}
		if !held[idOf(c)] {
			s.add(&c.Key, &c.Usage)
		}
	}
	return s.report(), nil
}

// cellID is what makes a cell one.
type cellID struct {
	node  string
	epoch uint64
	key   Key
}

func idOf(c Cell) cellID { return cellID{c.Node, c.Epoch, c.Key} }

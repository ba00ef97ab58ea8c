package metering

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// groupings are the words that a query may group by.
var groupings = map[string]func(Key) string{
	"hour":        func(k Key) string { return k.Hour.UTC().Format(time.RFC3339) },
	"day":         func(k Key) string { return k.Hour.UTC().Format(time.DateOnly) },
	"app":         func(k Key) string { return k.App },
	"release":     func(k Key) string { return strconv.Itoa(k.Release) },
	"tier":        func(k Key) string { return k.Tier },
	"cost_center": func(k Key) string { return k.CostCenter },
	"team":        func(k Key) string { return k.Team },
	"owner":       func(k Key) string { return k.Owner },
	"environment": func(k Key) string { return k.Environment },
	"trigger":     func(k Key) string { return k.Trigger },
}

// normal checks a query and fills in what was left out. Spans begin and end at
// full hours, in which usage is kept: From is rounded down, To up.
func (q Query) normal(now time.Time) (Query, error) {
	if q.To.IsZero() {
		q.To = now.Truncate(time.Hour).Add(time.Hour) // the hour that runs belongs to it
	}
	if q.From.IsZero() {
		q.From = q.To.Add(-24 * time.Hour)
	}
	q.From = q.From.UTC().Truncate(time.Hour)
	if to := q.To.UTC().Truncate(time.Hour); to.Equal(q.To) {
		q.To = to
	} else {
		q.To = to.Add(time.Hour)
	}
	if !q.From.Before(q.To) {
		return q, fmt.Errorf("%w: the span ends (%s) before it begins (%s)", ErrBadQuery, q.To.Format(time.RFC3339), q.From.Format(time.RFC3339))
	}
	seen := map[string]bool{}
	for _, word := range q.By {
		if groupings[word] == nil {
			known := slices.Sorted(maps.Keys(groupings))
			return q, fmt.Errorf("%w: usage is not kept by %q; use any of %s", ErrBadQuery, word, strings.Join(known, ", "))
		}
		if seen[word] {
			return q, fmt.Errorf("%w: %q is named twice", ErrBadQuery, word)
		}
		seen[word] = true
	}
	return q, nil
}

// Report answers a query from the store and from what is not flushed yet: a
// call is in the very next report. Hours that are sealed are shown as they were
// sealed; what became known of them later is in the hour in which it was posted.
func (m *Meter) Report(ctx context.Context, q Query) (Report, error) {
	q, err := q.normal(m.o.Now())
	if err != nil {
		return Report{}, err
	}
	// The live counts first: what is flushed between here and the store's
	// answer is taken from here.
	live := m.live()
	ledger, err := m.o.Store.Ledger(ctx, q.App, q.From, q.To)
	if err != nil {
		return Report{}, fmt.Errorf("read usage: %w", err)
	}
	var all []Cell
	for _, h := range ledger.Hours {
		all = append(all, Cell{Key: h.Key, Usage: h.Usage})
	}
	for _, a := range ledger.Adjustments {
		k := a.Key
		k.Hour = a.Posted
		all = append(all, Cell{Key: k, Usage: a.Usage})
	}
	held := make(map[cellID]bool, len(live))
	for _, c := range live {
		if !c.Hour.Before(ledger.Sealed) {
			held[idOf(c)] = true
			all = append(all, c)
		}
	}
	for _, c := range ledger.Cells {
		if !held[idOf(c)] {
			all = append(all, c)
		}
	}
	return sum(q, all), nil
}

// cellID is what makes a cell one.
type cellID struct {
	node  string
	epoch uint64
	key   Key
}

func idOf(c Cell) cellID { return cellID{c.Node, c.Epoch, c.Key} }

// live copies out the cells that are not in the store for good.
func (m *Meter) live() (all []Cell) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range append(slices.Clone(m.earlier), m.current) {
		all = append(all, e.cells.list(e.node, e.number, false)...)
	}
	return all
}

// sum groups cells.
func sum(q Query, all []Cell) Report {
	report := Report{From: q.From, To: q.To, By: q.By, Rows: []Row{}}
	if report.By == nil {
		report.By = []string{}
	}
	rows := map[string]*Row{}
	for _, c := range all {
		if (q.App != "" && c.App != q.App) || (q.CostCenter != "" && c.CostCenter != q.CostCenter) ||
			c.Hour.Before(q.From) || !c.Hour.Before(q.To) {
			continue
		}
		report.Total = report.Total.Add(c.Usage)
		group := make(map[string]string, len(q.By))
		var key strings.Builder
		for _, word := range q.By {
			group[word] = groupings[word](c.Key)
			key.WriteString(group[word] + "\x00")
		}
		row := rows[key.String()]
		if row == nil {
			row = &Row{Group: group}
			rows[key.String()] = row
		}
		row.Usage = row.Usage.Add(c.Usage)
	}
	for _, row := range rows {
		report.Rows = append(report.Rows, *row)
	}
	slices.SortFunc(report.Rows, func(a, b Row) int {
		for _, word := range q.By {
			if word == "release" {
				x, _ := strconv.Atoi(a.Group[word])
				y, _ := strconv.Atoi(b.Group[word])
				if c := cmp.Compare(x, y); c != 0 {
					return c
				}
			}
			if c := cmp.Compare(a.Group[word], b.Group[word]); c != 0 {
				return c
			}
		}
		return 0
	})
	return report
}

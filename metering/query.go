package metering

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Query asks for usage. Zero From and To mean the last 24 hours up to now.
type Query struct {
	// App, Team and CostCenter narrow it; "" for all.
	App, Team, CostCenter string
	Owner                 string // what was used in that owner's name
	// Known returns the name that an owner has now for one that usage was kept under; nil: the same.
	Known    func(owner string) string
	From, To time.Time // half open
	By       []string  // what to group by, see groupings; empty: one total
	// Over, if not "", also asks for the totals of each "hour", "day" or "month".
	Over string
}

// Report makes the report of a query. Rows are sorted by their group.
type Report struct {
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	By    []string  `json:"by"`
	Rows  []Row     `json:"rows"`
	Next  string    `json:"next,omitempty"` // the cursor of the next rows, if these are not all
	Total Usage     `json:"total"`
	// Series are the totals over time, if they were asked for; times without usage
	// are left out.
	Series []Row `json:"series,omitempty"`
}

// Row is the usage of one group.
type Row struct {
	Group map[string]string `json:"group"` // value for each word in By; hours in RFC 3339
	Usage
}

// groupings are the words that a query may group by.
var groupings = map[string]func(*Key) string{
	"hour":        func(k *Key) string { return k.Hour.UTC().Format(time.RFC3339) },
	"day":         func(k *Key) string { return k.Hour.UTC().Format(time.DateOnly) },
	"month":       func(k *Key) string { return k.Hour.UTC().Format("2006-01") },
	"app":         func(k *Key) string { return k.App },
	"release":     func(k *Key) string { return strconv.Itoa(k.Release) },
	"tier":        func(k *Key) string { return k.Tier },
	"cost_center": func(k *Key) string { return k.CostCenter },
	"team":        func(k *Key) string { return k.Team },
	"owner":       func(k *Key) string { return k.Owner },
	"environment": func(k *Key) string { return k.Environment },
	"trigger":     func(k *Key) string { return k.Trigger },
}

// Groupings are the words that a query may group by.
func Groupings() []string { return slices.Sorted(maps.Keys(groupings)) }

// Spans are the words of Over.
func Spans() []string { return slices.Clone(spans) }

// spans are the words of By and Over that are about time.
var spans = []string{"hour", "day", "month"}

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
	if q.Over != "" && !slices.Contains(spans, q.Over) {
		return q, fmt.Errorf("%w: usage is not shown over %q; use any of %s", ErrBadQuery, q.Over, strings.Join(spans, ", "))
	}
	seen := map[string]bool{}
	for _, word := range q.By {
		if groupings[word] == nil {
			return q, fmt.Errorf("%w: usage is not kept by %q; use any of %s", ErrBadQuery, word, strings.Join(Groupings(), ", "))
		}
		if seen[word] {
			return q, fmt.Errorf("%w: %q is named twice", ErrBadQuery, word)
		}
		seen[word] = true
	}
	return q, nil
}

// hourly reports whether the response keeps hours apart.
func (q Query) hourly() bool { return q.Over == "hour" || slices.Contains(q.By, "hour") }

// wants reports whether a cell is asked for.
func (q *Query) wants(k *Key) bool {
	return (q.App == "" || k.App == q.App) && (q.Team == "" || k.Team == q.Team) && (q.CostCenter == "" || k.CostCenter == q.CostCenter) && (q.Owner == "" || k.Owner == q.Owner)
}

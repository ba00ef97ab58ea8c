package metering

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/agora-host/agora/abi"
)

// summary groups usage as a query asks. It is made for many rows: a row that
// belongs to a group which is there costs no memory.
type summary struct {
	q      Query
	rows   groups
	series groups
}

func newSummary(q Query) *summary {
	s := &summary{q: q, rows: newGroups(q.By)}
	if q.Over != "" {
		s.series = newGroups([]string{q.Over})
	}
	return s
}

func (s *summary) add(k *Key, u *Usage) {
	if !s.q.wants(k) {
		return
	}
	s.rows.of(k).gather(u)
	if s.q.Over != "" {
		s.series.of(k).gather(u)
	}
}

func (s *summary) report() Report {
	r := Report{From: s.q.From, To: s.q.To, By: s.q.By, Rows: s.rows.sorted()}
	for i := range r.Rows {
		r.Total.gather(&r.Rows[i].Usage)
	}
	if r.By == nil {
		r.By = []string{}
	}
	if s.q.Over != "" {
		r.Series = s.series.sorted()
	}
	return r
}

// groups are rows by the values of some words.
type groups struct {
	words []string
	rows  map[string]*Row
	key   []byte // of the row that is being looked for
	// The hour that came last, and what each word that is about time makes of it.
	hour  time.Time
	spans []string
}

func newGroups(words []string) groups {
	return groups{words: words, rows: map[string]*Row{}, spans: make([]string, len(words))}
}

func (g *groups) of(k *Key) *Usage {
	fresh := len(g.rows) == 0 || !k.Hour.Equal(g.hour)
	g.hour, g.key = k.Hour, g.key[:0]
	for i, word := range g.words {
		g.key = append(append(g.key, g.value(i, word, k, fresh)...), 0)
	}
	row := g.rows[string(g.key)]
	if row == nil {
		row = &Row{Group: make(map[string]string, len(g.words))}
		for i, word := range g.words {
			row.Group[word] = g.value(i, word, k, false)
		}
		g.rows[string(g.key)] = row
	}
	return &row.Usage
}

func (g *groups) value(i int, word string, k *Key, fresh bool) string {
	if !slices.Contains(spans, word) {
		return groupings[word](k)
	}
	if fresh {
		g.spans[i] = groupings[word](k)
	}
	return g.spans[i]
}

func (g *groups) sorted() []Row {
	rows := make([]Row, 0, len(g.rows))
	for _, row := range g.rows {
		rows = append(rows, *row)
	}
	slices.SortFunc(rows, func(a, b Row) int {
		for _, word := range g.words {
			if c := compareValues(word, a.Group[word], b.Group[word]); c != 0 {
				return c
			}
		}
		return 0
	})
	return rows
}

func compareValues(word, a, b string) int {
	if word == "release" {
		x, _ := strconv.Atoi(a)
		y, _ := strconv.Atoi(b)
		return cmp.Compare(x, y)
	}
	return cmp.Compare(a, b)
}

// gather adds o to a usage that shares nothing with others.
func (u *Usage) gather(o *Usage) {
	u.Calls = plus(u.Calls, o.Calls)
	u.Counts.gather(&o.Counts)
	if len(o.Errors) > 0 && u.Errors == nil {
		u.Errors = maps.Clone(o.Errors)
	} else {
		for kind, n := range o.Errors {
			u.Errors[kind] = plus(u.Errors[kind], n)
		}
	}
	for _, use := range o.Uses {
		u.use(use)
	}
}

// gather is with(o, plus) in place.
func (c *Counts) gather(o *Counts) {
	c.Instructions, c.GuestMicros, c.HostMicros = plus(c.Instructions, o.Instructions), plus(c.GuestMicros, o.GuestMicros), plus(c.HostMicros, o.HostMicros)
	c.MemoryKiBMS, c.BytesIn, c.BytesOut = plus(c.MemoryKiBMS, o.MemoryKiBMS), plus(c.BytesIn, o.BytesIn), plus(c.BytesOut, o.BytesOut)
}

func (u *Usage) use(use abi.Use) {
	i, found := slices.BinarySearchFunc(u.Uses, use, compareUses)
	if found {
		u.Uses[i].N = plus(u.Uses[i].N, use.N)
	} else if use.N > 0 {
		u.Uses = slices.Insert(u.Uses, i, use)
	}
}

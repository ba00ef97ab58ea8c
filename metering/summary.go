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
	known  Key // the key that is added, with the owner's name as it is now
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
	if s.q.Known != nil {
		s.known = *k
		s.known.Owner, k = s.q.Known(k.Owner), &s.known
	}
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
	words []word
	rows  map[string]*Row
	key   []byte // of the row that is being looked for
	last  *Row   // the one that came last; nil if any
	hour  time.Time
	timed bool // no word is about anything but time
}

// word is one to group by.
type word struct {
	name  string
	of    func(*Key) string
	time  bool
	value string // of the hour that came last, if it is about time
}

func newGroups(names []string) groups {
	g := groups{rows: map[string]*Row{}, timed: true}
	for _, name := range names {
		w := word{name: name, of: groupings[name], time: slices.Contains(spans, name)}
		g.words, g.timed = append(g.words, w), g.timed && w.time
	}
	return g
}

// of finds the row that a key belongs to.
func (g *groups) of(k *Key) *Usage {
	if g.last == nil || !k.Hour.Equal(g.hour) {
		g.turn(k)
	} else if g.timed {
		return &g.last.Usage
	}
	g.key = g.key[:0]
	for i := range g.words {
		g.key = append(append(g.key, g.words[i].in(k)...), 0)
	}
	row := g.rows[string(g.key)]
	if row == nil {
		row = &Row{Group: make(map[string]string, len(g.words))}
		for i := range g.words {
			row.Group[g.words[i].name] = g.words[i].in(k)
		}
		g.rows[string(g.key)] = row
	}
	g.last = row
	return &row.Usage
}

// turn is for an hour that is another than the one before.
func (g *groups) turn(k *Key) {
	g.hour = k.Hour
	for i := range g.words {
		if w := &g.words[i]; w.time {
			w.value = w.of(k)
		}
	}
}

func (w *word) in(k *Key) string {
	if w.time {
		return w.value
	}
	return w.of(k)
}

func (g *groups) sorted() []Row {
	rows := make([]Row, 0, len(g.rows))
	for _, row := range g.rows {
		rows = append(rows, *row)
	}
	slices.SortFunc(rows, func(a, b Row) int {
		for _, w := range g.words {
			if c := compareValues(w.name, a.Group[w.name], b.Group[w.name]); c != 0 {
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
	for i, use := range o.Uses {
		if i < len(u.Uses) && sameUse(&u.Uses[i], &use) { // as it is most often
			u.Uses[i].N = plus(u.Uses[i].N, use.N)
		} else {
			u.use(use)
		}
	}
}

func sameUse(a, b *abi.Use) bool {
	return a.Subject == b.Subject && a.Meter == b.Meter && a.Capability == b.Capability
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

package rate

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// ErrExceeded: an app is called more often in a second than a quota allows.
var ErrExceeded = errors.New("a quota of requests in a second is used up")

// Error says which quota refused a call. It names no person.
type Error struct {
	Limit
	Wait time.Duration // until a call may be admitted
}

func (e *Error) Error() string {
	whose, flag := "this node", ""
	switch e.Per {
	case "person":
		whose, flag = "the person who owns the app", "--user <person> "
	case "group":
		whose, flag = "the group that owns the app", "--group <group> "
	}
	return fmt.Sprintf("the quota %q of %s is used up for the moment: the apps that it is for may be called %d times a second, all together; an operator can raise it with agora quotas set %s <limit> %s--reason <why>",
		e.Quota, whose, e.Most, e.Quota, flag)
}

// Unwrap returns ErrExceeded.
func (e *Error) Unwrap() error { return ErrExceeded }

// Limit is how many calls a second the apps of one holder may get together. A holder has one.
type Limit struct {
	Quota string // its name
	Per   string // "person", "group" or "node": what it is of
	Of    string // whose it is
	Most  int64  // calls, or NoLimit, for which they are counted alone
}

// Limits are those of one app. Apps that have the same share them.
type Limits []Limit

// Table knows the buckets of each app.
type Table struct {
	now   func() time.Time
	epoch time.Time
	rows  atomic.Pointer[rows]
}

type rows struct {
	apps    map[string]*row
	buckets map[holder]*Bucket
	sampled time.Time
}

// holder is whom a bucket is of.
type holder struct{ per, of string }

// row is what the apps of the same holders have.
type row struct {
	limits  Limits
	buckets []*Bucket
}

// NewTable returns a table in which no app is bounded.
func NewTable(now func() time.Time) *Table {
	return &Table{now: now, epoch: now()}
}

// Take admits a call of an app, or returns an *Error.
func (t *Table) Take(app string) error {
	all := t.rows.Load()
	if all == nil {
		return nil
	}
	row := all.apps[app]
	if row == nil {
		return nil
	}
	short, wait := TakeAll(row.buckets, t.now().Sub(t.epoch))
	if wait == 0 {
		return nil
	}
	return &Error{row.limits[short], wait}
}

// Set says which limits apps have from now on, by their names; nil: none has any. A holder whose limit stays
// keeps its bucket as it is, one whose limit changes has a full one. Set and Sample are one goroutine's.
func (t *Table) Set(apps map[string]*Limits) {
	if len(apps) == 0 {
		t.rows.Store(nil)
		return
	}
	now := t.now()
	was := t.rows.Load()
	is := &rows{apps: make(map[string]*row, len(apps)), buckets: map[holder]*Bucket{}, sampled: now}
	if was != nil {
		is.sampled = was.sampled
	}
	made := map[*Limits]*row{}
	for app, limits := range apps {
		r := made[limits]
		if r == nil {
			r = &row{limits: *limits}
			for _, l := range r.limits {
				h := holder{l.Per, l.Of}
				b := is.buckets[h]
				if b == nil && was != nil {
					b = was.buckets[h]
				}
				if b == nil || b.limit != l.Most {
					b = NewBucket(l.Most, now.Sub(t.epoch))
				}
				is.buckets[h] = b
				r.buckets = append(r.buckets, b)
			}
			made[limits] = r
		}
		is.apps[app] = r
	}
	t.rows.Store(is)
}

// sampleEvery is how much time a sample is of, at least.
const sampleEvery = 900 * time.Millisecond

// Sample notes how often each holder's apps are called.
func (t *Table) Sample() {
	all := t.rows.Load()
	if all == nil {
		return
	}
	now := t.now()
	passed := now.Sub(all.sampled)
	if passed >= 0 && passed < sampleEvery {
		return
	}
	all.sampled = now
	for _, b := range all.buckets {
		b.sample(passed)
	}
}

// PerSecond returns how many calls a second the apps of a holder were admitted lately, if they are counted.
func (t *Table) PerSecond(per, of string) int64 {
	if all := t.rows.Load(); all != nil {
		if b := all.buckets[holder{per, of}]; b != nil {
			return b.PerSecond()
		}
	}
	return 0
}

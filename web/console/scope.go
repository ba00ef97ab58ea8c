package console

import (
	"net/url"
	"time"

	"github.com/agora-host/agora/metering"
)

// scope is what the usage page is about: a time, and who used it. Its address
// says all of it, so that every view can be sent to a person.
type scope struct {
	Span                  string    // one of spans, if no time is named
	Month, Day, Hour      time.Time // at most one is not zero
	App, Team, CostCenter string    // "" for all
}

// spans are the choices of the usage page that end now.
var spans = []struct {
	Key, Name string
	Length    time.Duration
	Slot      string
}{
	{"24h", "24 hours", 24 * time.Hour, "hour"},
	{"7d", "7 days", 7 * 24 * time.Hour, "day"},
	{"30d", "30 days", 30 * 24 * time.Hour, "day"},
	{"90d", "90 days", 90 * 24 * time.Hour, "day"},
	{"12mo", "12 months", 365 * 24 * time.Hour, "month"},
}

const (
	monthLayout = "2006-01"
	hourLayout  = "2006-01-02T15"
)

// readScope reads an address. What it cannot read is left out.
func readScope(q url.Values) scope {
	s := scope{Span: spans[0].Key, App: q.Get("app"), Team: q.Get("team"), CostCenter: q.Get("cost_center")}
	for _, known := range spans {
		if known.Key == q.Get("span") {
			s.Span = known.Key
		}
	}
	for layout, t := range map[string]*time.Time{monthLayout: &s.Month, time.DateOnly: &s.Day, hourLayout: &s.Hour} {
		if at, err := time.Parse(layout, q.Get("at")); err == nil {
			*t = at.UTC()
		}
	}
	return s
}

// link is the page's address for a scope; by is how it is grouped, if not as
// usual.
func (s scope) link(by string) string { return "/usage?" + s.values(by).Encode() }

func (s scope) values(by string) url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"app": s.App, "team": s.Team, "cost_center": s.CostCenter, "by": by, "at": s.at()} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if s.at() == "" && s.Span != "" {
		q.Set("span", s.Span)
	}
	return q
}

func (s scope) at() string {
	switch {
	case !s.Hour.IsZero():
		return s.Hour.UTC().Format(hourLayout)
	case !s.Day.IsZero():
		return s.Day.UTC().Format(time.DateOnly)
	case !s.Month.IsZero():
		return s.Month.UTC().Format(monthLayout)
	}
	return ""
}

// query asks for a scope's usage, with what is drawn over time.
func (s scope) query(now time.Time) metering.Query {
	q := metering.Query{App: s.App, Team: s.Team, CostCenter: s.CostCenter}
	switch {
	case !s.Hour.IsZero():
		q.From, q.To, q.Over = s.Hour, s.Hour.Add(time.Hour), "hour"
	case !s.Day.IsZero():
		q.From, q.To, q.Over = s.Day, s.Day.AddDate(0, 0, 1), "hour"
	case !s.Month.IsZero():
		q.From, q.To, q.Over = s.Month, s.Month.AddDate(0, 1, 0), "day"
	default:
		for _, known := range spans {
			if known.Key == s.Span {
				q.From, q.Over = now.Add(-known.Length), known.Slot
			}
		}
		if q.Over == "day" {
			q.From = q.From.UTC().Truncate(24 * time.Hour) // no first day that is cut in half
		} else if q.Over == "month" {
			q.From = time.Date(q.From.UTC().Year(), q.From.UTC().Month(), 1, 0, 0, 0, 0, time.UTC)
		}
	}
	return q
}

// into leads from a slot of the chart to what is in it.
func (s scope) into(slot string) func(time.Time) string {
	return func(t time.Time) string {
		s.Month, s.Day, s.Hour = time.Time{}, time.Time{}, time.Time{}
		switch slot {
		case "month":
			s.Month = t
		case "day":
			s.Day = t
		default:
			s.Hour = t
		}
		return s.link("")
	}
}

// crumb is a step of the way back up.
type crumb struct{ Name, Link string }

// trail leads from everything to the scope: month, day, hour.
func (s scope) trail() []crumb {
	at := s.Hour
	if at.IsZero() {
		at = s.Day
	}
	if at.IsZero() {
		at = s.Month
	}
	if at.IsZero() {
		return nil
	}
	up := func(month, day time.Time) string {
		c := s
		c.Month, c.Day, c.Hour = month, day, time.Time{}
		return c.link("")
	}
	month := time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
	trail := []crumb{{"All usage", up(time.Time{}, time.Time{})}, {at.Format("January 2006"), up(month, time.Time{})}}
	if !s.Month.IsZero() {
		return trail
	}
	trail = append(trail, crumb{at.Format("2 January"), up(time.Time{}, at.Truncate(24*time.Hour))})
	if !s.Day.IsZero() {
		return trail
	}
	return append(trail, crumb{at.Format("15:04") + " to " + at.Add(time.Hour).Format("15:04") + " UTC", s.link("")})
}

// filters are what narrows the scope, each with the address without it.
func (s scope) filters(by string) []crumb {
	var all []crumb
	for _, f := range []struct {
		name string
		of   *string
	}{{"app", &s.App}, {"team", &s.Team}, {"cost center", &s.CostCenter}} {
		if *f.of == "" {
			continue
		}
		value := *f.of
		*f.of = ""
		all = append(all, crumb{f.name + ": " + value, s.link(by)})
		*f.of = value
	}
	return all
}

// near returns the scopes before and after, of the same length; none for those
// that end now.
func (s scope) near(now time.Time) (before, after string) {
	step := func(n int) scope {
		c := s
		switch {
		case !c.Hour.IsZero():
			c.Hour = c.Hour.Add(time.Duration(n) * time.Hour)
		case !c.Day.IsZero():
			c.Day = c.Day.AddDate(0, 0, n)
		default:
			c.Month = c.Month.AddDate(0, n, 0)
		}
		return c
	}
	if s.at() == "" {
		return "", ""
	}
	before = step(-1).link("")
	if next := step(1); !next.query(now).From.After(now) {
		after = next.link("")
	}
	return before, after
}

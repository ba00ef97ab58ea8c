package cron

import "time"

// horizon bounds the search: from one 29 February to the next are at most eight
// years.
const horizon = 9 * 366 * 24 * time.Hour

// Next is the first instant after t at which the schedule runs; the zero time if
// there is none. Instants are whole minutes of the zone's clock, in UTC.
func (s Schedule) Next(t time.Time) time.Time {
	if s.zone == nil {
		return time.Time{}
	}
	for at, end := t, t.Add(horizon); at.Before(end); {
		// Within one period of the zone the offset is constant, and the search is one
		// in plain local time.
		start, stop := at.In(s.zone).ZoneBounds()
		_, offset := at.In(s.zone).Zone()
		from := naive(at, offset).Truncate(time.Minute)
		if !from.After(naive(t, offset)) {
			from = from.Add(time.Minute)
		}
		if !s.rhythm && !start.IsZero() {
			if _, before := start.Add(-time.Second).In(s.zone).Zone(); before > offset {
				// What the clock showed before it was put back has run.
				from = later(from, naive(start, before))
			}
		}
		if n := s.nextLocal(from, end); !n.IsZero() {
			if at := n.Add(-time.Duration(offset) * time.Second); stop.IsZero() || at.Before(stop) {
				return at
			}
		}
		if stop.IsZero() {
			return time.Time{}
		}
		if _, after := stop.In(s.zone).Zone(); !s.rhythm && after > offset {
			// The local times of the gap are skipped; they run at its end, once.
			gapEnd := naive(stop, after)
			if n := s.nextLocal(naive(stop, offset), gapEnd); !n.IsZero() && n.Before(gapEnd) && stop.After(t) {
				return stop.UTC()
			}
		}
		at = stop
	}
	return time.Time{}
}

// naive is what a clock shows that is offset seconds before UTC, as if it were UTC.
func naive(t time.Time, offset int) time.Time {
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// nextLocal is the first whole minute >= from that matches, without regard to
// zones; zero if there is none before end.
func (s Schedule) nextLocal(from, end time.Time) time.Time {
	if cut := from.Truncate(time.Minute); cut.Before(from) {
		from = cut.Add(time.Minute)
	}
	for day := midnight(from); day.Before(end); day = day.AddDate(0, 0, 1) {
		if !s.months.has(int(day.Month())) {
			day = time.Date(day.Year(), day.Month()+1, 0, 0, 0, 0, 0, time.UTC) // its last day
			continue
		}
		if !s.matchesDay(day) {
			continue
		}
		if n := s.nextInDay(day, from); !n.IsZero() {
			return n
		}
	}
	return time.Time{}
}

func (s Schedule) nextInDay(day, from time.Time) time.Time {
	hour, minute := 0, 0
	if from.After(day) {
		hour, minute = from.Hour(), from.Minute()
	}
	for h := s.hours.next(hour); h >= 0; h = s.hours.next(h + 1) {
		if h > hour {
			minute = 0
		}
		if m := s.minutes.next(minute); m >= 0 {
			return day.Add(time.Duration(h)*time.Hour + time.Duration(m)*time.Minute)
		}
		minute = 0
	}
	return time.Time{}
}

func midnight(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}

func (s Schedule) matchesDay(day time.Time) bool {
	inMonth, inWeek := s.days.has(day.Day()), s.weekdays.has(int(day.Weekday()))
	switch {
	case s.anyDay && s.anyWeekday:
		return true
	case s.anyDay:
		return inWeek
	case s.anyWeekday:
		return inMonth
	}
	return inMonth || inWeek
}

// LeastInterval is the shortest time between two runs on a day without a change
// of the clock, or across midnight.
func (s Schedule) LeastInterval() time.Duration {
	const day = 24 * 60
	first, last, least := -1, -1, day
	for m := range day {
		if !s.hours.has(m/60) || !s.minutes.has(m%60) {
			continue
		}
		if last >= 0 {
			least = min(least, m-last)
		} else {
			first = m
		}
		last = m
	}
	if first >= 0 {
		least = min(least, first+day-last)
	}
	return time.Duration(least) * time.Minute
}

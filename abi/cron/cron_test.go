package cron_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"pgregory.net/rapid"

	"github.com/agora-host/agora/abi/cron"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestNext(t *testing.T) {
	for _, c := range []struct{ name, schedule, zone, after, want string }{
		{"a plain hour", "0 3 * * *", "UTC", "2026-03-01T03:00:00Z", "2026-03-02T03:00:00Z"},
		{"within a minute", "* * * * *", "UTC", "2026-03-01T03:00:30Z", "2026-03-01T03:01:00Z"},
		{"names and ranges", "0 9 * jan-mar mon-fri", "UTC", "2026-03-31T09:00:00Z", "2027-01-01T09:00:00Z"},
		{"days are alternatives", "0 0 13 * fri", "UTC", "2026-02-12T01:00:00Z", "2026-02-13T00:00:00Z"},
		{"Sunday is 7 too", "0 0 * * 7", "UTC", "2026-03-02T00:00:00Z", "2026-03-08T00:00:00Z"},
		{"a leap day after 2096 is eight years away", "0 0 29 2 *", "UTC", "2096-02-29T00:00:00Z", "2104-02-29T00:00:00Z"},
		{"a skipped time runs at the end of the gap", "30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"},
		{"and then as ever", "30 2 * * *", "Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"},
		{"a repeated time runs the first time", "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"},
		{"and not the second", "30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"},
		{"a rhythm goes on when the hour repeats", "*/5 * * * *", "Europe/Berlin", "2026-10-25T00:55:00Z", "2026-10-25T01:00:00Z"},
		{"and when it is skipped", "30 * * * *", "Europe/Berlin", "2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"},
		{"half an hour of daylight saving", "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T14:00:00Z", "2026-10-03T15:30:00Z"},
		{"midnight itself is skipped", "0 0 * * *", "Asia/Beirut", "2026-03-28T12:00:00Z", "2026-03-28T22:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := cron.Parse(c.schedule, zone(t, c.zone))
			if err != nil {
				t.Fatal(err)
			}
			after, err := time.Parse(time.RFC3339, c.after)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Next(after).Format(time.RFC3339); got != c.want {
				t.Errorf("%s in %s after %s: %s, want %s", c.schedule, c.zone, c.after, got, c.want)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	for _, text := range []string{
		"", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *", "* * * * 8",
		"*/0 * * * *", "*/61 * * * *", "5-1 * * * *", "a * * * *", "1,,2 * * * *", "-1 * * * *", "+1 * * * *", "1- * * * *", "1/ * * * *",
		"0 0 31 2 *", "0 0 30 feb *", "@often", "@every 5m", "0 0 31 4,6,9,11 *", "٣ * * * *", strings.Repeat("1,", 200) + "1 * * * *",
	} {
		if _, err := cron.Parse(text, nil); !errors.Is(err, cron.ErrBadSchedule) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestOthersSyntax: what other schedulers know is refused by its name, with what to write instead,
// and what the hint says to write can be read.
func TestOthersSyntax(t *testing.T) {
	for _, c := range []struct{ schedule, want, instead string }{
		{"0 0 L * *", "28-31", "0 0 28-31 * *"},                  // Quartz: last day of the month
		{"0 0 l * *", "28-31", ""},                               // in lower case
		{"0 0 L-3 * *", "28-31", ""},                             // three days before it
		{"0 0 LW * *", "the nearest weekday", "0 0 * * mon-fri"}, // last weekday
		{"0 0 15W * *", "the nearest weekday", ""},               // Quartz
		{"0 0 * * 5L", "last weekday of a month", "0 0 * * 5"},   // last Friday
		{"0 0 * * friL", "last weekday of a month", ""},          // by its name
		{"0 0 * * L", "write 6 for Saturday", "0 0 * * 6"},       // Quartz: Saturday
		{"0 9 * * mon#2", "8 to 14", "0 9 * * mon"},              // second Monday
		{"0 9 * * 1#2", "8 to 14", ""},                           // by its number
		{"0 0 1 * ?", "write *", "0 0 1 * *"},                    // AWS, Quartz
		{"0 0 ? * mon", "write *", "0 0 * * mon"},                // AWS, Quartz
		{"H * * * *", "choose a value", "29 * * * *"},            // Jenkins
		{"H/15 * * * *", "choose a value", ""},                   // Jenkins
		{"H(0-29) * * * *", "choose a value", ""},                // Jenkins
		{"0~59 * * * *", "nothing is random", ""},                // OpenBSD
		{"@reboot", "nothing runs when the node starts", "@hourly"},
		{"@every 5m", "*/5 * * * *", "*/5 * * * *"}, // Go
		{"@EVERY 1h", "0 */2 * * *", "0 */2 * * *"},
		{"@quarterly", "0 0 1 */3 *", "0 0 1 */3 *"}, // systemd
		{"@weekdays", "mon-fri", "0 0 * * mon-fri"},
		{"@often", "@hourly, @daily", "@daily"},
		{"0 0 3 * * *", "seconds are not supported", "0 3 * * *"}, // Spring
		{"0 0 3 * * MON", "seconds are not supported", ""},
		{"0 3 * * ? 2030", "years are not supported", ""}, // AWS
		{"0 3 1 1 * 2026-2030", "years are not supported", ""},
		{"0 0 3 ? * MON 2026", "seconds and years", ""},       // Quartz
		{"CRON_TZ=Europe/Berlin 0 3 * * *", "timezone =", ""}, // Go, Kubernetes
		{"TZ=UTC 0 3 * * *", "timezone =", ""},
		{"0 3 * *", "write five", ""},
		{"0 3 * * monday", "write mon", "0 3 * * mon"},
		{"0 3 * january *", "write jan", "0 3 * jan *"},
		{"0 3 * mon *", "day of week", "0 3 * * mon"},
		{"0 3 mon-fri * *", "day of week", "0 3 * * mon-fri"},
		{"0 3 * * jan", "month", "0 3 * jan *"},
		{"0 22-6 * * *", "22-23,0-6", "0 22-23,0-6 * * *"},
		{"0 3 * * fri-mon", "fri-6,0-mon", "0 3 * * fri-6,0-mon"},
		{"0 3 * * funday", "a name from sun to sat", ""},
		{"60 * * * *", "from 0 to 59", ""},
	} {
		_, err := cron.Parse(c.schedule, nil)
		if !errors.Is(err, cron.ErrBadSchedule) || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 400 {
			t.Errorf("%q: %v; want %q", c.schedule, err, c.want)
		}
		if c.instead != "" {
			if _, err := cron.Parse(c.instead, nil); err != nil {
				t.Errorf("%q: what is to be written instead: %v", c.schedule, err)
			}
		}
	}
	if _, err := cron.Parse("@Daily", nil); err != nil {
		t.Errorf("names in capitals: %v", err)
	}
}

func TestLeastInterval(t *testing.T) {
	for schedule, want := range map[string]time.Duration{
		"* * * * *": time.Minute, "*/15 * * * *": 15 * time.Minute, "0 3 * * *": 24 * time.Hour, "0,59 0,23 * * *": time.Minute,
		"0 */6 * * *": 6 * time.Hour, "*/25 * * * *": 10 * time.Minute, "0 0 1 1 *": 24 * time.Hour,
	} {
		s, err := cron.Parse(schedule, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.LeastInterval(); got != want {
			t.Errorf("%s: %s, want %s", schedule, got, want)
		}
	}
}

// model reads the same grammar in another way: each field is a list of the
// values it names, and time is walked minute by minute.
type model struct {
	fields [5]map[int]bool
	any    [5]bool
	zone   *time.Location
}

func (m model) matches(y time.Time) bool {
	day, week := m.fields[2][y.Day()], m.fields[4][int(y.Weekday())]
	date := day && week
	if !m.any[2] && !m.any[4] {
		date = day || week
	}
	return m.fields[0][y.Minute()] && m.fields[1][y.Hour()] && m.fields[3][int(y.Month())] && date
}

// wall is what the zone's clock shows, written into a time in UTC.
func (m model) wall(t time.Time) time.Time {
	l := t.In(m.zone)
	return time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), 0, 0, time.UTC)
}

// runs walks from a day before, so that what repeats is known.
func (m model) runs(from time.Time, minutes int) (all []time.Time) {
	seen := map[time.Time]bool{}
	last := m.wall(from.Add(-24*time.Hour - time.Minute))
	for t := from.Add(-24 * time.Hour); t.Before(from.Add(time.Duration(minutes) * time.Minute)); t = t.Add(time.Minute) {
		now := m.wall(t)
		run := m.matches(now) && (m.any[1] || !seen[now])
		for skipped := last.Add(time.Minute); skipped.Before(now); skipped = skipped.Add(time.Minute) {
			run = run || (!m.any[1] && m.matches(skipped) && !seen[skipped])
		}
		seen[now], last = true, now
		if run && t.After(from) {
			all = append(all, t)
		}
	}
	return all
}

// TestAgainstModel: the schedule and a walk through every minute agree, around
// changes of the clock and elsewhere.
func TestAgainstModel(t *testing.T) {
	spans := []struct {
		zone string
		near time.Time
	}{
		{"Europe/Berlin", time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC)}, {"Europe/Berlin", time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC)},
		{"America/New_York", time.Date(2026, 3, 8, 7, 0, 0, 0, time.UTC)}, {"America/New_York", time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC)},
		{"Australia/Lord_Howe", time.Date(2026, 4, 4, 15, 0, 0, 0, time.UTC)}, {"Australia/Lord_Howe", time.Date(2026, 10, 3, 15, 30, 0, 0, time.UTC)},
		{"Asia/Beirut", time.Date(2026, 3, 28, 22, 0, 0, 0, time.UTC)}, {"Pacific/Apia", time.Date(2011, 12, 30, 10, 0, 0, 0, time.UTC)},
		{"UTC", time.Date(2028, 2, 29, 0, 0, 0, 0, time.UTC)}, {"Asia/Kathmandu", time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)},
	}
	limits := [5][2]int{{0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 6}}
	rapid.Check(t, func(rt *rapid.T) {
		span := spans[rapid.IntRange(0, len(spans)-1).Draw(rt, "span")]
		m := model{zone: zone(t, span.zone)}
		var words []string
		for i, l := range limits {
			m.fields[i] = map[int]bool{}
			kind := rapid.IntRange(0, 3).Draw(rt, "kind")
			lo, hi, step := l[0], l[1], 1
			word := "*"
			switch {
			case kind == 1 || (kind == 3 && i < 2): // a value
				lo = rapid.IntRange(l[0], l[1]).Draw(rt, "value")
				hi, word = lo, fmt.Sprint(lo)
			case kind == 2: // a range with a step
				lo = rapid.IntRange(l[0], l[1]).Draw(rt, "low")
				hi = rapid.IntRange(lo, l[1]).Draw(rt, "high")
				step = rapid.IntRange(1, 7).Draw(rt, "step")
				if i == 3 || i == 4 {
					step = rapid.IntRange(1, 3).Draw(rt, "small step")
				}
				word = fmt.Sprintf("%d-%d/%d", lo, hi, step)
			default:
				m.any[i] = true
			}
			for v := lo; v <= hi; v += step {
				m.fields[i][v] = true
			}
			words = append(words, word)
		}
		text := strings.Join(words, " ")
		s, err := cron.Parse(text, m.zone)
		if err != nil {
			rt.Skip(err) // the 31st of February
		}
		from := span.near.Add(time.Duration(rapid.IntRange(-36*60, 6*60).Draw(rt, "from")) * time.Minute)
		const minutes = 48 * 60
		want := m.runs(from, minutes)
		at := from
		for _, w := range want {
			if at = s.Next(at); !at.Equal(w) {
				rt.Fatalf("%s in %s after %s: %s, want %s", text, span.zone, from, at, w)
			}
		}
		if next := s.Next(at); !next.IsZero() && next.Before(from.Add(minutes*time.Minute)) {
			rt.Fatalf("%s in %s runs at %s, and should not", text, span.zone, next)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"0 3 * * *", "*/5 1-2 1,15 jan mon-fri", "@daily", "0 0 29 2 *", "0 0 31 2 *", "5/15 * * * sat-sun"} {
		f.Add(s, int64(1774700000))
	}
	berlin := zone(f, "Europe/Berlin")
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		s, err := cron.Parse(text, berlin)
		if err != nil {
			return
		}
		if unix < 0 || unix > 4e9 {
			unix = 0
		}
		after := time.Unix(unix, 0)
		next := s.Next(after)
		if !next.After(after) || next.Sub(after) > 9*366*24*time.Hour || next.Second() != 0 {
			t.Errorf("%q after %s: %s", text, after, next)
		}
		if least := s.LeastInterval(); least < time.Minute || least > 24*time.Hour {
			t.Errorf("%q: least interval %s", text, least)
		}
	})
}

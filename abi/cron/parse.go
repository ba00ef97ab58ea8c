package cron

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// ErrBadSchedule: the text is no schedule.
var ErrBadSchedule = errors.New("the schedule cannot be read")

// maxText bounds a schedule's text, in bytes.
const maxText = 200

// set has a bit for each value of a field that matches.
type set uint64

func (s set) has(v int) bool { return s&(1<<v) != 0 }

// next is the least value >= v in the set, or -1.
func (s set) next(v int) int {
	if rest := s >> v << v; rest != 0 {
		return bits.TrailingZeros64(uint64(rest))
	}
	return -1
}

// Schedule is a schedule that was read. The zero value never runs.
type Schedule struct {
	minutes, hours, days, months, weekdays set

	anyDay, anyWeekday bool // the field was "*"
	rhythm             bool // the hour was "*": see the package
	zone               *time.Location
}

type field struct {
	name     string
	min, max int
	names    []string // of min and what follows
}

var fields = []field{
	{"minute", 0, 59, nil},
	{"hour", 0, 23, nil},
	{"day of month", 1, 31, nil},
	{"month", 1, 12, []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
	{"day of week", 0, 7, []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
}

var named = map[string]string{
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
	"@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}

// Parse reads five fields (minute, hour, day of month, month, day of week; "*",
// values, names, ranges, steps and lists of them) or one of @hourly, @daily,
// @weekly, @monthly and @yearly. zone nil is UTC. The error wraps ErrBadSchedule.
func Parse(text string, zone *time.Location) (Schedule, error) {
	if zone == nil {
		zone = time.UTC
	}
	if len(text) > maxText {
		return Schedule{}, fmt.Errorf("%w: it has %d bytes, more than %d", ErrBadSchedule, len(text), maxText)
	}
	if strings.HasPrefix(text, "@") {
		meant, ok := named[strings.ToLower(text)]
		if !ok {
			return Schedule{}, fmt.Errorf("%w: %q is no name of one; %s", ErrBadSchedule, text, namedHint(text))
		}
		text = meant
	}
	words := strings.Fields(text)
	if len(words) != len(fields) {
		return Schedule{}, fmt.Errorf("%w: it has %d fields; %s", ErrBadSchedule, len(words), countHint(words))
	}
	s := Schedule{zone: zone, rhythm: isAny(words[1]), anyDay: isAny(words[2]), anyWeekday: isAny(words[4])}
	for i, into := range []*set{&s.minutes, &s.hours, &s.days, &s.months, &s.weekdays} {
		var err error
		if *into, err = fields[i].parse(strings.ToLower(words[i])); err != nil {
			return Schedule{}, err
		}
	}
	if s.weekdays.has(7) { // Sunday, too
		s.weekdays = s.weekdays&^(1<<7) | 1
	}
	if !s.ever() {
		return Schedule{}, fmt.Errorf("%w: no month that it names has such a day", ErrBadSchedule)
	}
	return s, nil
}

func isAny(word string) bool { return word == "*" || word == "*/1" }

func (f field) parse(word string) (set, error) {
	var all set
	for part := range strings.SplitSeq(word, ",") {
		s, err := f.parsePart(part)
		if hint := f.hint(word, part); err != nil && hint != "" {
			return 0, fmt.Errorf("%w: %s: %.20q is not supported; %s", ErrBadSchedule, f.name, part, hint)
		}
		if err != nil {
			return 0, fmt.Errorf("%w: %s: %w", ErrBadSchedule, f.name, err)
		}
		all |= s
	}
	return all, nil
}

// parsePart reads "*", "5", "mon-fri", "*/15", "10-40/10". A step after a single
// value counts on to the end, as in "5/15".
func (f field) parsePart(part string) (set, error) {
	span, stepText, stepped := strings.Cut(part, "/")
	step := 1
	if stepped {
		n, err := number(stepText)
		if err != nil || n < 1 || n > f.max {
			return 0, fmt.Errorf("%.20q is no step from 1 to %d", stepText, f.max)
		}
		step = n
	}
	lo, hi := f.min, f.max
	if f.max == 7 { // of the week's days, "*" is seven, not eight
		hi = 6
	}
	if span != "*" {
		first, last, ranged := strings.Cut(span, "-")
		var err error
		if lo, err = f.value(first); err != nil {
			return 0, err
		}
		switch {
		case ranged:
			if hi, err = f.value(last); err != nil {
				return 0, err
			}
			if hi < lo && last == "sun" {
				hi = 7
			}
		case !stepped:
			hi = lo
		}
		if hi < lo {
			return 0, fmt.Errorf("the range %.20q ends before it starts; write the two parts with a comma, such as %s-%d,%d-%s", span, first, f.top(), f.min, last)
		}
	}
	var s set
	for v := lo; v <= hi; v += step {
		s |= 1 << v
	}
	return s, nil
}

func (f field) value(text string) (int, error) {
	for i, name := range f.names {
		if text == name {
			return f.min + i, nil
		}
	}
	n, err := number(text)
	if err != nil || n < f.min || n > f.max {
		return 0, fmt.Errorf("%.20q is no value from %d to %d%s", text, f.min, f.max, f.orNames())
	}
	return n, nil
}

// number reads one or two digits and nothing else.
func number(text string) (int, error) {
	if len(text) < 1 || len(text) > 2 || strings.Trim(text, "0123456789") != "" {
		return 0, strconv.ErrSyntax
	}
	return strconv.Atoi(text)
}

// ever reports whether any date matches: the 31st of February does not.
func (s Schedule) ever() bool {
	if !s.anyWeekday {
		return true // a weekday is in every month
	}
	longest := [13]int{0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}
	for m := 1; m <= 12; m++ {
		if d := s.days.next(1); s.months.has(m) && d > 0 && d <= longest[m] {
			return true
		}
	}
	return false
}

package cron

import (
	"fmt"
	"strings"
)

// Other schedulers know more than five fields have meant since cron began: Quartz, AWS and Jenkins
// have letters, Spring and Quartz seconds, systemd and Go names. What of that is met here is refused
// by its name, with what to write instead.

// namedHint says what to write instead of a name with @.
func namedHint(text string) string {
	word, _, _ := strings.Cut(strings.ToLower(text), " ")
	switch word {
	case "@reboot", "@startup":
		return "nothing runs when the node starts: choose a time, such as @hourly, and missed = \"once\" makes up for a run that was due while the node was down"
	case "@every":
		return "an interval is written with a step: */5 * * * * is every five minutes, 0 */2 * * * every two hours; the shortest is a minute"
	case "@quarterly":
		return "write 0 0 1 */3 *"
	case "@weekdays", "@workdays":
		return "write 0 0 * * mon-fri"
	case "@weekends":
		return "write 0 0 * * sat,sun"
	case "@minutely", "@every_minute":
		return "write * * * * *"
	}
	return "use @hourly, @daily, @weekly, @monthly or @yearly"
}

// countHint says what to do about too few or too many fields.
func countHint(words []string) string {
	const five = "write five: minute, hour, day of month, month, day of week"
	head := ""
	if len(words) > 0 {
		head, _, _ = strings.Cut(words[0], "=")
	}
	switch {
	case head == "CRON_TZ" || head == "TZ":
		return "a time zone is a key of its own: timezone = \"Europe/Berlin\""
	case len(words) == 6 && isYears(words[5]):
		return "years are not supported: leave the sixth field out; " + five
	case len(words) == 6:
		return "seconds are not supported: leave the first field out; " + five
	case len(words) == 7:
		return "seconds and years are not supported: leave the first and the last field out; " + five
	}
	return five
}

// isYears reports whether a sixth field is of years, as AWS has them, and not of weekdays after
// seconds, as Spring has.
func isYears(word string) bool {
	return len(word) >= 4 && strings.Trim(word, "0123456789-,/*") == "" && strings.ContainsAny(word, "12")
}

// hint says what to write instead of a letter or sign of other schedulers in a part of a field; "" if there is none.
func (f field) hint(word, part string) string {
	day, week := f.max == 31, f.max == 7
	switch {
	case part == "?":
		return "write * for a day that does not matter"
	case strings.HasPrefix(part, "h") && (part == "h" || part[1] == '/' || part[1] == '('):
		return "nothing is spread by itself: choose a value, such as " + fmt.Sprint((f.min+f.max)/2)
	case part == "r" || part == "*/r" || strings.Contains(part, "~"):
		return "nothing is random: choose a value"
	case (day || week) && strings.Contains(part, "#"):
		return "an nth weekday of a month cannot be named, and days of month and of week are alternatives: write the weekday, such as 0 9 * * mon, and let the app return at once unless its date is from 8 to 14 (for the second)"
	case day && strings.HasSuffix(part, "w"):
		return "the nearest weekday cannot be named: write * * mon-fri for every weekday, and let the app choose the date"
	case day && strings.HasPrefix(part, "l"):
		return "the last day of a month cannot be named: write 28-31 and let the app return at once unless tomorrow is the 1st, or run on the 1st"
	case week && part != "l" && strings.HasSuffix(part, "l"):
		return "the last weekday of a month cannot be named: write the weekday, such as 5 for Friday, and let the app return at once unless its date in seven days is in another month"
	case week && part == "l":
		return "write 6 for Saturday, or sun for Sunday"
	}
	return f.longName(part)
}

// longName is what to write instead of a whole English name, or a name in a field that has none.
func (f field) longName(part string) string {
	for _, known := range fields {
		for _, name := range known.names {
			if !strings.HasPrefix(part, name) || len(part) > 12 {
				continue
			}
			if known.name != f.name {
				return fmt.Sprintf("%s belongs into the field %s", name, known.name)
			}
			if strings.Trim(part, "abcdefghijklmnopqrstuvwxyz") == "" {
				return "write " + name
			}
		}
	}
	return ""
}

// orNames says which names a field has beside its numbers.
func (f field) orNames() string {
	if len(f.names) == 0 {
		return ""
	}
	return ", nor a name from " + f.names[0] + " to " + f.names[len(f.names)-1]
}

// top is the last value of a field: of the week's days, seven is Sunday again.
func (f field) top() int {
	if f.max == 7 {
		return 6
	}
	return f.max
}

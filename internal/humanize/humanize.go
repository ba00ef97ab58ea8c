package humanize

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Count writes a number with its magnitude: 9999, 12.3 k, 1.2 M.
func Count(n uint64) string {
	switch {
	case n < 10_000:
		return fmt.Sprint(n)
	case n < 999_950:
		return fmt.Sprintf("%.1f k", float64(n)/1e3)
	case n < 999_950_000:
		return fmt.Sprintf("%.1f M", float64(n)/1e6)
	case n < 999_950_000_000:
		return fmt.Sprintf("%.1f G", float64(n)/1e9)
	}
	return fmt.Sprintf("%.1f T", float64(n)/1e12)
}

// Plural writes how many of something there are, in the form that the number takes: "1 call",
// "12.3 k calls".
func Plural[N int | int64 | uint64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Count(uint64(max(0, n))) + " " + many
}

// Bytes writes a size in binary units: 512 B, 1.5 MiB.
func Bytes(n uint64) string {
	for _, u := range []struct {
		bytes uint64
		name  string
	}{{1 << 40, "TiB"}, {1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= u.bytes {
			return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(n)/float64(u.bytes)), ".0") + " " + u.name
		}
	}
	return fmt.Sprintf("%d B", n)
}

// Param writes a parameter of a capability: numbers have their units.
func Param(name, value string) string {
	n, err := strconv.ParseUint(value, 10, 64)
	switch {
	case err != nil:
		return value
	case name == "quota" || name == "max_request" || name == "max_response":
		return Bytes(n)
	case name == "daily_cents":
		return fmt.Sprintf("%d.%02d a day", n/100, n%100)
	}
	return value
}

// Micros writes a duration given in microseconds: 830 µs, 12.4 ms, 3.1 s.
func Micros(us uint64) string {
	switch {
	case us < 1000:
		return fmt.Sprintf("%d µs", us)
	case us < 1_000_000:
		return fmt.Sprintf("%.1f ms", float64(us)/1e3)
	case us < 60_000_000:
		return fmt.Sprintf("%.1f s", float64(us)/1e6)
	case us < 3_600_000_000:
		return fmt.Sprintf("%.1f min", float64(us)/60e6)
	}
	return fmt.Sprintf("%.1f h", float64(us)/3600e6)
}

// Ago writes how long before now a time was: just now, 5 min ago, 3 h ago, then
// the day.
func Ago(t, now time.Time) string {
	switch d := now.Sub(t); {
	case t.IsZero():
		return "never"
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return t.Format("2 Jan 2006")
}

// Until writes how far ahead of now a time is: now, in 5 min, in 3 h, then the day
// and the hour, in UTC.
func Until(t, now time.Time) string {
	switch d := t.Sub(now); {
	case d < time.Second:
		return "now"
	case d < time.Minute:
		return fmt.Sprintf("in %d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("in %d min", int(d.Minutes()))
	case d < 24*time.Hour:
		return fmt.Sprintf("in %d h", int(d.Hours()))
	}
	return t.UTC().Format("2 Jan 15:04 MST")
}

// Excerpt shows the beginning of bytes that are text, most of the time, in at
// most n characters.
func Excerpt(b []byte, n int) string {
	text := strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return '·'
		}
		return r
	}, string(b[:min(len(b), 4*n)]))
	runes := []rune(text)
	if len(runes) > n || len(b) > 4*n {
		return string(runes[:min(n, len(runes))]) + "…"
	}
	return text
}

package humanize_test

import (
	"testing"
	"time"

	"github.com/agora-host/agora/internal/humanize"
)

func TestHumanize(t *testing.T) {
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct{ got, want string }{
		{humanize.Count(0), "0"}, {humanize.Count(9999), "9999"}, {humanize.Count(12_345), "12.3 k"},
		{humanize.Count(999_999), "1.0 M"}, {humanize.Count(1_500_000_000), "1.5 G"}, {humanize.Count(1 << 60), "1152921.5 T"},
		{humanize.Bytes(1023), "1023 B"}, {humanize.Bytes(1536), "1.5 KiB"}, {humanize.Bytes(64 << 20), "64 MiB"},
		{humanize.Param("quota", "262144"), "256 KiB"}, {humanize.Param("max_request", "921600"), "900 KiB"}, {humanize.Param("daily_cents", "250"), "2.50 a day"}, {humanize.Plural(1, "call", "calls"), "1 call"}, {humanize.Plural(0, "call", "calls"), "0 calls"}, {humanize.Param("host", "1"), "1"}, {humanize.Param("quota", "x"), "x"},
		{humanize.Micros(830), "830 µs"}, {humanize.Micros(12_400), "12.4 ms"}, {humanize.Micros(3_100_000), "3.1 s"},
		{humanize.Micros(90_000_000), "1.5 min"}, {humanize.Micros(7_200_000_000), "2.0 h"},
		{humanize.Ago(time.Time{}, now), "never"}, {humanize.Ago(now.Add(-5*time.Minute), now), "5 min ago"},
		{humanize.Ago(now.Add(-3*time.Hour), now), "3 h ago"}, {humanize.Ago(now.Add(-72*time.Hour), now), "30 Dec 2025"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestUntilAndExcerpt(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for ahead, want := range map[time.Duration]string{-time.Hour: "now", 30 * time.Second: "in 30 s", 90 * time.Minute: "in 1 h", 49 * time.Hour: "4 Jan 04:04 UTC"} {
		if got := humanize.Until(now.Add(ahead), now); got != want {
			t.Errorf("%s ahead: %q, want %q", ahead, got, want)
		}
	}
	for in, want := range map[string]string{"abc": "abc", "abcdef": "abcd…", "a\x00\xff\nb": "a···…", "ü": "ü"} {
		if got := humanize.Excerpt([]byte(in), 4); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

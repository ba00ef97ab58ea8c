package telemetry_test

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/node/internal/telemetry"
)

// The grammar of the format, as its description gives it.
var (
	comment = regexp.MustCompile(`^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$`)
	sample  = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\\\|\\"|\\n)*",?)*\})? (NaN|[+-]Inf|[0-9.e+-]+)$`)
)

func TestFormat(t *testing.T) {
	var p telemetry.Page
	p.One("agora_up", telemetry.Gauge, "one\nline, a \\ in it", 1)
	p.Family("agora_calls_total", telemetry.Counter, "calls")
	p.Sample(3, "app", "shop", "fault", "")
	p.Sample(math.Inf(1), "app", "a\"b\\c\nd\xff", "fault", "trap")
	p.Sample(1<<53, "app", "x", "fault", "")
	var h telemetry.Histogram
	for _, d := range []time.Duration{0, 40 * time.Microsecond, 3 * time.Millisecond, time.Minute} {
		h.Observe(d)
	}
	p.Histogram("agora_seconds", "how long", &h)

	text := string(p.Bytes())
	if !strings.HasSuffix(text, "\n") {
		t.Error("the last line does not end")
	}
	typed, family, last := map[string]bool{}, "", -1.0
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if m := comment.FindStringSubmatch(line); m != nil {
			if m[1] == "TYPE" {
				if typed[m[2]] {
					t.Errorf("%s has two types", m[2])
				}
				typed[m[2]], family, last = true, m[2], -1
			}
			continue
		}
		m := sample.FindStringSubmatch(line)
		if m == nil || !strings.HasPrefix(m[1], family) || !typed[family] {
			t.Errorf("%q is no sample of %s", line, family)
			continue
		}
		if strings.HasSuffix(m[1], "_bucket") {
			n, err := strconv.ParseFloat(m[3], 64)
			if err != nil || n < last {
				t.Errorf("%q: buckets are cumulative", line)
			}
			last = n
		}
	}
	for _, want := range []string{
		`agora_calls_total{app="a\"b\\c\nd�",fault="trap"} +Inf`, `agora_calls_total{app="x",fault=""} 9.007199254740992e+15`,
		`agora_seconds_bucket{le="5e-05"} 2`, `agora_seconds_bucket{le="0.005"} 3`, `agora_seconds_bucket{le="+Inf"} 4`, `agora_seconds_count 4`, `agora_seconds_sum 60.00304`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("%s is missing in\n%s", want, text)
		}
	}
}

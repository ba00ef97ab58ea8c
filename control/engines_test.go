package control_test

import (
	"strings"
	"testing"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/control"
)

// TestEngines: how a version stands depends on what came after it, for how long, and on what is known against it.
func TestEngines(t *testing.T) {
	day := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	engines := control.Engines{{Version: "a", Until: day}, {Version: "b", Until: day.AddDate(1, 0, 0), Flaw: "reads dates wrongly"}, {Version: "c"}}
	for _, c := range []struct {
		version string
		now     time.Time
		want    control.Standing
		old     bool
	}{
		{"a", day, control.StandsEarlier, false},
		{"a", day.Add(control.EngineAge), control.StandsEarlier, false},
		{"a", day.Add(control.EngineAge + time.Second), control.StandsOld, true},
		{"b", day, control.StandsFlawed, true}, // however young
		{"c", day.AddDate(9, 0, 0), control.StandsCurrent, false},
		{"z", day, control.StandsUnknown, false},
		{"", day, control.StandsUnknown, false},
	} {
		got := engines.Judge(c.version, c.now)
		if got.Standing != c.want || got.TooOld() != c.old || got.Version != c.version || got.Words() == "" {
			t.Errorf("%q on %s: %+v", c.version, c.now, got)
		}
	}
	flawed := control.Engines{{Version: "c", Flaw: "reads dates wrongly"}}.Judge("c", day)
	if f := flawed.Finding(3, "rates.py"); flawed.Standing != control.StandsFlawed || f.Code != "engine.flawed" || !strings.Contains(f.Message, "reads dates wrongly") || f.Severity != abi.SeverityInfo || f.Remedy.Commands[0] != "agora deploy rates.py" || f.Remedy.Docs != "docs/python.md" {
		t.Errorf("the last one, with a flaw: %+v, %+v", flawed, f)
	}
}

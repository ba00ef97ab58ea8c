package console

import (
	"fmt"
	"time"

	"github.com/agora-host/agora/internal/humanize"
	"github.com/agora-host/agora/metering"
)

// chart is a bar chart of calls over time, laid out for SVG: plain numbers, so
// that no style needs to be inline.
type chart struct {
	Width, Height int
	Bars          []bar
	Top           string // the value at the upper edge
	First, Last   string // the first and last slot
	Empty         bool
	Label         string // for who cannot see it
}

type bar struct {
	X, W      float64
	Y, H      float64 // successful calls
	FailY     float64
	FailH     float64 // failed calls, on top
	HitX      float64
	HitW      float64
	Title     string
	Highlight bool // the slot that still runs
}

const (
	chartWidth  = 720
	chartHeight = 160
)

// newChart lays out a report that was grouped by "hour" or "day", and fills the
// slots without usage.
func newChart(r metering.Report, by string) chart {
	step, layout := time.Hour, time.RFC3339
	if by == "day" {
		step, layout = 24*time.Hour, time.DateOnly
	}
	usage := map[string]metering.Usage{}
	for _, row := range r.Rows {
		slot := row.Group[by]
		usage[slot] = usage[slot].Add(row.Usage)
	}
	var slots []time.Time
	for t := r.From.Truncate(step); t.Before(r.To); t = t.Add(step) {
		slots = append(slots, t)
	}
	var most uint64
	for _, u := range usage {
		most = max(most, u.Calls)
	}
	c := chart{Width: chartWidth, Height: chartHeight, Empty: most == 0, Top: humanize.Count(most)}
	if len(slots) == 0 || most == 0 {
		return c
	}
	c.First, c.Last = slotName(slots[0], by), slotName(slots[len(slots)-1], by)
	width := float64(chartWidth) / float64(len(slots))
	scale := float64(chartHeight-4) / float64(most)
	for i, t := range slots {
		u := usage[t.UTC().Format(layout)]
		ok, failed := float64(u.Calls-u.Failed())*scale, float64(u.Failed())*scale
		if u.Calls > 0 {
			ok = max(ok, 1.5) // one call among millions is still seen
		}
		c.Bars = append(c.Bars, bar{
			HitX: float64(i) * width, HitW: width,
			X: float64(i)*width + width*.12, W: width * .76,
			Y: chartHeight - ok - failed, H: ok + failed, FailY: chartHeight - ok - failed, FailH: failed,
			Title:     fmt.Sprintf("%s: %s, %d failed, %s instructions", slotName(t, by), plural(u.Calls, "call", "calls"), u.Failed(), humanize.Count(u.Instructions)),
			Highlight: i == len(slots)-1,
		})
	}
	c.Label = fmt.Sprintf("%s from %s to %s, at most %s in one %s", plural(r.Total.Calls, "call", "calls"), c.First, c.Last, c.Top, by)
	return c
}

func slotName(t time.Time, by string) string {
	if by == "day" {
		return t.UTC().Format("2 Jan")
	}
	return t.UTC().Format("2 Jan 15:04")
}

// sparkline is a small line of the calls in the slots of a span, as the points
// of an SVG polyline in a box of 120 by 28.
func sparkline(calls []uint64) string {
	var most uint64
	for _, n := range calls {
		most = max(most, n)
	}
	if most == 0 || len(calls) < 2 {
		return ""
	}
	points := ""
	for i, n := range calls {
		points += fmt.Sprintf("%.1f,%.1f ", float64(i)*120/float64(len(calls)-1), 26-float64(n)*24/float64(most))
	}
	return points
}

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
	Link      string // what is in the slot
	Highlight bool   // the slot that still runs
}

const (
	chartWidth  = 720
	chartHeight = 160
)

// layouts are the slots of a chart, as reports name them.
var layouts = map[string]string{"hour": time.RFC3339, "day": time.DateOnly, "month": "2006-01"}

// slots are the beginnings of all slots of a span.
func slots(from, to time.Time, by string) (all []time.Time) {
	from = from.UTC()
	switch by {
	case "hour":
		from = from.Truncate(time.Hour)
	case "day":
		from = from.Truncate(24 * time.Hour)
	default:
		from = time.Date(from.Year(), from.Month(), 1, 0, 0, 0, 0, time.UTC)
	}
	for t := from; t.Before(to); {
		all = append(all, t)
		switch by {
		case "hour":
			t = t.Add(time.Hour)
		case "day":
			t = t.AddDate(0, 0, 1)
		default:
			t = t.AddDate(0, 1, 0)
		}
	}
	return all
}

// newChart lays out rows that were grouped by "hour", "day" or "month", and
// fills the slots without usage. link answers what leads into a slot.
func newChart(from, to time.Time, rows []metering.Row, by string, link func(time.Time) string) chart {
	usage := map[string]metering.Usage{}
	var most, total uint64
	for _, row := range rows {
		usage[row.Group[by]] = row.Usage
		most, total = max(most, row.Calls), total+row.Calls
	}
	c := chart{Width: chartWidth, Height: chartHeight, Empty: most == 0, Top: humanize.Count(most)}
	all := slots(from, to, by)
	if len(all) == 0 || most == 0 {
		return c
	}
	c.First, c.Last = slotName(all[0], by), slotName(all[len(all)-1], by)
	width, scale := float64(chartWidth)/float64(len(all)), float64(chartHeight-4)/float64(most)
	for i, t := range all {
		u := usage[t.Format(layouts[by])]
		ok, failed := float64(u.Calls-u.Failed())*scale, float64(u.Failed())*scale
		if u.Calls > 0 {
			ok = max(ok, 1.5) // one call among millions is still seen
		}
		b := bar{
			HitX: float64(i) * width, HitW: width,
			X: float64(i)*width + width*.12, W: width * .76,
			Y: chartHeight - ok - failed, H: ok + failed, FailY: chartHeight - ok - failed, FailH: failed,
			Title:     fmt.Sprintf("%s: %s, %d failed, %s instructions", slotName(t, by), plural(u.Calls, "call", "calls"), u.Failed(), humanize.Count(u.Instructions)),
			Highlight: i == len(all)-1,
		}
		if u.Calls > 0 {
			b.Link = link(t)
		}
		c.Bars = append(c.Bars, b)
	}
	c.Label = fmt.Sprintf("%s from %s to %s, at most %s in one %s", plural(total, "call", "calls"), c.First, c.Last, c.Top, by)
	return c
}

func slotName(t time.Time, by string) string {
	switch by {
	case "month":
		return t.UTC().Format("January 2006")
	case "day":
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

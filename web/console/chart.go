package console

import (
	"fmt"
	"math"
	"time"

	"github.com/agora-host/agora/internal/humanize"
	"github.com/agora-host/agora/metering"
)

// chart is a bar chart of calls over time, laid out for SVG: plain numbers, so
// that no style needs to be inline.
type chart struct {
	Width, Height int
	Bars          []bar
	Top, Half     string   // the values at the upper edge and half way up; no half of an odd number
	Ticks         []string // slots below the bars, evenly from the first to the last, in UTC
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
// fills the slots without usage. link returns what leads into a slot.
func newChart(from, to time.Time, rows []metering.Row, by string, link func(time.Time) string) chart {
	usage := map[string]metering.Usage{}
	var most, total uint64
	for _, row := range rows {
		usage[row.Group[by]] = row.Usage
		most, total = max(most, row.Calls), total+row.Calls
	}
	c := chart{Width: chartWidth, Height: chartHeight, Empty: most == 0}
	all := slots(from, to, by)
	if len(all) == 0 || most == 0 {
		return c
	}
	top := upperEdge(most)
	c.Top = humanize.Plural(top, "call", "calls")
	if top%2 == 0 {
		c.Half = humanize.Count(top / 2)
	}
	c.Ticks = ticks(all, by)
	width, scale := float64(chartWidth)/float64(len(all)), float64(chartHeight-4)/float64(top)
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
	c.Label = fmt.Sprintf("%s by %s from %s to %s UTC, at most %s in one %s", plural(total, "call", "calls"), by, slotName(all[0], by), slotName(all[len(all)-1], by), humanize.Count(most), by)
	return c
}

// upperEdge is the least round number that is not below the most: 1, 2, 4, 6, 8 or 10, by powers of ten.
func upperEdge(most uint64) uint64 {
	for unit := uint64(1); ; unit *= 10 {
		for _, n := range []uint64{1, 2, 4, 6, 8, 10} {
			if n*unit >= most || unit >= math.MaxUint64/100 {
				return n * unit
			}
		}
	}
}

// ticks names up to five slots, evenly from the first to the last.
func ticks(all []time.Time, by string) (names []string) {
	n := min(5, len(all))
	for i := range n {
		at := 0
		if n > 1 {
			at = i * (len(all) - 1) / (n - 1)
		}
		names = append(names, slotName(all[at], by))
	}
	return names
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

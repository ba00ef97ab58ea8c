package telemetry

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// ContentType is that of a page.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// Kind of a family.
type Kind string

// The kinds that are written here.
const (
	Counter       Kind = "counter"
	Gauge         Kind = "gauge"
	histogramKind Kind = "histogram"
)

// Page is one response to a scrape.
type Page struct {
	b    bytes.Buffer
	name string
	seen map[string]bool
}

// Family begins a metric: its name by Prometheus's rules, and what it is.
func (p *Page) Family(name string, kind Kind, help string) {
	if p.seen == nil {
		p.seen = map[string]bool{}
	}
	if p.seen[name] {
		panic("BUG: the metric " + name + " is written twice")
	}
	p.seen[name], p.name = true, name
	fmt.Fprintf(&p.b, "# HELP %s %s\n# TYPE %s %s\n", name, strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(help), name, kind)
}

// Sample writes a value of the family; labels are names and values in turn.
func (p *Page) Sample(value float64, labels ...string) { p.line(p.name, value, labels) }

// One is a family with one sample.
func (p *Page) One(name string, kind Kind, help string, value float64) {
	p.Family(name, kind, help)
	p.Sample(value)
}

var escape = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

func (p *Page) line(name string, value float64, labels []string) {
	p.b.WriteString(name)
	for i := 0; i+1 < len(labels); i += 2 {
		p.b.WriteString(map[bool]string{true: "{", false: ","}[i == 0])
		fmt.Fprintf(&p.b, `%s="%s"`, labels[i], escape.Replace(strings.ToValidUTF8(labels[i+1], "\ufffd")))
	}
	if len(labels) > 0 {
		p.b.WriteByte('}')
	}
	p.b.WriteByte(' ')
	p.b.WriteString(number(value))
	p.b.WriteByte('\n')
}

func number(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return "+Inf"
	case math.IsInf(v, -1):
		return "-Inf"
	case math.IsNaN(v):
		return "NaN"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// Bytes is the page.
func (p *Page) Bytes() []byte { return p.b.Bytes() }

// bounds of a Histogram's buckets, in seconds.
var bounds = [...]float64{0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30}

// Histogram counts durations. The zero value is ready.
type Histogram struct {
	buckets [len(bounds) + 1]atomic.Uint64
	micros  atomic.Uint64
}

// Observe counts one.
func (h *Histogram) Observe(d time.Duration) {
	i := 0
	for s := d.Seconds(); i < len(bounds) && s > bounds[i]; i++ {
		continue
	}
	h.buckets[i].Add(1)
	h.micros.Add(uint64(max(0, d.Microseconds())))
}

// Histogram writes a family of one histogram.
func (p *Page) Histogram(name, help string, h *Histogram) {
	p.Family(name, histogramKind, help)
	var sum uint64
	for i := range h.buckets {
		sum += h.buckets[i].Load()
		bound := math.Inf(1)
		if i < len(bounds) {
			bound = bounds[i]
		}
		p.line(name+"_bucket", float64(sum), []string{"le", number(bound)})
	}
	p.line(name+"_sum", float64(h.micros.Load())/1e6, nil)
	p.line(name+"_count", float64(sum), nil)
}

package node

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/internal/budget"
	"github.com/agora-host/agora/internal/humanize"
	"github.com/agora-host/agora/node/internal/telemetry"
)

// budgets are all of a node's, which metrics and the doctor report. None is added once the node serves.
type budgets struct{ all []*budget.Budget }

// add makes a budget.
func (bs *budgets) add(name, help string, limit int64) *budget.Budget {
	b := budget.New(name, help, limit)
	bs.all = append(bs.all, b)
	return b
}

// measure writes how near each budget is.
func (bs *budgets) measure(p *telemetry.Page) {
	for _, f := range []struct {
		name, help string
		kind       telemetry.Kind
		of         func(budget.State) float64
	}{
		{"agora_budget_limit", "how much the node has of a thing", telemetry.Gauge, func(s budget.State) float64 { return float64(s.Limit) }},
		{"agora_budget_used", "how much of it is taken", telemetry.Gauge, func(s budget.State) float64 { return float64(s.Used) }},
		{"agora_budget_most", "the most that was taken since the node started", telemetry.Gauge, func(s budget.State) float64 { return float64(s.Most) }},
		{"agora_budget_refused_total", "how often nothing was left", telemetry.Counter, func(s budget.State) float64 { return float64(s.Refused) }},
	} {
		p.Family(f.name, f.kind, f.help)
		for _, b := range bs.all {
			s := b.State()
			p.Sample(f.of(s), "budget", s.Name)
		}
	}
}

// check returns a line of the doctor's for each budget. One that is nearly used up, or was,
// is a reason to look and no damage.
func (bs *budgets) check() (checks []control.Check) {
	for _, b := range bs.all {
		s := b.State()
		say := func(n int64) string { return strconv.FormatInt(n, 10) }
		if strings.HasPrefix(s.Help, "bytes") {
			say = func(n int64) string { return humanize.Bytes(uint64(max(0, n))) }
		}
		detail := fmt.Sprintf("%s of %s in use, at most %s since the start", say(s.Used), say(s.Limit), say(s.Most))
		if s.Refused > 0 {
			detail += fmt.Sprintf("; nothing was left %s", humanize.Plural(s.Refused, "time", "times"))
		}
		checks = append(checks, control.Check{Name: "budget " + s.Name, OK: true, Detail: detail})
	}
	return checks
}

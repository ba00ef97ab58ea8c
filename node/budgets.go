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

// budget makes a budget of the node's, which metrics and the doctor report.
func (h *Node) budget(name, help string, limit int64) *budget.Budget {
	b := budget.New(name, help, limit)
	h.budgets = append(h.budgets, b)
	return b
}

// measureBudgets writes how near each budget is.
func (h *Node) measureBudgets(p *telemetry.Page) {
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
		for _, b := range h.budgets {
			s := b.State()
			p.Sample(f.of(s), "budget", s.Name)
		}
	}
	p.Family("agora_panics_total", telemetry.Counter, "panics of the node's own code that were recovered: each is a defect, and is in the node's log with its stack")
	for where, n := range h.watch.Counts() {
		p.Sample(float64(n), "where", where)
	}
}

// checkBudgets returns a line of the doctor's for each budget. One that is nearly used up, or was,
// is a reason to look and no damage.
func (h *Node) checkBudgets() (checks []control.Check) {
	for _, b := range h.budgets {
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

package node

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/control"
	"github.com/agora-host/agora/control/inbox"
	"github.com/agora-host/agora/host/capability/fetch"
	"github.com/agora-host/agora/internal/humanize"
	"github.com/agora-host/agora/node/internal/telemetry"
	"github.com/agora-host/agora/notices/outlet"
)

// outlets are the ways by which notices leave the node.
type outlets struct {
	mail  *outlet.Mailer // nil: none
	hooks []*outlet.Hook
}

// openOutlets reads Options.Notices. None is asked for anything: the node starts with all of them down.
func (o Options) openOutlets(egress []netip.Prefix) (out outlets, err error) {
	if o.Notices == "" {
		return out, nil
	}
	f, err := outlet.Load(o.Notices)
	if err != nil {
		return out, err
	}
	if f.Mail != nil {
		out.mail = outlet.NewMailer(*f.Mail)
	}
	for _, c := range f.Webhooks {
		out.hooks = append(out.hooks, outlet.NewHook(c, outlet.HookOptions{Judge: fetch.Judge(egress), Now: o.Now}))
	}
	return out, nil
}

// options adds the outlets to those of the inbox.
func (out outlets) options(o inbox.Options) inbox.Options {
	if out.mail != nil {
		o.Mail = out.mail
	}
	for _, h := range out.hooks {
		o.Hooks = append(o.Hooks, h)
	}
	return o
}

// checkWithin is how long the mail server has to respond to the doctor.
const checkWithin = 15 * time.Second

// checkNotices makes the doctor's lines about what leaves the node.
func (c *Checkup) checkNotices(ctx context.Context) (checks []Check, err error) {
	if c.outlets.mail != nil {
		line := Check{Name: "mail server", OK: true, Detail: "it responds, and lets the node in"}
		within, cancel := context.WithTimeout(ctx, checkWithin)
		if err := c.outlets.mail.Check(within); err != nil {
			line = Check{Name: "mail server", Detail: err.Error(), Remedy: abi.Remedy{Summary: "Mail waits meanwhile, for three days. See to the server, or to what --notices says of it."}}
		}
		cancel()
		checks = append(checks, line)
	}
	lanes, err := c.inbox.Deliveries(ctx)
	for _, l := range lanes {
		checks = append(checks, checkLane(l))
	}
	return checks, err
}

// checkLane makes the doctor's line about one way out.
func checkLane(l control.Lane) Check {
	line := Check{Name: "notices by " + l.Name, OK: l.Failing.IsZero() && l.Full == 0}
	line.Detail = humanize.Plural(l.Waiting, "waits", "wait") + " to be sent"
	if !l.Failing.IsZero() {
		line.Detail += fmt.Sprintf("; since %s none could be: %v", l.Failing.UTC().Format(time.RFC3339), l.Err)
	}
	if l.Undelivered > 0 {
		line.Detail += "; " + humanize.Plural(l.Undelivered, "was given up", "were given up") + " in the last 30 days, and what they told is in the inboxes and in the feed"
	}
	if l.Full > 0 {
		line.Detail += "; " + humanize.Plural(l.Full, "was not begun", "were not begun") + " since too many wait"
	}
	if !line.OK {
		line.Remedy = abi.Remedy{Summary: "See to the receiver, or to what --notices says of it. What waits is tried again for three days."}
	}
	return line
}

// measureNotices writes how what leaves the node gets on.
func (m *metrics) measureNotices(ctx context.Context, p *telemetry.Page) {
	lanes, err := m.inbox.Deliveries(ctx)
	if err != nil {
		return // the store is gone, which other lines say
	}
	for _, f := range []struct {
		name, help string
		kind       telemetry.Kind
		of         func(control.Lane) float64
	}{
		{"agora_notices_waiting", "mails or calls of a webhook that wait to be sent", telemetry.Gauge, func(l control.Lane) float64 { return float64(l.Waiting) }},
		{"agora_notices_undelivered", "mails or calls that were given up, in the last 30 days", telemetry.Gauge, func(l control.Lane) float64 { return float64(l.Undelivered) }},
		{"agora_notices_sent_total", "mails or calls that were taken", telemetry.Counter, func(l control.Lane) float64 { return float64(l.Sent) }},
		{"agora_notices_failed_total", "tries to send that failed", telemetry.Counter, func(l control.Lane) float64 { return float64(l.Failed) }},
	} {
		p.Family(f.name, f.kind, f.help)
		for _, l := range lanes {
			p.Sample(f.of(l), "lane", l.Name)
		}
	}
}

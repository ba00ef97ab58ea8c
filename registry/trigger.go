package registry

import (
	"cmp"
	"fmt"
	"maps"
	"net/textproto"
	"path"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/cron"
)

// Triggers are what calls an app besides requests. They belong to the release:
// those of the release that the highest tier serves are in force.
type Triggers struct {
	Cron    []CronTrigger    `toml:"cron,omitempty" json:"cron,omitempty"`
	Webhook []WebhookTrigger `toml:"webhook,omitempty" json:"webhook,omitempty"`
	Event   []EventTrigger   `toml:"event,omitempty" json:"event,omitempty"`
}

// CronTrigger calls a path when the clock says so.
type CronTrigger struct {
	Name     string `toml:"name" json:"name"`
	Schedule string `toml:"schedule" json:"schedule"`                     // see package cron
	Timezone string `toml:"timezone,omitempty" json:"timezone,omitempty"` // IANA name; "" is UTC
	Path     string `toml:"path" json:"path"`
	Missed   string `toml:"missed,omitempty" json:"missed,omitempty"` // MissedSkip or MissedOnce
}

// What becomes of runs that were due while the node was down.
const (
	MissedSkip = "skip"
	MissedOnce = "once" // the last of them is made up for
)

// When reads the schedule.
func (t CronTrigger) When() (cron.Schedule, error) {
	zone, err := cron.Zone(t.Timezone)
	if err != nil {
		return cron.Schedule{}, err
	}
	return cron.Parse(t.Schedule, zone)
}

// WebhookTrigger takes requests of another service that are signed.
type WebhookTrigger struct {
	Name    string `toml:"name" json:"name"`
	Path    string `toml:"path" json:"path"`
	Verify  string `toml:"verify" json:"verify"` // one of WebhookSchemes
	Secret  string `toml:"secret" json:"secret"` // name of the app's secret
	Header  string `toml:"header,omitempty" json:"header,omitempty"`
	Deliver string `toml:"deliver,omitempty" json:"deliver,omitempty"` // DeliverCall or DeliverQueue
}

// How a webhook reaches its app.
const (
	DeliverCall  = "call"  // the app is called, and its answer is the answer
	DeliverQueue = "queue" // it is kept, answered 202, and delivered until that succeeds
)

// WebhookSchemes are the ways of signing that are known.
func WebhookSchemes() []string {
	return []string{"github", "stripe", "slack", "standard-webhooks", "hmac-sha256"}
}

// EventTrigger takes events of a topic.
type EventTrigger struct {
	From        string `toml:"from,omitempty" json:"from,omitempty"` // the app that publishes; "" is the app itself
	Topic       string `toml:"topic" json:"topic"`
	Path        string `toml:"path" json:"path"`
	Concurrency int    `toml:"concurrency,omitempty" json:"concurrency,omitempty"` // deliveries at once; 0 means 1
}

// FullTopic is the topic with the app that publishes it: "shop/orders.created".
func (t EventTrigger) FullTopic() string { return t.From + "/" + t.Topic }

const (
	maxTriggers    = 64 // of each kind
	maxConcurrency = 32 // of one subscription
	maxTriggerPath = 200
)

func (e *ManifestError) checkTriggers(m Manifest) {
	t := m.Triggers
	for _, list := range []struct {
		kind string
		n    int
	}{{"cron", len(t.Cron)}, {"webhook", len(t.Webhook)}, {"event", len(t.Event)}} {
		if !e.atMost("triggers."+list.kind, list.n, maxTriggers) {
			return
		}
	}
	seen := map[string]bool{}
	once := func(at, kind, name string) {
		if seen[kind+name] {
			e.add(at, fmt.Sprintf("there are two %s triggers %q", kind, clip(name, 60)), "Give each a name of its own.")
		}
		seen[kind+name] = true
	}
	for i, c := range t.Cron {
		at := fmt.Sprintf("triggers.cron.%d", i)
		e.checkTrigger(at, c.Name, c.Path)
		once(at, "cron", c.Name)
		if len(c.Timezone) > 64 {
			e.add(at, fmt.Sprintf("cron %q: the timezone has %d bytes, more than 64", clip(c.Name, 40), len(c.Timezone)), "Use an IANA name.", `timezone = "Europe/Zurich"`)
		} else if _, err := c.When(); err != nil {
			e.add(at, fmt.Sprintf("cron %q: %s", clip(c.Name, 40), clip(err.Error(), 400)), "Write five fields: minute, hour, day of month, month, day of week; each *, values, ranges, steps and lists of them (docs/manifest.md).", `schedule = "0 3 * * *"`)
		}
		e.oneOf(at, "missed", c.Missed, "", MissedSkip, MissedOnce)
	}
	for i, w := range t.Webhook {
		at := fmt.Sprintf("triggers.webhook.%d", i)
		e.checkTrigger(at, w.Name, w.Path)
		once(at, "webhook", w.Name)
		once(at, "webhook path", w.Path)
		e.oneOf(at, "verify", w.Verify, WebhookSchemes()...)
		e.oneOf(at, "deliver", w.Deliver, "", DeliverCall, DeliverQueue)
		if !abi.ValidSecretName(w.Secret) {
			e.add(at, fmt.Sprintf("webhook %q names no secret", clip(w.Name, 40)), "Name the app's secret that the other service signs with.", `secret = "github-hook"`)
		}
		if w.Header != "" && (w.Verify != "hmac-sha256" || len(w.Header) > 100 || !httpguts.ValidHeaderFieldName(w.Header)) {
			e.add(at, fmt.Sprintf("webhook %q: header is the name of a header, and only of hmac-sha256", clip(w.Name, 40)), "Leave it out.")
		}
	}
	for i, v := range t.Event {
		at := fmt.Sprintf("triggers.event.%d", i)
		e.checkPath(at, v.Path)
		once(at, "event", v.FullTopic())
		if v.From != "" && ValidName(v.From) != nil || !abi.ValidTopic(v.Topic) {
			e.add(at, fmt.Sprintf("%q is no app and topic", clip(v.FullTopic(), 60)), "Name the app that publishes, and its topic.", `from = "shop"`, `topic = "orders.created"`)
		}
		if v.Concurrency < 0 || v.Concurrency > maxConcurrency {
			e.add(at, fmt.Sprintf("concurrency is %d, and must be 1 to %d", v.Concurrency, maxConcurrency), "Leave it out for one at a time.")
		}
	}
}

func (e *ManifestError) checkTrigger(at, name, path string) {
	if err := ValidName(name); err != nil {
		e.add(at, "the name of a trigger: "+err.Error(), "Choose a short name.", `name = "nightly"`)
	}
	e.checkPath(at, path)
}

func (e *ManifestError) checkPath(at, p string) {
	if len(p) > maxTriggerPath || !strings.HasPrefix(p, "/") || path.Clean(p) != p || plainText(p, maxTriggerPath) != nil || strings.ContainsAny(p, "?#% \\") {
		e.add(at, fmt.Sprintf("%q is no path of a trigger", clip(p, 60)), "Write a plain path of the app.", `path = "/tasks/nightly"`)
	}
}

func (e *ManifestError) oneOf(at, key, value string, known ...string) {
	if !slices.Contains(known, value) {
		e.add(at, fmt.Sprintf("%s %q is not known", key, clip(value, 40)), "Use one of "+strings.Join(slices.DeleteFunc(known, func(s string) bool { return s == "" }), ", ")+".")
	}
}

// triggerDefaults fills in what triggers leave out, and asks for what they need:
// events of other apps take the subscribe capability.
func (m *Manifest) triggerDefaults() {
	t := &m.Triggers
	t.Cron, t.Webhook, t.Event = slices.Clone(t.Cron), slices.Clone(t.Webhook), slices.Clone(t.Event)
	for i := range t.Cron {
		orDefault(&t.Cron[i].Missed, MissedSkip)
	}
	for i, w := range t.Webhook {
		orDefault(&t.Webhook[i].Deliver, DeliverCall)
		if w.Verify == "hmac-sha256" {
			t.Webhook[i].Header = textproto.CanonicalMIMEHeaderKey(cmp.Or(w.Header, "X-Signature"))
		}
	}
	for i := range t.Event {
		orDefault(&t.Event[i].From, m.Name)
		orDefault(&t.Event[i].Concurrency, 1)
	}
	if foreign := m.foreignTopics(); len(foreign) > 0 {
		m.Capabilities = maps.Clone(m.Capabilities)
		if m.Capabilities == nil {
			m.Capabilities = map[string]CapabilityAsk{}
		}
		m.Capabilities[abi.CapabilitySubscribe] = CapabilityAsk{Topics: foreign}
	}
}

// foreignTopics are the topics of other apps that triggers name, sorted.
func (m Manifest) foreignTopics() []string {
	var foreign []string
	for _, t := range m.Triggers.Event {
		if t.From != "" && t.From != m.Name {
			foreign = append(foreign, t.FullTopic())
		}
	}
	slices.Sort(foreign)
	return foreign
}

// Needs are the capabilities that a release cannot do without: those that its
// binary imports, and those that its triggers take. Sorted.
func (m Manifest) Needs(imported []string) []string {
	needs := slices.Clone(imported)
	if _, ok := m.Capabilities[abi.CapabilitySubscribe]; ok {
		needs = append(needs, abi.CapabilitySubscribe)
	}
	slices.Sort(needs)
	return slices.Compact(needs)
}

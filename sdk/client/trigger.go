package client

import (
	"time"

	"github.com/agora-host/agora/abi"
)

// Trigger is what calls an app besides requests, and how that went.
type Trigger struct {
	App      string          `json:"app"`
	Kind     abi.TriggerKind `json:"kind"`
	Name     string          `json:"name"` // of an event trigger "<app>/<topic>"
	Path     string          `json:"path"`
	Schedule string          `json:"schedule,omitempty"` // of cron triggers, with its time zone
	Spec     string          `json:"spec,omitempty"`
	Paused   bool            `json:"paused"`
	PausedBy string          `json:"paused_by,omitempty"`
	Reason   string          `json:"reason,omitempty"`
	Live     bool            `json:"live"`            // the serving release has it
	Waits    string          `json:"waits,omitempty"` // why it is declared, and does not call the app yet
	Next     time.Time       `json:"next,omitzero"`
	LastDue  time.Time       `json:"last_due,omitzero"`
	LastRun  time.Time       `json:"last_run,omitzero"` // when the last delivery ended
	LastID   string          `json:"last_id,omitempty"`
	Outcome  string          `json:"outcome,omitempty"` // "ok", or what went wrong
	Done     uint64          `json:"done"`
	Failed   uint64          `json:"failed"`
	Skipped  uint64          `json:"skipped"`
	Missed   uint64          `json:"missed"`
	Queued   int             `json:"queued"`
	Running  int             `json:"running"`
	Dead     int             `json:"dead"`
	Version  uint64          `json:"version"`
	ETag     string          `json:"-"` // of one trigger that is read, for IfMatch
}

// Delivery is something that has to reach a trigger.
type Delivery struct {
	Seq      uint64          `json:"seq"`
	ID       string          `json:"id"`
	App      string          `json:"app"`
	Kind     abi.TriggerKind `json:"kind"`
	Name     string          `json:"name"`
	From     string          `json:"from"` // the app that caused it
	At       time.Time       `json:"at"`
	Header   []abi.Field     `json:"header,omitempty"`
	Body     []byte          `json:"body,omitempty"`
	Attempts int             `json:"attempts"` // that failed
	Due      time.Time       `json:"due,omitzero"`
	Error    string          `json:"error,omitempty"`
	Dead     time.Time       `json:"dead,omitzero"`
}

// Run names a run that was begun.
type Run struct {
	ID string `json:"id"`
}

// Triggers are what a manifest declares.
type Triggers struct {
	Cron    []CronTrigger    `json:"cron,omitempty"`
	Webhook []WebhookTrigger `json:"webhook,omitempty"`
	Event   []EventTrigger   `json:"event,omitempty"`
}

// CronTrigger calls a path when the clock says so.
type CronTrigger struct {
	Name     string `json:"name"`
	Schedule string `json:"schedule"`
	Timezone string `json:"timezone,omitempty"`
	Path     string `json:"path"`
	Missed   string `json:"missed,omitempty"` // skip or once
}

// WebhookTrigger takes signed requests of another service.
type WebhookTrigger struct {
	Name    string `json:"name"`
	Path    string `json:"path"`
	Verify  string `json:"verify"`
	Secret  string `json:"secret"` // the name of the app's secret
	Header  string `json:"header,omitempty"`
	Deliver string `json:"deliver,omitempty"` // call or queue
}

// EventTrigger takes events of a topic.
type EventTrigger struct {
	From        string `json:"from,omitempty"`
	Topic       string `json:"topic"`
	Path        string `json:"path"`
	Concurrency int    `json:"concurrency,omitempty"`
}

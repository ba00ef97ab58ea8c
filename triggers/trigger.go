package triggers

import (
	"errors"
	"time"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/abi/cron"
	"github.com/agora-host/agora/internal/sentinel"
)

var (
	// ErrNotFound: no such trigger or dead letter.
	ErrNotFound     = errors.New("not found")
	ErrNoTrigger    = sentinel.New(ErrNotFound, "there is no such trigger")
	ErrNoDeadLetter = sentinel.New(ErrNotFound, "there is no such dead letter")
	// ErrRunning: the trigger runs already.
	ErrRunning = errors.New("the trigger is running")
	// ErrPaused: a person keeps the trigger from calling its app.
	ErrPaused = errors.New("the trigger is paused")
	// ErrHeld: nothing is delivered on this node. See Options.Hold.
	ErrHeld = errors.New("the node was started with --pause-triggers, and delivers nothing")
	// ErrBacklog: too much waits, or is remembered, already to take more.
	ErrBacklog = errors.New("too many events wait")
	// ErrLater: the app cannot take a delivery now. It is tried again, and not
	// counted as a failure.
	ErrLater = errors.New("the app cannot take it now")
)

// Ref names a trigger.
type Ref struct {
	App  string          `json:"app"`
	Kind abi.TriggerKind `json:"kind"`
	Name string          `json:"name"` // of an event trigger "<app>/<topic>"
}

// Trigger is one trigger of the release that an app serves.
type Trigger struct {
	Ref
	Path   string
	Paused bool

	// Of cron triggers.
	Spec     string        // the schedule as written; when it changes, counting starts anew
	Schedule cron.Schedule //
	CatchUp  bool          // a run that was missed is made up for, once

	// Of event triggers and queued webhooks.
	Concurrency int       // deliveries at once; 0 means 1
	Until       time.Time // when the grant to receive ends; zero: never
}

// Delivery is something that has to reach a trigger.
type Delivery struct {
	Seq uint64 `json:"seq"` // in the order of acceptance; its key in the store
	ID  string `json:"id"`  // stays the same over attempts
	Ref
	From     string      `json:"from"` // the app whose backlog it counts to
	At       time.Time   `json:"at"`   // published, received, or due
	Header   []abi.Field `json:"header,omitempty"`
	Body     []byte      `json:"body,omitempty"`
	Attempts int         `json:"attempts"` // that failed
	Due      time.Time   `json:"due,omitzero"`
	Error    string      `json:"error,omitempty"` // of the last attempt
	Dead     time.Time   `json:"dead,omitzero"`   // since when it is a dead letter
}

// Size is what a delivery takes of a backlog, in bytes.
func (v Delivery) Size() int {
	n := len(v.Body)
	for _, f := range v.Header {
		n += len(f.Name) + len(f.Value)
	}
	return n
}

// Status is what is remembered of a trigger.
type Status struct {
	Ref
	// Version grows with each change: a store keeps the newest.
	Version uint64    `json:"version"`
	Spec    string    `json:"spec,omitempty"`
	LastDue time.Time `json:"last_due,omitzero"` // the last due time that was decided
	LastRun time.Time `json:"last_run,omitzero"` // when the last delivery ended
	LastID  string    `json:"last_id,omitempty"` // its id
	Outcome string    `json:"outcome,omitempty"` // "ok", or what went wrong
	Done    uint64    `json:"done"`
	Failed  uint64    `json:"failed"`  // attempts
	Skipped uint64    `json:"skipped"` // due while the run before was not over
	Missed  uint64    `json:"missed"`  // due while the node could not run it
}

// View is a trigger as it is shown.
type View struct {
	Status
	Path    string
	Paused  bool
	Next    time.Time // of cron triggers that are not paused
	Queued  int       // waiting, for their turn or their next attempt
	Running int
	Dead    int
	Live    bool // the serving release has it
}

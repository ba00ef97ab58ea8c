package triggers

import "time"

// Pause keeps a trigger from being delivered to. It belongs to the app, not to a
// release: a new release does not lift it.
type Pause struct {
	Ref
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"`
}

// Reader is what one transaction of the control plane can read of triggers.
type Reader interface {
	Pauses(app string) ([]Pause, error) // by kind and name
}

// Writer is what one transaction of the control plane can change of triggers.
type Writer interface {
	PutPause(Pause) error
	// DeletePause succeeds also if there is none.
	DeletePause(Ref) error
}

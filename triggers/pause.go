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

// Tx is the triggers' part of one transaction of the control plane. Pauses are
// sorted by kind and name.
type Tx interface {
	Pauses(app string) ([]Pause, error)
	PutPause(Pause) error
	// DeletePause succeeds also if there is none.
	DeletePause(Ref) error
}
